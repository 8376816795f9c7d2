"""The arithmetic of a figure on one line, and what the terms are called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from channels_sync.allocation.facts import Offer, Snapshot, SourceStock
from channels_sync.allocation.formula import Steps
from channels_sync.allocation.terms import FIXED, HUNDRED, Terms
from inventory.quantities import ZERO, as_text

_MINUS = "\N{MINUS SIGN}"
_TIMES = "\N{MULTIPLICATION SIGN}"
_ARROW = "\N{RIGHTWARDS ARROW}"

BUFFERS = {
    "buffer": "buffer",
    "buffer_percent": "buffer in percent",
    "buffer_days": "buffer for days of demand",
    "doubt_percent": "buffer for doubt about the books",
}


def in_words(steps: Steps, *, snapshot: Snapshot, terms: Terms, offer: Offer) -> str:
    """Such as `on hand 160 - reserved 24 - buffer 8 = 128 x 50 % = 64 -> pack of 6 -> 10`."""
    text = "".join(_supply(steps, snapshot=snapshot, terms=terms))
    is_said = text in (f"on hand {as_text(steps.after_buffer)}", f"fixed figure {as_text(steps.after_buffer)}")
    counted = "".join(_counted(steps, snapshot=snapshot, terms=terms, offer=offer))
    is_said = is_said or bool(counted)
    text += counted
    if steps.buffer.quantity:
        text += f" {_MINUS} {BUFFERS[steps.buffer.name]} {as_text(steps.buffer.quantity)}"
    if not is_said or steps.buffer.quantity:
        text += f" = {as_text(steps.after_buffer)}"
    is_fixed = terms.basis.value == FIXED
    percent = HUNDRED if is_fixed else terms.percent.value
    if percent != HUNDRED:
        text += f" {_TIMES} {as_text(percent)} % = {as_text(steps.share)}"
    elif steps.share != steps.after_buffer:
        text += f" {_ARROW} steps of {as_text(offer.step)} {_ARROW} {as_text(steps.share)}"
    if steps.withdrawn:
        text += f" {_ARROW} {steps.withdrawn} {_ARROW} 0"
    elif steps.after_minimum != steps.share:
        text += f" {_ARROW} below minimum {as_text(terms.minimum.value)} {_ARROW} 0"
    maximum = terms.maximum.value
    if maximum is not None and steps.after_maximum != steps.after_minimum:
        text += f" {_ARROW} at most {as_text(maximum)} {_ARROW} {as_text(steps.after_maximum)}"
    if offer.pack_size != 1:
        text += f" {_ARROW} pack of {as_text(offer.pack_size)} {_ARROW} {steps.given}"
    elif steps.after_maximum != steps.given:
        text += f" {_ARROW} whole units the channel takes {_ARROW} {steps.given}"
    if steps.is_kept:
        text += f" {_ARROW} kept at {offer.kept}: {offer.kept_for}"
    if steps.is_frozen:
        text += f" {_ARROW} frozen at {offer.lid}: {offer.frozen}"
    return text


def _counted(steps: Steps, *, snapshot: Snapshot, terms: Terms, offer: Offer) -> Iterator[str]:
    """What of the supply the listing counts on, where that is less."""
    if snapshot.allotment is not None and steps.allotted != _whole(steps, terms):
        yield f" {_ARROW} {snapshot.allotment.reason} {_ARROW} {as_text(steps.allotted)}"
    if steps.counted != steps.allotted:
        yield f" {_ARROW} steps of {as_text(offer.step)} {_ARROW} {as_text(steps.counted)}"


def _whole(steps: Steps, terms: Terms) -> object:
    return terms.fixed_quantity.value if terms.basis.value == FIXED else steps.supply.total


def _supply(steps: Steps, *, snapshot: Snapshot, terms: Terms) -> Iterator[str]:
    if terms.basis.value == FIXED:
        yield f"fixed figure {as_text(terms.fixed_quantity.value)}"
        return
    on_hand = sum((source.on_hand for source in snapshot.sources), ZERO)
    yield f"on hand {as_text(on_hand)}{_reserved(snapshot.sources, steps)}"
    if terms.counts_incoming:
        yield f" + incoming {as_text(steps.supply.incoming)}"
    if terms.counts_buildable:
        yield f" + buildable {as_text(steps.supply.buildable)}"
        made = snapshot.makeable
        if made is not None and (made.components or made.problem):
            why = made.problem or f"bottleneck {made.components[0].sku}"
            if made.alone is not None:
                why += f"; {as_text(made.alone)} alone, {made.divided}"
                if terms.divided_percent.value != HUNDRED:
                    part, degree = as_text(made.quantity), as_text(terms.divided_percent.value)
                    why += f", its part {part}, {degree} % of the way"
            yield f" ({why})"
    if terms.counts_suppliers:
        yield f" + with suppliers {as_text(steps.supply.suppliers)}"


def _reserved(sources: Sequence[SourceStock], steps: Steps) -> str:
    reserved = sum((source.reserved_pinned + source.reserved_soft for source in sources), ZERO)
    text = f" {_MINUS} reserved {as_text(reserved)}" if reserved else ""
    short = [source for source in sources if source.available < ZERO]
    if short:
        owed = "; ".join(f"{source.code} is short of {as_text(-source.available)}" for source in short)
        text += f" ({owed}, not taken from elsewhere: {as_text(steps.available)})"
    return text
