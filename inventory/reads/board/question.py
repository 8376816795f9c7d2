"""What the stock board is asked for, as conditions in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from inventory.arrays import numbers
from inventory.models import UNSTOCKED_KINDS, CountLineState, LocationKind
from inventory.reads.freshness import supplier_stale_before

EXPIRY_NOTICE_DAYS = 30
UNCOUNTED_DAYS = 90
"""Stock that was not counted for so long is listed by the condition `uncounted`."""
SORTS = ("sku", "name", "on_hand", "value")

Sql = tuple[str, list[Any]]
"""A condition and its parameters."""


@dataclass(frozen=True, slots=True)
class BoardQuestion:
    """What the board is asked for. Empty values do not narrow it; `sort` is a key, with a minus for the other way."""

    text: str = ""
    places: Sequence[int] | None = None
    """Locations (ids) whose stock is asked about, with all below them named too; None: all."""
    sources: Sequence[int] = ()
    """The outermost of `places`, for what is available there."""
    status: str = ""
    categories: Sequence[int] | None = None
    """Categories (ids), those below them named too; None: all."""
    kind: str = ""
    owner: str | None = None
    """Of the lot, else of the place; empty: our own; None: everybody's."""
    owner_places: Sequence[int] = ()
    """Locations (ids) whose stock is `owner`'s unless its lot says otherwise."""
    only_suppliers: bool = False
    """Only what suppliers say to have."""
    stocked: bool = False
    flag: str = ""
    """`low` (below the reorder point), `negative`, `soon` or `expired` (lots), `unknown` (cost), `stale` (figures) or
    `uncounted`."""
    stale_places: Sequence[int] = ()
    """Locations (ids) whose figures are stale now; read for the flag of that name."""
    sort: str = "sku"

    @property
    def is_narrowed(self) -> bool:
        """Whether only a part of an item's stock is asked about, so that items without such stock are no rows."""
        return self.places is not None or bool(self.status) or self.owner is not None

    @property
    def with_suppliers(self) -> bool:
        """Whether what suppliers have belongs to the answer: it stands at no place of ours and has no status."""
        return self.only_suppliers or not self.is_narrowed


def expiring(*, soon: bool) -> Q:
    """A condition on cells: their lot expires within EXPIRY_NOTICE_DAYS, or it has expired."""
    today = timezone.localdate()
    if soon:
        return Q(lot__expires_on__gte=today, lot__expires_on__lte=today + timedelta(days=EXPIRY_NOTICE_DAYS))
    return Q(lot__expires_on__lt=today)


def cell_conditions(question: BoardQuestion) -> Sql:
    """Which cells (`b`, with their lot `t`) are asked about. The text begins with AND, or is empty."""
    words: list[str] = []
    values: list[Any] = []
    if question.only_suppliers:
        words.append("false")
    if question.places is not None:
        words.append("b.location_id = ANY(%s::bigint[])")
        values.append(numbers(question.places))
    if question.status:
        words.append("b.status = %s")
        values.append(question.status)
    if question.owner is not None:
        words.append("t.owner = '' AND b.location_id = ANY(%s::bigint[])")
        values.append(numbers(question.owner_places))
        if question.owner:
            words[-1] = f"(t.owner = %s OR ({words[-1]}))"
            values.insert(-1, question.owner)
    return "".join(f" AND {word}" for word in words), values


def cells_of(question: BoardQuestion) -> str:
    """The cells (`b`), with their lot (`t`) only where the conditions ask about it."""
    lots = "" if question.owner is None else " JOIN inventory_lot t ON t.id = b.lot_id"
    return f"inventory_stockbalance b{lots}"


def item_conditions(question: BoardQuestion, *, is_joined: bool = False) -> Sql:
    """Which items (`i`) are asked about. `is_joined`: they are joined to the cells that are asked about already."""
    words = ["i.kind <> ALL(%s::text[])"]
    values: list[Any] = [sorted(UNSTOCKED_KINDS)]
    if question.text:
        like = f"%{_escaped(question.text)}%"
        words.append(
            "(i.sku ILIKE %s OR i.name ILIKE %s OR i.barcode = %s"
            " OR i.id IN (SELECT u.item_id FROM inventory_itemunit u WHERE u.barcode = %s AND u.barcode <> ''))"
        )
        values += [like, like, question.text, question.text]
    if question.categories is not None:
        words.append("i.category_id = ANY(%s::bigint[])")
        values.append(numbers(question.categories))
    if question.kind:
        words.append("i.kind = %s")
        values.append(question.kind)
    if not is_joined:
        more, parameters = _presence(question)
        words.append(more)
        values += parameters
    if question.flag:
        more, parameters = _flag(question)
        words.append(more)
        values += parameters
    return " AND ".join(words), values


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


_SUPPLIED = (
    "i.id IN (SELECT si.item_id FROM inventory_supplierstock s"
    " JOIN inventory_supplieritem si ON si.id = s.supplier_item_id WHERE {})"
)


def _presence(question: BoardQuestion) -> Sql:
    """Items in use are listed without stock too; the rest only while there is some."""
    if question.only_suppliers:
        return _SUPPLIED.format("s.quantity > 0"), []
    cells, values = cell_conditions(question)
    if question.stocked or question.is_narrowed:
        return f"EXISTS (SELECT 1 FROM {cells_of(question)} WHERE b.item_id = i.id AND b.quantity <> 0{cells})", values
    return (
        "(i.is_active OR i.id IN (SELECT p.item_id FROM inventory_costpool p"
        " WHERE p.lot_id IS NULL AND p.quantity <> 0))",
        [],
    )


_FREE = """(SELECT coalesce(sum(greatest(site.free, 0)), 0) FROM (SELECT sum(part.quantity) AS free FROM (
  SELECT s.id AS site_id, greatest(b.quantity, 0) - b.reserved AS quantity
  FROM inventory_stockbalance b JOIN inventory_location l ON l.id = b.location_id
  JOIN inventory_location s ON s.id = split_part(l.path, '/', 2)::bigint JOIN inventory_lot t ON t.id = b.lot_id
  WHERE b.item_id = i.id AND b.quantity <> 0 AND b.status = 'available' AND l.is_sellable AND l.is_active
    AND NOT l.is_blocked AND s.kind <> %s AND (t.expires_on IS NULL OR t.expires_on >= %s)
  UNION ALL
  SELECT s.id, -r.quantity FROM inventory_reservation r
  JOIN inventory_location l ON l.id = r.location_id
  JOIN inventory_location s ON s.id = split_part(l.path, '/', 2)::bigint
  WHERE r.item_id = i.id AND r.lot_id IS NULL AND r.quantity > 0 AND (r.expires_at IS NULL OR r.expires_at > %s)
    AND s.kind <> %s
) part GROUP BY part.site_id) site)"""
"""What is available of an item everywhere, as `reads.availability` says it for the sites that no channel keeps: what one
lacks is not taken from another."""


def free_of_item(*, at: datetime | None = None) -> Sql:
    """SQL for what is available of the item `i` of a statement, and its parameters."""
    own = LocationKind.CHANNEL_OWNED.value
    now = at or timezone.now()
    return _FREE, [own, timezone.localdate(now), now, own]


def _flag(question: BoardQuestion) -> Sql:
    cells, values = cell_conditions(question)
    now, today = timezone.now(), timezone.localdate()
    match question.flag:
        case "low":
            free, parameters = free_of_item(at=now)
            return f"i.reorder_point IS NOT NULL AND i.reorder_point > {free}", parameters
        case "negative":
            return f"i.id IN ({_items_with(question, 'b.negative_allowed AND b.quantity < 0', cells)})", values
        case "unknown":
            return "i.id IN (SELECT p.item_id FROM inventory_costpool p WHERE p.unknown_quantity > 0)", []
        case "soon":
            until = today + timedelta(days=EXPIRY_NOTICE_DAYS)
            return _expiring("t.expires_on BETWEEN %s AND %s", cells), [today, until, *values]
        case "expired":
            return _expiring("t.expires_on < %s", cells), [today, *values]
        case "stale":
            at = _items_with(question, "b.quantity <> 0 AND b.location_id = ANY(%s::bigint[])", cells)
            old = _SUPPLIED.format("s.confirmed_at < %s")
            return f"(i.id IN ({at}) OR {old})", [
                numbers(question.stale_places),
                *values,
                supplier_stale_before(at=now),
            ]
        case "uncounted":
            return _UNCOUNTED.format(cells), [
                *values,
                CountLineState.POSTED.value,
                now - timedelta(days=UNCOUNTED_DAYS),
            ]
    raise ValueError(f"no condition is called {question.flag}")


def _items_with(question: BoardQuestion, condition: str, cells: str) -> str:
    return f"SELECT b.item_id FROM {cells_of(question)} WHERE {condition}{cells}"


def _expiring(condition: str, cells: str) -> str:
    """From the lots' side, since few lots expire soon."""
    return (
        "i.id IN (SELECT b.item_id FROM inventory_lot t JOIN inventory_stockbalance b ON b.lot_id = t.id"
        f" WHERE {condition} AND b.quantity > 0{cells})"
    )


_UNCOUNTED = (
    "EXISTS (SELECT 1 FROM inventory_stockbalance b JOIN inventory_lot t ON t.id = b.lot_id"
    " JOIN inventory_location l ON l.id = b.location_id AND l.kind = 'own'"
    " WHERE b.item_id = i.id AND b.quantity <> 0{} AND NOT EXISTS (SELECT 1 FROM inventory_countline c"
    " WHERE c.item_id = b.item_id AND c.location_id = b.location_id AND c.lot_id = b.lot_id AND c.status = b.status"
    " AND c.state = %s AND c.scanned_at >= %s))"
)
