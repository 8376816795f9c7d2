"""Who may show how much of one item when listings do not all see the whole of it. Pure.

Supply lies in pools: a site each, and one for every layer that is not stock. A listing draws on some of them, and on each at
most so much. What several listings in partition may show together is never more than what the pools hold.

1. Ring-fences are cut out first, in order of priority; what is fenced is nobody else's.
2. When the item is scarce, listings are served in order of priority, each from what those before it left.
3. Otherwise: a listing in the pool sees all that is not fenced by others; `fenced` sees its own fence alone; the rest divide
   every pool by weight, each listing with a share of a channel's weight. The division is by highest averages (d'Hondt), which
   never takes from anybody when a pool grows. A share may be taken by degrees: from the whole pool (0 %) to the share alone.
4. Listings of a trial show no more than its limit together, divided by the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from channels_sync.allocation.facts import Allotment
from channels_sync.allocation.formula import part_of_the_way
from channels_sync.allocation.terms import DEMAND, FENCED, HUNDRED, POOL, WEIGHT
from inventory.quantities import ZERO, as_text, round_down

_ON_TRIAL, _SCARCE, _OWN_FENCE, _SHARE = "on trial: ", "scarce: ", "its own ring-fence ", "share "
"""How reasons of allotments begin; they are stored, so that what was written once stays."""


class Decider(Enum):
    """What an allotment comes from, by how its reason begins."""

    TRIAL = _ON_TRIAL
    SCARCITY = _SCARCE
    OWN_FENCE = _OWN_FENCE
    SHARE = _SHARE
    OTHERS_FENCES = ""


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
    is_served_by_priority: bool = False
    divided_percent: Decimal = HUNDRED
    """How far it goes from seeing the whole pool to seeing its share alone, where it takes one."""
    is_fixed: bool = False
    """It shows a fixed figure and takes nothing of the pools; only a trial's limit holds for it."""

    @property
    def order(self) -> tuple[Decimal, int]:
        return (self.priority, self.listing_id)


@dataclass(slots=True)
class _Pools:
    left: dict[str, Decimal]
    fences: dict[int, dict[str, Decimal]] = field(default_factory=dict)


def share_out(claims: Iterable[Claim], *, step: Decimal, exposed: Exposed) -> dict[int, Allotment]:
    """The allotment of each listing, by id. Listings that see the whole of what they draw on are left out."""
    everybody = sorted(claims, key=lambda claim: claim.order)
    ordered = [claim for claim in everybody if not claim.is_fixed]
    pools = _Pools(_pools_of(ordered))
    for claim in ordered:
        if claim.fence > ZERO:
            pools.fences[claim.listing_id] = _take(pools.left, claim.draws, claim.fence)
    if any(claim.is_served_by_priority for claim in ordered):
        found = _by_priority(ordered, pools, exposed)
    else:
        found = _by_sharing(ordered, pools, step)
    return _within_trial(everybody, found, step)


def divide(total: Decimal, weights: Sequence[Fraction], step: Decimal) -> list[Decimal]:
    """`total` in multiples of `step`, by weight. Exact: the parts sum to no more than it, and grow when it grows.

    Weights of zero get nothing. Earlier ones win ties.
    """
    sum_of_weights = sum(weights, Fraction(0))
    if total <= ZERO or sum_of_weights <= 0:
        return [ZERO for _ in weights]
    units = int(Fraction(total) / Fraction(step))
    parts = [int(weight * units / sum_of_weights) for weight in weights]
    for _ in range(units - sum(parts)):
        best = max(range(len(weights)), key=lambda place: (weights[place] / (parts[place] + 1), -place))
        parts[best] += 1
    return [round_down(Fraction(part) * Fraction(step), step) for part in parts]


def _pools_of(claims: Sequence[Claim]) -> dict[str, Decimal]:
    """A pool holds the most that anybody may draw of it."""
    pools: dict[str, Decimal] = {}
    for claim in claims:
        for name, quantity in claim.draws.items():
            pools[name] = max(pools.get(name, ZERO), quantity, ZERO)
    return pools


def _take(left: dict[str, Decimal], draws: Mapping[str, Decimal], wanted: Decimal) -> dict[str, Decimal]:
    """Take up to `wanted` out of the pools, in order of their names; what was taken of each."""
    taken: dict[str, Decimal] = {}
    for name in sorted(draws):
        part = max(ZERO, min(wanted, left[name], draws[name]))
        if part:
            left[name] -= part
            taken[name] = part
            wanted -= part
    return taken


def _seen(claim: Claim, pools: _Pools) -> dict[str, Decimal]:
    """What a listing may draw of each pool: what is left, and its own fence, up to its own draw."""
    own = pools.fences.get(claim.listing_id, {})
    return {name: min(draw, pools.left[name] + own.get(name, ZERO)) for name, draw in claim.draws.items()}


def _total(parts: Iterable[Decimal]) -> Decimal:
    return sum((max(ZERO, part) for part in parts), ZERO)


def _by_priority(ordered: Sequence[Claim], pools: _Pools, exposed: Exposed) -> dict[int, Allotment]:
    found = {}
    for place, claim in enumerate(ordered, start=1):
        seen = _seen(claim, pools)
        limit = _total(seen.values())
        found[claim.listing_id] = allotment = Allotment(
            limit, _total(claim.draws.values()), f"{_SCARCE}served as number {place} of {len(ordered)}"
        )
        wanted = exposed(claim.listing_id, allotment)
        own = pools.fences.get(claim.listing_id, {})
        used = min(wanted, _total(own.values()))
        _take(pools.left, claim.draws, wanted - used)
    return found


def _by_sharing(ordered: Sequence[Claim], pools: _Pools, step: Decimal) -> dict[int, Allotment]:
    sharers = [claim for claim in ordered if claim.sharing in (WEIGHT, DEMAND)]
    parts: dict[int, Decimal] = {claim.listing_id: ZERO for claim in sharers}
    for name, left in pools.left.items():
        drawing = [claim for claim in sharers if name in claim.draws]
        shares = divide(left, [claim.weight for claim in drawing], step)
        for claim, share in zip(drawing, shares, strict=True):
            own = pools.fences.get(claim.listing_id, {}).get(name, ZERO)
            parts[claim.listing_id] += max(ZERO, min(share, claim.draws[name] - own))
    all_weights = sum((claim.weight for claim in sharers), Fraction(0))
    found = {}
    for claim in ordered:
        fence = _total(pools.fences.get(claim.listing_id, {}).values())
        whole = _total(claim.draws.values())
        if claim.sharing == FENCED:
            found[claim.listing_id] = Allotment(fence, whole, f"{_OWN_FENCE}of {as_text(claim.fence)} alone")
        elif claim.sharing in (WEIGHT, DEMAND):
            reason = (
                f"{_SHARE}{_percent(claim.weight, all_weights)} by {'demand' if claim.sharing == DEMAND else 'weight'}"
            )
            if fence:
                reason += f" and its ring-fence {as_text(fence)}"
            limit = parts[claim.listing_id] + fence
            if claim.divided_percent != HUNDRED:
                reason += f", {as_text(claim.divided_percent)} % of the way from the whole pool"
                seen = max(limit, _total(_seen(claim, pools).values()))
                limit = part_of_the_way(seen, limit, claim.divided_percent)
            found[claim.listing_id] = Allotment(limit, whole, reason)
        else:
            limit = _total(_seen(claim, pools).values())
            if limit < whole:
                found[claim.listing_id] = Allotment(limit, whole, f"{as_text(whole - limit)} ring-fenced for others")
    return found


def _within_trial(ordered: Sequence[Claim], found: dict[int, Allotment], step: Decimal) -> dict[int, Allotment]:
    trial = [claim for claim in ordered if claim.trial_limit is not None]
    if not trial:
        return found
    limit = min(claim.trial_limit for claim in trial if claim.trial_limit is not None)
    for claim, share in zip(trial, divide(limit, [claim.weight for claim in trial], step), strict=True):
        before = found.get(claim.listing_id)
        if before is None or share < before.limit:
            whole = _total(claim.draws.values()) if before is None else before.pool
            found[claim.listing_id] = Allotment(share, whole, f"{_ON_TRIAL}{as_text(share)} of {as_text(limit)} in all")
    return found


def _percent(part: Fraction, whole: Fraction) -> str:
    return "0 %" if not whole else f"{as_text(round_down(part / whole * 100, Decimal('0.1')))} %"
