"""Moments from tables: on the company's clock, or with an offset; what the clock leaves in doubt is refused."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from inventory.importing.cells import CellError
from inventory.importing.moments import moment_text, read_moment, read_moment_reported, read_time, time_text

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def berlin():
    with timezone.override(BERLIN):
        yield


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-01 08:00", datetime(2026, 12, 1, 7, tzinfo=UTC)),
        (" 2026-12-01T08:00:30.5 ", datetime(2026, 12, 1, 7, 0, 30, 500_000, tzinfo=UTC)),
        ("2026-12-01 8:00", datetime(2026, 12, 1, 7, tzinfo=UTC)),
        ("2026-07-01 08:00", datetime(2026, 7, 1, 6, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 11, 30, 23, tzinfo=UTC)),
        ("1.12.2026", datetime(2026, 11, 30, 23, tzinfo=UTC)),
        ("1.12.2026 08:00", datetime(2026, 12, 1, 7, tzinfo=UTC)),
        ("2026/12/01 08:00:00", datetime(2026, 12, 1, 7, tzinfo=UTC)),
        ("2026-12-01T08:00:00Z", datetime(2026, 12, 1, 8, tzinfo=UTC)),
        ("2026-12-01T08:00-05:00", datetime(2026, 12, 1, 13, tzinfo=UTC)),
        ("2026-10-25 02:30+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_people_and_programs_write_it(text, moment):
    assert read_moment(text) == moment


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("soon", "not a date with a time"),
        ("08:00", "not a date with a time"),
        ("12/01/2026 08:00", "not a date with a time"),
        ("2026-12-01 25:00", "not a date with a time"),
        ("2026-02-30 08:00", "not a date with a time"),
        ("2026-03-29 02:30", "is skipped by the clock"),
        ("2026-10-25 02:30", "Write 2026-10-25 02:30:00+02:00 or 2026-10-25 02:30:00+01:00"),
        ("0001-01-01 00:00", "has the year 1."),
        ("9999-12-31 23:59-12:00", "has the year 9999"),
    ],
)
def test_what_is_no_moment_without_doubt_is_refused(text, words):
    with pytest.raises(CellError) as refusal:
        read_moment(text)

    assert words in str(refusal.value)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2999, 12, 30), timezones=st.just(UTC)))
def test_what_is_written_reads_back_as_it_was(moment):
    with timezone.override(BERLIN):
        assert read_moment(moment_text(moment)) == moment


def test_a_moment_is_written_as_short_as_it_is_plain():
    assert moment_text(datetime(2026, 12, 1, 7, tzinfo=UTC)) == "2026-12-01 08:00"
    assert moment_text(datetime(2026, 12, 1, 7, 0, 5, tzinfo=UTC)) == "2026-12-01 08:00:05"
    assert moment_text(datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) == "2026-10-25 02:30+01:00"


def test_the_day_of_a_report_is_its_end():
    assert read_moment_reported("2026-01-02") == datetime(2026, 1, 2, 23, tzinfo=UTC)
    assert read_moment_reported("2026-01-02 08:00") == datetime(2026, 1, 2, 7, tzinfo=UTC)


@pytest.mark.parametrize(("text", "clock"), [("8:00", time(8)), ("22:00", time(22)), ("22:00:30", time(22, 0, 30))])
def test_a_time_of_the_day_is_read_and_written(text, clock):
    assert read_time(text) == read_time(time_text(clock)) == clock


@pytest.mark.parametrize("text", ["24:00", "10 pm", "22", "-1:00"])
def test_what_is_no_time_of_the_day_is_refused(text):
    with pytest.raises(CellError, match="Type hour:minute"):
        read_time(text)
