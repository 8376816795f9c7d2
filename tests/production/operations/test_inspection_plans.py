"""Inspection plans: versions, what cannot be, and what is kept of an older one."""

from decimal import Decimal

import pytest

from inventory.models import ItemKind
from production.errors import InvalidPlan
from production.models import InspectionPlan
from production.operations.inspection_plans import CheckSpec, end_inspection_plan, save_inspection_plan, specs_of
from tests.factories import make_item

pytestmark = pytest.mark.django_db

WEIGHT = CheckSpec("Weight", "measurement", "g", Decimal(95), Decimal(105))


def save(item, *checks, **fields):
    return save_inspection_plan(item=item, applies_to="output", checks=checks, actor=None, **fields)


def test_the_first_plan_sends_the_item_to_hold():
    item = make_item()

    result = save(item, CheckSpec("Dry"), WEIGHT)

    item.refresh_from_db()
    assert (result.changed, result.plan.version, item.inspection_required) == (True, 1, True)
    assert specs_of(result.plan) == [CheckSpec("Dry"), WEIGHT]


def test_a_change_is_the_next_version_and_the_old_one_stays():
    item = make_item()
    first = save(item, CheckSpec("Dry")).plan

    second = save(item, CheckSpec("Dry"), WEIGHT).plan

    first.refresh_from_db()
    assert (first.is_active, second.is_active, second.version) == (False, True, 2)
    assert specs_of(first) == [CheckSpec("Dry")]


def test_the_same_again_changes_nothing():
    item = make_item()
    first = save(item, WEIGHT, every_nth=3, sample_quantity=Decimal(2), instructions="Look")

    again = save(item, WEIGHT, every_nth=3, sample_quantity=Decimal(2), instructions=" Look ")

    assert (again.changed, again.plan.pk, InspectionPlan.objects.count()) == (False, first.plan.pk, 1)


def test_an_ended_plan_is_followed_by_the_next_version():
    item = make_item()
    end_inspection_plan(plan=save(item, WEIGHT).plan, actor=None)

    again = save(item, WEIGHT)

    assert (again.changed, again.plan.version) == (True, 2)


@pytest.mark.parametrize(
    "check",
    [
        CheckSpec(" "),
        CheckSpec("Dry", "smell"),
        CheckSpec("Dry", minimum=Decimal(1)),
        CheckSpec("Weight", "measurement", "g"),
        CheckSpec("Weight", "measurement", "g", Decimal(2), Decimal(1)),
        CheckSpec("Weight", "measurement", "g", Decimal("0.0000001")),
        CheckSpec("weight", "measurement", "g", Decimal(1)),
    ],
)
def test_every_check_that_cannot_be_is_named(check):
    item = make_item()

    with pytest.raises(InvalidPlan) as refusal:
        save(item, WEIGHT, check)

    assert set(refusal.value.context["checks"]) == {"2"}
    assert not InspectionPlan.objects.exists()


@pytest.mark.parametrize(
    "fields", [{"every_nth": 0}, {"sample_quantity": Decimal(0)}, {"sample_quantity": Decimal(-1)}]
)
def test_a_plan_inspects_something(fields):
    with pytest.raises(InvalidPlan):
        save(make_item(), **fields)


def test_what_is_never_stocked_is_not_inspected():
    with pytest.raises(InvalidPlan):
        save(make_item(kind=ItemKind.SERVICE))
