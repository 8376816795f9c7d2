"""Which settings shaped a figure: each setting of a rule is told exactly where it had a say, or as one without effect."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_sync.allocation import (
    NAMES,
    Confidence,
    Demand,
    Makeable,
    Offer,
    Rule,
    Snapshot,
    SourceStock,
    Term,
    Terms,
    published_quantity,
)
from channels_sync.allocation.shaping import Shaped, idle_settings, shaping_of
from channels_sync.allocation.sharing import Decider, decider_of
from channels_sync.allocation.sisters import Sister, allotments_of
from channels_sync.reads.explaining import Explanation
from channels_sync.views.explaining import Sum

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OFFER = Offer(1, "CANDLE", "pcs", Decimal(1), Decimal(1), 1_000_000)
RULE = Rule(policy_id=7, version=2, scope="Channel Shop", author="anna", since=NOW)
VALUES = {
    "basis": st.sampled_from(["available", "promise", "built", "buildable", "fixed"]),
    "building": st.sampled_from(["alone", "weight", "demand"]),
    "sharing": st.sampled_from(["pool", "fenced", "weight", "demand"]),
    "trial_until": st.dates(date(2026, 11, 1), date(2026, 12, 1)),
}
NUMBERS = st.integers(0, 100).map(Decimal)
settings_of_rules = st.fixed_dictionaries({}, optional={name: VALUES.get(name, NUMBERS) for name in NAMES})
BUILT_BY = Makeable(Decimal(9), 3, alone=Decimal(12), divided="divided with 1 other by weight")


def derivation_of(own, others):
    """The figure of a listing with rules of its own beside another listing of the item with others; 50 are there."""
    sisters = [
        Sister(number, number, replace(OFFER, listing_id=number), terms_of(values), snapshot_of(), {1: "1"})
        for number, values in ((1, own), (2, others))
    ]
    allotments = allotments_of(sisters, now=NOW) if any(one.terms.takes_a_share for one in sisters) else {}
    snapshot = replace(sisters[0].snapshot, allotment=allotments.get(1))
    return published_quantity(snapshot=snapshot, terms=sisters[0].terms, offer=OFFER, now=NOW)[1]


def terms_of(values):
    return Terms(**{name: Term(value, RULE) for name, value in values.items()})


def snapshot_of():
    return Snapshot(
        item_id=1, cutoff=5, sources=(SourceStock(1, "HOUSE", Decimal(50)),), makeable=BUILT_BY,
        demand=Demand(28, Decimal(28), Decimal(56)), confidence=Confidence(10, 10),
    )  # fmt: skip


def names(settings):
    return [setting.name for setting in settings]


@given(settings_of_rules, settings_of_rules)
def test_every_setting_of_a_rule_is_told_and_none_is_called_a_default(own, others):
    derivation = derivation_of(own, others)

    shaping = shaping_of(derivation)
    idle = idle_settings(derivation, shaping)

    told = [setting for settings in shaping.values() for setting in settings]
    assert {*names(told), *names(idle)} >= set(own)
    assert not set(names(told)) & set(names(idle))
    assert {setting.name for setting in (*told, *idle) if setting.is_set} == set(own)
    assert all(len(names(settings)) == len(set(names(settings))) for settings in shaping.values())


@given(settings_of_rules, settings_of_rules)
def test_the_page_shows_each_of_them(own, others):
    derivation = derivation_of(own, others)
    shaping = shaping_of(derivation)
    found = Explanation(derivation, shaping, (), idle_settings(derivation, shaping), {}, None, 1)

    lines = list(Sum(found, is_present=False).lines())

    shown = sum(len(line.settings) for line in lines)
    assert shown == sum(len(settings) for settings in shaping.values())
    assert all(setting.scope == "Channel Shop" for line in lines for setting in line.settings if setting.is_set)


@given(settings_of_rules, settings_of_rules, st.sampled_from(NAMES))
def test_a_setting_without_effect_could_be_left_out(own, others, name):
    derivation = derivation_of(own, others)
    allotment = derivation.snapshot.allotment
    if name not in names(idle_settings(derivation, shaping_of(derivation))):
        return
    if allotment is not None and decider_of(allotment) is Decider.TRIAL:
        return  # without the setting something else than the trial could decide

    without = derivation_of({key: value for key, value in own.items() if key != name}, others)

    assert without.quantity == derivation.quantity


@pytest.mark.parametrize(
    ("own", "others", "decider", "expected"),
    [
        ({"trial_limit": Decimal(9), "weight": Decimal(2)}, {}, Decider.TRIAL, ["trial_limit", "weight"]),
        ({"scarce_below": Decimal(60)}, {}, Decider.SCARCITY, ["scarce_below", "priority"]),
        ({}, {"scarce_below": Decimal(60)}, Decider.SCARCITY, ["priority"]),
        ({"sharing": "fenced", "ring_fence": Decimal(5)}, {}, Decider.OWN_FENCE, ["sharing", "ring_fence"]),
        ({"sharing": "weight"}, {"sharing": "weight"}, Decider.SHARE, ["sharing", "weight"]),
        (
            {"sharing": "demand", "divided_percent": Decimal(40)}, {"sharing": "weight"}, Decider.SHARE,
            ["sharing", "divided_percent"],
        ),
        ({}, {"ring_fence": Decimal(20)}, Decider.OTHERS_FENCES, ["sharing"]),
    ],
)  # fmt: skip
def test_what_decided_the_part_of_the_pool_is_told_from_its_reason(own, others, decider, expected):
    derivation = derivation_of(own, others)

    assert decider_of(derivation.snapshot.allotment) is decider
    assert names(shaping_of(derivation)[Shaped.POOL]) == expected
