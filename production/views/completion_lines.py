"""The component lines of the page that records completions: what was typed in them, and how they are shown again.

Each line has a field for the actual quantity. It holds the standard until somebody changes it, and follows the standard as
long as nobody does: the standard it was shown with travels along, and a field that still says the same was not touched.
Lots work alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from django.http import QueryDict
from django.utils import timezone

from inventory.errors import DomainError
from inventory.models import Item, Location, Lot, StockBalance, StockStatus, Tracking
from inventory.quantities import ZERO
from production.errors import ConsumptionVariance
from production.facts import ComponentFact
from production.forms import packs_by_item, shown
from production.operations.completing import Actual, CompletionPlan
from production.planning import PlannedLine
from production.typed import in_stock_unit, read_quantity

FIELD_PREFIXES = ("actual-", "standard-", "why-", "lot-", "lotwas-")
LIST_FIELDS = ("open", "extra")
LOTS_SHOWN_MAX = 40
SOON = timedelta(days=30)
COMPONENTS_MAX = 2_000


@dataclass(slots=True)
class TypedLine:
    """What stands in the fields of one component."""

    component_id: int
    text: str = ""
    standard_text: str = ""
    reason: str = ""
    lots: dict[int, str] = field(default_factory=dict)
    lots_were: dict[int, str] = field(default_factory=dict)
    error: str = ""

    @property
    def is_touched(self) -> bool:
        return bool(self.text.strip()) and self.text.strip() != self.standard_text.strip()

    @property
    def has_chosen_lots(self) -> bool:
        return any(text.strip() for text in self.lots.values()) and any(
            text.strip() != self.lots_were.get(lot_id, "").strip() for lot_id, text in self.lots.items()
        )


@dataclass(slots=True)
class TypedLines:
    """All lines as typed, with what they ask for."""

    lines: dict[int, TypedLine]
    open: set[int]
    """Components whose lots are being chosen."""
    extras: list[int]
    """Components that were added by hand."""
    actuals: list[Actual] = field(default_factory=list)

    @property
    def has_errors(self) -> bool:
        return any(line.error for line in self.lines.values())


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


@dataclass(frozen=True, slots=True)
class LotChoice:
    """A lot one may take from, with what is free of it at the source."""

    lot_id: str
    code: str
    places: str
    free: Decimal
    expires_on: date | None
    received_on: date
    text: str
    was: str


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
    is_extra: bool
    is_open: bool
    picks: Sequence[PickShown]
    lots: Sequence[LotChoice]

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
        return self.line.variance != ZERO

    @property
    def picks_first(self) -> Sequence[PickShown]:
        return self.picks[:3]

    @property
    def picks_more(self) -> int:
        return max(0, len(self.picks) - 3)


def read_lines(data: QueryDict) -> TypedLines:
    """The lines as posted; what they ask for is worked out by `resolve`."""
    lines: dict[int, TypedLine] = {}
    for name in data:
        prefix, _, rest = name.partition("-")
        if f"{prefix}-" not in FIELD_PREFIXES or len(lines) > COMPONENTS_MAX:
            continue
        head, _, lot = rest.partition("-")
        component_id, lot_id = _id(head), _id(lot)
        if component_id is None:
            continue
        line = lines.setdefault(component_id, TypedLine(component_id))
        value = data.get(name, "")[:100]
        if prefix == "actual":
            line.text = value
        elif prefix == "standard":
            line.standard_text = value
        elif prefix == "why":
            line.reason = value.strip()
        elif lot_id is not None:
            (line.lots if prefix == "lot" else line.lots_were)[lot_id] = value
    return TypedLines(
        lines,
        open={component_id for text in data.getlist("open") if (component_id := _id(text)) is not None},
        extras=[component_id for text in data.getlist("extra") if (component_id := _id(text)) is not None],
    )


def _id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def resolve(typed: TypedLines) -> None:
    """Turn the touched lines into actual quantities in stock units; a line that cannot be read gets its error instead.

    Three statements at most, whatever the number of lines.
    """
    wanted = [
        line
        for line in typed.lines.values()
        if line.is_touched or line.has_chosen_lots or line.component_id in typed.extras
    ]
    if not wanted:
        return
    components = Item.objects.in_bulk([line.component_id for line in wanted])
    lots = Lot.objects.in_bulk({lot_id for line in wanted if line.has_chosen_lots for lot_id in line.lots})
    packs = packs_by_item(list(components)) if any(_names_unit(line) for line in wanted) else {}
    for line in wanted:
        component = components.get(line.component_id)
        if component is None:
            line.error = "This component no longer exists. Reload the page."
            continue
        try:
            typed.actuals.append(_actual(line, component, lots, packs.get(component.pk, {})))
        except DomainError as error:
            line.error = error.message


def _names_unit(line: TypedLine) -> bool:
    return any(character.isalpha() for text in (line.text, *line.lots.values()) for character in text)


def _actual(line: TypedLine, component: Item, lots: Mapping[int, Lot], packs: Mapping[str, Fraction]) -> Actual:
    def read(text: str) -> Decimal:
        return in_stock_unit(
            read_quantity(text), sku=component.sku, stock_unit=component.stock_unit, step=component.step, packs=packs
        )

    chosen: list[tuple[Lot, Decimal]] = []
    if line.has_chosen_lots:
        for lot_id, text in line.lots.items():
            quantity = read(text) if text.strip() else ZERO
            if quantity and lot_id in lots:
                chosen.append((lots[lot_id], quantity))
    total = sum((quantity for _, quantity in chosen), ZERO)
    is_sum_of_lots = bool(chosen) and not line.is_touched
    quantity = total if is_sum_of_lots else read(line.text or "0")
    return Actual(component, quantity, line.reason, chosen)


def rows_of(
    plan: CompletionPlan, typed: TypedLines, *, places: Mapping[int, Location], is_editable: bool
) -> list[LineRow]:
    """The plan's lines with what was typed in them. One statement more when lots are being chosen."""
    main = _lines_with_input(plan.lines)
    explained = _skus_to_explain(plan)
    offered = _lots_on_offer(plan, typed.open) if typed.open else {}
    rows = []
    for line in plan.lines:
        component_id = line.component.id
        entered = typed.lines.get(component_id) if main[component_id] is line else None
        standard = shown(line.expected)
        is_touched = entered is not None and (entered.is_touched or entered.has_chosen_lots or bool(entered.error))
        is_open = component_id in typed.open and line.component.tracking != Tracking.NONE and main[component_id] is line
        text = standard
        if entered is not None and is_touched:
            text = entered.text if entered.is_touched else shown(line.actual)
            # A quantity that is the sum of the chosen lots was not typed: it keeps following them.
            standard = standard if entered.is_touched else text
        rows.append(
            LineRow(
                key=str(component_id),
                line=line,
                text=text,
                standard_text=standard,
                reason=entered.reason if entered else "",
                error=entered.error if entered else "",
                takes_input=is_editable and main[component_id] is line,
                must_explain=line.component.sku in explained,
                is_extra=component_id in typed.extras,
                is_open=is_open,
                picks=[
                    PickShown(
                        p.lot_code,
                        places[p.location_id].code if p.location_id in places else "",
                        p.quantity,
                        p.expires_on,
                    )
                    for p in line.picks
                ],
                lots=_choices(offered.get(component_id, []), line, entered) if is_open else (),
            )
        )
    return rows


def _lines_with_input(lines: Sequence[PlannedLine]) -> dict[int, PlannedLine]:
    """Per component the line an entered quantity belongs to: the counted one before a consumable, a fixed before an optional."""
    main: dict[int, PlannedLine] = {}
    for line in lines:
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


def _lots_on_offer(plan: CompletionPlan, components: set[int]) -> dict[int, list[StockBalance]]:
    """Free stock of the components at the source, by component, in picking order."""
    cells = StockBalance.objects.filter(
        item_id__in=components, status=StockStatus.AVAILABLE, quantity__gt=0, location__is_active=True
    ).select_related("lot", "location")
    if plan.source_location is not None:
        cells = cells.filter(location__path__startswith=plan.source_location.path)
    else:
        cells = cells.filter(location__kind="own", location__is_blocked=False)
    offered: dict[int, list[StockBalance]] = {}
    for cell in cells.order_by("item_id", "lot__expires_on", "lot__received_on", "lot_id", "id")[:COMPONENTS_MAX]:
        offered.setdefault(cell.item_id, []).append(cell)
    return offered


def _choices(cells: Sequence[StockBalance], line: PlannedLine, entered: TypedLine | None) -> list[LotChoice]:
    by_lot: dict[int, list[StockBalance]] = {}
    for cell in cells:
        by_lot.setdefault(cell.lot_id, []).append(cell)
    picked: dict[int, Decimal] = {}
    for pick in line.picks:
        picked[pick.lot_id] = picked.get(pick.lot_id, ZERO) + pick.quantity
    is_chosen = entered is not None and entered.has_chosen_lots
    choices = []
    for lot_id, held in list(by_lot.items())[:LOTS_SHOWN_MAX]:
        lot = held[0].lot
        automatic = shown(picked[lot_id]) if lot_id in picked else ""
        choices.append(
            LotChoice(
                lot_id=str(lot_id),
                code=lot.code or "no lot",
                places=", ".join(cell.location.code for cell in held),
                free=sum((cell.quantity - cell.reserved for cell in held), ZERO),
                expires_on=lot.expires_on,
                received_on=lot.received_on,
                text=entered.lots.get(lot_id, "") if entered is not None and is_chosen else automatic,
                was="" if is_chosen else automatic,
            )
        )
    return choices


def carried_fields(data: QueryDict) -> list[tuple[str, str]]:
    """The line fields as posted, to be kept in hidden fields while the lines themselves cannot be shown."""
    return [
        (name, value)
        for name in data
        if name.startswith(FIELD_PREFIXES) or name in LIST_FIELDS
        for value in data.getlist(name)
    ]
