from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from production.models import Bom, BomProposal, BomState
from tests.factories import make_item, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

USED = ["2.10", "2.12", "2.08", "2.10", "2.11", "2.09", "2.10", "2.10"]
"""Wax of ten candles, kg; the standard is 2."""


@pytest.fixture
def used(workshop):
    Bom.objects.filter(pk=workshop.bom.pk).update(deviation_policy="free")
    for wax in USED[:4]:
        complete(workshop.candle, "10", into=workshop.finished, actuals=[(workshop.wax, Decimal(wax))])
    return workshop


@pytest.fixture
def proposed(used):
    put_on_hand(used.wax, used.place, "20", value="90.00", lot="L-3")
    for wax in USED[4:]:
        complete(used.candle, "10", into=used.finished, actuals=[(used.wax, Decimal(wax))])
    return used


def address(workshop, more=""):
    return f"/make/learning/{workshop.bom.pk}/{workshop.wax.pk}/{more}"


def decision(**fields):
    return {"quantity": "210", "measured": "8", **fields}


def test_the_list_asks_a_stranger_to_log_in(client, db):
    assert client.get("/make/learning/").status_code == 302


def test_an_empty_list_teaches(as_viewer, db):
    assert "Nothing was measured yet" in as_viewer.get("/make/learning/").content.decode()


def test_a_proposal_is_listed_with_its_evidence(as_viewer, proposed):
    response = as_viewer.get("/make/learning/")

    (row,) = response.context["rows"]
    assert (row.found.component.sku, row.found.quantity, row.found.proposed) == ("WAX", 200, 210)
    assert row.strip.words == ("8 measurements; half of them from 210 to 210 g, median 210, standard 200")
    assert len(row.strip.dots) == 8


def test_what_is_measured_and_not_proposed_is_listed_when_asked(as_viewer, used):
    assert as_viewer.get("/make/learning/").context["rows"] == []
    (row,) = as_viewer.get("/make/learning/?show=all").context["rows"]
    assert row.words == "Too few measurements"


def test_the_page_of_a_line_lists_every_measurement(as_viewer, proposed):
    response = as_viewer.get(address(proposed))

    assert [seen.difference for seen in response.context["measurements"]] == [
        Decimal(wax) - 2 for wax in reversed(USED)
    ]
    assert "Draft with" not in response.content.decode()  # a viewer decides nothing


def test_a_planner_drafts_the_proposal(as_planner, proposed):
    response = as_planner.post(address(proposed, "draft/"), decision())

    draft = Bom.objects.get(state=BomState.DRAFT)
    assert response.status_code == 302
    assert response.url == f"/make/boms/{draft.pk}/edit/"
    assert draft.lines.get(component=proposed.wax).quantity == 210


def test_a_planner_dismisses_it_for_a_reason_and_it_is_gone(as_planner, proposed):
    response = as_planner.post(address(proposed, "dismiss/"), decision(reason="new pump"))

    assert response.url == "/make/learning/"
    assert as_planner.get("/make/learning/").context["rows"] == []
    (row,) = as_planner.get("/make/learning/?show=decided").context["rows"]
    assert row.found.decision.reason == "new pump"


def test_without_a_reason_the_page_says_so_and_nothing_is_kept(as_planner, proposed):
    response = as_planner.post(address(proposed, "dismiss/"), decision())

    assert response.status_code == 422
    assert response.context["dismiss_form"].errors["reason"]
    assert not BomProposal.objects.exists()


def test_who_may_not_draft_is_refused(as_viewer, proposed):
    assert as_viewer.post(address(proposed, "draft/"), decision()).status_code == 403
    assert not Bom.objects.filter(state=BomState.DRAFT).exists()


def test_the_list_costs_the_same_for_one_and_twenty_versions(as_viewer, workshop):
    counts = []
    for size in (1, 20):
        for _ in range(size):
            item = make_item()
            make_bom(item=item, lines=[(workshop.wick, "1")], deviation_policy="free")
            complete(item, "1", into=workshop.finished, actuals=[(workshop.wick, "2")])
        with CaptureQueriesContext(connection) as queries:
            as_viewer.get("/make/learning/?show=all")
        counts.append(len(queries))

    assert counts[0] == counts[1]
