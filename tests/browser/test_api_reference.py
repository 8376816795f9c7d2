"""The reference page of the REST API, under the content security policy of every other page."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_lists_the_operations_and_tries_one_out_with_the_session(open_page):
    page = open_page("/api/v1/docs/", role="viewer")

    expect(page.get_by_role("heading", name="Backflush API")).to_be_visible()
    operation = page.locator("#operations-items-items_list")
    for _ in range(40):  # only what is in sight is drawn
        if operation.count():
            break
        page.mouse.wheel(0, 500)
        page.wait_for_timeout(250)
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()

    expect(operation.locator(".live-responses-table tr.response .response-col_status").first).to_contain_text("200")
