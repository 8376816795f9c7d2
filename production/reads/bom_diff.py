"""What changed between two versions of a BOM, and what that does to cost and to how many can be made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from inventory.quantities import as_text
from inventory.reads.availability import ItemAvailability, availability
from production.bom_content import HeadSpec
from production.costing import NOTHING, CostKind, by_kind, by_product_credit
from production.explosion import LineFact, started_per_good
from production.models import Bom, BomSubstitute, DeviationPolicy
from production.reads.bom_content import head_of
from production.reads.buildable import Buildable, limits_of
from production.reads.cost_rollup import CostBook, as_unit_cost, cost_book
from production.reads.structures import BomHead, ItemFact, Structures, load_structures

SUBSTITUTES = "substitutes"


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
    """One line that differs. `per_unit` figures are exact, in the component's stock unit, None where there is no line.

    `old_cost` and `new_cost` are what the line adds to the cost of one unit: zero where there is no line or it is optional,
    None while the component's cost is unknown.
    """

    change: Change
    component: ItemFact
    reference: str
    fields: Sequence[FieldChange]
    old_per_unit: Fraction | None
    new_per_unit: Fraction | None
    old_cost: Fraction | None
    new_cost: Fraction | None

    @property
    def cost_change(self) -> Decimal | None:
        """Of one unit of output, to six places."""
        if self.old_cost is None or self.new_cost is None:
            return None
        return as_unit_cost(self.new_cost - self.old_cost)


@dataclass(frozen=True, slots=True)
class PartChange:
    """A by-product, an operation or the substitutes of a component that differ, as text for people.

    `old_cost` and `new_cost` are what it adds to the cost of one unit, below zero for a by-product: zero where it does not
    stand, None where it has no part in the cost or the cost is unknown.
    """

    change: Change
    section: str
    label: str
    old: str
    new: str
    old_cost: Fraction | None = None
    new_cost: Fraction | None = None

    @property
    def cost_change(self) -> Decimal | None:
        """Of one unit of output, to six places."""
        if self.old_cost is None or self.new_cost is None:
            return None
        return as_unit_cost(self.new_cost - self.old_cost)

    @property
    def has_cost(self) -> bool:
        """Whether it has a part in the cost at all; substitutes have none."""
        return self.section != SUBSTITUTES


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
    parts: Sequence[PartChange] = ()

    @property
    def is_empty(self) -> bool:
        return not self.head and not self.lines and not self.parts

    @property
    def unit_cost_change(self) -> Decimal | None:
        if self.old_unit_cost is None or self.new_unit_cost is None:
            return None
        return self.new_unit_cost - self.old_unit_cost


def bom_diff(*, old_id: int, new_id: int) -> BomDiff:
    """Compare two versions, usually of one item. Six statements whatever their size.

    Lines are matched by component and reference, several alike in their order. Raises Bom.DoesNotExist.
    """
    return bom_diffs(pairs=[(old_id, new_id)])[0]


def bom_diffs(*, pairs: Sequence[tuple[int, int]]) -> list[BomDiff]:
    """Compare many pairs of versions, old and new, in the order given. Six statements whatever their number and size."""
    wanted = sorted({bom_id for pair in pairs for bom_id in pair})
    boms = Bom.objects.in_bulk(wanted)
    for bom_id in wanted:
        if bom_id not in boms:
            raise Bom.DoesNotExist(f"There is no BOM {bom_id}.")
    book = cost_book(load_structures(boms=wanted))
    stock = availability(items=list(book.structures.items))
    substitutes = stored_substitutes(wanted)
    return [
        compare(
            book,
            stock,
            old=Side(old_id, head_of(boms[old_id]), substitutes),
            new=Side(new_id, head_of(boms[new_id]), substitutes),
        )
        for old_id, new_id in pairs
    ]


Substitutes = Mapping[int, Sequence[tuple[str, Decimal]]]
"""By line id: SKU and ratio of each substitute in order."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the versions that are compared; its lines stand in the structures under `bom_id`."""

    bom_id: int
    head: HeadSpec
    substitutes: Substitutes


def stored_substitutes(boms: Sequence[int]) -> dict[int, list[tuple[str, Decimal]]]:
    """The substitutes of all lines of some versions. One statement."""
    found: dict[int, list[tuple[str, Decimal]]] = {}
    rows = BomSubstitute.objects.filter(line__bom__in=boms).order_by("line", "position", "id")
    for line_id, sku, ratio in rows.values_list("line_id", "item__sku", "ratio"):
        found.setdefault(line_id, []).append((sku, ratio))
    return found


def compare(book: CostBook, stock: dict[int, ItemAvailability], *, old: Side, new: Side) -> BomDiff:
    """What differs between two versions that were read already, stored or laid over. No statement."""
    structures = book.structures
    return BomDiff(
        old=structures.heads[old.bom_id],
        new=structures.heads[new.bom_id],
        head=_head_changes(old.head, new.head),
        lines=_line_changes(book, old.bom_id, new.bom_id),
        old_unit_cost=as_unit_cost(book.of_bom(old.bom_id).value),
        new_unit_cost=as_unit_cost(book.of_bom(new.bom_id).value),
        old_buildable=limits_of(structures, old.bom_id, stock),
        new_buildable=limits_of(structures, new.bom_id, stock),
        parts=_part_changes(_parts(book, old), _parts(book, new)),
    )


def _head_changes(old: HeadSpec, new: HeadSpec) -> list[FieldChange]:
    pairs = [
        ("makes", as_text(old.makes), as_text(new.makes)),
        (
            "deviation policy",
            DeviationPolicy(old.deviation_policy).label,
            DeviationPolicy(new.deviation_policy).label,
        ),
        (
            "deviation tolerance %",
            as_text(old.deviation_tolerance_percent),
            as_text(new.deviation_tolerance_percent),
        ),
        ("process loss %", as_text(old.process_loss_percent), as_text(new.process_loss_percent)),
        ("capacity per day", _or_empty(old.capacity_per_day), _or_empty(new.capacity_per_day)),
        ("instructions", old.instructions, new.instructions),
        ("note", old.note, new.note),
    ]
    return [FieldChange(*pair) for pair in pairs if pair[1] != pair[2]]


def _or_empty(number: Decimal | None) -> str:
    return "" if number is None else as_text(number)


@dataclass(frozen=True, slots=True)
class _Part:
    """A by-product, an operation or substitutes of one version: in words, and what it adds to the cost of one unit."""

    text: str
    cost: Fraction | None


Parts = dict[tuple[str, str, int], _Part]


def _parts(book: CostBook, side: Side) -> Parts:
    """By what they are, their name and how many alike stand before."""
    found: Parts = {}

    def add(section: str, label: str, text: str, cost: Fraction | None) -> None:
        nth = 0
        while (section, label, nth) in found:
            nth += 1
        found[(section, label, nth)] = _Part(text, cost)

    extras, structures = book.extras, book.structures
    head, cost = structures.heads[side.bom_id], book.of_bom(side.bom_id)
    gross = None if cost.value is None else cost.value - by_kind(cost.stack).get(CostKind.BY_PRODUCT, NOTHING)
    for output in extras.outputs.get(side.bom_id, ()):
        item = extras.items[output.item_id]
        each = as_text(as_unit_cost(output.per_unit) or Decimal(0))
        value = (
            f"{as_text(output.cost_share_percent)} % of the cost"
            if output.unit_value is None
            else f"worth {as_text(output.unit_value)} each"
        )
        carried = None if gross is None else -by_product_credit(gross, [output])
        add("by-product", item.sku, f"{each} {item.stock_unit} per unit, {value}", carried)
    batches = started_per_good(head.process_loss_percent) / Fraction(head.makes)
    for operation in extras.operations.get(side.bom_id, ()):
        time = f"{as_text(operation.minutes)} min at {as_text(operation.rate_per_hour)} an hour"
        setup = f", {as_text(operation.setup_minutes)} min set-up" if operation.setup_minutes else ""
        amount = f", {as_text(operation.amount)} a batch" if operation.amount else ""
        per_batch = Fraction(operation.minutes) * Fraction(operation.rate_per_hour) / 60 + Fraction(operation.amount)
        add("operation", operation.name, f"{operation.kind}: {time}{setup}{amount}", per_batch * batches)
    for line in structures.boms[side.bom_id].lines:
        instead = side.substitutes.get(line.line_id)
        if instead:
            words = ", ".join(sku if ratio == 1 else f"{sku} × {as_text(ratio)}" for sku, ratio in instead)
            add(SUBSTITUTES, structures.items[line.component_id].sku, words, None)
    return found


def _part_changes(old: Parts, new: Parts) -> list[PartChange]:
    """What was added or changed in the order of the new version, then what was removed."""
    nothing = _Part("", NOTHING)
    changes = []
    for key in (*new, *(key for key in old if key not in new)):
        before, after = old.get(key, nothing), new.get(key, nothing)
        if before.text == after.text:
            continue
        change = Change.ADDED if key not in old else Change.REMOVED if key not in new else Change.CHANGED
        changes.append(PartChange(change, key[0], key[1], before.text, after.text, before.cost, after.cost))
    return changes


def _line_changes(book: CostBook, old_id: int, new_id: int) -> list[LineChange]:
    """In the order of the new version; what was removed at the end."""
    structures = book.structures
    old_lines, new_lines = structures.boms[old_id].lines, structures.boms[new_id].lines
    pairs = _matched(structures, old_lines, new_lines)
    changes: list[LineChange] = []
    for line in new_lines:
        before = pairs.get(line.line_id)
        if before is None:
            changes.append(_only(book, line, new_id, Change.ADDED))
        else:
            changes += _compared(book, before, line, old_id, new_id)
    kept = {line.line_id for line in pairs.values()}
    changes += [_only(book, line, old_id, Change.REMOVED) for line in old_lines if line.line_id not in kept]
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


def _compared(book: CostBook, old: LineFact, new: LineFact, old_id: int, new_id: int) -> Iterable[LineChange]:
    structures = book.structures
    before, after = _fields(structures, old), _fields(structures, new)
    fields = [FieldChange(name, before[name], after[name]) for name in before if before[name] != after[name]]
    old_rate = structures.rate_of(old, old_id)
    new_rate = structures.rate_of(new, new_id)
    if fields or old_rate != new_rate:
        component = structures.items[new.component_id]
        reference = structures.typed[new.line_id].reference
        yield LineChange(
            Change.CHANGED,
            component,
            reference,
            fields,
            old_rate,
            new_rate,
            _cost(book, old, old_rate),
            _cost(book, new, new_rate),
        )


def _cost(book: CostBook, line: LineFact, rate: Fraction) -> Fraction | None:
    value = book.of_line(line).value
    if line.is_optional:
        return Fraction(0)
    return None if value is None else value * rate


def _only(book: CostBook, line: LineFact, bom_id: int, change: Change) -> LineChange:
    structures = book.structures
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
        Fraction(0) if is_new else _cost(book, line, rate),
        _cost(book, line, rate) if is_new else Fraction(0),
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
        "built when missing": "yes" if typed.builds_shortage else "",
        "reference": typed.reference,
        "note": typed.note,
    }
