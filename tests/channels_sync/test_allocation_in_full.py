"""Bases, layers of supply, buffers and trials of the formula, and its properties."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_sync.allocation import (
    Allotment,
    Breadth,
    Component,
    Confidence,
    Demand,
    Derivation,
    DerivationTexts,
    Incoming,
    Makeable,
    Offer,
    PolicyTerms,
    Rule,
    Snapshot,
    SourceStock,
    SupplierFigure,
    Term,
    Terms,
    published_quantity,
    recompute,
    resolve,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY = NOW.date()
RULE = Rule(7, 2, "Channel Shop", "mia", datetime(2026, 11, 1, tzinfo=UTC))
ARROW, MINUS, TIMES = "\N{RIGHTWARDS ARROW}", "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"


def offer(*, pack="1", step="1"):
    return Offer(3, "CANDLE", "pcs", Decimal(step), Decimal(pack), 10**9)


def stock(quantity="10", **layers):
    return Snapshot(5, 99, (SourceStock(1, "MAIN", Decimal(quantity)),), **layers)


def terms(**values):
    return Terms(
        **{name: Term(Decimal(value) if isinstance(value, str) and value[0].isdigit() else value, RULE)
           for name, value in values.items()}
    )  # fmt: skip


def publish(snapshot, policy=None, listing=None):
    return published_quantity(snapshot=snapshot, terms=policy or Terms(), offer=listing or offer(), now=NOW)


def made(quantity):
    return Makeable(Decimal(quantity), 4, (Component(8, "JAR", "pcs", Decimal(40), Decimal(quantity)),))


@pytest.mark.parametrize(
    ("free", "policy", "pack", "published"),
    [
        ("250", {"percent": "50"}, "1", 125),
        ("80", {"percent": "50"}, "1", 40),
        ("6", {"percent": "50", "minimum": "4"}, "1", 0),
        ("250", {"percent": "50", "maximum": "100"}, "1", 100),
        ("16", {}, "6", 2),
    ],
)
def test_the_figures_sellers_know(free, policy, pack, published):
    assert publish(stock(free), terms(**policy), offer(pack=pack))[0] == published


def test_the_worked_example_of_built_stock_and_what_could_be_built():
    snapshot = Snapshot(
        5, 99, (SourceStock(1, "MAIN", Decimal(160), Decimal(24)),), makeable=made("40")
    )  # fmt: skip

    quantity, derivation = publish(
        snapshot, terms(basis="buildable", buffer="8", percent="50"), offer(pack="6")
    )  # fmt: skip

    assert quantity == 14  # (160 - 24 + 40 - 8) x 50 % = 84, in packs of 6
    assert derivation.in_words() == (
        f"on hand 160 {MINUS} reserved 24 + buildable 40 (bottleneck JAR) {MINUS} buffer 8 = 168 {TIMES} 50 % = 84"
        f" {ARROW} pack of 6 {ARROW} 14"
    )


@pytest.mark.parametrize(("basis", "published"), [("available", 10), ("built", 10), ("promise", 15), ("buildable", 17)])
def test_each_basis_counts_its_own_layers(basis, published):
    order = Incoming(1, "PO-000001", Decimal(5), TODAY)

    assert publish(stock("10", incoming=(order,), makeable=made("7")), terms(basis=basis))[0] == published


def test_a_fixed_figure_shows_whatever_is_in_stock_and_heeds_maximum_and_packs():
    policy = terms(basis="fixed", fixed_quantity="30", buffer="9", percent="10", maximum="25")

    quantity, derivation = publish(stock("0"), policy, offer(pack="2"))

    assert quantity == 12
    assert derivation.in_words().startswith(f"fixed figure 30 {ARROW} at most 25")


@pytest.mark.parametrize(("expected_on", "days", "counted"), [
    (TODAY, None, 5),
    (TODAY - timedelta(days=1), None, 0),  # late
    (None, None, 0),
    (TODAY + timedelta(days=7), "7", 5),
    (TODAY + timedelta(days=8), "7", 0),
])  # fmt: skip
def test_incoming_is_promised_only_when_it_is_due_in_time(expected_on, days, counted):
    policy = terms(basis="promise", incoming_days=None if days is None else days)

    quantity, _ = publish(stock("0", incoming=(Incoming(1, "PO", Decimal(5), expected_on),)), policy)

    assert quantity == counted


@pytest.mark.parametrize(("hours", "policy", "counted"), [
    (1, {"supplier_percent": "50"}, 20),
    (1, {"supplier_percent": "50", "supplier_maximum": "8"}, 8),
    (73, {"supplier_percent": "50"}, 0),  # built in: 72 hours
    (73, {"supplier_percent": "50", "supplier_hours": "96"}, 20),
    (1, {}, 0),  # nobody said that suppliers count
    (1, {"supplier_percent": "50", "basis": "built"}, 0),
])  # fmt: skip
def test_suppliers_count_with_their_haircut_cap_and_age(hours, policy, counted):
    said = SupplierFigure("WAX", Decimal(40), NOW - timedelta(hours=hours))

    assert publish(stock("0", suppliers=(said,)), terms(**policy))[0] == counted


@pytest.mark.parametrize(("policy", "published"), [
    ({"buffer": "3"}, 97),
    ({"buffer_percent": "10"}, 90),
    ({"buffer_percent": "0.1"}, 99),  # rounded up to whole pieces
    ({"buffer_days": "2"}, 93),  # 98 in 28 days are 3.5 a day
    ({"doubt_percent": "40"}, 80),  # doubt 50: never counted costs 50 and 30, counted 180 days ago 50
    ({"buffer": "3", "buffer_percent": "10", "buffer_days": "2"}, 90),  # the largest
])  # fmt: skip
def test_the_largest_of_the_buffers_is_kept_back(policy, published):
    snapshot = stock("100", demand=Demand(28, Decimal(98), Decimal(200)), confidence=Confidence(180, 0))

    assert publish(snapshot, terms(**policy))[0] == published


@pytest.mark.parametrize(("confidence", "doubt"), [
    (Confidence(0, 0), 0),
    (Confidence(90, 0), 25),
    (Confidence(0, 100), 15),
    (Confidence(400, 900, is_stale=True), 100),
    (Confidence(None, 0), 80),
])  # fmt: skip
def test_doubt_is_the_sum_of_plain_facts(confidence, doubt):
    assert confidence.doubt == doubt


def test_a_trial_that_is_over_shows_nothing_and_says_so():
    still = publish(stock("5"), terms(trial_until=TODAY))
    over = publish(stock("5"), terms(trial_until=TODAY - timedelta(days=1)))

    assert (still[0], over[0]) == (5, 0)
    assert over[1].in_words() == f"on hand 5 {ARROW} the trial ended on 2026-11-22 {ARROW} 0"


def test_an_allotment_caps_what_the_listing_counts_on():
    share = Allotment(Decimal(4), Decimal(10), "share 40 % by weight")

    quantity, derivation = publish(stock("10", allotment=share), terms(buffer="1"))

    assert quantity == 3
    assert derivation.in_words() == f"on hand 10 {ARROW} share 40 % by weight {ARROW} 4 {MINUS} buffer 1 = 3"


def test_a_campaign_stands_above_every_lasting_rule_and_deeper_categories_above_wider_ones():
    def rule(number):
        return Rule(number, 1, f"scope {number}")

    resolved = resolve(
        [
            PolicyTerms(Breadth.CHANNEL, rule(1), {"percent": Decimal(70)}, is_campaign=True),
            PolicyTerms(Breadth.LISTING, rule(2), {"percent": Decimal(20), "buffer": Decimal(3)}),
            PolicyTerms(Breadth.CATEGORY, rule(3), {"buffer_percent": Decimal(5)}, depth=1),
            PolicyTerms(Breadth.CATEGORY, rule(4), {"buffer_percent": Decimal(9)}, depth=0),
        ]
    )

    assert (resolved.percent.value, resolved.percent.rule.policy_id) == (70, 1)
    assert (resolved.buffer.value, resolved.buffer_percent.value) == (3, 5)


def test_reads_what_was_stored_before_there_were_layers():
    rule = {"policy": 7, "version": 2, "scope": "Channel Shop", "author": "mia", "since": "2026-11-01T00:00:00+00:00"}
    built_in = {"policy": None, "version": 0, "scope": "Built in", "author": "", "since": None}
    kept = {
        "format": 1,
        "at": NOW.isoformat(),
        "quantity": 10,
        "listing": {
            "id": 3, "sku": "CANDLE", "unit": "pcs", "step": "1", "pack_size": "6", "quantity_max": 9999, "withdrawn": "",
        },
        "stock": {
            "item": 5, "cutoff": 99,
            "sources": [{
                "location": 1, "code": "MAIN", "on_hand": "160", "reserved_pinned": "20", "reserved_soft": "4",
                "expired": "0", "withheld": "0",
            }],
        },
        "terms": {
            "percent": {"value": "50", "rule": rule}, "buffer": {"value": "8", "rule": rule},
            "minimum": {"value": "0", "rule": built_in}, "maximum": {"value": None, "rule": built_in},
        },
    }  # fmt: skip

    derivation = Derivation.from_json(kept)

    assert recompute(derivation) == 10
    assert derivation.terms.percent.rule == RULE
    assert Derivation.from_json(json.loads(json.dumps(derivation.to_json()))) == derivation


def test_a_piece_of_a_step_more_rounds_no_buffer_up():
    """One that could be built, of which 30 % count, beside 10: a buffer of 10 % stays 1."""
    policy = terms(basis="buildable", buildable_percent="30", buffer_percent="10")

    assert publish(stock("10", makeable=made("0")), policy)[0] == 9
    assert publish(stock("10", makeable=made("1")), policy)[0] == 9


def test_what_was_stored_before_whole_steps_counted_recomputes_as_it_was():
    policy = terms(basis="buildable", buildable_percent="30", buffer_percent="10")
    snapshot = stock("10", makeable=made("1"))
    kept = {**publish(snapshot, policy)[1].to_json(), "format": 2, "quantity": 8}

    derivation = Derivation.from_json(kept)

    assert recompute(derivation) == derivation.quantity == 8
    assert derivation.to_json() == kept
    assert derivation.in_words().endswith(f"{MINUS} buffer in percent 2 = 8.3 {ARROW} steps of 1 {ARROW} 8")
    assert (
        publish(snapshot, policy)[1]
        .in_words()
        .endswith(f"{ARROW} steps of 1 {ARROW} 10 {MINUS} buffer in percent 1 = 9")
    )


def test_what_is_stored_names_only_what_somebody_set():
    kept = publish(stock("5"), terms(buffer="2"))[1].to_json()

    assert kept["terms"] == {"buffer": ["2", 0]}
    assert [rule["policy"] for rule in kept["rules"]] == [7]
    assert kept["stock"]["sources"] == [{"location": 1, "code": "MAIN", "on_hand": "5"}]


quantities = st.integers(0, 10**6).map(lambda number: Decimal(number) / 100)
percents = st.integers(0, 100_000).map(lambda number: Decimal(number) / 1000)
limits = st.none() | quantities
days = st.integers(0, 60).map(Decimal)
moments = st.integers(0, 200).map(lambda hours: NOW - timedelta(hours=hours))
dates = st.none() | st.integers(-9, 60).map(lambda more: TODAY + timedelta(days=more))
sources = st.builds(
    SourceStock,
    location_id=st.integers(1, 9), code=st.just("SITE"), on_hand=quantities, reserved_pinned=quantities,
    reserved_soft=quantities, expired=quantities, withheld=quantities,
)  # fmt: skip
snapshots = st.builds(
    Snapshot,
    item_id=st.just(5),
    cutoff=st.just(7),
    sources=st.lists(sources, max_size=3).map(tuple),
    incoming=st.lists(st.builds(Incoming, st.just(1), st.just("PO"), quantities, dates), max_size=2).map(tuple),
    suppliers=st.lists(st.builds(SupplierFigure, st.just("WAX"), quantities, moments), max_size=2).map(tuple),
    makeable=st.none() | st.builds(Makeable, quantities, st.just(1)),
    demand=st.none() | st.builds(Demand, st.just(28), quantities, quantities),
    confidence=st.none() | st.builds(Confidence, st.none() | st.integers(0, 400), st.integers(0, 300), st.booleans()),
    allotment=st.none() | st.builds(Allotment, quantities, quantities, st.just("share")),
)


def term(values):
    return st.builds(Term, values, st.just(RULE))


policies = st.builds(
    Terms,
    basis=term(st.sampled_from(["available", "promise", "built", "buildable", "fixed"])),
    fixed_quantity=term(quantities), incoming_days=term(st.none() | days), buildable_percent=term(percents),
    supplier_percent=term(percents), supplier_maximum=term(limits), supplier_hours=term(days), percent=term(percents),
    buffer=term(quantities), buffer_percent=term(percents), buffer_days=term(days), doubt_percent=term(percents),
    minimum=term(quantities), maximum=term(limits), trial_limit=term(limits), trial_until=term(dates),
)  # fmt: skip
offers = st.builds(
    offer, pack=st.sampled_from(["1", "6", "0.25", "0.1"]), step=st.sampled_from(["1", "0.25", "0.000001"])
)
thorough = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(snapshots, policies, offers)
def test_never_negative_and_never_above_what_the_policy_allows(snapshot, policy, listing):
    """Fails when percent, allotment, minimum or maximum is left out of the formula."""
    quantity, derivation = publish(snapshot, policy, listing)

    shown = quantity * listing.pack_size
    supply = derivation.steps.supply
    is_fixed = policy.basis.value == "fixed"
    allowed = policy.fixed_quantity.value if is_fixed else supply.total
    if snapshot.allotment is not None:
        allowed = min(allowed, snapshot.allotment.limit)
    assert quantity >= 0
    assert shown <= allowed
    assert is_fixed or shown <= max(0, allowed - policy.buffer.value)
    assert is_fixed or shown * 100 <= allowed * policy.percent.value
    assert policy.maximum.value is None or shown <= policy.maximum.value
    assert quantity == 0 or derivation.steps.share >= policy.minimum.value
    assert supply.suppliers <= sum(one.quantity for one in snapshot.suppliers)
    assert supply.buildable <= (snapshot.makeable.quantity if snapshot.makeable else 0)
    assert policy.trial_until.value is None or policy.trial_until.value >= TODAY or quantity == 0


@thorough
@given(snapshots, sources, policies, offers, quantities)
def test_more_of_any_supply_never_shows_less(snapshot, source, policy, listing, more):
    richer = replace(source, on_hand=source.on_hand + more)

    before = publish(replace(snapshot, sources=(*snapshot.sources, source)), policy, listing)[0]
    after = publish(replace(snapshot, sources=(*snapshot.sources, richer)), policy, listing)[0]
    order = Incoming(2, "PO", more, TODAY)
    with_order = publish(replace(snapshot, incoming=(*snapshot.incoming, order)), policy, listing)[0]

    assert after >= before
    assert with_order >= publish(snapshot, policy, listing)[0]


@thorough
@given(snapshots, policies, offers)
def test_the_same_inputs_give_the_same_derivation_and_it_recomputes_to_itself(snapshot, policy, listing):
    quantity, derivation = publish(snapshot, policy, listing)
    stored = Derivation.from_json(json.loads(json.dumps(derivation.to_json())))
    written = DerivationTexts()
    assert [json.loads(written.of(one)) for one in (derivation, stored, derivation)] == [derivation.to_json()] * 3

    assert publish(snapshot, policy, listing)[1] == derivation
    assert stored == derivation
    assert recompute(stored) == quantity == stored.quantity
    assert stored.in_words() == derivation.in_words()
