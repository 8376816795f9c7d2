"""Writing the lines of a draft so that its history tells what changed, and not that everything was written anew."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from inventory.operations.posting import Actor
from production.bom_checks import BomLineSpec, line_factor
from production.models import Bom, BomLine
from production.reads.bom_check import packs_of_many

_WRITTEN = (
    "position",
    "quantity",
    "unit",
    "unit_numerator",
    "unit_denominator",
    "scrap_percent",
    "setup_quantity",
    "rounding_multiple",
    "issue_method",
    "is_consumable",
    "is_optional",
    "is_phantom",
    "builds_shortage",
    "reference",
    "note",
)


def write_lines(draft: Bom, specs: Sequence[BomLineSpec], *, actor: Actor) -> None:
    """Give a draft exactly these lines, in this order. Its graph must be locked and the lines checked.

    A line keeps its identity when the draft has one of the same component: the first stays the first, and so on.
    """
    before = _by_occurrence(draft.lines.order_by("position", "id"))
    packs = packs_of_many([spec.component.pk for spec in specs])
    counted: dict[int, int] = {}
    made, changed = [], []
    for position, spec in enumerate(specs, start=1):
        occurrence = counted.get(spec.component.pk, 0)
        counted[spec.component.pk] = occurrence + 1
        values = _values(spec, position, packs.get(spec.component.pk, {}))
        line = before.pop((spec.component.pk, occurrence), None)
        if line is None:
            made.append(BomLine(bom=draft, component=spec.component, **values))
        elif any(getattr(line, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(line, name, value)
            changed.append(line)
    user = actor if isinstance(actor, get_user_model()) else None
    now = timezone.now()  # one moment for all of them, by which they are read as one change
    remove_lines(list(before.values()), actor=actor, at=now)
    if changed:
        bulk_update_with_history(changed, BomLine, list(_WRITTEN), default_user=user, default_date=now)
    if made:
        bulk_create_with_history(made, BomLine, default_user=user, default_date=now)


def copy_lines(draft: Bom, lines: Sequence[BomLine], *, actor: Actor) -> None:
    """Give a new draft copies of stored lines, pack factors included."""
    for line in lines:
        line.pk, line.bom = None, draft
        line._state.adding = True
    user = actor if isinstance(actor, get_user_model()) else None
    if lines:
        bulk_create_with_history(list(lines), BomLine, default_user=user, default_date=timezone.now())


def remove_lines(lines: Sequence[BomLine], *, actor: Actor, at: datetime | None = None) -> None:
    """Delete lines, with the person in their history."""
    now = at or timezone.now()
    for line in lines:
        if isinstance(actor, get_user_model()):
            line._history_user = actor  # type: ignore[attr-defined]  # read by simple_history
        line._history_date = now  # type: ignore[attr-defined]
        line.delete()


def _by_occurrence(lines: Any) -> dict[tuple[int, int], BomLine]:
    counted: dict[int, int] = {}
    found = {}
    for line in lines:
        occurrence = counted.get(line.component_id, 0)
        counted[line.component_id] = occurrence + 1
        found[(line.component_id, occurrence)] = line
    return found


def _values(spec: BomLineSpec, position: int, packs: Any) -> dict[str, Any]:
    factor = line_factor(spec, packs)
    return {
        "position": position,
        "quantity": spec.quantity,
        "unit": spec.unit.strip(),
        "unit_numerator": Decimal(factor.numerator),
        "unit_denominator": Decimal(factor.denominator),
        "scrap_percent": spec.scrap_percent,
        "setup_quantity": spec.setup_quantity,
        "rounding_multiple": spec.rounding_multiple,
        "issue_method": spec.issue_method,
        "is_consumable": spec.is_consumable,
        "is_optional": spec.is_optional,
        "is_phantom": spec.is_phantom,
        "builds_shortage": spec.builds_shortage,
        "reference": spec.reference,
        "note": spec.note,
    }
