"""How long publishing takes: exact figures over lines with known times."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from channels_sync.models import PublicationLine, PublishRun
from channels_sync.reads.latency import StageLatency, channel_delays, channel_latency
from tests.channels_sync.factories import make_channel, make_listing

pytestmark = pytest.mark.django_db

START = datetime(2024, 5, 6, 8, 0, tzinfo=UTC)
DAY = {"since": START, "until": START + timedelta(days=1)}


def after(seconds):
    return None if seconds is None else START + timedelta(seconds=seconds)


def make_line(listing, *, version=1, changed=0, worked_out=1, sent=None, accepted=None, confirmed=None):
    run = PublishRun.objects.create(cause="stock", changed_at=after(changed))
    line = PublicationLine.objects.create(
        run=run,
        listing=listing,
        version=version,
        after=1,
        derivation={},
        sent_at=after(sent),
        accepted_at=after(accepted),
        confirmed_at=after(confirmed),
    )
    PublicationLine.objects.filter(pk=line.pk).update(recorded_at=after(worked_out))
    return line


def stages_of(channel, **span):
    return {one.stage: one for one in channel_latency(**(span or DAY))[channel.pk]}


def test_every_stage_of_one_publish_has_its_seconds():
    channel = make_channel()
    line = make_line(make_listing(channel=channel), worked_out=2, sent=5, accepted=9, confirmed=20)

    stages = stages_of(channel)

    assert {name: one.median for name, one in stages.items()} == {
        "absorbing": 2,
        "queueing": 3,
        "sending": 4,
        "confirming": 11,
        "whole": 20,
    }
    assert all(one.worst_line_id == line.pk for one in stages.values())


def test_percentiles_are_measured_figures_and_the_worst_one_is_named():
    channel = make_channel()
    listing = make_listing(channel=channel)
    lines = [
        make_line(listing, version=number, worked_out=1, sent=1, accepted=1, confirmed=number)
        for number in range(1, 101)
    ]

    whole = stages_of(channel)["whole"]

    assert whole == StageLatency("whole", 100, Decimal(50), Decimal(90), Decimal(99), Decimal(100), lines[-1].pk)


def test_a_stage_that_was_not_reached_is_in_no_figure():
    channel = make_channel()
    listing = make_listing(channel=channel)
    make_line(listing, version=1, worked_out=2)
    make_line(listing, version=2, changed=None, worked_out=4, sent=7)

    stages = stages_of(channel)

    assert {name: (one.measured, one.median) for name, one in stages.items()} == {
        "absorbing": (1, 2),
        "queueing": (1, 3),
    }


def test_versions_outside_the_span_and_other_channels_do_not_count():
    channel, other = make_channel(), make_channel()
    listing = make_listing(channel=channel)
    make_line(listing, version=1, worked_out=2)
    make_line(listing, version=2, worked_out=86_400)
    make_line(make_listing(channel=other), worked_out=7)

    assert stages_of(channel)["absorbing"].measured == 1
    assert stages_of(other)["absorbing"].median == 7


def test_delays_keep_the_shape_of_the_distribution():
    channel = make_channel()
    listing = make_listing(channel=channel)
    for number in range(1, 41):
        make_line(listing, version=number, worked_out=1, sent=1, accepted=1, confirmed=number)

    delays = channel_delays(**DAY)[channel.pk]

    assert delays.measured == 40
    assert delays.points == tuple(Decimal(number) for number in range(1, 40, 2))


@pytest.mark.parametrize("count", [1, 20])
def test_latency_takes_one_query_each_for_any_number_of_channels(count, django_assert_num_queries):
    for _ in range(count):
        make_line(make_listing(channel=make_channel()), worked_out=1, sent=1, accepted=1, confirmed=2)

    with django_assert_num_queries(2):
        assert len(channel_latency(**DAY)) == count
        assert len(channel_delays(**DAY)) == count
