-- The floor: one function that does what complete_production does, on the product's own tables, in one trip.
--
-- Every check, lock and row of the service is here: the key is claimed with the hash of its request, the BOM in force is read
-- with its items (phantoms, services, drafts and empty BOMs are noticed), pools are locked in item order, cells in key order
-- together with what their lots and locations say, lots are taken first expired first out, the value of each item is rounded
-- once to the cent and shared out so that nothing is lost, cells and pools follow, the output gets its lot and its cell, the
-- completion and its lines are kept, and the news is written. What an ordinary completion does not have (consumables,
-- phantoms, deviations, orders) is refused, not done.
--
-- One statement with writable CTEs does most of the writing. Separate statements over arrays were tried and are not faster.

CREATE FUNCTION bench_refuse(reason text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', reason USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION bench_complete(
  p_key uuid, p_hash bytea, p_item bigint, p_good numeric, p_source bigint, p_path text, p_target bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_day date := v_now::date;
  v_posting bigint;
  v_hash bytea;
  v_bom bigint;
  v_special boolean;
  v_components bigint[];
  v_needs numeric[];
  v_items bigint[];
  v_locked bigint;
  v_lot bigint;
  v_shelf_life integer;
  v_short bigint;
  v_value numeric;
BEGIN
  INSERT INTO inventory_posting (key, request_hash, kind, reference, reason, note, actor_id, reverses_id, effective_at, recorded_at)
  VALUES (p_key, p_hash, 'completion', '', '', '', NULL, NULL, v_now, v_now)
  ON CONFLICT (key) DO NOTHING RETURNING id INTO v_posting;
  IF v_posting IS NULL THEN
    SELECT id, request_hash INTO v_posting, v_hash FROM inventory_posting WHERE key = p_key;
    IF v_hash <> p_hash THEN PERFORM bench_refuse('the key was used for another request'); END IF;
    RETURN v_posting;
  END IF;

  SELECT id INTO v_bom FROM production_bom
  WHERE item_id = p_item AND state = 'active' AND effective_from <= v_day AND (effective_to IS NULL OR effective_to > v_day)
  ORDER BY effective_from DESC, version DESC LIMIT 1;
  SELECT array_agg(component_id), array_agg(need), bool_or(special), array_append(array_agg(component_id), p_item)
    INTO v_components, v_needs, v_special, v_items
  FROM (
    SELECT component_id, special, position, id,
           CASE WHEN multiple IS NULL THEN stepped ELSE ceil(stepped / multiple) * multiple END AS need
    FROM (
      SELECT component_id, special, position, id, multiple,
             CASE WHEN step = trunc(step) THEN ceil(round(raw / step, 12)) ELSE round(raw / step) END * step AS stepped
      FROM (
        SELECT l.component_id, min(l.position) AS position, min(l.id) AS id, min(i.step) AS step,
               sum(l.quantity * l.unit_numerator * (100 + l.scrap_percent) * p_good / (b.makes * l.unit_denominator * 100)
                   + l.setup_quantity * l.unit_numerator / l.unit_denominator) AS raw,
               max(l.rounding_multiple * l.unit_numerator / l.unit_denominator) AS multiple,
               bool_or(l.is_phantom OR l.is_consumable OR l.is_optional OR l.issue_method = 'manual'
                       OR i.kind IN ('phantom', 'service')) AS special
        FROM production_bom b JOIN production_bomline l ON l.bom_id = b.id JOIN inventory_item i ON i.id = l.component_id
        WHERE b.id = v_bom
        GROUP BY l.component_id
      ) AS added
    ) AS rounded ORDER BY position, id
  ) AS needs;
  IF v_components IS NULL THEN PERFORM bench_refuse('no BOM in force, or one without lines'); END IF;
  IF v_special THEN PERFORM bench_refuse('only ordinary lines are measured'); END IF;

  SELECT count(*) INTO v_locked FROM (
    SELECT 1 FROM inventory_costpool WHERE item_id = ANY(v_items) AND lot_id IS NULL ORDER BY item_id FOR NO KEY UPDATE
  ) AS pools;
  IF v_locked < cardinality(v_items) THEN
    INSERT INTO inventory_costpool (item_id, lot_id, quantity, value, unknown_quantity)
    SELECT i, NULL, 0, 0, 0 FROM unnest(v_items) AS i ORDER BY i ON CONFLICT DO NOTHING;
    PERFORM 1 FROM inventory_costpool WHERE item_id = ANY(v_items) AND lot_id IS NULL ORDER BY item_id FOR NO KEY UPDATE;
  END IF;

  SELECT shelf_life_days INTO v_shelf_life FROM inventory_item WHERE id = p_item;
  INSERT INTO inventory_lot (item_id, code, received_on, expires_on, supplier_lot, note, created_at)
  VALUES (p_item, to_char(v_day, 'YYMMDD') || '-' || v_posting, v_day, v_day + v_shelf_life, '', '', v_now)
  ON CONFLICT (item_id, upper(code)) DO NOTHING RETURNING id INTO v_lot;
  IF v_lot IS NULL THEN PERFORM bench_refuse('the lot exists'); END IF;

  WITH locked AS MATERIALIZED (
    SELECT b.id, b.item_id, b.location_id, b.lot_id, b.quantity - b.reserved AS free, t.expires_on, t.received_on,
           l.is_active AND NOT l.is_blocked OR l.path = p_path AS is_pickable
    FROM inventory_stockbalance b
    JOIN inventory_location l ON l.id = b.location_id JOIN inventory_lot t ON t.id = b.lot_id
    WHERE b.item_id = ANY(v_components) AND b.status = 'available' AND l.path LIKE p_path || '%'
      AND (b.quantity <> 0 OR b.reserved <> 0)
    ORDER BY b.item_id, b.location_id, b.lot_id, b.status FOR NO KEY UPDATE OF b
  ), need AS MATERIALIZED (
    SELECT n.item_id, n.quantity, n.position, p.id AS pool_id,
           CASE WHEN p.unknown_quantity > 0 THEN NULL
                WHEN p.quantity = n.quantity THEN p.value
                ELSE round(p.value * n.quantity / nullif(p.quantity, 0), 2) END AS value
    FROM unnest(v_components, v_needs) WITH ORDINALITY AS n(item_id, quantity, position)
    JOIN inventory_costpool p ON p.item_id = n.item_id AND p.lot_id IS NULL
  ), running AS (
    SELECT k.*, n.quantity AS need, n.position, n.value,
           sum(k.free) OVER (PARTITION BY k.item_id ORDER BY k.expires_on NULLS LAST, k.received_on, k.lot_id, k.id
                             ROWS UNBOUNDED PRECEDING) - k.free AS before
    FROM locked k JOIN need n ON n.item_id = k.item_id
    WHERE k.is_pickable AND (k.expires_on IS NULL OR k.expires_on >= v_day) AND k.free > 0
  ), taken AS MATERIALIZED (
    SELECT id, item_id, location_id, lot_id, position, least(free, need - before) AS quantity,
           CASE WHEN before + free >= need THEN value ELSE round(value * (before + free) / need, 2) END
           - CASE WHEN before = 0 THEN 0 ELSE round(value * before / need, 2) END AS value
    FROM running WHERE before < need
  ), output AS MATERIALIZED (
    SELECT sum(n.value) FILTER (WHERE n.value IS NOT NULL) AS known, count(*) FILTER (WHERE n.value IS NULL) AS unknown,
           CASE WHEN count(*) FILTER (WHERE n.value IS NULL) = 0 THEN sum(n.value) END AS value FROM need n
  ), changed AS (
    UPDATE inventory_stockbalance b SET quantity = b.quantity - t.quantity FROM taken t WHERE b.id = t.id
  ), made AS (
    INSERT INTO inventory_stockbalance (item_id, location_id, lot_id, status, quantity, reserved)
    VALUES (p_item, p_target, v_lot, 'available', p_good, 0)
    ON CONFLICT (item_id, location_id, lot_id, status)
    DO UPDATE SET quantity = inventory_stockbalance.quantity + EXCLUDED.quantity
  ), pooled AS (
    UPDATE inventory_costpool p SET quantity = p.quantity - n.quantity, value = p.value - coalesce(n.value, 0)
    FROM need n WHERE p.id = n.pool_id
  ), filled AS (
    UPDATE inventory_costpool p SET quantity = p.quantity + p_good, value = p.value + coalesce(o.value, 0),
           unknown_quantity = p.unknown_quantity + CASE WHEN o.value IS NULL THEN p_good ELSE 0 END
    FROM output o WHERE p.item_id = p_item AND p.lot_id IS NULL
  ), news AS (
    INSERT INTO inventory_stockchange (items, posting_id, cause, recorded_at)
    VALUES (ARRAY(SELECT i FROM unnest(v_items) AS i ORDER BY i), v_posting, 'completion', v_now)
  ), moved AS (
    INSERT INTO inventory_movement
      (posting_id, item_id, location_id, lot_id, status, quantity, value, effective_at, recorded_at)
    SELECT v_posting, m.item_id, m.location_id, m.lot_id, 'available', m.quantity, m.value, v_now, v_now
    FROM (SELECT item_id, location_id, lot_id, -quantity AS quantity, -value AS value FROM taken
          UNION ALL SELECT p_item, p_target, v_lot, p_good, value FROM output) AS m
  ), head AS (
    INSERT INTO production_completion
      (posting_id, item_id, bom_id, work_order_id, good, scrapped, scrap_reason, source_location_id, output_location_id,
       output_lot_id, output_status, consumed_value, output_value, reversed_good, reversed_scrap)
    SELECT v_posting, p_item, v_bom, NULL, p_good, 0, '', p_source, p_target, v_lot, 'available', o.value, o.value, 0, 0
    FROM output o
  ), used AS (
    INSERT INTO production_completionline
      (completion_id, component_id, expected, actual, reason, value, is_consumable, work_order_line_id)
    SELECT v_posting, n.item_id, n.quantity, n.quantity, '', n.value, false, NULL FROM need n ORDER BY n.position
  )
  SELECT (SELECT count(*) FROM need)
         - (SELECT count(*) FROM (SELECT item_id FROM running GROUP BY item_id, need HAVING sum(free) >= need) AS enough),
         (SELECT value FROM output)
    INTO v_short, v_value;
  IF v_short > 0 THEN PERFORM bench_refuse(v_short || ' components are short'); END IF;
  RETURN v_posting;
END $$;
