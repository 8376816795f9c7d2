"""A catalogue that was set to zero: everything ticked at once, looked at, and sent again."""

import pytest

from channels_sync.models import Difference, Done
from tests.channels_sync.conftest import shop  # noqa: F401
from tests.channels_sync.differing import differing
from tests.channels_sync.factories import make_channel

pytestmark = pytest.mark.browser


def test_all_on_the_page_are_ticked_at_once_and_overwritten(open_page, shop):  # noqa: F811
    differing(make_channel(code="shop", name="Candle shop"), shop, 3, theirs=0)
    page = open_page("/channels/shop/drift/", role="planner")

    page.check("[data-tick-all] input")
    page.uncheck("input[name=difference] >> nth=0")
    ticked = page.inner_text("[data-tick-all]").strip()
    page.click("#together button[value=overwrite]")
    page.wait_for_selector("h2:has-text('What would change')")
    nothing_yet = Difference.objects.filter(done=Done.OVERWRITTEN).count()
    page.click("button:has-text('Overwrite 2')")
    page.wait_for_selector("text=2 figures go out again.")

    assert (ticked, nothing_yet) == ("2 ticked", 0)
    assert Difference.objects.filter(done=Done.OVERWRITTEN).count() == 2
