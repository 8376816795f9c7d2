"""Hours of the week in which figures go out."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_sync.windows import Flow, Window, flow_at, next_change

BERLIN = ZoneInfo("Europe/Berlin")
EVERY_DAY = frozenset(range(7))


def window(starts, ends, *, quiet=True, raises=False, days=EVERY_DAY):
    return Window(quiet, raises, days, time.fromisoformat(starts), time.fromisoformat(ends))


def at(text, zone=UTC):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def test_without_windows_everything_goes_out():
    assert flow_at([], moment=at("2026-11-26 12:00"), zone=UTC) is Flow.EVERYTHING


@pytest.mark.parametrize(
    ("clock", "flow"),
    [
        ("21:59", Flow.EVERYTHING),
        ("22:00", Flow.NOTHING),
        ("03:00", Flow.NOTHING),
        ("05:59", Flow.NOTHING),
        ("06:00", Flow.EVERYTHING),
    ],
)
def test_quiet_hours_over_midnight_hold_from_their_start_up_to_their_end(clock, flow):
    assert flow_at([window("22:00", "06:00")], moment=at(f"2026-11-26 {clock}"), zone=UTC) is flow


def test_hours_over_midnight_belong_to_the_day_they_begin_on():
    friday_night = [window("22:00", "06:00", days=frozenset({4}))]

    assert flow_at(friday_night, moment=at("2026-11-28 05:00"), zone=UTC) is Flow.NOTHING  # Saturday
    assert flow_at(friday_night, moment=at("2026-11-27 05:00"), zone=UTC) is Flow.EVERYTHING  # Friday


def test_quiet_for_raises_lets_lowering_out():
    assert flow_at([window("08:00", "20:00", raises=True)], moment=at("2026-11-26 12:00"), zone=UTC) is Flow.LOWERING


def test_open_hours_keep_everything_back_outside_of_all_of_them():
    opening = [window("08:00", "10:00", quiet=False), window("14:00", "16:00", quiet=False)]

    found = [flow_at(opening, moment=at(f"2026-11-26 {clock}"), zone=UTC) for clock in ("09:00", "12:00", "15:00")]

    assert found == [Flow.EVERYTHING, Flow.NOTHING, Flow.EVERYTHING]


def test_the_stricter_of_two_holds():
    both = [window("08:00", "20:00", raises=True), window("12:00", "13:00")]

    assert flow_at(both, moment=at("2026-11-26 12:30"), zone=UTC) is Flow.NOTHING


def test_the_clock_is_that_of_the_zone_also_after_it_was_put_back():
    quiet = [window("22:00", "23:00")]

    assert flow_at(quiet, moment=at("2026-07-01 20:30"), zone=BERLIN) is Flow.NOTHING
    assert flow_at(quiet, moment=at("2026-12-01 20:30"), zone=BERLIN) is Flow.EVERYTHING
    assert flow_at(quiet, moment=at("2026-12-01 21:30"), zone=BERLIN) is Flow.NOTHING


def test_the_next_change_is_the_end_of_the_hours_that_hold():
    assert next_change([window("22:00", "06:00")], moment=at("2026-11-26 23:00"), zone=BERLIN) == at("2026-11-27 05:00")


def test_hours_that_hold_for_ever_have_no_next_change():
    whole_days = [window("00:00", "12:00"), window("12:00", "00:00")]

    assert next_change(whole_days, moment=at("2026-11-26 23:00"), zone=UTC) is None


times = st.times().map(lambda value: value.replace(second=0, microsecond=0))
windows = st.builds(
    Window, st.booleans(), st.booleans(), st.frozensets(st.integers(0, 6), min_size=1), times, times
).filter(lambda one: one.starts_at != one.ends_at)


@given(st.lists(windows, max_size=4), st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)))
def test_until_the_next_change_the_flow_stays_and_then_it_is_another(found, naive):
    moment = naive.replace(tzinfo=UTC)
    until = next_change(found, moment=moment, zone=UTC)
    if until is None:
        return

    now = flow_at(found, moment=moment, zone=UTC)

    assert flow_at(found, moment=moment + (until - moment) / 2, zone=UTC) is now
    assert flow_at(found, moment=until, zone=UTC) is not now
