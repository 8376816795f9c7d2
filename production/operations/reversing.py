"""Undoing a completion, whole or by quantity: the exact inverse, last picked lot first (rule S14)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid5

from django.conf import settings
from django.db import connection

from inventory.errors import AlreadyReversed, InvalidQuantity, ReversalBlocked
from inventory.locks import CellKey
from inventory.models import CostEntry, CostEntryKind, Item, Movement, Posting, PostingKind, StockBalance, StockStatus
from inventory.operations.checking import check_quantity
from inventory.operations.kept_counts import kept_counts
from inventory.operations.pinning import Pin, pin_cells
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.reversing import cell_key, lock_for_reversal, refuse_blocked
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text, proportion, share_out, total_of
from production.explosion import kept_after_reversal
from production.models import (
    DEMAND_KIND,
    Completion,
    CompletionLine,
    CompletionReversal,
    CompletionReversalLine,
    Disassembly,
    WorkOrder,
    WorkOrderState,
)
from production.operations.outputs_back import OutputBack, outputs_to_take_back
from production.operations.pegs import take_back

ABSORBED = frozenset(
    {
        CostEntryKind.CONSUMABLES,
        CostEntryKind.LABOUR,
        CostEntryKind.MACHINE,
        CostEntryKind.OVERHEAD,
        CostEntryKind.PACKAGING,
    }
)
"""Kinds of cost entries by which value went into the output beside components."""


@dataclass(frozen=True, slots=True)
class CompletionReversalResult:
    posting: Posting
    reversal: CompletionReversal
    replayed: bool


@dataclass(slots=True)
class _Left:
    """What is left of one movement of a completion after earlier reversals; positive quantity, value None if unknown."""

    key: CellKey
    quantity: Decimal
    value: Decimal | None


@operation
def reverse_completion(
    *, key: UUID, completion: Completion, actor: Actor, good: Decimal | None = None, reason: str = ""
) -> CompletionReversalResult:
    """Take back a completion: all that is left of it, or `good` of its units (stock unit).

    Components return to the lots and places they came from with the values they left with; the output must still be where
    the completion put it, free. Scrapped units go back with the last good one. The work order's counters follow, and a
    finished order opens again. Raises AlreadyReversed, InvalidQuantity, or ReversalBlocked with what stands in the way.
    """
    item = Item.objects.get(pk=completion.item_id)
    if good is not None:
        check_quantity(item, good)
    original = Posting.objects.get(pk=completion.posting_id)
    claim = claim_posting(
        key=key,
        kind=PostingKind.REVERSAL,
        request={"completion": completion.pk, "good": good, "reason": reason},
        actor=actor,
        effective_at=None,
        reference=original.reference,
        reason=reason,
        reverses=original,
    )
    if not claim.is_new:
        known = CompletionReversal.objects.get(posting=claim.posting)
        return CompletionReversalResult(claim.posting, known, replayed=True)

    order = _locked_order(completion)
    done = Completion.objects.select_for_update(of=("self",), no_key=True).get(pk=completion.pk)
    good_left = done.good - done.reversed_good
    if done.is_reversed:
        raise AlreadyReversed(f"{original} was reversed before. There is nothing left to undo.", posting=original.pk)
    if good is not None and good > good_left:
        raise InvalidQuantity(
            f"{as_text(good_left)} {item.stock_unit} of {item.sku} are left of {original}; "
            f"{as_text(good)} cannot be taken back. Give at most what is left.",
            item=item.sku,
            left=as_text(good_left),
            given=as_text(good),
        )
    if Disassembly.objects.filter(completion=done, is_reversed=False).exists():
        raise ReversalBlocked(
            f"Some of {original} was taken apart. Reverse the disassembly first, or take the rest apart too.",
            blocked_by=[],
            posting=original.pk,
        )
    taken = good_left if good is None else good
    is_whole = taken == good_left
    earlier = _earlier_reversals(done)
    movements = list(original.movements.order_by("id"))
    back = outputs_to_take_back(done, earlier, taken=taken, left=good_left)
    rows = lock_for_reversal(movements, posting_ids=[original.pk, *earlier])
    if order is not None and order.demand_kind:
        _release_own(order, item, back, what=str(original), actor=actor)
        rows = lock_for_reversal(movements, posting_ids=[original.pk, *earlier])  # as its promises leave them
    kept = kept_counts(original, earlier=earlier)
    outputs = {output.key: -output.quantity for output in back}
    if kept.undo_first(kept.whole() if is_whole else outputs, reversal=claim.posting, rows=rows):
        rows = lock_for_reversal(movements, posting_ids=[original.pk, *earlier])
    refuse_blocked(
        rows, [output.as_movement(since=original.pk, movements=movements) for output in back], what=str(original)
    )

    draft = Draft(rows)
    returned = _line_returns(done, left=good_left - taken, is_whole=is_whole)
    value = _return_components(draft, movements, earlier, returned, is_whole=is_whole)
    absorbed = _return_entries(draft, done, earlier, left=good_left - taken, is_whole=is_whole)
    _take_outputs_back(draft, back, value=value, absorbed=absorbed, posting_id=original.pk)
    post(posting=claim.posting, draft=draft)
    kept.undo_rest(kept.whole() if is_whole else _components_back(draft), reversal=claim.posting)
    reversal = _write(claim.posting, done, order, returned, good=taken, is_whole=is_whole)
    if order is not None:
        _pin_on_the_floor(order, draft, done, what=str(original), actor=actor)
    if is_whole:
        _reverse_nested(claim.posting, done, actor=actor, reason=reason)
    return CompletionReversalResult(claim.posting, reversal, replayed=False)


def _release_own(order: WorkOrder, item: Item, back: Sequence[OutputBack], *, what: str, actor: Actor) -> None:
    """What the order had promised of its own output to its demands is let go, for it goes back."""
    cells: dict[tuple[int, int], Decimal] = {}
    taken = sum((output.quantity for output in back if output.is_main), ZERO)
    for output in back:
        if output.is_main and output.status == StockStatus.AVAILABLE:
            cell = (output.location_id, output.lot_id)
            cells[cell] = cells.get(cell, ZERO) + output.quantity
    take_back(order, item, cells, made=order.good - taken, reason=f"{what} reversed", actor=actor)


def _reverse_nested(posting: Posting, completion: Completion, *, actor: Actor, reason: str) -> None:
    """Completions that were made only for this one go with it, newest first (rule S12)."""
    for nested in Completion.objects.filter(parent=completion).order_by("-pk"):
        if not nested.is_reversed:
            reverse_completion(
                key=uuid5(posting.key, f"nested {nested.pk}"), completion=nested, actor=actor, reason=reason
            )


def _pin_on_the_floor(order: WorkOrder, draft: Draft, completion: Completion, *, what: str, actor: Actor) -> None:
    """What goes back to the floor of an order that is still made stands there for it again, as it was issued.

    What was made for the completion in the same step stays free, since it goes back as well.
    """
    if order.floor_location_id is None or not WorkOrder.objects.filter(pk=order.pk, state=WorkOrderState.OPEN).exists():
        return
    made = set(Completion.objects.filter(parent=completion).values_list("item_id", flat=True))
    back: dict[CellKey, Decimal] = {}
    for line in draft.lines:
        if line.quantity > ZERO and line.location_id == order.floor_location_id and line.item_id not in made:
            back[line.key] = back.get(line.key, ZERO) + line.quantity
    free = _free_at(order.floor_location_id, {item_id for item_id, *_ in back})  # a count may have kept what went back
    pin_cells(
        [
            Pin(item_id, location_id, lot_id, min(quantity, free[item_id, lot_id]))
            for (item_id, location_id, lot_id, status), quantity in back.items()
            if status == StockStatus.AVAILABLE and free.get((item_id, lot_id), ZERO) > ZERO
        ],
        demand_kind=DEMAND_KIND,
        demand_ref=order.number,
        rank=order.rank,
        actor=actor,
        reason=f"{what} reversed",
    )


def _free_at(location_id: int, items: Collection[int]) -> dict[tuple[int, int], Decimal]:
    """What is available there and promised to nobody, by item and lot."""
    rows = StockBalance.objects.filter(location=location_id, item__in=items, status=StockStatus.AVAILABLE)
    return {
        (item_id, lot_id): quantity - reserved
        for item_id, lot_id, quantity, reserved in rows.values_list("item_id", "lot_id", "quantity", "reserved")
    }


def _locked_order(completion: Completion) -> WorkOrder | None:
    if completion.work_order_id is None:
        return None
    return WorkOrder.objects.select_for_update(of=("self",), no_key=True).get(pk=completion.work_order_id)


def _earlier_reversals(completion: Completion) -> list[int]:
    return list(CompletionReversal.objects.filter(completion=completion).values_list("posting_id", flat=True))


def _take_outputs_back(
    draft: Draft,
    back: Sequence[OutputBack],
    *,
    value: Decimal | None,
    absorbed: Decimal | None,
    posting_id: int,
) -> None:
    """Outputs leave with the value of what goes back: by-products with their part, the item itself with the rest."""
    others = total_of(output.value for output in back if not output.is_main)
    main = [output for output in back if output.is_main]
    rest = None if value is None or absorbed is None or others is None else value + absorbed - others
    if any(output.value is None for output in main):
        rest = None
    if rest is None or len(main) < 2:
        values: Sequence[Decimal | None] = [rest] * len(main)
    else:
        values = share_out(rest, [output.quantity for output in main], step=settings.CURRENCY_STEP)
    for output, worth in zip(main, values, strict=True):
        draft.take_back(output.key, output.quantity, worth, posting_id=posting_id)
    for output in back:
        if not output.is_main:
            draft.take_back(output.key, output.quantity, output.value, posting_id=posting_id)


def _line_returns(
    completion: Completion, *, left: Decimal, is_whole: bool
) -> list[tuple[CompletionLine, Decimal, Decimal]]:
    """Per line: the expected and the actual quantity that go back now."""
    lines = list(completion.lines.select_related("component").order_by("id"))
    gone: dict[int, tuple[Decimal, Decimal]] = {}
    for before in CompletionReversalLine.objects.filter(line__completion=completion):
        expected, actual = gone.get(before.line_id, (ZERO, ZERO))
        gone[before.line_id] = (expected + before.expected, actual + before.actual)
    returns = []
    for line in lines:
        expected_gone, actual_gone = gone.get(line.pk, (ZERO, ZERO))
        if is_whole:
            kept_expected = kept_actual = ZERO
        else:
            step = line.component.step
            kept_expected = kept_after_reversal(line.expected, left=left, made=completion.good, step=step)
            kept_actual = kept_after_reversal(line.actual, left=left, made=completion.good, step=step)
        returns.append(
            (
                line,
                max(line.expected - expected_gone - kept_expected, ZERO),
                max(line.actual - actual_gone - kept_actual, ZERO),
            )
        )
    return returns


def _return_components(
    draft: Draft,
    movements: Sequence[Movement],
    earlier: Sequence[int],
    returned: Sequence[tuple[CompletionLine, Decimal, Decimal]],
    *,
    is_whole: bool,
) -> Decimal | None:
    """Put the components back, last picked first; return their value, None if a part is unknown."""
    by_item = _left_of(movements, _already_back(earlier))
    total: Decimal | None = ZERO
    wanted: dict[int, Decimal] = {}
    for line, _, actual in returned:
        if not line.is_consumable and actual:
            wanted[line.component_id] = wanted.get(line.component_id, ZERO) + actual
    for item_id, quantity in wanted.items():
        missing = quantity
        for left in reversed(by_item[item_id]):
            part = min(left.quantity, missing)
            if part <= ZERO:
                continue
            value = None
            if left.value is not None:
                value = proportion(left.value, part, left.quantity, step=settings.CURRENCY_STEP)
            value = _put_back(draft, left.key, part, value, is_whole=is_whole)
            total = None if total is None or value is None else total + value
            missing -= part
        assert missing == ZERO, "a completion returned more than it took"
    if is_whole:
        for movement in movements:
            if movement.quantity == ZERO and movement.value is not None:
                draft.restore_value(cell_key(movement), -movement.value)
    return total


def _components_back(draft: Draft) -> dict[CellKey, Decimal]:
    """What came back into each cell."""
    back: dict[CellKey, Decimal] = {}
    for line in draft.lines:
        if line.quantity > ZERO:
            back[line.key] = back.get(line.key, ZERO) + line.quantity
    return back


def _put_back(
    draft: Draft, key: CellKey, quantity: Decimal, value: Decimal | None, *, is_whole: bool
) -> Decimal | None:
    """All that is left goes back at the values it left with; a part at what its layers say, where there are layers."""
    if not is_whole:
        return draft.put_back_part(key, quantity, value)
    draft.put_back(key, quantity, value)
    return value


def _left_of(
    movements: Sequence[Movement], back: dict[CellKey, tuple[Decimal, Decimal | None]]
) -> dict[int, list[_Left]]:
    """What the completion took and earlier reversals did not return, by item, in picking order."""
    cells: dict[CellKey, _Left] = {}
    for movement in movements:
        if movement.quantity < ZERO:
            left = cells.setdefault(cell_key(movement), _Left(cell_key(movement), ZERO, ZERO))
            left.quantity -= movement.quantity
            left.value = None if left.value is None or movement.value is None else left.value - movement.value
    by_item: dict[int, list[_Left]] = {}
    for key, left in cells.items():
        quantity, value = back.get(key, (ZERO, ZERO))
        left.quantity -= quantity
        left.value = None if left.value is None or value is None else left.value - value
        by_item.setdefault(key[0], []).append(left)
    return by_item


def _already_back(earlier: Sequence[int]) -> dict[CellKey, tuple[Decimal, Decimal | None]]:
    """What earlier reversals put back, by cell."""
    back: dict[CellKey, tuple[Decimal, Decimal | None]] = {}
    for movement in Movement.objects.filter(posting_id__in=earlier, quantity__gt=0):
        quantity, value = back.get(cell_key(movement), (ZERO, ZERO))
        known = None if value is None or movement.value is None else value + movement.value
        back[cell_key(movement)] = (quantity + movement.quantity, known)
    return back


def _return_entries(
    draft: Draft, completion: Completion, earlier: Sequence[int], *, left: Decimal, is_whole: bool
) -> Decimal | None:
    """Undo the cost entries in proportion; return the value of consumables that leaves the output, None if unknown."""
    entries = CostEntry.objects.filter(posting_id=completion.posting_id).order_by("id")
    undone: dict[tuple[int | None, str], Decimal] = {}
    for entry in CostEntry.objects.filter(posting_id__in=earlier).exclude(kind=CostEntryKind.REVERSAL_VARIANCE):
        undone[(entry.item_id, entry.kind)] = undone.get((entry.item_id, entry.kind), ZERO) - entry.amount
    absorbed = ZERO
    for entry in entries:
        before = undone.pop((entry.item_id, entry.kind), ZERO)
        kept = ZERO
        if not is_whole:
            if entry.kind not in ABSORBED:
                continue
            kept = proportion(entry.amount, left, completion.good, step=settings.CURRENCY_STEP)
        amount = entry.amount - before - kept
        draft.expense(entry.item_id, CostEntryKind(entry.kind), -amount)
        if entry.kind in ABSORBED:
            absorbed -= amount
    return absorbed


def _write(
    posting: Posting,
    completion: Completion,
    order: WorkOrder | None,
    returned: Sequence[tuple[CompletionLine, Decimal, Decimal]],
    *,
    good: Decimal,
    is_whole: bool,
) -> CompletionReversal:
    scrapped = completion.scrapped - completion.reversed_scrap if is_whole else ZERO
    reversal = CompletionReversal.objects.create(posting=posting, completion=completion, good=good, scrapped=scrapped)
    completion.reversed_good += good
    completion.reversed_scrap += scrapped
    completion.save(update_fields=["reversed_good", "reversed_scrap"])
    CompletionReversalLine.objects.bulk_create(
        CompletionReversalLine(reversal=reversal, line=line, expected=expected, actual=actual)
        for line, expected, actual in returned
        if expected or actual
    )
    if order is not None:
        _write_order(order, returned, good=good, scrapped=scrapped)
    return reversal


def _write_order(
    order: WorkOrder,
    returned: Sequence[tuple[CompletionLine, Decimal, Decimal]],
    *,
    good: Decimal,
    scrapped: Decimal,
) -> None:
    """The order's counters go back; a finished order with something left to make opens again."""
    of_order = [(line, expected, actual) for line, expected, actual in returned if line.work_order_line_id is not None]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE production_workorder SET good = good - %s, scrapped = scrapped - %s,"
            " state = CASE WHEN state = 'done' AND good + scrapped - %s < planned THEN 'open' ELSE state END,"
            " closed_at = CASE WHEN state = 'done' AND good + scrapped - %s < planned THEN NULL ELSE closed_at END"
            " WHERE id = %s",
            [good, scrapped, good + scrapped, good + scrapped, order.pk],
        )
        cursor.execute(
            "UPDATE production_workorderline l SET booked = l.booked - u.expected, used = l.used - u.actual"
            " FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[]) AS u(id, expected, actual) WHERE l.id = u.id",
            [
                [line.work_order_line_id for line, _, _ in of_order],
                [expected for _, expected, _ in of_order],
                [actual for _, _, actual in of_order],
            ],
        )
