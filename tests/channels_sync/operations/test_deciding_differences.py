"""Deciding about many differences in one way."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_sync.drift import Response
from channels_sync.models import (
    Channel,
    ChannelGuard,
    ChannelMode,
    Difference,
    Done,
    Freeze,
    Hold,
    HoldState,
    ListingPush,
    PublishRun,
)
from channels_sync.operations import deciding_differences
from channels_sync.operations.deciding import approve_run
from channels_sync.operations.deciding_differences import Decided, decide_differences
from channels_sync.operations.differing import report
from channels_sync.operations.publishing import publish_due
from channels_sync.operations.rehearsing import outlook_of_decisions
from channels_sync.operations.second_looks import TypedConfirmationRequired
from inventory.errors import SecondPersonRequired
from inventory.models import ExceptionCase
from tests.channels_sync.differing import differing
from tests.channels_sync.factories import make_channel, push_of
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("publishing_stays_true")]


@pytest.fixture
def channel(shop):
    return make_channel(code="shop", name="Candle shop")


def ids_of(found):
    return [one.pk for one in found]


def decided(found, response=Response.OVERWRITE, **fields):
    fields = {"actor": None, "typed": str(len(found)), **fields}
    return decide_differences(difference_ids=ids_of(found), response=response, **fields)


def guarded(channel):
    """Any change of a figure waits for a person."""
    ChannelGuard.objects.update_or_create(
        channel=channel, defaults={"changed_min": 1, "changed_percent": Decimal("0.01")}
    )


def done_of(found):
    return [Difference.objects.get(pk=one.pk).done for one in found]


def test_a_catalogue_that_was_set_to_zero_gets_its_figures_again(channel, shop):
    found = differing(channel, shop, 5, theirs=0)
    user = make_user()

    outcome = decided(found, actor=user)

    assert (sorted(outcome.done), outcome.held, outcome.left) == (ids_of(found), frozenset(), ())
    assert {(one.done, one.done_by) for one in Difference.objects.select_related("done_by")} == {
        (Done.OVERWRITTEN, user)
    }
    assert set(ListingPush.objects.values_list("version", "wanted")) == {(2, 10)}
    shop.figures.update(dict.fromkeys(shop.figures, 0))
    publish_due(channel_id=channel.pk)
    assert {shop.shows(one.listing) for one in found} == {10}


def test_all_of_it_is_one_plan_for_the_guard(channel, shop):
    found = differing(channel, shop, 5, theirs=0)
    guarded(channel)
    runs = PublishRun.objects.count()

    outcome = decided(found)

    assert (outcome.held, done_of(found)) == (frozenset(ids_of(found)), [Done.HELD] * 5)
    assert set(Hold.objects.filter(state=HoldState.OPEN).values_list("before", "after")) == {(0, 10)}
    assert PublishRun.objects.count() == runs + 1
    assert set(ListingPush.objects.values_list("version", flat=True)) == {1}


def test_who_overwrote_does_not_approve_what_the_guard_holds_of_it(channel, shop):
    found = differing(channel, shop, 5, theirs=0)
    guarded(channel)
    chief, other = make_user(role="administrator"), make_user(role="administrator")
    decided(found, actor=chief)
    run = PublishRun.objects.latest("pk")

    with pytest.raises(SecondPersonRequired):
        approve_run(run=run, actor=chief)

    assert approve_run(run=run, actor=other).changed == 5


def test_adopting_freezes_each_at_what_the_channel_shows(channel, shop):
    found = differing(channel, shop, 3)

    outcome = decided(found, Response.ADOPT)

    assert (len(outcome.done), done_of(found)) == (3, [Done.ADOPTED] * 3)
    assert set(Freeze.objects.values_list("quantity", flat=True)) == {4}
    assert set(ListingPush.objects.values_list("wanted", flat=True)) == {4}


def test_what_is_left_alone_changes_no_figure_and_closes_its_case(channel, shop):
    found = differing(channel, shop, 3)
    report(channel, ["unexplained"])
    assert ExceptionCase.objects.open().count() == 1

    decided(found, Response.LEAVE)

    assert done_of(found) == [Done.LEFT] * 3
    assert set(ListingPush.objects.values_list("version", flat=True)) == {1}
    assert not ExceptionCase.objects.open().exists()


def test_what_does_not_fit_is_named_and_left_and_the_rest_is_done(channel, shop):
    fits, sold, linked, over, newer, moved = found = differing(channel, shop, 6)
    Difference.objects.filter(pk=sold.pk).update(cause="sold")
    Difference.objects.filter(pk=linked.pk).update(cause="mapping")
    Difference.objects.filter(pk=over.pk).update(ended_at=timezone.now())
    ListingPush.objects.filter(listing=newer.listing).update(version=7)
    seen = {one.pk: (one.version, one.theirs) for one in found}
    Difference.objects.filter(pk=moved.pk).update(theirs=3)

    outcome = decide_differences(
        difference_ids=[*ids_of(found), 10**9], response=Response.OVERWRITE, actor=None, seen=seen
    )

    assert outcome.done == (fits.pk,)
    said = {one.difference_id: one.why for one in outcome.left}
    assert said.keys() == {sold.pk, linked.pk, over.pk, newer.pk, moved.pk, 10**9}
    assert "sells the same units twice" in said[sold.pk]
    assert "Mend the link first" in said[linked.pk]
    assert "is over" in said[over.pk]
    assert "newer figure" in said[newer.pk]
    assert "the channel shows 3 now, and 10 was sent" in said[moved.pk]
    assert "no such difference" in said[10**9]
    assert {one.external_sku for one in outcome.left if one.difference_id == sold.pk} == {sold.listing.external_sku}
    assert push_of(sold.listing).version == 1
    ListingPush.objects.filter(listing=newer.listing).update(version=1)


def test_only_lower_figures_are_adopted_together(channel, shop):
    lower, higher = differing(channel, shop, 2)
    Difference.objects.filter(pk=higher.pk).update(theirs=14)

    outcome = decided([lower, higher], Response.ADOPT)

    assert (outcome.done, [one.difference_id for one in outcome.left]) == ((lower.pk,), [higher.pk])
    assert Freeze.objects.get().listing == lower.listing


def test_a_channel_that_is_told_nothing_is_left(channel, shop):
    found = differing(channel, shop, 2)
    Channel.objects.update(mode=ChannelMode.SHADOW)

    outcome = decided(found)

    assert (outcome.done, len(outcome.left)) == ((), 2)
    assert "told nothing in its mode" in outcome.left[0].why


def test_channels_are_decided_about_together(channel, shop):
    other = make_channel(code="market", name="Market")
    found = differing(channel, shop, 2) + differing(other, shop, 2, name="SOAP")

    outcome = decided(found)

    assert sorted(outcome.done) == ids_of(found)
    assert done_of(found) == [Done.OVERWRITTEN] * 4


def test_from_fifty_on_the_number_is_typed(channel, shop):
    asked = {"difference_ids": range(1, 51), "response": Response.LEAVE, "actor": None}

    with pytest.raises(TypedConfirmationRequired, match="Type 50"):
        decide_differences(**asked)

    assert len(decide_differences(**asked, typed="50").left) == 50


def test_the_same_again_sends_nothing_twice(channel, shop):
    found = differing(channel, shop, 3)
    decided(found)

    outcome = decided(found)

    assert (outcome.done, len(outcome.left)) == ((), 3)
    assert set(ListingPush.objects.values_list("version", flat=True)) == {2}


@pytest.mark.parametrize("response", [Response.OVERWRITE, Response.ADOPT, Response.LEAVE])
def test_one_and_twenty_take_the_same_statements(channel, shop, response):
    first, *rest = differing(channel, shop, 23)
    second, *rest = rest
    decided([first], response)

    def statements(found):
        with CaptureQueriesContext(connection) as captured:
            outcome = decided(found, response)
        assert len(outcome.done) == len(found)
        return len(captured)

    assert statements([second]) == statements(rest)


def test_more_than_one_transaction_takes_are_decided_in_parts(channel, shop, monkeypatch):
    found = differing(channel, shop, 5)
    monkeypatch.setattr(deciding_differences, "LISTINGS_PER_TRANSACTION", 2)

    outcome = decided(found)

    assert (sorted(outcome.done), PublishRun.objects.filter(cause="drift").count()) == (ids_of(found), 3)


def test_what_a_decision_would_do_is_shown_and_nothing_is_done(channel, shop):
    *found, sold = differing(channel, shop, 4, theirs=0)
    Difference.objects.filter(pk=sold.pk).update(cause="sold")

    outlook = outlook_of_decisions(difference_ids=[*ids_of(found), sold.pk], response=Response.OVERWRITE)

    assert [(one.pk, after) for one, after in outlook.changes] == [(one.pk, 10) for one in found]
    assert (outlook.units, outlook.held, [one.difference_id for one in outlook.left]) == (
        (0, 30),
        frozenset(),
        [sold.pk],
    )
    assert done_of(found) == [Done.TOLD] * 3
    assert set(ListingPush.objects.values_list("version", flat=True)) == {1}


def test_what_the_guard_would_hold_is_known_before(channel, shop):
    found = differing(channel, shop, 5, theirs=0)
    guarded(channel)

    outlook = outlook_of_decisions(difference_ids=ids_of(found), response=Response.OVERWRITE)

    assert (outlook.held, {after for _, after in outlook.changes}) == ({one.listing_id for one in found}, {10})
    assert outlook.trips
    assert not Hold.objects.exists()


@pytest.mark.parametrize(("response", "after"), [(Response.ADOPT, 4), (Response.LEAVE, 4)])
def test_what_the_others_would_do_is_shown_too(channel, shop, response, after):
    found = differing(channel, shop, 2)

    outlook = outlook_of_decisions(difference_ids=ids_of(found), response=response)

    assert ([shown for _, shown in outlook.changes], outlook.units) == ([after] * 2, (8, 8))
    assert not Freeze.objects.exists()


def test_nothing_chosen_decides_nothing(channel, shop):
    assert decide_differences(difference_ids=[], response=Response.LEAVE, actor=None) == Decided()
