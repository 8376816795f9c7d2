"""Objects that bodies name by code or id."""

import pytest
from rest_framework.exceptions import ValidationError

from inventory.api.references import Reading, find_items, find_locations
from tests.factories import make_item, make_location

pytestmark = pytest.mark.django_db


def named(*names):
    return [(("lines", number), name) for number, name in enumerate(names)]


def test_items_and_places_by_code_and_id_take_one_statement(django_assert_num_queries):
    items = [make_item(sku="Wax"), make_item(sku="Wick", compliance_tags=["lithium"])]
    places = [make_location(code="Shelf"), make_location(code="Bench")]

    with django_assert_num_queries(1):
        found = Reading(
            named("wAX", items[1].pk, items[0].pk, "wax"), named(places[1].pk, "SHELF", places[1].pk)
        ).found()

    assert found == ([items[0], items[1], items[0], items[0]], [places[1], places[0], places[1]])
    assert [item.compliance_tags for item in found[0][:2]] == [[], ["lithium"]]
    assert [place.path for place in found[1]] == [places[1].path, places[0].path, places[1].path]


def test_nothing_named_takes_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert Reading([], []).found() == ([], [])
        assert find_items([]) == find_locations([]) == []


def test_one_kind_may_be_named_alone():
    item, place = make_item(sku="A"), make_location(code="L")

    assert Reading(named("A"), []).found() == ([item], [])
    assert Reading([], named("L")).found() == ([], [place])


def test_unknown_items_are_refused_before_unknown_places():
    make_item(sku="A")
    make_location(code="L")

    with pytest.raises(ValidationError) as of_items:
        Reading(named("A", "B", 0), named("M")).found()
    with pytest.raises(ValidationError) as of_places:
        Reading(named("A"), named("L", "M")).found()

    assert set(of_items.value.detail["lines"]) == {"1", "2"}
    assert set(of_places.value.detail["lines"]) == {"1"}
