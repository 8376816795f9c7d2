"""Who may show how much of one item when listings do not all see the whole of it. Pure.

Supply lies in pools: a site each, and one for every layer that is not stock. A listing draws on some of them, and on each at
most so much. What several listings in partition may show together is never more than what the pools hold, and when the pools
grow nobody's figure falls.

1. Ring-fences are cut out first, in order of priority, of what fewest draw on first; what is fenced is nobody else's.
2. As much of a pool as a rule calls scarce goes by priority: each listing takes what it can show of what those before it left.
   While there is less than that, it is all there is to show.
3. Otherwise: a listing in the pool sees all that is not fenced by others; `fenced` sees its own fence alone, also when scarce;
   the rest divide every pool by weight, each listing with a share of a channel's weight. Each keeps what it took by priority;
   what there is beside goes to whoever is furthest below its weight. The division is by highest averages (d'Hondt), which never
   takes from anybody when a pool grows. A share may be taken by degrees: from the whole pool (0 %) to the share alone.
4. Listings of a trial show no more than its limit together, divided by the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from channels_sync.allocation.facts import Allotment
from channels_sync.allocation.formula import part_of_the_way
from channels_sync.allocation.terms import DEMAND, FENCED, HUNDRED, POOL, WEIGHT
from inventory.quantities import PLACES, ZERO, as_text, round_down, round_up

_ON_TRIAL, _SCARCE, _SERVED, _OWN_FENCE, _SHARE = (
    *("on trial: ", "scarce: ", "served as number "),
    *("its own ring-fence ", "share "),
)
"""How reasons of allotments begin; they are stored, so that what was written once stays."""


class Decider(Enum):
    """What an allotment comes from, by how its reason begins."""

    TRIAL = _ON_TRIAL
    SCARCITY = _SCARCE
    PRIORITY = _SERVED
    OWN_FENCE = _OWN_FENCE
    SHARE = _SHARE
    OTHERS_FENCES = ""

    @property
    def is_by_priority(self) -> bool:
        """While it is scarce, and with more as long as that gives more than the share."""
        return self in (Decider.SCARCITY, Decider.PRIORITY)


def decider_of(allotment: Allotment) -> Decider:
    """Also of a figure that was stored long ago."""
    return next(one for one in Decider if allotment.reason.startswith(one.value))


Exposed = Callable[[int, Allotment], Decimal]
"""Stock units a listing (by id) would show of an allotment."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one listing asks of the pools. `draws` is the most it may take of each, by the pool's name."""

    listing_id: int
    draws: Mapping[str, Decimal]
    sharing: str = POOL
    weight: Fraction = Fraction(1)
    fence: Decimal = ZERO
    priority: Decimal = ZERO
    trial_limit: Decimal | None = None
    scarce_below: Fraction = Fraction(0)
    """Where it may draw less than this in all, what it draws on goes by priority."""
    divided_percent: Decimal = HUNDRED
    """How far it goes from seeing the whole pool to seeing its share alone, where it takes one."""
    is_fixed: bool = False
    """It shows a fixed figure and takes nothing of the pools; only a trial's limit holds for it."""

    @property
    def order(self) -> tuple[Decimal, int]:
        return (self.priority, self.listing_id)

    @property
    def whole(self) -> Decimal:
        return _total(self.draws.values())


@dataclass(slots=True)
class _Pools:
    left: dict[str, Decimal]
    fences: dict[int, dict[str, Decimal]] = field(default_factory=dict)

    def fence_of(self, claim: Claim) -> dict[str, Decimal]:
        return self.fences.get(claim.listing_id, {})

    def seen_by(self, claim: Claim) -> dict[str, Decimal]:
        """What a listing may draw of each pool: what is left, and its own fence, up to its own draw."""
        own = self.fence_of(claim)
        return {name: min(draw, self.left[name] + own.get(name, ZERO)) for name, draw in claim.draws.items()}


@dataclass(frozen=True, slots=True)
class _Turn:
    """A listing served by priority: what it saw of each pool, what it shows of that, and what this takes beside its fence."""

    place: int
    seen: Mapping[str, Decimal]
    shown: Decimal
    taken: Mapping[str, Decimal]

    @property
    def limit(self) -> Decimal:
        return _total(self.seen.values())


def share_out(claims: Iterable[Claim], *, step: Decimal, exposed: Exposed) -> dict[int, Allotment]:
    """The allotment of each listing, by id. Listings that see the whole of what they draw on are left out."""
    everybody = sorted(claims, key=lambda claim: claim.order)
    ordered = [claim for claim in everybody if not claim.is_fixed]
    trial = _trial_shares(everybody, step)
    order = _taking_order(ordered)
    turns = _turns(ordered, trial, exposed, step, order)
    return _within_trial(everybody, _allotments(ordered, turns, step, order), trial)


def divide(total: Decimal, weights: Sequence[Fraction], step: Decimal, kept: Sequence[Decimal] = ()) -> list[Decimal]:
    """`total` by weight: what each keeps at least, and multiples of `step` beside. Exact: the parts sum to no more than `total`,
    and grow when it grows.

    Weights of zero get what they keep. Earlier ones win ties; what they keep is no more than `total` in all.
    """
    floors = [Fraction(quantity) / Fraction(step) for quantity in kept] or [Fraction(0)] * len(weights)
    units = Fraction(total) / Fraction(step)
    per_weight = _water_level(units, weights, floors)
    more = [max(0, int(weight * per_weight - floor)) for weight, floor in zip(weights, floors, strict=True)]
    rest = int(units - sum(floors, Fraction(0))) - sum(more)
    growing = [place for place, weight in enumerate(weights) if weight > 0]
    for _ in range(rest if growing else 0):
        best = max(growing, key=lambda place: (weights[place] / (floors[place] + more[place] + 1), -place))
        more[best] += 1
    return [round_down((floor + part) * Fraction(step), PLACES) for floor, part in zip(floors, more, strict=True)]


def _water_level(units: Fraction, weights: Sequence[Fraction], floors: Sequence[Fraction]) -> Fraction:
    """How much there is for each unit of weight once those who keep more than that have it; below zero counts as nothing."""
    above = {place for place, weight in enumerate(weights) if weight > 0}
    while above:
        rest = units - sum((floor for place, floor in enumerate(floors) if place not in above), Fraction(0))
        level = max(Fraction(0), rest / sum((weights[place] for place in above), Fraction(0)))
        over = {place for place in above if floors[place] > weights[place] * level}
        if not over:
            return level
        above -= over
    return Fraction(0)


def _total(parts: Iterable[Decimal]) -> Decimal:
    return sum((max(ZERO, part) for part in parts), ZERO)


# --- fences ---


def _taking_order(claims: Sequence[Claim]) -> list[str]:
    """The pools, first what fewest draw on: others lose least when a listing has more of what it alone counts."""
    drawing: dict[str, list[int]] = {}
    for claim in claims:
        for name in claim.draws:
            drawing.setdefault(name, []).append(claim.listing_id)
    return sorted(drawing, key=lambda name: (len(drawing[name]), drawing[name], name))


def _fenced(claims: Sequence[Claim], order: Sequence[str]) -> _Pools:
    """The pools once every ring-fence was cut out. A pool holds the most that anybody may draw of it."""
    left: dict[str, Decimal] = {}
    for claim in claims:
        for name, quantity in claim.draws.items():
            left[name] = max(left.get(name, ZERO), quantity, ZERO)
    pools = _Pools(left)
    for claim in claims:
        if claim.fence > ZERO:
            pools.fences[claim.listing_id] = _take(pools.left, claim.draws, claim.fence, order)
    return pools


def _take(
    left: dict[str, Decimal], draws: Mapping[str, Decimal], wanted: Decimal, order: Sequence[str]
) -> dict[str, Decimal]:
    """Take up to `wanted` out of the pools, in the order given; what was taken of each."""
    taken: dict[str, Decimal] = {}
    for name in order:
        part = max(ZERO, min(wanted, left[name], draws[name])) if name in draws else ZERO
        if part:
            left[name] -= part
            taken[name] = part
            wanted -= part
    return taken


# --- priority ---


def _first_parts(claims: Sequence[Claim], step: Decimal) -> dict[str, Decimal]:
    """How much of a pool goes by priority: the most that a rule of those who draw on it calls scarce, in whole steps."""
    found: dict[str, Decimal] = {}
    for claim in claims:
        if claim.scarce_below > 0:
            part = round_up(claim.scarce_below, step)
            for name in claim.draws:
                found[name] = max(found.get(name, ZERO), part)
    return found


def _scarce_pools(claims: Sequence[Claim]) -> set[str]:
    return {name for claim in claims if claim.whole < claim.scarce_below for name in claim.draws}


def _turns(
    ordered: Sequence[Claim], trial: Mapping[int, Decimal], exposed: Exposed, step: Decimal, order: Sequence[str]
) -> dict[int, _Turn]:
    """Everybody's turn at what goes by priority, by listing; empty where nothing does."""
    first = _first_parts(ordered, step)
    if not first:
        return {}
    cut = [
        replace(claim, draws={name: min(draw, first[name]) for name, draw in claim.draws.items() if name in first})
        for claim in ordered
    ]
    pools = _fenced(cut, order)
    found = {}
    for place, claim in enumerate(cut, start=1):
        own = pools.fence_of(claim)
        seen = own if claim.sharing == FENCED else pools.seen_by(claim)
        limit = min(_total(seen.values()), trial.get(claim.listing_id, Decimal("Infinity")))
        shown = exposed(claim.listing_id, Allotment(limit, claim.whole, ""))
        taken = _take(pools.left, claim.draws, shown - min(shown, _total(own.values())), order)
        found[claim.listing_id] = _Turn(place, seen, shown, taken)
    return found


# --- shares ---


def _allotments(
    ordered: Sequence[Claim], turns: Mapping[int, _Turn], step: Decimal, order: Sequence[str]
) -> dict[int, Allotment]:
    pools = _fenced(ordered, order)
    scarce = _scarce_pools(ordered)
    sharers = [claim for claim in ordered if claim.sharing in (WEIGHT, DEMAND)]
    parts = _parts(sharers, pools, turns, _gone(ordered, turns, scarce), step)
    in_all = sum((claim.weight for claim in sharers), Fraction(0))
    found = {}
    for claim in ordered:
        turn = turns.get(claim.listing_id)
        whole = claim.whole
        fence = _total(pools.fence_of(claim).values())
        if claim.sharing == FENCED:
            found[claim.listing_id] = Allotment(fence, whole, f"{_OWN_FENCE}of {as_text(claim.fence)} alone")
            continue
        if turn is not None and scarce.issuperset(claim.draws):
            reason = f"{_SCARCE}served as number {turn.place} of {len(ordered)}"
            found[claim.listing_id] = Allotment(turn.limit, whole, reason)
            continue
        visible = _visible(claim, pools, turn, scarce)
        if claim.sharing in (WEIGHT, DEMAND):
            part = parts[claim.listing_id] + fence
            reason = f"{_SHARE}{_percent(claim.weight, in_all)} by {'demand' if claim.sharing == DEMAND else 'weight'}"
            if fence:
                reason += f" and its ring-fence {as_text(fence)}"
            limit = part
            if claim.divided_percent != HUNDRED:
                reason += f", {as_text(claim.divided_percent)} % of the way from the whole pool"
                limit = part_of_the_way(max(part, visible), part, claim.divided_percent)
            if turn is not None and turn.shown <= part and turn.limit > limit:
                reason = f"{_SERVED}{turn.place} of {len(ordered)} of what is there first, more than its {reason}"
                limit = turn.limit
            found[claim.listing_id] = Allotment(limit, whole, reason)
        elif visible < whole:
            found[claim.listing_id] = Allotment(visible, whole, f"{as_text(whole - visible)} ring-fenced for others")
    return found


def _visible(claim: Claim, pools: _Pools, turn: _Turn | None, scarce: Collection[str]) -> Decimal:
    """What a listing sees that does not take a share: all that is not fenced; of scarce pools what was left at its turn."""
    seen = pools.seen_by(claim)
    if turn is not None:
        seen.update((name, quantity) for name, quantity in turn.seen.items() if name in scarce)
    return _total(seen.values())


def _gone(ordered: Sequence[Claim], turns: Mapping[int, _Turn], scarce: Collection[str]) -> dict[str, Decimal]:
    """What listings without a share take of scarce pools, which is nobody else's then."""
    found: dict[str, Decimal] = {}
    for claim in ordered:
        if claim.sharing == POOL and claim.listing_id in turns:
            for name, quantity in turns[claim.listing_id].taken.items():
                if name in scarce:
                    found[name] = found.get(name, ZERO) + quantity
    return found


def _parts(
    sharers: Sequence[Claim], pools: _Pools, turns: Mapping[int, _Turn], gone: Mapping[str, Decimal], step: Decimal
) -> dict[int, Decimal]:
    """The share of each listing, by id, its fence not included."""
    parts: dict[int, Decimal] = {claim.listing_id: ZERO for claim in sharers}
    for name, left in pools.left.items():
        drawing = [claim for claim in sharers if name in claim.draws]
        rest = there = max(ZERO, left - gone.get(name, ZERO))
        kept = []
        for claim in drawing:
            turn = turns.get(claim.listing_id)
            kept.append(ZERO if turn is None else min(rest, turn.taken.get(name, ZERO)))
            rest -= kept[-1]
        for claim, share in zip(drawing, divide(there, [one.weight for one in drawing], step, kept), strict=True):
            own = pools.fence_of(claim).get(name, ZERO)
            parts[claim.listing_id] += max(ZERO, min(share, claim.draws[name] - own))
    return parts


def _percent(part: Fraction, whole: Fraction) -> str:
    return "0 %" if not whole else f"{as_text(round_down(part / whole * 100, Decimal('0.1')))} %"


# --- trials ---


def _trial_shares(everybody: Sequence[Claim], step: Decimal) -> dict[int, Decimal]:
    trial = [claim for claim in everybody if claim.trial_limit is not None]
    if not trial:
        return {}
    limit = _trial_limit(trial)
    shares = divide(limit, [claim.weight for claim in trial], step)
    return {claim.listing_id: share for claim, share in zip(trial, shares, strict=True)}


def _trial_limit(everybody: Sequence[Claim]) -> Decimal:
    return min(claim.trial_limit for claim in everybody if claim.trial_limit is not None)


def _within_trial(
    everybody: Sequence[Claim], found: dict[int, Allotment], trial: Mapping[int, Decimal]
) -> dict[int, Allotment]:
    for claim in everybody:
        share, before = trial.get(claim.listing_id), found.get(claim.listing_id)
        if share is not None and (before is None or share < before.limit):
            whole = claim.whole if before is None else before.pool
            words = f"{_ON_TRIAL}{as_text(share)} of {as_text(_trial_limit(everybody))} in all"
            found[claim.listing_id] = Allotment(share, whole, words)
    return found
