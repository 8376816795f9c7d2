"""Latency, buffer advice, oversold orders and the settings of reading back over the REST API."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from channels_sync.models import DriftSetting, PublicationLine
from channels_sync.operations.absorbing import absorb_changes
from inventory.operations.issuing import issue_stock
from tests.channels_sync.factories import make_channel, make_listing
from tests.channels_sync.views.test_buffer_pages import make_pair, measured
from tests.factories import make_location, put_on_hand

pytestmark = pytest.mark.django_db


def test_latency_is_told_stage_by_stage_in_seconds(as_viewer):
    listing = make_listing(channel=make_channel(code="shop"), external_sku="CANDLE")
    measured(listing, seconds=90, times=3)

    answer = as_viewer.get(f"channels/{listing.channel_id}/latency/", days="30").json()

    whole = next(stage for stage in answer["stages"] if stage["stage"] == "whole")
    assert (answer["channel"], whole["measured"], whole["median"], whole["worst"]) == ("shop", 3, "90", "90")
    assert [(one["external_sku"], one["version"], one["whole"]) for one in answer["slowest"]] == [
        ("CANDLE", version, "90") for version in (1, 2, 3)
    ]


def test_of_a_channel_that_published_nothing_no_stage_is_told(as_viewer):
    answer = as_viewer.get(f"channels/{make_channel().pk}/latency/").json()

    assert (answer["stages"], answer["slowest"]) == ([], [])


@pytest.mark.parametrize("days", ["0", "91", "week"])
def test_other_days_are_refused(as_viewer, days):
    assert as_viewer.get(f"channels/{make_channel().pk}/latency/", days=days).status_code == 400


def test_buffers_are_advised_as_on_the_page(as_viewer):
    listing = make_pair()

    answer = as_viewer.get("buffer-advice/", listing_id=listing.pk).json()

    (row,) = answer["results"]
    assert (row["id"], row["present"], row["advised"], row["difference"]) == (listing.pk, "0", "4", "4")
    assert (row["hidden"], row["hidden_percent"], row["others_sell_a_day"], row["refusal"]) == ("4", "4", "24", "")
    (risky,) = as_viewer.get("buffer-advice/", listing_id=listing.pk, chance="10").json()["results"]
    assert risky["advised"] == "2"


def test_where_nothing_is_advised_the_reason_stands_there(as_viewer):
    listing = make_listing(channel=make_channel(code="shop"))

    (row,) = as_viewer.get("buffer-advice/", channel="shop").json()["results"]

    assert (row["id"], row["advised"], row["hidden"]) == (listing.pk, None, None)
    assert row["refusal"] == "0 days of demand are known; 14 are needed."


@pytest.mark.parametrize("chance", ["0", "51", "1e1", "-1"])
def test_a_chance_that_is_none_is_refused(as_viewer, chance):
    assert as_viewer.get("buffer-advice/", chance=chance).status_code == 400


def test_an_oversold_order_is_looked_into(as_viewer):
    listing = make_listing(channel=make_channel())
    place = make_location()
    put_on_hand(listing.item, place, "5")
    absorb_changes()
    now = timezone.now()
    PublicationLine.objects.update(sent_at=now, accepted_at=now, confirmed_at=now)
    issue_stock(key=uuid4(), item=listing.item, location=place, quantity=Decimal(4), actor=None)

    answer = as_viewer.get(f"listings/{listing.pk}/oversell/", at=timezone.now().isoformat(), quantity="2").json()

    assert (answer["verdict"], answer["stock"], answer["shown"], answer["late"]) == ("recompute", "1", 5, "4")
    assert [(one["quantity"], one["stood_in"], one["sent_at"]) for one in answer["changes"]] == [
        ("-4", "recompute", None)
    ]
    assert answer["buffer"] == {
        "units": "4",
        "present": "0",
        "deliverable": 1,
        "shows": 1,
        "how": "It showed 5, from 5 pcs less a buffer of 0 pcs. 1 pcs were there at the sale, so it could show 1 at most. "
        "With a buffer of 4 pcs, and everything else as it was, it would have shown 1.",
    }
    delay = answer["delay"]
    assert [(one["stage"], one["whole"] is None, one["is_open"]) for one in delay["stages"]] == [
        ("recording", False, False),
        ("working_out", True, True),
    ]
    assert delay["stood_seconds"] == delay["stages"][1]["by_sale"] == answer["changes"][0]["stood_seconds"]
    assert (delay["quantity"], answer["ordinary_seconds"]) == ("4", None)
    assert answer["publication_ids"] == [listing.publications.get().pk]


def test_a_sale_to_come_is_refused(as_viewer):
    listing = make_listing(channel=make_channel())
    to_come = (timezone.now() + timedelta(hours=1)).isoformat()

    answer = as_viewer.get(f"listings/{listing.pk}/oversell/", at=to_come)

    assert (answer.status_code, list(answer.json()["context"])) == (400, ["at"])
    assert as_viewer.get(f"listings/{listing.pk}/oversell/").status_code == 400


def test_how_a_channel_is_read_back_is_read_and_changed(as_viewer, as_administrator):
    channel = make_channel(code="shop")
    before = as_viewer.get(f"drift-settings/{channel.pk}/").json()
    assert (before["channel"], before["settle_minutes"], before["edited"]) == ("shop", 10, "alert")

    answer = as_administrator.patch(
        f"drift-settings/{channel.pk}/", {"edited": "adopt", "settle_minutes": 30}, key=None
    )

    assert answer.status_code == 200, answer.json()
    assert (answer.json()["edited"], answer.json()["settle_minutes"]) == ("adopt", 30)
    kept = DriftSetting.objects.get()
    assert (kept.edited, kept.settle_minutes, kept.sample_rows, kept.lost_lowering) == ("adopt", 30, 50, "overwrite")
    assert kept.history.get().history_user.has_perm("channels_sync.change_driftsetting")
    assert as_viewer.get("drift-settings/").json()["results"] == [answer.json()]


@pytest.mark.parametrize(
    "body", [{"sold": "overwrite"}, {"mapping": "adopt"}, {"settle_minutes": 2881}, {"sample_rows": 0}]
)
def test_what_would_sell_twice_or_makes_no_sense_is_refused(as_administrator, body):
    channel = make_channel()

    assert as_administrator.patch(f"drift-settings/{channel.pk}/", body, key=None).status_code == 400
    assert not DriftSetting.objects.exists()
