"""Objects that bodies name by code or id: found with one statement per kind and way of naming, whatever their number.

What is not there is refused with the place in the body it was named at, all of it at once.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.db.models import JSONField, Model
from rest_framework.exceptions import ValidationError

from inventory.arrays import numbers, texts
from inventory.models import Item, ItemUnit, Location, Lot
from inventory.operations.checking import to_stock_unit
from inventory.trips import Question, Rows, rows_of

Named = str | int
"""A code, or an id."""
Where = tuple[str | int, ...]
"""The way to a value in a body: ("lines", 2, "item")."""
M = TypeVar("M", bound=Model)


def find_items(wanted: Sequence[tuple[Where, Named]]) -> list[Item]:
    """The items in the order they were named. Raises ValidationError naming every SKU or id there is none for."""
    return _find(Item, "sku", wanted, what="item")


def find_locations(wanted: Sequence[tuple[Where, Named]]) -> list[Location]:
    """The locations in the order they were named. Raises ValidationError naming every unknown one."""
    return _find(Location, "code", wanted, what="location")


class Reading:
    """Items and locations that a body names, to be read by one statement: on its own, or by the one that claims the key."""

    def __init__(self, items: Sequence[tuple[Where, Named]], locations: Sequence[tuple[Where, Named]]) -> None:
        self._items, self._locations = items, locations
        self._sources = [*_sources(Item, "sku", items), *_sources(Location, "code", locations)]
        self._rows: Rows | None = None

    def question(self) -> Question:
        return Question(
            "nothing AS (SELECT 1)",
            f"* FROM (VALUES (1)) one LEFT JOIN (SELECT * FROM {_side_by_side(self._sources)}) named ON true"
            if self._sources
            else "1",
            [source.names for source in self._sources],
        )

    def take(self, answer: Rows) -> None:
        """Take what the question answered."""
        self._rows = [row[1:] for row in answer]

    def found(self) -> tuple[list[Item], list[Location]]:
        """As `find_items` and `find_locations`; unknown items are refused first."""
        if self._rows is None:
            self.take(rows_of(*self.question().alone()) if self._sources else [])
        assert self._rows is not None, "just read"
        found = _objects(self._sources, self._rows)
        return _in_order(found[Item], self._items, what="item"), _in_order(
            found[Location], self._locations, what="location"
        )


def find_lots(wanted: Sequence[tuple[Where, Item, Named]]) -> list[Lot]:
    """The lots of the given items in the order they were named. Raises ValidationError naming every unknown one."""
    found: dict[tuple[int, Named], Lot] = {}
    codes = [(item.pk, name) for _, item, name in wanted if isinstance(name, str)]
    ids = [(item.pk, name) for _, item, name in wanted if isinstance(name, int)]
    if codes:
        sql = (
            "SELECT t.*, w.code AS named FROM unnest(%s::bigint[], %s::text[]) AS w(item_id, code)"
            " JOIN inventory_lot t ON t.item_id = w.item_id AND upper(t.code) = upper(w.code)"
        )
        rows = Lot.objects.raw(sql, [[item_id for item_id, _ in codes], [code for _, code in codes]])
        found |= {(lot.item_id, lot.named): lot for lot in rows}  # type: ignore[attr-defined]
    if ids:
        for lot in Lot.objects.filter(pk__in=[lot_id for _, lot_id in ids]):
            found[(lot.item_id, lot.pk)] = lot
    unknown = [
        (where, f"{item.sku} has no lot {_shown(name)}. Check it, or make the lot by receiving it.")
        for where, item, name in wanted
        if (item.pk, name) not in found
    ]
    refuse(unknown)
    return [found[(item.pk, name)] for _, item, name in wanted]


def find_one(model: type[M], column: str, *, where: Where, name: Named, what: str) -> M:
    """One object by code or id. Raises ValidationError."""
    return _find(model, column, [(where, name)], what=what)[0]


def in_stock_units(wanted: Iterable[tuple[Item, Decimal, str]]) -> list[Decimal]:
    """Typed quantities in their items' stock units, converted exactly; packs are read with one statement.

    Raises InvalidUnit, or InvalidQuantityStep when a result is not a multiple of its item's step.
    """
    rows = list(wanted)
    packs = packs_of_many({item.pk for item, _, unit in rows if unit})
    return [to_stock_unit(item, quantity, unit, packs=packs.get(item.pk, {})) for item, quantity, unit in rows]


def packs_of_many(items: Iterable[int]) -> Mapping[int, Mapping[str, Fraction]]:
    """The own units of items (ids) in lower case, each in stock units."""
    packs: dict[int, dict[str, Fraction]] = {}
    wanted = list(items)
    if wanted:
        for unit in ItemUnit.objects.filter(item_id__in=wanted):
            factor = Fraction(unit.numerator) / Fraction(unit.denominator)
            packs.setdefault(unit.item_id, {})[unit.name.casefold()] = factor
    return packs


def refuse(problems: Sequence[tuple[Where, str]]) -> None:
    """Raise ValidationError with each message at its place; nothing when there are none."""
    if not problems:
        return
    detail: dict[str, Any] = {}
    for where, message in problems:
        place: Any = detail
        for step in where[:-1]:
            place = place.setdefault(str(step), {})
        place.setdefault(str(where[-1]), []).append(message)
    raise ValidationError(detail)


def _find(model: type[M], column: str, wanted: Sequence[tuple[Where, Named]], *, what: str) -> list[M]:
    return _in_order(_read(_sources(model, column, wanted))[model], wanted, what=what)


def _in_order(found: Mapping[Named, M], wanted: Sequence[tuple[Where, Named]], *, what: str) -> list[M]:
    refuse(
        [
            (where, f"There is no {what} {_shown(name)}. Check it, or create it first.")
            for where, name in wanted
            if name not in found
        ]
    )
    return [found[name] for _, name in wanted]


class _Source(NamedTuple):
    """Where to read objects of one model that were all named by code, or all by id."""

    model: type[Model]
    sql: str
    """Answers the name as it was given, then the columns of the model."""
    names: str


def _sources(model: type[Model], column: str, wanted: Sequence[tuple[Where, Named]]) -> list[_Source]:
    codes = list({name for _, name in wanted if isinstance(name, str)})
    ids = list({name for _, name in wanted if isinstance(name, int)})
    table, columns = model._meta.db_table, _layout(model)[1]
    found = []
    if codes:
        named = f"unnest(%s::text[]) AS w(named) JOIN {table} t ON upper(t.{column}) = upper(w.named)"
        found.append(_Source(model, f"SELECT w.named, {columns} FROM {named}", texts(codes)))
    if ids:
        sql = f"SELECT t.id AS named, {columns} FROM {table} t WHERE t.id = ANY(%s::bigint[])"
        found.append(_Source(model, sql, numbers(ids)))
    return found


def _read(sources: Sequence[_Source]) -> dict[type[Model], dict[Named, Any]]:
    """Objects by the code or id as it was given, of every model with one statement.

    Read without the ORM's query compiler: it takes several times as long as the query, and this is on the way of every
    posting.
    """
    if not sources:
        return defaultdict(dict)
    return _objects(sources, rows_of(f"SELECT * FROM {_side_by_side(sources)}", [source.names for source in sources]))


def _side_by_side(sources: Sequence[_Source]) -> str:
    """The sources as one table: in each row all but one of them are empty."""
    return " FULL JOIN ".join(
        f"({source.sql}) s{number}" + (" ON false" if number else "") for number, source in enumerate(sources)
    )


def _objects(sources: Sequence[_Source], rows: Rows) -> dict[type[Model], dict[Named, Any]]:
    """What the table of all sources says, by model and by the name as it was given."""
    found: dict[type[Model], dict[Named, Any]] = defaultdict(dict)
    for row in rows:
        start = 0
        for model, *_ in sources:
            attributes, _, json_at = _layout(model)
            end = start + 1 + len(attributes)
            if row[start] is not None:
                name, *values = row[start:end]
                for position in json_at:
                    values[position] = json.loads(values[position])
                found[model][name] = model.from_db(DEFAULT_DB_ALIAS, attributes, values)
            start = end
    return found


@cache
def _layout(model: type[Model]) -> tuple[list[str], str, list[int]]:
    """Attribute names of a model's columns, the columns for SQL, and which of them hold JSON (read as text by Django)."""
    fields = model._meta.concrete_fields
    return (
        [field.attname for field in fields],
        ", ".join(f"t.{field.column}" for field in fields),
        [position for position, field in enumerate(fields) if isinstance(field, JSONField)],
    )


def _shown(name: Named) -> str:
    return f"“{name}”" if isinstance(name, str) else f"with id {name}"
