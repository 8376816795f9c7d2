"""Planned against actual cost of a unit over a period."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import CostEntry, ItemKind
from production.operations.reversing import reverse_completion
from production.reads.true_costs import items_completed, true_costs
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def shop(db):
    """A candle: 0.2 kg of wax at 4.00, a box at 0.50, 6 minutes at 20.00 an hour and 0.10 overhead."""
    place = make_location()
    wax = make_item(sku="WAX", unit="kg", step="0.001")
    box = make_item(sku="BOX", kind=ItemKind.PACKAGING)
    rest = make_item(sku="REST", unit="kg", step="0.001")
    candle = make_item(sku="CANDLE", kind=ItemKind.PRODUCT)
    make_bom(
        item=candle,
        lines=[(wax, "0.2"), (box, "1")],
        operations=[
            {"kind": "labour", "minutes": Decimal(6), "rate_per_hour": Decimal(20)},
            {"kind": "overhead", "amount": Decimal("0.10")},
        ],
        outputs=[(rest, "0.01", 0, "5")],
        deviation_policy="free",
    )
    put_on_hand(wax, place, "100", value="400")
    put_on_hand(box, place, "100", value="50")
    return {"place": place, "wax": wax, "candle": candle}


def ask(item, *, since=None, until=None):
    now = timezone.now()
    found = true_costs(items=[item.pk], since=since or now - timedelta(days=1), until=until or now + timedelta(days=1))
    return found.get(item.pk)


def test_a_unit_as_planned_costs_what_the_plan_says_part_by_part(shop):
    complete(shop["candle"], "10", into=shop["place"])

    found = ask(shop["candle"])

    assert found.planned_unit == found.actual_unit
    unit = found.actual_unit
    assert (unit.material, unit.packaging, unit.labour, unit.overhead) == tuple(
        Fraction(part) for part in ("0.8", "0.5", "2", "0.1")
    )
    assert (unit.by_products, unit.total) == (Fraction("-0.05"), Fraction("3.35"))
    assert (found.difference, found.scrap) == (0, 0)


def test_packaging_work_stands_with_packaging_planned_and_actual(shop):
    make_bom(
        item=(gift := make_item(sku="GIFT", kind=ItemKind.PRODUCT)),
        lines=[(shop["wax"], "0.5")],
        operations=[{"kind": "packaging", "amount": Decimal("0.75")}],
    )
    complete(gift, "4", into=shop["place"])

    found = ask(gift)

    assert found.actual_unit == found.planned_unit
    unit = found.actual_unit
    assert (unit.material, unit.packaging, unit.labour, unit.overhead) == (2, Fraction("0.75"), 0, 0)
    assert CostEntry.objects.get(kind="packaging").amount == Decimal("-3.00")


def test_the_actual_is_what_the_ledger_put_into_stock(shop):
    done = complete(shop["candle"], "9", into=shop["place"], scrapped="1", scrap_reason="cracked")

    found = ask(shop["candle"])

    assert found.actual.total == Fraction(done.completion.output_value)


def test_scrap_makes_good_units_dearer_and_is_named(shop):
    complete(shop["candle"], "8", into=shop["place"], scrapped="2", scrap_reason="cracked")

    found = ask(shop["candle"])

    assert (found.good, found.scrapped) == (8, 2)
    assert found.scrap == Fraction("6.8")  # two of ten that took 34.00 together
    assert found.difference > 0


def test_more_material_than_the_standard_shows_in_the_material_alone(shop):
    complete(shop["candle"], "10", into=shop["place"], actuals=[(shop["wax"], "2.5")])

    found = ask(shop["candle"])

    assert found.actual_unit.material - found.planned_unit.material == Fraction("0.2")
    assert found.difference == Fraction("0.2")
    assert found.difference_percent == Fraction("0.2") / Fraction("3.35") * 100


def test_an_unknown_cost_stays_unknown(shop):
    put_on_hand(shop["wax"], shop["place"], "1", value=None)
    complete(shop["candle"], "10", into=shop["place"])

    found = ask(shop["candle"])

    assert (found.actual_unit.total, found.difference) == (None, None)
    assert found.actual_unit.labour == 2


def test_what_was_undone_is_left_out_and_counted(shop):
    complete(shop["candle"], "10", into=shop["place"])
    wrong = complete(shop["candle"], "5", into=shop["place"]).completion
    reverse_completion(key=uuid4(), completion=wrong, actor=None, reason="typo")

    found = ask(shop["candle"])

    assert (found.completions, found.left_out, found.good) == (1, 1, 10)


def test_only_the_period_counts(shop):
    complete(shop["candle"], "10", into=shop["place"])
    now = timezone.now()

    assert ask(shop["candle"], since=now + timedelta(hours=1)) is None
    assert items_completed(since=now - timedelta(days=1), until=now + timedelta(days=1)) == [shop["candle"].pk]


def test_the_read_costs_the_same_for_one_and_twenty_items(shop):
    items = []
    for _ in range(20):
        item = make_item()
        make_bom(item=item, lines=[(shop["wax"], "0.1")])
        complete(item, "1", into=shop["place"])
        items.append(item.pk)
    counts = []
    for size in (1, 20):
        with CaptureQueriesContext(connection) as queries:
            true_costs(items=items[:size], since=timezone.now() - timedelta(days=1), until=timezone.now())
        counts.append(len(queries))

    assert counts == [6, 6]


def test_what_lies_between_plan_and_actual_is_parted_into_usage_and_price(shop):
    """2.5 kg instead of 2 for ten: 0.20 a unit too much. Then wax doubles in price: planned at 8.00, made at 4.00."""
    complete(shop["candle"], "10", into=shop["place"], actuals=[(shop["wax"], "2.5")])
    found = ask(shop["candle"])
    assert (found.usage, found.price) == (Fraction("0.2"), 0)

    put_on_hand(shop["wax"], shop["place"], "97.5", value="1170")  # 195 kg worth 1,560: 8.00 each
    found = ask(shop["candle"])

    assert found.planned_unit.material == Fraction("1.6")
    assert (found.usage, found.price) == (Fraction("0.2"), Fraction("-0.8"))
    assert found.usage + found.price == found.difference


def test_scrap_is_usage_and_a_substitute_counts_at_what_the_replaced_one_costs(shop):
    complete(shop["candle"], "8", into=shop["place"], scrapped="2", scrap_reason="cracked")
    found = ask(shop["candle"])
    assert (found.price, found.usage) == (0, found.difference)

    other = make_item(sku="OTHER", kind=ItemKind.PRODUCT)
    make_bom(item=other, lines=[(shop["wax"], "1")], deviation_policy="free")
    complete(other, "1", into=shop["place"], actuals=[(shop["wax"], "0")])
    found = ask(other)
    assert (found.usage, found.price) == (-4, 0)


def test_a_standard_of_unknown_cost_parts_nothing(shop):
    bare = make_item(sku="BARE")
    other = make_item(sku="OTHER", kind=ItemKind.PRODUCT)
    make_bom(item=other, lines=[(bare, "1")], deviation_policy="free")
    complete(other, "1", into=shop["place"], actuals=[(bare, "0")])
    assert (ask(other).usage, ask(other).price) == (None, None)
