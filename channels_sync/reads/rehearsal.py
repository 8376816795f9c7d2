"""Everything a simulation is made of, read at once: listings under both sets of rules, stock, demand, supply.

The number of statements depends on what the rules count, never on the number of items.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection
from django.utils import timezone

from channels_sync.allocation.sisters import Sister
from channels_sync.allocation.stored import terms_to_json
from channels_sync.models import Channel, Listing
from channels_sync.reads.figures import FigureChange, figures
from channels_sync.reads.layers import DEMAND_DAYS
from channels_sync.reads.listing_facts import Facts, read_facts
from channels_sync.reads.rulebook import Proposal, Scope
from channels_sync.reads.scopes import with_all_below
from channels_sync.simulation import (
    DailySold,
    Exposure,
    Exposures,
    ItemCase,
    Order,
    ProposedRule,
    Question,
    Supply,
    SupplyKind,
    orders_from_days,
    to_parts,
)
from channels_sync.simulation.question import START_LEVEL, START_THEN
from inventory.arrays import numbers
from inventory.errors import WrongState
from inventory.models import Item, ItemCategory, PostingKind
from inventory.reads.availability import availability

LISTINGS_MAX = 20_000
"""Listings one simulation takes, sisters included."""
ARRIVES_BY = (PostingKind.RECEIPT, PostingKind.COMPLETION, PostingKind.CUSTOMER_RETURN)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One item with its listings under the present rules and under the proposed ones."""

    case: ItemCase
    present: Exposure
    proposed: Exposure


@dataclass(slots=True)
class Rehearsal:
    """`notices` says in words what the simulation leaves out. `fingerprint` is of everything that was read."""

    items: list[Rehearsed]
    fingerprint: str
    listings: int
    channels: Mapping[int, str]
    notices: list[str] = field(default_factory=list)


def proposals_of(rules: Iterable[ProposedRule]) -> list[Proposal]:
    """Proposed rules as the rulebook takes them."""
    return [
        Proposal(Scope(one.channel_id, one.category_id, one.item_id, one.listing_id), one.terms, one.campaign)
        for one in rules
    ]


def items_asked_for(question: Question) -> list[int]:
    """Ids of the items with a published listing that fit all that the question names."""
    found = Listing.objects.published()
    if question.channel_ids:
        found = found.filter(channel__in=question.channel_ids)
    if question.item_id is not None:
        found = found.filter(item=question.item_id)
    if question.category_id is not None:
        category = ItemCategory.objects.filter(pk=question.category_id).first()
        found = found.none() if category is None else found.filter(item__category__in=with_all_below(category))
    return sorted(set(found.order_by().values_list("item_id", flat=True)))


def read_rehearsal(question: Question, *, now: datetime | None = None) -> Rehearsal:
    """What the question is about, as the data stand.

    Raises WrongState when no published listing fits it, when there are more than LISTINGS_MAX, or when nothing was sold.
    """
    now = timezone.localtime(now)
    items = items_asked_for(question)
    ids = list(Listing.objects.published().filter(item__in=items).order_by("pk").values_list("pk", flat=True))
    if not ids:
        raise WrongState("No published listing fits what was asked. Choose other channels, another category or item.")
    if len(ids) > LISTINGS_MAX:
        raise WrongState(
            f"{len(ids)} listings fit, one simulation takes {LISTINGS_MAX}. Choose a channel or a category.",
            listings=len(ids),
        )
    facts = read_facts(ids)
    present = _sides(facts, now=now, rules=())
    proposed = _sides(facts, now=now, rules=question.rules)
    demand = _demand(items, question)
    if not any(day >= 0 for by_channel in demand.values() for days in by_channel.values() for day in days):
        raise WrongState(
            f"Nothing is known to have been sold of these items from {question.first_day} to {question.last_day}. "
            "Import what was sold as Channel demand or as order lines, or choose other weeks.",
            first_day=question.first_day.isoformat(),
            last_day=question.last_day.isoformat(),
        )
    return _put_together(question, items, (present, proposed), demand, now=now)


Demand = Mapping[int, Mapping[int, Mapping[int, int]]]
"""Parts by item id, channel id and day; day 0 is the first day, days before it are below zero."""


def _put_together(
    question: Question,
    items: Sequence[int],
    sides: tuple[Mapping[int, list[Sister]], Mapping[int, list[Sister]]],
    demand: Demand,
    *,
    now: datetime,
) -> Rehearsal:
    present, proposed = sides
    skus = dict(Item.objects.filter(pk__in=items).values_list("pk", "sku"))
    start = _start(items, question, now=now)
    arrivals = _arrivals(items, question) if question.supply == SupplyKind.GIVEN else {}
    books = [Exposures(now=now, demand_days=DEMAND_DAYS) for _ in sides]
    channels = dict(Channel.objects.values_list("pk", "name"))
    marks = hashlib.sha256(json.dumps(replace(question, assumed="").to_json(), sort_keys=True).encode())
    known: dict[int, str] = {}
    found = []
    unlisted = 0
    for item_id in items:
        sisters, others = present.get(item_id, []), proposed.get(item_id, [])
        if not sisters:
            continue
        sold = demand.get(item_id, {})
        supply = _supply(question, sold, arrivals.get(item_id, ()))
        listed = {one.channel_id for one in sisters}
        elsewhere = [days for channel, days in sold.items() if channel not in listed]
        unlisted += sum(parts for days in elsewhere for day, parts in days.items() if day >= 0)
        case = ItemCase(
            item_id=item_id,
            sku=skus[item_id],
            start=supply.level if question.start == START_LEVEL else start.get(item_id, 0),
            packs=tuple(to_parts(one.offer.pack_size) for one in sisters),
            channels=tuple(one.channel_id for one in sisters),
            late=tuple(question.late_of(one.channel_id) for one in sisters),
            orders=_orders(question, skus[item_id], sisters, sold),
            supply=supply,
            demand={channel: _scaled(days, question.percent) for channel, days in sold.items()},
        )
        found.append(Rehearsed(case, books[0].of(sisters), books[1].of(others)))
        _mark(marks, case, sold, sisters, others, known)
    return Rehearsal(
        items=found,
        fingerprint=marks.hexdigest(),
        listings=sum(len(one.case.packs) for one in found),
        channels=channels,
        notices=_notices(question, sides, unlisted),
    )


def _sides(facts: Sequence[Facts], *, now: datetime, rules: Sequence[ProposedRule]) -> dict[int, list[Sister]]:
    """The listings of each item in order of their ids, with the terms one set of rules gives them."""
    found: dict[int, list[Sister]] = {}
    changes: Iterable[FigureChange] = figures(facts, now=now, proposals=proposals_of(rules))
    for one in changes:
        derivation = one.derivation
        sister = Sister(
            listing_id=one.facts.listing_id,
            channel_id=one.facts.channel_id,
            offer=derivation.offer,
            terms=derivation.terms,
            snapshot=derivation.snapshot,
            pools={},
        )
        found.setdefault(one.facts.item_id, []).append(sister)
    return found


def _demand(items: Sequence[int], question: Question) -> dict[int, dict[int, dict[int, int]]]:
    first = question.first_day
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT item_id, channel_id, day, quantity FROM channels_sync_channeldemand"
            " WHERE item_id = ANY(%s::bigint[]) AND day BETWEEN %s AND %s AND quantity > 0"
            " ORDER BY item_id, channel_id, day",
            [numbers(items), first - timedelta(days=DEMAND_DAYS), question.last_day],
        )
        rows: list[tuple[int, int, date, Decimal]] = cursor.fetchall()
    found: dict[int, dict[int, dict[int, int]]] = {}
    for item_id, channel_id, day, quantity in rows:
        found.setdefault(item_id, {}).setdefault(channel_id, {})[(day - first).days] = to_parts(quantity)
    return found


def _scaled(days: Mapping[int, int], percent: int) -> dict[int, int]:
    """Days before the first stay as they were."""
    return {day: parts if day < 0 else parts * percent // 100 for day, parts in days.items()}


def _orders(
    question: Question, sku: str, sisters: Sequence[Sister], sold: Mapping[int, Mapping[int, int]]
) -> list[Order]:
    """All orders of an item in order of time. A channel's demand goes to its listing with the smallest pack."""
    orders: list[Order] = []
    for channel_id, days in sold.items():
        places = [place for place, one in enumerate(sisters) if one.channel_id == channel_id]
        if not places:
            continue
        place = min(places, key=lambda one: (sisters[one].offer.pack_size, one))
        orders += orders_from_days(
            [DailySold(day, parts) for day, parts in days.items() if day >= 0],
            place=place,
            pack=to_parts(sisters[place].offer.pack_size),
            percent=question.percent,
            seed=question.seed,
            name=f"{sku}:{channel_id}",
        )
    orders.sort()
    return orders


def _supply(question: Question, sold: Mapping[int, Mapping[int, int]], arrivals: Sequence[tuple[int, int]]) -> Supply:
    """Supply is planned for the demand as it was, not for the scaled one: nobody knew."""
    parts = sum(parts for days in sold.values() for day, parts in days.items() if day >= 0)
    level = Supply.by_cover(
        daily=Fraction(parts, question.days), lead_days=question.lead_days, cover_days=question.cover_days
    )
    if question.supply == SupplyKind.LEVEL:
        return level
    if question.supply == SupplyKind.GIVEN:
        return Supply(SupplyKind.GIVEN, level=level.level, arrivals=tuple(arrivals))
    return Supply(SupplyKind.NONE, level=level.level)


def _start(items: Sequence[int], question: Question, *, now: datetime) -> dict[int, int]:
    """Parts of each item at the start; items without any may be left out."""
    if question.start == START_LEVEL:
        return {}
    if question.start == START_THEN:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT item_id, greatest(sum(quantity), 0) FROM inventory_movement"
                " WHERE item_id = ANY(%s::bigint[]) AND effective_at < %s GROUP BY item_id",
                [numbers(items), _begins(question.first_day)],
            )
            return {item_id: to_parts(quantity) for item_id, quantity in cursor.fetchall()}
    stock = availability(items=items, at=now)
    return {item_id: to_parts(one.from_sources(()).available) for item_id, one in stock.items()}


def _arrivals(items: Sequence[int], question: Question) -> dict[int, list[tuple[int, int]]]:
    """What came in on each day by receipts, completions and returns that were not taken back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.item_id, (m.effective_at AT TIME ZONE %s)::date AS day, sum(m.quantity)"
            " FROM inventory_movement m JOIN inventory_posting p ON p.id = m.posting_id"
            " WHERE m.item_id = ANY(%s::bigint[]) AND m.effective_at >= %s AND m.effective_at < %s"
            " AND m.quantity > 0 AND p.kind = ANY(%s)"
            " AND NOT EXISTS (SELECT 1 FROM inventory_posting r WHERE r.reverses_id = p.id)"
            " GROUP BY 1, 2 ORDER BY 1, 2",
            [
                timezone.get_current_timezone_name(),
                numbers(items),
                _begins(question.first_day),
                _begins(question.last_day + timedelta(days=1)),
                [kind.value for kind in ARRIVES_BY],
            ],
        )
        rows: list[tuple[int, date, Decimal]] = cursor.fetchall()
    found: dict[int, list[tuple[int, int]]] = {}
    for item_id, day, quantity in rows:
        found.setdefault(item_id, []).append(((day - question.first_day).days, to_parts(quantity)))
    return found


def _begins(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def _mark(
    marks: Any,
    case: ItemCase,
    sold: Mapping[int, Mapping[int, int]],
    present: Sequence[Sister],
    proposed: Sequence[Sister],
    known: dict[int, str],
) -> None:
    """Add one item to the fingerprint. Who set a rule, and when, changes no figure and is left out."""
    supply = case.supply
    read = {
        "item": case.sku,
        "start": case.start,
        "packs": case.packs,
        "channels": case.channels,
        "sold": sorted((channel, sorted(days.items())) for channel, days in sold.items()),
        "supply": [supply.kind.value, supply.reorder_at, supply.level, supply.lead_days, supply.arrivals],
        "terms": [[_terms_mark(one, known) for one in side] for side in (present, proposed)],
        "trust": [str(one.snapshot.confidence) for one in (*present, *proposed)],
        "withdrawn": [one.offer.withdrawn for one in present],
    }
    marks.update(json.dumps(read, sort_keys=True).encode())


def _terms_mark(one: Sister, known: dict[int, str]) -> str:
    """Terms of one listing as text; the same object is written once."""
    mark = known.get(id(one.terms))
    if mark is None:
        values = {name: value for name, (value, _) in terms_to_json(one.terms)["terms"].items()}
        mark = known[id(one.terms)] = json.dumps(values, sort_keys=True)
    return mark


def _notices(question: Question, sides: Sequence[Mapping[int, list[Sister]]], unlisted: int) -> list[str]:
    sisters = [one for side in sides for listings in side.values() for one in listings]
    found = []
    if any(one.terms.counts_buildable for one in sisters):
        found.append("A rule counts what could be built. Here nothing is built, so that counts as nothing.")
    if any(one.terms.counts_suppliers for one in sisters):
        found.append("A rule counts suppliers' stock. What they will have is not known, so that counts as nothing.")
    if any(one.offer.lid is not None or one.offer.kept is not None for one in sisters):
        found.append("Frozen listings are replayed as if they were not frozen.")
    if any(one.offer.withdrawn for one in sisters):
        found.append("Listings of items that are inactive or not sellable show 0 and lose all their demand.")
    if question.supply == SupplyKind.LEVEL and question.percent != 100:
        found.append("Supply is planned for the demand as it was, not for the scaled one.")
    if unlisted:
        found.append("Demand on channels where the item has no published listing is left out.")
    return found
