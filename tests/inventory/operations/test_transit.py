from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import AlreadyReversed, InsufficientStock, InvalidQuantity, WrongState
from inventory.models import CostEntry, CostPool, Location, Posting, StockTransfer
from inventory.operations.reserving import reserve_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transit import (
    Arrival,
    DispatchLine,
    dispatch_transfer,
    receive_transfer,
    return_transfer,
)
from inventory.reads.transit import in_transit
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def places(db):
    return make_location(code="WORKSHOP"), make_location(code="SHOP")


def send(places, *lines, **rest):
    source, target = places
    given = {"key": uuid4(), "actor": None, **rest}
    wanted = [DispatchLine(item, Decimal(quantity), **more) for item, quantity, more in lines]
    return dispatch_transfer(source=source, target=target, lines=wanted, **given)


def arrive(transfer, *figures, key=None, loss_reason="fell off", **rest):
    """`figures` are (received, lost) for each line in order."""
    arrivals = [
        Arrival(line, Decimal(received), Decimal(lost))
        for line, (received, lost) in zip(transfer.lines.order_by("id"), figures, strict=True)
    ]
    return receive_transfer(
        key=key or uuid4(), transfer=transfer, arrivals=arrivals, actor=None, loss_reason=loss_reason, **rest
    )


def lines_of(transfer):
    return [(line.quantity, line.received, line.lost) for line in transfer.lines.order_by("id")]


def state(transfer):
    return StockTransfer.objects.get(pk=transfer.pk).state


def undo(posting):
    return reverse_posting(key=uuid4(), posting=posting, actor=None)


def test_goods_stand_on_the_road_and_are_available_nowhere(places):
    item = make_item(tracking="lot")
    shelf = make_location(parent=places[0])
    put_on_hand(item, places[0], "3", lot="A", value="3.00")
    put_on_hand(item, shelf, "4", lot="A", value="4.00")
    put_on_hand(item, shelf, "4", lot="B", value="8.00", status="qc_hold")

    result = send(places, (item, 5, {}), (item, 4, {"status": "qc_hold", "lots": [(lot_of(item, "B"), Decimal(4))]}))

    transfer = result.transfer
    road = Location.objects.get(kind="in_transit")
    assert (transfer.number, transfer.transit, road.code) == (f"TR-{transfer.pk:06d}", road, "TRANSIT")
    assert not road.is_sellable
    assert [(line.lot.code, line.status, line.quantity) for line in transfer.lines.all()] == [
        ("A", "available", 5),
        ("B", "qc_hold", 4),
    ]
    assert (on_hand(item, location=road), on_hand(item)) == (9, 11)
    assert CostPool.objects.get(item=item).value == 15


def test_arrives_in_parts_and_what_was_lost_is_written_off(places):
    item, other = make_item(cost_method="fifo"), make_item()
    put_on_hand(item, places[0], "4", value="4.00")
    put_on_hand(item, places[0], "4", value="8.00")
    put_on_hand(other, places[0], "2", value="2.00")
    transfer = send(places, (item, 6, {}), (other, 2, {})).transfer

    first = arrive(transfer, (3, 1), (0, 0))
    assert (state(transfer), lines_of(transfer)) == ("in_transit", [(6, 3, 1), (2, 0, 0)])
    assert (first.posting.kind, first.loss.kind, first.loss.reason) == ("transfer", "scrap", "fell off")
    last = arrive(transfer, (2, 0), (0, 2))

    assert (state(transfer), lines_of(transfer)) == ("received", [(6, 5, 1), (2, 0, 2)])
    assert (on_hand(item, location=places[1]), on_hand(item), on_hand(other)) == (5, 7, 0)
    assert [entry.amount for entry in CostEntry.objects.order_by("id")] == [Decimal("1.00"), Decimal("2.00")]
    assert last.transfer.closed_at == last.posting.effective_at


def test_more_than_is_on_the_road_does_not_arrive(places):
    item = make_item(sku="JAR")
    put_on_hand(item, places[0], "5")
    transfer = send(places, (item, 5, {})).transfer
    arrive(transfer, (3, 0))
    postings = Posting.objects.count()

    with pytest.raises(InvalidQuantity, match="2 pcs of JAR are on the road"):
        arrive(transfer, (2, 1))
    with pytest.raises(InvalidQuantity, match="at least one line"):
        arrive(transfer, (0, 0))
    with pytest.raises(InvalidQuantity, match="needs a reason"):
        arrive(transfer, (0, 1), loss_reason=" ")

    assert (Posting.objects.count(), lines_of(transfer)) == (postings, [(5, 3, 0)])


def test_the_same_requests_again_move_once(places):
    item = make_item()
    put_on_hand(item, places[0], "5", value="5.00")
    sent, came, back = uuid4(), uuid4(), uuid4()

    transfer = send(places, (item, 5, {}), key=sent).transfer
    assert send(places, (item, 5, {}), key=sent).transfer == transfer
    one = arrive(transfer, (2, 1), key=came)
    again = arrive(transfer, (2, 1), key=came)
    assert (again.posting, again.loss, again.replayed) == (one.posting, one.loss, True)
    first = return_transfer(key=back, transfer=transfer, actor=None)
    assert return_transfer(key=back, transfer=transfer, actor=None).posting == first.posting

    assert (on_hand(item, location=places[0]), on_hand(item, location=places[1])) == (2, 2)


def test_what_is_still_on_the_road_comes_back_and_closes_it(places):
    item = make_item()
    put_on_hand(item, places[0], "5", value="5.00")
    transfer = send(places, (item, 5, {})).transfer
    arrive(transfer, (2, 0))

    return_transfer(key=uuid4(), transfer=transfer, actor=None, reason="no room")

    assert (state(transfer), on_hand(item, location=places[0])) == ("cancelled", 3)
    with pytest.raises(WrongState, match="is cancelled"):
        return_transfer(key=uuid4(), transfer=transfer, actor=None)
    with pytest.raises(WrongState, match="is cancelled"):
        arrive(transfer, (1, 0))


def test_every_short_line_is_told_and_nothing_leaves(places):
    jar, wax = make_item(sku="JAR"), make_item(sku="WAX")
    put_on_hand(jar, places[0], "1")

    with pytest.raises(InsufficientStock) as refusal:
        send(places, (jar, 1, {}), (jar, 1, {}), (wax, 2, {}))

    assert [one["item"] for one in refusal.value.context["short"]] == ["JAR", "WAX"]
    assert not StockTransfer.objects.exists()


def test_pinned_stock_stays(places):
    item = make_item()
    put_on_hand(item, places[0], "5")
    reserve_stock(
        item=item, location=places[0], quantity=Decimal(4), demand_kind="order", demand_ref="1", actor=None, pinned=True
    )

    with pytest.raises(Exception, match="of which 4 are reserved"):
        send(places, (item, 2, {}))

    assert on_hand(item, location=places[0]) == 5


def test_the_place_on_the_road_must_be_one(places):
    item = make_item()
    put_on_hand(item, places[0], "5")
    one = make_location(kind="in_transit", is_sellable=False)
    make_location(kind="in_transit", is_sellable=False)

    with pytest.raises(WrongState, match="several places"):
        send(places, (item, 1, {}))
    with pytest.raises(WrongState, match="no place for goods on the road"):
        send(places, (item, 1, {}), transit=make_location())
    with pytest.raises(WrongState, match="both source and target"):
        send((places[0], places[0]), (item, 1, {}), transit=one)

    assert send(places, (item, 1, {}), transit=one).transfer.transit == one


def test_undo_of_a_dispatch_brings_everything_back_and_cancels_the_transfer(places):
    item, shelf = make_item(), make_location(parent=places[0])
    put_on_hand(item, shelf, "5", value="5.00")
    sent = send(places, (item, 5, {}))

    undo(sent.posting)

    assert (state(sent.transfer), on_hand(item, location=shelf)) == ("cancelled", 5)
    with pytest.raises(AlreadyReversed):
        undo(sent.posting)


def test_undo_of_arrivals_and_losses_puts_goods_on_the_road_again(places):
    item = make_item()
    put_on_hand(item, places[0], "5", value="5.00")
    sent = send(places, (item, 5, {}))
    transfer = sent.transfer
    arrived = arrive(transfer, (3, 2))

    with pytest.raises(WrongState, match="has arrivals, losses"):
        undo(sent.posting)
    undo(arrived.loss)
    assert (state(transfer), lines_of(transfer)) == ("in_transit", [(5, 3, 0)])
    undo(arrived.posting)
    assert (state(transfer), lines_of(transfer), StockTransfer.objects.get().closed_at) == (
        "in_transit",
        [(5, 0, 0)],
        None,
    )
    arrive(transfer, (5, 0))

    assert (state(transfer), on_hand(item, location=places[1])) == ("received", 5)
    assert sum(entry.amount for entry in CostEntry.objects.all()) == 0


def test_after_goods_came_back_earlier_steps_wait_for_that_to_be_undone(places):
    item = make_item()
    put_on_hand(item, places[0], "5", value="5.00")
    transfer = send(places, (item, 5, {})).transfer
    arrived = arrive(transfer, (2, 0))
    back = return_transfer(key=uuid4(), transfer=transfer, actor=None)

    with pytest.raises(WrongState, match="went back to WORKSHOP"):
        undo(arrived.posting)
    assert on_hand(item, location=places[1]) == 2
    undo(back.posting)
    assert (state(transfer), lines_of(transfer)) == ("in_transit", [(5, 2, 0)])
    undo(arrived.posting)

    assert lines_of(transfer) == [(5, 0, 0)]


def test_nothing_arrives_before_it_left(places):
    item = make_item()
    put_on_hand(item, places[0], "5")
    transfer = send(places, (item, 5, {})).transfer

    with pytest.raises(WrongState, match="did not arrive before"):
        arrive(transfer, (5, 0), effective_at=timezone.now() - timedelta(minutes=5))


def test_ages_are_counted_from_the_dispatch_and_old_and_late_ones_are_pointed_out(places, settings):
    settings.TRANSIT_DAYS_MAX = 7
    item, now = make_item(), timezone.now()
    put_on_hand(item, places[0], "9", effective_at=now - timedelta(days=30))
    for days, expected in ((8, None), (7, None), (1, -1)):
        expected_on = None if expected is None else timezone.localdate() + timedelta(days=expected)
        send(places, (item, 2, {}), effective_at=now - timedelta(days=days, minutes=1), expected_on=expected_on)
    done = send(places, (item, 1, {})).transfer
    arrive(done, (1, 0))

    found = in_transit()

    assert [(one.age_days, one.is_old, one.is_late) for one in found] == [
        (8, True, False),
        (7, False, False),
        (1, False, True),
    ]
    assert all(len(one.lines) == 1 for one in found)


def test_what_is_in_transit_costs_two_queries_for_any_number(places, django_assert_num_queries):
    item = make_item()
    put_on_hand(item, places[0], "50")
    send(places, (item, 1, {}))
    with django_assert_num_queries(2):
        assert len(in_transit()) == 1
    for _ in range(19):
        send(places, (item, 1, {}))

    with django_assert_num_queries(2):
        assert len(in_transit()) == 20


def test_a_part_is_held_on_arrival_and_its_undo_puts_it_back_on_the_road(places):
    item = make_item()
    put_on_hand(item, places[0], "10", value="10.00")
    transfer = send(places, (item, 9, {})).transfer
    line = transfer.lines.get()
    arrivals = [
        Arrival(line, received=Decimal(4), lost=Decimal(1)),
        Arrival(line, received=Decimal(2), status="damaged"),
        Arrival(line, received=Decimal(1), status="qc_hold"),
    ]
    given = {"key": uuid4(), "transfer": transfer, "arrivals": arrivals, "loss_reason": "fell off", "actor": None}

    result = receive_transfer(**given)
    again = receive_transfer(**given)

    assert again.replayed
    assert again.posting == result.posting
    held = [on_hand(item, location=places[1], status=status) for status in ("available", "damaged", "qc_hold")]
    assert held == [4, 2, 1]
    assert lines_of(transfer) == [(9, 7, 1)]
    assert CostPool.objects.get(item=item).value == Decimal("9.00")
    undo(result.loss)
    undo(result.posting)
    assert lines_of(transfer) == [(9, 0, 0)]
    assert on_hand(item, location=places[1], status="damaged") == 0


@pytest.mark.parametrize(
    ("sent_as", "arrives_as", "match"),
    [
        ("available", "available", "cannot become Available on arrival"),
        ("available", "expired", "cannot become Expired on arrival"),
        ("damaged", "qc_hold", "was sent in TR-.* as Damaged"),
    ],
)
def test_other_statuses_on_arrival_are_refused_and_nothing_is_written(places, sent_as, arrives_as, match):
    item = make_item()
    put_on_hand(item, places[0], "5", status=sent_as)
    transfer = send(places, (item, 5, {"status": sent_as})).transfer
    postings = Posting.objects.count()

    with pytest.raises(WrongState, match=match):
        receive_transfer(
            key=uuid4(),
            transfer=transfer,
            arrivals=[Arrival(transfer.lines.get(), Decimal(1), status=arrives_as)],
            actor=None,
        )

    assert (Posting.objects.count(), lines_of(transfer)) == (postings, [(5, 0, 0)])


def test_parts_of_a_line_together_are_never_more_than_is_on_the_road(places):
    item = make_item()
    put_on_hand(item, places[0], "5")
    transfer = send(places, (item, 5, {})).transfer
    line = transfer.lines.get()
    postings = Posting.objects.count()

    with pytest.raises(InvalidQuantity, match="6 arrived and 0 lost is more"):
        receive_transfer(
            key=uuid4(),
            transfer=transfer,
            arrivals=[Arrival(line, Decimal(4)), Arrival(line, Decimal(2), status="damaged")],
            actor=None,
        )

    assert (Posting.objects.count(), lines_of(transfer)) == (postings, [(5, 0, 0)])


def test_what_has_a_day_is_too_long_under_way_only_after_it(places, settings):
    settings.TRANSIT_DAYS_MAX, settings.TRANSIT_LATE_DAYS_MAX = 7, 2
    item, now = make_item(), timezone.now()
    put_on_hand(item, places[0], "9", effective_at=now - timedelta(days=90))
    for expected in (32, 0, -2, -3):
        day = timezone.localdate() + timedelta(days=expected)
        send(places, (item, 1, {}), effective_at=now - timedelta(days=8, minutes=1), expected_on=day)

    found = in_transit()

    assert [(one.is_old, one.is_late, one.days_late, one.too_long) for one in found] == [
        (False, False, 0, ""),
        (False, False, 0, ""),
        (False, True, 2, ""),
        (True, True, 3, "more than 2 days past the expected day"),
    ]
