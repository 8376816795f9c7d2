"""Facts about stock that always hold: for tests, the nightly task, `manage.py verify_ledger` and the page that shows them.

Each check is set-based, over the present data, and returns what breaks it, in words; nothing means it holds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from inventory.ledger_passes import newest_period_agrees, on_the_ledger
from inventory.models import NEUTRAL_KINDS

FINDINGS_MAX = 20
"""Findings reported of one check."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """One fact. `find` returns at most FINDINGS_MAX descriptions of rows that break it."""

    name: str
    description: str
    find: Callable[[], Sequence[str]]


def query(sql: str, parameters: Sequence[Any] = (), *, words: str) -> list[str]:
    """Run a check; each row fills the words of one finding."""
    with connection.cursor() as cursor:
        # Materialized: a bare LIMIT lets the planner hope for the first rows soon, and where nothing is found they never come.
        cursor.execute(
            f"WITH breach AS MATERIALIZED ({sql}) SELECT * FROM breach LIMIT {FINDINGS_MAX}", list(parameters)
        )
        return [words.format(*row) for row in cursor.fetchall()]


LOOKED_UP_DAYS = 8
"""Movements of so many days are looked up in their balances one by one."""


def balances_equal_movements() -> list[str]:
    """Every cell is the sum of its movements, and every movement of late has its cell.

    A cell without a balance stands for nothing there. That one is missing although something moved is looked at in the days
    after each movement. Only when the whole differs is each cell added up.
    """
    if on_the_ledger().balances_agree:
        return query(
            """
            SELECT m.item_id, m.location_id, m.lot_id, m.status, sum(m.quantity) FROM inventory_movement m
            WHERE m.recorded_at > now() - make_interval(days => %s) AND NOT EXISTS (
              SELECT FROM inventory_stockbalance b
              WHERE (b.item_id, b.location_id, b.lot_id, b.status) = (m.item_id, m.location_id, m.lot_id, m.status)
            ) GROUP BY 1, 2, 3, 4
            """,
            [LOOKED_UP_DAYS],
            words="item {0} at location {1}, lot {2}, {3}: balance missing, movements {4}",
        )
    return query(
        """
        WITH wrong AS (
          SELECT item_id, location_id, lot_id, status FROM (
            SELECT item_id, location_id, lot_id, status, quantity, 0 AS balances FROM inventory_movement
            UNION ALL
            SELECT item_id, location_id, lot_id, status, -quantity, 1 FROM inventory_stockbalance
          ) both_sides GROUP BY 1, 2, 3, 4 HAVING sum(quantity) <> 0 OR max(balances) = 0
        )
        SELECT w.item_id, w.location_id, w.lot_id, w.status, coalesce(b.quantity::text, 'missing'),
               (SELECT coalesce(sum(m.quantity), 0) FROM inventory_movement m
                WHERE (m.item_id, m.location_id, m.lot_id, m.status) = (w.item_id, w.location_id, w.lot_id, w.status))
        FROM wrong w LEFT JOIN inventory_stockbalance b USING (item_id, location_id, lot_id, status)
        """,
        words="item {0} at location {1}, lot {2}, {3}: balance {4}, movements {5}",
    )


def pools_equal_movements() -> list[str]:
    """Quantity and value of each item's pool; added up item by item only when the whole differs."""
    if on_the_ledger().balances_agree and on_the_ledger().pools_agree:
        return []
    return query(
        """
        SELECT item_id, coalesce(-sum(quantity) FILTER (WHERE is_pool), 0), coalesce(sum(quantity) FILTER (WHERE NOT is_pool), 0),
               coalesce(-sum(value) FILTER (WHERE is_pool), 0), coalesce(sum(value) FILTER (WHERE NOT is_pool), 0)
        FROM (
          SELECT item_id, false AS is_pool, sum(quantity) AS quantity, coalesce(sum(value), 0) AS value
          FROM inventory_movement GROUP BY 1
          UNION ALL
          SELECT item_id, true, -quantity, -value FROM inventory_costpool WHERE lot_id IS NULL
        ) both_sides GROUP BY item_id HAVING sum(quantity) <> 0 OR sum(value) <> 0
        """,
        words="item {0}: pool {1} worth {3}, movements {2} worth {4}",
    )


def nothing_negative() -> list[str]:
    return query(
        "SELECT item_id, location_id, lot_id, status, quantity FROM inventory_stockbalance"
        " WHERE quantity < 0 AND NOT negative_allowed",
        words="item {0} at location {1}, lot {2}, {3}: {4}",
    )


def neutral_postings_sum_to_zero() -> list[str]:
    return query(
        """
        SELECT m.posting_id, m.item_id, sum(m.quantity), coalesce(sum(m.value), 0)
        FROM inventory_movement m JOIN inventory_posting p ON p.id = m.posting_id
        LEFT JOIN inventory_posting r ON r.id = p.reverses_id
        WHERE coalesce(r.kind, p.kind) = ANY(%s::text[])
        GROUP BY m.posting_id, m.item_id, m.lot_id
        HAVING sum(m.quantity) <> 0 OR coalesce(sum(m.value), 0) <> 0
        """,
        [[str(kind) for kind in NEUTRAL_KINDS]],
        words="posting {0}, item {1}: quantities sum to {2}, values to {3}",
    )


def lot_changes_sum_to_zero() -> list[str]:
    """What one lot loses others of the item gain; a reversal may book a variance, so only its quantities are looked at."""
    return query(
        """
        SELECT m.posting_id, m.item_id, sum(m.quantity), coalesce(sum(m.value), 0)
        FROM inventory_movement m JOIN inventory_posting p ON p.id = m.posting_id
        LEFT JOIN inventory_posting r ON r.id = p.reverses_id
        WHERE coalesce(r.kind, p.kind) = 'lot_change'
        GROUP BY m.posting_id, m.item_id, p.kind
        HAVING sum(m.quantity) <> 0 OR (p.kind = 'lot_change' AND coalesce(sum(m.value), 0) <> 0)
        """,
        words="lot change {0}, item {1}: quantities sum to {2}, values to {3}",
    )


def transfer_lines_equal_their_postings() -> list[str]:
    """What a two-step transfer says was sent, arrived or was lost is what its postings moved and was not taken back."""
    return query(
        """
        WITH mine AS (
          SELECT t.id AS transfer_id, t.dispatch_id AS posting_id, t.transit_id, t.target_id, true AS is_dispatch
          FROM inventory_stocktransfer t
          UNION ALL
          SELECT t.id, r.posting_id, t.transit_id, t.target_id, false FROM inventory_stocktransferreceipt r
          JOIN inventory_stocktransfer t ON t.id = r.transfer_id
          WHERE NOT EXISTS (SELECT 1 FROM inventory_posting u WHERE u.reverses_id = r.posting_id)
        ), moved AS (
          SELECT mine.transfer_id, m.item_id, m.lot_id,
                 sum(m.quantity) FILTER (WHERE is_dispatch AND m.location_id = mine.transit_id) AS sent,
                 sum(m.quantity) FILTER (WHERE NOT is_dispatch AND m.location_id = mine.target_id) AS received,
                 -sum(m.quantity) FILTER (WHERE NOT is_dispatch AND p.kind = 'scrap') AS lost
          FROM mine JOIN inventory_posting p ON p.id = mine.posting_id
          JOIN inventory_movement m ON m.posting_id = mine.posting_id GROUP BY 1, 2, 3
        ), said AS (
          SELECT transfer_id, item_id, lot_id, sum(quantity) AS sent, sum(received) AS received, sum(lost) AS lost
          FROM inventory_stocktransferline GROUP BY 1, 2, 3
        )
        SELECT t.number, coalesce(s.item_id, m.item_id), s.sent, s.received, s.lost,
               coalesce(m.sent, 0), coalesce(m.received, 0), coalesce(m.lost, 0)
        FROM said s FULL JOIN moved m USING (transfer_id, item_id, lot_id)
        JOIN inventory_stocktransfer t ON t.id = coalesce(s.transfer_id, m.transfer_id)
        WHERE (coalesce(s.sent, 0), coalesce(s.received, 0), coalesce(s.lost, 0))
           <> (coalesce(m.sent, 0), coalesce(m.received, 0), coalesce(m.lost, 0))
        """,
        words="{0}, item {1}: says sent {2}, arrived {3}, lost {4}; its postings moved {5}, {6}, {7}",
    )


def lot_pools_equal_movements() -> list[str]:
    """Where lots carry their cost, each lot's pool is the sum of its movements, and the item's pool that of its lots."""
    return query(
        """
        WITH by_lot AS (SELECT item_id FROM inventory_costpool WHERE lot_id IS NULL AND method = 'lot'),
        moved AS (
          SELECT m.item_id, m.lot_id, sum(m.quantity) AS quantity, coalesce(sum(m.value), 0) AS value
          FROM inventory_movement m JOIN by_lot USING (item_id) GROUP BY 1, 2
        ), kept AS (
          SELECT p.item_id, p.lot_id, p.quantity, p.value FROM inventory_costpool p JOIN by_lot USING (item_id)
          WHERE p.lot_id IS NOT NULL
        ), per_item AS (
          SELECT item_id, sum(quantity) AS quantity, sum(value) AS value FROM kept GROUP BY 1
        )
        SELECT 'lot ' || coalesce(k.lot_id, m.lot_id), coalesce(k.item_id, m.item_id), coalesce(k.quantity, 0),
               coalesce(m.quantity, 0), coalesce(k.value, 0), coalesce(m.value, 0)
        FROM kept k FULL JOIN moved m USING (item_id, lot_id)
        WHERE coalesce(k.quantity, 0) <> coalesce(m.quantity, 0)
        UNION ALL
        SELECT 'all lots', p.item_id, coalesce(s.quantity, 0), p.quantity, coalesce(s.value, 0), p.value
        FROM inventory_costpool p JOIN by_lot USING (item_id) LEFT JOIN per_item s USING (item_id)
        WHERE p.lot_id IS NULL AND (p.quantity, p.value) <> (coalesce(s.quantity, 0), coalesce(s.value, 0))
        """,
        words="item {1}, {0}: pools of lots {2} worth {4}, ledger {3} worth {5}",
    )


def layers_equal_their_pool() -> list[str]:
    """Of first-in-first-out items: layers sum to the item's pool, and each layer to its changes."""
    return query(
        """
        SELECT 'pool of item ' || p.item_id, coalesce(y.quantity, 0), p.quantity, coalesce(y.value, 0), p.value
        FROM inventory_costpool p
        LEFT JOIN (SELECT item_id, sum(quantity) AS quantity, sum(value) AS value FROM inventory_costlayer GROUP BY 1) y
          USING (item_id)
        WHERE p.lot_id IS NULL AND p.method = 'fifo'
          AND (p.quantity, p.value) <> (coalesce(y.quantity, 0), coalesce(y.value, 0))
        UNION ALL
        SELECT 'layer ' || y.id, y.quantity, coalesce(c.quantity, 0), coalesce(y.value, 0), coalesce(c.value, 0)
        FROM inventory_costlayer y
        LEFT JOIN (SELECT layer_id, sum(quantity) AS quantity, sum(value) AS value, bool_or(value IS NULL) AS is_unknown
                   FROM inventory_costlayerchange GROUP BY 1) c ON c.layer_id = y.id
        WHERE y.quantity <> coalesce(c.quantity, 0)
           OR (NOT coalesce(c.is_unknown, false) AND coalesce(y.value, 0) <> coalesce(c.value, 0))
        """,
        words="{0}: layers {1} worth {3}, against {2} worth {4}",
    )


def pools_know_their_method() -> list[str]:
    return query(
        """
        SELECT i.sku, i.cost_method, p.method FROM inventory_costpool p JOIN inventory_item i ON i.id = p.item_id
        WHERE p.lot_id IS NULL AND p.method <> i.cost_method
        """,
        words="{0} is valued by {1}, its pool by {2}",
    )


def reversals_cancel() -> list[str]:
    """A whole reversal and what it reverses sum to zero, in quantity and, with the cost entries of both, in value."""
    return query(
        """
        WITH undone AS (
          SELECT p.id AS reversal_id, p.reverses_id FROM inventory_posting p
          JOIN inventory_posting o ON o.id = p.reverses_id
          WHERE o.kind <> 'completion'
        ), both_sides AS (
          SELECT u.reversal_id, m.item_id, m.quantity, coalesce(m.value, 0) AS value
          FROM undone u JOIN inventory_movement m ON m.posting_id IN (u.reversal_id, u.reverses_id)
          UNION ALL
          SELECT u.reversal_id, e.item_id, 0, e.amount FROM undone u
          JOIN inventory_costentry e ON e.posting_id IN (u.reversal_id, u.reverses_id)
        )
        SELECT reversal_id, item_id, sum(quantity), sum(value) FROM both_sides
        GROUP BY 1, 2 HAVING sum(quantity) <> 0 OR sum(value) <> 0
        """,
        words="reversal {0}, item {1}: quantity {2} and value {3} are left of both",
    )


def reserved_equals_pins() -> list[str]:
    return query(
        """
        SELECT coalesce(b.item_id, r.item_id), coalesce(b.location_id, r.location_id), coalesce(b.lot_id, r.lot_id),
               coalesce(b.reserved, 0), coalesce(r.quantity, 0), coalesce(b.quantity, 0)
        FROM (SELECT * FROM inventory_stockbalance WHERE reserved <> 0 AND status = 'available') b
        FULL JOIN (SELECT item_id, location_id, lot_id, sum(quantity) AS quantity FROM inventory_reservation
                   WHERE lot_id IS NOT NULL AND quantity > 0 GROUP BY 1, 2, 3) r USING (item_id, location_id, lot_id)
        WHERE coalesce(b.reserved, 0) <> coalesce(r.quantity, 0) OR coalesce(b.reserved, 0) > coalesce(b.quantity, 0)
        """,
        words="item {0} at location {1}, lot {2}: {3} reserved on the balance, {4} in reservations, {5} on hand",
    )


def reservations_equal_their_log() -> list[str]:
    return query(
        """
        SELECT r.id, r.quantity, coalesce(c.quantity, 0) FROM inventory_reservation r
        LEFT JOIN (SELECT reservation_id, sum(quantity) AS quantity FROM inventory_reservationchange GROUP BY 1) c
          ON c.reservation_id = r.id
        WHERE r.quantity <> coalesce(c.quantity, 0)
        """,
        words="reservation {0}: holds {1}, its log sums to {2}",
    )


def postings_have_movements() -> list[str]:
    """But for completions and their undoing: where all is scrap and the components were booked before, as whole rolls or
    multiples are, nothing moves. That they moved what they say is checked above, by production.
    """
    without = on_the_ledger().without_movements
    if not without:
        return []
    return query(
        """
        SELECT p.id, p.kind FROM inventory_posting p
        WHERE p.id = ANY(%s::bigint[])
          AND NOT EXISTS (SELECT 1 FROM inventory_costentry e WHERE e.posting_id = p.id)
          AND NOT (p.kind = 'reversal' AND EXISTS (
            SELECT 1 FROM inventory_posting o WHERE o.id = p.reverses_id AND o.kind = 'completion'))
        """,
        [list(without)],
        words="posting {0} ({1}) moved nothing",
    )


def cells_point_at_what_exists() -> list[str]:
    """References without a foreign key in the database (see README) still lead somewhere, and lots belong to their item.

    Of balances: movements of a cell without one are what the first fact finds. The item of a lot exists by its foreign key.
    """
    return query(
        """
        SELECT b.item_id, b.location_id, b.lot_id FROM inventory_stockbalance b
        LEFT JOIN inventory_lot l ON l.id = b.lot_id
        LEFT JOIN inventory_location c ON c.id = b.location_id
        WHERE c.id IS NULL OR l.item_id IS DISTINCT FROM b.item_id
        """,
        words="a balance: item {0}, location {1} or lot {2} is missing or belongs to another item",
    )


def movements_carry_their_postings_times() -> list[str]:
    if on_the_ledger().times_agree:
        return []
    return query(
        """
        SELECT m.id, m.posting_id FROM inventory_movement m JOIN inventory_posting p ON p.id = m.posting_id
        WHERE m.effective_at <> p.effective_at OR m.recorded_at <> p.recorded_at
        """,
        words="movement {0} has other times than its posting {1}",
    )


def snapshots_equal_movements() -> list[str]:
    """Item by item for the newest closed period, counted back from the pools; as sums for the earlier ones."""
    found = [] if newest_period_agrees() else _wrong_items_of_newest_period()
    return found if on_the_ledger().periods_agree else found + _wrong_sums_of_periods()


_PERIOD_WORDS = "closed through {0}, {1}: kept {2} worth {4}, movements {3} worth {5}"


def _wrong_items_of_newest_period() -> list[str]:
    return query(
        """
        WITH newest AS MATERIALIZED (
          SELECT * FROM inventory_periodclose WHERE reopened_at IS NULL ORDER BY ends_at DESC LIMIT 1
        ), back AS (
          SELECT item_id, sum(quantity) AS quantity, sum(value) AS value FROM (
            SELECT item_id, quantity, value FROM inventory_costpool WHERE lot_id IS NULL
            UNION ALL
            SELECT m.item_id, -sum(m.quantity), -coalesce(sum(m.value), 0) FROM inventory_movement m
            WHERE m.effective_at > (SELECT ends_at FROM newest) AND m.recorded_at > (SELECT ends_at FROM newest) GROUP BY 1
          ) parts GROUP BY 1
        )
        SELECT n.through, 'item ' || coalesce(s.item_id, b.item_id), coalesce(s.quantity, 0), coalesce(b.quantity, 0),
               coalesce(s.value, 0), coalesce(b.value, 0)
        FROM newest n CROSS JOIN (SELECT s.* FROM inventory_periodsnapshot s JOIN newest ON newest.id = s.period_id) s
        FULL JOIN back b USING (item_id)
        WHERE EXISTS (SELECT 1 FROM newest)
          AND (coalesce(s.quantity, 0), coalesce(s.value, 0)) <> (coalesce(b.quantity, 0), coalesce(b.value, 0))
        """,
        words=_PERIOD_WORDS,
    )


def _wrong_sums_of_periods() -> list[str]:
    return query(
        """
        WITH closed AS MATERIALIZED (
          SELECT id, through, ends_at, row_number() OVER (ORDER BY ends_at) - 1 AS place
          FROM inventory_periodclose WHERE reopened_at IS NULL
        ), between_ends AS (
          SELECT width_bucket(m.effective_at, (SELECT array_agg(ends_at + interval '1 microsecond' ORDER BY ends_at) FROM closed))
                   AS place, sum(m.quantity) AS quantity, coalesce(sum(m.value), 0) AS value
          FROM inventory_movement m WHERE (SELECT count(*) FROM closed) > 1 GROUP BY 1
        )
        SELECT c.through, 'all items', c.quantity, c.expected, c.value, c.worth FROM (
          SELECT c.through, coalesce(s.quantity, 0) AS quantity, coalesce(s.value, 0) AS value,
                 coalesce(sum(e.quantity) OVER so_far, 0) AS expected, coalesce(sum(e.value) OVER so_far, 0) AS worth
          FROM closed c LEFT JOIN between_ends e USING (place)
          LEFT JOIN (SELECT period_id, sum(quantity) AS quantity, sum(value) AS value
                     FROM inventory_periodsnapshot GROUP BY 1) s ON s.period_id = c.id
          WINDOW so_far AS (ORDER BY c.ends_at)
        ) c
        WHERE (SELECT count(*) FROM closed) > 1 AND (c.quantity, c.value) <> (c.expected, c.worth)
        """,
        words=_PERIOD_WORDS,
    )


def serials_are_single() -> list[str]:
    return query(
        """
        SELECT i.sku, l.code, sum(b.quantity) FROM inventory_stockbalance b
        JOIN inventory_item i ON i.id = b.item_id AND i.tracking = 'serial'
        JOIN inventory_lot l ON l.id = b.lot_id AND l.code <> ''
        GROUP BY 1, 2 HAVING sum(b.quantity) > 1
        """,
        words="serial {1} of {0} is on hand {2} times",
    )


def order_lines_count_their_receipts() -> list[str]:
    return query(
        """
        SELECT o.number, l.id, l.received, coalesce(r.quantity, 0) FROM inventory_purchaseorderline l
        JOIN inventory_purchaseorder o ON o.id = l.order_id
        LEFT JOIN (SELECT line_id, sum(quantity) AS quantity FROM inventory_purchasereceiptline WHERE NOT is_reversed
                   GROUP BY 1) r ON r.line_id = l.id
        WHERE l.received <> coalesce(r.quantity, 0)
        """,
        words="{0}, line {1}: {2} received, its receipts sum to {3}",
    )


def late_costs_equal_their_shares() -> list[str]:
    """A late cost is the sum of its shares, and what they put into stock is what its movements did."""
    return query(
        """
        SELECT c.posting_id, c.amount, s.amount, s.capitalised, coalesce(m.value, 0) FROM inventory_landedcost c
        JOIN (SELECT landed_cost_id, sum(amount) AS amount, sum(capitalised) AS capitalised
              FROM inventory_landedcostshare GROUP BY 1) s ON s.landed_cost_id = c.id
        LEFT JOIN (SELECT m.posting_id, sum(m.value) AS value FROM inventory_movement m
                   JOIN inventory_landedcost USING (posting_id) GROUP BY 1) m ON m.posting_id = c.posting_id
        WHERE c.amount <> s.amount OR s.capitalised <> coalesce(m.value, 0)
        """,
        words="posting {0}: cost {1}, shares {2}; {3} of them in stock, its movements {4}",
    )


INVARIANTS: tuple[Invariant, ...] = (
    Invariant("balances", "Every balance is the sum of its movements.", balances_equal_movements),
    Invariant("pools", "Every cost pool is the sum of its movements, in quantity and value.", pools_equal_movements),
    Invariant(
        "lot costs",
        "Where lots carry their cost, each lot's pool is the sum of its movements.",
        lot_pools_equal_movements,
    ),
    Invariant("layers", "Cost layers sum to their pool, and each to its changes.", layers_equal_their_pool),
    Invariant("cost methods", "Pools are valued by the method of their item.", pools_know_their_method),
    Invariant("not negative", "No balance is below zero without leave.", nothing_negative),
    Invariant("transfers", "Transfers and status changes sum to zero.", neutral_postings_sum_to_zero),
    Invariant("lot changes", "Lot changes sum to zero per item.", lot_changes_sum_to_zero),
    Invariant(
        "transfers under way",
        "What a two-step transfer says was sent, arrived or was lost is what its postings moved.",
        transfer_lines_equal_their_postings,
    ),
    Invariant("reversals", "A reversal and what it reverses cancel, but for the variance it booked.", reversals_cancel),
    Invariant(
        "reserved", "What is reserved on balances is what reservations say, and is on hand.", reserved_equals_pins
    ),
    Invariant("reservation log", "Every reservation is the sum of its changes.", reservations_equal_their_log),
    Invariant("postings", "Every posting moved something.", postings_have_movements),
    Invariant("references", "Every balance leads to its item, location and lot.", cells_point_at_what_exists),
    Invariant("times", "Movements carry the times of their posting.", movements_carry_their_postings_times),
    Invariant(
        "closed periods", "What was kept of a closed period is what moved until its end.", snapshots_equal_movements
    ),
    Invariant("serials", "A serial number is in one place only.", serials_are_single),
    Invariant("purchase lines", "Lines of purchase orders count their receipts.", order_lines_count_their_receipts),
    Invariant("late costs", "Late costs are the sum of their shares.", late_costs_equal_their_shares),
)
