from dataclasses import replace
from decimal import Decimal

import pytest

from channels_sync.allocation import Derivation, recompute
from channels_sync.models import ChannelMode, PublicationLine, PublicationState, PublishRun
from channels_sync.operations import recomputing
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.recomputing import recompute_listings
from channels_sync.reads.figures import figures_of
from inventory.models import ItemCategory, StockChange
from inventory.operations.reserving import reserve_stock
from tests.channels_sync.factories import line_of, make_channel, make_listing, push_of
from tests.factories import make_item, make_location, make_user, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


def make_offer(quantity="10", **channel):
    """A listing with stock, nothing worked out yet."""
    listing = make_listing(channel=make_channel(**channel))
    site = make_location()
    put_on_hand(listing.item, site, quantity)
    return listing, site


def test_the_first_figure_is_version_one_and_queued():
    listing, _ = make_offer("10")

    absorb_changes()

    push, line = push_of(listing), line_of(listing)
    assert (push.wanted, push.version, push.sent_version) == (10, 1, 0)
    assert (line.version, line.before, line.after, line.state) == (1, None, 10, PublicationState.QUEUED)


def test_a_first_figure_of_zero_is_a_figure_too():
    listing = make_listing(channel=make_channel())

    absorb_changes()

    assert (push_of(listing).wanted, push_of(listing).version) == (0, 1)


def test_takes_in_news_once_and_deletes_it():
    make_offer()

    assert absorb_changes() == 2  # the listing and the receipt
    assert absorb_changes() == 0
    assert not StockChange.objects.exists()


def test_takes_in_no_more_rows_than_asked():
    item, site = make_item(), make_location()
    for _ in range(3):
        put_on_hand(item, site, "1")

    assert absorb_changes(rows_max=2) == 2
    assert StockChange.objects.count() == 1


def test_news_survives_a_failure_of_what_follows_from_it(monkeypatch):
    listing, _ = make_offer()

    def fail(*args, **kwargs):
        raise RuntimeError("the machine stopped")

    with monkeypatch.context() as broken:
        broken.setattr(recomputing, "write_plans", fail)
        with pytest.raises(RuntimeError):
            absorb_changes()

    assert StockChange.objects.count() == 2
    assert push_of(listing).version == 0


def test_several_changes_become_one_version():
    listing, site = make_offer("10")
    put_on_hand(listing.item, site, "5")
    put_on_hand(listing.item, site, "6")

    absorb_changes()

    assert (push_of(listing).wanted, push_of(listing).version) == (21, 1)


def test_a_change_that_changes_no_figure_makes_no_version_and_no_run():
    listing, site = make_offer("10")
    set_policy(listing=listing, maximum_to_list=Decimal(5), actor=None)
    absorb_changes()
    put_on_hand(listing.item, site, "5")

    absorb_changes()

    assert push_of(listing).version == 1
    assert PublishRun.objects.count() == 1


def test_a_newer_figure_supersedes_one_that_was_not_sent():
    listing, site = make_offer("10")
    absorb_changes()
    put_on_hand(listing.item, site, "5")

    absorb_changes()

    assert line_of(listing, 1).state == PublicationState.SUPERSEDED
    newest = line_of(listing, 2)
    assert (newest.before, newest.after, newest.state) == (10, 15, PublicationState.QUEUED)


def test_a_run_names_the_posting_and_the_oldest_change():
    listing, site = make_offer("10")
    posting = put_on_hand(listing.item, site, "5")
    oldest = StockChange.objects.earliest("recorded_at").recorded_at

    absorb_changes()

    run = PublishRun.objects.get()
    assert (run.posting_id, run.changed_at, run.listings_checked, run.listings_changed) == (posting.pk, oldest, 1, 1)
    assert run.cause == "listing, receipt"


def test_stores_a_derivation_that_names_rule_author_and_ledger_cutoff():
    listing, site = make_offer("160")
    author = make_user(username="mia")
    policy = set_policy(channel=listing.channel, percent=Decimal(50), buffer=Decimal(8), actor=author)
    reserve_stock(
        item=listing.item, location=site, quantity=Decimal(24), demand_kind="order", demand_ref="1", actor=None
    )

    absorb_changes()

    derivation = Derivation.from_json(line_of(listing).derivation)
    assert derivation.quantity == recompute(derivation) == 64
    assert derivation.terms.percent.rule.policy_id == policy.pk
    assert derivation.terms.percent.rule.author == "mia"
    assert derivation.snapshot.cutoff == listing.item.movements.latest("id").pk
    assert derivation.in_words().startswith("on hand 160 \N{MINUS SIGN} reserved 24 \N{MINUS SIGN} buffer 8 = 128")


def test_offers_only_what_stands_at_the_sources_of_the_channel():
    here, there = make_location(), make_location()
    listing = make_listing(channel=make_channel(sources=[here]))
    put_on_hand(listing.item, here, "3")
    put_on_hand(listing.item, there, "4")

    absorb_changes()

    assert push_of(listing).wanted == 3


def test_counts_sold_units_in_packs():
    listing = make_listing(channel=make_channel(), pack_size=Decimal(6))
    put_on_hand(listing.item, make_location(), "16")

    absorb_changes()

    assert push_of(listing).wanted == 2


def test_every_listing_of_the_item_is_worked_out():
    item, site = make_item(is_sellable=True), make_location()
    listings = [make_listing(channel=make_channel(), item=item) for _ in range(3)]
    put_on_hand(item, site, "7")

    absorb_changes()

    assert [push_of(listing).wanted for listing in listings] == [7, 7, 7]
    assert PublishRun.objects.count() == 3  # one plan per channel


def test_an_item_that_may_no_longer_be_sold_shows_nothing():
    listing, _ = make_offer("10")
    absorb_changes()
    listing.item.is_sellable = False
    listing.item.save()

    recompute_listings(items=[listing.item], cause="item edited")

    assert push_of(listing).wanted == 0
    assert "is not sellable" in Derivation.from_json(line_of(listing).derivation).in_words()


def test_a_shadow_channel_is_worked_out_and_marked():
    listing, _ = make_offer(mode=ChannelMode.SHADOW)

    absorb_changes()

    assert line_of(listing).state == PublicationState.SHADOW


def test_a_channel_that_is_off_is_left_alone():
    listing, _ = make_offer(mode=ChannelMode.OFF)

    assert absorb_changes() == 2
    assert push_of(listing).version == 0
    assert not PublicationLine.objects.exists()


def test_a_listing_made_elsewhere_gets_its_row():
    listing, _ = make_offer("10")
    push_of(listing).delete()

    result = recompute_listings(listings=[listing], cause="test")

    assert (result.checked, result.changed) == (1, 1)
    assert push_of(listing).wanted == 10


def test_works_through_more_listings_than_fit_one_transaction(monkeypatch):
    monkeypatch.setattr(recomputing, "LISTINGS_PER_TRANSACTION", 2)
    channel = make_channel()
    listings = [make_listing(channel=channel) for _ in range(5)]

    result = recompute_listings(channel=channel, cause="test")

    assert (result.checked, result.changed) == (5, 5)
    assert {push_of(listing).version for listing in listings} == {1}


def test_costs_the_same_queries_for_1_and_50_listings(django_assert_num_queries):
    site, channels = make_location(), [make_channel() for _ in range(5)]
    listings = [make_listing(channel=channels[n % 5]) for n in range(51)]
    for listing in listings:
        put_on_hand(listing.item, site, "9")
        set_policy(listing=listing, buffer=Decimal(1), actor=None)

    StockChange.objects.all().delete()  # a change of rules that nobody took in yet would be seen, and held

    # listings, transaction (2), lock, freezes, facts (3), sources, policies, stock, news, limits, window, late places,
    # runs and rows, lines
    with django_assert_num_queries(17):
        recompute_listings(listings=listings[:1], cause="test")
    with django_assert_num_queries(17):
        recompute_listings(listings=listings[1:], cause="test")

    assert {push_of(listing).wanted for listing in listings} == {8}


@pytest.mark.parametrize("scope", ["everything", "channel", "category", "item", "listing"])
def test_news_gives_what_each_listing_is_given_alone_whoever_counts_what_could_be_built(scope):
    """Structures are asked for before it is known which listings count it, of all items where any wide rule does."""
    site, category = make_location(), ItemCategory.objects.create(name="Candles")
    part, channels = make_item(), [make_channel(), make_channel()]
    put_on_hand(part, site, "30")
    listings = []
    for number in range(3):
        product = make_item(is_sellable=True, category=category if number == 0 else None)
        make_bom(item=product, lines=[(part, str(number + 2))])
        put_on_hand(product, site, "4")
        listings += [make_listing(channel=channel, item=product) for channel in channels]
    plain = make_listing(channel=channels[0])
    put_on_hand(plain.item, site, "7")
    first = listings[0]
    narrowed = {
        "everything": {},
        "channel": {"channel": first.channel},
        "category": {"category": category},
        "item": {"item": first.item},
        "listing": {"listing": first},
    }[scope]
    set_policy(**narrowed, basis="buildable", actor=None)
    while absorb_changes():
        pass
    StockChange.objects.create(items=[part.pk, *(listing.item_id for listing in listings)], cause="test")
    put_on_hand(part, site, "60")
    while absorb_changes():
        pass

    alone = {one.facts.listing_id: one for one in figures_of(listing_ids=[one.pk for one in (*listings, plain)])}

    assert len(alone) == 7
    for listing in (*listings, plain):
        found, stored = alone[listing.pk], Derivation.from_json(line_of(listing).derivation)
        assert push_of(listing).wanted == stored.quantity == found.quantity
        assert replace(stored, at=found.derivation.at) == found.derivation
    assert push_of(first).wanted == 4 + 90 // 2
    assert push_of(plain).wanted == 7
