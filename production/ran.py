"""What the standing completions of an order were charged of its set-up and expected of its by-products. Pure.

Like components (rule S3) both go by what was booked, and not by how many units stand: what a reversal takes back is asked of
the next completion, once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from inventory.quantities import ZERO, round_down
from production.explosion import OutputFact

_ALL = Fraction(1)


@dataclass(frozen=True, slots=True)
class Ran:
    """An order before a completion; without an order nothing was started."""

    started: Decimal = ZERO
    """Good and scrapped, stock unit of the output."""
    set_up: Fraction = Fraction(0)
    """The share of the set-up that standing completions carry, 0 to 1."""
    booked: Mapping[int, Decimal] = field(default_factory=dict)
    """By item: what standing completions were expected to yield of it, in its stock unit."""


class Event(NamedTuple):
    """A completion, or what was taken back of one; `completion_id` names it in both cases."""

    completion_id: int
    is_reversal: bool
    good: Decimal
    scrapped: Decimal


@dataclass(slots=True)
class _Charged:
    """What one completion carries, and how much of its units still stand."""

    is_good: bool
    units: Decimal
    left: Decimal
    set_up: Fraction
    expected: dict[int, Decimal]


def ran_through(events: Iterable[Event], outputs: Sequence[OutputFact], steps: Mapping[int, Decimal]) -> Ran:
    """Where an order stands after its completions and reversals, in the order they were posted; `steps` by item."""
    started = ZERO
    done: dict[int, _Charged] = {}
    for event in events:
        if event.is_reversal:
            started -= event.good + event.scrapped
            one = done[event.completion_id]
            one.left -= event.good if one.is_good else event.scrapped
            continue
        before = _standing(started, done.values(), outputs, steps)
        started += event.good + event.scrapped
        expected = {
            output.item_id: output.expected(
                started_after=started, booked=before.booked[output.item_id], step=steps[output.item_id]
            )
            for output in outputs
        }
        units = event.good or event.scrapped  # of a completion without a good unit the scrapped ones go back
        done[event.completion_id] = _Charged(bool(event.good), units, units, _ALL - before.set_up, expected)
    return _standing(started, done.values(), outputs, steps)


def _standing(
    started: Decimal, done: Iterable[_Charged], outputs: Sequence[OutputFact], steps: Mapping[int, Decimal]
) -> Ran:
    set_up = Fraction(0)
    booked = {output.item_id: ZERO for output in outputs}
    for one in done:
        share = Fraction(one.left) / Fraction(one.units)
        set_up += one.set_up * share
        for item_id, quantity in one.expected.items():
            booked[item_id] += quantity if share == _ALL else round_down(Fraction(quantity) * share, steps[item_id])
    return Ran(started, set_up, booked)
