"""Working out published quantities anew and putting what changed into the outbox.

The rows of the outbox are locked first, in listing order, and everything the figure depends on is read after that, by
statements of their own (READ COMMITTED): whoever comes second sees at least what the first one saw, so a later version
never carries an older figure. What the guard stops is kept as a hold and never reaches the outbox. The number of statements
does not depend on the number of listings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.utils import timezone

from channels_sync.models import Channel, Listing
from channels_sync.operations.building import forgetting_newer, id_ranges, note_everything
from channels_sync.operations.guarding import guard_statements
from channels_sync.operations.holding import tell_holds, write_holds
from channels_sync.operations.news import waiting_from, waiting_statement
from channels_sync.operations.pieces import Piece, Width, forget_shown, leave_pieces, take_piece
from channels_sync.operations.run_plans import Cause, LockedRow, guard_plans, items_of, persons, plan_runs
from channels_sync.operations.run_writing import write_plans
from channels_sync.reads.exposure import Showing
from channels_sync.reads.figures import figures_on
from channels_sync.reads.grounds import Grounds, grounds_from, grounds_statements
from channels_sync.reads.listing_facts import ANY_FREEZE
from channels_sync.reads.screening import Screen
from inventory.arrays import numbers
from inventory.models import Item
from inventory.operations.posting import Actor
from inventory.operations.telling import tell_changed
from inventory.operations.transactions import operation
from inventory.trips import execute, in_one_trip, under_way

LISTINGS_PER_TRANSACTION = 1_000
LISTINGS_PER_SCREEN = 2_000_000
"""Listings that are held against the rules by one statement: few enough to be done in seconds, and so many that what is free of
every item is put together once for all of them."""


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
    return recompute_ids(ids, cause=Cause(cause, actors=persons(actor)), send_again=send_again)


def recompute_ids(listing_ids: Sequence[int], *, cause: Cause, send_again: bool = False) -> RecomputeResult:
    """The same for listing ids in ascending order. More of them than one transaction bears are a large change, whose pieces are
    worked out here; workers may take some of them, and the rest when this process dies. Only what was done here is counted.
    """
    if len(listing_ids) <= LISTINGS_PER_TRANSACTION:
        return _recompute_batch(listing_ids, cause=cause, send_again=send_again)
    wide_id = _cut(listing_ids, cause=cause, send_again=send_again)
    total = RecomputeResult()
    while wide_id is not None and (found := _recompute_piece(wide_id)) is not None:
        total += found
    return total


def recompute_all(*, cause: str) -> RecomputeResult:
    """Recompute every published listing: first what could be built, then the figures, in steps of bounded size.

    Listings whose figure is the same are found by a statement for many at once and stay as they are; only the others are
    locked and worked out. Nothing is lost when it stops in the middle: the next one begins again, and what was done is done.
    """
    now = timezone.now()
    has_notes = note_everything(now=now)
    screen = Screen(at=now, has_notes=has_notes)
    total = RecomputeResult()
    for low, high in id_ranges(Listing, LISTINGS_PER_SCREEN):
        screened = screen.look_through(low=low, high=high)
        found = recompute_ids(screened.suspects, cause=Cause(cause))
        total += RecomputeResult(screened.looked_at, found.changed, found.held)
    return total


@operation
def _cut(listing_ids: Sequence[int], *, cause: Cause, send_again: bool) -> int | None:
    return leave_pieces(
        Width.of_listings(listing_ids),
        words=cause.words,
        posting_id=cause.posting_id,
        changed_at=cause.changed_at,
        actors=cause.actors,
        send_again=send_again,
    )


@operation
def _recompute_piece(wide_id: int) -> RecomputeResult | None:
    """The next piece of a large change that nobody else has; None: there is none."""
    piece = take_piece(wide_id=wide_id)
    return None if piece is None else recompute_piece(piece)


def recompute_piece(piece: Piece) -> RecomputeResult:
    """Work out a piece of a large change. Part of the transaction that took it."""
    cause = Cause(piece.words, piece.posting_id, piece.changed_at, frozenset(piece.actors), piece.wide_id)
    found = recompute_locked(listing_ids=piece.listings, cause=cause, send_again=piece.send_again)
    if piece.forgets_shown:
        forget_shown(piece.listings)
    return found


@operation
def _recompute_batch(listing_ids: Sequence[int], *, cause: Cause, send_again: bool) -> RecomputeResult:
    return recompute_locked(listing_ids=listing_ids, cause=cause, send_again=send_again)


def tell_items_changed(*, items: Collection[int], cause: str, actor: Actor = None) -> None:
    """Have every listing of `items` (ids) recomputed soon. Part of the present transaction."""
    tell_changed(items=items, cause=cause, actor=actor)


# --- the work, inside the caller's transaction ---


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
    locked, grounds = _lock_and_read(listing_ids, seen=shown or {})
    now = grounds.at
    found = list(figures_on(grounds))
    plans, settled = plan_runs(found, locked=locked, send_again=send_again)
    items = items_of(plans)
    forgetting = forgetting_newer([one.derivation for one in found])
    asked = (
        [waiting_statement(set().union(*items.values()), at=now), *guard_statements(items, now=now)] if items else []
    )
    with under_way(*asked, *forgetting) as answers:
        showing = Showing(items, grounds=grounds, found=found)
    waiting, *known = [answer.rows for answer in answers[: len(asked)]] or [[]]
    cause = cause.with_news(*waiting_from(waiting))
    # What a freeze lowers was decided when it was frozen; what a run taken back lowers is looked at like anything else.
    stopped = {
        one.facts.listing_id: one.quantity
        for one in found
        if one.facts.is_stopped
        and one.quantity == one.facts.offer.lid
        and one.quantity < (locked[one.facts.listing_id].shown or 0)
    }
    guard_plans(plans, cause=cause, now=now, approved={**stopped, **(approved or {})}, known=known)
    runs = write_plans(plans, cause=cause, exposures=showing.exposures(now=now), now=now)
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


def _lock_and_read(listing_ids: Sequence[int], *, seen: Mapping[int, int]) -> tuple[dict[int, LockedRow], Grounds]:
    """The rows of these listings under their lock, and what their figures rest on as it stands once that is held."""
    ids = numbers(listing_ids)
    rows, ((any_frozen,),) = in_one_trip((_LOCK, [ids]), ANY_FREEZE)
    if len(rows) < len(listing_ids):
        execute(_MAKE, [ids])
        rows, ((any_frozen,),) = in_one_trip((_LOCK, [ids]), ANY_FREEZE)
    now = timezone.now()
    locked: dict[int, LockedRow] = {}
    # What listings show is asked by a statement of its own: a line may be younger than the lock's statement.
    unsure = [listing_id for listing_id, *_, is_unsure in rows if is_unsure]
    asked = [(_SHOWN, [numbers(unsure)])] if unsure else []
    statements = grounds_statements(listing_ids, any_frozen=any_frozen, at=now)
    with under_way(*statements, *asked) as answers:
        for listing_id, version, wanted, recent_max, is_held, is_sent, shown, _ in rows:
            locked[listing_id] = LockedRow(version, wanted, recent_max, is_held, is_sent, _not_owed(shown))
    for answer in answers[len(statements) :]:
        for listing_id, shown, waits_for in answer.rows:
            locked[listing_id] = replace(locked[listing_id], shown=_not_owed(shown), waits_for=waits_for)
    for listing_id in seen.keys() & locked.keys():
        locked[listing_id] = replace(locked[listing_id], shown=_not_owed(seen[listing_id]))
    return locked, grounds_from([answer.rows for answer in answers[: len(statements)]], at=now)


def _not_owed(shown: int | None) -> int | None:
    """A channel that sold more than it showed is below zero; what it shows to people is nothing."""
    return None if shown is None else max(shown, 0)


_MAKE = """
INSERT INTO channels_sync_listingpush
  (listing_id, channel_id, version, sent_version, confirmed_version, attempts, last_error, is_held)
SELECT l.id, l.channel_id, 0, 0, 0, 0, '', false FROM channels_sync_listing l
WHERE l.id = ANY(%s::bigint[]) AND NOT EXISTS (SELECT FROM channels_sync_listingpush p WHERE p.listing_id = l.id)
ORDER BY l.id ON CONFLICT DO NOTHING
"""
_LOCK = """
SELECT listing_id, version, wanted, recent_max, is_held, version = sent_version,
  CASE WHEN sent_version = 0 THEN channel_quantity ELSE wanted END, is_held OR sent_version BETWEEN 1 AND version - 1
FROM channels_sync_listingpush WHERE listing_id = ANY(%s::bigint[]) ORDER BY listing_id FOR NO KEY UPDATE
"""
_SHOWN = """
SELECT p.listing_id, CASE WHEN p.sent_version = 0 THEN p.channel_quantity ELSE (
  SELECT l.after FROM channels_sync_publicationline l WHERE l.listing_id = p.listing_id AND l.version = p.sent_version
) END, (SELECT h.after FROM channels_sync_hold h WHERE h.listing_id = p.listing_id AND h.state = 'open')
FROM channels_sync_listingpush p WHERE p.listing_id = ANY(%s::bigint[])
"""
