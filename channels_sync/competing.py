"""What happens when everything that competing products show is ordered: how much of it cannot be kept, at the worst. Pure.

Stock of a product goes first, then it is made; each order counts as a run of its own and takes at most `worst_rate` of each
component. Which products lose depends on who orders first, so sequences are tried: all of them for a few products, else each
product first and the others by what they take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

from inventory.quantities import ZERO, round_down
from production.contention import Shop, worst_rate

ALL_SEQUENCES_UP_TO = 5
"""Products of which every sequence is tried."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What all channels together show of one item, in its stock unit, and what one unit is worth; None: not known."""

    item_id: int
    quantity: Decimal
    worth: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Worst:
    """The most that cannot be kept: stock units in all and by item, and their worth, each of the sequence worst for it."""

    units: Decimal = ZERO
    money: Decimal | None = ZERO
    """None when the worth of something that cannot be kept is not known."""
    by_item: Mapping[int, Decimal] = field(default_factory=dict)


def worst_case(shop: Shop, offers: Sequence[Offered]) -> Worst:
    """The worst of the sequences in which the offers may all be ordered; nothing when all of it can be kept."""
    offers = [offer for offer in offers if offer.quantity > ZERO]
    needs = {offer.item_id: _needs(shop, offer.item_id) for offer in offers}
    worst = Worst()
    money: Decimal | None = ZERO
    for sequence in _sequences(offers, needs):
        lost = _lost(shop, sequence, needs)
        units = sum(lost.values(), ZERO)
        if units > worst.units:
            worst = Worst(units, None, lost)
        if units and money is not None:
            worths = {offer.item_id: offer.worth for offer in offers}
            known = [quantity * worth for one, quantity in lost.items() if (worth := worths[one]) is not None]
            money = max(money, sum(known, ZERO)) if len(known) == len(lost) else None
    return Worst(worst.units, money, worst.by_item)


def _needs(shop: Shop, item_id: int) -> dict[int, Fraction] | None:
    """The most a unit takes of each component, whatever the orders; None for what is not made."""
    make = shop.makes.get(item_id)
    if make is None:
        return None
    needs: dict[int, Fraction] = {}
    for rate in make.rates:
        step = shop.steps[rate.component_id]
        each = worst_rate(rate, step=step, output_step=make.step, smallest=make.smallest_order)
        needs[rate.component_id] = needs.get(rate.component_id, Fraction(0)) + each
    return needs


def _sequences(
    offers: Sequence[Offered], needs: Mapping[int, Mapping[int, Fraction] | None]
) -> Iterator[Sequence[Offered]]:
    if len(offers) <= ALL_SEQUENCES_UP_TO:
        yield from permutations(offers)
        return
    hungry = sorted(offers, key=lambda one: (-sum((needs[one.item_id] or {}).values(), Fraction(0)), one.item_id))
    for first in offers:
        yield [first, *(one for one in hungry if one is not first)]


def _lost(
    shop: Shop, sequence: Sequence[Offered], needs: Mapping[int, Mapping[int, Fraction] | None]
) -> dict[int, Decimal]:
    """What is left unkept of each item when they are ordered one after the other."""
    left: dict[int, Fraction] = {}
    lost = {}
    for offer in sequence:
        stock = left.get(offer.item_id, Fraction(shop.free(offer.item_id)))
        taken = min(Fraction(offer.quantity), stock)
        left[offer.item_id] = stock - taken
        rest = offer.quantity - round_down(taken, shop.steps[offer.item_id])
        wanted = needs[offer.item_id]
        if rest > ZERO and wanted is not None:
            built = rest
            for component, each in wanted.items():
                there = left.setdefault(component, Fraction(shop.free(component)))
                if each:
                    built = min(built, round_down(max(there, Fraction(0)) / each, shop.steps[offer.item_id]))
            for component, each in wanted.items():
                left[component] -= Fraction(built) * each
            rest -= built
        if rest > ZERO:
            lost[offer.item_id] = rest
    return lost
