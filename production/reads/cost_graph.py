"""What the cost of versions is worked out from, and nothing else: whole columns in one statement, as whole numbers."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import repeat
from operator import add, mul

from inventory.arrays import numbers
from inventory.trips import rows_of
from production.explosion import OutputFact
from production.reads.structures import IN_FORCE, output_fact
from production.rolling import (
    AT_STANDARD,
    EXPLODED,
    MILLION,
    NOBODY,
    OF_ITEM,
    Bought,
    CostSource,
    Figures,
    Part,
    Recipe,
)

Columns = Sequence[str | None]

_OPTIONAL = -1

# Every answer has the same columns: what it is about, then six lists. A figure with a fixed number of places is a whole
# number without its point, which is quicker than any arithmetic.
_GRAPH = f"""
WITH RECURSIVE used(bom_id, item_id, makes, loss, is_in_force) AS (
  (SELECT b.id, b.item_id, b.makes, b.process_loss_percent,
          coalesce(({IN_FORCE}), false)::int
   FROM production_bom b WHERE b.id = ANY((SELECT %(boms)s::bigint[])::bigint[])
   UNION
   SELECT b.id, b.item_id, b.makes, b.process_loss_percent, 1 FROM production_bom b
   WHERE b.item_id = ANY((SELECT %(items)s::bigint[])::bigint[]) AND {IN_FORCE})
  UNION
  SELECT b.id, b.item_id, b.makes, b.process_loss_percent, 1 FROM used u
  JOIN production_bomline l ON l.bom_id = u.bom_id
  JOIN production_bom b ON b.item_id = l.component_id AND {IN_FORCE}
), lines AS MATERIALIZED (
  SELECT l.bom_id, l.component_id, l.quantity, l.unit_numerator, l.unit_denominator, l.scrap_percent, i.standard_cost,
         CASE WHEN l.is_optional THEN {_OPTIONAL} WHEN l.is_consumable OR i.kind = 'service' THEN {AT_STANDARD}
              WHEN l.is_phantom OR i.kind = 'phantom' THEN {EXPLODED} ELSE {OF_ITEM} END AS how,
         p.value, p.quantity AS held
  FROM used u JOIN production_bomline l ON l.bom_id = u.bom_id JOIN inventory_item i ON i.id = l.component_id
  LEFT JOIN inventory_costpool p ON p.item_id = l.component_id AND p.lot_id IS NULL
    AND p.quantity > 0 AND p.unknown_quantity = 0 AND i.kind <> 'phantom'
)
SELECT 'lines', array_agg(bom_id)::text, array_agg(component_id)::text, array_agg(quantity)::text,
       array_agg(unit_numerator)::text, array_agg(unit_denominator)::text, array_agg(scrap_percent)::text, array_agg(how)::text
FROM lines
UNION ALL
SELECT 'standards', array_agg(component_id)::text, array_agg(standard_cost)::text, NULL, NULL, NULL, NULL, NULL
FROM lines WHERE standard_cost IS NOT NULL
UNION ALL
SELECT 'averages', array_agg(component_id)::text, array_agg(value)::text, array_agg(held)::text, NULL, NULL, NULL, NULL
FROM lines WHERE held IS NOT NULL
UNION ALL
SELECT 'versions', array_agg(bom_id)::text, array_agg(item_id)::text, array_agg(makes)::text, array_agg(loss)::text,
       array_agg(is_in_force)::text, NULL, NULL FROM used
UNION ALL
SELECT 'work', array_agg(o.bom_id)::text, array_agg(o.minutes)::text, array_agg(o.rate_per_hour)::text,
       array_agg(o.amount)::text, array_agg(o.kind)::text, NULL, NULL
FROM used u JOIN production_bomoperation o ON o.bom_id = u.bom_id
UNION ALL
SELECT 'outputs', array_agg(p.bom_id)::text, array_agg(p.item_id)::text, array_agg(p.quantity)::text,
       array_agg(p.cost_share_percent)::text, array_agg(p.unit_value)::text, array_agg(p.kind)::text, NULL
FROM used u JOIN production_bomoutput p ON p.bom_id = u.bom_id
"""


def load_figures(*, boms: Iterable[int] = (), items: Iterable[int] = (), on: date) -> Figures:
    """The given versions and those in force of `items` on a day, with all below them. One statement whatever their size.

    `recipes` has no version that does not exist. `in_force` is complete for the items asked for and for all components.
    """
    rows = rows_of(_GRAPH, {"boms": numbers(boms), "items": numbers(items), "on": on})
    columns: dict[str, Columns] = {name: found for name, *found in rows}
    parts, work = _parts(columns["lines"]), _work(columns["work"])
    heads = list(zip(*[_whole(column) for column in columns["versions"][:5]], strict=True))
    outputs = _outputs(columns["outputs"], heads)
    recipes = {}
    for bom_id, item_id, makes, loss, _ in heads:
        lines = parts.get(bom_id)
        recipes[bom_id] = Recipe(
            item_id, makes, loss, lines is not None, lines or (), work.get(bom_id, ()), outputs.get(bom_id, ())
        )
    averaged, values, held = (_whole(column) for column in columns["averages"][:3])
    planned, costs = (_whole(column) for column in columns["standards"][:2])
    return Figures(
        recipes,
        in_force={item_id: bom_id for bom_id, item_id, _, _, is_in_force in heads if is_in_force},
        averages=_bought(CostSource.AVERAGE, averaged, held, values),
        standards=_bought(CostSource.STANDARD, planned, repeat(MILLION), costs),
        order=list(recipes),
    )


def _bought(
    source: CostSource, items: Iterable[int], denominators: Iterable[int], numerators: Iterable[int]
) -> dict[int, Bought]:
    return dict(zip(items, zip(repeat(source), denominators, numerators, repeat(NOBODY), strict=False), strict=True))


def _texts(column: str | None) -> list[str]:
    """The elements of a list as PostgreSQL writes it; none of them needs quotes."""
    return column[1:-1].split(",") if column else []


def _whole(column: str | None) -> Iterable[int]:
    """Figures in units of their last place. Most columns say the same thousands of times, which is seen at once."""
    if not column:
        return ()
    column = column.replace(".", "")
    first, count = column[1:-1].partition(",")[0], column.count(",") + 1
    if (
        count > 1
        and len(column) == (len(first) + 1) * count + 1
        and column == "{" + ",".join(repeat(first, count)) + "}"
    ):
        return repeat(int(first), count)
    return map(int, _texts(column))


def _parts(columns: Columns) -> dict[int, list[Part]]:
    """By BOM id; optional lines only say that there are lines."""
    boms, components, quantities, numerators, denominators, scraps, hows = (_whole(column) for column in columns)
    amounts = map(mul, quantities, numerators)
    found: defaultdict[int, list[Part]] = defaultdict(list)
    for bom_id, part in zip(boms, zip(components, amounts, denominators, scraps, hows, strict=True), strict=True):
        lines = found[bom_id]
        if part[4] != _OPTIONAL:
            lines.append(part)
    return found


def _work(columns: Columns) -> dict[int, list[tuple[str, int]]]:
    """Kind and cost of each operation by BOM id: thousandths of a minute x millionths an hour, and an amount in millionths."""
    boms, minutes, rates, amounts = (_whole(column) for column in columns[:4])
    costs = map(add, map(mul, minutes, rates), map(mul, amounts, repeat(60_000)))
    found: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    for bom_id, work in zip(boms, zip(_texts(columns[4]), costs, strict=True), strict=True):
        found[bom_id].append(work)
    return found


def _outputs(columns: Columns, heads: Iterable[tuple[int, ...]]) -> dict[int, list[OutputFact]]:
    found: dict[int, list[OutputFact]] = {}
    boms, items, quantities, shares, values, kinds = (_texts(column) for column in columns[:6])
    if not boms:
        return found
    makes = {bom_id: (Decimal(made).scaleb(-6), Decimal(loss).scaleb(-3)) for bom_id, _, made, loss, _ in heads}
    for bom, item, quantity, share, value, kind in zip(boms, items, quantities, shares, values, kinds, strict=True):
        made, loss = makes[int(bom)]
        fixed = None if value == "NULL" else Decimal(value)
        fact = output_fact(int(item), kind, Decimal(quantity), Decimal(share), fixed, makes=made, loss=loss)
        found.setdefault(int(bom), []).append(fact)
    return found
