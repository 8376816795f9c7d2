from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.importing.headers import find_columns
from inventory.importing.running import Mode, import_kinds, kind_named, run_import
from inventory.importing.tables import Row, Table
from inventory.models import Item, ItemCategory, ItemUnit
from tests.factories import make_item, make_location, make_unit, put_on_hand

pytestmark = pytest.mark.django_db


def check(text, **options):
    return run_items(text, Mode.CHECK, **options)


def run_items(text, mode=Mode.ALL, **options):
    return run_import(
        kind=kind_named("items"), content=text.encode(), file_name="items.csv", actor=None, mode=mode, **options
    )


def shown(report):
    return [(r.row, str(r.outcome), r.label, [(c.field, c.old, c.new) for c in r.changes]) for r in report.results]


def test_makes_new_items_with_sensible_units_and_steps():
    report = run_items(
        "SKU,Name,Unit,Unit cost,Category\nWAX,Soy wax,KG,4.60,Wax/Soy\nJAR,Jar,ea,0.74,\nSHEET,Sheet,m2,,\n"
    )

    assert report.is_applied
    wax, jar, sheet = (Item.objects.get(sku=sku) for sku in ("WAX", "JAR", "SHEET"))
    assert (wax.stock_unit, wax.step, wax.standard_cost) == ("kg", Decimal("0.001"), Decimal("4.60"))
    assert (jar.stock_unit, jar.step) == ("pcs", Decimal(1))
    assert (sheet.step, sheet.standard_cost) == (Decimal("0.000001"), None)
    assert (wax.category.name, wax.category.parent.name) == ("Soy", "Wax")
    assert wax.history.get().history_change_reason == "import"


def test_a_check_shows_what_the_import_does_and_writes_nothing():
    make_item(sku="JAR", name="Jar")
    text = "SKU,Name,Reorder point,Active\nJAR,Glass jar,50,no\nLID,Lid,,\n"

    seen = check(text)
    before = Item.objects.get(sku="JAR").name
    done = run_items(text, expected=seen.fingerprint)

    assert before == "Jar"
    assert not seen.is_applied
    assert done.is_applied
    assert shown(seen) == shown(done)
    assert shown(seen) == [
        (2, "changed", "JAR", [("Name", "Jar", "Glass jar"), ("Active", "yes", "no"), ("Reorder point", "", "50")]),
        (3, "new", "LID", [("Name", "", "Lid"), ("Unit", "", "pcs")]),
    ]
    assert (Item.objects.get(sku="JAR").is_active, Item.objects.filter(sku="LID").exists()) == (False, True)


def test_a_second_import_changes_nothing():
    text = "SKU,Name,Unit,Standard cost,Kind,Pack,Pack quantity,Category\nWAX,Soy wax,kg,4.60,material,carton,20,Wax\n"
    run_items(text)
    history = Item.history.count()

    again = run_items(text)

    assert again.counts() == {"new": 0, "changed": 0, "unchanged": 1, "skipped": 0, "refused": 0}
    assert (Item.history.count(), ItemUnit.objects.count(), ItemCategory.objects.count()) == (history, 1, 1)


def test_empty_cells_and_missing_columns_leave_what_is_there():
    make_item(sku="JAR", name="Jar", barcode="123", note="keep", reorder_point=Decimal(7))

    report = run_items("sku,Name,Barcode,Reorder point\njar,,,\n")

    jar = Item.objects.get(sku="JAR")
    assert report.counts()["unchanged"] == 1
    assert (jar.name, jar.barcode, jar.note, jar.reorder_point) == ("Jar", "123", "keep", Decimal(7))


def test_every_problem_is_told_with_row_column_and_what_is_needed_and_nothing_is_written():
    text = (
        "SKU,Name,Kind,Unit,Standard cost,Shelf life (days),Inspection\n"
        "A,First,gadget,pcs,1,2,\n"
        'B,Second,,pcs,"1,250",two,perhaps\n'
        ",Third,,,,,\n"
        "C,Fourth,,pcs,€ 3,,\n"
        "c,Fifth,,pcs,,,\n"
        "D,Sound,,pcs,2,,\n"
    )

    report = run_items(text)

    assert not report.is_applied
    assert [(p.row, p.column, p.given) for p in report.problems] == [
        (2, "Kind", "gadget"),
        (3, "Standard cost", "1,250"),
        (3, "Shelf life (days)", "two"),
        (3, "Inspection", "perhaps"),
        (4, "SKU", ""),
        (5, "Standard cost", "€ 3"),
        (6, "SKU", "c"),
    ]
    assert str(report.problems[1]) == "Row 3, Standard cost: “1,250” may mean 1250 or 1.250. Write one of these."
    assert report.counts()["new"] == 1
    assert not Item.objects.exists()


def test_clean_rows_alone_are_imported_when_asked_for():
    report = run_items("SKU,Name,Kind\nA,First,gadget\nB,Second,material\n", Mode.CLEAN)

    assert report.is_applied
    assert list(Item.objects.values_list("sku", flat=True)) == ["B"]


def test_figures_that_stock_stands_on_are_not_changed_by_a_file():
    item = make_item(sku="WAX", unit="kg", step="0.001")
    put_on_hand(item, make_location(), "1.5")

    report = run_items("SKU,Unit,Step,Kind\nWAX,g,0.5,phantom\n")

    assert sorted(problem.column for problem in report.problems) == ["Kind", "Step", "Unit"]
    assert "cannot become g" in next(p.message for p in report.problems if p.column == "Unit")
    item.refresh_from_db()
    assert (item.stock_unit, item.step, item.kind) == ("kg", Decimal("0.001"), "material")


def test_a_finer_step_and_another_spelling_of_the_unit_are_harmless():
    item = make_item(sku="WAX", unit="kg", step="0.01")
    put_on_hand(item, make_location(), "1.5")

    report = run_items("SKU,Unit,Step\nWAX,KG,0.001\n")

    item.refresh_from_db()
    assert report.is_applied
    assert (item.stock_unit, item.step) == ("kg", Decimal("0.001"))


def test_costs_per_another_unit_are_converted_exactly():
    run_items("SKU,Name,Unit,Cost,Cost unit\nTUBE,Tube,cm,15.09,m\n")
    run_items("SKU,Name,Unit,Cost\nWIRE,Wire,mm,2 / m\n")

    assert Item.objects.get(sku="TUBE").standard_cost == Decimal("0.1509")
    assert Item.objects.get(sku="WIRE").standard_cost == Decimal("0.002")


def test_packs_are_made_and_changed():
    item = make_item(sku="JAR")
    make_unit(item=item, name="Case", numerator="24")

    report = run_items("SKU,Pack,Pack quantity\nJAR,case,30\n")

    assert report.results[0].changes[0].new == "30"
    assert [(unit.name, unit.numerator) for unit in item.units.all()] == [("Case", Decimal(30))]


def test_rows_repeated_word_for_word_are_skipped_and_others_refused():
    same = run_items("SKU,Name\nA,One\nA,One\n", Mode.CHECK)
    other = run_items("SKU,Name\nA,One\nA,Two\n", Mode.CHECK)

    assert (same.counts()["new"], same.counts()["skipped"], same.problems) == (1, 1, [])
    assert other.problems[0].message.startswith("A stands in row 2 already")


def test_an_import_that_would_no_longer_do_what_was_shown_is_not_made():
    seen = check("SKU,Name\nA,One\n")
    make_item(sku="A", name="Made meanwhile")

    report = run_items("SKU,Name\nA,One\n", expected=seen.fingerprint)

    assert not report.is_applied
    assert Item.objects.get(sku="A").name == "Made meanwhile"


@pytest.mark.parametrize("kind", ["items", "opening_stock", "boms", "counts"])
def test_the_titles_a_template_offers_are_understood(kind):
    fields = kind_named(kind).fields
    table = Table("t.csv", "", tuple(field.title for field in fields), 1, [Row(2, ("",) * len(fields))])

    assert find_columns(table, fields).found == {field.name: place for place, field in enumerate(fields)}
    assert [one.name for one in import_kinds()] == ["items", "boms", "opening_stock", "counts"]


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows():
    counts = []
    for rows in (2, 40):
        text = "SKU,Name\n" + "".join(f"N{rows}-{n},Name {n}\n" for n in range(rows))
        with CaptureQueriesContext(connection) as queries:
            run_items(text)
        counts.append(len(queries))
    assert counts[0] == counts[1]
