"""What all stock was worth at a moment, by item and summed by category, kind or place.

Summing years of movements is not needed: it is counted back from the nearest sum that is known, the first closed period
that ends at or after the moment, or the present pools when there is none. What was recorded since is taken off, and nothing
can have been recorded into the period after it was closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection

from inventory.models import Item, ItemCategory, ItemKind, Location
from inventory.quantities import ZERO
from inventory.reads.moments import AsOf
from inventory.reads.unknown_costs import items_of_unknown_cost

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class TotalRow:
    """One group of the stock: known value in base currency, items with stock, items of which a part has no known cost."""

    key: str  # id or word of the group; empty when there is none
    label: str
    items: int
    known_value: Decimal
    unknown_items: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """The sum of the stock, and its parts, largest first. The parts add up to the sum to the cent."""

    items: int  # by place an item counts at each of its places
    known_value: Decimal
    unknown_items: int
    rows: tuple[TotalRow, ...]
    basis: str
    """From what it was counted back, in words; empty for the present pools alone."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which stock is summed. Empty values do not narrow; `locations` and `categories` are ids with all that lies below."""

    text: str = ""
    kind: str = ""
    categories: Sequence[int] | None = None
    locations: Sequence[int] | None = None


# The nearest known sum: an empty `known` means the present pools. Everything in one statement, so that it sees one state.
_KNOWN = """
known AS MATERIALIZED (
  SELECT id, through, ends_at, closed_at FROM inventory_periodclose
  WHERE reopened_at IS NULL AND ends_at >= %s ORDER BY ends_at LIMIT 1
), since AS MATERIALIZED (
  SELECT m.item_id, m.location_id, m.quantity, coalesce(m.value, 0) AS value FROM inventory_movement m
  WHERE {remainder}
    AND m.recorded_at <= coalesce((SELECT closed_at + interval '1 hour' FROM known), 'infinity')
    AND m.effective_at <= coalesce((SELECT ends_at FROM known), 'infinity')
), worth AS (
  SELECT item_id, sum(quantity) AS quantity, sum(value) AS value FROM (
    SELECT item_id, quantity, value FROM inventory_costpool WHERE lot_id IS NULL AND NOT EXISTS (SELECT 1 FROM known)
    UNION ALL
    SELECT s.item_id, s.quantity, s.value FROM inventory_periodsnapshot s JOIN known k ON k.id = s.period_id
    UNION ALL
    SELECT item_id, -sum(quantity), -sum(value) FROM since GROUP BY 1
  ) parts GROUP BY 1 HAVING sum(quantity) <> 0 OR sum(value) <> 0
)
"""
_WORTH_NOW = """
worth AS (
  SELECT item_id, quantity, value FROM inventory_costpool WHERE lot_id IS NULL AND (quantity <> 0 OR value <> 0)
)
"""
# Places have no sums of their own in a closed period: their quantities are counted back from the present balances.
_PLACED = """
placed AS (
  SELECT c.item_id, {place} AS place, sum(c.quantity) AS quantity FROM (
    SELECT item_id, location_id, quantity FROM inventory_stockbalance WHERE quantity <> 0{at_balance}
    UNION ALL
    SELECT m.item_id, m.location_id, -m.quantity FROM inventory_movement m WHERE {remainder}{at_movement}
  ) c {above} GROUP BY 1, 2 HAVING sum(c.quantity) <> 0
)
"""


def totals_as_of(*, moment: AsOf, by: str = "category", narrowing: Narrowing | None = None) -> Totals:
    """The whole stock at a moment, by `category`, `kind` or `place`; at places `narrowing` names, their share of the value."""
    chosen = narrowing or Narrowing()
    items, parameters = _chosen_items(chosen)
    if by == "place" or chosen.locations is not None:
        groups = _by_place(moment, by, chosen, items, parameters)
    else:
        groups = _by_item(moment, by, items, parameters)
    unknown = _unknown_by_group(moment, by, chosen, groups)
    whole = _whole(moment, items, parameters) if by == "place" and chosen.locations is None else None
    rows = _labelled(by, groups, unknown)
    value = sum((row.known_value for row in rows), ZERO)
    if whole is not None and whole != value:  # cents that sharing by quantity leaves, and value without quantity
        rows.append(TotalRow("", "Left over by sharing", 0, whole - value))
        value = whole
    return Totals(
        items=sum(group.items for group in groups.values()),
        known_value=value,
        unknown_items=len({item_id for ids in unknown.values() for item_id in ids}),
        rows=tuple(sorted(rows, key=lambda row: (not row.items, -row.known_value, row.label))),
        basis=_basis(moment),
    )


@dataclass(frozen=True, slots=True)
class _Group:
    items: int
    value: Decimal


def _worth(moment: AsOf) -> tuple[str, list[Any]]:
    if moment.is_now:
        return _WORTH_NOW, []
    remainder, parameters = moment.remainder()
    return _KNOWN.format(remainder=remainder), [_latest(moment), *parameters]


def _latest(moment: AsOf) -> Any:
    """The moment a known sum must reach: everything of the moment happened by then."""
    return moment.effective_at or moment.recorded_at


def _chosen_items(chosen: Narrowing) -> tuple[str, list[Any]]:
    """SQL for the items that are summed, under the name i."""
    parts: list[str] = []
    parameters: list[Any] = []
    if chosen.kind:
        parts.append("i.kind = %s")
        parameters.append(chosen.kind)
    if chosen.categories is not None:
        parts.append("i.category_id = ANY(%s::bigint[])")
        parameters.append(list(chosen.categories))
    if chosen.text:
        sql, of_text = Item.objects.matching(chosen.text).order_by().values("pk").query.sql_with_params()
        parts.append(f"i.id IN ({sql})")
        parameters.extend(of_text)
    return " AND ".join(parts) or "true", parameters


_GROUP = {"category": "coalesce(i.category_id::text, '')", "kind": "i.kind"}


def _by_item(moment: AsOf, by: str, items: str, parameters: Sequence[Any]) -> dict[str, _Group]:
    worth, of_worth = _worth(moment)
    sql = (
        f"WITH {worth} SELECT {_GROUP[by]}, count(*) FILTER (WHERE w.quantity <> 0), sum(w.value)"
        f" FROM worth w JOIN inventory_item i ON i.id = w.item_id WHERE {items} GROUP BY 1"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*of_worth, *parameters])
        return {key: _Group(count, value) for key, count, value in cursor.fetchall()}


def _by_place(moment: AsOf, by: str, chosen: Narrowing, items: str, parameters: Sequence[Any]) -> dict[str, _Group]:
    """Shares of the items' values at places, each rounded to the currency step as the rows of the report are."""
    worth, of_worth = _worth(moment)
    remainder, of_remainder = moment.remainder()
    at: list[Any] = [] if chosen.locations is None else [list(chosen.locations)]
    above, of_places = _rolled_up(chosen) if by == "place" else ("", [])
    placed = _PLACED.format(
        place="coalesce(u.above, 0)" if by == "place" else "0",
        remainder=remainder,
        at_balance=" AND location_id = ANY(%s::bigint[])" if at else "",
        at_movement=" AND m.location_id = ANY(%s::bigint[])" if at else "",
        above=above,
    )
    step = str(settings.CURRENCY_STEP)
    sql = (
        f"WITH {worth}, {placed}"
        f" SELECT {'h.place::text' if by == 'place' else _GROUP[by]}, count(*),"
        "  sum(CASE WHEN h.quantity = w.quantity THEN w.value WHEN w.quantity = 0 THEN 0"
        "      ELSE round(w.value * h.quantity / w.quantity / %s::numeric) * %s::numeric END)"
        " FROM placed h JOIN worth w ON w.item_id = h.item_id JOIN inventory_item i ON i.id = h.item_id"
        f" WHERE {items} GROUP BY 1"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*of_worth, *at, *of_remainder, *at, *of_places, step, step, *parameters])
        return {key: _Group(count, value) for key, count, value in cursor.fetchall()}


def _rolled_up(chosen: Narrowing) -> tuple[str, list[Any]]:
    """Every location with the one it is summed under: its site, or the place just below the chosen one."""
    level = 0
    if chosen.locations is not None:
        places = list(Location.objects.filter(pk__in=chosen.locations).values_list("path", flat=True))
        level = min((path.count("/") - 2 for path in places), default=0) + 1
    ids, above = [], []
    for pk, path in Location.objects.values_list("pk", "path"):
        steps = path.strip("/").split("/")
        ids.append(pk)
        above.append(int(steps[min(level, len(steps) - 1)]))
    return (
        "LEFT JOIN unnest(%s::bigint[], %s::bigint[]) AS u(location_id, above) ON u.location_id = c.location_id",
        [ids, above],
    )


def _whole(moment: AsOf, items: str, parameters: Sequence[Any]) -> Decimal:
    worth, of_worth = _worth(moment)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {worth} SELECT coalesce(sum(w.value), 0) FROM worth w JOIN inventory_item i ON i.id = w.item_id"
            f" WHERE {items}",
            [*of_worth, *parameters],
        )
        row = cursor.fetchone()
    assert row is not None
    return Decimal(row[0])


def _unknown_by_group(moment: AsOf, by: str, chosen: Narrowing, groups: dict[str, _Group]) -> dict[str, set[int]]:
    """Items of unknown cost by group; by place they are not told apart."""
    found = items_of_unknown_cost(moment=moment)
    if not found:
        return {}
    items = Item.objects.filter(pk__in=found)
    if chosen.kind:
        items = items.filter(kind=chosen.kind)
    if chosen.categories is not None:
        items = items.filter(category_id__in=chosen.categories)
    if chosen.text:
        items = items.matching(chosen.text)
    if chosen.locations is not None:
        items = items.filter(balances__location_id__in=chosen.locations).distinct()
    groups_of: dict[str, set[int]] = {}
    for pk, category_id, kind in items.values_list("pk", "category_id", "kind"):
        key = {"category": str(category_id or ""), "kind": kind}.get(by, "")
        if by == "place" or key in groups:
            groups_of.setdefault(key, set()).add(pk)
    return groups_of


def _labelled(by: str, groups: dict[str, _Group], unknown: dict[str, set[int]]) -> list[TotalRow]:
    labels: dict[str, str] = {}
    if by == "kind":
        labels = dict(ItemKind.choices)
    elif by == "category":
        labels = {str(pk): name for pk, name in ItemCategory.objects.values_list("pk", "name")} | {"": "No category"}
    else:
        labels = {str(pk): f"{code} · {name}" for pk, code, name in Location.objects.values_list("pk", "code", "name")}
    return [
        TotalRow(key, labels.get(key, NOTHING), group.items, group.value, len(unknown.get(key, ())))
        for key, group in groups.items()
    ]


def _basis(moment: AsOf) -> str:
    if moment.is_now:
        return ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT through FROM inventory_periodclose WHERE reopened_at IS NULL AND ends_at >= %s ORDER BY ends_at LIMIT 1",
            [_latest(moment)],
        )
        row = cursor.fetchone()
    return f"the books closed through {row[0]}" if row else "the present stock"
