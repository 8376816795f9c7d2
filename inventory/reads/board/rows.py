"""The figures of the items of one page: totals, places, lots, and what is coming."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.conf import settings
from django.db import connection

from inventory.arrays import numbers
from inventory.models import CostPool, Item, LocationKind
from inventory.quantities import ZERO, proportion
from inventory.reads.availability import ItemAvailability, availability
from inventory.reads.board.choosing import board_page
from inventory.reads.board.question import BoardQuestion, cell_conditions
from inventory.reads.board.supply import SupplierRow, Supply, supply_of


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """An item at one location with one status. Quantities are in the item's stock unit; below zero is kept apart."""

    location_id: int
    location_code: str
    location_name: str
    location_kind: str
    status: str
    on_hand: Decimal
    pinned: Decimal
    value: Decimal | None  # base currency; None when unknown
    lots: int
    next_expiry: date | None
    owners: tuple[str, ...]  # of its lots; what lots do not say is the place's

    @property
    def is_on_the_road(self) -> bool:
        return self.location_kind == LocationKind.IN_TRANSIT


@dataclass(frozen=True, slots=True)
class LotRow(PlaceRow):
    """One cell: a place row of one lot."""

    lot_id: int
    lot_code: str


@dataclass(frozen=True, slots=True)
class BoardRow:
    """An item with all its stock that matches the question. Quantities are in the item's stock unit.

    `on_hand` counts what lies at places, not what is on the road; a cell below zero is in `below_zero` and lowers nobody
    else's figure.
    """

    item: Item
    on_hand: Decimal
    below_zero: Decimal  # zero or less
    reserved: Decimal
    soft: Decimal  # of `reserved`: promised without naming a cell
    available: Decimal  # what one site lacks is not taken from another
    shortage: Decimal  # zero or less: promised at sites that do not have it, beside `available`
    value: Decimal | None  # base currency, goods on the road included; None when unknown
    places: tuple[PlaceRow, ...]
    supply: Supply
    lots: tuple[LotRow, ...] = ()
    lots_more: int = 0
    """Cells that are not among `lots`, since the page shows so many of an item at most."""
    expected: Decimal = ZERO
    """What higher apps expect to come in."""
    needed: Decimal = ZERO
    """What higher apps need and have not reserved."""

    @property
    def is_low(self) -> bool:
        return self.item.reorder_point is not None and self.available < self.item.reorder_point

    @property
    def lots_total(self) -> int:
        return len(self.lots) + self.lots_more

    @property
    def incoming(self) -> Decimal:
        """Ordered, made, or on the road to a place where it will be available: each once, for what is on the road is
        available nowhere yet."""
        return self.supply.ordered + self.supply.arriving + self.expected

    @property
    def demand(self) -> Decimal:
        """Promised without naming a cell, and needed without being promised."""
        return self.soft + self.needed

    @property
    def after_demand(self) -> Decimal:
        """What is left once everything came in and everything known was taken. `available` is without promises already, but
        for those that no site can keep: they take of what comes in."""
        return self.available + self.shortage + self.incoming - self.needed

    @property
    def suppliers(self) -> Sequence[SupplierRow]:
        return self.supply.suppliers


@dataclass(slots=True)
class Expected:
    """What higher apps know of an item: what they will put into stock, and what they need and have not reserved."""

    incoming: Decimal = ZERO
    demand: Decimal = ZERO


NOTHING_EXPECTED: Mapping[int, Expected] = {}
_NONE = Expected()


@dataclass(slots=True)
class _Facts:
    """What was read of a page's items, by item id."""

    pools: Mapping[int, CostPool]
    free: Mapping[int, ItemAvailability]
    supply: Mapping[int, Supply]
    places: dict[int, list[PlaceRow]] = field(default_factory=dict)
    lots: dict[int, list[LotRow]] = field(default_factory=dict)
    cells: dict[int, int] = field(default_factory=dict)


def board_rows(
    items: Sequence[Item],
    question: BoardQuestion,
    *,
    expected: Mapping[int, Expected] = NOTHING_EXPECTED,
    lots_max: int | None = 0,
) -> list[BoardRow]:
    """The rows of some items, by six statements for any number of them, one more with lots.

    `lots_max` cells of each item are listed as lots; None: all.
    """
    ids = [item.pk for item in items]
    if not ids:
        return []
    facts = _Facts(
        pools={pool.item_id: pool for pool in CostPool.objects.filter(item_id__in=ids, lot__isnull=True)},
        free=availability(items=ids, sources=question.sources),
        supply=supply_of(items=ids, places=question.places, with_suppliers=question.with_suppliers),
    )
    _read_places(ids, question, facts)
    if lots_max != 0:
        _read_lots(ids, question, facts, lots_max=lots_max)
    return [_row(item, question, facts, expected.get(item.pk, _NONE)) for item in items]


def all_rows(
    question: BoardQuestion,
    *,
    expect: Callable[[Sequence[int]], Mapping[int, Expected]] | None = None,
    with_lots: bool = False,
    chunk: int = 500,
) -> Iterator[list[BoardRow]]:
    """Every row of the board, in batches of `chunk` items. `expect` answers what higher apps know of items (ids)."""
    mark = None
    while True:
        page = board_page(question, rows_max=chunk, after=mark)
        expected = expect([item.pk for item in page.items]) if expect else NOTHING_EXPECTED
        yield board_rows(page.items, question, expected=expected, lots_max=None if with_lots else 0)
        if page.after is None:
            return
        mark = page.after


_PLACES = """
SELECT b.item_id, b.location_id, l.code, l.name, l.kind, b.status, sum(b.quantity), sum(b.reserved),
       count(*) FILTER (WHERE t.code <> ''), min(t.expires_on),
       array_agg(DISTINCT t.owner), count(*)
FROM inventory_stockbalance b JOIN inventory_location l ON l.id = b.location_id JOIN inventory_lot t ON t.id = b.lot_id
WHERE b.item_id = ANY(%s::bigint[]) AND b.quantity <> 0{}
GROUP BY b.item_id, b.location_id, l.code, l.name, l.kind, l.path, b.status
ORDER BY b.item_id, l.kind = 'in_transit', l.path, b.status
"""


def _read_places(ids: Sequence[int], question: BoardQuestion, facts: _Facts) -> None:
    conditions, values = cell_conditions(question)
    with connection.cursor() as cursor:
        cursor.execute(_PLACES.format(conditions), [numbers(ids), *values])
        for (
            item_id,
            place,
            code,
            name,
            kind,
            status,
            quantity,
            pinned,
            lots,
            expiry,
            owners,
            cells,
        ) in cursor.fetchall():
            worth = share_of_pool(facts.pools.get(item_id), quantity)
            facts.places.setdefault(item_id, []).append(
                PlaceRow(place, code, name, kind, status, quantity, pinned, worth, lots, expiry, tuple(owners))
            )
            facts.cells[item_id] = facts.cells.get(item_id, 0) + cells


_LOTS = """
SELECT i.id, b.location_id, b.code, b.name, b.kind, b.status, b.quantity, b.reserved, b.expires_on, b.owner, b.lot_id, b.lot
FROM unnest(%s::bigint[]) AS i(id) CROSS JOIN LATERAL (
  SELECT b.location_id, l.code, l.name, l.kind, b.status, b.quantity, b.reserved, t.expires_on, t.owner, b.lot_id,
         t.code AS lot, l.path
  FROM inventory_stockbalance b JOIN inventory_location l ON l.id = b.location_id JOIN inventory_lot t ON t.id = b.lot_id
  WHERE b.item_id = i.id AND b.quantity <> 0{}
  ORDER BY l.kind = 'in_transit', l.path, t.expires_on, t.code, b.status {}
) b
"""


def _read_lots(ids: Sequence[int], question: BoardQuestion, facts: _Facts, *, lots_max: int | None) -> None:
    conditions, values = cell_conditions(question)
    limit = "" if lots_max is None else f"LIMIT {lots_max}"
    with connection.cursor() as cursor:
        cursor.execute(_LOTS.format(conditions, limit), [numbers(ids), *values])
        for item_id, place, code, name, kind, status, quantity, pinned, expiry, owner, lot_id, lot in cursor.fetchall():
            worth = share_of_pool(facts.pools.get(item_id), quantity)
            facts.lots.setdefault(item_id, []).append(
                LotRow(
                    place,
                    code,
                    name,
                    kind,
                    status,
                    quantity,
                    pinned,
                    worth,
                    1 if lot else 0,
                    expiry,
                    (owner,),
                    lot_id,
                    lot,
                )
            )


def _row(item: Item, question: BoardQuestion, facts: _Facts, expected: Expected) -> BoardRow:
    places = tuple(facts.places.get(item.pk, ()))
    lots = tuple(facts.lots.get(item.pk, ()))
    free = facts.free.get(item.pk)
    chosen = free.from_sources(question.sources) if free and not question.only_suppliers else None
    asked = chosen.sources if chosen else ()
    soft = sum((source.reserved_soft for source in asked), ZERO)
    return BoardRow(
        item=item,
        on_hand=sum((p.on_hand for p in places if p.on_hand > ZERO and not p.is_on_the_road), ZERO),
        below_zero=sum((p.on_hand for p in places if p.on_hand < ZERO), ZERO),
        reserved=soft + sum((source.reserved_pinned for source in asked), ZERO),
        soft=soft,
        available=chosen.available if chosen else ZERO,
        shortage=chosen.shortage if chosen else ZERO,
        value=share_of_pool(facts.pools.get(item.pk), sum((p.on_hand for p in places), ZERO)),
        places=places,
        supply=facts.supply[item.pk],
        lots=lots,
        lots_more=facts.cells.get(item.pk, 0) - len(lots) if lots else 0,
        expected=expected.incoming,
        needed=expected.demand,
    )


def share_of_pool(pool: CostPool | None, quantity: Decimal) -> Decimal | None:
    """What `quantity` of a pool's stock is worth, to the currency's step; None while a part of the pool is unknown."""
    if not quantity:
        return ZERO
    if pool is None or pool.unknown_quantity > ZERO or not pool.quantity:
        return None
    return proportion(abs(pool.value), quantity, abs(pool.quantity), step=settings.CURRENCY_STEP)
