"""Running an import: one transaction, which a check rolls back."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar

from django.db import transaction
from django.db.models import Max
from django.utils.module_loading import autodiscover_modules

from inventory.bulk import as_bulk
from inventory.importing.headers import Field, count_known
from inventory.importing.reports import Report
from inventory.importing.tables import Table, read_table
from inventory.models import Location, StockChange
from inventory.operations.posting import Actor
from inventory.operations.transactions import run_in_transaction


class Mode(StrEnum):
    CHECK = "check"  # nothing is kept
    ALL = "all"  # all rows, or none when one is refused
    CLEAN = "clean"  # the rows that are in order; refused ones are left out


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a person chooses beside the file. Each kind names the ones it heeds."""

    location: Location | None = None  # for rows that name none
    product: str = ""  # SKU that a file without a parent column is the BOM of
    on: date | None = None  # rows valid on this day; empty: today
    create_items: bool = True  # items that are not known yet are made
    activate: bool = True  # new BOM versions come into force today; otherwise they stay drafts
    sheet: str = ""  # of a workbook; empty: the first
    as_of: datetime | None = None  # the moment figures are of; empty: now
    is_complete: bool = False  # what a report does not name is not there


@dataclass(frozen=True, slots=True)
class ImportKind:
    """One kind of table. `perform` writes within the present transaction what is in order and reports the rest.

    It leaves refused rows out without harm to others; a row that depends on a refused one is refused too.
    """

    name: str
    title: str
    help_text: str
    permissions: tuple[str, ...]
    fields: tuple[Field, ...]
    options: tuple[str, ...]
    perform: Callable[[Table, ImportOptions, Actor], Report]
    order: int = 50


R = TypeVar("R")
Outlook = Callable[[Collection[int]], Sequence[str]]
"""What follows elsewhere when more or less of these items (ids) can be promised, a sentence each."""
_kinds: dict[str, ImportKind] = {}
_outlooks: dict[str, Outlook] = {}


def register_outlook(name: str, outlook: Outlook) -> None:
    """Have every import tell this beside its rows, before it is kept or undone. The name replaces an earlier one."""
    _outlooks[name] = outlook


def register_kind(kind: ImportKind) -> None:
    _kinds[kind.name] = kind


def import_kinds() -> Sequence[ImportKind]:
    """Every kind of every app: each app's `importing` package registers its own."""
    autodiscover_modules("importing.kinds")
    return sorted(_kinds.values(), key=lambda kind: kind.order)


def kind_named(name: str) -> ImportKind:
    """Raises ValueError, naming the kinds there are."""
    kinds = {kind.name: kind for kind in import_kinds()}
    if name not in kinds:
        raise ValueError(f"There is no import of {name!r}. There is: {', '.join(kinds)}.")
    return kinds[name]


def run_import(
    *,
    kind: ImportKind,
    content: bytes,
    file_name: str,
    actor: Actor,
    mode: Mode = Mode.CHECK,
    options: ImportOptions | None = None,
    expected: str = "",
) -> Report:
    """Check a file, or import it. The report says what every row became, or would become.

    With `expected`, the fingerprint of an earlier check, nothing is written when the outcome would differ from what that
    check showed. Raises TableTooLarge or UnreadableTable for a file that cannot be read at all.
    """
    wanted = options or ImportOptions()
    table = read_table(
        content=content,
        name=file_name,
        knows=lambda titles: count_known(titles, kind.fields),
        sheet=wanted.sheet,
    )

    def work() -> Report:
        newest = _newest_news()
        with as_bulk(f"import {kind.name}", actor_id=getattr(actor, "pk", None)):
            report = kind.perform(table, wanted, actor)
        report.summary += _follows(report, newest)
        columns = {title: place for place, title in enumerate(table.titles)}
        report.problems.sort(key=lambda problem: (problem.row, columns.get(problem.column, -1)))
        is_wanted = mode == Mode.CLEAN or (mode == Mode.ALL and report.is_clean)
        report.is_applied = is_wanted and (not expected or report.fingerprint == expected)
        if not report.is_applied:
            transaction.set_rollback(True)
        return report

    return run_in_transaction(work)


def rehearse(work: Callable[[], R]) -> tuple[R, list[str]]:
    """Do something, tell what that would mean elsewhere, a sentence each, and undo it all. Raises what `work` raises."""

    def run() -> tuple[R, list[str]]:
        newest = _newest_news()
        result = work()
        told = _told_after(newest)
        transaction.set_rollback(True)
        return result, told

    return run_in_transaction(run)


def _follows(report: Report, newest: int) -> list[str]:
    """What the news that the import left, those after `newest`, means elsewhere."""
    return _told_after(newest) if report.changes_something else []


def _newest_news() -> int:
    return StockChange.objects.aggregate(newest=Max("pk"))["newest"] or 0


def _told_after(newest: int) -> list[str]:
    autodiscover_modules("importing.kinds")
    told = StockChange.objects.filter(pk__gt=newest).values_list("items", flat=True)
    items = {item_id for touched in told for item_id in touched}
    return [sentence for outlook in _outlooks.values() for sentence in outlook(items)] if items else []
