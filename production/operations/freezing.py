"""Freezing a recipe into the lines of a work order (rule S1)."""

from collections.abc import Iterable

from inventory.quantities import PLACES, round_half_up
from production.explosion import Rate
from production.facts import Recipe
from production.models import WorkOrder, WorkOrderLine


def freeze(order: WorkOrder, recipe: Recipe) -> None:
    """Write the lines of a new order."""
    WorkOrderLine.objects.bulk_create(_line(order, rate) for rate in recipe.rates)


def refreeze(order: WorkOrder, recipe: Recipe) -> None:
    """Put another recipe into the lines of a locked order that has consumed nothing, or taken all of it back."""
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
    order.save(update_fields=["bom"])


def copy_lines(source: WorkOrder, target: WorkOrder) -> None:
    """Give an order the frozen lines of another one, with nothing consumed."""
    WorkOrderLine.objects.bulk_create(
        WorkOrderLine(
            work_order=target,
            component_id=line.component_id,
            rate_numerator=line.rate_numerator,
            rate_denominator=line.rate_denominator,
            setup_quantity=line.setup_quantity,
            rounding_multiple=line.rounding_multiple,
            issue_method=line.issue_method,
            is_consumable=line.is_consumable,
            is_optional=line.is_optional,
        )
        for line in source.lines.order_by("id")
    )


def have_same_lines(one: WorkOrder, other: WorkOrder) -> bool:
    """Whether two orders consume by the very same frozen recipe."""
    return _shape(one.lines.all()) == _shape(other.lines.all())


def _shape(lines: Iterable[WorkOrderLine]) -> set[tuple[object, ...]]:
    return {
        (
            line.component_id,
            line.rate_numerator,
            line.rate_denominator,
            line.setup_quantity,
            line.rounding_multiple,
            line.issue_method,
            line.is_consumable,
            line.is_optional,
        )
        for line in lines
    }


def _values(rate: Rate) -> dict[str, object]:
    return {
        "rate_numerator": rate.per_unit.numerator,
        "rate_denominator": rate.per_unit.denominator,
        "setup_quantity": round_half_up(rate.setup, PLACES),
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
