"""The pages of inspecting: the queue, the verdict, photos, undo and rework."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import Posting, StockStatus
from inventory.operations.issuing import scrap_stock
from production.models import Inspection, InspectionDecision, InspectionFile, InspectionVerdict
from production.operations.inspecting import Finding, Outcome, decide_inspection
from production.operations.inspection_plans import CheckSpec, save_inspection_plan
from production.reads.held_goods import held_goods
from tests.factories import make_item, make_location, make_user, on_hand, put_on_hand

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
QUEUE = "/quality/"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def inspector(client, operator):
    client.force_login(operator)
    return client


@pytest.fixture
def goods(db):
    """Ten of an item with a label check and a weight in grams."""
    item, place = make_item(sku="GIFT", inspection_required=True), make_location(code="BENCH")
    save_inspection_plan(
        item=item,
        applies_to="receipt",
        checks=[CheckSpec("Label straight"), CheckSpec("Weight", "measurement", "g", Decimal(95), Decimal(105))],
        sample_quantity=Decimal(2),
        actor=None,
    )
    put_on_hand(item, place, "10", value="50.00")
    return held_goods()[0]


def address(goods):
    return reverse("quality:inspect", args=[goods.pk])


def answers(goods, **fields):
    """A form in which every check passes."""
    label, weight = goods.plan.checks.order_by("position")
    return {
        "key": str(uuid4()),
        f"check-{label.pk}": "yes",
        f"check-{weight.pk}-1": "100",
        f"check-{weight.pk}-2": "101.5",
        "release": "10",
        **fields,
    }


def test_the_queue_shows_what_waits_and_leads_to_it(inspector, goods):
    page = inspector.get(QUEUE)

    assert page.status_code == 200
    assert address(goods) in page.content.decode()
    assert "Delivery" not in page.content.decode()


def test_an_empty_queue_teaches(inspector):
    assert "Nothing waits for inspection" in inspector.get(QUEUE).content.decode()


def test_a_scanned_lot_opens_its_inspection(inspector, db):
    item = make_item(inspection_required=True, tracking="lot")
    put_on_hand(item, make_location(), "5", lot="B-7")
    (waiting,) = held_goods()

    answer = inspector.get(QUEUE, {"q": "b-7", "scan": "1"})

    assert answer.headers["Location"] == address(waiting)


def test_a_lot_that_waits_twice_is_listed(inspector, db):
    item = make_item(inspection_required=True, tracking="lot")
    put_on_hand(item, make_location(), "5", lot="B-7")
    put_on_hand(item, make_location(), "5", lot="B-7")

    assert inspector.get(QUEUE, {"q": "B-7", "scan": "1"}).status_code == 200


def test_the_page_of_the_goods_asks_every_sample(inspector, goods):
    _, weight = goods.plan.checks.order_by("position")

    page = inspector.get(address(goods)).content.decode()

    assert all(f'name="check-{weight.pk}-{sample}"' in page for sample in (1, 2))
    assert f'name="check-{weight.pk}-3"' not in page
    assert 'data-minimum="95" data-maximum="105"' in page
    assert 'capture="environment"' in page


def test_a_verdict_by_parts_is_posted_and_said_with_its_undo(inspector, goods):
    answer = inspector.post(
        address(goods),
        answers(goods, release="7", scrap="1", scrap_reason="cracked", quarantine="2", quarantine_reason="wet"),
    )

    verdict = InspectionVerdict.objects.get()
    assert answer.status_code == 302
    assert (verdict.decisions.count(), verdict.results.count()) == (3, 3)
    assert on_hand(goods_item(goods), status=StockStatus.AVAILABLE) == Decimal(7)
    message = str(next(iter(inspector.get(QUEUE).context["messages"])))
    assert "7 pcs released, 2 pcs put into quarantine, 1 pcs scrapped" in message
    assert "&lt;a" not in message


def goods_item(goods):
    return Inspection.objects.get(posting_id=goods.posting_id).item


def test_sent_twice_it_is_posted_once(inspector, goods):
    form = answers(goods, release="4")
    inspector.post(address(goods), form)

    inspector.post(address(goods), form)

    assert InspectionVerdict.objects.count() == 1
    assert on_hand(goods_item(goods), status=StockStatus.AVAILABLE) == Decimal(4)


def test_a_refusal_keeps_what_was_typed_and_marks_what_is_missing(inspector, goods):
    label, _ = goods.plan.checks.order_by("position")
    form = {**answers(goods, note="ribbon loose"), f"check-{label.pk}": ""}

    answer = inspector.post(address(goods), form)

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Not answered yet." in page
    assert "ribbon loose" in page
    assert 'value="101.5"' in page
    assert not InspectionVerdict.objects.exists()


def test_a_failure_without_a_reason_is_said_at_its_field(inspector, goods):
    answer = inspector.post(address(goods), answers(goods, release="9", scrap="1"))

    assert answer.status_code == 422
    assert answer.context["form"].errors["scrap_reason"] == ["Say what is wrong with them."]
    assert Posting.objects.count() == 1


def test_more_than_is_held_is_said_at_the_quantity(inspector, goods):
    answer = inspector.post(address(goods), answers(goods, release="11"))

    assert answer.status_code == 422
    assert "10 pcs of GIFT are held of this, 11 were decided" in str(answer.context["form"].errors["release"])


def test_htmx_gets_the_part_and_a_redirect(inspector, goods):
    headers = {"HX-Request": "true", "HX-Target": "inspect"}

    refused = inspector.post(address(goods), answers(goods, release=""), headers=headers)
    done = inspector.post(address(goods), answers(goods), headers=headers)

    assert "<html" not in refused.content.decode()
    assert (refused.status_code, done.status_code, done.headers["HX-Redirect"]) == (422, 204, QUEUE)


def test_a_photo_is_kept_without_deciding_and_nothing_typed_is_lost(inspector, goods, media):
    form = answers(goods, attach="1", note="see the photo", files=SimpleUploadedFile("box.png", PNG))

    answer = inspector.post(address(goods), form)

    kept = InspectionFile.objects.get()
    assert answer.status_code == 200
    assert "see the photo" in answer.content.decode()
    assert not InspectionVerdict.objects.exists()
    assert (kept.name, kept.content_type, kept.size_bytes) == ("box.png", "image/png", len(PNG))
    assert "box" not in kept.file.name
    assert str(media) in kept.file.path


def test_what_only_calls_itself_a_photo_is_refused(inspector, goods):
    page = SimpleUploadedFile("photo.png", b"<html><script>alert(1)</script>", content_type="image/png")

    answer = inspector.post(address(goods), answers(goods, attach="1", files=page))

    assert answer.status_code == 422
    assert "neither a photo" in answer.content.decode()
    assert not InspectionFile.objects.exists()


def test_a_large_file_is_refused(inspector, goods, settings):
    settings.INSPECTION_FILE_BYTES_MAX = 50

    answer = inspector.post(
        address(goods), answers(goods, attach="1", files=SimpleUploadedFile("a.png", PNG + bytes(10)))
    )

    assert answer.status_code == 422
    assert not InspectionFile.objects.exists()


def test_a_photo_is_shown_and_a_document_downloaded_and_neither_may_run(inspector, goods):
    inspector.post(address(goods), answers(goods, attach="1", files=SimpleUploadedFile("box.png", PNG)))
    pdf = SimpleUploadedFile("../../<b>report.html", b"%PDF-1.7 " + bytes(10))
    inspector.post(address(goods), answers(goods, attach="1", files=pdf))
    photo, document = InspectionFile.objects.order_by("pk")

    shown = inspector.get(reverse("quality:file", args=[photo.pk]))
    loaded = inspector.get(reverse("quality:file", args=[document.pk]))

    assert (shown.headers["Content-Type"], b"".join(shown.streaming_content)) == ("image/png", PNG)
    assert shown.headers["Content-Disposition"].startswith("inline")
    assert loaded.headers["Content-Type"] == "application/octet-stream"
    assert loaded.headers["Content-Disposition"].startswith("attachment")
    for answer in (shown, loaded):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert document.name == "<b>report.html"


def test_files_are_for_those_who_may_see_inspections(inspector, goods, client):
    inspector.post(address(goods), answers(goods, attach="1", files=SimpleUploadedFile("box.png", PNG)))
    where = reverse("quality:file", args=[InspectionFile.objects.get().pk])
    client.logout()

    assert client.get(where).status_code == 302
    client.force_login(make_user(role="counter"))
    assert client.get(where).status_code == 403
    assert client.get(f"/media/{InspectionFile.objects.get().file.name}").status_code == 404


def decided(goods):
    label, weight = goods.plan.checks.order_by("position")
    return decide_inspection(
        key=uuid4(),
        handle=goods.pk,
        outcomes=[
            Outcome("release", Decimal(6)),
            Outcome("rework", Decimal(3), "label crooked"),
            Outcome("scrap", Decimal(1), "cracked"),
        ],
        findings=[
            Finding(label.pk, is_ok=False),
            Finding(weight.pk, measured=Decimal("94.5")),
            Finding(weight.pk, sample=2, measured=Decimal("99")),
        ],
        actor=None,
    ).verdict


def test_the_record_tells_what_was_found_and_done(inspector, goods):
    verdict = decided(goods)

    page = inspector.get(reverse("quality:inspection", args=[verdict.inspection_id])).content.decode()

    assert all(words in page for words in ("label crooked", "cracked", "94.5", "Fails", "Reworked: inspect again"))


def test_undo_brings_all_of_it_back_into_hold(inspector, goods):
    verdict = decided(goods)

    answer = inspector.post(reverse("quality:undo", args=[verdict.pk]))

    assert answer.status_code == 302
    assert held_goods()[0].held == Decimal(10)


def test_undo_of_goods_that_are_gone_says_who_has_them(inspector, goods):
    verdict = decided(goods)
    item = goods_item(goods)
    scrap_stock(
        key=uuid4(),
        item=item,
        location=make_location_of(goods),
        quantity=Decimal(1),
        reason="fell",
        actor=None,
    )

    answer = inspector.post(reverse("quality:undo", args=[verdict.pk]))

    assert answer.status_code == 409
    assert "Reverse what used it first" in answer.content.decode()
    assert on_hand(item, status=StockStatus.AVAILABLE) == Decimal(5)


def make_location_of(goods):
    return Inspection.objects.get(posting_id=goods.posting_id).location


def test_reworked_goods_wait_again(inspector, goods):
    verdict = decided(goods)
    decision = InspectionDecision.objects.get(verdict=verdict, disposition="rework")

    inspector.post(reverse("quality:back_from_rework", args=[decision.pk]), {"quantity": "2"})
    refused = inspector.post(reverse("quality:back_from_rework", args=[decision.pk]), {"quantity": "2"})

    assert held_goods()[0].held == Decimal(2)
    assert refused.status_code == 409


def test_what_is_decided_already_leads_to_its_record(inspector, goods):
    verdict = decided(goods)

    answer = inspector.get(address(goods))

    assert answer.headers["Location"] == reverse("quality:inspection", args=[verdict.inspection_id])


def test_not_due_goods_are_released_at_a_press(inspector, db):
    item, place = make_item(), make_location()
    save_inspection_plan(item=item, applies_to="receipt", checks=[], every_nth=2, actor=None)
    for _ in range(3):
        put_on_hand(item, place, "1", status="qc_hold")

    inspector.post(reverse("quality:release_skipped"))

    assert [goods.number for goods in held_goods()] == [1, 3]


def test_viewers_look_and_do_not_decide(client, viewer, goods):
    client.force_login(viewer)

    assert client.get(QUEUE).status_code == 200
    assert client.post(address(goods), answers(goods)).status_code == 403
    assert held_goods()[0].held == Decimal(10)


@pytest.mark.parametrize("path", [QUEUE, "/quality/inspections/", "/quality/plans/"])
def test_lists_cost_the_same_with_one_and_with_twenty(inspector, path):
    def add(number):
        for _ in range(number):
            item, place = make_item(inspection_required=True), make_location()
            save_inspection_plan(item=item, applies_to="receipt", checks=[CheckSpec("Dry")], every_nth=2, actor=None)
            put_on_hand(item, place, "4")
            waiting = [goods for goods in held_goods() if goods.item.pk == item.pk]
            decide_inspection(
                key=uuid4(),
                handle=waiting[0].pk,
                outcomes=[Outcome("rework", Decimal(1), "wet"), Outcome("scrap", Decimal(1), "torn")],
                actor=None,
            )

    def cost():
        inspector.get(path)
        with CaptureQueriesContext(connection) as queries:
            assert inspector.get(path).status_code == 200
        return len(queries)

    add(1)
    one = cost()
    add(19)
    assert cost() == one
