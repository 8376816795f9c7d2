"""Inspection plans: written as versions, so that what was inspected keeps the limits it was inspected by."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from inventory.models import Item
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, is_exact
from production.errors import InvalidPlan
from production.models import CheckKind, InspectionCheck, InspectionPlan

CHECKS_MAX = 100


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """One check of a plan as it is to be. Limits are in the unit of the check and belong to what is allowed."""

    name: str
    kind: str = CheckKind.PASS_FAIL
    unit: str = ""
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class PlanResult:
    plan: InspectionPlan
    changed: bool  # false when the plan in force said exactly this already


@operation
def save_inspection_plan(
    *,
    item: Item,
    applies_to: str,
    checks: Sequence[CheckSpec],
    actor: Actor,
    every_nth: int = 1,
    sample_quantity: Decimal | None = None,
    instructions: str = "",
) -> PlanResult:
    """Put a plan into force for an item: the next version, in the place of the one before.

    What is made or received of the item goes to QC hold from now on. Raises InvalidPlan, naming every check that cannot be.
    """
    specs = checked_specs(checks)
    if every_nth < 1:
        raise InvalidPlan(f"Each {every_nth}th cannot be inspected. Give 1 for all, 2 for every second, and so on.")
    if sample_quantity is not None and (sample_quantity <= ZERO or not is_exact(sample_quantity)):
        raise InvalidPlan("A sample is more than nothing. Leave it empty to look at all.")
    if not item.is_stocked:
        raise InvalidPlan(f"{item.sku} is a {item.get_kind_display().lower()}; it never holds stock to be inspected.")

    found = Item.objects.select_for_update(of=("self",), no_key=True).get(pk=item.pk)
    if not found.inspection_required:
        found.inspection_required = True
        found.save(update_fields=["inspection_required", "updated_at"])
    versions = InspectionPlan.objects.filter(item=found, applies_to=applies_to).order_by("-version")
    latest = versions.first()
    active = latest if latest is not None and latest.is_active else None
    head = (every_nth, sample_quantity, instructions.strip())
    same = active is not None and head == (active.every_nth, active.sample_quantity, active.instructions)
    if active is not None and same and specs == specs_of(active):
        return PlanResult(active, changed=False)
    if active is not None:
        active.is_active = False
        active.save(update_fields=["is_active"])
    plan = InspectionPlan.objects.create(
        item=found,
        applies_to=applies_to,
        version=1 if latest is None else latest.version + 1,
        every_nth=every_nth,
        sample_quantity=sample_quantity,
        instructions=instructions.strip(),
        created_by_id=getattr(actor, "pk", None),
    )
    InspectionCheck.objects.bulk_create(
        InspectionCheck(
            plan=plan,
            position=position,
            name=spec.name,
            kind=spec.kind,
            unit=spec.unit,
            minimum=spec.minimum,
            maximum=spec.maximum,
            is_required=spec.is_required,
        )
        for position, spec in enumerate(specs, start=1)
    )
    return PlanResult(plan, changed=True)


@operation
def end_inspection_plan(*, plan: InspectionPlan, actor: Actor) -> InspectionPlan:  # noqa: ARG001  history names the person
    """Take a plan out of force. The item still goes to QC hold as long as its own setting says so; ended twice is fine."""
    found = InspectionPlan.objects.select_for_update(of=("self",), no_key=True).get(pk=plan.pk)
    if found.is_active:
        found.is_active = False
        found.save(update_fields=["is_active"])
    return found


def specs_of(plan: InspectionPlan) -> list[CheckSpec]:
    """The checks of a plan, in order."""
    return [
        CheckSpec(check.name, check.kind, check.unit, check.minimum, check.maximum, check.is_required)
        for check in plan.checks.order_by("position", "id")
    ]


def checked_specs(checks: Sequence[CheckSpec]) -> list[CheckSpec]:
    """The checks as they are kept. Raises InvalidPlan with what is wrong, by position from 1."""
    if len(checks) > CHECKS_MAX:
        raise InvalidPlan(f"A plan takes {CHECKS_MAX} checks, {len(checks)} were given. Leave some out.")
    wrong: dict[str, str] = {}
    seen: set[str] = set()
    specs = []
    for position, check in enumerate(checks, start=1):
        spec = CheckSpec(
            " ".join(check.name.split()),
            str(check.kind),
            check.unit.strip(),
            check.minimum,
            check.maximum,
            check.is_required,
        )
        problem = _problem(spec, seen)
        if problem:
            wrong[str(position)] = problem
        seen.add(spec.name.casefold())
        specs.append(spec)
    if wrong:
        words = " ".join(f"Check {position}: {problem}" for position, problem in wrong.items())
        raise InvalidPlan(words, checks=wrong)
    return specs


def _problem(spec: CheckSpec, seen: set[str]) -> str:
    if not spec.name:
        return "has no name. Say what is looked at."
    if len(spec.name) > 200 or len(spec.unit) > 16:
        return "its name takes 200 characters, its unit 16. Shorten it."
    if spec.name.casefold() in seen:
        return f"“{spec.name}” is there twice. Give each its own name."
    if spec.kind not in CheckKind.values:
        return f"“{spec.kind}” is no kind of check. Use one of {', '.join(CheckKind.values)}."
    limits = [limit for limit in (spec.minimum, spec.maximum) if limit is not None]
    if spec.kind != CheckKind.MEASUREMENT:
        return "only a measurement has limits and a unit." if limits or spec.unit else ""
    if not limits:
        return "a measurement needs a lower or an upper limit."
    if not all(is_exact(limit) for limit in limits):
        return "a limit has more than six decimal places or is too large."
    if len(limits) == 2 and limits[0] > limits[1]:
        return f"the lower limit {limits[0]:f} is above the upper limit {limits[1]:f}."
    return ""
