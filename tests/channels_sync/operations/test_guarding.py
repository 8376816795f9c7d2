"""What waits for a person, what people decide, and what a run that waits never does."""

import random
from contextlib import suppress
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from channels_sync.models import (
    Channel,
    ChannelGuard,
    ChannelMode,
    Freeze,
    Hold,
    HoldState,
    ListingPush,
    PublicationLine,
    PublicationState,
    PublishRun,
    SendingWindow,
)
from channels_sync.models.sending import WindowScope
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.controlling import retry_listing, set_channel_mode
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
from channels_sync.operations.giving_up import retry_given_up
from channels_sync.operations.publishing import publish_due
from channels_sync.operations.recomputing import tell_items_changed
from channels_sync.operations.second_looks import TypedConfirmationRequired
from channels_sync.reads.publishing import explanation
from inventory.errors import SecondPersonRequired, WrongState
from inventory.importing.running import Mode, kind_named, run_import
from inventory.models import ExceptionCase, ExceptionState
from tests.channels_sync.factories import (
    WorkerKilled,
    let_all_flow,
    line_of,
    make_channel,
    make_listing,
    push_of,
    survive,
    time_passes,
)
from tests.channels_sync.guarded import count_as, empty, forget_window, offers, receive, settle, waits
from tests.factories import make_location, make_user, on_hand, put_on_hand
from tests.properties.sizes import histories

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


class Story:
    """Random stock, modes, hours, decisions, deliveries, retries and dying workers around one guarded channel.

    Beside it stands what a person would say: how high each listing ever went by itself, what was approved, what was refused.
    """

    def __init__(self, shop, seed):
        self.shop, self.dice = shop, random.Random(seed)
        self.channel, self.site = make_channel(), make_location()
        set_guard(
            channel=self.channel,
            values={"changed_min": 2, "to_zero_max": 1, "times_recent_max": Decimal(2), "recent_units_min": 3},
            actor=None,
        )
        self.listings = [make_listing(channel=self.channel, shop=shop) for _ in range(4)]
        self.peak, self.approved, self.refused, self.kept = {}, {}, {}, {}
        self.told = []
        """What was done, for a failure's message."""

    def begin(self):
        """Every listing shows something, and a hundredfold of the first one waits."""
        for listing in self.listings:
            put_on_hand(listing.item, self.site, "5")
        settle(self.channel)
        self.peak = {listing.pk: 5 for listing in self.listings}
        put_on_hand(self.listings[0].item, self.site, "500")
        absorb_changes()
        assert [hold.listing for hold in Hold.objects.filter(state=HoldState.OPEN)] == [self.listings[0]]

    def step(self):
        held = set(ListingPush.objects.filter(is_held=True).values_list("listing_id", flat=True))
        before = {listing.pk: push_of(listing) for listing in self.listings}
        sent = {pk: sent_figure(push) for pk, push in before.items()}
        shown = {listing.pk: self.shop.shows(listing) for listing in self.listings}
        mode = self.mode
        act = self.dice.choices(
            (
                self.receive,
                self.empty,
                self.absorb,
                self.publish,
                self.change_mode,
                self.change_hours,
                self.look_away,
                self.empty_at_night,
                self.second_thoughts,
                self.approve,
                self.approve_what_grew,
                self.refuse,
                self.undo,
                self.lift,
                self.retry,
                self.die_absorbing,
                self.die_deciding,
                self.an_hour_passes,
            ),
            weights=(8, 2, 11, 6, 2, 2, 2, 2, 2, 1, 1, 3, 1, 1, 2, 1, 1, 3),
        )[0]
        decided = act() or set()
        self.told.append(act.__name__)
        for listing in self.listings:
            pk, push, shows = listing.pk, push_of(listing), self.shop.shows(listing)
            if pk in held and pk not in decided:
                assert shows <= shown[pk], f"a raise that waits was sent: {self.told}"
                if line_of(listing).state != PublicationState.SHADOW:
                    most = max(before[pk].wanted or 0, sent[pk])
                    assert (push.wanted or 0) <= most, f"a listing that waits was raised: {self.told}"
            if self.mode == mode == ChannelMode.APPROVE and act in (self.absorb, self.die_absorbing):
                assert push.version == before[pk].version, f"something flowed that is to be approved: {self.told}"
            if push.version > before[pk].version and line_of(listing).state != PublicationState.SHADOW:
                self.check_flowing(pk, push.wanted)
            assert shows <= max(self.peak[pk], self.approved.get(pk, 0)), f"more is shown than may flow: {self.told}"
            self.check_refused(listing, shown[pk])
            assert push.is_held == Hold.objects.filter(listing=listing, state=HoldState.OPEN).exists()
        applied = {ref: quantity for ref, _, quantity in self.shop.applied}
        for listing in self.listings:
            wanted = set(PublicationLine.objects.filter(listing=listing).values_list("after", flat=True))
            assert applied.get(str(listing.pk), 0) in wanted | {0}, "something was sent that was no line of the outbox"

    @property
    def mode(self):
        return Channel.objects.values_list("mode", flat=True).get(pk=self.channel.pk)

    def check_flowing(self, pk, wanted):
        """What goes to the outbox is within twice the most that ever went there, or a person agreed to it."""
        peak = self.peak[pk]
        allowed = max(peak * 2, peak + 3, self.approved.get(pk, 0))
        assert wanted <= allowed, f"{wanted} flowed, {allowed} may: {self.told}"
        self.peak[pk] = max(peak, wanted)

    def check_refused(self, listing, shown):
        """Until it is lifted, a refused raise does not rise, and a refused fall does not fall."""
        in_force = Freeze.objects.in_force().filter(listing=listing)
        if not in_force.filter(run__isnull=False).exists():
            self.refused.pop(listing.pk, None)
        limit = self.refused.get(listing.pk)
        if limit is not None:
            assert self.shop.shows(listing) <= limit, f"what was refused was sent: {self.told}"
        run, kept = self.kept.get(listing.pk, (None, 0))
        if run is not None and not in_force.filter(run=run).exists():
            del self.kept[listing.pk]
        elif run is not None and not in_force.filter(quantity__lt=kept).exists():
            assert self.shop.shows(listing) >= min(shown, kept), f"a refused fall was sent: {self.told}"

    def receive(self):
        self._receive(self.dice.choice((1, 2, 5, 50, 500)))

    def _receive(self, quantity):
        listing = self.dice.choice(self.listings)
        put_on_hand(listing.item, self.site, str(quantity))
        return listing

    def _receive_one_of_each(self):
        for listing in self.listings:
            put_on_hand(listing.item, self.site, "1")

    def _type_tenfold(self):
        listing = self.dice.choice(self.listings)
        put_on_hand(listing.item, self.site, str(10 + 9 * int(on_hand(listing.item))))

    def look_away(self):
        """Somebody who is in doubt lets the channel only watch for a while, and a figure is typed wrong meanwhile."""
        set_channel_mode(channel=self.channel, mode=ChannelMode.SHADOW, actor=None)
        absorb_changes()
        self._type_tenfold()
        absorb_changes()
        set_channel_mode(channel=self.channel, mode=ChannelMode.AUTO, actor=None)
        return self._all()

    def empty_at_night(self):
        """A raise waits for the morning when the shelf is found empty."""
        self._begin_a_day()
        SendingWindow.objects.all().delete()
        self.change_hours()
        self._receive(2)
        absorb_changes()
        survive(publish_due, channel_id=self.channel.pk)
        for listing in self.listings:
            empty(listing, self.site)
        absorb_changes()
        self.change_hours()
        return self._all()

    def _all(self):
        """Of several acts in a row nobody can say which listing waited all the time; what may be sent is checked all the same."""
        return {listing.pk for listing in self.listings}

    def _begin_a_day(self):
        """Nothing is frozen any more, and what is there is shown as far as the guard lets it."""
        set_channel_mode(channel=self.channel, mode=ChannelMode.AUTO, actor=None)
        lift(freezes=list(Freeze.objects.in_force()), actor=None)
        absorb_changes()
        survive(publish_due, channel_id=self.channel.pk)
        self.an_hour_passes()

    def second_thoughts(self):
        """What is queued already is looked at by somebody, and refused."""
        set_channel_mode(channel=self.channel, mode=ChannelMode.AUTO, actor=None)
        listing = self._receive(2)
        absorb_changes()
        set_channel_mode(channel=self.channel, mode=ChannelMode.APPROVE, actor=None)
        hold = waits(listing)
        if hold is not None:
            self.refuse(hold.run)
        return self._all()

    def empty(self):
        for listing in self.dice.sample(self.listings, self.dice.choice((1, 1, 3))):
            empty(listing, self.site)

    def absorb(self):
        absorb_changes(rows_max=self.dice.choice((1, 3, 200)))

    def publish(self):
        self.shop.faults.extend(
            self.dice.choices(("ok", "lose_answer", "twice", "later", "refuse", "kill_before", "kill_after"), k=1)
        )
        survive(publish_due, channel_id=self.channel.pk)

    def change_mode(self):
        modes = (ChannelMode.AUTO, ChannelMode.AUTO, ChannelMode.APPROVE, ChannelMode.SHADOW)
        set_channel_mode(channel=self.channel, mode=self.dice.choice(modes), actor=None)

    def change_hours(self):
        """Quiet hours for raises begin or end."""
        if not SendingWindow.objects.all().delete()[0]:
            SendingWindow.objects.create(
                channel=self.channel, scope=WindowScope.RAISES, starts_at="00:00", ends_at="23:59:59.999999"
            )

    def an_hour_passes(self):
        time_passes()
        forget_window()

    def retry(self):
        """Somebody presses the button, whatever waits and whatever was refused before."""
        if self.dice.random() < 0.5:
            retry_listing(listing=self.dice.choice(self.listings))
        else:
            retry_given_up(channel=self.channel, actor=None)
        self.publish()

    def die_absorbing(self):
        with suppress(WorkerKilled), transaction.atomic():
            self.absorb()
            raise WorkerKilled

    def die_deciding(self):
        """The server dies between the decision and its commit."""
        known = dict(self.approved), dict(self.refused), dict(self.kept)
        with suppress(WorkerKilled), transaction.atomic():
            self.dice.choice((self.approve, self.refuse, self.undo, self.lift))()
            raise WorkerKilled
        self.approved, self.refused, self.kept = known

    def _waiting(self):
        holds = list(Hold.objects.filter(state=HoldState.OPEN).select_related("run"))
        return self.dice.choice(holds).run if holds else None

    def approve(self, run=None):
        run = run or self._waiting()
        if run is None:
            return set()
        limits = dict(Hold.objects.filter(run=run, state=HoldState.OPEN).values_list("listing_id", "after"))
        before = {pk: push_of_id(pk) for pk in limits}
        most = {pk: max(limits[pk], sent_figure(push), push.wanted or 0) for pk, push in before.items()}
        approve_run(run=run, actor=None)
        for pk, limit in limits.items():
            self.approved[pk] = max(limit, self.approved.get(pk, 0))
            push = push_of_id(pk)
            if self.mode != ChannelMode.SHADOW and push.version > before[pk].version:
                assert (push.wanted or 0) <= most[pk], f"more than was approved: {self.told}"
        return set(limits)

    def approve_what_grew(self):
        """A little comes in for all and waits; a little more is not taken in yet when the approval comes."""
        self._begin_a_day()
        self._receive_one_of_each()
        absorb_changes()
        self.an_hour_passes()
        self._receive_one_of_each()
        for run in PublishRun.objects.filter(holds__state=HoldState.OPEN).distinct():
            self.approve(run)
        return self._all()

    def refuse(self, run=None):
        """A refused raise goes back to what was sent; a refused fall stays at what is shown and was not objected to."""
        run = run or self._waiting()
        if run is None:
            return set()
        holds = list(Hold.objects.filter(run=run, state=HoldState.OPEN).select_related("listing"))
        for hold in holds:
            push, shows = push_of(hold.listing), self.shop.shows(hold.listing)
            sent = sent_figure(push)
            stays = sent if push.wanted == hold.after else min(sent, push.wanted or 0)
            if hold.after < stays:
                self.kept[hold.listing_id] = (run, min(stays, shows))
            most = max(sent, shows)
            self.refused[hold.listing_id] = min(most, self.refused.get(hold.listing_id, most))
        refuse_run(run=run, reason="no", actor=None)
        return {hold.listing_id for hold in holds}

    def undo(self):
        runs = list(PublishRun.objects.filter(listings_changed__gt=0))
        if runs:
            with suppress(WrongState):  # newer figures took its place
                undo_run(run=self.dice.choice(runs), reason="wrong", actor=None)

    def lift(self):
        lift(freezes=list(Freeze.objects.in_force()[:2]), actor=None)


def sent_figure(push):
    """What the channel was last told; nothing: 0."""
    line = PublicationLine.objects.filter(listing=push.listing_id, version=push.sent_version).first()
    return line.after if line else 0


def push_of_id(pk):
    return ListingPush.objects.get(listing=pk)


STORIES = histories("BACKFLUSH_GUARD_STORIES", usual=12)


@pytest.mark.parametrize("seed", range(STORIES))
def test_a_run_that_waits_never_sends_a_raise(shop, seed):
    """Found when put back: what was worked out in the shadow goes out unseen; a refusal sends what is queued; an older raise goes
    out while a fall waits; an approval lets more pass than was seen; a refused fall falls with the next news."""
    story = Story(shop, seed)
    story.begin()

    for _ in range(60):
        story.step()


def test_without_a_guard_the_same_stories_would_raise(shop, site):
    """The property above can fail: with all rules off the tenfold typo goes out."""
    channel, (listing,) = offers(shop, site, 1, quantity="40", channel=let_all_flow(make_channel()))

    receive(listing, site, "360")
    settle(channel)

    assert shop.shows(listing) == 400
