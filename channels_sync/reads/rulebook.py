"""The rules in force, and the terms they make for each listing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from django.contrib.auth import get_user_model

from channels_sync.allocation import Breadth, PolicyTerms, Rule, Terms, resolve
from channels_sync.allocation.terms import BUILDABLE
from channels_sync.allocation.vocabulary import BY_COLUMN, COLUMNS
from channels_sync.models.policies import scope_in_words
from inventory.arrays import numbers
from inventory.models import ItemCategory
from inventory.trips import Rows, Statement, rows_of


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
        self._wide: dict[tuple[int, int | None], Terms] = {}
        """By channel and category, for listings that have no rule of their own and whose items have none."""
        self._items: set[int] = set()
        self._listings: set[int] = set()
        for scope, policy in policies:
            if scope.item_id is not None:
                self._items.add(scope.item_id)
            if scope.listing_id is not None:
                self._listings.add(scope.listing_id)
            self._by_scope.setdefault(scope.key, []).append(len(self._policies))
            self._policies.append(policy)

    @property
    def knows_categories(self) -> bool:
        """Whether any rule is for a category."""
        return any(category is not None for _, category, *_ in self._by_scope)

    def may_count_building(self, items: Collection[int]) -> Collection[int]:
        """Of `items` (ids), at least those of which a listing counts what could be built: by a rule for more than an item all."""
        counting = [key for key, found in self._by_scope.items() if any(self._counts(number) for number in found)]
        if any(item is None for _, _, item, _ in counting):
            return items
        return {item for _, _, item, _ in counting if item is not None}.intersection(items)

    def _counts(self, number: int) -> bool:
        return self._policies[number].values.get("basis") == BUILDABLE

    def terms_of(self, one: Placed) -> Terms:
        """The terms in force for a listing."""
        if one.item_id in self._items or one.listing_id in self._listings:
            return self._worked_out(one)
        wide = (one.channel_id, one.category_id)
        terms = self._wide.get(wide)
        if terms is None:
            terms = self._wide[wide] = self._worked_out(one)
        return terms

    def _worked_out(self, one: Placed) -> Terms:
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


class _Version(NamedTuple):
    """One version of a rule, with the names of what it is for."""

    pk: int
    version: int
    since: datetime
    channel_id: int | None
    category_id: int | None
    item_id: int | None
    listing_id: int | None
    campaign_id: int | None
    channel: str | None
    category: str | None
    sku: str | None
    external_sku: str | None
    listing_channel: str | None
    listing_item_id: int | None
    author: str | None
    campaign: str | None
    values: tuple[Any, ...]

    @property
    def scope(self) -> Scope:
        return Scope(self.channel_id, self.category_id, self.item_id, self.listing_id)

    @property
    def item_of_its_own(self) -> int | None:
        """The item it is for, itself or through its listing."""
        return self.item_id if self.listing_item_id is None else self.listing_item_id

    def as_terms(self) -> PolicyTerms:
        """As the formula knows it."""
        listing = None if self.listing_id is None else f"{self.external_sku} on {self.listing_channel}"
        return PolicyTerms(
            breadth=self.scope.breadth,
            rule=Rule(
                policy_id=self.pk,
                version=self.version,
                scope=scope_in_words(channel=self.channel, category=self.category, item=self.sku, listing=listing),
                author=self.author or "",
                since=self.since,
                campaign=self.campaign or "",
            ),
            values=formula_terms(dict(zip(COLUMNS, self.values, strict=True))),
            is_campaign=self.campaign_id is not None,
        )


_VERSIONS = f"""{{ours}}
SELECT p.id, p.version, p.effective_from, p.channel_id, p.category_id, p.item_id, p.listing_id, p.campaign_id,
       c.name, k.name, i.sku, l.external_sku, o.name, l.item_id, u.{get_user_model().USERNAME_FIELD}, a.name,
       {", ".join(f"p.{column}" for column in COLUMNS)}
FROM channels_sync_allocationpolicy p
LEFT JOIN channels_sync_channel c ON c.id = p.channel_id
LEFT JOIN inventory_itemcategory k ON k.id = p.category_id
LEFT JOIN inventory_item i ON i.id = p.item_id
LEFT JOIN channels_sync_listing l ON l.id = p.listing_id LEFT JOIN channels_sync_channel o ON o.id = l.channel_id
LEFT JOIN channels_sync_campaign a ON a.id = p.campaign_id
LEFT JOIN {get_user_model()._meta.db_table} u ON u.id = p.created_by_id
WHERE p.effective_from <= %(at)s AND (p.effective_to IS NULL OR p.effective_to > %(at)s) {{narrowed}}
ORDER BY p.effective_from, p.id
"""
_WITH_A_SAY = """
AND (p.listing_id = ANY({listings}) OR p.listing_id IS NULL
     AND (p.channel_id IS NULL OR p.channel_id = ANY({channels})) AND (p.item_id IS NULL OR p.item_id = ANY({items})))
"""
"""Rules that are wide, or for one of some listings, their items and channels."""
_FOR_THESE = _VERSIONS.format(
    ours="",
    narrowed=_WITH_A_SAY.format(
        listings="%(listings)s::bigint[]", channels="%(channels)s::bigint[]", items="%(items)s::bigint[]"
    ),
)
_FOR_SISTERS = _VERSIONS.format(
    ours="""
WITH ours AS MATERIALIZED (
  SELECT l.id, l.channel_id, l.item_id FROM channels_sync_listing l
  WHERE l.item_id = ANY(ARRAY(SELECT a.item_id FROM channels_sync_listing a WHERE a.id = ANY(%(ids)s::bigint[])))
)""",
    narrowed=_WITH_A_SAY.format(
        listings="ARRAY(SELECT id FROM ours)",
        channels="ARRAY(SELECT DISTINCT channel_id FROM ours)",
        items="ARRAY(SELECT DISTINCT item_id FROM ours)",
    ),
)


def _versions(rows: Rows) -> list[_Version]:
    head = len(_Version._fields) - 1
    return [_Version._make((*row[:head], row[head:])) for row in rows]


def rules_in_force(*, at: datetime, listings: Sequence[Placed], proposals: Collection[Proposal] = ()) -> Rulebook:
    """The rules that have a say in the figures of `listings`. One statement, two where a category has a rule."""
    arguments = {
        "at": at,
        "listings": numbers(one.listing_id for one in listings),
        "channels": numbers({one.channel_id for one in listings}),
        "items": numbers({one.item_id for one in listings}),
    }
    return rulebook_from(rows_of(_FOR_THESE, arguments), proposals)


def rules_statement(listing_ids: Iterable[int], *, at: datetime) -> Statement:
    """The same rules, and those for their sisters, for who has something else to do; `rulebook_from` reads the answer."""
    return _FOR_SISTERS, {"at": at, "ids": numbers(listing_ids)}


def every_rule_in_force(*, at: datetime, proposals: Collection[Proposal] = ()) -> tuple[Rulebook, set[int]]:
    """All rules in force, and the ids of items that have one of their own, or one of their listings has. Two statements."""
    rows = rows_of(_VERSIONS.format(ours="", narrowed=""), {"at": at})
    items = {item_id for row in _versions(rows) if (item_id := row.item_of_its_own) is not None}
    return rulebook_from(rows, proposals), items


def rulebook_from(answer: Rows, proposals: Collection[Proposal] = ()) -> Rulebook:
    """The rules as they are, with proposed ones in the place of those they would replace."""
    rows = _versions(answer)
    replaced = {proposal.scope for proposal in proposals if not proposal.campaign}
    found = [(row.scope, row.as_terms()) for row in rows if row.campaign_id is not None or row.scope not in replaced]
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
