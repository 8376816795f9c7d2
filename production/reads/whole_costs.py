"""Costs of many versions and everything below them at once: one lean statement, then whole numbers.

The same figures as `production/reads/cost_rollup.py`, for whoever needs unit costs and not their levels and lines. What is
read is as wide as it must be: columns come as text, one value each, which costs a tenth of reading rows and decimals.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from production.explosion import OutputFact
from production.reads.structures import IN_FORCE, output_fact
from production.whole_costing import (
    AT_STANDARD,
    EXPLODES,
    IS_OPTIONAL,
    QUANTITY_PARTS,
    WHOLE,
    BomColumns,
    CostSheet,
    Line,
    Ratio,
    WholeCosts,
    whole_costs,
)

MINUTE_PARTS = 1_000
"""Minutes are stored in thousandths."""

_SHEET = f"""
WITH RECURSIVE usable AS MATERIALIZED (
  SELECT DISTINCT ON (b.item_id) b.id, b.item_id, b.makes, b.process_loss_percent FROM production_bom b WHERE {IN_FORCE}
  ORDER BY b.item_id, b.effective_from DESC, b.version DESC
), used(bom_id) AS (
  (SELECT unnest(%(boms)s::bigint[]) UNION SELECT u.id FROM usable u WHERE u.item_id = ANY(%(items)s::bigint[]))
  UNION
  SELECT u.id FROM used JOIN production_bomline l ON l.bom_id = used.bom_id JOIN usable u ON u.item_id = l.component_id
), bom AS MATERIALIZED (
  SELECT u.id, u.item_id, u.makes, u.process_loss_percent, true AS is_usable FROM usable u
  WHERE u.id IN (SELECT bom_id FROM used)
  UNION ALL
  SELECT b.id, b.item_id, b.makes, b.process_loss_percent, false FROM production_bom b
  WHERE b.id = ANY(%(boms)s::bigint[]) AND b.id NOT IN (SELECT id FROM usable)
), line AS MATERIALIZED (
  SELECT l.bom_id, l.component_id, l.quantity, l.unit_numerator, l.unit_denominator, l.scrap_percent,
         l.is_optional::int * {IS_OPTIONAL} + l.is_consumable::int * {AT_STANDARD} + l.is_phantom::int * {EXPLODES} AS flags,
         l.unit_numerator = 1 AND l.unit_denominator = 1 AND l.scrap_percent = 0
         AND NOT (l.is_optional OR l.is_consumable OR l.is_phantom) AS is_plain
  FROM bom b JOIN production_bomline l ON l.bom_id = b.id
), item AS MATERIALIZED (
  SELECT i.id, i.standard_cost, (i.kind = 'service')::int * {AT_STANDARD} + (i.kind = 'phantom')::int * {EXPLODES} AS flags
  FROM inventory_item i
  JOIN (SELECT component_id FROM line UNION SELECT item_id FROM bom UNION SELECT unnest(%(items)s::bigint[])) n(id)
    ON n.id = i.id
), held AS (
  SELECT p.item_id, sum(p.quantity) AS quantity, sum(p.value) AS value FROM inventory_costpool p JOIN item i ON i.id = p.item_id
  WHERE i.flags <> {EXPLODES} GROUP BY p.item_id HAVING sum(p.quantity) > 0 AND sum(p.unknown_quantity) = 0
), work AS (
  SELECT o.bom_id, o.minutes, o.rate_per_hour, o.amount FROM bom b JOIN production_bomoperation o ON o.bom_id = b.id
), output AS (
  SELECT json_build_array(o.bom_id, o.item_id, o.kind, o.unit_value::text, o.quantity::text, o.cost_share_percent::text,
                          b.makes::text, b.process_loss_percent::text) AS fact
  FROM bom b JOIN production_bomoutput o ON o.bom_id = b.id ORDER BY o.bom_id, o.position, o.id
)
SELECT b.*, p.*, l.*, s.*, k.*, h.*, w.*, (SELECT json_agg(fact)::text FROM output)
FROM (SELECT array_agg(id)::text, array_agg(item_id)::text, array_agg(makes)::text, array_agg(process_loss_percent)::text,
             array_agg(id) FILTER (WHERE NOT is_usable)::text FROM bom) b,
     (SELECT array_agg(bom_id)::text, array_agg(component_id)::text, array_agg(quantity)::text FROM line WHERE is_plain) p,
     (SELECT array_agg(bom_id)::text, array_agg(component_id)::text, array_agg(quantity)::text, array_agg(scrap_percent)::text,
             array_agg(unit_numerator)::text, array_agg(unit_denominator)::text, array_agg(flags)::text
      FROM line WHERE NOT is_plain) l,
     (SELECT array_agg(id)::text, array_agg(standard_cost)::text FROM item WHERE standard_cost IS NOT NULL) s,
     (SELECT array_agg(id)::text, array_agg(flags)::text FROM item WHERE flags <> 0) k,
     (SELECT array_agg(item_id)::text, array_agg(quantity)::text, array_agg(value)::text FROM held) h,
     (SELECT array_agg(bom_id)::text, array_agg(minutes)::text, array_agg(rate_per_hour)::text, array_agg(amount)::text
      FROM work) w
"""


def whole_costs_of(*, boms: Iterable[int] = (), items: Iterable[int] = (), on: date | None = None) -> WholeCosts:
    """Exact unit costs of versions, of the versions in force of items, and of everything below. One statement.

    `on` is the day whose versions count, today unless given; averages and standard costs are those of now.
    """
    return whole_costs(load_sheet(boms=boms, items=items, on=on))


def load_sheet(*, boms: Iterable[int] = (), items: Iterable[int] = (), on: date | None = None) -> CostSheet:
    """What whole_costs needs to know of versions and of all that lies below them. One statement."""
    wanted = {"boms": sorted(set(boms)), "items": sorted(set(items)), "on": on or timezone.localdate()}
    with connection.cursor() as cursor:
        cursor.execute(_SHEET, wanted)
        row = cursor.fetchone()
    found = [_whole_numbers(text) for text in row[:-1]]
    columns, drafts = BomColumns(*found[0:4]), set(found[4])
    standards, kinds, held, work = found[15:17], found[17:19], found[19:22], found[22:26]
    return CostSheet(
        columns=columns,
        in_force={
            item: bom for bom, item in zip(columns.boms, columns.items, strict=True) if not drafts or bom not in drafts
        },
        lines=_lines(columns.boms, found[5:8], found[8:15], dict(zip(*kinds, strict=True))),
        standards={item: (value, QUANTITY_PARTS) for item, value in zip(*standards, strict=True)},
        averages={item: (value, count) for item, count, value in zip(*held, strict=True)},
        work=_work(*work),
        outputs=_outputs(row[-1]),
    )


def _lines(
    boms: Sequence[int], plain: Sequence[list[int]], others: Sequence[list[int]], kinds: Mapping[int, int]
) -> dict[int, list[Line]]:
    """Lines by version. Plain ones have no scrap, are in stock units, and take what the component is."""
    found: dict[int, list[Line]] = {bom: [] for bom in boms}
    kind_of = kinds.get
    for bom, component, quantity in zip(*plain, strict=True):
        found[bom].append((component, quantity * WHOLE, 1, kind_of(component, 0)))
    for bom, component, quantity, scrap, numerator, denominator, flags in zip(*others, strict=True):
        weight = quantity * (WHOLE + scrap) * numerator
        found[bom].append((component, weight, denominator, flags | kind_of(component, 0)))
    return found


def _whole_numbers(text: str | None) -> list[int]:
    """An array of numbers as the database writes it, in parts: a column's figures all have its number of places."""
    return [] if text is None else [int(number) for number in text[1:-1].replace(".", "").split(",")]


def _work(boms: list[int], minutes: list[int], rates: list[int], amounts: list[int]) -> dict[int, Ratio]:
    """Minutes in thousandths at rates in millionths an hour, and amounts in millionths; all operations of a version."""
    found: dict[int, int] = {}
    for bom, time, rate, amount in zip(boms, minutes, rates, amounts, strict=True):
        found[bom] = found.get(bom, 0) + time * rate + amount * 60 * MINUTE_PARTS
    return {bom: (cost, 60 * MINUTE_PARTS * QUANTITY_PARTS) for bom, cost in found.items() if cost}


def _outputs(text: str | None) -> dict[int, list[OutputFact]]:
    found: dict[int, list[OutputFact]] = {}
    for bom, item, kind, value, *figures in json.loads(text or "[]"):
        quantity, share, makes, loss = (Decimal(figure) for figure in figures)
        output = output_fact(item, kind, quantity, share, _decimal(value), makes=makes, loss=loss)
        found.setdefault(bom, []).append(output)
    return found


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
