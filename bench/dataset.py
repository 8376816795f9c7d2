"""The companies that are measured: assemblies, their components, and plenty of stock, on the product's own tables.

Each assembly has components of its own, unless some are shared by all (`hot`). Ten units of an assembly take ten units of
each component. With one lot there is one lot that never runs out. With three there are lots of 4, 4 and many, in the order
of their expiry, so that every completion takes from all three; `restock` puts the first two back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import connection

from inventory.models import CostPool, Item, ItemKind, Location, Tracking
from production.models import Bom, BomLine

QUANTITY = Decimal(10)
"""Units of an assembly that one completion makes."""
PLENTY = 1_000_000_000
FEW = 4
UNIT_COST = Decimal("1.237")


@dataclass(frozen=True, slots=True)
class Shop:
    """One data set: the ids of its assemblies, and the place where everything happens."""

    name: str
    lines: int
    lots: int
    assemblies: Sequence[int]
    location_id: int
    path: str


def make_place() -> Location:
    """The one site of all shops."""
    place, _ = Location.objects.get_or_create(code="BENCH", defaults={"name": "Bench"})
    return place


def make_shop(*, name: str, lines: int, lots: int, assemblies: int, hot: int = 0) -> Shop:
    """A data set of `assemblies` with `lines` components each; the first `hot` components are shared by all of them."""
    place = make_place()
    made = Item.objects.bulk_create(
        Item(
            sku=f"{name}-A{a}", name=f"Assembly {a}", kind=ItemKind.PRODUCT, tracking=Tracking.LOT, shelf_life_days=730
        )
        for a in range(assemblies)
    )
    shared = _make_components([f"{name}-HOT-{c}" for c in range(hot)])
    parts = _make_components([f"{name}-C{a}-{c}" for a in range(assemblies) for c in range(lines - hot)])
    boms = Bom.objects.bulk_create(Bom(item=item, version=1) for item in made)
    own = lines - hot
    BomLine.objects.bulk_create(
        BomLine(bom=bom, position=position, component=component, quantity=Decimal(1))
        for number, bom in enumerate(boms)
        for position, component in enumerate([*shared, *parts[number * own : (number + 1) * own]], start=1)
    )
    Bom.objects.filter(pk__in=[bom.pk for bom in boms]).update(state="active", effective_from=date(2020, 1, 1))
    CostPool.objects.bulk_create(CostPool(item=item) for item in made)  # as after the first completion
    fill([component.pk for component in (*shared, *parts)], place=place, lots=lots)
    return Shop(name, lines, lots, [item.pk for item in made], place.pk, place.path)


def shop_of(name: str, *, lines: int, lots: int) -> Shop:
    """A data set that was made before."""
    place = make_place()
    made = Item.objects.filter(sku__startswith=f"{name}-A").order_by("pk").values_list("pk", flat=True)
    return Shop(name, lines, lots, list(made), place.pk, place.path)


def _make_components(skus: Sequence[str]) -> list[Item]:
    return Item.objects.bulk_create(Item(sku=sku, name=f"Component {sku}", tracking=Tracking.LOT) for sku in skus)


_FILL = """
WITH posting AS (
  INSERT INTO inventory_posting (key, request_hash, kind, reference, reason, note, effective_at, recorded_at)
  VALUES (gen_random_uuid(), '\\x00', 'receipt', 'BENCH', '', '', now(), now()) RETURNING id, recorded_at
), lots AS (
  INSERT INTO inventory_lot (item_id, code, received_on, expires_on, supplier_lot, note, created_at)
  SELECT i, 'L' || n, current_date - 30 + n, %(first_expiry)s::date + n, '', '', now()
  FROM unnest(%(items)s::bigint[]) AS i, generate_series(1, %(lots)s) AS n ORDER BY i, n
  RETURNING id, item_id, CASE WHEN code = 'L' || %(lots)s THEN %(plenty)s ELSE %(few)s END::numeric(18,6) AS quantity
), balances AS (
  INSERT INTO inventory_stockbalance (item_id, location_id, lot_id, status, quantity, reserved)
  SELECT item_id, %(place)s, id, 'available', quantity, 0 FROM lots
), pools AS (
  INSERT INTO inventory_costpool (item_id, lot_id, quantity, value, unknown_quantity)
  SELECT item_id, NULL, sum(quantity), sum(round(quantity * %(cost)s, 2)), 0 FROM lots GROUP BY item_id
)
INSERT INTO inventory_movement
  (posting_id, item_id, location_id, lot_id, status, quantity, value, effective_at, recorded_at)
SELECT p.id, l.item_id, %(place)s, l.id, 'available', l.quantity, round(l.quantity * %(cost)s, 2), p.recorded_at, p.recorded_at
FROM posting p, lots l
"""


def fill(items: Sequence[int], *, place: Location, lots: int) -> None:
    """Receive every component in one posting: lots, balances, pools and movements, as a receipt leaves them."""
    with connection.cursor() as cursor:
        cursor.execute(
            _FILL,
            {
                "items": list(items),
                "lots": lots,
                "place": place.pk,
                "plenty": PLENTY,
                "few": FEW,
                "cost": UNIT_COST,
                "first_expiry": date.today() + timedelta(days=90),  # noqa: DTZ011  any day well ahead will do
            },
        )


_EMPTIED = """
WITH lots AS (
  INSERT INTO inventory_lot (item_id, code, received_on, expires_on, supplier_lot, note, created_at)
  SELECT i.id, 'OLD' || n, current_date - 700, current_date - 30, '', '', now()
  FROM inventory_item i, generate_series(1, %(lots)s) AS n WHERE i.sku LIKE %(skus)s ORDER BY i.id, n RETURNING id, item_id
)
INSERT INTO inventory_stockbalance (item_id, location_id, lot_id, status, quantity, reserved)
SELECT item_id, %(place)s, id, 'available', 0, 0 FROM lots
"""


def add_emptied_lots(shop: Shop, *, lots: int) -> None:
    """Give the components that all assemblies of a shop share a past: so many lots each that are used up."""
    with connection.cursor() as cursor:
        cursor.execute(_EMPTIED, {"lots": lots, "skus": f"{shop.name}-HOT-%", "place": shop.location_id})


_RESTOCK = """
WITH low AS (
  SELECT b.id, b.item_id, b.location_id, b.lot_id, b.status, %(few)s - b.quantity AS quantity
  FROM inventory_item i JOIN inventory_stockbalance b ON b.item_id = i.id
  WHERE i.sku LIKE %(skus)s AND b.quantity < %(few)s AND b.status = 'available'
), posting AS (
  INSERT INTO inventory_posting (key, request_hash, kind, reference, reason, note, effective_at, recorded_at)
  SELECT gen_random_uuid(), '\\x00', 'adjustment', 'BENCH', '', '', now(), now() WHERE EXISTS (SELECT 1 FROM low)
  RETURNING id, recorded_at
), balances AS (
  UPDATE inventory_stockbalance b SET quantity = b.quantity + low.quantity FROM low WHERE b.id = low.id
), pools AS (
  UPDATE inventory_costpool p SET quantity = p.quantity + s.quantity, value = p.value + s.value
  FROM (SELECT item_id, sum(quantity) AS quantity, sum(round(quantity * %(cost)s, 2)) AS value FROM low GROUP BY 1) s
  WHERE p.item_id = s.item_id
)
INSERT INTO inventory_movement
  (posting_id, item_id, location_id, lot_id, status, quantity, value, effective_at, recorded_at)
SELECT p.id, l.item_id, l.location_id, l.lot_id, l.status, l.quantity, round(l.quantity * %(cost)s, 2),
       p.recorded_at, p.recorded_at
FROM posting p, low l
"""


def restock(shop: Shop) -> None:
    """Fill up the small lots of a shop, by an adjustment, so that the next pass takes from three lots again."""
    with connection.cursor() as cursor:
        cursor.execute(_RESTOCK, {"few": FEW, "skus": f"{shop.name}-%", "cost": UNIT_COST})
