"""Every set with several levels, from the files to the inspected product and back to the stock it was made from."""

from datetime import date
from decimal import Decimal

import pytest

from inventory.models import Item
from tests.data_sets.building import import_all
from tests.data_sets.carrying import carry_through
from tests.data_sets.sources import content, needs, rows
from tests.data_sets.test_adventureworks import files_of_the_set
from tests.factories import make_location

pytestmark = pytest.mark.django_db


@needs("adventureworks")
def test_a_bike():
    items, lines, costs = files_of_the_set()
    import_all("items", items, "Product.csv")
    import_all("boms", lines, "BillOfMaterials.csv", on=date(2025, 1, 1))

    carried = carry_through(Item.objects.get(sku="BK-R93R-62"), make_location(), unit_costs=costs)

    assert len(carried.completions) == len(carried.orders) > 10


@needs("mendel90")
def test_a_printer_of_five_levels():
    import_all("boms", content("mendel90", "dibond", "bom_lines.csv"), "dibond.csv")

    carried = carry_through(Item.objects.get(sku="machine_assembly"), make_location())

    assert len(carried.completions) >= 22


@needs("respiraworks_ventilator")
def test_a_ventilator_with_mixed_units():
    import_all("items", content("respiraworks_ventilator", "parts.csv"), "parts.csv")
    import_all("boms", content("respiraworks_ventilator", "bom_lines.csv"), "bom_lines.csv")
    prices = {row["part"]: row["unit_price_usd"] for row in rows("respiraworks_ventilator", "parts.csv")}

    carried = carry_through(Item.objects.get(sku="RW-VENTILATOR"), make_location(), unit_costs=prices)

    assert len(carried.completions) > 10


@needs("inventree_demo")
def test_every_product_of_several_levels():
    import_all("items", content("inventree_demo", "parts.csv"), "parts.csv")
    import_all("boms", content("inventree_demo", "bom_lines.csv"), "bom_lines.csv")
    lines = rows("inventree_demo", "bom_lines.csv")
    made = {line["parent"] for line in lines}
    below = {line["component"] for line in lines}
    tops = sorted({line["parent"] for line in lines if line["component"] in made} - below)
    assert tops

    for sku in tops:
        carried = carry_through(Item.objects.get(sku=sku), make_location(), quantity=Decimal(4))
        assert len(carried.completions) > 1
