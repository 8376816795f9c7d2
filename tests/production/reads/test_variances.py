"""Usage beyond and below the standard in money, by product, component and cause; yield and scrap of a period."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import ItemKind
from production.operations.completing import Actual, CompletionRequest, complete_production
from production.operations.reversing import reverse_completion
from production.reads.true_cost import true_cost
from production.reads.variances import (
    By,
    scrap_by_reason,
    usage,
    usage_in_all,
    yield_in_all,
    yields_of,
)
from tests.api.client import ApiClient
from tests.factories import make_item, make_location, make_user, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def shop(db):
    """A candle: 0.2 kg of wax at 4.00 and a wick at 0.10, or a cotton wick at 0.30; it took 0.90."""
    place = make_location()
    wax, wick = make_item(sku="WAX", unit="kg", step="0.001"), make_item(sku="WICK")
    cotton, candle = make_item(sku="COTTON"), make_item(sku="CANDLE", kind=ItemKind.PRODUCT)
    make_bom(item=candle, lines=[(wax, "0.2"), (wick, "1", {"substitutes": [(cotton, "1")]})], deviation_policy="free")
    for item, value in ((wax, "400"), (wick, "10"), (cotton, "30")):
        put_on_hand(item, place, "100", value=value)
    return {"place": place, "wax": wax, "wick": wick, "cotton": cotton, "candle": candle}


def period(**more):
    now = timezone.now()
    return {"since": now - timedelta(days=1), "until": now + timedelta(days=1), **more}


def make(shop, good, *actuals, **fields):
    """Complete `good` candles; actuals are (component, quantity) or (component, quantity, {field: value})."""
    used = []
    for name, quantity, *more in actuals:
        values = dict(more[0]) if more else {}
        if "replaces" in values:
            values["replaces"] = shop[values["replaces"]]
        if "scrapped" in values:
            values["scrapped"] = Decimal(values["scrapped"])
        used.append(Actual(shop[name], Decimal(quantity), **values))
    scrapped = Decimal(fields.pop("scrapped", 0))
    request = CompletionRequest(
        item=shop["candle"],
        good=Decimal(good),
        output_location=shop["place"],
        scrapped=scrapped,
        actuals=used,
        **fields,
    )
    return complete_production(key=uuid4(), request=request, actor=None)


def test_as_planned_nothing_differs_and_the_standard_is_what_was_used(shop):
    make(shop, "10")

    found = usage_in_all(**period())

    assert (found.lines, found.differing, found.standard, found.variance) == (2, 0, 9, 0)
    assert usage(by=By.CAUSE, **period()) == []
    assert yield_in_all(**period()).percent == 100


def test_more_and_less_are_summed_apart_by_component_and_cause(shop):
    make(shop, "10", ("wax", "2.5", {"cause": "measured"}))
    make(shop, "10", ("wax", "1.9", {"cause": "bom"}))
    make(shop, "10", ("wick", "12"))

    by_component = {one.key: one for one in usage(by=By.COMPONENT, **period())}
    by_cause = {one.key: one.variance for one in usage(by=By.CAUSE, **period())}
    (product,) = usage(by=By.PRODUCT, **period())

    wax = by_component[str(shop["wax"].pk)]
    assert (wax.expected, wax.actual, wax.standard) == (6, Decimal("6.4"), 24)
    assert (wax.over, wax.under, wax.variance) == (2, Decimal("-0.4"), Decimal("1.6"))
    assert wax.percent == Fraction("1.6") / 24 * 100
    assert by_cause == {"measured": 2, "bom": Decimal("-0.4"), "none": Decimal("0.2")}
    assert (product.variance, product.differing, product.lines) == (Decimal("1.8"), 3, 6)


def test_one_cause_and_one_product_are_asked_for_alone(shop):
    make(shop, "10", ("wax", "2.5", {"cause": "measured"}))
    make(shop, "10", ("wick", "12"))

    (measured,) = usage(by=By.COMPONENT, cause="measured", **period())
    assert (measured.key, measured.variance, measured.lines) == (str(shop["wax"].pk), 2, 1)
    assert usage(by=By.PRODUCT, items=[shop["wax"].pk], **period()) == []
    assert usage(by=By.COMPONENT, items=[shop["wick"].pk], **period())[0].variance == Decimal("0.2")


def test_what_replaces_and_what_is_replaced_have_the_same_cause(shop):
    make(shop, "10", ("wick", "6"), ("cotton", "4", {"replaces": "wick"}))

    (found,) = usage(by=By.CAUSE, **period())

    assert (found.key, found.differing) == ("substitute", 2)
    assert found.variance == Decimal("0.8")  # four at 0.30 instead of four at 0.10


def test_what_was_not_used_at_all_has_no_cost_and_is_counted(shop):
    make(shop, "10", ("cotton", "10", {"replaces": "wick"}), ("wick", "0"))

    found = usage_in_all(**period())

    assert (found.unknown, found.variance) == (1, 3)


def test_spoiled_parts_and_scrapped_output_have_their_cost(shop):
    make(shop, "10", ("wax", "2.5", {"scrapped": "0.5", "cause": "scrap"}))
    make(shop, "8", scrapped="2", scrap_reason="cracked")
    make(shop, "9", scrapped="1", scrap_reason=" cracked ")
    make(shop, "5")

    assert usage_in_all(**period()).spoiled == 2
    (cracked,) = scrap_by_reason(**period())
    assert (cracked.key, cracked.completions, cracked.scrapped) == ("cracked", 2, 3)
    assert cracked.scrap_cost == Decimal("2.7")
    made = yields_of(**period())[shop["candle"].pk]
    assert (made.good, made.scrapped, made.completions) == (32, 3, 4)
    assert made.percent == Fraction(32, 35) * 100


def test_what_was_taken_back_does_not_count_in_part_or_whole(shop):
    wrong = make(shop, "10", ("wax", "2.5", {"cause": "measured"})).completion
    kept = make(shop, "10", ("wax", "2.4", {"cause": "measured"})).completion
    reverse_completion(key=uuid4(), completion=wrong, actor=None, reason="typo")
    reverse_completion(key=uuid4(), completion=kept, good=Decimal(5), actor=None, reason="half of it")

    found = usage_in_all(**period())
    assert (found.standard, found.variance) == (Decimal("4.5"), Decimal("0.8"))
    assert yield_in_all(**period()).good == 5


def test_a_completion_says_the_same_by_itself(shop):
    done = make(shop, "10", ("wax", "2.5", {"cause": "measured"}), ("wick", "9"))
    lines = list(done.completion.lines.select_related("component"))

    alone = {one.cause: one.amount for one in true_cost(done.completion, lines).causes}

    assert alone == {"Measured by hand": 2, "No cause given": Decimal("-0.10")}
    assert {one.variance for one in usage(by=By.CAUSE, **period())} == {Decimal(2), Decimal("-0.1")}


def test_unknown_costs_are_in_no_sum(shop):
    put_on_hand(shop["wax"], shop["place"], "1", value=None)
    make(shop, "8", ("wax", "2.5"), scrapped="2", scrap_reason="cracked")

    found, made = usage_in_all(**period()), yield_in_all(**period())
    assert (found.unknown, found.variance) == (1, 0)
    assert (made.unknown, made.scrap_cost, made.percent) == (1, 0, 80)


def test_only_the_period_counts(shop):
    make(shop, "10")
    later = {"since": timezone.now() + timedelta(hours=1), "until": timezone.now() + timedelta(days=1)}

    assert yields_of(**later) == {}
    assert usage(by=By.PRODUCT, **later) == []


@pytest.mark.parametrize("by", list(By))
def test_each_answer_is_one_statement_for_one_and_many_completions(shop, by):
    counts = []
    for many in (1, 9):
        for _ in range(many):
            make(shop, "2", ("wax", "0.5"))
        with CaptureQueriesContext(connection) as queries:
            usage(by=by, **period())
            yields_of(**period())
            scrap_by_reason(**period())
        counts.append(len(queries))

    assert counts == [3, 3]


def test_the_same_is_answered_over_rest(shop):
    make(shop, "8", ("wax", "2.5", {"cause": "measured"}), scrapped="2", scrap_reason="cracked")
    api = ApiClient(make_user(role="viewer"))

    found = api.get("completions/variances/", by="component").json()
    causes = api.get("completions/variances/", by="cause").json()["rows"]

    wax = next(row for row in found["rows"] if row["item"] == "WAX")
    assert (wax["expected"], wax["actual"], wax["variance"], wax["percent"]) == ("2", "2.5", "2", "25")
    assert [(row["cause"], row["variance"]) for row in causes] == [("measured", "2")]
    assert [(row["key"], row["good"], row["scrapped"], row["percent"]) for row in found["yields"]] == [
        ("CANDLE", "8", "2", "80")
    ]
    assert [(row["key"], row["scrap_cost"]) for row in found["scrap"]] == [("cracked", "2.2")]
    assert api.get("completions/variances/", since="2026-02-01", until="2026-01-01").status_code == 400
    assert api.get("completions/variances/", by="x" * 600).status_code == 400
