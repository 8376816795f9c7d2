"""Late costs: spreading an amount over what was received, and following received units in first-in-first-out order.

Pure (rule S21). The stock of an average item does not remember which receipt a unit is from; the tracking supposes that what
came first was used first, which is what the books say of first-in-first-out items too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from inventory.quantities import ZERO, round_half_up, share_out


def spread(amount: Decimal, weights: Sequence[Fraction], *, step: Decimal) -> list[Decimal]:
    """Split `amount` (signed) by `weights`: each share rounded half away from zero to `step`, the last takes the residue.

    ValueError when the weights sum to nothing.
    """
    whole = sum(weights, Fraction(0))
    if whole <= 0:
        raise ValueError("nothing to spread over: the weights sum to zero")
    shares = [round_half_up(Fraction(amount) * weight / whole, step) for weight in weights[:-1]]
    return [*shares, amount - sum(shares, ZERO)]


class Flow(NamedTuple):
    """One movement of an item that changed what there is of it, in the order of the ledger.

    `undoes` is the posting that is reversed by it, `returns` the receipt whose goods go back to the supplier. Of quantity
    zero: a correction that gave all of the stock a known cost.
    """

    id: int
    posting_id: int
    quantity: Decimal
    undoes: int | None = None
    returns: int | None = None
    is_unknown: bool = False


@dataclass(slots=True)
class Use:
    """A part of a receipt that a later movement took."""

    flow_id: int
    posting_id: int
    quantity: Decimal


@dataclass(slots=True)
class Received:
    """What one movement brought in, what is left of it, and what used the rest, in order of use. Stock unit."""

    id: int
    posting_id: int
    received: Decimal
    left: Decimal
    is_unknown: bool = False
    undone: Decimal = ZERO
    """How much of it was taken back by reversing its posting."""
    is_in_pool: bool = True
    """Whether the stock was never empty, nor its cost corrected, since it came in."""
    uses: list[Use] = field(default_factory=list)
    lot_id: int = 0
    """The lot, where each lot is followed by itself."""

    @property
    def kept(self) -> Decimal:
        """What came in and was not taken back by a reversal."""
        return self.received - self.undone


@dataclass(slots=True)
class _Debt:
    """Units that left while none were there."""

    flow: Flow
    quantity: Decimal


@dataclass(slots=True)
class _Tracking:
    queue: list[Received] = field(default_factory=list)
    start: int = 0
    """Everything before it in the queue is used up."""
    took: dict[int, list[tuple[int, Use]]] = field(default_factory=dict)
    """By posting: places in the queue it took from, in that order."""
    debts: list[_Debt] = field(default_factory=list)
    total: Decimal = ZERO
    pooled_from: int = 0

    def add(self, flow: Flow) -> None:
        if flow.quantity > ZERO:
            left = self._give_back(flow) if flow.undoes is not None else flow.quantity
            if left > ZERO:
                self._receive(flow, left)
        elif flow.quantity < ZERO:
            self._take(flow, -flow.quantity)
        self.total += flow.quantity
        if not flow.quantity or not self.total:
            self.pooled_from = len(self.queue)

    def _receive(self, flow: Flow, quantity: Decimal) -> None:
        one = Received(flow.id, flow.posting_id, flow.quantity, quantity, flow.is_unknown)
        self.queue.append(one)
        while self.debts and one.left > ZERO:  # what went below zero before is covered first
            debt = self.debts[0]
            part = min(debt.quantity, one.left)
            self._use(len(self.queue) - 1, debt.flow, part)
            debt.quantity -= part
            if not debt.quantity:
                self.debts.pop(0)

    def _take(self, flow: Flow, quantity: Decimal) -> None:
        own = flow.undoes if flow.undoes is not None else flow.returns
        if own is not None:
            for place, one in enumerate(self.queue):
                part = min(one.left, quantity)
                if one.posting_id == own and part > ZERO:
                    if flow.undoes is not None:
                        one.left -= part
                        one.undone += part
                    else:
                        self._use(place, flow, part)
                    quantity -= part
        while self.start < len(self.queue) and not self.queue[self.start].left:
            self.start += 1
        place = self.start
        while quantity > ZERO and place < len(self.queue):
            part = min(self.queue[place].left, quantity)
            if part > ZERO:
                self._use(place, flow, part)
                quantity -= part
            place += 1
        if quantity > ZERO:
            self.debts.append(_Debt(flow, quantity))

    def _use(self, place: int, flow: Flow, part: Decimal) -> None:
        use = Use(flow.id, flow.posting_id, part)
        self.queue[place].left -= part
        self.queue[place].uses.append(use)
        self.took.setdefault(flow.posting_id, []).append((place, use))

    def _give_back(self, flow: Flow) -> Decimal:
        """Return units to the receipts they were from, the last taken first; how many were not taken from any."""
        missing = flow.quantity
        for debt in reversed(self.debts):
            if debt.flow.posting_id == flow.undoes:
                part = min(debt.quantity, missing)
                debt.quantity -= part
                missing -= part
        self.debts = [debt for debt in self.debts if debt.quantity]
        for place, use in reversed(self.took.get(flow.undoes or 0, [])):
            part = min(use.quantity, missing)
            if part > ZERO:
                use.quantity -= part
                self.queue[place].left += part
                self.start = min(self.start, place)
                missing -= part
        return missing


def track(flows: Iterable[Flow]) -> dict[int, Received]:
    """What is left of each receipt of one item, and what used it, by movement id: first in, first out.

    Reversed uses go back to their old place; a reversed receipt, and goods sent back to their supplier, leave what they came
    in with, so far as the tracking still has it. Goods used below zero are taken from the receipt that covers them.
    """
    tracking = _Tracking()
    for flow in flows:
        tracking.add(flow)
    for place, one in enumerate(tracking.queue):
        one.uses = [use for use in one.uses if use.quantity]
        one.is_in_pool = place >= tracking.pooled_from
    return {one.id: one for one in tracking.queue}


class TracedUse(NamedTuple):
    """A use of received units with its part of a cost that came late."""

    use: Use
    share: Decimal


def share_over_uses(uses: Sequence[Use], *, used: Decimal, expensed: Decimal, step: Decimal) -> list[TracedUse]:
    """The first `used` units of a receipt by what used them, each with its part of what was expensed for them."""
    parts: list[Use] = []
    missing = used
    for use in uses:
        part = min(use.quantity, missing)
        if part <= ZERO:
            break
        parts.append(Use(use.flow_id, use.posting_id, part))
        missing -= part
    if not parts:
        return []
    weights = [part.quantity for part in parts]
    if missing > ZERO:  # some were taken back since: their part belongs to none of these
        weights.append(missing)
    shares = share_out(expensed, weights, step=step)
    return [TracedUse(part, share) for part, share in zip(parts, shares, strict=False)]
