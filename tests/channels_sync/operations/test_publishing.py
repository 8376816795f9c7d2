import pytest

from channels_sync.models import Channel, PublicationState
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.confirming import confirm_sent
from channels_sync.operations.metering import backoff_seconds, ensure_account
from channels_sync.operations.publishing import publish_due
from channels_sync.reads.publishing import (
    CONFIRM_ATTEMPTS_MAX,
    channel_health,
    due_channel_ids,
    published_figures,
    unconfirmed_channel_ids,
)
from tests.channels_sync.factories import (
    WorkerKilled,
    line_of,
    make_channel,
    make_listing,
    push_of,
    survive,
    time_passes,
)
from tests.factories import make_location, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


def make_due(shop, quantity="10", shows=3, channel=None):
    listing = make_listing(channel=channel or make_channel(), shop=shop, shows=shows)
    put_on_hand(listing.item, make_location(), quantity)
    absorb_changes()
    return listing


def stock_rises(listing, quantity="1"):
    put_on_hand(listing.item, make_location(), quantity)
    absorb_changes()


def publish(listing):
    return publish_due(channel_id=listing.channel_id)


def test_reads_first_and_then_sets_what_it_read_to_what_is_wanted(shop):
    listing = make_due(shop, "10", shows=3)

    result = publish(listing)

    (push,) = shop.calls[0]
    assert (push.expected_quantity, push.quantity, push.version) == (3, 10, 1)
    assert push.reference_uri == f"gid://backflush/PublishRun/{line_of(listing).run_id}"
    assert (result.claimed, result.accepted, shop.shows(listing)) == (1, 1, 10)
    row = push_of(listing)
    assert (row.sent_version, row.channel_quantity, row.lease_until, row.last_error) == (1, 10, None, "")
    line = line_of(listing)
    assert line.state == PublicationState.ACCEPTED
    assert line.recorded_at <= line.sent_at <= line.accepted_at


def test_the_next_change_starts_from_what_was_sent_without_reading(shop):
    listing = make_due(shop)
    publish(listing)
    reads = shop.reads
    stock_rises(listing)

    publish(listing)

    assert shop.reads == reads
    assert shop.calls[-1][0].expected_quantity == 10
    assert shop.shows(listing) == 11


def test_what_was_sent_is_not_sent_again(shop):
    listing = make_due(shop)
    publish(listing)

    assert publish(listing).claimed == 0
    assert len(shop.calls) == 1


def test_a_shop_that_shows_the_figure_already_is_left_alone(shop):
    listing = make_due(shop, "10", shows=10)

    publish(listing)

    assert shop.calls == []
    assert line_of(listing).state == PublicationState.ACCEPTED


def test_ids_are_looked_up_before_sending_and_kept(shop):
    listing = make_due(shop)

    publish(listing)

    listing.refresh_from_db()
    assert listing.external_item_id == f"item-{listing.external_sku}"


def test_a_sku_the_shop_does_not_have_is_refused_in_words(shop):
    listing = make_due(shop=None)

    result = publish(listing)

    assert result.refused == 1
    assert "no item with exactly this SKU" in push_of(listing).last_error
    assert line_of(listing).state == PublicationState.FAILED


def test_an_item_not_stocked_at_the_location_is_put_there(shop):
    listing = make_due(shop)
    shop.unstocked.add(f"item-{listing.external_sku}")

    publish(listing)

    assert shop.shows(listing) == 10
    assert line_of(listing).state == PublicationState.ACCEPTED


def test_a_lost_answer_is_found_by_reading_and_not_sent_a_second_time(shop):
    listing = make_due(shop)
    shop.faults.append("lose_answer")
    lost = publish(listing)
    shop.answers.clear()  # even when the shop forgot the key
    waiting = line_of(listing).state
    time_passes()

    publish(listing)

    assert (lost.accepted, waiting) == (0, PublicationState.QUEUED)
    assert [quantity for _, _, quantity in shop.applied] == [10]
    assert (push_of(listing).sent_version, line_of(listing).state) == (1, PublicationState.ACCEPTED)


def test_a_repeat_after_a_lost_answer_carries_the_same_key_and_a_new_figure_another(shop):
    listing = make_due(shop)
    shop.faults.append("lose_answer")
    publish(listing)
    time_passes()
    publish(listing)
    stock_rises(listing)
    publish(listing)

    keys = [pushes[0].idempotency_key for pushes in shop.calls]

    assert keys[0] == keys[1] != keys[2]


def test_a_silent_shop_is_left_in_peace_for_a_while_with_its_words_shown(shop):
    listing = make_due(shop)
    shop.faults.append("unavailable")

    result = publish(listing)

    row = push_of(listing)
    assert (result.postponed, result.is_blocked) == (1, True)
    assert (row.attempts, row.lease_until, row.last_error) == (0, None, "The shop asks for patience.")
    assert row.next_at is not None
    assert publish(listing).claimed == 0
    assert Channel.objects.get().last_error == "The shop asks for patience."


def test_success_clears_the_error_of_the_channel(shop):
    listing = make_due(shop)
    shop.faults.append("unavailable")
    publish(listing)
    time_passes()

    publish(listing)

    channel = Channel.objects.get()
    assert (channel.last_error, channel.last_success_at is not None) == ("", True)
    assert (push_of(listing).attempts, push_of(listing).last_error) == (0, "")


def test_a_refusal_stays_visible_with_the_words_of_the_channel(shop):
    listing = make_due(shop)
    shop.faults.append("refuse")

    result = publish(listing)

    line = line_of(listing)
    assert (result.refused, result.is_blocked) == (1, False)
    assert (line.state, line.error, push_of(listing).last_error) == (
        PublicationState.FAILED,
        "It is a bundle.",
        "It is a bundle.",
    )
    assert publish(listing).claimed == 0


def test_a_new_figure_is_tried_at_once_after_a_refusal(shop):
    listing = make_due(shop)
    shop.faults.append("refuse")
    publish(listing)
    stock_rises(listing)

    result = publish(listing)

    assert (result.accepted, shop.shows(listing)) == (1, 11)
    assert line_of(listing, 1).state == PublicationState.FAILED


def test_one_bad_row_does_not_hold_up_the_others(shop):
    channel = make_channel()
    good, bad = make_due(shop, channel=channel), make_due(shop=None, channel=channel)

    result = publish(good)

    assert (result.accepted, result.refused) == (1, 1)
    assert shop.shows(good) == 10
    assert push_of(bad).sent_version == 0


def test_a_sale_in_the_shop_is_noticed_before_the_figure_is_set(shop):
    listing = make_due(shop)
    publish(listing)
    shop.sell(listing, 4)
    stock_rises(listing)

    result = publish(listing)

    assert [push.expected_quantity for (push,) in shop.calls[-2:]] == [10, 6]
    assert (result.stale, result.accepted, shop.shows(listing)) == (1, 1, 11)
    assert push_of(listing).attempts == 0


def test_a_shop_below_zero_can_be_raised_again(shop):
    listing = make_due(shop, "10", shows=-3)

    publish(listing)

    assert (shop.calls[0][0].expected_quantity, shop.shows(listing)) == (-3, 10)


def test_gives_up_for_a_while_when_the_figure_keeps_changing(shop, monkeypatch):
    listing = make_due(shop)
    publish(listing)
    stock_rises(listing)
    shop.sell(listing, 1)
    read = shop._reading

    def sell_after_reading(ref, item):
        reading = read(ref, item)
        shop.figures[item] -= 1
        return reading

    monkeypatch.setattr(shop, "_reading", sell_after_reading)

    result = publish(listing)

    row = push_of(listing)
    assert (result.stale, result.accepted, result.postponed) == (3, 0, 1)
    assert (row.channel_quantity, row.attempts) == (None, 1)
    assert "changed 3 times" in row.last_error


def test_a_newer_figure_that_comes_while_one_is_out_goes_next(shop):
    listing = make_due(shop)
    shop.during_call = lambda: stock_rises(listing)

    publish(listing)
    between = push_of(listing)
    publish(listing)

    assert (between.version, between.sent_version, between.channel_quantity) == (2, 1, 10)
    assert [version for _, version, _ in shop.applied] == [1, 2]
    assert [line_of(listing, n).state for n in (1, 2)] == [PublicationState.ACCEPTED] * 2


def test_a_version_that_is_out_is_not_sent_by_a_second_worker(shop):
    listing = make_due(shop)
    seen = []
    shop.during_call = lambda: seen.append(publish(listing).claimed)

    publish(listing)

    assert seen == [0]


def test_an_answer_that_comes_after_the_lease_was_lost_changes_nothing(shop):
    listing = make_due(shop)

    def another_worker_takes_over():
        time_passes()
        stock_rises(listing)
        publish(listing)

    shop.during_call = another_worker_takes_over

    publish(listing)

    row = push_of(listing)
    assert (row.version, row.sent_version, row.channel_quantity, row.lease_until) == (2, 2, 11, None)
    assert [version for _, version, _ in shop.applied] == [1, 2]
    assert [line_of(listing, n).state for n in (1, 2)] == [PublicationState.SUPERSEDED, PublicationState.ACCEPTED]


def test_a_failure_that_comes_after_the_lease_was_lost_does_not_free_the_row(shop):
    """Fails when `settle` does not ask whether the lease is still the claim's own."""
    listing = make_due(shop)

    def another_worker_takes_over_and_is_still_out():
        time_passes()
        stock_rises(listing)
        shop.faults.append("kill_after")
        survive(publish, listing=listing)

    shop.during_call = another_worker_takes_over_and_is_still_out
    shop.faults.append("lose_answer")

    publish(listing)

    row = push_of(listing)
    assert row.lease_until is not None
    assert (row.attempts, row.next_at, row.last_error) == (0, None, "")


@pytest.mark.parametrize("moment", ["kill_before", "kill_after"])
def test_a_killed_worker_leaves_work_that_is_found_again(shop, moment):
    listing = make_due(shop)
    shop.faults.append(moment)
    with pytest.raises(WorkerKilled):
        publish(listing)
    while_leased = due_channel_ids()
    time_passes()

    found = due_channel_ids()
    publish(listing)

    assert (while_leased, found) == ((), (listing.channel_id,))
    assert [quantity for _, _, quantity in shop.applied] == [10]
    assert push_of(listing).sent_version == 1


def test_a_channel_nobody_can_enter_is_told_so(shop):
    listing = make_due(shop)
    Channel.objects.update(credentials="")

    result = publish(listing)

    assert (result.refused, result.is_blocked) == (1, True)
    assert "has no credentials" in Channel.objects.get().last_error


def test_reading_back_confirms(shop):
    listing = make_due(shop)
    publish(listing)

    result = confirm_sent(channel_id=listing.channel_id)

    assert (result.read, result.confirmed) == (1, 1)
    line = line_of(listing)
    assert (line.state, line.confirmed_at is not None) == (PublicationState.CONFIRMED, True)
    assert push_of(listing).confirmed_version == 1
    assert unconfirmed_channel_ids() == ()
    assert confirm_sent(channel_id=listing.channel_id).read == 0


def test_a_figure_that_differs_when_read_back_is_written_down_and_not_overwritten(shop):
    listing = make_due(shop)
    publish(listing)
    shop.sell(listing, 2)

    result = confirm_sent(channel_id=listing.channel_id)

    line, row = line_of(listing), push_of(listing)
    assert result.differing == 1
    assert (line.state, line.confirmed_at) == (PublicationState.ACCEPTED, None)
    assert "accepted 10 and was read back showing 8" in line.error
    assert (row.channel_quantity, row.last_error) == (8, line.error)
    assert shop.shows(listing) == 8


def test_a_figure_that_goes_on_differing_is_left_to_a_person(shop):
    listing = make_due(shop)
    publish(listing)
    shop.sell(listing, 2)
    read = 0
    for _ in range(CONFIRM_ATTEMPTS_MAX + 3):
        read += confirm_sent(channel_id=listing.channel_id).read
        time_passes()

    assert read == CONFIRM_ATTEMPTS_MAX
    assert unconfirmed_channel_ids() == ()


def test_a_reading_from_before_a_newer_figure_confirms_nothing(shop, monkeypatch):
    listing = make_due(shop)
    publish(listing)
    read = shop.read_quantities

    def read_slowly(targets):
        readings = read(targets)
        stock_rises(listing)
        return readings

    monkeypatch.setattr(shop, "read_quantities", read_slowly)

    result = confirm_sent(channel_id=listing.channel_id)

    assert (result.read, result.confirmed, push_of(listing).confirmed_version) == (1, 0, 0)
    assert publish(listing).accepted == 1


def test_a_shop_that_cannot_be_read_back_is_asked_later(shop):
    listing = make_due(shop)
    publish(listing)
    shop.read_faults.append("unavailable")

    assert confirm_sent(channel_id=listing.channel_id).confirmed == 0
    assert confirm_sent(channel_id=listing.channel_id).read == 0
    time_passes()
    assert confirm_sent(channel_id=listing.channel_id).confirmed == 1


def test_waits_double_up_to_a_bound_with_jitter():
    waits = [backoff_seconds(attempts, chance=lambda: 1.0) for attempts in (1, 2, 3, 20)]

    assert waits == [2.0, 4.0, 8.0, 300.0]
    assert backoff_seconds(1, chance=lambda: 0.0) == 1.0


def test_costs_the_same_queries_for_1_and_50_figures(shop, django_assert_max_num_queries):
    channel, site = make_channel(), make_location()
    ensure_account(channel)  # else the first call makes it
    listings = [make_listing(channel=channel, shop=shop) for _ in range(51)]
    for listing in listings:
        put_on_hand(listing.item, site, "10")
    absorb_changes()

    counts = []
    for rows in (1, 50):
        with django_assert_max_num_queries(48) as queries:
            assert publish_due(channel_id=channel.pk, rows_max=rows).accepted == rows
            assert confirm_sent(channel_id=channel.pk, rows_max=rows).confirmed == rows
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_figures_are_told_with_their_arithmetic_in_two_queries(shop, django_assert_num_queries):
    channel = make_channel()
    listings = [make_due(shop, channel=channel) for _ in range(3)]
    publish(listings[0])

    with django_assert_num_queries(2):
        figures = published_figures(listings=listings)

    assert [(figure.wanted, figure.channel_quantity, figure.in_words) for figure in figures] == [
        (10, 10, "on hand 10")
    ] * 3


def test_the_health_of_a_channel_counts_its_rows(shop):
    channel = make_channel()
    accepted = make_due(shop, channel=channel)
    publish(accepted)
    make_due(shop=None, channel=channel)
    publish(accepted)
    waiting = make_due(shop, channel=channel)

    health = channel_health(channels=[channel])[channel.pk]

    assert (health.listings, health.due, health.failing, health.unconfirmed) == (3, 2, 1, 1)
    assert health.oldest_due_at < line_of(waiting).recorded_at
