"""What a late cost does with the goods it falls on, decided from pools that are locked or, for a preview, only read."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from django.conf import settings

from inventory.errors import InvalidQuantity, NothingToSpreadOver, WrongState
from inventory.late_costs import Received, spread
from inventory.locks import CellKey, StockRows
from inventory.models import (
    CostEntryKind,
    CostLayer,
    CostMethod,
    Item,
    LandedBasis,
    LandedCostKind,
    Movement,
    PostingKind,
)
from inventory.operations.posting import Draft
from inventory.quantities import ZERO, proportion
from inventory.reads.tracking import UseCost, UsedPart, priced_movements, prices_of, track_receipts, use_costs
from inventory.units import standard_factor


@dataclass(frozen=True, slots=True)
class LandedLine:
    """What a late cost does with one received quantity. Quantities in the stock unit, money in base currency."""

    movement: Movement
    amount: Decimal
    received: Decimal
    remaining: Decimal
    capitalised: Decimal
    expensed: Decimal
    unit_cost_before: Decimal | None  # of the item's stock; None when unknown or nothing is there
    unit_cost_after: Decimal | None
    uses: Sequence[UseCost]

    @property
    def used(self) -> Decimal:
        return self.received - self.remaining

    @property
    def item(self) -> Item:
        return self.movement.item


@dataclass(frozen=True, slots=True)
class LandedPlan:
    """What posting a late cost will do, line by line; made by the code that posts it."""

    amount: Decimal
    lines: Sequence[LandedLine]

    @property
    def capitalised(self) -> Decimal:
        return sum((line.capitalised for line in self.lines), ZERO)

    @property
    def expensed(self) -> Decimal:
        return sum((line.expensed for line in self.lines), ZERO)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A late cost as it was asked for: an amount to spread by `basis`, or a price for each target."""

    targets: Sequence[Movement]
    kind: LandedCostKind
    basis: LandedBasis
    amount: Decimal | None = None
    prices: Mapping[int, Decimal] = field(default_factory=dict)

    @property
    def items(self) -> list[int]:
        return [target.item_id for target in self.targets]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of one target, and in which layer that stands."""

    movement: Movement
    tracked: Received
    received: Decimal
    remaining: Decimal
    layer_id: int | None = None
    layer_is_unknown: bool = False

    @property
    def key(self) -> CellKey:
        movement = self.movement
        return (movement.item_id, movement.location_id, movement.lot_id, movement.status)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of one target's share."""

    standing: Standing
    share: Decimal
    added: Decimal
    unit_cost_before: Decimal | None

    @property
    def expensed(self) -> Decimal:
        return self.share - self.added


@dataclass(frozen=True, slots=True)
class Decision:
    draft: Draft
    outcomes: Sequence[Outcome]

    @property
    def amount(self) -> Decimal:
        return sum((one.share for one in self.outcomes), ZERO)


def decide(rows: StockRows, wanted: Wanted) -> Decision:
    """What a late cost does, from locked (or, for a preview, only read) pools."""
    draft = Draft(rows)
    items = set(wanted.items)
    tracked = track_receipts(items=items, methods=rows.methods)
    standings = _standings(rows, wanted.targets, tracked)
    priced = priced_movements(items)
    shares = _shares(standings, wanted, priced)
    before = {item_id: draft.pool(item_id).unit_cost for item_id in items}
    outcomes = []
    for one in standings:
        share = shares.get(one.movement.pk)
        if share is None:
            continue
        part = proportion(share, one.remaining, one.received, step=draft.step)
        if wanted.amount is None and _has_no_price(one.movement, priced):
            added = _make_known(draft, one, part, siblings=tracked[one.movement.item_id].values(), priced=priced)
            priced.add(one.movement.pk)
        else:
            added = _add(draft, one, part)
        item_id = one.movement.item_id
        draft.expense(item_id, CostEntryKind.LANDED_COST, -share)
        draft.expense(item_id, CostEntryKind.LANDED_EXPENSE, share - added)
        outcomes.append(Outcome(one, share, added, before[item_id]))
    return Decision(draft, outcomes)


def plan_of(decision: Decision) -> LandedPlan:
    """A decision as people see it before it is posted, with what used the goods."""
    outcomes = decision.outcomes
    parts = [
        UsedPart(one.standing.tracked, one.standing.received - one.standing.remaining, one.expensed) for one in outcomes
    ]
    lines = [
        LandedLine(
            movement=one.standing.movement,
            amount=one.share,
            received=one.standing.received,
            remaining=one.standing.remaining,
            capitalised=one.added,
            expensed=one.expensed,
            unit_cost_before=one.unit_cost_before,
            unit_cost_after=decision.draft.pool(one.standing.movement.item_id).unit_cost,
            uses=uses,
        )
        for one, uses in zip(outcomes, use_costs(parts), strict=True)
    ]
    return LandedPlan(decision.amount, lines)


def _standings(
    rows: StockRows, targets: Sequence[Movement], tracked: Mapping[int, Mapping[int, Received]]
) -> list[Standing]:
    layers = _layers_of(rows, targets)
    standings = []
    for target in targets:
        one = tracked[target.item_id][target.pk]
        if not one.kept:
            raise WrongState(
                f"{target.posting} was reversed; nothing of its {target.item.sku} is here. Leave that line out.",
                movement=target.pk,
                posting=target.posting_id,
            )
        layer = layers.get(target.pk)
        if layer is None:
            standings.append(Standing(target, one, one.kept, one.left))
        else:
            is_own = layer.posting_id == target.posting_id
            left = min(layer.quantity, one.kept) if is_own else min(layer.quantity, one.left)
            standings.append(
                Standing(target, one, one.kept, left, layer.pk, layer.value is None and layer.quantity > 0)
            )
    return standings


def _layers_of(rows: StockRows, targets: Sequence[Movement]) -> dict[int, CostLayer]:
    """The layer in which each target of a first-in-first-out item stands, by movement id.

    A posting makes its layers in the order of its movements. What came in before the item had layers stands in the one that
    was opened when its cost method changed.
    """
    fifo = [target for target in targets if rows.methods.get(target.item_id) == CostMethod.FIFO]
    if not fifo:
        return {}
    items = {target.item_id for target in fifo}
    postings = {target.posting_id for target in fifo}
    own: dict[tuple[int, int, int], list[CostLayer]] = {}
    opening: dict[int, list[CostLayer]] = {}
    for layer in CostLayer.objects.filter(item__in=items, posting__in=postings).order_by("id"):
        own.setdefault((layer.posting_id, layer.item_id, layer.lot_id), []).append(layer)
    for layer in CostLayer.objects.filter(
        item__in=items, posting__kind=PostingKind.COST_CORRECTION, quantity__gt=0
    ).order_by("id"):
        opening.setdefault(layer.item_id, []).append(layer)
    found: dict[int, CostLayer] = {}
    made: dict[tuple[int, int, int], int] = {}
    for movement in Movement.objects.filter(posting__in=postings, item__in=items, quantity__gt=0).order_by("id"):
        place = (movement.posting_id, movement.item_id, movement.lot_id)
        number = made.get(place, 0)
        made[place] = number + 1
        if number < len(own.get(place, ())):
            found[movement.pk] = own[place][number]
        elif movement.item_id in opening:
            held = opening[movement.item_id]
            found[movement.pk] = next((layer for layer in held if layer.lot_id == movement.lot_id), held[0])
    return found


def _shares(standings: Sequence[Standing], wanted: Wanted, priced: set[int]) -> dict[int, Decimal]:
    """What falls on each target, by movement id; targets whose price stays are left out."""
    earlier = prices_of([one.movement.pk for one in standings])
    if wanted.amount is not None:
        weights = [_weight(one, wanted.basis, earlier, priced) for one in standings]
        if not sum(weights):
            raise NothingToSpreadOver(
                f"By {wanted.basis.label.lower()} all chosen lines weigh nothing. Choose another way to spread."
            )
        if wanted.basis == LandedBasis.QUANTITY:
            _refuse_mixed_units(standings)
        parts = spread(wanted.amount, weights, step=settings.CURRENCY_STEP)
        return {one.movement.pk: part for one, part in zip(standings, parts, strict=True)}
    shares = {}
    for one in standings:
        movement = one.movement
        known = (movement.value or ZERO) + earlier.get(movement.pk, ZERO)
        difference = wanted.prices[movement.pk] - known
        if difference or _has_no_price(movement, priced):
            shares[movement.pk] = difference
    if not shares:
        raise InvalidQuantity("These are the prices that are recorded already. Give the ones that differ.")
    return shares


def _has_no_price(movement: Movement, priced: set[int]) -> bool:
    return movement.value is None and movement.pk not in priced


def _weight(one: Standing, basis: LandedBasis, earlier: Mapping[int, Decimal], priced: set[int]) -> Fraction:
    movement, item = one.movement, one.movement.item
    if one.layer_is_unknown or (basis == LandedBasis.VALUE and _has_no_price(movement, priced)):
        raise WrongState(
            f"The {item.sku} of {movement.posting} came in without a cost. Give its price first"
            f"{'' if one.layer_is_unknown else ', or spread in another way'}.",
            movement=movement.pk,
            item=item.sku,
        )
    kept = Fraction(one.received)
    if basis == LandedBasis.VALUE:
        value = (movement.value or ZERO) + earlier.get(movement.pk, ZERO)
        return Fraction(value) * kept / Fraction(movement.quantity)
    if basis == LandedBasis.QUANTITY:
        return kept
    of_one = _grams(item) if basis == LandedBasis.WEIGHT else _cubic_millimetres(item)
    if of_one is None:
        words = "weight" if basis == LandedBasis.WEIGHT else "length, width and height"
        raise NothingToSpreadOver(
            f"{item.sku} has no {words}. Fill it in at the item, or choose another way to spread.", item=item.sku
        )
    return of_one * kept


def _grams(item: Item) -> Fraction | None:
    """What one stock unit weighs."""
    if item.weight_grams is not None:
        return Fraction(item.weight_grams)
    return standard_factor(item.stock_unit, "g")


def _cubic_millimetres(item: Item) -> Fraction | None:
    """The volume of one stock unit."""
    if item.length_mm is not None and item.width_mm is not None and item.height_mm is not None:
        return Fraction(item.length_mm) * Fraction(item.width_mm) * Fraction(item.height_mm)
    return standard_factor(item.stock_unit, "mm**3")


def _refuse_mixed_units(standings: Sequence[Standing]) -> None:
    units = {one.movement.item.stock_unit: one.movement.item.sku for one in standings}
    if len(units) > 1:
        named = ", ".join(f"{sku} in {unit}" for unit, sku in sorted(units.items()))
        raise NothingToSpreadOver(
            f"Quantities of different units cannot be compared: {named}. Spread by value or by weight."
        )


def _add(draft: Draft, one: Standing, part: Decimal) -> Decimal:
    if one.layer_is_unknown:
        raise WrongState(
            f"The {one.movement.item.sku} of {one.movement.posting} stands among goods without a cost. Give their price first.",
            movement=one.movement.pk,
        )
    if not part:
        return ZERO
    return draft.add_value(one.key, part, posting_id=one.movement.posting_id, layer_id=one.layer_id)


def _make_known(
    draft: Draft, one: Standing, part: Decimal, *, siblings: Collection[Received], priced: set[int]
) -> Decimal:
    """Goods that came in without a cost get one; `part` is what the units that are left are worth. Returns what was added.

    A pool of units of unknown cost does not say which they are. It becomes known for good with the last receipt that gets
    its price, so each one takes its own received quantity out of the unknown, and the last one whatever is left of it.
    """
    if draft.method(one.movement.item_id) == CostMethod.FIFO:
        if one.layer_is_unknown and one.layer_id is not None:
            draft.make_known(one.key, one.remaining, part, layer_id=one.layer_id)
            return part
        return _nothing_left(one)
    if not one.tracked.is_in_pool:
        return _nothing_left(one)
    others = sum(
        (
            sibling.kept
            for sibling in siblings
            if sibling.lot_id == one.tracked.lot_id
            and sibling.is_unknown
            and sibling.is_in_pool
            and sibling.id not in priced
            and sibling.id != one.movement.pk
        ),
        ZERO,
    )
    unknown = draft.unknown_quantity(one.key)
    becomes_known = unknown - min(unknown, others)
    if not becomes_known:
        return _add(draft, one, part)
    draft.make_known(one.key, becomes_known, part)
    return part


def _nothing_left(one: Standing) -> Decimal:
    """All of it is used, so that all of its price is expensed. Refuses goods that were given a cost in another way."""
    if one.remaining:
        raise WrongState(
            f"The cost of {one.movement.item.sku} was corrected after {one.movement.posting}, so these goods have one. "
            "Correct the cost again instead.",
            movement=one.movement.pk,
            item=one.movement.item.sku,
        )
    return ZERO
