"""The year that is measured: the excerpt of real orders, two sets of rules, and what must come out of it."""

from decimal import Decimal

from bench.orders import DAYS, MARKET, SHOP, cases, order_lines
from bench.simulator import PRESENT, PROPOSED, compare, measure_simulator
from channels_sync.simulation.case import PARTS


def test_every_unit_that_was_asked_for_is_replayed():
    lines = list(order_lines(excerpt=True))
    items = cases(iter(lines))

    asked = {channel: sum(line.units for line in lines if line.channel == channel) for channel in (SHOP, MARKET)}
    present, proposed = compare(items, PRESENT, PROPOSED)

    assert (len(items), len(lines)) == (20, 4387)
    for tally in (present, proposed):
        assert {channel: one.demanded // PARTS for channel, one in tally.channels.items()} == asked
        assert tally.start + tally.supplied == tally.sold + tally.left


def test_keeping_some_back_from_the_marketplace_costs_sales_and_oversells_less():
    found = measure_simulator(excerpt=True)

    everything, kept_back, by_demand = found["rows"]
    assert (found["items"], found["order_lines"], found["days"]) == (20, 4387, DAYS)
    assert [(row["demanded"], row["sold"], row["lost"], row["oversold"]) for row in (everything, kept_back)] == [
        ("41610", "29072", "12538", "117"),
        ("41610", "28888", "12722", "93"),
    ]
    assert everything["exposure"] == "2"
    assert Decimal(by_demand["oversold"]) < Decimal(everything["oversold"])
