"""Import of the hours in which channels are told figures, or not: a row is one span of hours on its days."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import NamedTuple

from channels_sync.models import Channel, SendingWindow, WindowKind, WindowScope
from channels_sync.operations.scheduling import add_window, reword_window
from inventory.errors import DomainError
from inventory.importing.cells import read_choice
from inventory.importing.errors import CellError
from inventory.importing.headers import Field, find_columns
from inventory.importing.moments import read_time, time_text
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.importing.upkeep import is_same, leave_out_blank, text_of, without_repetitions
from inventory.operations.posting import Actor

FIELDS = (
    Field("channel", "Channel", ("channel", "channel code", "shop"), is_required=True, help_text="Its code."),
    Field(
        "kind",
        "Hours",
        ("hours", "kind", "window"),
        is_required=True,
        help_text="quiet: not in these hours; open: only in these hours.",
    ),
    Field(
        "scope", "What", ("what", "scope", "applies to"), help_text="everything, or raises alone; empty: everything."
    ),
    Field("weekdays", "Days", ("days", "weekdays", "day"), help_text="Such as Mon-Fri or Sat, Sun; empty: every day."),
    Field(
        "starts_at",
        "From",
        ("from", "starts", "starts at", "start"),
        is_required=True,
        help_text="Such as 22:00, on the channel's clock.",
    ),
    Field(
        "ends_at",
        "Until",
        ("until", "ends", "ends at", "end", "to"),
        is_required=True,
        help_text="Not later than the start: of the next day.",
    ),
    Field("reason", "Reason", ("reason", "why", "note")),
)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EVERY_DAY = "every day"
_GROUPS = {EVERY_DAY: "0123456", "daily": "0123456", "weekdays": "01234", "weekend": "56", "weekends": "56"}
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_KINDS = {"quiet": WindowKind.QUIET.value, "open": WindowKind.OPEN.value}
_SCOPES = {
    "everything": WindowScope.EVERYTHING.value,
    "all": WindowScope.EVERYTHING.value,
    "raises": WindowScope.RAISES.value,
    "raises only": WindowScope.RAISES.value,
}


class _Hours(NamedTuple):
    """What makes two rows the same hours."""

    channel_id: int
    kind: str
    scope: str
    weekdays: str
    starts_at: time
    ends_at: time


@dataclass(slots=True)
class _Row:
    reader: RowReader
    channel: Channel
    hours: _Hours
    reason: str | None
    """None: what there is stays."""

    @property
    def label(self) -> str:
        hours = self.hours
        span = f"{time_text(hours.starts_at)}-{time_text(hours.ends_at)}, {days_text(hours.weekdays)}"
        return f"{self.channel.code}: {hours.kind} {span}"


def import_sending_windows(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Add the hours of a table; see running.ImportKind. Hours that it does not name stay."""
    report = Report.of("sending_windows", table)
    columns = find_columns(table, FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=()),
        report,
        key="channel",
        words="the channel is empty. Give the code of one.",
    )
    channels = {channel.code.casefold(): channel for channel in Channel.objects.all()}
    rows = {reader.number: row for reader in readers if (row := _row(reader, channels)) is not None}
    known = {_hours_of(window): window for window in SendingWindow.objects.all()}
    kept = without_repetitions(
        [row.reader for row in rows.values()],
        report,
        key=lambda reader: rows[reader.number].hours,
        column="channel",
        label=lambda reader: rows[reader.number].label,
    )
    for reader in kept:
        row = rows[reader.number]
        _write(row, known.get(row.hours), report, actor)
    told = {result.row for result in report.results}
    for reader in readers:
        if not reader.is_clean and reader.number not in told:
            report.add(reader.number, Outcome.REFUSED, reader.text("channel"))
    report.results.sort(key=lambda result: result.row)
    return report


def _hours_of(window: SendingWindow) -> _Hours:
    return _Hours(window.channel_id, window.kind, window.scope, window.weekdays, window.starts_at, window.ends_at)


def _row(reader: RowReader, channels: Mapping[str, Channel]) -> _Row | None:
    channel = channels.get(reader.text("channel").casefold())
    if channel is None:
        reader.refuse("channel", f"there is no channel “{reader.text('channel')}”. Give the code of one.")
    kind = reader.read("kind", lambda text: read_choice(text, _KINDS, what="kind of hours"))
    scope = reader.read("scope", lambda text: read_choice(text, _SCOPES, what="choice of what goes out"))
    weekdays = reader.read("weekdays", read_days)
    starts_at, ends_at = reader.read("starts_at", read_time), reader.read("ends_at", read_time)
    reason = reader.read("reason", text_of(200))
    if kind is None:
        reader.refuse("kind", "it is empty. Type quiet or open.")
    for column, clock in (("starts_at", starts_at), ("ends_at", ends_at)):
        if clock is None:
            reader.refuse(column, "it is empty. Type hour:minute, such as 22:00.")
    if starts_at is not None and starts_at == ends_at:
        reader.refuse("ends_at", "the hours begin and end at the same time. For a whole day give 00:00 to 23:59.")
    if channel is None or kind is None or starts_at is None or ends_at is None or not reader.is_clean:
        return None
    hours = _Hours(channel.pk, kind, scope or WindowScope.EVERYTHING.value, weekdays or "0123456", starts_at, ends_at)
    return _Row(reader, channel, hours, reason)


def _write(row: _Row, known: SendingWindow | None, report: Report, actor: Actor) -> None:
    if known is not None:
        changes = []
        if row.reason is not None and not is_same(known.reason, row.reason):
            changes.append(Change("Reason", known.reason, row.reason))
            reword_window(window=known, reason=row.reason, actor=actor)
        outcome = Outcome.CHANGED if changes else Outcome.UNCHANGED
        report.add(row.reader.number, outcome, row.label, changes=changes)
        return
    hours = row.hours
    try:
        add_window(
            channel=row.channel,
            kind=WindowKind(hours.kind),
            scope=WindowScope(hours.scope),
            weekdays=hours.weekdays,
            starts_at=hours.starts_at,
            ends_at=hours.ends_at,
            reason=row.reason or "",
            actor=actor,
        )
    except DomainError as error:
        row.reader.refuse("channel", error.message)
        return
    titles = {field.name: field.title for field in FIELDS}
    found = {"scope": hours.scope, "reason": row.reason or ""}
    changes = [Change(titles[name], "", value) for name, value in found.items() if value]
    report.add(row.reader.number, Outcome.NEW, row.label, changes=changes)


def read_days(text: str) -> str:
    """Days of the week as digits in order, 0 for Monday: `Mon-Fri`, `Sat, Sun`, `weekdays`, `every day`. Raises CellError."""
    words = " ".join(re.sub(r"[–—]", "-", text).casefold().split())
    if words in _GROUPS:
        return _GROUPS[words]
    found: set[int] = set()
    for part in re.split(r"[,;/ ]+", re.sub(r" ?- ?", "-", words)):
        first, dash, last = part.partition("-")
        begin, end = _day(first, text), _day(last if dash else first, text)
        found |= {(begin + step) % 7 for step in range((end - begin) % 7 + 1)}
    return "".join(str(day) for day in sorted(found))


def _day(word: str, text: str) -> int:
    for number, name in enumerate(_NAMES):
        if len(word.rstrip(".")) >= 2 and name.startswith(word.rstrip(".")):
            return number
    raise CellError(f"“{text}” names no days of the week. Type them like Mon-Fri, or Sat, Sun, or every day.")


def days_text(weekdays: str) -> str:
    """What `read_days` reads back."""
    return EVERY_DAY if len(weekdays) == len(DAYS) else ", ".join(DAYS[int(digit)] for digit in weekdays)


SENDING_WINDOWS = ImportKind(
    name="sending_windows",
    title="Hours of sending",
    help_text="When channels are told figures and when not, on the channel's clock. Hours that a file does not name stay; "
    "they are removed on the channel's page.",
    permissions=("channels_sync.change_sendingwindow",),
    fields=FIELDS,
    options=(),
    perform=import_sending_windows,
    order=87,
)
