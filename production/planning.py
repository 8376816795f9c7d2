"""What a completion will do, computed from facts alone: the same code for the preview and for the posting. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from inventory.errors import DomainError
from inventory.locks import Cell, CellKey, StockRows
from inventory.models import CostEntryKind, StockStatus
from inventory.operations.posting import Draft
from inventory.picking import LotOnHand, Pick, Picks, pick_lots, pick_named
from inventory.quantities import ZERO, round_down, round_half_up
from production.explosion import MANUAL, Rate, expected_usage, startable
from production.facts import ComponentFact, Recipe
from production.issued import IssuedStock, is_issued
from production.planned import NOTHING, PlannedLine, PlannedPick, Substitution, Usage
from production.shortage import shortage_of

_AVAILABLE = StockStatus.AVAILABLE.value


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
    issued: IssuedStock | None = None
    """What was issued to the order and is left; None when it consumes by the BOM (rule S4)."""
    implicit_lots: dict[int, int] = field(default_factory=dict)
    """By component that may go below zero, its implicit lot."""
    floor_location_id: int = 0
    """The place that goes below zero, with `implicit_lots`."""
    issued_at: int | None = None
    """The place where components stand that were issued to the order before: its own stock there is used first."""
    expired_lots: frozenset[int] = frozenset()
    """Lots past their last day that were named: they are taken from what is set to expired too (rule S15)."""
    repeated: frozenset[int] = frozenset()
    """Components that several lines take: a later line must not take what an earlier one took. Found by `plan_lines`."""


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
    given.repeated = _repeated(given)
    for rate, standard in zip(given.recipe.rates, given.standards, strict=True):
        component = given.recipe.components[rate.component_id]
        expected = standard
        if given.issued is not None and is_issued(rate):
            expected = given.issued.share(component.id, step=component.step)
        usage, instead, replaced = None, list[Substitution](), NOTHING
        if counted.get(rate.component_id) is rate:
            usage = entered.pop(rate.component_id, None)
            instead = given.substitutions.get(rate.component_id, [])
            replaced = sum((other.replaced for other in instead if not other.is_issued), NOTHING)
            stands_in = sum((other.replaced for other in instead if other.is_issued), NOTHING)
            if stands_in:  # what was issued instead is what is expected of it
                part = round_half_up(stands_in, component.step)
                expected, replaced = expected + part, replaced + Fraction(part)
        line = _plan_line(component, rate, expected, usage, given, draft, usable, replaced)
        if given.issued is not None and is_issued(rate) and _lacks(given, rate, instead, line, standard):
            line = line._replace(needed=standard)
        lines.append(line)
        for other in instead:
            alone = Rate(other.component.id, Fraction(0))
            line = _plan_line(other.component, alone, ZERO, other.usage, given, draft, {})
            # Not of the order's line of its own, should it be a component as well.
            lines.append(line._replace(substitute_for=component, work_order_line_id=None))
    for component_id, usage in entered.items():
        extra = Rate(component_id, Fraction(0))
        lines.append(_plan_line(given.extras[component_id], extra, ZERO, usage, given, draft, usable))
    value: Decimal | None = ZERO
    for line in lines:
        value = None if value is None or line.value is None else value + line.value
    return LinePlan(lines, draft, value, shortage_of(lines, source_name=given.source_name), usable)


def _lacks(given: PlanInput, rate: Rate, instead: Sequence[Substitution], line: PlannedLine, standard: Decimal) -> bool:
    """Whether a line that goes by what was issued takes less than the BOM says, because less was issued."""
    assert given.issued is not None
    if Fraction(line.actual) + line.replaced >= Fraction(standard):
        return False
    booked = given.recipe.booked.get(rate.key, ZERO)
    return given.issued.lacks(
        rate, instead, started_before=given.started_before, booked=booked, step=line.component.step
    )


def _repeated(given: PlanInput) -> frozenset[int]:
    """Components of several lines: counted for one and optional, or a substitute for one or two others."""
    taken = [rate.component_id for rate in given.recipe.rates if not rate.is_consumable]
    if not given.substitutions and len(set(taken)) == len(taken):
        return frozenset()
    taken += [other.component.id for others in given.substitutions.values() for other in others]
    taken += given.extras
    return frozenset(component_id for component_id, times in Counter(taken).items() if times > 1)


def _counted_lines(rates: Sequence[Rate]) -> dict[int, Rate]:
    """By component, the line an entered quantity belongs to: the counted one when there is one, else the only one."""
    found: dict[int, Rate] = {}
    for rate in rates:
        other = found.get(rate.component_id)
        if other is None or (rate.is_consumable, rate.is_optional) < (other.is_consumable, other.is_optional):
            found[rate.component_id] = rate
    return found


def _plan_line(
    component: ComponentFact,
    rate: Rate,
    expected: Decimal,
    usage: Usage | None,
    given: PlanInput,
    draft: Draft,
    usable: dict[tuple[int, bool, bool], Decimal],
    replaced: Fraction = NOTHING,
) -> PlannedLine:
    if usage is None and not replaced and not rate.is_consumable and component.id not in given.repeated:
        line = _plan_from_one_lot(component, rate, expected, given, draft, usable)
        if line is not None:
            return line
    actual = _actual(expected, usage, replaced, component.step)
    offer, taken = _Offer(), _Taken()
    if rate.is_consumable:
        if actual:
            taken = _Taken(value=_consumable_value(component, actual, given.step))
            draft.expense(component.id, CostEntryKind.CONSUMABLES, None if taken.value is None else -taken.value)
    else:
        offer = _offered(component.id, given, usage)
        usable[rate.key] = offer.free
        if actual > ZERO:
            taken = _take(draft, component.id, offer, usage, actual, given)
    return PlannedLine(
        component=component,
        expected=expected,
        actual=actual,
        reason="" if usage is None else usage.reason,
        issue_method=rate.issue_method,
        is_consumable=rate.is_consumable,
        is_optional=rate.is_optional,
        picks=taken.picks,
        on_hand=offer.on_hand,
        free=offer.free,
        short=taken.short,
        value=taken.value,
        work_order_line_id=given.recipe.line_ids.get(rate.key),
        expired=offer.expired,
        overdrawn=taken.overdrawn,
        scrapped=ZERO if usage is None else usage.scrapped,
        cause="" if usage is None else usage.cause,
        replaced=replaced,
    )


class _Offer(NamedTuple):
    """The cells a line may take from, and what there is of it."""

    cells: Sequence[Cell] = ()
    lots: Sequence[LotOnHand] = ()
    on_hand: Decimal = ZERO
    free: Decimal = ZERO
    expired: Decimal = ZERO


class _Taken(NamedTuple):
    """What a line takes of its offer, and what it is worth (None: unknown)."""

    picks: Sequence[PlannedPick] = ()
    value: Decimal | None = ZERO
    short: Decimal = ZERO
    overdrawn: Decimal = ZERO


def _offered(item_id: int, given: PlanInput, usage: Usage | None) -> _Offer:
    cells = _source_cells(item_id, given)
    issued = _issued_cells(item_id, given, besides=cells)
    marked = _cells_set_to_expired(item_id, given, usage)
    lots = [cell.as_lot()._replace(received_on=date.min) for cell in marked]  # of a lot, they go first
    on_hand = expired = sum((cell.quantity for cell in marked), ZERO)
    free = ZERO
    for cell in [*issued, *cells]:
        lot = cell.as_lot(own=given.rows.own_quantity(cell.id))
        if cell in issued:
            lot = lot._replace(free=ZERO)
        lots.append(lot)
        there = lot.own if cell in issued else cell.quantity
        on_hand += there
        if lot.expires_on is None or lot.expires_on >= given.on:
            free += lot.free + lot.own
        else:
            expired += there
    return _Offer([*marked, *issued, *cells], lots, on_hand, free, expired)


def _take(draft: Draft, item_id: int, offer: _Offer, usage: Usage | None, actual: Decimal, given: PlanInput) -> _Taken:
    found = _pick(offer.lots, usage, actual, given)
    picks = _planned(found, offer.cells)
    if found.missing and item_id in given.implicit_lots:
        taken = _Taken(picks, _overdraw(draft, item_id, found, given), overdrawn=found.missing)
    else:
        taken = _Taken(picks, _issue(draft, item_id, found, offer.cells), found.missing)
    if item_id in given.repeated:
        _note_taken(given.rows, found, offer.cells)
    return taken


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


def _source_cells(item_id: int, given: PlanInput, status: str = _AVAILABLE) -> list[Cell]:
    cells = given.rows.of_item(item_id, status=status)
    path = given.source_path
    if path is None:
        return [cell for cell in cells if cell.is_pickable and cell.is_own]
    return [cell for cell in cells if cell.path.startswith(path) and (cell.is_pickable or cell.path == path)]


def _cells_set_to_expired(item_id: int, given: PlanInput, usage: Usage | None) -> list[Cell]:
    """At the source, of the lots that were named."""
    named = set() if usage is None else given.expired_lots.intersection(lot_id for lot_id, _ in usage.lots)
    if not named:
        return []
    return [cell for cell in _source_cells(item_id, given, StockStatus.EXPIRED) if cell.lot_id in named]


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


def _issue(draft: Draft, item_id: int, found: Picks, cells: Sequence[Cell]) -> Decimal | None:
    """Issue what was found; the value of the whole line is not known while a part is missing."""
    keys = {cell.id: cell.key for cell in cells}
    taken = [(keys[pick.cell_id], pick.quantity) for pick in found.picks]
    value = draft.issue(item_id, taken) if taken else None
    for (key, _), pick in zip(taken, found.picks, strict=True):
        if pick.own:
            draft.fulfil(key, pick.cell_id, pick.own)
    return None if found.missing > ZERO else value


def _note_taken(rows: StockRows, found: Picks, cells: Sequence[Cell]) -> None:
    """Let later lines of the same component see what this one took."""
    keys = {cell.id: cell.key for cell in cells}
    for pick in found.picks:
        rows.note_chosen(keys[pick.cell_id], pick.quantity, own=pick.own)


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
