"""What a switch to automatic would send, an undo bring back or a decision about differences do, and what the guard would hold of
it: done, looked at, and undone in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from channels_sync.drift import Response
from channels_sync.guard import Change, Effect, effect_of
from channels_sync.models import Channel, ChannelMode, Difference, Hold, HoldState, PublicationLine, PublishRun
from channels_sync.operations.absorbing import absorb_pieces_of
from channels_sync.operations.controlling import set_channel_mode
from channels_sync.operations.deciding import lines_in_force, take_back
from channels_sync.operations.deciding_differences import Undecided, decide_differences
from inventory.operations.transactions import run_in_transaction

LISTINGS_MAX = 5_000
"""Up to so many listings the guard is really asked; above that the page shows the figures as they were worked out last."""

_UNSENT = """
SELECT p.listing_id, l.external_sku, CASE
  WHEN p.sent_version > 0 THEN (SELECT s.after FROM channels_sync_publicationline s
                                WHERE s.listing_id = p.listing_id AND s.version = p.sent_version)
  WHEN p.channel_quantity < 0 THEN 0 ELSE p.channel_quantity END, p.wanted
FROM channels_sync_listingpush p JOIN channels_sync_listing l ON l.id = p.listing_id
WHERE p.channel_id = %s AND l.is_active AND p.version > p.sent_version ORDER BY l.external_sku, p.listing_id
"""


@dataclass(frozen=True, slots=True)
class SwitchOutlook:
    """The plan of a switch to automatic. `before` of its changes is what the channel was last sent, or seen to show."""

    changes: Sequence[Change]
    """What would be sent or held, by SKU."""
    effect: Effect
    held: frozenset[int]
    """Listings whose change would wait for a person."""
    trips: Sequence[str]
    """What the guard says, in words."""
    is_judged: bool
    """Whether the guard was asked; it is not for more than LISTINGS_MAX listings."""

    @property
    def sent(self) -> int:
        return len(self.changes) - len(self.held)


def outlook_of_automatic(*, channel: Channel) -> SwitchOutlook:
    """What a channel that sends nothing would be sent, if it were automatic now. Nothing is changed.

    Raises WrongState where it cannot be switched.
    """

    def work() -> SwitchOutlook:
        with connection.cursor() as cursor:
            cursor.execute(_UNSENT, [channel.pk])
            rows = cursor.fetchall()
        if len(rows) > LISTINGS_MAX:
            return _outlook([Change(*row) for row in rows], [], [])
        newest = _newest_run()
        set_channel_mode(channel=channel, mode=ChannelMode.AUTO, actor=None)
        absorb_pieces_of(channel)
        runs, held, after = _planned_since(newest, channel_id=channel.pk)
        transaction.set_rollback(True)
        changes = [Change(pk, sku, before, after.get(pk, wanted)) for pk, sku, before, wanted in rows]
        return _outlook(changes, runs, held)

    return run_in_transaction(work)


@dataclass(frozen=True, slots=True)
class UndoOutlook:
    """The plan of taking a run back. `before` of its changes is what the run brought about."""

    changes: Sequence[Change]
    """What would change again, by SKU."""
    effect: Effect
    held: frozenset[int]
    """Listings whose change would wait for a person."""
    trips: Sequence[str]
    count: int
    """Listings it is about: of them so many are typed."""
    left_alone: int
    """Listings of the run that changed again since."""
    is_judged: bool
    """Whether the guard was asked; it is not for more than LISTINGS_MAX listings."""

    @property
    def sent(self) -> int:
        return len(self.changes) - len(self.held)


def outlook_of_undo(*, run: PublishRun) -> UndoOutlook:
    """What taking a run back would do now. Nothing is changed. Raises WrongState when nothing of it is in force."""

    def work() -> UndoOutlook:
        lines, still = lines_in_force(run)
        is_judged = len(still) <= LISTINGS_MAX
        after = {line.listing_id: min(line.before or 0, line.after) for line in still}
        runs: list[PublishRun] = []
        held: dict[int, int] = {}
        if is_judged:
            newest = _newest_run()
            take_back(run, still, reason="rehearsal", actor=None)
            runs, held, planned = _planned_since(newest, channel_id=run.channel_id)
            after = {line.listing_id: planned.get(line.listing_id, line.after) for line in still}
        transaction.set_rollback(True)
        changes = [
            Change(line.listing_id, line.listing.external_sku, line.after, after[line.listing_id])
            for line in still
            if after[line.listing_id] != line.after
        ]
        return UndoOutlook(
            changes=sorted(changes, key=lambda change: (change.sku, change.listing_id)),
            effect=effect_of(changes),
            held=frozenset(held),
            trips=[trip["words"] for one in runs for trip in one.trips],
            count=len(lines),
            left_alone=run.listings_changed - len(still),
            is_judged=is_judged,
        )

    return run_in_transaction(work)


@dataclass(frozen=True, slots=True)
class DecisionOutlook:
    """What deciding about many differences in one way would do. `before` of its changes is what the channel shows."""

    changes: Sequence[tuple[Difference, int | None]]
    """What would be done, by SKU: the difference, and what the listing would show. None: nothing was ever worked out."""
    held: frozenset[int]
    """Listings whose figure would wait for a person."""
    trips: Sequence[str]
    left: Sequence[Undecided]

    @property
    def units(self) -> tuple[int, int]:
        """What channels show of them now and would show, in units of the listings."""
        known = [(max(one.theirs or 0, 0), after) for one, after in self.changes if after is not None]
        return sum(before for before, _ in known), sum(after for _, after in known)


def outlook_of_decisions(*, difference_ids: Collection[int], response: Response) -> DecisionOutlook:
    """What this decision would do about these differences now. Nothing is changed."""

    def work() -> DecisionOutlook:
        newest = _newest_run()
        wanted = list(difference_ids)
        outcome = decide_differences(difference_ids=wanted, response=response, actor=None, typed=str(len(set(wanted))))
        found = Difference.objects.filter(pk__in=outcome.done).select_related("channel", "listing__push")
        done = sorted(found, key=lambda one: (one.listing.external_sku, one.pk))
        listings = [one.listing_id for one in done]
        runs = list(PublishRun.objects.filter(pk__gt=newest, channel__in={one.channel_id for one in done}))
        lines = PublicationLine.objects.filter(run__in=runs, listing__in=listings)
        after = dict(lines.values_list("listing_id", "after"))
        holds = Hold.objects.filter(listing__in=listings, state=HoldState.OPEN)
        after |= dict(holds.values_list("listing_id", "after"))
        transaction.set_rollback(True)
        return DecisionOutlook(
            changes=[
                (one, one.theirs if response is Response.LEAVE else after.get(one.listing_id, one.listing.push.wanted))
                for one in done
            ],
            held=frozenset(one.listing_id for one in done if one.pk in outcome.held),
            trips=[trip["words"] for run in runs for trip in run.trips],
            left=outcome.left,
        )

    return run_in_transaction(work)


def _newest_run() -> int:
    return PublishRun.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _planned_since(newest: int, *, channel_id: int | None) -> tuple[list[PublishRun], dict[int, int], dict[int, int]]:
    """Runs of a channel made in this transaction, what they hold by listing id, and what listings would show by them."""
    runs = list(PublishRun.objects.filter(channel=channel_id, pk__gt=newest).order_by("pk"))
    held = dict(Hold.objects.filter(run__in=runs).values_list("listing_id", "after"))
    return runs, held, dict(PublicationLine.objects.filter(run__in=runs).values_list("listing_id", "after")) | held


def _outlook(changes: Sequence[Change], runs: Sequence[PublishRun], held: Collection[int]) -> SwitchOutlook:
    return SwitchOutlook(
        changes=changes,
        effect=effect_of(changes),
        held=frozenset(held),
        trips=[trip["words"] for run in runs for trip in run.trips],
        is_judged=len(changes) <= LISTINGS_MAX,
    )
