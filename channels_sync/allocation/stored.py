"""Derivations as compact JSON. A change of the formula or of the shape takes the next format and keeps the old reader.

Format 1 knew four terms and no layer but stock; it is read as what it is, a case of format 2.
Format 2 has the shape of the present one; its formula brought a quantity down to whole steps at the end only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from channels_sync.allocation.facts import (
    PURCHASE,
    Allotment,
    Component,
    Confidence,
    Demand,
    Incoming,
    Makeable,
    Offer,
    Snapshot,
    SourceStock,
    SupplierFigure,
)
from channels_sync.allocation.terms import BUILT_IN, BUILT_IN_TERMS, NAMES, Rule, Term, Terms
from inventory.quantities import ZERO, as_text

FORMAT = 3
WHOLE_STEPS_FROM = 3
"""From this format on what is allotted is brought down to whole steps before the buffer is taken."""
_DATES = frozenset({"trial_until"})
_WORDS = frozenset({"basis", "building", "sharing"})


def offer_to_json(offer: Offer) -> dict[str, Any]:
    frozen = {} if offer.lid is None else {"lid": offer.lid, "frozen": offer.frozen}
    kept = {} if offer.kept is None else {"kept": offer.kept, "kept_for": offer.kept_for}
    return {
        "id": offer.listing_id,
        "sku": offer.sku,
        "unit": offer.unit,
        "step": as_text(offer.step),
        "pack_size": as_text(offer.pack_size),
        "quantity_max": offer.quantity_max,
        "withdrawn": offer.withdrawn,
        **frozen,
        **kept,
    }


def offer_from_json(kept: Mapping[str, Any]) -> Offer:
    return Offer(
        listing_id=kept["id"],
        sku=kept["sku"],
        unit=kept["unit"],
        step=Decimal(kept["step"]),
        pack_size=Decimal(kept["pack_size"]),
        quantity_max=kept["quantity_max"],
        withdrawn=kept["withdrawn"],
        lid=kept.get("lid"),
        frozen=kept.get("frozen", ""),
        kept=kept.get("kept"),
        kept_for=kept.get("kept_for", ""),
    )


_PARTS = ("reserved_pinned", "reserved_soft", "expired", "withheld")


def snapshot_to_json(snapshot: Snapshot) -> dict[str, Any]:
    found: dict[str, Any] = {
        "item": snapshot.item_id,
        "cutoff": snapshot.cutoff,
        "sources": [_source_to_json(source) for source in snapshot.sources],
    }
    if snapshot.incoming:
        found["incoming"] = [
            [
                one.order_id,
                one.reference,
                as_text(one.quantity),
                None if one.expected_on is None else one.expected_on.isoformat(),
                *([] if one.kind == PURCHASE else [one.kind]),
            ]
            for one in snapshot.incoming
        ]
    if snapshot.suppliers:
        found["suppliers"] = [
            [one.supplier, as_text(one.quantity), one.confirmed_at.isoformat()] for one in snapshot.suppliers
        ]
    if snapshot.makeable is not None:
        found["makeable"] = {
            "quantity": as_text(snapshot.makeable.quantity),
            "bom": snapshot.makeable.bom_id,
            "components": [
                [one.item_id, one.sku, one.unit, as_text(one.free), as_text(one.limit)]
                for one in snapshot.makeable.components
            ],
            "problem": snapshot.makeable.problem,
        }
        if snapshot.makeable.alone is not None:
            found["makeable"]["alone"] = as_text(snapshot.makeable.alone)
            found["makeable"]["divided"] = snapshot.makeable.divided
    if snapshot.demand is not None:
        found["demand"] = [snapshot.demand.days, as_text(snapshot.demand.here), as_text(snapshot.demand.everywhere)]
    if snapshot.confidence is not None:
        one = snapshot.confidence
        found["confidence"] = [one.counted_days_ago, one.moves_since, one.is_stale]
    if snapshot.allotment is not None:
        share = snapshot.allotment
        found["allotment"] = [as_text(share.limit), as_text(share.pool), share.reason]
    return found


def _source_to_json(source: SourceStock) -> dict[str, Any]:
    found: dict[str, Any] = {
        "location": source.location_id,
        "code": source.code,
        "on_hand": as_text(source.on_hand),
    }
    for name in _PARTS:
        quantity: Decimal = getattr(source, name)
        if quantity:
            found[name] = as_text(quantity)
    return found


def snapshot_from_json(kept: Mapping[str, Any]) -> Snapshot:
    makeable, demand, confidence = kept.get("makeable"), kept.get("demand"), kept.get("confidence")
    allotment = kept.get("allotment")
    return Snapshot(
        item_id=kept["item"],
        cutoff=kept["cutoff"],
        sources=tuple(
            SourceStock(
                location_id=source["location"],
                code=source["code"],
                on_hand=Decimal(source["on_hand"]),
                **{name: Decimal(source[name]) if name in source else ZERO for name in _PARTS},
            )
            for source in kept["sources"]
        ),
        incoming=tuple(
            Incoming(order, reference, Decimal(quantity), None if day is None else date.fromisoformat(day), *kind)
            for order, reference, quantity, day, *kind in kept.get("incoming", ())
        ),
        suppliers=tuple(
            SupplierFigure(supplier, Decimal(quantity), datetime.fromisoformat(at))
            for supplier, quantity, at in kept.get("suppliers", ())
        ),
        makeable=None if makeable is None else _makeable(makeable),
        demand=None if demand is None else Demand(demand[0], Decimal(demand[1]), Decimal(demand[2])),
        confidence=None if confidence is None else Confidence(*confidence),
        allotment=None if allotment is None else Allotment(Decimal(allotment[0]), Decimal(allotment[1]), allotment[2]),
    )


def _makeable(kept: Mapping[str, Any]) -> Makeable:
    return Makeable(
        quantity=Decimal(kept["quantity"]),
        bom_id=kept["bom"],
        components=tuple(
            Component(item_id, sku, unit, Decimal(free), Decimal(limit))
            for item_id, sku, unit, free, limit in kept["components"]
        ),
        problem=kept["problem"],
        alone=Decimal(kept["alone"]) if "alone" in kept else None,
        divided=kept.get("divided", ""),
    )


_all_terms = attrgetter(*NAMES)
_BUILT_IN = _all_terms(BUILT_IN_TERMS)


def terms_to_json(terms: Terms) -> dict[str, Any]:
    """Only terms that a rule set, each as its value and the number of its rule in the list beside it."""
    rules: list[Rule] = []
    numbers: dict[int, int] = {}
    found: dict[str, Any] = {}
    for name, term, built_in in zip(NAMES, _all_terms(terms), _BUILT_IN, strict=True):
        if term is not built_in:  # what nobody set is the very object of the default
            number = numbers.setdefault(id(term.rule), len(rules))
            if number == len(rules):
                rules.append(term.rule)
            found[name] = [_plain(term.value), number]
    return {"terms": found, "rules": [_rule_to_json(rule) for rule in rules]}


def terms_from_json(kept: Mapping[str, Any]) -> Terms:
    if kept["format"] == 1:
        return Terms(
            **{name: Term(_value(name, one["value"]), _rule(one["rule"])) for name, one in kept["terms"].items()}
        )
    rules = [_rule(rule) for rule in kept["rules"]]
    return Terms(**{name: Term(_value(name, value), rules[number]) for name, (value, number) in kept["terms"].items()})


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return as_text(value)
    return value.isoformat() if isinstance(value, date) else value


def _value(name: str, value: Any) -> Any:
    if value is None or name in _WORDS:
        return value
    return date.fromisoformat(value) if name in _DATES else Decimal(value)


def _rule_to_json(rule: Rule) -> dict[str, Any]:
    return {
        "policy": rule.policy_id,
        "version": rule.version,
        "scope": rule.scope,
        "author": rule.author,
        "since": None if rule.since is None else rule.since.isoformat(),
        **({"campaign": rule.campaign} if rule.campaign else {}),
    }


def _rule(kept: Mapping[str, Any]) -> Rule:
    rule = Rule(
        policy_id=kept["policy"],
        version=kept["version"],
        scope=kept["scope"],
        author=kept["author"],
        since=None if kept["since"] is None else datetime.fromisoformat(kept["since"]),
        campaign=kept.get("campaign", ""),
    )
    return BUILT_IN if rule == BUILT_IN else rule
