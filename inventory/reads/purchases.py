"""What pages ask about purchases: orders with how far they are, receipts that can take a late cost, unknown costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from inventory.models import (
    NEUTRAL_KINDS,
    CostPool,
    Item,
    LandedCostShare,
    Movement,
    Posting,
    PostingKind,
    PurchaseOrder,
    PurchaseOrderLine,
    PurchaseOrderState,
    PurchaseReceiptLine,
)
from inventory.operations.landing_costs import LANDED_ON, PRICED
from inventory.quantities import ZERO
from inventory.reads.tracking import prices_of
from inventory.whole_numbers import whole_number

FOUND_MAX = 200


def orders_with_progress(orders: QuerySet[PurchaseOrder]) -> QuerySet[PurchaseOrder]:
    """Orders with `line_count`, `open_lines` (of which something is outstanding), `worth` and `unpriced` lines."""
    is_open = Q(lines__is_closed=False, lines__received__lt=F("lines__quantity"))
    return orders.annotate(
        line_count=Count("lines"),
        open_lines=Count("lines", filter=is_open),
        worth=Sum("lines__value"),
        unpriced=Count("lines", filter=Q(lines__value__isnull=True)),
    )


def late_orders(orders: QuerySet[PurchaseOrder]) -> QuerySet[PurchaseOrder]:
    """Those that are ordered and of which something was expected before today."""
    today = timezone.localdate()
    lines = PurchaseOrderLine.objects.filter(order=OuterRef("pk"), is_closed=False, received__lt=F("quantity"))
    late = lines.filter(Q(expected_on__lt=today) | Q(expected_on__isnull=True, order__expected_on__lt=today))
    return orders.filter(Exists(late), state=PurchaseOrderState.ORDERED)


@dataclass(frozen=True, slots=True)
class OrderReceipt:
    """One receipt of an order, or what it was before it was taken back."""

    posting: Posting
    lines: Sequence[PurchaseReceiptLine]
    value: Decimal | None  # what the goods cost, corrected prices included; None when that is not known of some

    @property
    def is_reversed(self) -> bool:
        return all(line.is_reversed for line in self.lines)


def receipts_of(order: PurchaseOrder) -> list[OrderReceipt]:
    """The receipts of an order, newest first."""
    found: dict[int, list[PurchaseReceiptLine]] = {}
    rows = PurchaseReceiptLine.objects.filter(line__order=order).select_related("posting", "line__item")
    for row in rows.order_by("-posting_id", "id"):
        found.setdefault(row.posting_id, []).append(row)
    worth = _worth_of_receipts(list(found))
    return [OrderReceipt(rows[0].posting, rows, worth.get(posting_id)) for posting_id, rows in found.items()]


def _worth_of_receipts(postings: Sequence[int]) -> dict[int, Decimal | None]:
    """By posting id, what its goods cost by now; None when the cost of one of them is not known."""
    movements = list(Movement.objects.filter(posting__in=postings, quantity__gt=0))
    prices = prices_of([movement.pk for movement in movements])
    worth: dict[int, Decimal | None] = {}
    for movement in movements:
        before = worth.get(movement.posting_id, ZERO)
        is_known = movement.value is not None or movement.pk in prices
        now = (movement.value or ZERO) + prices.get(movement.pk, ZERO)
        worth[movement.posting_id] = before + now if before is not None and is_known else None
    return worth


def shares_of_postings(postings: Sequence[int]) -> list[LandedCostShare]:
    """What late costs did with the goods of receipts (posting ids), newest first."""
    return list(
        LandedCostShare.objects.filter(movement__posting__in=postings)
        .select_related("landed_cost__posting", "landed_cost__supplier", "movement__item")
        .order_by("-id")
    )


def received_goods() -> QuerySet[Movement]:
    """Movements of receipts and completions that were not taken back whole, with what pages show of them."""
    undone = Posting.objects.filter(reverses=OuterRef("posting"))
    return (
        Movement.objects.filter(quantity__gt=0, posting__kind__in=LANDED_ON)
        .filter(~Exists(undone) | Q(posting__kind="completion"))
        .select_related("item", "posting", "location", "lot")
        .order_by("-id")
    )


def find_received(text: str) -> list[Movement]:
    """Received goods a person means by an order's or a receipt's number, a delivery note, or a SKU; newest first."""
    text = text.strip()
    if not text:
        return []
    wanted = Q(posting__reference__iexact=text)
    number = whole_number(text.removeprefix("#").strip())
    if number is not None:
        wanted |= Q(posting=number)
    item = Item.objects.filter(Q(sku__iexact=text) | Q(barcode=text)).first()
    if item is not None:
        wanted |= Q(item=item)
    return list(received_goods().filter(wanted)[:FOUND_MAX])


@dataclass(frozen=True, slots=True)
class UnknownCost:
    """An item whose stock holds units of unknown cost, and the receipts that lack their price, oldest first."""

    item: Item
    quantity: Decimal  # on hand; stock unit
    known_value: Decimal
    receipts: Sequence[Movement]


def unknown_costs(*, rows_max: int = 200) -> list[UnknownCost]:
    """Items with stock of unknown cost, by SKU. Two statements for any number of items."""
    pools = list(
        CostPool.objects.filter(lot__isnull=True, unknown_quantity__gt=0)
        .select_related("item")
        .order_by("item__sku")[:rows_max]
    )
    receipts = unpriced_receipts([pool.item_id for pool in pools])
    return [UnknownCost(pool.item, pool.quantity, pool.value, receipts.get(pool.item_id, [])) for pool in pools]


def unpriced_receipts(items: Sequence[int]) -> dict[int, list[Movement]]:
    """By item id, movements that brought in goods of unknown cost and got no price since, oldest first."""
    found: dict[int, list[Movement]] = {}
    undone = Posting.objects.filter(reverses=OuterRef("posting"))
    priced = LandedCostShare.objects.filter(movement=OuterRef("pk"), landed_cost__kind="price")
    rows = (
        Movement.objects.filter(item__in=items, value__isnull=True, quantity__gt=0, posting__kind__in=PRICED)
        .filter(~Exists(undone), ~Exists(priced))
        .select_related("posting", "location", "lot")
        .order_by("id")
    )
    for movement in rows:
        found.setdefault(movement.item_id, []).append(movement)
    return found


_BROUGHT_NOTHING = (*NEUTRAL_KINDS, PostingKind.LOT_CHANGE, PostingKind.LANDED_COST, PostingKind.REVERSAL)
"""Kinds that have movements into a cell and bring no goods in: they move, rename, price or put back what was here."""


def goods_without_a_price(item: Item) -> QuerySet[Movement]:
    """Movements that brought in goods of the item at an unknown cost and got no price since, newest first."""
    priced = LandedCostShare.objects.filter(movement=OuterRef("pk"), landed_cost__kind="price")
    return (
        Movement.objects.for_item(item)
        .filter(~Exists(priced), value__isnull=True, quantity__gt=0)
        .exclude(posting__kind__in=_BROUGHT_NOTHING)
        .select_related("posting", "location", "lot")
        .order_by("-pk")
    )
