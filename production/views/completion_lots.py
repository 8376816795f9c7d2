"""The lots one may take a component from, and how much of each, on the page that records completions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import QuerySet
from django.utils import timezone

from inventory.models import StockBalance, StockStatus
from inventory.quantities import ZERO
from production.forms import shown
from production.operations.completing import CompletionPlan
from production.planned import PlannedLine

LOTS_SHOWN_MAX = 40
CELLS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class LotChoice:
    """A lot one may take from, with what is free of it at the source."""

    lot_id: str
    code: str
    places: str
    free: Decimal
    expires_on: date | None
    received_on: date
    text: str
    was: str


def cells_at_source(
    plan: CompletionPlan, items: Collection[int], *, statuses: Collection[str] = (StockStatus.AVAILABLE,)
) -> QuerySet[StockBalance]:
    """Stock of the items where the plan takes its components from, in picking order; available stock unless said otherwise."""
    cells = StockBalance.objects.filter(
        item_id__in=items, status__in=statuses, quantity__gt=0, location__is_active=True
    ).select_related("lot", "location")
    if plan.source_location is not None:
        cells = cells.filter(location__path__startswith=plan.source_location.path)
    else:
        cells = cells.filter(location__kind="own", location__is_blocked=False)
    return cells.order_by("item_id", "lot__expires_on", "lot__received_on", "lot_id", "id")


def lots_on_offer(
    plan: CompletionPlan, components: Collection[int], *, expired_too: bool
) -> dict[int, list[StockBalance]]:
    """Stock of the components at the source, by component, in picking order; what has expired comes last. One statement."""
    offered: dict[int, list[StockBalance]] = {}
    statuses = [StockStatus.AVAILABLE, *([StockStatus.EXPIRED] if expired_too else [])]
    cells = list(cells_at_source(plan, components, statuses=statuses)[:CELLS_MAX])
    today = timezone.localdate()
    for cell in sorted(cells, key=lambda cell: cell.lot.is_expired(on=today)):
        offered.setdefault(cell.item_id, []).append(cell)
    return offered


def lot_choices(cells: Sequence[StockBalance], line: PlannedLine, chosen: Mapping[int, str] | None) -> list[LotChoice]:
    """The lots with what is taken of each: as `chosen` (text by lot), or as picked when nobody chose."""
    by_lot: dict[int, list[StockBalance]] = {}
    for cell in cells:
        by_lot.setdefault(cell.lot_id, []).append(cell)
    picked: dict[int, Decimal] = {}
    for pick in line.picks:
        picked[pick.lot_id] = picked.get(pick.lot_id, ZERO) + pick.quantity
    choices = []
    for lot_id, held in list(by_lot.items())[:LOTS_SHOWN_MAX]:
        lot = held[0].lot
        automatic = shown(picked[lot_id]) if lot_id in picked else ""
        choices.append(
            LotChoice(
                lot_id=str(lot_id),
                code=lot.code or "no lot",
                places=", ".join(cell.location.code for cell in held),
                free=sum((cell.quantity - cell.reserved for cell in held), ZERO),
                expires_on=lot.expires_on,
                received_on=lot.received_on,
                text=automatic if chosen is None else chosen.get(lot_id, ""),
                was=automatic if chosen is None else "",
            )
        )
    return choices
