from decimal import Decimal

import pytest

from inventory.models import Item
from tests.data_sets.building import import_all, make_and_take_back
from tests.data_sets.sources import content, needs, rows
from tests.factories import make_location

pytestmark = [needs("farmbot_express_v1_1"), pytest.mark.django_db]


@pytest.mark.parametrize(("product", "lines"), [("FARMBOT-EXPRESS", 113), ("FARMBOT-EXPRESS-XL", 115)])
def test_each_variant_is_imported_made_and_taken_back(product, lines):
    items = import_all("items", content("farmbot_express_v1_1", "parts.csv"), "parts.csv")
    boms = import_all("boms", content("farmbot_express_v1_1", "bom_lines.csv"), "bom_lines.csv")
    costs = {row["part"]: row["cost_usd"] for row in rows("farmbot_express_v1_1", "parts.csv")}

    made = make_and_take_back(Item.objects.get(sku=product), make_location(), unit_costs=costs)

    assert items.counts()["new"] == 128
    assert boms.counts()["new"] == 228
    assert sum(1 for row in rows("farmbot_express_v1_1", "bom_lines.csv") if row["product"] == product) == lines
    wanted = {}
    for row in rows("farmbot_express_v1_1", "bom_lines.csv"):
        if row["product"] == product:
            wanted[row["component"]] = wanted.get(row["component"], Decimal(0)) + Decimal(row["quantity"])
    assert {item.sku: need for item, need in made.needs.bought.items()} == wanted


def test_planned_costs_come_with_the_parts():
    import_all("items", content("farmbot_express_v1_1", "parts.csv"), "parts.csv")

    assert Item.objects.get(sku="FB-MOTOR").standard_cost == Decimal("6.00")
    assert Item.objects.get(sku="FB-LEADSCREW").standard_cost is None
    assert Item.objects.get(sku="FB-BEARING").standard_cost == Decimal(0)
