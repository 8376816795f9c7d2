"""Writing a draft: movements, balances, pools, layers and the news, in a number of statements that never grows."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from inventory.arrays import numbers, texts
from inventory.bulk import cause_of
from inventory.locks import CellKey
from inventory.models import Posting
from inventory.operations.posting.drafts import Draft
from inventory.operations.posting.serials import DUPLICATED_SERIAL, duplicate_serial, rising_lots
from inventory.quantities import ZERO
from inventory.trips import rows_of


class Along(NamedTuple):
    """What the app above writes about a posting, as part of the statement that writes the posting."""

    tables: str
    """Common table expressions that write, without WITH. `posted` is there: id, effective_at and recorded_at of the posting."""
    parameters: Sequence[Any]


def write_draft(posting: Posting, draft: Draft, *, along: Along | None = None) -> None:
    """Write all that a finished draft says; the rows must be locked. `along` is written by the same statement.

    Raises DuplicateSerial for a serial of which more than one piece would be on hand.
    """
    if not (draft.lines or draft.pools):
        if along is not None:
            rows_of(f"WITH {_POSTED}, {along.tables} SELECT 1", [*_posted(posting), *along.parameters])
    else:
        if draft.overdrawn:
            _allow_negative(draft)
        _write(posting, draft, along)
        if draft.rows.layers:
            _write_layers(posting, draft)
        if draft.lot_pools:
            _write_lot_pools(draft)
    if draft.entries:
        _write_entries(posting, draft)
    if draft.released:
        _write_fulfilled(posting, draft)


_POSTED = "posted AS (SELECT %s::bigint AS id, %s::timestamptz AS effective_at, %s::timestamptz AS recorded_at)"
_WRITE = f"""
WITH {_POSTED}, changed AS (
  UPDATE inventory_stockbalance b SET quantity = b.quantity + d.delta, reserved = b.reserved - d.freed
  FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[]) AS d(id, delta, freed) WHERE b.id = d.id RETURNING 1
), made AS (
  INSERT INTO inventory_stockbalance (item_id, location_id, lot_id, status, quantity, reserved)
  SELECT n.item_id, n.location_id, n.lot_id, n.status, n.delta, 0
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::numeric[])
       AS n(item_id, location_id, lot_id, status, delta)
  ON CONFLICT (item_id, location_id, lot_id, status)
  DO UPDATE SET quantity = inventory_stockbalance.quantity + EXCLUDED.quantity RETURNING 1
), pooled AS (
  UPDATE inventory_costpool p SET quantity = n.quantity, value = n.value, unknown_quantity = n.unknown
  FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[]) AS n(id, quantity, value, unknown)
  WHERE p.id = n.id RETURNING 1
), news AS (
  INSERT INTO inventory_stockchange (items, posting_id, cause, recorded_at)
  SELECT %s::bigint[], id, %s, recorded_at FROM posted RETURNING 1
), moved AS (
  INSERT INTO inventory_movement
    (posting_id, item_id, location_id, lot_id, status, quantity, value, effective_at, recorded_at)
  SELECT posted.id, m.item_id, m.location_id, m.lot_id, m.status, m.quantity, m.value, effective_at, recorded_at
  FROM posted, unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::numeric[], %s::numeric[])
       AS m(item_id, location_id, lot_id, status, quantity, value) RETURNING 1
)"""
_COUNTS = f"""
SELECT (SELECT count(*) FROM changed) + (SELECT count(*) FROM made),
       (SELECT count(*) FROM pooled), (SELECT count(*) FROM moved), (SELECT count(*) FROM news),
       {DUPLICATED_SERIAL}
"""


def _posted(posting: Posting) -> tuple[Any, ...]:
    return posting.pk, posting.effective_at, posting.recorded_at


def _write(posting: Posting, draft: Draft, along: Along | None) -> None:
    deltas: dict[CellKey, Decimal] = {}
    for line in draft.lines:
        deltas[line.key] = deltas.get(line.key, ZERO) + line.quantity
    cells = draft.rows.cells
    known = [(key, delta) for key, delta in deltas.items() if key in cells]
    new = [(key, delta) for key, delta in deltas.items() if key not in cells]
    pools = [(draft.rows.pool_ids[item_id], pool) for item_id, pool in draft.pools.items()]
    items = sorted({line.item_id for line in draft.lines} | set(draft.pools))
    lines = draft.lines
    rising = rising_lots(draft)
    parameters: list[Any] = [
        *_posted(posting),
        numbers(cells[key].id for key, _ in known),
        numbers(delta for _, delta in known),
        numbers(draft.freed.get(key, ZERO) for key, _ in known),
        numbers(key[0] for key, _ in new),
        numbers(key[1] for key, _ in new),
        numbers(key[2] for key, _ in new),
        texts(str(key[3]) for key, _ in new),
        numbers(delta for _, delta in new),
        numbers(pool_id for pool_id, _ in pools),
        numbers(pool.quantity for _, pool in pools),
        numbers(pool.value for _, pool in pools),
        numbers(pool.unknown_quantity for _, pool in pools),
        numbers(items),
        cause_of(str(posting.kind)),
        numbers(line.item_id for line in lines),
        numbers(line.location_id for line in lines),
        numbers(line.lot_id for line in lines),
        texts(str(line.status) for line in lines),
        numbers(line.quantity for line in lines),
        numbers(line.value for line in lines),
        *(along.parameters if along else ()),
        numbers(rising),
        numbers(rising.values()),
    ]
    also = f", {along.tables}" if along else ""
    ((*counts, duplicated),) = rows_of(f"{_WRITE}{also}{_COUNTS}", parameters)
    expected = (len(deltas), len(pools), len(lines), 1)
    assert tuple(counts) == expected, f"wrote {counts} cells, pools, movements and news instead of {expected}"
    if duplicated is not None:
        raise duplicate_serial(duplicated)


def _allow_negative(draft: Draft) -> None:
    """Mark the cells that may go below zero, making those that do not exist; the rows of the draft then hold them."""
    keys = sorted(draft.overdrawn)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_stockbalance (item_id, location_id, lot_id, status, quantity, reserved, negative_allowed)"
            " SELECT n.*, 0, 0, true FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS n"
            " ON CONFLICT (item_id, location_id, lot_id, status) DO UPDATE SET negative_allowed = true"
            " RETURNING id, item_id, location_id, lot_id, status",
            [
                numbers(key[0] for key in keys),
                numbers(key[1] for key in keys),
                numbers(key[2] for key in keys),
                texts(str(key[3]) for key in keys),
            ],
        )
        for cell_id, *key in cursor.fetchall():
            draft.rows.note_cell_id((key[0], key[1], key[2], key[3]), cell_id)


def _write_layers(posting: Posting, draft: Draft) -> None:
    """Layers that were made, layers that changed, and the log of both: three statements for any number of them."""
    changed = [
        (i, y)
        for i, layers in draft.rows.layers.items()
        for y in layers
        if y.moved or y.revalued != ZERO or y.is_repriced
    ]
    new = [(item_id, layer) for item_id, layer in changed if layer.id is None]
    with connection.cursor() as cursor:
        if new:
            cursor.execute(
                "INSERT INTO inventory_costlayer (item_id, lot_id, posting_id, received_quantity, quantity, value)"
                " SELECT n.item_id, n.lot_id, %s, n.received, n.quantity, n.value FROM unnest(%s::bigint[], %s::bigint[],"
                " %s::numeric[], %s::numeric[], %s::numeric[]) WITH ORDINALITY"
                " AS n(item_id, lot_id, received, quantity, value, place) ORDER BY n.place RETURNING id",
                [
                    posting.pk,
                    numbers(item_id for item_id, _ in new),
                    numbers(layer.lot_id for _, layer in new),
                    numbers(layer.received for _, layer in new),
                    numbers(layer.quantity for _, layer in new),
                    numbers(layer.value for _, layer in new),
                ],
            )
            for (_, layer), (layer_id,) in zip(new, cursor.fetchall(), strict=True):
                layer.id, layer.posting_id = layer_id, posting.pk
        layers = [layer for _, layer in changed]
        if layers:
            cursor.execute(
                "WITH n AS (SELECT * FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[])"
                " AS n(id, quantity, value, moved, revalued)), kept AS ("
                " UPDATE inventory_costlayer y SET quantity = n.quantity, value = n.value FROM n WHERE y.id = n.id RETURNING 1)"
                " INSERT INTO inventory_costlayerchange (layer_id, posting_id, quantity, value, recorded_at)"
                " SELECT n.id, %s, n.moved, n.revalued, %s FROM n ORDER BY n.id",
                [
                    numbers(layer.id for layer in layers),
                    numbers(layer.quantity for layer in layers),
                    numbers(layer.value for layer in layers),
                    numbers(layer.moved for layer in layers),
                    numbers(layer.revalued for layer in layers),
                    posting.pk,
                    posting.recorded_at,
                ],
            )


def _write_lot_pools(draft: Draft) -> None:
    pools = sorted(draft.lot_pools.items())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_costpool (item_id, lot_id, method, quantity, value, unknown_quantity)"
            " SELECT n.item_id, n.lot_id, 'lot', n.quantity, n.value, n.unknown"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[])"
            " AS n(item_id, lot_id, quantity, value, unknown) ON CONFLICT (item_id, lot_id) DO UPDATE"
            " SET quantity = EXCLUDED.quantity, value = EXCLUDED.value, unknown_quantity = EXCLUDED.unknown_quantity",
            [
                numbers(item_id for (item_id, _), _ in pools),
                numbers(lot_id for (_, lot_id), _ in pools),
                numbers(pool.quantity for _, pool in pools),
                numbers(pool.value for _, pool in pools),
                numbers(pool.unknown_quantity for _, pool in pools),
            ],
        )


def _write_entries(posting: Posting, draft: Draft) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_costentry (posting_id, item_id, kind, amount, recorded_at)"
            " SELECT %s, e.item_id, e.kind, e.amount, %s"
            " FROM unnest(%s::bigint[], %s::text[], %s::numeric[]) AS e(item_id, kind, amount)",
            [
                posting.pk,
                posting.recorded_at,
                [item_id for item_id, _, _ in draft.entries],
                [str(kind) for _, kind, _ in draft.entries],
                [amount for _, _, amount in draft.entries],
            ],
        )


def _write_fulfilled(posting: Posting, draft: Draft) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH used AS (SELECT * FROM unnest(%s::bigint[], %s::numeric[]) AS u(id, quantity)), less AS ("
            " UPDATE inventory_reservation r SET quantity = r.quantity - used.quantity FROM used"
            " WHERE r.id = used.id RETURNING 1)"
            " INSERT INTO inventory_reservationchange (reservation_id, quantity, reason, actor_id, recorded_at)"
            " SELECT id, -quantity, %s, %s::bigint, %s FROM used",
            [
                list(draft.released),
                list(draft.released.values()),
                f"{draft.released_as} by posting {posting.pk}",
                posting.actor_id,
                posting.recorded_at,
            ],
        )
