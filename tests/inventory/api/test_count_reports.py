"""What is due to be counted, and how right the records were, over the API."""

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.client import ApiClient
from tests.factories import make_item, make_location, make_user, put_on_hand
from tests.inventory.operations.counting_steps import approve_from, count_for_sure, line_of, open_sheet, scan, submit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def site():
    return make_location(code="SITE")


def counted(site, item, quantity, *, expected, value):
    put_on_hand(item, site, expected, value=value)
    sheet = open_sheet(site, items=[item])
    line = line_of(sheet, item)
    scan(line)
    count_for_sure(line, quantity)
    submit(sheet)
    return sheet


def test_cells_are_due_with_their_reasons_the_most_urgent_first(as_planner, site):
    approve_from("1000000")
    off, never = make_item(sku="WAX"), make_item(sku="JAR")
    put_on_hand(never, site, "3", value="3.00")
    counted(site, off, "5", expected="10", value="10.00")
    elsewhere = make_location(code="OTHER")
    put_on_hand(make_item(sku="LID"), elsewhere, "1")
    sheet = open_sheet(site, items=[never])

    found = as_planner.get("count-sheets/due/", location="site").json()

    assert found["ranked_at"] is None
    assert [(cell["item"], cell["reasons"]) for cell in found["cells"]] == [("WAX", ["suspicious"]), ("JAR", ["never"])]
    first, second = found["cells"]
    assert (first["location"], first["on_hand"], first["unit"], first["status"]) == (
        "SITE",
        "5",
        off.stock_unit,
        "available",
    )
    assert first["off_by"] is not None
    assert first["last_counted_at"] is not None
    assert (second["off_by"], second["last_counted_at"], second["due_on"]) == (None, None, None)
    assert (second["sheet"], second["group"]) == (sheet.number, "C")
    assert len(as_planner.get("count-sheets/due/").json()["cells"]) == 3
    assert len(as_planner.get("count-sheets/due/", rows="1").json()["cells"]) == 1


def test_figures_are_hidden_from_who_plans_counts_and_may_not_see_stock(site):
    put_on_hand(make_item(), site, "73914")
    person = make_user()
    person.user_permissions.add(Permission.objects.get(codename="plan_counts"))

    answer = ApiClient(person).get("count-sheets/due/")

    assert answer.status_code == 200
    (cell,) = answer.json()["cells"]
    assert (cell["on_hand"], cell["moved"], cell["off_by"]) == (None, None, None)
    assert "73914" not in answer.content.decode()


@pytest.mark.parametrize(
    ("address", "parameters", "field"),
    [
        ("due", {"rows": "501"}, "rows"),
        ("due", {"rows": "0"}, "rows"),
        ("due", {"location": "NOWHERE"}, "location"),
        ("accuracy", {"months": "25"}, "months"),
        ("accuracy", {"months": "some"}, "months"),
    ],
)
def test_nonsense_is_refused_at_its_parameter(as_planner, site, address, parameters, field):
    answer = as_planner.get(f"count-sheets/{address}/", **parameters)

    assert answer.status_code == 400
    assert list(answer.json()["context"]) == [field]


def test_what_is_due_costs_the_same_statements_for_1_and_for_20_cells(as_planner, site):
    put_on_hand(make_item(), site, "1")
    with CaptureQueriesContext(connection) as one:
        assert len(as_planner.get("count-sheets/due/").json()["cells"]) == 1
    for _ in range(19):
        put_on_hand(make_item(), site, "1")
    with CaptureQueriesContext(connection) as many:
        assert len(as_planner.get("count-sheets/due/").json()["cells"]) == 20

    assert len(one) == len(many)


def test_accuracy_nets_nothing_and_names_what_variances_came_from(as_planner, site):
    approve_from("1000000")
    counted(site, make_item(), "9", expected="10", value="20.00")
    counted(site, make_item(), "11", expected="10", value="20.00")
    counted(site, make_item(), "10", expected="10", value="20.00")

    found = as_planner.get("count-sheets/accuracy/").json()

    whole, *groups = found["groups"]
    assert (whole["group"], whole["within"], whole["counted"], whole["percent"]) == ("", 1, 3, "33.33")
    assert [(one["group"], one["percent"]) for one in groups] == [("A", None), ("B", None), ("C", "33.33")]
    (month,) = found["months"]
    assert month["groups"] == found["groups"]
    assert month["month"].endswith("-01")
    (cause,) = found["causes"]
    assert (cause["lines"], cause["value"], cause["unknown"]) == (2, "0", 0)


def test_accuracy_hides_values_from_who_may_not_see_stock(site):
    approve_from("1000000")
    counted(site, make_item(), "8", expected="10", value="33.33")

    person = make_user()
    person.user_permissions.add(Permission.objects.get(codename="view_countsheet"))

    found = ApiClient(person).get("count-sheets/accuracy/").json()

    assert [(cause["lines"], cause["value"]) for cause in found["causes"]] == [(1, None)]


def test_nothing_counted_yet_is_no_percent(as_planner):
    found = as_planner.get("count-sheets/accuracy/").json()

    assert [one["percent"] for one in found["groups"]] == [None] * 4
    assert found["months"] == found["causes"] == []
