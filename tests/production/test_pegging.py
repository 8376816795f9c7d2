"""Sharing out the output of an order: nobody more than wanted or pegged, the oldest first, nothing held back."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from production.pegging import OpenPeg, portions, share_out

QUANTITY = st.integers(0, 12).map(Decimal)
DEMANDS = [("order", name) for name in "ABC"]
PEGS = st.lists(st.tuples(st.sampled_from(DEMANDS), QUANTITY), max_size=6).map(
    lambda found: [OpenPeg(number, demand, quantity) for number, (demand, quantity) in enumerate(found)]
)
WANTS = st.dictionaries(st.sampled_from(DEMANDS), QUANTITY)


def given_to(pegs, parts):
    sums = {}
    for peg, part in zip(pegs, parts, strict=True):
        sums[peg.demand] = sums.get(peg.demand, Decimal(0)) + part
    return sums


@given(quantity=QUANTITY, pegs=PEGS, wants=WANTS)
def test_nobody_gets_more_than_is_pegged_or_wanted_and_nothing_wanted_is_held_back(quantity, pegs, wants):
    parts = share_out(quantity, pegs, wants=wants)

    got = given_to(pegs, parts)
    assert all(Decimal(0) <= part <= peg.open for peg, part in zip(pegs, parts, strict=True))
    assert all(got.get(demand, 0) <= want for demand, want in wants.items())
    if sum(parts) < quantity:  # something is left: everybody has all that is pegged to them or all they want
        for demand, sum_of_parts in got.items():
            pegged = sum(peg.open for peg in pegs if peg.demand == demand)
            assert sum_of_parts == min(pegged, wants.get(demand, pegged))
    else:
        assert sum(parts) == quantity


@given(first=QUANTITY, second=QUANTITY, pegs=PEGS, wants=WANTS)
def test_two_parts_serve_as_one(first, second, pegs, wants):
    whole = share_out(first + second, pegs, wants=wants)

    before = share_out(first, pegs, wants=wants)
    rest = [peg._replace(open=peg.open - part) for peg, part in zip(pegs, before, strict=True)]
    left = {demand: want - given_to(pegs, before).get(demand, 0) for demand, want in wants.items()}
    after = share_out(second, rest, wants=left)

    assert [one + other for one, other in zip(before, after, strict=True)] == whole


@given(taken=st.integers(0, 2), made=st.lists(QUANTITY, min_size=3, max_size=3), pegs=PEGS)
def test_what_is_taken_back_and_made_again_serves_the_same(taken, made, pegs):
    served = [Decimal(0)] * len(pegs)
    handed = []
    for quantity in made:
        parts = share_out(quantity, [p._replace(open=p.open - s) for p, s in zip(pegs, served, strict=True)])
        handed.append(parts)
        served = [s + part for s, part in zip(served, parts, strict=True)]
    total = sum(served)

    served = [s - part for s, part in zip(served, handed[taken], strict=True)]
    again = share_out(made[taken], [p._replace(open=p.open - s) for p, s in zip(pegs, served, strict=True)])
    served = [s + part for s, part in zip(served, again, strict=True)]

    assert sum(served) == total
    assert all(s <= peg.open for s, peg in zip(served, pegs, strict=True))


@given(pieces=st.lists(QUANTITY, max_size=5), pegs=PEGS, wants=WANTS)
def test_pieces_give_what_the_whole_gives_and_no_piece_more_than_it_is(pieces, pegs, wants):
    found = portions(pieces, pegs, wants=wants)

    whole = share_out(sum(pieces, Decimal(0)), pegs, wants=wants)
    assert [sum(one.quantity for one in found if one.peg is peg) for peg in pegs] == whole
    assert all(sum(one.quantity for one in found if one.source == n) <= piece for n, piece in enumerate(pieces))
    assert all(one.quantity > 0 for one in found)
