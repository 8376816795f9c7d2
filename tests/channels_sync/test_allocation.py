import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels_sync.allocation import (
    Breadth,
    Derivation,
    Offer,
    PolicyTerms,
    Rule,
    Snapshot,
    SourceStock,
    Term,
    Terms,
    published_quantity,
    recompute,
    resolve,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RULE = Rule(7, 2, "Channel Shop", "mia", datetime(2026, 11, 1, tzinfo=UTC))


def offer(*, pack="1", step="1", quantity_max=1_000_000_000, withdrawn=""):
    return Offer(3, "CANDLE", "pcs", Decimal(step), Decimal(pack), quantity_max, withdrawn)


def stock(*quantities):
    return Snapshot(5, 99, tuple(SourceStock(n, f"SITE-{n}", Decimal(q)) for n, q in enumerate(quantities, start=1)))


def terms(*, percent="100", buffer="0", minimum="0", maximum=None):
    return Terms(
        percent=Term(Decimal(percent), RULE),
        buffer=Term(Decimal(buffer), RULE),
        minimum=Term(Decimal(minimum), RULE),
        maximum=Term(None if maximum is None else Decimal(maximum), RULE),
    )


def publish(snapshot, policy=None, listing=None):
    return published_quantity(snapshot=snapshot, terms=policy or Terms(), offer=listing or offer(), now=NOW)


@pytest.mark.parametrize(
    ("free", "policy", "pack", "published"),
    [
        ("250", {"percent": "50"}, "1", 125),
        ("80", {"percent": "50"}, "1", 40),
        ("6", {"percent": "50", "minimum": "4"}, "1", 0),
        ("250", {"percent": "50", "maximum": "100"}, "1", 100),
        ("32", {"percent": "50"}, "6", 2),
        ("16", {}, "6", 2),
        ("1", {"percent": "90"}, "1", 0),
    ],
)
def test_published_vectors(free, policy, pack, published):
    quantity, _ = publish(stock(free), terms(**policy), offer(pack=pack))

    assert quantity == published


def test_takes_the_buffer_once_from_the_sum():
    quantity, _ = publish(stock("10", "10"), terms(buffer="5"))

    assert quantity == 15


def test_one_site_in_debt_does_not_take_from_another():
    short = SourceStock(1, "EAST", Decimal(5), Decimal(0), Decimal(9))
    snapshot = Snapshot(5, 99, (short, SourceStock(2, "WEST", Decimal(12))))

    quantity, derivation = publish(snapshot)

    assert quantity == 12
    assert "EAST is short of 4, not taken from elsewhere: 12" in derivation.in_words()


def test_a_minimum_that_is_just_reached_is_shown():
    assert publish(stock("4"), terms(minimum="4"))[0] == 4


def test_floors_to_the_step_of_the_item_and_then_to_packs():
    quantity, _ = publish(stock("1.999999"), terms(percent="50"), offer(step="0.25", pack="0.25"))

    assert quantity == 3  # 0.9999995 kg -> 0.75 kg -> 3 packs of 250 g


def test_pack_floor_is_exact_where_binary_fractions_are_not():
    assert publish(stock("0.3"), None, offer(step="0.1", pack="0.1"))[0] == 3


def test_never_more_than_the_channel_takes():
    assert publish(stock("50"), None, offer(quantity_max=20))[0] == 20


def test_a_withdrawn_item_shows_nothing_and_says_why():
    quantity, derivation = publish(stock("50"), None, offer(withdrawn="CANDLE is inactive"))

    assert quantity == 0
    assert derivation.in_words().endswith("CANDLE is inactive \N{RIGHTWARDS ARROW} 0")


def test_tells_the_arithmetic_on_one_line():
    snapshot = Snapshot(5, 99, (SourceStock(1, "MAIN", Decimal(160), Decimal(20), Decimal(4)),))

    quantity, derivation = publish(snapshot, terms(percent="50", buffer="8"), offer(pack="6"))

    assert quantity == 10
    assert derivation.in_words() == (
        "on hand 160 \N{MINUS SIGN} reserved 24 \N{MINUS SIGN} buffer 8 = 128 \N{MULTIPLICATION SIGN} 50 % = 64"
        " \N{RIGHTWARDS ARROW} pack of 6 \N{RIGHTWARDS ARROW} 10"
    )


def test_tells_of_minimum_and_maximum():
    arrow = "\N{RIGHTWARDS ARROW}"

    below = publish(stock("3"), terms(minimum="4"))[1].in_words()
    above = publish(stock("30"), terms(maximum="20"))[1].in_words()

    assert below == f"on hand 3 {arrow} below minimum 4 {arrow} 0"
    assert above == f"on hand 30 {arrow} at most 20 {arrow} 20"


def test_the_narrowest_scope_that_sets_a_term_decides_it():
    def rule(number):
        return Rule(number, 1, f"scope {number}")

    wide = {"percent": Decimal(80), "buffer": Decimal(5), "maximum": Decimal(50)}
    resolved = resolve(
        [
            PolicyTerms(Breadth.LISTING, rule(5), {"minimum": Decimal(2)}),
            PolicyTerms(Breadth.EVERYTHING, rule(1), wide),
            PolicyTerms(Breadth.ITEM_ON_CHANNEL, rule(4), {"maximum": Decimal(9)}),
            PolicyTerms(Breadth.ITEM, rule(3), {"percent": Decimal(30)}),
            PolicyTerms(Breadth.CHANNEL, rule(2), {"percent": Decimal(60), "buffer": Decimal(0)}),
        ]
    )

    assert [(one.value, one.rule.policy_id) for one in (resolved.percent, resolved.buffer)] == [(30, 3), (0, 2)]
    assert [(one.value, one.rule.policy_id) for one in (resolved.minimum, resolved.maximum)] == [(2, 5), (9, 4)]


def test_without_a_policy_everything_is_shown_and_says_so():
    resolved = resolve([])

    assert (resolved.percent.value, resolved.buffer.value, resolved.maximum.value) == (100, 0, None)
    assert resolved.percent.rule.scope == "Built in"


def test_refuses_a_stored_form_it_does_not_know():
    _, derivation = publish(stock("1"))

    with pytest.raises(ValueError, match="format 4"):
        Derivation.from_json({**derivation.to_json(), "format": 4})


quantities = st.decimals(min_value=0, max_value=10**9, places=6, allow_nan=False)
positive = st.decimals(min_value="0.000001", max_value=10**6, places=6, allow_nan=False)
sources = st.builds(
    SourceStock,
    location_id=st.integers(1, 9),
    code=st.text(max_size=5),
    on_hand=quantities,
    reserved_pinned=quantities,
    reserved_soft=quantities,
    expired=quantities,
    withheld=quantities,
)
snapshots = st.builds(
    Snapshot,
    item_id=st.just(5),
    cutoff=st.none() | st.integers(1, 10**12),
    sources=st.lists(sources, max_size=4).map(tuple),
)
rules = st.builds(
    Rule,
    policy_id=st.none() | st.integers(1, 99),
    version=st.integers(0, 9),
    scope=st.text(max_size=9),
    author=st.text(max_size=9),
    since=st.none() | st.just(NOW),
)
all_terms = st.builds(
    Terms,
    percent=st.builds(Term, st.decimals(0, 100, places=3, allow_nan=False), rules),
    buffer=st.builds(Term, quantities, rules),
    minimum=st.builds(Term, quantities, rules),
    maximum=st.builds(Term, st.none() | quantities, rules),
)
offers = st.builds(
    Offer,
    listing_id=st.just(3),
    sku=st.text(max_size=9),
    unit=st.just("kg"),
    step=st.sampled_from([Decimal("0.000001"), Decimal("0.25"), Decimal(1), Decimal(12)]),
    pack_size=positive,
    quantity_max=st.integers(0, 10**9),
    withdrawn=st.sampled_from(["", "", "", "X is inactive"]),
)


@settings(max_examples=400)
@given(snapshots, all_terms, offers)
def test_stays_between_zero_and_everything_it_must_not_pass(snapshot, policy, listing):
    quantity, _ = publish(snapshot, policy, listing)

    shown = quantity * listing.pack_size
    available = sum(max(Decimal(0), source.available) for source in snapshot.sources)
    assert 0 <= quantity <= listing.quantity_max
    assert shown <= available
    assert shown * 100 <= available * policy.percent.value
    assert policy.maximum.value is None or shown <= policy.maximum.value
    assert not listing.withdrawn or quantity == 0


@settings(max_examples=400)
@given(snapshots, sources, all_terms, offers, quantities)
def test_more_stock_never_shows_less(snapshot, source, policy, listing, more):
    richer = SourceStock(
        source.location_id, source.code, source.on_hand + more, source.reserved_pinned, source.reserved_soft
    )

    before, _ = publish(Snapshot(5, 1, (*snapshot.sources, source)), policy, listing)
    after, _ = publish(Snapshot(5, 1, (*snapshot.sources, richer)), policy, listing)

    assert after >= before


@settings(max_examples=400)
@given(snapshots, all_terms, offers)
def test_a_stored_derivation_recomputes_to_itself(snapshot, policy, listing):
    quantity, derivation = publish(snapshot, policy, listing)
    again = publish(snapshot, policy, listing)[1]
    stored = Derivation.from_json(json.loads(json.dumps(derivation.to_json())))

    assert again == derivation
    assert stored == derivation
    assert recompute(stored) == quantity == stored.quantity
    assert derivation.in_words().startswith("on hand ")
