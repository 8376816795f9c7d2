"""A foreman's tablet: a part of an order with scrap and an actual quantity, a part of it taken back, and completed again."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from production.models import Completion
from production.operations.work_orders import open_work_order
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.browser

TABLET = {"width": 820, "height": 1180, "has_touch": True}


@pytest.fixture
def order(committed_db):
    """50 candles of 200 g of wax and one wick each; 20 kg and 100 wicks are there."""
    place = make_location(code="WORKSHOP")
    wax, wick = make_item(sku="WAX", unit="kg", step="0.001"), make_item(sku="WICK")
    item = make_item(sku="CANDLE", kind="product")
    make_bom(item=item, lines=[(wax, "200", {"unit": "g"}), (wick, "1")], deviation_policy="reason")
    put_on_hand(wax, place, "20", value="90.00")
    put_on_hand(wick, place, "100", value="10.00")
    return open_work_order(item=item, planned=Decimal(50), output_location=place, source_location=place, actor=None)


def line(page, sku):
    return page.locator("tr[data-line]", has=page.get_by_role("link", name=sku, exact=True))


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth") <= 820


def test_completes_40_of_50_takes_10_back_and_completes_them_again(order, open_page):
    page = open_page(**TABLET)
    page.keyboard.type(order.number)
    page.keyboard.press("Enter")
    page.locator("#completion-good").fill("40")
    page.locator("#completion-scrapped").fill("3")
    page.locator("#completion-scrap_reason").fill("Broken")
    expect(line(page, "WAX").locator(".make-standard")).to_have_text(re.compile(r"8\.6\s*kg"))
    line(page, "WAX").get_by_label("Actual quantity of WAX").fill("9")
    page.get_by_label("Reason for WAX").fill("Spilled")
    button = page.locator("#complete-button")
    expect(button).to_have_text(re.compile("Complete 40, scrap 3"))
    expect(button).to_have_class(re.compile("bf-button-primary"))
    assert fits(page)

    button.click()

    expect(page.locator(".bf-toast")).to_contain_text("Completed 40 × CANDLE, scrapped 3")
    done = Completion.objects.get()
    assert (done.lines.get(component__sku="WAX").actual, on_hand(done.item)) == (Decimal(9), Decimal(40))

    page.goto(page.url.split("/make/")[0] + f"/make/completions/{done.pk}/undo/")
    page.get_by_label("Good units to take back").fill("10")
    expect(page.locator("#undo-outlook")).to_contain_text(re.compile(r"Taking back\s*10"))
    assert fits(page)
    page.get_by_role("button", name="Take back").click()

    expect(page.locator(".bf-toast")).to_contain_text("Took back 10 × CANDLE")
    assert on_hand(done.item) == Decimal(30)

    page.goto(page.url.split("/make/")[0] + f"/make/complete/?what={order.number}")
    page.locator("#completion-good").fill("10")
    expect(page.locator("#complete-button")).to_have_class(re.compile("bf-button-primary"))
    page.locator("#complete-button").click()

    expect(page.locator(".bf-toast")).to_contain_text("Completed 10 × CANDLE")
    order.refresh_from_db()
    assert (order.good, order.scrapped, order.state) == (Decimal(40), Decimal(3), "open")
    assert on_hand(done.item) == Decimal(40)
