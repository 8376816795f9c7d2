"""What comes out beside the item itself, on the page that records completions: by-products as typed and as shown.

Each has a field for its quantity, which holds what the BOM expects until somebody changes it, as the component lines do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from django.http import QueryDict

from inventory.errors import DomainError
from inventory.models import Item, Tracking
from inventory.quantities import ZERO, total_of
from inventory.whole_numbers import whole_number
from production.forms import packs_by_item, shown
from production.operations.completing import ByProduct, CompletionPlan
from production.typed import in_stock_unit, read_quantity

OUTPUTS_MAX = 200


@dataclass(slots=True)
class TypedOutput:
    """What stands in the fields of one by-product."""

    item_id: int
    text: str = ""
    was: str = ""
    lot_code: str = ""
    error: str = ""

    @property
    def is_touched(self) -> bool:
        return bool(self.text.strip()) and self.text.strip() != self.was.strip()


@dataclass(slots=True)
class TypedOutputs:
    lines: dict[int, TypedOutput] = field(default_factory=dict)
    by_products: list[ByProduct] = field(default_factory=list)

    @property
    def needs_standards(self) -> bool:
        return any(line.lot_code and not line.is_touched for line in self.lines.values())

    @property
    def has_errors(self) -> bool:
        return any(line.error for line in self.lines.values())


@dataclass(frozen=True, slots=True)
class OutputRow:
    """One by-product as it is shown; quantities in its stock unit, value in base currency."""

    key: str
    sku: str
    unit: str
    is_tracked: bool
    is_serial: bool
    expected: Decimal
    text: str
    lot_code: str
    error: str
    value: Decimal | None

    @property
    def expected_text(self) -> str:
        return shown(self.expected)


def read_outputs(data: QueryDict) -> TypedOutputs:
    """The by-products as posted; what they ask for is worked out by `resolve_outputs`."""
    typed = TypedOutputs()
    for name in data:
        prefix, _, rest = name.partition("-")
        if prefix not in ("by", "bywas", "bylot") or whole_number(rest) is None:
            continue
        if len(typed.lines) >= OUTPUTS_MAX:
            break
        line = typed.lines.setdefault(int(rest), TypedOutput(int(rest)))
        value = data.get(name, "")[:100]
        if prefix == "by":
            line.text = value
        elif prefix == "bywas":
            line.was = value
        else:
            line.lot_code = value.strip()
    return typed


def resolve_outputs(typed: TypedOutputs, expected: Mapping[int, Decimal] | None = None) -> None:
    """Turn what was typed into by-products in stock units; `expected` is needed where only a lot was named."""
    wanted = [line for line in typed.lines.values() if line.is_touched or line.lot_code]
    if not wanted:
        return
    items = Item.objects.in_bulk([line.item_id for line in wanted])
    packs = packs_by_item(list(items)) if any(c.isalpha() for line in wanted for c in line.text) else {}
    for line in wanted:
        item = items.get(line.item_id)
        if item is None:
            continue
        try:
            quantity = (expected or {}).get(item.pk, ZERO)
            if line.is_touched:
                quantity = _read(line.text, item, packs.get(item.pk, {}))
            typed.by_products.append(ByProduct(item, quantity, lot_code=line.lot_code))
        except DomainError as error:
            line.error = error.message


def _read(text: str, item: Item, packs: Mapping[str, Fraction]) -> Decimal:
    return in_stock_unit(read_quantity(text), sku=item.sku, stock_unit=item.stock_unit, step=item.step, packs=packs)


def output_rows(plan: CompletionPlan, typed: TypedOutputs) -> Sequence[OutputRow]:
    """The by-products of the plan with what was typed in them."""
    values: dict[int, list[Decimal | None]] = {}
    for output in plan.outputs:
        if not output.is_main:
            values.setdefault(output.item_id, []).append(output.value)
    rows = []
    for item, expected in plan.by_products:
        line = typed.lines.get(item.id)
        is_typed = line is not None and line.is_touched
        rows.append(
            OutputRow(
                key=str(item.id),
                sku=item.sku,
                unit=item.stock_unit,
                is_tracked=item.tracking != Tracking.NONE,
                is_serial=item.tracking == Tracking.SERIAL,
                expected=expected,
                text=line.text if line is not None and is_typed else shown(expected),
                lot_code=line.lot_code if line is not None else "",
                error=line.error if line is not None else "",
                value=total_of(values.get(item.id, [])),
            )
        )
    return rows


# --- Completions of missing components --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NestedRow:
    """One completion of the tree that is posted before the one on the page; level 1 is made for it directly."""

    level: int
    plan: CompletionPlan

    @property
    def indent(self) -> str:
        return f"{(self.level - 1) * 1.5:g}rem"


def nested_rows(plans: Sequence[CompletionPlan], level: int = 1) -> list[NestedRow]:
    """The tree in reading order: what is made for a completion stands below it."""
    rows = []
    for plan in plans:
        rows.append(NestedRow(level, plan))
        rows += nested_rows(plan.nested, level + 1)
    return rows
