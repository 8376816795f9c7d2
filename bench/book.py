"""The large book of `make bench-scale`: other items beside the shop that completions are measured on.

The book is true: its balances and pools are the sums of its movements, so that `verify_ledger` has to read all of it and
finds nothing. It reaches back MONTHS months; some of it was recorded some days late, and its months are closed. Rows are
made here and go in by COPY; secondary indexes and foreign keys of the filled tables are made again afterwards, as defined.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from psycopg import sql

from bench.database import Connection, connect_as_owner

MONTHS = 36
BINS, CATEGORIES = 40, 20
BUSY = 20
"""Items that are in every document, as a screw is in every product: a twentieth of all issues is theirs."""
UNKNOWN_EACH = 500
"""Of so many items one has no known cost."""
LINES = 20
"""Movements of one document."""
LATE_DAYS_MAX = 3
CLOSED_AFTER_DAYS = 4
STRIDE = 7_919
"""Neighbouring lines are of items far apart, as in life: nothing of one item lies together."""
MUCH, PLENTY = 1_000, 1_000_000
CENTS = 125
"""What one piece costs."""
CHUNK = 20_000

_SET_UP = """
INSERT INTO inventory_location (code, name, parent_id, path, kind, is_sellable, is_blocked, is_active, created_at)
SELECT 'BOOK-BIN-' || n, 'Bin ' || n, %(place)s, '', 'own', true, false, true, now() FROM generate_series(1, %(bins)s) AS n;
UPDATE inventory_location b SET path = p.path || b.id || '/' FROM inventory_location p
WHERE p.id = b.parent_id AND b.code LIKE 'BOOK-BIN-%%';
INSERT INTO inventory_itemcategory (name) SELECT 'Book category ' || n FROM generate_series(1, %(categories)s) AS n
"""
_ITEM_FIELDS = (
    "id, sku, name, description, kind, barcode, is_active, is_sellable, stock_unit, step, tracking, inspection_required,"
    " cost_method, supply_policy, over_completion_percent, compliance_tags, hs_code, origin_country, note, category_id,"
    " created_at, updated_at"
)
_FILLED = (
    "inventory_item",
    "inventory_lot",
    "inventory_stockbalance",
    "inventory_costpool",
    "inventory_posting",
    "inventory_movement",
)


@dataclass(frozen=True, slots=True)
class Book:
    """What was loaded, and the seconds it took."""

    periods: int
    seconds_loading: float
    seconds_indexing: float
    seconds_closing: float


def load_book(*, items: int, balances: int, movements: int, place_id: int, close: str) -> Book:
    """Write the large book as the owner of the tables, and close its months or years (`close`: month, year or none)."""
    began = time.perf_counter()
    begins = date.today() - timedelta(days=MONTHS * 30)  # noqa: DTZ011  any day that long ago will do
    with connect_as_owner() as connection:
        for statement in _SET_UP.split(";\n"):
            connection.execute(statement, {"place": place_id, "bins": BINS, "categories": CATEGORIES})
        again = _take_off(connection)
        plan = _Plan(connection, items=items, lots=max(balances // items, 1), movements=movements, begins=begins)
        plan.copy_all(connection)
        loaded = time.perf_counter()
        for statement in again:
            connection.execute(statement)
        for table in _FILLED:
            connection.execute(
                "SELECT setval(pg_get_serial_sequence(%(table)s, 'id'), (SELECT max(id) FROM "
                + sql.Identifier(table).as_string(connection)
                + "))",
                {"table": table},
            )
        connection.execute("VACUUM ANALYZE")
    indexed = time.perf_counter()
    periods = _close(begins, close)
    return Book(
        periods=periods,
        seconds_loading=loaded - began,
        seconds_indexing=indexed - loaded,
        seconds_closing=time.perf_counter() - indexed,
    )


def _take_off(connection: Connection) -> list[str]:
    """Drop secondary indexes and foreign keys of the filled tables; the statements that make them again."""
    tables = list(_FILLED)
    indexes = connection.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE NOT indisunique AND indrelid = ANY(%s::regclass[])",
        (tables,),
    ).fetchall()
    keys = connection.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'f' AND conrelid = ANY(%s::regclass[])",
        (tables,),
    ).fetchall()
    for table, name, _ in keys:
        connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    return [definition for _, definition in indexes] + [
        f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}' for table, name, definition in keys
    ]


class _Plan:
    """Which rows there are. Cell c is lot c mod lots of item c div lots; lots, cells and items are numbered from a first id.

    Movement m below the number of cells brings goods into cell m; each later one takes a piece. Every fiftieth document was
    recorded up to three days late, every ten thousandth is scrap.
    """

    def __init__(self, connection: Connection, *, items: int, lots: int, movements: int, begins: date) -> None:
        self.items, self.lots, self.movements = items, lots, movements
        self.cells = items * lots
        self.begins = datetime(begins.year, begins.month, begins.day, tzinfo=UTC).timestamp()
        self.seconds = time.time() - self.begins
        self.busy = list(range(1, items + 1, max(items // BUSY, 1)))[:BUSY]
        self.first = {table: self._first_id(connection, table) for table in _FILLED}
        rows = connection.execute(
            "SELECT id FROM inventory_location WHERE code LIKE 'BOOK-BIN-%' ORDER BY id"
        ).fetchall()
        self.bins = [row[0] for row in rows]
        rows = connection.execute(
            "SELECT id FROM inventory_itemcategory WHERE name LIKE 'Book %' ORDER BY id"
        ).fetchall()
        self.categories = [row[0] for row in rows]
        of_busy = [cell for number in self.busy for cell in range((number - 1) * lots, number * lots)]
        self.busy_cells = of_busy
        self.left = [MUCH] * self.cells
        for cell in of_busy:
            self.left[cell] = PLENTY

    @staticmethod
    def _first_id(connection: Connection, table: str) -> int:
        row = connection.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()
        assert row is not None
        return int(row[0])

    @staticmethod
    def sku(number: int) -> str:
        return f"BOOK-{number}"

    def is_known(self, number: int) -> bool:
        return number % UNKNOWN_EACH != 0

    def bin_of(self, cell: int) -> int:
        return int(self.bins[cell % len(self.bins)])

    def copy_all(self, connection: Connection) -> None:
        self._copy(connection, f"inventory_item ({_ITEM_FIELDS})", self._items())
        fields = "id, item_id, code, received_on, expires_on, supplier_lot, note, created_at"
        self._copy(connection, f"inventory_lot ({fields})", self._lots())
        with connection.transaction():  # postings before their movements, in chunks that stay in the cache together
            for postings, movements in self._documents():
                fields = "id, key, request_hash, kind, reference, reason, note, effective_at, recorded_at"
                self._copy(connection, f"inventory_posting ({fields})", [postings])
                fields = (
                    "id, posting_id, item_id, location_id, lot_id, status, quantity, value, effective_at, recorded_at"
                )
                self._copy(connection, f"inventory_movement ({fields})", [movements])
        fields = "item_id, location_id, lot_id, status, quantity, reserved"
        self._copy(connection, f"inventory_stockbalance ({fields})", self._balances())
        self._copy(connection, "inventory_costpool (item_id, quantity, value, unknown_quantity)", self._pools())

    @staticmethod
    def _copy(connection: Connection, target: str, parts: Iterator[str] | Sequence[str]) -> None:
        with connection.cursor().copy(f"COPY {target} FROM STDIN") as copy:
            for part in parts:
                copy.write(part)

    def _items(self) -> Iterator[str]:
        now = datetime.now(UTC).isoformat()
        for number in range(1, self.items + 1):
            category = self.categories[number % len(self.categories)]
            yield (
                f"{self.first['inventory_item'] + number - 1}\t{self.sku(number)}\tBook item {number}\t\tmaterial\t\tt\tf\tpcs\t1"
                f"\tlot\tf\taverage\tstock\t0\t[]\t\t\t\t{category}\t{now}\t{now}\n"
            )

    def _lots(self) -> Iterator[str]:
        now = datetime.now(UTC).isoformat()
        today = date.today()  # noqa: DTZ011
        days = [(today + timedelta(days=n - 400), today + timedelta(days=n + 300)) for n in range(self.lots)]
        for cell in range(self.cells):
            item, n = divmod(cell, self.lots)
            received, expires = days[n]
            yield (
                f"{self.first['inventory_lot'] + cell}\t{self.first['inventory_item'] + item}\tB{n + 1}\t{received}\t{expires}"
                f"\t\t\t{now}\n"
            )

    def _documents(self) -> Iterator[tuple[str, str]]:
        """Postings and their movements as text, a chunk of documents at a time; counts down what is left of each cell."""
        documents = -(-self.movements // LINES)
        cells, left, busy = self.cells, self.left, self.busy_cells
        item, lot = self.first["inventory_item"], self.first["inventory_lot"]
        posting, movement = self.first["inventory_posting"], self.first["inventory_movement"]
        for first in range(0, documents, CHUNK):
            postings, lines = [], []
            for document in range(first, min(first + CHUNK, documents)):
                at = datetime.fromtimestamp(self.begins + self.seconds * document / documents, UTC)
                recorded = at.isoformat()
                late = document % LATE_DAYS_MAX + 1 if document % 50 == 49 else 0
                effective = (at - timedelta(days=late)).isoformat() if late else recorded
                number = document * LINES
                kind = "receipt" if number < cells else "scrap" if document % 10_000 == 9_999 else "issue"
                postings.append(
                    f"{posting + document}\t{document + 1:032x}\t\\\\x00\t{kind}\tBOOK\t\t\t{effective}\t{recorded}\n"
                )
                for m in range(number, min(number + LINES, self.movements)):
                    if m < cells:
                        cell, quantity = m, left[m]
                    else:
                        cell = busy[document % len(busy)] if m % LINES == 0 else m * STRIDE % cells
                        quantity = -1
                        left[cell] -= 1
                    owner = cell // self.lots
                    value = f"{quantity * CENTS}e-2" if self.is_known(owner + 1) else "\\N"
                    lines.append(
                        f"{movement + m}\t{posting + document}\t{item + owner}\t{self.bin_of(cell)}\t{lot + cell}\tavailable"
                        f"\t{quantity}\t{value}\t{effective}\t{recorded}\n"
                    )
            yield "".join(postings), "".join(lines)

    def _balances(self) -> Iterator[str]:
        item, lot = self.first["inventory_item"], self.first["inventory_lot"]
        moved = min(self.movements, self.cells)
        for cell in range(self.cells):
            quantity = self.left[cell] if cell < moved else 0
            yield f"{item + cell // self.lots}\t{self.bin_of(cell)}\t{lot + cell}\tavailable\t{quantity}\t0\n"

    def _pools(self) -> Iterator[str]:
        for number in range(1, self.items + 1):
            cells = range((number - 1) * self.lots, min(number * self.lots, self.movements))
            quantity = sum(self.left[cell] for cell in cells)
            is_known = self.is_known(number)
            value = f"{quantity * CENTS}e-2" if is_known else "0"
            yield f"{self.first['inventory_item'] + number - 1}\t{quantity}\t{value}\t{0 if is_known else quantity}\n"


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
