"""The page that shows what an undo does, and the pages that take goods apart."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import Posting
from inventory.operations.reserving import reserve_stock
from production.models import Completion, Disassembly
from production.operations.disassembling import disassemble
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

APART = "/make/disassemble/"


@pytest.fixture
def done(workshop):
    return complete(workshop.candle, "10", into=workshop.finished).completion


def test_shows_what_comes_back_and_keeps_nothing_of_it(as_operator, workshop, done):
    before = Posting.objects.count()

    response = as_operator.get(f"/make/completions/{done.pk}/undo/", {"good": "4"})

    plan = response.context["plan"]
    assert [(row.line.component.sku, row.returned) for row in plan.lines] == [("WAX", Decimal("0.8")), ("WICK", 4)]
    assert (Posting.objects.count(), on_hand(workshop.candle)) == (before, 10)


def test_says_how_many_are_still_here_when_some_were_used(as_operator, workshop, done):
    box = make_item(sku="BOX")
    make_bom(item=box, lines=[(workshop.candle, "2")])
    used = complete(box, "3", into=workshop.finished).completion

    response = as_operator.get(f"/make/completions/{done.pk}/undo/")

    content = response.content.decode()
    assert response.context["plan"].returnable == 4
    assert 'href="?good=4"' in content
    assert f'href="/make/completions/{used.pk}/undo/"' in content
    assert f'href="{APART}?completion={done.pk}"' in content


@pytest.mark.parametrize("reference", ["WO-000001", "A/B", "no order"])
def test_says_whose_the_reserved_goods_are_whatever_the_reference(as_operator, workshop, done, reference):
    reserve_stock(
        item=workshop.candle,
        location=workshop.finished,
        quantity=Decimal(3),
        demand_kind="work_order",
        demand_ref=reference,
        actor=None,
        pinned=True,
    )

    response = as_operator.get(f"/make/completions/{done.pk}/undo/")

    assert response.status_code == 200
    content = " ".join(response.content.decode().split())
    assert "3 of them are reserved for" in content
    assert reference in content


def test_a_part_goes_back_and_can_be_completed_again(as_operator, workshop, done):
    as_operator.post(f"/make/completions/{done.pk}/undo/", {"key": str(uuid4()), "good": "4", "reason": "miscounted"})
    complete(workshop.candle, "4", into=workshop.finished)

    assert on_hand(workshop.candle) == 10
    assert Completion.objects.get(pk=done.pk).reversed_good == 4


def test_is_closed_to_a_viewer(as_viewer, done):
    assert as_viewer.get(f"/make/completions/{done.pk}/undo/").status_code == 403
    assert as_viewer.get(APART, {"completion": done.pk}).status_code == 403


# --- Taking apart -----------------------------------------------------------------------------------------------------


def apart(client, done, quantity="3", **fields):
    body = {
        "key": str(uuid4()),
        "completion": str(done.pk),
        "what": "",
        "quantity": quantity,
        "location": "FINISHED",
        **fields,
    }
    return client.post(APART, body)


def test_the_preview_shows_what_comes_back_and_writes_nothing(as_operator, workshop, done):
    response = apart(as_operator, done)

    assert [(row.component.sku, row.lots, row.recovered) for row in response.context["rows"]] == [
        ("WAX", "L-1", Decimal("0.6")),
        ("WICK", "", 3),
    ]
    assert response.context["plan"].value == Decimal("3.00")
    assert Disassembly.objects.count() == 0


def test_posts_what_was_shown_and_offers_to_put_it_together_again(as_operator, workshop, done):
    wick = workshop.wick.pk
    fields = {"action": "post", "target": "WORKSHOP", f"back-{wick}": "1", f"backwas-{wick}": "3", "reason": "cracked"}

    response = apart(as_operator, done, **fields)
    made = Disassembly.objects.get()
    assert response["Location"] == f"/make/disassemblies/{made.pk}/"
    assert (on_hand(workshop.candle), on_hand(workshop.wick), made.wasted_value) == (7, 91, Decimal("0.20"))

    as_operator.post(f"/make/disassemblies/{made.pk}/undo/", {"key": str(uuid4())})

    assert (on_hand(workshop.candle), on_hand(workshop.wick)) == (10, 90)


def test_more_than_is_left_is_refused_with_everything_kept(as_operator, done):
    response = apart(as_operator, done, "11", action="post", note="kept")

    assert response.status_code == 422
    assert "10 pcs of CANDLE are left of completion" in response.content.decode()
    assert response.context["form"]["note"].value() == "kept"
    assert Disassembly.objects.count() == 0


def test_more_back_than_expected_says_how_much_can(as_operator, workshop, done):
    wick = workshop.wick.pk

    response = apart(as_operator, done, **{f"back-{wick}": "9", f"backwas-{wick}": "3"})

    assert "at most 3 can" in response.context["problem"].message
    assert response.context["plan"] is not None


def test_serial_numbers_are_chosen_and_say_how_many(as_operator):
    shelf, tube, clock = (
        make_location(code="FINISHED"),
        make_item(sku="TUBE"),
        make_item(sku="CLOCK", tracking="serial"),
    )
    make_bom(item=clock, lines=[(tube, "1")])
    put_on_hand(tube, shelf, "5", value="5.00")
    lots = {}
    for code in ("C-1", "C-2"):
        made = complete(clock, "1", into=shelf, output_lot_code=code).completion
        lots[code] = made.output_lot
    offered = as_operator.get(APART, {"completion": made.pk}).context["lots"]

    response = apart(as_operator, made, "", action="post", **{f"lot-{lots['C-2'].pk}": "1"})

    assert [lot.code for lot in offered] == ["C-2"]
    assert response.status_code == 302
    assert (on_hand(clock, lot="C-1"), on_hand(clock, lot="C-2")) == (1, 0)


def test_without_a_completion_an_item_is_scanned(as_operator):
    shelf, sign, stand = make_location(code="FINISHED"), make_item(sku="SIGN"), make_item(sku="STAND")
    make_bom(item=stand, lines=[(sign, "2")])
    put_on_hand(stand, shelf, "3", value="9.00")

    shown = as_operator.get(APART, {"what": "stand"})
    body = {"key": str(uuid4()), "what": "STAND", "quantity": "1", "location": "FINISHED", "action": "post"}
    as_operator.post(APART, body)

    assert shown.context["form"].initial["location"] == "FINISHED"
    assert (on_hand(stand), on_hand(sign)) == (2, 2)


def test_a_text_that_names_nothing_is_told(as_operator, db):
    response = as_operator.get(APART, {"what": "0000"})

    assert response.status_code == 422
    assert "No single item that is made is called “0000”" in response.content.decode()


def test_the_list_costs_the_same_with_1_and_with_6_rows(as_operator, workshop, done):
    counts = []
    for more in (1, 5):
        for _ in range(more):
            disassemble(key=uuid4(), completion=done, quantity=Decimal(1), location=workshop.finished, actor=None)
        with CaptureQueriesContext(connection) as captured:
            shown = as_operator.get("/make/disassemblies/")
        counts.append((len(shown.context["disassemblies"]), len(captured)))

    assert [rows for rows, _ in counts] == [1, 6]
    assert counts[0][1] == counts[1][1]


def test_the_ledger_leads_to_what_was_taken_apart(as_operator, workshop, done):
    made = disassemble(
        key=uuid4(), completion=done, quantity=Decimal(1), location=workshop.finished, actor=None
    ).disassembly

    response = as_operator.get(f"/stock/postings/{made.pk}/")

    assert f'href="/make/disassemblies/{made.pk}/"' in response.content.decode()
