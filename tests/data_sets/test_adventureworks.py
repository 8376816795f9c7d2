from datetime import date
from decimal import Decimal

import pytest

from inventory.models import Item
from production.models import Bom
from tests.data_sets.building import check, import_all, make_and_take_back
from tests.data_sets.sources import as_csv, needs, rows
from tests.factories import make_location

pytestmark = [needs("adventureworks"), pytest.mark.django_db]

ON = date(2025, 1, 1)
ROAD_BIKE, MOUNTAIN_BIKE = "BK-R93R-62", "BK-M82S-38"


def files_of_the_set():
    """The set in the terms of one file each: numbers of products instead of their keys, and the unit they are used in."""
    products = {row["ProductID"]: row for row in rows("adventureworks", "Product.csv")}
    lines = rows("adventureworks", "BillOfMaterials.csv")
    units = {row["ComponentID"]: row["UnitMeasureCode"] for row in lines}
    items = [{**row, "Unit": units.get(key, "EA"), "SellEndDate": ""} for key, row in products.items()]
    for line in lines:
        line["ProductAssemblyID"] = (
            products[line["ProductAssemblyID"]]["ProductNumber"] if line["ProductAssemblyID"] else ""
        )
        line["ComponentID"] = products[line["ComponentID"]]["ProductNumber"]
    costs = {row["ProductNumber"]: row["StandardCost"] for row in products.values() if Decimal(row["StandardCost"])}
    return as_csv(items), as_csv(lines), costs


@pytest.fixture(scope="module")
def source():
    return files_of_the_set()


def valid(line):
    return line["StartDate"] <= f"{ON}" and (not line["EndDate"] or line["EndDate"] >= f"{ON}")


def exploded(root):
    """Made parts and the totals of bought ones, by a plain walk over the rows of the day."""
    products = {row["ProductID"]: row["ProductNumber"] for row in rows("adventureworks", "Product.csv")}
    below = {}
    for line in rows("adventureworks", "BillOfMaterials.csv"):
        if line["ProductAssemblyID"] and valid(line):
            part = (products[line["ComponentID"]], Decimal(line["PerAssemblyQty"]))
            below.setdefault(products[line["ProductAssemblyID"]], []).append(part)
    made, bought = set(), {}

    def walk(part, quantity):
        if part in below:
            made.add(part)
            for component, each in below[part]:
                walk(component, quantity * each)
        else:
            bought[part] = bought.get(part, Decimal(0)) + quantity

    walk(root, Decimal(1))
    return made, bought


def test_bikes_of_an_as_of_date_are_imported_made_and_taken_back(source):
    items, lines, costs = source
    made_items = import_all("items", items, "Product.csv")
    report = import_all("boms", lines, "BillOfMaterials.csv", on=ON)

    assert made_items.counts()["new"] == 504
    assert report.counts() == {"new": 1860, "changed": 0, "unchanged": 0, "skipped": 226, "refused": 0}
    assert Bom.objects.count() == 190
    assert Item.objects.get(sku="PA-361R").stock_unit == "oz"
    place = make_location()
    road = make_and_take_back(Item.objects.get(sku=ROAD_BIKE), place, unit_costs=costs)
    mountain = make_and_take_back(Item.objects.get(sku=MOUNTAIN_BIKE), place, unit_costs=costs)
    for sku, one in ((ROAD_BIKE, road), (MOUNTAIN_BIKE, mountain)):
        made, bought = exploded(sku)
        assert {item.sku: need for item, need in one.needs.bought.items()} == bought
        assert {item.sku for item in one.needs.made} == made
        assert (len(one.completions), one.stock_rows) == (len(made), len(bought))
    units = {item.stock_unit for item in [*road.needs.bought, *mountain.needs.bought]}
    assert units == {"pcs", "oz", "in"}


def test_rows_that_ended_before_the_day_are_left_out_and_come_back_on_an_earlier_day(source):
    items, lines, _ = source
    import_all("items", items, "Product.csv")

    now = check("boms", lines, "BillOfMaterials.csv", on=ON)
    then = check("boms", lines, "BillOfMaterials.csv", on=date(2021, 4, 15))

    ended = [result for result in now.results if result.note == f"not valid on {ON}"]
    assert len(ended) == 151 - sum(
        1 for line in rows("adventureworks", "BillOfMaterials.csv") if line["EndDate"] and not line["ProductAssemblyID"]
    )
    assert now.counts()["new"] == 1860
    assert 0 < then.counts()["new"] < 1860
    assert now.problems == then.problems == []
