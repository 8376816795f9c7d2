from decimal import Decimal

import pytest

from inventory.models import Item
from production.models import Bom, BomLine
from tests.data_sets.building import import_all, make_and_take_back, needs_of
from tests.data_sets.sources import content, needs, rows
from tests.factories import make_location

pytestmark = [needs("respiraworks_ventilator"), pytest.mark.django_db]

ROOT = "RW-VENTILATOR"
METRES = {"ea": Decimal(1), "m": Decimal(1), "cm": Decimal("0.01"), "cm2": Decimal("0.0001"), "m2": Decimal(1)}


@pytest.fixture
def imported(db):
    items = import_all("items", content("respiraworks_ventilator", "parts.csv"), "parts.csv")
    boms = import_all("boms", content("respiraworks_ventilator", "bom_lines.csv"), "bom_lines.csv")
    return items, boms


def exploded(root):
    """The needs of one root by a plain walk over the standard lines, in the units the parts are bought in."""
    below = {}
    for row in rows("respiraworks_ventilator", "bom_lines.csv"):
        if row["line_type"] == "standard":
            quantity = Decimal(row["quantity"]) * METRES[row["uom"]]
            below.setdefault(row["parent"], []).append((row["component"], quantity))
    totals = {}

    def walk(part, quantity):
        if part not in below:
            totals[part] = totals.get(part, Decimal(0)) + quantity
        for component, each in below.get(part, ()):
            walk(component, quantity * each)

    walk(root, Decimal(1))
    return totals


def test_the_ventilator_is_imported_made_and_taken_back(imported):
    items, boms = imported
    prices = {row["part"]: row["unit_price_usd"] for row in rows("respiraworks_ventilator", "parts.csv")}

    made = make_and_take_back(Item.objects.get(sku=ROOT), make_location(), unit_costs=prices)

    assert items.counts()["new"] == 278
    assert boms.counts() == {"new": 293, "changed": 0, "unchanged": 0, "skipped": 38, "refused": 0}
    assert {item.sku: need for item, need in made.needs.bought.items()} == exploded(ROOT)
    assert len(made.needs.bought) == 219
    assert len(made.completions) == len(made.needs.made)


def test_a_tube_bought_by_the_metre_is_used_by_the_centimetre_and_a_sheet_by_its_square(imported):
    bought = needs_of(Item.objects.get(sku=ROOT)).bought
    tube, sheet = Item.objects.get(sku="MCMASTER-CARR:5894K38"), Item.objects.get(sku="MCMASTER-CARR:8785K82")

    assert (tube.stock_unit, sheet.stock_unit) == ("m", "m2")
    assert bought[tube] == exploded(ROOT)[tube.sku]
    assert bought[sheet] == Decimal("0.00125") * (bought[sheet] / Decimal("0.00125"))
    assert tube.standard_cost == Decimal("20.18")
    line = BomLine.objects.get(component=tube, bom__item__sku="RW-INTERNALS-PINCH-VALVE")
    assert (line.quantity, line.unit) == (Decimal(15), "cm")


def test_only_what_is_consumed_becomes_a_line(imported):
    _, boms = imported
    types = {}
    for row in rows("respiraworks_ventilator", "bom_lines.csv"):
        types[row["line_type"]] = types.get(row["line_type"], 0) + 1
    left_out = (
        types["do_not_place"] + types["tool"] + types["alternate"] + types["alternate_companion"] + types["reference"]
    )

    assert boms.counts()["skipped"] == left_out == 38
    assert BomLine.objects.filter(is_optional=True).count() == types["optional"] == 5
    assert not BomLine.objects.filter(bom__item__sku=ROOT, component__sku="RW-WIRING").exists()
    assert Bom.objects.filter(item__sku="RW-ENCLOSURE-COOLING-FAN").exists()
