"""The plan editor."""

import pytest

from production.models import InspectionPlan
from production.operations.inspection_plans import CheckSpec, save_inspection_plan, specs_of
from tests.factories import make_item

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client, planner):
    client.force_login(planner)
    return client


def rows(*names, **fields):
    form = {
        "item": "GIFT",
        "applies_to": "output",
        "every_nth": "1",
        "sample_quantity": "",
        "instructions": "",
        **fields,
    }
    for number, name in enumerate(names):
        form |= {f"row-{number}-name": name, f"row-{number}-kind": "pass_fail", f"row-{number}-required": "1"}
    return form


def test_a_new_plan_is_put_into_force(editor):
    make_item(sku="GIFT")
    form = rows(
        "Dry",
        "Weight",
        **{"row-1-kind": "measurement", "row-1-minimum": "95,5", "row-1-unit": "g", "row-1-required": ""},
    )
    form["row-1-kind"], form["row-1-required"] = "measurement", ""

    answer = editor.post("/quality/plans/new/", form)

    plan = InspectionPlan.objects.get()
    assert answer.status_code == 302
    assert [(spec.name, spec.kind, str(spec.minimum), spec.is_required) for spec in specs_of(plan)] == [
        ("Dry", "pass_fail", "None", True),
        ("Weight", "measurement", "95.500000", False),
    ]


def test_a_wrong_row_is_marked_and_nothing_saved(editor):
    make_item(sku="GIFT")
    form = rows("Dry", "Weight")
    form |= {"row-1-kind": "measurement", "row-1-minimum": "many"}

    answer = editor.post("/quality/plans/new/", form)

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "“many” is not a number" in page
    assert 'value="Dry"' in page
    assert not InspectionPlan.objects.exists()


def test_rows_are_moved_and_taken_away_without_saving(editor):
    make_item(sku="GIFT")

    moved = editor.post("/quality/plans/new/", rows("First", "Second", up="1"))
    removed = editor.post("/quality/plans/new/", rows("First", "Second", remove="0"))

    assert [row.name for row in moved.context["form"].rows] == ["Second", "First"]
    assert [row.name for row in removed.context["form"].rows] == ["Second"]
    assert (moved.status_code, InspectionPlan.objects.count()) == (200, 0)


def test_saving_a_plan_makes_its_next_version(editor):
    item = make_item(sku="GIFT")
    plan = save_inspection_plan(item=item, applies_to="output", checks=[CheckSpec("Dry")], actor=None).plan

    editor.post(f"/quality/plans/{plan.pk}/", rows("Dry", "Flat"))

    newest = InspectionPlan.objects.get(is_active=True)
    assert (newest.version, [spec.name for spec in specs_of(newest)]) == (2, ["Dry", "Flat"])
    assert editor.get(f"/quality/plans/{plan.pk}/").status_code == 200


def test_one_plan_for_each_item_and_way(editor):
    item = make_item(sku="GIFT")
    save_inspection_plan(item=item, applies_to="output", checks=[], actor=None)

    answer = editor.post("/quality/plans/new/", rows("Dry"))

    assert answer.status_code == 422
    assert "has a plan for this already" in answer.content.decode()


def test_a_plan_is_ended(editor):
    plan = save_inspection_plan(item=make_item(), applies_to="output", checks=[], actor=None).plan

    editor.post(f"/quality/plans/{plan.pk}/end/")

    assert not InspectionPlan.objects.filter(is_active=True).exists()


def test_operators_read_and_do_not_write_plans(client, operator):
    client.force_login(operator)

    assert client.get("/quality/plans/").status_code == 200
    assert client.post("/quality/plans/new/", rows("Dry")).status_code == 403
