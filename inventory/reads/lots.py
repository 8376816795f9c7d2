"""Lists of lots: searched, filtered, page by page, with what is on hand of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q, QuerySet

from inventory.models import Lot, StockBalance
from inventory.quantities import ZERO


@dataclass(frozen=True, slots=True)
class LotQuestion:
    """Which lots are asked about. Empty values do not narrow it."""

    item_id: int | None = None
    text: str = ""
    """Beginning of a lot's code or of its supplier's code."""
    expires_before: date | None = None
    status: str = ""
    stocked: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True)
class ListedLot:
    """A lot with what is on hand of it, by status; stock unit of its item."""

    lot: Lot
    on_hand: Decimal
    statuses: Sequence[tuple[str, Decimal]]
    places: int


@dataclass(frozen=True, slots=True)
class LotPage:
    rows: Sequence[ListedLot]
    next_before: int | None  # ask for lots before this id to go on


def lots_matching(question: LotQuestion) -> QuerySet[Lot]:
    """The lots, newest first, ready to page; the implicit lots of untracked items are left out."""
    lots = Lot.objects.named().select_related("item").order_by("-pk")
    if question.item_id is not None:
        lots = lots.filter(item_id=question.item_id)
    if question.text:
        lots = lots.filter(Q(code__istartswith=question.text) | Q(supplier_lot__istartswith=question.text))
    if question.expires_before is not None:
        lots = lots.filter(expires_on__lt=question.expires_before)
    if question.owner:
        lots = lots.filter(owner=question.owner)
    if question.status or question.stocked:
        cells = StockBalance.objects.on_hand().filter(lot=OuterRef("pk"))
        lots = lots.filter(Exists(cells.filter(status=question.status) if question.status else cells))
    return lots


def lot_page(question: LotQuestion, *, before: int | None = None, rows_max: int = 50) -> LotPage:
    """A page of lots. Two statements."""
    lots = lots_matching(question)
    found = list((lots if before is None else lots.filter(pk__lt=before))[: rows_max + 1])
    has_more = len(found) > rows_max
    found = found[:rows_max]
    return LotPage(listed(found), found[-1].pk if has_more and found else None)


def listed(lots: Sequence[Lot]) -> list[ListedLot]:
    """Lots with what is on hand of them. One statement."""
    cells: dict[int, list[StockBalance]] = {}
    for cell in StockBalance.objects.on_hand().filter(lot_id__in=[lot.pk for lot in lots]).order_by("status"):
        cells.setdefault(cell.lot_id, []).append(cell)
    return [_listed(lot, cells.get(lot.pk, [])) for lot in lots]


def _listed(lot: Lot, cells: Sequence[StockBalance]) -> ListedLot:
    sums: dict[str, Decimal] = {}
    for cell in cells:
        sums[cell.status] = sums.get(cell.status, ZERO) + cell.quantity
    return ListedLot(lot, sum(sums.values(), ZERO), tuple(sums.items()), len({cell.location_id for cell in cells}))
