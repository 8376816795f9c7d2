"""Whole BOM versions, their cost and replacements over the REST API."""

from base64 import b64decode, b64encode
from decimal import Decimal

import pytest

from production.models import Bom, BomState
from production.operations.boms import create_draft
from tests.factories import make_item
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft():
    for sku in ("WAX", "WICK", "WICK-B", "DROSS"):
        make_item(sku=sku, unit="kg" if sku == "WAX" else "pcs", step="0.001", standard_cost=Decimal(2))
    return create_draft(item=make_item(sku="CANDLE"), actor=None)


WHOLE = {
    "revision": 1,
    "makes": "10",
    "process_loss_percent": "20",
    "instructions": "Melt.",
    "lines": [
        {"component": "WAX", "quantity": "2000", "unit": "g", "scrap_percent": "5"},
        {
            "component": "WICK",
            "quantity": "10",
            "builds_shortage": True,
            "substitutes": [{"item": "WICK-B", "ratio": "2"}],
        },
    ],
    "outputs": [{"item": "DROSS", "quantity": "1", "cost_share_percent": "10"}],
    "operations": [{"name": "Pour", "minutes": "60", "rate_per_hour": "8"}, {"name": "Wrap", "kind": "packaging"}],
}


def test_what_was_sent_is_read_back_and_sent_back_changes_nothing(draft, as_planner):
    sent = as_planner.put(f"boms/{draft.pk}/content/", WHOLE, key=None)

    assert sent.status_code == 200, sent.json()
    read = as_planner.get(f"boms/{draft.pk}/content/").json()
    assert read == sent.json()
    assert (read["revision"], read["makes"], read["lines"][1]["substitutes"][0]["item"]) == (2, "10", "WICK-B")
    assert read["outputs"][0]["cost_share_percent"] == "10"
    assert [one["kind"] for one in read["operations"]] == ["labour", "packaging"]
    again = as_planner.put(f"boms/{draft.pk}/content/", {**WHOLE, "revision": 2}, key=None)
    assert again.json()["revision"] == 2


def test_what_is_left_out_stands_at_its_usual_figure(draft, as_planner):
    lines = [{"component": "WAX", "quantity": "1", "substitutes": [{"item": "WICK-B"}]}]

    sent = as_planner.put(f"boms/{draft.pk}/content/", {"revision": 1, "lines": lines}, key=None)

    assert sent.status_code == 200, sent.json()
    assert (sent.json()["makes"], sent.json()["lines"][0]["substitutes"][0]["ratio"]) == ("1", "1")


def test_a_replacement_without_a_factor_is_one_for_one(draft, as_planner):
    wick = type(draft.item).objects.get(sku="WICK")
    bom = make_bom(item=make_item(), lines=[(wick, "3")])

    made = as_planner.post("boms/replace/", {"component": "WICK", "replacement": "WICK-B", "boms": [bom.pk]})

    assert made.status_code == 201, made.json()
    line = Bom.objects.get(item=bom.item, state=BomState.DRAFT).lines.get()
    assert (line.component.sku, line.quantity) == ("WICK-B", 3)


def test_an_older_revision_is_refused_and_writes_nothing(draft, as_planner):
    as_planner.put(f"boms/{draft.pk}/content/", WHOLE, key=None)

    late = as_planner.put(f"boms/{draft.pk}/content/", {**WHOLE, "lines": []}, key=None)

    assert (late.status_code, late.json()["code"]) == (409, "BOM_CHANGED_MEANWHILE")
    assert late.json()["context"] == {"revision": 2, "yours": 1}
    assert draft.lines.count() == 2


def test_problems_name_their_list_and_place(draft, as_planner):
    outputs = [{"item": "CANDLE", "quantity": "1"}]

    refused = as_planner.put(f"boms/{draft.pk}/content/", {**WHOLE, "outputs": outputs}, key=None)

    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_BOM")
    (problem,) = refused.json()["context"]["lines"]
    assert (problem["section"], problem["line"], problem["field"]) == ("outputs", 1, "item")
    unknown = as_planner.put(
        f"boms/{draft.pk}/content/", {**WHOLE, "outputs": [{"item": "NOPE", "quantity": "1"}]}, key=None
    )
    assert unknown.status_code == 400


def test_tells_the_cost_by_level_kind_and_component(draft, as_viewer, as_planner):
    """A batch of ten good: 12.5 started; 4.20 wax, 20 wicks, 8 of work, all over 0.8, less a tenth."""
    as_planner.put(f"boms/{draft.pk}/content/", WHOLE, key=None)

    cost = as_viewer.get(f"boms/{draft.pk}/cost/").json()

    assert cost["unit_cost"] == "3.6225"
    assert cost["by_kind"] == {"material": "2.4", "scrap": "0.625", "labour": "1", "by_product": "-0.4025"}
    assert (cost["own"], cost["by_level"], cost["missing"]) == ("0.5975", ["3.025"], [])
    assert [(line["component"], line["known_from"]) for line in cost["lines"]] == [
        ("WAX", "standard"),
        ("WICK", "standard"),
    ]


def test_a_component_is_replaced_once_for_a_key_and_activated(draft, as_planner):
    wick, other = (type(draft.item).objects.get(sku=sku) for sku in ("WICK", "WICK-B"))
    boms = [make_bom(item=make_item(), lines=[(wick, "1")]) for _ in range(2)]
    body = {"component": "WICK", "replacement": "WICK-B", "factor": "2", "boms": [bom.pk for bom in boms]}

    made = as_planner.post("boms/replace/", body, key="11111111-1111-4111-8111-111111111111")
    again = as_planner.post("boms/replace/", body, key="11111111-1111-4111-8111-111111111111")

    assert (made.status_code, again.json()) == (201, made.json())
    assert len(made.json()["drafts"]) == 2
    done = as_planner.post("boms/activate-replacement/", {"replacement": made.json()["id"]}, key=None)
    assert done.json()["activated_at"] is not None
    active = Bom.objects.filter(state=BomState.ACTIVE, lines__component=other)
    assert [bom.lines.get().quantity for bom in active] == [Decimal(2), Decimal(2)]


def test_tells_what_runs_cost(draft, as_viewer, as_planner):
    as_planner.put(f"boms/{draft.pk}/content/", WHOLE, key=None)

    cost = as_viewer.get(f"boms/{draft.pk}/cost/", run="40").json()
    refused = as_viewer.get(f"boms/{draft.pk}/cost/", run="0")

    assert [run["quantity"] for run in cost["runs"]] == ["1", "10", "40", "100"]
    for run in cost["runs"]:
        parts = sum(Decimal(run[name]) for name in ("components", "set_up", "rounding", "work"))
        assert parts - Decimal(run["by_products"]) == Decimal(run["total"])
    assert (refused.status_code, "run" in refused.json()["context"]) == (400, True)


def test_a_replacement_is_discarded_with_its_drafts(draft, as_planner):
    wick = type(draft.item).objects.get(sku="WICK")
    bom = make_bom(item=make_item(), lines=[(wick, "1")])
    made = as_planner.post("boms/replace/", {"component": "WICK", "replacement": "WICK-B", "boms": [bom.pk]}).json()

    done = as_planner.post("boms/discard-replacement/", {"replacement": made["id"]}, key=None)
    again = as_planner.post("boms/discard-replacement/", {"replacement": made["id"]}, key=None)

    assert (done.status_code, done.json()) == (200, {"discarded": 1})
    assert again.status_code == 400
    assert not Bom.objects.filter(item=bom.item, state=BomState.DRAFT).exists()


def test_files_are_attached_once_read_and_taken_away(draft, as_planner, as_viewer, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    body = {"bom_id": draft.pk, "name": "drawing.pdf", "content": b64encode(b"%PDF-1.7 lines").decode()}

    made = as_planner.post("bom-files/", body, key="11111111-1111-4111-8111-111111111112")
    again = as_planner.post("bom-files/", body, key="11111111-1111-4111-8111-111111111112")

    assert (made.status_code, again.json()) == (201, made.json())
    file = made.json()
    assert (file["name"], file["content_type"], file["size_bytes"]) == ("drawing.pdf", "application/pdf", 14)
    assert [row["id"] for row in as_viewer.get("bom-files/", bom_id=draft.pk).json()["results"]] == [file["id"]]
    content = as_viewer.get(f"bom-files/{file['id']}/content/").json()["content"]
    assert b64decode(content) == b"%PDF-1.7 lines"
    assert as_viewer.delete(f"bom-files/{file['id']}/").status_code == 403
    assert as_planner.delete(f"bom-files/{file['id']}/").status_code == 204
    assert not draft.attachments.exists()


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"content": "not base64!"}, 400, "INVALID"),
        ({"content": b64encode(b"<html>").decode()}, 400, "ATTACHMENT_REFUSED"),
        ({"bom_id": 999_999}, 400, "INVALID"),
    ],
)
def test_what_is_no_file_is_refused(draft, as_planner, settings, tmp_path, change, status, code):
    settings.MEDIA_ROOT = tmp_path
    body = {"bom_id": draft.pk, "name": "page.pdf", "content": b64encode(b"%PDF-1.7").decode(), **change}

    refused = as_planner.post("bom-files/", body)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert not draft.attachments.exists()
    assert not list(tmp_path.rglob("*.pdf"))


def test_a_file_that_is_no_longer_stored_is_not_found(draft, as_planner, as_viewer, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    body = {"bom_id": draft.pk, "name": "drawing.pdf", "content": b64encode(b"%PDF-1.7").decode()}
    file = as_planner.post("bom-files/", body).json()
    for stored in tmp_path.rglob("*.pdf"):
        stored.unlink()

    assert as_viewer.get(f"bom-files/{file['id']}/content/").status_code == 404
