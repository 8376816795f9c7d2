"""A derivation as lines of a sum for people; each line opens what it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.urls import reverse
from django.utils import timezone

from channels_sync.allocation import Component, Confidence, Demand, Derivation, Incoming, Makeable
from channels_sync.allocation.facts import (
    AGE_DAYS,
    AGE_POINTS,
    MOVE_POINTS,
    MOVES,
    STALE_POINTS,
    TRANSFER,
    WORK_ORDER,
    SourceStock,
)
from channels_sync.allocation.formula import Steps, built_by
from channels_sync.allocation.shaping import Shaped
from channels_sync.allocation.terms import BY_DEMAND, FIXED
from channels_sync.allocation.words import BUFFERS
from channels_sync.reads.explaining import Explanation, explanation_of
from channels_sync.views.why_settings import WhySetting, in_words
from inventory.quantities import ZERO, round_down
from inventory.reads.promises import HeldThen
from inventory.templatetags.figures import grouped
from production.models import DEMAND_KIND

_HUNDREDTH = Decimal("0.01")


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
    settings: tuple[WhySetting, ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    derivation: Derivation
    lines: tuple[WhyLine, ...]
    idle: tuple[WhySetting, ...]
    """What rules set without any effect on this figure."""
    ledger: str
    """Whether the ledger, summed up again to the cut-off, gives the stock that was counted; in words."""
    ledger_url: str
    """Empty where it counted several places."""
    agrees: bool


def why_of(stored: Mapping[str, Any]) -> Why | None:
    """A stored derivation as lines of a sum; None for a format this version does not know."""
    try:
        derivation = Derivation.from_json(stored)
    except ValueError:
        return None
    return explain(derivation)


def explain(derivation: Derivation, *, is_present: bool = False) -> Why:
    """The sum, with what stood behind it then; see `explanation_of` for its statements.

    Doors lead to the rows of that time where they are kept. Where only today's can be shown the line says so, unless the figure
    is worked out at this moment: stock and promises may move without moving the figure, so that even the newest may be older.
    """
    found = explanation_of(derivation)
    return Why(
        derivation,
        tuple(Sum(found, is_present=is_present).lines()),
        tuple(in_words(one, derivation.offer.unit) for one in found.idle),
        _ledger_words(found),
        _url_of_all(derivation),
        found.agrees_with_ledger,
    )


def _ledger_words(found: Explanation) -> str:
    snapshot = found.derivation.snapshot
    differing = [
        f"{source.code}: {grouped(found.counted.get(source.location_id, ZERO))} in the ledger"
        for source in snapshot.sources
        if source.location_id
        and found.counted.get(source.location_id, ZERO) != source.on_hand + source.expired + source.withheld
    ]
    if snapshot.cutoff is None:
        return "The item had never moved."
    if differing:
        return f"Summed up again to movement {snapshot.cutoff}, the ledger says otherwise: {'; '.join(differing)}."
    return f"Summed up again to movement {snapshot.cutoff}, the ledger gives the same stock."


def _url_of_all(derivation: Derivation) -> str:
    """The movements of everything a figure counted. Empty where it counted several places: each has its own movements."""
    sources = derivation.snapshot.sources
    return _ledger_url(derivation, sources[0]) if len(sources) == 1 else ""


def _ledger_url(derivation: Derivation, source: SourceStock) -> str:
    """The movements a figure counted at one of its sources."""
    snapshot = derivation.snapshot
    url = f"{reverse('inventory:item', args=[snapshot.item_id])}?tab=ledger"
    if source.location_id:
        url += f"&place={source.location_id}"
    return url if snapshot.cutoff is None else f"{url}&upto={snapshot.cutoff}"


class Sum:
    """The lines of one figure."""

    def __init__(self, found: Explanation, *, is_present: bool) -> None:
        self._found = found
        self._derivation = derivation = found.derivation
        self._snapshot, self._terms, self._offer = derivation.snapshot, derivation.terms, derivation.offer
        self._unit = derivation.offer.unit
        self._steps: Steps = derivation.steps
        self._is_present = is_present
        self._item = reverse("inventory:item", args=[derivation.snapshot.item_id])

    def lines(self) -> Iterator[WhyLine]:
        steps, unit = self._steps, self._unit
        is_fixed = self._terms.basis.value == FIXED
        if is_fixed:
            shown = grouped(self._terms.fixed_quantity.value)
            yield WhyLine("Fixed figure", shown, unit, settings=self._shaped(Shaped.FIXED))
        else:
            yield from self._stock()
            yield from self._layers()
        yield from self._pool()
        if not is_fixed:
            yield from self._buffer()
            shown = grouped(self._terms.percent.value)
            yield WhyLine("Share for this channel", shown, "%", settings=self._shaped(Shaped.SHARE))
        yield WhyLine("Leaves", grouped(steps.share), unit, is_total=True)
        yield from self._limits()
        yield from self._decisions()
        yield WhyLine("Published", grouped(self._derivation.quantity), "", is_total=True)

    def _shaped(self, *terms: Shaped) -> tuple[WhySetting, ...]:
        return tuple(in_words(one, self._unit) for term in terms for one in self._found.shaping.get(term, ()))

    def _todays(self, links: str) -> str:
        """A warning about doors that lead to today's rows."""
        return "" if self._is_present else f"{links} as of today"

    # --- stock ---

    def _stock(self) -> Iterator[WhyLine]:
        sources, unit, cutoff = self._snapshot.sources, self._unit, self._snapshot.cutoff
        on_hand = sum((source.on_hand for source in sources), ZERO)
        url = _url_of_all(self._derivation)
        upto = "" if cutoff is None else f"movements up to {cutoff}"
        yield WhyLine("On hand, good for sale", grouped(on_hand), unit, upto, url, settings=self._shaped(Shaped.STOCK))
        days = int(self._terms.shelf_life_days.value)
        for source in sources:
            left_out = source.expired + source.withheld
            there = f"{grouped(source.on_hand + left_out)} in the ledger with what is not counted" if left_out else ""
            url = _ledger_url(self._derivation, source)
            yield WhyLine(source.code, grouped(source.on_hand), unit, there, url, is_part=True)
            if left_out:
                hint = f"held, damaged, good for fewer than {days} days" if days else "held, damaged, expired"
                yield WhyLine("not counted", grouped(left_out), unit, f"{hint} or not for sale there", is_part=True)
        yield from self._promised()
        for source in sources:
            if source.available < ZERO:
                hint = "short there; not taken from elsewhere"
                yield WhyLine(source.code, grouped(-source.available), unit, hint, is_part=True)
        settings = self._shaped(Shaped.AVAILABLE)
        yield WhyLine("Available", grouped(self._steps.available), unit, is_total=True, settings=settings)

    def _promised(self) -> Iterator[WhyLine]:
        sources = self._snapshot.sources
        reserved = sum((source.reserved_pinned + source.reserved_soft for source in sources), ZERO)
        promised = self._found.promised
        if promised is None:
            yield WhyLine("Promised already", grouped(-reserved), self._unit)
            return
        hints = [self._todays("the link shows promises")]
        if not self._found.agrees_with_promises:
            total = sum((*promised.pinned.values(), *promised.soft.values()), ZERO)
            hints.append(
                f"by the log of promises {grouped(total)}: one was made or let go at that very moment, or a place or lot"
                " stands otherwise today"
            )
        url = f"{self._item}?tab=available#promised"
        yield WhyLine("Promised already", grouped(-reserved), self._unit, _joined(hints), url)
        codes = {source.location_id: source.code for source in sources}
        for row in promised.rows:
            yield self._held(row, codes[row.source_id])
        if promised.count > len(promised.rows):
            rest = promised.count - len(promised.rows)
            yield WhyLine(f"and {rest} smaller", "", "", is_part=True)

    def _held(self, row: HeldThen, source: str) -> WhyLine:
        where = f"{row.place}, lot {row.lot}" if row.lot else row.place
        hint = f"in {where}" if row.is_pinned else f"anywhere in {row.place}"
        if row.place != source:
            hint += f", off {source}"
        if row.demand_kind == DEMAND_KIND:
            url = reverse("production:work_order", args=[row.demand_ref])
        else:
            url = reverse("admin:inventory_reservation_change", args=[row.reservation_id])  # with every change of it
        label = row.demand[:1].upper() + row.demand[1:]
        return WhyLine(label, grouped(-row.quantity), self._unit, hint, url, is_part=True)

    # --- other supply ---

    def _layers(self) -> Iterator[WhyLine]:
        terms, supply, unit = self._terms, self._steps.supply, self._unit
        if terms.counts_incoming:
            settings = self._shaped(Shaped.INCOMING)
            yield WhyLine("On its way, in time", grouped(supply.incoming), unit, settings=settings)
            for one in self._snapshot.incoming:
                due = "no date, so not promised" if one.expected_on is None else f"due {one.expected_on:%d %b %Y}"
                yield WhyLine(one.reference, grouped(one.quantity), unit, due, _document_of(one), is_part=True)
        if terms.counts_buildable and self._snapshot.makeable is not None:
            yield from self._building(self._snapshot.makeable)
        if terms.counts_suppliers:
            yield from self._suppliers()
        if supply.total != supply.available:
            yield WhyLine("Supply in all", grouped(supply.total), unit, is_total=True)

    def _building(self, made: Makeable) -> Iterator[WhyLine]:
        terms, unit = self._terms, self._unit
        counted = built_by(made, terms)
        if made.alone is not None:
            note = f"{grouped(made.alone)} if nothing else were made of its components; {made.divided}"
            settings, degree = self._shaped(Shaped.PART_OF_BUILDING), self._shaped(Shaped.DEGREE_OF_BUILDING)
            is_whole = terms.divided_percent.value == 100
            settings += degree if is_whole else ()
            yield WhyLine("Its part of what could be built", grouped(made.quantity), unit, note, settings=settings)
            if terms.building.value == BY_DEMAND:
                yield from self._demand(here=False)
            if not is_whole:
                note = f"{grouped(terms.divided_percent.value)} % of the way from all to its part"
                yield WhyLine("Divided by degrees", grouped(counted), unit, note, settings=degree)
        share = terms.buildable_percent.value
        hint = "" if share == 100 else f"{grouped(share)} % of {grouped(counted)}"
        settings = self._shaped(Shaped.BUILDABLE)
        yield WhyLine("Could be built", grouped(self._steps.supply.buildable), unit, hint, settings=settings)
        version = self._found.bom_version
        if version is not None:
            url = reverse("production:bom", args=[made.bom_id])
            hint = self._todays("links of components show their stock") if made.components else ""
            yield WhyLine(f"BOM version {version}", "", "", hint, url, is_part=True)
        if made.problem:
            yield WhyLine("none", grouped(made.quantity), unit, made.problem, is_part=True)
        for place, part in enumerate(made.components):
            yield self._component(part, is_bottleneck=place == 0)

    def _component(self, part: Component, *, is_bottleneck: bool) -> WhyLine:
        hint = f"{grouped(part.free)} {part.unit} free" + (", the bottleneck" if is_bottleneck else "")
        url = f"{reverse('inventory:item', args=[part.item_id])}?tab=where"
        return WhyLine(part.sku, grouped(part.limit), self._unit, hint, url, is_part=True)

    def _suppliers(self) -> Iterator[WhyLine]:
        terms, unit = self._terms, self._unit
        hint = f"{grouped(terms.supplier_percent.value)} % of what they say"
        if self._snapshot.suppliers:
            hint = _joined([hint, self._todays("links show what they say")])
        settings = self._shaped(Shaped.SUPPLIERS)
        yield WhyLine("With suppliers", grouped(self._steps.supply.suppliers), unit, hint, settings=settings)
        for figure in self._snapshot.suppliers:
            hours = (self._derivation.at - figure.confirmed_at).total_seconds() / 3600
            is_old = hours > terms.supplier_hours.value
            hint = f"said {timezone.localtime(figure.confirmed_at):%d %b %Y %H:%M}" + (
                ", too long ago to count" if is_old else ""
            )
            url = f"{self._item}?tab=where#suppliers"
            yield WhyLine(figure.supplier, grouped(figure.quantity), unit, hint, url, is_part=True)

    # --- sharing and buffers ---

    def _pool(self) -> Iterator[WhyLine]:
        allotment = self._snapshot.allotment
        if allotment is None:
            return
        of_others = tuple(
            in_words(setting, self._unit, of=one.listing) for one in self._found.others for setting in one.settings
        )
        settings = self._shaped(Shaped.POOL) + of_others
        shown = grouped(allotment.limit)
        yield WhyLine("Its part of the pool", shown, self._unit, allotment.reason, settings=settings)
        names = {setting.name: setting.term.value for setting in self._found.shaping.get(Shaped.POOL, ())}
        if names.get("sharing") == "demand":
            yield from self._demand(here=True)
        if "scarce_days" in names:
            yield from self._demand(here=False)

    def _demand(self, *, here: bool) -> Iterator[WhyLine]:
        """Recent demand in words, as it was on record; nothing where the figure did not ask for it."""
        demand = self._snapshot.demand
        if demand is None:
            return
        everywhere = f"{grouped(demand.everywhere)} {self._unit} on all channels"
        if here:
            label, sold, hint = _sold(demand, "here"), demand.here, f"of {everywhere}"
        else:
            label, sold, hint = _sold(demand, "on all channels"), demand.everywhere, ""
        daily = round_down(Fraction(sold) / demand.days, _HUNDREDTH)
        url = reverse("channels_sync:listing_demand", args=[self._offer.listing_id])
        hint = _joined([f"{grouped(daily)} {self._unit} a day", hint])
        yield WhyLine(label, grouped(sold), self._unit, hint, url, is_part=True)

    def _buffer(self) -> Iterator[WhyLine]:
        name = self._steps.buffer.name or "buffer"
        hint = "" if name == "buffer" else BUFFERS[name].removeprefix("buffer ")
        confidence = self._snapshot.confidence
        if name == "doubt_percent" and confidence is not None:
            hint += f": {grouped(Decimal(int(confidence.doubt)))} of 100 in doubt"
        shown = grouped(-self._steps.buffer.quantity)
        yield WhyLine("Buffer kept back", shown, self._unit, hint, settings=self._shaped(Shaped.BUFFER))
        if self._terms.buffer_days.value:
            yield from self._demand(here=True)
        if self._terms.doubt_percent.value and confidence is not None:
            yield from _doubt(confidence)

    # --- limits and decisions ---

    def _limits(self) -> Iterator[WhyLine]:
        terms, steps, unit = self._terms, self._steps, self._unit
        trial = self._shaped(Shaped.TRIAL)
        if steps.withdrawn:
            yield WhyLine("Withdrawn", "0", unit, steps.withdrawn, settings=trial)
        elif trial:
            yield WhyLine("On trial", "", "", "still running", settings=trial)
        if terms.minimum.value:
            fell = steps.after_minimum != steps.share and not steps.withdrawn
            hint = "below it, so 0 is shown" if fell else "reached"
            settings = self._shaped(Shaped.MINIMUM)
            yield WhyLine("Shown from", grouped(terms.minimum.value), unit, hint, settings=settings)
        if terms.maximum.value is not None:
            hint = "caps it" if steps.after_maximum != steps.after_minimum else "not reached"
            settings = self._shaped(Shaped.MAXIMUM)
            yield WhyLine("Shown at most", grouped(terms.maximum.value), unit, hint, settings=settings)

    def _decisions(self) -> Iterator[WhyLine]:
        offer, steps = self._offer, self._steps
        if offer.pack_size != 1:
            yield WhyLine("Sold in packs of", grouped(offer.pack_size), self._unit, "rounded down to whole packs")
        if offer.kept is not None:
            hint = f"{offer.kept_for}; the rules give {grouped(steps.given)}"
            if offer.kept > steps.given:
                hint += ", so more may be sold than there is"
            yield WhyLine("Kept at, by a decision", grouped(offer.kept), "", hint)
        if offer.lid is not None:
            yield WhyLine(
                "Frozen at", grouped(offer.lid), "", offer.frozen + ("" if steps.is_frozen else "; not reached")
            )


def _sold(demand: Demand, where: str) -> str:
    return f"Sold {where} in {demand.days} days"


def _doubt(confidence: Confidence) -> Iterator[WhyLine]:
    """How the doubt comes about: points of 100 for the age of the last count, for movements since, and for late reports."""
    days = confidence.counted_days_ago
    age = Fraction(AGE_DAYS if days is None else min(days, AGE_DAYS)) * AGE_POINTS / AGE_DAYS
    points = f"{_points(age)} of {AGE_POINTS} points of doubt"
    if days is None:
        yield WhyLine("Last count", "never", "", points, is_part=True)
        yield WhyLine("Movements since", "all", "", f"{MOVE_POINTS} of {MOVE_POINTS} points", is_part=True)
    else:
        yield WhyLine("Last count", grouped(days), "day ago" if days == 1 else "days ago", points, is_part=True)
        moves = min(confidence.moves_since, MOVES)
        points = f"{_points(Fraction(moves) * MOVE_POINTS / MOVES)} of {MOVE_POINTS} points"
        shown = grouped(moves) if moves < MOVES else f"{MOVES} or more"
        yield WhyLine("Movements since", shown, "", points, is_part=True)
    if confidence.is_stale:
        yield WhyLine("Reports of its places", "late", "", f"{STALE_POINTS} points", is_part=True)


def _points(points: Fraction) -> str:
    return grouped(round_down(points, Decimal("0.1")))


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(part for part in parts if part)


def _document_of(one: Incoming) -> str:
    if one.kind == TRANSFER:
        return reverse("inventory:transfer_page", args=[one.reference])
    if one.kind == WORK_ORDER:
        return reverse("production:work_order", args=[one.reference])
    return reverse("buying:order", args=[one.reference])
