"""Cedar candles whose fragrance was weighed: steadily more than the recipe says."""

from decimal import Decimal

from config.demo.catalogue import FINISHED, SITE, place
from config.demo.steps import days_ago, is_done, item, key_of
from inventory.operations.posting import Actor
from production.operations.completing import Actual, CompletionRequest, complete_production

_WEIGHED = ("128", "126", "129", "127", "128", "127", "130", "128", "126", "129")
"""Grams for ten candles each; the recipe says 120."""


def ensure_measurements(actor: Actor) -> None:
    """Ten small runs, one every other day, each with the fragrance that was really used."""
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
