"""Deciding about many differences over REST."""

import pytest

from channels_sync.models import Difference, Done
from tests.channels_sync.differing import differing
from tests.channels_sync.factories import make_channel

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(shop):
    return make_channel(code="shop", name="Candle shop")


def test_many_are_decided_and_what_does_not_fit_is_named(as_planner, channel, shop):
    first, second, sold = differing(channel, shop, 3)
    Difference.objects.filter(pk=sold.pk).update(cause="sold")

    answer = as_planner.post(
        "differences/decide/", {"ids": [first.pk, second.pk, sold.pk, 999_999], "response": "overwrite"}
    )

    assert answer.status_code == 200
    said = answer.json()
    assert (said["decided"], said["held"]) == ([first.pk, second.pk], [])
    assert [(one["id"], one["listing_id"], one["external_sku"]) for one in said["left"]] == [
        (999_999, None, ""),
        (sold.pk, sold.listing_id, sold.listing.external_sku),
    ]
    assert "sells the same units twice" in said["left"][1]["why"]
    assert Difference.objects.filter(done=Done.OVERWRITTEN).count() == 2


def test_from_fifty_on_the_number_is_given(as_planner, channel, shop):
    asked = {"ids": list(range(1, 61)), "response": "leave"}

    refused = as_planner.post("differences/decide/", asked)
    answer = as_planner.post("differences/decide/", {**asked, "typed": "60"})

    assert (refused.status_code, refused.json()["code"]) == (409, "TYPED_CONFIRMATION_REQUIRED")
    assert (answer.status_code, len(answer.json()["left"])) == (200, 60)


@pytest.mark.parametrize(
    "asked",
    [
        {"ids": [], "response": "leave"},
        {"ids": ["1"], "response": "leave"},
        {"ids": [0], "response": "leave"},
        {"ids": list(range(1, 1_002)), "response": "leave"},
        {"ids": [1], "response": "alert"},
        {"response": "leave"},
    ],
)
def test_what_cannot_be_read_is_refused(as_planner, asked):
    assert as_planner.post("differences/decide/", asked).status_code == 400
