"""Which items a page of the board shows, in which order, and how many there are. Pages go on from where one is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from django.db import connection

from inventory.models import Item
from inventory.quantities import PLACES
from inventory.reads.board.question import BoardQuestion, Sql, cell_conditions, cells_of, item_conditions

_WIDE = Context(prec=60)
EXACT_BELOW = 5_000
"""Books of fewer items are counted; larger ones are estimated by the planner, since counting reads all of them."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the order: the sort key of a row and its item. Pages begin after one, or end before one."""

    key: str
    item_id: int


@dataclass(frozen=True, slots=True)
class ItemPage:
    """The items of a page in order. `before` and `after` are where the pages around it go on; None: there is none."""

    items: Sequence[Item]
    before: Mark | None
    after: Mark | None


@dataclass(frozen=True, slots=True)
class ItemCount:
    """How many items match; an estimate is rounded to two digits."""

    number: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class _Order:
    """How rows are sorted: an expression with its parameters, the type its marks are compared as, and what it reads."""

    key: str
    cast: str
    source: str = ""
    values: Sequence[Any] = ()
    is_unique: bool = False
    is_joined: bool = False
    """`source` brings the cells that are asked about, so that items without any are left out by it."""


def board_page(
    question: BoardQuestion, *, rows_max: int, after: Mark | None = None, before: Mark | None = None
) -> ItemPage:
    """A page of at most `rows_max` items that begins after a mark, ends before one, or is the first. Two statements."""
    backwards = before is not None and after is None
    mark = before if backwards else after
    found = _ids(question, rows_max=rows_max + 1, mark=mark, backwards=backwards)
    has_more = len(found) > rows_max
    found = found[:rows_max]
    if backwards:
        found.reverse()
    items = Item.objects.select_related("category").in_bulk([item_id for item_id, _ in found])
    rows = [(items[item_id], Mark(key, item_id)) for item_id, key in found if item_id in items]
    if not rows:
        return ItemPage((), None, None)
    is_first = not has_more if backwards else mark is None
    is_last = mark is None if backwards else not has_more
    return ItemPage([item for item, _ in rows], None if is_first else rows[0][1], None if is_last else rows[-1][1])


def count_items(question: BoardQuestion) -> ItemCount:
    """How many items match: counted in a small book, estimated in a large one. Two statements."""
    conditions, values = item_conditions(question)
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'inventory_item'::regclass")
        (items,) = cursor.fetchone()
    if items < EXACT_BELOW:
        return ItemCount(items_matching(question), is_exact=True)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT 1 FROM inventory_item i WHERE {conditions}", values)
        (plan,) = cursor.fetchone()
    rows = int((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])
    return ItemCount(_rounded(rows), is_exact=False)


def items_matching(question: BoardQuestion) -> int:
    """How many items match, counted."""
    conditions, values = item_conditions(question)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM inventory_item i WHERE {conditions}", values)
        (number,) = cursor.fetchone()
    return int(number)


def _rounded(number: int) -> int:
    """To three digits."""
    digits = max(0, len(str(number)) - 3)
    return int(round(number, -digits))


def _ids(question: BoardQuestion, *, rows_max: int, mark: Mark | None, backwards: bool) -> list[tuple[int, str]]:
    """Item ids with their sort keys as text, in the order of the question, or against it."""
    order = _order(question)
    conditions, values = item_conditions(question, is_joined=order.is_joined)
    is_descending = question.sort.startswith("-") != backwards
    way, sign = ("DESC", "<") if is_descending else ("ASC", ">")
    tie = "" if order.is_unique else f", i.id {way}"
    parameters = [*order.values, *values]
    if mark is not None and _is_usable(mark, order):
        if order.is_unique:
            conditions += f" AND {order.key} {sign} %s::{order.cast}"
            parameters.append(mark.key)
        else:
            conditions += f" AND ({order.key}, i.id) {sign} (%s::{order.cast}, %s)"
            parameters += [mark.key, mark.item_id]
    sql = (
        f"SELECT i.id, ({order.key})::text FROM inventory_item i{order.source}"
        f" WHERE {conditions} ORDER BY {order.key} {way}{tie} LIMIT {rows_max}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [(item_id, key) for item_id, key in cursor.fetchall()]


def _is_usable(mark: Mark, order: _Order) -> bool:
    """Whether a mark, which comes from an address, belongs to this order."""
    if order.cast != "numeric":
        return True
    try:
        return Decimal(mark.key).quantize(PLACES, context=_WIDE).is_finite()
    except InvalidOperation:
        return False


_POOL = " LEFT JOIN inventory_costpool p ON p.item_id = i.id AND p.lot_id IS NULL"


def _order(question: BoardQuestion) -> _Order:
    """What is sorted by. Quantity and value of an item are its cost pool's; of a part of its stock they are added up."""
    is_whole = not question.is_narrowed or question.only_suppliers
    match question.sort.removeprefix("-"):
        case "name":
            return _Order("upper(i.name)", "text")
        case "on_hand" if is_whole:
            return _Order("coalesce(p.quantity, 0)", "numeric", _POOL)
        case "value" if is_whole:
            return _Order("coalesce(p.value, 0)", "numeric", _POOL)
        case "on_hand":
            source, values = _held(question)
            return _Order("c.quantity", "numeric", source, values, is_joined=True)
        case "value":
            source, values = _held(question)
            worth = "coalesce(p.value * c.quantity / nullif(p.quantity, 0), 0)::numeric(38, 6)"
            return _Order(worth, "numeric", source + _POOL, values, is_joined=True)
    return _Order("upper(i.sku)", "text", is_unique=True)


def _held(question: BoardQuestion) -> Sql:
    """What items hold in the cells that are asked about, in one go over these cells."""
    cells, values = cell_conditions(question)
    return (
        f" JOIN (SELECT b.item_id, sum(b.quantity) AS quantity FROM {cells_of(question)}"
        f" WHERE b.quantity <> 0{cells} GROUP BY b.item_id) c ON c.item_id = i.id",
        values,
    )
