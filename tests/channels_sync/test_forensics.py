"""Which gap made an oversell possible: each verdict, and the facts it is made of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_sync.allocation import Offer, Snapshot, SourceStock, Term, Terms, published_quantity
from channels_sync.allocation.preventing import buffer_against
from channels_sync.forensics import Case, Change, Gap, Stage, gap_of, judge, stages_of

SALE = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)


def at(seconds):
    return SALE + timedelta(seconds=seconds)


def change(quantity=-5, *, happened=-600, recorded=-600, **times):
    return Change(
        posting_id=1,
        quantity=Decimal(quantity),
        happened_at=at(happened),
        recorded_at=at(recorded),
        **{f"{name}_at": at(seconds) for name, seconds in times.items()},
    )


def case(*changes, shown=5, stock=0, quantity=2, **fields):
    return Case(
        moment=SALE,
        quantity=quantity,
        pack_size=Decimal(fields.pop("pack_size", 1)),
        stock=Decimal(stock),
        shown=shown,
        changes=changes,
        **fields,
    )


RECORDED_LATE = change(recorded=60, absorbed=61, sent=62, accepted=63)
NOT_WORKED_OUT = change(absorbed=30)
HELD = change(held=-500, decided=100, absorbed=101)
READY = change(absorbed=-500, sent=20, accepted=21)
ON_ITS_WAY = change(absorbed=-500, sent=-490, accepted=5)
KNOWN = change(absorbed=-500, sent=-490, accepted=-480)


@pytest.mark.parametrize(
    ("facts", "gap", "word"),
    [
        (case(RECORDED_LATE), Gap.RECORDING, "recorded only after the sale"),
        (case(NOT_WORKED_OUT), Gap.RECOMPUTE, "had not been worked out"),
        (case(HELD), Gap.HOLD, "waited for a person"),
        (case(READY, paused_since=at(-550)), Gap.PAUSE, "sending was paused"),
        (case(READY), Gap.CHANNEL, "had not taken it yet"),
        (case(ON_ITS_WAY, paused_since=at(-100)), Gap.CHANNEL, "had not taken it yet"),
        (case(ON_ITS_WAY, ordinary_seconds=Decimal(600)), Gap.BUFFER, "the buffer did not cover"),
        (case(NOT_WORKED_OUT, ordinary_seconds=Decimal(600)), Gap.BUFFER, "the buffer did not cover"),
        (case(ON_ITS_WAY, ordinary_seconds=Decimal(599)), Gap.CHANNEL, "had not taken it yet"),
        (case(KNOWN), Gap.PROMISED, "counted on more than was there"),
        (case(ON_ITS_WAY, shown=1), Gap.DIFFERED, "It was told 1 and sold 2."),
        (case(ON_ITS_WAY, shown=None), Gap.NOTHING_TOLD, "No figure had been sent"),
        (case(ON_ITS_WAY, stock=2), Gap.NONE, "enough stock"),
    ],
)
def test_each_gap_has_its_verdict(facts, gap, word):
    verdict = judge(facts)

    assert verdict.gap == gap
    assert word in verdict.words
    assert verdict.prevention


def test_a_pause_or_a_hold_is_never_ordinary():
    ordinary = Decimal(100_000)

    assert judge(case(HELD, ordinary_seconds=ordinary)).gap == Gap.HOLD
    assert judge(case(READY, paused_since=at(-550), ordinary_seconds=ordinary)).gap == Gap.PAUSE
    assert judge(case(RECORDED_LATE, ordinary_seconds=ordinary)).gap == Gap.RECORDING


def test_the_gap_that_held_back_most_units_is_the_verdict():
    verdict = judge(case(replace(HELD, quantity=Decimal(-3)), replace(RECORDED_LATE, quantity=Decimal(-4)), KNOWN))

    assert (verdict.gap, verdict.in_gap, verdict.late) == (Gap.RECORDING, 4, 7)
    assert "showed 5 while 7 stock units were gone" in verdict.words


def test_of_two_gaps_with_as_many_units_the_earlier_on_the_way_counts():
    assert judge(case(ON_ITS_WAY, HELD)).gap == Gap.HOLD


def test_what_came_in_is_no_cause():
    verdict = judge(case(replace(ON_ITS_WAY, quantity=Decimal(9))))

    assert (verdict.gap, verdict.late) == (Gap.PROMISED, 0)


def test_stock_is_compared_in_packs():
    assert judge(case(ON_ITS_WAY, stock=11, pack_size=6)).gap == Gap.CHANNEL
    assert judge(case(ON_ITS_WAY, stock=12, pack_size=6)).gap == Gap.NONE


def test_a_change_that_was_decided_in_time_stands_in_the_next_gap():
    assert gap_of(change(held=-500, decided=-400, absorbed=-399), case()) == Gap.CHANNEL


# --- How long ---


def way_of(one):
    return [
        (stage.stage, stage.by_sale, None if stage.whole is None else stage.whole, stage.is_open)
        for stage in stages_of(one, SALE)
    ]


@pytest.mark.parametrize(
    ("one", "way"),
    [
        (RECORDED_LATE, [(Stage.RECORDING, 600, 660, True)]),
        (NOT_WORKED_OUT, [(Stage.RECORDING, 0, 0, False), (Stage.WORKING_OUT, 600, 630, True)]),
        (
            HELD,
            [(Stage.RECORDING, 0, 0, False), (Stage.WORKING_OUT, 100, 100, False), (Stage.DECIDING, 500, 600, True)],
        ),
        (
            READY,
            [(Stage.RECORDING, 0, 0, False), (Stage.WORKING_OUT, 100, 100, False), (Stage.QUEUEING, 500, 520, True)],
        ),
        (
            change(recorded=-590, absorbed=-500, sent=-490),
            [
                (Stage.RECORDING, 10, 10, False),
                (Stage.WORKING_OUT, 90, 90, False),
                (Stage.QUEUEING, 10, 10, False),
                (Stage.SENDING, 490, None, True),
            ],
        ),
        (
            change(held=-500, decided=-400, absorbed=5),
            [
                (Stage.RECORDING, 0, 0, False),
                (Stage.WORKING_OUT, 100, 100, False),
                (Stage.DECIDING, 100, 100, False),
                (Stage.WORKING_OUT, 400, 405, True),
            ],
        ),
    ],
)
def test_each_stage_says_how_long_it_took(one, way):
    assert way_of(one) == way


def test_the_verdict_names_the_guilty_gap_in_seconds():
    verdict = judge(case(change(recorded=-598, absorbed=-312, sent=20, accepted=21)))

    assert verdict.delay.guilty.stage == Stage.QUEUEING
    assert (verdict.delay.guilty.by_sale, verdict.delay.guilty.whole) == (312, 332)
    assert verdict.words.endswith(
        "Posting 1 (5 stock units) took 2.0 s until it was recorded, then 286 s until it was worked out, and had waited 312 s "
        "to be sent when the order came; that took 332 s in all."
    )


def test_what_never_arrived_still_waits():
    assert judge(case(change(absorbed=-500))).words.endswith(
        "had waited 500 s to be sent when the order came; it still waits."
    )


def test_the_change_with_most_units_is_timed_and_of_such_the_longest():
    small = replace(NOT_WORKED_OUT, posting_id=2, quantity=Decimal(-1), recorded_at=at(-9_000), happened_at=at(-9_000))
    long = replace(NOT_WORKED_OUT, posting_id=3, recorded_at=at(-700), happened_at=at(-700))

    delay = judge(case(small, NOT_WORKED_OUT, long)).delay

    assert (delay.posting_id, delay.guilty.by_sale) == (3, 700)


@pytest.mark.parametrize("facts", [case(KNOWN), case(ON_ITS_WAY, shown=1), case(ON_ITS_WAY, stock=2)])
def test_where_nothing_was_on_its_way_no_gap_is_timed(facts):
    assert judge(facts).delay is None


# --- The buffer that would have prevented it ---


def figure(stock="5", *, pack="1", step="1", lid=None, kept=None, **terms):
    offer = Offer(3, "CANDLE", "pcs", Decimal(step), Decimal(pack), 10**9, lid=lid, kept=kept)
    values = {name: Term(value if name == "basis" else Decimal(value)) for name, value in terms.items()}
    snapshot = Snapshot(5, 99, (SourceStock(1, "MAIN", Decimal(stock)),))
    return published_quantity(snapshot=snapshot, terms=Terms(**values), offer=offer, now=SALE)[1]


@pytest.mark.parametrize(
    ("derivation", "stock", "units", "shows"),
    [
        (figure("5"), "0", 5, 0),
        (figure("5"), "2", 3, 2),
        (figure("5"), "-4", 5, 0),
        (figure("5", buffer="2"), "1", 4, 1),
        (figure("20", percent="50"), "3", 13, 3),
        (figure("20", percent="50"), "3.5", 13, 3),
        (figure("24", pack="6"), "12", 7, 2),
        (figure("5", step="0.5"), "2", "2.5", 2),
        (figure("20", minimum="4"), "2", 17, 0),
        (figure("20", maximum="6"), "6.5", None, None),
        (figure("20", buffer_percent="10"), "4", 16, 4),
    ],
)
def test_the_smallest_buffer_is_worked_out_from_the_quantities_of_that_time(derivation, stock, units, shows):
    found = buffer_against(derivation, stock=Decimal(stock))

    assert (found.units, found.shows) == (None if units is None else Decimal(units), shows)


def test_how_it_was_worked_out_stands_beside_it():
    found = buffer_against(figure("5", buffer="1"), stock=Decimal(2))

    assert found.how == (
        "It showed 4, from 5 pcs less a buffer of 1 pcs. 2 pcs were there at the sale, so it could show 2 at most. "
        "With a buffer of 3 pcs, and everything else as it was, it would have shown 2."
    )
    assert (found.present, found.deliverable) == (1, 2)


@pytest.mark.parametrize(
    ("derivation", "why"),
    [
        (figure("5", basis="fixed", fixed_quantity="9"), "its rule fixes the figure"),
        (figure("5", kept=9), "a person keeps the figure up"),
    ],
)
def test_where_no_buffer_would_have_done_the_reason_is_said(derivation, why):
    found = buffer_against(derivation, stock=Decimal(0))

    assert found.units is None
    assert f"No buffer lowers it: {why}." in found.how


@given(
    st.integers(0, 400), st.sampled_from(["0.5", "1", "6"]), st.integers(1, 100), st.integers(0, 60),
    st.integers(0, 30), st.integers(0, 30),
)  # fmt: skip
def test_no_smaller_buffer_would_have_done(stock, pack, percent, there, minimum, buffer):
    derivation = figure(str(stock), pack=pack, percent=str(percent), minimum=str(minimum), buffer=str(buffer))

    found = buffer_against(derivation, stock=Decimal(there))

    assert (found.units is None) == (derivation.quantity <= found.deliverable)
    if found.units is not None:
        less = figure(
            str(stock),
            pack=pack,
            percent=str(percent),
            minimum=str(minimum),
            buffer=str(max(found.units - 1, Decimal(0))),
        )
        assert found.shows <= found.deliverable < less.quantity
        assert found.units > buffer


def test_the_verdict_carries_the_buffer_and_what_to_do():
    verdict = judge(case(NOT_WORKED_OUT, derivation=figure("5")))

    assert verdict.buffer.units == 5
    assert "See that the workers run" in verdict.prevention
    assert "A buffer of 5 stock units would have prevented it. It showed 5, from 5 pcs" in verdict.prevention


@pytest.mark.parametrize("facts", [case(ON_ITS_WAY, shown=1, derivation=figure()), case(stock=2, derivation=figure())])
def test_where_no_buffer_has_a_part_none_is_named(facts):
    assert judge(facts).buffer is None
