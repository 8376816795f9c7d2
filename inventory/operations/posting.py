"""The only writer of stock: building blocks that every operation uses, in the order claim, lock, decide, write.

`claim_posting` makes the key unique, `lock_for_posting` (inventory.locks) holds the rows, `Draft` collects what moves and
values it from the locked pools with pure arithmetic, and `post` writes all of it with one statement: movements, balances,
pools and the news for the apps above. The number of statements does not depend on the number of lines.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers, texts
from inventory.errors import BackdatingNotAllowed, IdempotencyMismatch, NegativeInFuture
from inventory.locks import CellKey, StockRows
from inventory.models import CostEntryKind, Posting, PostingKind
from inventory.quantities import ZERO, as_text, share_out
from inventory.valuation import Pool, average_value, put, take, take_back
from inventory.wakeups import wake_after_commit

Actor = AbstractBaseUser | AnonymousUser | None
"""Who does it; None for the system itself."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A posting whose key is ours, or one that had used the key for this very request before."""

    posting: Posting
    is_new: bool


def request_hash(kind: str, request: Mapping[str, object]) -> bytes:
    """SHA-256 of a request in canonical form: sorted keys, quantities as text, times in ISO 8601."""
    text = json.dumps({"kind": kind, **request}, sort_keys=True, separators=(",", ":"), default=_canonical)
    return hashlib.sha256(text.encode()).digest()


def _canonical(value: object) -> str:
    if isinstance(value, Decimal):
        return as_text(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def claim_posting(
    *,
    key: UUID,
    kind: PostingKind,
    request: Mapping[str, object],
    actor: Actor,
    effective_at: datetime | None,
    reference: str = "",
    reason: str = "",
    note: str = "",
    reverses: Posting | None = None,
) -> Claim:
    """Insert the posting under `key`, or find the one that used the key before.

    A rival with the same key is waited for. Raises IdempotencyMismatch when the key was used for another request, and
    BackdatingNotAllowed for a time in the future.
    """
    now = timezone.now()
    if effective_at is not None and effective_at > now:
        raise BackdatingNotAllowed(
            f"{timezone.localtime(effective_at):%Y-%m-%d %H:%M} lies in the future; stock can only have moved already. "
            "Give a time up to now.",
            effective_at=effective_at.isoformat(),
        )
    fingerprint = request_hash(kind, request)
    posting = Posting(
        key=key,
        request_hash=fingerprint,
        kind=kind,
        reference=reference,
        reason=reason,
        note=note,
        actor_id=getattr(actor, "pk", None),
        reverses=reverses,
        effective_at=effective_at or now,
        recorded_at=now,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_posting (key, request_hash, kind, reference, reason, note, actor_id, reverses_id,"
            " effective_at, recorded_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (key) DO NOTHING RETURNING id",
            [
                key,
                fingerprint,
                str(kind),
                reference,
                reason,
                note,
                posting.actor_id,
                posting.reverses_id,
                posting.effective_at,
                now,
            ],
        )
        row = cursor.fetchone()
    if row is not None:
        posting.pk = row[0]
        posting._state.adding = False
        posting._state.db = connection.alias
        return Claim(posting, is_new=True)
    known = Posting.objects.get(key=key)
    if bytes(known.request_hash) != fingerprint:
        raise IdempotencyMismatch(
            f"The key {key} was used on {timezone.localtime(known.recorded_at):%Y-%m-%d %H:%M} for another request "
            f"({known}). Repeat that request unchanged, or send this one with a new key.",
            key=str(key),
            posting=known.pk,
        )
    return Claim(known, is_new=False)


@dataclass(slots=True)
class Line:
    """One movement to be: signed quantity in the stock unit, and its signed value once it is known (None: unknown)."""

    item_id: int
    location_id: int
    lot_id: int
    status: str
    quantity: Decimal
    value: Decimal | None = None

    @property
    def key(self) -> CellKey:
        return (self.item_id, self.location_id, self.lot_id, self.status)


@dataclass(slots=True)
class Draft:
    """What one posting will move, valued as it is collected. Pure: it reads and changes only what it was given.

    `rows` are the locked pools and cells; `pools` is their state after the lines collected so far.
    """

    rows: StockRows
    step: Decimal = field(default_factory=lambda: settings.CURRENCY_STEP)
    lines: list[Line] = field(default_factory=list)
    entries: list[tuple[int | None, CostEntryKind, Decimal]] = field(default_factory=list)
    pools: dict[int, Pool] = field(default_factory=dict)
    released: dict[int, Decimal] = field(default_factory=dict)
    """Reservation id -> quantity of it that is fulfilled by this posting."""
    freed: dict[CellKey, Decimal] = field(default_factory=dict)
    """Cell -> how much less is reserved in it."""

    def pool(self, item_id: int) -> Pool:
        found = self.pools.get(item_id)
        return self.rows.pools[item_id] if found is None else found

    def issue(self, item_id: int, cells: Sequence[tuple[CellKey, Decimal]]) -> Decimal | None:
        """Take positive quantities of one item out of cells at the average; return the (positive) value, None if unknown.

        The item's value is rounded once and shared out over the cells, so that the parts sum to it.
        """
        quantity = cells[0][1] if len(cells) == 1 else sum((q for _, q in cells), ZERO)
        taken = take(self.pool(item_id), quantity, step=self.step)
        self.pools[item_id] = taken.pool
        self._out(cells, taken.value)
        self._settle(item_id, cells[-1][0], taken.residue)
        return taken.value

    def receive(self, key: CellKey, quantity: Decimal, value: Decimal | None) -> None:
        """Put a positive quantity worth `value` (None: unknown) into a cell."""
        item_id = key[0]
        self.pools[item_id] = put(self.pool(item_id), quantity, value)
        self.lines.append(Line(*key, quantity, value))

    def move(self, source: CellKey, target: CellKey, quantity: Decimal) -> Decimal | None:
        """Carry a positive quantity between cells of one item; the pool stays as it is. Returns the value carried."""
        value = average_value(self.pool(source[0]), quantity, step=self.step)
        self.lines.append(Line(*source, -quantity, None if value is None else -value))
        self.lines.append(Line(*target, quantity, value))
        return value

    def take_back(self, key: CellKey, quantity: Decimal, value: Decimal | None) -> None:
        """Undo a receipt: the very quantity and value leave; what the pool no longer has becomes reversal variance."""
        item_id = key[0]
        taken = take_back(self.pool(item_id), quantity, value, step=self.step)
        self.pools[item_id] = taken.pool
        self.lines.append(Line(*key, -quantity, None if taken.value is None else -taken.value))
        self._settle(item_id, key, taken.residue)
        if taken.value is not None:
            self.expense(item_id, CostEntryKind.REVERSAL_VARIANCE, taken.value - (value or ZERO))

    def carry_back(self, key: CellKey, quantity: Decimal, value: Decimal | None) -> None:
        """Undo one side of a transfer: signed quantity and value, without touching the pool."""
        self.lines.append(Line(*key, quantity, value))

    def revalue(self, key: CellKey, amount: Decimal) -> None:
        """Add `amount` (signed) to the value of the item's stock without moving any."""
        pool = self.pool(key[0])
        self.pools[key[0]] = Pool(pool.quantity, pool.value + amount, ZERO)
        if amount:
            self.lines.append(Line(*key, ZERO, amount))
        elif pool.is_unknown:  # the ledger must show that the cost became known, though the sum stays the same
            self.lines += [Line(*key, ZERO, self.step), Line(*key, ZERO, -self.step)]

    def restore_value(self, key: CellKey, amount: Decimal) -> None:
        """Undo a movement of value alone: add `amount` (signed) to the pool and keep what is unknown of it."""
        pool = self.pool(key[0])
        self.pools[key[0]] = Pool(pool.quantity, pool.value + amount, pool.unknown_quantity)
        self.lines.append(Line(*key, ZERO, amount))

    def expense(self, item_id: int | None, kind: CostEntryKind, amount: Decimal | None) -> None:
        """Book value that leaves stock (positive) or enters it (negative) without a quantity; nothing for zero or None."""
        if amount:
            self.entries.append((item_id, kind, amount))

    def fulfil(self, key: CellKey, cell_id: int, quantity: Decimal) -> None:
        """Use up `quantity` of the demand's own pins in a cell, oldest first."""
        left = quantity
        for own in self.rows.own.get(cell_id, ()):
            part = min(own.quantity - self.released.get(own.id, ZERO), left)
            if part > ZERO:
                self.released[own.id] = self.released.get(own.id, ZERO) + part
                left -= part
        assert left == ZERO, "more was fulfilled than the demand has reserved"
        self.freed[key] = self.freed.get(key, ZERO) + quantity

    def _out(self, cells: Sequence[tuple[CellKey, Decimal]], value: Decimal | None) -> None:
        values: Sequence[Decimal | None]
        if value is None:
            values = [None] * len(cells)
        elif len(cells) == 1:
            values = [-value]
        else:
            values = [-part for part in share_out(value, [q for _, q in cells], step=self.step)]
        self.lines.extend(Line(*key, -q, v) for (key, q), v in zip(cells, values, strict=True))

    def _settle(self, item_id: int, key: CellKey, residue: Decimal) -> None:
        """Known value that stayed on zero units of a partly unknown pool leaves with the last of them."""
        if residue:
            self.lines.append(Line(*key, ZERO, -residue))
            self.expense(item_id, CostEntryKind.UNKNOWN_COST, residue)


def post(*, posting: Posting, draft: Draft) -> None:
    """Write a draft: movements, balances, pools and the news, in one statement; cost entries and pins when there are any.

    The rows must be locked (`lock_for_posting`). Each line must be exact to six places; the database refuses a negative
    balance. Raises NegativeInFuture for a backdated posting that takes what a later day still needs.
    """
    if draft.lines or draft.pools:
        if posting.effective_at.date() < posting.recorded_at.date():
            _refuse_negative_in_future(posting, draft)
        _write(posting, draft)
    if draft.entries:
        _write_entries(posting, draft)
    if draft.released:
        _write_fulfilled(posting, draft)
    wake_after_commit()


_WRITE = """
WITH changed AS (
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
  VALUES (%s::bigint[], %s, %s, %s) RETURNING 1
), moved AS (
  INSERT INTO inventory_movement
    (posting_id, item_id, location_id, lot_id, status, quantity, value, effective_at, recorded_at)
  SELECT %s, m.item_id, m.location_id, m.lot_id, m.status, m.quantity, m.value, %s, %s
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::numeric[], %s::numeric[])
       AS m(item_id, location_id, lot_id, status, quantity, value) RETURNING 1
)
SELECT (SELECT count(*) FROM changed) + (SELECT count(*) FROM made),
       (SELECT count(*) FROM pooled), (SELECT count(*) FROM moved), (SELECT count(*) FROM news)
"""


def _write(posting: Posting, draft: Draft) -> None:
    deltas: dict[CellKey, Decimal] = {}
    for line in draft.lines:
        deltas[line.key] = deltas.get(line.key, ZERO) + line.quantity
    cells = draft.rows.cells
    known = [(key, delta) for key, delta in deltas.items() if key in cells]
    new = [(key, delta) for key, delta in deltas.items() if key not in cells]
    pools = [(draft.rows.pool_ids[item_id], pool) for item_id, pool in draft.pools.items()]
    items = sorted({line.item_id for line in draft.lines} | set(draft.pools))
    lines = draft.lines
    parameters: list[Any] = [
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
        posting.pk,
        str(posting.kind),
        posting.recorded_at,
        posting.pk,
        posting.effective_at,
        posting.recorded_at,
        numbers(line.item_id for line in lines),
        numbers(line.location_id for line in lines),
        numbers(line.lot_id for line in lines),
        texts(str(line.status) for line in lines),
        numbers(line.quantity for line in lines),
        numbers(line.value for line in lines),
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, parameters)
        written = cursor.fetchone()
    expected = (len(deltas), len(pools), len(lines), 1)
    assert written == expected, f"wrote {written} cells, pools, movements and news instead of {expected}"


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
                f"fulfilled by posting {posting.pk}",
                posting.actor_id,
                posting.recorded_at,
            ],
        )


def _refuse_negative_in_future(posting: Posting, draft: Draft) -> None:
    """A backdated posting must leave every later dated balance at zero or above (rule S16)."""
    falling: dict[CellKey, Decimal] = {}
    for line in draft.lines:
        falling[line.key] = falling.get(line.key, ZERO) + line.quantity
    falling = {key: delta for key, delta in falling.items() if delta < ZERO}
    if not falling:
        return
    keys = list(falling)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.sku, i.stock_unit, l.code, f.delta, lowest.at, lowest.quantity
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::numeric[])
                 AS f(item_id, location_id, lot_id, status, delta)
            JOIN inventory_item i ON i.id = f.item_id JOIN inventory_location l ON l.id = f.location_id
            CROSS JOIN LATERAL (
              SELECT running.at, running.quantity FROM (
                SELECT m.effective_at AS at,
                       sum(m.quantity) OVER (ORDER BY m.effective_at, m.id ROWS UNBOUNDED PRECEDING) AS quantity
                FROM inventory_movement m
                WHERE m.item_id = f.item_id AND m.location_id = f.location_id AND m.lot_id = f.lot_id
                  AND m.status = f.status
                UNION ALL
                SELECT %s, coalesce(sum(m.quantity), 0) FROM inventory_movement m
                WHERE m.item_id = f.item_id AND m.location_id = f.location_id AND m.lot_id = f.lot_id
                  AND m.status = f.status AND m.effective_at <= %s
              ) running WHERE running.at >= %s ORDER BY running.quantity LIMIT 1
            ) lowest
            WHERE lowest.quantity + f.delta < 0
            """,
            [
                [k[0] for k in keys],
                [k[1] for k in keys],
                [k[2] for k in keys],
                [str(k[3]) for k in keys],
                [falling[k] for k in keys],
                posting.effective_at,
                posting.effective_at,
                posting.effective_at,
            ],
        )
        rows = cursor.fetchall()
    if rows:
        sku, unit, code, delta, at, quantity = rows[0]
        raise NegativeInFuture(
            f"{code} held {as_text(quantity)} {unit} of {sku} on {timezone.localtime(at):%Y-%m-%d %H:%M}; taking "
            f"{as_text(-delta)} {unit} on {timezone.localtime(posting.effective_at):%Y-%m-%d} would have left less than "
            "nothing then. Choose a later date, or record the missing receipt first.",
            short=[
                {
                    "item": r[0],
                    "location": r[2],
                    "quantity": as_text(-r[3]),
                    "lowest": as_text(r[5]),
                    "at": r[4].isoformat(),
                }
                for r in rows
            ],
        )
