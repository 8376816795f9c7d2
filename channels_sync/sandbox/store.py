"""What the training shop remembers: one SQLite file that survives being killed."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS location (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, is_active INTEGER NOT NULL DEFAULT 1,
    country_code TEXT NOT NULL DEFAULT 'US', province_code TEXT NOT NULL DEFAULT 'OR', zip TEXT NOT NULL DEFAULT '97209'
);
CREATE TABLE IF NOT EXISTS item (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sku TEXT NOT NULL, title TEXT NOT NULL, price TEXT NOT NULL,
    image TEXT NOT NULL DEFAULT '', description TEXT NOT NULL DEFAULT '',
    is_tracked INTEGER NOT NULL DEFAULT 1, is_mutable INTEGER NOT NULL DEFAULT 1, created_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS item_sku ON item (sku);
CREATE TABLE IF NOT EXISTS level (
    item_id INTEGER NOT NULL REFERENCES item (id), location_id INTEGER NOT NULL REFERENCES location (id),
    is_active INTEGER NOT NULL, available INTEGER NOT NULL, committed INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, PRIMARY KEY (item_id, location_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS level_location ON level (location_id, item_id);
CREATE TABLE IF NOT EXISTS adjustment (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, app TEXT NOT NULL, reason TEXT NOT NULL, reference TEXT
);
CREATE TABLE IF NOT EXISTS change (
    id INTEGER PRIMARY KEY AUTOINCREMENT, adjustment_id INTEGER NOT NULL REFERENCES adjustment (id),
    item_id INTEGER NOT NULL, location_id INTEGER NOT NULL, name TEXT NOT NULL,
    before INTEGER NOT NULL, after INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS change_item ON change (item_id, id);
CREATE INDEX IF NOT EXISTS change_adjustment ON change (adjustment_id);
CREATE TABLE IF NOT EXISTS idempotency (
    app TEXT NOT NULL, key TEXT NOT NULL, request_hash TEXT NOT NULL, is_done INTEGER NOT NULL,
    result TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (app, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS token (value TEXT PRIMARY KEY, app TEXT NOT NULL, ends_at REAL NOT NULL) WITHOUT ROWID;
"""
_LOCATIONS = ((1, "Main warehouse"), (2, "Second warehouse"))
MAIN_LOCATION_ID = 1


@dataclass(frozen=True, slots=True)
class Item:
    """One product with one variant and one inventory item; their ids differ only in the name before the number."""

    id: int
    sku: str
    title: str
    price: Decimal
    image: str
    description: str
    is_tracked: bool
    is_mutable: bool  # false for the parent of a bundle, whose figure nobody may set
    created_at: str


@dataclass(frozen=True, slots=True)
class Location:
    """A place the shop keeps stock at."""

    id: int
    name: str
    is_active: bool
    country_code: str
    province_code: str
    zip: str


@dataclass(frozen=True, slots=True)
class Level:
    """Figures of one item at one location. `committed` is sold and not yet shipped."""

    item_id: int
    location_id: int
    is_active: bool
    available: int
    committed: int
    created_at: str
    updated_at: str

    @property
    def on_hand(self) -> int:
        return self.available + self.committed


@dataclass(frozen=True, slots=True)
class Change:
    """One changed figure: when, from what to what, by which app, and the reference it gave."""

    id: int
    adjustment_id: int
    item_id: int
    location_id: int
    name: str
    before: int
    after: int
    at: str
    app: str
    reason: str
    reference: str | None


_CHANGE_COLUMNS = """change.id, adjustment_id, item_id, location_id, name, before, after, at, app, reason, reference
    FROM change JOIN adjustment ON adjustment.id = adjustment_id"""


class Store:
    """The shop's memory. One connection, one thread at a time; each write is on disk before it is answered."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file; None keeps everything in memory."""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(str(path or ":memory:"), check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(_TABLES)
        with self.transaction() as db:
            db.executemany("INSERT OR IGNORE INTO location (id, name) VALUES (?, ?)", _LOCATIONS)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. May be entered again inside itself: the outermost one commits."""
        with self._lock:
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    # --- catalogue ---

    def put_product(self, product: Mapping[str, Any]) -> tuple[Item, bool]:
        """Make the product, or bring the one with this SKU up to date; true when it was made.

        `available` counts only for a new product: filling the catalogue again does not touch the stock.
        """
        with self.transaction() as db:
            known = None if product.get("allow_duplicate") else self.item_by_sku(product["sku"])
            shown = (
                product["title"],
                str(product["price"]),
                product.get("image") or "",
                product.get("description") or "",
            )
            if known is not None:
                db.execute(
                    "UPDATE item SET title = ?, price = ?, image = ?, description = ? WHERE id = ?", (*shown, known.id)
                )
                return self._item(known.id), False
            now = now_text()
            cursor = db.execute(
                "INSERT INTO item (sku, title, price, image, description, is_tracked, is_mutable, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (product["sku"], *shown, product.get("tracked", True), product.get("mutable", True), now),
            )
            item_id = cursor.lastrowid
            assert item_id is not None
            db.execute(
                "INSERT INTO level (item_id, location_id, is_active, available, created_at, updated_at)"
                " VALUES (?, ?, 1, ?, ?, ?)",
                (item_id, MAIN_LOCATION_ID, product.get("available", 0), now, now),
            )
            return self._item(item_id), True

    def _item(self, item_id: int) -> Item:
        item = self.item(item_id)
        assert item is not None
        return item

    def item(self, item_id: int) -> Item | None:
        return next(iter(self._items("WHERE id = ?", (item_id,))), None)

    def item_by_sku(self, sku: str) -> Item | None:
        """The oldest item with exactly this SKU."""
        return next(iter(self._items("WHERE sku = ? ORDER BY id LIMIT 1", (sku,))), None)

    def items(self, *, after_id: int = 0, rows_max: int | None = None) -> list[Item]:
        return self._items("WHERE id > ? ORDER BY id LIMIT ?", (after_id, -1 if rows_max is None else rows_max))

    def items_count(self) -> int:
        return int(self.rows("SELECT count(*) FROM item")[0][0])

    def duplicates_of(self, item: Item) -> int:
        """How many other items carry the same SKU."""
        if not item.sku:
            return 0
        return int(self.rows("SELECT count(*) - 1 FROM item WHERE sku = ?", (item.sku,))[0][0])

    def _items(self, where: str, parameters: Sequence[Any]) -> list[Item]:
        sql = "SELECT id, sku, title, price, image, description, is_tracked, is_mutable, created_at FROM item " + where
        return [
            Item(row[0], row[1], row[2], Decimal(row[3]), row[4], row[5], bool(row[6]), bool(row[7]), row[8])
            for row in self.rows(sql, parameters)
        ]

    # --- locations and levels ---

    def locations(self) -> list[Location]:
        sql = "SELECT id, name, is_active, country_code, province_code, zip FROM location ORDER BY id"
        return [Location(row[0], row[1], bool(row[2]), *row[3:]) for row in self.rows(sql)]

    def location(self, location_id: int) -> Location | None:
        return next((location for location in self.locations() if location.id == location_id), None)

    def level(self, item_id: int, location_id: int) -> Level | None:
        return next(iter(self.levels("WHERE item_id = ? AND location_id = ?", (item_id, location_id))), None)

    def levels(self, where: str, parameters: Sequence[Any]) -> list[Level]:
        sql = "SELECT item_id, location_id, is_active, available, committed, created_at, updated_at FROM level " + where
        return [Level(row[0], row[1], bool(row[2]), *row[3:]) for row in self.rows(sql, parameters)]

    def available_by_item(self) -> dict[int, int]:
        """Units a shopper could buy, over the active locations."""
        sql = "SELECT item_id, sum(available) FROM level WHERE is_active GROUP BY item_id"
        return {int(item_id): int(available) for item_id, available in self.rows(sql)}

    # --- history ---

    def changes_of(self, item_id: int, *, rows_max: int = 100) -> list[Change]:
        """Newest first."""
        sql = f"SELECT {_CHANGE_COLUMNS} WHERE item_id = ? ORDER BY change.id DESC LIMIT ?"
        return [Change(*row) for row in self.rows(sql, (item_id, rows_max))]

    def latest_changes(self, *, app: str | None = None, rows_max: int = 10) -> list[Change]:
        """The newest changes of `available`, newest first, of one app or of all."""
        sql = (
            f"SELECT {_CHANGE_COLUMNS} WHERE name = 'available' AND (? IS NULL OR app = ?)"
            " ORDER BY change.id DESC LIMIT ?"
        )
        return [Change(*row) for row in self.rows(sql, (app, app, rows_max))]

    def changes_in(self, adjustment_id: int) -> list[Change]:
        sql = f"SELECT {_CHANGE_COLUMNS} WHERE adjustment_id = ? ORDER BY change.id"
        return [Change(*row) for row in self.rows(sql, (adjustment_id,))]

    def adjustment(self, adjustment_id: int) -> tuple[int, str, str, str, str | None] | None:
        """(id, at, app, reason, reference), None when there is none."""
        rows = self.rows("SELECT id, at, app, reason, reference FROM adjustment WHERE id = ?", (adjustment_id,))
        return (rows[0][0], rows[0][1], rows[0][2], rows[0][3], rows[0][4]) if rows else None

    # --- idempotency keys and tokens ---

    def key_result(self, *, app: str, key: str) -> tuple[str, bool, dict[str, Any]] | None:
        """(request hash, done, result) of an earlier call under this key, None when the key is new."""
        rows = self.rows("SELECT request_hash, is_done, result FROM idempotency WHERE app = ? AND key = ?", (app, key))
        return (rows[0][0], bool(rows[0][1]), json.loads(rows[0][2])) if rows else None

    def keep_key(self, *, app: str, key: str, request_hash: str, is_done: bool, result: Mapping[str, Any]) -> None:
        with self.transaction() as db:
            db.execute(
                "INSERT INTO idempotency (app, key, request_hash, is_done, result, at) VALUES (?, ?, ?, ?, ?, ?)",
                (app, key, request_hash, is_done, json.dumps(result), now_text()),
            )

    def keep_token(self, *, value: str, app: str, ends_at: float) -> None:
        """`ends_at` in seconds since the epoch."""
        with self.transaction() as db:
            db.execute("INSERT INTO token (value, app, ends_at) VALUES (?, ?, ?)", (value, app, ends_at))

    def token_app(self, value: str, *, now: float) -> str | None:
        """The app a fetched token belongs to, None when it is unknown or has ended."""
        rows = self.rows("SELECT app FROM token WHERE value = ? AND ends_at > ?", (value, now))
        return str(rows[0][0]) if rows else None

    def reset(self) -> None:
        """Forget products, figures, history and keys. Locations and tokens stay; ids are not used again."""
        with self.transaction() as db:
            for table in ("change", "adjustment", "level", "item", "idempotency"):
                db.execute(f"DELETE FROM {table}")


def now_text() -> str:
    """The present moment as the API writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
