"""Which gap made an oversell possible: each verdict, and the facts it is made of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from channels_sync.forensics import Case, Change, Gap, gap_of, judge

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
