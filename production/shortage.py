"""What a completion is short of, in words. Pure."""

from collections.abc import Sequence

from inventory.errors import DomainError, InsufficientStock, ReservedByOther
from inventory.quantities import ZERO, as_text
from production.planned import PlannedLine


def shortage_of(lines: Sequence[PlannedLine], *, source_name: str) -> DomainError | None:
    """One refusal that lists every short component, not only the first."""
    if not any(line.short > ZERO for line in lines):
        return None
    short = _short_components(lines)
    only_reserved = all(line.on_hand - line.expired >= line.actual for line in short)
    sentences = [_short_sentence(line, source_name) for line in short]
    error = ReservedByOther if only_reserved else InsufficientStock
    advice = "Release a reservation" if only_reserved else "Receive more"
    return error(
        f"{' '.join(sentences)} {advice}, choose other lots or quantities, or complete fewer.",
        short=[
            {
                "item": line.component.sku,
                "location": source_name,
                "needed": as_text(line.actual),
                "on_hand": as_text(line.on_hand),
                "free": as_text(line.free),
                "short": as_text(line.short),
                "unit": line.component.stock_unit,
            }
            for line in short
        ],
    )


def _short_components(lines: Sequence[PlannedLine]) -> list[PlannedLine]:
    """What is short, by component: lines of the same one together, with what there was before the first of them took any."""
    found: dict[int, PlannedLine] = {}
    for line in lines:
        if line.is_consumable:
            continue
        before = found.get(line.component.id)
        if before is None:
            found[line.component.id] = line
        else:
            both = before.actual + line.actual, before.short + line.short
            found[line.component.id] = before._replace(actual=both[0], short=both[1])
    return [line for line in found.values() if line.short > ZERO]


def _short_sentence(line: PlannedLine, source_name: str) -> str:
    unit = line.component.stock_unit
    unusable = line.on_hand - line.free
    part = f" ({as_text(unusable)} reserved or expired)" if unusable > ZERO else ""
    return (
        f"{source_name} holds {as_text(line.on_hand)} {unit} of {line.component.sku}{part}; "
        f"this completion needs {as_text(line.actual)} {unit}."
    )
