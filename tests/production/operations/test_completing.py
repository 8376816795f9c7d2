from decimal import Decimal

import pytest

from inventory.errors import InsufficientStock
from inventory.models import Movement, Posting, StockChange
from production.operations.reversing import reverse_completion
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import complete, make_bom
from uuid import uuid4

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture()
def candle():
    place = make_location(code="WORKSHOP")
    wax, wick = make_item(sku="WAX", unit="kg", step="0.001"), make_item(sku="WICK")
    item = make_item(sku="CANDLE")
    make_bom(item=item, lines=[(wax, "200", {"unit": "g"}), (wick, "1")])
    return item, wax, wick, place


def test_takes_components_and_puts_the_output_in_at_their_cost(candle):
    item, wax, wick, place = candle
    put_on_hand(wax, place, "10", value="45.00")
    put_on_hand(wick, place, "100", value="10.00")

    result = complete(item, "40", into=place)

    assert on_hand(wax) == Decimal("2")
    assert on_hand(wick) == Decimal("60")
    assert on_hand(item) == Decimal("40")
    assert result.completion.output_value == Decimal("40.00")
    assert StockChange.objects.filter(posting_id=result.posting.pk).count() == 1


def test_refuses_too_little_stock_and_writes_nothing(candle):
    item, wax, wick, place = candle
    put_on_hand(wax, place, "1", value="4.50")
    put_on_hand(wick, place, "3", value="0.30")
    postings, movements = Posting.objects.count(), Movement.objects.count()

    with pytest.raises(InsufficientStock) as refusal:
        complete(item, "40", into=place)

    assert [row["item"] for row in refusal.value.context["short"]] == ["WAX", "WICK"]
    assert (Posting.objects.count(), Movement.objects.count()) == (postings, movements)


def test_reversal_restores_balances_and_values(candle):
    item, wax, wick, place = candle
    put_on_hand(wax, place, "10", value="45.00")
    put_on_hand(wick, place, "100", value="10.00")
    before = {i.sku: (on_hand(i), i.cost_pools.get().value) for i in (wax, wick)}
    done = complete(item, "7", into=place)

    reverse_completion(key=uuid4(), completion=done.completion, actor=None)

    assert {i.sku: (on_hand(i), i.cost_pools.get().value) for i in (wax, wick)} == before
    assert on_hand(item) == 0
