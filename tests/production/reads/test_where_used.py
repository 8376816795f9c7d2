"""Where an item is used, directly and up to the products at the top."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from production.operations.boms import create_draft, retire_bom
from production.reads.where_used import where_used
from tests.factories import make_item
from tests.production.factories import make_bom
from tests.production.reads.structures import active, make_phantom, spec

pytestmark = pytest.mark.django_db


def test_direct_uses_show_drafts_and_plans_and_leave_out_what_is_retired():
    wax, candle, gift, old = make_item(), make_item(sku="CANDLE"), make_item(sku="GIFT"), make_item(sku="OLD")
    active(candle, spec(wax, "3"), makes="2")
    active(candle, spec(wax, "5"), on=timezone.localdate() + timedelta(days=3))
    create_draft(item=gift, lines=[spec(wax, "1")], actor=None)
    retire_bom(bom=active(old, spec(wax)), actor=None)

    direct = where_used(item_id=wax.pk).direct

    assert [(use.sku, use.version, use.state, use.is_in_force, use.per_unit) for use in direct] == [
        ("CANDLE", 2, "active", False, 5),
        ("CANDLE", 1, "active", True, Fraction(3, 2)),
        ("GIFT", 1, "draft", False, 1),
    ]
    assert "OLD" in [use.sku for use in where_used(item_id=wax.pk, with_retired=True).direct]


def test_all_ways_up_add_up_and_the_tops_are_known():
    wax, candle, trio, hamper = (make_item(sku=s) for s in ("WAX", "CANDLE", "TRIO", "HAMPER"))
    wrap = make_phantom("WRAP")
    active(candle, spec(wax, "2"))
    active(trio, spec(candle, "3"), spec(wax, "1"))
    active(wrap, spec(wax, "1"), makes="4")
    active(hamper, spec(trio, "2"), spec(candle, "1"), spec(wrap, "1"))

    found = where_used(item_id=wax.pk)

    assert [(use.sku, use.level, use.per_unit, use.is_top) for use in found.above] == [
        ("CANDLE", 1, 2, False),
        ("TRIO", 1, 7, False),
        ("WRAP", 1, Fraction(1, 4), False),
        ("HAMPER", 2, 16 + Fraction(1, 4), True),
    ]
    assert [use.sku for use in found.tops] == ["HAMPER"]


def test_an_item_is_added_up_only_when_all_below_it_is():
    """Fails when a user is taken up before its last component: the short way to AAA comes first, the long one later."""
    wax, near, far, top = make_item(), make_item(sku="AAA"), make_item(sku="ZZZ"), make_item(sku="TOP")
    active(far, spec(wax, "10"))
    active(near, spec(wax, "1"), spec(far, "1"))
    active(top, spec(near, "2"))

    found = where_used(item_id=wax.pk).above

    assert [(use.sku, use.level, use.per_unit) for use in found] == [("AAA", 1, 11), ("ZZZ", 1, 10), ("TOP", 2, 22)]


def test_an_item_used_nowhere_has_no_uses():
    found = where_used(item_id=make_item().pk)

    assert (found.direct, found.above) == ([], [])


def test_drafts_do_not_lead_further_up():
    wax, candle, gift = make_item(), make_item(), make_item()
    create_draft(item=candle, lines=[spec(wax)], actor=None)
    active(gift, spec(candle))

    assert where_used(item_id=wax.pk).above == []


def test_costs_the_same_queries_for_1_and_20_uses():
    counts = []
    for size in (1, 20):
        wax = make_item()
        for _ in range(size):
            middle = make_item()
            active(middle, spec(wax))
            active(make_item(), spec(middle))
        with CaptureQueriesContext(connection) as queries:
            assert len(where_used(item_id=wax.pk).above) == size * 2
        counts.append(len(queries))

    assert counts == [3, 3]


def test_versions_that_name_it_as_a_substitute_or_an_output_stand_beside():
    jar, glass, rest, candle, old = (make_item(sku=s) for s in ("JAR", "GLASS", "REST", "CANDLE", "OLD"))
    make_bom(item=candle, lines=[(jar, "1", {"substitutes": [(glass, "2")]})], outputs=[(rest, "0.5", 10)], makes="4")
    retire_bom(bom=make_bom(item=old, lines=[(jar, "1", {"substitutes": [(glass, "1")]})]), actor=None)

    def beside(item, **more):
        found = where_used(item_id=item.pk, **more)
        assert (found.direct, found.above) == ([], [])
        return [
            (use.sku, use.version, use.is_in_force, use.instead_of, use.quantity, use.output_label)
            for use in found.beside
        ]

    assert beside(glass) == [("CANDLE", 1, True, "JAR", 2, "")]
    assert beside(rest) == [("CANDLE", 1, True, "", Decimal("0.5"), "By-product")]
    assert [row[0] for row in beside(glass, with_retired=True)] == ["CANDLE", "OLD"]
