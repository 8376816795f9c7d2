"""The component lines of the page that records completions as they are shown (see completion_typed for what was typed)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.utils import timezone

from inventory.models import Location, Tracking
from inventory.quantities import ZERO
from production.errors import ConsumptionVariance
from production.facts import ComponentFact
from production.forms import shown
from production.operations.completing import CompletionPlan
from production.planned import PlannedLine, PlannedPick
from production.views.completion_lots import LotChoice, lot_choices, lots_on_offer
from production.views.completion_substitutes import SubstituteChoice, substitute_choices
from production.views.completion_typed import TypedLine, TypedLines

SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class PickShown:
    lot_code: str
    place_code: str
    quantity: Decimal
    expires_on: date | None

    @property
    def expires_soon(self) -> bool:
        """Whether its last day is close enough to be worth a word."""
        return self.expires_on is not None and self.expires_on <= timezone.localdate() + SOON


@dataclass(slots=True)
class LineRow:
    """One component line as it is shown. `key` is the component's id as text."""

    key: str
    line: PlannedLine
    text: str
    standard_text: str
    reason: str
    error: str
    takes_input: bool
    must_explain: bool
    picks: Sequence[PickShown]
    spoiled: str = ""
    cause: str = ""
    is_extra: bool = False
    is_open: bool = False
    is_more: bool = False
    lots: Sequence[LotChoice] = ()
    substitutes: Sequence[SubstituteChoice] = ()
    can_be_replaced: bool = False

    @property
    def component(self) -> ComponentFact:
        return self.line.component

    @property
    def is_short(self) -> bool:
        return self.line.short > ZERO

    @property
    def is_tracked(self) -> bool:
        return self.line.component.tracking != Tracking.NONE

    @property
    def has_variance(self) -> bool:
        """Whether other than the standard is used, substitutes counted as what they replace."""
        return self.line.substitute_for is None and self.line.deviation != 0

    @property
    def variance(self) -> Decimal:
        return self.line.actual - self.line.expected

    @property
    def fills(self) -> Sequence[SubstituteChoice]:
        """Substitutes that would make up for what is short."""
        return [choice for choice in self.substitutes if choice.fill > ZERO] if self.is_short else []

    @property
    def picks_first(self) -> Sequence[PickShown]:
        return self.picks[:3]

    @property
    def picks_more(self) -> int:
        return max(0, len(self.picks) - 3)


def rows_of(
    plan: CompletionPlan,
    typed: TypedLines,
    *,
    places: Mapping[int, Location],
    is_editable: bool,
    expired_too: bool = False,
) -> list[LineRow]:
    """The plan's lines with what was typed in them. A statement more when lots are chosen, two when substitutes are.

    Among the lots to choose are expired ones only with `expired_too`.
    """
    main = _lines_with_input(plan.lines)
    explained = _skus_to_explain(plan)
    offered = lots_on_offer(plan, typed.open, expired_too=expired_too) if typed.open else {}
    entered_of = {component_id: typed.lines.get(component_id) for component_id in main}
    instead = {component_id: line.instead for component_id, line in typed.lines.items()}
    open_lines = {
        component_id: line
        for component_id, line in main.items()
        if is_editable and (component_id in typed.more or line.short > ZERO or line.replaced)
    }
    choices = substitute_choices(plan, open_lines, instead)
    rows = []
    for line in plan.lines:
        component_id = line.component.id
        is_main = main.get(component_id) is line
        row = _row(
            line,
            entered_of.get(component_id) if is_main else None,
            picks=[_pick_shown(pick, places) for pick in line.picks],
            takes_input=is_editable and is_main,
            must_explain=line.component.sku in explained,
        )
        if is_main:
            row.is_extra = component_id in typed.extras
            entered = entered_of[component_id]
            row.is_more = is_editable and (component_id in typed.more or (entered is not None and entered.has_details))
            row.substitutes = choices.get(component_id, [])
            row.can_be_replaced = component_id in plan.substitutes
            row.is_open = component_id in typed.open and row.is_tracked
            if row.is_open:
                chosen = entered.lots if entered is not None and entered.has_chosen_lots else None
                row.lots = lot_choices(offered.get(component_id, []), line, chosen)
        rows.append(row)
    return rows


def _row(
    line: PlannedLine,
    entered: TypedLine | None,
    *,
    picks: Sequence[PickShown],
    takes_input: bool,
    must_explain: bool,
) -> LineRow:
    """One line as shown. A quantity that nobody typed follows the plan: the standard, less what stands in for it."""
    text = standard = shown(line.actual)
    if entered is not None and entered.is_touched:
        text, standard = entered.text, shown(line.expected)
    original = line.substitute_for
    return LineRow(
        key=str(line.component.id) if original is None else f"{original.id}-{line.component.id}",
        line=line,
        text=text,
        standard_text=standard,
        reason=entered.reason if entered else "",
        error=entered.error if entered else "",
        takes_input=takes_input,
        must_explain=must_explain,
        picks=picks,
        spoiled=entered.spoiled if entered else "",
        cause=entered.cause if entered else "",
    )


def _pick_shown(pick: PlannedPick, places: Mapping[int, Location]) -> PickShown:
    code = places[pick.location_id].code if pick.location_id in places else ""
    return PickShown(pick.lot_code, code, pick.quantity, pick.expires_on)


def _lines_with_input(lines: Sequence[PlannedLine]) -> dict[int, PlannedLine]:
    """Per component the line an entered quantity belongs to: the counted one before a consumable, a fixed before an optional."""
    main: dict[int, PlannedLine] = {}
    for line in lines:
        if line.substitute_for is not None:
            continue
        before = main.get(line.component.id)
        if before is None or (line.is_consumable, line.is_optional) < (before.is_consumable, before.is_optional):
            main[line.component.id] = line
    return main


def _skus_to_explain(plan: CompletionPlan) -> set[str]:
    skus: set[str] = set()
    for problem in plan.problems:
        if isinstance(problem, ConsumptionVariance):
            lines = problem.context.get("lines")
            assert isinstance(lines, list)
            skus |= {str(line["item"]) for line in lines}
    return skus
