"""What comes back when finished goods are taken apart: how much of which lot, and what part of the value it carries.

From a completion it is what the completion really used, in proportion and rounded on the running total; without one it is
what the BOM in force says (rule S14).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.conf import settings
from django.utils import timezone

from inventory.errors import InvalidQuantity, LotRequired, WrongState
from inventory.models import Item, Lot, Movement, Tracking
from inventory.quantities import ZERO, as_text, check_step, round_down, round_half_up, share_out
from production.errors import OverDisassembly
from production.explosion import MANUAL
from production.facts import recipe_of_bom
from production.models import Completion, CompletionReversal, Disassembly
from production.reads.cost_rollup import cost_book
from production.reads.structures import load_structures


@dataclass(frozen=True, slots=True)
class Recovery:
    """One lot of a component that comes back: what is expected and what was recovered, in its stock unit.

    `weight` is its part in the value, in base currency.
    """

    component_id: int
    lot_id: int | None
    """None: the implicit lot of an untracked item."""
    expected: Decimal
    recovered: Decimal
    weight: Fraction


def left_to_disassemble(completion: Completion) -> Decimal:
    """Good units of a completion that were neither taken back nor taken apart; stock unit."""
    return completion.good - completion.reversed_good - _taken_apart(completion)


def _taken_apart(completion: Completion) -> Decimal:
    done = Disassembly.objects.filter(completion=completion, is_reversed=False).values_list("quantity", flat=True)
    return sum(done, ZERO)


def from_completion(completion: Completion, item: Item, quantity: Decimal) -> list[Recovery]:
    """Of what the completion used and has not got back, the part of `quantity`, by component and lot, first picked first.

    Rounded on the running total, so that the last unit brings back the rest, whatever the steps.
    """
    left = left_to_disassemble(completion)
    if quantity > left:
        raise OverDisassembly(
            f"{as_text(left)} {item.stock_unit} of {item.sku} are left of completion {completion.pk}; "
            f"{as_text(quantity)} cannot be taken apart. Give at most what is left.",
            item=item.sku,
            left=as_text(left),
            given=as_text(quantity),
        )
    before = _taken_apart(completion)
    good = completion.good - completion.reversed_good
    counted = completion.lines.filter(is_consumable=False).values("component_id")
    steps = dict(Item.objects.filter(pk__in=counted).values_list("pk", "step"))
    recoveries = []
    for component_id, used in _used_by_lot(completion).items():
        total = sum((q for _, q, _ in used), ZERO)
        step = steps[component_id]
        gone, until = (_share(total, part, good, step) for part in (before, before + quantity))
        recoveries += _slice(component_id, used, start=gone, end=until)
    return recoveries


def _share(total: Decimal, part: Decimal, whole: Decimal, step: Decimal) -> Decimal:
    """total x part / whole, down to the step for whole items and half up for others; all of it for the whole."""
    if part == whole:
        return total
    exact = Fraction(total) * Fraction(part) / Fraction(whole)
    rounded = round_down(exact, step) if step == step.to_integral_value() else round_half_up(exact, step)
    return min(rounded, total)


def _used_by_lot(completion: Completion) -> dict[int, list[tuple[int, Decimal, Fraction]]]:
    """By component: lots, quantities and values it used net of reversals, in the order they were picked."""
    back = list(CompletionReversal.objects.filter(completion=completion).values_list("posting_id", flat=True))
    sums: dict[tuple[int, int], tuple[Decimal, Fraction]] = {}
    own = Movement.objects.filter(posting_id=completion.posting_id, quantity__lt=0).order_by("pk")
    returned = Movement.objects.filter(posting_id__in=back, quantity__gt=0).order_by("pk")
    for movement in [*own, *returned]:
        key = (movement.item_id, movement.lot_id)
        if key not in sums and movement.quantity > ZERO:
            continue  # an output of another kind that went back
        quantity, value = sums.get(key, (ZERO, Fraction(0)))
        sums[key] = (quantity - movement.quantity, value - Fraction(movement.value or ZERO))
    used: dict[int, list[tuple[int, Decimal, Fraction]]] = {}
    for (component_id, lot_id), (quantity, value) in sums.items():
        if quantity > ZERO:
            used.setdefault(component_id, []).append((lot_id, quantity, max(value, Fraction(0))))
    return used


def _slice(
    component_id: int, used: Sequence[tuple[int, Decimal, Fraction]], *, start: Decimal, end: Decimal
) -> list[Recovery]:
    """The part of the used lots between two points of their running total."""
    found = []
    at = ZERO
    for lot_id, quantity, value in used:
        part = min(end, at + quantity) - max(start, at)
        if part > ZERO:
            weight = value * Fraction(part) / Fraction(quantity)
            found.append(Recovery(component_id, lot_id, part, part, weight))
        at += quantity
    return found


def from_bom(item: Item, quantity: Decimal) -> tuple[int, list[Recovery]]:
    """What the BOM in force says comes back, without set-up, and what each part is worth; no tracked component."""
    day = timezone.localdate()
    recipe = recipe_of_bom(item=item, on=day)
    tracked = sorted(c.sku for c in recipe.components.values() if c.tracking != Tracking.NONE)
    if tracked:
        raise LotRequired(
            f"{', '.join(tracked)} {'is' if len(tracked) == 1 else 'are'} tracked, so it must be known what was used. "
            "Take the goods apart from the completion that made them.",
            item=item.sku,
            components=tracked,
        )
    book = cost_book(load_structures(items=[item.pk], on=day))
    recoveries = []
    for rate in recipe.rates:
        if rate.is_consumable or rate.is_optional or rate.issue_method == MANUAL:
            continue
        component = recipe.components[rate.component_id]
        exact = rate.per_unit * Fraction(quantity)
        expected = round_down(exact, component.step)
        cost = book.of_item(component.id).value if component.id in book.structures.items else None
        if expected > ZERO:
            weight = Fraction(0) if cost is None else cost * Fraction(expected)
            recoveries.append(Recovery(component.id, None, expected, expected, weight))
    if not recoveries:
        raise WrongState(f"Nothing comes back of {as_text(quantity)} {item.stock_unit} of {item.sku} by its BOM.")
    return recipe.bom_id, recoveries


def with_recovered(recoveries: Sequence[Recovery], recovered: Mapping[int, Decimal]) -> list[Recovery]:
    """The recoveries with what really came back, the first lots first; never more than expected."""
    items = Item.objects.in_bulk({recovery.component_id for recovery in recoveries})
    left = dict(recovered)
    for component_id, quantity in recovered.items():
        expected = sum((r.expected for r in recoveries if r.component_id == component_id), ZERO)
        component = items.get(component_id)
        if component is None or quantity < ZERO or quantity > expected:
            sku = component.sku if component else str(component_id)
            raise InvalidQuantity(
                f"{as_text(quantity)} of {sku} cannot come back; at most {as_text(expected)} can.", item=sku
            )
        if quantity:
            check_step(quantity=quantity, step=component.step, sku=component.sku, unit=component.stock_unit)
    found = []
    for recovery in recoveries:
        if recovery.component_id in left:
            part = min(recovery.expected, left[recovery.component_id])
            left[recovery.component_id] -= part
            recovery = Recovery(  # noqa: PLW2901
                recovery.component_id, recovery.lot_id, recovery.expected, part, recovery.weight
            )
        found.append(recovery)
    return found


def valued(
    recoveries: Sequence[Recovery], value: Decimal | None
) -> tuple[list[tuple[Recovery, Decimal | None]], Decimal]:
    """What each recovery carries of `value`, by its weight, the last taking the residue; and what is not recovered.

    Values in base currency, None when unknown.
    """
    values: Sequence[Decimal | None]
    if value is None:
        values = [None] * len(recoveries)
    else:
        weights = [round_half_up(r.weight, Decimal("0.000001")) for r in recoveries]
        if not any(weights):
            weights = [r.expected for r in recoveries]
        values = share_out(value, weights, step=settings.CURRENCY_STEP) if recoveries else []
    found: list[tuple[Recovery, Decimal | None]] = []
    wasted = value if value is not None and not recoveries else ZERO
    for recovery, worth in zip(recoveries, values, strict=True):
        kept = worth
        if worth is not None and recovery.recovered < recovery.expected:
            part = Fraction(worth) * Fraction(recovery.recovered) / Fraction(recovery.expected)
            kept = round_half_up(part, settings.CURRENCY_STEP)
            wasted += worth - kept
        found.append((recovery, kept))
    return found, wasted


def output_lots(completion: Completion, item: Item, quantity: Decimal) -> list[tuple[Lot, Decimal]]:
    """The lot the completion made; where it made several, which one must be named."""
    if item.tracking == Tracking.NONE:
        return []
    codes = list(completion.outputs.filter(is_main=True).select_related("lot"))
    if len(codes) > 1:
        raise LotRequired(
            f"Completion {completion.pk} made {len(codes)} lots of {item.sku}. Name those that are taken apart.",
            item=item.sku,
        )
    assert completion.output_lot_id is not None
    return [(Lot.objects.get(pk=completion.output_lot_id), quantity)]
