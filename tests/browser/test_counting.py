"""A blind count on a tablet: three cells, one of them twice."""

from decimal import Decimal

import pytest

from inventory.models import CountLine, CountLineState, CountSheet, CountSheetState
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.inventory.operations.counting_steps import open_sheet

pytestmark = pytest.mark.browser

TABLET = {"role": "counter", "width": 820, "height": 1180}


@pytest.fixture
def sheet(site):
    shelf = make_location(code="SHELF", name="Shelf by the door")
    # Figures long enough not to stand in a token or key of a page by chance.
    for sku, quantity in (("AAA-JAR", "7391628"), ("BBB-LID", "6405173"), ("CCC-WICK", "88")):
        put_on_hand(make_item(sku=sku, name=f"Thing {sku}"), shelf, quantity, value="60.00")
    return open_sheet(shelf)


def tap(page, figure):
    for key in figure:
        page.click(f'[data-pad="{key}"]')


def test_counter_counts_three_cells_one_of_them_twice_without_seeing_the_book(open_page, sheet):
    page = open_page("/", **TABLET)
    seen = []
    page.on("domcontentloaded", lambda loaded: seen.append(loaded.content()))
    page.click("text=1 count sheet to be counted")
    page.click("a.bf-button:has-text('Count')")

    page.wait_for_selector("h2:has-text('AAA-JAR')")
    page.click("text=I am there")
    page.wait_for_selector("text=How many are there?")
    tap(page, "7391627")
    page.click("text=Save and next")

    page.wait_for_selector("h2:has-text('BBB-LID')")
    page.fill("#scan-code", "ccc-wick")  # a scanner that finds another cell first
    page.press("#scan-code", "Enter")
    page.wait_for_selector("h2:has-text('CCC-WICK')")
    page.wait_for_selector("text=How many are there?")
    tap(page, "88")
    page.click('[data-pad="back"]')
    tap(page, "8")
    page.click("text=Save and next")

    page.wait_for_selector("h2:has-text('BBB-LID')")
    page.click("text=I am there")
    page.click("text=Can't find it")

    page.wait_for_selector("text=Somebody else should make the second")
    assert CountLine.objects.get(item__sku="BBB-LID").state == CountLineState.RECOUNT
    page.click("text=I am there")
    tap(page, "6405163")
    page.check("text=Nobody else is here")
    page.click("button:has-text('Save')")

    page.wait_for_selector("text=Everything is counted")
    page.click("text=Submit the count")
    page.wait_for_selector("text=Submitted CS-")

    assert len(seen) > 8
    assert not any(figure in " ".join(seen) for figure in ("7391628", "7,391,628", "6405173", "6,405,173"))
    assert CountSheet.objects.get(pk=sheet.pk).state == CountSheetState.POSTED
    counted = {line.item.sku: line.counted for line in CountLine.objects.select_related("item")}
    assert counted == {"AAA-JAR": Decimal(7391627), "BBB-LID": Decimal(6405163), "CCC-WICK": Decimal(88)}
    assert on_hand(CountLine.objects.get(item__sku="BBB-LID").item) == Decimal(6405163)
    assert broken_invariants() == []


def test_targets_are_large_enough_for_a_finger_and_nothing_scrolls_sideways(open_page, sheet):
    page = open_page(f"/stock/counts/{sheet.number}/", **TABLET)
    page.click("a.bf-button-primary:has-text('Count')")
    page.click("text=I am there")
    page.wait_for_selector("text=How many are there?")

    small = page.eval_on_selector_all(
        "#count button, #count a, #count input:not([type=hidden]), #count select",
        "found => found.filter(e => e.offsetParent && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)",
    )
    assert small == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_count_works_without_scripts(open_page, sheet):
    page = open_page(f"/stock/counts/{sheet.number}/", java_script_enabled=False, **TABLET)
    page.click("a.bf-button-primary:has-text('Count')")
    page.click("text=I am there")
    page.fill("input[name=quantity]", "7391628")
    page.click("text=Save and next")

    assert page.inner_text("h2.bf-count-sku") == "BBB-LID"
    assert CountLine.objects.get(item__sku="AAA-JAR").counted == Decimal(7391628)
