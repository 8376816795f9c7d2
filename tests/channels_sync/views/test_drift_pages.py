"""The page of what channels show instead of what was sent."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from channels_sync.models import Difference, Done, DriftSetting, Freeze, ListingReading
from tests.channels_sync.differing import differing
from tests.channels_sync.factories import make_channel, push_of
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(shop):
    return make_channel(code="shop", name="Candle shop")


def sign_in(client, role):
    user = make_user(role=role)
    client.force_login(user)
    return user


def words_of(page):
    return " ".join(strip_tags(page.content.decode().replace("<", " <")).split())


def test_an_empty_page_says_what_will_stand_there(client, channel):
    sign_in(client, "viewer")

    assert "Nothing was read back yet" in words_of(client.get(reverse("channels_sync:drift")))


def test_a_difference_stands_there_with_its_evidence(client, channel, shop):
    differing(channel, shop)
    sign_in(client, "planner")

    words = words_of(client.get(reverse("channels_sync:channel_drift", args=["shop"])))

    assert "CANDLE-00 10 4 \N{MINUS SIGN}6 Unexplained It fell by 6; orders of the channel account for 2" in words
    assert "1 of 1 listings" in words
    assert "Overwrite Adopt Leave" in words


def test_what_was_read_longer_than_a_day_ago_counts_as_unread(client, channel, shop):
    differing(channel, shop, 2)
    first = ListingReading.objects.order_by("pk").first()
    ListingReading.objects.filter(pk=first.pk).update(read_at=timezone.now() - timedelta(hours=25))
    sign_in(client, "viewer")

    words = words_of(client.get(reverse("channels_sync:drift")))

    assert "50 % 1 of 2 listings" in words


def test_why_a_listing_shows_its_figure_leads_to_its_difference_and_back(client, channel, shop):
    [one] = differing(channel, shop)
    sign_in(client, "planner")
    there = reverse("channels_sync:channel_drift", args=["shop"])

    listing = client.get(reverse("channels_sync:listing", args=[one.listing_id]))
    why = client.get(reverse("channels_sync:why", args=[one.listing_id]))

    for page in (listing, why):
        assert "shows 4 and was sent 10 : unexplained." in words_of(page)
        assert f'href="{there}#listing-{one.listing_id}"' in page.content.decode()
    assert "Differs The channel was read back and shows something else." in words_of(listing)
    assert "Try again now" not in words_of(listing)  # the page of drift decides; it overwrites no orders
    page = client.get(there).content.decode()
    assert f'id="listing-{one.listing_id}"' in page
    assert reverse("channels_sync:why", args=[one.listing_id]) + "?version=1" in page


def test_a_listing_that_agrees_again_says_nothing_of_it(client, channel, shop):
    [one] = differing(channel, shop)
    Difference.objects.update(ended_at=timezone.now())
    sign_in(client, "planner")

    assert "was sent 10" not in words_of(client.get(reverse("channels_sync:listing", args=[one.listing_id])))


def test_a_cause_can_be_chosen(client, channel, shop):
    differing(channel, shop)
    sign_in(client, "viewer")

    page = client.get(reverse("channels_sync:drift"), {"cause": "sold"})

    assert page.context["page_object"].paginator.count == 0
    assert "Nothing differs for this reason" in words_of(page)


def test_a_planner_adopts_the_channels_figure(client, channel, shop):
    [one] = differing(channel, shop)
    user = sign_in(client, "planner")

    page = client.post(reverse("channels_sync:decide_difference", args=[one.pk]), {"to": "adopt"}, follow=True)

    one.refresh_from_db()
    assert (one.done, one.done_by, Freeze.objects.get().quantity) == (Done.ADOPTED, user, 4)
    assert "CANDLE-00 is frozen at the channel's figure" in page.content.decode().replace("&#x27;", "'")


def test_orders_are_not_overwritten_and_the_page_says_why(client, channel, shop):
    [one] = differing(channel, shop, cause="sold")
    sign_in(client, "planner")

    page = client.post(reverse("channels_sync:decide_difference", args=[one.pk]), {"to": "overwrite"})

    one.refresh_from_db()
    assert (page.status_code, one.done, push_of(one.listing).version) == (409, Done.TOLD, 1)
    assert "sells the same units twice" in words_of(page)


@pytest.mark.parametrize("role", ["viewer", "operator", "approver"])
def test_others_see_it_and_decide_nothing(client, channel, shop, role):
    [one] = differing(channel, shop)
    sign_in(client, role)

    assert "Overwrite" not in words_of(client.get(reverse("channels_sync:channel_drift", args=["shop"])))
    assert client.post(reverse("channels_sync:decide_difference", args=[one.pk]), {"to": "leave"}).status_code == 403
    one.refresh_from_db()
    assert one.done == Done.TOLD


SETTING = {
    "settle_minutes": "45",
    "sample_rows": "20",
    "lost_lowering": "alert",
    "lost_raise": "alert",
    "edited": "adopt",
    "sold": "leave",
    "mapping": "alert",
    "unexplained": "alert",
}


def test_an_administrator_sets_how_a_channel_is_read_back(client, channel):
    user = sign_in(client, "administrator")

    client.post(reverse("channels_sync:channel_drift", args=["shop"]), SETTING)

    setting = DriftSetting.objects.get(channel=channel)
    assert (setting.settle_minutes, setting.edited, setting.sold) == (45, "adopt", "leave")
    assert setting.history.get().history_user == user


def test_a_planner_cannot_set_it(client, channel):
    sign_in(client, "planner")

    assert client.post(reverse("channels_sync:channel_drift", args=["shop"]), SETTING).status_code == 403
    assert not DriftSetting.objects.exists()


def test_no_rule_overwrites_sales(client, channel):
    sign_in(client, "administrator")

    page = client.post(reverse("channels_sync:channel_drift", args=["shop"]), {**SETTING, "sold": "overwrite"})

    assert page.context["form"].errors.keys() == {"sold"}
    assert not DriftSetting.objects.exists()


def test_one_difference_and_twenty_take_the_same_statements(client, channel, shop):
    found = differing(channel, shop, 20)
    Difference.objects.exclude(pk=found[0].pk).update(ended_at=timezone.now())
    sign_in(client, "planner")
    address = reverse("channels_sync:drift")
    client.get(address)

    def statements():
        with CaptureQueriesContext(connection) as captured:
            client.get(address)
        return len(captured)

    one = statements()
    Difference.objects.update(ended_at=None)

    assert statements() == one


def test_the_channel_page_leads_to_it(client, channel):
    sign_in(client, "viewer")

    page = client.get(reverse("channels_sync:channel", args=["shop"])).content.decode()

    assert reverse("channels_sync:channel_drift", args=["shop"]) in page


# --- Many at once ---


def chosen(client, found=(), **fields):
    asked = {"to": "overwrite", "channel": "shop", **fields}
    return client.get(reverse("channels_sync:decide_differences"), {**asked, "difference": [one.pk for one in found]})


def confirmed(client, page, **fields):
    asked = {"to": page.context["to"], "seen": page.context["seen"], **fields}
    return client.post(page.wsgi_request.get_full_path(), asked, follow=True)


def test_those_that_were_ticked_are_shown_first_and_then_overwritten(client, channel, shop):
    *found, _ = differing(channel, shop, 3)
    user = sign_in(client, "planner")

    page = chosen(client, found)
    before = [one.done for one in Difference.objects.all()]
    answer = confirmed(client, page)

    assert "CANDLE-00 Candle shop Unexplained 10 4 10 send Sent" in words_of(page)
    assert "Overwrite 2" in words_of(page)
    assert before == [Done.TOLD] * 3
    assert set(Difference.objects.filter(done=Done.OVERWRITTEN, done_by=user)) == set(found)
    assert "2 figures go out again." in words_of(answer)
    assert answer.request["PATH_INFO"] == reverse("channels_sync:channel_drift", args=["shop"])


def test_all_of_a_cause_are_chosen_whatever_page_is_shown(client, channel, shop):
    found = differing(channel, shop, 55, theirs=0)
    Difference.objects.filter(pk=found[0].pk).update(cause="edited")
    sign_in(client, "planner")
    asked = {"which": "all", "cause": "unexplained", "to": "adopt"}

    page = chosen(client, **asked)
    refused = confirmed(client, page, typed="5")
    answer = confirmed(client, page, typed="54")

    assert "Type 54 to confirm" in words_of(page)
    assert (refused.status_code, "Type 54 to confirm that you mean all" in words_of(refused)) == (409, True)
    assert Difference.objects.filter(done=Done.ADOPTED).count() == 54
    assert "54 listings are frozen at the channel" in words_of(answer)
    assert Difference.objects.get(pk=found[0].pk).done == Done.TOLD


def test_what_does_not_fit_stands_there_with_its_reason(client, channel, shop):
    fits, sold = differing(channel, shop, 2)
    Difference.objects.filter(pk=sold.pk).update(cause="sold")
    sign_in(client, "planner")

    page = chosen(client, [fits, sold])

    assert "Do not fit, and stay as they are Listing Why CANDLE-01 Orders of the channel explain" in words_of(page)
    assert "Overwrite 1" in words_of(page)


def test_what_moved_since_it_was_shown_is_named_and_left(client, channel, shop):
    fits, moved = differing(channel, shop, 2)
    sign_in(client, "planner")
    page = chosen(client, [fits, moved])
    Difference.objects.filter(pk=moved.pk).update(theirs=1)

    answer = confirmed(client, page)

    assert "1 figure goes out again. 1 does not fit and was left." in words_of(answer)
    assert "CANDLE-01 It changed since you looked: the channel shows 1 now" in words_of(answer)
    assert [Difference.objects.get(pk=one.pk).done for one in (fits, moved)] == [Done.OVERWRITTEN, Done.TOLD]


def test_nothing_ticked_says_so(client, channel, shop):
    differing(channel, shop)
    sign_in(client, "planner")

    page = client.get(reverse("channels_sync:decide_differences"), {"to": "leave", "channel": "shop"}, follow=True)

    assert "Nothing is ticked." in words_of(page)


@pytest.mark.parametrize("asked", [{}, {"to": "burn"}, {"to": "leave", "seen": "1:1:x"}, {"to": "leave", "seen": ""}])
def test_a_decision_nobody_can_read_is_refused(client, channel, shop, asked):
    differing(channel, shop)
    sign_in(client, "planner")

    assert client.post(reverse("channels_sync:decide_differences"), asked).status_code == 400
    assert Difference.objects.get().done == Done.TOLD


@pytest.mark.parametrize("role", ["viewer", "operator", "approver"])
def test_others_do_not_decide_about_many(client, channel, shop, role):
    [one] = differing(channel, shop)
    sign_in(client, role)

    assert "Those I ticked" not in words_of(client.get(reverse("channels_sync:channel_drift", args=["shop"])))
    assert chosen(client, [one]).status_code == 403
    assert client.post(reverse("channels_sync:decide_differences"), {"to": "leave"}).status_code == 403


def test_the_plan_for_one_and_for_twenty_takes_the_same_statements(client, channel, shop):
    first, *rest = differing(channel, shop, 21)
    sign_in(client, "planner")
    chosen(client, [first])

    def statements(found):
        with CaptureQueriesContext(connection) as captured:
            page = chosen(client, found)
        assert len(page.context["outlook"].changes) == len(found)
        return len(captured)

    assert statements([first]) == statements(rest)
