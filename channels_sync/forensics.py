"""Which gap made an oversell possible, and for how long: changes of stock followed from where they happened to the channel. Pure.

A change that lowers stock goes through gaps: it happens, is recorded, worked out into a figure, perhaps held for a person, taken
up by a sender, accepted by the channel. At the moment of the sale each change the channel did not show yet stood in one of them.
The gap that held back most units is the verdict. Where the way took no longer than it ordinarily does, nothing went wrong on
it, and a buffer should have covered it. How long each stage took is told of the change that took most units through the guilty
gap; how large the buffer had to be is asked of the formula the figure came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from channels_sync.allocation.derivation import Derivation
from channels_sync.allocation.preventing import Prevention, buffer_against
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


class Stage(StrEnum):
    """What a change waits for on its way, in order."""

    RECORDING = "recording"
    WORKING_OUT = "working_out"
    DECIDING = "deciding"
    QUEUEING = "queueing"
    SENDING = "sending"


@dataclass(frozen=True, slots=True)
class StageTime:
    """One stage of the way of a change that had begun by the sale; seconds."""

    stage: Stage
    by_sale: Decimal
    """How long it had lasted when the order came."""
    whole: Decimal | None
    """How long it took in all; None: it never ended."""
    is_open: bool
    """Whether the change stood in it when the order came."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The change that took most units through the guilty gap, and the stages of its way; the last is where it stood."""

    posting_id: int
    quantity: Decimal
    """Stock units, positive."""
    stages: Sequence[StageTime]

    @property
    def guilty(self) -> StageTime:
        """Where it stood when the order came."""
        return self.stages[-1]


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
    derivation: Derivation | None = None
    """How the figure on the channel had come about; None: there was none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`late` are the stock units that were gone without the channel knowing, `in_gap` those of them the gap held back."""

    gap: Gap
    words: str
    prevention: str
    late: Decimal = ZERO
    in_gap: Decimal = ZERO
    delay: Delay | None = None
    """None where nothing was on its way."""
    buffer: Prevention | None = None
    """What buffer would have prevented it; None where no figure or no buffer had a part in it."""


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
        "Raise the buffer of this listing.",
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
_WAITED_FOR = {
    Stage.RECORDING: ("to be recorded", "until it was recorded"),
    Stage.WORKING_OUT: ("to be worked out", "until it was worked out"),
    Stage.DECIDING: ("for a person", "until a person decided"),
    Stage.QUEUEING: ("to be sent", "until it was sent"),
    Stage.SENDING: ("for the channel to take it", "until the channel took it"),
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


_Span = tuple[Stage, datetime | None, datetime | None]


def stages_of(change: Change, moment: datetime) -> tuple[StageTime, ...]:
    """The stages of its way that had begun by `moment`, in order; the last is open unless the channel had accepted it."""
    absorbed, held, decided = change.absorbed_at, change.held_at, change.decided_at
    if held is None or (absorbed is not None and absorbed <= held):
        worked_out: list[_Span] = [(Stage.WORKING_OUT, change.recorded_at, absorbed)]
    else:
        worked_out = [(Stage.WORKING_OUT, change.recorded_at, held), (Stage.DECIDING, held, decided or absorbed)]
        if decided is not None and (absorbed is None or absorbed > decided):
            worked_out.append((Stage.WORKING_OUT, decided, absorbed))
    way: list[_Span] = [
        (Stage.RECORDING, change.happened_at, change.recorded_at),
        *worked_out,
        (Stage.QUEUEING, absorbed, change.sent_at),
        (Stage.SENDING, change.sent_at, change.accepted_at),
    ]
    return tuple(
        StageTime(
            stage,
            _seconds(since, moment if until is None else min(until, moment)),
            None if until is None else _seconds(since, until),
            until is None or until > moment,
        )
        for stage, since, until in way
        if since is not None and since <= moment
    )


def judge(case: Case) -> Verdict:
    """Which gap made the sale possible, for how long, and what would have prevented it."""
    if case.stock >= case.quantity * case.pack_size:
        return _verdict(Gap.NONE)
    if case.shown is None:
        return _verdict(Gap.NOTHING_TOLD)
    if case.shown < case.quantity:
        return _verdict(Gap.DIFFERED, f"It was told {case.shown} and sold {case.quantity}.")
    standing: dict[Gap, list[Change]] = {}
    for change in case.changes:
        gap = gap_of(change, case)
        if change.quantity >= ZERO or gap is None:
            continue
        if gap not in _IS_INCIDENT and _is_ordinary(change, case):
            gap = Gap.BUFFER
        standing.setdefault(gap, []).append(change)
    buffer = None if case.derivation is None else buffer_against(case.derivation, stock=case.stock)
    if not standing:
        return replace(_verdict(Gap.PROMISED), buffer=buffer, prevention=_prevention(Gap.PROMISED, buffer))
    held_back = {gap: -sum((one.quantity for one in changes), ZERO) for gap, changes in standing.items()}
    late = sum(held_back.values(), ZERO)
    order = list(Gap)
    gap = min(held_back, key=lambda one: (-held_back[one], order.index(one)))
    delay = _longest(standing[gap], case.moment)
    said = f"The channel showed {case.shown} while {as_text(late)} stock units were gone that it did not know of."
    return Verdict(
        gap=gap,
        words=" ".join([_WORDS[gap][0], said, *_told(delay)]),
        prevention=_prevention(gap, buffer),
        late=late,
        in_gap=held_back[gap],
        delay=delay,
        buffer=buffer,
    )


def _longest(changes: Sequence[Change], moment: datetime) -> Delay:
    """Of these, the change with most units, and of such the one that had stood longest where it was."""
    delays = [Delay(one.posting_id, -one.quantity, stages_of(one, moment)) for one in changes]
    return max(delays, key=lambda one: (one.quantity, one.guilty.by_sale))


def _told(delay: Delay) -> list[str]:
    """Which stage took how long, in words."""
    before = [f"{_in_seconds(one.by_sale)} {_WAITED_FOR[one.stage][1]}" for one in delay.stages[:-1]]
    last = delay.guilty
    words = f"Posting {delay.posting_id} ({as_text(delay.quantity)} stock units) "
    words += f"took {', then '.join(before)}, and " if before else ""
    words += f"had waited {_in_seconds(last.by_sale)} {_WAITED_FOR[last.stage][0]} when the order came"
    if last.whole is None:
        return [f"{words}; it still waits."]
    return [f"{words}; that took {_in_seconds(last.whole)} in all."]


def _in_seconds(value: Decimal) -> str:
    return f"{value:,.1f} s" if value < 10 else f"{value:,.0f} s"


def _prevention(gap: Gap, buffer: Prevention | None) -> str:
    """What to do, and the buffer that would have done."""
    words = _WORDS[gap][1]
    if buffer is None:
        return words
    would = "" if buffer.units is None else f"A buffer of {as_text(buffer.units)} stock units would have prevented it. "
    return f"{words} {would}{buffer.how}"


def _seconds(since: datetime, until: datetime) -> Decimal:
    return max(ZERO, Decimal(str((until - since).total_seconds())))


def _by(then: datetime | None, at: datetime) -> bool:
    return then is not None and then <= at


def _is_ordinary(change: Change, case: Case) -> bool:
    if case.ordinary_seconds is None:
        return False
    return _seconds(change.recorded_at, case.moment) <= case.ordinary_seconds


def _verdict(gap: Gap, said: str = "") -> Verdict:
    words, prevention = _WORDS[gap]
    return Verdict(gap, f"{words} {said}".strip(), prevention)
