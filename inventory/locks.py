"""The one place that locks stock rows, always in the same order (rule S18).

Order across tables: orders and demands by id (taken by their own app first), cost pools by item, balances by
(item, location, lot, status), reservations by id. The pool of an item is locked by every posting that touches it, so
postings of one item queue up; that is what makes its cost right, and no balance of it can appear or change meanwhile.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from inventory.arrays import numbers, texts
from inventory.models import VALUE_KINDS, CostMethod, StockStatus
from inventory.picking import LotOnHand
from inventory.quantities import ZERO
from inventory.trips import Rows, Statement, in_one_trip
from inventory.valuation import Layer, LayerUse, Pool, UnitCost

CellKey = tuple[int, int, int, str]
"""(item id, location id, lot id, status)"""
ANYWHERE = "/"
"""The path every location's path begins with."""


class Cell(NamedTuple):
    """One balance row as read under the lock. A tuple, since a posting may read thousands."""

    id: int
    item_id: int
    location_id: int
    lot_id: int
    status: str
    quantity: Decimal
    reserved: Decimal
    received_on: date
    expires_on: date | None
    lot_code: str
    path: str
    """Of its location."""
    is_pickable: bool
    """Whether its place is active, not blocked and not the road, so that stock may be picked from it automatically."""
    is_own: bool
    """Whether its place is a site of our own, not a third party's, a channel's or the road."""

    @property
    def key(self) -> CellKey:
        return (self.item_id, self.location_id, self.lot_id, self.status)

    @property
    def free(self) -> Decimal:
        return self.quantity - self.reserved

    def as_lot(self, *, own: Decimal = ZERO) -> LotOnHand:
        return LotOnHand(
            cell_id=self.id,
            location_id=self.location_id,
            lot_id=self.lot_id,
            free=self.free,
            received_on=self.received_on,
            expires_on=self.expires_on,
            own=own,
        )


@dataclass(slots=True)
class StockRows:
    """Pools and cells of the items of one posting: locked for posting, or only read for a preview."""

    pools: dict[int, Pool]
    pool_ids: dict[int, int]
    cells: dict[CellKey, Cell]
    answer: Rows = field(default_factory=list)
    """What the statement that was sent along answered."""
    own: dict[int, list["OwnReservation"]] = field(default_factory=dict)
    """By cell id: what the demand that posts has pinned there."""
    methods: dict[int, str] = field(default_factory=dict)
    """Cost method of the items that are not of moving average."""
    layers: dict[int, list[Layer]] = field(default_factory=dict)
    """Open cost layers of first-in-first-out items, oldest first."""
    lot_pools: dict[tuple[int, int], Pool] = field(default_factory=dict)
    """By (item id, lot id), of items whose lots carry their cost; without the lots that are empty."""
    last_costs: dict[int, UnitCost] = field(default_factory=dict)
    """What was last paid for items whose pool is at zero; only read where something may go below zero."""
    uses: dict[int, list[LayerUse]] = field(default_factory=dict)
    """What the posting that is undone took out of cost layers and has not put back, in the order it took it."""
    _by_item: dict[int, list[Cell]] = field(init=False, default_factory=dict)
    _own_chosen: dict[int, Decimal] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for cell in self.cells.values():
            self._by_item.setdefault(cell.item_id, []).append(cell)

    def of_item(self, item_id: int, *, status: str | None = None) -> list[Cell]:
        """The item's cells in key order."""
        return [c for c in self._by_item.get(item_id, ()) if status is None or c.status == status]

    def where(self, keep: Callable[[Cell], bool]) -> "StockRows":
        """The same rows with only the cells that `keep` accepts, for choosing among them."""
        cells = {key: cell for key, cell in self.cells.items() if keep(cell)}
        return replace(self, cells=cells)

    def note_cell_id(self, key: CellKey, cell_id: int) -> None:
        """Remember a cell that was made, empty, for this posting."""
        if key not in self.cells:
            day = date.min
            cell = Cell(cell_id, *key, ZERO, ZERO, day, None, "", "", is_pickable=True, is_own=True)
            self.cells[key] = cell
            self._by_item.setdefault(cell.item_id, []).append(cell)

    def own_quantity(self, cell_id: int) -> Decimal:
        if cell_id not in self.own:
            return ZERO
        return sum((r.quantity for r in self.own[cell_id]), ZERO) - self._own_chosen.get(cell_id, ZERO)

    def note_chosen(self, key: CellKey, quantity: Decimal, *, own: Decimal = ZERO) -> None:
        """Let later choices of the same posting see that `quantity` leaves a cell, `own` of it from the demand's own pins."""
        cell = self.cells[key]
        less = cell._replace(quantity=cell.quantity - quantity, reserved=cell.reserved - own)
        self.cells[key] = less
        self._by_item[cell.item_id] = [less if c.id == cell.id else c for c in self._by_item[cell.item_id]]
        self._own_chosen[cell.id] = self._own_chosen.get(cell.id, ZERO) + own


@dataclass(frozen=True, slots=True)
class OwnReservation:
    id: int
    quantity: Decimal


def lock_for_posting(
    *,
    items: Iterable[int],
    pools_of: Iterable[int] = (),
    within: str | None = None,
    locations: Sequence[int] = (),
    statuses: Sequence[str] = (StockStatus.AVAILABLE,),
    demand: tuple[str, str] | None = None,
    then: Statement | None = None,
    lock: bool = True,
) -> StockRows:
    """Lock the pools of `items` and their cells, and return them as they are now.

    `pools_of` names items of which only the pool is needed: goods that come in. Their pool keeps others out of their cells.
    Cells are those with one of `statuses` that stand below the location path `within` (ANYWHERE for all) or at one of
    `locations` and hold or promise something: an item keeps a row of every lot it ever had, and the writer finds an emptied
    one by its key. `demand` (kind, reference) also locks that demand's pinned reservations in these cells. `then` is executed
    when the rows are locked, in the same trip; it must be one that may be repeated. With `lock=False` the same rows are only
    read, for a preview.
    """
    wanted = sorted(set(items))
    valued = sorted({*wanted, *pools_of})
    if not valued:
        return StockRows({}, {}, {})
    statements = [
        _pools_statement(valued, lock=lock),
        _cells_statement(wanted, within=within, locations=locations, statuses=statuses, lock=lock),
    ]
    if then is not None:
        statements.append(then)
    found_pools, found_cells, *answer = in_one_trip(*statements)
    if lock and len(found_pools) < len(valued):
        _make_pools(valued)
        found_pools, found_cells, *answer = in_one_trip(
            *statements
        )  # cells may have come before there was a pool to lock
    pools = {item_id: Pool(quantity, value, unknown) for _, item_id, quantity, value, unknown, _ in found_pools}
    if not lock:
        pools = {item_id: pools.get(item_id, Pool()) for item_id in valued}
    methods = {item_id: method for _, item_id, *_, method in found_pools if method != CostMethod.AVERAGE}
    cells = {cell.key: cell for cell in map(Cell._make, found_cells)}
    rows = StockRows(
        pools, {item_id: pool_id for pool_id, item_id, *_ in found_pools}, cells, answer[0] if answer else []
    )
    if methods:
        _read_costs(rows, methods)
    if demand is not None and cells:
        rows.own = _own_reservations(wanted, cells, demand=demand, lock=lock)
    return rows


def _pools_statement(items: list[int], *, lock: bool) -> Statement:
    return (
        "SELECT id, item_id, quantity, value, unknown_quantity, method FROM inventory_costpool"
        " WHERE item_id = ANY(%s::bigint[]) AND lot_id IS NULL ORDER BY item_id"
        + (" FOR NO KEY UPDATE" if lock else ""),
        [numbers(items)],
    )


def _make_pools(items: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_costpool (item_id, lot_id, method, quantity, value, unknown_quantity)"
            " SELECT i.id, NULL, i.cost_method, 0, 0, 0 FROM inventory_item i WHERE i.id = ANY(%s::bigint[])"
            " ORDER BY i.id ON CONFLICT DO NOTHING",
            [numbers(items)],
        )


def _read_costs(rows: StockRows, methods: dict[int, str]) -> None:
    """Open layers and pools of lots that are not empty. The pool of the item is their lock: nobody changes them without it."""
    rows.methods = methods
    by_lot = [item_id for item_id, method in methods.items() if method == CostMethod.LOT]
    fifo = [item_id for item_id, method in methods.items() if method == CostMethod.FIFO]
    with connection.cursor() as cursor:
        if by_lot:
            cursor.execute(
                "SELECT item_id, lot_id, quantity, value, unknown_quantity FROM inventory_costpool"
                " WHERE item_id = ANY(%s::bigint[]) AND lot_id IS NOT NULL"
                " AND (quantity <> 0 OR value <> 0 OR unknown_quantity <> 0) ORDER BY item_id, lot_id",
                [numbers(by_lot)],
            )
            rows.lot_pools = {(item, lot): Pool(q, v, unknown) for item, lot, q, v, unknown in cursor.fetchall()}
        if fifo:
            rows.layers = {item_id: [] for item_id in fifo}
            cursor.execute(
                "SELECT item_id, id, posting_id, lot_id, received_quantity, quantity, value FROM inventory_costlayer"
                " WHERE item_id = ANY(%s::bigint[]) AND quantity > 0 ORDER BY item_id, id",
                [numbers(fifo)],
            )
            for item_id, *layer in cursor.fetchall():
                rows.layers[item_id].append(Layer(*layer))


def read_last_costs(rows: StockRows, *, items: Iterable[int]) -> None:
    """What units of `items` would leave at that are not there (rule S22): the cost they last came in at or left at."""
    empty = [item_id for item_id in items if item_id in rows.pools and not rows.pools[item_id].quantity]
    if not empty:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.id, last.value, last.quantity FROM unnest(%s::bigint[]) AS i(id) CROSS JOIN LATERAL ("
            " SELECT abs(m.value) AS value, abs(m.quantity) AS quantity FROM inventory_movement m"
            " WHERE m.item_id = i.id AND m.value IS NOT NULL AND m.quantity <> 0"
            " AND NOT EXISTS (SELECT 1 FROM inventory_posting p WHERE p.id = m.posting_id AND p.kind = ANY(%s::text[]))"
            " ORDER BY m.id DESC LIMIT 1) last",  # what only changes values moves units out and in at no price of theirs
            [numbers(empty), texts(str(kind) for kind in VALUE_KINDS)],
        )
        rows.last_costs.update({item: UnitCost(value, quantity) for item, value, quantity in cursor.fetchall()})


def read_layer_uses(rows: StockRows, *, posting_ids: Sequence[int]) -> None:
    """What a posting and its reversals (`posting_ids`, the posting first) took net out of cost layers.

    The layers it touched join the open ones, at their old place in the queue.
    """
    if not rows.layers:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT y.item_id, y.id, y.posting_id, y.lot_id, y.received_quantity, y.quantity, y.value,"
            " sum(c.quantity), CASE WHEN bool_or(c.value IS NULL) THEN NULL ELSE sum(c.value) END"
            " FROM inventory_costlayerchange c JOIN inventory_costlayer y ON y.id = c.layer_id"
            " WHERE c.posting_id = ANY(%s::bigint[]) AND y.item_id = ANY(%s::bigint[]) GROUP BY y.id ORDER BY y.id",
            [numbers(posting_ids), numbers(rows.layers)],
        )
        for item_id, layer_id, posting_id, lot_id, received, quantity, value, moved, worth in cursor.fetchall():
            known = next((layer for layer in rows.layers[item_id] if layer.id == layer_id), None)
            if known is None:
                known = Layer(layer_id, posting_id, lot_id, received, quantity, value)
                rows.layers[item_id].append(known)
            if moved < ZERO:
                used = LayerUse(known, -moved, None if worth is None else -worth)
                rows.uses.setdefault(item_id, []).append(used)
    for layers in rows.layers.values():
        layers.sort(key=lambda layer: layer.id or 0)


def _cells_statement(
    items: list[int], *, within: str | None, locations: Sequence[int], statuses: Sequence[str], lock: bool
) -> Statement:
    # The arrays come from sub-selects and the path is compared by its beginning, so that the planner cannot estimate from
    # the values: it then keeps one plan, where it would plan anew for each posting, which takes longer than the query.
    sql = (
        "SELECT b.id, b.item_id, b.location_id, b.lot_id, b.status, b.quantity, b.reserved, t.received_on, t.expires_on,"
        " t.code, l.path, l.is_active AND NOT l.is_blocked AND l.kind <> 'in_transit', l.kind = 'own'"
        " FROM inventory_stockbalance b"
        " JOIN inventory_location l ON l.id = b.location_id JOIN inventory_lot t ON t.id = b.lot_id"
        " WHERE b.item_id = ANY(ARRAY(SELECT unnest(%s::bigint[]))) AND b.status = ANY(ARRAY(SELECT unnest(%s::text[])))"
        " AND (b.quantity <> 0 OR b.reserved <> 0) AND (left(l.path, %s::int) = %s OR b.location_id = ANY(%s::bigint[]))"
        " ORDER BY b.item_id, b.location_id, b.lot_id, b.status"
    ) + (" FOR NO KEY UPDATE OF b" if lock else "")
    return sql, [numbers(items), texts(map(str, statuses)), len(within or ""), within, numbers(locations)]


def _own_reservations(
    items: list[int], cells: dict[CellKey, Cell], *, demand: tuple[str, str], lock: bool
) -> dict[int, list[OwnReservation]]:
    sql = (
        "SELECT r.id, r.item_id, r.location_id, r.lot_id, r.quantity FROM inventory_reservation r"
        " WHERE r.demand_kind = %s AND r.demand_ref = %s AND r.item_id = ANY(%s::bigint[])"
        " AND r.lot_id IS NOT NULL AND r.quantity > 0 ORDER BY r.id"
    ) + (" FOR NO KEY UPDATE" if lock else "")
    own: dict[int, list[OwnReservation]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, [*demand, numbers(items)])
        for reservation_id, item_id, location_id, lot_id, quantity in cursor.fetchall():
            cell = cells.get((item_id, location_id, lot_id, StockStatus.AVAILABLE.value))
            if cell is not None:
                own.setdefault(cell.id, []).append(OwnReservation(reservation_id, quantity))
    return own
