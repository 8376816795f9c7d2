"""The terms of policies as people meet them: what each is called, how it is typed, and what it does."""

from __future__ import annotations

from dataclasses import dataclass

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

PERCENT, QUANTITY, DAYS, HOURS, WHOLE, NUMBER, CHOICE, DATE = (
    "percent", "quantity", "days", "hours", "whole", "number", "choice", "date",
)  # fmt: skip

BASES = (
    (AVAILABLE, "What is available, with suppliers' stock where it is counted"),
    (PROMISE, "Available and what is on its way"),
    (BUILT, "Finished stock alone"),
    (BUILDABLE, "Finished stock, then what could be built"),
    (FIXED, "A fixed figure, whatever is in stock"),
)
BUILDINGS = (
    (ALONE, "As if nothing else were made of its components"),
    (BY_WEIGHT, "Divided among products with the same components, by weight"),
    (BY_DEMAND, "Divided among products with the same components, by recent demand"),
)
SHARINGS = (
    (POOL, "Sees the whole pool"),
    (WEIGHT, "Takes a share by weight"),
    (DEMAND, "Takes a share by recent demand"),
    (FENCED, "Sees its ring-fence alone"),
)


@dataclass(frozen=True, slots=True)
class TermSpec:
    """One term. `column` is its name in the table and at every edge; `name` is its name in the formula."""

    column: str
    label: str
    kind: str
    help_text: str
    group: str
    name: str = ""
    titles: tuple[str, ...] = ()

    @property
    def term(self) -> str:
        return self.name or self.column

    @property
    def unit(self) -> str:
        return {PERCENT: "%", DAYS: "days", HOURS: "hours"}.get(self.kind, "")


COUNTED, KEPT, SHOWN, SHARED, TRIAL = "What counts", "What is kept back", "What is shown", "Who gets how much", "Trial"

SPECS = (
    TermSpec("basis", "Counts", CHOICE, "What the figure starts from.", COUNTED, titles=("counts",)),
    TermSpec("fixed_quantity", "Fixed figure", QUANTITY, "Shown while “Counts” is a fixed figure.", COUNTED),
    TermSpec("incoming_days", "Incoming within", DAYS, "Ordered or on the road, due within so many days; 0 is today.", COUNTED),
    TermSpec("buildable_percent", "Of what could be built", PERCENT, "Share of it that counts.", COUNTED),
    TermSpec("building", "Building", CHOICE, "Whether products with the same components can all be kept.", COUNTED),
    TermSpec(
        "divided_percent", "Divided, percent", PERCENT,
        "How far from seeing all to seeing its part alone, where building or the pool is divided; 100 unless said otherwise.",
        SHARED,
    ),
    TermSpec("supplier_percent", "Of suppliers' stock", PERCENT, "Share of it that counts; 0: none.", COUNTED),
    TermSpec("supplier_maximum", "Suppliers' stock, at most", QUANTITY, "Never counts more than this.", COUNTED),
    TermSpec("supplier_hours", "Suppliers' figures, up to", HOURS, "Older ones count as nothing.", COUNTED),
    TermSpec("shelf_life_days", "Good for at least", DAYS, "Lots that expire sooner do not count.", COUNTED),
    TermSpec("buffer", "Buffer", QUANTITY, "Stock units kept back.", KEPT, titles=("safety stock",)),
    TermSpec("buffer_percent", "Buffer, percent", PERCENT, "Of what the listing could count on.", KEPT),
    TermSpec("buffer_days", "Buffer, days", NUMBER, "Days of this channel's recent demand.", KEPT),
    TermSpec("doubt_percent", "Buffer for doubt", PERCENT, "Kept back when the books are fully in doubt.", KEPT),
    TermSpec("percent", "Percent", PERCENT, "Share of what is left after the buffer.", SHOWN, titles=("%", "share")),
    TermSpec(
        "minimum_to_list", "Shown from", QUANTITY, "Fewer than this show as 0.", SHOWN, "minimum",
        ("minimum to list", "minimum", "min"),
    ),
    TermSpec(
        "maximum_to_list", "At most", QUANTITY, "Never more than this.", SHOWN, "maximum",
        ("maximum to list", "maximum", "max"),
    ),
    TermSpec("sharing", "Sharing", CHOICE, "How it stands to the item's other listings.", SHARED),
    TermSpec("weight", "Weight", NUMBER, "Against the others' weights; 1 unless said otherwise.", SHARED),
    TermSpec("ring_fence", "Ring-fence", QUANTITY, "Kept for this channel; others do not see it.", SHARED),
    TermSpec("priority", "Priority", WHOLE, "Lower is served first when scarce; 100 unless said otherwise.", SHARED),
    TermSpec("scarce_below", "Scarce below", QUANTITY, "With less the item goes by priority.", SHARED),
    TermSpec("scarce_days", "Scarce below, days", NUMBER, "With fewer days of demand it goes by priority.", SHARED),
    TermSpec("trial_limit", "Trial limit", QUANTITY, "All listings of the item on trial together show no more.", TRIAL),
    TermSpec("trial_until", "Trial until", DATE, "After this day it shows 0.", TRIAL),
)  # fmt: skip
BY_COLUMN = {spec.column: spec for spec in SPECS}
BY_TERM = {spec.term: spec for spec in SPECS}
COLUMNS = tuple(spec.column for spec in SPECS)
GROUPS = (SHOWN, KEPT, COUNTED, SHARED, TRIAL)
CHOICES = {"basis": BASES, "building": BUILDINGS, "sharing": SHARINGS}
