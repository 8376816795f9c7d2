"""What was typed in the component lines of the page that records completions, and what it asks for.

Each line has a field for the actual quantity. It holds the standard until somebody changes it, and follows the standard as
long as nobody does: the standard it was shown with travels along, and a field that still says the same was not touched.
Lots work alike. What was spoiled is used on top of the standard, unless an actual quantity was typed as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from django.http import QueryDict

from inventory.errors import DomainError
from inventory.models import Item, Lot
from inventory.quantities import ZERO
from inventory.whole_numbers import whole_number
from production.forms import packs_by_item
from production.models import VarianceCause
from production.operations.completing import Actual
from production.typed import in_stock_unit, read_quantity

FIELD_PREFIXES = (
    "actual-",
    "standard-",
    "why-",
    "lot-",
    "lotwas-",
    "spoil-",
    "cause-",
    "sub-",
    "by-",
    "bywas-",
    "bylot-",
)
LIST_FIELDS = ("open", "extra", "more", "build_missing", "may_go_below", "confirmed")
LINE_PREFIXES = FIELD_PREFIXES[:8]
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
    spoiled: str = ""
    """Of what was used, what was spoiled."""
    cause: str = ""
    instead: dict[int, str] = field(default_factory=dict)
    """What was used instead of it, by item."""
    error: str = ""

    @property
    def is_touched(self) -> bool:
        return bool(self.text.strip()) and self.text.strip() != self.standard_text.strip()

    @property
    def has_chosen_lots(self) -> bool:
        return any(text.strip() for text in self.lots.values()) and any(
            text.strip() != self.lots_were.get(lot_id, "").strip() for lot_id, text in self.lots.items()
        )

    @property
    def has_details(self) -> bool:
        """Whether something was typed that is only shown on demand."""
        return bool(self.spoiled.strip() or self.cause) or any(text.strip() for text in self.instead.values())

    @property
    def follows_standard(self) -> bool:
        """Whether only what was spoiled was typed: it is used on top of the standard."""
        return bool(self.spoiled.strip()) and not self.is_touched and not self.has_chosen_lots


@dataclass(slots=True)
class TypedLines:
    """All lines as typed, with what they ask for."""

    lines: dict[int, TypedLine]
    open: set[int]
    """Components whose lots are being chosen."""
    extras: list[int]
    """Components that were added by hand."""
    more: set[int] = field(default_factory=set)
    """Components whose spoilage and substitutes are shown."""
    actuals: list[Actual] = field(default_factory=list)

    @property
    def needs_standards(self) -> bool:
        return any(line.follows_standard for line in self.lines.values())

    @property
    def has_errors(self) -> bool:
        return any(line.error for line in self.lines.values())


def read_lines(data: QueryDict) -> TypedLines:
    """The lines as posted; what they ask for is worked out by `resolve`."""
    lines: dict[int, TypedLine] = {}
    for name in data:
        prefix, _, rest = name.partition("-")
        if f"{prefix}-" not in LINE_PREFIXES or len(lines) > COMPONENTS_MAX:
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
        elif prefix == "spoil":
            line.spoiled = value
        elif prefix == "cause":
            line.cause = value if value in VarianceCause.values else ""
        elif lot_id is not None:
            {"lot": line.lots, "lotwas": line.lots_were, "sub": line.instead}[prefix][lot_id] = value
    return TypedLines(
        lines,
        open={component_id for text in data.getlist("open") if (component_id := _id(text)) is not None},
        extras=[component_id for text in data.getlist("extra") if (component_id := _id(text)) is not None],
        more={component_id for text in data.getlist("more") if (component_id := _id(text)) is not None},
    )


def _id(text: str) -> int | None:
    return whole_number(text)


def resolve(typed: TypedLines, standards: Mapping[int, Decimal] | None = None) -> None:
    """Turn the touched lines into actual quantities in stock units; a line that cannot be read gets its error instead.

    `standards` are needed where only spoilage was typed. Three statements at most, whatever the number of lines.
    """
    wanted = [line for line in typed.lines.values() if _says_something(line, typed)]
    if not wanted:
        return
    named = {line.component_id for line in wanted} | {item_id for line in wanted for item_id in line.instead}
    components = Item.objects.in_bulk(named)
    lots = Lot.objects.in_bulk({lot_id for line in wanted if line.has_chosen_lots for lot_id in line.lots})
    packs = packs_by_item(list(components)) if any(_names_unit(line) for line in wanted) else {}
    for line in wanted:
        component = components.get(line.component_id)
        if component is None:
            line.error = "This component no longer exists. Reload the page."
            continue
        try:
            standard = (standards or {}).get(component.pk, ZERO)
            if line.is_touched or line.has_chosen_lots or line.follows_standard or component.pk in typed.extras:
                typed.actuals.append(_actual(line, component, lots, packs.get(component.pk, {}), standard))
            typed.actuals += _instead(line, component, components, packs)
        except DomainError as error:
            line.error = error.message


def _says_something(line: TypedLine, typed: TypedLines) -> bool:
    return (
        line.is_touched
        or line.has_chosen_lots
        or line.follows_standard
        or line.component_id in typed.extras
        or any(text.strip() for text in line.instead.values())
    )


def _names_unit(line: TypedLine) -> bool:
    texts = (line.text, line.spoiled, *line.lots.values(), *line.instead.values())
    return any(character.isalpha() for text in texts for character in text)


def _instead(
    line: TypedLine, component: Item, items: Mapping[int, Item], packs: Mapping[int, Mapping[str, Fraction]]
) -> list[Actual]:
    """What was used instead of a component, in the stock units of the substitutes."""
    actuals = []
    for item_id, text in line.instead.items():
        other = items.get(item_id)
        if other is None or not text.strip():
            continue
        quantity = in_stock_unit(
            read_quantity(text),
            sku=other.sku,
            stock_unit=other.stock_unit,
            step=other.step,
            packs=packs.get(item_id, {}),
        )
        if quantity:
            cause = VarianceCause.SUBSTITUTE.value
            actuals.append(Actual(other, quantity, line.reason, replaces=component, cause=cause))
    return actuals


def _actual(
    line: TypedLine, component: Item, lots: Mapping[int, Lot], packs: Mapping[str, Fraction], standard: Decimal
) -> Actual:
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
    spoiled = read(line.spoiled) if line.spoiled.strip() else ZERO
    quantity = total if is_sum_of_lots else read(line.text or "0")
    if line.follows_standard:
        quantity = standard + spoiled
    cause = line.cause or (VarianceCause.SCRAP.value if spoiled else "")
    reason = line.reason or (str(VarianceCause(cause).label) if cause else "")
    return Actual(component, quantity, reason, chosen, scrapped=spoiled, cause=cause)


def carried_fields(data: QueryDict) -> list[tuple[str, str]]:
    """The line fields as posted, to be kept in hidden fields while the lines themselves cannot be shown."""
    return [
        (name, value)
        for name in data
        if name.startswith(FIELD_PREFIXES) or name in LIST_FIELDS
        for value in data.getlist(name)
    ]
