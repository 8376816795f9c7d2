"""From what is there to what a listing shows: the formula, step by step.

    supply    = sum over sources of max(0, available) + incoming + share of buildable + share of suppliers' stock
                (each layer only where the policy counts it; a fixed figure takes the place of all of them)
    published = floor to packs( at most maximum( 0 below minimum( floor to steps(
                    percent of max(0, floor to steps( at most the listing's allotment(supply) ) - buffer) ) ) ) )

What could be built is divided by degrees where the policy says so: from all that could be made of it alone (0 %) to its part
of what can be made of all products together (100 %, the default).

Every source is clamped at zero by itself, so that what one site owes is not taken from another. The buffer is the largest
of those the policy names (units, percent, days of demand, doubt about the books), rounded up to steps, and is taken once.
Quantities are in the item's stock unit until the last step, which counts sold units. Nothing is rounded but where it says so.
A fixed figure is neither shared out nor lowered by buffer and percent; minimum, maximum and packs hold for it too.
Where a person refused a fall, the figure that was shown takes the place of the result. The lid of a freeze comes last of all.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction

from channels_sync.allocation.facts import Incoming, Makeable, Offer, Snapshot
from channels_sync.allocation.terms import FIXED, HUNDRED, Terms
from inventory.quantities import PLACES, ZERO, round_down, round_up
from inventory.records import record

_EXACT = Context(prec=60)


@record(frozen=True, slots=True)
class Supply:
    """What the listing counts on, layer by layer, in stock units."""

    available: Decimal
    incoming: Decimal = ZERO
    buildable: Decimal = ZERO
    suppliers: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.available + self.incoming + self.buildable + self.suppliers


@record(frozen=True, slots=True)
class Buffer:
    """What is kept back, and the term that decided it; empty when nothing is."""

    quantity: Decimal = ZERO
    name: str = ""


_NO_BUFFER = Buffer()


@record(frozen=True, slots=True)
class Steps:
    """The formula's intermediate results, in the stock unit; `packs` in sold units."""

    supply: Supply
    allotted: Decimal
    counted: Decimal
    """The allotted in whole steps; without that, a piece of a step more would round a buffer in percent up by a whole one."""
    buffer: Buffer
    after_buffer: Decimal
    share: Decimal
    after_minimum: Decimal
    after_maximum: Decimal
    packs: int
    withdrawn: str = ""
    is_frozen: bool = False
    given: int = 0
    """Sold units before anybody froze or kept anything."""

    @property
    def is_kept(self) -> bool:
        """Whether a person's figure took the place of the result."""
        return not self.is_frozen and self.packs != self.given

    @property
    def available(self) -> Decimal:
        return self.supply.available


def supply_of(snapshot: Snapshot, terms: Terms, now: datetime) -> Supply:
    """The layers the policy counts. Days are those of the zone `now` is given in."""
    available = incoming = buildable = suppliers = ZERO
    for source in snapshot.sources:
        free = source.available
        if free > ZERO:
            available += free
    if terms.counts_incoming:
        incoming = sum((one.quantity for one in counted_incoming(snapshot, terms, now)), ZERO)
    if terms.counts_buildable and snapshot.makeable is not None:
        buildable = _part(max(ZERO, built_by(snapshot.makeable, terms)), terms.buildable_percent.value)
    if terms.counts_suppliers:
        oldest = now - timedelta(seconds=int(terms.supplier_hours.value * 3600))
        said = sum((one.quantity for one in snapshot.suppliers if one.confirmed_at >= oldest), ZERO)
        suppliers = _part(said, terms.supplier_percent.value)
        if terms.supplier_maximum.value is not None:
            suppliers = min(suppliers, terms.supplier_maximum.value)
    return Supply(available, incoming, buildable, suppliers)


def counted_incoming(snapshot: Snapshot, terms: Terms, now: datetime) -> list[Incoming]:
    """What is on its way and will be there in time, where the policy counts that. Days are those of the zone of `now`."""
    if not terms.counts_incoming:
        return []
    today = now.date()
    days = terms.incoming_days.value
    last = date.max if days is None else today + timedelta(days=int(days))
    return [one for one in snapshot.incoming if one.expected_on is not None and today <= one.expected_on <= last]


def built_by(made: Makeable, terms: Terms) -> Decimal:
    """What counts as buildable: all that could be made, or so far on the way from there to its part as the policy says."""
    return (
        made.quantity if made.alone is None else part_of_the_way(made.alone, made.quantity, terms.divided_percent.value)
    )


def part_of_the_way(alone: Decimal, part: Decimal, percent: Decimal) -> Decimal:
    """`alone` at 0 %, `part` at 100 %, and never more the further one goes; down to the last place a quantity has."""
    if percent == HUNDRED or part >= alone:
        return part
    return round_down(Fraction(alone) - (Fraction(alone) - Fraction(part)) * Fraction(percent) / 100, PLACES)


def buffer_of(snapshot: Snapshot, terms: Terms, offer: Offer, counted: Decimal) -> Buffer:
    """The largest of the buffers the policy names."""
    units = terms.buffer.value
    found = _NO_BUFFER if units <= ZERO else Buffer(units, "buffer")
    kept: dict[str, Decimal] = {}
    if terms.buffer_percent.value:
        kept["buffer_percent"] = round_up(Fraction(counted) * Fraction(terms.buffer_percent.value) / 100, offer.step)
    if terms.buffer_days.value and snapshot.demand is not None:
        kept["buffer_days"] = round_up(snapshot.demand.daily * Fraction(terms.buffer_days.value), offer.step)
    if terms.doubt_percent.value and snapshot.confidence is not None:
        part = Fraction(terms.doubt_percent.value) / 100 * snapshot.confidence.doubt / 100
        kept["doubt_percent"] = round_up(Fraction(counted) * part, offer.step)
    for name, quantity in kept.items():
        if quantity > found.quantity:
            found = Buffer(quantity, name)
    return found


def work_out(
    snapshot: Snapshot, terms: Terms, offer: Offer, now: datetime, *, counts_whole_steps: bool = True
) -> Steps:
    """Every step of the formula for one listing. Before derivations had format 3 pieces of a step counted until the end."""
    withdrawn = offer.withdrawn
    until = terms.trial_until.value
    if not withdrawn and until is not None and now.date() > until:
        withdrawn = f"the trial ended on {until:%Y-%m-%d}"
    supply = supply_of(snapshot, terms, now)
    is_fixed = terms.basis.value == FIXED
    allotted = terms.fixed_quantity.value if is_fixed else supply.total
    if snapshot.allotment is not None:
        allotted = min(allotted, snapshot.allotment.limit)
    counted = _whole_steps(allotted, HUNDRED, offer.step) if counts_whole_steps else allotted
    buffer = _NO_BUFFER if is_fixed else buffer_of(snapshot, terms, offer, counted)
    after_buffer = max(ZERO, counted - buffer.quantity)
    percent = HUNDRED if is_fixed else terms.percent.value
    share = _whole_steps(after_buffer, percent, offer.step)
    after_minimum = ZERO if share < terms.minimum.value or withdrawn else share
    maximum = terms.maximum.value
    after_maximum = after_minimum if maximum is None else min(after_minimum, maximum)
    given = min(int(_EXACT.divide_int(after_maximum, offer.pack_size)), offer.quantity_max)
    packs = given if offer.kept is None else offer.kept
    is_frozen = offer.lid is not None and offer.lid < packs
    if offer.lid is not None:
        packs = min(packs, offer.lid)
    return Steps(
        supply,
        allotted,
        counted,
        buffer,
        after_buffer,
        share,
        after_minimum,
        after_maximum,
        packs,
        withdrawn,
        is_frozen,
        given,
    )


def _whole_steps(quantity: Decimal, percent: Decimal, step: Decimal) -> Decimal:
    """`percent` of a quantity (not below zero), down to a multiple of `step`. Exact."""
    steps = _EXACT.divide_int(_EXACT.multiply(quantity, percent), _EXACT.multiply(HUNDRED, step))
    return _EXACT.multiply(steps, step)


def _part(quantity: Decimal, percent: Decimal) -> Decimal:
    """`percent` of a quantity, down to the last place a quantity has."""
    return (
        quantity
        if percent == HUNDRED
        else round_down(Fraction(quantity) * Fraction(percent) / 100, Decimal("0.000001"))
    )
