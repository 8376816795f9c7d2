"""Another cost method for an item with stock: the value stays, the way it leaves changes."""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.errors import WrongState
from inventory.models import CostLayer, CostPool, Movement, Posting
from inventory.operations.cost_methods import change_cost_method
from inventory.operations.issuing import issue_stock
from inventory.operations.landing_costs import add_landed_cost
from inventory.operations.rebuilding import rebuild_balances
from tests.factories import make_item, make_location, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def stocked(method, *, tracking="none"):
    item, place = make_item(cost_method=method, tracking=tracking), make_location()
    for quantity, value, lot in (("4", "10.00", "A"), ("6", "30.00", "B")):
        put_on_hand(item, place, quantity, value=value, lot=lot if tracking != "none" else "")
    return item, place


def change(item, method, **rest):
    return change_cost_method(key=rest.pop("key", uuid4()), item=item, method=method, actor=None, **rest)


def issue(item, place, quantity):
    return issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None).value


def pool(item):
    found = CostPool.objects.get(item=item, lot=None)
    return (found.method, found.quantity, found.value)


def queue(item):
    return list(CostLayer.objects.filter(item=item, quantity__gt=0).order_by("id").values_list("quantity", "value"))


def test_average_becomes_one_opening_layer():
    item, place = stocked("average")

    result = change(item, "fifo")

    item.refresh_from_db()
    assert (item.cost_method, pool(item), queue(item)) == ("fifo", ("fifo", 10, 40), [(10, 40)])
    assert (result.posting.kind, result.posting.movements.count()) == ("cost_correction", 0)
    put_on_hand(item, place, "5", value="50.00")
    assert issue(item, place, "11") == Decimal("50.00")


def test_layers_are_closed_when_the_average_counts_again():
    item, place = stocked("fifo")
    issue(item, place, "4")

    change(item, "average")

    assert (pool(item), queue(item)) == (("average", 6, 30), [])
    assert issue(item, place, "3") == 15


def test_lots_share_the_value_by_quantity():
    item, place = stocked("average", tracking="lot")

    change(item, "lot")

    lots = CostPool.objects.filter(item=item, lot__isnull=False, quantity__gt=0).order_by("lot__code")
    assert list(lots.values_list("quantity", "value")) == [(4, 16), (6, 24)]
    assert issue(item, place, "4") == 16


def test_each_lot_that_carried_its_cost_becomes_a_layer():
    item, place = stocked("lot", tracking="lot")

    change(item, "fifo")

    assert queue(item) == [(4, 10), (6, 30)]
    assert not CostPool.objects.filter(item=item, lot__isnull=False).exclude(quantity=0).exists()
    assert issue(item, place, "5") == 15


@pytest.mark.parametrize("way", [("average", "fifo", "lot", "average"), ("lot", "average", "fifo", "lot")])
def test_there_and_back_no_cent_is_lost(way):
    item, place = stocked(way[0], tracking="lot")
    issue(item, place, "3")
    value = pool(item)[2]

    for method in way[1:]:
        change(item, method)
        assert pool(item) == (method, 7, value)
        assert rebuild_balances(dry_run=True).differences == []
    assert issue(item, place, "7") == value


def test_a_late_cost_finds_what_came_in_before_the_change():
    item, place = stocked("average")
    first = Movement.objects.filter(item=item).order_by("id").first()
    change(item, "fifo")
    issue(item, place, "1")

    result = add_landed_cost(key=uuid4(), targets=[first], amount=Decimal("4.00"), actor=None)

    share = result.landed_cost.shares.get()
    assert (share.remaining, share.capitalised, share.expensed) == (3, 3, 1)
    assert pool(item) == ("fifo", 9, Decimal("39.00"))


def test_an_item_without_stock_just_changes():
    item = make_item()

    change(item, "fifo")
    put_on_hand(item, make_location(), "1", value="2.00")

    assert queue(item) == [(1, 2)]


def test_refuses_what_has_no_value_to_carry_over():
    unknown, below = make_item(sku="UNKNOWN"), make_item(sku="BELOW", negative_allowed=True)
    place = make_location()
    put_on_hand(unknown, place, "1")
    issue_stock(
        key=uuid4(), item=below, location=place, quantity=Decimal(1), actor=None, may_go_below=True, reason="late"
    )
    postings = Posting.objects.count()

    for item, method, words in [
        (unknown, "fifo", "UNKNOWN has units whose cost is not known"),
        (below, "fifo", "-1 pcs of BELOW are on hand"),
        (make_item(sku="JAR"), "lot", "JAR is not tracked by lot"),
    ]:
        with pytest.raises(WrongState, match=words):
            change(item, method)

    assert Posting.objects.count() == postings
    assert {i.cost_method for i in (unknown, below)} == {"average"}


def test_the_same_key_changes_once():
    item, _ = stocked("average")
    key = uuid4()

    assert [change(item, "fifo", key=key).replayed for _ in range(2)] == [False, True]
    assert CostLayer.objects.count() == 1


@pytest.mark.parametrize("method", ["fifo"])
def test_refuses_while_one_place_is_below_zero_though_others_hold_more(method):
    item, here, there = make_item(negative_allowed=True), make_location(), make_location()
    issue_stock(
        key=uuid4(), item=item, location=here, quantity=Decimal(5), actor=None, reason="used", may_go_below=True
    )
    put_on_hand(item, there, "10", value="10.00")
    item.negative_allowed = False
    item.save()

    with pytest.raises(WrongState):
        change(item, method)

    item.refresh_from_db()
    assert (item.cost_method, pool(item)[0], Posting.objects.filter(kind="cost_correction").count()) == (
        "average",
        "average",
        0,
    )
