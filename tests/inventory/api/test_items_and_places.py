"""Items, units, categories and locations over the REST API."""

import pytest

from inventory.models import Item, ItemCategory, StockChange, Tracking
from tests.factories import make_item, make_location, make_unit, put_on_hand

pytestmark = pytest.mark.django_db


def test_creates_an_item_with_its_figures_exact(as_planner, planner):
    body = {
        "sku": "WAX",
        "name": "Wax",
        "stock_unit": "kg",
        "step": "0.001",
        "standard_cost": "4.25",
        "tracking": "lot",
    }

    response = as_planner.post("items/", body, key=None)

    assert response.status_code == 201, response.json()
    found = response.json()
    assert {name: found[name] for name in body} == body
    assert found["kind"] == "material"
    assert as_planner.get(f"items/{found['id']}/").json() == found
    assert Item.objects.get().history.get().history_user == planner


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"sku": "wax"}, "__all__"),
        ({"sku": ""}, "sku"),
        ({"sku": "x" * 101}, "sku"),
        ({"step": "0"}, "step"),
        ({"tracking": "serial", "step": "0.5"}, "__all__"),
        ({"category_id": 999}, "category"),
        ({"kind": "toy"}, "kind"),
        ({"is_active": "yes"}, "is_active"),
        ({"shelf_life_days": 2147483647}, "shelf_life_days"),
        ({"compliance_tags": "x"}, "compliance_tags"),
        ({"compliance_tags": [1]}, "compliance_tags"),
        ({"id": 7}, "id"),
    ],
)
def test_refuses_a_bad_item(as_planner, body, field):
    make_item(sku="WAX")

    response = as_planner.post("items/", {"sku": "NEW", "name": "New", **body}, key=None)

    assert (response.status_code, response.json()["code"]) == (400, "INVALID")
    assert field in response.json()["context"]
    assert Item.objects.count() == 1


def test_changes_only_what_is_given(as_planner):
    item = make_item(sku="WAX", name="Wax", barcode="1")

    response = as_planner.patch(f"items/{item.pk}/", {"name": "Beeswax"})

    assert response.status_code == 200
    item.refresh_from_db()
    assert (item.name, item.barcode) == ("Beeswax", "1")


@pytest.mark.parametrize(
    "change",
    [{"stock_unit": "kg"}, {"step": "2"}, {"step": "0.3"}, {"kind": "phantom"}, {"tracking": "serial"}],
)
def test_what_gives_recorded_quantities_their_meaning_stays(as_planner, change):
    item = make_item(sku="WICK")
    put_on_hand(item, make_location(), "5")

    response = as_planner.patch(f"items/{item.pk}/", change)

    assert (response.status_code, response.json()["code"]) == (409, "HAS_POSTINGS")


@pytest.mark.parametrize("change", [{"step": "0.5"}, {"tracking": "lot"}, {"kind": "product"}, {"is_active": False}])
def test_other_changes_are_allowed_after_moving(as_planner, change):
    item = make_item(sku="WICK")
    put_on_hand(item, make_location(), "5")

    assert as_planner.patch(f"items/{item.pk}/", change).status_code == 200


def test_tracking_stays_once_there_are_lots(as_planner):
    item = make_item(tracking=Tracking.LOT)
    put_on_hand(item, make_location(), "5", lot="A")

    assert as_planner.patch(f"items/{item.pk}/", {"tracking": "none"}).status_code == 409


def test_availability_by_site(as_viewer, planner):
    site, other = make_location(code="SITE"), make_location(code="OTHER")
    bin_ = make_location(code="BIN", parent=site)
    item = make_item(sku="WICK")
    put_on_hand(item, bin_, "5")
    put_on_hand(item, bin_, "2", status="quarantine")
    put_on_hand(item, other, "3")

    found = as_viewer.get(f"items/{item.pk}/availability/").json()

    assert (found["on_hand"], found["reserved"], found["available"]) == ("8", "0", "8")
    assert [(site["location"], site["available"], site["withheld"]) for site in found["sites"]] == [
        ("SITE", "5", "2"),
        ("OTHER", "3", "0"),
    ]


def test_units_are_made_renamed_and_deleted(as_planner):
    item = make_item(sku="WICK")

    made = as_planner.post("item-units/", {"item": "wick", "name": "Box", "numerator": "50"}, key=None)
    twice = as_planner.post("item-units/", {"item": "wick", "name": "BOX", "numerator": "60"}, key=None)
    renamed = as_planner.patch(f"item-units/{made.json()['id']}/", {"name": "Carton"})
    fixed = as_planner.patch(f"item-units/{made.json()['id']}/", {"numerator": "60"})
    gone = as_planner.delete(f"item-units/{made.json()['id']}/")

    assert (made.status_code, made.json()["numerator"], made.json()["item"]) == (201, "50", "WICK")
    assert twice.status_code == 400
    assert renamed.json()["name"] == "Carton"
    assert fixed.status_code == 400
    assert gone.status_code == 204
    assert item.units.count() == 0


def test_category_cannot_stand_below_itself(as_planner):
    top = ItemCategory.objects.create(name="Top")
    below = ItemCategory.objects.create(name="Below", parent=top)

    response = as_planner.patch(f"categories/{top.pk}/", {"parent_id": below.pk})

    assert response.status_code == 400
    assert "parent_id" in response.json()["context"]


def test_location_tree(as_viewer):
    site = make_location(code="B-SITE")
    make_location(code="A-SITE")
    make_location(code="Z", parent=site)
    make_location(code="K", parent=site)

    tree = as_viewer.get("locations/tree/").json()

    assert [(node["code"], [child["code"] for child in node["children"]]) for node in tree] == [
        ("A-SITE", []),
        ("B-SITE", ["K", "Z"]),
    ]


def test_location_is_made_below_another_and_moved(as_planner):
    make_location(code="SITE")
    other = make_location(code="OTHER")

    made = as_planner.post("locations/", {"code": "BIN", "name": "Bin", "parent": "site"}, key=None)
    moved = as_planner.patch(f"locations/{made.json()['id']}/", {"parent": other.pk})
    looped = as_planner.patch(f"locations/{other.pk}/", {"parent": "BIN"})

    assert (made.status_code, made.json()["depth"]) == (201, 1)
    assert moved.json()["site_id"] == other.pk
    assert looped.status_code == 400


def test_units_of_an_item_are_listed_by_its_sku(as_viewer):
    wick = make_item(sku="WICK")
    make_unit(item=wick, name="box", numerator="50")
    make_unit(item=make_item(), name="box", numerator="50")

    assert [row["item"] for row in as_viewer.get("item-units/", item="wick").json()["results"]] == ["WICK"]


def test_a_place_says_whose_goods_it_holds_and_how_fresh_its_figures_must_be(as_planner):
    made = as_planner.post(
        "locations/", {"code": "3PL", "name": "Store", "kind": "3pl", "owner": "ACME", "freshness_hours": 24}, key=None
    )

    assert made.status_code == 201, made.json()
    assert (made.json()["owner"], made.json()["freshness_hours"], made.json()["stock_as_of"]) == ("ACME", 24, None)
    changed = as_planner.patch(f"locations/{made.json()['id']}/", {"freshness_hours": None})
    assert (changed.json()["owner"], changed.json()["freshness_hours"]) == ("ACME", None)
    assert as_planner.patch(f"locations/{made.json()['id']}/", {"freshness_hours": 0}).status_code == 400


def test_what_is_known_of_a_lot_is_corrected_and_the_channels_hear_of_it(as_planner, as_viewer):
    item = make_item(tracking="lot")
    put_on_hand(item, make_location(), "5", lot="A")
    lot, news = item.lots.get(code="A"), StockChange.objects.count()

    changed = as_planner.patch(f"lots/{lot.pk}/", {"expires_on": "2040-01-31", "owner": "ACME", "supplier_lot": "S-1"})

    assert changed.status_code == 200, changed.json()
    found = as_viewer.get(f"lots/{lot.pk}/").json()
    assert (found["expires_on"], found["owner"], found["supplier_lot"], found["note"]) == (
        "2040-01-31",
        "ACME",
        "S-1",
        "",
    )
    assert StockChange.objects.count() == news + 1
    assert as_planner.patch(f"lots/{lot.pk}/", {"code": "B"}).status_code == 400


def test_goods_without_a_lot_do_not_expire(as_planner):
    item = make_item()
    put_on_hand(item, make_location(), "5")
    lot = item.lots.get()

    answer = as_planner.patch(f"lots/{lot.pk}/", {"expires_on": "2040-01-31"})

    assert answer.status_code == 400
    assert item.lots.get().expires_on is None
