"""What a completion really cost, part by part and against its plan, and why it cost more or less.

The plan of a line is its expected quantity at the cost the component was really used with: what differs is usage, not price.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.conf import settings

from inventory.models import CostEntry, CostEntryKind, ItemKind
from inventory.quantities import PLACES, ZERO, as_text, round_half_up, total_of
from production.models import Completion, CompletionLine, CompletionWork, VarianceCause

OPERATIONS = {
    CostEntryKind.LABOUR: "Labour",
    CostEntryKind.MACHINE: "Machines",
    CostEntryKind.OVERHEAD: "Overhead",
    CostEntryKind.PACKAGING: "Packaging work",
}
NOT_SAID = "No cause given"


@dataclass(frozen=True, slots=True)
class CostPart:
    """One part of the cost of a completion. Base currency; None when unknown. `planned` is None where nothing is planned."""

    label: str
    planned: Decimal | None
    actual: Decimal | None
    per_unit: Decimal | None
    """Of one good unit, half up to six places."""


@dataclass(frozen=True, slots=True)
class LineCost:
    """One component line: what its standard would have cost, and by how much it differs for which cause."""

    planned: Decimal | None
    variance: Decimal | None
    cause: str
    """In words; empty when as much was used as planned."""


@dataclass(frozen=True, slots=True)
class CauseSum:
    cause: str
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class TrueCost:
    """The parts add up to what the good units carry. `scrapped` and `spoiled` are contained in them, not beside them."""

    parts: Sequence[CostPart]
    total: Decimal | None
    planned: Decimal | None
    per_unit: Decimal | None
    by_line: dict[int, LineCost]
    causes: Sequence[CauseSum]
    scrapped: Decimal | None
    """Of the cost, what scrapped units took with them."""
    spoiled: Decimal | None
    """Of the cost, what components that were spoiled took with them."""


def true_cost(completion: Completion, lines: Sequence[CompletionLine]) -> TrueCost:
    """Of one completion; `lines` are its lines with their components. Two statements."""
    good = completion.good
    replaced = {line.substitute_for_id for line in lines if line.substitute_for_id is not None}
    by_line = {line.pk: _line(line, is_replaced=line.component_id in replaced) for line in lines}
    groups: dict[str, list[CompletionLine]] = {"Materials, landed": [], "Packaging": [], "Consumables": []}
    for line in lines:
        is_packaging = line.component.kind == ItemKind.PACKAGING
        groups["Consumables" if line.is_consumable else "Packaging" if is_packaging else "Materials, landed"].append(
            line
        )
    parts = [
        CostPart(
            label,
            total_of(by_line[line.pk].planned for line in members),
            actual := total_of(line.value for line in members),
            _each(actual, good),
        )
        for label, members in groups.items()
        if members
    ]
    charged = _operations(completion.pk)
    entered = {CostEntryKind(one.kind): one for one in CompletionWork.objects.filter(completion=completion)}
    for kind in (one for one in OPERATIONS if one in charged or one in entered):
        amount, label, timed = charged.get(kind, ZERO), OPERATIONS[kind], entered.get(kind)
        planned = amount
        if timed is not None:
            planned = amount - timed.value + timed.planned_value
            label = f"{label}, {as_text(timed.minutes)} of {as_text(timed.planned_minutes)} min planned"
        parts.append(CostPart(label, planned, amount, _each(amount, good)))
    credit = completion.by_product_value
    if credit != ZERO:
        given = None if credit is None else -credit
        parts.append(CostPart("By-products carry", given, given, _each(given, good)))
    total = total_of(part.actual for part in parts)
    started = completion.good + completion.scrapped
    return TrueCost(
        parts=parts,
        total=total,
        planned=total_of(part.planned for part in parts),
        per_unit=_each(total, good),
        by_line=by_line,
        causes=[*_causes(by_line.values()), *_time_causes(entered.values())],
        scrapped=_share(total, completion.scrapped, started),
        spoiled=total_of(_share(line.value, line.scrapped, line.actual) for line in lines),
    )


def _operations(posting_id: int) -> dict[CostEntryKind, Decimal]:
    charged: dict[CostEntryKind, Decimal] = {}
    for entry in CostEntry.objects.filter(posting_id=posting_id, kind__in=OPERATIONS).order_by("id"):
        kind = CostEntryKind(entry.kind)
        charged[kind] = charged.get(kind, ZERO) - entry.amount
    return charged


def _time_causes(entered: Iterable[CompletionWork]) -> list[CauseSum]:
    """What it cost that the work took another time than planned."""
    differing = [one for one in entered if one.value != one.planned_value]
    return [CauseSum(f"Time of {one.get_kind_display().lower()}", one.value - one.planned_value) for one in differing]


def _line(line: CompletionLine, *, is_replaced: bool) -> LineCost:
    planned = line.value if line.expected == line.actual else _share(line.value, line.expected, line.actual)
    if line.actual == ZERO and line.expected != ZERO:
        planned = None  # nothing was used, so nobody knows what it would have cost
    variance = None if planned is None or line.value is None else line.value - planned
    if line.actual == line.expected:
        return LineCost(planned, variance, "")
    cause = line.cause
    if not cause and (is_replaced or line.substitute_for_id is not None):
        cause = VarianceCause.SUBSTITUTE
    return LineCost(planned, variance, str(VarianceCause(cause).label) if cause else NOT_SAID)


def _causes(lines: Iterable[LineCost]) -> list[CauseSum]:
    sums: dict[str, list[Decimal | None]] = {}
    for line in lines:
        if line.cause:
            sums.setdefault(line.cause, []).append(line.variance)
    return [CauseSum(cause, total_of(amounts)) for cause, amounts in sorted(sums.items())]


def _share(value: Decimal | None, part: Decimal, whole: Decimal) -> Decimal | None:
    """value x part / whole in the currency's step; nothing of nothing."""
    if value is None:
        return None
    if not whole:
        return ZERO
    return round_half_up(Fraction(value) * Fraction(part) / Fraction(whole), settings.CURRENCY_STEP)


def _each(value: Decimal | None, good: Decimal) -> Decimal | None:
    return None if value is None or not good else round_half_up(Fraction(value) / Fraction(good), PLACES)
