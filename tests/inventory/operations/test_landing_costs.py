"""Landed cost and prices that come late (rule S21)."""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.errors import IdempotencyMismatch, InvalidQuantity, NothingToSpreadOver, WrongState
from inventory.invariants import late_costs_equal_their_shares
from inventory.models import CostEntry, CostLayer, CostPool, LandedCost, LandedCostShare, Movement, Posting
from inventory.operations.adjusting import correct_cost
from inventory.operations.issuing import issue_stock
from inventory.operations.landing_costs import (
    ReceiptPrice,
    add_landed_cost,
    correct_prices,
    preview_landed_cost,
    preview_prices,
)
from inventory.operations.rebuilding import rebuild_balances
from inventory.operations.receiving import ReceiptLine, receive_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transferring import transfer_stock
from inventory.reads.tracking import posted_shares
from tests.factories import lot_of, make_item, make_location, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]

METHODS = ["average", "fifo", "lot"]


def make(method, **fields):
    return make_item(cost_method=method, tracking="lot" if method == "lot" else "none", **fields)


def receive(item, place, quantity, value=None, lot=""):
    """The movement that brought it in."""
    code = lot or ("L" if item.tracking != "none" else "")
    return put_on_hand(item, place, quantity, value=value, lot=code).movements.get(quantity__gt=0)


def issue(item, place, quantity):
    return issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None)


def land(targets, amount, **rest):
    return add_landed_cost(key=uuid4(), targets=targets, amount=Decimal(amount), actor=None, **rest)


def price(movement, value, **rest):
    return correct_prices(key=uuid4(), prices=[ReceiptPrice(movement, Decimal(value))], actor=None, **rest)


def pool(item):
    found = CostPool.objects.get(item=item, lot=None)
    return (found.quantity, found.value, found.unknown_quantity)


def parts(result):
    return list(LandedCostShare.objects.filter(landed_cost=result.landed_cost).values_list("capitalised", "expensed"))


def entries(posting):
    return sorted(CostEntry.objects.filter(posting=posting).values_list("kind", "amount"))


def sums_to_zero(posting):
    values = sum((m.value or 0 for m in posting.movements.all()), Decimal(0))
    return values + sum(entry.amount for entry in posting.cost_entries.all()) == 0


@pytest.mark.parametrize("method", METHODS)
def test_the_part_of_what_is_left_is_capitalised_and_the_rest_expensed(method):
    """W12: 100.00 by value over lines of 200.00 (all on hand) and 100.00 (half used)."""
    place = make_location()
    one, other = make(method), make(method)
    first, second = receive(one, place, "10", "200.00"), receive(other, place, "10", "100.00")
    issue(other, place, "5")

    result = land([first, second], "100.00")

    assert parts(result) == [(Decimal("66.67"), 0), (Decimal("16.67"), Decimal("16.66"))]
    assert pool(one) == (10, Decimal("266.67"), 0)
    assert pool(other) == (5, Decimal("66.67"), 0)
    assert entries(result.posting) == [
        ("landed_cost", Decimal("-66.67")),
        ("landed_cost", Decimal("-33.33")),
        ("landed_expense", Decimal("16.66")),
    ]
    assert sums_to_zero(result.posting)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_left_is_that_of_its_own_receipt_first_in_first_out(method):
    item, place = make(method), make_location()
    old = receive(item, place, "4", "10.00", lot="A"[: method == "lot"])
    new = receive(item, place, "6", "18.00", lot="B"[: method == "lot"])
    issue(item, place, "5")

    assert parts(land([old], "8.00")) == [(0, Decimal("8.00"))]
    assert parts(land([new], "6.00")) == [(Decimal("5.00"), Decimal("1.00"))]


@pytest.mark.parametrize("method", METHODS)
def test_a_credit_note_takes_no_more_than_there_is(method):
    item, place = make(method), make_location()
    movement = receive(item, place, "10", "20.00")

    result = land([movement], "-25.00", kind="other")

    assert parts(result) == [(Decimal("-20.00"), Decimal("-5.00"))]
    assert pool(item) == (10, 0, 0)
    assert sums_to_zero(result.posting)


def test_what_is_posted_is_what_the_preview_showed_with_what_used_it():
    item, place = make_item(), make_location()
    movement = receive(item, place, "10", "20.00")
    used = issue(item, place, "4").posting

    plan = preview_landed_cost(targets=[movement], amount=Decimal("10.00"), kind="freight", basis="value")
    assert not LandedCost.objects.exists()
    result = land([movement], "10.00")

    line = plan.lines[0]
    assert (line.remaining, line.capitalised, line.expensed) == (6, Decimal("6.00"), Decimal("4.00"))
    assert (line.unit_cost_before, line.unit_cost_after) == (2, 3)
    (use,) = line.uses
    assert (use.posting, use.quantity, use.share) == (used, 4, Decimal("4.00"))
    assert (use.recorded, use.true_cost) == (Decimal("8.00"), Decimal("12.00"))
    assert parts(result) == [(line.capitalised, line.expensed)]
    issue(item, place, "1")
    (posted,) = posted_shares(result.posting)
    assert [(u.posting, u.quantity, u.true_cost) for u in posted.uses] == [(used, 4, Decimal("12.00"))]


def test_a_transfer_uses_nothing():
    item, place = make_item(), make_location()
    movement = receive(item, place, "10", "20.00")
    transfer_stock(key=uuid4(), item=item, source=place, target=make_location(), quantity=Decimal(7), actor=None)

    assert parts(land([movement], "10.00")) == [(Decimal("10.00"), 0)]


@pytest.mark.parametrize(
    ("basis", "shares"),
    [("quantity", ["2.50", "7.50"]), ("weight", ["6.25", "3.75"]), ("volume", ["1.43", "8.57"])],
)
def test_spreads_by_quantity_weight_and_volume(basis, shares):
    place = make_location()
    heavy = make_item(weight_grams=Decimal(500), length_mm=1, width_mm=1, height_mm=1)
    light = make_item(weight_grams=Decimal(100), length_mm=1, width_mm=1, height_mm=2)
    targets = [receive(heavy, place, "10", "5.00"), receive(light, place, "30", "5.00")]

    result = land(targets, "10.00", basis=basis)

    assert [str(share.amount.quantize(Decimal("0.01"))) for share in result.landed_cost.shares.all()] == shares


def test_a_unit_of_weight_weighs_what_it_says():
    place = make_location()
    wax, jar = make_item(unit="kg", step="0.001"), make_item(weight_grams=Decimal(250))
    targets = [receive(wax, place, "3", "5.00"), receive(jar, place, "4", "5.00")]

    assert [s.amount for s in land(targets, "8.00", basis="weight").landed_cost.shares.all()] == [6, 2]


def test_refuses_what_cannot_be_spread_and_writes_nothing():
    place = make_location()
    item, wax = make_item(sku="JAR"), make_item(sku="WAX", unit="kg")
    free, unknown = receive(item, place, "5", "0.00"), receive(item, place, "5")
    issued = issue(make_item_with_stock(place), place, "1").posting.movements.get()
    other = receive(wax, place, "5", "5.00")
    postings = Posting.objects.count()

    for targets, amount, basis, error, words in [
        ([], "1.00", "value", NothingToSpreadOver, "at least one"),
        ([free], "1.00", "value", NothingToSpreadOver, "weigh nothing"),
        ([free, free], "1.00", "quantity", NothingToSpreadOver, "twice"),
        ([free], "1.00", "weight", NothingToSpreadOver, "JAR has no weight"),
        ([free], "1.00", "volume", NothingToSpreadOver, "JAR has no length"),
        ([free, other], "1.00", "quantity", NothingToSpreadOver, "different units"),
        ([issued], "1.00", "value", NothingToSpreadOver, "brought in no"),
        ([unknown], "1.00", "value", WrongState, "Give its price first"),
        ([free], "0", "quantity", InvalidQuantity, "no amount"),
        ([free], "0.001", "quantity", InvalidQuantity, "finer"),
    ]:
        with pytest.raises(error, match=words):
            land(targets, amount, basis=basis)

    assert Posting.objects.count() == postings
    assert not LandedCost.objects.exists()


def make_item_with_stock(place):
    item = make_item()
    put_on_hand(item, place, "5", value="5.00")
    return item


def test_refuses_goods_that_were_taken_back():
    item, place = make_item(), make_location()
    movement = receive(item, place, "5", "5.00")
    reverse_posting(key=uuid4(), posting=movement.posting, actor=None)

    with pytest.raises(WrongState, match="was reversed"):
        land([movement], "1.00")


def test_the_same_key_posts_once():
    item, place = make_item(), make_location()
    movement, key = receive(item, place, "5", "5.00"), uuid4()
    request = {"key": key, "targets": [movement], "amount": Decimal(1), "actor": None}

    first, second = add_landed_cost(**request), add_landed_cost(**request)

    assert (first.replayed, second.replayed, first.posting) == (False, True, second.posting)
    assert pool(item) == (5, 6, 0)
    with pytest.raises(IdempotencyMismatch):
        add_landed_cost(**{**request, "amount": Decimal(2)})


def test_several_layers_of_one_receipt_each_take_their_own():
    item, place, other = make("fifo"), make_location(), make_location()
    posting = receive_stock(
        key=uuid4(),
        lines=[
            ReceiptLine(item, place, Decimal(4), Decimal("4.00")),
            ReceiptLine(item, other, Decimal(4), Decimal("8.00")),
        ],
        actor=None,
    ).posting
    targets = list(posting.movements.order_by("id"))
    issue(item, place, "2")

    assert parts(land(targets, "6.00", basis="quantity")) == [
        (Decimal("1.50"), Decimal("1.50")),
        (Decimal("3.00"), 0),
    ]
    assert list(CostLayer.objects.order_by("id").values_list("quantity", "value")) == [
        (2, Decimal("3.50")),
        (4, Decimal("11.00")),
    ]


# --- Prices ---


@pytest.mark.parametrize("method", METHODS)
def test_another_price_changes_what_is_left_and_expenses_the_rest(method):
    item, place = make(method), make_location()
    movement = receive(item, place, "10", "20.00")
    issue(item, place, "4")

    result = price(movement, "25.00")
    assert (pool(item), parts(result)) == ((6, 15, 0), [(3, 2)])
    assert (result.landed_cost.kind, result.landed_cost.amount) == ("price", 5)

    assert parts(price(movement, "20.00")) == [(-3, -2)]
    assert pool(item) == (6, 12, 0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("used", ["0", "4"])
def test_goods_without_a_cost_become_known(method, used):
    item, place = make(method), make_location()
    movement = receive(item, place, "10")
    if used != "0":
        issue(item, place, used)
    left = 10 - Decimal(used)

    result = price(movement, "30.00")

    assert pool(item) == (left, left * 3, 0)
    assert sums_to_zero(result.posting)
    assert rebuild_balances(dry_run=True).differences == []
    assert issue(item, place, "2").value == 6
    assert parts(result) == [(left * 3, Decimal(used) * 3)]


@pytest.mark.parametrize("method", METHODS)
def test_goods_that_turn_out_free_are_worth_nothing_which_is_known(method):
    item, place = make(method), make_location()
    movement = receive(item, place, "10")

    result = price(movement, "0.00")

    assert (pool(item), result.landed_cost.amount) == ((10, 0, 0), 0)
    assert issue(item, place, "2").value == 0
    with pytest.raises(InvalidQuantity, match="recorded already"):
        price(movement, "0.00")


def test_a_pool_becomes_known_with_the_last_price():
    item, place = make_item(), make_location()
    first, second = receive(item, place, "10"), receive(item, place, "5")
    receive(item, place, "5", "10.00")
    issue(item, place, "4")

    price(second, "15.00")
    assert pool(item) == (16, 25, 10)
    assert rebuild_balances(dry_run=True).differences == []

    price(first, "20.00")
    assert pool(item) == (16, 37, 0)
    assert rebuild_balances(dry_run=True).differences == []


def test_an_undone_use_of_unknown_goods_does_not_keep_the_pool_unknown():
    item, place = make_item(), make_location()
    movement = receive(item, place, "10")
    reverse_posting(key=uuid4(), posting=issue(item, place, "4").posting, actor=None)

    price(movement, "20.00")

    assert pool(item) == (10, 20, 0)
    assert rebuild_balances(dry_run=True).differences == []


def test_the_price_of_goods_that_are_all_used_is_expensed_and_later_ones_stay_unknown():
    item, place = make_item(), make_location()
    movement = receive(item, place, "10")
    issue(item, place, "10")
    receive(item, place, "5")

    result = price(movement, "20.00")

    assert (pool(item), parts(result)) == ((5, 0, 5), [(0, 20)])
    assert result.posting.movements.count() == 0
    assert rebuild_balances(dry_run=True).differences == []


@pytest.mark.parametrize("method", METHODS)
def test_goods_whose_cost_was_corrected_have_one_already(method):
    item, place = make(method), make_location()
    movement = receive(item, place, "10")
    correct_cost(key=uuid4(), item=item, unit_cost=Decimal(2), reason="list", actor=None)

    with pytest.raises(WrongState, match="was corrected after"):
        price(movement, "30.00")

    assert pool(item) == (10, 20, 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_receipt_that_got_its_price_can_still_be_undone(method):
    item, place = make(method), make_location()
    movement = receive(item, place, "10")
    price(movement, "30.00")

    reverse_posting(key=uuid4(), posting=movement.posting, actor=None)

    assert pool(item) == (0, 0, 0)
    assert rebuild_balances(dry_run=True).differences == []


def test_lots_become_known_one_by_one():
    item, place = make("lot"), make_location()
    first, second = receive(item, place, "4", lot="A"), receive(item, place, "6", lot="B")

    price(second, "12.00")

    lots = CostPool.objects.filter(item=item, lot__isnull=False).order_by("lot__code")
    assert list(lots.values_list("quantity", "value", "unknown_quantity")) == [(4, 0, 4), (6, 12, 0)]
    taken = issue_stock(
        key=uuid4(),
        item=item,
        location=place,
        quantity=Decimal(3),
        actor=None,
        lots=[(lot_of(item, "B"), Decimal(3))],
        reason="asked for",
    )
    assert taken.value == 6
    plan = preview_prices(prices=[ReceiptPrice(first, Decimal("8.00"))])
    assert plan.lines[0].capitalised == 8
    assert Movement.objects.filter(item=item, value__isnull=True).count() == 3


def test_a_late_cost_that_differs_from_its_shares_is_found():
    item, place = make_item(), make_location()
    cost = land([receive(item, place, "10", "20.00")], "5.00").landed_cost
    LandedCost.objects.update(amount=6)

    assert late_costs_equal_their_shares() == [
        f"posting {cost.posting_id}: cost 6.000000, shares 5.000000; 5.000000 of them in stock, its movements 5.000000"
    ]
    LandedCost.objects.update(amount=5)


def test_what_made_goods_known_is_no_cost_that_missing_ones_leave_at():
    item, place = make_item(negative_allowed=True), make_location()
    movement = receive(item, place, "10")
    issue(item, place, "4")
    price(movement, "30.00")
    assert issue(item, place, "6").value == 18

    below = issue_stock(
        key=uuid4(), item=item, location=place, quantity=Decimal(2), actor=None, may_go_below=True, reason="late"
    )

    assert below.value == 6
