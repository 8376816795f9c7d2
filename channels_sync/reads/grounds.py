"""What the figures of some listings rest on beside stock: the rules, the places of channels, what products are made of.

Who writes figures reads it together with the listings, in two waits for the database that Python does not sit through.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from channels_sync.reads.listing_facts import Facts, facts_from, facts_statements
from channels_sync.reads.rulebook import Proposal, Rulebook, rulebook_from, rules_in_force, rules_statement
from inventory.arrays import numbers
from inventory.trips import Rows, Statement, rows_of, under_way
from production.reads.structures import structures_statement


@dataclass(frozen=True, slots=True)
class Grounds:
    """Listings with what their figures rest on at a moment, which is given in the local time zone.

    `sources` are the source locations of channels, by channel id; one without any is not in it. `structures` is what
    `structures_statement` answered for at least the items of which any listing counts what could be built; None where it was
    not asked yet.
    """

    at: datetime
    facts: Sequence[Facts]
    rules: Rulebook
    sources: Mapping[int, frozenset[int]]
    structures: Rows | None = None


def grounds_of(facts: Sequence[Facts], *, at: datetime | None, proposals: Collection[Proposal] = ()) -> Grounds:
    """For listings that were read already. `at` is now by default."""
    at = timezone.localtime(at)  # days of the formula are days here
    return Grounds(
        at=at,
        facts=facts,
        rules=rules_in_force(at=at, listings=facts, proposals=proposals),
        sources=sources_of({one.channel_id for one in facts}),
    )


def grounds_statements(listing_ids: Iterable[int], *, any_frozen: bool, at: datetime) -> list[Statement]:
    """What is to be known of these listings and their sisters before anything is asked about stock; for `grounds_from`."""
    ids = list(listing_ids)
    return [*facts_statements(ids, any_frozen=any_frozen), _ALL_SOURCES, rules_statement(ids, at=at)]


def grounds_from(answers: Sequence[Rows], *, at: datetime) -> Grounds:
    """The same with what products are made of, which is asked for meanwhile. Within the transaction; one statement at most."""
    at = timezone.localtime(at)
    *facts_rows, sources, versions = answers
    rules = rulebook_from(versions)
    made = rules.may_count_building({item_id for item_id, *_ in facts_rows[1]})
    asked = [structures_statement(items=made, on=at.date(), whole=False)] if made else []
    with under_way(*asked) as structures:
        facts = facts_from(facts_rows)
    return Grounds(at, facts, rules, _by_channel(sources), structures[0].rows if made else [])


_ALL_SOURCES: Statement = ("SELECT channel_id, location_id FROM channels_sync_channel_source_locations", [])


def sources_of(channels: Collection[int]) -> dict[int, frozenset[int]]:
    """Channel id -> its source locations; a channel without any is not in it."""
    return _by_channel(rows_of(f"{_ALL_SOURCES[0]} WHERE channel_id = ANY(%s::bigint[])", [numbers(channels)]))


def _by_channel(rows: Rows) -> dict[int, frozenset[int]]:
    sources: dict[int, set[int]] = {}
    for channel_id, location_id in rows:
        sources.setdefault(channel_id, set()).add(location_id)
    return {channel_id: frozenset(places) for channel_id, places in sources.items()}
