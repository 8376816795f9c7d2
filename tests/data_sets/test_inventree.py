from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.models import Item, Posting, StockBalance
from inventory.operations.reversing import reverse_posting
from tests.conftest import broken_invariants
from tests.data_sets.building import import_all, make_and_take_back
from tests.data_sets.sources import as_csv, content, needs, rows
from tests.factories import make_location

pytestmark = [needs("inventree_demo"), pytest.mark.django_db]

STATUSES = {"10": "available", "50": "qc_hold", "55": "damaged", "65": "damaged", "75": "quarantine"}


def import_set():
    return (
        import_all("items", content("inventree_demo", "parts.csv"), "parts.csv"),
        import_all("boms", content("inventree_demo", "bom_lines.csv"), "bom_lines.csv"),
    )


def test_every_product_is_made_and_taken_back():
    items, boms = import_set()
    lines = rows("inventree_demo", "bom_lines.csv")
    tops = sorted({line["parent"] for line in lines} - {line["component"] for line in lines})
    place = make_location()

    made = {sku: make_and_take_back(Item.objects.get(sku=sku), place) for sku in tops}

    assert (items.counts()["new"], boms.counts()["new"]) == (414, 228)
    assert len(made) == 14
    assert sum(len(one.completions) for one in made.values()) == sum(len(one.needs.made) for one in made.values()) == 20
    paint = Item.objects.get(sku="IT-90")
    assert [made[sku].needs.bought[paint] for sku in ("IT-99", "IT-103", "IT-107")] == [
        Decimal("0.25"),
        Decimal("0.5"),
        Decimal("0.125"),
    ]
    assert sum(len(one.needs.consumables) for one in made.values()) == 3


def test_stock_of_another_system_comes_in_with_lots_and_statuses_and_a_second_import_changes_nothing():
    """Rows of one lot in one place are added up, as the file of a person would have them; foreign currencies have no cost."""
    records = rows("inventree_demo", "stock.csv")
    tracked = {row["part"] for row in records if row["serial"] or row["batch"]}
    parts = [
        {**row, "Tracking": "lot" if row["part"] in tracked else "", "Step": "" if row["uom"] == "ea" else "0.0001"}
        for row in rows("inventree_demo", "parts.csv")
    ]
    import_all("items", as_csv(parts), "parts.csv")
    for code in sorted({row["location"] for row in records}):
        make_location(code=(code or "nowhere")[:64])
    places = {}
    for row in records:
        lot = "-".join(part for part in (row["batch"], row["serial"]) if part) or (
            "none" if row["part"] in tracked else ""
        )
        key = (row["part"], (row["location"] or "nowhere")[:64], lot, STATUSES[row["status"]])
        places[key] = places.get(key, Decimal(0)) + Decimal(row["quantity"])
    stock = as_csv(
        [
            {"SKU": part, "Location": place, "Lot": lot, "Status": status, "Quantity": f"{quantity:f}"}
            for (part, place, lot, status), quantity in places.items()
        ]
    )

    report = import_all("opening_stock", stock, "stock.csv")

    assert report.counts()["new"] == len(places)
    assert sum(StockBalance.objects.values_list("quantity", flat=True)) == sum(
        Decimal(row["quantity"]) for row in records
    )
    assert broken_invariants() == []
    for posting in Posting.objects.order_by("-pk"):
        reverse_posting(key=uuid4(), posting=posting, actor=None)
    assert broken_invariants() == []
    assert not StockBalance.objects.exclude(quantity=0).exists()
