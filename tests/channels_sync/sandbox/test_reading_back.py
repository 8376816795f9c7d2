"""From the training shop's answers to differences that are kept, told and acted upon, through the database."""

from datetime import timedelta
from decimal import Decimal
from itertools import count
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_sync.drift import Response
from channels_sync.errors import ChannelUnavailable
from channels_sync.models import (
    ChannelGuard,
    ChannelMode,
    Difference,
    Done,
    DriftSetting,
    Freeze,
    Hold,
    HoldState,
    Listing,
    ListingPush,
    ListingReading,
    PublicationLine,
)
from channels_sync.operations import opening
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.confirming import confirm_sent
from channels_sync.operations.deciding import approve_run
from channels_sync.operations.deciding_differences import decide_difference
from channels_sync.operations.publishing import publish_due
from channels_sync.operations.reading_back import ReadBackResult, read_everything, read_sample
from inventory.errors import SecondPersonRequired, WrongState
from inventory.models import ExceptionCase, Movement
from tests.channels_sync.conftest import broken
from tests.channels_sync.factories import make_channel, make_listing, push_of, time_passes
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db

PLACE = "gid://shopify/Location/1001"


class Company:
    """A channel on the training shop whose listings were sent and confirmed."""

    def __init__(self, shop, monkeypatch):
        self.shop = shop
        monkeypatch.setattr(opening, "adapter_for", self._open)
        self.channel = make_channel(external_location_id=PLACE)
        self.rules(settle_minutes=0)

    def _open(self, *, name, account):
        return self.shop.adapter()

    def rules(self, **values):
        DriftSetting.objects.update_or_create(channel=self.channel, defaults=values)

    def offer(self, sku="CANDLE", *, confirm=True):
        return self.offer_all([sku], confirm=confirm)[0]

    def offer_all(self, skus, *, confirm=True):
        """Listings of ten units each."""
        made, site = [], make_location()
        for sku in skus:
            self.shop.put(**{sku: 0})
            made.append(make_listing(channel=self.channel, item=make_item(sku=sku, is_sellable=True)))
            put_on_hand(made[-1].item, site, Decimal(10))
        self.sync(confirm=confirm)
        return list(Listing.objects.filter(pk__in=[one.pk for one in made]).order_by("pk"))

    def sync(self, *, confirm=True):
        for _ in range(3):
            time_passes()
            while absorb_changes():
                pass
            publish_due(channel_id=self.channel.pk)
            if confirm:
                confirm_sent(channel_id=self.channel.pk)

    def edit(self, listing, quantity):
        """What staff of the shop do behind our back."""
        now = self.shop.available(listing.external_sku)
        row = self.shop.row(listing.external_item_id, quantity, changeFromQuantity=now)
        assert self.shop.set([row], key=str(uuid4()))["userErrors"] == []

    def read(self):
        return read_everything(channel_id=self.channel.pk)

    def lose(self, listing, *, to, before):
        """As if the figure sent last had never arrived: nothing of it was seen, and the shop shows what it showed before."""
        self.edit(listing, to)
        PublicationLine.objects.filter(listing=listing).update(before=before)
        ListingPush.objects.filter(listing=listing).update(confirmed_version=0)
        ListingReading.objects.update_or_create(
            listing=listing,
            defaults={"read_at": timezone.now(), "agreed_version": 0, "agreed_committed": 0},
        )


@pytest.fixture
def company(shop, monkeypatch):
    yield Company(shop, monkeypatch)
    assert broken() == []


def answers_unless(monkeypatch, company, is_down):
    """The shop that is asked `is_down` at each reading, and does not answer when it is."""

    def open_adapter(*, name, account):
        adapter = company.shop.adapter()
        read = adapter.read_quantities

        def read_quantities(targets):
            if is_down():
                raise ChannelUnavailable("The shop does not answer.")
            return read(targets)

        monkeypatch.setattr(adapter, "read_quantities", read_quantities)
        return adapter

    monkeypatch.setattr(opening, "adapter_for", open_adapter)


def difference_of(listing):
    return Difference.objects.get(listing=listing, ended_at__isnull=True)


def open_cases():
    return list(ExceptionCase.objects.open().filter(kind="drift").order_by("fingerprint"))


def test_what_agrees_is_verified_and_leaves_no_difference(company):
    listing = company.offer()

    assert company.read() == ReadBackResult(read=1)
    assert not Difference.objects.exists()
    assert (listing.reading.quantity, listing.reading.agreed_version) == (10, 1)


def test_a_sale_is_told_and_never_overwritten(company):
    listing = company.offer()
    company.shop.sell("CANDLE", 3)

    assert company.read() == ReadBackResult(read=1, differing=1, acted=1)

    found = difference_of(listing)
    assert (found.cause, found.ours, found.theirs, found.delta, found.done) == ("sold", 10, 7, -3, Done.TOLD)
    assert company.shop.available("CANDLE") == 7
    with pytest.raises(WrongState, match="sells the same units twice"):
        decide_difference(difference=found, response=Response.OVERWRITE, actor=None)
    assert push_of(listing).version == 1


def test_one_case_per_cause_is_told_and_closes_itself(company):
    listings = [company.offer(sku) for sku in ("SOAP", "BALM")]
    for listing in listings:
        company.edit(listing, 14)
    company.read()
    company.read()

    [case] = open_cases()
    assert (case.title.split(" on ")[0], case.evidence["listings"]) == ("2 listings differ", 2)
    assert case.times_seen == 1

    for listing in listings:
        company.edit(listing, 10)
    company.read()

    assert open_cases() == []
    assert not Difference.objects.filter(ended_at__isnull=True).exists()


def test_an_edit_is_overwritten_by_rule_through_the_outbox(company):
    listing = company.offer()
    company.rules(edited=Response.OVERWRITE)
    company.edit(listing, 14)

    company.read()

    assert difference_of(listing).done == Done.OVERWRITTEN
    assert (push_of(listing).version, push_of(listing).sent_version, push_of(listing).wanted) == (2, 1, 10)
    company.sync()
    assert company.shop.available("CANDLE") == 10
    company.read()
    assert not Difference.objects.filter(ended_at__isnull=True).exists()


def test_an_unexplained_fall_is_adopted_by_a_person_and_no_stock_is_posted(company):
    listing = company.offer()
    company.edit(listing, 4)
    company.read()
    movements, user = Movement.objects.count(), make_user()

    found = decide_difference(difference=difference_of(listing), response=Response.ADOPT, actor=user)

    assert (found.cause, found.done, found.done_by) == ("unexplained", Done.ADOPTED, user)
    assert Freeze.objects.get(listing=listing).quantity == 4
    assert push_of(listing).wanted == 4
    assert Movement.objects.count() == movements
    assert open_cases() == []
    company.sync()
    company.read()
    assert not Difference.objects.filter(ended_at__isnull=True).exists()


def test_a_higher_figure_is_never_adopted(company):
    listing = company.offer()
    company.rules(edited=Response.ADOPT)
    company.edit(listing, 14)

    company.read()

    assert difference_of(listing).done == Done.TOLD
    with pytest.raises(WrongState, match="Only a lower figure"):
        decide_difference(difference=difference_of(listing), response=Response.ADOPT, actor=None)
    assert not Freeze.objects.exists()


def test_a_lost_lowering_is_sent_again_and_a_lost_raise_is_only_told(company):
    lowered, raised = company.offer("SOAP", confirm=False), company.offer("BALM", confirm=False)
    company.lose(lowered, to=25, before=25)
    company.lose(raised, to=3, before=3)

    company.read()

    assert (difference_of(lowered).cause, difference_of(lowered).done) == ("not_applied", Done.OVERWRITTEN)
    assert (difference_of(raised).cause, difference_of(raised).done) == ("not_applied", Done.TOLD)
    company.sync()
    assert company.shop.available("SOAP") == 10
    assert company.shop.available("BALM") == 3


def test_an_item_that_is_another_one_now_is_a_mapping_error(company):
    listing = company.offer()
    other = company.shop.put(SOAP=10)["SOAP"]
    Listing.objects.filter(pk=listing.pk).update(external_item_id=other)

    company.read()

    found = difference_of(listing)
    assert (found.cause, found.done) == ("mapping", Done.TOLD)
    assert "SOAP" in found.evidence
    with pytest.raises(WrongState, match="wrong item"):
        decide_difference(difference=found, response=Response.OVERWRITE, actor=None)


def test_an_item_the_shop_does_not_have_shows_nothing(company):
    listing = company.offer()
    Listing.objects.filter(pk=listing.pk).update(external_item_id="gid://shopify/InventoryItem/999999")

    company.read()

    assert (difference_of(listing).cause, difference_of(listing).theirs) == ("mapping", None)


def test_a_young_difference_is_only_watched(company):
    listing = company.offer()
    company.rules(settle_minutes=10, edited=Response.OVERWRITE)
    company.edit(listing, 14)

    assert company.read() == ReadBackResult(read=1, differing=1)
    assert (difference_of(listing).done, open_cases(), push_of(listing).version) == (Done.WATCHED, [], 1)

    long_ago = timezone.now() - timedelta(minutes=11)
    PublicationLine.objects.update(accepted_at=long_ago)
    Difference.objects.update(first_seen_at=long_ago)
    company.read()

    assert (difference_of(listing).done, push_of(listing).version) == (Done.OVERWRITTEN, 2)


def test_the_guard_holds_an_overwriting_raise(company):
    listing = company.offer()
    company.edit(listing, 4)
    company.read()
    ChannelGuard.objects.update_or_create(
        channel=company.channel, defaults={"changed_min": 1, "changed_percent": Decimal("0.01")}
    )

    found = decide_difference(difference=difference_of(listing), response=Response.OVERWRITE, actor=make_user())

    assert found.done == Done.HELD
    assert (push_of(listing).version, Hold.objects.get(state=HoldState.OPEN).after) == (1, 10)
    company.sync()
    assert company.shop.available("CANDLE") == 4


def test_who_chose_to_overwrite_does_not_approve_what_the_guard_holds_of_it(company):
    author, other = make_user(role="approver"), make_user(role="approver")
    listing = company.offer()
    company.edit(listing, 4)
    company.read()
    ChannelGuard.objects.update_or_create(
        channel=company.channel, defaults={"changed_min": 1, "changed_percent": Decimal("0.01")}
    )
    decide_difference(difference=difference_of(listing), response=Response.OVERWRITE, actor=author)
    run = Hold.objects.get(state=HoldState.OPEN).run

    with pytest.raises(SecondPersonRequired):
        approve_run(run=run, actor=author)
    assert (push_of(listing).version, Hold.objects.get(run=run).state) == (1, HoldState.OPEN)

    approve_run(run=run, actor=other)
    company.sync()
    assert (run.cause, run.actors, company.shop.available("CANDLE")) == ("drift", [author.pk], 10)


def test_what_a_person_left_stays_left_until_the_channel_shows_something_else(company):
    listing = company.offer()
    company.edit(listing, 4)
    company.read()
    decide_difference(difference=difference_of(listing), response=Response.LEAVE, actor=make_user())
    assert open_cases() == []

    assert company.read() == ReadBackResult(read=1, differing=1)
    assert (difference_of(listing).done, open_cases()) == (Done.LEFT, [])

    company.edit(listing, 2)
    company.read()

    assert (difference_of(listing).done, difference_of(listing).theirs, len(open_cases())) == (Done.TOLD, 2, 1)


def test_a_changed_rule_is_carried_out_for_what_was_only_told(company):
    listing = company.offer()
    company.edit(listing, 14)
    company.read()
    assert len(open_cases()) == 1

    company.rules(edited=Response.OVERWRITE)
    company.read()

    assert (difference_of(listing).done, push_of(listing).version, open_cases()) == (Done.OVERWRITTEN, 2, [])


def test_a_case_closes_when_the_reason_becomes_another_one(company):
    listing = company.offer()
    company.shop.sell("CANDLE", 3)
    company.read()
    company.edit(listing, 2)

    company.read()

    [case] = open_cases()
    assert (difference_of(listing).cause, case.evidence["cause"]) == ("unexplained", "unexplained")


def test_a_held_overwrite_is_offered_again_when_nothing_waits_any_more(company):
    listing = company.offer()
    ChannelGuard.objects.update_or_create(
        channel=company.channel, defaults={"changed_min": 1, "changed_percent": Decimal("0.01")}
    )
    company.shop.sell("CANDLE", 1)
    company.edit(listing, 4)
    company.read()
    decide_difference(difference=difference_of(listing), response=Response.OVERWRITE, actor=None)
    assert difference_of(listing).done == Done.HELD
    company.read()
    assert difference_of(listing).done == Done.HELD

    Hold.objects.update(state=HoldState.OVER)
    company.read()

    assert (difference_of(listing).done, len(open_cases())) == (Done.TOLD, 1)


def test_a_listing_with_a_newer_figure_waiting_is_not_compared_nor_decided(company):
    listing = company.offer()
    company.edit(listing, 4)
    company.read()
    put_on_hand(listing.item, make_location(), Decimal(5))
    absorb_changes()

    assert company.read() == ReadBackResult()
    with pytest.raises(WrongState, match="newer figure"):
        decide_difference(difference=difference_of(listing), response=Response.LEAVE, actor=None)


def test_a_channel_that_is_down_leaves_no_half_result(company, monkeypatch):
    first, second = company.offer("SOAP"), company.offer("BALM")
    company.edit(first, 14)
    company.edit(second, 14)
    monkeypatch.setattr("channels_sync.operations.reading_back.ROWS_PER_PAGE", 1)
    calls = count(1)
    answers_unless(monkeypatch, company, lambda: next(calls) == 2)
    begun = timezone.now()

    result = read_everything(channel_id=company.channel.pk, since=begun)

    assert result == ReadBackResult(1, 1, 1, "The shop does not answer.")
    assert [one.listing for one in Difference.objects.all()] == [first]
    company.channel.refresh_from_db()
    assert company.channel.last_error == "The shop does not answer."

    assert "rests" in read_everything(channel_id=company.channel.pk, since=begun).problem
    time_passes()
    resumed = read_everything(channel_id=company.channel.pk, since=begun)

    assert (resumed.read, resumed.problem) == (1, "")
    assert {one.listing for one in Difference.objects.all()} == {first, second}


def test_a_sample_reads_as_many_listings_as_was_set(company):
    for sku in ("SOAP", "BALM", "CANDLE"):
        company.offer(sku)
    company.rules(sample_rows=2)

    assert read_sample(channel_id=company.channel.pk).read == 2


def test_a_channel_that_is_switched_off_has_no_differences_any_more(company):
    listing = company.offer()
    company.edit(listing, 4)
    company.read()
    company.channel.mode = ChannelMode.SHADOW
    company.channel.save()

    assert "nothing to compare" in company.read().problem

    assert (Difference.objects.filter(ended_at__isnull=True).count(), open_cases()) == (0, [])


def statements(work):
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def test_one_listing_and_nine_take_the_same_statements(company):
    """Where a plan and what changed shortly before are 20 together, the guard counts what it needs to know as well."""
    company.rules(edited=Response.OVERWRITE)
    first = company.offer("FIRST")
    company.edit(first, 14)
    one = statements(company.read)
    company.sync()
    company.read()
    listings = [first, *company.offer_all([f"SKU-{n}" for n in range(8)])]
    for listing in listings:
        company.edit(listing, 14)

    assert statements(company.read) == one
    assert Difference.objects.filter(ended_at__isnull=True, done=Done.OVERWRITTEN).count() == 9


def test_the_command_says_what_differs(company, capsys):
    listing = company.offer()
    company.edit(listing, 14)

    call_command("read_back", company.channel.code)

    out = capsys.readouterr().out
    assert "1 read back, 1 differing, 1 acted upon" in out
    assert "CANDLE: ours 10, theirs 14; Changed on the channel." in out
    assert "1 of 1 listings were read back in the last 24 hours" in out


def test_the_command_refuses_a_channel_that_is_not_there(db):
    with pytest.raises(CommandError, match="There is no channel nowhere"):
        call_command("read_back", "nowhere")


def test_the_command_fails_when_the_channel_does_not_answer(company, monkeypatch):
    company.offer()
    answers_unless(monkeypatch, company, lambda: True)

    with pytest.raises(CommandError, match="The shop does not answer"):
        call_command("read_back", company.channel.code)
