"""Somebody who only has the role *counter*, on a tablet: from the log-in to the hand-in of a blind count, and nothing else."""

from decimal import Decimal

import pytest
from django.urls import reverse

from config.shell import MENU, address
from inventory.models import CountSheet, CountSheetState, Lot
from tests.browser.conftest import PASSWORD
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, make_order, make_user, on_hand, put_on_hand
from tests.inventory.operations.counting_steps import open_sheet

pytestmark = pytest.mark.browser

TABLET = {"viewport": {"width": 820, "height": 1180}, "has_touch": True}
OWN = {"today", "inventory:counts", "exceptions:report"}
"""Entries of the menu that belong to the role."""
BOOK = ("7391628", "7,391,628", "7.391.628", "6405173", "6,405,173", "6.405.173")
"""What the book holds, as it could be written; long enough not to stand in a token or key by chance."""


@pytest.fixture
def shelf(site):
    shelf = make_location(code="SHELF", name="Shelf by the door")
    for sku, quantity in (("AAA-JAR", "7391628"), ("BBB-LID", "6405173")):
        put_on_hand(make_item(sku=sku, name=f"Thing {sku}"), shelf, quantity, value="60.00", lot="")
    return shelf


@pytest.fixture
def tablet(browser, site):
    context = browser.new_context(base_url=site, **TABLET)
    context.set_default_timeout(15_000)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def log_in(page):
    page.goto("/")
    user = make_user(role="counter")
    page.fill("#id_username", user.username)
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")
    page.wait_for_selector("h1:has-text('Today')")


def count_next(page, figure):
    page.tap("text=I am there")
    page.wait_for_selector("text=How many are there?")
    for key in figure:
        page.tap(f'[data-pad="{key}"]')
    page.tap("#count button.bf-button-primary")


def test_a_blind_count_from_the_log_in_to_the_hand_in(tablet, shelf):
    sheet = open_sheet(shelf)
    seen = []
    tablet.on("domcontentloaded", lambda loaded: seen.append(loaded.content()))
    tablet.on("response", lambda answer: seen.append(answer.text()) if "hx-request" in answer.request.headers else None)

    log_in(tablet)
    tablet.tap("text=1 count sheet to be counted")
    tablet.tap("a.bf-button:has-text('Count')")
    tablet.wait_for_selector("h2:has-text('AAA-JAR')")
    count_next(tablet, "7391627")
    tablet.wait_for_selector("h2:has-text('BBB-LID')")
    count_next(tablet, "6405174")
    tablet.wait_for_selector("text=Everything is counted")
    tablet.tap("text=Submit the count")
    tablet.wait_for_selector("text=Submitted CS-")
    wide = tablet.evaluate("document.documentElement.scrollWidth > window.innerWidth")

    assert CountSheet.objects.get(pk=sheet.pk).state == CountSheetState.POSTED
    assert sorted(on_hand(line.item) for line in sheet.lines.select_related("item")) == [
        Decimal(6405174),
        Decimal(7391627),
    ]
    assert len(seen) >= 6
    assert [figure for figure in BOOK if any(figure in text for text in seen)] == []
    assert not wide
    assert broken_invariants() == []


def test_the_menu_offers_the_count_and_nothing_else(tablet, shelf):
    open_sheet(shelf)

    log_in(tablet)
    links = tablet.eval_on_selector_all("#nav-sidebar a[href]", "found => found.map(one => one.getAttribute('href'))")

    inside = {link for link in links if link.startswith("/")}
    own_account = {reverse("admin:password_change"), reverse("admin:logout")}
    assert inside - {address(target) for target in OWN} - own_account == set()
    assert address("inventory:counts") in inside


def test_no_other_address_opens(tablet, shelf):
    item = make_item(sku="CCC-WAX", tracking="lot")
    posting = put_on_hand(item, shelf, "7391628", lot="L1", value="1.00")
    order = make_order([(item, "10", "20.00")], location=shelf)
    entries = [entry.target for group in MENU for entry in group.entries if entry.target not in OWN]
    addresses = {
        *(address(target) for target in entries),
        reverse("inventory:item", args=[item.pk]),
        reverse("inventory:posting", args=[posting.pk]),
        reverse("inventory:lot", args=[Lot.objects.get(item=item).pk]),
        reverse("inventory:recall"),
        reverse("inventory:count_plan"),
        reverse("inventory:open_count_sheet"),
        reverse("inventory:count_accuracy"),
        reverse("inventory:suggest_items"),
        reverse("buying:order", args=[order.number]),
        "/stock/?export=csv",
        "/stock/ledger/?export=xlsx",
        "/api/v1/stock/",
        f"/api/v1/items/{item.pk}/availability/",
        "/api/v1/movements/",
    }

    log_in(tablet)
    open_to_all = {address("api-docs")}  # what the API can do, not what stands in it
    answers = {path: tablet.request.get(path) for path in sorted(addresses - {None} - open_to_all)}
    tablet.goto("/stock/")
    refused = tablet.inner_text("body")

    assert {path: answer.status for path, answer in answers.items() if answer.status not in (401, 403, 404)} == {}
    assert [path for path, answer in answers.items() if any(figure in answer.text() for figure in BOOK)] == []
    assert len(answers) > 45
    assert "counter" in refused
    assert "CCC-WAX" not in refused
