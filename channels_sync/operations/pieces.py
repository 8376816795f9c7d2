"""Wide work in pieces: a rule of a whole channel is worked through by many short transactions instead of one long one.

Pieces are rows. Each is deleted in the transaction that writes what follows from it, so nothing is lost when a worker dies,
several may work at once, and only the listings of the piece at hand are locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from channels_sync.models import Channel, ChannelMode
from inventory.arrays import numbers
from inventory.trips import Statement, in_one_trip
from inventory.wakeups import wake_after_commit

LISTINGS_PER_PIECE = 1_000
"""Listings of one transaction; a piece has more only to keep all listings of its last item together."""
_FROM = """
FROM channels_sync_listing l JOIN channels_sync_channel c ON c.id = l.channel_id
LEFT JOIN channels_sync_listingpush p ON p.listing_id = l.id
WHERE l.is_active AND c.mode <> %(off)s AND
"""
_OF_ITEMS = "l.item_id = ANY(%(items)s::bigint[])"
_OF_LISTINGS = "l.id = ANY(%(listings)s::bigint[])"
_OF_CHANNEL = "l.channel_id = %(channel)s"
_HELD = _OF_CHANNEL + " AND p.is_held"
_UNSENT = _OF_CHANNEL + " AND (p.is_held OR p.version > p.sent_version)"
_LEAVE = """
WITH cut AS MATERIALIZED (
  SELECT array_agg(u.id ORDER BY u.id) AS listings, u.piece
  FROM (
    SELECT n.id, (min(n.number) OVER (PARTITION BY n.item_id) - 1) / %(size)s AS piece
    FROM (SELECT l.id, l.item_id, row_number() OVER (ORDER BY l.item_id, l.id) AS number {chosen}) n
  ) u GROUP BY u.piece
), wide AS (
  INSERT INTO channels_sync_widechange (cause, posting_id, changed_at, actors, parts)
  SELECT %(words)s, %(posting)s, %(changed_at)s, %(actors)s::bigint[], c.parts
  FROM (SELECT count(*) AS parts FROM cut) c WHERE c.parts > 0 RETURNING id
)
INSERT INTO channels_sync_recomputepiece (listings, wide_id, is_wide, send_again, forgets_shown, keeps_back_id)
SELECT cut.listings, wide.id, %(is_wide)s, %(send_again)s, %(forgets_shown)s, %(keeps_back)s FROM cut, wide ORDER BY cut.piece
RETURNING wide_id
"""


@dataclass(frozen=True, slots=True)
class Width:
    """Published listings that something touches, as a condition with its values."""

    condition: str
    values: dict[str, str | int]

    @classmethod
    def of_items(cls, items: Iterable[int]) -> Width:
        return cls(_OF_ITEMS, {"items": numbers(items)})

    @classmethod
    def of_channel(cls, channel: Channel) -> Width:
        return cls(_OF_CHANNEL, {"channel": channel.pk})

    @classmethod
    def held_on(cls, channel: Channel) -> Width:
        """Listings of a channel with a figure that waits for a person."""
        return cls(_HELD, {"channel": channel.pk})

    @classmethod
    def unsent_on(cls, channel: Channel) -> Width:
        """Listings of a channel whose wanted figure was not sent, and those with a figure that waits for a person."""
        return cls(_UNSENT, {"channel": channel.pk})

    @classmethod
    def of_listings(cls, listings: Iterable[int]) -> Width:
        return cls(_OF_LISTINGS, {"listings": numbers(listings)})

    def listing_ids(self, *, after: Sequence[Statement] = ()) -> list[int] | None:
        """The listings in ascending order; None when they are too many for one transaction.

        They are asked for `after` statements that go with the question.
        """
        asked = (
            f"SELECT l.id {_FROM} {self.condition} ORDER BY l.id LIMIT %(enough)s",
            {**self.values, "off": ChannelMode.OFF.value, "enough": LISTINGS_PER_PIECE + 1},
        )
        *_, rows = in_one_trip(*after, asked)
        found = [listing_id for (listing_id,) in rows]
        return found if len(found) <= LISTINGS_PER_PIECE else None


@dataclass(frozen=True, slots=True)
class Piece:
    """Listings (ids, ascending) for one transaction, what of, why, and how; see models.RecomputePiece."""

    wide_id: int
    listings: Sequence[int]
    words: str
    posting_id: int | None
    changed_at: datetime | None
    actors: Sequence[int]
    send_again: bool
    forgets_shown: bool


def leave_pieces(
    width: Width,
    *,
    words: str,
    posting_id: int | None = None,
    changed_at: datetime | None = None,
    actors: Iterable[int] = (),
    is_wide: bool = True,
    send_again: bool = False,
    forgets_shown: bool = False,
    keeps_back: Channel | None = None,
) -> int | None:
    """Cut the listings into pieces for the workers, within the present transaction, by one statement.

    Returns the id of the large change they are parts of; None when there was nothing to cut.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _LEAVE.format(chosen=_FROM + width.condition),
            {
                **width.values,
                "off": ChannelMode.OFF.value,
                "size": LISTINGS_PER_PIECE,
                "words": words,
                "posting": posting_id,
                "changed_at": changed_at,
                "actors": numbers(sorted(actors)),
                "is_wide": is_wide,
                "send_again": send_again,
                "forgets_shown": forgets_shown,
                "keeps_back": None if keeps_back is None else keeps_back.pk,
            },
        )
        row = cursor.fetchone()
    wake_after_commit()
    return None if row is None else int(row[0])


def take_piece(*, keeps_back: Channel | None = None, wide_id: int | None = None) -> Piece | None:
    """The next piece that nobody else has, deleted within the present transaction; None: there is none.

    With a channel, only of those that keep it back; with a large change, only of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH piece AS (DELETE FROM channels_sync_recomputepiece WHERE id = (SELECT id FROM channels_sync_recomputepiece"
            " WHERE (%(channel)s::bigint IS NULL OR keeps_back_id = %(channel)s)"
            " AND (%(wide)s::bigint IS NULL OR wide_id = %(wide)s)"
            " ORDER BY is_wide, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *)"
            " SELECT p.wide_id, p.listings, w.cause, w.posting_id, w.changed_at, w.actors, p.send_again, p.forgets_shown"
            " FROM piece p JOIN channels_sync_widechange w ON w.id = p.wide_id",
            {"channel": None if keeps_back is None else keeps_back.pk, "wide": wide_id},
        )
        row = cursor.fetchone()
    return None if row is None else Piece(*row)


def forget_shown(listing_ids: Sequence[int]) -> None:
    """Have what the channel shows of these read before it is changed, as at a new place or under a new name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_listingpush SET channel_quantity = NULL WHERE listing_id = ANY(%s::bigint[])",
            [numbers(listing_ids)],
        )
