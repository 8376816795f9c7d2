"""Purchase orders: written, placed, received in parts, closed, cancelled, opened again."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import IdempotencyMismatch, InvalidQuantity, InvalidQuantityStep, OverReceipt, WrongState
from inventory.invariants import order_lines_count_their_receipts
from inventory.models import CostPool, LandedCost, Movement, Posting, PurchaseOrder, PurchaseReceiptLine
from inventory.operations.issuing import issue_stock
from inventory.operations.purchasing import (
    OrderLineSpec,
    cancel_order,
    change_order,
    close_order,
    close_order_line,
    draft_order,
    place_order,
    reopen_order,
)
from inventory.operations.receiving_orders import Arrival, Charge, receive_order
from inventory.operations.reversing import reverse_posting
from inventory.reads.incoming import incoming
from tests.factories import make_item, make_location, make_order, make_supplier, make_unit, make_user, on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def receive(order, quantity, *, line=None, **rest):
    row = line or order.lines.first()
    named = {name: rest.pop(name) for name in ("lot_code", "location", "expires_on") if name in rest}
    return receive_order(
        key=rest.pop("key", uuid4()),
        order=order,
        arrivals=[Arrival(row, Decimal(quantity), **named)],
        actor=rest.pop("actor", None),
        **rest,
    )


def state(order):
    order.refresh_from_db()
    return order.state


def received(order):
    return [line.received for line in order.lines.order_by("id")]


def test_a_draft_keeps_what_was_typed_and_the_exact_quantity():
    jar = make_item(sku="JAR")
    make_unit(item=jar, name="carton", numerator="24")

    order = draft_order(
        supplier=make_supplier(),
        location=make_location(),
        lines=[OrderLineSpec(jar, Decimal("2.5"), "carton", Decimal("36.00"))],
        actor=None,
    )

    line = order.lines.get()
    assert order.number == f"PO-{order.pk:06d}"
    assert (line.typed_quantity, line.unit, line.quantity, line.value) == (Decimal("2.5"), "carton", 60, 36)
    assert (order.state, incoming(items=[jar.pk])) == ("draft", {})


def test_refuses_lines_that_cannot_be():
    jar = make_item()
    for spec, error in [
        (OrderLineSpec(jar, Decimal("0.5")), InvalidQuantityStep),
        (OrderLineSpec(jar, Decimal(0)), InvalidQuantity),
        (OrderLineSpec(jar, Decimal(1), value=Decimal("0.001")), InvalidQuantity),
    ]:
        with pytest.raises(error):
            draft_order(supplier=make_supplier(), location=make_location(), lines=[spec], actor=None)
    assert not PurchaseOrder.objects.exists()


def test_a_placed_order_is_expected_after_the_lead_times():
    slow, jar = make_item(), make_item()
    supplier = make_supplier(lead_time_days=7)
    supplier.items.create(item=slow, lead_time_days=30)
    order = draft_order(
        supplier=supplier,
        location=make_location(),
        lines=[OrderLineSpec(slow, Decimal(1)), OrderLineSpec(jar, Decimal(2))],
        actor=None,
    )

    place_order(order=order, actor=None, ordered_on=date(2026, 3, 1))

    found = incoming(items=[slow.pk, jar.pk])
    assert {pk: (rows[0].expected_on, rows[0].quantity) for pk, rows in found.items()} == {
        slow.pk: (date(2026, 3, 31), 1),
        jar.pk: (date(2026, 3, 8), 2),
    }
    assert (found[jar.pk][0].source, found[jar.pk][0].reference) == ("purchase", order.number)


def test_parts_sum_to_the_price_of_the_line():
    order = make_order([(make_item(), "3", "10.00")])

    values = [receive(order, "1").posting.movements.get().value for _ in range(3)]

    assert values == [Decimal("3.33"), Decimal("3.34"), Decimal("3.33")]
    assert (state(order), received(order)) == ("received", [3])


def test_parts_sum_to_the_price_also_when_one_was_taken_back():
    order = make_order([(make_item(), "3", "10.00")])
    first = receive(order, "1").posting
    receive(order, "1")
    reverse_posting(key=uuid4(), posting=first, actor=None)

    assert receive(order, "2").posting.movements.get().value == Decimal("6.66")
    assert CostPool.objects.get().value == 10


def test_a_line_without_a_price_comes_in_at_an_unknown_cost_and_may_get_one_for_the_rest():
    item = make_item()
    order = make_order([(item, "10", None)])
    assert receive(order, "4").posting.movements.get().value is None
    line = order.lines.get()

    change_order(
        order=order,
        supplier=order.supplier,
        location=order.location,
        lines=[OrderLineSpec(item, Decimal(10), value=Decimal("20.00"), line=line.pk)],
        actor=None,
    )

    assert receive(order, "6").posting.movements.get().value == 12


def test_several_lots_of_one_line_and_several_places():
    item = make_item(tracking="lot", inspection_required=True)
    order = make_order([(item, "10", "10.00")])
    line, other = order.lines.get(), make_location()

    result = receive_order(
        key=uuid4(),
        order=order,
        arrivals=[
            Arrival(line, Decimal(4), lot_code="A", expires_on=date(2030, 1, 31)),
            Arrival(line, Decimal(6), location=other, lot_code="B"),
        ],
        actor=None,
    )

    moved = [(m.lot.code, m.location, m.status, m.value) for m in result.posting.movements.order_by("id")]
    assert moved == [("A", order.location, "qc_hold", 4), ("B", other, "qc_hold", 6)]
    assert (result.posting.kind, result.posting.reference) == ("receipt", order.number)
    assert PurchaseReceiptLine.objects.count() == 2


def test_more_than_was_ordered_needs_the_privilege_and_a_reason():
    order = make_order([(make_item(sku="JAR"), "10", "20.00")])
    operator, planner = make_user(role="operator"), make_user(role="planner")
    postings = Posting.objects.count()

    for actor, reason, words in [
        (operator, "sent more", "10 pcs of JAR are outstanding, 12 came in. You may not"),
        (planner, " ", "needs a reason"),
    ]:
        with pytest.raises(OverReceipt, match=words):
            receive(order, "12", actor=actor, reason=reason)
    assert (Posting.objects.count(), received(order)) == (postings, [0])

    receive(order, "12", actor=planner, reason="sent more")

    assert (state(order), received(order), CostPool.objects.get().value) == ("received", [12], 24)
    receive(order, "1", actor=planner, reason="found in the box")
    assert received(order) == [13]


def test_undoing_a_receipt_opens_the_order_again():
    item = make_item()
    order = make_order([(item, "10", "20.00")])
    posting = receive(order, "10").posting
    assert state(order) == "received"

    reverse_posting(key=uuid4(), posting=posting, actor=None)

    assert (state(order), received(order), order.closed_at) == ("ordered", [0], None)
    assert incoming(items=[item.pk])[item.pk][0].quantity == 10
    assert PurchaseReceiptLine.objects.get().is_reversed
    receive(order, "10")
    assert state(order) == "received"


def test_closing_a_line_and_the_order_short():
    one, other = make_item(), make_item()
    order = make_order([(one, "10", None), (other, "5", None)])
    first, second = order.lines.order_by("id")

    close_order_line(order=order, line=first.pk, actor=None)
    assert list(incoming(items=[one.pk, other.pk])) == [other.pk]
    with pytest.raises(WrongState, match="is closed"):
        receive(order, "1", line=first)
    receive(order, "2", line=second)
    close_order(order=order, actor=None, reason="sold out")

    assert (state(order), order.note) == ("closed", "Closed short: sold out")
    with pytest.raises(WrongState, match="Open it again"):
        receive(order, "3", line=second)
    reopen_order(order=order, actor=None)
    assert (state(order), incoming(items=[one.pk, other.pk])[other.pk][0].quantity) == ("ordered", 3)


def test_an_order_is_received_when_the_rest_of_it_is_closed():
    order = make_order([(make_item(), "10", None)])
    receive(order, "4")

    close_order_line(order=order, line=order.lines.get().pk, actor=None)

    assert state(order) == "received"


def test_only_what_nothing_came_in_of_is_cancelled():
    order, started = make_order([(make_item(), "10", None)]), make_order([(make_item(sku="JAR"), "10", None)])
    receive(started, "1")

    cancel_order(order=order, actor=None)
    with pytest.raises(WrongState, match=r"1 pcs of JAR .* came in\. Close it short"):
        cancel_order(order=started, actor=None)

    assert (state(order), state(started)) == ("cancelled", "ordered")
    with pytest.raises(WrongState, match="cancelled"):
        receive(order, "1")
    reopen_order(order=order, actor=None)
    assert state(order) == "ordered"


def test_a_draft_is_not_received_and_an_order_not_placed_twice():
    order = make_order([(make_item(), "10", None)], placed=False)
    with pytest.raises(WrongState, match="Place it first"):
        receive(order, "1")

    place_order(order=order, actor=None)
    with pytest.raises(WrongState, match="only an order that is draft can be placed"):
        place_order(order=order, actor=None)


def test_changing_an_order_keeps_what_came_in():
    one, other, new = make_item(sku="ONE"), make_item(), make_item()
    order = make_order([(one, "10", "20.00"), (other, "5", None)])
    first, second = order.lines.order_by("id")
    receive(order, "4", line=first)
    rest = {"order": order, "supplier": order.supplier, "location": order.location, "actor": None}

    for lines in [
        [OrderLineSpec(other, Decimal(5), line=second.pk)],
        [OrderLineSpec(one, Decimal(9), value=Decimal("20.00"), line=first.pk)],
    ]:
        with pytest.raises(WrongState, match="4 pcs of ONE came in"):
            change_order(lines=lines, **rest)
    change_order(
        lines=[
            OrderLineSpec(one, Decimal(10), value=Decimal("20.00"), line=first.pk),
            OrderLineSpec(new, Decimal(7)),
        ],
        **rest,
    )

    assert [(line.item, line.quantity, line.received) for line in order.lines.order_by("id")] == [
        (one, 10, 4),
        (new, 7, 0),
    ]


def test_charges_are_spread_over_the_receipt_at_once():
    one, other = make_item(), make_item()
    order = make_order([(one, "10", "30.00"), (other, "10", "10.00")])
    first, second = order.lines.order_by("id")

    result = receive_order(
        key=uuid4(),
        order=order,
        arrivals=[Arrival(first, Decimal(10)), Arrival(second, Decimal(10))],
        charges=[Charge(Decimal("8.00")), Charge(Decimal("1.00"), kind="duty", basis="quantity")],
        actor=None,
    )

    assert [CostPool.objects.get(item=item).value for item in (one, other)] == [Decimal("36.50"), Decimal("12.50")]
    assert [posting.related for posting in result.charges] == [result.posting] * 2
    assert LandedCost.objects.count() == 2


def test_the_same_key_receives_once_also_when_the_order_is_done():
    order, key = make_order([(make_item(), "10", "20.00")]), uuid4()

    first, second = receive(order, "10", key=key), receive(order, "10", key=key)

    assert (first.replayed, second.replayed, first.posting) == (False, True, second.posting)
    assert received(order) == [10]
    with pytest.raises(IdempotencyMismatch):
        receive(order, "9", key=key)


def test_a_refused_receipt_leaves_nothing():
    item = make_item(tracking="lot")
    order = make_order([(item, "10", "20.00")])

    with pytest.raises(Exception, match="tracked by lot"):
        receive(order, "5")

    assert (Posting.objects.count(), Movement.objects.count(), received(order)) == (0, 0, [0])


def test_a_receipt_that_was_used_is_not_taken_back_and_still_counts():
    item = make_item()
    order = make_order([(item, "10", "20.00")])
    posting = receive(order, "10").posting
    issue_stock(key=uuid4(), item=item, location=order.location, quantity=Decimal(1), actor=None)

    with pytest.raises(Exception, match="cannot be reversed"):
        reverse_posting(key=uuid4(), posting=posting, actor=None)

    assert (state(order), received(order), on_hand(item)) == ("received", [10], 9)


def test_incoming_is_one_statement_for_any_number_of_items(django_assert_num_queries):
    items = [make_item() for _ in range(20)]
    make_order([(item, "5", None) for item in items], expected_on=timezone.localdate() + timedelta(days=3))

    with django_assert_num_queries(1):
        assert len(incoming(items=[item.pk for item in items])) == 20
    with django_assert_num_queries(1):
        assert len(incoming(items=[items[0].pk])) == 1
    with django_assert_num_queries(0):
        assert incoming(items=[]) == {}


def test_a_line_that_counts_more_than_came_in_is_found():
    order = make_order([(make_item(), "10", "20.00")])
    receive(order, "4")
    order.lines.update(received=5)

    assert order_lines_count_their_receipts() == [
        f"{order.number}, line {order.lines.get().pk}: 5.000000 received, its receipts sum to 4.000000"
    ]
    order.lines.update(received=4)
