"""The bench measures what it says: its floor writes the same rows, and a completion sends few statements of any size."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from bench.database import ROOT, drop_database, in_database
from bench.dataset import QUANTITY, make_shop
from bench.rollup import SHAPES, floor
from bench.structures import make_structure
from inventory.models import Item, Location, Posting
from production.costing import by_kind
from production.models import Bom
from production.operations.completing import CompletionRequest, complete_production
from production.operations.work_orders import open_work_order
from production.reads.cost_rollup import cost_rollups

FLOOR = Path(ROOT / "bench" / "floor.sql").read_text(encoding="utf-8")


def by_service(shop, assembly, *, quantity=QUANTITY, key=None, order=None):
    place = Location.objects.get(pk=shop.location_id)
    request = CompletionRequest(
        item=None if order else Item.objects.get(pk=assembly),
        work_order=order,
        good=quantity,
        source_location=place,
        output_location=place,
    )
    return complete_production(key=key or uuid4(), request=request, actor=None).posting.pk


def by_floor(shop, assembly, *, quantity=QUANTITY, key=None, words=b"same"):
    fingerprint = hashlib.sha256(words).digest()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT bench_complete(%s::uuid, %s::bytea, %s::bigint, %s::numeric, %s::bigint, %s::text, %s::bigint)",
            [key or uuid4(), fingerprint, assembly, quantity, shop.location_id, shop.path, shop.location_id],
        )
        return cursor.fetchone()[0]


ROWS = {
    "movements": """
        SELECT i.sku, CASE WHEN t.code LIKE 'L%%' THEN t.code ELSE 'made' END, m.status, m.quantity, m.value,
               m.effective_at = p.effective_at, m.recorded_at = p.recorded_at
        FROM inventory_movement m JOIN inventory_item i ON i.id = m.item_id JOIN inventory_lot t ON t.id = m.lot_id
        JOIN inventory_posting p ON p.id = m.posting_id WHERE m.posting_id = %(posting)s
        ORDER BY m.quantity > 0, m.item_id, m.lot_id
    """,
    "balances": """
        SELECT i.sku, CASE WHEN t.code LIKE 'L%%' THEN t.code ELSE 'made' END, b.status, b.quantity, b.reserved,
               t.received_on, t.expires_on, b.location_id
        FROM inventory_stockbalance b JOIN inventory_item i ON i.id = b.item_id JOIN inventory_lot t ON t.id = b.lot_id
        WHERE i.sku LIKE %(skus)s ORDER BY i.id, t.id
    """,
    "pools": """
        SELECT i.sku, p.quantity, p.value, p.unknown_quantity FROM inventory_costpool p JOIN inventory_item i ON i.id = p.item_id
        WHERE i.sku LIKE %(skus)s ORDER BY i.id
    """,
    "completion": """
        SELECT i.sku, c.bom_id IS NOT NULL, c.good, c.scrapped, c.scrap_reason, c.source_location_id, c.output_location_id,
               c.output_status, c.consumed_value, c.output_value, c.reversed_good, c.reversed_scrap, c.work_order_id,
               t.code = to_char(t.received_on, 'YYMMDD') || '-' || c.posting_id
        FROM production_completion c JOIN inventory_item i ON i.id = c.item_id JOIN inventory_lot t ON t.id = c.output_lot_id
        WHERE c.posting_id = %(posting)s
    """,
    "lines": """
        SELECT i.sku, l.expected, l.actual, l.reason, l.value, l.is_consumable, l.work_order_line_id
        FROM production_completionline l JOIN inventory_item i ON i.id = l.component_id
        WHERE l.completion_id = %(posting)s ORDER BY l.id
    """,
    "news": """
        SELECT array(SELECT i.sku FROM unnest(c.items) WITH ORDINALITY AS u(id, n)
                     JOIN inventory_item i ON i.id = u.id ORDER BY n), c.cause
        FROM inventory_stockchange c WHERE c.posting_id = %(posting)s
    """,
    "posting": "SELECT kind, reference, reason, note, actor_id, reverses_id FROM inventory_posting WHERE id = %(posting)s",
}


def rows_of(shop, posting):
    """What a completion left behind, without the ids and without the shop's name in the SKUs."""
    found = {}
    with connection.cursor() as cursor:
        for name, sql in ROWS.items():
            wanted = {"posting": posting, "skus": f"{shop.name}-%"}
            cursor.execute(sql, {key: value for key, value in wanted.items() if f"%({key})s" in sql})
            text = json.dumps(cursor.fetchall(), default=str)
            found[name] = json.loads(text.replace(f"{shop.name}-", ""))
    return found


@pytest.mark.parametrize("lots", [1, 3])
def test_the_floor_leaves_the_same_rows_as_the_service(db, ledger_stays_true, lots):
    ours = make_shop(name="OURS", lines=7, lots=lots, assemblies=1)
    theirs = make_shop(name="THEIRS", lines=7, lots=lots, assemblies=1)
    with connection.cursor() as cursor:
        cursor.execute(FLOOR)

    by_us = rows_of(ours, by_service(ours, ours.assemblies[0]))
    by_them = rows_of(theirs, by_floor(theirs, theirs.assemblies[0]))

    assert len(by_us["movements"]) == 7 * lots + 1
    assert by_them == by_us


def test_the_floor_keeps_the_key_and_refuses_what_the_service_refuses(db):
    shop = make_shop(name="SHOP", lines=2, lots=1, assemblies=1)
    item = Item.objects.create(sku="NO-BOM", name="Without a BOM")
    with connection.cursor() as cursor:
        cursor.execute(FLOOR)
    key = uuid4()
    first = by_floor(shop, shop.assemblies[0], key=key)
    postings = Posting.objects.count()

    assert by_floor(shop, shop.assemblies[0], key=key) == first
    with pytest.raises(DatabaseError, match="another request"), transaction.atomic():
        by_floor(shop, shop.assemblies[0], key=key, words=b"other")
    with pytest.raises(DatabaseError, match=r"short|not_negative"), transaction.atomic():
        by_floor(shop, shop.assemblies[0], quantity=2_000_000_000)
    with pytest.raises(DatabaseError, match="no BOM in force"), transaction.atomic():
        by_floor(shop, item.pk)
    assert Posting.objects.count() == postings


@pytest.mark.parametrize("shape", ["tree", "net"])
def test_the_floor_of_the_roll_up_multiplies_the_same_lines(db, shape):
    """Without work and scrap, which the floor knows nothing of."""
    bom = Bom.objects.get(pk=make_structure(name="S", edges=SHAPES[shape](levels=4, nodes=60)))
    cost = cost_rollups(boms=[bom.pk])[bom.pk]

    material = by_kind(cost.cost.stack)["material"]
    assert len(cost.cost.levels) == 4
    assert {"material", "labour"} <= set(cost.by_kind)
    assert floor(bom.pk, bom.item_id) == pytest.approx(float(material), rel=1e-9)


def statements_sent(work):
    """Statements, BEGIN and COMMIT included, that the database received from `work`."""
    from bench.database import reset_statements, statements_counted

    url = in_database(os.environ["DATABASE_OWNER_URL"], connection.settings_dict["NAME"])
    with psycopg.connect(url, autocommit=True) as admin:
        reset_statements(admin)
        work()
        return statements_counted(admin, role=connection.settings_dict["USER"])


@pytest.mark.skipif(not os.environ.get("DATABASE_OWNER_URL"), reason="DATABASE_OWNER_URL names no server")
@pytest.mark.parametrize(("with_order", "wanted"), [(False, 7), (True, 10)])
def test_a_completion_sends_the_same_few_statements_for_any_lines_and_lots(committed_db, with_order, wanted):
    counts = {}
    for lines in (5, 20, 100):
        for lots in (1, 3):
            shop = make_shop(name=f"S{lines}-{lots}", lines=lines, lots=lots, assemblies=1)
            assembly = shop.assemblies[0]
            place = Location.objects.get(pk=shop.location_id)
            order = None
            if with_order:
                order = open_work_order(
                    item=Item.objects.get(pk=assembly), planned=3 * QUANTITY, output_location=place, actor=None
                )

            counts[lines, lots] = statements_sent(lambda: by_service(shop, assembly, order=order))  # noqa: B023

    read_by_the_test = 1 if with_order else 2  # the place, and the item where no order names it
    assert {count - read_by_the_test for count in counts.values()} == {wanted}
    assert wanted <= 14


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("DATABASE_OWNER_URL"), reason="DATABASE_OWNER_URL names no server")
def test_the_bench_runs_and_writes_its_figures(bench_environment, tmp_path):
    output = tmp_path / "bench.json"
    words = ["--plan", "tiny", "--no-http", "--database", "backflush_bench_test", "--output", str(output)]

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bench", *words],
        cwd=ROOT,
        env=bench_environment,
        capture_output=True,
        text=True,
        check=False,
    )

    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as admin:
        drop_database(admin, "backflush_bench_test")
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads(output.read_text())
    assert [(row["lines"], row["lots"], row["clients"]) for row in results["completions"]] == [(2, 1, 2), (2, 3, 2)]
    assert all(
        row["ours_per_s"] > 0 and row["floor_per_s"] > 0 and row["wal_bytes"] > 0 for row in results["completions"]
    )
    assert results["ledger_findings"] == []
    assert results["hot"]["deadlocks"] == 0
    assert results["emptied"]["lots"] == 50
    assert results["emptied"]["wal_bytes_after"] > 0
    assert [(row["sent"], row["left"]) for row in results["outbox"]["drains"]] == [(100, 0), (100, 0)]
    assert results["outbox"]["ratio"] > 0
    assert [(row["shape"], row["lines"]) for row in results["rollup"]] == [("tree", 39), ("net", 90)]
    assert "Completions, in process" in done.stdout
