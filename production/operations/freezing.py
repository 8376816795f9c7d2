"""Freezing a recipe into the lines of a work order (rule S1)."""

from collections.abc import Iterable

from django.utils import timezone

from inventory.quantities import PLACES, round_half_up
from production.errors import InvalidBom
from production.explosion import Rate
from production.facts import Recipe
from production.models import WorkOrder, WorkOrderLine

DIGITS_MAX = 60
"""Of an exact rate: a line keeps that many before and that many after the stroke."""


def freeze(order: WorkOrder, recipe: Recipe) -> None:
    """Write the lines of a new order. Raises InvalidBom for a rate that is too long to be kept exactly."""
    _refuse_endless(recipe)
    WorkOrderLine.objects.bulk_create(_line(order, rate) for rate in recipe.rates)


def refreeze(order: WorkOrder, recipe: Recipe) -> None:
    """Put the recipe of today into the lines of a locked order that has consumed nothing, or taken all of it back."""
    _refuse_endless(recipe)
    known = {(line.component_id, line.is_consumable, line.is_optional): line for line in order.lines.all()}
    assert all(not line.booked and not line.used for line in known.values()), "an order in use keeps its lines"
    new = []
    for rate in recipe.rates:
        line = known.pop(rate.key, None)
        if line is None:
            new.append(_line(order, rate))
            continue
        for field, value in _values(rate).items():
            setattr(line, field, value)
        line.save()
    order.lines.filter(pk__in=[line.pk for line in known.values()]).delete()
    WorkOrderLine.objects.bulk_create(new)
    order.bom_id = recipe.bom_id
    order.frozen_on = timezone.localdate()
    order.save(update_fields=["bom", "frozen_on"])


def copy_lines(source: WorkOrder, target: WorkOrder) -> None:
    """Give an order the frozen lines of another one, with nothing consumed."""
    WorkOrderLine.objects.bulk_create(
        WorkOrderLine(
            work_order=target,
            component_id=line.component_id,
            rate_numerator=line.rate_numerator,
            rate_denominator=line.rate_denominator,
            setup_quantity=line.setup_quantity,
            setup_numerator=line.setup_numerator,
            setup_denominator=line.setup_denominator,
            rounding_multiple=line.rounding_multiple,
            issue_method=line.issue_method,
            is_consumable=line.is_consumable,
            is_optional=line.is_optional,
        )
        for line in source.lines.order_by("id")
    )


def goes_by(order: WorkOrder, recipe: Recipe) -> bool:
    """Whether an order's frozen lines are those of this recipe, phantoms included."""
    wanted = (_line(order, rate) for rate in recipe.rates)
    return order.bom_id == recipe.bom_id and _shape(order.lines.all()) == _shape(wanted)


def have_same_lines(one: WorkOrder, other: WorkOrder) -> bool:
    """Whether two orders consume by the very same frozen recipe."""
    return _shape(one.lines.all()) == _shape(other.lines.all())


def _shape(lines: Iterable[WorkOrderLine]) -> set[tuple[object, ...]]:
    return {
        (
            line.component_id,
            line.rate_numerator,
            line.rate_denominator,
            line.setup,
            line.rounding_multiple,
            line.issue_method,
            line.is_consumable,
            line.is_optional,
        )
        for line in lines
    }


def _refuse_endless(recipe: Recipe) -> None:
    limit = 10**DIGITS_MAX
    for rate in recipe.rates:
        parts = [rate.per_unit.numerator, rate.per_unit.denominator, rate.setup.numerator, rate.setup.denominator]
        if any(part >= limit for part in parts):
            sku = recipe.components[rate.component_id].sku
            raise InvalidBom(
                f"What one unit needs of {sku} through all phantoms takes more than {DIGITS_MAX} digits to write exactly. Use "
                "rounder factors of packs or quantities in the phantoms above it.",
                component=sku,
            )


def _values(rate: Rate) -> dict[str, object]:
    return {
        "rate_numerator": rate.per_unit.numerator,
        "rate_denominator": rate.per_unit.denominator,
        "setup_quantity": round_half_up(rate.setup, PLACES),
        "setup_numerator": rate.setup.numerator,
        "setup_denominator": rate.setup.denominator,
        "rounding_multiple": None if rate.multiple is None else round_half_up(rate.multiple, PLACES),
        "issue_method": rate.issue_method,
    }


def _line(order: WorkOrder, rate: Rate) -> WorkOrderLine:
    return WorkOrderLine(
        work_order=order,
        component_id=rate.component_id,
        is_consumable=rate.is_consumable,
        is_optional=rate.is_optional,
        **_values(rate),
    )
