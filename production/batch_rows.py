"""A row of a table of completions, typed in the grid, pasted or imported, and the request it stands for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from inventory.errors import DomainError
from inventory.models import Item, Location, Tracking
from inventory.operations.checking import packs_of
from inventory.quantities import ZERO
from production.batch_actuals import actuals_of
from production.forms import moment_of
from production.operations.completing import Actual, CompletionRequest, OutputLot
from production.output_lots import fill_rest, read_lots, read_serials
from production.subjects import Subject, find_subject
from production.typed import in_stock_unit, read_quantity

COLUMNS = ("what", "good", "scrapped", "scrap_reason", "into", "lot", "reason", "note", "used", "scrap_place")
"""Of the grid, in the order they are pasted in."""


class RowProblem(Exception):
    """What is wrong with one field of a row, in words."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row as text. `what` is a work order, or an item that is made."""

    what: str
    good: str = ""
    scrapped: str = ""
    scrap_reason: str = ""
    into: str = ""
    source: str = ""
    lot: str = ""
    reason: str = ""
    reference: str = ""
    note: str = ""
    made_on: date | None = None
    used: str = ""
    """Actual quantities of components; see production.typed_actuals."""
    scrap_place: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What rows that name no place take."""

    into: Location | None = None
    source: Location | None = None


def request_of_row(
    row: BatchRow,
    *,
    places: Mapping[str, Location],
    defaults: Defaults,
    subject: Subject | None = None,
    is_confirmed: bool,
) -> CompletionRequest:
    """The completion a row reports. `places` are by code in lower case. Raises RowProblem for a field that cannot be used.

    `is_confirmed` says that an unusual quantity was looked at; else the completion is refused for it.
    """
    found = subject or _subject(row.what)
    item, order = found.item, found.work_order
    packs: Mapping[str, Fraction] = packs_of(item)
    good = _quantity(row.good, row.unit, item, packs, field="good")
    scrapped = _quantity(row.scrapped, row.unit, item, packs, field="scrapped")
    if not good and not scrapped and not row.lot.strip():
        raise RowProblem("good", "How many were made? Type a good or a scrapped quantity.")
    if scrapped and not row.scrap_reason.strip():
        raise RowProblem("scrap_reason", "Scrap needs a reason.")
    into = _place(row.into, places, field="into") or (None if order else defaults.into)
    if into is None and order is None:
        raise RowProblem("into", f"Where does the finished {item.sku} go? Name a place.")
    lots: list[OutputLot] = []
    code = row.lot.strip()
    if item.tracking == Tracking.SERIAL and code:
        lots = [OutputLot(serial, Decimal(1)) for serial in _serials(code)]
        good, code = good or Decimal(len(lots)), ""
    elif item.tracking == Tracking.LOT and ";" in code:
        lots, code = _lots(code, good), ""
    return CompletionRequest(
        good=good,
        item=None if order else item,
        work_order=order,
        scrapped=scrapped,
        scrap_reason=row.scrap_reason.strip()[:100] if scrapped else "",
        scrap_location=_place(row.scrap_place, places, field="scrap_place"),
        source_location=_place(row.source, places, field="source") or (None if order else defaults.source),
        output_location=into,
        output_lot_code=code,
        output_lots=lots,
        actuals=_actuals(row.used),
        reason=row.reason.strip()[:100],
        reference=row.reference.strip()[:100],
        note=row.note.strip()[:500],
        effective_at=moment_of(row.made_on),
        is_confirmed=is_confirmed,
    )


def _subject(what: str) -> Subject:
    found = find_subject(what)
    if found.subject is not None:
        return found.subject
    if found.candidates:
        names = ", ".join(subject.code for subject in found.candidates[:3])
        raise RowProblem("what", f"“{what}” fits several: {names}. Write the whole SKU or number.")
    raise RowProblem("what", f"Nothing that can be made is called “{what}”.")


def _quantity(text: str, unit: str, item: Item, packs: Mapping[str, Fraction], *, field: str) -> Decimal:
    if not text.strip():
        return ZERO
    try:
        typed = read_quantity(f"{text} {unit}" if unit and not any(c.isalpha() for c in text) else text)
        return in_stock_unit(typed, sku=item.sku, stock_unit=item.stock_unit, step=item.step, packs=packs)
    except DomainError as error:
        raise RowProblem(field, error.message) from error


def _actuals(text: str) -> list[Actual]:
    if not text.strip():
        return []
    try:
        return actuals_of(text)
    except DomainError as error:
        raise RowProblem("used", error.message) from error


def _place(code: str, places: Mapping[str, Location], *, field: str) -> Location | None:
    if not code.strip():
        return None
    found = places.get(code.strip().casefold())
    if found is None:
        raise RowProblem(field, f"There is no own place {code.strip()}.")
    return found


def _serials(text: str) -> list[str]:
    try:
        return read_serials(text)
    except DomainError as error:
        raise RowProblem("lot", error.message) from error


def _lots(text: str, good: Decimal) -> list[OutputLot]:
    """`L-1 20; L-2 20`: the lots of one row."""
    try:
        lots = fill_rest(read_lots("\n".join(text.split(";"))), good=good)
    except DomainError as error:
        raise RowProblem("lot", error.message) from error
    return [OutputLot(lot.code, quantity, lot.expires_on) for lot, quantity in lots]
