"""Pages of costs that come after the goods, and of goods whose cost is not known."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import CostPool, LandedCost
from inventory.operations.issuing import issue_stock
from inventory.operations.landing_costs import add_landed_cost
from tests.factories import make_item, make_location, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def used():
    """10 received for 20.00, 4 of them used; the receipt's movement and the posting that used it."""
    item, place = make_item(sku="JAR"), make_location()
    movement = put_on_hand(item, place, "10", value="20.00").movements.get()
    posting = issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(4), actor=None).posting
    return movement, posting


def cost_fields(movement, **rest):
    return {
        "key": str(uuid4()),
        "target": movement.pk,
        "amount": "10.00",
        "kind": "freight",
        "basis": "value",
        **rest,
    }


def test_the_effect_is_shown_before_and_posted_as_shown(as_planner, used):
    movement, posting = used
    url = reverse("buying:new_landed_cost")
    fields = cost_fields(movement, reference="INV-7")

    shown = as_planner.post(url, {**fields, "refresh": "1"}, headers={"HX-Request": "true", "HX-Target": "late-cost"})
    text = shown.content.decode()
    assert not LandedCost.objects.exists()
    posted = as_planner.post(url, fields)

    (line,) = shown.context["plan"].lines
    assert (shown.status_code, line.capitalised, line.expensed) == (200, 6, 4)
    assert reverse("inventory:posting", args=[posting.pk]) in text
    assert "true cost" in text
    cost = LandedCost.objects.get()
    assert posted.url == reverse("inventory:posting", args=[cost.posting_id])
    assert CostPool.objects.get().value == 18
    page = as_planner.get(posted.url).content.decode()
    assert "INV-7" in page
    assert "true cost" in page
    receipt = as_planner.get(reverse("inventory:posting", args=[movement.posting_id])).content.decode()
    assert "Freight" in receipt
    listed = as_planner.get(reverse("buying:landed_costs"), {"export": "csv"})
    _, line = b"".join(listed.streaming_content).decode("utf-8-sig").splitlines()
    assert line.split(",")[2:] == ["Freight", "", "INV-7", "1", "10", "6", "4"]


def test_a_cost_that_is_sent_twice_is_posted_once(as_planner, used):
    fields = cost_fields(used[0])

    for _ in range(2):
        as_planner.post(reverse("buying:new_landed_cost"), fields)

    assert LandedCost.objects.count() == 1


def test_receipts_are_found_by_number_note_and_sku(as_planner, used):
    movement, _ = used
    url = reverse("buying:new_landed_cost")

    for text in ("JAR", str(movement.posting_id)):
        assert as_planner.get(url, {"find": text}).context["found"] == [movement]
    assert as_planner.get(url, {"find": "JAR", "all": "1"}).context["goods"] == [movement]
    assert "Nothing was received under" in as_planner.get(url, {"find": "NOWHERE"}).content.decode()


def test_what_cannot_be_spread_is_said_and_nothing_posted(as_planner, used):
    url = reverse("buying:new_landed_cost")

    by_weight = as_planner.post(url, cost_fields(used[0], basis="weight"))
    nothing = as_planner.post(url, cost_fields(used[0], target=""))
    no_amount = as_planner.post(url, cost_fields(used[0], amount=""))

    assert [answer.status_code for answer in (by_weight, nothing, no_amount)] == [422] * 3
    assert "JAR has no weight" in by_weight.content.decode()
    assert "Choose at least one line" in nothing.content.decode()
    assert not LandedCost.objects.exists()


def test_unknown_costs_are_listed_until_their_price_is_given(as_planner):
    item, place = make_item(sku="JAR"), make_location()
    posting = put_on_hand(item, place, "10")
    url = reverse("buying:unknown_costs")
    (row,) = as_planner.get(url).context["rows"]
    assert (row.item, [m.posting for m in row.receipts]) == (item, [posting])
    movement = posting.movements.get()
    prices = reverse("buying:prices", args=[posting.pk])
    fields = {"key": str(uuid4()), f"price-{movement.pk}": "30.00"}

    shown = as_planner.post(prices, {**fields, "refresh": "1"})
    assert shown.context["plan"].capitalised == 30
    answer = as_planner.post(prices, fields)

    assert answer.status_code == 302
    assert CostPool.objects.get().value == 30
    assert "Every cost is known" in as_planner.get(url).content.decode()


def test_a_price_that_is_recorded_already_changes_nothing(as_planner, used):
    movement, _ = used
    prices = reverse("buying:prices", args=[movement.posting_id])

    same = as_planner.post(prices, {"key": str(uuid4()), f"price-{movement.pk}": "20.00"})
    none = as_planner.post(prices, {"key": str(uuid4())})

    assert (same.status_code, none.status_code) == (422, 422)
    assert "recorded already" in same.content.decode()
    assert "Type the price" in none.content.decode()
    assert not LandedCost.objects.exists()


def test_pages_need_their_permission(as_viewer, as_operator, used):
    assert as_viewer.get(reverse("buying:landed_costs")).status_code == 200
    for url in (reverse("buying:new_landed_cost"), reverse("buying:prices", args=[used[0].posting_id])):
        assert as_operator.get(url).status_code == 403


def test_lists_cost_the_same_with_many_rows(as_viewer):
    place = make_location()

    def queries():
        found = []
        for name in ("landed_costs", "unknown_costs"):
            with CaptureQueriesContext(connection) as seen:
                assert as_viewer.get(reverse(f"buying:{name}")).status_code == 200
            found.append(len(seen))
        return found

    def one_more():
        put_on_hand(make_item(), place, "5")
        movement = put_on_hand(make_item(), place, "5", value="5.00").movements.get()
        add_landed_cost(key=uuid4(), targets=[movement], amount=Decimal(1), actor=None)

    one_more()
    few = queries()
    for _ in range(19):
        one_more()

    assert queries() == few
