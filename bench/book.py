"""The large book of `make bench-scale`: other items beside the shop that completions are measured on.

The book is true: its balances and pools are the sums of its movements, so that `verify_ledger` has to read all of it and
finds nothing. It reaches back MONTHS months; some of it was recorded some days late, and its months are closed.
"""

import time
from dataclasses import dataclass
from datetime import date, timedelta

from bench.database import Connection, connect_as_owner

BATCH = 500_000
"""Movements written by one statement."""
MONTHS = 36
BINS, CATEGORIES = 40, 20
UNKNOWN_EACH = 500
"""Of so many items one has no known cost."""
LATE_DAYS_MAX = 3
CLOSED_AFTER_DAYS = 4

_SET_UP = """
INSERT INTO inventory_location (code, name, parent_id, path, kind, is_sellable, is_blocked, is_active, created_at)
SELECT 'BOOK-BIN-' || n, 'Bin ' || n, %(place)s, '', 'own', true, false, true, now() FROM generate_series(1, %(bins)s) AS n;
UPDATE inventory_location b SET path = p.path || b.id || '/' FROM inventory_location p
WHERE p.id = b.parent_id AND b.code LIKE 'BOOK-BIN-%%';
INSERT INTO inventory_itemcategory (name) SELECT 'Book category ' || n FROM generate_series(1, %(categories)s) AS n
"""
_ITEMS = """
INSERT INTO inventory_item (sku, name, description, kind, barcode, is_active, is_sellable, stock_unit, step, tracking,
  inspection_required, cost_method, supply_policy, over_completion_percent, compliance_tags, hs_code, origin_country, note,
  category_id, created_at, updated_at)
SELECT 'BOOK-' || n, 'Book item ' || n, '', 'material', '', true, false, 'pcs', 1, 'lot', false, 'average', 'stock', 0, '[]',
  '', '', '', c.id, now(), now()
FROM generate_series(1, %(items)s) AS n
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM inventory_itemcategory WHERE name LIKE 'Book category %%') c
  ON c.place = n %% %(categories)s
ORDER BY n
"""
_CELLS = """
WITH bins AS (
  SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM inventory_location WHERE code LIKE 'BOOK-BIN-%%'
), lots AS (
  INSERT INTO inventory_lot (item_id, code, received_on, expires_on, supplier_lot, note, created_at)
  SELECT i.id, 'B' || n, current_date - 400 + n, current_date + 300 + n, '', '', now()
  FROM inventory_item i, generate_series(1, %(lots)s) AS n WHERE i.sku LIKE 'BOOK-%%' RETURNING id, item_id
)
INSERT INTO inventory_stockbalance (item_id, location_id, lot_id, status, quantity, reserved)
SELECT l.item_id, b.id, l.id, 'available', 0, 0 FROM lots l JOIN bins b ON b.place = l.id %% %(bins)s
"""
_NUMBERED = """
CREATE TEMPORARY TABLE numbered AS
SELECT row_number() OVER (ORDER BY b.lot_id) - 1 AS number, b.item_id, b.location_id, b.lot_id,
       b.item_id % {unknown} <> 0 AS is_known
FROM inventory_stockbalance b JOIN inventory_item i ON i.id = b.item_id WHERE i.sku LIKE 'BOOK-%';
ALTER TABLE numbered ADD PRIMARY KEY (number);
ANALYZE numbered
"""
# Movement m belongs to cell m mod cells: 1,000 pieces come in first, later movements take one piece each. Every fiftieth
# document was recorded up to three days late, every ten thousandth is scrap.
_MOVEMENTS = """
WITH wanted AS (
  SELECT m, m / 20 AS document, m %% %(cells)s AS number, CASE WHEN m < %(cells)s THEN 1000 ELSE -1 END AS quantity
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS m
), postings AS (
  INSERT INTO inventory_posting (id, key, request_hash, kind, reference, reason, note, effective_at, recorded_at)
  SELECT %(offset)s + document, gen_random_uuid(), '\\x00',
    CASE WHEN min(m) < %(cells)s THEN 'receipt' WHEN document %% 10000 = 9999 THEN 'scrap' ELSE 'issue' END,
    'BOOK', '', '',
    at.recorded - CASE WHEN document %% 50 = 49 THEN make_interval(days => (document %% %(late)s + 1)::int) ELSE interval '0' END,
    at.recorded
  FROM wanted CROSS JOIN LATERAL (
    SELECT %(begins)s::timestamptz + (now() - %(begins)s::timestamptz) * (document::float8 / %(total)s) AS recorded) at
  GROUP BY document, at.recorded ORDER BY document RETURNING id, effective_at, recorded_at
)
INSERT INTO inventory_movement
  (posting_id, item_id, location_id, lot_id, status, quantity, value, effective_at, recorded_at)
SELECT p.id, c.item_id, c.location_id, c.lot_id, 'available', w.quantity,
       CASE WHEN c.is_known THEN w.quantity * 1.25 END, p.effective_at, p.recorded_at
FROM wanted w JOIN numbered c ON c.number = w.number JOIN postings p ON p.id = %(offset)s + w.document ORDER BY w.m
"""
_SUMS = """
UPDATE inventory_stockbalance b SET quantity = s.quantity
FROM (SELECT lot_id, sum(quantity) AS quantity FROM inventory_movement GROUP BY 1) s
WHERE s.lot_id = b.lot_id AND b.quantity <> s.quantity;
INSERT INTO inventory_costpool (item_id, lot_id, quantity, value, unknown_quantity)
SELECT m.item_id, NULL, sum(m.quantity), coalesce(sum(m.value), 0),
       coalesce(sum(m.quantity) FILTER (WHERE m.value IS NULL), 0)
FROM inventory_movement m JOIN inventory_item i ON i.id = m.item_id AND i.sku LIKE 'BOOK-%' GROUP BY 1;
SELECT setval(pg_get_serial_sequence('inventory_posting', 'id'), (SELECT max(id) FROM inventory_posting))
"""


@dataclass(frozen=True, slots=True)
class Book:
    """What was loaded, and the seconds it took."""

    sku: str  # one of its items, from the middle
    periods: int
    seconds_loading: float
    seconds_closing: float


def load_book(*, items: int, balances: int, movements: int, place_id: int, close: str) -> Book:
    """Write the large book as the owner of the tables, and close its months or years (`close`: month, year or none)."""
    began = time.perf_counter()
    lots = max(balances // items, 1)
    begins = date.today() - timedelta(days=MONTHS * 30)  # noqa: DTZ011  any day that long ago will do
    with connect_as_owner() as connection:
        for statement in _SET_UP.split(";\n"):
            connection.execute(statement, {"place": place_id, "bins": BINS, "categories": CATEGORIES})
        connection.execute(_ITEMS, {"items": items, "categories": CATEGORIES})
        connection.execute(_CELLS, {"lots": lots, "bins": BINS})
        connection.execute(_NUMBERED.replace("{unknown}", str(UNKNOWN_EACH)))
        _write_movements(connection, cells=items * lots, movements=movements, begins=begins)
        connection.execute(_SUMS)
        connection.execute("VACUUM ANALYZE")
    loaded = time.perf_counter()
    periods = _close(begins, close)
    return Book(f"BOOK-{items // 2}", periods, loaded - began, time.perf_counter() - loaded)


def _write_movements(connection: Connection, *, cells: int, movements: int, begins: date) -> None:
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
                "begins": begins,
                "late": LATE_DAYS_MAX,
            },
        )


def _close(begins: date, close: str) -> int:
    """Close period after period through the operation, as if each had been closed some days after it ended."""
    from inventory.operations.closing import close_period

    closed = 0
    day = begins.replace(day=1)
    while close != "none":
        day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        last = day - timedelta(days=1)
        if last + timedelta(days=CLOSED_AFTER_DAYS) >= date.today():  # noqa: DTZ011
            break
        if close == "month" or last.month == 12:
            close_period(through=last, actor=None)
            closed += 1
    with connect_as_owner() as connection:
        connection.execute(
            "UPDATE inventory_periodclose SET closed_at = ends_at + make_interval(days => %s)", (CLOSED_AFTER_DAYS,)
        )
        connection.execute("VACUUM ANALYZE inventory_periodsnapshot")
    return closed
