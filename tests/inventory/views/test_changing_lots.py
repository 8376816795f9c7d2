from uuid import uuid4

import pytest
from django.urls import reverse

from inventory.models import Posting
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def oil(db):
    site = make_location(code="SITE")
    item = make_item(sku="OIL")
    put_on_hand(item, site, "9", value="9.00")
    item.tracking = "lot"
    item.save()
    put_on_hand(item, site, "5", lot="A", value="5.00")
    return item


def send(client, **fields):
    named = {"item": "OIL", "location": "SITE", "status": "available", "reason": "Tracked from now on", **fields}
    return client.post(reverse("inventory:change_lots"), {"key": str(uuid4()), **named})


def test_lists_what_is_there_and_goods_without_a_lot_get_theirs(as_planner, oil):
    page = as_planner.get(reverse("inventory:change_lots"), {"item": "OIL", "location": "SITE"}).content.decode()
    unknown = lot_of(oil, "").pk

    response = send(as_planner, **{f"take-{unknown}": "9", "target-0-code": "OLD", "target-0-expires_on": "2040-01-01"})

    assert "no lot yet" in page
    assert response.status_code == 302, response.context["form"].errors
    assert (on_hand(oil, lot="OLD"), on_hand(oil, lot="A"), on_hand(oil, lot="")) == (9, 5, 0)


def test_splits_one_lot_into_several_and_joins_several_into_one(as_planner, oil):
    lot, unknown = lot_of(oil, "A").pk, lot_of(oil, "").pk
    split = {
        "target-0-code": "A-1",
        "target-0-quantity": "2",
        "target-1-code": "A-2",
        "target-1-quantity": "3",
        f"take-{lot}": "5",
    }

    assert send(as_planner, **split).status_code == 302
    one = lot_of(oil, "A-1").pk
    assert send(as_planner, **{f"take-{one}": "2", f"take-{unknown}": "9", "target-3-code": "ALL"}).status_code == 302

    assert (on_hand(oil, lot="ALL"), on_hand(oil, lot="A-2"), on_hand(oil)) == (11, 3, 14)


def test_what_is_missing_or_wrong_is_told_where_it_stands(as_planner, oil):
    lot = lot_of(oil, "A").pk

    nothing = send(as_planner).content.decode()
    wrong = send(as_planner, **{f"take-{lot}": "x", "target-0-quantity": "3"}).content.decode()
    uneven = send(as_planner, **{f"take-{lot}": "5", "target-0-code": "B", "target-0-quantity": "3"}).content.decode()

    assert "Type how much is taken" in nothing
    assert "Name the lot the goods get" in nothing
    assert "“x” is not a number" in wrong
    assert "Name the lot that gets this quantity" in wrong
    assert "5 pcs of OIL are taken and 3 given" in uneven
    assert 'value="5"' in uneven
    assert not Posting.objects.filter(kind="lot_change").exists()


def test_an_item_without_tracking_is_led_to_the_switch(as_planner, oil):
    jar = make_item(sku="JAR")

    page = as_planner.get(reverse("inventory:change_lots"), {"item": "JAR", "location": "SITE"}).content.decode()

    assert reverse("admin:inventory_item_change", args=[jar.pk]) in page


def test_an_operator_does_not_change_lots(as_operator):
    assert as_operator.get(reverse("inventory:change_lots")).status_code == 403
