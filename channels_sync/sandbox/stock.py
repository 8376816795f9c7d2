"""How figures change in the training shop: set by an app, bought by a shopper, activated at a location."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from channels_sync.sandbox.store import Change, Level, Store, now_text

QUANTITY_MAX = 1_000_000_000
REASONS = frozenset(
    {
        "correction",
        "cycle_count_available",
        "damaged",
        "movement_created",
        "movement_updated",
        "movement_received",
        "movement_canceled",
        "other",
        "promotion",
        "quality_control",
        "received",
        "reservation_created",
        "reservation_deleted",
        "reservation_updated",
        "restock",
        "safety_stock",
        "shrinkage",
    }
)
_STALE_CODES = {"changeFromQuantity": "CHANGE_FROM_QUANTITY_STALE", "compareQuantity": "COMPARE_QUANTITY_STALE"}
_URI = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/]+/\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One wanted figure. With `is_compared` the present figure has to be `compare`.

    `compare_field` is the input field the expectation came in; it names the error too.
    """

    item_id: int | None  # None: the id was no inventory item's
    location_id: int | None
    quantity: int
    is_compared: bool
    compare: int | None
    compare_field: str = "changeFromQuantity"


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a batch was refused; `path` leads to the field, as in the API's answer."""

    code: str
    path: tuple[str, ...]
    message: str


class BatchRefused(Exception):
    """At least one row is wrong; nothing was changed."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = tuple(errors)


class SoldOut(Exception):
    """A shopper wants more than the shop offers."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Where the API versions differ, and which SKUs are told to fail."""

    refuses_unstocked: bool  # up to 2026-07: a figure at an inactive location is an error
    failing_skus: Mapping[str, str] | None = None  # SKU -> error code


def set_quantities(
    store: Store, *, name: str, reason: str, reference: str | None, rows: Sequence[Row], app: str, rules: Rules
) -> tuple[int | None, list[Change]]:
    """Set every row or none. Returns the adjustment's id (None when nothing changed) and the changes.

    Raises BatchRefused with every error found.
    """
    errors = _call_errors(name=name, reason=reason, reference=reference)
    with store.transaction() as db:
        seen: set[tuple[int | None, int | None]] = set()
        for index, row in enumerate(rows):
            error = _row_error(store, row, index=index, name=name, is_repeated=_pair(row) in seen, rules=rules)
            seen.add(_pair(row))
            if error is not None:
                errors.append(error)
        if errors:
            raise BatchRefused(errors)
        adjustment_id: int | None = None
        for row in rows:
            assert row.item_id is not None
            assert row.location_id is not None
            level = _level_to_write(store, db, row.item_id, row.location_id)
            available = row.quantity if name == "available" else row.quantity - level.committed
            if available == level.available:
                continue
            if adjustment_id is None:
                adjustment_id = _new_adjustment(db, app=app, reason=reason, reference=reference)
            _write_available(db, level, available=available, committed=level.committed, adjustment_id=adjustment_id)
        return adjustment_id, store.changes_in(adjustment_id) if adjustment_id is not None else []


def sell(store: Store, *, item_id: int, location_id: int, quantity: int) -> Level:
    """A shopper buys: available falls and committed rises at once. Raises SoldOut when there are fewer."""
    with store.transaction() as db:
        level = store.level(item_id, location_id)
        if level is None or not level.is_active or level.available < quantity:
            offered = level.available if level is not None and level.is_active else 0
            raise SoldOut(f"The shop offers {offered}; {quantity} were wanted.")
        adjustment_id = _new_adjustment(db, app="Online Store", reason="reservation_created", reference=None)
        _write_available(
            db,
            level,
            available=level.available - quantity,
            committed=level.committed + quantity,
            adjustment_id=adjustment_id,
        )
        after = store.level(item_id, location_id)
        assert after is not None
        return after


def activate(
    store: Store, *, item_id: int, location_id: int, available: int | None, keeps_old: bool, app: str
) -> Level:
    """Stock the item at the location; harmless when it already is.

    `keeps_old` (from 2026-04): an inactive level comes back with its old figures, else with zero.
    """
    with store.transaction() as db:
        level = _level_to_write(store, db, item_id, location_id)
        if level.is_active:
            return level
        wanted = available if available is not None else (level.available if keeps_old else 0)
        db.execute(
            "UPDATE level SET is_active = 1, updated_at = ? WHERE item_id = ? AND location_id = ?",
            (now_text(), item_id, location_id),
        )
        if wanted != level.available:
            adjustment_id = _new_adjustment(db, app=app, reason="other", reference=None)
            _write_available(db, level, available=wanted, committed=level.committed, adjustment_id=adjustment_id)
        after = store.level(item_id, location_id)
        assert after is not None
        return after


def _pair(row: Row) -> tuple[int | None, int | None]:
    return row.item_id, row.location_id


def _call_errors(*, name: str, reason: str, reference: str | None) -> list[RowError]:
    errors = []
    if name not in {"available", "on_hand"}:
        message = "The quantity name must be either 'available' or 'on_hand'."
        errors.append(RowError("INVALID_NAME", ("input", "name"), message))
    if reason not in REASONS:
        errors.append(RowError("INVALID_REASON", ("input", "reason"), "The specified reason is invalid."))
    if reference is not None and not _URI.fullmatch(reference):
        message = "The specified reference document is invalid."
        errors.append(RowError("INVALID_REFERENCE_DOCUMENT", ("input", "referenceDocumentUri"), message))
    return errors


def _row_error(store: Store, row: Row, *, index: int, name: str, is_repeated: bool, rules: Rules) -> RowError | None:
    def error(code: str, field: str, message: str) -> RowError:
        return RowError(code, ("input", "quantities", str(index), field), message)

    item = store.item(row.item_id) if row.item_id is not None else None
    if item is None:
        return error("INVALID_INVENTORY_ITEM", "inventoryItemId", "The specified inventory item could not be found.")
    if row.location_id is None or store.location(row.location_id) is None:
        return error("INVALID_LOCATION", "locationId", "The specified location could not be found.")
    if is_repeated:
        message = "The combination of inventoryItemId and locationId must be unique."
        return error("NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "locationId", message)
    if item.sku in (rules.failing_skus or {}):
        return error(
            (rules.failing_skus or {})[item.sku], "inventoryItemId", "The sandbox was told to refuse this SKU."
        )
    if not item.is_mutable:
        message = "The specified inventory item is not allowed to be adjusted via API."
        return error("NON_MUTABLE_INVENTORY_ITEM", "inventoryItemId", message)
    if row.quantity < 0:
        return error("INVALID_QUANTITY_NEGATIVE", "quantity", "The quantity can't be negative.")
    if row.quantity > QUANTITY_MAX:
        return error("INVALID_QUANTITY_TOO_HIGH", "quantity", "The total quantity can't be higher than 1,000,000,000.")
    level = store.level(item.id, row.location_id)
    if rules.refuses_unstocked and (level is None or not level.is_active):
        message = "The specified inventory item is not stocked at the location."
        return error("ITEM_NOT_STOCKED_AT_LOCATION", "locationId", message)
    present = 0 if level is None else (level.available if name == "available" else level.on_hand)
    if row.is_compared and row.compare is None:
        message = "The compareQuantity argument must be given to each quantity or ignored using ignoreCompareQuantity."
        return error("COMPARE_QUANTITY_REQUIRED", row.compare_field, message)
    if row.is_compared and row.compare != present:
        message = f"The {row.compare_field} value does not match persisted value."
        return error(_STALE_CODES[row.compare_field], row.compare_field, message)
    return None


def _level_to_write(store: Store, db: sqlite3.Connection, item_id: int, location_id: int) -> Level:
    """The level, made inactive and empty where there is none yet."""
    now = now_text()
    db.execute(
        "INSERT OR IGNORE INTO level (item_id, location_id, is_active, available, created_at, updated_at)"
        " VALUES (?, ?, 0, 0, ?, ?)",
        (item_id, location_id, now, now),
    )
    level = store.level(item_id, location_id)
    assert level is not None
    return level


def _new_adjustment(db: sqlite3.Connection, *, app: str, reason: str, reference: str | None) -> int:
    cursor = db.execute(
        "INSERT INTO adjustment (at, app, reason, reference) VALUES (?, ?, ?, ?)", (now_text(), app, reason, reference)
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _write_available(
    db: sqlite3.Connection, level: Level, *, available: int, committed: int, adjustment_id: int
) -> None:
    """Write the figures and one history row per state that changed."""
    figures: tuple[tuple[str, int, int], ...] = (
        ("available", level.available, available),
        ("committed", level.committed, committed),
        ("on_hand", level.on_hand, available + committed),
    )
    changed: list[tuple[Any, ...]] = [
        (adjustment_id, level.item_id, level.location_id, name, before, after)
        for name, before, after in figures
        if before != after
    ]
    db.execute(
        "UPDATE level SET available = ?, committed = ?, updated_at = ? WHERE item_id = ? AND location_id = ?",
        (available, committed, now_text(), level.item_id, level.location_id),
    )
    db.executemany(
        "INSERT INTO change (adjustment_id, item_id, location_id, name, before, after) VALUES (?, ?, ?, ?, ?, ?)",
        changed,
    )
