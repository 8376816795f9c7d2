"""A page of changes over all histories, newest first: four queries, however many tables and rows there are.

The keys of the page come from one UNION in which each table gives at most a page of its newest rows; then the rows
themselves with the version before each; then the names of what they refer to; then the people.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import ForeignKey

from config.audit.sources import LOG, LOGGED_MODELS, Source, sources
from inventory.reads.item_ledger import name_of

SYSTEM = "system"
"""Stands for no person: schedules, commands, channels."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"(\d{1,17})-([a-z_]{1,40}\.[a-z_]{1,40})-(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list, by the row that stands there."""

    at: datetime
    kind: str
    id: int

    @classmethod
    def read(cls, text: str) -> "Cursor | None":
        """None for a text that is no cursor of ours."""
        found = _CURSOR.fullmatch(text)
        if found is None:
            return None
        return cls(_EPOCH + timedelta(microseconds=int(found[1])), found[2], int(found[3]))

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}-{self.kind}-{self.id}"


@dataclass(frozen=True, slots=True)
class Question:
    """What a list is narrowed to. `thing` is (label of a model, id): the object itself and all that belongs to it."""

    kind: str = ""
    thing: tuple[str, int] | None = None
    person: int | str | None = None  # a user's id, or SYSTEM
    since: datetime | None = None
    until: datetime | None = None  # exclusive
    older_than: Cursor | None = None
    newer_than: Cursor | None = None


Snapshot = Mapping[str, Any]
Names = Mapping[tuple[str, int], str]


@dataclass(frozen=True, slots=True)
class Row:
    """One version of one object, and the version before it. `log` instead of both for changes only the admin logged."""

    kind: str
    id: int
    at: datetime
    type: str  # + made, ~ changed, - removed
    user_id: int | None
    reason: str
    object_id: int
    after: Snapshot
    before: Snapshot | None
    log: LogEntry | None = None

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.at, self.kind, self.id)


@dataclass(frozen=True, slots=True)
class Page:
    """`names` by (label, id); an id that is in `gone` no longer exists."""

    rows: Sequence[Row]
    has_more: bool
    names: Names
    gone: frozenset[tuple[str, int]]
    people: Mapping[int, str]


@dataclass(slots=True)
class _Sql:
    text: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)


def read_page(question: Question, *, rows_max: int) -> Page:
    """The rows a question asks for, newest first. Four queries, and one for the admin's log."""
    keys, has_more = _keys(question, rows_max)
    rows = _rows(keys)
    names, gone = _names(rows)
    ids = {row.user_id for row in rows if row.user_id is not None}
    people = {user.pk: name_of(user) for user in get_user_model()._default_manager.filter(pk__in=ids)}
    return Page(rows, has_more, names, gone, people)


# --- Which rows -------------------------------------------------------------------------------------------------------


def _keys(question: Question, rows_max: int) -> tuple[list[tuple[str, int]], bool]:
    is_backwards = question.newer_than is not None
    order = 'at {0}, kind COLLATE "C" {1}, id {0}'.format(*(("ASC", "DESC") if is_backwards else ("DESC", "ASC")))
    parts: list[str] = []
    values: list[Any] = []
    for source in sources().values():
        if question.kind in ("", source.key):
            part = _key_select(source, question)
            parts.append(f"({' '.join(part.text)} ORDER BY {_own_order(is_backwards)} LIMIT {rows_max + 1})")
            values += part.values
    if question.kind in ("", LOG) and question.thing is None:
        part = _log_select(question)
        parts.append(f"({' '.join(part.text)} ORDER BY {_own_order(is_backwards)} LIMIT {rows_max + 1})")
        values += part.values
    if not parts:
        return [], False
    sql = f"SELECT kind, id FROM ({' UNION ALL '.join(parts)}) AS page ORDER BY {order} LIMIT {rows_max + 1}"
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found = [(str(kind), int(number)) for kind, number in cursor.fetchall()]
    has_more, found = len(found) > rows_max, found[:rows_max]
    return (found[::-1] if is_backwards else found), has_more


def _own_order(is_backwards: bool) -> str:
    return "at ASC, id ASC" if is_backwards else "at DESC, id DESC"


def _key_select(source: Source, question: Question) -> _Sql:
    sql = _Sql([f"SELECT h.history_date AS at, %s::text AS kind, h.history_id AS id FROM {source.table} h WHERE true"])
    sql.values.append(source.key)
    _narrow(sql, question, source.key, at="h.history_date", number="h.history_id", user="h.history_user_id")
    if question.thing is not None:
        conditions, values = _belongs(source, *question.thing)
        sql.text.append(f"AND ({' OR '.join(conditions) or 'false'})")
        sql.values += values
    return sql


def _log_select(question: Question) -> _Sql:
    models = " OR ".join("(t.app_label = %s AND t.model = %s)" for _ in LOGGED_MODELS)
    sql = _Sql(
        [
            "SELECT l.action_time AS at, %s::text AS kind, l.id::bigint AS id FROM django_admin_log l"
            f" JOIN django_content_type t ON t.id = l.content_type_id WHERE ({models})"
        ]
    )
    sql.values += [LOG, *(word for pair in LOGGED_MODELS for word in pair)]
    _narrow(sql, question, LOG, at="l.action_time", number="l.id", user="l.user_id")
    return sql


def _narrow(sql: _Sql, question: Question, kind: str, *, at: str, number: str, user: str) -> None:
    if question.person == SYSTEM:
        sql.text.append(f"AND {user} IS NULL")
    elif question.person is not None:
        sql.text.append(f"AND {user} = %s")
        sql.values.append(question.person)
    if question.since is not None:
        sql.text.append(f"AND {at} >= %s")
        sql.values.append(question.since)
    if question.until is not None:
        sql.text.append(f"AND {at} < %s")
        sql.values.append(question.until)
    for cursor, sign in ((question.older_than, "<"), (question.newer_than, ">")):
        if cursor is None:
            continue
        if kind == cursor.kind:
            sql.text.append(f"AND ({at}, {number}) {sign} (%s, %s)")
            sql.values += [cursor.at, cursor.id]
            continue
        comes_later = (kind > cursor.kind) == (sign == "<")  # kinds stand in order among rows of one moment
        sql.text.append(f"AND {at} {sign}{'=' if comes_later else ''} %s")
        sql.values.append(cursor.at)


def _belongs(source: Source, label: str, number: int) -> tuple[list[str], list[Any]]:
    """Conditions for rows of the object itself, of what belongs to it, and of what belongs to that."""
    conditions: list[str] = []
    values: list[Any] = []
    if source.key == label:
        conditions.append(f"h.{source.pk_column} = %s")
        values.append(number)
    for owner in source.owners:
        if owner.target == label:
            conditions.append(f"h.{owner.column} = %s")
            values.append(number)
            continue
        between = sources().get(owner.target)
        for above in between.owners if between else ():
            if between is not None and above.target == label:
                conditions.append(
                    f"h.{owner.column} IN (SELECT b.{between.pk_column} FROM {between.table} b WHERE b.{above.column} = %s)"
                )
                values.append(number)
    return conditions, values


# --- The rows themselves ----------------------------------------------------------------------------------------------


def _rows(keys: Sequence[tuple[str, int]]) -> list[Row]:
    wanted: dict[str, list[int]] = {}
    for kind, number in keys:
        wanted.setdefault(kind, []).append(number)
    found = {(row.kind, row.id): row for row in (*_of_histories(wanted), *_of_log(wanted.get(LOG, ())))}
    return [found[key] for key in keys if key in found]


def _of_histories(wanted: Mapping[str, Sequence[int]]) -> Iterable[Row]:
    parts: list[str] = []
    values: list[Any] = []
    for source in sources().values():
        numbers = wanted.get(source.key)
        if not numbers:
            continue
        pk = source.pk_column
        parts.append(
            f"SELECT %s::text, h.history_id, h.history_date, h.history_type, h.history_user_id,"
            f" coalesce(h.history_change_reason, ''), h.{pk}, {_snapshot(source, 'h')}::text,"
            f" (SELECT {_snapshot(source, 'p')}::text FROM {source.table} p WHERE p.{pk} = h.{pk}"
            f" AND p.history_id < h.history_id ORDER BY p.history_id DESC LIMIT 1)"
            f" FROM {source.table} h WHERE h.history_id = ANY(%s::bigint[])"
        )
        values += [source.key, list(numbers)]
    if not parts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        return [
            Row(kind, number, at, type_, user_id, reason, object_id, _read(after), _read(before) if before else None)
            for kind, number, at, type_, user_id, reason, object_id, after, before in cursor.fetchall()
        ]


def _snapshot(source: Source, alias: str) -> str:
    """A version as JSON, with the rows of its many-to-many fields as lists of ids."""
    text = f"to_jsonb({alias})"
    for linked in source.linked:
        rows = (
            f"SELECT coalesce(jsonb_agg(m.{linked.column} ORDER BY m.{linked.column}), '[]'::jsonb)"
            f" FROM {linked.table} m WHERE m.history_id = {alias}.history_id"
        )
        text += f" || jsonb_build_object('{linked.name}', ({rows}))"
    return f"({text})"


def _read(text: str) -> Snapshot:
    found: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return found


def _of_log(numbers: Iterable[int]) -> list[Row]:
    types = {1: "+", 2: "~", 3: "-"}
    entries = LogEntry.objects.filter(pk__in=list(numbers)).select_related("content_type")
    return [
        Row(LOG, one.pk, one.action_time, types.get(one.action_flag, "~"), one.user_id, "", one.pk, {}, None, one)
        for one in entries
    ]


# --- Names of what the rows refer to ----------------------------------------------------------------------------------

_OWN_NAMES = ("sku", "code", "number", "external_sku", "name", "group")
_CALLED = {"channels_sync.channel": "name"}
"""Kinds that people call by another column than the first of those."""


def own_name(source: Source) -> str | None:
    """The column that holds what a row is called; None when it has no name of its own."""
    columns = {column.column for column in source.model._meta.concrete_fields}
    return _CALLED.get(source.key) or next((name for name in _OWN_NAMES if name in columns), None)


def _names(rows: Sequence[Row]) -> tuple[Names, frozenset[tuple[str, int]]]:
    """Names of every object the rows are of or refer to; those that are gone by the name they had last. One query."""
    wanted: dict[str, set[int]] = {}
    for row in rows:
        if row.kind == LOG:
            continue
        source = sources()[row.kind]
        wanted.setdefault(row.kind, set()).add(row.object_id)
        for snapshot in (row.after, row.before or {}):
            for column in source.fields:
                value = snapshot.get(str(column.column))
                if isinstance(column, ForeignKey) and isinstance(value, int):
                    wanted.setdefault(column.related_model._meta.label_lower, set()).add(value)
            for linked in source.linked:
                wanted.setdefault(linked.target, set()).update(snapshot.get(linked.name, ()))
    parts: list[str] = []
    values: list[Any] = []
    for label, ids in sorted(wanted.items()):
        named = sources().get(label)
        if named is not None and ids:
            tables = ((named.model._meta.db_table, "true", "true"), (named.table, "false", "t.history_type = '-'"))
            for table, is_live, condition in tables:
                parts.append(
                    f"SELECT %s::text, t.{named.pk_column}, {_name_sql(named)}, {is_live} FROM {table} t"
                    f" WHERE t.{named.pk_column} = ANY(%s::bigint[]) AND {condition}"
                )
                values += [label, list(ids)]
    if not parts:
        return {}, frozenset()
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        found = cursor.fetchall()
    live = {(label, number): name for label, number, name, is_live in found if is_live}
    dead = {(label, number): name for label, number, name, is_live in found if not is_live}
    return {**dead, **live}, frozenset(dead.keys() - live.keys())


def _name_sql(source: Source) -> str:
    """How a row is called: by its own name, else by what it belongs to."""
    if source.key == "production.bom":
        return "(SELECT i.sku FROM inventory_item i WHERE i.id = t.item_id) || ' v' || t.version"
    own = own_name(source)
    return f't."{own}"::text' if own else f"'#' || t.{source.pk_column}"
