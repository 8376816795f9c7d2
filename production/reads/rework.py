"""What waits to be reworked, and the orders for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import DecimalField, ExpressionWrapper, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from inventory.models import Item, Location, Lot, StockBalance, StockStatus
from inventory.quantities import ZERO
from production.models import REWORKED_FROM, Disposition, InspectionDecision, ReworkOrder, ReworkState
from production.operations.inspecting import in_rework

CELLS_MAX = 200
"""Lots that wait which one answer lists."""
_FIGURE = DecimalField(max_digits=18, decimal_places=6)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A lot in quarantine or damaged of which something is free and in no open rework order. `left` in the stock unit."""

    cell_id: int
    item: Item
    lot: Lot
    location: Location
    status: str
    left: Decimal
    decision: InspectionDecision | None
    """The newest decision of an inspection that sent some of it to rework, with something of it still to do."""
    sent: Decimal
    """How much of it that decision still sends to rework; without one nothing."""

    @property
    def suggested(self) -> Decimal:
        """What an order would be for: what was sent to rework, else all that waits."""
        return min(self.left, self.sent) if self.decision is not None else self.left

    @property
    def status_label(self) -> str:
        return str(StockStatus(self.status).label)


def waiting(*, text: str = "", cell_id: int | None = None) -> list[Waiting]:
    """Lots that wait to be reworked, by item and lot, at most CELLS_MAX; four statements."""
    cells = _cells()
    if cell_id is not None:
        cells = cells.filter(pk=cell_id)
    if text:
        cells = cells.filter(
            Q(item__sku__icontains=text) | Q(item__name__icontains=text) | Q(lot__code__icontains=text)
        )
    found = list(cells[:CELLS_MAX])
    decisions = _decisions(found)
    return [
        Waiting(
            cell_id=cell.pk,
            item=cell.item,
            lot=cell.lot,
            location=cell.location,
            status=cell.status,
            left=cell.left,  # type: ignore[attr-defined]  # annotated
            decision=decision,
            sent=sent,
        )
        for cell in found
        for decision, sent in [
            decisions.get((cell.item_id, cell.location_id, cell.lot_id), (None, ZERO))
            if cell.status == StockStatus.QUARANTINE
            else (None, ZERO)
        ]
    ]


def waiting_of(decision: InspectionDecision) -> Waiting | None:
    """What waits of the goods a decision sent to rework; None when nothing of them is left."""
    inspection = decision.verdict.inspection
    cells = _cells().filter(
        item=inspection.item_id,
        location=inspection.location_id,
        lot=inspection.lot_id,
        status=StockStatus.QUARANTINE,
    )
    cell = cells.first()
    sent = _left_of([decision]).get(decision.pk, ZERO)
    if cell is None or not sent:
        return None
    left: Decimal = cell.left  # type: ignore[attr-defined]  # annotated
    return Waiting(cell.pk, cell.item, cell.lot, cell.location, cell.status, left, decision, sent)


def _cells() -> QuerySet[StockBalance]:
    same = ReworkOrder.objects.filter(
        item=OuterRef("item"),
        lot=OuterRef("lot"),
        location=OuterRef("location"),
        status=OuterRef("status"),
        state=ReworkState.OPEN,
    ).order_by()
    promised = same.values("item").annotate(left=Sum(F("quantity") - F("good") - F("scrapped"))).values("left")
    spoken_for = Coalesce(Subquery(promised, output_field=_FIGURE), Value(ZERO, output_field=_FIGURE))
    left = ExpressionWrapper(F("quantity") - F("reserved") - spoken_for, output_field=_FIGURE)
    cells = StockBalance.objects.filter(status__in=REWORKED_FROM, quantity__gt=0).annotate(left=left)
    cells = cells.filter(left__gt=0).select_related("item", "lot", "location")
    return cells.order_by("item__sku", "lot__code", "pk")


def _decisions(cells: Sequence[StockBalance]) -> dict[tuple[int, int, int], tuple[InspectionDecision | None, Decimal]]:
    """By item, place and lot, the newest decision that sent some of it to rework and is not done, with what is left of it."""
    lots = {cell.lot_id for cell in cells}
    decisions = list(
        InspectionDecision.objects.standing()
        .filter(disposition=Disposition.REWORK, verdict__inspection__lot__in=lots)
        .select_related("verdict__inspection")
        .order_by("pk")
    )
    left = _left_of(decisions)
    found: dict[tuple[int, int, int], tuple[InspectionDecision | None, Decimal]] = {}
    for decision in decisions:
        inspection = decision.verdict.inspection
        if left[decision.pk] > ZERO:
            where = (inspection.item_id, inspection.location_id, inspection.lot_id)
            found[where] = (decision, left[decision.pk])
    return found


def _left_of(decisions: Sequence[InspectionDecision]) -> dict[int, Decimal]:
    """By decision, what of it is neither back nor done nor in an open order."""
    open_orders = ReworkOrder.objects.filter(
        decision_id__in=[one.pk for one in decisions], state=ReworkState.OPEN
    ).order_by()
    promised = dict(
        open_orders.values_list("decision_id").annotate(left=Sum(F("quantity") - F("good") - F("scrapped")))
    )
    return {pk: max(left - promised.get(pk, ZERO), ZERO) for pk, left in in_rework(decisions).items()}


def rework_orders() -> QuerySet[ReworkOrder]:
    """Orders with what a page shows of them, the open ones that are due first at the top."""
    orders = ReworkOrder.objects.select_related("item", "lot", "location", "source_location", "decision__verdict")
    return orders.order_by(F("due_on").asc(nulls_last=True), "pk")
