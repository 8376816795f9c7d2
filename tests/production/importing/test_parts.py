"""Settings, by-products, operations and substitutes from tables, and a small excerpt of a real multi-level BOM."""

from decimal import Decimal
from pathlib import Path

import pytest

from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from production.models import Bom, BomState
from production.reads.bom_content import content_of
from production.reads.bom_tree import bom_tree
from tests.factories import make_item
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db
EXCERPT = Path(__file__).with_name("excerpts") / "road_bike.csv"


def bring(name, text, *, mode=Mode.ALL, **options):
    return run_import(
        kind=kind_named(name),
        content=text.encode(),
        file_name=f"{name}.csv",
        actor=None,
        mode=mode,
        options=ImportOptions(**options),
    )


@pytest.fixture
def candle():
    wax, wick = make_item(sku="WAX", unit="kg", step="0.001"), make_item(sku="WICK")
    for sku in ("DROSS", "WICK-B", "WICK-C"):
        make_item(sku=sku)
    bom = make_bom(
        item=make_item(sku="CANDLE"),
        lines=[(wax, "1"), (wick, "1", {"substitutes": [(wax, "1")]}), (wick, "2", {"reference": "spare"})],
        operations=[{"name": "Pour", "minutes": Decimal(5)}],
    )
    return bom.item


def in_force(item):
    return Bom.objects.get(item=item, state=BomState.ACTIVE)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (
            "bom_outputs",
            "Parent,By-product,Quantity,Cost share %,Fixed value\nCANDLE,DROSS,0.5,,2.50\n",
            lambda c: (
                [(o.item.sku, o.quantity, o.cost_share_percent, o.unit_value) for o in c.outputs]
                == [("DROSS", Decimal("0.5"), 0, Decimal("2.5"))]
            ),
        ),
        (
            "bom_operations",
            "Parent,Operation,Kind,Minutes,Rate an hour,Amount\nCANDLE,Pour,labour,7.5,30,\nCANDLE,Wrap,Packaging,,,1.25\n",
            lambda c: (
                [(o.name, o.kind, o.minutes, o.rate_per_hour, o.amount) for o in c.operations]
                == [
                    ("Pour", "labour", Decimal("7.5"), Decimal(30), 0),
                    ("Wrap", "packaging", 0, 0, Decimal("1.25")),
                ]
            ),
        ),
        (
            "bom_substitutes",
            "Parent,Component,Line,Substitute,Ratio\nCANDLE,WICK,2,WICK-B,\nCANDLE,WICK,2,WICK-C,0.5\n",
            lambda c: (
                [[(s.item.sku, s.ratio) for s in line.substitutes] for line in c.lines]
                == [[], [], [("WICK-B", Decimal(1)), ("WICK-C", Decimal("0.5"))]]
            ),
        ),
        (
            "bom_settings",
            "Parent,Process loss %,Capacity a day,Instructions\nCANDLE,2.5,200,Stir well\n",
            lambda c: (
                (c.head.process_loss_percent, c.head.capacity_per_day, c.head.instructions)
                == (Decimal("2.5"), Decimal(200), "Stir well")
            ),
        ),
    ],
)
def test_rows_become_a_new_version_with_everything_else_as_it_was(candle, name, text, found):
    before = content_of(in_force(candle))

    report = bring(name, text)
    again = bring(name, text)

    version = in_force(candle)
    after = content_of(version)
    assert [str(problem) for problem in report.problems] == []
    assert version.version == 2
    assert found(after)
    assert [line.component.sku for line in after.lines] == [line.component.sku for line in before.lines]
    assert name == "bom_operations" or after.operations == before.operations
    assert again.counts() == {
        "new": 0,
        "changed": 0,
        "unchanged": len(text.splitlines()) - 1,
        "skipped": 0,
        "refused": 0,
    }
    assert Bom.objects.filter(item=candle).count() == 2


def test_a_check_writes_nothing_and_a_draft_can_be_asked_for(candle):
    text = "Parent,By-product,Quantity\nCANDLE,DROSS,1\n"

    checked = bring("bom_outputs", text, mode=Mode.CHECK)
    assert (checked.counts()["new"], Bom.objects.count()) == (1, 1)
    for _ in range(2):
        bring("bom_outputs", text, activate=False)

    assert list(Bom.objects.order_by("version").values_list("version", "state")) == [(1, "active"), (2, "draft")]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("bom_outputs", "Parent,By-product,Quantity\nNOPE,DROSS,1\n", "there is no item NOPE"),
        ("bom_outputs", "Parent,By-product,Quantity\nDROSS,WAX,1\n", "has no BOM in force"),
        ("bom_outputs", "Parent,By-product,Quantity\nCANDLE,CANDLE,1\n", "is what this BOM makes"),
        ("bom_outputs", "Parent,By-product,Quantity\nCANDLE,DROSS,\n", "the quantity is empty"),
        ("bom_operations", "Parent,Operation,Minutes\nCANDLE,,5\n", "the name is empty"),
        ("bom_operations", "Parent,Operation,Kind\nCANDLE,Cut,joy\n", "“joy”"),
        ("bom_substitutes", "Parent,Component,Substitute\nCANDLE,DROSS,WICK-B\n", "has no DROSS"),
        ("bom_substitutes", "Parent,Component,Line,Substitute\nCANDLE,WICK,3,WICK-B\n", "has no WICK 3 times"),
        ("bom_settings", "Parent,Process loss %\nCANDLE,100\n", "leaves nothing"),
    ],
)
def test_a_row_that_cannot_be_leaves_the_bom_as_it_was(candle, name, text, words):
    report = bring(name, text)

    assert [words in str(problem) for problem in report.problems] == [True]
    assert report.counts()["refused"] == 1
    assert Bom.objects.count() == 1


def test_lines_imported_again_keep_by_products_operations_and_substitutes(candle):
    bring("bom_outputs", "Parent,By-product,Quantity\nCANDLE,DROSS,1\n")

    bring("boms", "Parent,Component,Quantity\nCANDLE,WAX,3\nCANDLE,WICK,1\n")

    content = content_of(in_force(candle))
    assert [o.item.sku for o in content.outputs] == ["DROSS"]
    assert [o.name for o in content.operations] == ["Pour"]
    assert [[s.item.sku for s in line.substitutes] for line in content.lines] == [[], ["WAX"]]


def test_a_real_tree_of_four_levels_is_imported_and_the_second_time_nothing_changes():
    text = EXCERPT.read_text(encoding="utf-8")

    report = bring("boms", text)
    again = bring("boms", text)

    assert report.counts()["refused"] == 0
    assert again.counts()["unchanged"] == report.counts()["new"] > 30
    top = Bom.objects.get(item__sku="BK-R50R-44", state=BomState.ACTIVE)
    rows = bom_tree(bom_id=top.pk).rows
    assert max(row.level for row in rows) == 4
    assert sum(row.quantity for row in rows if row.item.sku == "BE-2908") == 8
