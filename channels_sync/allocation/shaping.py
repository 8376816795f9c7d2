"""Which settings shaped which term of a figure, and which are in force without having had a say. Pure.

A setting is shown with the term it shaped whether a rule set it or the default held; one that would have changed nothing,
whatever it said, is not. What a rule set and nothing asked about is `idle`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from channels_sync.allocation.derivation import Derivation
from channels_sync.allocation.facts import Snapshot
from channels_sync.allocation.formula import Steps
from channels_sync.allocation.sharing import Decider, decider_of
from channels_sync.allocation.sisters import scarce_below
from channels_sync.allocation.terms import BUILT_IN, BY_WEIGHT, DEMAND, FIXED, HUNDRED, NAMES, WEIGHT, Term, Terms
from channels_sync.allocation.words import BUFFERS
from inventory.quantities import as_text
from inventory.records import record


class Shaped(Enum):
    """The terms of a figure that settings shape."""

    FIXED = "fixed figure"
    STOCK = "stock"
    AVAILABLE = "available"
    INCOMING = "incoming"
    PART_OF_BUILDING = "part of what could be built"
    DEGREE_OF_BUILDING = "divided by degrees"
    BUILDABLE = "could be built"
    SUPPLIERS = "suppliers"
    POOL = "part of the pool"
    BUFFER = "buffer"
    SHARE = "share"
    TRIAL = "trial"
    MINIMUM = "shown from"
    MAXIMUM = "shown at most"


@record(frozen=True, slots=True)
class Setting:
    """A term of the rules (by its name in the formula) with its value and rule, and what it did where that is not plain."""

    name: str
    term: Term[Any]
    note: str = ""

    @property
    def is_set(self) -> bool:
        return self.term.rule != BUILT_IN


Shaping = Mapping[Shaped, tuple[Setting, ...]]


def shaping_of(derivation: Derivation) -> Shaping:
    """The settings behind each term, the most telling first; terms that the figure has not are left out."""
    found: dict[Shaped, list[Setting]] = {}
    steps = derivation.steps
    for shaped, name, note in _settings(derivation, steps):
        found.setdefault(shaped, []).append(Setting(name, derivation.terms.named(name), note))
    return {shaped: tuple(settings) for shaped, settings in found.items()}


def idle_settings(derivation: Derivation, shaping: Shaping) -> tuple[Setting, ...]:
    """What rules set and the figure did not depend on."""
    seen = {setting.name for settings in shaping.values() for setting in settings}
    all_of_them = (Setting(name, derivation.terms.named(name)) for name in NAMES if name not in seen)
    return tuple(setting for setting in all_of_them if setting.is_set)


_Found = Iterator[tuple[Shaped, str, str]]


def _settings(derivation: Derivation, steps: Steps) -> _Found:
    terms = derivation.terms
    is_fixed = terms.basis.value == FIXED
    if is_fixed:
        yield from ((Shaped.FIXED, name, "") for name in ("fixed_quantity", "basis"))
    else:
        yield from _supply(derivation)
    if derivation.snapshot.allotment is not None:
        yield from ((Shaped.POOL, name, note) for name, note in _pool(derivation))
    if not is_fixed:
        yield from ((Shaped.BUFFER, name, note) for name, note in _buffers(terms, steps))
        yield Shaped.SHARE, "percent", ""
    yield from _limits(derivation)


def _supply(derivation: Derivation) -> _Found:
    terms, snapshot = derivation.terms, derivation.snapshot
    if _is_set(terms, "shelf_life_days"):
        yield Shaped.STOCK, "shelf_life_days", ""
    made = snapshot.makeable if terms.counts_buildable else None
    if not terms.counts_incoming and made is None:
        yield Shaped.AVAILABLE, "basis", ""
    if terms.counts_incoming:
        yield from ((Shaped.INCOMING, name, "") for name in ("basis", "incoming_days"))
    if made is not None:
        if made.alone is not None:
            yield Shaped.PART_OF_BUILDING, "building", ""
            if terms.building.value == BY_WEIGHT:
                yield Shaped.PART_OF_BUILDING, "weight", ""
            if terms.divided_percent.value != HUNDRED or _is_set(terms, "divided_percent"):
                yield Shaped.DEGREE_OF_BUILDING, "divided_percent", ""
        yield from ((Shaped.BUILDABLE, name, "") for name in ("basis", "buildable_percent"))
    if terms.counts_suppliers:
        yield from ((Shaped.SUPPLIERS, name, "") for name in ("supplier_percent", "supplier_hours"))
        if _is_set(terms, "supplier_maximum"):
            capped = derivation.steps.supply.suppliers == terms.supplier_maximum.value
            yield Shaped.SUPPLIERS, "supplier_maximum", "reached" if capped else "not reached"


def _pool(derivation: Derivation) -> Iterator[tuple[str, str]]:
    """What decided the listing's part, as far as its own rules say it; see `settings_of_another` for the rest."""
    terms, snapshot = derivation.terms, derivation.snapshot
    allotment = snapshot.allotment
    assert allotment is not None
    decider = decider_of(allotment)
    if decider is Decider.TRIAL:
        yield from _trial(terms)
        return
    if decider.is_by_priority or decider is Decider.SHARE:
        there = f"it could count on {as_text(allotment.pool)} {derivation.offer.unit}"
        yield from ((name, there) for name in _scarcity(terms, snapshot))
    if decider.is_by_priority:
        yield "priority", ""
    else:
        yield "sharing", ""
    if decider is Decider.SHARE:
        if terms.sharing.value == WEIGHT:
            yield "weight", ""
        if terms.divided_percent.value != HUNDRED or _is_set(terms, "divided_percent"):
            yield "divided_percent", ""
    if decider is Decider.OWN_FENCE or _is_set(terms, "ring_fence"):
        yield "ring_fence", ""
    if not decider.is_by_priority and _is_set(terms, "priority"):
        yield (
            "priority",
            "decides who is served first where something is scarce, whose ring-fence is cut out first, and ties",
        )


def _scarcity(terms: Terms, snapshot: Snapshot) -> Iterator[str]:
    """The setting that says how much goes by priority: units or days of demand, whichever is more."""
    units, most = terms.scarce_below.value, scarce_below(terms, snapshot)
    if most > units:
        yield "scarce_days"
    elif units:
        yield "scarce_below"


def _trial(terms: Terms) -> Iterator[tuple[str, str]]:
    yield "trial_limit", ""
    if terms.sharing.value == DEMAND:
        yield "sharing", "its part of the trial goes by it"
    elif _is_set(terms, "weight"):
        yield "weight", "its part of the trial goes by it"
    if _is_set(terms, "priority"):
        yield "priority", "decides ties"


def settings_of_another(derivation: Derivation, other: Terms) -> tuple[Setting, ...]:
    """What the rules of another listing of the item had to do with this one's part of the pool; only what a rule set."""
    if derivation.snapshot.allotment is None:
        return ()
    named = (Setting(name, other.named(name)) for name in _of_another(derivation, other))
    return tuple(setting for setting in named if setting.is_set and setting.term.value)


def _of_another(derivation: Derivation, other: Terms) -> Iterator[str]:
    own, allotment = derivation.terms, derivation.snapshot.allotment
    assert allotment is not None
    decider = decider_of(allotment)
    is_fixed = other.basis.value == FIXED
    if decider is Decider.TRIAL:
        if other.trial_limit.value is not None:
            if own.trial_limit.value is None or other.trial_limit.value < own.trial_limit.value:
                yield "trial_limit"
            yield "weight"
        return
    if is_fixed:
        return
    if decider.is_by_priority:
        if allotment.pool >= scarce_below(own, derivation.snapshot):
            yield from ("scarce_below", "scarce_days")
        yield "priority"
    if decider is Decider.SHARE and other.sharing.value in (WEIGHT, DEMAND):
        yield from ("sharing", "weight")
    if decider is not Decider.OWN_FENCE or allotment.limit < own.ring_fence.value:
        yield "ring_fence"


def _buffers(terms: Terms, steps: Steps) -> Iterator[tuple[str, str]]:
    """All buffers that a rule names; of several the largest was kept."""
    named = [name for name in BUFFERS if _is_set(terms, name)]
    if not named:
        yield "buffer", ""
    for name in sorted(named, key=lambda one: one != steps.buffer.name):
        is_only = len(named) == 1
        yield name, "" if is_only else "the largest, so it is kept" if name == steps.buffer.name else "not the largest"


def _limits(derivation: Derivation) -> _Found:
    terms = derivation.terms
    if _is_set(terms, "trial_until"):
        yield Shaped.TRIAL, "trial_until", ""
    allotment = derivation.snapshot.allotment
    if _is_set(terms, "trial_limit") and (allotment is None or decider_of(allotment) is not Decider.TRIAL):
        yield Shaped.TRIAL, "trial_limit", "not reached"
    if terms.minimum.value:
        yield Shaped.MINIMUM, "minimum", ""
    if terms.maximum.value is not None:
        yield Shaped.MAXIMUM, "maximum", ""


def _is_set(terms: Terms, name: str) -> bool:
    return terms.named(name).rule != BUILT_IN
