"""What the formula is worked out from: stock as it was read, other layers of supply, and the listing."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from inventory.quantities import ZERO
from inventory.records import record

AGE_DAYS, AGE_POINTS = 180, 50
MOVES, MOVE_POINTS = 200, 30
STALE_POINTS = 20


@record(frozen=True, slots=True)
class SourceStock:
    """One source as it was read. `expired` and `withheld` are not part of `on_hand`; they stand there to explain.

    `expired` includes what is good for fewer days than the policy asks for. `site` is the root the source stands below.
    """

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


PURCHASE, TRANSFER, WORK_ORDER = "purchase", "transfer", "work order"


@record(frozen=True, slots=True)
class Incoming:
    """An open quantity of the item on a purchase order, on the road between places of ours, or of a released work order for
    nobody in particular. What has no date, or is late, is promised to nobody."""

    order_id: int
    """The id of the document, which is of `kind`."""
    reference: str
    quantity: Decimal
    expected_on: date | None
    kind: str = PURCHASE


@record(frozen=True, slots=True)
class SupplierFigure:
    """What one supplier says to have of the item, in our stock unit, and when it was said."""

    supplier: str
    quantity: Decimal
    confirmed_at: datetime


@record(frozen=True, slots=True)
class Component:
    """What one component allows: `free` in its own stock unit, `limit` in units of the item."""

    item_id: int
    sku: str
    unit: str
    free: Decimal
    limit: Decimal


@record(frozen=True, slots=True)
class Makeable:
    """How many units could be made now, the scarcest components first. `problem` says why none can.

    Where products with the same components divide them, `quantity` is the part of this one when they are fully divided, `alone`
    what could be made of it if nothing else were, and `divided` says how; else `alone` is None.
    """

    quantity: Decimal
    bom_id: int | None = None
    components: tuple[Component, ...] = ()
    problem: str = ""
    alone: Decimal | None = None
    divided: str = ""


@record(frozen=True, slots=True)
class Demand:
    """What was sold in `days` days, in stock units: on this channel, and on all of them."""

    days: int
    here: Decimal = ZERO
    everywhere: Decimal = ZERO

    @property
    def daily(self) -> Fraction:
        return Fraction(self.here) / self.days

    @property
    def daily_everywhere(self) -> Fraction:
        return Fraction(self.everywhere) / self.days


@record(frozen=True, slots=True)
class Confidence:
    """How far the books can be trusted, from plain facts: the last count, movements since, figures others report late.

    Doubt in points of 100: up to 50 for a count 180 or more days ago (or none), up to 30 for 200 or more movements since,
    20 where a source's own figures are older than they should be.
    """

    counted_days_ago: int | None
    moves_since: int
    is_stale: bool = False

    @property
    def doubt(self) -> Fraction:
        """0 (sure) to 100 (nothing is known)."""
        age = Fraction(AGE_DAYS if self.counted_days_ago is None else min(self.counted_days_ago, AGE_DAYS))
        moves = MOVES if self.counted_days_ago is None else min(self.moves_since, MOVES)
        return (
            age * AGE_POINTS / AGE_DAYS + Fraction(moves) * MOVE_POINTS / MOVES + (STALE_POINTS if self.is_stale else 0)
        )


@record(frozen=True, slots=True)
class Allotment:
    """What sharing leaves to this listing, in stock units, and how that came about in words."""

    limit: Decimal
    pool: Decimal
    reason: str


@record(frozen=True, slots=True)
class Snapshot:
    """The item's supply as one channel sees it. `cutoff` is the newest movement of the item it contains.

    A layer the policy does not count is left out. `allotment` is None where the listing sees the whole pool.
    """

    item_id: int
    cutoff: int | None
    sources: tuple[SourceStock, ...]
    incoming: tuple[Incoming, ...] = ()
    suppliers: tuple[SupplierFigure, ...] = ()
    makeable: Makeable | None = None
    demand: Demand | None = None
    confidence: Confidence | None = None
    allotment: Allotment | None = None


@record(frozen=True, slots=True)
class Offer:
    """What the formula needs to know of a listing. `quantity_max` is the largest figure the channel takes, in packs.

    `withdrawn` says why nothing may be offered at all; empty when it may. `lid` is the most a freeze lets it show, in packs,
    for the reason `frozen`; None when it is not frozen. `kept` is the figure a person keeps it at, in packs, whatever there
    is, for the reason `kept_for`; None when nobody does. A lid holds for that figure too.
    """

    listing_id: int
    sku: str
    unit: str
    step: Decimal
    pack_size: Decimal
    quantity_max: int
    withdrawn: str = ""
    lid: int | None = None
    frozen: str = ""
    kept: int | None = None
    kept_for: str = ""
