"""What there was, where, and what it was worth, at any moment in both times: of chosen items, from their own movements."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.conf import settings
from django.db import connection

from inventory.arrays import numbers
from inventory.models import CostPool
from inventory.quantities import ZERO, proportion
from inventory.reads.moments import AsOf
from inventory.reads.unknown_costs import unknown_quantities


@dataclass(frozen=True, slots=True)
class CellAsOf:
    """What one cell (item, location, lot, status) held; stock unit."""

    item_id: int
    location_id: int
    location_code: str
    location_name: str
    location_path: str
    lot_id: int
    lot_code: str
    expires_on: date | None
    status: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class WorthAsOf:
    """An item's stock: quantity in the stock unit, value in base currency.

    `known_value` sums the known values; while `unknown_quantity` is above zero some of the stock came in without a cost and
    the value as a whole is not known. `held` is the part of the quantity at the places that were asked about.
    """

    item_id: int
    quantity: Decimal = ZERO
    known_value: Decimal = ZERO
    unknown_quantity: Decimal = ZERO
    held: Decimal = ZERO

    @property
    def value(self) -> Decimal | None:
        return None if self.unknown_quantity else self.known_value

    @property
    def held_value(self) -> Decimal | None:
        """The value of `held`: its share of the quantity, rounded to the currency step; None when unknown."""
        return None if self.unknown_quantity else self.known_held_value

    @property
    def known_held_value(self) -> Decimal:
        return share_of(self.known_value, self.held, self.quantity)

    @property
    def unit_cost(self) -> Decimal | None:
        """Base currency per stock unit; None when unknown or nothing is there."""
        return None if self.unknown_quantity or not self.quantity else self.known_value / self.quantity

    @property
    def is_empty(self) -> bool:
        return not self.quantity and not self.known_value


def share_of(value: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """What `part` of a quantity `whole` that is worth `value` is worth, to the currency step."""
    if part == whole:
        return value
    if not part or not whole:
        return ZERO
    if whole < ZERO:
        part, whole = -part, -whole
    return proportion(value, part, whole, step=settings.CURRENCY_STEP)


def cells_as_of(*, items: Collection[int], moment: AsOf) -> list[CellAsOf]:
    """The cells of the items that held something, by item, place, expiry, lot and status."""
    condition, parameters = moment.condition()
    if moment.is_now:
        source = (
            "SELECT item_id, location_id, lot_id, status, quantity FROM inventory_stockbalance"
            " WHERE item_id = ANY(%s::bigint[])"
        )
    else:
        source = (
            "SELECT m.item_id, m.location_id, m.lot_id, m.status, sum(m.quantity) AS quantity FROM inventory_movement m"
            f" WHERE m.item_id = ANY(%s::bigint[]) AND {condition} GROUP BY 1, 2, 3, 4"
        )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.item_id, c.location_id, l.code, l.name, l.path, c.lot_id, t.code, t.expires_on, c.status, c.quantity"
            f" FROM ({source}) c JOIN inventory_location l ON l.id = c.location_id JOIN inventory_lot t ON t.id = c.lot_id"
            " WHERE c.quantity <> 0 ORDER BY c.item_id, l.path, t.expires_on, t.code, c.status",
            [numbers(items), *parameters],
        )
        return [CellAsOf(*row) for row in cursor.fetchall()]


def worth_as_of(
    *, items: Collection[int], moment: AsOf, locations: Sequence[int] | None = None
) -> dict[int, WorthAsOf]:
    """Quantity and value by item, for those that ever had stock by then; at most three statements.

    `locations` (ids) are the places `held` counts; None counts all.
    """
    wanted = list(items)
    if not wanted:
        return {}
    if moment.is_now:
        return _worth_now(wanted, locations)
    condition, parameters = moment.condition()
    held = (
        "sum(m.quantity)"
        if locations is None
        else "coalesce(sum(m.quantity) FILTER (WHERE m.location_id = ANY(%s::bigint[])), 0)"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT m.item_id, sum(m.quantity), coalesce(sum(m.value), 0), {held}, bool_or(m.value IS NULL)"
            f" FROM inventory_movement m WHERE m.item_id = ANY(%s::bigint[]) AND {condition} GROUP BY 1",
            [*([] if locations is None else [numbers(locations)]), numbers(wanted), *parameters],
        )
        rows = cursor.fetchall()
    unclear = [row[0] for row in rows if row[4]]
    unknown = unknown_quantities(items=unclear, moment=moment) if unclear else {}
    return {
        item_id: WorthAsOf(item_id, quantity, value, unknown.get(item_id, ZERO), held_there)
        for item_id, quantity, value, held_there, _ in rows
    }


def _worth_now(items: Sequence[int], locations: Sequence[int] | None) -> dict[int, WorthAsOf]:
    held: dict[int, Decimal] = {}
    if locations is not None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT item_id, sum(quantity) FROM inventory_stockbalance"
                " WHERE item_id = ANY(%s::bigint[]) AND location_id = ANY(%s::bigint[]) GROUP BY 1",
                [numbers(items), numbers(locations)],
            )
            held = dict(cursor.fetchall())
    return {
        item_id: WorthAsOf(
            item_id,
            quantity,
            value,
            unknown if quantity else ZERO,
            quantity if locations is None else held.get(item_id, ZERO),
        )
        for item_id, quantity, value, unknown in CostPool.objects.filter(
            item_id__in=items, lot__isnull=True
        ).values_list("item_id", "quantity", "value", "unknown_quantity")
    }
