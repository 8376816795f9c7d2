"""A derivation as lines of a sum for people; each line opens what it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils import timezone

from channels_sync.allocation import Derivation, Incoming, Makeable, Term
from channels_sync.allocation.facts import TRANSFER, WORK_ORDER
from channels_sync.allocation.formula import Steps, built_by
from channels_sync.allocation.terms import FIXED
from channels_sync.allocation.words import BUFFERS
from channels_sync.reads.publishing import counted_in_ledger
from inventory.quantities import ZERO
from inventory.templatetags.figures import grouped


@dataclass(frozen=True, slots=True)
class WhyLine:
    """One term of a published figure. `is_part` stands below the term before it; `url` leads to what it comes from."""

    label: str
    value: str
    unit: str = ""
    hint: str = ""
    url: str = ""
    is_part: bool = False
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Why:
    derivation: Derivation
    lines: tuple[WhyLine, ...]
    ledger: str
    """Whether the ledger, summed up again to the cut-off, gives the stock that was counted; in words."""
    agrees: bool


def why_of(stored: Mapping[str, Any]) -> Why | None:
    """A stored derivation as lines of a sum; None for a format this version does not know."""
    try:
        derivation = Derivation.from_json(stored)
    except ValueError:
        return None
    return explain(derivation)


def explain(derivation: Derivation) -> Why:
    """The sum, and a look at the ledger: one statement."""
    counted = counted_in_ledger(derivation)
    differing = [
        f"{source.code}: {grouped(counted.get(source.location_id, ZERO))} in the ledger"
        for source in derivation.snapshot.sources
        if source.location_id
        and counted.get(source.location_id, ZERO) != source.on_hand + source.expired + source.withheld
    ]
    cutoff = derivation.snapshot.cutoff
    if cutoff is None:
        words = "The item had never moved."
    elif differing:
        words = f"Summed up again to movement {cutoff}, the ledger says otherwise: {'; '.join(differing)}."
    else:
        words = f"Summed up again to movement {cutoff}, the ledger gives the same stock."
    return Why(derivation, tuple(_lines(derivation)), words, not differing)


def _lines(derivation: Derivation) -> Iterator[WhyLine]:
    offer, terms, steps = derivation.offer, derivation.terms, derivation.steps
    unit = offer.unit
    is_fixed = terms.basis.value == FIXED
    if is_fixed:
        yield _term_line("Fixed figure", terms.fixed_quantity, grouped, unit)
    else:
        yield from _stock(derivation, steps)
        yield from _layers(derivation, steps)
    allotment = derivation.snapshot.allotment
    if allotment is not None:
        yield _term_line(
            "Its part of the pool", terms.sharing, lambda _: grouped(allotment.limit), unit, allotment.reason
        )
    yield from _demand(derivation)
    if not is_fixed:
        name = steps.buffer.name or "buffer"
        hint = "" if name == "buffer" else BUFFERS[name].removeprefix("buffer ")
        if name == "doubt_percent" and derivation.snapshot.confidence is not None:
            hint += f": {grouped(_rounded(derivation.snapshot.confidence.doubt))} of 100 in doubt"
        shown = grouped(-steps.buffer.quantity)
        yield _term_line("Buffer kept back", terms.named(name), lambda _: shown, unit, hint)
        yield _term_line("Share for this channel", terms.percent, grouped, "%")
    yield WhyLine("Leaves", grouped(steps.share), unit, is_total=True)
    if steps.withdrawn:
        yield WhyLine("Withdrawn", "0", unit, steps.withdrawn)
    if terms.minimum.value:
        hint = "below it, so 0 is shown" if steps.after_minimum != steps.share and not steps.withdrawn else "reached"
        yield _term_line("Shown from", terms.minimum, grouped, unit, hint)
    if terms.maximum.value is not None:
        hint = "caps it" if steps.after_maximum != steps.after_minimum else "not reached"
        yield _term_line("Shown at most", terms.maximum, grouped, unit, hint)
    if offer.pack_size != 1:
        yield WhyLine("Sold in packs of", grouped(offer.pack_size), unit, "rounded down to whole packs")
    if offer.kept is not None:
        hint = f"{offer.kept_for}; the rules give {grouped(steps.given)}"
        if offer.kept > steps.given:
            hint += ", so more may be sold than there is"
        yield WhyLine("Kept at, by a decision", grouped(offer.kept), "", hint)
    if offer.lid is not None:
        yield WhyLine("Frozen at", grouped(offer.lid), "", offer.frozen + ("" if steps.is_frozen else "; not reached"))
    yield WhyLine("Published", grouped(derivation.quantity), "", is_total=True)


def _demand(derivation: Derivation) -> Iterator[WhyLine]:
    """What was sold lately, where a term asks for it."""
    demand, offer = derivation.snapshot.demand, derivation.offer
    if demand is not None:
        hint = f"in {demand.days} days; {grouped(demand.everywhere)} {offer.unit} on all channels"
        url = reverse("channels_sync:listing_demand", args=[offer.listing_id])
        yield WhyLine("Recent demand here", grouped(demand.here), offer.unit, hint, url)


def _rounded(value: Any) -> Decimal:
    return Decimal(int(value))


def _stock(derivation: Derivation, steps: Steps) -> Iterator[WhyLine]:
    snapshot, unit = derivation.snapshot, derivation.offer.unit
    item = reverse("inventory:item", args=[snapshot.item_id])
    ledger = f"{item}?tab=ledger"
    on_hand = sum((source.on_hand for source in snapshot.sources), ZERO)
    yield WhyLine("On hand, good for sale", grouped(on_hand), unit, url=ledger)
    days = int(derivation.terms.shelf_life_days.value)
    for source in snapshot.sources:
        url = f"{ledger}&place={source.location_id}"
        yield WhyLine(source.code, grouped(source.on_hand), unit, url=url, is_part=True)
        left_out = source.expired + source.withheld
        if left_out:
            hint = f"held, damaged, good for fewer than {days} days" if days else "held, damaged, expired"
            yield WhyLine("not counted", grouped(left_out), unit, f"{hint} or not for sale there", is_part=True)
    reserved = sum((source.reserved_pinned + source.reserved_soft for source in snapshot.sources), ZERO)
    yield WhyLine("Promised already", grouped(-reserved), unit, url=f"{item}?tab=where" if reserved else "")
    for source in snapshot.sources:
        if source.available < ZERO:
            hint = "short there; not taken from elsewhere"
            yield WhyLine(source.code, grouped(-source.available), unit, hint, is_part=True)
    yield WhyLine("Available", grouped(steps.available), unit, is_total=True)


def _document_of(one: Incoming) -> str:
    if one.kind == TRANSFER:
        return reverse("inventory:transfer_page", args=[one.reference])
    if one.kind == WORK_ORDER:
        return reverse("production:work_order", args=[one.reference])
    return reverse("buying:order", args=[one.order_id])


def _layers(derivation: Derivation, steps: Steps) -> Iterator[WhyLine]:
    snapshot, terms, supply = derivation.snapshot, derivation.terms, steps.supply
    unit = derivation.offer.unit
    if terms.counts_incoming:
        yield _term_line("On its way, in time", terms.basis, lambda _: grouped(supply.incoming), unit)
        for order in snapshot.incoming:
            due = "no date, so not promised" if order.expected_on is None else f"due {order.expected_on:%d %b %Y}"
            url = _document_of(order)
            yield WhyLine(order.reference, grouped(order.quantity), unit, due, url, is_part=True)
    if terms.counts_buildable and snapshot.makeable is not None:
        share = terms.buildable_percent
        counted = built_by(snapshot.makeable, terms)
        hint = "" if share.value == 100 else f"{grouped(share.value)} % of {grouped(counted)}"
        alone = snapshot.makeable.alone
        if alone is not None:
            note = f"{grouped(alone)} if nothing else were made of its components; {snapshot.makeable.divided}"
            shown = grouped(snapshot.makeable.quantity)
            yield _term_line("Its part of what could be built", terms.building, lambda _: shown, unit, note)
            if terms.divided_percent.value != 100:
                note = f"{grouped(terms.divided_percent.value)} % of the way from all to its part"
                yield _term_line("Divided by degrees", terms.divided_percent, lambda _: grouped(counted), unit, note)
        yield _term_line("Could be built", terms.basis, lambda _: grouped(supply.buildable), unit, hint)
        yield from _components(snapshot.makeable, unit)
    if terms.counts_suppliers:
        hint = f"{grouped(terms.supplier_percent.value)} % of what they say"
        yield _term_line("With suppliers", terms.supplier_percent, lambda _: grouped(supply.suppliers), unit, hint)
        for figure in snapshot.suppliers:
            hours = (derivation.at - figure.confirmed_at).total_seconds() // 3600
            is_old = hours >= terms.supplier_hours.value
            hint = f"said {timezone.localtime(figure.confirmed_at):%d %b %Y %H:%M}" + (
                ", too long ago to count" if is_old else ""
            )
            yield WhyLine(figure.supplier, grouped(figure.quantity), unit, hint, is_part=True)
    if supply.total != supply.available:
        yield WhyLine("Supply in all", grouped(supply.total), unit, is_total=True)


def _components(made: Makeable, unit: str) -> Iterator[WhyLine]:
    if made.problem:
        yield WhyLine("none", grouped(made.quantity), unit, made.problem, is_part=True)
    for place, part in enumerate(made.components):
        hint = f"{grouped(part.free)} {part.unit} free" + (", the bottleneck" if place == 0 else "")
        url = f"{reverse('inventory:item', args=[part.item_id])}?tab=where"
        yield WhyLine(part.sku, grouped(part.limit), unit, hint, url, is_part=True)


def _term_line(label: str, term: Term[Any], show: Callable[[Any], str], unit: str, note: str = "") -> WhyLine:
    """A term of the policy with the rule that set it."""
    rule = term.rule
    if rule.policy_id is None:
        hint = "as proposed" if rule.scope == "As proposed" else "nobody set a rule"
    else:
        hint = f"{rule.scope}, version {rule.version}"
    if rule.campaign:
        hint = f"campaign {rule.campaign}: {hint}"
    if rule.author:
        hint += f", by {rule.author}"
    if rule.since is not None:
        hint += f", since {timezone.localtime(rule.since):%d %b %Y %H:%M}"
    url = reverse("channels_sync:policy", args=[rule.policy_id]) if rule.policy_id is not None else ""
    value = term.value if term.value is not None else Decimal(0)
    return WhyLine(label, show(value), unit, f"{note}; {hint}" if note else hint, url)
