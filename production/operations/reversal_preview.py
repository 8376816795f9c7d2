"""What taking back a completion would do now, by the very code that does it: run, read, and rolled back."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

from inventory.errors import DomainError
from inventory.models import Reservation, StockBalance
from inventory.operations.posting import Actor
from inventory.operations.transactions import try_out
from inventory.quantities import ZERO
from production.models import Completion, CompletionLine, CompletionReversal, CompletionReversalLine, WorkOrderPeg
from production.operations.outputs_back import main_outputs_left
from production.operations.recoveries import left_to_disassemble
from production.operations.reversing import reverse_completion


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """How much of one line would come back, in the component's stock unit."""

    line: CompletionLine
    returned: Decimal


@dataclass(frozen=True, slots=True)
class ReversalPlan:
    """What a reversal would do. `problem` is why it would be refused; then nothing comes back.

    `returnable` is the most that may be taken back now: the units that are still where they were put, last made first.
    """

    completion: Completion
    good: Decimal
    good_left: Decimal
    returnable: Decimal
    left_to_disassemble: Decimal
    lines: Sequence[ReturnedLine]
    problem: DomainError | None

    @property
    def is_possible(self) -> bool:
        return self.problem is None


def preview_reversal(*, completion: Completion, actor: Actor, good: Decimal | None = None) -> ReversalPlan:
    """What `reverse_completion` would do with all that is left, or with `good` units (stock unit); nothing is kept."""
    good_left = completion.good - completion.reversed_good
    lines: list[ReturnedLine] = []
    problem: DomainError | None = None
    try:
        lines = try_out(lambda: _returned_lines(completion, actor=actor, good=good))
    except DomainError as error:
        problem = error
    return ReversalPlan(
        completion=completion,
        good=good_left if good is None else good,
        good_left=good_left,
        returnable=_returnable(completion),
        left_to_disassemble=left_to_disassemble(completion),
        lines=lines,
        problem=problem,
    )


def _returned_lines(completion: Completion, *, actor: Actor, good: Decimal | None) -> list[ReturnedLine]:
    result = reverse_completion(key=uuid4(), completion=completion, actor=actor, good=good)
    back = CompletionReversalLine.objects.filter(reversal=result.reversal).order_by("line_id")
    return [ReturnedLine(row.line, row.actual) for row in back.select_related("line__component")]


def _returnable(completion: Completion) -> Decimal:
    """How many good units are where they were put, free or promised to the completion's own demands, last made first."""
    earlier = list(CompletionReversal.objects.filter(completion=completion).values_list("posting_id", flat=True))
    left = main_outputs_left(completion, earlier)
    lots = [lot_id for (_, _, lot_id, _), _ in left]
    cells = {
        (cell.item_id, cell.location_id, cell.lot_id, cell.status): cell.quantity - cell.reserved
        for cell in StockBalance.objects.filter(item=completion.item_id, lot_id__in=lots)
    }
    own = _own_pins(completion, lots)
    total = ZERO
    for key, quantity in left:
        free = cells.get(key, ZERO) + own.get((key[1], key[2]), ZERO)
        total += min(quantity, max(free, ZERO))
        if free < quantity:
            break
    return total


def _own_pins(completion: Completion, lots: Sequence[int]) -> dict[tuple[int, int], Decimal]:
    """By cell, what is promised to the demands of the completion's order: it lets go of that when it is taken back."""
    order = completion.work_order
    if order is None or not order.demand_kind:
        return {}
    demands = {peg.demand for peg in WorkOrderPeg.objects.filter(work_order=order)}
    pins = Reservation.objects.pinned().filter(demand_ref__in={reference for _, reference in demands})
    found: dict[tuple[int, int], Decimal] = {}
    for pin in pins.filter(item=completion.item_id, lot_id__in=lots, quantity__gt=0):
        assert pin.lot_id is not None
        if (pin.demand_kind, pin.demand_ref) not in demands:
            continue
        found[(pin.location_id, pin.lot_id)] = found.get((pin.location_id, pin.lot_id), ZERO) + pin.quantity
    return found
