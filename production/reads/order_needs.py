"""What each component of a work order needs, what is reserved and what was issued for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from inventory.models import Item, Reservation
from inventory.quantities import ZERO
from production.explosion import MANUAL, Rate, expected_usage
from production.models import DEMAND_KIND, WorkOrder, WorkOrderLine


@dataclass(frozen=True, slots=True)
class LineNeed:
    """One component of an order; all quantities in the component's stock unit.

    `need` is for the whole plan, `open` what of it is still to be consumed. `issued` stands on the floor for this order,
    `reserved` is pinned for it elsewhere. Consumables and optional components need nothing by themselves.
    """

    line: WorkOrderLine
    need: Decimal
    open: Decimal
    reserved: Decimal
    issued: Decimal

    @property
    def component(self) -> Item:
        return self.line.component

    @property
    def is_counted(self) -> bool:
        """Whether stock is needed for it without being asked for."""
        return not (self.line.is_consumable or self.line.is_optional)

    @property
    def to_reserve(self) -> Decimal:
        """Needed and neither reserved nor issued."""
        return max(self.open - self.reserved - self.issued, ZERO) if self.is_counted else ZERO

    @property
    def to_issue(self) -> Decimal:
        """Needed and not yet on the floor."""
        return max(self.open - self.issued, ZERO) if self.is_counted else ZERO

    @property
    def surplus(self) -> Decimal:
        """On the floor and no longer needed."""
        return max(self.issued - self.open, ZERO)


def rate_of(line: WorkOrderLine) -> Rate:
    """The frozen rate of an order's line."""
    return Rate(
        component_id=line.component_id,
        per_unit=Fraction(int(line.rate_numerator), int(line.rate_denominator)),
        setup=line.setup,
        multiple=None if line.rounding_multiple is None else Fraction(line.rounding_multiple),
        issue_method=line.issue_method,
        is_consumable=line.is_consumable,
        is_optional=line.is_optional,
    )


def need_of(line: WorkOrderLine, *, planned: Decimal) -> Decimal:
    """What a line needs for `planned` units of output. `line.component` must be loaded."""
    return rate_of(line).requirement(planned, step=line.component.step)


def open_need(line: WorkOrderLine, *, order: WorkOrder) -> Decimal:
    """What is still to be consumed for the order's plan; a line that is issued by hand counts what was really used."""
    if order.remaining <= ZERO:
        return ZERO
    done = line.used if line.issue_method == MANUAL else line.booked
    return expected_usage(rate_of(line), started_after=order.planned, booked=done, step=line.component.step)


def needs_of_orders(orders: Sequence[WorkOrder]) -> dict[int, list[LineNeed]]:
    """The needs of orders by order id, lines in order. Two statements for any number of orders."""
    by_id = {order.pk: order for order in orders}
    lines = list(WorkOrderLine.objects.filter(work_order__in=by_id).select_related("component").order_by("id"))
    held = held_for(orders)
    found: dict[int, list[LineNeed]] = {pk: [] for pk in by_id}
    given: set[tuple[int, int]] = set()
    for line in sorted(lines, key=lambda line: (line.is_consumable, line.is_optional, line.pk)):
        order = by_id[line.work_order_id]
        key = (order.pk, line.component_id)
        reserved, issued = held.get(key, (ZERO, ZERO)) if key not in given else (ZERO, ZERO)
        given.add(key)
        counted = not (line.is_consumable or line.is_optional)
        found[order.pk].append(
            LineNeed(
                line=line,
                need=need_of(line, planned=order.planned) if not line.is_optional else ZERO,
                open=open_need(line, order=order) if counted else ZERO,
                reserved=reserved,
                issued=issued,
            )
        )
    for needs in found.values():
        needs.sort(key=lambda need: need.line.pk)
    return found


def needs_of_order(order: WorkOrder) -> list[LineNeed]:
    return needs_of_orders([order])[order.pk]


def held_for(orders: Iterable[WorkOrder]) -> dict[tuple[int, int], tuple[Decimal, Decimal]]:
    """(pinned elsewhere, issued to the floor) by (order id, component id). One statement."""
    by_number = {order.number: order for order in orders}
    rows = (
        Reservation.objects.filter(demand_kind=DEMAND_KIND, demand_ref__in=by_number, quantity__gt=0, lot__isnull=False)
        .order_by()
        .values_list("demand_ref", "item_id", "location_id", "quantity")
    )
    held: dict[tuple[int, int], tuple[Decimal, Decimal]] = {}
    for number, item_id, location_id, quantity in rows:
        order = by_number[number]
        reserved, issued = held.get((order.pk, item_id), (ZERO, ZERO))
        if location_id == order.floor_location_id:
            issued += quantity
        else:
            reserved += quantity
        held[order.pk, item_id] = (reserved, issued)
    return held


def issued_to(order: WorkOrder) -> list[Reservation]:
    """What stands on the floor for an order, by component and lot. One statement; none without a floor."""
    if order.floor_location_id is None:
        return []
    return list(
        Reservation.objects.for_demand(kind=DEMAND_KIND, reference=order.number)
        .pinned()
        .filter(location_id=order.floor_location_id, quantity__gt=0)
        .select_related("item", "lot", "location")
        .order_by("item__sku", "id")
    )
