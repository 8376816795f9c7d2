"""The queue of exceptions over the REST API."""

import pytest

from inventory.models import ExceptionCase
from inventory.operations.exceptions import report_exception

pytestmark = pytest.mark.django_db


def report(number=1):
    return report_exception(
        kind="drift", area="publishing", fingerprint=f"drift:{number}", title="A drift", reason="So it is.", actor=None
    )


def test_a_problem_is_reported_once_by_its_key(as_operator):
    key = "5d2f9a52-7a43-4d0c-8a0a-222222222222"
    first = as_operator.post("exceptions/", {"title": "Scale drifts"}, key=key)
    again = as_operator.post("exceptions/", {"title": "Scale drifts"}, key=key)

    assert (first.status_code, again.json()) == (201, first.json())
    assert ExceptionCase.objects.count() == 1
    assert [event["step"] for event in first.json()["events"]] == ["reported"]


def test_a_case_goes_its_way(as_planner, operator):
    case = report()
    path = f"exceptions/{case.pk}/"

    taken = as_planner.post(f"{path}take/", {}).json()
    given = as_planner.post(f"{path}assign/", {"owner": operator.username}).json()
    away = as_planner.post(f"{path}snooze/", {"until": "2199-01-01T00:00:00Z"}).json()
    waiting = as_planner.get("exceptions/", is_waiting="true").json()["results"]
    awake = as_planner.post(f"{path}wake/", {}).json()
    noted = as_planner.post(f"{path}note/", {"words": "asked"}).json()
    done = as_planner.post(f"{path}resolve/", {"resolution": "mended"}).json()
    twice = as_planner.post(f"{path}resolve/", {})
    opened = as_planner.post(f"{path}reopen/", {"note": "again"}).json()

    assert taken["owner"] is not None
    assert (given["owner"], away["state"], waiting) == (operator.username, "snoozed", [])
    assert (awake["state"], noted["events"][-1]["words"], done["resolution"]) == ("open", "asked", "mended")
    assert (twice.status_code, twice.json()["code"], opened["state"]) == (409, "WRONG_STATE", "open")


def test_nobody_unknown_is_given_a_case(as_planner):
    case = report()

    answer = as_planner.post(f"exceptions/{case.pk}/assign/", {"owner": "nobody-here"})

    assert answer.status_code == 400
    assert ExceptionCase.objects.get().owner is None


@pytest.mark.parametrize("count", [1, 20])
def test_the_list_costs_the_same_with_one_and_with_twenty(as_viewer, django_assert_max_num_queries, count):
    for number in range(count):
        report(number)

    with django_assert_max_num_queries(8):
        assert len(as_viewer.get("exceptions/", kind="drift", severity="2").json()["results"]) == count
