"""Another cost method for an item: its stock keeps its value and is followed in another way from then on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from inventory.errors import WrongState
from inventory.locks import ANYWHERE, Cell, StockRows, lock_for_posting
from inventory.models import CostMethod, CostPool, Item, Posting, PostingKind, StockBalance, StockStatus, Tracking
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text, share_out
from inventory.valuation import Layer, Pool


@dataclass(frozen=True, slots=True)
class MethodResult:
    posting: Posting
    item: Item
    replayed: bool  # the key had already been used for this very request


@operation
def change_cost_method(*, key: UUID, item: Item, method: str, actor: Actor, reason: str = "") -> MethodResult:
    """Value `item` by another method from now on and save it, with what else was changed on the object.

    The value of its stock stays. By average: the pool. First in, first out: what is there becomes the first layer, of a lot
    that carried its cost one each. By lot: the value is shared over the lots by quantity. Raises WrongState when a place is below
    zero or stock has units of unknown cost, or for lots where the item has none; nothing is written then.
    """
    check_cost_method(item, method)
    claim = claim_posting(
        key=key,
        kind=PostingKind.COST_CORRECTION,
        request={"item": item.pk, "cost_method": method, "reason": reason},
        actor=actor,
        effective_at=None,
        reason=reason,
        note=f"Cost method: {CostMethod(method).label}",
    )
    if not claim.is_new:
        return MethodResult(claim.posting, item, replayed=True)

    rows = lock_for_posting(items=[item.pk], within=ANYWHERE, statuses=list(StockStatus))
    pool = rows.pools[item.pk]
    _check_pool(item, pool)
    _check_cells(item, [cell.quantity for cell in rows.of_item(item.pk)])
    before = rows.methods.get(item.pk, CostMethod.AVERAGE)
    if before != method:
        held = [cell for cell in rows.of_item(item.pk) if cell.quantity > ZERO]
        opening = _opening_layers(rows, item, pool, held, before) if method == CostMethod.FIFO else []
        draft = Draft(rows, pools={item.pk: pool}, lot_pools=_pools_of_lots(rows, item, pool, held, before, method))
        for layer in rows.layers.get(item.pk, []):
            layer.change(-layer.quantity, None if layer.value is None else -layer.value)
        if opening:
            rows.layers[item.pk] = opening
        post(posting=claim.posting, draft=draft)
        CostPool.objects.filter(pk=rows.pool_ids[item.pk]).update(method=method)
    item.cost_method = method
    item.save()
    return MethodResult(claim.posting, item, replayed=False)


def check_cost_method(item: Item, method: str) -> None:
    """Refuse a method that does not go with the item as it is. Reads without a lock; the operation looks again."""
    if method == CostMethod.LOT and item.tracking == Tracking.NONE:
        raise WrongState(
            f"{item.sku} is not tracked by lot, so its lots cannot carry a cost. Choose another method, or track it by lot.",
            item=item.sku,
        )
    stored = CostPool.objects.filter(item=item, lot__isnull=True).first() if item.pk else None
    if stored is not None and stored.method != method:
        _check_pool(item, Pool(stored.quantity, stored.value, stored.unknown_quantity))
        _check_cells(item, StockBalance.objects.filter(item=item, quantity__lt=ZERO).values_list("quantity", flat=True))


def _check_pool(item: Item, pool: Pool) -> None:
    _check_cells(item, [pool.quantity])
    if pool.is_unknown:
        raise WrongState(
            f"{item.sku} has units whose cost is not known. Give their price, or correct the cost, before its cost method "
            "changes.",
            item=item.sku,
        )


def _check_cells(item: Item, quantities: Iterable[Decimal]) -> None:
    """One place below zero is enough: the pool may be above it only because of what other places hold."""
    lowest = min(quantities, default=ZERO)
    if lowest < ZERO:
        raise WrongState(
            f"{as_text(lowest)} {item.stock_unit} of {item.sku} are on hand. Receive what is missing before its cost "
            "method changes.",
            item=item.sku,
        )


def _opening_layers(rows: StockRows, item: Item, pool: Pool, held: Sequence[Cell], before: str) -> list[Layer]:
    """The first layers: one for all there is, or one for each lot that carried a cost, the oldest first."""
    if not pool.quantity:
        return []
    if before != CostMethod.LOT:
        return [_layer(held[0].lot_id, pool.quantity, pool.value)]
    ages = {cell.lot_id: cell.received_on for cell in held}
    lots = [(lot_id, rows.lot_pools[(item.pk, lot_id)]) for lot_id in sorted(ages, key=lambda pk: (ages[pk], pk))]
    return [_layer(lot_id, lot.quantity, lot.value) for lot_id, lot in lots]


def _layer(lot_id: int, quantity: Decimal, value: Decimal) -> Layer:
    layer = Layer(None, None, lot_id, quantity, ZERO, ZERO)
    layer.change(quantity, value)
    return layer


def _pools_of_lots(
    rows: StockRows, item: Item, pool: Pool, held: Sequence[Cell], before: str, method: str
) -> dict[tuple[int, int], Pool]:
    """What lots are worth: their share of the pool by quantity when they begin to carry it, nothing when they end to."""
    if before == CostMethod.LOT:
        return {key: Pool() for key in rows.lot_pools}
    if method != CostMethod.LOT:
        return {}
    lots: dict[int, Decimal] = {}
    for cell in sorted(held, key=lambda cell: cell.lot_id):
        lots[cell.lot_id] = lots.get(cell.lot_id, ZERO) + cell.quantity
    if not lots:
        return {}
    parts = share_out(pool.value, list(lots.values()), step=settings.CURRENCY_STEP)
    return {(item.pk, lot): Pool(quantity, part) for (lot, quantity), part in zip(lots.items(), parts, strict=True)}
