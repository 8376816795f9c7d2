"""What is remembered is what the formula of publishing says, for every stock and every rule."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from channels_sync.allocation.sisters import quantities_of
from channels_sync.simulation import Exposures
from tests.channels_sync.simulation.making import NOW, SHOP, STALL, exposure, sister, units
from tests.channels_sync.simulation.test_replay import rules

stocks = st.lists(st.integers(-5, 40).map(lambda number: units(number) // 2), min_size=1, max_size=8)
incoming = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9).map(units)), max_size=2).map(tuple)
sold = st.tuples(st.tuples(st.integers(0, 90).map(units), st.integers(0, 90).map(units)), st.just(units(180)))


@given(stocks, incoming, sold, rules, rules, st.sampled_from(["1", "0.5", "3"]))
def test_the_remembered_figure_is_the_one_worked_out_anew(stocks, incoming, sold, rule, other, pack):
    """Fails when an answer is kept under less than all it depends on."""
    shown = exposure(sister(channel=SHOP, pack=pack, **rule), sister(channel=STALL, **other))
    asked = [(stock, arrivals, demand) for stock in stocks for arrivals in ((), incoming) for demand in (None, sold)]

    for _ in range(2):
        for stock, arrivals, demand in asked:
            anew = exposure(sister(channel=SHOP, pack=pack, **rule), sister(channel=STALL, **other))
            assert shown.shown(stock, incoming=arrivals, sold=demand) == anew.work_out(
                stock, incoming=arrivals, sold=demand
            )


def test_items_that_stand_alike_share_their_answers_and_others_do_not():
    book = Exposures(now=NOW, demand_days=28)
    one = book.of([sister(listing=1, buffer=Decimal(2)), sister(listing=2, channel=STALL)])

    assert book.of([sister(listing=3, buffer=Decimal(2)), sister(listing=4, channel=STALL)]) is one
    for other in (
        [sister(listing=3, buffer=Decimal(3)), sister(listing=4, channel=STALL)],
        [sister(listing=3, buffer=Decimal(2), pack="2"), sister(listing=4, channel=STALL)],
        [sister(listing=3, buffer=Decimal(2)), sister(listing=4, channel=STALL, step="0.5")],
        [sister(listing=3, buffer=Decimal(2), channel=STALL), sister(listing=4)],
        [sister(listing=3, buffer=Decimal(2))],
    ):
        assert book.of(other) is not one


@given(st.integers(0, 60), rules, rules)
def test_the_figures_are_those_of_publishing(stock, rule, other):
    from dataclasses import replace

    from channels_sync.allocation import Demand, SourceStock

    sisters = [sister(channel=SHOP, **rule), sister(channel=STALL, **other)]
    snapshots = [
        replace(
            one.snapshot,
            sources=(SourceStock(7, "SITE", Decimal(stock)),),
            demand=Demand(28, Decimal(14), Decimal(42)) if one.terms.needs_demand else None,
        )
        for one in sisters
    ]
    published = quantities_of(
        [replace(one, snapshot=snapshot, pools={7: "7"}) for one, snapshot in zip(sisters, snapshots, strict=True)],
        now=NOW,
    )

    assert list(exposure(*sisters).shown(units(stock), sold=((units(14), units(14)), units(42)))) == published
