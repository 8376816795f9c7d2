from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from inventory.models import Lot, Movement, Posting, PostingKind
from tests.factories import make_item, make_location, make_unit, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def send(client, name, **fields):
    return client.post(reverse(f"inventory:{name}"), {"key": str(uuid4()), **fields})


def test_receives_in_a_pack_unit_with_its_cost_and_offers_the_next_one(as_operator):
    item, shelf = make_item(sku="JAR"), make_location(code="BIN")
    make_unit(item=item, name="carton", numerator="24")

    response = send(
        as_operator, "receive", item="jar", location="bin", quantity="2", unit="carton", value="38.40", reference="PO-7"
    )

    assert response.status_code == 302
    assert response.url == reverse("inventory:receive") + "?location=bin&reference=PO-7"
    assert on_hand(item, location=shelf) == 48
    movement = Movement.objects.get()
    assert (movement.value, movement.posting.reference) == (Decimal("38.40"), "PO-7")
    message = next(iter(get_messages(response.wsgi_request)))
    assert "Received 48 pcs of JAR into BIN" in message.message


def test_a_double_submit_makes_one_posting(as_operator):
    item, _ = make_item(sku="JAR"), make_location(code="BIN")
    fields = {"key": str(uuid4()), "item": "JAR", "location": "BIN", "quantity": "5"}

    first = as_operator.post(reverse("inventory:receive"), fields)
    second = as_operator.post(reverse("inventory:receive"), fields)

    assert (first.status_code, second.status_code) == (302, 302)
    assert Posting.objects.count() == 1
    assert on_hand(item) == 5


def test_a_refusal_stands_at_its_field_and_nothing_typed_is_lost(as_operator):
    item, shelf = make_item(sku="WAX", unit="kg", step="0.1"), make_location(code="WORKSHOP")
    put_on_hand(item, shelf, "12")
    key = str(uuid4())

    response = send(
        as_operator, "issue", key=key, item="WAX", location="WORKSHOP", quantity="15", reference="REF-1", note="why"
    )

    assert response.status_code == 422
    form = response.context["form"]
    assert form.errors["quantity"][0].startswith("WORKSHOP holds 12 kg of WAX; 15 are needed.")
    text = response.content.decode()
    assert 'value="15"' in text
    assert 'value="REF-1"' in text
    assert 'value="why"' in text
    assert key in text
    assert on_hand(item) == 12
    assert Posting.objects.count() == 1


def test_htmx_gets_the_form_with_its_errors_and_a_redirect_when_done(as_operator):
    item, shelf = make_item(sku="WAX"), make_location(code="BIN")
    put_on_hand(item, shelf, "5")
    headers = {"HX-Request": "true", "HX-Target": "move"}
    fields = {"key": str(uuid4()), "item": "WAX", "location": "BIN"}

    wrong = as_operator.post(reverse("inventory:issue"), {**fields, "quantity": "9"}, headers=headers)
    right = as_operator.post(reverse("inventory:issue"), {**fields, "quantity": "2"}, headers=headers)

    assert wrong.status_code == 422
    assert "<html" not in wrong.content.decode()
    assert (right.status_code, right.headers["HX-Redirect"]) == (204, reverse("inventory:issue") + "?location=BIN")
    assert on_hand(item) == 3


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("item", "NOTHING", "There is no item with SKU or barcode “NOTHING”"),
        ("location", "NOWHERE", "There is no location with code “NOWHERE”"),
        ("quantity", "abc", "“abc” is not a number"),
        ("quantity", "-2", "positive number"),
        ("quantity", "", "required"),
        ("quantity", "0.5", "not a multiple of its step"),
    ],
)
def test_a_wrong_field_is_named_in_words(as_operator, field, value, words):
    make_item(sku="JAR")
    make_location(code="BIN")

    response = send(as_operator, "receive", **{"item": "JAR", "location": "BIN", "quantity": "5", field: value})

    assert response.status_code == 422
    assert words in " ".join(response.context["form"].errors[field])
    assert Posting.objects.count() == 0


def test_a_scanned_item_refreshes_the_form_with_its_lot_fields_and_saves_nothing(as_operator):
    make_item(sku="WAX", tracking="lot", barcode="4006381333931")
    key = str(uuid4())

    response = as_operator.post(
        reverse("inventory:receive"),
        {"key": key, "refresh": "1", "item": "4006381333931", "quantity": "7"},
        headers={"HX-Request": "true", "HX-Target": "move"},
    )

    assert response.status_code == 200
    form = response.context["form"]
    assert "lot_code" in form.fields
    text = response.content.decode()
    assert key in text
    assert 'value="7"' in text
    assert Posting.objects.count() == 0


def test_a_tracked_item_needs_its_lot(as_operator):
    make_item(sku="WAX", tracking="lot")
    make_location(code="BIN")

    response = send(as_operator, "receive", item="WAX", location="BIN", quantity="7")

    assert response.status_code == 422
    assert "tracked by lot" in response.context["form"].errors["lot_code"][0]


def test_issues_from_the_lot_that_was_chosen(as_operator):
    item, shelf = make_item(sku="WAX", tracking="lot"), make_location(code="BIN")
    put_on_hand(item, shelf, "5", lot="OLD", expires_on=date(2999, 1, 1))
    put_on_hand(item, shelf, "5", lot="NEW", expires_on=date(2999, 6, 1))
    chosen = Lot.objects.get(code="NEW")

    response = send(as_operator, "issue", item="WAX", location="BIN", quantity="2", lot=str(chosen.pk), reason="Sample")

    assert response.status_code == 302
    assert (on_hand(item, lot="OLD"), on_hand(item, lot="NEW")) == (5, 3)


def test_transfers_between_places(as_operator):
    item, shelf, other = make_item(sku="WAX"), make_location(code="A"), make_location(code="B")
    put_on_hand(item, shelf, "5")

    send(as_operator, "transfer", item="WAX", location="A", target="B", quantity="2", status="available")

    assert (on_hand(item, location=shelf), on_hand(item, location=other)) == (3, 2)


def test_releases_from_qc_hold(as_operator):
    item, shelf = make_item(sku="GIFT", inspection_required=True), make_location(code="A")
    put_on_hand(item, shelf, "5")

    response = send(
        as_operator,
        "change_status",
        item="GIFT",
        location="A",
        quantity="4",
        from_status="qc_hold",
        to_status="available",
    )

    assert response.status_code == 302
    assert (on_hand(item, status="available"), on_hand(item, status="qc_hold")) == (4, 1)


def test_taking_stock_out_of_sale_needs_a_reason(as_operator):
    item, shelf = make_item(sku="GIFT"), make_location(code="A")
    put_on_hand(item, shelf, "5")

    response = send(
        as_operator,
        "change_status",
        item="GIFT",
        location="A",
        quantity="4",
        from_status="available",
        to_status="damaged",
    )

    assert response.status_code == 422
    assert "reason" in response.context["form"].errors
    assert on_hand(item, status="available") == 5


def test_scraps_with_a_reason(as_operator):
    item, shelf = make_item(sku="WICK"), make_location(code="A")
    put_on_hand(item, shelf, "5", value="5")

    send(as_operator, "scrap", item="WICK", location="A", quantity="2", reason="Damaged", status="available")

    posting = Posting.objects.get(kind=PostingKind.SCRAP)
    assert (on_hand(item), posting.reason, posting.cost_entries.get().amount) == (3, "Damaged", Decimal("2.00"))


@pytest.mark.parametrize(("direction", "left"), [("found", 7), ("missing", 3)])
def test_adjusts_up_and_down(as_planner, direction, left):
    item, shelf = make_item(sku="WICK"), make_location(code="A")
    put_on_hand(item, shelf, "5", value="5")

    response = send(
        as_planner,
        "adjust",
        item="WICK",
        location="A",
        quantity="2",
        direction=direction,
        reason="Counted",
        status="available",
    )

    assert response.status_code == 302
    assert on_hand(item) == left


def test_an_administrator_corrects_an_unknown_cost(client, administrator):
    item, shelf = make_item(sku="LID"), make_location()
    put_on_hand(item, shelf, "5")
    client.force_login(administrator)

    response = send(client, "correct_cost", item="LID", unit_cost="0.30", reason="Invoice came in")

    assert response.status_code == 302
    assert item.cost_pools.get().value == Decimal("1.50")


def test_the_date_can_be_set_only_by_those_who_may(as_operator, client, administrator):
    make_item(sku="JAR")
    without = as_operator.get(reverse("inventory:receive"), {"item": "JAR"})
    client.force_login(administrator)
    with_it = client.get(reverse("inventory:receive"), {"item": "JAR"})

    assert "effective_at" not in without.context["form"].fields
    assert "effective_at" in with_it.context["form"].fields


def test_suggestions_begin_with_the_exact_code(as_operator):
    make_item(sku="JAR-8-LID")
    make_item(sku="JAR-8")

    text = as_operator.get(reverse("inventory:suggest_items"), {"q": "jar-8"}).content.decode()

    assert text.index('data-value="JAR-8"') < text.index('data-value="JAR-8-LID"')


def test_suggested_names_cannot_carry_markup(as_operator):
    make_item(sku="BAD", name="<script>alert(1)</script>")

    assert "<script>" not in as_operator.get(reverse("inventory:suggest_items"), {"q": "bad"}).content.decode()


def test_a_new_cost_shows_what_it_changes_before_it_is_posted(client, administrator):
    client.force_login(administrator)
    item, shelf = make_item(sku="WAX", unit="kg"), make_location(code="BIN")
    receipt = put_on_hand(item, shelf, "40", value="96.00")
    fields = {"item": "WAX", "unit_cost": "2.5", "refresh": "1"}

    page = client.post(reverse("inventory:correct_cost"), fields, headers={"HX-Request": "true"})

    effect = page.context["effect"]
    assert (effect.known_value, effect.value_after, effect.amount) == (Decimal(96), Decimal(100), Decimal(4))
    assert reverse("buying:prices", args=[receipt.pk]) in page.content.decode()
    assert Posting.objects.count() == 1
    send(client, "correct_cost", item="WAX", unit_cost="2.5", reason="Invoice came in")
    assert Movement.objects.latest("pk").value == effect.amount


@pytest.mark.parametrize("typed", ["", "abc", "-1"])
def test_a_cost_that_is_no_figure_shows_the_present_one_alone(client, administrator, typed):
    client.force_login(administrator)
    put_on_hand(make_item(sku="WAX"), make_location(), "4", value="6.00")

    page = client.get(reverse("inventory:correct_cost"), {"item": "WAX", "unit_cost": typed})

    assert (page.context["effect"].known_value, page.context["effect"].amount) == (Decimal(6), None)


def test_an_operator_issues_no_expired_lot_and_a_planner_does_with_a_reason(as_operator, as_planner):
    item, shelf = make_item(sku="WAX", tracking="lot"), make_location(code="BIN")
    put_on_hand(item, shelf, "4", lot="OLD", expires_on=date(2020, 1, 1), value="4.00", status="expired")
    lot = Lot.objects.get(item=item)
    fields = {"item": "WAX", "location": "BIN", "quantity": "3", "lot": lot.pk, "reason": "trial batch"}

    refused = send(as_operator, "issue", **fields)
    assert (refused.status_code, on_hand(item)) == (422, 4)
    done = send(as_planner, "issue", **fields)

    assert (done.status_code, on_hand(item)) == (302, 1)
