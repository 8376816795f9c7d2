"""Which gap made an oversell possible: changes of stock followed from where they happened to the channel. Pure.

A change that lowers stock goes through gaps: it happens, is recorded, worked out into a figure, perhaps held for a person, taken
up by a sender, accepted by the channel. At the moment of the sale each change the channel did not show yet stood in one of them.
The gap that held back most units is the verdict. Where the way took no longer than it ordinarily does, nothing went wrong on
it, and a buffer should have covered it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from inventory.quantities import ZERO, as_text


class Gap(StrEnum):
    """Ordered as a change goes through them; what is not on the way comes after."""

    RECORDING = "recording"
    RECOMPUTE = "recompute"
    HOLD = "hold"
    PAUSE = "pause"
    CHANNEL = "channel"
    BUFFER = "buffer"
    PROMISED = "promised"
    DIFFERED = "differed"
    NOTHING_TOLD = "nothing_told"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Change:
    """One posting as the listing's sources saw it; `quantity` is signed, in stock units. None: not (yet) so far."""

    posting_id: int
    quantity: Decimal
    happened_at: datetime
    recorded_at: datetime
    held_at: datetime | None = None
    decided_at: datetime | None = None
    absorbed_at: datetime | None = None
    sent_at: datetime | None = None
    accepted_at: datetime | None = None
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A sale that could not be delivered. `quantity` and `shown` are in sold units, `stock` is in stock units."""

    moment: datetime
    quantity: int
    pack_size: Decimal
    stock: Decimal
    """At the listing's sources, as we know today that it was."""
    shown: int | None
    """The figure the channel had accepted last; None: none yet."""
    changes: Sequence[Change]
    """Those that figure did not contain."""
    paused_since: datetime | None = None
    """Set when sending was paused at the moment of the sale."""
    ordinary_seconds: Decimal | None = None
    """From stock change to confirmation, in 99 of 100 cases before."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`late` are the stock units that were gone without the channel knowing, `in_gap` those of them the gap held back."""

    gap: Gap
    words: str
    prevention: str
    late: Decimal = ZERO
    in_gap: Decimal = ZERO


_WORDS = {
    Gap.RECORDING: (
        "What took the stock was recorded only after the sale.",
        "Record stock at once where it moves: scan at the place, or let orders of other channels be imported sooner.",
    ),
    Gap.RECOMPUTE: (
        "The change was recorded, and the new figure had not been worked out.",
        "See that the workers run and have no backlog; a buffer covers the ordinary time only.",
    ),
    Gap.HOLD: (
        "The lower figure waited for a person.",
        "Decide on held changes sooner, or let the guard hold fewer falls: its limit for falls to zero.",
    ),
    Gap.PAUSE: (
        "The lower figure was ready, and sending was paused.",
        "Before a pause, freeze what may run out at a low figure; resume as soon as the reason is gone.",
    ),
    Gap.CHANNEL: (
        "The lower figure was ready, and the channel had not taken it yet.",
        "Look at the latency of the channel: its allowance, its quiet hours and its outages decide how long news takes.",
    ),
    Gap.BUFFER: (
        "Every change went its way no slower than it ordinarily does, and the buffer did not cover that time.",
        "Raise the buffer of this listing; the page Buffers works out how far.",
    ),
    Gap.PROMISED: (
        "The channel knew of every change, and its figure counted on more than was there: what is on its way, could be built "
        "or is with suppliers, or a fixed figure.",
        "Let the rule count what is available only, or count less of the other layers.",
    ),
    Gap.DIFFERED: (
        "The channel sold more than it had been told.",
        "Somebody or something else writes to the channel, or it lets people buy what is out of stock. Look there.",
    ),
    Gap.NOTHING_TOLD: (
        "No figure had been sent and accepted before the sale.",
        "The channel showed a figure of its own. Let the listing be published before it is opened for sale.",
    ),
    Gap.NONE: (
        "There was enough stock at that moment, so this sale could be delivered.",
        "If it could not, something was promised to others first, or the books are wrong: look at reservations, count the item.",
    ),
}
_IS_INCIDENT = (Gap.RECORDING, Gap.HOLD, Gap.PAUSE)


def gap_of(change: Change, case: Case) -> Gap | None:
    """Where a change stood at the moment of the sale; None when the channel had accepted it."""
    at = case.moment
    if change.recorded_at > at:
        return Gap.RECORDING
    if _by(change.accepted_at, at):
        return None
    if not _by(change.absorbed_at, at):
        is_held = _by(change.held_at, at) and not _by(change.decided_at, at)
        return Gap.HOLD if is_held else Gap.RECOMPUTE
    if not _by(change.sent_at, at) and case.paused_since is not None:
        return Gap.PAUSE
    return Gap.CHANNEL


def judge(case: Case) -> Verdict:
    """Which gap made the sale possible, and what would have prevented it."""
    if case.stock >= case.quantity * case.pack_size:
        return _verdict(Gap.NONE)
    if case.shown is None:
        return _verdict(Gap.NOTHING_TOLD)
    if case.shown < case.quantity:
        return _verdict(Gap.DIFFERED, f"It was told {case.shown} and sold {case.quantity}.")
    held_back: dict[Gap, Decimal] = {}
    for change in case.changes:
        gap = gap_of(change, case)
        if change.quantity >= ZERO or gap is None:
            continue
        if gap not in _IS_INCIDENT and _is_ordinary(change, case):
            gap = Gap.BUFFER
        held_back[gap] = held_back.get(gap, ZERO) - change.quantity
    if not held_back:
        return _verdict(Gap.PROMISED)
    late = sum(held_back.values(), ZERO)
    order = list(Gap)
    gap = min(held_back, key=lambda one: (-held_back[one], order.index(one)))
    said = f"The channel showed {case.shown} while {as_text(late)} stock units were gone that it did not know of."
    return _verdict(gap, said, late, held_back[gap])


def _by(then: datetime | None, at: datetime) -> bool:
    return then is not None and then <= at


def _is_ordinary(change: Change, case: Case) -> bool:
    if case.ordinary_seconds is None:
        return False
    return Decimal(str((case.moment - change.recorded_at).total_seconds())) <= case.ordinary_seconds


def _verdict(gap: Gap, said: str = "", late: Decimal = ZERO, in_gap: Decimal = ZERO) -> Verdict:
    words, prevention = _WORDS[gap]
    return Verdict(gap, f"{words} {said}".strip(), prevention, late, in_gap)
