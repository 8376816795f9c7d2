"""BOM versions over the REST API."""

import pytest

from inventory.models import ItemKind
from production.models import Bom, BomState
from tests.factories import make_item, make_location, make_unit, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture
def parts():
    wax = make_item(sku="WAX", unit="g", step="0.1")
    wick = make_item(sku="WICK")
    make_unit(item=wick, name="box", numerator="50")
    return wax, wick


@pytest.fixture
def candle():
    return make_item(sku="CANDLE", kind=ItemKind.PRODUCT)


LINES = [
    {"component": "wax", "quantity": "0.1", "unit": "kg", "scrap_percent": "2.5"},
    {"component": "WICK", "quantity": "1", "reference": "W", "is_optional": True},
]


def test_makes_a_draft_and_activates_it(parts, candle, as_planner):
    made = as_planner.post("boms/", {"item": "CANDLE", "makes": "2", "lines": LINES, "note": "first"})

    assert made.status_code == 201, made.json()
    draft = made.json()
    assert (draft["version"], draft["state"], draft["makes"]) == (1, "draft", "2")
    assert [(line["component"], line["quantity"], line["unit"], line["unit_numerator"]) for line in draft["lines"]] == [
        ("WAX", "0.1", "kg", "1000"),
        ("WICK", "1", "", "1"),
    ]
    active = as_planner.post(f"boms/{draft['id']}/activate/", {"effective_from": "2025-01-01"}, key=None)
    assert (active.status_code, active.json()["state"], active.json()["effective_from"]) == (
        200,
        "active",
        "2025-01-01",
    )
    again = as_planner.post(f"boms/{draft['id']}/activate/", key=None)
    assert (again.status_code, again.json()["code"]) == (409, "WRONG_STATE")
    assert as_planner.get(f"boms/{draft['id']}/").json() == active.json()


def test_cycle_is_refused_with_its_path(parts, candle, as_planner):
    make_bom(item=candle, lines=[(parts[0], "1")])

    response = as_planner.post("boms/", {"item": "WAX", "lines": [{"component": "CANDLE", "quantity": "1"}]})

    assert (response.status_code, response.json()["code"]) == (400, "BOM_CYCLE")
    assert response.json()["context"]["path"] == ["WAX", "CANDLE", "WAX"]
    assert Bom.objects.count() == 1


def test_copy_keeps_what_is_not_given(parts, candle, as_planner):
    first = make_bom(item=candle, lines=[(parts[0], "1"), (parts[1], "2")], makes="4")

    copy = as_planner.post("boms/", {"item": "CANDLE", "copy_of": first.pk})
    bad = as_planner.post("boms/", {"item": "CANDLE", "copy_of": first.pk, "makes": "0"})
    unknown = as_planner.post("boms/", {"item": "CANDLE", "copy_of": 999})

    assert (copy.status_code, copy.json()["makes"], len(copy.json()["lines"])) == (201, "4", 2)
    assert (bad.status_code, bad.json()["code"]) == (400, "INVALID_BOM")
    assert "copy_of" in unknown.json()["context"]


def test_lines_of_a_draft_are_replaced_and_those_of_an_active_version_stay(parts, candle, as_planner):
    draft = make_bom(item=candle, lines=[(parts[0], "1")], state=BomState.DRAFT)
    active = make_bom(item=make_item(), lines=[(parts[0], "1")])

    done = as_planner.put(f"boms/{draft.pk}/lines/", {"lines": LINES, "makes": "3"})
    refused = as_planner.put(f"boms/{active.pk}/lines/", {"lines": LINES})

    assert (done.status_code, len(done.json()["lines"]), done.json()["makes"]) == (200, 2, "3")
    assert (refused.status_code, refused.json()["code"]) == (409, "WRONG_STATE")
    assert active.lines.count() == 1


def test_draft_is_discarded_and_an_active_version_retired(parts, candle, as_planner):
    active = make_bom(item=candle, lines=[(parts[0], "1")])
    draft = make_bom(item=candle, lines=[(parts[0], "1")], state=BomState.DRAFT)

    assert as_planner.delete(f"boms/{draft.pk}/").status_code == 204
    assert as_planner.delete(f"boms/{active.pk}/").status_code == 409
    retired = as_planner.post(f"boms/{active.pk}/retire/", key=None)
    assert (retired.status_code, retired.json()["state"]) == (200, "retired")


def test_diff_tree_and_where_used(parts, candle, as_viewer):
    wax, wick = parts
    put_on_hand(wax, make_location(), "1000", value="20.00")
    old = make_bom(item=candle, lines=[(wax, "100"), (wick, "1")])
    new = make_bom(item=candle, lines=[(wax, "90")], state=BomState.DRAFT)
    gift = make_item(sku="GIFT", kind=ItemKind.PRODUCT)
    make_bom(item=gift, lines=[(candle, "3")])

    diff = as_viewer.get(f"boms/{new.pk}/diff/", against=old.pk).json()
    tree = as_viewer.get(f"boms/{old.pk}/tree/", quantity="2").json()
    used = as_viewer.get("boms/where-used/", item="wax").json()

    assert [(line["change"], line["component"]) for line in diff["lines"]] == [("changed", "WAX"), ("removed", "WICK")]
    assert [(row["level"], row["item"], row["quantity"], row["cost"]) for row in tree["rows"]][1:] == [
        (1, "WAX", "200", "4"),
        (1, "WICK", "2", None),
    ]
    assert [(use["item"], use["version"], use["state"]) for use in used["direct"]] == [
        ("CANDLE", 2, "draft"),
        ("CANDLE", 1, "active"),
    ]
    assert [(use["item"], use["level"], use["per_unit"]) for use in used["above"]] == [
        ("CANDLE", 1, "100"),
        ("GIFT", 2, "300"),
    ]


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("diff/", {}, "against"),
        ("diff/", {"against": "x"}, "against"),
        ("diff/", {"against": "999"}, "against"),
        ("tree/", {"quantity": "-1"}, "quantity"),
        ("tree/", {"x": "1"}, "x"),
    ],
)
def test_bad_parameters_are_told_by_name(parts, candle, as_viewer, path, query, field):
    bom = make_bom(item=candle, lines=[(parts[0], "1")])

    response = as_viewer.get(f"boms/{bom.pk}/{path}", **query)

    assert response.status_code == 400
    assert field in response.json()["context"]
