"""Random stories: a run that waits for a person never sends a raise, whatever else happens."""

import random
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from channels_sync.drift import Response
from channels_sync.models import (
    AllocationPolicy,
    Channel,
    ChannelMode,
    Difference,
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
from channels_sync.operations import absorbing, pieces
from channels_sync.operations.absorbing import absorb_changes, absorb_wide
from channels_sync.operations.allocating import set_policy, tell_dated_rules
from channels_sync.operations.controlling import retry_listing, set_channel_mode
from channels_sync.operations.deciding import (
    approve_run,
    lift,
    refuse_run,
    set_guard,
    undo_run,
)
from channels_sync.operations.deciding_differences import decide_difference, set_drift
from channels_sync.operations.giving_up import retry_given_up
from channels_sync.operations.publishing import publish_due
from channels_sync.operations.reading_back import read_everything
from channels_sync.operations.recomputing import recompute_all
from inventory.errors import WrongState
from tests.channels_sync.factories import (
    WorkerKilled,
    line_of,
    make_channel,
    make_listing,
    push_of,
    survive,
    time_passes,
)
from tests.channels_sync.guarded import empty, forget_window, settle, waits
from tests.factories import make_location, on_hand, put_on_hand
from tests.properties.sizes import histories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


class Story:
    """Random stock, rules, modes, hours, decisions, deliveries, retries and dying workers around two guarded channels.

    The second offers one item of the first; its mode and hours stay as they are. Beside them stands what a person would say: how
    high each listing ever went by itself, what was approved, what was refused.
    """

    def __init__(self, shop, seed):
        self.shop, self.dice = shop, random.Random(seed)
        self.channel, self.other, self.site = make_channel(), make_channel(), make_location()
        for channel in (self.channel, self.other):
            set_guard(
                channel=channel,
                values={"changed_min": 2, "to_zero_max": 1, "times_recent_max": Decimal(2), "recent_units_min": 3},
                actor=None,
            )
            set_drift(channel=channel, values={"settle_minutes": 0, "edited": "overwrite"}, actor=None)
        own = [make_listing(channel=self.channel, shop=shop) for _ in range(3)]
        twin = make_listing(channel=self.other, item=own[0].item, shop=shop, external_sku=f"{own[0].external_sku}-2")
        self.listings, self.items = [*own, twin], [one.item for one in own]
        self.peak, self.approved, self.refused, self.kept = {}, {}, {}, {}
        self.told = []
        """What was done, for a failure's message."""

    def begin(self):
        """Every listing shows something, and a hundredfold of the first one waits."""
        for item in self.items:
            put_on_hand(item, self.site, "5")
        settle(self.channel)
        settle(self.other)
        self.peak = {listing.pk: 5 for listing in self.listings}
        put_on_hand(self.items[0], self.site, "500")
        absorb_changes()
        held = {hold.listing for hold in Hold.objects.filter(state=HoldState.OPEN)}
        assert held == {self.listings[0], self.listings[-1]}

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
                self.read_back,
                self.overwrite,
                self.recompute_everything,
                self.date_a_rule,
            ),
            weights=(8, 2, 11, 8, 2, 2, 2, 2, 2, 1, 1, 3, 1, 1, 2, 1, 1, 3, 2, 2, 2, 3),
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
            is_approving = self.mode == mode == ChannelMode.APPROVE and listing.channel_id == self.channel.pk
            if is_approving and act in (self.absorb, self.die_absorbing, self.recompute_everything):
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
        for item in self.items:
            put_on_hand(item, self.site, "1")

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
        for listing in self.listings[: len(self.items)]:
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
        self.look_at_the_outbox()
        self.an_hour_passes()

    def look_at_the_outbox(self):
        """Within several acts in a row: what flowed so far is within its bounds, and widens those of what comes next."""
        for listing in self.listings:
            if line_of(listing).state != PublicationState.SHADOW:
                self.check_flowing(listing.pk, push_of(listing).wanted)

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
        for listing in self.dice.sample(self.listings[: len(self.items)], self.dice.choice((1, 1, 3))):
            empty(listing, self.site)

    def absorb(self):
        """As workers do: single news, in turn with pieces of what was large."""
        absorb_changes(rows_max=self.dice.choice((1, 3, 200)))
        for _ in range(self.dice.randint(0, 2)):
            absorb_wide()

    def publish(self):
        self.shop.faults.extend(
            self.dice.choices(("ok", "lose_answer", "twice", "later", "refuse", "kill_before", "kill_after"), k=1)
        )
        survive(publish_due, channel_id=self.dice.choice((self.channel, self.channel, self.channel, self.other)).pk)

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
            if line_of(push.listing).state != PublicationState.SHADOW and push.version > before[pk].version:
                assert (push.wanted or 0) <= most[pk], f"more than was approved: {self.told}"
        return set(limits)

    def approve_what_grew(self):
        """A little comes in for all and waits; a little more is not taken in yet when the approval comes."""
        self._begin_a_day()
        self._receive_one_of_each()
        absorb_changes()
        self.look_at_the_outbox()
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

    def read_back(self):
        """The shop sold something that we were not told of; then it is read back. Lost lowerings are overwritten by rule."""
        listing = self._one_that_waits(Hold.objects.filter(state=HoldState.OPEN)) or self.dice.choice(self.listings)
        self.shop.sell(listing, self.dice.randint(0, self.shop.shows(listing)))
        if listing.pk in self.kept:
            run, kept = self.kept[listing.pk]
            self.kept[listing.pk] = (run, min(kept, self.shop.shows(listing)))
        read_everything(channel_id=listing.channel_id)

    def _one_that_waits(self, rows):
        """Half of the time a listing of these rows, where there are any."""
        ids = set(rows.values_list("listing_id", flat=True))
        found = [one for one in self.listings if one.pk in ids]
        return self.dice.choice(found) if found and self.dice.random() < 0.5 else None

    def overwrite(self):
        """Somebody has our figure sent again where the shop shows another, whatever waits there."""
        self.read_back()
        differences = Difference.objects.filter(ended_at__isnull=True).order_by("pk")
        listing = self._one_that_waits(differences.filter(listing__push__is_held=True))
        rows = list(differences.filter(listing=listing) if listing else differences)
        if rows:
            with suppress(WrongState):  # a newer figure is on its way
                decide_difference(difference=self.dice.choice(rows), response=Response.OVERWRITE, actor=None)
        if self.dice.random() < 0.5:
            self.publish()

    def recompute_everything(self):
        """What happens every hour, whether or not there is news of it."""
        recompute_all(cause="hourly")

    def date_a_rule(self):
        """A rule is planned, begins by its date, or ends by it; its beginning halves everything, its end doubles it."""
        now, channel = timezone.now(), self.dice.choice((self.channel, self.channel, self.other))
        rules = AllocationPolicy.objects.filter(channel=channel)
        if planned := rules.filter(effective_from__gt=now).first():
            AllocationPolicy.objects.filter(pk=planned.pk).update(effective_from=now)
        elif standing := rules.filter(effective_to__isnull=True).first():
            AllocationPolicy.objects.filter(pk=standing.pk).update(effective_to=now, end_told=False)
        else:
            set_policy(channel=channel, percent=Decimal(50), starts_at=now + timedelta(hours=1), actor=None)
        tell_dated_rules()

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
def test_a_run_that_waits_never_sends_a_raise(shop, seed, monkeypatch):
    """In every third story what touches more than two listings is cut into pieces.

    Found when put back: what was worked out in the shadow goes out unseen; a refusal sends what is queued; an older raise goes
    out while a fall waits; an approval lets more pass than was seen; a refused fall falls with the next news; the hourly
    recompute, a rule by date, a figure that is overwritten, a piece or the second channel goes past the guard."""
    if seed % 3 == 2:
        monkeypatch.setattr(pieces, "LISTINGS_PER_PIECE", 2)
        monkeypatch.setattr(absorbing, "ITEMS_OF_SINGLE_ACTS", 2)
    story = Story(shop, seed)
    story.begin()

    for _ in range(60):
        story.step()
