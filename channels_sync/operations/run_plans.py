"""What a recompute is going to change on each channel, and what of it waits for a person. Decided from rows that are locked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from channels_sync.allocation import Derivation
from channels_sync.causes import BULK_CAUSES, joined
from channels_sync.guard import Trip
from channels_sync.models import ChannelMode, PublicationState
from channels_sync.operations.guarding import Planned, judge_plans
from channels_sync.reads.figures import FigureChange
from inventory.operations.posting import Actor
from inventory.records import record
from inventory.trips import Rows


@record(frozen=True, slots=True)
class Cause:
    """What made the figures change: in words, the newest posting among it, when the oldest of it was recorded, by whom, and the
    large change (id) it is a part of."""

    words: str
    posting_id: int | None = None
    changed_at: datetime | None = None
    actors: frozenset[int] = frozenset()
    wide_id: int | None = None

    def with_news(self, causes: Iterable[str], actors: Iterable[int]) -> Cause:
        """The same with bulk edits that were not taken in yet and are contained in the figures all the same, and their people."""
        bulk = [cause for cause in causes if cause.startswith(BULK_CAUSES)]
        words = joined([*self.words.split(", "), *bulk]) if bulk else self.words
        return replace(self, words=words, actors=self.actors | frozenset(actors))


def persons(actor: Actor) -> frozenset[int]:
    """Who is behind what one person did: user ids, none where the application did it."""
    return frozenset() if actor is None or actor.pk is None else frozenset({actor.pk})


@record(frozen=True, slots=True)
class LockedRow:
    """One row of the outbox as read under the lock.

    `shown` is what the channel was last told, or seen to show where it was told nothing; None when neither. `waits_for` is
    the figure that waits for a person.
    """

    version: int
    wanted: int | None
    recent_max: int | None = None
    is_held: bool = False
    is_sent: bool = True
    shown: int | None = None
    waits_for: int | None = None

    def shown_before(self, quantity: int) -> int | None:
        """For people: what is shown until they let `quantity` go. Of what was never sent, the figure before it."""
        return self.wanted if self.shown is None and self.wanted != quantity else self.shown


@dataclass(slots=True)
class RunPlan:
    """What changes on one channel; the lines of one run."""

    channel_id: int
    mode: str
    checked: int = 0
    changes: list[tuple[LockedRow, Derivation]] = field(default_factory=list)
    held: list[tuple[LockedRow, Derivation]] = field(default_factory=list)
    trips: Sequence[Trip] = ()

    @property
    def state(self) -> PublicationState:
        return PublicationState.SHADOW if self.mode == ChannelMode.SHADOW else PublicationState.QUEUED


def plan_runs(
    found: Iterable[FigureChange], *, locked: Mapping[int, LockedRow], send_again: bool
) -> tuple[list[RunPlan], list[int]]:
    """What changes by channel, and the listings of which a change waited that is no longer one."""
    plans: dict[int, RunPlan] = {}
    settled = []
    for one in found:
        channel_id, listing_id = one.facts.channel_id, one.facts.listing_id
        plan = plans.get(channel_id)
        if plan is None:
            plan = plans[channel_id] = RunPlan(channel_id, one.facts.mode)
        plan.checked += 1
        before = locked[listing_id]
        if not send_again and _waits_on(before, one.quantity, plan.mode):
            continue
        if (
            send_again
            or before.version == 0
            or before.wanted != one.quantity
            or (before.is_held and not before.is_sent)
        ):
            plan.changes.append((before, one.derivation))
        elif before.is_held:
            settled.append(listing_id)
    return list(plans.values()), settled


def _waits_on(row: LockedRow, quantity: int, mode: str) -> bool:
    """Whether this very figure waits for a person already: it goes on waiting, however often it is worked out.

    A fall to something above zero flows where the guard alone decides.
    """
    if not row.is_held or row.waits_for != quantity or mode == ChannelMode.SHADOW:
        return False
    return mode == ChannelMode.APPROVE or not quantity or quantity > (row.shown or 0)


def items_of(plans: Iterable[RunPlan]) -> dict[int, set[int]]:
    """The items that change on each channel."""
    return {
        plan.channel_id: {derivation.snapshot.item_id for _, derivation in plan.changes}
        for plan in plans
        if plan.changes
    }


def guard_plans(
    plans: Sequence[RunPlan], *, cause: Cause, now: datetime, approved: Mapping[int, int], known: Sequence[Rows]
) -> None:
    """Take out of each plan what waits for a person. A channel in the shadow is only told what would wait.

    `known` is what `guard_statements` of the channels on which something changes answered.
    """
    judged = {
        plan.channel_id: (
            plan.mode,
            [
                Planned(_begins_at(row, plan.mode), row.recent_max, row.is_held, derivation)
                for row, derivation in plan.changes
            ],
        )
        for plan in plans
        if plan.changes
    }
    verdicts = judge_plans(judged, causes=cause.words, now=now, approved=approved, known=known)
    for plan in plans:
        verdict = verdicts.get(plan.channel_id)
        if verdict is None:
            continue
        plan.trips = verdict.trips
        if verdict.held and plan.mode != ChannelMode.SHADOW:
            changes, plan.changes = plan.changes, []
            for row, derivation in changes:
                held = derivation.offer.listing_id in verdict.held
                (plan.held if held else plan.changes).append((row, derivation))


def _begins_at(row: LockedRow, mode: str) -> int | None:
    """Where a change begins for the guard: at what the channel shows. In the shadow nothing is sent; there it begins at what
    it would have shown."""
    return row.wanted if mode == ChannelMode.SHADOW else row.shown
