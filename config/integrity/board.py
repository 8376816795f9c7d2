"""What the page of the ledger check shows: every fact with its last results, the runs, and findings people can follow."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.integrity.signing import is_genuine
from config.invariants import INVARIANTS
from inventory.models import InvariantResult, InvariantRun, Item, Location, Lot

STRIP_RUNS = 30
OVERDUE = timedelta(hours=36)
"""A nightly check that is older did not run."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A stored run. `is_genuine`: its signature fits, so what it says can be believed."""

    run: InvariantRun
    results: Sequence[InvariantResult]
    is_genuine: bool

    @property
    def is_good(self) -> bool:
        return self.run.is_true and self.is_genuine

    @property
    def milliseconds(self) -> int:
        return round((self.run.finished_at - self.run.started_at).total_seconds() * 1000)

    @property
    def broken(self) -> list[InvariantResult]:
        return [one for one in self.results if one.findings]


@dataclass(frozen=True, slots=True)
class Mark:
    """One run in the strip of a fact."""

    tone: str  # good, blocked, look or empty for a run that did not know the fact
    title: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact with its newest result first seen in the newest run; None when no run has checked it yet."""

    app: str
    name: str
    statement: str
    result: InvariantResult | None
    marks: Sequence[Mark]  # oldest first

    @property
    def broken_times(self) -> int:
        return sum(mark.tone == "blocked" for mark in self.marks)

    @property
    def checked_times(self) -> int:
        return sum(bool(mark.tone) for mark in self.marks)


def runs(*, before: int | None = None, rows_max: int = STRIP_RUNS) -> list[RunRow]:
    """Stored runs, newest first, with their signatures looked at. Two queries."""
    found: QuerySet[InvariantRun] = InvariantRun.objects.order_by("-id").prefetch_related("results")
    if before is not None:
        found = found.filter(pk__lt=before)
    return [_row(run) for run in found[:rows_max]]


def one_run(pk: int) -> RunRow | None:
    run = InvariantRun.objects.filter(pk=pk).prefetch_related("results").first()
    return None if run is None else _row(run)


def latest() -> RunRow | None:
    found = runs(rows_max=1)
    return found[0] if found else None


def is_overdue(row: RunRow) -> bool:
    return timezone.now() - row.run.finished_at > OVERDUE


def _row(run: InvariantRun) -> RunRow:
    results = list(run.results.all())
    return RunRow(run, results, is_genuine(run, results))


def facts(rows: Sequence[RunRow]) -> list[Fact]:
    """Every fact there is now, over these runs (newest first)."""
    oldest_first = list(reversed(rows))
    by_run = [{(one.app, one.name): one for one in row.results} for row in oldest_first]
    board = []
    for app, invariant in INVARIANTS:
        key = (app, invariant.name)
        marks = [_mark(row, results.get(key)) for row, results in zip(oldest_first, by_run, strict=True)]
        newest = by_run[-1].get(key) if by_run else None
        board.append(Fact(app, invariant.name, invariant.description, newest, marks))
    return board


def facts_of(row: RunRow) -> list[Fact]:
    """The facts as one run knew them."""
    return [Fact(one.app, one.name, one.statement, one, []) for one in row.results]


def _mark(row: RunRow, result: InvariantResult | None) -> Mark:
    when = f"{timezone.localtime(row.run.started_at):%Y-%m-%d %H:%M}"
    if result is None:
        return Mark("", f"{when}: not checked")
    if not row.is_genuine:
        return Mark("look", f"{when}: changed after the check")
    if result.findings:
        return Mark("blocked", f"{when}: {len(result.findings)} found, {result.milliseconds} ms")
    return Mark("good", f"{when}: held, {result.milliseconds} ms")


# --- Findings, with names instead of ids ------------------------------------------------------------------------------

_REFERENCE = re.compile(r"\b(item|component|location|lot|posting|reversal|completion|listing) (\d{1,18})\b")


@dataclass(frozen=True, slots=True)
class _Names:
    items: Mapping[int, str]
    locations: Mapping[int, str]
    lots: Mapping[int, str]


def readable(results: Iterable[InvariantResult]) -> list[tuple[InvariantResult, list[SafeString]]]:
    """Broken facts with their findings as text in which items, places, lots and postings are named and can be opened.

    Three queries, whatever their number.
    """
    broken = [one for one in results if one.findings]
    if not broken:
        return []
    names = _names(finding for one in broken for finding in one.findings)
    return [(one, [_linked(finding, names) for finding in one.findings]) for one in broken]


def _names(findings: Iterable[str]) -> _Names:
    ids: dict[str, set[int]] = {"item": set(), "location": set(), "lot": set()}
    for finding in findings:
        for word, number in _REFERENCE.findall(finding):
            kind = "item" if word == "component" else word
            if kind in ids:
                ids[kind].add(int(number))
    return _Names(
        dict(Item.objects.filter(pk__in=ids["item"]).values_list("pk", "sku")),
        dict(Location.objects.filter(pk__in=ids["location"]).values_list("pk", "code")),
        dict(Lot.objects.filter(pk__in=ids["lot"]).values_list("pk", "code")),
    )


_ZEROS = re.compile(r"(?<=\d)\.0+\b|(\.\d*?[1-9])0+\b")
"""What follows the last digit that counts of a figure."""


def _linked(finding: str, names: _Names) -> SafeString:
    finding = _ZEROS.sub(r"\1", finding)
    text = SafeString("")
    end = 0
    for found in _REFERENCE.finditer(finding):
        text += format_html("{}{}", finding[end : found.start()], _door(found[1], int(found[2]), names))
        end = found.end()
    return text + format_html("{}", finding[end:])


def _door(kind: str, number: int, names: _Names) -> SafeString:
    if kind in ("item", "component") and number in names.items:
        url = reverse("inventory:item", args=[number])
        return format_html('<a class="bf-code" href="{}?tab=ledger">{}</a>', url, names.items[number])
    if kind == "location" and number in names.locations:
        return format_html('<span class="bf-strong">{}</span>', names.locations[number])
    if kind == "lot" and number in names.lots:
        return format_html(
            '<span class="bf-strong">{}</span>', f"lot {names.lots[number]}" if names.lots[number] else "no lot"
        )
    address = {
        "posting": "inventory:posting",
        "reversal": "inventory:posting",
        "completion": "production:completion",
        "listing": "channels_sync:listing",
    }.get(kind)
    if address is not None:
        url = reverse(address, args=[number])
        return format_html('<a class="bf-link" href="{}">{} {}</a>', url, kind, number)
    return format_html("{} {}", kind, number)
