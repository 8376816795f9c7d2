from decimal import Decimal

import pytest

from inventory.models import Item
from production.models import Bom
from tests.data_sets.building import check, import_all, make_and_take_back, needs_of
from tests.data_sets.sources import content, needs, rows
from tests.factories import make_location

pytestmark = [needs("mendel90"), pytest.mark.django_db]


@pytest.mark.parametrize(
    ("variant", "lines", "parts", "pieces"), [("dibond", 303, 152, 823), ("dibond_E3D", 300, 150, 816)]
)
def test_explodes_to_the_published_totals_and_is_made_and_taken_back(variant, lines, parts, pieces):
    report = import_all("boms", content("mendel90", variant, "bom_lines.csv"), f"{variant}.csv")
    machine = Item.objects.get(sku="machine_assembly")

    made = make_and_take_back(machine, make_location())

    published = {
        row["component"]: Decimal(row["total_quantity"]) for row in rows("mendel90", variant, "published_totals.csv")
    }
    assert {item.sku: need for item, need in made.needs.bought.items()} == published
    assert report.counts() == {"new": lines, "changed": 0, "unchanged": 0, "skipped": 0, "refused": 0}
    assert Bom.objects.count() == 26
    assert (len(published), sum(published.values())) == (parts, pieces)
    assert len(made.completions) == 22


def test_the_other_hot_end_is_an_engineering_change_of_the_same_machine():
    import_all("boms", content("mendel90", "dibond", "bom_lines.csv"), "dibond.csv")
    changed = content("mendel90", "dibond_E3D", "bom_lines.csv")

    shown = check("boms", changed, "E3D.csv")
    report = import_all("boms", changed, "E3D.csv")

    assert shown.results == report.results
    again = {bom.item.sku for bom in Bom.objects.filter(version=2).select_related("item")}
    groups = {result.group.split(" v2")[0] for result in report.results if result.outcome in ("changed", "new")}
    assert again == groups
    published = {
        row["component"]: Decimal(row["total_quantity"])
        for row in rows("mendel90", "dibond_E3D", "published_totals.csv")
    }
    assert {i.sku: n for i, n in needs_of(Item.objects.get(sku="machine_assembly")).bought.items()} == published
