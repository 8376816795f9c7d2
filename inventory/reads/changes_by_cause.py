"""What changed between two moments, by cause: how the first sum becomes the second, to the cent."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from inventory.models import Item, PostingKind
from inventory.quantities import ZERO
from inventory.reads.moments import AsOf, Basis
from inventory.reads.stock_as_of import WorthAsOf, worth_as_of
from inventory.reads.stock_totals import totals_as_of

NAMES = {
    PostingKind.RECEIPT: "Receipts",
    PostingKind.ISSUE: "Issues",
    PostingKind.SHIPMENT: "Shipments",
    PostingKind.TRANSFER: "Transfers",
    PostingKind.STATUS_CHANGE: "Status changes",
    PostingKind.LOT_CHANGE: "Changes of lots",
    PostingKind.ADJUSTMENT: "Adjustments",
    PostingKind.COUNT: "Counts",
    PostingKind.SCRAP: "Scrap",
    PostingKind.CUSTOMER_RETURN: "Customer returns",
    PostingKind.SUPPLIER_RETURN: "Returns to suppliers",
    PostingKind.COMPLETION: "Completions",
    PostingKind.DISASSEMBLY: "Disassemblies",
    PostingKind.REWORK: "Rework",
    PostingKind.COST_CORRECTION: "Cost corrections",
    PostingKind.LANDED_COST: "Landed cost",
    PostingKind.REVERSAL: "Reversals",
}
_ORDER = {kind: place for place, kind in enumerate(NAMES)}
WAYS = {"in": "made", "out": "used"}
WAYS_BACK = {"in": "parts returned", "out": "output taken back"}


@dataclass(frozen=True, slots=True)
class Cause:
    """What one kind of posting changed. Quantities in the item's stock unit, values in base currency."""

    kind: str
    undoes: str  # for a reversal: the kind of what it reverses
    way: str  # for a completion: in (made) or out (used)
    is_late: bool  # happened before the first moment, and was recorded after it
    movements: int
    quantity: Decimal
    value: Decimal  # known part
    unknown_quantity: Decimal  # moved with an unknown value

    @property
    def label(self) -> str:
        name = NAMES[PostingKind(self.kind)]
        if self.undoes:
            name = f"{name} of {NAMES[PostingKind(self.undoes)].lower()}"
        ways = WAYS_BACK if self.undoes else WAYS
        return f"{name}, {ways[self.way]}" if self.way else name


@dataclass(frozen=True, slots=True)
class Side:
    """The stock at one of the two moments: known value in base currency, quantity in the stock unit (of one item only)."""

    known_value: Decimal
    quantity: Decimal = ZERO
    unknown_quantity: Decimal = ZERO
    unknown_items: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Opening, what changed it, closing. For the whole stock the quantities mean nothing and are zero.

    `opening.known_value` plus the values of `causes` is `closing.known_value`; so with quantities of one item. As then
    believed, `late` is among the causes; as it was, it is contained in the opening and only told.
    """

    item: Item | None
    first: datetime
    second: datetime
    basis: str
    opening: Side
    causes: tuple[Cause, ...]
    late: tuple[Cause, ...]
    closing: Side

    @property
    def change(self) -> Decimal:
        """In known value, base currency."""
        return self.closing.known_value - self.opening.known_value


def changes_by_cause(*, first: datetime, second: datetime, item: Item | None = None, basis: str) -> Comparison:
    """Compare two moments, the earlier first, for an item or for all stock.

    As it was: what happened in between, whenever it was recorded. As then believed: what was recorded in between, what had
    happened before the first moment told apart.
    """
    assert first <= second, "the first moment comes first"
    causes = _causes(first=first, second=second, item=item, basis=basis)
    on_time = tuple(cause for cause in causes if not cause.is_late)
    return Comparison(
        item=item,
        first=first,
        second=second,
        basis=basis,
        opening=_side(item, AsOf.at(first, basis)),
        causes=on_time,
        late=tuple(cause for cause in causes if cause.is_late),
        closing=_side(item, AsOf.at(second, basis)),
    )


def _side(item: Item | None, moment: AsOf) -> Side:
    if item is not None:
        worth = worth_as_of(items=[item.pk], moment=moment).get(item.pk, WorthAsOf(item.pk))
        return Side(worth.known_value, worth.quantity, worth.unknown_quantity, int(worth.unknown_quantity > ZERO))
    totals = totals_as_of(moment=moment, by="kind")
    return Side(totals.known_value, unknown_items=totals.unknown_items)


_CAUSES = """
SELECT p.kind, coalesce(r.kind, ''),
       CASE WHEN coalesce(r.kind, p.kind) <> 'completion' THEN '' WHEN m.quantity > 0 THEN 'in'
            WHEN m.quantity < 0 THEN 'out' WHEN m.value > 0 THEN 'in' ELSE 'out' END AS way,
       m.effective_at <= %(first)s AS is_late, count(*), sum(m.quantity), coalesce(sum(m.value), 0),
       coalesce(sum(m.quantity) FILTER (WHERE m.value IS NULL), 0)
FROM inventory_movement m JOIN inventory_posting p ON p.id = m.posting_id
LEFT JOIN inventory_posting r ON r.id = p.reverses_id
WHERE m.recorded_at > %(first)s AND {condition}
GROUP BY 1, 2, 3, 4
"""


def _causes(*, first: datetime, second: datetime, item: Item | None, basis: str) -> list[Cause]:
    bounded = "recorded_at" if basis == Basis.KNOWN_THEN else "effective_at"
    condition = f"m.{bounded} <= %(second)s"
    parameters: dict[str, Any] = {"first": first, "second": second}
    if item is not None:
        condition += " AND m.item_id = %(item)s"
        parameters["item"] = item.pk
    with connection.cursor() as cursor:
        cursor.execute(_CAUSES.format(condition=condition), parameters)
        found = [Cause(*row) for row in cursor.fetchall()]
    return sorted(found, key=lambda c: (c.is_late, _ORDER[PostingKind(c.kind)], _ORDER.get(c.undoes, -1), c.way))  # type: ignore[call-overload]


def total_value(causes: tuple[Cause, ...]) -> Decimal:
    return sum((cause.value for cause in causes), ZERO)
