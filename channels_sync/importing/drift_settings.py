"""Import of how channels are read back, and what follows from each cause of a difference: a row is one channel."""

from collections.abc import Callable, Mapping
from typing import Any

from channels_sync.models import Channel, DriftSetting
from channels_sync.operations.deciding_differences import set_drift
from inventory.importing.cells import read_choice
from inventory.importing.headers import Field, find_columns
from inventory.importing.reports import Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.importing.upkeep import (
    Entry,
    check_model,
    compare,
    leave_out_blank,
    tell,
    whole_number,
    without_repetitions,
)
from inventory.operations.posting import Actor

_CAUSES = (
    ("lost_lowering", "Lost lowering", "a lower figure that never arrived"),
    ("lost_raise", "Lost raise", "a higher figure that never arrived"),
    ("edited", "Edited", "a figure changed on the channel"),
    ("sold", "Sold", "orders not imported yet"),
    ("mapping", "Wrong link", "a listing linked to the wrong item"),
    ("unexplained", "Unexplained", "a difference nothing explains"),
)


def _choices(name: str) -> list[str]:
    field = DriftSetting._meta.get_field(name)
    return [str(value) for value, _ in field.choices or ()]  # type: ignore[union-attr]


def _cause_field(name: str, title: str, words: str) -> Field:
    synonyms = (title.casefold(), name.replace("_", " "), words)
    help_text = f"{words[0].upper()}{words[1:]}: {', '.join(_choices(name))}."
    return Field(name, title, tuple(dict.fromkeys(synonyms)), help_text=help_text)


FIELDS = (
    Field("channel", "Channel", ("channel", "channel code", "shop"), is_required=True, help_text="Its code."),
    Field(
        "settle_minutes",
        "Minutes to settle",
        ("minutes to settle", "settle minutes", "time to settle"),
        help_text="A younger difference is only watched.",
    ),
    Field(
        "sample_rows",
        "Listings read",
        ("listings read", "sample rows", "listings read every five minutes"),
        help_text="Every five minutes, 1 to 200.",
    ),
    *(_cause_field(*cause) for cause in _CAUSES),
)


def import_drift_settings(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Set the reading back of the channels of a table; see running.ImportKind. Channels without a setting have the defaults."""
    report = Report.of("drift_settings", table)
    columns = find_columns(table, FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=()),
        report,
        key="channel",
        words="the channel is empty. Give the code of one.",
    )
    readers = without_repetitions(
        readers, report, key=lambda reader: reader.text("channel").casefold(), column="channel", label="channel"
    )
    channels = {channel.code.casefold(): channel for channel in Channel.objects.all()}
    known = DriftSetting.objects.in_bulk()
    entries = [entry for reader in readers if (entry := _entry(reader, channels, known)) is not None]
    for entry in entries:
        if entry.changes:
            values = {name: getattr(entry.instance, name) for name in entry.fields}
            set_drift(channel=entry.instance.channel, values=values, actor=actor)
    return tell(report, readers, entries, label="channel")


def _entry(
    reader: RowReader, channels: Mapping[str, Channel], known: Mapping[int, DriftSetting]
) -> Entry[DriftSetting] | None:
    channel = channels.get(reader.text("channel").casefold())
    if channel is None:
        reader.refuse("channel", f"there is no channel “{reader.text('channel')}”. Give the code of one.")
    values = _values(reader)
    if channel is None or not reader.is_clean:
        return None
    setting = known.get(channel.pk) or DriftSetting(channel=channel)
    setting.channel = channel
    entry = compare(reader, setting, label=channel.code, is_new=False, values=values, fields=FIELDS)
    check_model(reader, setting, exclude=("channel",))
    return entry if reader.is_clean else None


def _values(reader: RowReader) -> dict[str, Any]:
    readers: dict[str, Callable[[str], Any]] = {"settle_minutes": whole_number, "sample_rows": whole_number}
    for name, _, _ in _CAUSES:
        readers[name] = _response(name)
    found = {name: reader.read(name, read) for name, read in readers.items()}
    return {name: value for name, value in found.items() if value is not None}


def _response(name: str) -> Callable[[str], str]:
    words = {value: value for value in _choices(name)}
    return lambda text: read_choice(text, words, what="response to this cause")


DRIFT_SETTINGS = ImportKind(
    name="drift_settings",
    title="Reading back",
    help_text="How channels are read back, and what follows from a difference by its cause. Empty cells and missing columns "
    "change nothing.",
    permissions=("channels_sync.change_driftsetting",),
    fields=FIELDS,
    options=(),
    perform=import_drift_settings,
    order=88,
)
