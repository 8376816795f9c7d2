"""Hours of sending and the settings of reading back from tables."""

from datetime import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels_sync.importing.sending_windows import days_text, read_days
from channels_sync.models import DriftSetting, SendingWindow, WindowKind, WindowScope
from channels_sync.operations import scheduling
from channels_sync.operations.deciding_differences import set_drift
from channels_sync.operations.scheduling import add_window
from inventory.importing.cells import CellError
from inventory.importing.exporting import export_of, header_of
from inventory.importing.running import Mode, kind_named, run_import
from inventory.web import csv_lines
from tests.channels_sync.factories import make_channel

pytestmark = pytest.mark.django_db
HOURS = (
    "Channel,Hours,What,Days,From,Until,Reason\n"
    "shop,quiet,,Mon-Fri,22:00,6:00,Night\n"
    "SHOP,open,raises only,,8:00,20:00,\n"
)


@pytest.fixture(autouse=True)
def shop():
    return make_channel(code="shop", name="Shop")


def bring(kind, text, mode=Mode.ALL, actor=None):
    return run_import(kind=kind_named(kind), content=text.encode(), file_name=f"{kind}.csv", actor=actor, mode=mode)


def taken_out(name):
    kind = kind_named(name)
    export = export_of(kind)
    return "".join(csv_lines(header_of(kind, export), export.rows()))


def outcomes(report):
    return [(str(result.outcome), [(c.field, c.old, c.new) for c in result.changes]) for result in report.results]


def problems(report):
    return [(problem.row, problem.column, problem.message) for problem in report.problems]


def hours():
    rows = SendingWindow.objects.order_by("pk")
    return [(w.kind, w.scope, w.weekdays, w.starts_at, w.ends_at, w.reason) for w in rows]


# --- Hours ------------------------------------------------------------------------------------------------------------


def test_hours_are_checked_added_and_the_same_file_again_changes_nothing():
    seen = bring("sending_windows", HOURS, Mode.CHECK)
    assert hours() == []

    made, again = bring("sending_windows", HOURS), bring("sending_windows", HOURS)

    assert outcomes(seen) == outcomes(made)
    assert [result.label for result in made.results] == [
        "shop: quiet 22:00-06:00, Mon, Tue, Wed, Thu, Fri",
        "shop: open 08:00-20:00, every day",
    ]
    assert [word for word, _ in outcomes(made)] == ["new", "new"]
    assert outcomes(again) == [("unchanged", []), ("unchanged", [])]
    assert hours() == [
        ("quiet", "everything", "01234", time(22), time(6), "Night"),
        ("open", "raises", "0123456", time(8), time(20), ""),
    ]


def test_another_reason_is_written_and_an_empty_one_changes_nothing(planner):
    bring("sending_windows", HOURS)

    other = bring("sending_windows", HOURS.replace("Night", "Quiet house"), actor=planner)
    empty = bring("sending_windows", HOURS.replace("Night", ""))

    assert outcomes(other) == [("changed", [("Reason", "Night", "Quiet house")]), ("unchanged", [])]
    assert [word for word, _ in outcomes(empty)] == ["unchanged", "unchanged"]
    assert hours()[0][-1] == "Quiet house"
    assert SendingWindow.history.latest("history_id").history_user == planner


def test_hours_the_file_does_not_name_stay(shop):
    add_window(
        channel=shop, kind=WindowKind.QUIET, scope=WindowScope.RAISES, weekdays="6", starts_at=time(1),
        ends_at=time(2), actor=None,
    )  # fmt: skip

    bring("sending_windows", HOURS)

    assert len(hours()) == 3


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        (",quiet,,,22:00,6:00", "Channel", "the channel is empty"),
        ("nowhere,quiet,,,22:00,6:00", "Channel", "there is no channel"),
        ("shop,,,,22:00,6:00", "Hours", "it is empty"),
        ("shop,loud,,,22:00,6:00", "Hours", "is no kind of hours"),
        ("shop,quiet,lowering,,22:00,6:00", "What", "is no choice of what goes out"),
        ("shop,quiet,,someday,22:00,6:00", "Days", "names no days of the week"),
        ("shop,quiet,,,,6:00", "From", "it is empty"),
        ("shop,quiet,,,10 pm,6:00", "From", "is not a time of the day"),
        ("shop,quiet,,,22:00,24:00", "Until", "is not a time of the day"),
        ("shop,quiet,,,22:00,22:00", "Until", "begin and end at the same time"),
    ],
)
def test_hours_that_cannot_be_are_refused_at_their_cell(row, column, words):
    report = bring("sending_windows", f"Channel,Hours,What,Days,From,Until\n{row}\n")

    [(number, where, message)] = problems(report)
    assert (number, where) == (2, column)
    assert words in message
    assert hours() == []


def test_copies_are_skipped_contradictions_and_too_many_refused(monkeypatch):
    monkeypatch.setattr(scheduling, "WINDOWS_MAX", 1)
    rows = [
        "shop,quiet,Mon-Sun,22:00,6:00,a",
        "shop,quiet,every day,22:00,06:00,b",
        "shop,quiet,Mon-Sun,22:00,6:00,a",
        "shop,quiet,Mon,22:00,6:00,a",
    ]

    report = bring("sending_windows", "\n".join(["Channel,Hours,Days,From,Until,Reason", *rows]), Mode.CLEAN)

    assert [word for word, _ in outcomes(report)] == ["new", "refused", "skipped", "refused"]
    assert [(row, column) for row, column, _ in problems(report)] == [(3, "Channel"), (5, "Channel")]
    assert "shop: quiet 22:00-06:00, every day stands in row 2 already" in problems(report)[0][2]
    assert "which is the most" in problems(report)[1][2]


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("every day", "0123456"),
        ("Weekdays", "01234"),
        ("weekend", "56"),
        ("Mon-Fri", "01234"),
        ("Fri – Mon", "0456"),
        ("Sat, Sun", "56"),
        ("sunday; Tues. Th", "136"),
        ("Mon", "0"),
        ("Mon-Mon", "0"),
        ("Sun-Sat", "0123456"),
    ],
)
def test_days_are_read_as_people_write_them_and_read_back_as_they_are_written(text, digits):
    assert read_days(text) == digits == read_days(days_text(digits))


@pytest.mark.parametrize("text", ["S", "1", "0123456", "Mon-", "-", "Mon-Xyz", "Mon Fri Foo"])
def test_what_names_no_days_is_refused(text):
    with pytest.raises(CellError, match="names no days of the week"):
        read_days(text)


# --- Reading back -----------------------------------------------------------------------------------------------------


def test_settings_of_reading_back_are_changed_where_they_differ(shop):
    make_channel(code="other")
    set_drift(channel=shop, values={"sample_rows": 100}, actor=None)
    text = "Channel,Minutes to settle,Listings read,Lost raise,Edited\nshop,30,,leave,Adopt\nother,10,50,alert,\n"

    seen = bring("drift_settings", text, Mode.CHECK)
    assert DriftSetting.objects.get().settle_minutes == 10

    made, again = bring("drift_settings", text), bring("drift_settings", text)

    changes = [("Minutes to settle", "10", "30"), ("Lost raise", "alert", "leave"), ("Edited", "alert", "adopt")]
    assert outcomes(seen) == outcomes(made) == [("changed", changes), ("unchanged", [])]
    assert outcomes(again) == [("unchanged", []), ("unchanged", [])]
    setting = DriftSetting.objects.get()
    assert (setting.settle_minutes, setting.sample_rows, setting.lost_raise, setting.edited) == (
        30,
        100,
        "leave",
        "adopt",
    )


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("nowhere,30,50,alert", "Channel", "there is no channel"),
        ("shop,2881,50,alert", "Minutes to settle", "2880"),
        ("shop,-1,50,alert", "Minutes to settle", "is no whole number"),
        ("shop,30,0,alert", "Listings read", "1"),
        ("shop,30,201,alert", "Listings read", "200"),
        ("shop,30,50,adopt", "Sold", "Use one of: alert, leave"),
        ("shop,30,50,overwrite", "Sold", "is no response to this cause"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_at_its_cell(row, column, words):
    report = bring("drift_settings", f"Channel,Minutes to settle,Listings read,Sold\n{row}\n")

    [(number, where, message)] = problems(report)
    assert (number, where) == (2, column)
    assert words in message
    assert not DriftSetting.objects.exists()


def test_every_channel_goes_out_with_what_holds_and_comes_in_unchanged(shop):
    make_channel(code="other")
    set_drift(channel=shop, values={"mapping": "leave"}, actor=None)

    report = bring("drift_settings", taken_out("drift_settings"))

    assert outcomes(report) == [("unchanged", []), ("unchanged", [])]
    assert DriftSetting.objects.count() == 1


# --- Both -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sending_windows", "drift_settings"])
def test_statements_do_not_grow_with_rows_that_change_nothing(kind):
    for number in range(20):
        channel = make_channel(code=f"c{number}")
        set_drift(channel=channel, values={"sample_rows": 7}, actor=None)
        add_window(
            channel=channel, kind=WindowKind.QUIET, scope=WindowScope.RAISES, weekdays="6", starts_at=time(1),
            ends_at=time(2), actor=None,
        )  # fmt: skip
    whole = taken_out(kind)
    few = "".join(whole.splitlines(keepends=True)[:2])
    counts = []
    for text in (few, few, whole):
        with CaptureQueriesContext(connection) as queries:
            assert {word for word, _ in outcomes(bring(kind, text))} == {"unchanged"}
        counts.append(len(queries))

    assert counts[1] == counts[2]
