"""Objects that bodies name by code or id."""

import pytest
from rest_framework.exceptions import ValidationError

from inventory.api.references import find_items, find_items_and_locations, find_locations
from tests.factories import make_item, make_location

pytestmark = pytest.mark.django_db


def named(*names):
    return [(("lines", number), name) for number, name in enumerate(names)]


def test_items_and_places_by_code_and_id_take_one_statement(django_assert_num_queries):
    items = [make_item(sku="Wax"), make_item(sku="Wick", compliance_tags=["lithium"])]
    places = [make_location(code="Shelf"), make_location(code="Bench")]

    with django_assert_num_queries(1):
        found = find_items_and_locations(
            named("wAX", items[1].pk, items[0].pk, "wax"), named(places[1].pk, "SHELF", places[1].pk)
        )

    assert found == ([items[0], items[1], items[0], items[0]], [places[1], places[0], places[1]])
    assert [item.compliance_tags for item in found[0][:2]] == [[], ["lithium"]]
    assert [place.path for place in found[1]] == [places[1].path, places[0].path, places[1].path]


def test_nothing_named_takes_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert find_items_and_locations([], []) == ([], [])
        assert find_items([]) == find_locations([]) == []


def test_one_kind_may_be_named_alone():
    item, place = make_item(sku="A"), make_location(code="L")

    assert find_items_and_locations(named("A"), []) == ([item], [])
    assert find_items_and_locations([], named("L")) == ([], [place])


def test_unknown_items_are_refused_before_unknown_places():
    make_item(sku="A")
    make_location(code="L")

    with pytest.raises(ValidationError) as of_items:
        find_items_and_locations(named("A", "B", 0), named("M"))
    with pytest.raises(ValidationError) as of_places:
        find_items_and_locations(named("A"), named("L", "M"))

    assert set(of_items.value.detail["lines"]) == {"1", "2"}
    assert set(of_places.value.detail["lines"]) == {"1"}
