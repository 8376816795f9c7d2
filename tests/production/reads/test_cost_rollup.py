"""Rolled-up cost: where each figure comes from, what makes it unknown, and on which level it enters."""

from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import ItemKind
from production.reads.cost_rollup import CostSource, cost_rollups, item_costs
from tests.factories import make_item, make_location, put_on_hand
from tests.production.reads.structures import active, make_phantom, make_wide_and_deep, spec

pytestmark = pytest.mark.django_db


def roll(bom):
    return cost_rollups(boms=[bom.pk])[bom.pk]


def sources(rollup):
    return [line.unit_cost.source for line in rollup.lines]


def test_average_before_own_bom_before_standard_before_unknown():
    shop, wax = make_location(), make_item(standard_cost=Decimal("0.10"))
    averaged, built, planned, unknown = (make_item(standard_cost=cost) for cost in ("9", "9", "4", None))
    active(averaged, spec(wax))
    active(built, spec(wax, "5"))
    put_on_hand(averaged, shop, "3", value="10.00")
    bom = active(make_item(), spec(averaged, "6"), spec(built), spec(planned), spec(unknown))

    rollup = roll(bom)

    assert sources(rollup) == [CostSource.AVERAGE, CostSource.BOM, CostSource.STANDARD, CostSource.UNKNOWN]
    assert [line.cost for line in rollup.lines] == [20, Fraction(1, 2), 4, None]
    assert rollup.unit_cost is None
    assert [item.sku for item in rollup.missing] == [unknown.sku]


def test_stock_of_partly_unknown_cost_has_no_average():
    shop, wax = make_location(), make_item(standard_cost=Decimal(2))
    put_on_hand(wax, shop, "3", value="30.00")
    put_on_hand(wax, shop, "1")

    rollup = roll(active(make_item(), spec(wax)))

    assert (sources(rollup), rollup.unit_cost) == ([CostSource.STANDARD], Decimal(2))


def test_an_unknown_part_far_below_is_named_unless_a_standard_cost_stands_above_it():
    screw = make_item(sku="SCREW")
    frame, door = make_item(), make_item(standard_cost=Decimal(7))
    active(frame, spec(screw, "4"))
    active(door, spec(screw, "2"))

    unknown = roll(active(make_item(), spec(frame), spec(door)))
    known = roll(active(make_item(), spec(door)))

    assert ([item.sku for item in unknown.missing], unknown.unit_cost) == (["SCREW"], None)
    assert (known.missing, known.unit_cost) == ([], Decimal(7))


def test_scrap_batch_and_phantoms_count_and_optional_lines_do_not():
    wax, dye, ribbon = (make_item(standard_cost=Decimal(cost)) for cost in ("3", "1", "50"))
    mix = make_phantom()
    active(mix, spec(wax, "2"), spec(dye, "1"), makes="7")
    bom = active(make_item(), spec(mix, "3", scrap_percent=Decimal(10)), spec(ribbon, is_optional=True), makes="2")

    rollup = roll(bom)

    exact = (Fraction(2, 7) * 3 + Fraction(1, 7)) * 3 * Fraction(11, 10) / 2
    assert rollup.cost.value == exact
    assert rollup.unit_cost == Decimal("1.65")
    assert exact == Fraction(165, 100)


def test_the_sum_is_rounded_once_to_six_places():
    wax = make_item(standard_cost=Decimal(1))
    bom = active(make_item(), *[spec(wax) for _ in range(3)], makes="9")

    assert roll(bom).unit_cost == Decimal("0.333333")


def test_consumables_and_services_cost_their_standard():
    shop = make_location()
    glue, work = make_item(standard_cost=Decimal(5)), make_item(kind=ItemKind.SERVICE, standard_cost=Decimal(8))
    put_on_hand(glue, shop, "1", value="100.00")
    wax = make_item(standard_cost=Decimal(1))

    rollup = roll(active(make_item(), spec(wax), spec(glue, "0.5", is_consumable=True), spec(work, "0.25")))

    assert rollup.unit_cost == Decimal("5.5")


def test_each_level_shows_what_enters_there():
    shop = make_location()
    wax, wick, box = (make_item(standard_cost=Decimal(cost)) for cost in ("1", "2", "4"))
    candle, jar = make_item(), make_item()
    active(candle, spec(wax, "3"), spec(wick, "1"))
    active(jar, spec(wax, "100"))
    put_on_hand(jar, shop, "1", value="6.00")

    rollup = roll(active(make_item(), spec(candle, "2"), spec(box), spec(jar)))

    assert rollup.by_level == [Decimal(10), Decimal(10)]
    assert rollup.unit_cost == Decimal(20)


def test_items_without_a_bom_in_force_are_left_out():
    wax, candle = make_item(standard_cost=Decimal(1)), make_item()
    active(candle, spec(wax, "2"))

    costs = item_costs(items=[wax.pk, candle.pk])

    assert {item_id: rollup.unit_cost for item_id, rollup in costs.items()} == {candle.pk: Decimal(2)}


def test_costs_the_same_queries_for_1_and_20_boms_and_components():
    boms = [make_wide_and_deep(size)[1] for size in (1, 20)]
    counts = []
    for wanted in ([boms[0]], boms):
        with CaptureQueriesContext(connection) as queries:
            cost_rollups(boms=[bom.pk for bom in wanted])
        counts.append(len(queries))

    assert counts == [3, 3]
