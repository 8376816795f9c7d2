"""What work orders are short of, and what would clear it: every piece of stock and of supply is given out once.

Orders are served by rank, then by due date, then by age. Reserved and issued stock is theirs already; free stock is given out in
that order, then what is on its way: work orders that make the component and purchases, soonest first.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from django.db import connection
from django.db.models import F, Prefetch
from django.utils import timezone

from inventory.arrays import numbers
from inventory.models import Item, StockStatus
from inventory.quantities import ZERO, round_down
from inventory.reads.incoming import Incoming, incoming
from production.models import DEMAND_KIND, REPLENISHMENT, BomSubstitute, WorkOrder, WorkOrderPeg
from production.models.work_orders import WorkOrderQuerySet
from production.reads.demands import UNFINISHED, coming_by_peg, in_turn
from production.reads.order_needs import LineNeed, needs_of_orders

ORDERS_MAX = 1_000
"""So many orders, the most urgent ones, are looked at."""
PURCHASE, ORDER, HOLD, SUBSTITUTE = "purchase", "work_order", "hold", "substitute"


@dataclass(frozen=True, slots=True)
class Clearing:
    """Something that would clear a shortage, in part or in whole. `quantity` in the component's stock unit.

    Purchases and work orders are given out once, soonest first. Stock on hold and substitutes are possibilities: `quantity`
    is what there is, and somebody has to decide. `reference` is a number, a status or a SKU; `object_id` what it leads to.
    """

    kind: str
    reference: str
    quantity: Decimal
    expected_on: date | None
    object_id: int
    origin: str = ""

    @property
    def is_certain(self) -> bool:
        return self.kind in (PURCHASE, ORDER)


@dataclass(frozen=True, slots=True)
class ShortLine:
    """One component an order is short of; quantities in its stock unit.

    `open` is still to be consumed, `held` reserved or issued for the order, `free` what stock gives it, `short` the rest.
    """

    need: LineNeed
    open: Decimal
    held: Decimal
    free: Decimal
    short: Decimal
    clearings: Sequence[Clearing]

    @property
    def component(self) -> Item:
        return self.need.component

    @property
    def covered(self) -> Decimal:
        """Of `short`, what is on its way for this order."""
        return sum((clearing.quantity for clearing in self.clearings if clearing.is_certain), ZERO)

    @property
    def uncovered(self) -> Decimal:
        """Of `short`, what nobody has ordered or makes."""
        return self.short - self.covered

    @property
    def clears_on(self) -> date | None:
        """When everything that is missing will be there; None when that is not known."""
        days = [clearing.expected_on for clearing in self.clearings if clearing.is_certain]
        if self.uncovered > ZERO or not days or None in days:
            return None
        return max(day for day in days if day is not None)

    def is_late(self, due_on: date | None) -> bool:
        """Whether it is there only after a day, or nobody knows when."""
        return self.clears_on is None or (due_on is not None and self.clears_on > due_on)


@dataclass(frozen=True, slots=True)
class ShortOrder:
    order: WorkOrder
    lines: Sequence[ShortLine]

    @property
    def clears_on(self) -> date | None:
        """When the last missing component will be there; None when that is not known of every one."""
        days = [line.clears_on for line in self.lines]
        return None if None in days else max((day for day in days if day is not None), default=None)


@dataclass(slots=True)
class _Cell:
    path: str
    is_own: bool
    quantity: Decimal


@dataclass(slots=True)
class _Supply:
    """What is left to give out of everything; changed while orders are served."""

    cells: dict[int, list[_Cell]] = field(default_factory=dict)
    held: dict[int, list[tuple[str, Decimal]]] = field(default_factory=dict)
    making: dict[int, list[tuple[WorkOrder, Decimal, str]]] = field(default_factory=dict)
    """Order, what is left of its output, and the number of the order it is pegged to; empty: for whoever is first."""
    buying: dict[int, list[tuple[Incoming, Decimal]]] = field(default_factory=dict)
    substitutes: dict[tuple[int, int], list[tuple[Item, Decimal]]] = field(default_factory=dict)

    def free(self, item_id: int, order: WorkOrder) -> Decimal:
        return sum((cell.quantity for cell in self._usable(item_id, order)), ZERO)

    def take(self, item_id: int, order: WorkOrder, wanted: Decimal) -> Decimal:
        left = wanted
        for cell in self._usable(item_id, order):
            part = min(cell.quantity, left)
            cell.quantity -= part
            left -= part
        return wanted - left

    def _usable(self, item_id: int, order: WorkOrder) -> list[_Cell]:
        source = order.source_location
        cells = self.cells.get(item_id, [])
        if source is None:
            return [cell for cell in cells if cell.is_own]
        return [cell for cell in cells if cell.path.startswith(source.path)]


def unfinished_orders() -> WorkOrderQuerySet:
    """Planned and open orders with something left to make, the most urgent first."""
    orders = WorkOrder.objects.filter(state__in=UNFINISHED, planned__gt=F("good") + F("scrapped"))
    return orders.select_related("item", "bom", "source_location", "output_location", "floor_location").order_by(
        "rank", F("due_on").asc(nulls_last=True), "id"
    )


def shortages(
    *, components: Collection[int] | None = None, last: WorkOrder | None = None, orders_max: int = ORDERS_MAX
) -> list[ShortOrder]:
    """Every unfinished order that is short of something, the most urgent first; at most `orders_max` orders are looked at.

    `components`: only these (ids). `last`: this order too, after the others when it is not among them. The number of
    statements does not depend on how many orders there are.
    """
    orders = unfinished_orders()
    if components is not None:
        orders = orders.filter(lines__component__in=components).distinct()
    looked_at = list(orders[:orders_max])
    if last is not None and len(looked_at) == orders_max and last.pk not in {order.pk for order in looked_at}:
        looked_at += unfinished_orders().filter(pk=last.pk)
    needs = needs_of_orders(looked_at)
    if components is not None:
        needs = {pk: [n for n in found if n.component.pk in components] for pk, found in needs.items()}
    wanted = {need.component.pk for found in needs.values() for need in found if need.to_reserve > ZERO}
    if not wanted:
        return []
    supply = _supply(looked_at, wanted)
    short: list[tuple[WorkOrder, LineNeed, Decimal, Decimal]] = []
    for order in looked_at:
        for need in needs[order.pk]:
            if need.to_reserve > ZERO:
                free = supply.take(need.component.pk, order, need.to_reserve)
                if free < need.to_reserve:
                    short.append((order, need, free, need.to_reserve - free))
    lines: dict[int, list[ShortLine]] = {}
    for order, need, free, missing in short:
        line = ShortLine(
            need=need,
            open=need.open,
            held=need.reserved + need.issued,
            free=free,
            short=missing,
            clearings=_clearings(supply, order, need, missing),
        )
        lines.setdefault(order.pk, []).append(line)
    return [ShortOrder(order, lines[order.pk]) for order in looked_at if order.pk in lines]


def shortages_of(order: WorkOrder) -> Sequence[ShortLine]:
    """What one order is short of when every more urgent one is served first; of more than ORDERS_MAX only so many are."""
    components = set(order.lines.values_list("component_id", flat=True))
    found = shortages(components=components, last=order)
    return next((short.lines for short in found if short.order.pk == order.pk), ())


def _clearings(supply: _Supply, order: WorkOrder, need: LineNeed, missing: Decimal) -> list[Clearing]:
    item = need.component
    found: list[Clearing] = []
    left = missing
    making, buying = supply.making.get(item.pk, []), supply.buying.get(item.pk, [])
    coming: list[tuple[bool, date, int, int]] = [
        (owner != order.number, made.due_on or date.max, 0, index)
        for index, (made, _, owner) in enumerate(making)
        if made.pk != order.pk and owner in ("", order.number)
    ]
    coming += [(True, bought.expected_on or date.max, 1, index) for index, (bought, _) in enumerate(buying)]
    for _, _, is_bought, index in sorted(coming):
        if left <= ZERO:
            break
        if is_bought:
            bought, there = buying[index]
            part = min(there, left)
            if part > ZERO:
                buying[index] = (bought, there - part)
                found.append(
                    Clearing(PURCHASE, bought.reference, part, bought.expected_on, bought.order_id, bought.origin)
                )
        else:
            made, there, owner = making[index]
            part = min(there, left)
            if part > ZERO:
                making[index] = (made, there - part, owner)
                found.append(Clearing(ORDER, made.number, part, made.due_on, made.pk))
        left -= part
    found += [Clearing(HOLD, status, quantity, None, item.pk) for status, quantity in supply.held.get(item.pk, [])]
    for other, ratio in supply.substitutes.get((order.bom_id, item.pk), []):
        free = supply.free(other.pk, order)
        stands_for = round_down(Fraction(free) / Fraction(ratio), item.step)
        if stands_for > ZERO:
            found.append(Clearing(SUBSTITUTE, other.sku, stands_for, None, other.pk))
    return found


_CELLS = """
SELECT b.item_id, b.status, l.path, l.kind = 'own', l.is_active AND NOT l.is_blocked,
       coalesce(t.expires_on < %(day)s, false), sum(b.quantity), sum(greatest(b.quantity - b.reserved, 0))
FROM inventory_stockbalance b
JOIN inventory_location l ON l.id = b.location_id JOIN inventory_lot t ON t.id = b.lot_id
WHERE b.item_id = ANY(%(items)s::bigint[]) AND b.quantity > 0
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 3
"""
_SOFT = """
SELECT r.item_id, l.path, sum(r.quantity) FROM inventory_reservation r JOIN inventory_location l ON l.id = r.location_id
WHERE r.item_id = ANY(%(items)s::bigint[]) AND r.lot_id IS NULL AND r.quantity > 0
  AND (r.expires_at IS NULL OR r.expires_at > %(now)s) AND r.demand_kind <> %(own)s
GROUP BY 1, 2
"""


def _supply(orders: Sequence[WorkOrder], wanted: set[int]) -> _Supply:
    supply = _Supply()
    substitutes = (
        BomSubstitute.objects.filter(line__bom__in={order.bom_id for order in orders}, line__component__in=wanted)
        .select_related("item", "line")
        .order_by("line_id", "position", "id")
    )
    for substitute in substitutes:
        key = (substitute.line.bom_id, substitute.line.component_id)
        supply.substitutes.setdefault(key, []).append((substitute.item, substitute.ratio))
    items = wanted | {item.pk for found in supply.substitutes.values() for item, _ in found}
    _read_cells(supply, items)
    makers = _makers(wanted)
    waiting = _still_needing(makers)
    for order in makers:
        supply.making.setdefault(order.item_id, []).extend(_outputs(order, waiting))
    for item_id, found in incoming(items=wanted).items():
        supply.buying[item_id] = [(bought, bought.quantity) for bought in found]
    return supply


def _makers(wanted: Iterable[int]) -> Sequence[WorkOrder]:
    pegs = Prefetch("pegs", WorkOrderPeg.objects.order_by("id"))
    return list(unfinished_orders().filter(item__in=wanted).prefetch_related(pegs)[:ORDERS_MAX])


def _still_needing(makers: Sequence[WorkOrder]) -> set[str]:
    """Numbers of the unfinished orders that makers are pegged to: what is made for an ended one is for whoever is first."""
    wanted = {peg.demand_ref for order in makers for peg in order.pegs.all() if peg.demand_kind == DEMAND_KIND}
    unfinished = WorkOrder.objects.filter(number__in=wanted, state__in=UNFINISHED)
    return set(unfinished.values_list("number", flat=True))


def _outputs(order: WorkOrder, waiting: Collection[str]) -> list[tuple[WorkOrder, Decimal, str]]:
    """What an order will still make, by whom it is for: what is pegged is nobody else's, the oldest peg is served first.

    `waiting` are the numbers of orders that still need something.
    """
    found = []
    parts = coming_by_peg(order, order.pegs.all())
    nobodys = order.remaining - sum(parts.values(), ZERO)
    for peg in in_turn(order.pegs.all()):
        part = parts[peg.pk]
        if peg.demand_kind == DEMAND_KIND and peg.demand_ref in waiting and part > ZERO:
            found.append((order, part, peg.demand_ref))
        elif peg.demand_kind in (DEMAND_KIND, REPLENISHMENT):
            nobodys += part
    if nobodys > ZERO:
        found.append((order, nobodys, ""))
    return found


def _read_cells(supply: _Supply, items: Collection[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_CELLS, {"items": numbers(items), "day": timezone.localdate()})
        for item_id, status, path, is_own, is_pickable, is_expired, quantity, free in cursor.fetchall():
            if status == StockStatus.AVAILABLE and is_pickable and not is_expired:
                supply.cells.setdefault(item_id, []).append(_Cell(path, is_own, free))
            elif status in (StockStatus.QC_HOLD, StockStatus.QUARANTINE) and is_own:
                _add(supply.held.setdefault(item_id, []), str(StockStatus(status).label), quantity)
            elif status == StockStatus.AVAILABLE and is_own and not is_pickable and not is_expired:
                _add(supply.held.setdefault(item_id, []), "Blocked place", free)
        cursor.execute(_SOFT, {"items": numbers(items), "now": timezone.now(), "own": DEMAND_KIND})
        for item_id, path, quantity in cursor.fetchall():
            left = quantity
            for cell in supply.cells.get(item_id, []):
                if cell.path.startswith(path):
                    part = min(cell.quantity, left)
                    cell.quantity -= part
                    left -= part


def _add(found: list[tuple[str, Decimal]], word: str, quantity: Decimal) -> None:
    if quantity <= ZERO:
        return
    for index, (known, there) in enumerate(found):
        if known == word:
            found[index] = (word, there + quantity)
            return
    found.append((word, quantity))
