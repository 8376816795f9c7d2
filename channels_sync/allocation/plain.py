"""A rule as sentences a person would say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from channels_sync.allocation.terms import (
    ALONE,
    AVAILABLE,
    BUILDABLE,
    BUILT,
    BY_DEMAND,
    BY_WEIGHT,
    DEMAND,
    FENCED,
    FIXED,
    POOL,
    PROMISE,
    WEIGHT,
)
from inventory.quantities import as_text

_BASES = {
    AVAILABLE: "Starts from what is available.",
    PROMISE: "Counts what is available and what is on its way.",
    BUILT: "Counts finished stock alone.",
    BUILDABLE: "Counts finished stock, then what could be built.",
    FIXED: "Shows a fixed figure, whatever is in stock.",
}
_SHARINGS = {
    POOL: "Sees the whole pool.",
    WEIGHT: "Takes a share of the pool by weight.",
    DEMAND: "Takes a share of the pool by recent demand.",
    FENCED: "Sees its ring-fence alone.",
}
_BUILDINGS = {
    ALONE: "Sees all that could be built, as if nothing else were made of its components.",
    BY_WEIGHT: "Divides what could be built with products of the same components, by weight.",
    BY_DEMAND: "Divides what could be built with products of the same components, by recent demand.",
}
_SENTENCES: dict[str, str] = {
    "fixed_quantity": "The fixed figure is {}.",
    "incoming_days": "What is ordered or on the road counts when due within {} days.",
    "buildable_percent": "Of what could be built {} % counts.",
    "divided_percent": "Goes {} % of the way from seeing all to seeing its part alone.",
    "supplier_percent": "Of suppliers' stock {} % counts.",
    "supplier_maximum": "Suppliers' stock counts for {} at most.",
    "supplier_hours": "Suppliers' figures count up to {} hours.",
    "shelf_life_days": "Only what is good for {} days more counts.",
    "buffer": "Keeps {} back.",
    "buffer_percent": "Keeps {} % back.",
    "buffer_days": "Keeps {} days of demand back.",
    "doubt_percent": "Keeps up to {} % back, the more the less the books can be trusted.",
    "percent": "Shows {} % of what is left.",
    "minimum_to_list": "Shows 0 below {}.",
    "maximum_to_list": "Never shows more than {}.",
    "weight": "Weighs {}.",
    "ring_fence": "{} are kept for it alone.",
    "priority": "Has priority {} when scarce.",
    "scarce_below": "Goes by priority with fewer than {}; with more, shares grow from what that gave.",
    "scarce_days": "Goes by priority with fewer than {} days of demand; with more, shares grow from what that gave.",
    "trial_limit": "On trial: {} in all on every channel together.",
    "trial_until": "The trial ends after {}.",
}


def sentences(terms: Mapping[str, Any]) -> list[str]:
    """What a rule (its terms by column) says, most telling first; one sentence when it says nothing."""
    return list(_sentences(terms)) or ["Sets nothing: everything is inherited from the wider rule."]


def _sentences(terms: Mapping[str, Any]) -> Iterator[str]:
    if terms.get("basis"):
        yield _BASES[terms["basis"]]
    if terms.get("building"):
        yield _BUILDINGS[terms["building"]]
    for column, words in _SENTENCES.items():
        value = terms.get(column)
        if value is not None and value != "":
            yield words.format(_text(value))
    if terms.get("sharing"):
        yield _SHARINGS[terms["sharing"]]


def _text(value: Any) -> str:
    show: Callable[[Any], str] = as_text if isinstance(value, Decimal) else str
    return f"{value.day} {value:%B %Y}" if isinstance(value, date) else show(value)
