"""The rules in force, and the terms they make for each listing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from channels_sync.allocation import Breadth, PolicyTerms, Rule, Terms, resolve
from channels_sync.allocation.vocabulary import BY_COLUMN
from channels_sync.models import AllocationPolicy
from inventory.arrays import numbers
from inventory.models import ItemCategory


@dataclass(frozen=True, slots=True)
class Scope:
    """Ids of what a rule is for; all empty is everything."""

    channel_id: int | None = None
    category_id: int | None = None
    item_id: int | None = None
    listing_id: int | None = None

    @property
    def key(self) -> tuple[int | None, ...]:
        return (self.channel_id, self.category_id, self.item_id, self.listing_id)

    @property
    def breadth(self) -> Breadth:
        if self.listing_id is not None:
            return Breadth.LISTING
        if self.item_id is not None:
            return Breadth.ITEM if self.channel_id is None else Breadth.ITEM_ON_CHANNEL
        if self.category_id is not None:
            return Breadth.CATEGORY if self.channel_id is None else Breadth.CATEGORY_ON_CHANNEL
        return Breadth.EVERYTHING if self.channel_id is None else Breadth.CHANNEL


@dataclass(frozen=True, slots=True)
class Proposal:
    """Terms that are not in force yet, by column, for one scope: what would they do?

    They take the place of the scope's lasting rule; with `campaign` (its name) they stand above all lasting rules.
    """

    scope: Scope
    terms: Mapping[str, Any]
    campaign: str = ""


class Placed(Protocol):
    """What must be known of a listing to find its rules."""

    @property
    def listing_id(self) -> int: ...
    @property
    def channel_id(self) -> int: ...
    @property
    def item_id(self) -> int: ...
    @property
    def category_id(self) -> int | None: ...


def formula_terms(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Terms by column as the formula knows them; what is empty is left out."""
    return {
        BY_COLUMN[column].term: Decimal(value) if isinstance(value, int) else value
        for column, value in columns.items()
        if value is not None and value != ""
    }


class Rulebook:
    """Policy versions, found by scope. What the same versions make for several listings is worked out once."""

    def __init__(self, policies: Iterable[tuple[Scope, PolicyTerms]], parents: Mapping[int, int | None]) -> None:
        self._policies: list[PolicyTerms] = []
        self._by_scope: dict[tuple[int | None, ...], list[int]] = {}
        self._parents = parents
        self._chains: dict[int | None, tuple[int, ...]] = {None: ()}
        self._resolved: dict[tuple[tuple[int, int], ...], Terms] = {}
        for scope, policy in policies:
            self._by_scope.setdefault(scope.key, []).append(len(self._policies))
            self._policies.append(policy)

    @property
    def knows_categories(self) -> bool:
        """Whether any rule is for a category."""
        return any(category is not None for _, category, *_ in self._by_scope)

    def terms_of(self, one: Placed) -> Terms:
        """The terms in force for a listing."""
        channel, item = one.channel_id, one.item_id
        known = self._by_scope
        found: list[tuple[int, int]] = []
        keys: tuple[tuple[int | None, ...], ...] = (
            (None, None, None, None),
            (channel, None, None, None),
            (None, None, item, None),
            (channel, None, item, None),
            (None, None, None, one.listing_id),
        )
        for key in keys:
            found += [(number, 0) for number in known.get(key, ())]
        for depth, category in enumerate(self._chain(one.category_id)):
            keys = ((None, category, None, None), (channel, category, None, None))
            for key in keys:
                found += [(number, depth) for number in known.get(key, ())]
        marks = tuple(found)
        terms = self._resolved.get(marks)
        if terms is None:
            terms = self._resolved[marks] = resolve(
                replace(self._policies[number], depth=depth) for number, depth in marks
            )
        return terms

    def _chain(self, category: int | None) -> tuple[int, ...]:
        """The category with all above it, the widest first; empty where no category has a rule."""
        chain = self._chains.get(category)
        if chain is None:
            steps: list[int] = []
            current = category
            while current is not None and current not in steps and self._parents:
                steps.append(current)
                current = self._parents.get(current)
            chain = self._chains[category] = tuple(reversed(steps))
        return chain


def scope_of(row: AllocationPolicy) -> Scope:
    return Scope(row.channel_id, row.category_id, row.item_id, row.listing_id)


def policy_terms(row: AllocationPolicy) -> PolicyTerms:
    """One version as the formula knows it."""
    return PolicyTerms(
        breadth=scope_of(row).breadth,
        rule=Rule(
            policy_id=row.pk,
            version=row.version,
            scope=row.scope,
            author=row.created_by.get_username() if row.created_by else "",
            since=row.effective_from,
            campaign=row.campaign.name if row.campaign else "",
        ),
        values=formula_terms(row.terms),
        is_campaign=row.campaign_id is not None,
    )


def rules_in_force(*, at: datetime, listings: Sequence[Placed], proposals: Collection[Proposal] = ()) -> Rulebook:
    """The rules that have a say in the figures of `listings`. One statement, two where a category has a rule."""
    rows = list(
        AllocationPolicy.objects.in_force(at=at)
        .filter(_has_a_say(listings))
        .select_related("channel", "category", "item", "listing__channel", "created_by", "campaign")
        .order_by("effective_from", "pk")
    )
    return _rulebook(rows, proposals)


def _has_a_say(listings: Sequence[Placed]) -> RawSQL:
    """For the table of policies: whether a rule is wide, or for one of these listings, their items and channels."""
    return RawSQL(
        "channels_sync_allocationpolicy.listing_id = ANY(%s::bigint[]) OR channels_sync_allocationpolicy.listing_id IS NULL"
        " AND (channels_sync_allocationpolicy.channel_id IS NULL"
        " OR channels_sync_allocationpolicy.channel_id = ANY(%s::bigint[]))"
        " AND (channels_sync_allocationpolicy.item_id IS NULL"
        " OR channels_sync_allocationpolicy.item_id = ANY(%s::bigint[]))",
        [
            numbers(one.listing_id for one in listings),
            numbers({one.channel_id for one in listings}),
            numbers({one.item_id for one in listings}),
        ],
        output_field=BooleanField(),
    )


def every_rule_in_force(*, at: datetime, proposals: Collection[Proposal] = ()) -> tuple[Rulebook, set[int]]:
    """All rules in force, and the ids of items that have one of their own, or one of their listings has. Two statements."""
    rows = list(
        AllocationPolicy.objects.in_force(at=at)
        .select_related("channel", "category", "item", "listing__channel", "created_by", "campaign")
        .order_by("effective_from", "pk")
    )
    items = {item_id for row in rows if (item_id := row.listing.item_id if row.listing else row.item_id) is not None}
    return _rulebook(rows, proposals), items


def _rulebook(rows: Iterable[AllocationPolicy], proposals: Collection[Proposal]) -> Rulebook:
    """The rules as they are, with proposed ones in the place of those they would replace."""
    replaced = {proposal.scope for proposal in proposals if not proposal.campaign}
    found = [
        (scope_of(row), policy_terms(row))
        for row in rows
        if row.campaign_id is not None or scope_of(row) not in replaced
    ]
    found += [(proposal.scope, _proposed(proposal)) for proposal in proposals]
    parents: Mapping[int, int | None] = {}
    if any(scope.category_id is not None for scope, _ in found):
        parents = dict(ItemCategory.objects.values_list("pk", "parent_id"))
    return Rulebook(found, parents)


def _proposed(proposal: Proposal) -> PolicyTerms:
    return PolicyTerms(
        breadth=proposal.scope.breadth,
        rule=Rule(policy_id=None, scope="As proposed", campaign=proposal.campaign),
        values=formula_terms(proposal.terms),
        is_campaign=bool(proposal.campaign),
    )
