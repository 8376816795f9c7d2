"""A rework order on a tablet: nonsense is refused in words that fit, then goods are mended and the mending taken back."""

import re

import pytest
from playwright.sync_api import expect

from inventory.models import StockStatus
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import open_rework_of, quarantined

pytestmark = pytest.mark.browser

TABLET = {"width": 820, "height": 1180, "has_touch": True}


@pytest.fixture
def order(committed_db):
    """10 candles in quarantine that take a label each."""
    place, label = make_location(code="BENCH"), make_item(sku="LABEL")
    put_on_hand(label, place, "100", value="20.00")
    item = make_item(sku="CANDLE", tracking="lot")
    return open_rework_of(item, quarantined(item, place), place, components=[(label, "10")])


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth") <= 820


def test_nonsense_is_refused_in_words_that_fit_and_the_rest_is_recorded_and_taken_back(order, open_page):
    page = open_page(**TABLET)
    page.goto(page.url.split("/make/")[0] + f"/quality/rework/{order.number}/")
    page.get_by_label("Component 2").fill("x" * 240)
    page.locator("[name=good]").fill("nonsense " * 5)
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_role("alert")).to_contain_text("is not a quantity")
    assert fits(page)

    page.get_by_label("Component 2").fill("")
    page.locator("[name=good]").fill("6")
    page.get_by_role("button", name="Record").click()
    expect(page.locator(".bf-toast")).to_contain_text(f"{order.number}: 6 good of CANDLE")
    assert (on_hand(order.item, status=StockStatus.AVAILABLE), on_hand(order.components.get().component)) == (6, 94)
    assert fits(page)

    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("section", has_text=re.compile("Worth before")).get_by_role("button", name="Undo").click()
    expect(page.locator("section.bf-reversed")).to_contain_text("Taken back")
    assert on_hand(order.item, status=StockStatus.QUARANTINE) == 10
