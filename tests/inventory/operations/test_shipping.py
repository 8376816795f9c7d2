from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import (
    InsufficientStock,
    LotExpired,
    NegativeNotAllowed,
    PickReasonRequired,
    ReservedByOther,
)
from inventory.models import CostPool, Posting, Reservation, ReservationChange, StockBalance
from inventory.operations import shipping
from inventory.operations.posting import claim_posting
from inventory.operations.reserving import reserve_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.shipping import ShipmentLine, ship_stock
from inventory.reads.lot_ends import lot_ends
from tests.factories import lot_of, make_item, make_location, make_user, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def line(item, place, quantity, **rest):
    return ShipmentLine(item=item, location=place, quantity=Decimal(quantity), **rest)


def ship(*lines, **rest):
    return ship_stock(**{"key": uuid4(), "lines": lines, "actor": None, **rest})


def promise(item, place, quantity, *, ref="1", **rest):
    reserve_stock(
        item=item, location=place, quantity=Decimal(quantity), demand_kind="order", demand_ref=ref, actor=None, **rest
    )


def promised(ref="1"):
    return [(r.is_pinned, r.quantity) for r in Reservation.objects.filter(demand_ref=ref).order_by("id")]


@pytest.fixture
def site(db):
    return make_location(code="SITE")


def test_takes_every_line_at_cost_and_answers_the_same_again(site):
    jar, wax = make_item(sku="JAR"), make_item(sku="WAX")
    put_on_hand(jar, site, "3", value="10.00")
    put_on_hand(wax, site, "4", value="8.00")
    key = uuid4()
    lines = (line(jar, site, 1), line(wax, site, 2))

    first = ship(*lines, key=key, reference="SO-1")
    again = ship(*lines, key=key, reference="SO-1")

    assert (first.value, first.posting.kind, first.posting.reference) == (Decimal("7.33"), "shipment", "SO-1")
    assert (again.posting, again.value, again.replayed) == (first.posting, Decimal("7.33"), True)
    assert (on_hand(jar), on_hand(wax)) == (2, 2)


def test_two_lines_of_one_item_do_not_take_the_same_stock_twice(site):
    item = make_item(sku="JAR")
    bins = [make_location(code=code, parent=site) for code in ("A", "B")]
    put_on_hand(item, bins[0], "3", value="3.00")
    put_on_hand(item, bins[1], "2", value="2.00")

    ship(line(item, bins[0], 2), line(item, site, 3))

    assert on_hand(item) == 0
    assert CostPool.objects.get(item=item).value == 0


def test_a_line_takes_only_from_its_own_place(site):
    item, other = make_item(sku="JAR"), make_location(code="OTHER")
    put_on_hand(item, site, "1")
    put_on_hand(item, other, "5")

    with pytest.raises(InsufficientStock, match="SITE holds 1 pcs of JAR; 2 are needed"):
        ship(line(item, site, 2), line(item, other, 1))

    assert on_hand(item) == 6


def test_all_shortages_are_told_and_nothing_is_written(site):
    jar, wax, lid = make_item(sku="JAR"), make_item(sku="WAX"), make_item(sku="LID")
    put_on_hand(jar, site, "3")
    put_on_hand(lid, site, "9")
    postings = Posting.objects.count()

    with pytest.raises(InsufficientStock) as refusal:
        ship(line(jar, site, 5), line(wax, site, 1), line(lid, site, 9))

    assert [(one["item"], one["needed"], one["on_hand"]) for one in refusal.value.context["short"]] == [
        ("JAR", "5", "3"),
        ("WAX", "1", "0"),
    ]
    assert "5 are needed" in refusal.value.message
    assert "1 are needed" in refusal.value.message
    assert Posting.objects.count() == postings
    assert (on_hand(jar), on_hand(lid)) == (3, 9)


def test_uses_up_its_pins_first_and_then_its_soft_promises_by_what_was_shipped_beyond(site):
    item = make_item(sku="JAR")
    put_on_hand(item, site, "20")
    promise(item, site, 4, pinned=True)
    promise(item, site, 6)
    promise(item, site, 5, ref="2")

    result = ship(line(item, site, 7), demand=("order", "1"))

    assert promised() == [(True, 0), (False, 3)]
    assert promised("2") == [(False, 5)]
    changes = ReservationChange.objects.filter(reason=f"fulfilled by posting {result.posting.pk}")
    assert sorted(changes.values_list("quantity", flat=True)) == [-4, -3]


def test_soft_promises_of_the_shipping_site_go_before_those_elsewhere(site):
    item, other = make_item(), make_location()
    put_on_hand(item, site, "10")
    promise(item, other, 3)
    promise(item, site, 3)

    ship(line(item, site, 4), demand=("order", "1"))

    assert promised() == [(False, 2), (False, 0)]


def test_what_others_pinned_is_not_shipped(site):
    item = make_item(sku="JAR")
    put_on_hand(item, site, "5")
    promise(item, site, 4, ref="2", pinned=True)

    with pytest.raises(ReservedByOther, match="of which 4 are reserved"):
        ship(line(item, site, 2), demand=("order", "1"))

    assert (on_hand(item), promised("2")) == (5, [(True, 4)])


def test_minimum_shelf_life_passes_over_lots_that_are_too_old(site):
    today = timezone.localdate()
    item = make_item(sku="WAX", tracking="lot")
    put_on_hand(item, site, "5", lot="OLD", expires_on=today + timedelta(days=9))
    put_on_hand(item, site, "5", lot="NEW", expires_on=today + timedelta(days=10))

    ship(line(item, site, 3), shelf_life_days_min=10)

    assert (on_hand(item, lot="OLD"), on_hand(item, lot="NEW")) == (5, 2)
    with pytest.raises(InsufficientStock, match="5 of them good for less than 10 days"):
        ship(line(item, site, 3), shelf_life_days_min=10)
    with pytest.raises(LotExpired, match="at least 10 days more"):
        ship(line(item, site, 1, lots=[(lot_of(item, "OLD"), Decimal(1))]), shelf_life_days_min=10, reason="asked for")
    assert on_hand(item) == 7


def test_lots_out_of_order_need_a_reason(site):
    item = make_item(sku="WAX", tracking="lot")
    put_on_hand(item, site, "5", lot="A")
    put_on_hand(item, site, "5", lot="B")
    lots = [(lot_of(item, "B"), Decimal(2))]

    with pytest.raises(PickReasonRequired):
        ship(line(item, site, 2, lots=lots))
    ship(line(item, site, 2, lots=lots), reason="the customer asked for it")

    assert on_hand(item, lot="B") == 3


def test_goes_below_zero_where_the_item_the_person_and_a_reason_allow_it(site):
    glue, jar = make_item(sku="GLUE", negative_allowed=True), make_item(sku="JAR")
    put_on_hand(glue, site, "1", value="2.00")

    with pytest.raises(NegativeNotAllowed):
        ship(line(glue, site, 3), may_go_below=True, reason="late", actor=make_user(role="operator"))
    with pytest.raises(InsufficientStock, match="JAR"):
        ship(line(glue, site, 3), line(jar, site, 1), may_go_below=True, reason="not booked yet")
    assert on_hand(glue) == 1
    result = ship(line(glue, site, 3), may_go_below=True, reason="not booked yet")

    assert (on_hand(glue), result.value) == (-2, Decimal("6.00"))


def test_undo_puts_goods_and_value_back_and_makes_no_promise_again(site):
    item = make_item(cost_method="fifo")
    put_on_hand(item, site, "2", value="2.00")
    put_on_hand(item, site, "4", value="8.00")
    promise(item, site, 3, pinned=True)
    posting = ship(line(item, site, 5), demand=("order", "1")).posting

    reverse_posting(key=uuid4(), posting=posting, actor=None)

    assert on_hand(item) == 6
    assert CostPool.objects.get(item=item).value == 10
    assert promised() == [(True, 0)]


def test_what_leaves_each_site_uses_up_that_sites_promises(site):
    item, other = make_item(), make_location()
    put_on_hand(item, site, "10")
    put_on_hand(item, other, "10")
    for place, quantity in ((site, 8), (other, 5)):
        promise(item, place, quantity)

    ship(line(item, site, 1), line(item, other, 5), demand=("order", "1"))

    assert promised() == [(False, 7), (False, 0)]


def test_what_goes_beyond_a_sites_own_promise_uses_up_those_elsewhere(site):
    item, other = make_item(), make_location()
    put_on_hand(item, site, "10")
    put_on_hand(item, other, "10")
    promise(item, site, 4)
    promise(item, other, 6)

    ship(line(item, site, 5), line(item, other, 4), demand=("order", "1"))

    assert promised() == [(False, 0), (False, 1)]


def test_keeps_what_it_was_for_whether_or_not_anything_was_promised(site):
    item = make_item(sku="JAR")
    put_on_hand(item, site, "9")
    promise(item, site, "2", ref="SOFT")
    promise(item, site, "2", ref="PINNED", pinned=True)

    kept = [
        ship(line(item, site, 2), demand=("order", reference)).posting.pk for reference in ("SOFT", "PINNED", "NONE")
    ]
    nameless = ship(line(item, site, 1)).posting

    wanted = ["order SOFT", "order PINNED", "order NONE"]
    assert [Posting.objects.get(pk=pk).demand for pk in kept] == wanted
    assert Posting.objects.get(pk=nameless.pk).demand == ""
    lot = StockBalance.objects.filter(item=item).first().lot
    assert [end.demands for end in lot_ends(lots=[lot]) if end.kind == "shipment"] == [
        *((name,) for name in wanted),
        (),
    ]


def test_a_shipment_of_before_says_what_the_log_of_its_promises_says(site, monkeypatch):
    item = make_item(sku="JAR")
    put_on_hand(item, site, "9")
    promise(item, site, "2", ref="OLD", pinned=True)
    monkeypatch.setattr(shipping, "claim_posting", lambda **values: claim_posting(**{**values, "demand": None}))

    ship(line(item, site, 2), demand=("order", "OLD"))

    lot = StockBalance.objects.filter(item=item).first().lot
    assert [end.demands for end in lot_ends(lots=[lot])] == [(), ("order OLD",)]
