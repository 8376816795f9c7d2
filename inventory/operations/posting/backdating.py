"""What is recorded today for an earlier day: it may not take what a later day needed, nor move what was counted since."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import uuid5

from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers, texts
from inventory.errors import NegativeInFuture
from inventory.locks import CellKey, lock_for_posting
from inventory.models import Posting, PostingKind
from inventory.operations.posting.claims import claim_posting
from inventory.operations.posting.drafts import Draft, Line
from inventory.operations.posting.writing import write_draft
from inventory.quantities import ZERO, as_text, proportion


@dataclass(slots=True)
class _Moved:
    """What a posting moved in one cell, signed and net. `left` (positive) is what went out, `worth` (None: unknown) its value."""

    quantity: Decimal = ZERO
    left: Decimal = ZERO
    worth: Decimal | None = ZERO

    def add(self, line: Line) -> None:
        self.quantity += line.quantity
        if line.quantity < ZERO:
            self.left -= line.quantity
            self.worth = None if self.worth is None or line.value is None else self.worth - line.value

    def worth_of(self, quantity: Decimal, *, step: Decimal) -> Decimal | None:
        return None if self.worth is None else proportion(self.worth, quantity, self.left, step=step)


def keep_counts(posting: Posting, lines: Sequence[Line]) -> None:
    """A count fixed the balance of its day: what is recorded later for an earlier day must not move it (rule S17).

    For each cell the first count after the posting's time gets a compensating movement, at the time of that count, in a
    posting of its own that names this one. What comes back carries the very value it left with, unknown when that was; what
    goes leaves at the current cost. The rows of the cells are locked already.
    """
    moved: dict[CellKey, _Moved] = {}
    for line in lines:
        moved.setdefault(line.key, _Moved()).add(line)
    moved = {key: net for key, net in moved.items() if net.quantity}
    counted = counts_after(list(moved), after=posting.effective_at)
    by_time: dict[datetime, list[CellKey]] = {}
    for key, at in counted.items():
        by_time.setdefault(at, []).append(key)
    for number, (at, keys) in enumerate(sorted(by_time.items())):
        claim = claim_posting(
            key=uuid5(posting.key, f"kept count {number}"),
            kind=PostingKind.COUNT,
            request={"compensates": posting.pk, "at": at},
            actor=None,
            effective_at=at,
            reference=posting.reference,
            reason="Already in the count",
            note=f"{posting} was recorded later for a day before the count",
            related=posting,
        )
        rows = lock_for_posting(
            items=[key[0] for key in keys],
            locations=sorted({key[1] for key in keys}),
            statuses=sorted({key[3] for key in keys}),
        )
        draft = Draft(rows)
        for key in sorted(keys):
            quantity = moved[key].quantity
            if quantity > ZERO:
                draft.issue(key[0], [(key, quantity)])
            else:
                draft.receive(key, -quantity, moved[key].worth_of(-quantity, step=draft.step))
        draft.finish()
        write_draft(claim.posting, draft)


def counts_after(keys: Sequence[CellKey], *, after: datetime) -> dict[CellKey, datetime]:
    """By cell, when it was first counted after a moment; cells that were not are left out."""
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n.item_id, n.location_id, n.lot_id, n.status, min(c.scanned_at)"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS n(item_id, location_id, lot_id, status)"
            " JOIN inventory_countline c USING (item_id, location_id, lot_id, status)"
            " WHERE c.state = 'posted' AND c.scanned_at > %s GROUP BY 1, 2, 3, 4",
            [
                numbers(key[0] for key in keys),
                numbers(key[1] for key in keys),
                numbers(key[2] for key in keys),
                texts(str(key[3]) for key in keys),
                after,
            ],
        )
        return {(row[0], row[1], row[2], row[3]): row[4] for row in cursor.fetchall()}


def refuse_negative_in_future(posting: Posting, draft: Draft) -> None:
    """A backdated posting must leave every later dated balance at zero or above (rule S16)."""
    falling: dict[CellKey, Decimal] = {}
    for line in draft.lines:
        falling[line.key] = falling.get(line.key, ZERO) + line.quantity
    falling = {key: delta for key, delta in falling.items() if delta < ZERO and key not in draft.overdrawn}
    if not falling:
        return
    keys = list(falling)
    counted = counts_after(keys, after=posting.effective_at)  # later balances stay as the count found them
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.sku, i.stock_unit, l.code, f.delta, lowest.at, lowest.quantity
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::numeric[], %s::timestamptz[])
                 AS f(item_id, location_id, lot_id, status, delta, counted_at)
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
              ) running
              WHERE running.at >= %s AND (f.counted_at IS NULL OR running.at < f.counted_at)
              ORDER BY running.quantity LIMIT 1
            ) lowest
            WHERE lowest.quantity + f.delta < 0
            """,
            [
                [k[0] for k in keys],
                [k[1] for k in keys],
                [k[2] for k in keys],
                [str(k[3]) for k in keys],
                [falling[k] for k in keys],
                [counted.get((k[0], k[1], k[2], str(k[3]))) for k in keys],
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
