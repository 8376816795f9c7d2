from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from inventory.importing.errors import UnreadableTable
from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from inventory.models import Item
from production.models import Bom
from production.operations.boms import activate_bom, create_draft
from tests.factories import make_item
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db


def run(text, mode=Mode.ALL, **options):
    return run_import(
        kind=kind_named("boms"),
        content=text.encode(),
        file_name="boms.csv",
        actor=None,
        mode=mode,
        options=ImportOptions(**options),
    )


def lines_of(sku, version=None):
    bom = Bom.objects.get(item__sku=sku, version=version) if version else Bom.objects.get(item__sku=sku, state="active")
    return [(line.component.sku, line.quantity, line.unit) for line in bom.lines.all()]


TREE = "Parent,Component,Qty,Unit\nSET,CANDLE,2,\nCANDLE,WAX,190,g\nCANDLE,WICK,1,\nSET,BOX,1,\n"


def test_a_tree_becomes_versions_in_force_with_new_items_children_first():
    report = run(TREE)

    assert report.is_applied
    assert lines_of("SET") == [("CANDLE", Decimal(2), ""), ("BOX", Decimal(1), "")]
    assert lines_of("CANDLE") == [("WAX", Decimal(190), "g"), ("WICK", Decimal(1), "")]
    kinds = {item.sku: (item.kind, item.stock_unit) for item in Item.objects.all()}
    assert kinds == {
        "SET": ("product", "pcs"),
        "CANDLE": ("sub_assembly", "pcs"),
        "WAX": ("material", "g"),
        "WICK": ("material", "pcs"),
        "BOX": ("material", "pcs"),
    }
    assert report.summary == ["5 items are made."]
    assert [(r.row, str(r.outcome), r.group) for r in report.results] == [
        (2, "new", "SET v1, in force from today"),
        (3, "new", "CANDLE v1, in force from today"),
        (4, "new", "CANDLE v1, in force from today"),
        (5, "new", "SET v1, in force from today"),
    ]


def test_a_check_says_the_same_and_writes_nothing():
    seen = run(TREE, Mode.CHECK)

    assert not Item.objects.exists()
    assert run(TREE).results == seen.results


def test_levels_give_the_parents_too():
    run("Level,Part,Quantity\n0,SET,1\n1,CANDLE,2\n2,WAX,190 g\n2,WICK,1\n1,BOX,1\n")

    assert lines_of("SET") == [("CANDLE", Decimal(2), ""), ("BOX", Decimal(1), "")]
    assert lines_of("CANDLE") == [("WAX", Decimal(190), "g"), ("WICK", Decimal(1), "")]


def test_a_level_that_is_jumped_over_is_refused():
    report = run("Level,Part,Quantity\n0,SET,1\n2,WAX,190 g\n")

    assert [(p.row, p.column) for p in report.problems] == [(3, "Level")]


def test_a_file_without_parents_is_the_bom_of_the_chosen_product():
    with pytest.raises(UnreadableTable) as refusal:
        run("Item,Qty\nWAX,190 g\n")
    run("Item,Qty\nWAX,190 g\nWICK,1\n,\n,Total: 2\n", product="CANDLE")

    assert refusal.value.context["needs"] == "product"
    assert lines_of("CANDLE") == [("WAX", Decimal(190), "g"), ("WICK", Decimal(1), "")]


def test_what_differs_becomes_a_new_version_with_its_changes_shown():
    run(TREE)

    report = run("Parent,Component,Qty,Unit\nCANDLE,WAX,200,g\nCANDLE,JAR,1,\n")

    assert [(r.row, str(r.outcome), r.label, [(c.field, c.old, c.new) for c in r.changes]) for r in report.results] == [
        (2, "changed", "WAX", [("Quantity", "190 g", "200 g")]),
        (3, "new", "JAR", [("Quantity", "", "1 pcs")]),
        (0, "changed", "WICK", [("Line", "1 pcs", "")]),
    ]
    assert lines_of("CANDLE") == [("WAX", Decimal(200), "g"), ("JAR", Decimal(1), "")]
    assert lines_of("CANDLE", version=1) == [("WAX", Decimal(190), "g"), ("WICK", Decimal(1), "")]
    assert lines_of("SET", version=1)
    assert Bom.objects.filter(item__sku="SET").count() == 1


def test_the_same_file_again_makes_no_version():
    run(TREE)

    again = run(TREE)

    assert again.counts() == {"new": 0, "changed": 0, "unchanged": 4, "skipped": 0, "refused": 0}
    assert Bom.objects.count() == 2


def test_what_the_file_has_no_column_for_is_kept_from_the_version_in_force():
    wax, candle = make_item(sku="WAX", unit="kg", step="0.001"), make_item(sku="CANDLE")
    kept = {"unit": "g", "scrap_percent": Decimal("1.5"), "note": "melt slowly", "rounding_multiple": Decimal(5)}
    make_bom(item=candle, lines=[(wax, "190", kept)], makes="2")

    run("Parent,Component,Qty,Unit\nCANDLE,WAX,200,g\n")

    bom = Bom.objects.get(item=candle, state="active")
    line = bom.lines.get()
    assert (line.quantity, line.scrap_percent, line.note, line.rounding_multiple, bom.makes) == (
        Decimal(200),
        Decimal("1.5"),
        "melt slowly",
        Decimal(5),
        Decimal(2),
    )


def test_drafts_wait_and_a_second_import_finds_the_draft():
    run(TREE, activate=False)
    again = run(TREE, activate=False)
    later = run(TREE)

    assert again.counts()["unchanged"] == 4
    assert later.counts()["new"] == 4
    assert {(bom.version, bom.state) for bom in Bom.objects.all()} == {(1, "active")}


def test_losses_marks_and_batches_come_with_their_columns():
    run(
        "Parent,Component,Qty,Unit,Makes,Scrap %,Set-up,Multiple,Consumable,Optional,Issue method,Designator,Note\n"
        'CANDLE,WAX,7.6,kg,40,"1,5",0.1,0.5,no,no,prompt,A,pour\n'
        "CANDLE,GLUE,40,,40,,,,yes,,,,\n"
    )

    bom = Bom.objects.get()
    wax, glue = bom.lines.all()
    assert bom.makes == Decimal(40)
    assert (wax.scrap_percent, wax.setup_quantity, wax.rounding_multiple, wax.issue_method) == (
        Decimal("1.5"),
        Decimal("0.1"),
        Decimal("0.5"),
        "prompt",
    )
    assert (wax.reference, wax.note, glue.is_consumable, wax.is_consumable) == ("A", "pour", True, False)


def test_phantoms_are_exploded_when_their_own_bom_is_in_the_file():
    run("Parent,Component,Qty,Kind\nCANDLE,PACK,1,phantom\nPACK,LID,1,\nPACK,BOX,1,\n")

    assert Item.objects.get(sku="PACK").kind == "phantom"
    assert Bom.objects.filter(state="active").count() == 2


def test_quantities_of_doubt_are_read_and_kept_as_typed():
    report = run("Item,Qty\nTUBE,~1m\nSHEET,(~250cm²)\nROD,1/2 inch\n", product="PRESS")

    notes = {line.component.sku: (line.quantity, line.unit, line.note) for line in Bom.objects.get().lines.all()}
    assert notes == {
        "TUBE": (Decimal(1), "m", "typed “~1m”"),
        "SHEET": (Decimal(250), "cm²", "typed “(~250cm²)”"),
        "ROD": (Decimal("0.5"), "inch", "typed “1/2 inch”"),
    }
    assert report.results[0].note == "quantity typed approximate"


def test_one_wrong_row_keeps_its_whole_bom_out_and_others_may_come_in():
    text = TREE + "LAMP,OIL,some,\nLAMP,WICK,1,\n"

    refused = run(text)
    assert (refused.is_applied, Item.objects.count()) == (False, 0)
    report = run(text, Mode.CLEAN)

    assert [(p.row, p.column, p.given) for p in report.problems] == [(6, "Qty", "some")]
    assert {r.row: r.note for r in report.results if r.outcome == "refused"} == {
        6: "",
        7: "another row of this BOM is refused",
    }
    assert sorted(Bom.objects.values_list("item__sku", flat=True)) == ["CANDLE", "SET"]
    assert not Item.objects.filter(sku__in=["LAMP", "OIL"]).exists()


def test_loops_in_the_file_are_refused_with_the_way_they_lead():
    report = run("Parent,Component,Qty\nA,B,1\nB,C,1\nC,A,1\nD,E,1\n")

    assert [p.row for p in report.problems] == [2, 3, 4]
    assert report.problems[0].message == "B makes a loop: A -> B -> C -> A. Take one of these rows out."
    assert not Bom.objects.exists()


def test_a_loop_with_what_is_stored_is_refused_at_its_row():
    a, b = make_item(sku="A"), make_item(sku="B")
    make_bom(item=b, lines=[(a, "1")])

    report = run("Parent,Component,Qty\nA,X,1\nA,B,1\n")

    assert [(p.row, p.column) for p in report.problems] == [(3, "Component")]
    assert "A -> B -> A" in report.problems[0].message


def test_a_unit_that_does_not_convert_is_refused_at_its_row():
    make_item(sku="WAX", unit="kg", step="0.001")

    other_dimension = run("Parent,Component,Qty,Unit\nCANDLE,WICK,1,\nCANDLE,WAX,1,m\n")
    unknown_word = run("Parent,Component,Qty\nCANDLE,OIL,3 knobs\n")

    assert [(p.row, p.column, p.given) for p in other_dimension.problems] == [(3, "Unit", "m")]
    assert [(p.row, p.column, p.given) for p in unknown_word.problems] == [(2, "Qty", "3 knobs")]
    assert Item.objects.count() == 1


def test_unknown_components_are_refused_when_no_items_may_be_made():
    make_item(sku="CANDLE")

    report = run("Parent,Component,Qty\nCANDLE,WAX,1\n", create_items=False)

    assert [(p.row, p.column) for p in report.problems] == [(2, "Component")]
    assert not Bom.objects.exists()


def test_components_may_be_named_by_the_name_of_one_item():
    make_item(sku="W-1", name="Soy wax", unit="kg", step="0.001")
    make_item(sku="J-1", name="Jar")
    make_item(sku="J-2", name="Jar")

    run("Parent,Component,Qty\nCANDLE,soy WAX,0.2\nCANDLE,Jar,1\n")

    assert [line[0] for line in lines_of("CANDLE")] == ["W-1", "Jar"]


def test_rows_of_another_day_and_types_that_are_not_consumed_are_skipped():
    text = (
        "Parent,Component,Qty,Start date,End date,Line type\n"
        "A,OLD,1,2024-01-01,2024-12-31,\n"
        "A,NEW,1,2025-01-01,,\n"
        "A,TOOL,1,,,tool\n"
        "A,SPARE,1,,,optional\n"
    )

    report = run(text, on=date(2025, 6, 1))

    assert [(r.row, r.note) for r in report.results if r.outcome == "skipped"] == [
        (2, "not valid on 2025-06-01"),
        (4, "line type “tool” is not consumed"),
    ]
    assert [line[0] for line in lines_of("A")] == ["NEW", "SPARE"]
    assert Bom.objects.get().lines.get(component__sku="SPARE").is_optional


def test_fractions_of_whole_things_give_new_items_a_finer_step():
    run("Parent,Component,Qty\nA,SPOOL,0.125\nA,BOLT,4\n")

    steps = dict(Item.objects.values_list("sku", "step"))
    assert (steps["SPOOL"], steps["BOLT"]) == (Decimal("0.001"), Decimal(1))


def test_a_file_that_says_what_a_planned_version_says_is_told_so():
    run(TREE)
    candle = Item.objects.get(sku="CANDLE")
    draft = create_draft(item=candle, copy_of=Bom.objects.get(item=candle), makes=Decimal(2), actor=None)
    start = timezone.localdate() + timedelta(days=30)
    activate_bom(bom=draft, effective_from=start, actor=None)

    report = run("Parent,Component,Qty,Unit,Makes\nCANDLE,WAX,190,g,2\nCANDLE,WICK,1,,2\n")

    assert {(str(one.outcome), one.group) for one in report.results} == {
        ("unchanged", f"CANDLE v2 for 2 pcs, planned from {start}")
    }
