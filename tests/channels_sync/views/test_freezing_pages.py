"""The way from a listing, a channel and an item to its freeze, and from there to lifting it."""

import re
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags

from channels_sync.models import Freeze
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.deciding import freeze
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def listing():
    item = make_item(sku="CANDLE-8OZ", is_sellable=True)
    found = make_listing(channel=make_channel(code="shop", name="Candle shop"), item=item, external_sku="8OZ & lid")
    put_on_hand(found.item, make_location(), "12")
    absorb_changes()
    return found


def pages_of(listing):
    return {
        "listing": reverse("channels_sync:listing", args=[listing.pk]),
        "channel": reverse("channels_sync:channel", args=[listing.channel.code]),
        "item": reverse("inventory:item", args=[listing.item_id]) + "?tab=channels",
    }


def words_of(page):
    return " ".join(unescape(strip_tags(page.content.decode().replace("<", " <"))).split())


def way_to_freeze(page):
    """Where the button leads, without the place on that page; None when there is no button."""
    found = re.search(r'href="([^"]*/channels/freezes/\?what=[^"]*)#freeze"', page.content.decode())
    return unescape(found.group(1)) if found else None


@pytest.mark.parametrize("what", ["listing", "channel", "item"])
def test_a_page_leads_to_the_form_with_its_scope_filled_in_and_back(client, listing, what):
    client.force_login(make_user(role="planner"))
    here = pages_of(listing)[what]

    form = client.get(way_to_freeze(client.get(here)))
    asked = {name: value for name, value in form.context["form"].initial.items() if value}
    answer = client.post(
        reverse("channels_sync:freezes"), {**asked, "at": "zero", "reason": "Recall", "next": form.context["back"]}
    )

    made = Freeze.objects.get()
    assert (made.scope, made.quantity, getattr(made, what)) == (
        what,
        0,
        {"listing": listing, "channel": listing.channel, "item": listing.item}[what],
    )
    assert f'name="next" value="{here}"' in form.content.decode()
    assert (answer.status_code, answer.url) == (302, here)


@pytest.mark.parametrize("what", ["listing", "channel", "item"])
@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("operator", False), ("approver", True)])
def test_only_who_may_freeze_is_led_there(client, listing, what, role, may):
    client.force_login(make_user(role=role))
    freeze(reason="Recall", actor=None, at_most=0, **{what: getattr(listing, what, listing)})

    page = client.get(pages_of(listing)[what])

    assert (way_to_freeze(page) is not None, reverse("channels_sync:lift_freezes") in page.content.decode()) == (
        may,
        may,
    )
    assert "Frozen at 0" in words_of(page)
    assert "Recall. By the system" in words_of(page)


@pytest.mark.parametrize("what", ["listing", "channel", "item"])
def test_what_holds_a_listing_down_is_lifted_from_its_page(client, listing, what):
    client.force_login(make_user(role="planner"))
    made = freeze(reason="Recall.", actor=None, at_most=0, **{what: getattr(listing, what, listing)})
    here = pages_of(listing)["listing"]

    page = client.get(here)
    answer = client.post(reverse("channels_sync:lift_freezes"), {"freeze": made.pk, "next": here})

    button = {"listing": "Lift", "channel": "Lift for all of Candle shop", "item": "Lift for all of CANDLE-8OZ"}[what]
    assert re.search(rf"lock_open\s+{button} (?!for)", words_of(page))
    made.refresh_from_db()
    assert (made.ended_at is not None, answer.url) == (True, here)
    assert "Frozen at" not in words_of(client.get(here))


def test_nobody_is_sent_off_to_another_site(client, listing):
    client.force_login(make_user(role="planner"))
    made = freeze(reason="Recall", actor=None, at_most=0, listing=listing)

    answer = client.post(reverse("channels_sync:lift_freezes"), {"freeze": made.pk, "next": "https://elsewhere.test/"})

    assert answer.url == reverse("channels_sync:freezes")


@pytest.mark.parametrize("what", ["listing", "channel", "item"])
def test_one_freeze_and_many_take_the_same_statements(client, listing, what):
    client.force_login(make_user(role="planner"))
    here = pages_of(listing)[what]
    scope = {what: getattr(listing, what, listing)}

    def statements():
        with CaptureQueriesContext(connection) as captured:
            client.get(here)
        return len(captured)

    freeze(reason="Recall", actor=make_user(), at_most=0, **scope)
    statements()
    one = statements()
    for most in range(1, 12):
        freeze(reason="Recall", actor=make_user(), at_most=most, **scope)

    assert statements() == one
