"""The pages of rework: what waits, the order's form, recording, undoing and closing."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import Posting, StockStatus
from production.models import Disposition, Reworking, ReworkOrder
from production.operations.inspecting import Outcome, decide_inspection
from production.operations.reworking import rework
from production.reads.held_goods import held_goods
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import open_rework_of, quarantined

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

LIST, NEW = "/quality/rework/", "/quality/rework/new/"


@pytest.fixture
def place(db):
    return make_location(code="BENCH")


@pytest.fixture
def item(db):
    return make_item(sku="CANDLE", name="Candle", tracking="lot")


@pytest.fixture
def label(place):
    label = make_item(sku="LABEL", name="Label")
    put_on_hand(label, place, "100", value="20.00")
    return label


def typed(**fields):
    return {
        "key": str(uuid4()), "quantity": "10", "work": "Put the right label on", "source_location": "BENCH",
        "minutes": "30", "rate_per_hour": "24", **fields,
    }  # fmt: skip


def test_from_what_waits_to_mended_goods(as_operator, item, label, place):
    lot = quarantined(item, place)

    listed = as_operator.get(LIST)
    assert (listed.context["waits"], "in no rework order" in listed.content.decode()) == (1, True)
    page = as_operator.get(NEW)
    (row,) = page.context["rows"]
    assert (row.lot, row.left) == (lot, 10)
    form = as_operator.get(f"{NEW}?cell={row.cell_id}")
    assert form.context["form"].initial["quantity"] == "10"

    data = typed(cell=row.cell_id, **{"component-0": "LABEL", "quantity-0": "10"})
    answer = as_operator.post(NEW, data)
    order = ReworkOrder.objects.get()
    assert answer.url == f"/quality/rework/{order.number}/"
    assert as_operator.post(NEW, data).url == answer.url  # sent twice
    assert ReworkOrder.objects.count() == 1

    page = as_operator.get(answer.url).content.decode()
    assert 'placeholder="10"' in page
    done = as_operator.post(f"{answer.url}record/", {"key": str(uuid4()), "good": "10", "target": "BENCH",
        "component-0": "LABEL", "quantity-0": "", "minutes": ""})  # fmt: skip
    assert done.status_code == 302
    assert (on_hand(item, status=StockStatus.AVAILABLE), on_hand(label)) == (10, 90)
    assert "14.00" in as_operator.get(answer.url).content.decode()  # 2.00 of labels, 12.00 of work

    undone = as_operator.post(f"/quality/rework/done/{Reworking.objects.get().pk}/undo/", {"key": str(uuid4())})
    assert undone.status_code == 302
    assert (on_hand(item, status=StockStatus.QUARANTINE), on_hand(label)) == (10, 100)


def test_what_an_inspection_sent_leads_to_its_order_and_back(as_operator, place):
    gift = make_item(sku="GIFT", tracking="lot", inspection_required=True)
    put_on_hand(gift, place, "10", lot="L1", value="50")
    (goods,) = held_goods()
    outcomes = [Outcome(Disposition.REWORK, Decimal(4), "Label crooked"), Outcome(Disposition.RELEASE, Decimal(6))]
    verdict = decide_inspection(key=uuid4(), handle=goods.pk, outcomes=outcomes, actor=None).verdict
    decision = verdict.decisions.get(disposition="rework")

    inspection = as_operator.get(f"/quality/inspections/{verdict.inspection_id}/").content.decode()
    assert f"/quality/rework/new/?decision={decision.pk}" in inspection
    form = as_operator.get(f"{NEW}?decision={decision.pk}").context["form"]
    assert (form.initial["quantity"], form.initial["work"]) == ("4", "Label crooked")

    as_operator.post(NEW, typed(decision=decision.pk, quantity="4"))
    order = ReworkOrder.objects.get()
    assert order.decision_id == decision.pk
    inspection = as_operator.get(f"/quality/inspections/{verdict.inspection_id}/").content.decode()
    assert f"/quality/rework/{order.number}/" in inspection
    gone = as_operator.get(f"{NEW}?decision={decision.pk}")
    assert "Nothing of those goods waits for rework any more" in gone.content.decode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"quantity": "11"}, "10 pcs of CANDLE"),
        ({"quantity": "many"}, "is not a quantity"),
        ({"quantity": ""}, "This field is required"),
        ({"work": " "}, "This field is required"),
        ({"minutes": "-5"}, "minutes of work cannot be"),
        ({"minutes": "9" * 40}, "too large"),
        ({"source_location": "NOWHERE"}, "NOWHERE"),
        ({"component-0": "NONE", "quantity-0": "1"}, "There is no item"),
        ({"component-0": "LABEL", "quantity-0": ""}, "How much LABEL?"),
        ({"component-0": "", "quantity-0": "3"}, "Of which component?"),
        ({"component-0": "LABEL", "quantity-0": "1.5"}, "LABEL"),
        ({"component-0": "CANDLE", "quantity-0": "1"}, "cannot be a component of it"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_opened(as_operator, item, label, place, fields, words):
    quarantined(item, place)
    (row,) = as_operator.get(NEW).context["rows"]
    answer = as_operator.post(NEW, typed(cell=row.cell_id, **fields))

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not ReworkOrder.objects.exists()


def test_more_rows_keep_what_was_typed(as_operator, item, label, place):
    quarantined(item, place)
    (row,) = as_operator.get(NEW).context["rows"]
    data = typed(cell=row.cell_id, more="1", **{"component-2": "LABEL", "quantity-2": "7"})
    answer = as_operator.post(NEW, data)

    assert answer.status_code == 200
    assert not ReworkOrder.objects.exists()
    assert len(answer.context["form"].rows()) == 6
    assert 'value="7"' in answer.content.decode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"good": "11"}, "10 pcs are left of"),
        ({"good": "", "scrapped": ""}, "Type at least one of them"),
        ({"good": "", "scrapped": "2"}, "Say why they could not be mended"),
        ({"good": "x"}, "is not a quantity"),
        ({"quantity-0": "1000"}, "LABEL"),
        ({"target": ""}, "This field is required"),
        ({"note": "n" * 501}, "at most 500 characters"),
    ],
)
def test_a_refused_record_posts_nothing_and_keeps_what_was_typed(as_operator, item, label, place, fields, words):
    order = open_rework_of(item, quarantined(item, place), place, components=[(label, "10")])
    before = Posting.objects.count()
    data = {"key": str(uuid4()), "good": "10", "target": "BENCH", "component-0": "LABEL", "minutes": "7", **fields}
    answer = as_operator.post(f"/quality/rework/{order.number}/record/", data)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert 'value="7"' in answer.content.decode()
    assert Posting.objects.count() == before


def test_a_form_sent_twice_records_once_and_with_other_figures_is_asked_again(as_operator, item, place):
    order = open_rework_of(item, quarantined(item, place), place)
    url, key = f"/quality/rework/{order.number}/record/", str(uuid4())
    first = as_operator.post(url, {"key": key, "good": "3", "target": "BENCH"})
    again = as_operator.post(url, {"key": key, "good": "3", "target": "BENCH"})
    other = as_operator.post(url, {"key": key, "good": "4", "target": "BENCH"})

    assert (first.status_code, again.status_code, other.status_code) == (302, 302, 422)
    assert "sent before with other figures" in other.content.decode()
    assert other.context["form"]["key"].value() != key
    assert on_hand(item, status=StockStatus.AVAILABLE) == 3


def test_a_closed_order_and_what_cannot_be_undone_say_why(as_operator, item, place):
    order = open_rework_of(item, quarantined(item, place), place)
    done = rework(key=uuid4(), order=order, good=Decimal(4), actor=None).reworking
    assert as_operator.post(f"/quality/rework/{order.number}/close/").status_code == 302
    late = as_operator.post(
        f"/quality/rework/{order.number}/record/", {"key": str(uuid4()), "good": "1", "target": "BENCH"}
    )
    assert late.status_code == 422
    assert "closed short" in late.content.decode()
    assert as_operator.post(f"/quality/rework/{order.number}/close/").status_code == 409
    undo = f"/quality/rework/done/{done.pk}/undo/"
    assert as_operator.post(undo, {"key": str(uuid4())}).status_code == 302
    assert "reversed before" in as_operator.post(undo, {"key": str(uuid4())}).content.decode()


def test_the_list_is_found_searched_and_taken_away(as_viewer, item, label, place):
    order = open_rework_of(item, quarantined(item, place), place, components=[(label, "10")], minutes="30", rate="24")
    rework(key=uuid4(), order=order, good=Decimal(5), actor=None)

    assert order.number in as_viewer.get(LIST).content.decode()
    assert order.number in as_viewer.get(f"{LIST}?q=candle").content.decode()
    assert "No rework order matches" in as_viewer.get(f"{LIST}?q=other").content.decode()
    assert "No rework order in this state" in as_viewer.get(f"{LIST}?state=done").content.decode()
    table = b"".join(as_viewer.get(f"{LIST}?export=csv").streaming_content).decode()
    assert f"{order.number},CANDLE,Candle,L1,BENCH,pcs,10,5,0,5,Open" in table
    assert table.rstrip().endswith(",1,6,7")
    page = as_viewer.get(f"/quality/rework/{order.number}/").content.decode()
    assert "Record what was done" not in page


@pytest.mark.parametrize("query", ["?decision=0", "?decision=9999999999999999999999", "?cell=x", "?cell=-1"])
def test_nonsense_in_the_address_leads_to_the_list_of_what_waits(as_operator, place, query):
    assert as_operator.get(NEW + query).status_code == 200
    assert as_operator.get(f"{LIST}{query}&state=%27&page=x").status_code == 200


def test_lists_and_pages_cost_the_same_queries_for_one_and_for_many(as_operator, place, label):
    def look(*urls):
        with CaptureQueriesContext(connection) as seen:
            for url in urls:
                assert as_operator.get(url).status_code == 200
        return len(seen)

    first = make_item(sku="A", tracking="lot")
    order = open_rework_of(first, quarantined(first, place), place, "6", components=[(label, "6")])
    rework(key=uuid4(), order=order, good=Decimal(1), actor=None)
    urls = (LIST, NEW, f"/quality/rework/{order.number}/", f"{LIST}?export=csv")
    look(*urls)
    one = look(*urls)
    for number in range(6):
        other = make_item(sku=f"B{number}", tracking="lot")
        lot = quarantined(other, place)
        rework(key=uuid4(), order=open_rework_of(other, lot, place, "5"), good=Decimal(1), actor=None)
        if number < 4:
            rework(key=uuid4(), order=order, good=Decimal(1), actor=None)
    assert look(*urls) == one
