"""`make bench-scale`: how completions and the check of the whole ledger grow with the book.

Two databases hold the same small shop; one of them also holds a large book of other items. Completions are measured in
turns in both. The book is true: its balances and pools are the sums of its movements, so that `verify_ledger` has to read
all of it and finds nothing.
"""

import argparse
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import django

from bench.database import ROOT, connect_as_owner, make_database

BATCH = 500_000
"""Movements written by one statement."""
LINES, ASSEMBLIES = 20, 24

_ITEMS = """
INSERT INTO inventory_item (sku, name, description, kind, barcode, is_active, is_sellable, stock_unit, step, tracking,
  inspection_required, cost_method, supply_policy, over_completion_percent, compliance_tags, hs_code, origin_country, note,
  created_at, updated_at)
SELECT 'BOOK-' || n, 'Book item ' || n, '', 'material', '', true, false, 'pcs', 1, 'lot', false, 'average', 'stock', 0, '[]',
  '', '', '', now(), now() FROM generate_series(1, %(items)s) AS n
"""
_CELLS = """
WITH lots AS (
  INSERT INTO inventory_lot (item_id, code, received_on, expires_on, supplier_lot, note, created_at)
  SELECT i.id, 'B' || n, current_date - 400 + n, current_date + 300 + n, '', '', now()
  FROM inventory_item i, generate_series(1, %(lots)s) AS n WHERE i.sku LIKE 'BOOK-%%' RETURNING id, item_id
)
INSERT INTO inventory_stockbalance (item_id, location_id, lot_id, status, quantity, reserved)
SELECT item_id, %(place)s, id, 'available', 0, 0 FROM lots
"""
_NUMBERED = """
CREATE TEMPORARY TABLE numbered AS
SELECT row_number() OVER (ORDER BY b.lot_id) - 1 AS number, b.item_id, b.location_id, b.lot_id
FROM inventory_stockbalance b JOIN inventory_item i ON i.id = b.item_id WHERE i.sku LIKE 'BOOK-%%';
ALTER TABLE numbered ADD PRIMARY KEY (number);
ANALYZE numbered
"""
# Movement m belongs to cell m mod cells: 1,000 pieces come in first, later movements take one piece each.
_MOVEMENTS = """
WITH wanted AS (
  SELECT m, m / 20 AS document, m %% %(cells)s AS number, CASE WHEN m < %(cells)s THEN 1000 ELSE -1 END AS quantity
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS m
), postings AS (
  INSERT INTO inventory_posting (id, key, request_hash, kind, reference, reason, note, effective_at, recorded_at)
  SELECT %(offset)s + document, gen_random_uuid(), '\\x00', CASE WHEN min(m) < %(cells)s THEN 'receipt' ELSE 'issue' END,
    'BOOK', '', '', now() - make_interval(secs => %(total)s - document), now() - make_interval(secs => %(total)s - document)
  FROM wanted GROUP BY document RETURNING id, recorded_at
)
INSERT INTO inventory_movement
  (posting_id, item_id, location_id, lot_id, status, quantity, value, effective_at, recorded_at)
SELECT p.id, c.item_id, c.location_id, c.lot_id, 'available', w.quantity, w.quantity * 1.25, p.recorded_at, p.recorded_at
FROM wanted w JOIN numbered c ON c.number = w.number JOIN postings p ON p.id = %(offset)s + w.document
"""
_SUMS = """
UPDATE inventory_stockbalance b SET quantity = s.quantity
FROM (SELECT lot_id, sum(quantity) AS quantity FROM inventory_movement GROUP BY 1) s
WHERE s.lot_id = b.lot_id AND b.quantity <> s.quantity;
INSERT INTO inventory_costpool (item_id, lot_id, quantity, value, unknown_quantity)
SELECT m.item_id, NULL, sum(m.quantity), sum(m.value), 0 FROM inventory_movement m
JOIN inventory_item i ON i.id = m.item_id AND i.sku LIKE 'BOOK-%' GROUP BY 1;
SELECT setval(pg_get_serial_sequence('inventory_posting', 'id'), (SELECT max(id) FROM inventory_posting))
"""


def load_book(*, items: int, balances: int, movements: int, place_id: int) -> float:
    """Write the large book as the owner of the tables. Returns the seconds it took."""
    began = time.perf_counter()
    lots = max(balances // items, 1)
    cells = items * lots
    with connect_as_owner() as connection:
        connection.execute(_ITEMS, {"items": items})
        connection.execute(_CELLS, {"lots": lots, "place": place_id})
        connection.execute(_NUMBERED.replace("%%", "%"))
        row = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM inventory_posting").fetchone()
        assert row is not None
        for first in range(0, movements, BATCH):
            connection.execute(
                _MOVEMENTS,
                {
                    "cells": cells,
                    "first": first,
                    "last": min(first + BATCH, movements) - 1,
                    "offset": row[0],
                    "total": movements // 20 + 1,
                },
            )
        connection.execute(_SUMS)
        connection.execute("VACUUM ANALYZE")
    return time.perf_counter() - began


def verify() -> tuple[float, list[str]]:
    """Seconds that checking every invariant takes, and what it found."""
    from inventory.invariants import INVARIANTS as OF_INVENTORY
    from production.invariants import INVARIANTS as OF_PRODUCTION

    began = time.perf_counter()
    findings = [f"{i.name}: {finding}" for i in (*OF_INVENTORY, *OF_PRODUCTION) for finding in i.find()]
    return time.perf_counter() - began, findings


def measure_in_turns(
    databases: dict[str, str], shops: dict[str, Any], *, rounds: int, seconds: float
) -> dict[str, Any]:
    """p50 of completions by one client in each database, the databases taking turns; the ratio is a median over rounds."""
    from django.db import connection

    from bench.clients import Clients
    from bench.measuring import Series, summarise

    teams = {}
    for name, database in databases.items():
        connection.close()
        connection.settings_dict["NAME"] = database
        teams[name] = Clients("ours", shops[name], clients=1)
    series = {name: Series() for name in databases}
    for team in teams.values():
        team.work(seconds=20, completions_max=2 * ASSEMBLIES)  # the first touch of cold pages is not the question here
    for number in range(rounds):
        for name in teams if number % 2 else reversed(teams):
            works = teams[name].work(seconds=seconds)
            wall = max(work.ended for work in works) - min(work.began for work in works)
            series[name].rounds.append(summarise(works, wall=wall, wal=0))
    for team in teams.values():
        team.close()
    return {
        "small_p50_ms": series["small"].median("p50_ms"),
        "big_p50_ms": series["big"].median("p50_ms"),
        "ratio": series["big"].ratio_to(series["small"], "p50_ms"),
        "cpu_ratio": series["big"].ratio_to(series["small"], "cpu_ms"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--balances", type=int, default=100_000)
    parser.add_argument("--movements", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each database in each round")
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "bench.json")
    options = parser.parse_args()
    multiprocessing.set_start_method("fork")

    urls = {name: os.environ.get(name) for name in ("DATABASE_URL", "DATABASE_OWNER_URL")}
    databases = {"small": "backflush_scale_small", "big": "backflush_scale_big"}
    shops: dict[str, Any] = {}
    seconds_loading = seconds_verifying = 0.0
    findings: list[str] = []
    for name, database in databases.items():
        os.environ.update({key: value for key, value in urls.items() if value})
        make_database(database)
        django.setup()
        from django.db import connection

        from bench.dataset import make_shop

        connection.close()
        connection.settings_dict["NAME"] = database
        shops[name] = make_shop(name="SHOP", lines=LINES, lots=1, assemblies=ASSEMBLIES)
        if name == "big":
            seconds_loading = load_book(
                items=options.items,
                balances=options.balances,
                movements=options.movements,
                place_id=shops[name].location_id,
            )
            seconds_verifying, findings = verify()

    from bench.report import machine, print_table, rounded, write

    growth = measure_in_turns(databases, shops, rounds=options.rounds, seconds=options.seconds)
    with connect_as_owner() as admin:
        result = {
            "machine": machine(admin),
            "items": options.items,
            "balances": options.balances,
            "movements": options.movements,
            "load_s": rounded(seconds_loading, 1),
            "verify_s": rounded(seconds_verifying, 2),
            "verify_findings": findings,
            "completion": {key: rounded(value, 3) for key, value in growth.items()},
        }
    write({"scale": result}, path=options.output)
    print_table(
        f"A book of {options.movements:,} movements, {options.balances:,} balances, {options.items:,} items",
        ("what", "figure", "promised"),
        [
            ["completion of 20 lines, p50 in the small book, ms", growth["small_p50_ms"], ""],
            ["the same in the big book, ms", growth["big_p50_ms"], ""],
            ["big of small (P8)", growth["ratio"], "at most 1.6 at 10,000,000 movements"],
            ["every invariant checked, s (F14)", seconds_verifying, "at most 5 at 10,000,000 movements"],
            ["what the check found", len(findings), "0"],
            ["loading, s", seconds_loading, ""],
        ],
    )


if __name__ == "__main__":
    main()
