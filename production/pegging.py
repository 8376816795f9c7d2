"""Who gets what of the output of a work order; pure.

One rule for what is completed and for what inspection releases: demands are served in turn, each with what it still wants and
with no more than is pegged to it. It goes by what was handed over and not by a running total, so that taking back a
completion in the middle serves the same.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from inventory.quantities import ZERO

DemandKey = tuple[str, str]
"""Kind and reference of a demand."""


class OpenPeg(NamedTuple):
    """What of a work order is made for one demand and was not handed to it yet; stock unit."""

    id: int
    demand: DemandKey
    open: Decimal


class Portion(NamedTuple):
    """A quantity (stock unit) of one piece of output for one peg. `source` is the index of the piece."""

    peg: OpenPeg
    source: int
    quantity: Decimal


def share_out(
    quantity: Decimal, pegs: Sequence[OpenPeg], *, wants: Mapping[DemandKey, Decimal] | None = None
) -> list[Decimal]:
    """What each peg gets of `quantity`, in the order of the pegs; the rest is nobody's.

    `wants`: no demand gets more than it still wants, however many pegs it has; one that is not named wants all that is
    pegged to it.
    """
    left = max(quantity, ZERO)
    wanted = dict(wants or {})
    parts = []
    for peg in pegs:
        part = max(min(peg.open, wanted.get(peg.demand, peg.open), left), ZERO)
        left -= part
        if peg.demand in wanted:
            wanted[peg.demand] -= part
        parts.append(part)
    return parts


def portions(
    pieces: Sequence[Decimal], pegs: Sequence[OpenPeg], *, wants: Mapping[DemandKey, Decimal] | None = None
) -> list[Portion]:
    """The same for output that lies in several pieces, such as lots: the first pieces go to the first pegs."""
    parts = share_out(sum(pieces, ZERO), pegs, wants=wants)
    found: list[Portion] = []
    left, source = list(pieces), 0
    for peg, part in zip(pegs, parts, strict=True):
        missing = part
        while missing > ZERO:
            taken = min(left[source], missing)
            if taken > ZERO:
                found.append(Portion(peg, source, taken))
            left[source] -= taken
            missing -= taken
            source += left[source] == ZERO
    return found
