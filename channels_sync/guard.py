"""The circuit breaker: which changes of a publish plan wait for a person. Pure: no database, no clock.

A plan is what one recompute would change on one channel. Its rules look at the plan as a whole (many listings at once, many to
zero, right after a bulk edit, from stale sources) and at each listing (far above what it showed lately, more than can exist).
A rule of the whole plan holds every raise of it, that of late reports every raise that rests on them; a rule of a listing holds
that listing. Lowering flows, for showing too little
for a while is mended by the next push, while an order for what is not there is not. Only when many listings would fall to zero
at once do those wait as well: that is how an emptied location or a wrong import looks.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from inventory.records import record


@record(frozen=True, slots=True)
class Change:
    """What a plan does to one listing. Quantities are whole units of the listing.

    `before` is what the channel was last sent, None when nothing was. `recent_max` is the most it showed lately, None when
    unknown. `possible` is what there is of the item, whatever its rules count: on hand, buildable, at suppliers; None when that
    was not asked, because `after` is known to be within it. `waits_already` says that an earlier change of it waits for a
    person, or that `after` goes beyond what a person approved: it is not raised.
    """

    listing_id: int
    sku: str
    before: int | None
    after: int
    recent_max: int | None = None
    possible: int | None = None
    waits_already: bool = False
    rests_on_late: bool = True
    """Whether its figure counts what lies at a place that reports late, where the setting names one."""

    @property
    def is_raise(self) -> bool:
        return self.after > (self.before or 0)

    @property
    def is_to_zero(self) -> bool:
        return self.after == 0 and bool(self.before)

    @property
    def is_first(self) -> bool:
        return self.before is None


@record(frozen=True, slots=True)
class Limits:
    """When the breaker of a channel trips. A limit that is None is off; all are on by default."""

    share_changed: Decimal | None = Decimal("0.30")
    """Of the channel's listings, changed by one plan; first figures of new listings do not count."""
    changed_min: int = 20
    """Fewer changed listings never trip `share_changed`: a small shop changes by a third every day."""
    to_zero_max: int | None = 10
    """Listings that may fall to zero in one plan."""
    zeroing_waits: bool = True
    """Whether those beyond `to_zero_max` wait; else only the raises of the plan do."""
    times_recent_max: Decimal | None = Decimal(5)
    """A quantity above so many times its recent maximum waits."""
    recent_units_min: int = 20
    """... unless it is at most so many units above it."""
    above_possible: bool = True
    """A quantity above what is on hand, could be built and is at suppliers waits, whatever the rules count."""
    after_bulk: bool = True
    """Raises of more than `bulk_listings_min` listings within a quarter of an hour after a bulk edit or an import wait."""
    bulk_listings_min: int = 5
    stale_sources: bool = True
    """Raises that rest on figures older than they may be wait."""

    def __post_init__(self) -> None:
        if self.share_changed is not None and not 0 < self.share_changed <= 1:
            raise ValueError("share_changed is a share above 0, up to 1")
        if self.times_recent_max is not None and self.times_recent_max < 1:
            raise ValueError("times_recent_max is at least 1")
        if min(self.changed_min, self.recent_units_min, self.bulk_listings_min) < 0:
            raise ValueError("a number of listings or units is not below zero")


@record(frozen=True, slots=True)
class Setting:
    """What surrounds a plan: how many listings the channel has, what changed shortly before, the bulk edit it follows, the
    sources that are stale, and whether the channel wants every change approved.
    """

    listings: int
    changed_before: int = 0
    """Other listings that changed shortly before, first figures left out."""
    zeroed_before: int = 0
    """Other listings that fell to zero shortly before."""
    raised_before: int = 0
    """Other listings that rose shortly before because of that bulk edit."""
    bulk: str = ""
    """Words of the bulk edit or import that came shortly before; empty: none."""
    stale: Sequence[str] = ()
    """Names of sources that are older than they may be."""
    needs_approval: bool = False


class RuleName(StrEnum):
    SHARE_CHANGED = "share_changed"
    TO_ZERO = "to_zero"
    RECENT_MAX = "recent_max"
    ABOVE_POSSIBLE = "above_possible"
    AFTER_BULK = "after_bulk"
    STALE = "stale"
    APPROVAL = "approval"
    WAITS = "waits"


RULES_ACROSS_PLANS = frozenset({RuleName.SHARE_CHANGED, RuleName.TO_ZERO, RuleName.AFTER_BULK})
"""They count what changed shortly before as well; the more that was, the sooner they trip."""


@record(frozen=True, slots=True)
class Trip:
    """A rule that says no, in words with its figures. `listing_id` is None for a rule of the whole plan."""

    rule: RuleName
    words: str
    listing_id: int | None = None

    def as_json(self) -> dict[str, object]:
        return {"rule": str(self.rule), "words": self.words, "listing": self.listing_id}


@record(frozen=True, slots=True)
class Verdict:
    """What becomes of a plan. `held` are the listings whose change waits; all others flow."""

    trips: Sequence[Trip]
    held: frozenset[int]

    @property
    def is_clear(self) -> bool:
        return not self.trips


@record(frozen=True, slots=True)
class Effect:
    """A plan in figures, for the person who looks at it. Units are units of the listings, summed."""

    changed: int
    raised: int
    lowered: int
    to_zero: int
    from_zero: int
    first: int
    units_before: int
    units_after: int
    rises: Sequence[Change]
    """The biggest first."""
    falls: Sequence[Change]


def effect_of(changes: Sequence[Change], *, top: int = 5) -> Effect:
    """The figures of a plan; `top` biggest rises and falls."""
    raises = [change for change in changes if change.is_raise]
    falls = [change for change in changes if change.after < (change.before or 0)]
    by_size = lambda change: (-abs(change.after - (change.before or 0)), change.sku)  # noqa: E731
    return Effect(
        changed=len(changes),
        raised=len(raises),
        lowered=len(falls),
        to_zero=sum(change.is_to_zero for change in changes),
        from_zero=sum(change.before == 0 and change.after > 0 for change in changes),
        first=sum(change.is_first for change in changes),
        units_before=sum(change.before or 0 for change in changes),
        units_after=sum(change.after for change in changes),
        rises=sorted(raises, key=by_size)[:top],
        falls=sorted(falls, key=by_size)[:top],
    )


def judge(changes: Sequence[Change], *, limits: Limits, setting: Setting) -> Verdict:
    """Which rules a plan breaks and which listings wait for that.

    Whatever trips, a listing that is lowered to something above zero is never held, and no raise of a plan that tripped a rule
    of the whole plan flows; of late reports, no raise that rests on them. Where every change is to be approved, all of them wait.
    """
    if setting.needs_approval:
        words = (
            f"{len(changes)} change{'' if len(changes) == 1 else 's'} to approve: this channel sends nothing by itself."
        )
        trips = [Trip(RuleName.APPROVAL, words)] if changes else []
        return Verdict(trips, frozenset(change.listing_id for change in changes))
    of_plan = _of_the_plan(changes, limits, setting)
    of_listings = [trip for change in changes for trip in _of_one(change, limits)]
    held = {trip.listing_id for trip in of_listings if trip.listing_id is not None}
    if any(trip.rule is not RuleName.STALE for trip in of_plan):
        held |= {change.listing_id for change in changes if change.is_raise}
    elif of_plan:
        held |= {change.listing_id for change in changes if change.is_raise and change.rests_on_late}
    if limits.zeroing_waits and any(trip.rule is RuleName.TO_ZERO for trip in of_plan):
        held |= {change.listing_id for change in changes if change.is_to_zero}
    return Verdict((*of_plan, *of_listings), frozenset(held))


def _of_the_plan(changes: Sequence[Change], limits: Limits, setting: Setting) -> list[Trip]:
    trips = []
    changed = sum(not change.is_first for change in changes) + setting.changed_before
    if limits.share_changed is not None and changed >= max(limits.changed_min, 1):
        share = Decimal(changed) / max(setting.listings, changed)
        if share > limits.share_changed:
            trips.append(
                Trip(
                    RuleName.SHARE_CHANGED,
                    f"{changed} of {setting.listings} listings would change ({share:.0%}); up to {limits.share_changed:.0%} "
                    "go out by themselves.",
                )
            )
    falls = sum(change.is_to_zero for change in changes)
    to_zero = falls + setting.zeroed_before
    if falls and limits.to_zero_max is not None and to_zero > limits.to_zero_max:
        trips.append(
            Trip(
                RuleName.TO_ZERO,
                f"{to_zero} listings would fall to zero; up to {limits.to_zero_max} do so by themselves.",
            )
        )
    raises = sum(change.is_raise for change in changes)
    risen = raises + setting.raised_before
    if limits.after_bulk and setting.bulk and raises and risen > limits.bulk_listings_min:
        trips.append(Trip(RuleName.AFTER_BULK, f"{risen} listings would rise right after {setting.bulk}."))
    late = sum(change.is_raise and change.rests_on_late for change in changes)
    if limits.stale_sources and setting.stale and late:
        trips.append(
            Trip(
                RuleName.STALE,
                f"{late} listing{'s' if late > 1 else ''} would rise on figures that are too old: "
                f"{', '.join(setting.stale)}.",
            )
        )
    return trips


def _of_one(change: Change, limits: Limits) -> list[Trip]:
    if not change.is_raise:
        return []
    trips = []
    if change.waits_already:
        words = f"{change.sku} waits for a decision already and is not raised to {change.after} before."
        trips.append(Trip(RuleName.WAITS, words, change.listing_id))
    if limits.above_possible and change.possible is not None and change.after > change.possible:
        trips.append(
            Trip(
                RuleName.ABOVE_POSSIBLE,
                f"{change.sku} would show {change.after}; on hand, buildable and at suppliers there are {change.possible}.",
                change.listing_id,
            )
        )
    if limits.times_recent_max is not None and change.recent_max is not None:
        allowed = max(change.recent_max * limits.times_recent_max, Decimal(change.recent_max + limits.recent_units_min))
        if change.after > allowed:
            trips.append(
                Trip(
                    RuleName.RECENT_MAX,
                    f"{change.sku} would show {change.after}; the most it showed lately was {change.recent_max}.",
                    change.listing_id,
                )
            )
    return trips
