from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from inventory.models import Location, LocationKind
from inventory.reads.freshness import age_in_words, freshness, freshness_of_places, oldest, stale_places, stock_ageing
from tests.factories import make_item, make_location, put_on_hand

NOW = timezone.now()


@pytest.mark.parametrize(
    ("hours", "limit", "is_stale", "words"),
    [
        (2, 24, False, "fresh, 2 h ago"),
        (24, 24, False, "fresh, 24 h ago"),
        (72, 24, True, "stale, 3 days"),
        (72, None, False, "fresh, 3 days ago"),
        (0, 24, False, "fresh, just now"),
    ],
)
def test_figures_are_stale_once_they_are_older_than_the_limit(hours, limit, is_stale, words):
    found = freshness(as_of=NOW - timedelta(hours=hours), hours=limit, at=NOW)

    assert (found.is_stale, found.words) == (is_stale, words)


@pytest.mark.parametrize(("limit", "is_stale"), [(24, True), (None, False)])
def test_figures_nobody_ever_confirmed_are_stale_where_there_is_a_limit(limit, is_stale):
    found = freshness(as_of=None, hours=limit, at=NOW)

    assert (found.is_stale, found.words) == (is_stale, "never reported")


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=59), "now"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(minutes=60), "1 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(hours=48), "2 days"),
    ],
)
def test_ages_are_told_in_one_unit(age, words):
    assert age_in_words(age) == words


@pytest.mark.django_db
def test_bins_are_as_fresh_as_the_place_they_stand_in():
    site = make_location(kind=LocationKind.THIRD_PARTY, freshness_hours=24, stock_as_of=NOW - timedelta(hours=30))
    shelf = make_location(parent=site, kind=LocationKind.THIRD_PARTY)
    counted = make_location(parent=site, kind=LocationKind.THIRD_PARTY, stock_as_of=NOW - timedelta(hours=1))
    own = make_location(freshness_hours=1)

    found = freshness_of_places(Location.objects.all(), at=NOW)

    assert found[shelf.pk].words == "stale, 30 h"
    assert found[counted.pk].words == "fresh, 1 h ago"
    assert (found[own.pk].is_own, found[own.pk].is_stale) == (True, False)
    assert sorted(stale_places(Location.objects.all(), at=NOW)) == [site.pk, shelf.pk]


def test_the_worst_of_several_counts():
    fresh = freshness(as_of=NOW, hours=24, at=NOW)
    stale = freshness(as_of=NOW - timedelta(days=3), hours=24, at=NOW)
    never = freshness(as_of=None, hours=24, at=NOW)

    assert oldest([fresh, stale]) == stale
    assert oldest([fresh, stale, never]) == never
    assert oldest([]) is None


@pytest.mark.django_db
def test_stock_is_aged_by_the_day_its_lot_came_in():
    item, shelf = make_item(tracking="lot"), make_location()
    for days, quantity in ((0, "1"), (30, "2"), (31, "4"), (366, "8")):
        put_on_hand(item, shelf, quantity, lot=f"L{days}", effective_at=NOW - timedelta(days=days))

    found = stock_ageing(item_id=item.pk, on=timezone.localdate(NOW))

    assert [(bucket.words, bucket.quantity) for bucket in found] == [
        ("up to 30 days", Decimal(3)),
        ("31–90 days", Decimal(4)),
        ("91–180 days", Decimal(0)),
        ("181–365 days", Decimal(0)),
        ("over 365 days", Decimal(8)),
    ]
