"""The list of BOMs, the page of a version with its files, cost by level, differences, where used and replacing."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from production.bom_checks import BomLineSpec
from production.models import Bom, BomAttachment, BomReplacement, BomState
from production.operations.boms import draft_from, replace_lines
from production.panels import ListingChange, register_listing_outlook, unregister_listing_outlook
from tests.factories import make_item
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7 a drawing"


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.fixture(autouse=True)
def files_of_the_test(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


# --- The list ---------------------------------------------------------------------------------------------------------


def listed(response):
    return [(row.bom.item.sku, row.bom.version) for row, _ in response.context["rows"]]


def test_lists_versions_with_cost_and_whether_they_can_be_used(as_viewer, workshop):
    draft_from(bom=workshop.bom, actor=None)
    make_bom(item=make_item(sku="OLD"), lines=[(workshop.wick, "1")], state="retired")
    make_bom(item=make_item(sku="SET"), lines=[(make_item(sku="MYSTERY"), "1")])
    make_bom(item=make_item(sku="TIN"), lines=[(make_item(sku="GONE", is_active=False), "1")])

    response = as_viewer.get("/make/boms/")

    assert listed(response) == [("CANDLE", 2), ("CANDLE", 1), ("SET", 1), ("TIN", 1)]
    rows = {row.bom.item.sku: row for row, _ in response.context["rows"]}
    assert rows["CANDLE"].unit_cost == Decimal(1)
    assert (rows["SET"].unit_cost, rows["SET"].missing) == (None, ["MYSTERY"])
    assert [problem.error.code for problem in rows["TIN"].problems] == ["ITEM_INACTIVE"]


def test_narrows_by_text_component_and_state(as_viewer, workshop):
    make_bom(item=make_item(sku="OLD"), lines=[(workshop.wick, "1")], state="retired")
    make_bom(item=make_item(sku="SET", name="Gift set"), lines=[(workshop.candle, "2")])

    assert listed(as_viewer.get("/make/boms/?q=gift")) == [("SET", 1)]
    assert listed(as_viewer.get("/make/boms/?uses=candle")) == [("SET", 1)]
    assert listed(as_viewer.get("/make/boms/?state=retired")) == [("OLD", 1)]


def test_the_list_costs_the_same_queries_with_1_and_20_versions(as_viewer, workshop):
    def queries():
        with CaptureQueriesContext(connection) as found:
            assert as_viewer.get("/make/boms/").status_code == 200
        return len(found)

    make_bom(item=make_item(), lines=[(make_item(), "1", {"substitutes": [(workshop.wick, "1")]})])
    queries()
    with_one = queries()
    for _ in range(20):
        make_bom(item=make_item(), lines=[(make_item(), "1", {"substitutes": [(workshop.wick, "1")]})])
    assert queries() == with_one


def test_a_new_bom_is_a_draft_to_edit(as_planner):
    item = make_item(sku="TORCH")

    response = as_planner.post("/make/boms/new/", {"item": "torch"})

    draft = Bom.objects.get(item=item)
    assert (response.status_code, response.url, draft.state) == (302, f"/make/boms/{draft.pk}/edit/", "draft")
    assert as_planner.post("/make/boms/new/", {"item": "torch"}).url == response.url
    assert as_planner.post("/make/boms/new/", {"item": "NOPE"}).status_code == 422


# --- One version ------------------------------------------------------------------------------------------------------


def test_a_draft_comes_into_force_on_the_day_chosen(as_planner, workshop):
    draft = draft_from(bom=workshop.bom, actor=None)
    day = timezone.localdate() + timedelta(days=3)

    response = as_planner.post(f"/make/boms/{draft.pk}/activate/", {"effective_from": day.isoformat()})

    draft.refresh_from_db()
    assert (response.status_code, draft.state, draft.effective_from) == (302, BomState.ACTIVE, day)
    workshop.bom.refresh_from_db()
    assert workshop.bom.effective_to == day


def test_what_cannot_come_into_force_says_why_on_its_page(as_planner, workshop):
    draft = draft_from(bom=workshop.bom, actor=None)
    workshop.wick.is_active = False
    workshop.wick.save()

    response = as_planner.post(f"/make/boms/{draft.pk}/activate/")

    assert response.status_code == 409
    assert "WICK is inactive" in text_of(response)
    draft.refresh_from_db()
    assert draft.state == BomState.DRAFT


def test_any_version_gives_a_new_draft_and_a_draft_can_be_discarded(as_planner, workshop):
    made = as_planner.post(f"/make/boms/{workshop.bom.pk}/draft/")

    draft = Bom.objects.get(item=workshop.candle, version=2)
    assert made.url == f"/make/boms/{draft.pk}/edit/"
    as_planner.post(f"/make/boms/{draft.pk}/discard/")
    assert not Bom.objects.filter(pk=draft.pk).exists()
    as_planner.post(f"/make/boms/{workshop.bom.pk}/retire/")
    workshop.bom.refresh_from_db()
    assert workshop.bom.state == BomState.RETIRED


def test_shows_cost_by_level_and_kind(as_viewer, workshop):
    gift = make_item(sku="GIFT")
    made = make_bom(
        item=gift,
        lines=[(workshop.candle, "2")],
        operations=[{"minutes": Decimal(6), "rate_per_hour": Decimal(30)}],
        outputs=[(make_item(sku="SCRAPS"), "1", "10")],
    )

    response = as_viewer.get(f"/make/boms/{made.pk}/cost/")

    assert response.context["heads"] == ["Material", "Labour", "By-products"]
    assert response.context["levels"] == [
        (0, [None, Decimal(3), Decimal("-0.5")], Decimal("2.5")),
        (1, [None, None, None], Decimal(0)),
        (2, [Decimal(2), None, None], Decimal(2)),
    ]
    assert response.context["rollup"].unit_cost == Decimal("4.5")


def test_shows_what_runs_cost_and_one_of_the_size_asked_about(as_viewer, workshop):
    url = f"/make/boms/{workshop.bom.pk}/cost/"

    response = as_viewer.get(url, {"run": "2,5"})
    part = as_viewer.get(url, {"run": "250"}, headers={"HX-Request": "true", "HX-Target": "runs"})

    assert [run["quantity"] for run in response.context["runs"]] == [1, Decimal("2.5"), 10, 100]
    assert [run["quantity"] for run in part.context["runs"]] == [1, 10, 100, 250]
    assert part.context["runs"][3]["each"] == Decimal(1)
    assert "<html" not in part.content.decode()


@pytest.mark.parametrize("run", ["0", "-1", "many", "1e30", "0.0000001", "10000000000"])
def test_a_run_that_is_none_is_told_and_the_others_are_shown(as_viewer, workshop, run):
    response = as_viewer.get(f"/make/boms/{workshop.bom.pk}/cost/", {"run": run})

    assert response.status_code == 200
    assert [one["quantity"] for one in response.context["runs"]] == [1, 10, 100]
    assert response.context["run_refusal"]
    assert response.context["run_text"] == run


@pytest.mark.parametrize("page", ["", "cost/", "diff/"])
def test_pages_of_a_version_cost_the_same_queries_with_1_and_20_lines(as_viewer, page):
    def queries(count):
        item = make_item()
        bom = make_bom(item=item, lines=[(make_item(standard_cost=Decimal(1)), "1") for _ in range(count)])
        draft_from(bom=bom, actor=None)
        with CaptureQueriesContext(connection) as found:
            assert as_viewer.get(f"/make/boms/{Bom.objects.get(item=item, version=2).pk}/{page}").status_code == 200
        return len(found)

    queries(1)
    assert queries(1) == queries(20)


# --- Differences ------------------------------------------------------------------------------------------------------


def test_a_difference_shows_its_effect_on_cost_buildable_and_listings(as_viewer, workshop):
    draft = draft_from(bom=workshop.bom, actor=None)
    lines = [BomLineSpec(workshop.wax, Decimal(400), unit="g"), BomLineSpec(workshop.wick, Decimal(1))]
    replace_lines(bom=draft, lines=lines, actor=None)
    asked = []

    def outlook(changes):
        asked.extend(changes)
        return [ListingChange(c.item_id, "Shop", "CANDLE-6", c.before // 6, c.after // 6, "packs") for c in changes]

    register_listing_outlook("test", outlook)
    try:
        response = as_viewer.get(f"/make/boms/{draft.pk}/diff/")
    finally:
        unregister_listing_outlook("test")

    difference = response.context["difference"]
    ((change, before, after),) = response.context["lines"]
    assert (change.component.sku, before, after, change.cost_change) == (
        "WAX",
        Decimal("0.9"),
        Decimal("1.8"),
        Decimal("0.9"),
    )
    assert difference.unit_cost_change == Decimal("0.9")
    assert [(one.before, one.after) for one in asked] == [(Decimal(50), Decimal(25))]
    assert "Shop · CANDLE-6 8 → 4" in text_of(response)


# --- Where used, replacing --------------------------------------------------------------------------------------------


def test_where_used_shows_all_levels_and_chooses_what_is_in_force(as_viewer, workshop):
    make_bom(item=make_item(sku="GIFT"), lines=[(workshop.candle, "3")])
    draft_from(bom=workshop.bom, actor=None)

    response = as_viewer.get("/make/boms/where-used/?item=wick")

    assert [(use.sku, use.version, is_chosen) for use, _, is_chosen in response.context["direct"]] == [
        ("CANDLE", 2, False),
        ("CANDLE", 1, True),
    ]
    assert [(use.sku, use.level, use.per_unit) for use in response.context["uses"].above] == [
        ("CANDLE", 1, 1),
        ("GIFT", 2, 3),
    ]
    assert "Replace" not in text_of(response)


def test_a_component_is_replaced_reviewed_and_brought_into_force(as_planner, workshop):
    make_item(sku="WICK-B", standard_cost=Decimal("0.4"))

    made = as_planner.post(
        "/make/boms/where-used/",
        {"component": "WICK", "replacement": "wick-b", "factor": "", "note": "Better", "bom": [workshop.bom.pk]},
    )

    record = BomReplacement.objects.get()
    assert made.url == f"/make/boms/replacements/{record.pk}/"
    review = as_planner.get(made.url)
    assert [(e.item.sku, e.change) for e in review.context["effects"]] == [("CANDLE", Decimal("0.3"))]
    assert "Activate 1 together" in text_of(review)
    as_planner.post(f"{made.url}activate/")
    active = Bom.objects.get(item=workshop.candle, state=BomState.ACTIVE)
    assert [line.component.sku for line in active.lines.order_by("position")] == ["WAX", "WICK-B"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"replacement": "NOPE"}, "There is no item with SKU or barcode “NOPE”"),
        ({"replacement": "WICK"}, "WICK would be replaced by itself"),
        ({"replacement": "WAX", "factor": "-1"}, "Give a factor above zero"),
        ({"replacement": "CANDLE"}, "makes a loop"),
        ({"replacement": "WAX", "bom": []}, "No BOM is chosen"),
    ],
)
def test_a_replacement_that_cannot_be_says_why_and_makes_nothing(as_planner, workshop, fields, words):
    posted = {"component": "WICK", "bom": [workshop.bom.pk], **fields}

    response = as_planner.post("/make/boms/where-used/", posted)

    assert response.status_code == 422
    assert words in text_of(response).replace("&gt;", ">")
    assert Bom.objects.filter(state=BomState.DRAFT).count() == 0


def test_a_viewer_may_look_and_not_replace(as_viewer, workshop):
    posted = {"component": "WICK", "replacement": "WAX", "bom": [workshop.bom.pk]}

    assert as_viewer.post("/make/boms/where-used/", posted).status_code == 403
    assert Bom.objects.count() == 1


# --- Files ------------------------------------------------------------------------------------------------------------


def attach(client, draft, name="drawing.pdf", content=PDF):
    return client.post(f"/make/boms/{draft.pk}/files/", {"file": SimpleUploadedFile(name, content)})


def test_a_file_is_attached_and_read_by_who_may_read_the_bom(as_planner, workshop, viewer, client):
    draft = draft_from(bom=workshop.bom, actor=None)

    attach(as_planner, draft)

    stored = BomAttachment.objects.get()
    assert (stored.name, stored.content_type, stored.size_bytes) == ("drawing.pdf", "application/pdf", len(PDF))
    client.force_login(viewer)
    response = client.get(f"/make/boms/{draft.pk}/files/{stored.pk}/")
    assert b"".join(response.streaming_content) == PDF
    assert (response["Content-Type"], response["X-Content-Type-Options"]) == ("application/pdf", "nosniff")
    assert client.post(f"/make/boms/{draft.pk}/files/{stored.pk}/remove/").status_code == 403
    client.logout()
    assert client.get(f"/make/boms/{draft.pk}/files/{stored.pk}/").status_code == 302


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("page.pdf", b"<html><script>alert(1)</script>", "not what its name says"),
        ("page.txt", b"<html><script>alert(1)</script>", "not what its name says"),
        ("photo.png", b"%PDF-1.7", "its name ends in .png"),
        ("run.exe", b"MZ\x90", "of a kind that is not kept"),
        ("empty.pdf", b"", "is empty"),
        ("big.pdf", PDF + b"0" * 20 * 1024 * 1024, "at most 20 MB are kept"),
        ("sheet.xlsx", b"PK\x03\x04 no sheet", "not what its name says"),
    ],
)
def test_a_file_that_is_not_kept_says_why(as_planner, workshop, name, content, words):
    draft = draft_from(bom=workshop.bom, actor=None)

    response = as_planner.post(
        f"/make/boms/{draft.pk}/files/",
        {"file": SimpleUploadedFile(name, content)},
        headers={"HX-Request": "true"},
    )

    assert BomAttachment.objects.count() == 0
    assert (response.status_code, words in text_of(response)) == (422, True)


def test_a_version_in_force_takes_no_files_and_copies_share_theirs(as_planner, workshop):
    draft = draft_from(bom=workshop.bom, actor=None)
    attach(as_planner, draft)
    as_planner.post(f"/make/boms/{draft.pk}/activate/")
    copy = draft_from(bom=draft, actor=None)

    attach(as_planner, draft, name="late.pdf")
    mine = copy.attachments.get()
    as_planner.post(f"/make/boms/{copy.pk}/files/{mine.pk}/remove/")

    assert [one.name for one in BomAttachment.objects.all()] == ["drawing.pdf"]
    kept = BomAttachment.objects.get()
    assert kept.bom_id == draft.pk
    assert kept.file.read() == PDF
