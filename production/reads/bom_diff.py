"""What changed between two versions of a BOM, and what that does to cost and to how many can be made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from inventory.quantities import as_text
from inventory.reads.availability import availability
from production.explosion import LineFact
from production.models import Bom
from production.reads.buildable import Buildable, limits_of
from production.reads.cost_rollup import as_unit_cost, cost_book
from production.reads.structures import BomHead, ItemFact, Structures, load_structures


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field in both versions, as text for people; empty for nothing."""

    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class LineChange:
    """One line that differs. `per_unit` figures are exact, in the component's stock unit, None where there is no line."""

    change: Change
    component: ItemFact
    reference: str
    fields: Sequence[FieldChange]
    old_per_unit: Fraction | None
    new_per_unit: Fraction | None


@dataclass(frozen=True, slots=True)
class BomDiff:
    """Differences of two versions, and figures of both by present stock and costs; None where a cost is unknown."""

    old: BomHead
    new: BomHead
    head: Sequence[FieldChange]
    lines: Sequence[LineChange]
    old_unit_cost: Decimal | None
    new_unit_cost: Decimal | None
    old_buildable: Buildable
    new_buildable: Buildable

    @property
    def is_empty(self) -> bool:
        return not self.head and not self.lines

    @property
    def unit_cost_change(self) -> Decimal | None:
        if self.old_unit_cost is None or self.new_unit_cost is None:
            return None
        return self.new_unit_cost - self.old_unit_cost


def bom_diff(*, old_id: int, new_id: int) -> BomDiff:
    """Compare two versions, usually of one item. Five statements whatever their size.

    Lines are matched by component and reference, several alike in their order. Raises Bom.DoesNotExist.
    """
    boms = Bom.objects.in_bulk([old_id, new_id])
    if old_id not in boms or new_id not in boms:
        raise Bom.DoesNotExist(f"There is no BOM {old_id if old_id not in boms else new_id}.")
    structures = load_structures(boms=[old_id, new_id])
    book = cost_book(structures)
    stock = availability(items=list(structures.items))
    return BomDiff(
        old=structures.heads[old_id],
        new=structures.heads[new_id],
        head=_head_changes(boms[old_id], boms[new_id]),
        lines=_line_changes(structures, old_id, new_id),
        old_unit_cost=as_unit_cost(book.of_bom(old_id).value),
        new_unit_cost=as_unit_cost(book.of_bom(new_id).value),
        old_buildable=limits_of(structures, old_id, stock),
        new_buildable=limits_of(structures, new_id, stock),
    )


def _head_changes(old: Bom, new: Bom) -> list[FieldChange]:
    pairs = [
        ("makes", as_text(old.makes), as_text(new.makes)),
        ("deviation policy", old.get_deviation_policy_display(), new.get_deviation_policy_display()),
        (
            "deviation tolerance %",
            as_text(old.deviation_tolerance_percent),
            as_text(new.deviation_tolerance_percent),
        ),
        ("note", old.note, new.note),
    ]
    return [FieldChange(*pair) for pair in pairs if pair[1] != pair[2]]


def _line_changes(structures: Structures, old_id: int, new_id: int) -> list[LineChange]:
    """In the order of the new version; what was removed at the end."""
    old_lines, new_lines = structures.boms[old_id].lines, structures.boms[new_id].lines
    pairs = _matched(structures, old_lines, new_lines)
    changes: list[LineChange] = []
    for line in new_lines:
        before = pairs.get(line.line_id)
        if before is None:
            changes.append(_only(structures, line, new_id, Change.ADDED))
        else:
            changes += _compared(structures, before, line, old_id, new_id)
    kept = {line.line_id for line in pairs.values()}
    changes += [_only(structures, line, old_id, Change.REMOVED) for line in old_lines if line.line_id not in kept]
    return changes


def _matched(
    structures: Structures, old_lines: Sequence[LineFact], new_lines: Sequence[LineFact]
) -> dict[int, LineFact]:
    """The old line of each new one: by component and reference, then by component alone, for a reference may change too."""
    pairs: dict[int, LineFact] = {}
    left = list(old_lines)
    for with_reference in (True, False):
        waiting: dict[tuple[int, str], list[LineFact]] = {}
        for line in left:
            waiting.setdefault(_key(structures, line, with_reference), []).append(line)
        for line in new_lines:
            alike = waiting.get(_key(structures, line, with_reference))
            if alike and line.line_id not in pairs:
                pairs[line.line_id] = alike.pop(0)
        left = [line for lines in waiting.values() for line in lines]
    return pairs


def _key(structures: Structures, line: LineFact, with_reference: bool) -> tuple[int, str]:
    return line.component_id, structures.typed[line.line_id].reference if with_reference else ""


def _compared(structures: Structures, old: LineFact, new: LineFact, old_id: int, new_id: int) -> Iterable[LineChange]:
    before, after = _fields(structures, old), _fields(structures, new)
    fields = [FieldChange(name, before[name], after[name]) for name in before if before[name] != after[name]]
    old_rate = structures.rate_of(old, old_id)
    new_rate = structures.rate_of(new, new_id)
    if fields or old_rate != new_rate:
        component = structures.items[new.component_id]
        reference = structures.typed[new.line_id].reference
        yield LineChange(Change.CHANGED, component, reference, fields, old_rate, new_rate)


def _only(structures: Structures, line: LineFact, bom_id: int, change: Change) -> LineChange:
    rate = structures.rate_of(line, bom_id)
    is_new = change == Change.ADDED
    fields = [
        FieldChange(name, "" if is_new else text, text if is_new else "")
        for name, text in _fields(structures, line).items()
        if text
    ]
    return LineChange(
        change,
        structures.items[line.component_id],
        structures.typed[line.line_id].reference,
        fields,
        None if is_new else rate,
        rate if is_new else None,
    )


def _fields(structures: Structures, line: LineFact) -> dict[str, str]:
    """What a person sees of a line; a field at its default is empty."""
    typed = structures.typed[line.line_id]
    stock_unit = structures.items[line.component_id].stock_unit
    unit = typed.unit or stock_unit
    content = "" if line.factor == 1 else f"{line.factor} {stock_unit}"
    return {
        "quantity": f"{as_text(line.quantity)} {unit}",
        "unit content": content,
        "scrap %": as_text(line.scrap_percent) if line.scrap_percent else "",
        "set-up quantity": f"{as_text(line.setup_quantity)} {unit}" if line.setup_quantity else "",
        "rounding multiple": "" if line.rounding_multiple is None else f"{as_text(line.rounding_multiple)} {unit}",
        "issue method": line.issue_method,
        "consumable": "yes" if line.is_consumable else "",
        "optional": "yes" if line.is_optional else "",
        "exploded": "yes" if line.explodes else "",
        "reference": typed.reference,
        "note": typed.note,
    }
