"""The smallest buffer with which a figure would not have promised more than was there: the formula asked backwards. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Context, Decimal
from fractions import Fraction

from channels_sync.allocation.derivation import Derivation
from channels_sync.allocation.formula import work_out
from channels_sync.allocation.terms import FIXED, Term
from inventory.quantities import ZERO, as_text, round_up

_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Prevention:
    """What the buffer of a figure would have had to be. Buffers are in stock units, figures in sold units."""

    units: Decimal | None
    """The smallest, in steps of the item; None: no buffer would have done."""
    present: Decimal
    """The buffer the figure had, whichever term decided it."""
    deliverable: int
    """The largest figure that could have been kept."""
    shows: int | None
    """What would have been shown with `units`."""
    how: str


def buffer_against(derivation: Derivation, *, stock: Decimal) -> Prevention:
    """The smallest buffer in units with which this figure would have been no more than `stock` (stock units) could deliver.

    Everything else is left as it was: the supply it was worked out from, the listing's part of it, percent, minimum, maximum and
    packs. A figure falls with its buffer, so the smallest is found by halving.
    """
    steps, offer = derivation.steps, derivation.offer
    deliverable = int(_EXACT.divide_int(max(stock, ZERO), offer.pack_size))
    present = steps.buffer.quantity
    unit = offer.unit
    packs = "" if offer.pack_size == 1 else f" in packs of {as_text(offer.pack_size)} {unit}"
    said = (
        f"It showed {steps.packs}{packs}, from {as_text(steps.allotted)} {unit} less a buffer of {as_text(present)} {unit}. "
        f"{as_text(max(stock, ZERO))} {unit} were there at the sale, so it could show {deliverable} at most"
    )
    if steps.packs <= deliverable:
        return Prevention(None, present, deliverable, None, f"{said}, which it did.")
    lowest = _shown(derivation, max(steps.allotted, present))
    if lowest > deliverable:
        why = "its rule fixes the figure" if derivation.terms.basis.value == FIXED else "a person keeps the figure up"
        return Prevention(None, present, deliverable, None, f"{said}. No buffer lowers it: {why}.")
    too_few, enough = 0, int(round_up(Fraction(max(steps.allotted, present)), offer.step) / offer.step)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if _shown(derivation, middle * offer.step) <= deliverable:
            enough = middle
        else:
            too_few = middle
    units = _EXACT.multiply(Decimal(enough), offer.step)
    shows = _shown(derivation, units)
    return Prevention(
        units,
        present,
        deliverable,
        shows,
        f"{said}. With a buffer of {as_text(units)} {unit}, and everything else as it was, it would have shown {shows}.",
    )


def _shown(derivation: Derivation, buffer: Decimal) -> int:
    """What would have been shown with so much kept back, or with the present buffer where that is more."""
    terms = replace(derivation.terms, buffer=Term(buffer))
    return work_out(derivation.snapshot, terms, derivation.offer, derivation.at).packs
