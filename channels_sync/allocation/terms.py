"""The terms of allocation policies, and which rule decides each of them for one listing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, Generic, TypeVar

from inventory.quantities import ZERO
from inventory.records import record

HUNDRED = Decimal(100)

AVAILABLE, PROMISE, BUILT, BUILDABLE, FIXED = "available", "promise", "built", "buildable", "fixed"
POOL, FENCED, WEIGHT, DEMAND = "pool", "fenced", "weight", "demand"
ALONE, BY_WEIGHT, BY_DEMAND = "alone", "weight", "demand"

Value = TypeVar("Value")


class Breadth(IntEnum):
    """Scopes of policies from wide to narrow; a narrower one decides."""

    EVERYTHING = 0
    CHANNEL = 1
    CATEGORY = 2
    CATEGORY_ON_CHANNEL = 3
    ITEM = 4
    ITEM_ON_CHANNEL = 5
    LISTING = 6


@record(frozen=True, slots=True)
class Rule:
    """Which version of which policy a term comes from. No policy: what holds where nobody set anything."""

    policy_id: int | None = None
    version: int = 0
    scope: str = "Built in"
    author: str = ""
    since: datetime | None = None
    campaign: str = ""


BUILT_IN = Rule()


@record(frozen=True, slots=True)
class PolicyTerms:
    """One policy version in force with the terms it sets; what it does not name is inherited from the wider scope.

    `depth` tells a category from those above it: deeper is narrower. A campaign stands above every lasting rule.
    """

    breadth: Breadth
    rule: Rule
    values: Mapping[str, Any]
    depth: int = 0
    is_campaign: bool = False

    @property
    def rank(self) -> tuple[bool, int, int]:
        return (self.is_campaign, self.breadth, self.depth)


@record(frozen=True, slots=True)
class Term(Generic[Value]):
    """A value of the formula and the rule that set it."""

    value: Value
    rule: Rule = BUILT_IN


Figure = Term[Decimal]
Limit = Term[Decimal | None]


@record(frozen=True, slots=True)
class Terms:
    """The terms in force for one listing. Quantities are in the item's stock unit; see LABELS for what each one means."""

    basis: Term[str] = Term(AVAILABLE)
    fixed_quantity: Figure = Term(ZERO)
    incoming_days: Limit = Term(None)
    buildable_percent: Figure = Term(HUNDRED)
    building: Term[str] = Term(ALONE)
    divided_percent: Figure = Term(HUNDRED)
    supplier_percent: Figure = Term(ZERO)
    supplier_maximum: Limit = Term(None)
    supplier_hours: Figure = Term(Decimal(72))
    percent: Figure = Term(HUNDRED)
    buffer: Figure = Term(ZERO)
    buffer_percent: Figure = Term(ZERO)
    buffer_days: Figure = Term(ZERO)
    doubt_percent: Figure = Term(ZERO)
    minimum: Figure = Term(ZERO)
    maximum: Limit = Term(None)
    shelf_life_days: Figure = Term(ZERO)
    sharing: Term[str] = Term(POOL)
    weight: Figure = Term(Decimal(1))
    ring_fence: Figure = Term(ZERO)
    priority: Figure = Term(HUNDRED)
    scarce_below: Figure = Term(ZERO)
    scarce_days: Figure = Term(ZERO)
    trial_limit: Limit = Term(None)
    trial_until: Term[date | None] = Term(None)

    def named(self, name: str) -> Term[Any]:
        term: Term[Any] = getattr(self, name)
        return term

    @property
    def counts_incoming(self) -> bool:
        return self.basis.value == PROMISE

    @property
    def counts_buildable(self) -> bool:
        return self.basis.value == BUILDABLE

    @property
    def divides_building(self) -> bool:
        """Whether what could be built is divided with other products that draw on the same components."""
        return self.counts_buildable and self.building.value != ALONE

    @property
    def counts_suppliers(self) -> bool:
        return self.supplier_percent.value > 0 and self.basis.value not in (BUILT, FIXED)

    @property
    def needs_demand(self) -> bool:
        return self.buffer_days.value > 0 or self.scarce_days.value > 0 or self.sharing.value == DEMAND

    @property
    def takes_a_share(self) -> bool:
        """Whether what the listing may show depends on its sisters."""
        return bool(
            self.sharing.value != POOL
            or self.ring_fence.value
            or self.scarce_below.value
            or self.scarce_days.value
            or self.trial_limit.value is not None
        )


NAMES = tuple(field.name for field in fields(Terms))
BUILT_IN_TERMS = Terms()


def resolve(policies: Iterable[PolicyTerms]) -> Terms:
    """The terms in force: of all policies that apply to a listing, the narrowest one that sets a term decides it.

    A running campaign decides before every lasting rule; of two that set the same term for the same scope, the later one.
    """
    terms: dict[str, Any] = {}
    for policy in sorted(policies, key=lambda one: one.rank):
        for name, value in policy.values.items():
            terms[name] = Term(value, policy.rule)
    return Terms(**terms) if terms else BUILT_IN_TERMS
