"""Working out published quantities anew and putting what changed into the outbox.

The rows of the outbox are locked first, in listing order, and everything the figure depends on is read after that, by
statements of their own (READ COMMITTED): whoever comes second sees at least what the first one saw, so a later version
never carries an older figure. The number of statements does not depend on the number of listings.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from channels_sync.adapters.registry import ADAPTERS
from channels_sync.allocation import (
    Breadth,
    Derivation,
    Offer,
    PolicyTerms,
    Rule,
    Snapshot,
    SourceStock,
    Terms,
    published_quantity,
    resolve,
)
from channels_sync.models import AllocationPolicy, Channel, ChannelMode, Listing, PublicationState, PublishRun
from inventory.models import Item, StockChange
from inventory.operations.transactions import operation
from inventory.reads.availability import ItemAvailability, availability
from inventory.wakeups import wake_after_commit

LISTINGS_PER_TRANSACTION = 1_000
ITEMS_PER_CHANGE = 500
"""Items named by one row of news; it bounds what one transaction has to work out."""
QUANTITY_MAX = 1_000_000_000
"""For a channel whose adapter is not known."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What made the figures change: in words, the newest posting among it, and when the oldest of it was recorded."""

    words: str
    posting_id: int | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecomputeResult:
    checked: int = 0
    changed: int = 0

    def __add__(self, other: RecomputeResult) -> RecomputeResult:
        return RecomputeResult(self.checked + other.checked, self.changed + other.changed)


def recompute_listings(
    *,
    cause: str,
    items: Iterable[Item] | None = None,
    listings: Iterable[Listing] | None = None,
    channel: Channel | None = None,
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
    return recompute_ids(ids, cause=Cause(cause), send_again=send_again)


def recompute_ids(listing_ids: Sequence[int], *, cause: Cause, send_again: bool = False) -> RecomputeResult:
    """The same for listing ids in ascending order."""
    total = RecomputeResult()
    for start in range(0, len(listing_ids), LISTINGS_PER_TRANSACTION):
        batch = listing_ids[start : start + LISTINGS_PER_TRANSACTION]
        total += _recompute_batch(batch, cause=cause, send_again=send_again)
    return total


@operation
def _recompute_batch(listing_ids: Sequence[int], *, cause: Cause, send_again: bool) -> RecomputeResult:
    return recompute_locked(listing_ids=listing_ids, cause=cause, send_again=send_again)


@operation
def absorb_changes(*, rows_max: int = 200) -> int:
    """Take in up to `rows_max` rows of news about stock and recompute what they touch. Returns the rows taken in.

    The news is deleted in the transaction that writes what follows from it: nothing is lost when the process dies, and
    nobody remembers how far they read. Several may do this at once; each takes rows the others have not.
    """
    if rows_max < 1:
        raise ValueError(f"rows_max must be positive, not {rows_max}")
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM inventory_stockchange WHERE id = ANY(ARRAY("
            "SELECT id FROM inventory_stockchange ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))"
            " RETURNING items, posting_id, cause, recorded_at",
            [rows_max],
        )
        news = cursor.fetchall()
    if not news:
        return 0
    items = sorted({item_id for touched, *_ in news for item_id in touched})
    causes = sorted({cause for _, _, cause, _ in news})
    cause = Cause(
        words=", ".join(causes)[:100],
        posting_id=max((posting_id for _, posting_id, _, _ in news if posting_id is not None), default=None),
        changed_at=min(recorded_at for *_, recorded_at in news),
    )
    listing_ids = list(Listing.objects.published().filter(item__in=items).order_by("pk").values_list("pk", flat=True))
    recompute_locked(listing_ids=listing_ids, cause=cause)
    return len(news)


def tell_items_changed(*, items: Collection[int], cause: str) -> None:
    """Have every listing of `items` (ids) recomputed soon. Part of the present transaction."""
    ordered = sorted(set(items))
    StockChange.objects.bulk_create(
        StockChange(items=ordered[start : start + ITEMS_PER_CHANGE], cause=cause[:24])
        for start in range(0, len(ordered), ITEMS_PER_CHANGE)
    )
    wake_after_commit()


# --- the work, inside the caller's transaction ---


@dataclass(frozen=True, slots=True)
class _Locked:
    """One row of the outbox as read under the lock."""

    version: int
    wanted: int | None


@dataclass(frozen=True, slots=True)
class _Facts:
    """A listing as it stands after the lock was taken."""

    listing_id: int
    channel_id: int
    mode: str
    item_id: int
    offer: Offer


@dataclass(slots=True)
class _Plan:
    """What changes on one channel; the lines of one run."""

    channel_id: int
    state: PublicationState
    checked: int = 0
    changes: list[tuple[_Locked, Derivation]] = field(default_factory=list)


def recompute_locked(*, listing_ids: Sequence[int], cause: Cause, send_again: bool = False) -> RecomputeResult:
    """Lock the outbox rows of these listings, work out their figures, and write new versions for those that changed."""
    if not listing_ids:
        return RecomputeResult()
    locked = _lock_pushes(listing_ids)
    facts = _read_facts(locked)
    if not facts:
        return RecomputeResult()
    now = timezone.now()
    plans = _plan(facts, locked=locked, now=now, send_again=send_again)
    _write(plans, cause=cause, now=now)
    return RecomputeResult(len(facts), sum(len(plan.changes) for plan in plans))


def _lock_pushes(listing_ids: Sequence[int]) -> dict[int, _Locked]:
    ids = list(listing_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO channels_sync_listingpush (listing_id, channel_id, version, sent_version, confirmed_version,"
            " attempts, last_error) SELECT l.id, l.channel_id, 0, 0, 0, 0, '' FROM channels_sync_listing l"
            " WHERE l.id = ANY(%s::bigint[])"
            " AND NOT EXISTS (SELECT FROM channels_sync_listingpush p WHERE p.listing_id = l.id)"
            " ORDER BY l.id ON CONFLICT DO NOTHING",
            [ids],
        )
        cursor.execute(
            "SELECT listing_id, version, wanted FROM channels_sync_listingpush"
            " WHERE listing_id = ANY(%s::bigint[]) ORDER BY listing_id FOR NO KEY UPDATE",
            [ids],
        )
        return {listing_id: _Locked(version, wanted) for listing_id, version, wanted in cursor.fetchall()}


def _read_facts(locked: Mapping[int, _Locked]) -> list[_Facts]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.id, l.channel_id, c.mode, c.adapter, l.item_id, l.external_sku, l.pack_size, i.stock_unit, i.step,"
            " i.is_active, i.is_sellable, i.sku FROM channels_sync_listing l"
            " JOIN channels_sync_channel c ON c.id = l.channel_id JOIN inventory_item i ON i.id = l.item_id"
            " WHERE l.id = ANY(%s::bigint[]) AND l.is_active AND c.mode <> %s ORDER BY l.id",
            [list(locked), ChannelMode.OFF.value],
        )
        rows = cursor.fetchall()
    return [
        _Facts(listing_id, channel_id, mode, item_id, _offer(listing_id, adapter, *rest))
        for listing_id, channel_id, mode, adapter, item_id, *rest in rows
    ]


def _offer(
    listing_id: int,
    adapter: str,
    external_sku: str,
    pack_size: Decimal,
    unit: str,
    step: Decimal,
    is_active: bool,
    is_sellable: bool,
    item_sku: str,
) -> Offer:
    withdrawn = "" if is_active and is_sellable else f"{item_sku} is {'not sellable' if is_active else 'inactive'}"
    entry = ADAPTERS.get(adapter)
    return Offer(
        listing_id=listing_id,
        sku=external_sku,
        unit=unit,
        step=step,
        pack_size=pack_size,
        quantity_max=entry.limits.quantity_max if entry else QUANTITY_MAX,
        withdrawn=withdrawn,
    )


def _plan(facts: Sequence[_Facts], *, locked: Mapping[int, _Locked], now: datetime, send_again: bool) -> list[_Plan]:
    plans: dict[int, _Plan] = {}
    for one, quantity, derivation in _figures(facts, now=now):
        plan = plans.get(one.channel_id)
        if plan is None:
            state = PublicationState.SHADOW if one.mode == ChannelMode.SHADOW else PublicationState.QUEUED
            plan = plans[one.channel_id] = _Plan(one.channel_id, state)
        plan.checked += 1
        before = locked[one.listing_id]
        if send_again or before.version == 0 or before.wanted != quantity:
            plan.changes.append((before, derivation))
    return list(plans.values())


def _figures(
    facts: Sequence[_Facts], *, now: datetime, changes: Mapping[int, Decimal] | None = None
) -> Iterator[tuple[_Facts, int, Derivation]]:
    """Each listing with its figure; `changes` (item id to stock units) supposes that much more were available."""
    channels = sorted({one.channel_id for one in facts})
    items = sorted({one.item_id for one in facts})
    sources = _sources_of(channels)
    policies = _policies_for(facts, channels=channels, items=items, now=now)
    stock = availability(items=items, sources={place for places in sources.values() for place in places}, at=now)
    snapshots: dict[tuple[int, int], Snapshot] = {}
    for one in facts:
        snapshot = snapshots.get((one.channel_id, one.item_id))
        if snapshot is None:
            snapshot = _snapshot(stock[one.item_id].from_sources(sources.get(one.channel_id, ())))
            if changes is not None:
                snapshot = _supposing(snapshot, changes.get(one.item_id, Decimal(0)))
            snapshots[(one.channel_id, one.item_id)] = snapshot
        quantity, derivation = published_quantity(
            snapshot=snapshot, terms=policies.terms_of(one), offer=one.offer, now=now
        )
        yield one, quantity, derivation


def _supposing(snapshot: Snapshot, change: Decimal) -> Snapshot:
    """The snapshot with `change` more on hand at the source that has most."""
    if not snapshot.sources:
        return replace(snapshot, sources=(SourceStock(location_id=0, code="", on_hand=max(change, Decimal(0))),))
    most = max(snapshot.sources, key=lambda source: source.on_hand)
    sources = tuple(
        replace(source, on_hand=max(source.on_hand + change, Decimal(0))) if source is most else source
        for source in snapshot.sources
    )
    return replace(snapshot, sources=sources)


def publication_outlook(*, changes: Mapping[int, Decimal]) -> dict[int, int]:
    """What each published listing of the items would show if `changes` (item id to stock units) were available.

    By listing id. Nothing is locked or written; the real figure is worked out after the posting.
    """
    ids = list(Listing.objects.published().filter(item__in=list(changes)).values_list("pk", flat=True))
    facts = _read_facts({listing_id: _Locked(0, None) for listing_id in ids}) if ids else []
    if not facts:
        return {}
    return {one.listing_id: quantity for one, quantity, _ in _figures(facts, now=timezone.now(), changes=changes)}


def _snapshot(stock: ItemAvailability) -> Snapshot:
    return Snapshot(
        item_id=stock.item_id,
        cutoff=stock.cutoff,
        sources=tuple(
            SourceStock(
                location_id=source.location_id,
                code=source.code,
                on_hand=source.on_hand,
                reserved_pinned=source.reserved_pinned,
                reserved_soft=source.reserved_soft,
                expired=source.expired,
                withheld=source.withheld,
            )
            for source in stock.sources
        ),
    )


def _sources_of(channels: Sequence[int]) -> dict[int, set[int]]:
    """Channel id -> its source locations; a channel without any is not in it."""
    links = Channel.source_locations.through.objects.filter(channel_id__in=channels)
    sources: dict[int, set[int]] = {}
    for channel_id, location_id in links.values_list("channel_id", "location_id"):
        sources.setdefault(channel_id, set()).add(location_id)
    return sources


class _Policies:
    """The policy versions in force, found by scope."""

    def __init__(self, rows: Iterable[AllocationPolicy]) -> None:
        self._by_scope = {(row.channel_id, row.item_id, row.listing_id): _policy_terms(row) for row in rows}
        self._resolved: dict[tuple[PolicyTerms | None, ...], Terms] = {}

    def terms_of(self, one: _Facts) -> Terms:
        scopes = (
            (None, None, None),
            (one.channel_id, None, None),
            (None, one.item_id, None),
            (one.channel_id, one.item_id, None),
            (None, None, one.listing_id),
        )
        found = tuple(self._by_scope.get(scope) for scope in scopes)
        terms = self._resolved.get(found)
        if terms is None:
            terms = self._resolved[found] = resolve(policy for policy in found if policy is not None)
        return terms


def _policies_for(
    facts: Sequence[_Facts], *, channels: Sequence[int], items: Sequence[int], now: datetime
) -> _Policies:
    rows = (
        AllocationPolicy.objects.in_force(at=now)
        .filter(
            Q(listing__in=[one.listing_id for one in facts])
            | Q(listing__isnull=True)
            & (Q(channel__isnull=True) | Q(channel__in=channels))
            & (Q(item__isnull=True) | Q(item__in=items))
        )
        .select_related("channel", "item", "listing__channel", "created_by")
        .order_by("effective_from", "pk")
    )
    return _Policies(rows)


def _policy_terms(row: AllocationPolicy) -> PolicyTerms:
    if row.listing_id is not None:
        breadth = Breadth.LISTING
    elif row.item_id is not None:
        breadth = Breadth.ITEM if row.channel_id is None else Breadth.ITEM_ON_CHANNEL
    else:
        breadth = Breadth.EVERYTHING if row.channel_id is None else Breadth.CHANNEL
    return PolicyTerms(
        breadth=breadth,
        rule=Rule(
            policy_id=row.pk,
            version=row.version,
            scope=row.scope,
            author=row.created_by.get_username() if row.created_by else "",
            since=row.effective_from,
        ),
        percent=row.percent,
        buffer=row.buffer,
        minimum=row.minimum_to_list,
        maximum=row.maximum_to_list,
    )


def _write(plans: Sequence[_Plan], *, cause: Cause, now: datetime) -> None:
    changed = [plan for plan in plans if plan.changes]
    if not changed:
        return
    runs = PublishRun.objects.bulk_create(
        PublishRun(
            channel_id=plan.channel_id,
            cause=cause.words,
            posting_id=cause.posting_id,
            changed_at=cause.changed_at,
            listings_checked=plan.checked,
            listings_changed=len(plan.changes),
            recorded_at=now,
        )
        for plan in changed
    )
    rows = [
        (derivation.offer.listing_id, run.pk, before, derivation, plan.state)
        for plan, run in zip(changed, runs, strict=True)
        for before, derivation in plan.changes
    ]
    listing_ids = [listing_id for listing_id, *_ in rows]
    versions = [before.version + 1 for _, _, before, _, _ in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_listingpush p SET wanted = u.wanted, version = u.version, attempts = 0, next_at = NULL,"
            " last_error = '' FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS u(listing_id, version, wanted)"
            " WHERE p.listing_id = u.listing_id AND p.version = u.version - 1",
            [listing_ids, versions, [derivation.quantity for _, _, _, derivation, _ in rows]],
        )
        assert cursor.rowcount == len(rows), "the outbox changed under its lock"
        cursor.execute(
            "UPDATE channels_sync_publicationline l SET state = %s"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS u(listing_id, version)"
            " WHERE l.listing_id = u.listing_id AND l.version = u.version - 1 AND l.state = ANY(%s::text[])",
            [
                PublicationState.SUPERSEDED.value,
                listing_ids,
                versions,
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
                [run_id for _, run_id, *_ in rows],
                listing_ids,
                versions,
                [before.wanted for _, _, before, _, _ in rows],
                [derivation.quantity for _, _, _, derivation, _ in rows],
                [json.dumps(derivation.to_json()) for _, _, _, derivation, _ in rows],
                [state.value for *_, state in rows],
            ],
        )
