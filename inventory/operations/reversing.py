"""Undoing a posting: the exact inverse, with the same lots, places and values (rule S14)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from inventory.bulk import as_one_act
from inventory.errors import AlreadyReversed, NotReversible, ReversalBlocked
from inventory.locks import CellKey, StockRows, lock_for_posting, read_layer_uses
from inventory.models import (
    NEUTRAL_KINDS,
    CostEntry,
    CostEntryKind,
    CostMethod,
    Item,
    Location,
    Lot,
    Movement,
    Posting,
    PostingKind,
    Reservation,
)
from inventory.operations.following import (
    follow_transfer,
    lock_transfer_of,
    refuse_returned,
    refuse_transfer_moved_on,
)
from inventory.operations.kept_counts import kept_counts
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.purchase_receipts import lock_orders_of_receipt, take_back_receipt
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text

REVERSED_ELSEWHERE = {
    PostingKind.DISASSEMBLY: "Reverse the disassembly itself.",
    PostingKind.REWORK: "Take it back on its rework order, which follows then.",
    PostingKind.COUNT: "Count again instead.",
    PostingKind.LANDED_COST: "Post the credit note as a landed cost with a negative amount instead.",
    PostingKind.COMPLETION: "Reverse the completion itself, so that its work order follows.",
    PostingKind.REVERSAL: "Record it again instead.",
    PostingKind.COST_CORRECTION: "Record another correction with the right cost instead.",
}
BLOCKERS_MAX = 20


@dataclass(frozen=True, slots=True)
class ReversalResult:
    posting: Posting
    replayed: bool


@operation
def reverse_posting(*, key: UUID, posting: Posting, actor: Actor, reason: str = "") -> ReversalResult:
    """Undo a posting that is no completion, whole.

    Receipts, issues, shipments, transfers, returns, changes of lot or status, adjustments and scrap.

    Everything the posting put somewhere must still be there and not be reserved. What a later count had kept of a posting
    that was recorded late goes with it, so that the counted balance stays. Raises AlreadyReversed, ReversalBlocked
    with the list of what stands in the way, WrongState for a step of a two-step transfer that has moved on, or NotReversible
    for kinds that are undone in another way.
    """
    hint = REVERSED_ELSEWHERE.get(PostingKind(posting.kind))
    if hint is not None:
        raise NotReversible(f"{posting} is not reversed here. {hint}", posting=posting.pk, kind=posting.kind)
    claim = claim_posting(
        key=key,
        kind=PostingKind.REVERSAL,
        request={"reverses": posting.pk, "reason": reason},
        actor=actor,
        effective_at=None,
        reference=posting.reference,
        reason=reason,
        reverses=posting,
    )
    if not claim.is_new:
        return ReversalResult(claim.posting, replayed=True)

    transfer = lock_transfer_of(posting)
    receipts = lock_orders_of_receipt(posting)
    movements = movements_of(posting)
    rows = lock_for_reversal(movements, posting_ids=[posting.pk])
    if Posting.objects.filter(reverses=posting).exclude(pk=claim.posting.pk).exists():
        raise AlreadyReversed(f"{posting} was reversed before. There is nothing left to undo.", posting=posting.pk)
    refuse_returned(posting)
    if transfer is not None:
        refuse_transfer_moved_on(transfer, posting)
    kept = kept_counts(posting)
    if kept.undo_first(kept.whole(), reversal=claim.posting, rows=rows):
        rows = lock_for_reversal(movements, posting_ids=[posting.pk])
    refuse_blocked(rows, movements, what=str(posting))
    draft = Draft(rows)
    if _is_neutral(draft, posting, movements):
        for movement in movements:
            value = None if movement.value is None else -movement.value
            draft.carry_back(cell_key(movement), -movement.quantity, value)
    else:
        undo_movements(draft, movements)
        undo_entries(draft, posting)
    with as_one_act("reversal", items=len({movement.item_id for movement in movements})):
        post(posting=claim.posting, draft=draft)
    kept.undo_rest(kept.whole(), reversal=claim.posting)
    if transfer is not None:
        follow_transfer(transfer, posting, reversal=claim.posting)
    take_back_receipt(receipts)  # of a purchase order: what came in is outstanding again
    return ReversalResult(claim.posting, replayed=False)


def _is_neutral(draft: Draft, posting: Posting, movements: Sequence[Movement]) -> bool:
    """Whether no pool changes by it. A change of lot moves value where lots carry their cost."""
    if posting.kind == PostingKind.LOT_CHANGE:
        return all(draft.method(movement.item_id) != CostMethod.LOT for movement in movements)
    return posting.kind in NEUTRAL_KINDS


def movements_of(posting: Posting) -> list[Movement]:
    """The posting's movements in the order they were written."""
    return list(posting.movements.order_by("id"))


def cell_key(movement: Movement) -> CellKey:
    return (movement.item_id, movement.location_id, movement.lot_id, movement.status)


def lock_for_reversal(movements: Sequence[Movement], *, posting_ids: Sequence[int]) -> StockRows:
    """Lock every pool and cell that undoing the movements touches, and read what the posting took out of cost layers.

    `posting_ids` are the posting and its earlier reversals.
    """
    rows = lock_for_posting(
        items=[m.item_id for m in movements],
        locations=sorted({m.location_id for m in movements}),
        statuses=sorted({m.status for m in movements}),
    )
    read_layer_uses(rows, posting_ids=posting_ids)
    return rows


def undo_movements(draft: Draft, movements: Sequence[Movement]) -> None:
    """The inverse of each movement in the draft: what left comes back, then what came in is taken back, at its own value."""
    for movement in movements:
        if movement.quantity < ZERO:
            value = None if movement.value is None else -movement.value
            draft.put_back(cell_key(movement), -movement.quantity, value)
    for movement in movements:
        if movement.quantity == ZERO and movement.value is not None:
            draft.restore_value(cell_key(movement), -movement.value)
        elif movement.quantity > ZERO:
            draft.take_back(cell_key(movement), movement.quantity, movement.value, posting_id=movement.posting_id)


def undo_entries(draft: Draft, posting: Posting) -> None:
    """The inverse of the posting's cost entries."""
    for entry in CostEntry.objects.filter(posting=posting).order_by("id"):
        draft.expense(entry.item_id, CostEntryKind(entry.kind), -entry.amount)


def undo_whole(original: Posting, *, reversal: Posting) -> None:
    """Write in `reversal` the inverse of all that a posting moved and booked. The caller knows that it stands.

    Raises ReversalBlocked unless all that came in is still in its cells and not reserved.
    """
    movements = movements_of(original)
    rows = lock_for_reversal(movements, posting_ids=[original.pk])
    refuse_blocked(rows, movements, what=str(original))
    draft = Draft(rows)
    undo_movements(draft, movements)
    undo_entries(draft, original)
    post(posting=reversal, draft=draft)


def refuse_blocked(rows: StockRows, movements: Sequence[Movement], *, what: str) -> None:
    """Raise ReversalBlocked unless all that came in is still in its cells and not reserved.

    Quantities that the same movements took out of a cell count for it, since they return first.
    """
    needed: dict[CellKey, Decimal] = {}
    for movement in movements:
        needed[cell_key(movement)] = needed.get(cell_key(movement), ZERO) + movement.quantity
    blocked = []
    for key, quantity in needed.items():
        cell = rows.cells.get(key)
        free = cell.free if cell else ZERO
        if quantity > free:
            blocked.append((key, quantity, cell.quantity if cell else ZERO, cell.reserved if cell else ZERO))
    if blocked:
        raise _blocked(blocked, since=max(m.id for m in movements), what=what)


def _promised(item: Item, place: Location, lot: Lot) -> list[Reservation]:
    """Who holds goods of a cell, the largest part first."""
    pinned = Reservation.objects.filter(item=item, location=place, lot=lot, quantity__gt=0)
    return list(pinned.order_by("-quantity", "id")[:BLOCKERS_MAX])


def _blocked(blocked: Sequence[tuple[CellKey, Decimal, Decimal, Decimal]], *, since: int, what: str) -> ReversalBlocked:
    items = Item.objects.in_bulk([key[0] for key, *_ in blocked])
    places = Location.objects.in_bulk([key[1] for key, *_ in blocked])
    lots = Lot.objects.in_bulk([key[2] for key, *_ in blocked])
    sentences = []
    context = []
    for key, needed, on_hand, reserved in blocked:
        item, place, lot = items[key[0]], places[key[1]], lots[key[2]]
        users = list(
            Movement.objects.filter(item=item, location=place, lot=lot, status=key[3], quantity__lt=0, id__gt=since)
            .select_related("posting")
            .order_by("id")[:BLOCKERS_MAX]
        )
        used_by = [
            {
                "posting": user.posting_id,
                "kind": user.posting.kind,
                "reference": user.posting.reference,
                "quantity": as_text(-user.quantity),
            }
            for user in users
        ]
        promised = _promised(item, place, lot) if reserved else []
        reserved_for = [
            {"demand_kind": one.demand_kind, "demand_ref": one.demand_ref, "quantity": as_text(one.quantity)}
            for one in promised
        ]
        lot_words = "" if lot.is_implicit else f", lot {lot.code}"
        used_words = "; ".join(f"{u.posting} took {as_text(-u.quantity)}" for u in users)
        whose = ", ".join(f"{one.demand_ref} ({as_text(one.quantity)})" for one in promised)
        reserved_words = f"{as_text(reserved)} of them reserved{f' for {whose}' if whose else ''}" if reserved else ""
        why = "; ".join(words for words in (reserved_words, used_words) if words)
        sentences.append(
            f"{place.code} holds {as_text(on_hand)} {item.stock_unit} of {item.sku}{lot_words}, "
            f"{as_text(needed)} must be taken back{f' ({why})' if why else ''}"
        )
        context.append(
            {
                "item": item.sku,
                "location": place.code,
                "lot": lot.code,
                "status": key[3],
                "needed": as_text(needed),
                "on_hand": as_text(on_hand),
                "reserved": as_text(reserved),
                "reserved_for": reserved_for,
                "used_by": used_by,
            }
        )
    return ReversalBlocked(
        f"{what} cannot be reversed: {'. '.join(sentences)}. Reverse what used it first, newest first.",
        blocked_by=context,
    )
