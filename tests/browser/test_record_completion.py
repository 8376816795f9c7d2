"""Recording completions as people do: scan, type, look, press Enter, take back."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from production.models import Completion
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.browser


@pytest.fixture
def candle(committed_db):
    """10 kg of wax in two lots and 100 wicks; a candle takes 200 g and one."""
    place = make_location(code="WORKSHOP")
    wax = make_item(sku="WAX", unit="kg", step="0.001", tracking="lot")
    wick, item = make_item(sku="WICK"), make_item(sku="CANDLE", barcode="4006381333931", kind="product")
    make_bom(item=item, lines=[(wax, "200", {"unit": "g"}), (wick, "1")])
    put_on_hand(wax, place, "4", value="18.00", lot="L-1")
    put_on_hand(wax, place, "6", value="27.00", lot="L-2")
    put_on_hand(wick, place, "100", value="10.00")
    return item


def scan(page, code):
    """As a scanner does: the code, quickly, and Enter."""
    page.keyboard.type(code)
    page.keyboard.press("Enter")


def line(page, sku):
    return page.locator("tr[data-line]", has=page.get_by_role("link", name=sku, exact=True))


def test_scan_type_look_post_and_take_back(candle, open_page):
    page = open_page()
    expect(page.locator("#what")).to_be_focused()

    scan(page, "4006381333931")
    expect(page.locator("#completion-good")).to_be_focused()
    page.keyboard.type("25")

    expect(line(page, "WAX").locator(".make-standard")).to_have_text(re.compile(r"5\s*kg"))
    expect(line(page, "WAX").locator(".make-lots")).to_contain_text("L-1")
    expect(line(page, "WAX").locator(".make-hand")).to_have_text(re.compile(r"10.*5\s*kg", re.S))
    expect(page.locator(".make-total")).to_contain_text("25.00")
    expect(page.get_by_role("button", name="Complete 25")).to_be_visible()

    page.keyboard.press("Enter")

    toast = page.locator(".bf-toast")
    expect(toast).to_contain_text("Completed 25 × CANDLE · 2 lines issued · cost 25.00")
    expect(page.locator("#what")).to_be_focused()
    expect(page.locator("#what")).to_have_value("")
    assert on_hand(candle) == Decimal(25)

    toast.get_by_role("button", name="Undo").click()

    expect(page.locator(".bf-toast")).to_contain_text("Took back 25 × CANDLE")
    assert on_hand(candle) == Decimal(0)


def test_the_next_scan_starts_the_next_completion(candle, open_page):
    page = open_page()
    for quantity in ("3", "4"):
        scan(page, "CANDLE")
        expect(page.locator("#completion-good")).to_be_focused()
        page.keyboard.type(quantity)
        expect(page.get_by_role("button", name=f"Complete {quantity}")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.locator(".bf-toast")).to_contain_text(f"Completed {quantity} ×")

    assert on_hand(candle) == Decimal(7)


def test_a_double_click_posts_once(candle, open_page):
    page = open_page()
    scan(page, "CANDLE")
    page.locator("#completion-good").fill("5")
    button = page.locator("#complete-button")
    expect(button).to_have_class(re.compile("bf-button-primary"))

    button.dblclick()

    expect(page.locator(".bf-toast")).to_contain_text("Completed 5 × CANDLE")
    page.wait_for_load_state("networkidle")
    assert Completion.objects.count() == 1
    assert on_hand(candle) == Decimal(5)


def test_a_shortage_is_red_and_what_is_possible_is_one_press_away(candle, open_page):
    page = open_page()
    scan(page, "CANDLE")
    page.locator("#completion-good").fill("60")

    expect(line(page, "WAX")).to_have_class(re.compile("make-short"))
    expect(line(page, "WAX")).to_contain_text(re.compile(r"short\s*2\s*kg"))
    expect(line(page, "WICK")).not_to_have_class(re.compile("make-short"))
    page.get_by_role("button", name="Complete 50 instead").click()

    expect(page.locator("#completion-good")).to_have_value("50")
    expect(page.locator("#complete-button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".bf-toast")).to_contain_text("Completed 50 × CANDLE")
    assert on_hand(candle) == Decimal(50)


def test_pressing_enter_on_a_shortage_keeps_everything_that_was_typed(candle, open_page):
    page = open_page()
    scan(page, "CANDLE")
    page.locator("#completion-good").fill("60")
    expect(line(page, "WAX")).to_have_class(re.compile("make-short"))
    page.locator("#completion-scrapped").fill("1")
    page.locator("#completion-scrap_reason").fill("Broken")
    page.locator("#completion-good").press("Enter")

    expect(page.locator("[data-problems]")).to_be_focused()
    expect(page.locator("#completion-good")).to_have_value("60")
    expect(page.locator("#completion-scrap_reason")).to_have_value("Broken")
    assert Completion.objects.count() == 0


def test_enter_walks_through_the_actuals_and_a_reason_is_asked_for(candle, open_page):
    page = open_page()
    scan(page, "CANDLE")
    page.locator("#completion-good").fill("10")
    actual = line(page, "WAX").get_by_label("Actual quantity of WAX")
    actual.fill("2.2")
    reason = page.get_by_label("Reason for WAX")
    expect(reason).to_have_attribute("placeholder", "Reason needed")
    expect(actual).to_be_focused()

    page.keyboard.press("Enter")
    expect(reason).to_be_focused()
    page.keyboard.type("Spilled")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Actual quantity of WICK")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#complete-button")).to_be_focused()
    expect(page.locator("#complete-button")).to_have_class(re.compile("bf-button-primary"))
    page.keyboard.press("Enter")

    expect(page.locator(".bf-toast")).to_contain_text("Completed 10 × CANDLE")
    assert Completion.objects.get().lines.get(component__sku="WAX").reason == "Spilled"


def test_other_lots_can_be_chosen(candle, open_page):
    page = open_page()
    scan(page, "CANDLE")
    page.locator("#completion-good").fill("10")
    page.get_by_role("button", name="Choose lots of WAX").click()
    first = page.locator(".make-lot", has_text="L-1").locator("input[type=text]")
    second = page.locator(".make-lot", has_text="L-2").locator("input[type=text]")
    expect(first).to_be_focused()
    expect(first).to_have_value("2")

    first.fill("")
    second.fill("2")

    expect(line(page, "WAX").locator(".make-lots")).to_contain_text("L-2")
    expect(line(page, "WAX").locator(".make-lots")).not_to_contain_text("L-1")
    page.locator("#complete-button").click()
    expect(page.locator(".bf-toast")).to_contain_text("Completed 10 × CANDLE")
    wax = Completion.objects.get().lines.get(component__sku="WAX").component
    assert on_hand(wax, lot="L-2") == Decimal(4)


def test_a_scan_that_lands_in_a_figure_is_looked_up_instead(candle, open_page):
    page = open_page()
    scan(page, "CANDLE")
    good = page.locator("#completion-good")
    expect(good).to_be_focused()
    page.keyboard.type("12", delay=80)
    page.wait_for_timeout(120)

    # In one go: how fast the keys of this machine's test driver are must not decide.
    good.evaluate(
        """(field, code) => {
          for (const key of code) {
            field.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
            field.value += key;
            field.dispatchEvent(new Event("input", { bubbles: true }));
          }
          field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
        }""",
        "4006381333931",
    )

    expect(good).to_have_value("")
    expect(good).to_be_focused()
    expect(page.locator(".make-sku")).to_have_text("CANDLE")
    assert Completion.objects.count() == 0


def test_a_lost_connection_keeps_the_form(candle, open_page):
    page = open_page()
    scan(page, "CANDLE")
    page.locator("#completion-good").fill("5")
    expect(page.locator("#complete-button")).to_have_class(re.compile("bf-button-primary"))
    page.context.set_offline(True)

    page.locator("#completion-good").press("Enter")

    expect(page.locator("#connection-lost")).to_be_visible()
    expect(page.locator("#completion-good")).to_have_value("5")
    page.context.set_offline(False)
    page.locator("#completion-good").press("Enter")
    expect(page.locator(".bf-toast")).to_contain_text("Completed 5 × CANDLE")
    assert Completion.objects.count() == 1


def test_on_a_tablet_everything_is_large_enough_and_fits(candle, open_page):
    page = open_page(width=820, height=1180, has_touch=True)
    scan(page, "CANDLE")
    page.locator("#completion-good").fill("60")
    expect(line(page, "WAX")).to_have_class(re.compile("make-short"))

    sizes = page.evaluate(
        """() => [...document.querySelectorAll('#scan-form input, #scan-form button, #completion-form input:not([type=hidden]),'
          + '#completion-form select, #completion-form button:not(.bf-visually-hidden)')]
          .filter((element) => element.offsetParent !== null)
          .map((element) => [element.name || element.id, element.getBoundingClientRect().height])"""
    )

    assert [name for name, height in sizes if height < 44] == []
    assert len(sizes) > 8
    assert page.evaluate("document.documentElement.scrollWidth") <= 820


def test_works_without_scripts(candle, open_page):
    page = open_page(java_script_enabled=False)
    page.fill("#what", "CANDLE")
    page.get_by_role("button", name="Show", exact=True).click()
    page.fill("#completion-good", "5")
    page.get_by_role("button", name="Preview").click()
    expect(line(page, "WAX").locator(".make-standard")).to_have_text(re.compile(r"1\s*kg"))

    page.get_by_role("button", name="Complete 5", exact=False).last.click()

    expect(page.locator(".bf-toast")).to_contain_text("Completed 5 × CANDLE")
    assert on_hand(candle) == Decimal(5)
