"""Items at or below their reorder point, with everything the figure is made of (rule S24)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Sum
from django.utils import timezone

from inventory.models import Item, StockBalance, StockStatus
from inventory.quantities import ZERO
from inventory.reads.availability import availability
from inventory.reads.board import free_of_item
from inventory.reads.incoming import Incoming, incoming, on_the_road
from inventory.reads.promises import NOTHING, promises_to
from inventory.trips import rows_of
from production.models import Demand
from production.reads.demands import key_of, standings
from production.reads.making import Making, making_of
from production.reads.open_orders import open_needs
from production.reads.rivalry import made_items
from production.replenishing import Projection, is_low, to_replenish

ITEMS_MAX = 1_000
"""So many items that may have reached their point are looked at, by SKU."""


@dataclass(frozen=True, slots=True)
class ItemLevel:
    """An item against its reorder point. Quantities in its stock unit.

    `until` is the last day whose arrivals count: today and the lead time of the item; None: all count. What arrives later is in
    `later`, what waits for inspection in `held`: neither is part of the projection.
    """

    item: Item
    is_made: bool
    until: date | None
    projection: Projection
    making: Sequence[Making]
    buying: Sequence[Incoming]
    moving: Sequence[Incoming]
    later: Decimal
    held: Decimal

    @property
    def projected(self) -> Decimal:
        return self.projection.projected

    @property
    def is_low(self) -> bool:
        return is_low(self.projected, point=self.item.reorder_point)

    @property
    def to_replenish(self) -> Decimal:
        """What to make or buy now."""
        return to_replenish(
            self.projected,
            point=self.item.reorder_point,
            quantity_min=self.item.reorder_quantity,
            step=self.item.step,
        )


def items_low(*, text: str = "") -> tuple[list[ItemLevel], bool]:
    """Active items at or below their reorder point, by SKU, and whether there may be more than were looked at.

    `text`: only items whose SKU or name holds it, or with this barcode. A fixed number of statements.
    """
    found = _candidates(text)
    items = found[:ITEMS_MAX]
    return [level for level in levels(items) if level.is_low], len(found) > ITEMS_MAX


def _candidates(text: str) -> list[Item]:
    """Items that may be low, one more than are looked at: what is free reaches the point, or something else takes of it."""
    items = Item.objects.filter(reorder_point__isnull=False, is_active=True)
    if text:
        items = items.matching(text)
    ids = list(items.values_list("pk", flat=True)) if text else None
    free, parameters = free_of_item()
    rows = rows_of(
        f"""
        SELECT i.id FROM inventory_item i
        WHERE i.reorder_point IS NOT NULL AND i.is_active AND (%s::bigint[] IS NULL OR i.id = ANY(%s::bigint[]))
          AND (i.reorder_point >= {free}
               OR EXISTS (SELECT 1 FROM production_demand d WHERE d.item_id = i.id AND d.quantity > 0)
               OR EXISTS (SELECT 1 FROM production_workorderline l JOIN production_workorder o ON o.id = l.work_order_id
                          WHERE l.component_id = i.id AND o.state = 'open'))
        ORDER BY i.sku LIMIT {ITEMS_MAX + 1}
        """,
        [ids, ids, *parameters],
    )
    by_id = Item.objects.in_bulk([pk for (pk,) in rows])
    return [by_id[pk] for (pk,) in rows]


def levels(items: Sequence[Item]) -> list[ItemLevel]:
    """How items stand against their reorder points, in their order. A fixed number of statements."""
    ids = [item.pk for item in items]
    if not ids:
        return []
    today = timezone.localdate()
    free = availability(items=ids)
    making, bought, moved = making_of(items=ids), incoming(items=ids), on_the_road(items=ids)
    needs, missing = open_needs(items=ids), _missing(ids)
    made = set(made_items().filter(pk__in=ids).values_list("pk", flat=True))
    held = _held(ids)
    found = []
    for item in items:
        until = None if item.lead_time_days is None else today + timedelta(days=item.lead_time_days)
        orders, purchases, transfers = making.get(item.pk, []), bought.get(item.pk, []), moved.get(item.pk, [])
        in_time = [one for one in orders if _counts(one.order.due_on, until)]
        arriving = [one for one in purchases if _counts(one.expected_on, until)]
        on_time = [one for one in transfers if _counts(one.expected_on, until)]
        everything = _sum(orders) + _sum(purchases) + _sum(transfers)
        stock = free.get(item.pk)
        found.append(
            ItemLevel(
                item=item,
                is_made=item.pk in made,
                until=until,
                projection=Projection(
                    available=ZERO if stock is None else stock.from_sources(()).available,
                    making=_sum(in_time),
                    buying=_sum(arriving),
                    missing=missing.get(item.pk, ZERO),
                    components=needs.get(item.pk, ZERO),
                    moving=_sum(on_time),
                ),
                making=in_time,
                buying=arriving,
                moving=on_time,
                later=everything - _sum(in_time) - _sum(arriving) - _sum(on_time),
                held=held.get(item.pk, ZERO),
            )
        )
    return found


def _counts(day: date | None, until: date | None) -> bool:
    """What has no day may come any day, and what is overdue is still expected."""
    return day is None or until is None or day <= until


def _sum(parts: Sequence[Making] | Sequence[Incoming]) -> Decimal:
    return sum((part.quantity for part in parts), ZERO)


def _missing(ids: Collection[int]) -> Mapping[int, Decimal]:
    """What demands ask for and neither hold, nor have taken, nor get from an order; by item id."""
    asked = list(Demand.objects.filter(item__in=ids, quantity__gt=0).select_related("item"))
    held = promises_to(demands={key_of(demand) for demand in asked}, items=ids)
    unmet = []
    for demand in asked:
        promise = held.get((*key_of(demand), demand.item_id), NOTHING)
        if promise.pinned + promise.taken < demand.quantity:
            unmet.append(demand)
    found: dict[int, Decimal] = {}
    for standing in standings(unmet):
        item_id = standing.demand.item_id
        found[item_id] = found.get(item_id, ZERO) + standing.missing
    return found


def _held(ids: Collection[int]) -> Mapping[int, Decimal]:
    cells = StockBalance.objects.on_hand().filter(item__in=ids, status=StockStatus.QC_HOLD).order_by()
    return dict(cells.values("item_id").annotate(held=Sum("quantity")).values_list("item_id", "held"))
