"""Taking in news of stock, and wide work piece by piece: what they touch is worked out anew."""

from __future__ import annotations

from django.utils import timezone

from channels_sync.causes import joined
from channels_sync.models import Channel
from channels_sync.operations.building import touched_by
from channels_sync.operations.news import ACTOR, waiting_from, waiting_statement
from channels_sync.operations.pieces import Width, forget_shown, leave_pieces, take_piece
from channels_sync.operations.recomputing import recompute_locked, recompute_piece
from channels_sync.operations.run_plans import Cause, persons
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.trips import rows_of
from inventory.wakeups import wake_after_commit

ITEMS_OF_SINGLE_ACTS = 100
"""News that names more items comes after news that names fewer, one row at a time."""
_COMMITS_LATER = "set_config('synchronous_commit', 'off', true)"
"""Taking in news does not wait until its commit is on the disk. Where a crash of the server undoes it, the news is there again
and is taken in anew. Nothing goes out that could be undone so: who sends takes a lease first, whose commit is waited for, and
commits come to the disk in their order."""


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
    news = rows_of(
        "WITH n AS (DELETE FROM inventory_stockchange WHERE id = ANY(ARRAY(SELECT id FROM inventory_stockchange"
        f" WHERE cardinality(items) {'>' if of_many else '<='} %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))"
        " RETURNING items, posting_id, cause, recorded_at, actor_id)"
        f" SELECT n.items, n.posting_id, n.cause, n.recorded_at, {ACTOR}, {_COMMITS_LATER} FROM n",
        [ITEMS_OF_SINGLE_ACTS, rows_max],
    )
    if not news:
        return 0
    now = timezone.now()
    touched = touched_by(items={item_id for items, *_ in news for item_id in items}, now=now)
    cause = Cause(
        words=joined(cause for _, _, cause, *_ in news),
        posting_id=max((posting_id for _, posting_id, *_ in news if posting_id is not None), default=None),
        changed_at=min(recorded_at for _, _, _, recorded_at, *_ in news),
        actors=frozenset(actor_id for *_, actor_id, _ in news if actor_id is not None),
    )
    width = Width.of_items(touched.items)
    listing_ids = width.listing_ids(after=touched.notes)
    if listing_ids is not None:
        recompute_locked(listing_ids=listing_ids, cause=cause)
    else:
        # When the pieces are worked out, other news of the same items is in pieces of its own, and nobody would see it there.
        cause = cause.with_news(*waiting_from(rows_of(*waiting_statement(touched.items, at=now))))
        leave_pieces(
            width,
            words=cause.words,
            posting_id=cause.posting_id,
            changed_at=cause.changed_at,
            actors=cause.actors,
            is_wide=of_many,
        )
    return len(news)


def absorb_pieces_of(channel: Channel) -> None:
    """Work through all pieces that keep a channel back, within the present transaction."""
    while _absorb_piece(keeps_back=channel):
        pass


def _absorb_piece(*, keeps_back: Channel | None = None) -> int:
    piece = take_piece(keeps_back=keeps_back)
    if piece is None:
        return 0
    recompute_piece(piece)
    return 1


@operation
def renew_figures(
    *, width: Width, cause: str, actor: Actor, forgets_shown: bool = False, keeps_back: Channel | None = None
) -> None:
    """Make a new version of each of these listings, also where the figure is the same, so that it is sent once more.

    More of them than one transaction bears are left to the workers. `forgets_shown` has each read before it is sent;
    `keeps_back` has that channel wait until all were worked out.
    """
    actors = persons(actor)
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
