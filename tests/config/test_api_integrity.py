"""Runs of the ledger check and changes of master data over the REST API."""

from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.integrity.checking import run_check
from config.invariants import INVARIANTS
from inventory.models import InvariantRun, StockBalance
from tests.api.client import ApiClient
from tests.api.conftest import as_planner, as_viewer  # noqa: F401
from tests.factories import make_item, make_location, make_unit, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_told_yet(db):
    from inventory.models import CountClass

    CountClass.history.all().delete()


def test_runs_come_newest_first_with_their_findings_and_signature(as_planner):  # noqa: F811
    item, place = make_item(), make_location()
    put_on_hand(item, place, "5", value="5")
    run_check(cause="nightly")
    StockBalance.objects.update(quantity=Decimal(6))
    broken = run_check(cause="by hand")

    rows = as_planner.get("invariant-runs/").json()["results"]

    assert [(row["cause"], row["is_true"], row["is_genuine"]) for row in rows] == [
        ("by hand", False, True),
        ("nightly", True, True),
    ]
    assert len(rows[0]["results"]) == len(INVARIANTS)
    [found] = [one for one in rows[0]["results"] if not one["holds"]]
    assert (found["app"], found["name"], len(found["findings"])) == ("inventory", "balances", 1)
    assert as_planner.get(f"invariant-runs/{broken.pk}/").json() == rows[0]
    assert [row["id"] for row in as_planner.get("invariant-runs/", is_true="false").json()["results"]] == [broken.pk]


def test_a_run_that_was_changed_says_so(as_planner):  # noqa: F811
    run = run_check(cause="nightly")
    InvariantRun.objects.update(movements=7)

    assert as_planner.get(f"invariant-runs/{run.pk}/").json()["is_genuine"] is False


def test_runs_cost_the_same_with_1_and_with_20(as_planner):  # noqa: F811
    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert as_planner.get("invariant-runs/").status_code == 200
        return len(seen)

    run_check(cause="nightly")
    few = queries()
    for _ in range(19):
        run_check(cause="nightly")

    assert queries() == few


def test_changes_are_told_in_words_with_the_person(planner, as_planner):  # noqa: F811
    made = ApiClient(planner).post("items/", {"sku": "WAX", "name": "Wax"}).json()
    ApiClient(planner).patch(f"items/{made['id']}/", {"step": "0.5"})

    [newest, oldest] = as_planner.get("audit-entries/").json()["results"]

    assert newest == {
        "kind": "inventory.item",
        "kind_title": "Item",
        "label": "WAX",
        "object_id": made["id"],
        "verb": "changed",
        "at": newest["at"],
        "person": planner.username,
        "person_id": planner.pk,
        "reason": "",
        "differences": [{"what": "Step", "old": "1", "new": "0.5"}],
    }
    assert (oldest["verb"], oldest["differences"][0]) == ("made", {"what": "SKU", "old": "", "new": "WAX"})


def test_changes_are_narrowed_to_a_kind_an_object_a_person_and_a_time(planner, as_planner):  # noqa: F811
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        wax = make_item(sku="WAX")
        make_unit(item=wax, name="box", numerator="6")
        make_location(code="EAST")
    ApiClient(planner).post("locations/", {"code": "WEST", "name": "West"})

    def labels(**query):
        return [row["label"] for row in as_planner.get("audit-entries/", **query).json()["results"]]

    assert labels(kind="inventory.location") == ["WEST", "EAST"]
    assert sorted(labels(of=f"inventory.item:{wax.pk}")) == ["WAX", "box of WAX"]
    assert labels(person_id=planner.pk) == ["WEST"]
    assert sorted(labels(by_system="true")) == ["EAST", "WAX", "box of WAX"]
    assert labels(since="2026-03-02T00:00:00Z") == ["WEST"]
    assert sorted(labels(until="2026-03-02T00:00:00Z")) == ["EAST", "WAX", "box of WAX"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"kind": "no.kind"}, "kind"),
        ({"of": "inventory.item"}, "of"),
        ({"of": "no.kind:1"}, "of"),
        ({"cursor": "x"}, "cursor"),
        ({"page_size": "0"}, "page_size"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_parameters_that_say_nothing_are_refused(as_planner, query, field):  # noqa: F811
    answer = as_planner.get("audit-entries/", **query)

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID")
    assert field in answer.json()["context"]


def test_pages_of_changes_follow_each_other_forwards_and_backwards(as_planner):  # noqa: F811
    skus = [make_item().sku for _ in range(7)][::-1]

    found, answer = [], as_planner.get("audit-entries/", page_size=3).json()
    pages = [answer]
    while answer["next"]:
        answer = as_planner.follow(answer["next"]).json()
        pages.append(answer)
    found = [[row["label"] for row in page["results"]] for page in pages]
    back = as_planner.follow(pages[2]["previous"]).json()

    assert found == [skus[:3], skus[3:6], skus[6:]]
    assert [row["label"] for row in back["results"]] == skus[3:6]
    first = as_planner.follow(back["previous"]).json()
    assert [row["label"] for row in first["results"]] == skus[:3]
    assert first["previous"] is None


def test_changes_cost_the_same_with_1_and_with_20(as_planner):  # noqa: F811
    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert as_planner.get("audit-entries/").status_code == 200
        return len(seen)

    make_unit(item=make_item(), name="box", numerator="6")
    few = queries()
    for _ in range(19):
        make_unit(item=make_item(), name="box", numerator="6")

    assert queries() == few


def test_both_are_for_planners_and_administrators(as_viewer):  # noqa: F811
    for path in ("invariant-runs/", "audit-entries/"):
        answer = as_viewer.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
