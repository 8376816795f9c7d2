"""What the page that records completions takes beside the usual: substitutes, spoilage, by-products, lots, nested builds."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission

from inventory.models import ExceptionCase, Item, Location
from production.models import Completion
from tests.factories import make_item, make_location, make_user, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

URL = "/make/complete/"
PREVIEW = {"HX-Request": "true", "HX-Target": "completion-preview"}


@dataclass
class Bench:
    place: Location
    product: Item
    burner: Item
    tube: Item
    glass: Item
    amber: Item
    swarf: Item


@pytest.fixture
def bench(db):
    """4 glasses (10 amber ones may stand in), 2 burners made of tubes; swarf comes out; other quantities need a reason."""
    place = make_location(code="BENCH")
    tube, burner = make_item(sku="TUBE"), make_item(sku="BURNER", kind="sub_assembly")
    glass, amber = make_item(sku="GLASS", negative_allowed=True), make_item(sku="AMBER")
    swarf, product = make_item(sku="SWARF"), make_item(sku="LANTERN", kind="product", tracking="lot")
    make_bom(item=burner, lines=[(tube, "1")])
    make_bom(
        item=product,
        lines=[(burner, "1"), (glass, "1", {"substitutes": [(amber, "1")]})],
        outputs=[(swarf, "2", "0", "0.50")],
        deviation_policy="reason",
    )
    put_on_hand(tube, place, "50", value="50.00")
    put_on_hand(burner, place, "20", value="30.00")
    put_on_hand(glass, place, "4", value="8.00")
    put_on_hand(amber, place, "10", value="30.00")
    return Bench(place, product, burner, tube, glass, amber, swarf)


def body(bench, good="3", **fields):
    return {
        "key": str(uuid4()),
        "item": str(bench.product.pk),
        "work_order": "",
        "what": "LANTERN",
        "good": good,
        "output_location": "BENCH",
        **fields,
    }


def preview(client, bench, good="3", **fields):
    return client.post(URL, body(bench, good, **fields), headers=PREVIEW)


def post(client, bench, good="3", **fields):
    return client.post(URL, {**body(bench, good, **fields), "action": "complete"})


def rows_of(response):
    return {row.component.sku: row for row in response.context["outlook"].rows}


# --- Substitutes and spoilage -----------------------------------------------------------------------------------------


def test_a_shortage_offers_the_substitute_and_its_button_fills_it_in(as_operator, bench):
    short = preview(as_operator, bench, "6")
    (fill,) = rows_of(short)["GLASS"].fills

    filled = preview(as_operator, bench, "6", instead=f"{bench.glass.pk}-{bench.amber.pk}-{fill.fill_text}")

    assert (fill.sku, fill.fill, fill.is_enough) == ("AMBER", 2, True)
    assert (rows_of(filled)["GLASS"].text, rows_of(filled)["AMBER"].line.actual) == ("4", 2)
    assert filled.context["outlook"].is_postable


def test_a_substitute_is_posted_with_what_it_replaced(as_operator, bench):
    post(as_operator, bench, "6", **{f"sub-{bench.glass.pk}-{bench.amber.pk}": "2"})

    lines = {line.component.sku: line for line in Completion.objects.get().lines.select_related("component")}
    assert (lines["GLASS"].actual, lines["AMBER"].actual, lines["AMBER"].substitute_for) == (4, 2, bench.glass)
    assert (on_hand(bench.glass), on_hand(bench.amber)) == (0, 8)


def test_what_was_spoiled_is_used_on_top_of_the_standard_and_explains_itself(as_operator, bench):
    post(as_operator, bench, "3", **{f"spoil-{bench.glass.pk}": "1"})

    line = Completion.objects.get().lines.get(component=bench.glass)
    assert (line.expected, line.actual, line.scrapped, line.cause, line.reason) == (3, 4, 1, "scrap", "Spoiled")


def test_spoilage_follows_a_quantity_that_was_changed_after_the_last_preview(as_operator, bench):
    stale = {f"actual-{bench.glass.pk}": "1", f"standard-{bench.glass.pk}": "1", f"spoil-{bench.glass.pk}": "1"}

    post(as_operator, bench, "3", **stale)

    assert Completion.objects.get().lines.get(component=bench.glass).actual == 4


def test_a_quantity_that_cannot_be_read_keeps_everything_that_was_typed(as_operator, bench):
    response = post(as_operator, bench, "3", **{f"spoil-{bench.glass.pk}": "lots", "note": "kept"})

    assert response.status_code == 422
    row = rows_of(response)["GLASS"]
    assert (row.spoiled, row.is_more) == ("lots", True)
    assert "is not a quantity" in row.error
    assert response.context["form"]["note"].value() == "kept"
    assert Completion.objects.count() == 0


# --- Ways out of a shortage -------------------------------------------------------------------------------------------


def test_missing_sub_assemblies_are_offered_to_be_made_and_shown_as_a_tree(as_operator, bench):
    put_on_hand(bench.glass, bench.place, "40", value="80.00")
    short = preview(as_operator, bench, "25")

    shown = preview(as_operator, bench, "25", build_missing="on")
    post(as_operator, bench, "25", build_missing="on")

    assert short.context["outlook"].can_build
    assert [(row.level, row.plan.item.sku, row.plan.good) for row in shown.context["outlook"].nested] == [
        (1, "BURNER", 5)
    ]
    parent = Completion.objects.get(item=bench.product)
    assert Completion.objects.get(item=bench.burner).parent == parent
    assert (on_hand(bench.product), on_hand(bench.tube)) == (25, 45)


def test_below_zero_is_offered_only_to_those_who_may(as_operator, bench):
    assert not preview(as_operator, bench, "6").context["outlook"].can_go_below


def test_below_zero_asks_for_a_reason_and_opens_an_exception(client, bench):
    user = make_user(role="operator")
    user.user_permissions.add(Permission.objects.get(codename="go_negative"))
    client.force_login(user)

    offered = preview(client, bench, "6")
    asked = preview(client, bench, "6", may_go_below="on")
    post(client, bench, "6", may_go_below="on", reason="the crate is being unpacked")

    assert offered.context["outlook"].can_go_below
    assert asked.context["outlook"].asks_reason
    assert "needs a reason" in asked.context["outlook"].notices[0].message
    assert rows_of(asked)["GLASS"].line.actual == 6  # the lines stay in sight
    assert on_hand(bench.glass) == -2
    assert ExceptionCase.objects.get(kind="negative_stock").subject == "GLASS"


# --- What comes out ---------------------------------------------------------------------------------------------------


def test_a_by_product_is_expected_and_may_be_corrected(as_operator, bench):
    shown = preview(as_operator, bench, "3")
    post(as_operator, bench, "3", **{f"by-{bench.swarf.pk}": "5", f"bywas-{bench.swarf.pk}": "6"})

    (row,) = shown.context["outlook"].by_products
    assert (row.sku, row.expected, row.text, row.value) == ("SWARF", 6, "6", Decimal("3.00"))
    assert on_hand(bench.swarf) == 5


def test_nothing_of_a_by_product_may_come_out_and_it_stays_in_sight(as_operator, bench):
    nothing = {f"by-{bench.swarf.pk}": "0", f"bywas-{bench.swarf.pk}": "6"}

    (row,) = preview(as_operator, bench, "3", **nothing).context["outlook"].by_products
    post(as_operator, bench, "3", **nothing)

    assert (row.expected, row.text) == (6, "0")
    assert on_hand(bench.swarf) == 0


def test_several_lots_take_the_good_quantity_the_last_one_the_rest(as_operator, bench):
    post(as_operator, bench, "4", output_lots="L-1 1 2090-01-31\nL-2")

    assert (on_hand(bench.product, lot="L-1"), on_hand(bench.product, lot="L-2")) == (1, 3)


def test_lots_that_do_not_add_up_are_told_at_their_field_and_the_rest_is_shown(as_operator, bench):
    response = preview(as_operator, bench, "4", output_lots="L-1 1\nL-2 1")

    assert "add up to 2 pcs, 4 are good" in response.context["form"].errors["output_lots"][0]
    assert rows_of(response)["GLASS"].line.actual == 4
    assert not response.context["outlook"].is_postable


def test_serial_numbers_say_how_many_and_are_counted_on(as_operator, bench):
    clock = make_item(sku="CLOCK", tracking="serial")
    make_bom(item=clock, lines=[(bench.tube, "1")])
    form = {**body(bench, ""), "item": str(clock.pk), "output_lots": "C-08\nC-09", "action": "complete"}

    as_operator.post(URL, form)
    numbered = as_operator.post(
        URL, {**form, "key": str(uuid4()), "good": "3", "output_lots": "", "number": "1", "action": ""}
    )
    missing = as_operator.post(URL, {**form, "key": str(uuid4()), "good": "3", "output_lots": "C-10"})

    assert (on_hand(clock), on_hand(clock, lot="C-09")) == (2, 1)
    assert numbered.context["form"]["output_lots"].value() == "C-10\nC-11\nC-12"
    assert "1 serial number for 3 good pcs: 2 missing" in missing.context["form"].errors["output_lots"][0]
    assert missing.context["outlook"].plan.good == 3  # the components are shown all the same


# --- Once more, and far too much --------------------------------------------------------------------------------------


def test_the_last_completion_can_be_repeated(as_operator, bench):
    done = complete(bench.product, "3", into=bench.place).completion

    first = as_operator.get(URL, {"what": "LANTERN"})
    again = as_operator.get(URL, {"what": "LANTERN", "repeat": done.pk})

    assert first.context["last"] == done
    assert again.context["form"]["good"].value() == "3"
    assert again.context["outlook"].plan.good == 3


def test_a_proposed_quantity_is_filled_in_and_previewed(as_operator, bench):
    page = as_operator.get(URL, {"what": "LANTERN", "good": "3"})
    senseless = as_operator.get(URL, {"what": "LANTERN", "good": "many", "on": "yesterday"})

    assert (page.status_code, page.context["form"]["good"].value(), page.context["outlook"].plan.good) == (200, "3", 3)
    assert senseless.status_code == 200
    assert "“many” is not a quantity" in senseless.content.decode()


def test_who_may_not_backdate_is_told_that_the_proposed_day_is_another(as_operator, bench):
    page = as_operator.get(URL, {"what": "LANTERN", "good": "3", "on": "2026-01-31"}).content.decode()

    assert "proposed for 2026-01-31, and you may only record for today" in page


def test_an_unusual_quantity_is_asked_about_with_the_usual_figure_and_confirmed_for_that_figure_alone(
    as_operator, bench
):
    put_on_hand(bench.glass, bench.place, "500", value="500.00")
    put_on_hand(bench.burner, bench.place, "500", value="500.00")
    for _ in range(3):
        complete(bench.product, "2", into=bench.place)

    asked = post(as_operator, bench, "30")
    for_another = post(as_operator, bench, "40", confirmed="30")
    posted = post(as_operator, bench, "30", confirmed="30")

    assert asked.status_code == for_another.status_code == 422
    assert "30 pcs of LANTERN is far more than the usual 2" in asked.content.decode()
    assert posted.status_code == 302
    assert on_hand(bench.product) == 36


# --- Time of work ------------------------------------------------------------------------------------------------------


def test_minutes_are_asked_where_the_bom_takes_time_and_charged_as_typed(as_operator, bench):
    hour = {"kind": "labour", "minutes": Decimal(6), "rate_per_hour": Decimal(20)}
    polished = make_item(sku="POLISHED", kind="product")
    make_bom(item=polished, lines=[(bench.tube, "1")], operations=[hour])
    assert "Minutes of labour" not in as_operator.get(f"{URL}?what=LANTERN").content.decode()
    page = as_operator.get(f"{URL}?what=POLISHED").content.decode()
    assert "Minutes of labour" in page
    assert "Minutes of machines" not in page

    fields = {"item": str(polished.pk), "what": "POLISHED", "labour_minutes": "90"}
    refused = post(as_operator, bench, "10", **{**fields, "labour_minutes": "-1"})
    assert refused.status_code == 422
    assert "minutes of work cannot be" in refused.content.decode()
    assert post(as_operator, bench, "10", **fields).status_code == 302
    done = Completion.objects.get(item=polished)
    assert (done.operation_value, done.work.get().planned_minutes) == (30, 60)
    shown = as_operator.get(f"/make/completions/{done.pk}/").content.decode()
    assert "Labour, 90 of 60 min planned" in shown
