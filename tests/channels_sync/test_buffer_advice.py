"""Buffer advice: worked examples, and what has to hold for any figures."""

from decimal import Decimal

import pytest

from channels_sync.allocation.advising import Demand, advise, cost_of, demand_of

D = Decimal
HALF_A_DAY = [D(43_200)] * 20
FOUR_A_DAY = [D(4)] * 14
PLACES = D("0.000001")


def test_steady_demand_of_two_during_the_delay_takes_a_buffer_of_six() -> None:
    # Poisson, mean 2: P(>5) = 0.016564, P(>6) = 0.004534
    advice = advise(days=FOUR_A_DAY, delays=HALF_A_DAY)

    assert advice.buffer == 6
    assert advice.chance is not None
    assert advice.chance.quantize(PLACES) == D("0.004534")
    assert advice.demand == Demand(mean=D(4))
    assert not advice.is_counted


def test_the_chance_is_the_mean_over_measured_delays() -> None:
    # half of the publishes take no time: (0 + 0.016564) / 2 is within 1 %
    advice = advise(days=FOUR_A_DAY, delays=[D(0), D(43_200)] * 10)

    assert advice.buffer == 5
    assert advice.chance is not None
    assert advice.chance.quantize(PLACES) == D("0.008282")


def test_demand_that_comes_in_bursts_is_negative_binomial_and_takes_more() -> None:
    # mean 4, variance 16 * 14 / 13 = 224/13; shape = 16 / (224/13 - 4) = 208/172
    days = [D(0), D(8)] * 7

    advice = advise(days=days, delays=HALF_A_DAY)

    assert advice.demand is not None
    assert advice.demand.in_words == "negative binomial"
    assert advice.demand.shape is not None
    assert advice.demand.shape.quantize(PLACES) == (D(208) / D(172)).quantize(PLACES)
    assert advice.buffer is not None
    assert advice.buffer > 6


def test_shape_one_is_the_geometric_distribution() -> None:
    # mean 1, shape 1: P(>n) = 1 / 2^(n+1); keeping 2 of 3 back loses P(>1) + P(>2) = 1/4 + 1/8
    cost = cost_of(buffer=D(2), available=D(3), demand=Demand(mean=D(1), shape=D(1)))

    assert cost.lost_a_day.quantize(PLACES) == D("0.375000")
    assert cost.hidden == 2
    assert cost.percent.quantize(D("0.01")) == D("66.67")


def test_days_that_vary_as_chance_has_it_stay_poisson() -> None:
    assert demand_of([D(3), D(5)] * 7) == Demand(mean=D(4))


def test_sales_of_a_pack_each_are_kept_back_in_packs() -> None:
    advice = advise(days=[D("10")] * 14, delays=HALF_A_DAY, unit=D("2.5"))

    assert advice.buffer == D("15.0")


def test_what_counts_found_missing_is_added() -> None:
    advice = advise(days=FOUR_A_DAY, delays=HALF_A_DAY, shortfalls=[D(3)])

    assert advice.buffer == 9
    assert advice.is_counted


def test_without_demand_nothing_is_kept_back() -> None:
    advice = advise(days=[D(0)] * 14, delays=[], shortfalls=[D(5)])

    assert advice.buffer == 0
    assert advice.chance == 0


@pytest.mark.parametrize(
    ("days", "delays", "words"),
    [
        (FOUR_A_DAY[:13], HALF_A_DAY, "13 days of demand are known; 14 are needed."),
        (FOUR_A_DAY, HALF_A_DAY[:19], "19 publishes are measured; 20 are needed."),
    ],
)
def test_too_little_data_is_said_and_no_figure_given(days: list[Decimal], delays: list[Decimal], words: str) -> None:
    advice = advise(days=days, delays=delays)

    assert advice.buffer is None
    assert advice.chance is None
    assert advice.refusal == words


def buffer_for(*, demand: int = 4, hours: int = 12, risk: str = "0.01") -> Decimal:
    advice = advise(days=[D(demand)] * 14, delays=[D(hours * 3600)] * 20, risk=D(risk))
    assert advice.buffer is not None
    return advice.buffer


def test_more_delay_demand_or_safety_never_takes_less() -> None:
    by_delay = [buffer_for(hours=hours) for hours in (0, 1, 3, 6, 12, 24)]
    by_demand = [buffer_for(demand=demand) for demand in (0, 1, 2, 4, 8, 16)]
    by_safety = [buffer_for(risk=risk) for risk in ("0.5", "0.1", "0.05", "0.01", "0.001")]

    for buffers in (by_delay, by_demand, by_safety):
        assert buffers == sorted(buffers)
        assert buffers[0] < buffers[-1]


def test_a_smaller_buffer_would_miss_the_wanted_safety() -> None:
    advice = advise(days=FOUR_A_DAY, delays=HALF_A_DAY, risk=D("0.016564"))

    assert advice.buffer == 5


def test_no_more_is_hidden_than_there_is() -> None:
    demand = Demand(mean=D(4))

    cost = cost_of(buffer=D(9), available=D(2), demand=demand)

    assert (cost.hidden, cost.percent) == (2, 100)
    # Poisson, mean 4: P(>0) + P(>1) = 0.981684 + 0.908422
    assert cost.lost_a_day.quantize(PLACES) == D("1.890106")
    assert cost_of(buffer=D(9), available=D(-3), demand=demand).hidden == 0


@pytest.mark.parametrize("risk", [D(0), D(1), D("-0.1")])
def test_a_risk_outside_zero_and_one_is_refused(risk: Decimal) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        advise(days=FOUR_A_DAY, delays=HALF_A_DAY, risk=risk)
