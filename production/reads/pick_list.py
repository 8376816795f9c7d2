"""Where to fetch the components of a work order: place by place, earliest expiry first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils import timezone

from inventory.locks import ANYWHERE, Cell, lock_for_posting
from inventory.models import Item, Location, StockStatus
from inventory.picking import pick_lots
from inventory.quantities import ZERO
from production.models import DEMAND_KIND, WorkOrder
from production.reads.order_needs import LineNeed, needs_of_order


@dataclass(frozen=True, slots=True)
class PickRow:
    """Take `quantity` (stock unit) of one lot at one place. `is_reserved`: pinned for the order, nobody else takes it."""

    component: Item
    place: Location
    lot_id: int
    lot_code: str
    expires_on: date | None
    quantity: Decimal
    is_reserved: bool

    @property
    def key(self) -> str:
        """Names the row in a form."""
        return f"{self.component.pk}-{self.place.pk}-{self.lot_id}"

    @property
    def codes(self) -> str:
        """What a scan of it may say, parted by spaces, in lower case."""
        found = (self.component.sku, self.component.barcode, self.lot_code)
        return " ".join(code.casefold().replace(" ", "\N{NO-BREAK SPACE}") for code in found if code)


@dataclass(frozen=True, slots=True)
class PickShort:
    """A component of which less is there than the order still needs fetched."""

    need: LineNeed
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class PickList:
    rows: Sequence[PickRow]
    short: Sequence[PickShort]
    on_floor: Sequence[LineNeed]
    """Components that were issued already, in part or in whole."""


def pick_list(order: WorkOrder) -> PickList:
    """What is to be fetched for the rest of an order, in the order of the places. A fixed number of statements."""
    needs = needs_of_order(order)
    wanted: dict[int, Decimal] = {}
    for need in needs:
        if need.to_issue > ZERO:
            wanted[need.component.pk] = wanted.get(need.component.pk, ZERO) + need.to_issue
    on_floor = [need for need in needs if need.issued > ZERO]
    if not wanted:
        return PickList((), (), on_floor)
    source = order.source_location
    rows = lock_for_posting(
        items=list(wanted),
        within=source.path if source else ANYWHERE,
        demand=(DEMAND_KIND, order.number),
        lock=False,
    )
    today = timezone.localdate()
    picks: list[tuple[int, Cell, Decimal, Decimal]] = []
    missing: dict[int, Decimal] = {}
    for item_id, quantity in wanted.items():
        cells = {
            cell.id: cell
            for cell in rows.of_item(item_id, status=StockStatus.AVAILABLE)
            if cell.location_id != order.floor_location_id and cell.is_pickable and (source is not None or cell.is_own)
        }
        lots = [cell.as_lot(own=rows.own_quantity(cell.id)) for cell in cells.values()]
        found = pick_lots(lots, quantity=quantity, on=today)
        picks += [(item_id, cells[pick.cell_id], pick.quantity, pick.own) for pick in found.picks]
        if found.missing > ZERO:
            missing[item_id] = found.missing
    places = Location.objects.in_bulk({cell.location_id for _, cell, _, _ in picks})
    items = {need.component.pk: need.component for need in needs}
    listed = []
    for item_id, cell, quantity, own in picks:
        place = places[cell.location_id]
        listed.append(
            PickRow(items[item_id], place, cell.lot_id, cell.lot_code, cell.expires_on, quantity, own == quantity)
        )
    listed.sort(key=lambda row: (row.place.path, row.component.sku, row.expires_on or date.max, row.lot_id))
    first: dict[int, LineNeed] = {}
    for need in needs:
        first.setdefault(need.component.pk, need)
    return PickList(listed, [PickShort(first[pk], quantity) for pk, quantity in missing.items()], on_floor)
