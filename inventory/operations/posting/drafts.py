"""What a posting will move, valued as it is collected from locked rows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.conf import settings

from inventory.errors import ReversalBlocked
from inventory.locks import CellKey, StockRows
from inventory.models import CostEntryKind, CostMethod
from inventory.quantities import ZERO, as_text, proportion, share_out
from inventory.valuation import (
    Layer,
    LayersTaken,
    LayerUse,
    Pool,
    Taken,
    average_value,
    carry,
    pool_of,
    put,
    put_back,
    return_to_layers,
    take,
    take_back,
    take_layers,
)


@dataclass(slots=True)
class Line:
    """One movement to be: signed quantity in the stock unit, and its signed value once it is known (None: unknown)."""

    item_id: int
    location_id: int
    lot_id: int
    status: str
    quantity: Decimal
    value: Decimal | None = None

    @property
    def key(self) -> CellKey:
        return (self.item_id, self.location_id, self.lot_id, self.status)


@dataclass(slots=True)
class Draft:
    """What one posting will move, valued as it is collected. Pure: it reads and changes only what it was given.

    `rows` are the locked pools and cells; `pools` is their state after the lines collected so far. Items of moving average
    are valued from their pool, first-in-first-out items from their layers, the rest from the pools of their lots; the pool
    of the item is the sum in every case.
    """

    rows: StockRows
    step: Decimal = field(default_factory=lambda: settings.CURRENCY_STEP)
    lines: list[Line] = field(default_factory=list)
    entries: list[tuple[int | None, CostEntryKind, Decimal]] = field(default_factory=list)
    pools: dict[int, Pool] = field(default_factory=dict)
    lot_pools: dict[tuple[int, int], Pool] = field(default_factory=dict)
    released: dict[int, Decimal] = field(default_factory=dict)
    """Reservation id -> quantity of it that is fulfilled by this posting."""
    released_as: str = "fulfilled"
    """In a word, what became of the reservations in `released`."""
    freed: dict[CellKey, Decimal] = field(default_factory=dict)
    """Cell -> how much less is reserved in it."""
    overdrawn: set[CellKey] = field(default_factory=set)
    """Cells that this posting may take below zero."""
    _drift: dict[int, Decimal] = field(default_factory=dict)
    """Item -> known value that came back by movements and is in no layer."""

    def pool(self, item_id: int) -> Pool:
        found = self.pools.get(item_id)
        return self.rows.pools[item_id] if found is None else found

    def lot_pool(self, key: CellKey) -> Pool:
        """The pool of a cell's lot, where lots carry their cost; empty for a lot that has nothing."""
        lot_key = (key[0], key[2])
        found = self.lot_pools.get(lot_key)
        return self.rows.lot_pools.get(lot_key, Pool()) if found is None else found

    def method(self, item_id: int) -> str:
        return self.rows.methods.get(item_id, CostMethod.AVERAGE)

    def issue(self, item_id: int, cells: Sequence[tuple[CellKey, Decimal]]) -> Decimal | None:
        """Take positive quantities of one item out of cells at cost; return the (positive) value, None if unknown.

        The item's value is rounded once and shared out over the cells, so that the parts sum to it. Where lots carry their
        cost each lot has its own.
        """
        if self.rows.methods:
            method = self.method(item_id)
            if method == CostMethod.LOT:
                return self._issue_by_lot(item_id, cells)
            if method == CostMethod.FIFO:
                return self._issue_from_layers(item_id, cells)
        quantity = cells[0][1] if len(cells) == 1 else sum((q for _, q in cells), ZERO)
        last_cost = self.rows.last_costs.get(item_id) if self.rows.last_costs else None
        value, self.pools[item_id], residue = take(self.pool(item_id), quantity, step=self.step, last_cost=last_cost)
        self._out(cells, value)
        if residue:
            self._settle(item_id, cells[-1][0], residue)
        return value

    def receive(self, key: CellKey, quantity: Decimal, value: Decimal | None) -> None:
        """Put a positive quantity worth `value` (None: unknown) into a cell."""
        item_id = key[0]
        method = self.method(item_id) if self.rows.methods else CostMethod.AVERAGE
        self.lines.append(Line(*key, quantity, value))
        if method == CostMethod.FIFO:
            layer = Layer(None, None, key[2], quantity, ZERO, None if value is None else ZERO)
            layer.change(quantity, value)
            self.rows.layers[item_id].append(layer)
            self._count_layers(item_id)
            return
        if method == CostMethod.LOT:
            self._put_into_lot(key, quantity, value)
            return
        given = put(self.pool(item_id), quantity, value, step=self.step)
        self.pools[item_id] = given.pool
        if given.settled:
            kind = CostEntryKind.UNKNOWN_COST if given.is_unknown else CostEntryKind.NEGATIVE_VARIANCE
            self.lines.append(Line(*key, ZERO, -given.settled))
            self.expense(item_id, kind, given.settled)

    def put_back(self, key: CellKey, quantity: Decimal, value: Decimal | None) -> None:
        """Undo an issue: the very quantity and value return, to the layers they were taken from where there are any."""
        item_id = key[0]
        method = self.method(item_id)
        self.lines.append(Line(*key, quantity, value))
        if method == CostMethod.FIFO:
            taken = self._return_to_layers(item_id, quantity)
            self._drift[item_id] = self._drift.get(item_id, ZERO) + (value or ZERO) - taken.known
        elif method == CostMethod.LOT:
            self._put_into_lot(key, quantity, value)
        else:
            returned = put_back(self.pool(item_id), quantity, value)
            self.pools[item_id] = returned.pool
            if returned.residue:
                self.lines.append(Line(*key, ZERO, -returned.residue))
                self.expense(item_id, CostEntryKind.REVERSAL_VARIANCE, returned.residue)

    def put_back_part(self, key: CellKey, quantity: Decimal, value: Decimal | None) -> Decimal | None:
        """Undo a part of an issue; return what comes back, which for layers is what the layers say and not `value`."""
        if self.method(key[0]) != CostMethod.FIFO:
            self.put_back(key, quantity, value)
            return value
        taken = self._return_to_layers(key[0], quantity)
        self.lines.append(Line(*key, quantity, taken.value))
        if taken.value is None:
            self._drift[key[0]] = self._drift.get(key[0], ZERO) - taken.known
        return taken.value

    def move(self, source: CellKey, target: CellKey, quantity: Decimal) -> Decimal | None:
        """Carry a positive quantity between cells of one item; its stock stays worth the same. Returns the value carried."""
        item_id = source[0]
        is_by_lot = self.method(item_id) == CostMethod.LOT
        pool = self.lot_pool(source) if is_by_lot else self.pool(item_id)
        if is_by_lot and source[2] != target[2]:
            return self._move_between_lots(source, target, quantity)
        value = average_value(pool, quantity, step=self.step)
        self.lines.append(Line(*source, -quantity, None if value is None else -value))
        self.lines.append(Line(*target, quantity, value))
        return value

    def take_back(self, key: CellKey, quantity: Decimal, value: Decimal | None, *, posting_id: int) -> None:
        """Undo a receipt made by a posting: the very quantity and value leave; what the stock no longer has of the value
        becomes reversal variance.

        Raises ReversalBlocked when the layer that came in has been used.
        """
        item_id = key[0]
        method = self.method(item_id)
        if method == CostMethod.FIFO:
            taken = self._take_back_layer(key, quantity, value, posting_id=posting_id)
        elif method == CostMethod.LOT:
            taken = take_back(self.lot_pool(key), quantity, value, step=self.step)
            self._set_lot_pool(key, taken.pool)
        else:
            taken = take_back(self.pool(item_id), quantity, value, step=self.step)
            self.pools[item_id] = taken.pool
        self.lines.append(Line(*key, -quantity, None if taken.value is None else -taken.value))
        self._settle(item_id, key, taken.residue)
        if taken.value is not None:
            self.expense(item_id, CostEntryKind.REVERSAL_VARIANCE, taken.value - (value or ZERO))

    def carry_back(self, key: CellKey, quantity: Decimal, value: Decimal | None) -> None:
        """Undo one side of a transfer: signed quantity and value, without touching the pool of the item."""
        self.lines.append(Line(*key, quantity, value))

    def revalue(self, key: CellKey, amount: Decimal, *, unknown_moved: Decimal = ZERO) -> None:
        """Add `amount` (signed) to the value of all the item's stock without moving any; its cost is known then.

        `unknown_moved` is the sum of the item's movements of unknown value: it is moved out unknown and in known, so that
        the ledger itself adds up to a known cost.
        """
        item_id = key[0]
        pool = self.pool(item_id)
        method = self.method(item_id)
        worth = pool.value + amount
        if method == CostMethod.FIFO:
            layers = [layer for layer in self.rows.layers[item_id] if layer.quantity]
            for layer, part in zip(layers, share_out(worth, [y.quantity for y in layers], step=self.step), strict=True):
                if layer.value is None:
                    layer.make_known(part)
                else:
                    layer.change(ZERO, part - layer.value)
        elif method == CostMethod.LOT:
            held = [k for k, p in sorted(self.rows.lot_pools.items()) if k[0] == item_id and p.quantity]
            weights = [self.rows.lot_pools[k].quantity for k in held]
            for lot_key, part in zip(held, share_out(worth, weights, step=self.step), strict=True):
                self.lot_pools[lot_key] = Pool(self.rows.lot_pools[lot_key].quantity, part)
        self.pools[item_id] = Pool(pool.quantity, worth, ZERO)
        if unknown_moved:
            self.lines.append(Line(*key, -unknown_moved, None))
            self.lines.append(Line(*key, unknown_moved, ZERO))
        if amount:
            self.lines.append(Line(*key, ZERO, amount))
        elif pool.is_unknown:  # the ledger must show that the cost became known, though the sum stays the same
            self.lines += [Line(*key, ZERO, self.step), Line(*key, ZERO, -self.step)]

    def add_value(self, key: CellKey, amount: Decimal, *, posting_id: int, layer_id: int | None = None) -> Decimal:
        """Add `amount` (signed) to the value of what a posting brought into a cell's lot, no further down than to nothing.

        Returns what was added. An average item takes it into its pool. `layer_id` names the layer where the posting made
        several of one lot, or where its goods stand in another one by now.
        """
        item_id = key[0]
        method = self.method(item_id)
        if method == CostMethod.FIFO:
            mine = [y for y in self.rows.layers[item_id] if y.posting_id == posting_id and y.lot_id == key[2]]
            layers = mine if layer_id is None else [y for y in self.rows.layers[item_id] if y.id == layer_id]
            layer = next((y for y in layers if y.quantity and y.value is not None), None)
            added = ZERO if layer is None or layer.value is None else max(amount, -layer.value)
            if layer is not None and added:
                layer.change(ZERO, added)
                self._count_layers(item_id)
        elif method == CostMethod.LOT:
            pool = self.lot_pool(key)
            added = max(amount, -pool.value) if pool.quantity > ZERO else ZERO
            self._set_lot_pool(key, Pool(pool.quantity, pool.value + added, pool.unknown_quantity))
        else:
            pool = self.pool(item_id)
            added = max(amount, -pool.value) if pool.quantity > ZERO else ZERO
            self.pools[item_id] = Pool(pool.quantity, pool.value + added, pool.unknown_quantity)
        if added:
            self.lines.append(Line(*key, ZERO, added))
        return added

    def unknown_quantity(self, key: CellKey) -> Decimal:
        """Units of unknown cost in the pool that a cell is valued from: that of its lot, or of the item."""
        pool = self.lot_pool(key) if self.method(key[0]) == CostMethod.LOT else self.pool(key[0])
        return pool.unknown_quantity

    def make_known(self, key: CellKey, quantity: Decimal, value: Decimal, *, layer_id: int | None = None) -> None:
        """`quantity` units (positive) that came in without a cost are worth `value` together from now on.

        They move out unknown and in known, in one cell, so that the ledger itself adds up to a known cost. Of a
        first-in-first-out item they are all that is left of the layer.
        """
        item_id = key[0]
        method = self.method(item_id)
        self.lines += [Line(*key, -quantity, None), Line(*key, quantity, value)]
        if method == CostMethod.FIFO:
            layer = next(y for y in self.rows.layers[item_id] if y.id == layer_id)
            layer.make_known(value)
            self._count_layers(item_id)
        elif method == CostMethod.LOT:
            pool = self.lot_pool(key)
            unknown = max(pool.unknown_quantity - quantity, ZERO)
            self._set_lot_pool(key, Pool(pool.quantity, pool.value + value, unknown))
        else:
            pool = self.pool(item_id)
            unknown = max(pool.unknown_quantity - quantity, ZERO)
            self.pools[item_id] = Pool(pool.quantity, pool.value + value, unknown)

    def restore_value(self, key: CellKey, amount: Decimal) -> None:
        """Undo a movement of value alone: add `amount` (signed) to the pool and keep what is unknown of it."""
        self.lines.append(Line(*key, ZERO, amount))
        item_id = key[0]
        method = self.method(item_id)
        if method == CostMethod.FIFO:  # the layers that come back carry it
            self._drift[item_id] = self._drift.get(item_id, ZERO) + amount
        elif method == CostMethod.LOT:
            pool = self.lot_pool(key)
            self._set_lot_pool(key, Pool(pool.quantity, pool.value + amount, pool.unknown_quantity))
        else:
            pool = self.pool(item_id)
            self.pools[item_id] = Pool(pool.quantity, pool.value + amount, pool.unknown_quantity)

    def expense(self, item_id: int | None, kind: CostEntryKind, amount: Decimal | None) -> None:
        """Book value that leaves stock (positive) or enters it (negative) without a quantity; nothing for zero or None."""
        if amount:
            self.entries.append((item_id, kind, amount))

    def finish(self) -> None:
        """Book what came back by movements and is in no layer, so that the value of the item is that of its layers."""
        for item_id, drift in self._drift.items():
            if drift:
                key = next(line.key for line in self.lines if line.item_id == item_id)
                self.lines.append(Line(*key, ZERO, -drift))
                self.expense(item_id, CostEntryKind.REVERSAL_VARIANCE, drift)
        self._drift.clear()

    def fulfil(self, key: CellKey, cell_id: int, quantity: Decimal) -> None:
        """Use up `quantity` of the demand's own pins in a cell, oldest first."""
        left = quantity
        for own in self.rows.own.get(cell_id, ()):
            part = min(own.quantity - self.released.get(own.id, ZERO), left)
            if part > ZERO:
                self.released[own.id] = self.released.get(own.id, ZERO) + part
                left -= part
        assert left == ZERO, "more was fulfilled than the demand has reserved"
        self.freed[key] = self.freed.get(key, ZERO) + quantity

    def _out(self, cells: Sequence[tuple[CellKey, Decimal]], value: Decimal | None) -> None:
        values: Sequence[Decimal | None]
        if len(cells) == 1:
            ((key, quantity),) = cells
            self.lines.append(Line(*key, -quantity, None if value is None else -value))
            return
        if value is None:
            values = [None] * len(cells)
        else:
            values = [-part for part in share_out(value, [q for _, q in cells], step=self.step)]
        self.lines.extend(Line(*key, -q, v) for (key, q), v in zip(cells, values, strict=True))

    def _settle(self, item_id: int, key: CellKey, residue: Decimal) -> None:
        """Known value that stayed on zero units of a partly unknown pool leaves with the last of them."""
        if residue:
            self.lines.append(Line(*key, ZERO, -residue))
            self.expense(item_id, CostEntryKind.UNKNOWN_COST, residue)

    # --- Layers ---

    def _count_layers(self, item_id: int) -> None:
        self.pools[item_id] = pool_of(self.rows.layers[item_id])

    def _issue_from_layers(self, item_id: int, cells: Sequence[tuple[CellKey, Decimal]]) -> Decimal | None:
        taken = take_layers(self.rows.layers[item_id], sum((q for _, q in cells), ZERO), step=self.step)
        self._count_layers(item_id)
        self._out(cells, taken.value)
        if taken.value is None:  # known layers that left with unknown ones
            self._settle(item_id, cells[-1][0], taken.known)
        return taken.value

    def _return_to_layers(self, item_id: int, quantity: Decimal) -> LayersTaken:
        uses = self.rows.uses.get(item_id, [])
        returned = return_to_layers(uses, quantity, step=self.step)
        self._count_layers(item_id)
        left = quantity
        while left:  # what went back cannot go back again
            use = uses.pop()
            part = min(use.quantity, left)
            left -= part
            if part < use.quantity:
                gone = None if use.value is None else proportion(use.value, part, use.quantity, step=self.step)
                rest = None if use.value is None or gone is None else use.value - gone
                uses.append(LayerUse(use.layer, use.quantity - part, rest))
        return returned

    def _take_back_layer(self, key: CellKey, quantity: Decimal, value: Decimal | None, *, posting_id: int) -> Taken:
        mine = [y for y in self.rows.layers[key[0]] if y.posting_id == posting_id and y.lot_id == key[2]]
        whole = [y for y in mine if y.quantity >= quantity]
        layer = next((y for y in whole if y.received == quantity and y.value == value), next(iter(whole), None))
        if layer is None:
            raise ReversalBlocked(
                f"Of the {as_text(quantity)} that posting {posting_id} brought in, "
                f"{as_text(sum((y.quantity for y in mine), ZERO))} are left in first-in-first-out order. Reverse what used "
                "them first, newest first.",
                blocked_by=[],
                posting=posting_id,
            )
        if layer.value is None:
            out = None
        elif layer.quantity == quantity:
            out = layer.value
        else:
            wanted = proportion(layer.value, quantity, layer.quantity, step=self.step) if value is None else value
            out = min(wanted, layer.value)
        layer.change(-quantity, None if out is None else -out)
        self._count_layers(key[0])
        return Taken(out, self.pool(key[0]))

    # --- Lots that carry their cost ---

    def _set_lot_pool(self, key: CellKey, after: Pool) -> None:
        """The pool of the lot becomes `after`, and the pool of the item changes by the same."""
        before, whole = self.lot_pool(key), self.pool(key[0])
        self.lot_pools[(key[0], key[2])] = after
        self.pools[key[0]] = Pool(
            whole.quantity + after.quantity - before.quantity,
            whole.value + after.value - before.value,
            whole.unknown_quantity + after.unknown_quantity - before.unknown_quantity,
        )

    def _put_into_lot(self, key: CellKey, quantity: Decimal, value: Decimal | None) -> None:
        self._set_lot_pool(key, put(self.lot_pool(key), quantity, value, step=self.step).pool)

    def _issue_by_lot(self, item_id: int, cells: Sequence[tuple[CellKey, Decimal]]) -> Decimal | None:
        by_lot: dict[int, list[tuple[CellKey, Decimal]]] = {}
        for key, quantity in cells:
            by_lot.setdefault(key[2], []).append((key, quantity))
        total: Decimal | None = ZERO
        known = ZERO
        for of_lot in by_lot.values():
            key = of_lot[0][0]
            taken = take(self.lot_pool(key), sum((q for _, q in of_lot), ZERO), step=self.step)
            self._set_lot_pool(key, taken.pool)
            self._out(of_lot, taken.value)
            self._settle(item_id, of_lot[-1][0], taken.residue)
            known += taken.value or ZERO
            total = None if total is None or taken.value is None else total + taken.value
        if total is None:  # whoever gets these goods gets them at an unknown cost
            self.expense(item_id, CostEntryKind.UNKNOWN_COST, known)
        return total

    def _move_between_lots(self, source: CellKey, target: CellKey, quantity: Decimal) -> Decimal | None:
        rest, part = carry(self.lot_pool(source), quantity, step=self.step)
        before = self.lot_pool(target)
        self._set_lot_pool(source, rest)
        self._set_lot_pool(target, Pool(*(old + new for old, new in zip(before, part, strict=True))))
        value = None if part.is_unknown else part.value
        self.lines.append(Line(*source, -quantity, None if value is None else -value))
        if value is None and part.value:  # the known part goes along; on its own, since the units have no value
            self.lines += [Line(*source, ZERO, -part.value), Line(*target, ZERO, part.value)]
        self.lines.append(Line(*target, quantity, value))
        return value
