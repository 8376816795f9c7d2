import io
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from inventory.importing.errors import UnreadableTable
from inventory.models import Item
from production.models import Bom
from tests.data_sets.building import check, import_all, make_and_take_back
from tests.data_sets.sources import content, needs
from tests.factories import make_location

pytestmark = [needs("precious_plastic"), pytest.mark.django_db]


def sheetpress(suffix):
    """The file as its keeper would mend it: the one row without a quantity gets one."""
    raw = content("precious_plastic", f"Sheetpress_BOM.{suffix}")
    if suffix == "csv":
        return raw.replace(b"Misc.,White Primer,,", b"Misc.,White Primer,1.0,")
    book = load_workbook(io.BytesIO(raw))
    sheet = book.worksheets[0]
    row = next(row for row in sheet.iter_rows() if row[1].value == "White Primer")
    row[2].value = 1
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_the_extruder_is_one_bom_made_and_taken_back(suffix):
    file = content("precious_plastic", f"Extruder_BOM.{suffix}")

    report = import_all("boms", file, f"Extruder.{suffix}", product="EXTRUDER")

    assert report.counts() == {"new": 49, "changed": 0, "unchanged": 0, "skipped": 1, "refused": 0}
    line = Bom.objects.get(item__sku="EXTRUDER").lines.get(component__sku__startswith="Seamless tube stock")
    assert (line.quantity, line.unit, line.component.stock_unit) == (Decimal("0.75"), "m", "m")
    made = make_and_take_back(Item.objects.get(sku="EXTRUDER"), make_location())
    assert sum(made.needs.bought.values()) == Decimal("133.54")
    assert len(made.needs.bought) == 49


def test_a_file_without_a_parent_column_asks_for_its_product():
    with pytest.raises(UnreadableTable, match="it is the BOM of one product"):
        check("boms", content("precious_plastic", "Extruder_BOM.csv"), "Extruder.csv")


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_the_sheetpress_lacks_one_quantity_which_is_reported_and_mended(suffix):
    report = check("boms", content("precious_plastic", f"Sheetpress_BOM.{suffix}"), "press", product="SHEETPRESS")

    problem = report.problems[0]
    assert (len(report.problems), problem.row, problem.column) == (1, 52, "Qty.")
    assert problem.message == "the quantity is empty. Type how much is used, such as 4 or 0.75 m."
    assert report.counts() == {"new": 0, "changed": 0, "unchanged": 0, "skipped": 1, "refused": 51}

    import_all("boms", sheetpress(suffix), "press", product="SHEETPRESS")
    made = make_and_take_back(Item.objects.get(sku="SHEETPRESS"), make_location())
    assert len(made.needs.bought) == 51
    assert made.needs.bought[Item.objects.get(sku='1/4" PTFE Shrink Wrap')] == Decimal("3.6")


def test_the_workbook_says_the_same_as_the_csv_of_its_first_sheet():
    import_all("boms", sheetpress("csv"), "press.csv", product="SHEETPRESS")

    report = check("boms", sheetpress("xlsx"), "press.xlsx", product="SHEETPRESS")

    assert report.counts() == {"new": 0, "changed": 0, "unchanged": 51, "skipped": 1, "refused": 0}
