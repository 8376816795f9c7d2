"""Working out published quantities anew and putting what changed into the outbox.

The rows of the outbox are locked first, in listing order, and everything the figure depends on is read after that, by
statements of their own (READ COMMITTED): whoever comes second sees at least what the first one saw, so a later version
never carries an older figure. What the guard stops is kept as a hold and never reaches the outbox. The number of statements
does not depend on the number of listings.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import connection
from django.utils import timezone

from channels_sync.allocation import Derivation
from channels_sync.causes import BULK_CAUSES, joined, shortened
from channels_sync.guard import Trip
from channels_sync.models import Channel, ChannelMode, Listing, PublicationState
from channels_sync.operations.building import forget_newer, id_ranges, note_everything, touched_by
from channels_sync.operations.guarding import Planned, judge_plans
from channels_sync.operations.holding import tell_holds, write_holds
from channels_sync.operations.news import ACTOR, news_waiting
from channels_sync.operations.pieces import Width, forget_shown, leave_pieces, take_piece
from channels_sync.operations.ranking import DUE_BY
from channels_sync.reads.exposure import Exposure, exposure_of
from channels_sync.reads.figures import FigureChange, figures, read_facts
from channels_sync.reads.screening import Screen
from inventory.arrays import numbers, texts
from inventory.models import Item
from inventory.operations.posting import Actor
from inventory.operations.telling import tell_changed
from inventory.operations.transactions import operation
from inventory.wakeups import wake_after_commit

LISTINGS_PER_TRANSACTION = 1_000
CAUSE_LENGTH = 100
"""Letters of the causes that are kept with a run; the guard sees all of them."""
ITEMS_OF_SINGLE_ACTS = 100
"""News that names more items comes after news that names fewer, one row at a time."""
LISTINGS_PER_SCREEN = 500_000
"""Listings that are held against the rules by one statement."""
TRIPS_KEPT = 50
"""Rules that said no kept with a run, for people to read."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What made the figures change: in words, the newest posting among it, when the oldest of it was recorded, and by whom."""

    words: str
    posting_id: int | None = None
    changed_at: datetime | None = None
    actors: frozenset[int] = frozenset()

    def with_news(self, causes: Iterable[str], actors: Iterable[int]) -> Cause:
        """The same with bulk edits that were not taken in yet and are contained in the figures all the same, and their people."""
        bulk = [cause for cause in causes if cause.startswith(BULK_CAUSES)]
        words = joined([*self.words.split(", "), *bulk]) if bulk else self.words
        return replace(self, words=words, actors=self.actors | frozenset(actors))


@dataclass(frozen=True, slots=True)
class RecomputeResult:
    """Listings worked out, those whose figure changed, and those whose change waits for a person."""

    checked: int = 0
    changed: int = 0
    held: int = 0

    def __add__(self, other: RecomputeResult) -> RecomputeResult:
        return RecomputeResult(self.checked + other.checked, self.changed + other.changed, self.held + other.held)


def recompute_listings(
    *,
    cause: str,
    items: Iterable[Item] | None = None,
    listings: Iterable[Listing] | None = None,
    channel: Channel | None = None,
    actor: Actor = None,
    send_again: bool = False,
) -> RecomputeResult:
    """Recompute the listings of `items`, the given `listings`, those of a `channel`, or without any of these all.

    `send_again` makes a new version also where the figure is the same, so that everything is sent once more.

    Listings that are not published (inactive, or their channel is off) are passed over. Works through batches of
    LISTINGS_PER_TRANSACTION, a transaction each, so that no lock is held for long.
    """
    chosen = Listing.objects.published()
    if items is not None:
        chosen = chosen.filter(item__in=[item.pk for item in items])
    if listings is not None:
        chosen = chosen.filter(pk__in=[listing.pk for listing in listings])
    if channel is not None:
        chosen = chosen.filter(channel=channel)
    ids = sorted(chosen.values_list("pk", flat=True))
    return recompute_ids(ids, cause=Cause(cause, actors=_known(actor)), send_again=send_again)


def _known(actor: Actor) -> frozenset[int]:
    return frozenset() if actor is None or actor.pk is None else frozenset({actor.pk})


def recompute_ids(listing_ids: Sequence[int], *, cause: Cause, send_again: bool = False) -> RecomputeResult:
    """The same for listing ids in ascending order."""
    total = RecomputeResult()
    for start in range(0, len(listing_ids), LISTINGS_PER_TRANSACTION):
        batch = listing_ids[start : start + LISTINGS_PER_TRANSACTION]
        total += _recompute_batch(batch, cause=cause, send_again=send_again)
    return total


def recompute_all(*, cause: str) -> RecomputeResult:
    """Recompute every published listing: first what could be built, then the figures, in steps of bounded size.

    Listings whose figure is the same are found by a statement for many at once and stay as they are; only the others are
    locked and worked out. Nothing is lost when it stops in the middle: the next one begins again, and what was done is done.
    """
    now = timezone.now()
    has_notes = note_everything(now=now)
    screen = Screen(at=now, has_notes=has_notes)
    total = RecomputeResult(checked=Listing.objects.published().count())
    for low, high in id_ranges(Listing, LISTINGS_PER_SCREEN):
        found = recompute_ids(screen.suspects(low=low, high=high), cause=Cause(cause))
        total += RecomputeResult(0, found.changed, found.held)
    return total


@operation
def _recompute_batch(listing_ids: Sequence[int], *, cause: Cause, send_again: bool) -> RecomputeResult:
    return recompute_locked(listing_ids=listing_ids, cause=cause, send_again=send_again)


@operation
def absorb_changes(*, rows_max: int = 200) -> int:
    """Take in up to `rows_max` rows of news about stock and recompute what they touch. Returns the rows or pieces taken in.

    What single acts changed comes first; only when there is none of it, the work of `absorb_wide`. What touches more listings
    than LISTINGS_PER_PIECE is cut into pieces, which later calls take. News and pieces are deleted in the transaction that
    writes what follows from them: nothing is lost when the process dies, and nobody remembers how far they read. Several may
    do this at once.
    """
    if rows_max < 1:
        raise ValueError(f"rows_max must be positive, not {rows_max}")
    return _absorb_news(rows_max, of_many=False) or absorb_wide()


@operation
def absorb_wide() -> int:
    """Take in one row of news that names many items, or one piece of wide work. Returns 1, or 0 when there is none.

    Whoever works for long calls this in turn with `absorb_changes`, so that it gets on however much single news there is.
    """
    return _absorb_news(1, of_many=True) or _absorb_piece()


def _absorb_news(rows_max: int, *, of_many: bool) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH n AS (DELETE FROM inventory_stockchange WHERE id = ANY(ARRAY(SELECT id FROM inventory_stockchange"
            f" WHERE cardinality(items) {'>' if of_many else '<='} %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))"
            " RETURNING items, posting_id, cause, recorded_at, actor_id)"
            f" SELECT n.items, n.posting_id, n.cause, n.recorded_at, {ACTOR} FROM n",
            [ITEMS_OF_SINGLE_ACTS, rows_max],
        )
        news = cursor.fetchall()
    if not news:
        return 0
    items = touched_by(items={item_id for touched, *_ in news for item_id in touched}, now=timezone.now())
    cause = Cause(
        words=joined(cause for _, _, cause, *_ in news),
        posting_id=max((posting_id for _, posting_id, *_ in news if posting_id is not None), default=None),
        changed_at=min(recorded_at for _, _, _, recorded_at, _ in news),
        actors=frozenset(actor_id for *_, actor_id in news if actor_id is not None),
    )
    _recompute_or_leave(Width.of_items(items), cause=cause, is_wide=of_many)
    return len(news)


def absorb_pieces_of(channel: Channel) -> None:
    """Work through all pieces that keep a channel back, within the present transaction."""
    while _absorb_piece(keeps_back=channel):
        pass


def _absorb_piece(*, keeps_back: Channel | None = None) -> int:
    piece = take_piece(keeps_back=keeps_back)
    if piece is None:
        return 0
    cause = Cause(piece.words, piece.posting_id, piece.changed_at, frozenset(piece.actors))
    recompute_locked(listing_ids=piece.listings, cause=cause, send_again=piece.send_again)
    if piece.forgets_shown:
        forget_shown(piece.listings)
    return 1


def _recompute_or_leave(width: Width, *, cause: Cause, is_wide: bool) -> None:
    """At once where one transaction can bear it, else in pieces."""
    listing_ids = width.listing_ids()
    if listing_ids is not None:
        recompute_locked(listing_ids=listing_ids, cause=cause)
    else:
        leave_pieces(
            width,
            words=cause.words,
            posting_id=cause.posting_id,
            changed_at=cause.changed_at,
            actors=cause.actors,
            is_wide=is_wide,
        )


@operation
def renew_figures(
    *, width: Width, cause: str, actor: Actor, forgets_shown: bool = False, keeps_back: Channel | None = None
) -> None:
    """Make a new version of each of these listings, also where the figure is the same, so that it is sent once more.

    More of them than one transaction bears are left to the workers. `forgets_shown` has each read before it is sent;
    `keeps_back` has that channel wait until all were worked out.
    """
    actors = _known(actor)
    listing_ids = width.listing_ids()
    if listing_ids is None:
        leave_pieces(
            width,
            words=cause,
            actors=actors,
            send_again=True,
            forgets_shown=forgets_shown,
            keeps_back=keeps_back,
        )
        return
    recompute_locked(listing_ids=listing_ids, cause=Cause(cause, actors=actors), send_again=True)
    if forgets_shown:
        forget_shown(listing_ids)
    wake_after_commit()


def tell_items_changed(*, items: Collection[int], cause: str, actor: Actor = None) -> None:
    """Have every listing of `items` (ids) recomputed soon. Part of the present transaction."""
    tell_changed(items=items, cause=cause, actor=actor)


# --- the work, inside the caller's transaction ---


@dataclass(frozen=True, slots=True)
class _Locked:
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
class _Plan:
    """What changes on one channel; the lines of one run."""

    channel_id: int
    mode: str
    checked: int = 0
    changes: list[tuple[_Locked, Derivation]] = field(default_factory=list)
    held: list[tuple[_Locked, Derivation]] = field(default_factory=list)
    trips: Sequence[Trip] = ()

    @property
    def state(self) -> PublicationState:
        return PublicationState.SHADOW if self.mode == ChannelMode.SHADOW else PublicationState.QUEUED


def recompute_locked(
    *,
    listing_ids: Sequence[int],
    cause: Cause,
    send_again: bool = False,
    approved: Mapping[int, int] | None = None,
    shown: Mapping[int, int] | None = None,
) -> RecomputeResult:
    """Lock the outbox rows of these listings, work out their figures, and write new versions for those that changed.

    What the guard stops waits for a person instead. `approved` says by listing id up to which quantity somebody agreed,
    `shown` what the channel was seen to show where that is not what was sent: for the guard the change begins there.
    """
    if not listing_ids:
        return RecomputeResult()
    locked = _lock_pushes(listing_ids, seen=shown or {})
    now = timezone.now()
    facts = read_facts(locked)
    found = list(figures(facts, now=now))
    forget_newer([one.derivation for one in found])
    plans, settled = _plan(found, locked=locked, send_again=send_again)
    items = _items_of(plans)
    cause = cause.with_news(*news_waiting(set().union(*items.values())))
    # What a freeze lowers was decided when it was frozen; what a run taken back lowers is looked at like anything else.
    stopped = {
        one.facts.listing_id: one.quantity
        for one in found
        if one.facts.is_stopped
        and one.quantity == one.facts.offer.lid
        and one.quantity < (locked[one.facts.listing_id].shown or 0)
    }
    _guard(plans, cause=cause, now=now, approved={**stopped, **(approved or {})})
    runs = _write_runs(plans, cause=cause, exposures=exposure_of(items, facts=facts, found=found, now=now), now=now)
    _write(plans, runs=runs, now=now)
    over = [*settled, *(d.offer.listing_id for plan in plans for before, d in plan.changes if before.is_held)]
    write_holds(
        held=[
            (runs[plan.channel_id], before.shown_before(derivation.quantity), derivation)
            for plan in plans
            for before, derivation in plan.held
        ],
        over=over,
        now=now,
    )
    channels = {one.facts.channel_id for one in found if one.facts.listing_id in set(over)} if over else set()
    tell_holds({*channels, *(plan.channel_id for plan in plans if plan.held)})
    return RecomputeResult(
        sum(plan.checked for plan in plans),
        sum(len(plan.changes) for plan in plans),
        sum(len(plan.held) for plan in plans),
    )


def _lock_pushes(listing_ids: Sequence[int], *, seen: Mapping[int, int]) -> dict[int, _Locked]:
    ids = numbers(listing_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO channels_sync_listingpush (listing_id, channel_id, version, sent_version, confirmed_version,"
            " attempts, last_error, is_held) SELECT l.id, l.channel_id, 0, 0, 0, 0, '', false FROM channels_sync_listing l"
            " WHERE l.id = ANY(%s::bigint[])"
            " AND NOT EXISTS (SELECT FROM channels_sync_listingpush p WHERE p.listing_id = l.id)"
            " ORDER BY l.id ON CONFLICT DO NOTHING",
            [ids],
        )
        cursor.execute(
            "SELECT listing_id, version, wanted, recent_max, is_held, version = sent_version,"
            " CASE WHEN sent_version = 0 THEN channel_quantity ELSE wanted END, is_held OR sent_version BETWEEN 1 AND version - 1"
            " FROM channels_sync_listingpush WHERE listing_id = ANY(%s::bigint[]) ORDER BY listing_id FOR NO KEY UPDATE",
            [ids],
        )
        locked: dict[int, _Locked] = {}
        unsure = []
        for listing_id, version, wanted, recent_max, is_held, is_sent, shown, is_unsure in cursor.fetchall():
            locked[listing_id] = _Locked(version, wanted, recent_max, is_held, is_sent, _not_owed(shown))
            if is_unsure:
                unsure.append(listing_id)
        if unsure:
            # A statement of its own: a line may be younger than the lock's statement.
            cursor.execute(_SHOWN, [numbers(unsure)])
            for listing_id, shown, waits_for in cursor.fetchall():
                locked[listing_id] = replace(locked[listing_id], shown=_not_owed(shown), waits_for=waits_for)
    for listing_id in seen.keys() & locked.keys():
        locked[listing_id] = replace(locked[listing_id], shown=_not_owed(seen[listing_id]))
    return locked


def _not_owed(shown: int | None) -> int | None:
    """A channel that sold more than it showed is below zero; what it shows to people is nothing."""
    return None if shown is None else max(shown, 0)


_SHOWN = """
SELECT p.listing_id, CASE WHEN p.sent_version = 0 THEN p.channel_quantity ELSE (
  SELECT l.after FROM channels_sync_publicationline l WHERE l.listing_id = p.listing_id AND l.version = p.sent_version
) END, (SELECT h.after FROM channels_sync_hold h WHERE h.listing_id = p.listing_id AND h.state = 'open')
FROM channels_sync_listingpush p WHERE p.listing_id = ANY(%s::bigint[])
"""


def _plan(
    found: Iterable[FigureChange], *, locked: Mapping[int, _Locked], send_again: bool
) -> tuple[list[_Plan], list[int]]:
    """What changes by channel, and the listings of which a change waited that is no longer one."""
    plans: dict[int, _Plan] = {}
    settled = []
    for one in found:
        channel_id, listing_id = one.facts.channel_id, one.facts.listing_id
        plan = plans.get(channel_id)
        if plan is None:
            plan = plans[channel_id] = _Plan(channel_id, one.facts.mode)
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


def _waits_on(row: _Locked, quantity: int, mode: str) -> bool:
    """Whether this very figure waits for a person already: it goes on waiting, however often it is worked out.

    A fall to something above zero flows where the guard alone decides.
    """
    if not row.is_held or row.waits_for != quantity or mode == ChannelMode.SHADOW:
        return False
    return mode == ChannelMode.APPROVE or not quantity or quantity > (row.shown or 0)


def _items_of(plans: Iterable[_Plan]) -> dict[int, set[int]]:
    """The items that change on each channel."""
    return {
        plan.channel_id: {derivation.snapshot.item_id for _, derivation in plan.changes}
        for plan in plans
        if plan.changes
    }


def _guard(plans: Sequence[_Plan], *, cause: Cause, now: datetime, approved: Mapping[int, int]) -> None:
    """Take out of each plan what waits for a person. A channel in the shadow is only told what would wait."""
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
    verdicts = judge_plans(judged, causes=cause.words, now=now, approved=approved)
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


def _begins_at(row: _Locked, mode: str) -> int | None:
    """Where a change begins for the guard: at what the channel shows. In the shadow nothing is sent; there it begins at what
    it would have shown."""
    return row.wanted if mode == ChannelMode.SHADOW else row.shown


def _write_runs(
    plans: Sequence[_Plan], *, cause: Cause, exposures: Mapping[int, Exposure], now: datetime
) -> dict[int, int]:
    """A run for each channel on which anything changes or waits: its id by channel id."""
    told = [plan for plan in plans if plan.changes or plan.held]
    if not told:
        return {}
    known = [exposures[plan.channel_id] for plan in told]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO channels_sync_publishrun (channel_id, cause, posting_id, changed_at, actors, listings_checked,"
            " listings_changed, listings_held, trips, recorded_at, supply, exposed_before, exposed_after)"
            " SELECT u.channel_id, %s, %s, %s, %s::bigint[], u.checked, u.changed, u.held, u.trips, %s,"
            " u.supply, u.before, u.after"
            " FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::int[], %s::jsonb[], %s::numeric[], %s::numeric[],"
            " %s::numeric[])"
            " AS u(channel_id, checked, changed, held, trips, supply, before, after) RETURNING channel_id, id",
            [
                shortened(cause.words, length=CAUSE_LENGTH),
                cause.posting_id,
                cause.changed_at,
                numbers(sorted(cause.actors)),
                now,
                numbers(plan.channel_id for plan in told),
                numbers(plan.checked for plan in told),
                numbers(len(plan.changes) for plan in told),
                numbers(len(plan.held) for plan in told),
                texts(json.dumps([trip.as_json() for trip in plan.trips[:TRIPS_KEPT]]) for plan in told),
                numbers(one.supply for one in known),
                numbers(one.before for one in known),
                numbers(one.after for one in known),
            ],
        )
        return dict(cursor.fetchall())


def _write(plans: Sequence[_Plan], *, runs: Mapping[int, int], now: datetime) -> None:
    rows = [
        (derivation.offer.listing_id, runs[plan.channel_id], before, derivation, plan.state)
        for plan in plans
        for before, derivation in plan.changes
    ]
    if not rows:
        return
    listing_ids = [listing_id for listing_id, *_ in rows]
    versions = [before.version + 1 for _, _, before, _, _ in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_listingpush p SET wanted = u.wanted, version = u.version, attempts = 0, next_at = NULL,"
            f" last_error = '', recent_max = greatest(p.recent_max, u.wanted), due_by = {DUE_BY}"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS u(listing_id, version, wanted)"
            " WHERE p.listing_id = u.listing_id AND p.version = u.version - 1",
            [numbers(listing_ids), numbers(versions), numbers(derivation.quantity for *_, derivation, _ in rows)],
        )
        assert cursor.rowcount == len(rows), "the outbox changed under its lock"
        cursor.execute(
            "UPDATE channels_sync_publicationline l SET state = %s"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS u(listing_id, version)"
            " WHERE l.listing_id = u.listing_id AND l.version = u.version - 1 AND l.state = ANY(%s::text[])",
            [
                PublicationState.SUPERSEDED.value,
                numbers(listing_ids),
                numbers(versions),
                [PublicationState.QUEUED.value, PublicationState.SHADOW.value],
            ],
        )
        cursor.execute(
            "INSERT INTO channels_sync_publicationline"
            " (run_id, listing_id, version, before, after, derivation, state, error, recorded_at)"
            " SELECT u.run_id, u.listing_id, u.version, u.before, u.after, u.derivation, u.state, '', %s"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::jsonb[], %s::text[])"
            " AS u(run_id, listing_id, version, before, after, derivation, state)",
            [
                now,
                numbers(run_id for _, run_id, *_ in rows),
                numbers(listing_ids),
                numbers(versions),
                numbers(before.wanted for _, _, before, _, _ in rows),
                numbers(derivation.quantity for *_, derivation, _ in rows),
                texts(json.dumps(derivation.to_json()) for *_, derivation, _ in rows),
                texts(state.value for *_, state in rows),
            ],
        )
