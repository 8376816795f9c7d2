"""What goes out first, when, and what is given up."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from channels_sync.errors import ChannelThrottled
from channels_sync.models import (
    ChannelDemand,
    ChannelMode,
    ListingPush,
    PublicationState,
    SendingAccount,
    WindowKind,
    WindowScope,
)
from channels_sync.models.pushes import SEND_ATTEMPTS_MAX
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.confirming import confirm_sent
from channels_sync.operations.controlling import pause_channel, resume_channel, set_channel_mode
from channels_sync.operations.deciding import pause_all, resume_all
from channels_sync.operations.giving_up import retry_given_up, tell_trouble
from channels_sync.operations.outbox import Accepted, Postponed, claim_due, settle
from channels_sync.operations.publishing import publish_due
from channels_sync.operations.ranking import refresh_sold_per_day
from channels_sync.operations.scheduling import add_window, remove_window
from channels_sync.operations.sweeping import sweep
from channels_sync.reads import sending as reads
from channels_sync.reads.publishing import due_channel_ids
from channels_sync.reads.sending import sending_of
from inventory.errors import WrongState
from inventory.models import ExceptionCase
from inventory.operations.issuing import issue_stock
from tests.channels_sync.factories import (
    let_all_flow,
    line_of,
    make_channel,
    make_listing,
    push_of,
    survive,
    time_passes,
)
from tests.factories import make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


@pytest.fixture
def channel():
    return let_all_flow(make_channel())


@pytest.fixture
def site():
    return make_location()


def showing(shop, channel, site, quantity, *, sold_per_day=None):
    """A listing that shows `quantity` and sells so many units a day."""
    listing = make_listing(channel=channel, shop=shop)
    put_on_hand(listing.item, site, str(quantity))
    absorb_changes()
    while publish_due(channel_id=channel.pk).claimed:
        pass
    if sold_per_day is not None:
        ChannelDemand.objects.create(
            channel=channel,
            item=listing.item,
            day=timezone.localdate() - timedelta(days=1),
            quantity=Decimal(sold_per_day) * 28,
        )
        refresh_sold_per_day()
    return listing


def lower(listing, site, quantity):
    issue_stock(key=uuid4(), item=listing.item, location=site, quantity=Decimal(quantity), actor=None)
    absorb_changes()


def raise_by(listing, site, quantity):
    put_on_hand(listing.item, site, str(quantity))
    absorb_changes()


def raise_together(listings, site, quantity):
    """By one run, so that they share a call."""
    for listing in listings:
        put_on_hand(listing.item, site, str(quantity))
    absorb_changes()


def order_of_sending(channel):
    """The listings in the order in which claims of one row take them."""
    taken = []
    while claims := claim_due(channel_id=channel.pk, rows_max=1):
        taken.append(claims[0].listing_id)
        settle([Accepted(claims[0], claims[0].wanted)])
    return taken


def test_what_runs_out_goes_first_and_lowering_before_raising(shop, channel, site):
    lasting_up = showing(shop, channel, site, 500, sold_per_day=1)
    scarce_up = showing(shop, channel, site, 3, sold_per_day=5)
    lasting_down = showing(shop, channel, site, 500, sold_per_day=1)
    week_down = showing(shop, channel, site, 20, sold_per_day=5)
    scarce_down = showing(shop, channel, site, 9, sold_per_day=5)
    for listing in (lasting_up, scarce_up):
        raise_by(listing, site, 1)
    for listing in (lasting_down, week_down, scarce_down):
        lower(listing, site, 5)

    found = order_of_sending(channel)

    assert found == [one.pk for one in (scarce_down, week_down, lasting_down, scarce_up, lasting_up)]


def test_speed_counts_and_not_the_quantity_alone(shop, channel, site):
    slow_and_few = showing(shop, channel, site, 12, sold_per_day="0.1")
    fast_and_many = showing(shop, channel, site, 300, sold_per_day=400)
    lower(slow_and_few, site, 1)
    lower(fast_and_many, site, 1)

    assert order_of_sending(channel) == [fast_and_many.pk, slow_and_few.pk]


def test_speed_is_counted_in_packs(shop, channel, site):
    listing = make_listing(channel=channel, shop=shop, pack_size=Decimal(6))
    put_on_hand(listing.item, site, "60")
    absorb_changes()
    ChannelDemand.objects.create(
        channel=channel, item=listing.item, day=timezone.localdate() - timedelta(days=2), quantity=Decimal(28 * 3)
    )

    assert refresh_sold_per_day() == 1
    assert refresh_sold_per_day() == 0
    assert push_of(listing).sold_per_day == Decimal("0.5")


def test_the_least_urgent_comes_before_the_most_urgent_that_came_five_minutes_later(shop, channel, site):
    """No starvation: fails when the order is the class of urgency alone."""
    patient = showing(shop, channel, site, 500, sold_per_day=1)
    urgent = showing(shop, channel, site, 9, sold_per_day=5)
    raise_by(patient, site, 1)
    ListingPush.objects.filter(listing=patient).update(due_by=push_of(patient).due_by - timedelta(seconds=301))
    lower(urgent, site, 8)

    assert order_of_sending(channel) == [patient.pk, urgent.pk]


def test_a_newer_figure_does_not_put_a_listing_off(shop, channel, site):
    listing = showing(shop, channel, site, 500, sold_per_day=1)
    lower(listing, site, 1)
    before = push_of(listing).due_by
    raise_by(listing, site, 10)

    assert push_of(listing).due_by == before


@pytest.mark.parametrize("fault", ["delayed", "delayed_and_killed"])
@pytest.mark.parametrize("remembers_refusals", [True, False])
def test_a_call_lost_past_its_lease_changes_nothing_although_it_finds_what_it_expects(
    shop, channel, site, fault, remembers_refusals
):
    """Two newer figures bring the channel back to where the lost call starts from: comparing figures would let it pass."""
    shop.remembers_refusals = remembers_refusals
    listing = showing(shop, channel, site, 10)
    raise_by(listing, site, 2)
    shop.faults.append(fault)
    survive(publish_due, channel_id=channel.pk)
    time_passes()
    raise_by(listing, site, 40)
    publish_due(channel_id=channel.pk)
    lower(listing, site, 42)
    publish_due(channel_id=channel.pk)
    confirm_sent(channel_id=channel.pk)

    shop.deliver_delayed()

    row = push_of(listing)
    assert (shop.shows(listing), [version for _, version, _ in shop.applied]) == (10, [1, 3, 4])
    assert (row.confirmed_version, row.call_key) == (4, None)


def test_a_lost_call_that_arrives_before_the_newer_figure_is_found_out_and_the_newer_one_starts_from_it(
    shop, channel, site
):
    listing = showing(shop, channel, site, 10)
    raise_by(listing, site, 2)
    shop.faults.append("delayed")
    publish_due(channel_id=channel.pk)
    time_passes()
    lower(listing, site, 5)
    shop.deliver_delayed()

    result = publish_due(channel_id=channel.pk)

    assert (shop.shows(listing), result.stale, result.accepted) == (7, 1, 1)
    assert [version for _, version, _ in shop.applied] == [1, 2, 3]
    assert line_of(listing, 3).state == PublicationState.ACCEPTED


def test_a_figure_the_channel_shows_already_is_set_all_the_same_while_a_call_is_on_its_way(shop, channel, site):
    """Fails when a reading that fits is enough: the lost call would replace it later."""
    listing = showing(shop, channel, site, 10)
    raise_by(listing, site, 2)
    shop.faults.append("delayed")
    publish_due(channel_id=channel.pk)
    time_passes()
    lower(listing, site, 2)
    ListingPush.objects.filter(listing=listing).update(channel_quantity=None)
    publish_due(channel_id=channel.pk)

    shop.deliver_delayed()

    assert (shop.shows(listing), push_of(listing).sent_version) == (10, 3)


def test_the_key_of_a_lost_call_is_kept_through_a_stale_answer(shop, channel, site):
    """A channel need not remember what it refused: only what it did uses up a key. Fails with a new key after the refusal."""
    shop.remembers_refusals = False
    listing = showing(shop, channel, site, 10)
    raise_by(listing, site, 2)
    shop.faults.append("delayed")
    publish_due(channel_id=channel.pk)
    time_passes()
    shop.sell(listing)
    raise_by(listing, site, 3)
    stale = publish_due(channel_id=channel.pk).stale
    lower(listing, site, 5)
    publish_due(channel_id=channel.pk)

    shop.deliver_delayed()

    assert (stale, shop.shows(listing), [version for _, version, _ in shop.applied]) == (1, 10, [1, 3, 4])


def test_the_rest_of_a_refused_call_goes_under_the_key_of_a_lost_one(shop, channel, site):
    """Fails when what is left over goes under a new key: the lost call has both rows and would still be taken."""
    shop.remembers_refusals = False
    first, second = listings = [showing(shop, channel, site, 10) for _ in range(2)]
    raise_together(listings, site, 2)
    shop.faults.append("delayed")
    publish_due(channel_id=channel.pk)
    time_passes()
    shop.sell(first)
    shop.read_faults.append("unavailable")
    publish_due(channel_id=channel.pk)
    time_passes()
    lower(second, site, 2)
    publish_due(channel_id=channel.pk, rows_max=1)
    shop.sell(first, -1)

    shop.deliver_delayed()

    assert [version for ref, version, _ in shop.applied if ref == str(second.pk)] == [1, 2, 3]
    assert shop.shows(second) == 10


@pytest.mark.parametrize("fault", ["lose_rest", "delay_rest"])
def test_what_a_refusal_left_over_and_got_lost_keeps_its_key_and_what_was_refused_does_not(shop, channel, site, fault):
    stale, other = listings = [showing(shop, channel, site, 10) for _ in range(2)]
    raise_together(listings, site, 2)
    shop.sell(stale)
    shop.faults.append(fault)

    result = publish_due(channel_id=channel.pk)

    assert (result.is_blocked, push_of(stale).call_key, push_of(other).call_key is None) == (True, None, False)
    assert [push_of(listing).lease_until for listing in listings] == [None, None]
    time_passes()
    publish_due(channel_id=channel.pk)
    shop.deliver_delayed()
    assert [shop.shows(listing) for listing in listings] == [12, 12]


def test_a_sender_whose_lease_ended_during_its_first_call_makes_no_second_one(shop, channel, site):
    """Fails when it does not ask whether its rows are still its own: the other sender's figure is there already."""
    first, second = (showing(shop, channel, site, 10) for _ in range(2))
    raise_by(first, site, 2)
    raise_by(second, site, 2)  # a run of its own, and so a call of its own
    sent_before = len(shop.calls)

    def another_sender():
        time_passes()
        raise_by(second, site, 3)
        publish_due(channel_id=channel.pk)

    shop.during_call = another_sender
    publish_due(channel_id=channel.pk)

    sent = [push.version for call in shop.calls[sent_before:] for push in call if push.listing_ref == str(second.pk)]
    assert (sent, shop.shows(second)) == ([3], 15)


@pytest.mark.parametrize("wanted", [10, 11])
@pytest.mark.parametrize("is_held", [True, False])
def test_a_lost_raise_that_was_done_is_lowered_although_raises_wait(shop, channel, site, monkeypatch, wanted, is_held):
    """The channel shows 12 where 10 is known: what lowers 12 goes out, though it looks like a raise of 10."""
    listing = showing(shop, channel, site, 10)
    raise_by(listing, site, 2)
    shop.faults.append("lose_answer")
    publish_due(channel_id=channel.pk)
    time_passes()
    lower(listing, site, 12 - wanted)
    if is_held:
        ListingPush.objects.filter(listing=listing).update(is_held=True)
    else:
        night(channel, WindowScope.RAISES)
        at(monkeypatch, "2026-11-26 23:00")

    publish_due(channel_id=channel.pk)
    publish_due(channel_id=channel.pk)

    assert (shop.shows(listing), push_of(listing).sent_version) == (wanted, 3)


def test_a_lost_raise_that_never_arrived_is_not_raised_while_raises_wait_and_not_asked_about_all_the_time(
    shop, channel, site, monkeypatch
):
    listing = showing(shop, channel, site, 10)
    raise_by(listing, site, 2)
    shop.faults.append("delayed")
    publish_due(channel_id=channel.pk)
    time_passes()
    night(channel, WindowScope.RAISES)
    at(monkeypatch, "2026-11-26 23:00")
    reads_before = shop.reads

    claimed = [publish_due(channel_id=channel.pk).claimed for _ in range(3)]

    assert (claimed, shop.reads - reads_before, shop.shows(listing)) == ([1, 0, 0], 1, 10)
    assert push_of(listing).call_key is not None


def test_a_zero_for_an_oversold_listing_is_no_raise(shop, channel, site, monkeypatch):
    """The channel shows less than nothing: to a shopper zero is not more. It was put back and claimed again for ever."""
    listing = showing(shop, channel, site, 3)
    shop.sell(listing, 5)
    lower(listing, site, 3)
    night(channel, WindowScope.RAISES)
    at(monkeypatch, "2026-11-26 23:00")

    publish_due(channel_id=channel.pk)

    assert (shop.shows(listing), publish_due(channel_id=channel.pk).claimed) == (0, 0)


def test_rows_of_one_lost_call_that_go_out_apart_are_each_sent_once(shop, channel, site):
    listings = [showing(shop, channel, site, 10) for _ in range(3)]
    raise_together(listings, site, 2)
    shop.faults.append("delayed")
    publish_due(channel_id=channel.pk)
    keys = {push_of(listing).call_key for listing in listings}
    time_passes()
    while publish_due(channel_id=channel.pk, rows_max=1).claimed:
        pass

    shop.deliver_delayed()

    assert len(keys) == 1
    assert [shop.shows(listing) for listing in listings] == [12, 12, 12]
    assert sorted(shop.applied[3:]) == sorted((str(listing.pk), 2, 12) for listing in listings)
    assert {push_of(listing).call_key for listing in listings} == {None}


def test_a_lost_raise_that_is_held_meanwhile_is_not_repeated(shop, channel, site):
    """Nothing of a held listing raises the channel's figure, not even a repeat that would use up a key."""
    listing = showing(shop, channel, site, 10)
    raise_by(listing, site, 2)
    shop.faults.append("delayed")
    publish_due(channel_id=channel.pk)
    time_passes()
    ListingPush.objects.filter(listing=listing).update(is_held=True)
    held = publish_due(channel_id=channel.pk)
    lower(listing, site, 5)
    time_passes()
    publish_due(channel_id=channel.pk)

    shop.deliver_delayed()

    assert (held.accepted, shop.shows(listing)) == (0, 7)
    assert [version for _, version, _ in shop.applied] == [1, 3]


def test_what_was_answered_keeps_no_key(shop, channel, site):
    """A row that was not sent, or was refused, shares the next call with others again."""
    listing = showing(shop, channel, site, 10)
    found = []
    for fault in ("refuse", "unavailable", "later", "delayed"):
        raise_by(listing, site, 1)
        shop.faults.append(fault)
        publish_due(channel_id=channel.pk)
        found.append(push_of(listing).call_key is not None)
        time_passes()

    assert found == [False, False, True, True]


# --- hours ---


def at(monkeypatch, text):
    monkeypatch.setattr(reads.timezone, "now", lambda: datetime.fromisoformat(text).replace(tzinfo=UTC))


def night(channel, scope=WindowScope.EVERYTHING):
    return add_window(
        channel=channel,
        kind=WindowKind.QUIET,
        scope=scope,
        weekdays="0123456",
        starts_at=time(22),
        ends_at=time(6),
        actor=None,
    )


def test_nothing_goes_out_in_quiet_hours_and_the_newest_figure_after(shop, channel, site, monkeypatch):
    listing = showing(shop, channel, site, 10)
    window = night(channel)
    raise_by(listing, site, 5)
    at(monkeypatch, "2026-11-26 23:00")
    inside = publish_due(channel_id=channel.pk)
    raise_by(listing, site, 5)
    (told,) = sending_of(channels=[channel], accounts=["x"])

    at(monkeypatch, "2026-11-27 06:00")
    after = publish_due(channel_id=channel.pk)

    assert (inside.claimed, inside.is_blocked, after.accepted, shop.shows(listing)) == (0, True, 1, 20)
    assert (told.state, told.flow_until) == ("quiet", datetime(2026, 11, 27, 6, tzinfo=UTC))
    assert str(window) == "Quiet: not in these hours 22:00-06:00"


def test_hours_for_raises_let_lowering_out(shop, channel, site, monkeypatch):
    up, down = showing(shop, channel, site, 10), showing(shop, channel, site, 10)
    night(channel, WindowScope.RAISES)
    raise_by(up, site, 5)
    lower(down, site, 4)
    at(monkeypatch, "2026-11-26 23:00")

    while publish_due(channel_id=channel.pk).claimed:
        pass

    assert (shop.shows(up), shop.shows(down)) == (10, 6)
    assert push_of(up).lease_until is None


def test_what_turns_out_to_be_a_raise_is_put_back_in_such_hours(shop, channel, site, monkeypatch):
    """The shop sold more than we heard of: the lower figure would raise what it shows by now."""
    listing = showing(shop, channel, site, 10)
    night(channel, WindowScope.RAISES)
    lower(listing, site, 2)
    shop.sell(listing, 5)
    at(monkeypatch, "2026-11-26 23:00")

    publish_due(channel_id=channel.pk)

    row = push_of(listing)
    assert shop.shows(listing) == 5
    assert (row.channel_quantity, row.lease_until, row.sent_version) == (5, None, row.version - 1)


def test_a_listing_whose_figure_is_not_known_waits_in_such_hours_unless_it_goes_to_zero(
    shop, channel, site, monkeypatch
):
    night(channel, WindowScope.RAISES)
    full, empty = make_listing(channel=channel, shop=shop, shows=2), make_listing(channel=channel, shop=shop, shows=2)
    put_on_hand(full.item, site, "5")
    put_on_hand(empty.item, site, "5")
    issue_stock(key=uuid4(), item=empty.item, location=site, quantity=Decimal(5), actor=None)
    absorb_changes()
    at(monkeypatch, "2026-11-26 23:00")

    publish_due(channel_id=channel.pk)  # reads it; the guard sees what falls
    publish_due(channel_id=channel.pk)

    assert (shop.shows(full), shop.shows(empty)) == (2, 0)


def test_the_same_hours_twice_are_one_and_are_removed_with_a_history(channel):
    person = make_user()
    first, second = night(channel), night(channel)
    remove_window(window=first, actor=person)
    remove_window(window=first, actor=person)

    assert first == second
    assert channel.windows.count() == 0
    assert [(one.history_type, one.history_user) for one in type(first).history.all()] == [("-", person), ("+", None)]


@pytest.mark.parametrize(("days", "ends"), [("", 6), ("7", 6), ("01", 22)])
def test_hours_without_a_day_or_a_length_are_refused(channel, days, ends):
    with pytest.raises(WrongState):
        add_window(
            channel=channel,
            kind=WindowKind.QUIET,
            scope=WindowScope.RAISES,
            weekdays=days,
            starts_at=time(22),
            ends_at=time(ends),
            actor=None,
        )

    assert channel.windows.count() == 0


# --- accounts ---


def test_an_account_without_allowance_keeps_rows_unclaimed(shop, channel, site):
    listing = showing(shop, channel, site, 10)
    raise_by(listing, site, 5)
    SendingAccount.objects.update(points=9, refill_points_per_second=Decimal("0.1"), filled_at=timezone.now())

    result = publish_due(channel_id=channel.pk)

    assert (result.claimed, result.is_blocked, result.wait_seconds) == (0, True, pytest.approx(10, abs=0.5))
    assert push_of(listing).lease_until is None


def test_a_silent_account_stops_its_other_channel_too_and_one_probe_opens_both(shop, channel, site):
    other = let_all_flow(make_channel(base_url=channel.base_url))
    listings = [showing(shop, channel, site, 10), showing(shop, other, site, 10)]
    for listing in listings:
        raise_by(listing, site, 5)
    shop.faults.append("unavailable")
    publish_due(channel_id=channel.pk)
    blocked = publish_due(channel_id=other.pk)
    time_passes()

    opened = publish_due(channel_id=channel.pk)
    publish_due(channel_id=other.pk)

    assert (blocked.claimed, opened.accepted) == (0, 1)
    assert [shop.shows(listing) for listing in listings] == [15, 15]


def test_an_outage_of_any_length_gives_nothing_up(shop, channel, site):
    listing = showing(shop, channel, site, 10)
    raise_by(listing, site, 5)
    for _ in range(3 * SEND_ATTEMPTS_MAX):
        shop.faults.append("unavailable")
        publish_due(channel_id=channel.pk)
        time_passes()

    publish_due(channel_id=channel.pk)

    assert (shop.shows(listing), SendingAccount.objects.get().failures) == (15, 0)


def test_a_throttled_call_is_no_failure_of_account_or_row(shop, channel, site, monkeypatch):
    listing = showing(shop, channel, site, 10)
    raise_by(listing, site, 5)

    def throttle(pushes, *, keys):
        raise ChannelThrottled("The shop wants a pause.", retry_after_seconds=40)

    monkeypatch.setattr(shop, "publish_quantities", throttle)
    result = publish_due(channel_id=channel.pk)

    account = SendingAccount.objects.get()
    assert (result.postponed, result.wait_seconds, account.failures, push_of(listing).attempts) == (1, 40, 0, 0)
    assert publish_due(channel_id=channel.pk).wait_seconds == pytest.approx(40, abs=2)


# --- giving up ---


def give_up(shop, listing):
    for _ in range(SEND_ATTEMPTS_MAX):
        shop.faults.append("refuse")
        publish_due(channel_id=listing.channel_id)
        time_passes()


def test_a_listing_that_is_always_refused_is_given_up_and_told_in_one_case(shop, channel, site):
    listings = [showing(shop, channel, site, 10) for _ in range(3)]
    raise_together(listings, site, 5)
    give_up(shop, listings[0])
    calls = len(shop.calls)
    for _ in range(3):
        publish_due(channel_id=channel.pk)
        sweep()

    (case,) = ExceptionCase.objects.open().filter(area="publishing")
    assert len(shop.calls) == calls
    assert due_channel_ids() == ()
    assert case.title == f"3 listings of {channel} are not sent any more"
    assert case.evidence == {"listings": 3, "skus": sorted(one.external_sku for one in listings)}
    assert "It is a bundle." in case.reason
    assert line_of(listings[0]).state == PublicationState.FAILED


def test_what_was_given_up_is_tried_again_from_its_case(shop, channel, site):
    listings = [showing(shop, channel, site, 10) for _ in range(2)]
    raise_together(listings, site, 5)
    give_up(shop, listings[0])
    sweep()

    first = retry_given_up(channel=channel, listings=listings[:1], actor=None)
    still_open = ExceptionCase.objects.open().filter(kind="given_up").count()
    rest = retry_given_up(channel=channel, actor=None)
    publish_due(channel_id=channel.pk)

    assert (first, still_open, rest) == (1, 1, 1)
    assert ExceptionCase.objects.open().filter(kind="given_up").count() == 0
    assert [shop.shows(listing) for listing in listings] == [15, 15]


def test_a_new_figure_is_tried_although_the_one_before_was_given_up(shop, channel, site):
    listing = showing(shop, channel, site, 10)
    raise_by(listing, site, 5)
    give_up(shop, listing)
    sweep()
    raise_by(listing, site, 1)

    publish_due(channel_id=channel.pk)
    sweep()

    assert shop.shows(listing) == 16
    assert ExceptionCase.objects.open().filter(kind="given_up").count() == 0


def test_an_account_that_is_silent_for_long_is_told_once_and_closed_when_it_answers(shop, channel, site):
    listing = showing(shop, channel, site, 10)
    raise_by(listing, site, 5)
    shop.faults.append("unavailable")
    publish_due(channel_id=channel.pk)
    tell_trouble()
    early = ExceptionCase.objects.open().filter(kind="silent_account").count()
    SendingAccount.objects.update(failing_since=timezone.now() - timedelta(minutes=11))
    for _ in range(3):
        tell_trouble()
    (case,) = ExceptionCase.objects.open().filter(kind="silent_account")
    time_passes()
    publish_due(channel_id=channel.pk)
    tell_trouble()

    assert (early, case.times_seen) == (0, 1)
    assert case.title.startswith(f"{channel} has not answered since")
    assert ExceptionCase.objects.open().filter(kind="silent_account").count() == 0


# --- pausing ---


def test_a_pause_keeps_its_reason_and_moment_until_it_is_resumed(channel):
    person = make_user()
    pause_channel(channel=channel, actor=person, reason="  Stock count ")
    paused = pause_channel(channel=channel, actor=person)
    told = (paused.pause_reason, paused.paused_at is not None, channel.history.first().pause_reason)

    resumed = resume_channel(channel=channel, actor=person)

    assert told == ("Stock count", True, "Stock count")
    assert (resumed.pause_reason, resumed.paused_at) == ("", None)


def test_resuming_all_leaves_a_channel_paused_that_was_paused_by_itself():
    alone, together = make_channel(), make_channel()
    pause_channel(channel=alone, actor=None, reason="moving")
    paused = pause_all(actor=None, reason="fire alarm")

    resumed = resume_all(actor=None)

    for one in (alone, together):
        one.refresh_from_db()
    assert (paused, resumed) == (1, 1)
    assert (alone.is_paused, alone.pause_reason, together.is_paused) == (True, "moving", False)
    assert resume_all(actor=None) == 1


def test_while_paused_figures_are_worked_out_and_their_age_is_told(shop, channel, site):
    listing = showing(shop, channel, site, 10)
    pause_channel(channel=channel, actor=None)
    raise_by(listing, site, 5)

    (told,) = sending_of(channels=[type(channel).objects.get(pk=channel.pk)], accounts=["x"])

    assert (told.state, told.backlog.waiting, told.next_sending_at) == ("paused", 1, None)
    assert told.backlog.oldest_waiting_at == line_of(listing).recorded_at
    assert told.backlog.ages == (1, 0, 0, 0, 0)


# --- statements ---


@pytest.mark.parametrize(
    "answer", [lambda claim: Accepted(claim, claim.wanted), lambda claim: Postponed(claim, "Busy.")]
)
def test_a_batch_of_500_costs_the_statements_of_one(shop, channel, site, answer, django_assert_max_num_queries):
    item = make_listing(channel=channel, shop=shop).item
    for number in range(500):
        make_listing(channel=channel, item=item, shop=shop, external_sku=f"S{number}")
    put_on_hand(item, site, "10")
    absorb_changes()

    counts = []
    for rows in (1, 500):
        with django_assert_max_num_queries(12) as queries:
            claims = claim_due(channel_id=channel.pk, rows_max=rows)
            settle([answer(claim) for claim in claims])
        assert len(claims) == rows
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_a_channel_switched_on_while_all_are_paused_is_paused_with_them(channel):
    later = make_channel(mode=ChannelMode.SHADOW)
    pause_all(actor=None, reason="fire alarm")

    switched = set_channel_mode(channel=later, mode=ChannelMode.AUTO, actor=None)

    assert (switched.is_paused, switched.is_paused_with_all, switched.pause_reason) == (True, True, "fire alarm")
    assert resume_all(actor=None) == 2


def test_a_channel_switched_on_while_one_is_paused_by_itself_sends(channel):
    pause_channel(channel=channel, actor=None, reason="moving")

    switched = set_channel_mode(channel=make_channel(mode=ChannelMode.SHADOW), mode=ChannelMode.AUTO, actor=None)

    assert not switched.is_paused
