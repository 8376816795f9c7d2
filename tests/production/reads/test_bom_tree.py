"""The indented BOM: order, levels, exact cumulative quantities, costs and stock; and that it agrees with the explosion."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from production.facts import recipe_of_bom
from production.operations.boms import create_draft
from production.reads.bom_tree import bom_tree
from tests.factories import make_item, make_location, make_unit, put_on_hand
from tests.production.reads.structures import active, make_phantom, make_wide_and_deep, spec

pytestmark = pytest.mark.django_db


def test_rows_stand_in_reading_order_with_exact_quantities():
    gift, candle, wax, wick, box = (make_item(sku=s) for s in ("GIFT", "CANDLE", "WAX", "WICK", "BOX"))
    make_unit(item=box, name="pack", numerator="3")
    active(candle, spec(wax, "7", scrap_percent=Decimal(10)), spec(wick, "1"), makes="4")
    gift_bom = active(gift, spec(candle, "2"), spec(box, "1", unit="pack"))

    tree = bom_tree(bom_id=gift_bom.pk, quantity=Decimal(10))

    assert tree.is_complete
    assert [(row.level, row.item.sku, row.quantity, row.is_made) for row in tree.rows] == [
        (0, "GIFT", 10, True),
        (1, "CANDLE", 20, True),
        (2, "WAX", Fraction(77, 2), False),
        (2, "WICK", 5, False),
        (1, "BOX", 30, False),
    ]
    assert [row.typed.unit for row in tree.rows[1:]] == ["", "", "", "pack"]


def test_costs_and_stock_stand_beside_each_row():
    gift, candle, wax = make_item(sku="GIFT"), make_item(), make_item(standard_cost=Decimal("0.50"))
    shop = make_location()
    active(candle, spec(wax, "4"))
    bom = active(gift, spec(candle, "2"))
    put_on_hand(wax, shop, "10", value="3.00")
    put_on_hand(wax, shop, "5", status="qc_hold", value="1.50")

    rows = bom_tree(bom_id=bom.pk, quantity=Decimal(3)).rows

    assert [row.unit_cost.value for row in rows] == [Fraction(24, 10), Fraction(12, 10), Fraction(3, 10)]
    assert [row.cost for row in rows] == [Decimal("7.2"), Decimal("7.2"), Decimal("7.2")]
    assert [(row.on_hand, row.free) for row in rows] == [(0, 0), (0, 0), (15, 10)]


def test_marks_are_shown_and_unknown_costs_stay_unknown():
    top, phantom, glue, extra = make_item(), make_phantom(), make_item(), make_item()
    active(phantom, spec(glue, is_consumable=True))
    bom = active(top, spec(phantom), spec(extra, is_optional=True))

    rows = bom_tree(bom_id=bom.pk).rows

    assert [(row.is_phantom, row.is_consumable, row.is_optional) for row in rows] == [
        (False, False, False),
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert [row.cost for row in rows] == [None, None, None, None]


def test_a_draft_has_a_tree_and_below_it_stand_the_versions_of_the_day():
    top, sub, old, new = make_item(), make_item(), make_item(sku="OLD"), make_item(sku="NEW")
    tomorrow = timezone.localdate() + timedelta(days=1)
    active(sub, spec(old))
    active(sub, spec(new), on=tomorrow)
    draft = create_draft(item=top, lines=[spec(sub)], actor=None)

    today = bom_tree(bom_id=draft.pk)
    later = bom_tree(bom_id=draft.pk, on=tomorrow)

    assert [row.item.sku for row in today.rows][2:] == ["OLD"]
    assert [row.item.sku for row in later.rows][2:] == ["NEW"]


def test_a_tree_without_end_is_cut_and_says_so():
    item = make_item()
    active(item, spec(make_item()), spec(make_item()))
    for _ in range(14):  # 2 ** 14 ways down to the first item
        above = make_item()
        bom = active(above, spec(item), spec(item))
        item = above

    tree = bom_tree(bom_id=bom.pk, rows_max=100)

    assert (len(tree.rows), tree.is_complete) == (100, False)


def test_costs_the_same_queries_for_1_and_20_components():
    counts = []
    for size in (1, 20):
        _, bom = make_wide_and_deep(size)
        with CaptureQueriesContext(connection) as queries:
            tree = bom_tree(bom_id=bom.pk)
        counts.append((len(queries), len(tree.rows)))

    assert counts == [(4, 6), (4, 82)]


quantities = st.decimals(min_value="0.000001", max_value="999", places=6)
losses = st.decimals(min_value=0, max_value=50, places=3)


class TreeAgainstExplosion(TestCase):
    @given(
        st.lists(st.tuples(st.integers(0, 2), quantities, losses), min_size=1, max_size=4),
        st.lists(st.tuples(st.integers(0, 2), quantities, losses), min_size=1, max_size=4),
        quantities,
        quantities,
        st.integers(0, 3),
    )
    @settings(max_examples=60, deadline=None)
    def test_sums_of_the_tree_are_the_rates_of_the_explosion_at_any_depth_of_phantoms(
        self, own, inner, makes, inner_makes, depth
    ):
        """The parts under phantoms add up to what a completion explodes; wrapping a phantom in phantoms changes nothing."""
        parts = [make_item() for _ in range(3)]
        phantom = make_phantom()
        active(phantom, *lines(parts, inner), makes=inner_makes)
        for _ in range(depth):
            outer = make_phantom()
            active(outer, spec(phantom))
            phantom = outer
        top = make_item()
        bom = active(top, *lines(parts, own), spec(phantom, "2"), makes=makes)

        tree = bom_tree(bom_id=bom.pk)
        recipe = recipe_of_bom(item=top, on=timezone.localdate())

        summed = {}
        for row in tree.rows[1:]:
            if not row.is_phantom:
                summed[row.item.id] = summed.get(row.item.id, Fraction(0)) + row.quantity
        expected = {}
        for part, quantity, loss in own:
            rate = Fraction(quantity) / Fraction(makes) * (1 + Fraction(loss) / 100)
            expected[parts[part].pk] = expected.get(parts[part].pk, Fraction(0)) + rate
        for part, quantity, loss in inner:
            rate = Fraction(quantity) / Fraction(inner_makes) * (1 + Fraction(loss) / 100) * 2 / Fraction(makes)
            expected[parts[part].pk] = expected.get(parts[part].pk, Fraction(0)) + rate
        assert summed == expected
        assert {rate.component_id: rate.per_unit for rate in recipe.rates} == expected


def lines(parts, rows):
    return [spec(parts[number], quantity, scrap_percent=loss) for number, quantity, loss in rows]
