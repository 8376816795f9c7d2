"""What a decision means until somebody takes it back: refused falls and raises, approvals, freezes, who may decide, the case."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from channels_sync.allocation import Derivation
from channels_sync.models import (
    ChannelMode,
    Freeze,
    Hold,
    HoldState,
    Listing,
    PublicationLine,
    PublishRun,
)
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.controlling import pause_channel, resume_channel, set_channel_mode
from channels_sync.operations.deciding import approve_run, freeze, lift, refuse_run, undo_run
from channels_sync.operations.publishing import publish_due
from channels_sync.operations.recomputing import recompute_all
from channels_sync.operations.sweeping import sweep
from channels_sync.reads.publishing import explanation
from channels_sync.reads.screening import Screen
from inventory.errors import SecondPersonRequired, WrongState
from inventory.importing.running import Mode, kind_named, run_import
from inventory.models import ExceptionCase, ExceptionState, SupplierItem
from inventory.operations.exceptions import resolve_exception
from tests.channels_sync.factories import line_of, make_channel, make_listing, push_of
from tests.channels_sync.guarded import count_as, empty, forget_window, offers, receive, settle, waits
from tests.factories import make_item, make_location, make_supplier, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


@pytest.fixture
def site():
    return make_location(code="SITE")


def shown(shop, listings):
    return {shop.shows(listing) for listing in listings}


def case(kind="held_run"):
    return ExceptionCase.objects.filter(kind=kind).latest("pk")


# --- refused falls ---


def test_a_refused_zeroing_keeps_what_was_shown_whatever_happens_until_it_is_lifted(shop, site):
    channel, listings = offers(shop, site, 30)
    set_policy(channel=channel, percent=Decimal(0), actor=None)
    settle(channel)
    run = waits(listings[0]).run

    refuse_run(run=run, reason="the rule is wrong", actor=make_user())
    for listing in listings[:12]:
        receive(listing, site, "1")
        settle(channel)
    forget_window()
    recompute_all(cause="the passing of time")
    settle(channel)

    assert shown(shop, listings) == {10}
    assert not Hold.objects.filter(state=HoldState.OPEN).exists()
    assert set(Freeze.objects.values_list("quantity", "is_exact")) == {(10, True)}
    why = explanation(listing=listings[0])
    assert why.quantity == 10


def test_what_is_kept_says_that_it_may_be_more_than_there_is(shop, site):
    channel, listings = offers(shop, site, 11)
    for listing in listings:
        empty(listing, site)
    settle(channel)
    refuse_run(run=waits(listings[0]).run, reason="counted wrongly", actor=None)

    set_policy(listing=listings[0], maximum_to_list=Decimal(4), actor=None)
    recompute_all(cause="the passing of time")
    freeze(listing=listings[0], reason="no more than this", actor=None)
    settle(channel)

    assert shop.shows(listings[0]) == 10
    told = case("kept_figures")
    assert (told.state, told.title) == (ExceptionState.OPEN, f"11 listings of {channel} are kept at what was shown")


def test_the_case_of_kept_figures_stays_open_until_all_are_lifted(shop, site):
    channel, listings = offers(shop, site, 11)
    for listing in listings:
        empty(listing, site)
    settle(channel)
    refuse_run(run=waits(listings[0]).run, reason="counted wrongly", actor=None)
    resolve_exception(case=case("kept_figures"), actor=None, resolution="seen")

    sweep()
    assert case("kept_figures").state == ExceptionState.OPEN
    for listing in listings:
        count_as(listing, site, "12")
    lift(freezes=list(Freeze.objects.all()[:10]), actor=None)
    assert case("kept_figures").state == ExceptionState.OPEN
    sweep()
    assert case("kept_figures").title.startswith("1 listing of")
    lift(freezes=list(Freeze.objects.all()), actor=None)
    settle(channel)

    assert case("kept_figures").state == ExceptionState.RESOLVED
    assert shown(shop, listings) == {12}


def test_a_lifted_fall_goes_through_the_guard_again(shop, site):
    channel, listings = offers(shop, site, 30)
    for listing in listings:
        empty(listing, site)
    settle(channel)
    refuse_run(run=waits(listings[0]).run, reason="counted wrongly", actor=None)
    forget_window()

    lift(freezes=list(Freeze.objects.all()), actor=None)
    settle(channel)

    assert shown(shop, listings) == {10}
    assert Hold.objects.filter(state=HoldState.OPEN, after=0).count() == 30


def test_what_is_kept_is_still_frozen_at_zero_by_a_recall(shop, site):
    channel, listings = offers(shop, site, 11)
    for listing in listings:
        empty(listing, site)
    settle(channel)
    refuse_run(run=waits(listings[0]).run, reason="counted wrongly", actor=None)

    freeze(item=listings[0].item, at_most=0, reason="recalled", actor=None)
    settle(channel)

    assert [shop.shows(listing) for listing in listings] == [0, *[10] * 10]


def test_a_kept_figure_recomputes_from_what_is_stored_and_names_the_decision(shop, site):
    channel, (listing,) = offers(shop, site, 1)
    pause_channel(channel=channel, actor=None)
    receive(listing, site, "5")
    absorb_changes()  # 15 waits in the outbox
    set_channel_mode(channel=channel, mode=ChannelMode.APPROVE, actor=None)
    empty(listing, site)
    absorb_changes()

    refuse_run(run=waits(listing).run, reason="the count was wrong", actor=None)
    resume_channel(channel=channel, actor=None)
    publish_due(channel_id=channel.pk)

    assert shop.shows(listing) == 10
    kept = Derivation.from_json(line_of(listing).derivation)
    assert (kept.quantity, kept.steps.packs, kept.steps.given) == (10, 10, 0)
    assert kept.in_words() == "on hand 0 → kept at 10: the count was wrong"


def test_a_held_fall_waits_for_a_person_and_not_for_the_next_news(shop, site):
    """Worked out alone an hour later it would be one listing that falls to zero, which flows."""
    channel, listings = offers(shop, site, 30)
    for listing in listings:
        empty(listing, site)
    settle(channel)
    first = waits(listings[0])
    seen = case().times_seen
    forget_window()

    set_policy(listing=listings[0], note="nothing new", actor=None)
    settle(channel)
    recompute_all(cause="the passing of time")
    settle(channel)

    assert shown(shop, listings) == {10}
    assert (waits(listings[0]).pk, case().times_seen) == (first.pk, seen)


# --- refused raises, and what was never sent ---


def test_a_refused_raise_that_was_queued_before_is_not_sent(shop, site):
    channel, (listing,) = offers(shop, site, 1)
    pause_channel(channel=channel, actor=None)
    receive(listing, site, "5")
    absorb_changes()
    set_channel_mode(channel=channel, mode=ChannelMode.APPROVE, actor=None)
    hold = waits(listing)
    assert (hold.before, hold.after) == (10, 15)

    refuse_run(run=hold.run, reason="not yet", actor=None)
    resume_channel(channel=channel, actor=None)
    settle(channel)

    assert (shop.shows(listing), push_of(listing).wanted) == (10, 10)
    assert PublicationLine.objects.filter(listing=listing, state="superseded", after=15).count() == 1
    empty(listing, site)
    settle(channel)
    assert waits(listing).after == 0, "a refused raise is a lid, the stock goes on being followed"


def test_of_a_listing_the_channel_was_never_told_a_refusal_tells_it_nothing(shop, site):
    channel = make_channel(mode=ChannelMode.SHADOW)
    listing = make_listing(channel=channel, shop=shop, shows=7)
    put_on_hand(listing.item, site, "10")
    settle(channel)
    set_channel_mode(channel=channel, mode=ChannelMode.APPROVE, actor=None)

    refuse_run(run=waits(listing).run, reason="not this one", actor=None)
    set_channel_mode(channel=channel, mode=ChannelMode.AUTO, actor=None)
    receive(listing, site, "1")
    sweep()
    settle(channel)
    assert (shop.shows(listing), shop.applied, waits(listing)) == (7, [], None)

    lift(freezes=list(Freeze.objects.all()), actor=None)
    settle(channel)
    assert shop.shows(listing) == 11


# --- approvals ---


def test_an_approved_listing_that_would_rise_above_what_was_seen_waits_again(shop, site):
    """No rule of the guard says no to 45: the approval was for 20."""
    channel, listings = offers(shop, site, 6)
    rows = "".join(f"{listing.item.sku};SITE;10;stock list\n" for listing in listings)
    run_import(
        kind=kind_named("adjustments"), content=f"Item;Location;Qty;Reason\n{rows}".encode(), file_name="stock.csv",
        actor=None, mode=Mode.ALL,
    )  # fmt: skip
    settle(channel)
    run = waits(listings[0]).run
    forget_window()
    receive(listings[0], site, "25")

    approve_run(run=run, actor=None)
    settle(channel)

    assert [shop.shows(listing) for listing in listings] == [10, 20, 20, 20, 20, 20]
    assert waits(listings[0]).after == 45


def test_an_approved_raise_does_not_let_a_fall_to_zero_pass_that_nobody_saw(shop, site):
    channel, listings = offers(shop, site, 12)
    set_policy(channel=channel, buffer=Decimal(1), actor=None)
    settle(channel)
    for listing in listings:
        receive(listing, site, "360")
    settle(channel)
    run = waits(listings[0]).run
    forget_window()
    for listing in listings:
        empty(listing, site)

    approve_run(run=run, actor=None)
    settle(channel)

    assert shown(shop, listings) == {9}
    assert Hold.objects.filter(state=HoldState.OPEN, after=0).count() == 12


# --- the second person ---


def test_whoever_set_the_rule_does_not_approve_what_follows_from_it(shop, site):
    channel, listings = offers(shop, site, 6)
    author, other = make_user(role="approver"), make_user(role="approver")
    set_policy(channel=channel, basis="fixed", fixed_quantity=Decimal(500), actor=author)
    settle(channel)
    run = waits(listings[0]).run

    with pytest.raises(SecondPersonRequired, match="Somebody else"):
        approve_run(run=run, actor=author)

    assert shown(shop, listings) == {10}
    approve_run(run=run, actor=other)
    settle(channel)
    assert shown(shop, listings) == {500}


def test_whoever_imported_suppliers_figures_does_not_approve_them(shop, site):
    author = make_user(role="approver")
    make_user(role="approver")
    channel, listings = offers(shop, site, 6)
    supplier = make_supplier(code="ACME")
    for listing in listings:
        SupplierItem.objects.create(supplier=supplier, item=listing.item)
    set_policy(supplier_percent=Decimal(100), actor=None)
    settle(channel)
    rows = "".join(f"ACME;{listing.item.sku};90\n" for listing in listings)
    report = run_import(
        kind=kind_named("supplier_stock"), content=f"Supplier;Item;Quantity\n{rows}".encode(), file_name="list.csv",
        actor=author, mode=Mode.ALL,
    )  # fmt: skip
    assert report.is_applied, report.problems
    settle(channel)

    with pytest.raises(SecondPersonRequired):
        approve_run(run=waits(listings[0]).run, actor=author)
    assert waits(listings[0]).state == HoldState.OPEN


def test_somebody_elses_later_posting_in_the_same_run_does_not_hide_who_typed_ten_times_too_much(shop, site):
    channel, (listing,) = offers(shop, site, 1, quantity="40")
    causer, other = make_user(role="approver"), make_user(role="approver")
    receive(listing, site, "360", actor=causer)
    receive(listing, site, "1", actor=other)
    settle(channel)
    make_user(role="approver")

    for person in (causer, other):
        with pytest.raises(SecondPersonRequired):
            approve_run(run=waits(listing).run, actor=person)
    assert shop.shows(listing) == 40


def test_a_later_run_that_takes_the_place_of_what_waits_does_not_hide_them_either(shop, site):
    channel, (listing,) = offers(shop, site, 1, quantity="40")
    causer, other, third = (make_user(role="approver") for _ in range(3))
    receive(listing, site, "360", actor=causer)
    settle(channel)
    receive(listing, site, "1", actor=other)
    settle(channel)
    assert PublishRun.objects.filter(listings_held=1).count() == 2

    with pytest.raises(SecondPersonRequired):
        approve_run(run=waits(listing).run, actor=causer)
    approve_run(run=waits(listing).run, actor=third)
    assert push_of(listing).wanted == 401


def test_a_recompute_that_comes_before_the_news_knows_who_is_behind_it(shop, site):
    _, (listing,) = offers(shop, site, 1, quantity="40")
    causer = make_user(role="approver")
    make_user(role="approver")
    receive(listing, site, "360", actor=causer)

    recompute_all(cause="the passing of time")

    assert waits(listing).run.actors == [causer.pk]


# --- freezes and runs taken back ---


def test_a_channel_frozen_at_zero_shows_nothing_at_once(shop, site):
    channel, listings = offers(shop, site, 30)

    freeze(channel=channel, at_most=0, reason="recall", actor=make_user())
    settle(channel)

    assert shown(shop, listings) == {0}
    assert not Hold.objects.exists()


def test_a_channel_is_frozen_at_what_each_listing_showed_before_a_wrong_figure_went_out(shop, site):
    """The last good figures: 10 each. Then a wrong count raised one to 14, and a right sale lowered another to 7."""
    channel, (wrong, sold, same) = offers(shop, site, 3)
    moment = timezone.now()
    receive(wrong, site, "4")
    count_as(sold, site, "7")
    settle(channel)
    assert [shop.shows(one) for one in (wrong, sold, same)] == [14, 7, 10]

    made = freeze(channel=channel, as_of=moment, reason="wrong count", actor=make_user())
    late = make_listing(channel=channel, shop=shop, item=make_item(is_sellable=True))
    put_on_hand(late.item, site, "3")
    count_as(sold, site, "12")
    settle(channel)

    assert [shop.shows(one) for one in (wrong, sold, same, late)] == [10, 10, 10, 0]
    assert not Hold.objects.exists()
    assert made.in_words.startswith("at most what it showed 20")
    assert Screen(at=timezone.now()).look_through(low=0, high=10**9).suspects == sorted(
        Listing.objects.values_list("pk", flat=True)
    )
    lift(freezes=[made], actor=make_user())
    settle(channel)
    assert [shop.shows(one) for one in (wrong, sold, same, late)] == [14, 12, 10, 3]


def test_a_listing_is_frozen_at_a_figure_and_falls_below_it_with_its_stock(shop, site):
    channel, (listing,) = offers(shop, site, 1)

    freeze(listing=listing, at_most=6, reason="fair", actor=make_user())
    settle(channel)
    assert shop.shows(listing) == 6
    count_as(listing, site, "4")
    settle(channel)

    assert shop.shows(listing) == 4


def test_a_freeze_at_a_moment_to_come_or_at_two_things_is_refused(shop, site):
    _, (listing,) = offers(shop, site, 1)

    with pytest.raises(WrongState, match="still to come"):
        freeze(listing=listing, as_of=timezone.now() + timedelta(hours=1), reason="x", actor=None)
    with pytest.raises(WrongState, match="Nothing was shown in 1"):
        freeze(listing=listing, as_of=datetime(1, 1, 1, tzinfo=UTC), reason="x", actor=None)
    with pytest.raises(WrongState, match="not at both"):
        freeze(listing=listing, as_of=timezone.now(), at_most=1, reason="x", actor=None)
    assert not Freeze.objects.exists()


def test_a_freeze_at_zero_is_a_decision_also_where_every_change_is_approved(shop, site):
    channel, (listing,) = offers(shop, site, 1)
    set_channel_mode(channel=channel, mode=ChannelMode.APPROVE, actor=None)

    freeze(item=listing.item, at_most=0, reason="recall", actor=make_user())
    settle(channel)

    assert (shop.shows(listing), waits(listing)) == (0, None)


def test_a_freeze_does_not_let_rises_pass(shop, site):
    channel, (listing,) = offers(shop, site, 1)
    empty(listing, site)
    settle(channel)
    Freeze.objects.create(listing=listing, quantity=500, reason="at most")
    receive(listing, site, "600")

    settle(channel)

    assert (shop.shows(listing), waits(listing).after) == (0, 500)


def test_a_run_of_first_figures_taken_back_tells_that_it_waits(shop, site):
    channel = make_channel()
    listings = [make_listing(channel=channel, shop=shop) for _ in range(12)]
    for listing in listings:
        put_on_hand(listing.item, site, "10")
    settle(channel)
    forget_window()

    result = undo_run(run=PublishRun.objects.latest("pk"), reason="too early", actor=None)

    assert (result.changed, result.held) == (0, 12)


# --- the case of what waits ---


def test_the_case_closes_when_what_waited_is_no_longer_needed(shop, site):
    channel, (listing,) = offers(shop, site, 1, quantity="40")
    receive(listing, site, "360")
    settle(channel)
    assert case().state == ExceptionState.OPEN

    count_as(listing, site, "40")
    settle(channel)

    assert waits(listing) is None
    assert case().state == ExceptionState.RESOLVED


def test_the_case_counts_all_that_waits_on_the_channel_and_leads_there(shop, site):
    channel, listings = offers(shop, site, 13)
    for listing in listings[:11]:
        empty(listing, site)
    settle(channel)
    first = waits(listings[0]).run
    assert case().url == f"/channels/runs/{first.pk}/"
    forget_window()
    receive(listings[12], site, "990")
    settle(channel)
    assert (case().title, case().url) == (
        f"12 changes of {channel} wait",
        f"/channels/runs/?channel={channel.code}&waits=1",
    )

    approve_run(run=waits(listings[12]).run, actor=None)

    assert (case().state, case().title) == (ExceptionState.OPEN, f"11 changes of {channel} wait")
    assert case().url == f"/channels/runs/{first.pk}/"


# --- exposure ---


def test_the_same_unit_on_three_channels_is_offered_three_times(shop, site):
    item = make_item(is_sellable=True)
    channels = [make_channel() for _ in range(3)]
    listings = [make_listing(channel=channel, shop=shop, item=item) for channel in channels]
    put_on_hand(item, site, "10")

    absorb_changes()

    runs = PublishRun.objects.filter(channel__in=channels)
    assert {(run.supply, run.exposed_before, run.exposed_after) for run in runs} == {(Decimal(10), 0, Decimal(30))}
    assert {run.exposure_after for run in runs} == {Decimal("3.00")}
    assert [push_of(listing).wanted for listing in listings] == [10, 10, 10]


def test_two_listings_of_a_channel_count_the_pool_once_and_packs_by_their_units(shop, site):
    channel, item = make_channel(), make_item(is_sellable=True)
    make_listing(channel=channel, shop=shop, item=item)
    make_listing(channel=channel, shop=shop, item=item, external_sku="SIX", pack_size=Decimal(6))
    put_on_hand(item, site, "12")

    absorb_changes()

    run = PublishRun.objects.get(channel=channel)
    assert (run.supply, run.exposed_after, run.exposure_after) == (12, 24, Decimal("2.00"))
