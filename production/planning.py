"""What a completion will do, computed from facts alone: the same code for the preview and for the posting. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from inventory.errors import DomainError, InsufficientStock, ReservedByOther
from inventory.locks import Cell, CellKey, StockRows
from inventory.models import CostEntryKind, StockStatus
from inventory.operations.posting import Draft
from inventory.picking import LotOnHand, Pick, Picks, pick_lots, pick_named
from inventory.quantities import ZERO, as_text, round_down, round_half_up, round_up
from production.explosion import MANUAL, Rate, expected_usage, startable
from production.facts import ComponentFact, Recipe

_AVAILABLE = StockStatus.AVAILABLE.value
_NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Usage:
    """An actual quantity somebody entered for a component, in its stock unit, with hand-picked lots if any."""

    quantity: Decimal
    reason: str = ""
    lots: Sequence[tuple[int, Decimal]] = ()
    scrapped: Decimal = ZERO
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Substitution:
    """What was used instead of a component; `ratio` of its stock units replace one of the component's."""

    component: ComponentFact
    usage: Usage
    ratio: Decimal

    @property
    def replaced(self) -> Fraction:
        """How much of the original it stands for, exact, in the original's stock unit."""
        return Fraction(self.usage.quantity) / Fraction(self.ratio)


class PlannedPick(NamedTuple):
    lot_id: int
    lot_code: str
    location_id: int
    quantity: Decimal
    expires_on: date | None


class PlannedLine(NamedTuple):
    """One component of a completion: standard, actual, where it comes from, what it costs.

    Quantities in the component's stock unit, `value` in base currency (None: unknown). `on_hand` counts available stock at
    the source; `short` is what is missing.
    """

    component: ComponentFact
    expected: Decimal
    actual: Decimal
    reason: str
    issue_method: str
    is_consumable: bool
    is_optional: bool
    picks: Sequence[PlannedPick]
    on_hand: Decimal
    free: Decimal
    short: Decimal
    value: Decimal | None
    work_order_line_id: int | None
    scrapped: Decimal = ZERO
    cause: str = ""
    replaced: Fraction = _NOTHING
    """Of this component, exact, what substitutes stood in for."""
    substitute_for: ComponentFact | None = None

    @property
    def on_hand_after(self) -> Decimal:
        return self.on_hand if self.is_consumable else self.on_hand - self.actual

    @property
    def variance(self) -> Decimal:
        return self.actual - self.expected

    def deviates(self, tolerance: Decimal) -> bool:
        """Whether actual differs from standard by more than the share `tolerance` of it."""
        if self.replaced or self.substitute_for is not None:
            return abs(self.deviation) > Fraction(self.expected) * Fraction(tolerance)
        return self.actual != self.expected and abs(self.actual - self.expected) > self.expected * tolerance

    @property
    def deviation(self) -> Fraction:
        """Actual less standard, substitutes counted as what they replace; nothing for a substitute itself."""
        if self.substitute_for is not None:
            return Fraction(0)
        return Fraction(self.actual) + self.replaced - Fraction(self.expected)


@dataclass(slots=True)
class PlanInput:
    """Everything `plan_lines` decides on."""

    recipe: Recipe
    started_before: Decimal
    """Good and scrapped of earlier completions of the work order; 0 without one."""
    started: Decimal
    """Good and scrapped of this completion, stock unit of the output."""
    standards: Sequence[Decimal]
    """As `standards_of` the recipe."""
    usages: dict[int, Usage]
    extras: dict[int, ComponentFact]
    """Components that were entered and are not in the recipe."""
    rows: StockRows
    source_path: str | None
    """Components come from below this location path; None: from any own, active, unblocked place."""
    source_name: str
    on: date
    step: Decimal
    """Currency step."""
    substitutions: dict[int, list[Substitution]] = field(default_factory=dict)
    """By the component they replace."""
    issued: dict[int, Decimal] | None = None
    """By component, what was issued to the order and is left; None when it consumes by the BOM (rule S4)."""
    remaining: Decimal = ZERO
    """Of the order before this completion, stock unit of the output; only with `issued`."""
    implicit_lots: dict[int, int] = field(default_factory=dict)
    """By component that may go below zero, its implicit lot."""
    floor_location_id: int = 0
    """The place that goes below zero, with `implicit_lots`."""
    issued_at: int | None = None
    """The place where components stand that were issued to the order before: its own stock there is used first."""


@dataclass(slots=True)
class LinePlan:
    lines: list[PlannedLine]
    draft: Draft
    consumed_value: Decimal | None
    shortage: DomainError | None
    usable: dict[tuple[int, bool, bool], Decimal] = field(default_factory=dict)
    """Free (and own) stock per rate key, for what could be completed instead."""


def standards_of(recipe: Recipe, *, started_after: Decimal) -> list[Decimal]:
    """What a completion takes of every component by the plan, in the order of the recipe's rates. Needs no locked row."""
    return [
        ZERO
        if rate.is_optional or rate.issue_method == MANUAL
        else expected_usage(
            rate,
            started_after=started_after,
            booked=recipe.booked.get(rate.key, ZERO) if recipe.booked else ZERO,
            step=recipe.components[rate.component_id].step,
        )
        for rate in recipe.rates
    ]


def plan_lines(given: PlanInput) -> LinePlan:
    """Standard and actual of every component, the lots to take, their value, and what is short."""
    draft = Draft(given.rows, step=given.step)
    lines: list[PlannedLine] = []
    usable: dict[tuple[int, bool, bool], Decimal] = {}
    entered = dict(given.usages)
    counted = _counted_lines(given.recipe.rates) if entered or given.substitutions else {}
    for rate, standard in zip(given.recipe.rates, given.standards, strict=True):
        expected = standard if given.issued is None else _expected_of_issued(rate, standard, given)
        component = given.recipe.components[rate.component_id]
        if counted.get(rate.component_id) is not rate:
            lines.append(_plan_line(component, rate, expected, None, given, draft, usable))
            continue
        usage = entered.pop(rate.component_id, None)
        instead = given.substitutions.get(rate.component_id, [])
        lines.append(_plan_line(component, rate, expected, usage, given, draft, usable, instead))
        for other in instead:
            alone = Rate(other.component.id, Fraction(0))
            line = _plan_line(other.component, alone, ZERO, other.usage, given, draft, {})
            lines.append(line._replace(substitute_for=component))
    for component_id, usage in entered.items():
        extra = Rate(component_id, Fraction(0))
        lines.append(_plan_line(given.extras[component_id], extra, ZERO, usage, given, draft, usable))
    value: Decimal | None = ZERO
    for line in lines:
        value = None if value is None or line.value is None else value + line.value
    return LinePlan(lines, draft, value, _shortage(lines, given), usable)


def _counted_lines(rates: Sequence[Rate]) -> dict[int, Rate]:
    """By component, the line an entered quantity belongs to: the counted one when there is one, else the only one."""
    found: dict[int, Rate] = {}
    for rate in rates:
        other = found.get(rate.component_id)
        if other is None or (rate.is_consumable, rate.is_optional) < (other.is_consumable, other.is_optional):
            found[rate.component_id] = rate
    return found


def _expected_of_issued(rate: Rate, standard: Decimal, given: PlanInput) -> Decimal:
    """What was issued goes in proportion to what is made of the rest of the order; the last completion takes all (S4)."""
    assert given.issued is not None
    if rate.is_consumable or rate.is_optional or rate.issue_method == MANUAL:
        return standard
    left = given.issued.get(rate.component_id, ZERO)
    if given.started >= given.remaining:
        return left
    step = given.recipe.components[rate.component_id].step
    exact = Fraction(left) * Fraction(given.started) / Fraction(given.remaining)
    rounded = round_up(exact, step) if step == step.to_integral_value() else round_half_up(exact, step)
    return min(rounded, left)


def _plan_line(
    component: ComponentFact,
    rate: Rate,
    expected: Decimal,
    usage: Usage | None,
    given: PlanInput,
    draft: Draft,
    usable: dict[tuple[int, bool, bool], Decimal],
    instead: Sequence[Substitution] = (),
) -> PlannedLine:
    if usage is None and not instead and not rate.is_consumable:
        line = _plan_from_one_lot(component, rate, expected, given, draft, usable)
        if line is not None:
            return line
    replaced = sum((other.replaced for other in instead), _NOTHING)
    actual = _actual(expected, usage, replaced, component.step)
    picks: Sequence[PlannedPick] = ()
    on_hand = free = short = ZERO
    value: Decimal | None = ZERO
    if rate.is_consumable:
        if actual:
            value = _consumable_value(component, actual, given.step)
            draft.expense(component.id, CostEntryKind.CONSUMABLES, None if value is None else -value)
    else:
        cells = _source_cells(component.id, given)
        issued = _issued_cells(component.id, given, besides=cells)
        lots = []
        for cell in [*issued, *cells]:
            lot = cell.as_lot(own=given.rows.own_quantity(cell.id))
            if cell in issued:
                lot = lot._replace(free=ZERO)
            lots.append(lot)
            on_hand += lot.own if cell in issued else cell.quantity
            if lot.expires_on is None or lot.expires_on >= given.on:
                free += lot.free + lot.own
        usable[rate.key] = free
        if actual > ZERO:
            found = _pick(lots, usage, actual, given)
            short = found.missing
            picks = _planned(found, [*issued, *cells])
            if short and component.id in given.implicit_lots:
                value, short = _overdraw(draft, component.id, found, given), ZERO
            else:
                value = _issue(draft, component.id, found, short)
    return PlannedLine(
        component=component,
        expected=expected,
        actual=actual,
        reason="" if usage is None else usage.reason,
        issue_method=rate.issue_method,
        is_consumable=rate.is_consumable,
        is_optional=rate.is_optional,
        picks=picks,
        on_hand=on_hand,
        free=free,
        short=short,
        value=value,
        work_order_line_id=given.recipe.line_ids.get(rate.key),
        scrapped=ZERO if usage is None else usage.scrapped,
        cause="" if usage is None else usage.cause,
        replaced=replaced,
    )


def _plan_from_one_lot(
    component: ComponentFact,
    rate: Rate,
    expected: Decimal,
    given: PlanInput,
    draft: Draft,
    usable: dict[tuple[int, bool, bool], Decimal],
) -> PlannedLine | None:
    """The line most completions consist of: the standard, out of the one lot there is, which holds enough. Else None.

    It says what `_plan_line` says by its longer way, which every line of every completion would be too many of.
    """
    if given.rows.own:
        return None
    cells = _source_cells(component.id, given)
    if len(cells) != 1:
        return None
    (cell,) = cells
    free = cell.free
    if not ZERO < expected <= free or (cell.expires_on is not None and cell.expires_on < given.on):
        return None
    key = rate.key
    usable[key] = free
    return PlannedLine(
        component,
        expected,
        expected,  # the actual quantity
        "",
        rate.issue_method,
        False,  # not a consumable
        rate.is_optional,
        (PlannedPick(cell.lot_id, cell.lot_code, cell.location_id, expected, cell.expires_on),),
        cell.quantity,
        free,
        ZERO,  # short
        draft.issue(component.id, [(cell.key, expected)]),
        given.recipe.line_ids.get(key),
    )


def _actual(expected: Decimal, usage: Usage | None, replaced: Fraction, step: Decimal) -> Decimal:
    """What was used: as entered; else the standard less what substitutes stood in for, rounded down to the step."""
    if usage is not None:
        return usage.quantity
    if not replaced:
        return expected
    return max(expected - round_down(replaced, step), ZERO)


def _overdraw(draft: Draft, item_id: int, found: Picks, given: PlanInput) -> Decimal | None:
    """Issue what was found and take the rest out of one place, which goes below zero."""
    status = _AVAILABLE
    below: CellKey = (item_id, given.floor_location_id, given.implicit_lots[item_id], status)
    taken: dict[CellKey, Decimal] = {}
    for pick in found.picks:
        taken[(item_id, pick.location_id, pick.lot_id, status)] = pick.quantity
    taken[below] = taken.get(below, ZERO) + found.missing
    draft.overdrawn.add(below)
    for pick in found.picks:
        if pick.own:
            draft.fulfil((item_id, pick.location_id, pick.lot_id, status), pick.cell_id, pick.own)
    return draft.issue(item_id, list(taken.items()))


def _consumable_value(component: ComponentFact, quantity: Decimal, step: Decimal) -> Decimal | None:
    if component.standard_cost is None:
        return None
    return round_half_up(Fraction(quantity) * Fraction(component.standard_cost), step)


def _source_cells(item_id: int, given: PlanInput) -> list[Cell]:
    cells = given.rows.of_item(item_id, status=_AVAILABLE)
    path = given.source_path
    if path is None:
        return [cell for cell in cells if cell.is_pickable and cell.is_own]
    return [cell for cell in cells if cell.path.startswith(path) and (cell.is_pickable or cell.path == path)]


def _issued_cells(item_id: int, given: PlanInput, *, besides: Sequence[Cell]) -> list[Cell]:
    """Cells outside the source where stock of the item stands that was issued to the order."""
    if given.issued_at is None:
        return []
    cells = given.rows.of_item(item_id, status=StockStatus.AVAILABLE)
    there = [cell for cell in cells if cell.location_id == given.issued_at and given.rows.own_quantity(cell.id)]
    return [cell for cell in there if cell not in besides]


def _pick(lots: Sequence[LotOnHand], usage: Usage | None, actual: Decimal, given: PlanInput) -> Picks:
    """By hand-picked lots; else what was issued to the order first, so that nothing is taken twice, then by picking order."""
    if usage is not None and usage.lots:
        return pick_named(lots, wanted=usage.lots)
    issued = [lot for lot in lots if lot.location_id == given.issued_at and lot.own > ZERO]
    if not issued:
        return pick_lots(lots, quantity=actual, on=given.on)
    first = pick_lots([lot._replace(free=ZERO) for lot in issued], quantity=actual, on=given.on)
    if first.missing <= ZERO:
        return first
    taken = {pick.cell_id: pick.own for pick in first.picks}
    rest = [lot._replace(own=lot.own - taken.get(lot.cell_id, ZERO)) for lot in lots]
    more = pick_lots(rest, quantity=first.missing, on=given.on)
    return Picks(tuple(_joined([*first.picks, *more.picks])), more.missing)


def _joined(picks: Sequence[Pick]) -> list[Pick]:
    """One pick per cell."""
    found: dict[int, Pick] = {}
    for pick in picks:
        before = found.get(pick.cell_id)
        if before is None:
            found[pick.cell_id] = pick
        else:
            found[pick.cell_id] = pick._replace(quantity=before.quantity + pick.quantity, own=before.own + pick.own)
    return list(found.values())


def _planned(found: Picks, cells: Sequence[Cell]) -> list[PlannedPick]:
    by_id = {cell.id: cell for cell in cells}
    planned = []
    for pick in found.picks:
        cell = by_id[pick.cell_id]
        planned.append(PlannedPick(pick.lot_id, cell.lot_code, pick.location_id, pick.quantity, cell.expires_on))
    return planned


def _issue(draft: Draft, item_id: int, found: Picks, short: Decimal) -> Decimal | None:
    """Issue what was found; the value of the whole line is not known while a part is missing."""
    status = _AVAILABLE
    taken: list[tuple[CellKey, Decimal]] = [
        ((item_id, p.location_id, p.lot_id, status), p.quantity) for p in found.picks
    ]
    value = draft.issue(item_id, taken) if taken else None
    for (key, _), pick in zip(taken, found.picks, strict=True):
        if pick.own:
            draft.fulfil(key, pick.cell_id, pick.own)
    return None if short > ZERO else value


def _shortage(lines: Sequence[PlannedLine], given: PlanInput) -> DomainError | None:
    """One refusal that lists every short component, not only the first."""
    short = [line for line in lines if line.short > ZERO]
    if not short:
        return None
    only_reserved = all(line.on_hand >= line.actual for line in short)
    sentences = [_short_sentence(line, given) for line in short]
    error = ReservedByOther if only_reserved else InsufficientStock
    advice = "Release a reservation" if only_reserved else "Receive more"
    return error(
        f"{' '.join(sentences)} {advice}, choose other lots or quantities, or complete fewer.",
        short=[
            {
                "item": line.component.sku,
                "location": given.source_name,
                "needed": as_text(line.actual),
                "on_hand": as_text(line.on_hand),
                "free": as_text(line.free),
                "short": as_text(line.short),
                "unit": line.component.stock_unit,
            }
            for line in short
        ],
    )


def _short_sentence(line: PlannedLine, given: PlanInput) -> str:
    unit = line.component.stock_unit
    unusable = line.on_hand - line.free
    part = f" ({as_text(unusable)} reserved or expired)" if unusable > ZERO else ""
    return (
        f"{given.source_name} holds {as_text(line.on_hand)} {unit} of {line.component.sku}{part}; "
        f"this completion needs {as_text(line.actual)} {unit}."
    )


def largest_completable(given: PlanInput, plan: LinePlan, *, output_step: Decimal) -> Decimal | None:
    """The largest started quantity that present stock allows by the standard; None when nothing limits it."""
    limits = []
    for rate in given.recipe.rates:
        if rate.is_consumable or rate.is_optional or rate.issue_method == MANUAL:
            continue
        booked = given.recipe.booked.get(rate.key, ZERO)
        limit = startable(
            rate,
            usable=plan.usable.get(rate.key, ZERO) + booked,
            step=given.recipe.components[rate.component_id].step,
            output_step=output_step,
        )
        if limit is not None:
            limits.append(max(limit - given.started_before, ZERO))
    return min(limits) if limits else None
