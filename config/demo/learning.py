"""Cedar candles whose fragrance was weighed: steadily more than the recipe says."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from config.demo.catalogue import FINISHED, SITE, place
from config.demo.steps import days_ago, is_done, item, key_of
from inventory.operations.posting import Actor
from inventory.operations.receiving import ReceiptLine, receive_stock
from production.operations.completing import Actual, CompletionRequest, complete_production

_WEIGHED = ("128", "126", "129", "127", "128", "127", "130", "128", "126", "129")
"""Grams for ten candles each; the recipe says 120."""


def ensure_measurements(actor: Actor) -> None:
    """Ten small runs, one every other day, each with the fragrance that was really used; their wax came for them."""
    if not is_done("wax-for-weighing"):
        line = ReceiptLine(
            item=item("WAX-SOY"),
            location=place("STORE-A1"),
            quantity=Decimal(30),
            value=Decimal("139.50"),
            lot_code="SW-2420",
            expires_on=timezone.localdate() + timedelta(days=120),
        )
        receive_stock(key=key_of("wax-for-weighing"), lines=[line], actor=actor, effective_at=days_ago(21, hour=8))
    for number, grams in enumerate(_WEIGHED, start=1):
        step = f"cedar-weighed-{number}"
        if is_done(step):
            continue
        weighed = Actual(item("FRAGRANCE-CEDAR"), Decimal(grams), reason="weighed", cause="measured")
        request = CompletionRequest(
            item=item("CANDLE-CEDAR"),
            good=Decimal(10),
            source_location=place(SITE),
            output_location=place(FINISHED),
            output_lot_code=f"C-03{number:02}",
            actuals=[weighed],
            effective_at=days_ago(21 - 2 * number, hour=15),
        )
        complete_production(key=key_of(step), request=request, actor=actor)
