"""The page of exceptions."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import ExceptionCase
from inventory.operations.exceptions import report_exception, resolve_exception
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PAGE = "/exceptions/"


@pytest.fixture
def solver(client, operator):
    client.force_login(operator)
    return client


def report(number=1, **fields):
    fields = {"kind": "drift", "title": f"Case {number}", **fields}
    return report_exception(area="stock", fingerprint=f"drift:{number}", reason="It is so.", actor=None, **fields)


def test_lists_with_reason_and_suggested_action(solver):
    report(action="Count it", action_url="/stock/counts/")

    page = solver.get(PAGE).content.decode()

    assert all(words in page for words in ("Case 1", "It is so.", "Count it", "/stock/counts/", "nobody"))


def test_the_menu_and_today_count_what_waits(solver):
    report(severity=4)

    page = solver.get("/").content.decode()

    assert "1 exception of high severity" in page


def test_filters_and_exports_what_is_shown(solver):
    report(1, severity=4)
    report(2, kind="oversold")

    shown = solver.get(PAGE, {"kind": "oversold"}).content.decode()
    exported = b"".join(solver.get(PAGE, {"severity": "4", "export": "csv"}).streaming_content).decode()

    assert ("Case 2" in shown, "Case 1" in shown) == (True, False)
    assert ("Case 1" in exported, "Case 2" in exported) == (True, False)


def test_an_empty_queue_teaches(solver):
    assert "Nothing needs a person" in solver.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("form", "state", "step"),
    [
        ({"do": "take"}, "open", "taken"),
        ({"do": "snooze", "until": "1d"}, "snoozed", "snoozed"),
        ({"do": "resolve", "words": "counted"}, "resolved", "resolved"),
        ({"do": "note", "words": "asked"}, "open", "noted"),
    ],
)
def test_a_case_is_worked_on(solver, form, state, step):
    case = report()

    answer = solver.post(f"{PAGE}{case.pk}/act/", form)

    case.refresh_from_db()
    assert answer.status_code == 302
    assert (case.state, case.events.last().step) == (state, step)
    assert solver.get(f"{PAGE}{case.pk}/").status_code == 200


def test_a_refusal_is_said_on_the_page(solver):
    case = report()
    resolve_exception(case=case, actor=None)

    answer = solver.post(f"{PAGE}{case.pk}/act/", {"do": "take"})

    assert answer.status_code == 409
    assert "is resolved already" in answer.content.decode()


def test_only_planners_give_cases_to_others(client, operator, planner):
    case, other = report(), make_user(role="operator")
    form = {"do": "assign", "owner": str(other.pk)}

    client.force_login(operator)
    assert client.post(f"{PAGE}{case.pk}/act/", form).status_code == 403
    client.force_login(planner)
    client.post(f"{PAGE}{case.pk}/act/", form)

    case.refresh_from_db()
    assert case.owner == other


def test_marked_cases_are_resolved_together_or_not_at_all(solver):
    first, second, third = report(1), report(2), report(3)
    solver.post(f"{PAGE}act/", {"do": "resolve", "case": [first.pk, second.pk], "words": "done"})
    assert ExceptionCase.objects.filter(state="resolved", resolution="done").count() == 2

    solver.post(f"{PAGE}act/", {"do": "resolve", "case": [second.pk, third.pk]})

    third.refresh_from_db()
    assert third.state == "open"


def test_nothing_marked_changes_nothing(solver):
    report()

    assert solver.post(f"{PAGE}act/", {"do": "resolve"}).status_code == 302
    assert ExceptionCase.objects.get().state == "open"


def test_viewers_look_only(client, viewer):
    case = report()
    client.force_login(viewer)

    assert client.get(PAGE).status_code == 200
    assert client.post(f"{PAGE}{case.pk}/act/", {"do": "take"}).status_code == 403


def test_who_counts_reports_a_problem_and_sees_no_queue(client):
    counter = make_user(role="counter")
    client.force_login(counter)
    form = {"key": str(uuid4()), "title": "Label lies", "words": "", "about": "BIN-3", "url": "https://evil.example/"}

    answer = client.post(f"{PAGE}report/", form)

    case = ExceptionCase.objects.get()
    assert (answer.status_code, case.title, case.subject, case.url) == (302, "Label lies", "BIN-3", "")
    assert client.get(PAGE).status_code == 403


def test_a_problem_without_words_is_asked_for(solver):
    answer = solver.post(f"{PAGE}report/", {"key": str(uuid4()), "title": ""})

    assert answer.status_code == 422
    assert not ExceptionCase.objects.exists()


def test_costs_the_same_with_one_and_with_twenty(solver):
    def cost():
        solver.get(PAGE)
        with CaptureQueriesContext(connection) as queries:
            solver.get(PAGE)
        return len(queries)

    report(1)
    one = cost()
    for number in range(2, 21):
        report(number)
    assert cost() == one
