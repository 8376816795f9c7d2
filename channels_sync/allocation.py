"""From what is available to what a listing shows: a pure function, and the derivation that explains its result.

    published = floor to packs( at most maximum( 0 below minimum( floor to steps(
                    percent of max(0, sum over sources of max(0, available) - buffer) ) ) ) )

Every source is clamped at zero by itself, so that what one site owes is not taken from another; the buffer is taken once
from the sum. Quantities are in the item's stock unit until the last step, which counts sold units. Nothing is rounded
but where the formula says floor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any

from inventory.quantities import ZERO, as_text, round_down, to_decimal

FORMAT = 1
"""Of stored derivations. A change of the formula or of the stored shape takes the next number and keeps the old reader."""
HUNDRED = Decimal(100)

_MINUS = "\N{MINUS SIGN}"
_TIMES = "\N{MULTIPLICATION SIGN}"
_ARROW = "\N{RIGHTWARDS ARROW}"


class Breadth(IntEnum):
    """Scopes of policies from wide to narrow; a narrower one decides."""

    EVERYTHING = 0
    CHANNEL = 1
    ITEM = 2
    ITEM_ON_CHANNEL = 3
    LISTING = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """Which version of which policy a term comes from. No policy: what holds where nobody set anything."""

    policy_id: int | None = None
    version: int = 0
    scope: str = "Built in"
    author: str = ""
    since: datetime | None = None


BUILT_IN = Rule()


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """One policy version in force; a term that is None is inherited from the wider scope."""

    breadth: Breadth
    rule: Rule
    percent: Decimal | None = None
    buffer: Decimal | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """A value of the formula and the rule that set it; None only for a maximum that nobody set."""

    value: Decimal | None
    rule: Rule


@dataclass(frozen=True, slots=True)
class Terms:
    """The four terms in force for one listing."""

    percent: Term = Term(HUNDRED, BUILT_IN)
    buffer: Term = Term(ZERO, BUILT_IN)
    minimum: Term = Term(ZERO, BUILT_IN)
    maximum: Term = Term(None, BUILT_IN)


@dataclass(frozen=True, slots=True)
class SourceStock:
    """One source as it was read. `expired` and `withheld` are not part of `on_hand`; they stand there to explain."""

    location_id: int
    code: str
    on_hand: Decimal
    reserved_pinned: Decimal = ZERO
    reserved_soft: Decimal = ZERO
    expired: Decimal = ZERO
    withheld: Decimal = ZERO

    @property
    def available(self) -> Decimal:
        return self.on_hand - self.reserved_pinned - self.reserved_soft


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The item's stock at the sources of one channel. `cutoff` is the newest movement of the item it contains."""

    item_id: int
    cutoff: int | None
    sources: tuple[SourceStock, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the formula needs to know of a listing. `quantity_max` is the largest figure the channel takes, in packs.

    `withdrawn` says why nothing may be offered at all; empty when it may.
    """

    listing_id: int
    sku: str
    unit: str
    step: Decimal
    pack_size: Decimal
    quantity_max: int
    withdrawn: str = ""


@dataclass(frozen=True, slots=True)
class Steps:
    """The formula's intermediate results, in the stock unit; `packs` in sold units."""

    available: Decimal
    after_buffer: Decimal
    share: Decimal
    after_minimum: Decimal
    after_maximum: Decimal
    packs: int


@dataclass(frozen=True, slots=True)
class Derivation:
    """A published quantity with everything it follows from. Stored beside the figure; recomputes to itself for ever."""

    at: datetime
    offer: Offer
    snapshot: Snapshot
    terms: Terms
    quantity: int

    @property
    def steps(self) -> Steps:
        return _steps(self.snapshot, self.terms, self.offer)

    def in_words(self) -> str:
        """The arithmetic on one line, for people."""
        return _in_words(self)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON column; decimals are texts."""
        return _to_json(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Derivation:
        """Raises ValueError for a format this version does not know."""
        return _from_json(stored)


def resolve(policies: Iterable[PolicyTerms]) -> Terms:
    """The terms in force: of all policies that apply to a listing, the narrowest one that sets a term decides it."""
    terms = {
        "percent": Term(HUNDRED, BUILT_IN),
        "buffer": Term(ZERO, BUILT_IN),
        "minimum": Term(ZERO, BUILT_IN),
        "maximum": Term(None, BUILT_IN),
    }
    for policy in sorted(policies, key=lambda one: one.breadth):
        for name in terms:
            value: Decimal | None = getattr(policy, name)
            if value is not None:
                terms[name] = Term(value, policy.rule)
    return Terms(**terms)


def published_quantity(*, snapshot: Snapshot, terms: Terms, offer: Offer, now: datetime) -> tuple[int, Derivation]:
    """How many sold units the listing may show, 0 or more, and why."""
    packs = _steps(snapshot, terms, offer).packs
    return packs, Derivation(now, offer, snapshot, terms, packs)


def recompute(derivation: Derivation) -> int:
    """The quantity again, from the stored inputs alone."""
    return _steps(derivation.snapshot, derivation.terms, derivation.offer).packs


def _steps(snapshot: Snapshot, terms: Terms, offer: Offer) -> Steps:
    percent, buffer, minimum = terms.percent.value, terms.buffer.value, terms.minimum.value
    assert percent is not None
    assert buffer is not None
    assert minimum is not None
    available = sum((max(ZERO, source.available) for source in snapshot.sources), ZERO)
    after_buffer = max(ZERO, available - buffer)
    share = round_down(Fraction(after_buffer) * Fraction(percent) / 100, offer.step)
    after_minimum = ZERO if share < minimum or offer.withdrawn else share
    maximum = terms.maximum.value
    after_maximum = after_minimum if maximum is None else min(after_minimum, maximum)
    packs = min(Fraction(after_maximum) // Fraction(offer.pack_size), offer.quantity_max)
    return Steps(available, after_buffer, share, after_minimum, after_maximum, int(packs))


# --- words ---


def _in_words(derivation: Derivation) -> str:
    snapshot, terms, offer, steps = derivation.snapshot, derivation.terms, derivation.offer, derivation.steps
    text = as_text(to_decimal(sum((Fraction(source.on_hand) for source in snapshot.sources), Fraction(0))))
    text = f"on hand {text}{_reserved(snapshot.sources, steps)}"
    buffer, percent, maximum = terms.buffer.value, terms.percent.value, terms.maximum.value
    if buffer:
        text += f" {_MINUS} buffer {as_text(buffer)}"
    if text != f"on hand {as_text(steps.after_buffer)}":
        text += f" = {as_text(steps.after_buffer)}"
    if percent is not None and percent != HUNDRED:
        text += f" {_TIMES} {as_text(percent)} % = {as_text(steps.share)}"
    elif steps.share != steps.after_buffer:
        text += f" {_ARROW} steps of {as_text(offer.step)} {_ARROW} {as_text(steps.share)}"
    if offer.withdrawn:
        text += f" {_ARROW} {offer.withdrawn} {_ARROW} 0"
    elif steps.after_minimum != steps.share:
        text += f" {_ARROW} below minimum {as_text(terms.minimum.value or ZERO)} {_ARROW} 0"
    if maximum is not None and steps.after_maximum != steps.after_minimum:
        text += f" {_ARROW} at most {as_text(maximum)} {_ARROW} {as_text(steps.after_maximum)}"
    if offer.pack_size != 1:
        text += f" {_ARROW} pack of {as_text(offer.pack_size)} {_ARROW} {steps.packs}"
    elif steps.after_maximum != steps.packs:
        text += f" {_ARROW} whole units the channel takes {_ARROW} {steps.packs}"
    return text


def _reserved(sources: Sequence[SourceStock], steps: Steps) -> str:
    reserved = sum((source.reserved_pinned + source.reserved_soft for source in sources), ZERO)
    text = f" {_MINUS} reserved {as_text(reserved)}" if reserved else ""
    short = [source for source in sources if source.available < ZERO]
    if short:
        owed = "; ".join(f"{source.code} is short of {as_text(-source.available)}" for source in short)
        text += f" ({owed}, not taken from elsewhere: {as_text(steps.available)})"
    return text


# --- stored form ---


def _to_json(derivation: Derivation) -> dict[str, Any]:
    offer, snapshot = derivation.offer, derivation.snapshot
    return {
        "format": FORMAT,
        "at": derivation.at.isoformat(),
        "quantity": derivation.quantity,
        "listing": {
            "id": offer.listing_id,
            "sku": offer.sku,
            "unit": offer.unit,
            "step": as_text(offer.step),
            "pack_size": as_text(offer.pack_size),
            "quantity_max": offer.quantity_max,
            "withdrawn": offer.withdrawn,
        },
        "stock": {
            "item": snapshot.item_id,
            "cutoff": snapshot.cutoff,
            "sources": [
                {
                    "location": source.location_id,
                    "code": source.code,
                    "on_hand": as_text(source.on_hand),
                    "reserved_pinned": as_text(source.reserved_pinned),
                    "reserved_soft": as_text(source.reserved_soft),
                    "expired": as_text(source.expired),
                    "withheld": as_text(source.withheld),
                }
                for source in snapshot.sources
            ],
        },
        "terms": {
            name: {"value": None if term.value is None else as_text(term.value), "rule": _rule_to_json(term.rule)}
            for name, term in (
                ("percent", derivation.terms.percent),
                ("buffer", derivation.terms.buffer),
                ("minimum", derivation.terms.minimum),
                ("maximum", derivation.terms.maximum),
            )
        },
    }


def _rule_to_json(rule: Rule) -> dict[str, Any]:
    return {
        "policy": rule.policy_id,
        "version": rule.version,
        "scope": rule.scope,
        "author": rule.author,
        "since": None if rule.since is None else rule.since.isoformat(),
    }


def _from_json(stored: Mapping[str, Any]) -> Derivation:
    if stored.get("format") != FORMAT:
        raise ValueError(f"This derivation has the format {stored.get('format')!r}; known is {FORMAT}.")
    listing, stock, terms = stored["listing"], stored["stock"], stored["terms"]
    return Derivation(
        at=datetime.fromisoformat(stored["at"]),
        offer=Offer(
            listing_id=listing["id"],
            sku=listing["sku"],
            unit=listing["unit"],
            step=Decimal(listing["step"]),
            pack_size=Decimal(listing["pack_size"]),
            quantity_max=listing["quantity_max"],
            withdrawn=listing["withdrawn"],
        ),
        snapshot=Snapshot(
            item_id=stock["item"],
            cutoff=stock["cutoff"],
            sources=tuple(
                SourceStock(
                    location_id=source["location"],
                    code=source["code"],
                    on_hand=Decimal(source["on_hand"]),
                    reserved_pinned=Decimal(source["reserved_pinned"]),
                    reserved_soft=Decimal(source["reserved_soft"]),
                    expired=Decimal(source["expired"]),
                    withheld=Decimal(source["withheld"]),
                )
                for source in stock["sources"]
            ),
        ),
        terms=Terms(**{name: _term_from_json(terms[name]) for name in ("percent", "buffer", "minimum", "maximum")}),
        quantity=stored["quantity"],
    )


def _term_from_json(stored: Mapping[str, Any]) -> Term:
    rule = stored["rule"]
    return Term(
        value=None if stored["value"] is None else Decimal(stored["value"]),
        rule=Rule(
            policy_id=rule["policy"],
            version=rule["version"],
            scope=rule["scope"],
            author=rule["author"],
            since=None if rule["since"] is None else datetime.fromisoformat(rule["since"]),
        ),
    )
