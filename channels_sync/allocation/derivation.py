"""The pure function of publishing, and the derivation that explains its result for ever."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Context, Decimal
from typing import Any

from channels_sync.allocation import stored, words
from channels_sync.allocation.facts import Allotment, Offer, Snapshot
from channels_sync.allocation.formula import Steps, work_out
from channels_sync.allocation.terms import NAMES, Rule, Terms
from inventory.records import record

_EXACT = Context(prec=60)


@record(frozen=True, slots=True)
class Derivation:
    """A published quantity with everything it follows from. Stored beside the figure; recomputes to itself for ever."""

    at: datetime
    offer: Offer
    snapshot: Snapshot
    terms: Terms
    quantity: int
    format: int = stored.FORMAT
    """Which formula it was worked out by; see stored.py."""

    @property
    def steps(self) -> Steps:
        counts_whole_steps = self.format >= stored.WHOLE_STEPS_FROM
        return work_out(self.snapshot, self.terms, self.offer, self.at, counts_whole_steps=counts_whole_steps)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule that set a term, once each."""
        found = {self.terms.named(name).rule: None for name in NAMES}
        return tuple(rule for rule in found if rule.policy_id is not None)

    def in_words(self) -> str:
        """The arithmetic on one line, for people."""
        return words.in_words(self.steps, snapshot=self.snapshot, terms=self.terms, offer=self.offer)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON column; decimals are texts, and what says nothing is left out."""
        return {
            "format": self.format,
            "at": self.at.isoformat(),
            "quantity": self.quantity,
            "listing": stored.offer_to_json(self.offer),
            "stock": stored.snapshot_to_json(self.snapshot),
            **stored.terms_to_json(self.terms),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Derivation:
        """Raises ValueError for a format this version does not know."""
        number = kept.get("format")
        if not isinstance(number, int) or number not in range(1, stored.FORMAT + 1):
            raise ValueError(f"This derivation has the format {number!r}; known are 1 to {stored.FORMAT}.")
        return cls(
            at=datetime.fromisoformat(kept["at"]),
            offer=stored.offer_from_json(kept["listing"]),
            snapshot=stored.snapshot_from_json(kept["stock"]),
            terms=stored.terms_from_json(kept),
            quantity=kept["quantity"],
            format=max(number, 2),
        )


_NOBODYS = '{"id": 0, "sku": "", '
"""How the JSON of an offer begins, before what is alike of many."""


class DerivationTexts:
    """Many derivations as the text of their JSON; stock, rules and what is alike of the listings is put together once."""

    def __init__(self) -> None:
        self._known: dict[
            int, tuple[object, str]
        ] = {}  # by identity; kept with it, so that nothing else takes its number
        self._alike: dict[tuple[object, ...], str] = {}

    def of(self, derivation: Derivation) -> str:
        """The same as json.dumps of to_json, save for the spaces."""
        at = self._shared(derivation.at, datetime.isoformat)
        stock = self._shared(derivation.snapshot, stored.snapshot_to_json)
        terms = self._shared(derivation.terms, stored.terms_to_json)
        return (
            f'{{"format":{derivation.format},"at":{at},"quantity":{derivation.quantity},'
            f'"listing":{self._offer(derivation.offer)},"stock":{stock},{terms[1:]}'
        )

    def _offer(self, offer: Offer) -> str:
        if offer.lid is not None or offer.kept is not None:
            return json.dumps(stored.offer_to_json(offer))
        alike = (offer.unit, offer.step, offer.pack_size, offer.quantity_max, offer.withdrawn)
        rest = self._alike.get(alike)
        if rest is None:
            nobodys = json.dumps(stored.offer_to_json(replace(offer, listing_id=0, sku="")))
            rest = self._alike[alike] = nobodys.removeprefix(_NOBODYS)
            assert rest != nobodys, nobodys
        return f'{{"id":{offer.listing_id},"sku":{json.dumps(offer.sku)},{rest}'

    def _shared(self, one: Any, to_json: Callable[[Any], Any]) -> str:
        known = self._known.get(id(one))
        if known is None:
            known = self._known[id(one)] = (one, json.dumps(to_json(one)))
        return known[1]


def published_quantity(*, snapshot: Snapshot, terms: Terms, offer: Offer, now: datetime) -> tuple[int, Derivation]:
    """How many sold units the listing may show, 0 or more, and why."""
    packs = work_out(snapshot, terms, offer, now).packs
    return packs, Derivation(now, offer, snapshot, terms, packs)


def recompute(derivation: Derivation) -> int:
    """The quantity again, from the stored inputs alone."""
    return derivation.steps.packs


def exposed(*, snapshot: Snapshot, terms: Terms, offer: Offer, now: datetime, allotment: Allotment) -> Decimal:
    """Stock units the listing would show of an allotment."""
    packs = work_out(replace(snapshot, allotment=allotment), terms, offer, now).packs
    return _EXACT.multiply(Decimal(packs), offer.pack_size)
