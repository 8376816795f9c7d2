from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from inventory.picking import LotOnHand, pick_lots, pick_named

JANUARY = date(2026, 1, 1)


def lot(number, free, *, expires=None, received=JANUARY, own=0):
    return LotOnHand(
        cell_id=number,
        location_id=1,
        lot_id=number,
        free=Decimal(free),
        received_on=received,
        expires_on=expires,
        own=Decimal(own),
    )


X, Y, Z = lot(1, 5, expires=date(2026, 1, 10)), lot(2, 3, expires=date(2026, 1, 5)), lot(3, 9)


def picked(result):
    return [(pick.lot_id, pick.quantity) for pick in result.picks]


def test_first_expired_goes_first_and_no_expiry_last():
    assert picked(pick_lots([X, Y, Z], quantity=Decimal(10), on=date(2026, 1, 5))) == [(2, 3), (1, 5), (3, 2)]


def test_a_lot_is_passed_over_the_day_after_its_expiry():
    assert picked(pick_lots([X, Y, Z], quantity=Decimal(10), on=date(2026, 1, 6))) == [(1, 5), (3, 5)]


def test_without_expiry_the_oldest_goes_first():
    old, new = lot(8, 4, received=date(2025, 5, 1)), lot(7, 4, received=date(2025, 6, 1))

    assert picked(pick_lots([new, old], quantity=Decimal(5), on=JANUARY)) == [(8, 4), (7, 1)]


def test_own_reservation_goes_before_free_stock():
    reserved = lot(2, 5, received=date(2025, 12, 1), own=10)

    result = pick_lots([lot(1, 40), reserved], quantity=Decimal(20), on=JANUARY)

    assert picked(result) == [(2, 15), (1, 5)]
    assert [pick.own for pick in result.picks] == [10, 0]


def test_own_ten_and_five_free_of_forty_leave_five_missing():
    """40 on hand, 25 promised to somebody else, 10 to us: 5 are free."""
    result = pick_lots([lot(1, 5, own=10)], quantity=Decimal(20), on=JANUARY)

    assert picked(result) == [(1, 15)]
    assert result.missing == 5


def test_hand_picked_lots_override_the_order():
    assert picked(pick_named([X, Y, Z], wanted=[(3, Decimal(2)), (2, Decimal(1))])) == [(3, 2), (2, 1)]


def test_a_hand_picked_lot_that_has_too_little_is_missing_the_rest():
    assert pick_named([X, Y, Z], wanted=[(2, Decimal(4))]).missing == 1


LOTS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 10), st.one_of(st.none(), st.integers(1, 28))), max_size=8
).map(
    lambda rows: [
        lot(number, free, own=own, expires=None if day is None else date(2026, 1, day))
        for number, (free, own, day) in enumerate(rows, start=1)
    ]
)


@given(lots=LOTS, quantity=st.integers(1, 60), day=st.integers(1, 28))
def test_takes_what_is_wanted_or_all_there_is(lots, quantity, day):
    on = date(2026, 1, day)
    usable = sum(one.free + one.own for one in lots if one.expires_on is None or one.expires_on >= on)

    result = pick_lots(lots, quantity=Decimal(quantity), on=on)

    by_cell = {one.cell_id: one for one in lots}
    assert sum(pick.quantity for pick in result.picks) == min(quantity, usable)
    assert result.missing == max(0, quantity - usable)
    assert all(pick.own <= by_cell[pick.cell_id].own for pick in result.picks)
    assert all(pick.quantity - pick.own <= by_cell[pick.cell_id].free for pick in result.picks)
