"""What waits for a person, what people decide, and what a run that waits never does."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels_sync.models import (
    ChannelGuard,
    ChannelMode,
    Freeze,
    Hold,
    HoldState,
    PublishRun,
)
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.controlling import set_channel_mode
from channels_sync.operations.deciding import (
    approve_run,
    freeze,
    lift,
    pause_all,
    refuse_run,
    resume_all,
    set_guard,
    undo_run,
)
from channels_sync.operations.recomputing import tell_items_changed
from channels_sync.operations.second_looks import TypedConfirmationRequired
from channels_sync.reads.publishing import explanation
from inventory.errors import SecondPersonRequired, WrongState
from inventory.importing.running import Mode, kind_named, run_import
from inventory.models import ExceptionCase, ExceptionState
from tests.channels_sync.factories import (
    let_all_flow,
    make_channel,
    make_listing,
    push_of,
)
from tests.channels_sync.guarded import count_as, empty, forget_window, offers, receive, settle, waits
from tests.factories import make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


@pytest.fixture
def site():
    return make_location(code="SITE")


def test_ten_times_too_much_waits_and_the_shop_keeps_its_figure(shop, site):
    channel, (listing,) = offers(shop, site, 1, quantity="40")

    receive(listing, site, "360")
    settle(channel)

    hold = waits(listing)
    assert (hold.before, hold.after, push_of(listing).wanted, shop.shows(listing)) == (40, 400, 40, 40)
    case = ExceptionCase.objects.get(kind="held_run")
    assert case.url == f"/channels/runs/{hold.run_id}/"
    assert "would show 400; the most it showed lately was 40" in case.reason


def test_what_waits_is_sent_once_it_was_approved(shop, site):
    channel, (listing,) = offers(shop, site, 1, quantity="40")
    receive(listing, site, "360")
    settle(channel)

    approve_run(run=waits(listing).run, actor=make_user(role="approver"))
    settle(channel)

    assert shop.shows(listing) == 400
    assert waits(listing) is None
    assert not push_of(listing).is_held
    assert ExceptionCase.objects.get(kind="held_run").state == ExceptionState.RESOLVED


def test_approval_is_up_to_what_was_seen_and_asks_again_above_it(shop, site):
    channel, (listing,) = offers(shop, site, 1, quantity="40")
    receive(listing, site, "360")
    settle(channel)
    seen = waits(listing).run
    receive(listing, site, "4000")  # not taken in yet when the approval comes

    approve_run(run=seen, actor=None)
    settle(channel)

    assert (shop.shows(listing), waits(listing).after) == (40, 4400)


def test_whoever_caused_it_does_not_approve_it_while_somebody_else_may(shop, site):
    channel, (listing,) = offers(shop, site, 1, quantity="40")
    causer, other = make_user(role="approver"), make_user(role="approver")
    receive(listing, site, "360", actor=causer)
    settle(channel)
    run = waits(listing).run

    with pytest.raises(SecondPersonRequired, match="Somebody else"):
        approve_run(run=run, actor=causer)

    assert waits(listing) is not None
    approve_run(run=run, actor=other)
    assert push_of(listing).wanted == 400


def test_the_only_person_who_may_decide_decides_alone(shop, site):
    channel, (listing,) = offers(shop, site, 1, quantity="40")
    causer = make_user(role="approver")
    receive(listing, site, "360", actor=causer)
    settle(channel)

    approve_run(run=waits(listing).run, actor=causer)

    assert push_of(listing).wanted == 400


def test_a_refused_change_leaves_the_listing_frozen_at_what_it_shows_until_that_is_lifted(shop, site):
    channel, (listing,) = offers(shop, site, 1, quantity="40")
    receive(listing, site, "360")
    settle(channel)

    refuse_run(run=waits(listing).run, reason="a zero too many", actor=make_user())
    receive(listing, site, "5")
    settle(channel)

    assert (shop.shows(listing), waits(listing)) == (40, None)
    assert explanation(listing=listing) is not None
    count_as(listing, site, "45")
    lift(freezes=Freeze.objects.all(), actor=make_user())
    settle(channel)
    assert shop.shows(listing) == 45


def test_a_listing_that_waits_falls_with_its_stock_and_does_not_rise_by_little_steps(shop, site):
    channel, (listing,) = offers(shop, site, 1, quantity="40")
    receive(listing, site, "360")
    settle(channel)
    forget_window()

    receive(listing, site, "1")
    settle(channel)
    assert (shop.shows(listing), waits(listing).after) == (40, 401)
    empty(listing, site)
    receive(listing, site, "30")
    settle(channel)

    assert (shop.shows(listing), waits(listing)) == (30, None)


def test_an_emptied_location_waits(shop, site):
    """Every listing of a site falls to zero: ten go by themselves, all others wait."""
    channel, listings = offers(shop, site, 30)

    for listing in listings:
        empty(listing, site)
    settle(channel)

    assert sorted(shop.shows(listing) for listing in listings) == [10] * 30
    assert Hold.objects.filter(state=HoldState.OPEN, after=0).count() == 30


def test_an_emptied_location_waits_also_when_it_comes_in_drop_by_drop(shop, site):
    channel, listings = offers(shop, site, 30)

    for listing in listings:
        empty(listing, site)
        settle(channel)

    assert sum(shop.shows(listing) == 0 for listing in listings) == 10


def test_a_rule_that_zeroes_a_channel_waits(shop, site):
    channel, listings = offers(shop, site, 30)

    set_policy(channel=channel, percent=Decimal(0), actor=None)
    settle(channel)

    assert {shop.shows(listing) for listing in listings} == {10}
    assert Hold.objects.filter(state=HoldState.OPEN, after=0).count() == 30


def test_raises_by_an_import_wait_and_name_it(shop, site):
    channel, listings = offers(shop, site, 6)
    rows = "\n".join(f"{listing.item.sku};SITE;10;stock list" for listing in listings)
    content = f"Item;Location;Qty;Reason\n{rows}\n".encode()

    report = run_import(
        kind=kind_named("adjustments"),
        content=content,
        file_name="stock.csv",
        actor=None,
        mode=Mode.ALL,
    )
    assert report.is_applied, report.problems
    settle(channel)

    assert {shop.shows(listing) for listing in listings} == {10}
    run = waits(listings[0]).run
    assert run.listings_held == 6
    assert [trip["words"] for trip in run.trips] == ["6 listings would rise right after an import of adjustments."]


def test_a_large_decision_is_typed(shop, site):
    channel, listings = offers(shop, site, 50)
    set_policy(channel=channel, percent=Decimal(0), actor=None)
    settle(channel)
    run = waits(listings[0]).run

    for typed in ("", "49", "yes"):
        with pytest.raises(TypedConfirmationRequired, match="Type 50"):
            approve_run(run=run, actor=None, typed=typed)
    assert {shop.shows(listing) for listing in listings} == {10}

    approve_run(run=run, actor=None, typed="50")
    settle(channel)
    assert {shop.shows(listing) for listing in listings} == {0}


def test_a_run_is_taken_back_to_what_was_shown_and_never_above_what_is_there(shop, site):
    channel, listings = offers(shop, site, 3)
    for listing in listings:
        receive(listing, site, "5")
    settle(channel)
    run = PublishRun.objects.order_by("-pk").first()
    assert {shop.shows(listing) for listing in listings} == {15}
    empty(listings[0], site)

    undo_run(run=run, reason="counted wrongly", actor=make_user())
    settle(channel)

    assert [shop.shows(listing) for listing in listings] == [0, 10, 10]
    assert "frozen at 10: counted wrongly" in explanation(listing=listings[1]).in_words()
    with pytest.raises(WrongState, match="newer figures took its place"):
        undo_run(run=run, reason="again", actor=None)


def test_a_frozen_channel_only_falls_and_a_lifted_one_catches_up(shop, site):
    channel, (one, other) = offers(shop, site, 2)
    made = freeze(channel=channel, reason="migration", actor=make_user())

    receive(one, site, "3")
    empty(other, site)
    settle(channel)
    assert (shop.shows(one), shop.shows(other)) == (10, 0)

    lift(freezes=[made], actor=make_user())
    settle(channel)
    assert shop.shows(one) == 13


def test_an_item_frozen_at_zero_shows_nothing_anywhere(shop, site):
    channel, (listing,) = offers(shop, site, 1)

    freeze(item=listing.item, at_most=0, reason="recalled", actor=make_user())
    settle(channel)

    assert shop.shows(listing) == 0
    with pytest.raises(WrongState, match="frozen in this way already"):
        freeze(item=listing.item, at_most=0, reason="recalled", actor=None)


def test_where_every_change_is_approved_nothing_is_sent_by_itself(shop, site):
    channel, (listing,) = offers(shop, site, 1)
    set_channel_mode(channel=channel, mode=ChannelMode.APPROVE, actor=make_user())

    receive(listing, site, "1")
    settle(channel)
    assert shop.shows(listing) == 10

    approve_run(run=waits(listing).run, actor=make_user())
    settle(channel)
    assert shop.shows(listing) == 11


def test_from_the_shadow_into_approval_everything_waits(shop, site):
    channel = make_channel(mode=ChannelMode.SHADOW)
    listing = make_listing(channel=channel, shop=shop, shows=7)
    put_on_hand(listing.item, site, "10")
    settle(channel)
    assert shop.shows(listing) == 7

    set_channel_mode(channel=channel, mode=ChannelMode.APPROVE, actor=make_user())
    settle(channel)

    assert (shop.shows(listing), waits(listing).after) == (7, 10)


def test_a_channel_in_the_shadow_is_told_what_would_wait_and_holds_nothing(shop, site):
    channel = make_channel(mode=ChannelMode.SHADOW)
    listing = make_listing(channel=channel, shop=shop)
    put_on_hand(listing.item, site, "10")
    settle(channel)

    receive(listing, site, "990")
    settle(channel)

    assert push_of(listing).wanted == 1000
    assert "the most it showed lately was 10" in PublishRun.objects.first().trips[0]["words"]
    assert not Hold.objects.exists()


def test_the_switch_for_all_stops_every_channel(shop, site):
    channel, (listing,) = offers(shop, site, 1)

    assert pause_all(actor=make_user()) == 1
    receive(listing, site, "1")
    settle(channel)
    assert shop.shows(listing) == 10

    assert resume_all(actor=make_user()) == 1
    settle(channel)
    assert shop.shows(listing) == 11


def test_limits_of_a_channel_are_its_own(shop, site):
    channel, (listing,) = offers(shop, site, 1, quantity="40")
    set_guard(channel=channel, values={"times_recent_max": Decimal(20)}, actor=make_user())

    receive(listing, site, "360")
    settle(channel)

    assert shop.shows(listing) == 400
    assert ChannelGuard.objects.get().history.count() == 1


def test_a_place_whose_report_is_old_raises_nothing(shop):
    partner = make_location(code="3PL", kind="3pl", freshness_hours=24)
    channel = make_channel(sources=[partner])
    listing = make_listing(channel=channel, shop=shop)
    put_on_hand(listing.item, partner, "10")
    settle(channel)
    receive(listing, partner, "2")
    settle(channel)

    assert waits(listing).after == 12
    assert "too old: 3PL" in waits(listing).run.trips[0]["words"]


def test_an_import_among_many_other_causes_is_still_seen(shop, site):
    """The causes together are longer than what is kept of them with the run."""
    channel, listings = offers(shop, site, 6)
    tell_items_changed(items=[one.item_id for one in listings], cause="import of stock")
    for number in range(12):
        tell_items_changed(items=[listings[0].item_id], cause=f"another cause {number:02}")

    for one in listings:
        put_on_hand(one.item, site, "5")
    absorb_changes()

    run = PublishRun.objects.filter(channel=channel).latest("pk")
    assert len(run.cause) <= 100
    assert [trip["rule"] for trip in run.trips] == ["after_bulk"]


def test_the_guard_costs_the_same_statements_for_25_and_for_60_listings(shop, site):
    """All wait for the same reasons, one of them the share of the channel that changes."""

    def cost():
        with CaptureQueriesContext(connection) as queries:
            absorb_changes()
        return len(queries)

    few, _ = offers(shop, site, 25)
    set_policy(channel=few, percent=Decimal(0), actor=None)
    of_few = cost()
    Hold.objects.all().delete()
    few.listings.all().update(is_active=False)
    many, _ = offers(shop, site, 60, prefix="MORE")
    set_policy(channel=many, percent=Decimal(0), actor=None)
    of_many = cost()

    assert Hold.objects.filter(state=HoldState.OPEN).count() == 60
    assert of_many == of_few == 31


def test_without_a_guard_the_stories_would_raise(shop, site):
    """The property of the stories can fail: with all rules off the tenfold typo goes out."""
    channel, (listing,) = offers(shop, site, 1, quantity="40", channel=let_all_flow(make_channel()))

    receive(listing, site, "360")
    settle(channel)

    assert shop.shows(listing) == 400
