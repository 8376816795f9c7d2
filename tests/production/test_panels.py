"""What making adds to the pages of stock."""

from decimal import Decimal
from uuid import uuid4

import pytest

from production.operations.reversing import reverse_completion
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def candle(db):
    place = make_location(code="WORKSHOP")
    wick, candle, box = make_item(sku="WICK"), make_item(sku="CANDLE"), make_item(sku="BOX")
    make_bom(item=candle, lines=[(wick, "2")])
    make_bom(item=box, lines=[(candle, "3")])
    put_on_hand(wick, place, "9", value="0.90")
    return candle, wick, place


@pytest.fixture
def as_viewer(client, viewer):
    client.force_login(viewer)
    return client


def test_the_bom_tab_shows_lines_costs_and_what_can_be_built(as_viewer, candle):
    item, _, _ = candle

    response = as_viewer.get(f"/stock/items/{item.pk}/?tab=bom")

    line, each, cost = response.context["bom_lines"][0]
    assert (line.component.sku, each, cost) == ("WICK", Decimal("0.1"), Decimal("0.2"))
    assert response.context["rollup"].unit_cost == Decimal("0.2")
    assert "limited by WICK" in response.content.decode()


def test_an_item_without_a_bom_says_so(as_viewer, candle):
    _, wick, _ = candle

    assert "No BOM yet" in as_viewer.get(f"/stock/items/{wick.pk}/?tab=bom").content.decode()


def test_where_used_reaches_the_top(as_viewer, candle):
    _, wick, _ = candle

    response = as_viewer.get(f"/stock/items/{wick.pk}/?tab=used")

    assert [use.sku for use in response.context["used"].direct] == ["CANDLE"]
    assert [use.sku for use in response.context["used"].tops] == ["BOX"]


def test_completions_of_an_item_are_listed(as_viewer, candle):
    item, _, place = candle
    done = complete(item, "2", into=place)

    response = as_viewer.get(f"/stock/items/{item.pk}/?tab=made")

    assert [one.posting_id for one in response.context["completions"]] == [done.posting.pk]


def test_a_posting_leads_to_its_completion_and_so_does_its_reversal(as_viewer, candle):
    item, _, place = candle
    done = complete(item, "2", into=place)
    back = reverse_completion(key=uuid4(), completion=done.completion, actor=None)

    for posting in (done.posting, back.posting):
        content = as_viewer.get(f"/stock/postings/{posting.pk}/").content.decode()
        assert f'href="/make/completions/{done.posting.pk}/"' in content
