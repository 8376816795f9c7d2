from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from inventory.errors import LotMismatch
from inventory.models import Posting, PostingKind, StockStatus
from production.models import Completion, WorkOrderState
from production.operations.work_orders import close_work_order, open_work_order
from production.panels import PublishedChange, register_publication_outlook, unregister_publication_outlook
from tests.factories import lot_of, make_item, make_unit, make_user, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

URL = "/make/complete/"
PREVIEW = {"HX-Request": "true", "HX-Target": "completion-preview"}
WHOLE_FORM = {"HX-Request": "true", "HX-Target": "completion"}


def body(workshop, good="5", *, order=None, **fields):
    return {
        "key": str(uuid4()),
        "item": str(workshop.candle.pk),
        "work_order": str(order.pk) if order else "",
        "what": "CANDLE",
        "good": good,
        "output_location": "FINISHED",
        **fields,
    }


def preview(client, workshop, good="5", **fields):
    return client.post(URL, body(workshop, good, **fields), headers=PREVIEW)


def post(client, workshop, good="5", **fields):
    return client.post(URL, {**body(workshop, good, **fields), "action": "complete"})


def toasts(response):
    return [str(message) for message in response.context["messages"]]


def rows_of(response):
    return {row.component.sku: row for row in response.context["outlook"].rows}


# --- Who may ----------------------------------------------------------------------------------------------------------


def test_asks_a_stranger_to_log_in(client, db):
    response = client.get(URL)

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/?next=/make/complete/")


@pytest.mark.parametrize("method", ["get", "post"])
def test_is_closed_to_a_viewer(as_viewer, method):
    assert getattr(as_viewer, method)(URL).status_code == 403


def test_a_viewer_cannot_post_by_hand(as_viewer, workshop):
    response = post(as_viewer, workshop)

    assert response.status_code == 403
    assert Completion.objects.count() == 0


# --- Scanning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scanned", ["CANDLE", "candle", "4006381333931", " CANDLE "])
def test_finds_an_item_by_sku_or_barcode(as_operator, workshop, scanned):
    response = as_operator.get(URL, {"what": scanned})

    assert response.status_code == 200
    assert response.context["subject"].item == workshop.candle
    assert list(rows_of(response)) == ["WAX", "WICK"]


def test_finds_an_item_by_the_barcode_of_a_pack(as_operator, workshop):
    unit = make_unit(item=workshop.candle, name="box", numerator="12")
    unit.barcode = "4006381333948"
    unit.save()

    response = as_operator.get(URL, {"what": "4006381333948"})

    assert response.context["subject"].item == workshop.candle


def test_finds_a_work_order_and_takes_its_place(as_operator, workshop):
    order = open_work_order(item=workshop.candle, planned=Decimal(50), output_location=workshop.place, actor=None)

    response = as_operator.get(URL, {"what": order.number.lower()})

    assert response.context["subject"].work_order == order
    assert response.context["form"].initial["output_location"] == "WORKSHOP"


def test_lists_what_an_unclear_text_may_mean(as_operator, workshop):
    other = make_item(sku="CANDLE-XL", name="Large")
    make_bom(item=other, lines=[(workshop.wick, "2")])

    response = as_operator.get(URL, {"what": "CAND"})

    assert response.status_code == 422
    assert [subject.code for subject in response.context["found"].candidates] == ["CANDLE", "CANDLE-XL"]


def test_says_that_a_scan_is_not_known_and_keeps_it(as_operator, workshop):
    response = as_operator.get(URL, {"what": "0000"})

    assert response.status_code == 422
    assert "Nothing that can be made is called “0000”" in response.content.decode()
    assert 'value="0000"' in response.content.decode()


def test_says_that_an_item_has_no_bom(as_operator, workshop):
    response = as_operator.get(URL, {"what": "WICK"})

    assert "WICK has no BOM in force" in response.content.decode()
    assert response.context["outlook"].plan is None


def test_says_that_an_order_is_closed(as_operator, workshop):
    order = open_work_order(item=workshop.candle, planned=Decimal(5), output_location=workshop.place, actor=None)
    close_work_order(work_order=order, actor=None)

    response = as_operator.get(URL, {"what": order.number})

    assert f"{order.number} is closed short" in response.content.decode()


def test_suggests_makeable_items_and_open_orders(as_operator, workshop):
    order = open_work_order(item=workshop.candle, planned=Decimal(5), output_location=workshop.place, actor=None)

    response = as_operator.get(reverse("production:suggest"), {"q": "cand"})

    assert [subject.code for subject in response.context["found"]] == ["CANDLE", order.number]


def test_remembers_where_this_person_put_something_last(as_operator, workshop):
    other = make_item(sku="TEALIGHT")
    make_bom(item=other, lines=[(workshop.wick, "1")])
    post(as_operator, workshop, "1")

    response = as_operator.get(URL, {"what": "TEALIGHT"})

    assert response.context["form"].initial["output_location"] == "FINISHED"


# --- Preview ----------------------------------------------------------------------------------------------------------


def test_shows_standard_stock_and_cost_of_every_line(as_operator, workshop):
    response = preview(as_operator, workshop, "25")

    rows = rows_of(response)
    wax = rows["WAX"]
    assert (wax.line.expected, wax.line.on_hand, wax.line.on_hand_after) == (Decimal(5), Decimal(10), Decimal(5))
    assert [(pick.lot_code, pick.quantity) for pick in wax.picks] == [("L-1", Decimal(4)), ("L-2", Decimal(1))]
    assert wax.line.value == Decimal("22.50")
    outlook = response.context["outlook"]
    assert outlook.plan.consumed_value == Decimal("25.00")
    assert (outlook.on_hand, outlook.on_hand_after) == (Decimal(0), Decimal(25))
    assert outlook.usual_cost == Decimal("1.000000")
    assert outlook.is_postable
    assert response.context["button"] == "Complete 25"


def test_answers_htmx_with_the_preview_alone_and_writes_nothing(as_operator, workshop):
    postings = Posting.objects.count()

    response = preview(as_operator, workshop)

    content = response.content.decode()
    assert "<html" not in content
    assert 'id="completion-status"' in content
    assert Posting.objects.count() == postings


def test_names_what_is_short_and_offers_the_largest_quantity(as_operator, workshop):
    response = preview(as_operator, workshop, "60")

    outlook = response.context["outlook"]
    assert [row.component.sku for row in outlook.short] == ["WAX"]
    assert outlook.short[0].line.short == Decimal(2)
    assert not outlook.is_postable
    assert 'name="fill" value="50"' in response.content.decode()
    assert "Complete 50 instead" in response.content.decode().replace('<span class="num">50</span>', "50")


def test_fills_in_the_offered_quantity(as_operator, workshop):
    response = as_operator.post(URL, {**body(workshop, "60"), "fill": "50"}, headers=WHOLE_FORM)

    assert response.context["form"]["good"].value() == "50"
    assert response.context["outlook"].is_postable
    assert Completion.objects.count() == 0


def test_fill_never_posts(as_operator, workshop):
    as_operator.post(URL, {**body(workshop, "60"), "fill": "50", "action": "complete"})

    assert Completion.objects.count() == 0


def test_reads_units_in_quantities(as_operator, workshop):
    make_unit(item=workshop.candle, name="box", numerator="12")

    response = preview(as_operator, workshop, "2 box", **{f"actual-{workshop.wax.pk}": "4900 g"})

    assert response.context["outlook"].plan.good == Decimal(24)
    assert rows_of(response)["WAX"].line.actual == Decimal("4.9")


def test_reads_a_decimal_comma(as_operator, workshop):
    response = preview(as_operator, workshop, "5", **{f"actual-{workshop.wax.pk}": "1,5"})

    assert rows_of(response)["WAX"].line.actual == Decimal("1.5")


def test_an_actual_nobody_changed_follows_the_quantity(as_operator, workshop):
    wax = workshop.wax.pk

    response = preview(as_operator, workshop, "10", **{f"actual-{wax}": "1", f"standard-{wax}": "1"})

    assert rows_of(response)["WAX"].text == "2"
    assert rows_of(response)["WAX"].line.actual == Decimal(2)


def test_a_changed_actual_stays_and_asks_for_a_reason(as_operator, workshop):
    wax = workshop.wax.pk

    response = preview(as_operator, workshop, "10", **{f"actual-{wax}": "1.2", f"standard-{wax}": "1"})

    row = rows_of(response)["WAX"]
    assert (row.text, row.line.variance, row.must_explain) == ("1.2", Decimal("-0.8"), True)
    assert response.context["outlook"].asks_reason


def test_an_unreadable_actual_is_kept_and_explained_at_its_line(as_operator, workshop):
    response = preview(as_operator, workshop, "5", **{f"actual-{workshop.wax.pk}": "a lot"})

    row = rows_of(response)["WAX"]
    assert row.text == "a lot"
    assert "“a lot” is not a quantity" in row.error
    assert not response.context["outlook"].is_postable


def test_typed_lines_are_kept_while_the_quantity_cannot_be_read(as_operator, workshop):
    name = f"actual-{workshop.wax.pk}"

    response = preview(as_operator, workshop, "abc", **{name: "1.2"})

    assert (name, "1.2") in response.context["outlook"].carried
    assert f'<input type="hidden" name="{name}" value="1.2">' in response.content.decode()


def test_a_quantity_finer_than_the_step_is_explained_at_the_field(as_operator, workshop):
    response = preview(as_operator, workshop, "2.5")

    assert "not a multiple of its step 1" in response.context["form"].errors["good"][0]


def test_lots_are_offered_and_can_be_chosen(as_operator, workshop):
    wax = workshop.wax.pk

    opened = as_operator.post(URL, {**body(workshop, "5"), "choose": str(wax)}, headers=PREVIEW)
    first, second = lot_of(workshop.wax, "L-1").pk, lot_of(workshop.wax, "L-2").pk
    chosen = preview(
        as_operator,
        workshop,
        "5",
        open=str(wax),
        **{f"lot-{wax}-{first}": "", f"lotwas-{wax}-{first}": "1", f"lot-{wax}-{second}": "1"},
    )

    assert [(lot.code, lot.text) for lot in rows_of(opened)["WAX"].lots] == [("L-1", "1"), ("L-2", "")]
    assert [(pick.lot_code, pick.quantity) for pick in rows_of(chosen)["WAX"].picks] == [("L-2", Decimal(1))]


@pytest.mark.parametrize("may", [True, False])
def test_expired_lots_are_offered_last_and_only_to_who_may_use_them(client, workshop, may):
    client.force_login(make_user(role="planner" if may else "operator"))
    wax, yesterday = workshop.wax.pk, timezone.localdate() - timedelta(days=1)
    put_on_hand(workshop.wax, workshop.place, "5", lot="OLD", expires_on=yesterday, status=StockStatus.EXPIRED)

    opened = client.post(URL, {**body(workshop, "5"), "choose": str(wax)}, headers=PREVIEW)
    chosen = preview(client, workshop, "5", open=str(wax), **{f"lot-{wax}-{lot_of(workshop.wax, 'OLD').pk}": "1"})

    offered = ["L-1", "L-2", "OLD"] if may else ["L-1", "L-2"]
    assert [lot.code for lot in rows_of(opened)["WAX"].lots] == offered
    assert ("Say why it is used all the same" in chosen.content.decode()) is may
    assert chosen.context["outlook"].is_postable is False


def test_lots_nobody_changed_follow_the_quantity(as_operator, workshop):
    wax, first = workshop.wax.pk, lot_of(workshop.wax, "L-1").pk

    response = preview(
        as_operator, workshop, "10", open=str(wax), **{f"lot-{wax}-{first}": "1", f"lotwas-{wax}-{first}": "1"}
    )

    assert [(lot.code, lot.text) for lot in rows_of(response)["WAX"].lots] == [("L-1", "2"), ("L-2", "")]


def test_over_completion_says_what_is_left_and_offers_it(as_operator, workshop):
    order = open_work_order(item=workshop.candle, planned=Decimal(10), output_location=workshop.place, actor=None)

    response = preview(as_operator, workshop, "12", order=order)

    assert "at most 10 more may be completed" in response.content.decode()
    assert response.context["outlook"].allowed == Decimal(10)


def test_a_component_outside_the_bom_joins_the_lines(as_operator, workshop):
    dye = make_item(sku="DYE")
    put_on_hand(dye, workshop.place, "3", value="3.00")

    response = as_operator.post(URL, {**body(workshop, "5"), "add": "dye", "add_component": "1"}, headers=PREVIEW)

    assert rows_of(response)["DYE"].is_extra
    assert rows_of(response)["DYE"].takes_input


def test_what_would_be_published_is_asked_from_the_apps_above(as_operator, workshop):
    asked = []

    def outlook(changes):
        asked.append(changes)
        return [PublishedChange("Web shop", "", Decimal(96), Decimal(128), "pcs")]

    register_publication_outlook("test", outlook)
    try:
        response = preview(as_operator, workshop, "5")
    finally:
        unregister_publication_outlook("test")

    assert asked == [{workshop.candle.pk: Decimal(5), workshop.wax.pk: Decimal(-1), workshop.wick.pk: Decimal(-5)}]
    assert "Web shop" in response.content.decode()


def test_costs_the_same_number_of_queries_whatever_the_number_of_lines(as_operator, workshop):
    def queries(count):
        item = make_item()
        parts = [make_item(tracking="lot") for n in range(count)]
        for part in parts:
            put_on_hand(part, workshop.place, "9", value="9.00", lot="P")
        make_bom(item=item, lines=[(part, "1") for part in parts])
        fields = {f"actual-{part.pk}": "2 dozen" if n % 2 else "3" for n, part in enumerate(parts)}
        data = {
            "key": str(uuid4()), "item": str(item.pk), "good": "1", "output_location": "FINISHED",
            "open": [str(part.pk) for part in parts], **fields,
        }  # fmt: skip
        if count == 1:
            data[f"actual-{parts[0].pk}"] = "2 dozen"
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert as_operator.post(URL, data, headers=PREVIEW).status_code == 200
        return len(captured)

    queries(1)

    assert queries(1) == queries(20)


# --- Posting ----------------------------------------------------------------------------------------------------------


def test_posts_and_tells_what_happened_with_undo(as_operator, workshop):
    response = as_operator.post(URL, {**body(workshop, "5"), "action": "complete"}, follow=True)

    done = Completion.objects.get()
    assert on_hand(workshop.candle, location=workshop.finished) == 5
    assert on_hand(workshop.wax) == 9
    assert response.redirect_chain == [(URL, 302)]
    assert toasts(response)[0].startswith("Completed 5 × CANDLE · 2 lines issued · cost 5.00 · <a href=")
    assert f'action="/make/completions/{done.posting_id}/undo/"' in response.content.decode()
    assert [one.posting_id for one in response.context["recent"]] == [done.posting_id]


def test_sends_htmx_to_a_fresh_page(as_operator, workshop):
    response = as_operator.post(URL, {**body(workshop), "action": "complete"}, headers=WHOLE_FORM)

    assert (response.status_code, response["HX-Redirect"]) == (204, URL)


def test_the_same_form_sent_twice_posts_once(as_operator, workshop):
    data = {**body(workshop, "5"), "action": "complete"}

    first, second = as_operator.post(URL, data), as_operator.post(URL, data)

    assert (first.status_code, second.status_code) == (302, 302)
    assert Posting.objects.filter(kind=PostingKind.COMPLETION).count() == 1
    assert on_hand(workshop.candle) == 5


def test_a_used_form_with_other_figures_is_refused_and_gets_a_new_key(as_operator, workshop):
    data = {**body(workshop, "5"), "action": "complete"}
    as_operator.post(URL, data)

    response = as_operator.post(URL, {**data, "good": "6"})

    assert response.status_code == 422
    assert "posted before with other figures" in response.content.decode()
    assert response.context["form"]["key"].value() != data["key"]
    assert on_hand(workshop.candle) == 5


def test_posts_the_actuals_with_reasons_and_chosen_lots(as_operator, workshop):
    wax, second = workshop.wax.pk, lot_of(workshop.wax, "L-2").pk

    response = post(
        as_operator,
        workshop,
        "5",
        **{f"actual-{wax}": "1.25", f"standard-{wax}": "1", f"why-{wax}": "Spilled", f"lot-{wax}-{second}": "1250 g"},
    )

    assert response.status_code == 302
    line = Completion.objects.get().lines.get(component=workshop.wax)
    assert (line.expected, line.actual, line.reason) == (Decimal(1), Decimal("1.25"), "Spilled")
    assert on_hand(workshop.wax, lot="L-2") == Decimal("4.75")


def test_a_shortage_is_refused_in_words_and_keeps_what_was_typed(as_operator, workshop):
    wax = workshop.wax.pk

    response = post(
        as_operator, workshop, "60", note="Night shift", **{f"actual-{wax}": "11.5", f"why-{wax}": "Spilled"}
    )

    content = response.content.decode()
    assert response.status_code == 422
    assert "this completion needs 11.5 kg" in content
    assert 'value="60"' in content
    assert 'value="Night shift"' in content
    assert 'value="11.5"' in content
    assert 'value="Spilled"' in content
    assert Completion.objects.count() == 0


def test_a_refused_form_can_be_corrected_with_the_same_key(as_operator, workshop):
    data = {**body(workshop, "60"), "action": "complete"}

    refused, posted = as_operator.post(URL, data), as_operator.post(URL, {**data, "good": "50"})

    assert (refused.status_code, posted.status_code) == (422, 302)
    assert on_hand(workshop.candle) == 50


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"good": ""}, "good", "How many were made?"),
        ({"good": "x"}, "good", "is not a quantity"),
        ({"good": "-3"}, "good", "positive"),
        ({"scrapped": "2"}, "scrap_reason", "Scrap needs a reason"),
        ({"output_location": ""}, "output_location", "Where does the finished CANDLE go?"),
        ({"output_location": "ATTIC"}, "output_location", "No own place is called “ATTIC”"),
    ],
)
def test_a_wrong_field_is_explained_where_it_is(as_operator, workshop, fields, field, words):
    response = as_operator.post(URL, {**body(workshop), **fields, "action": "complete"})

    assert response.status_code == 422
    assert words in " ".join(response.context["form"].errors[field])
    assert Completion.objects.count() == 0


def test_scrap_alone_is_recorded(as_operator, workshop):
    response = as_operator.post(
        URL, {**body(workshop, ""), "scrapped": "3", "scrap_reason": "Broken", "action": "complete"}, follow=True
    )

    done = Completion.objects.get()
    assert (done.good, done.scrapped, done.scrap_reason) == (0, 3, "Broken")
    assert toasts(response)[0].startswith("Scrapped 3 × CANDLE · 2 lines issued")


def test_above_the_plan_needs_a_reason(as_operator, workshop):
    workshop.candle.over_completion_percent = Decimal(20)
    workshop.candle.save()
    order = open_work_order(item=workshop.candle, planned=Decimal(10), output_location=workshop.place, actor=None)

    refused = post(as_operator, workshop, "11", order=order)
    posted = post(as_operator, workshop, "11", order=order, reason="The batch gave one more")

    order.refresh_from_db()
    assert (refused.status_code, posted.status_code) == (422, 302)
    assert refused.context["outlook"].asks_reason
    assert (order.good, order.state) == (Decimal(11), WorkOrderState.DONE)


def test_a_deviation_without_a_reason_is_refused(as_operator, workshop):
    response = post(as_operator, workshop, "5", **{f"actual-{workshop.wax.pk}": "2"})

    assert response.status_code == 422
    assert "WAX: standard 1, actual 2 kg" in response.content.decode()
    assert Completion.objects.count() == 0


def test_an_added_component_without_a_quantity_is_left_out(as_operator, workshop):
    dye = make_item(sku="DYE")

    post(as_operator, workshop, "5", extra=str(dye.pk), **{f"actual-{dye.pk}": ""})

    assert list(Completion.objects.get().lines.values_list("component__sku", flat=True)) == ["WAX", "WICK"]


def test_an_added_component_is_consumed(as_operator, workshop):
    dye = make_item(sku="DYE")
    put_on_hand(dye, workshop.place, "3", value="3.00")

    post(as_operator, workshop, "5", extra=str(dye.pk), **{f"actual-{dye.pk}": "2", f"why-{dye.pk}": "Red ones"})

    assert on_hand(dye) == 1


def test_a_date_is_ignored_from_somebody_who_may_not_backdate(as_operator, workshop):
    post(as_operator, workshop, "5", made_on="2020-01-01")

    assert Completion.objects.get().posting.effective_at.year > 2020


def test_a_privileged_person_can_give_the_day(client, workshop):
    client.force_login(make_user(superuser=True))
    yesterday = timezone.localdate() - timedelta(days=1)
    for item, lot in ((workshop.wax, "L-0"), (workshop.wick, "")):
        put_on_hand(item, workshop.place, "50", value="5.00", lot=lot, effective_at=timezone.now() - timedelta(days=9))

    response = post(client, workshop, "5", made_on=yesterday.isoformat())

    assert response.status_code == 302
    assert timezone.localdate(Completion.objects.get().posting.effective_at) == yesterday


def test_lists_recent_completions_newest_first_at_a_fixed_number_of_queries(as_operator, workshop):
    complete(workshop.candle, "1", into=workshop.finished)
    as_operator.get(URL)
    with CaptureQueriesContext(connection) as one:
        as_operator.get(URL)
    for _ in range(8):
        complete(workshop.candle, "2", into=workshop.finished)

    with CaptureQueriesContext(connection) as many:
        response = as_operator.get(URL)

    assert len(one) == len(many)
    assert [done.good for done in response.context["recent"]] == [Decimal(2)] * 8 + [Decimal(1)]


def test_an_error_is_tied_to_its_field_for_people_who_listen(as_operator, workshop):
    content = post(as_operator, workshop, "x").content.decode()

    assert 'aria-describedby="completion-good_error"' in content
    assert 'id="completion-good_error"' in content


def test_a_form_without_a_key_still_posts(as_operator, workshop):
    response = as_operator.post(URL, {**body(workshop), "key": "nonsense", "action": "complete"})

    assert response.status_code == 302
    assert on_hand(workshop.candle) == 5


# --- Lots that exist --------------------------------------------------------------------------------------------------


@pytest.fixture
def lot_tracked(workshop):
    soap = make_item(sku="SOAP", tracking="lot", shelf_life_days=730, kind="product")
    make_bom(item=soap, lines=[(workshop.wick, "1")])
    tomorrow = timezone.localdate() + timedelta(days=1)
    complete(soap, "2", into=workshop.finished, output_lot_code="B-7", expires_on=tomorrow)
    return soap


def test_more_is_recorded_into_the_lot_of_yesterday(as_operator, workshop, lot_tracked):
    response = post(as_operator, workshop, "3", item=str(lot_tracked.pk), what="SOAP", output_lot_code="B-7")

    assert response.status_code == 302
    assert on_hand(lot_tracked, lot="B-7") == 5


def test_a_refusal_that_the_preview_does_not_know_is_shown_all_the_same(as_operator, workshop, monkeypatch):
    def refuse(**_):
        raise LotMismatch("Lot B-7 went elsewhere a moment ago.")

    monkeypatch.setattr("production.views.recording.complete_production", refuse)

    response = post(as_operator, workshop, "3")

    assert response.status_code == 422
    assert "Lot B-7 went elsewhere a moment ago." in response.content.decode()
