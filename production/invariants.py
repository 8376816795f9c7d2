"""Facts about production that always hold; the same shape as inventory.invariants."""

from inventory.invariants import Invariant, query


def completions_consumed_what_they_say() -> list[str]:
    """What left stock in a completion is what its lines say was used, per component."""
    return query(
        """
        WITH used AS (
          SELECT l.completion_id, l.component_id, sum(l.actual) AS actual FROM production_completionline l
          WHERE NOT l.is_consumable GROUP BY 1, 2
        ), moved AS (
          SELECT m.posting_id AS completion_id, m.item_id AS component_id, -sum(m.quantity) AS quantity
          FROM inventory_movement m JOIN production_completion c ON c.posting_id = m.posting_id
          WHERE m.quantity < 0 GROUP BY 1, 2
        )
        SELECT coalesce(u.completion_id, m.completion_id), coalesce(u.component_id, m.component_id),
               coalesce(u.actual, 0), coalesce(m.quantity, 0)
        FROM used u FULL JOIN moved m USING (completion_id, component_id)
        WHERE coalesce(u.actual, 0) <> coalesce(m.quantity, 0)
        """,
        words="completion {0}, component {1}: lines say {2}, movements {3}",
    )


def completions_put_in_what_they_made() -> list[str]:
    return query(
        """
        SELECT c.posting_id, c.good, coalesce(sum(m.quantity), 0) FROM production_completion c
        LEFT JOIN inventory_movement m ON m.posting_id = c.posting_id AND m.item_id = c.item_id AND m.quantity > 0
        GROUP BY c.posting_id, c.good HAVING c.good <> coalesce(sum(m.quantity), 0)
        """,
        words="completion {0} made {1}, {2} came into stock",
    )


def outputs_are_in_stock() -> list[str]:
    """Where a completion has several outputs, each is a movement of its posting, and by-products carry what it says."""
    return query(
        """
        WITH said AS (
          SELECT completion_id, item_id, location_id, lot_id, status, sum(quantity) AS quantity
          FROM production_completionoutput GROUP BY 1, 2, 3, 4, 5
        )
        SELECT s.completion_id, s.item_id, s.quantity, coalesce(m.quantity, 0) FROM said s
        LEFT JOIN (SELECT posting_id, item_id, location_id, lot_id, status, sum(quantity) AS quantity
                   FROM inventory_movement WHERE quantity > 0 GROUP BY 1, 2, 3, 4, 5) m
          ON (m.posting_id, m.item_id, m.location_id, m.lot_id, m.status)
           = (s.completion_id, s.item_id, s.location_id, s.lot_id, s.status)
        WHERE s.quantity <> coalesce(m.quantity, 0)
        UNION ALL
        SELECT c.posting_id, c.item_id, c.by_product_value, coalesce(sum(o.value), 0) FROM production_completion c
        JOIN production_completionoutput o ON o.completion_id = c.posting_id AND NOT o.is_main
        WHERE c.by_product_value IS NOT NULL GROUP BY 1, 2, 3 HAVING c.by_product_value <> coalesce(sum(o.value), 0)
        """,
        words="completion {0}, item {1}: outputs say {2}, the ledger {3}",
    )


def completions_conserve_value() -> list[str]:
    """Where all costs are known, movements and cost entries of a completion and of its reversals sum to zero."""
    return query(
        """
        WITH mine AS (
          SELECT posting_id AS completion_id, posting_id FROM production_completion
          UNION ALL SELECT completion_id, posting_id FROM production_completionreversal
        ), unknown AS (
          SELECT DISTINCT mine.completion_id FROM mine JOIN inventory_movement m USING (posting_id) WHERE m.value IS NULL
          UNION SELECT completion_id FROM production_completionline WHERE value IS NULL
        ), worth AS (
          SELECT mine.completion_id, m.value AS amount FROM mine JOIN inventory_movement m USING (posting_id)
          UNION ALL
          SELECT mine.completion_id, e.amount FROM mine JOIN inventory_costentry e USING (posting_id)
        )
        SELECT completion_id, sum(amount) FROM worth
        WHERE completion_id NOT IN (SELECT completion_id FROM unknown)
        GROUP BY 1 HAVING sum(amount) <> 0
        """,
        words="completion {0}: {1} of value appeared or was lost",
    )


def reversed_completions_cancel() -> list[str]:
    """A completion that was taken back whole left nothing, in quantity per cell and in value up to booked variance."""
    return query(
        """
        WITH whole AS (
          SELECT posting_id FROM production_completion WHERE reversed_good = good AND reversed_scrap = scrapped
        ), mine AS (
          SELECT posting_id AS completion_id, posting_id FROM whole
          UNION ALL
          SELECT r.completion_id, r.posting_id FROM production_completionreversal r JOIN whole w ON w.posting_id = r.completion_id
        )
        SELECT mine.completion_id, m.item_id, sum(m.quantity) FROM mine JOIN inventory_movement m USING (posting_id)
        GROUP BY mine.completion_id, m.item_id, m.location_id, m.lot_id, m.status HAVING sum(m.quantity) <> 0
        """,
        words="completion {0} is reversed, but item {1} still differs by {2}",
    )


def reversed_quantities_equal_reversals() -> list[str]:
    return query(
        """
        SELECT c.posting_id, c.reversed_good, coalesce(r.good, 0), c.reversed_scrap, coalesce(r.scrapped, 0)
        FROM production_completion c
        LEFT JOIN (SELECT completion_id, sum(good) AS good, sum(scrapped) AS scrapped
                   FROM production_completionreversal GROUP BY 1) r ON r.completion_id = c.posting_id
        WHERE c.reversed_good <> coalesce(r.good, 0) OR c.reversed_scrap <> coalesce(r.scrapped, 0)
        """,
        words="completion {0}: {1} good reversed, reversals say {2}; {3} scrap reversed, reversals say {4}",
    )


def orders_count_their_completions() -> list[str]:
    return query(
        """
        SELECT o.number, o.good, coalesce(c.good, 0), o.scrapped, coalesce(c.scrapped, 0) FROM production_workorder o
        LEFT JOIN (SELECT work_order_id, sum(good - reversed_good) AS good, sum(scrapped - reversed_scrap) AS scrapped
                   FROM production_completion WHERE work_order_id IS NOT NULL GROUP BY 1) c ON c.work_order_id = o.id
        WHERE o.good <> coalesce(c.good, 0) OR o.scrapped <> coalesce(c.scrapped, 0)
        """,
        words="{0}: good {1}, completions say {2}; scrapped {3}, completions say {4}",
    )


def order_lines_count_their_completions() -> list[str]:
    return query(
        """
        WITH used AS (
          SELECT l.work_order_line_id AS id, sum(l.expected) AS expected, sum(l.actual) AS actual
          FROM production_completionline l WHERE l.work_order_line_id IS NOT NULL GROUP BY 1
        ), back AS (
          SELECT l.work_order_line_id AS id, sum(r.expected) AS expected, sum(r.actual) AS actual
          FROM production_completionreversalline r JOIN production_completionline l ON l.id = r.line_id
          WHERE l.work_order_line_id IS NOT NULL GROUP BY 1
        )
        SELECT w.id, w.booked, coalesce(u.expected, 0) - coalesce(b.expected, 0),
               w.used, coalesce(u.actual, 0) - coalesce(b.actual, 0)
        FROM production_workorderline w LEFT JOIN used u ON u.id = w.id LEFT JOIN back b ON b.id = w.id
        WHERE w.booked <> coalesce(u.expected, 0) - coalesce(b.expected, 0)
           OR w.used <> coalesce(u.actual, 0) - coalesce(b.actual, 0)
        """,
        words="work order line {0}: booked {1}, completions say {2}; used {3}, completions say {4}",
    )


def reworks_move_what_they_say() -> list[str]:
    """What a reworking took of components and goods, and put in, is what it says; its order counts it."""
    return query(
        """
        WITH said AS (
          SELECT r.posting_id, o.item_id, -(r.good + r.scrapped) AS quantity FROM production_reworking r
          JOIN production_reworkorder o ON o.id = r.order_id
          UNION ALL SELECT l.reworking_id, l.component_id, -l.actual FROM production_reworkingline l
          UNION ALL SELECT r.posting_id, o.item_id, r.good FROM production_reworking r
          JOIN production_reworkorder o ON o.id = r.order_id
        ), summed AS (
          SELECT posting_id, item_id, sum(quantity) AS quantity FROM said GROUP BY 1, 2
        ), moved AS (
          SELECT m.posting_id, m.item_id, sum(m.quantity) AS quantity FROM inventory_movement m
          JOIN production_reworking r ON r.posting_id = m.posting_id GROUP BY 1, 2
        )
        SELECT coalesce(s.posting_id, m.posting_id), coalesce(s.item_id, m.item_id), coalesce(s.quantity, 0),
               coalesce(m.quantity, 0)
        FROM summed s FULL JOIN moved m USING (posting_id, item_id) WHERE coalesce(s.quantity, 0) <> coalesce(m.quantity, 0)
        """,
        words="reworking {0}, item {1}: it says {2}, movements {3}",
    )


def reworks_conserve_value() -> list[str]:
    """Where all costs are known, movements and cost entries of a reworking sum to zero; a reversed one left nothing."""
    return query(
        """
        WITH mine AS (
          SELECT posting_id AS reworking_id, posting_id FROM production_reworking
          UNION ALL SELECT r.posting_id, p.id FROM production_reworking r JOIN inventory_posting p ON p.reverses_id = r.posting_id
        ), unknown AS (
          SELECT DISTINCT mine.reworking_id FROM mine JOIN inventory_movement m USING (posting_id) WHERE m.value IS NULL
        ), worth AS (
          SELECT mine.reworking_id, m.value AS amount FROM mine JOIN inventory_movement m USING (posting_id)
          UNION ALL SELECT mine.reworking_id, e.amount FROM mine JOIN inventory_costentry e USING (posting_id)
        )
        SELECT reworking_id, sum(amount) FROM worth WHERE reworking_id NOT IN (SELECT reworking_id FROM unknown)
        GROUP BY 1 HAVING sum(amount) <> 0
        """,
        words="reworking {0}: {1} of value appeared or was lost",
    )


def rework_orders_count_their_reworkings() -> list[str]:
    return query(
        """
        SELECT o.number, o.good, coalesce(r.good, 0), o.scrapped, coalesce(r.scrapped, 0) FROM production_reworkorder o
        LEFT JOIN (SELECT order_id, sum(good) AS good, sum(scrapped) AS scrapped FROM production_reworking
                   WHERE NOT is_reversed GROUP BY 1) r ON r.order_id = o.id
        WHERE o.good <> coalesce(r.good, 0) OR o.scrapped <> coalesce(r.scrapped, 0)
        """,
        words="{0}: good {1}, reworkings say {2}; scrapped {3}, reworkings say {4}",
    )


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "completions consume",
        "Each completion consumed its standard and recorded variance.",
        completions_consumed_what_they_say,
    ),
    Invariant("completions make", "Each completion put in what it made.", completions_put_in_what_they_made),
    Invariant("completion outputs", "Every output of a completion came into stock.", outputs_are_in_stock),
    Invariant("completion value", "What a completion puts in is worth what it took out.", completions_conserve_value),
    Invariant("completion reversals", "A reversed completion left nothing behind.", reversed_completions_cancel),
    Invariant("reversed quantities", "Completions know what was taken back.", reversed_quantities_equal_reversals),
    Invariant("work orders", "Work orders count their completions.", orders_count_their_completions),
    Invariant("work order lines", "Work order lines count their completions.", order_lines_count_their_completions),
    Invariant("reworks", "Each reworking moved what it says.", reworks_move_what_they_say),
    Invariant("rework value", "What a reworking puts in is worth what it took out.", reworks_conserve_value),
    Invariant("rework orders", "Rework orders count their reworkings.", rework_orders_count_their_reworkings),
)
