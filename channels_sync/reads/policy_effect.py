"""What rules would do before they are in force: every listing they touch, now and then."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from django.db.models import F
from django.utils import timezone

from channels_sync.allocation import Terms
from channels_sync.allocation.terms import BUILDABLE
from channels_sync.models import SENDING, AllocationPolicy, Channel, Listing
from channels_sync.operations.guarding import Planned, guard_statements, judge_plans
from channels_sync.reads.division import connected_products
from channels_sync.reads.figures import FigureChange, figures, figures_of
from channels_sync.reads.listing_facts import read_facts
from channels_sync.reads.rulebook import Proposal, Scope, rules_in_force
from inventory.arrays import numbers
from inventory.models import Item, ItemCategory
from inventory.trips import in_one_trip, rows_of
from production.reads.dependents import dependents

LISTINGS_MAX = 5_000
"""Listings worked out for one look, those that show most; the rest is counted."""
BATCH = 500
ROWS_SHOWN = 30
LISTINGS_OF_ACT_MAX = 10_000
"""Listings worked out for an act on many things, such as an import."""
LARGEST_NAMED = 5
SAID_SHOWN = 8


@dataclass(frozen=True, slots=True)
class EffectRow:
    listing: Listing
    before: int | None
    after: int
    words: str

    @property
    def difference(self) -> int:
        return self.after - (self.before or 0)


@dataclass(slots=True)
class Effect:
    """What changes, in sold units. `rows` are the largest changes; listings beyond LISTINGS_MAX are not looked at.

    `held` counts the changes on channels that send which the guard would hold, were all of them one plan now; `said` is what it
    would say, a sentence for each rule and channel.
    """

    touched: int
    looked_at: int = 0
    changed: int = 0
    rising: int = 0
    falling: int = 0
    to_zero: int = 0
    from_zero: int = 0
    sum_before: int = 0
    sum_after: int = 0
    rows: list[EffectRow] = field(default_factory=list)
    held: int = 0
    said: list[str] = field(default_factory=list)
    figures: dict[int, int] = field(default_factory=dict)
    """What each listing that was looked at would show, by its id."""

    @property
    def left_out(self) -> int:
        return self.touched - self.looked_at

    @property
    def difference(self) -> int:
        return self.sum_after - self.sum_before

    @property
    def share(self) -> int:
        """Of the listings looked at, the percent that change."""
        return 0 if not self.looked_at else -(-100 * self.changed // self.looked_at)


def effect_of(
    *,
    items: Sequence[int],
    proposals: Sequence[Proposal] = (),
    at: datetime | None = None,
    cause: str = "policy",
    begins_from: Mapping[int, int] | None = None,
) -> Effect:
    """The published listings of `items` (ids) under `proposals`, against what they show at present, with those of the products
    that what could be built is divided with.

    `at` (default now) is when the rules would begin; stock is that of now. `cause` is what the guard would be told; empty: it is
    not asked. `begins_from` says by listing id what they would show before, where that is not the present. Of more than
    LISTINGS_MAX listings those that show most are worked out. Nothing is locked or written.
    """
    touched = {*items} | connected_products(items=items, at=at or timezone.now())
    covered = Listing.objects.published().filter(item__in=touched)
    ids = list(covered.order_by(*_MOST_FIRST).values_list("pk", flat=True)[:LISTINGS_MAX])
    effect = Effect(touched=len(ids) if len(ids) < LISTINGS_MAX else covered.count())
    changes: list[FigureChange] = []
    for start in range(0, len(ids), BATCH):
        for found in figures_of(listing_ids=ids[start : start + BATCH], now=at, proposals=proposals):
            one = found if begins_from is None else _begun(found, begins_from)
            effect.figures[one.facts.listing_id] = one.quantity
            _count(effect, one)
            if one.is_change:
                changes.append(one)
    changes.sort(key=_by_size)
    effect.rows = list(_rows(changes[:ROWS_SHOWN]))
    _ask_the_guard(effect, changes, cause=cause, at=at, begins_from=begins_from)
    return effect


def _begun(one: FigureChange, begins_from: Mapping[int, int]) -> FigureChange:
    shown = begins_from.get(one.facts.listing_id, one.facts.wanted)
    return replace(one, facts=replace(one.facts, wanted=shown))


_MOST_FIRST = (F("push__wanted").desc(nulls_last=True), "pk")
_SHOWN = """
SELECT p.listing_id, p.recent_max, p.is_held, CASE
  WHEN p.sent_version = 0 THEN CASE WHEN p.channel_quantity < 0 THEN 0 ELSE p.channel_quantity END
  WHEN p.sent_version = p.version THEN p.wanted ELSE (
    SELECT l.after FROM channels_sync_publicationline l WHERE l.listing_id = p.listing_id AND l.version = p.sent_version
  ) END
FROM channels_sync_listingpush p WHERE p.listing_id = ANY(%s::bigint[])
"""


def _ask_the_guard(
    effect: Effect,
    changes: Sequence[FigureChange],
    *,
    cause: str,
    at: datetime | None,
    begins_from: Mapping[int, int] | None,
) -> None:
    sending = [one for one in changes if one.facts.mode in SENDING]
    if not sending or not cause:
        return
    known = {pk: rest for pk, *rest in rows_of(_SHOWN, [numbers(one.facts.listing_id for one in sending)])}
    planned: dict[int, tuple[str, list[Planned]]] = {}
    for one in sending:
        recent_max, is_held, shown = known.get(one.facts.listing_id, (None, False, None))
        if begins_from is not None:
            shown = one.before
            recent_max = None if recent_max is None else max(recent_max, shown or 0)
        plan = planned.setdefault(one.facts.channel_id, (one.facts.mode, []))
        plan[1].append(Planned(shown, recent_max, is_held, one.derivation))
    # What happened within the last quarter of an hour has passed by then.
    before = None if at is None else in_one_trip(*guard_statements(planned, now=at))
    verdicts = judge_plans(planned, causes=cause, now=timezone.now(), approved={}, known=before)
    names = dict(Channel.objects.filter(pk__in=verdicts).values_list("pk", "name"))
    for channel_id, verdict in sorted(verdicts.items(), key=lambda pair: names[pair[0]]):
        effect.held += len(verdict.held)
        by_rule: dict[str, list[str]] = {}
        for trip in verdict.trips:
            by_rule.setdefault(trip.rule, []).append(trip.words)
        for words in by_rule.values():
            more = f" And {len(words) - 1} more like it." if len(words) > 1 else ""
            effect.said.append(f"{names[channel_id]}: {words[0]}{more}")
    effect.said = effect.said[:SAID_SHOWN]


def _count(effect: Effect, one: FigureChange) -> None:
    before = one.before or 0
    effect.looked_at += 1
    effect.sum_before += before
    effect.sum_after += one.quantity
    effect.changed += one.is_change
    effect.rising += one.quantity > before
    effect.falling += one.quantity < before
    effect.to_zero += bool(before) and not one.quantity
    effect.from_zero += not before and bool(one.quantity)


def _rows(changes: Sequence[FigureChange]) -> Iterator[EffectRow]:
    listings = Listing.objects.select_related("channel", "item").in_bulk([one.facts.listing_id for one in changes])
    for one in changes:
        yield EffectRow(listings[one.facts.listing_id], one.before, one.quantity, one.derivation.in_words())


@dataclass(frozen=True, slots=True)
class _Anywhere:
    """A place in the cascade without a listing of its own."""

    listing_id: int
    channel_id: int
    item_id: int
    category_id: int | None


def inherited_terms(
    *,
    at: datetime,
    channel: Channel | None = None,
    category: ItemCategory | None = None,
    item: Item | None = None,
    listing: Listing | None = None,
) -> Terms:
    """What holds at a scope where it sets nothing itself: the terms of the wider rules."""
    scope = Scope(
        None if channel is None else channel.pk,
        None if category is None else category.pk,
        None if item is None else item.pk,
        None if listing is None else listing.pk,
    )
    if listing is not None:
        place = _Anywhere(listing.pk, listing.channel_id, listing.item_id, listing.item.category_id)
    else:
        of_category = category.pk if category is not None else None
        place = _Anywhere(0, scope.channel_id or 0, scope.item_id or 0, item.category_id if item else of_category)
    return rules_in_force(at=at, listings=[place], proposals=[Proposal(scope, {})]).terms_of(place)


def effect_in_words(items: Collection[int]) -> list[str]:
    """What the data as they stand now would change on every channel for `items` (ids), a sentence each, and the largest changes.

    Products that are made of them are looked at too where rules count what could be built. For acts on many things, before
    they are kept or undone: nothing is locked or written. Of more than LISTINGS_OF_ACT_MAX listings those that show most
    are worked out.
    """
    touched = _touched(items)
    chosen = Listing.objects.published().filter(item__in=touched)
    ids = list(chosen.order_by(*_MOST_FIRST).values_list("pk", flat=True)[: LISTINGS_OF_ACT_MAX + 1])
    by_channel: dict[int, Effect] = {}
    largest: list[FigureChange] = []
    for start in range(0, min(len(ids), LISTINGS_OF_ACT_MAX), BATCH):
        for one in figures_of(listing_ids=ids[start : min(start + BATCH, LISTINGS_OF_ACT_MAX)]):
            _count(by_channel.setdefault(one.facts.channel_id, Effect(0)), one)
            if one.is_change:
                largest.append(one)
        largest = sorted(largest, key=_by_size)[:LARGEST_NAMED]
    names = dict(Channel.objects.filter(pk__in=by_channel).values_list("pk", "name"))
    found = [
        f"{names[channel]}: {effect.changed} of {effect.looked_at} listings show another figure, "
        f"{effect.sum_before} → {effect.sum_after} in all; {effect.to_zero} go to zero, {effect.from_zero} come back."
        for channel, effect in sorted(by_channel.items(), key=lambda pair: names[pair[0]])
    ]
    if largest:
        changes = ", ".join(
            f"{one.facts.offer.sku} on {names[one.facts.channel_id]} "
            f"{'nothing' if one.before is None else one.before} → {one.quantity}"
            for one in largest
        )
        found.append(f"The largest changes: {changes}.")
    if len(ids) > LISTINGS_OF_ACT_MAX:
        found.append(f"Of {chosen.count()} listings the {LISTINGS_OF_ACT_MAX} that show most were looked at.")
    return found


def _touched(items: Collection[int]) -> set[int]:
    now = timezone.now()
    if not AllocationPolicy.objects.in_force(at=now).filter(basis=BUILDABLE).exists():
        return set(items)
    made = dependents(items=items)
    return made | connected_products(items=made, at=now)


def _by_size(one: FigureChange) -> tuple[int, int]:
    return (-abs(one.quantity - (one.before or 0)), one.facts.listing_id)


def publication_outlook(*, changes: Mapping[int, Decimal]) -> dict[int, int]:
    """What each published listing of the items would show if `changes` (item id to stock units) were available.

    By listing id. Nothing is locked or written; the real figure is worked out after the posting.
    """
    ids = list(Listing.objects.published().filter(item__in=list(changes)).values_list("pk", flat=True))
    facts = read_facts(ids) if ids else []
    return {one.facts.listing_id: one.quantity for one in figures(facts, supposing=changes)}
