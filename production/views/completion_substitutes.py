"""What may be used instead of a component, on the page that records completions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.utils import timezone

from inventory.models import Item
from inventory.quantities import ZERO, round_down, round_up
from production.forms import shown
from production.operations.completing import CompletionPlan
from production.planned import PlannedLine
from production.views.completion_lots import cells_at_source


@dataclass(frozen=True, slots=True)
class SubstituteChoice:
    """An approved substitute of a component: what is free of it at the source, and what was typed for it.

    `ratio` of its stock units replace one of the component's. `fill` is what would make up for the shortage, as far as it
    is there; zero when nothing is short, nothing is free, or a quantity was typed already.
    """

    item_id: str
    sku: str
    name: str
    unit: str
    ratio: Decimal
    free: Decimal
    text: str
    fill: Decimal
    is_enough: bool

    @property
    def fill_text(self) -> str:
        return shown(self.fill)


def substitute_choices(
    plan: CompletionPlan, wanted: Mapping[int, PlannedLine], typed: Mapping[int, Mapping[int, str]]
) -> dict[int, list[SubstituteChoice]]:
    """The approved substitutes of the components of `wanted` lines, by component. Two statements, none without any."""
    approved = {component: plan.substitutes[component] for component in wanted if component in plan.substitutes}
    item_ids = {item_id for ratios in approved.values() for item_id in ratios}
    if not item_ids:
        return {}
    items = Item.objects.active().in_bulk(item_ids)
    free = _free_at_source(plan, item_ids)
    return {
        component_id: [
            _choice(
                items[item_id],
                ratio,
                wanted[component_id],
                free.get(item_id, ZERO),
                typed.get(component_id, {}).get(item_id, ""),
            )
            for item_id, ratio in ratios.items()
            if item_id in items
        ]
        for component_id, ratios in approved.items()
    }


def _free_at_source(plan: CompletionPlan, items: Collection[int]) -> dict[int, Decimal]:
    today = timezone.localdate()
    free: dict[int, Decimal] = {}
    for cell in cells_at_source(plan, items):
        if cell.lot.expires_on is None or cell.lot.expires_on >= today:
            free[cell.item_id] = free.get(cell.item_id, ZERO) + cell.quantity - cell.reserved
    return free


def _choice(item: Item, ratio: Decimal, line: PlannedLine, free: Decimal, text: str) -> SubstituteChoice:
    needed = round_up(Fraction(line.short) * Fraction(ratio), item.step) if line.short > ZERO else ZERO
    fill = min(needed, round_down(Fraction(max(free, ZERO)), item.step)) if not text.strip() else ZERO
    return SubstituteChoice(
        item_id=str(item.pk),
        sku=item.sku,
        name=item.name,
        unit=item.stock_unit,
        ratio=ratio,
        free=free,
        text=text,
        fill=fill,
        is_enough=fill >= needed,
    )
