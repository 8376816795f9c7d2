"""Changes in words: `Step: 1 -> 0.5`, references by the names of what they lead to, the lines of one save together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, DateTimeField, Field, ForeignKey
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from config.audit.reading import Names, Page, Row, Snapshot, own_name
from config.audit.sources import LOG, Source, sources
from inventory.quantities import as_text

TEXT_SHOWN_MAX = 200
_CAPITALS = {"sku": "SKU", "url": "URL", "id": "ID", "api": "API"}
_LINES = {"production.bomline": "production.bom"}
"""Rows that are told as changes of what they are lines of."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that became another; empty: there was, or is, none. `what` may be empty for a whole line."""

    what: str
    old: str
    new: str


@dataclass(slots=True)
class Entry:
    """One change as people read it."""

    kind: str
    kind_title: str
    label: str
    url: str
    verb: str  # made, changed, removed
    at: datetime
    person_id: int | None
    person: str
    reason: str
    object_id: int
    cursor: str
    differences: list[Difference] = field(default_factory=list)

    @property
    def tone(self) -> str:
        return {"made": "good", "removed": "blocked"}.get(self.verb, "info")


def entries(page: Page) -> list[Entry]:
    """The rows of a page in words; lines that were saved together are one entry."""
    found: list[Entry] = []
    last_group: tuple[Any, ...] | None = None
    for row in page.rows:
        if row.kind == LOG:
            found.append(_of_log(row, page))
            last_group = None
            continue
        source = sources()[row.kind]
        above = _LINES.get(row.kind)
        if above is None:
            found.append(_of_object(row, source, page))
            last_group = None
            continue
        owner_id = _owner_id(row, source, above)
        group = (row.kind, owner_id, row.user_id, row.at)
        if group != last_group:
            found.append(_of_lines(row, above, owner_id, page))
            last_group = group
        found[-1].differences += _line_differences(row, source, page.names)
    return found


def _person(row: Row, page: Page) -> str:
    if row.user_id is None:
        return "the system"
    return page.people.get(row.user_id, f"user {row.user_id}, who is gone")


def _of_object(row: Row, source: Source, page: Page) -> Entry:
    verb = {"+": "made", "-": "removed"}.get(row.type, "changed")
    is_gone = (row.kind, row.object_id) in page.gone or (row.kind, row.object_id) not in page.names
    return Entry(
        kind=row.kind,
        kind_title=source.title,
        label=_label(source, row.after, page.names),
        url="" if is_gone else _url(row.kind, row.object_id, row.after),
        verb=verb,
        at=row.at,
        person_id=row.user_id,
        person=_person(row, page),
        reason=row.reason,
        object_id=row.object_id,
        cursor=str(row.cursor),
        differences=_differences(row, source, page.names),
    )


def _of_lines(row: Row, above: str, owner_id: int, page: Page) -> Entry:
    is_gone = (above, owner_id) in page.gone or (above, owner_id) not in page.names
    return Entry(
        kind=row.kind,
        kind_title=f"{sources()[above].title} lines",
        label=page.names.get((above, owner_id), f"{sources()[above].title} {owner_id}"),
        url="" if is_gone else _url(above, owner_id, {}),
        verb="changed",
        at=row.at,
        person_id=row.user_id,
        person=_person(row, page),
        reason=row.reason,
        object_id=owner_id,
        cursor=str(row.cursor),
    )


def _of_log(row: Row, page: Page) -> Entry:
    assert row.log is not None, "rows of this kind come with their log entry"
    content_type = row.log.content_type
    words = row.log.get_change_message()
    model = content_type.model_class() if content_type is not None else None
    return Entry(
        kind=LOG,
        kind_title=str(model._meta.verbose_name).capitalize() if model is not None else "Set-up",
        label=row.log.object_repr,
        url=row.log.get_admin_url() or "" if row.type != "-" else "",
        verb={"+": "made", "-": "removed"}.get(row.type, "changed"),
        at=row.at,
        person_id=row.user_id,
        person=_person(row, page),
        reason="" if row.type == "+" and words.startswith("Added") else words,
        object_id=row.id,
        cursor=str(row.cursor),
    )


# --- Differences ------------------------------------------------------------------------------------------------------


def _differences(row: Row, source: Source, names: Names) -> list[Difference]:
    """What differs from the version before; of a new object what was filled in; of a removed one nothing."""
    if row.type == "-":
        return []
    before = row.before if row.type == "~" else {}
    if before is None:  # the history of this object begins here
        return []
    found = []
    owners = {owner.target.partition(".")[2] for owner in source.owners}
    for column in source.fields:
        new = row.after.get(str(column.column))
        old = before.get(str(column.column)) if before else None
        if row.type == "+" and (_is_default(column, new) or column.name in owners):
            continue  # what it belongs to stands in what it is called
        if old != new:
            found.append(Difference(_title(column), _words(column, old, names), _words(column, new, names)))
    for linked in source.linked:
        new_ids, old_ids = row.after.get(linked.name, []), before.get(linked.name, []) if before else []
        if new_ids != old_ids:
            found.append(
                Difference(linked.title, _many(linked.target, old_ids, names), _many(linked.target, new_ids, names))
            )
    return [one for one in found if one.old != one.new]


def _is_default(column: "Field[Any, Any]", value: Any) -> bool:
    """Whether a new object's figure says nothing: empty, or what it is unless told otherwise."""
    if value in (None, "", [], {}):
        return True
    default = column.get_default() if column.has_default() else None
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and default is not None:
        return Decimal(value) == Decimal(str(default))
    return bool(default is not None and value == default)


def _line_differences(row: Row, source: Source, names: Names) -> list[Difference]:
    """A line that came, went, or changed; named by its component."""
    component = names.get(("inventory.item", row.after.get("component_id", 0)), "a removed item")
    amount = _amount(row.after, component)
    if row.type == "+":
        return [Difference("", "", amount)]
    if row.type == "-":
        return [Difference("", amount, "")]
    changes = _differences(row, source, names)
    return [Difference(f"{component}: {one.what.lower()}", one.old, one.new) for one in changes]


def _amount(line: Snapshot, component: str) -> str:
    unit = f" {line['unit']}" if line.get("unit") else ""
    return f"{as_text(Decimal(line['quantity']))}{unit} {component}"


def _owner_id(row: Row, source: Source, label: str) -> int:
    column = next(owner.column for owner in source.owners if owner.target == label)
    return int(row.after[column])


def _title(column: "Field[Any, Any]") -> str:
    words = " ".join(_CAPITALS.get(word, word) for word in str(column.verbose_name).split())
    return words[:1].upper() + words[1:]


def _words(column: "Field[Any, Any]", value: Any, names: Names) -> str:
    if value is None or value == "":
        return ""
    if isinstance(column, ForeignKey):
        label = column.related_model._meta.label_lower
        return names.get((label, value), f"{column.related_model._meta.verbose_name} {value}")
    if column.choices:
        return str(dict(column.flatchoices).get(value, value))
    if isinstance(column, BooleanField):
        return "yes" if value else "no"
    if isinstance(column, DateTimeField):
        moment = parse_datetime(str(value))
        return str(value) if moment is None else f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, int | Decimal):
        return as_text(Decimal(value))
    text = str(value)
    return text if len(text) <= TEXT_SHOWN_MAX else f"{text[: TEXT_SHOWN_MAX - 1]}…"


def _many(label: str, ids: Iterable[int], names: Names) -> str:
    return ", ".join(names.get((label, one), str(one)) for one in ids)


# --- What an object is called, and where it is ------------------------------------------------------------------------


def _label(source: Source, snapshot: Snapshot, names: Names) -> str:
    owned = {
        owner.target: names.get((owner.target, snapshot[owner.column]), "")
        for owner in source.owners
        if snapshot.get(owner.column) is not None
    }
    if source.key == "channels_sync.allocationpolicy":
        return f"{_scope(owned)} v{snapshot.get('version')}"
    if source.key == "production.bom":
        return f"{owned.get('inventory.item', '')} v{snapshot.get('version')}"
    column = own_name(source)
    own = str(snapshot.get(column) or "") if column else ""
    if source.key == "channels_sync.listing":
        return f"{own} on {owned.get('channels_sync.channel', '')}"
    above = [name for name in owned.values() if name]
    if not own:
        return " · ".join(above) or f"{source.title} {snapshot.get(source.pk_column)}"
    return f"{own} of {' · '.join(above)}" if above else own


def _scope(owned: Mapping[str, str]) -> str:
    if owned.get("channels_sync.listing"):
        return f"Listing {owned['channels_sync.listing']}"
    item, channel = owned.get("inventory.item", ""), owned.get("channels_sync.channel", "")
    if item and channel:
        return f"{item} on {channel}"
    return item or channel or "Everywhere"


def _url(kind: str, object_id: int, snapshot: Snapshot) -> str:
    """Where the object can be seen; empty when it has no page."""
    pages: dict[str, tuple[str, Sequence[Any]]] = {
        "inventory.item": ("inventory:item", [object_id]),
        "inventory.itemunit": ("inventory:item", [snapshot.get("item_id")]),
        "channels_sync.listing": ("channels_sync:listing", [object_id]),
        "channels_sync.channel": ("channels_sync:channel", [snapshot.get("code")]),
    }
    name, arguments = pages.get(kind, (f"admin:{kind.replace('.', '_')}_change", [object_id]))
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""
