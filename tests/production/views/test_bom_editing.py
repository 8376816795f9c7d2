"""The editor of a draft: what is typed is checked and costed, nothing of it is lost, and it is saved as a whole."""

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import ItemKind
from production.models import Bom
from production.operations.boms import draft_from
from production.reads.bom_content import content_of
from tests.factories import make_item, make_unit
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(workshop):
    return draft_from(bom=workshop.bom, actor=None)


def url(draft):
    return f"/make/boms/{draft.pk}/edit/"


def head(draft, **fields):
    return {"revision": str(draft.revision), "makes": "1", "deviation_policy": "reason", "save": "1", **fields}


def line(number, component, quantity="1", **fields):
    return {
        f"line-{number}-{name}": value
        for name, value in {"component": component, "quantity": quantity, **fields}.items()
    }


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_a_viewer_may_not_edit(as_viewer, draft):
    assert as_viewer.get(url(draft)).status_code == 403


def test_shows_every_line_as_it_was_typed(as_planner, draft):
    response = as_planner.get(url(draft))

    rows = response.context["editor"].rows.lines
    assert [(row.text("component"), row.text("quantity"), row.text("unit")) for row in rows] == [
        ("WAX", "200", "g"),
        ("WICK", "1", ""),
    ]
    assert response.context["rollup"].unit_cost == Decimal("1.0")  # 0.2 kg at 4.50 and one wick at 0.10


def test_a_version_that_is_no_draft_leads_to_its_page(as_planner, workshop):
    response = as_planner.get(url(workshop.bom))

    assert (response.status_code, response.url) == (302, f"/make/boms/{workshop.bom.pk}/")


def test_saves_everything_at_once(as_planner, draft):
    make_item(sku="DROSS", unit="kg", step="0.001")
    make_item(sku="WICK-B")
    fields = {
        **head(draft, makes="40", process_loss_percent="2.5", instructions="Melt.\r\nPour.", capacity_per_day="200"),
        **line(0, "wax", "7600 g", scrap_percent="1.5", reference="A"),
        **line(1, "WICK", "40", **{"sub-0-item": "WICK-B", "sub-0-ratio": "2"}, is_optional="on", note="trim"),
        "output-0-item": "DROSS",
        "output-0-quantity": "0.3",
        "output-0-kind": "by_product",
        "output-0-cost_share_percent": "2",
        "operation-0-name": "Pour",
        "operation-0-kind": "labour",
        "operation-0-minutes": "30",
        "operation-0-rate_per_hour": "24",
    }

    response = as_planner.post(url(draft), fields)

    assert (response.status_code, response.url) == (302, url(draft))
    content = content_of(draft)
    assert (content.head.makes, content.head.process_loss_percent, content.head.instructions) == (
        Decimal(40),
        Decimal("2.5"),
        "Melt.\nPour.",
    )
    wax, wick = content.lines
    assert (wax.component.sku, wax.quantity, wax.unit, wax.scrap_percent, wax.reference) == (
        "WAX",
        Decimal(7600),
        "g",
        Decimal("1.5"),
        "A",
    )
    assert (wick.is_optional, wick.note, [(s.item.sku, s.ratio) for s in wick.substitutes]) == (
        True,
        "trim",
        [("WICK-B", Decimal(2))],
    )
    assert [(o.item.sku, o.quantity, o.cost_share_percent) for o in content.outputs] == [
        ("DROSS", Decimal("0.3"), Decimal(2))
    ]
    assert [(o.name, o.minutes, o.rate_per_hour) for o in content.operations] == [("Pour", Decimal(30), Decimal(24))]
    assert Bom.objects.get(pk=draft.pk).revision == draft.revision + 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (line(0, "NOPE"), "There is no item with SKU or barcode “NOPE”"),
        (line(0, "WAX", "lots"), "is not a quantity"),
        (line(0, "WAX", ""), "How much of it?"),
        (line(0, "WAX", "1 kg", unit="g"), "The quantity says kg, the unit says g"),
        (line(0, "WAX", "1", unit="box"), "box"),
        (line(0, "WAX", "1", scrap_percent="-1"), "no scrap %"),
        (line(0, "CANDLE", "1"), "makes a loop: CANDLE -&gt; CANDLE"),
        (line(0, "GIFT", "1"), "makes a loop: CANDLE -&gt; GIFT -&gt; CANDLE"),
        (line(0, "GONE", "1"), "GONE is inactive"),
        ({**line(0, "WAX"), "output-0-item": "CANDLE", "output-0-quantity": "1"}, "is what this BOM makes"),
        ({**line(0, "WAX"), "operation-0-minutes": "5"}, "An operation needs a name"),
        ({**line(0, "WAX"), "makes": "0"}, "is no BOM"),
    ],
)
def test_what_is_wrong_is_told_and_everything_typed_stays(as_planner, draft, workshop, fields, words):
    make_item(sku="GONE", is_active=False)
    make_bom(item=make_item(sku="GIFT"), lines=[(workshop.candle, "2")])
    before = content_of(draft)
    typed = {**head(draft), **line(7, "WICK", "3", reference="as typed", note="kept"), **fields}

    response = as_planner.post(url(draft), typed)

    page = response.content.decode()
    assert response.status_code == 422
    assert words in page
    for value in ("as typed", "kept", *[value for name, value in fields.items() if name != "makes"]):
        assert f'value="{value}"' in page
    assert content_of(draft) == before


def test_the_second_to_save_is_told_keeps_what_they_typed_and_may_write_over(as_planner, draft):
    mine = {**head(draft), **line(0, "WICK", "5")}
    as_planner.post(url(draft), {**head(draft), **line(0, "WICK", "2")})

    told = as_planner.post(url(draft), mine)

    assert told.status_code == 422
    assert "was saved by somebody else" in told.content.decode()
    assert "quantity 2 pcs → 5 pcs" in text_of(told)
    assert 'value="5"' in told.content.decode()
    assert content_of(draft).lines[0].quantity == Decimal(2)
    over = {name: value for name, value in mine.items() if name != "save"}
    assert as_planner.post(url(draft), {**over, "over": "2"}).status_code == 302
    assert content_of(draft).lines[0].quantity == Decimal(5)


def test_lines_move_and_go_by_their_buttons_and_nothing_is_saved(as_planner, draft):
    fields = {**head(draft), **line(0, "WAX", "1"), **line(1, "WICK", "2")}
    del fields["save"]

    up = as_planner.post(url(draft), {**fields, "move": "up:line-1"})
    gone = as_planner.post(url(draft), {**fields, "remove": "line-0"})

    def skus(response):
        return [row.text("component") for row in response.context["editor"].rows.lines]

    assert (skus(up), skus(gone)) == (["WICK", "WAX"], ["WICK"])
    assert [one.component.sku for one in content_of(draft).lines] == ["WAX", "WICK"]


def test_dragging_gives_the_order_by_positions(as_planner, draft):
    fields = {**line(0, "WAX", "1", position="1"), **line(1, "WICK", "2", position="0")}

    as_planner.post(url(draft), {**head(draft), **fields})

    assert [one.component.sku for one in content_of(draft).lines] == ["WICK", "WAX"]


def test_substitutes_keep_and_change_their_order(as_planner, draft):
    for sku in ("S-1", "S-2"):
        make_item(sku=sku)
    fields = {**head(draft), **line(0, "WICK", "1", **{"sub-0-item": "S-1", "sub-1-item": "S-2"})}
    del fields["save"]

    moved = as_planner.post(url(draft), {**fields, "move": "down:line-0-sub-0"})

    (row,) = moved.context["editor"].rows.lines
    assert [one.text("item") for one in row.substitutes] == ["S-2", "S-1"]


def test_cost_and_buildable_follow_what_is_typed_before_it_is_saved(as_planner, draft):
    typed = {**head(draft), **line(0, "WAX", "0.5", unit="kg"), **line(1, "WICK", "2"), "refresh": "1"}

    part = as_planner.post(url(draft), typed, headers={"HX-Request": "true", "HX-Target": "bom-live"})

    assert part.context["rollup"].unit_cost == Decimal("2.45")
    assert part.context["buildable"].quantity == Decimal(20)
    assert "Limited by WAX" in text_of(part)
    assert 'id="line-0-figure" hx-swap-oob="true"' in part.content.decode()
    assert "<html" not in part.content.decode()


def test_a_line_that_is_still_empty_is_no_mistake_while_one_types(as_planner, draft):
    part = as_planner.post(url(draft), {**head(draft), **line(0, "WAX", ""), "refresh": "1"})

    assert part.status_code == 200
    assert part.context["editor"].messages == 0


def test_made_components_and_phantoms_can_be_opened(as_planner, draft, workshop):
    phantom = make_item(sku="PACK", kind=ItemKind.PHANTOM)
    box = make_item(sku="BOX", standard_cost=Decimal(2))
    make_bom(item=phantom, lines=[(box, "3")])

    response = as_planner.post(url(draft), {**head(draft), **line(0, "PACK", "2"), "refresh": "1"})

    (shown, _blank) = response.context["lines"]
    assert [(part.item.sku, part.quantity, cost) for part, cost in shown.parts] == [("BOX", 6, Decimal(12))]
    assert response.context["rollup"].unit_cost == Decimal(12)


def test_an_unknown_cost_is_unknown_and_named(as_planner, draft):
    make_item(sku="MYSTERY")

    response = as_planner.post(url(draft), {**head(draft), **line(0, "MYSTERY", "1"), "refresh": "1"})

    assert response.context["rollup"].unit_cost is None
    assert "MYSTERY has no known cost" in text_of(response)


PASTE = "Part\tQty\tUoM\tScrap %\tReference\nWAX\t0,2\tkg\t1.5\tA\nNOPE\t1\t\t\t\nWICK\tmany\t\t\t\nWICK\t2\t\t\tB\n"


def test_a_paste_is_shown_row_by_row_before_anything_is_added(as_planner, draft):
    fields = {**head(draft), **line(0, "WICK", "9"), "paste": PASTE, "paste_check": "1"}

    response = as_planner.post(url(draft), fields)

    paste = response.context["editor"].paste
    assert [(one.number, one.row is not None) for one in paste.rows] == [(2, True), (3, False), (4, False), (5, True)]
    assert "There is no item with SKU, barcode or name “NOPE”" in text_of(response)
    assert "Add 2 lines without the 2 not understood" in text_of(response)
    assert len(response.context["editor"].rows.lines) == 1
    assert PASTE.replace("\t", "\t").splitlines()[1] in response.content.decode()


def test_a_paste_finds_components_by_their_whole_name_unless_several_have_it(as_planner, draft):
    make_item(sku="JAR-S", name="Glass jar")
    make_item(sku="LID-1", name="Lid")
    make_item(sku="LID-2", name="lid")
    make_item(sku="LID-3", name="LID", is_active=False)
    make_item(sku="BOX-7", name="wick")
    pasted = "Part\tQty\nglass JAR\t2\nLid\t1\nGlass\t1\nWICK\t3\n"

    checked = as_planner.post(url(draft), {**head(draft), "paste": pasted, "paste_check": "1"})
    added = as_planner.post(url(draft), {**head(draft), "paste": pasted, "paste_add": "1"})

    paste = checked.context["editor"].paste
    rows = added.context["editor"].rows.lines
    assert [(row.text("component"), row.text("quantity")) for row in rows] == [("JAR-S", "2"), ("WICK", "3")]
    assert [one.row is not None for one in paste.rows] == [True, False, False, True]
    assert paste.rows[0].messages == ["Found by its name."]
    assert paste.rows[1].messages == ["2 items are called “Lid”: LID-1, LID-2. Give the SKU of the one that is meant."]
    assert paste.rows[3].messages == []


def test_what_was_understood_of_a_paste_is_added_below_what_was_typed(as_planner, draft):
    fields = {**head(draft), **line(0, "WICK", "9"), "paste": PASTE, "paste_add": "1"}
    del fields["save"]

    response = as_planner.post(url(draft), fields)

    rows = response.context["editor"].rows.lines
    assert [(row.text("component"), row.text("quantity"), row.text("unit"), row.text("reference")) for row in rows] == [
        ("WICK", "9", "", ""),
        ("WAX", "0.2", "kg", "A"),
        ("WICK", "2", "", "B"),
    ]
    assert rows[1].text("scrap_percent") == "1.5"
    assert len(content_of(draft).lines) == 2


def test_a_barcode_names_a_component_too(as_planner, draft, workshop):
    workshop.wick.barcode = "4006381333948"
    workshop.wick.save()
    make_unit(item=workshop.wick, name="box", numerator="50")

    as_planner.post(url(draft), {**head(draft), **line(0, "4006381333948", "2", unit="box")})

    (stored,) = content_of(draft).lines
    assert (stored.component.sku, stored.unit) == ("WICK", "box")


def test_costs_the_same_queries_with_1_and_20_lines(as_planner, workshop):
    def queries(count):
        item = make_item()
        bom = make_bom(item=item, lines=[(make_item(), "1") for _ in range(count)], state="draft")
        with CaptureQueriesContext(connection) as found:
            assert as_planner.get(url(bom)).status_code == 200
        with CaptureQueriesContext(connection) as typed:
            fields = {}
            for number, one in enumerate(bom.lines.select_related("component")):
                fields |= line(number, one.component.sku)
            as_planner.post(url(bom), {**head(bom), **fields, "refresh": "1"})
        return len(found), len(typed)

    queries(1)
    assert queries(1) == queries(20)
