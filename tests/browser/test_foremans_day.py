"""A foreman's day on a tablet: from the code of a traveller over the inspection and back, with the figures of stock."""

import base64
import re
from decimal import Decimal

import pytest
import segno
from playwright.sync_api import expect

from inventory.models import CostPool, ItemKind
from production.models import Completion, InspectionFile
from production.operations.inspection_plans import CheckSpec, save_inspection_plan
from production.operations.work_orders import open_work_order
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.browser

TABLET = {"width": 820, "height": 1180, "has_touch": True}
PHOTO = """() => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });
  const pen = canvas.getContext('2d');
  pen.fillStyle = '#e9d8a6'; pen.fillRect(0, 0, 320, 240);
  pen.fillStyle = '#333'; pen.font = '32px sans-serif'; pen.fillText('CANDLE', 90, 130);
  return canvas.toDataURL('image/jpeg', 0.8).split(',')[1];
}"""
SMALL = """() => [...document.querySelectorAll(['button', 'input', 'select', 'textarea', 'a.bf-button', '.bf-choices label']
    .map((one) => `#page-body ${one}`).join())]
  .filter((one) => one.offsetParent !== null && !one.closest('.bf-visually-hidden') && !one.closest('.bf-choices label > input'))
  .map((one) => [
    one.name || one.id || one.textContent.trim().slice(0, 30),
    Math.round((one.type === 'checkbox' && one.closest('label') || one).getBoundingClientRect().height),
  ])
  .filter(([name, height]) => height > 1 && height < 44)"""


@pytest.fixture
def order(committed_db, settings, tmp_path):
    """50 candles, each of 200 g of wax and one wick, that are inspected; 20 kg at 4.50 and 100 wicks at 0.10 are there."""
    settings.MEDIA_ROOT = tmp_path
    place = make_location(code="WORKSHOP")
    wax, wick = make_item(sku="WAX", unit="kg", step="0.001"), make_item(sku="WICK")
    item = make_item(sku="CANDLE", name="Soy candle", kind=ItemKind.PRODUCT, inspection_required=True)
    make_bom(item=item, lines=[(wax, "200", {"unit": "g"}), (wick, "1")], deviation_policy="reason")
    save_inspection_plan(
        item=item,
        applies_to="output",
        checks=[
            CheckSpec("Wick in the middle"),
            CheckSpec("Weight", "measurement", "g", Decimal(195), Decimal(205)),
            CheckSpec("Picture of the label", "photo"),
        ],
        sample_quantity=Decimal(1),
        actor=None,
    )
    put_on_hand(wax, place, "20", value="90.00")
    put_on_hand(wick, place, "100", value="10.00")
    return open_work_order(item=item, planned=Decimal(50), output_location=place, source_location=place, actor=None)


def scan(page, code):
    """As a scanner does: the code, quickly, and Enter."""
    page.keyboard.type(code)
    page.keyboard.press("Enter")


def line(page, sku):
    return page.locator("tr[data-line]", has=page.get_by_role("link", name=sku, exact=True))


def is_fit_for_a_tablet(page):
    """Nothing is wider than the screen, and whatever is pressed is large enough for a finger."""
    assert page.evaluate("document.documentElement.scrollWidth") <= 820
    assert page.evaluate(SMALL) == []


def stock():
    """What there is by item and status, and what it is worth."""
    quantities = {}
    for pool in CostPool.objects.select_related("item"):
        for balance in pool.item.balances.exclude(quantity=0):
            key = (pool.item.sku, balance.status)
            quantities[key] = quantities.get(key, Decimal(0)) + balance.quantity
    values = {pool.item.sku: pool.value for pool in CostPool.objects.select_related("item") if pool.quantity}
    return quantities, values


def test_scans_completes_inspects_takes_back_and_completes_again(order, open_page, site):
    page = open_page(f"/make/orders/{order.number}/traveller/", **TABLET)
    address = f"{site}/make/orders/{order.number}/complete/"
    printed = page.locator(".order-sheet-code svg .qrline").get_attribute("d")
    assert printed in segno.make(address, error="m", micro=False).svg_inline(scale=4, border=2)
    is_fit_for_a_tablet(page)

    page.goto("/make/complete/")
    expect(page.locator("#what")).to_be_focused()
    scan(page, address)
    expect(page.locator("#completion-good")).to_be_focused()
    page.keyboard.type("40")
    page.keyboard.press("Tab")
    page.keyboard.type("3")
    page.keyboard.press("Tab")
    page.keyboard.type("Broken")
    expect(line(page, "WAX").locator(".make-standard")).to_have_text(re.compile(r"8\.6\s*kg"))
    line(page, "WAX").get_by_label("Actual quantity of WAX").focus()
    page.keyboard.type("9")
    expect(page.get_by_label("Reason for WAX")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Reason for WAX")).to_be_focused()
    page.keyboard.type("Spilled")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#complete-button")).to_be_focused()
    expect(page.locator("#complete-button")).to_have_text(re.compile("Complete 40, scrap 3"))
    expect(page.locator("#complete-button")).to_have_class(re.compile("bf-button-primary"))
    is_fit_for_a_tablet(page)
    page.keyboard.press("Enter")

    expect(page.locator(".bf-toast")).to_contain_text("Completed 40 × CANDLE, scrapped 3")
    first = Completion.objects.get()
    assert (first.scrap_reason, first.lines.get(component__sku="WAX").reason) == ("Broken", "Spilled")
    assert stock() == (
        {("WAX", "available"): Decimal(11), ("WICK", "available"): Decimal(57), ("CANDLE", "qc_hold"): Decimal(40)},
        {"WAX": Decimal("49.50"), "WICK": Decimal("5.70"), "CANDLE": Decimal("44.80")},
    )

    page.locator(".bf-toast").get_by_role("link", name="Inspect").click()
    page.wait_for_url("**/quality/waiting/**")
    is_fit_for_a_tablet(page)
    page.goto("/quality/")
    is_fit_for_a_tablet(page)
    expect(page.locator("#held-search")).to_be_focused()
    scan(page, order.number)
    page.wait_for_url("**/quality/waiting/**")
    page.locator("#qc-camera").set_input_files(
        {"name": "label.jpg", "mimeType": "image/jpeg", "buffer": base64.b64decode(page.evaluate(PHOTO))}
    )
    expect(page.locator("#inspect")).to_contain_text("label.jpg")
    expect(page.get_by_role("img", name="label.jpg")).to_have_js_property("naturalWidth", 320)
    page.get_by_text("Passes", exact=True).first.tap()
    page.locator("[data-minimum]").fill("201.5")
    page.locator("[name=scrap]").fill("2")
    expect(page.locator("[name=release]")).to_have_value("38")
    page.locator("[name=scrap_reason]").fill("Cracked")
    is_fit_for_a_tablet(page)
    expect(page.locator("[data-decide]")).to_have_text(re.compile("Release 38, fail 2"))
    page.locator("[data-decide]").tap()

    expect(page.locator(".bf-toast")).to_contain_text("38 pcs released, 2 pcs scrapped")
    assert InspectionFile.objects.get().content_type == "image/jpeg"
    assert stock() == (
        {("WAX", "available"): Decimal(11), ("WICK", "available"): Decimal(57), ("CANDLE", "available"): Decimal(38)},
        {"WAX": Decimal("49.50"), "WICK": Decimal("5.70"), "CANDLE": Decimal("42.56")},
    )

    page.goto("/make/complete/")
    page.get_by_role("button", name="Undo completion of 40 CANDLE").tap()
    expect(page.locator("#undo-outlook")).to_contain_text("It was inspected since. Undo the verdict first")
    is_fit_for_a_tablet(page)
    assert on_hand(first.item) == Decimal(38)
    page.locator("#undo-outlook a.bf-button", has_text="Inspection").tap()
    page.wait_for_url("**/quality/inspections/**")
    is_fit_for_a_tablet(page)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Undo", exact=True).tap()
    expect(page.locator(".bf-toast")).to_contain_text("Taken back: the goods are on QC hold again")
    assert stock()[0][("CANDLE", "qc_hold")] == Decimal(40)
    page.get_by_role("link", name=f"Undo completion {first.pk}").tap()
    expect(page.locator("#undo-outlook")).to_contain_text(re.compile(r"Taking back\s*40"))
    is_fit_for_a_tablet(page)
    page.get_by_role("button", name="Take back").tap()
    expect(page.locator(".bf-toast")).to_contain_text("Took back 40 × CANDLE")
    is_fit_for_a_tablet(page)
    assert stock() == (
        {("WAX", "available"): Decimal(20), ("WICK", "available"): Decimal(100)},
        {"WAX": Decimal("90.00"), "WICK": Decimal("10.00")},
    )

    page.get_by_role("link", name="Complete more").tap()
    expect(page.locator("#completion-good")).to_be_focused()
    page.keyboard.type("50")
    expect(page.get_by_role("button", name="Complete 50")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".bf-toast")).to_contain_text("Completed 50 × CANDLE")

    order.refresh_from_db()
    assert (order.good, order.scrapped, order.state) == (Decimal(50), Decimal(0), "done")
    assert stock() == (
        {("WAX", "available"): Decimal(10), ("WICK", "available"): Decimal(50), ("CANDLE", "qc_hold"): Decimal(50)},
        {"WAX": Decimal("45.00"), "WICK": Decimal("5.00"), "CANDLE": Decimal("50.00")},
    )
    assert broken_invariants() == []
