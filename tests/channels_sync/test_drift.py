"""What a figure that was read back says. Pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_sync.drift import (
    ALLOWED,
    DEFAULTS,
    Candidate,
    Cause,
    DriftRules,
    Response,
    Sent,
    Shown,
    choose_sample,
    examine,
)

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONFIRMED = Sent("CANDLE", 10, START, before=7, was_confirmed=True, committed=2)
UNCONFIRMED = replace(CONFIRMED, was_confirmed=False)
AT_ONCE = DriftRules(settle=timedelta(0))


def shows(quantity, *, committed=None, sku="CANDLE", after=HOUR, changed_by=""):
    return Shown(quantity, sku, START + after, committed, changed_by)


def cause(sent, shown):
    drift = examine(sent=sent, shown=shown, rules=AT_ONCE)
    return drift and drift.cause


def test_the_figure_that_was_sent_is_no_drift():
    assert examine(sent=CONFIRMED, shown=shows(10, committed=2), rules=AT_ONCE) is None


def test_a_push_that_left_the_earlier_figure_was_not_applied():
    drift = examine(sent=UNCONFIRMED, shown=shows(7, committed=2), rules=AT_ONCE)

    assert (drift.cause, drift.ours, drift.theirs, drift.delta) == (Cause.NOT_APPLIED, 10, 7, -3)
    assert drift.words == "The channel took 10, was never seen to show it, and still shows 7 as before."
    assert drift.response is Response.OVERWRITE


@pytest.mark.parametrize("committed", [None, 5])
def test_a_raise_sold_down_to_the_earlier_figure_is_not_called_lost(committed):
    assert cause(UNCONFIRMED, shows(7, committed=committed)) is Cause.UNEXPLAINED


def test_a_lowering_that_left_the_higher_figure_was_not_applied_whatever_orders_say():
    assert cause(replace(UNCONFIRMED, before=12), shows(12, committed=None)) is Cause.NOT_APPLIED


def test_the_earlier_figure_after_ours_was_seen_is_not_a_lost_push():
    assert cause(CONFIRMED, shows(7)) is Cause.UNEXPLAINED


def test_orders_that_hold_exactly_what_is_missing_are_sales():
    drift = examine(sent=CONFIRMED, shown=shows(7, committed=5), rules=AT_ONCE)

    assert drift.cause is Cause.SOLD
    assert drift.words == "Orders of the channel hold 3 more than when it showed our 10."
    assert drift.response is Response.ALERT


def test_a_cancelled_order_puts_its_units_back():
    assert cause(CONFIRMED, shows(12, committed=0)) is Cause.SOLD


def test_a_sale_explains_the_fall_although_somebody_is_named():
    assert cause(CONFIRMED, shows(7, committed=5, changed_by="Stock app")) is Cause.SOLD


def test_a_sale_that_explains_part_of_the_fall_leaves_it_unexplained():
    drift = examine(sent=CONFIRMED, shown=shows(6, committed=5), rules=AT_ONCE)

    assert drift.cause is Cause.UNEXPLAINED
    assert drift.words == "It fell by 4; orders of the channel account for 3 of them."


@pytest.mark.parametrize("sent", [CONFIRMED, UNCONFIRMED])
def test_a_change_the_channel_names_an_author_for_was_edited(sent):
    drift = examine(sent=sent, shown=shows(7, committed=2, changed_by="Stock app"), rules=AT_ONCE)

    assert drift.cause is Cause.EDITED
    assert drift.words.startswith("Stock app changed it on the channel")


def test_a_rise_while_orders_stand_still_was_edited():
    assert cause(CONFIRMED, shows(15, committed=2)) is Cause.EDITED


def test_a_fall_while_orders_stand_still_may_be_a_shipped_sale():
    assert cause(CONFIRMED, shows(7, committed=2)) is Cause.UNEXPLAINED


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (shows(None, sku=""), "The channel no longer knows the item CANDLE is linked to."),
        (shows(10, sku="SOAP"), "The item CANDLE is linked to carries the SKU SOAP on the channel."),
        (shows(None), "The channel does not stock CANDLE at the chosen location."),
    ],
)
def test_a_listing_that_is_gone_or_something_else_is_a_mapping_error(shown, words):
    drift = examine(sent=CONFIRMED, shown=shown, rules=AT_ONCE)

    assert (drift.cause, drift.words, drift.response) == (Cause.MAPPING, words, Response.ALERT)


def test_nothing_is_said_while_a_newer_figure_waits():
    assert cause(replace(CONFIRMED, is_newest=False), shows(3)) is None


def test_a_reading_older_than_what_was_sent_says_nothing():
    assert cause(CONFIRMED, shows(7, after=-timedelta(seconds=1))) is None


def test_a_difference_is_watched_until_the_channel_had_its_time():
    rules = DriftRules(settle=timedelta(minutes=30))

    def after(minutes):
        return examine(
            sent=UNCONFIRMED,
            shown=shows(7, committed=2, after=timedelta(minutes=minutes)),
            rules=rules,
            first_seen_at=START + timedelta(minutes=5),
        )

    assert after(34).is_watched
    assert after(34).response is None
    assert after(35).response is Response.OVERWRITE


def test_a_first_sight_is_watched_however_long_ago_the_figure_was_sent():
    assert examine(sent=CONFIRMED, shown=shows(7, after=48 * HOUR), rules=DriftRules()).is_watched


def test_sending_again_begins_the_wait_anew():
    sent = replace(UNCONFIRMED, sent_at=START + HOUR)
    shown = shows(7, after=HOUR + timedelta(minutes=9))

    drift = examine(sent=sent, shown=shown, rules=DriftRules(), first_seen_at=START)

    assert drift.since == START + HOUR
    assert drift.is_watched


def test_a_lower_figure_is_adopted_and_a_higher_one_never():
    rules = DriftRules(settle=timedelta(0), responses={Cause.EDITED: Response.ADOPT})

    def response(quantity):
        return examine(sent=CONFIRMED, shown=shows(quantity, committed=2, changed_by="Staff"), rules=rules).response

    assert [response(quantity) for quantity in (-1, 0, 4, 11)] == [
        Response.ALERT,
        Response.ADOPT,
        Response.ADOPT,
        Response.ALERT,
    ]


@pytest.mark.parametrize("blind", [Cause.SOLD, Cause.UNEXPLAINED, Cause.MAPPING])
@pytest.mark.parametrize("response", [Response.OVERWRITE, Response.ADOPT])
def test_no_rule_overwrites_or_adopts_what_may_be_a_sale_or_another_item(blind, response):
    with pytest.raises(ValueError, match=f"{response} is no response to {blind}"):
        DriftRules(responses={blind: response})


def test_every_cause_has_a_default_that_is_allowed():
    assert set(DEFAULTS) == set(ALLOWED) == set(Cause)
    assert all(DEFAULTS[one] in ALLOWED[one] for one in Cause)


counts = st.integers(-5, 30)


@given(
    sent=st.builds(
        Sent,
        st.just("CANDLE"),
        st.integers(0, 30),
        st.just(START),
        st.none() | counts,
        st.booleans(),
        st.none() | st.integers(0, 9),
    ),
    quantity=st.none() | counts,
    committed=st.none() | st.integers(0, 9),
    changed_by=st.sampled_from(["", "Staff"]),
)
def test_only_an_unseen_push_is_overwritten_by_default(sent, quantity, committed, changed_by):
    drift = examine(sent=sent, shown=shows(quantity, committed=committed, changed_by=changed_by), rules=AT_ONCE)

    assert (drift is None) == (quantity == sent.quantity)
    if drift is not None and drift.response is Response.OVERWRITE:
        assert (sent.was_confirmed, quantity, changed_by) == (False, sent.before, "")
        assert quantity > sent.quantity or committed == sent.committed is not None


# --- what to read next ---


def listing(number, quantity, hours):
    return Candidate(number, quantity, None if hours is None else START - hours * HOUR)


def test_a_sample_takes_the_longest_unverified_and_the_scarcest_in_turn():
    found = [listing(1, 500, None), listing(2, 400, 9), listing(3, 1, 1), listing(4, 2, 2), listing(5, 0, 3)]

    assert choose_sample(found, rows_max=1) == [1]
    assert choose_sample(found, rows_max=2) == [1, 3]
    assert choose_sample(found, rows_max=4) == [1, 2, 3, 4]
    assert choose_sample(found, rows_max=9) == [1, 2, 3, 4, 5]


def test_what_shows_zero_oversells_last():
    assert choose_sample([listing(1, 3, 9), listing(2, 0, 1), listing(3, 8, 1)], rows_max=2) == [1, 3]


def test_passes_reach_every_listing_however_risky_the_others_are():
    found = {number: listing(number, 1 if number < 10 else 900, 100) for number in range(30)}

    read = set()
    for step in range(20):
        for number in choose_sample(found.values(), rows_max=4):
            read.add(number)
            found[number] = replace(found[number], verified_at=START + step * HOUR)

    assert read == set(found)
