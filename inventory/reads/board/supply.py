"""What is on its way to us or lies with suppliers: never on hand, shown beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db.models import F, Q, Sum

from inventory.models import (
    LocationKind,
    PurchaseOrderLine,
    PurchaseOrderState,
    StockBalance,
    StockTransferLine,
    SupplierStock,
    TransferState,
)
from inventory.quantities import ZERO


@dataclass(frozen=True, slots=True)
class SupplierRow:
    """What one supplier says to have of an item; stock unit."""

    supplier_code: str
    supplier_name: str
    quantity: Decimal
    confirmed_at: datetime
    source: str


@dataclass(slots=True)
class Supply:
    """Of one item, in its stock unit. `ordered` is open on purchase orders, `in_transit` on transfers under way."""

    ordered: Decimal = ZERO
    in_transit: Decimal = ZERO
    suppliers: list[SupplierRow] = field(default_factory=list)

    @property
    def with_suppliers(self) -> Decimal:
        return sum((row.quantity for row in self.suppliers), ZERO)


def supply_of(
    *, items: Sequence[int], places: Sequence[int] | None = None, with_suppliers: bool = True
) -> dict[int, Supply]:
    """What is coming of each item, by item id. `places` are where it will arrive; None: anywhere. Three statements."""
    found = {item_id: Supply() for item_id in items}
    ordered = PurchaseOrderLine.objects.filter(
        item_id__in=items, order__state=PurchaseOrderState.ORDERED, is_closed=False, received__lt=F("quantity")
    )
    moving = StockTransferLine.objects.filter(item_id__in=items, transfer__state=TransferState.IN_TRANSIT)
    if places is not None:
        ordered = ordered.filter(order__location_id__in=places)
        moving = moving.filter(transfer__target_id__in=places)
    for item_id, quantity in (
        ordered.order_by()
        .values("item_id")
        .annotate(open=Sum(F("quantity") - F("received")))
        .values_list("item_id", "open")
    ):
        found[item_id].ordered = quantity
    for item_id, quantity in (
        moving.order_by()
        .values("item_id")
        .annotate(open=Sum(F("quantity") - F("received") - F("lost")))
        .values_list("item_id", "open")
    ):
        found[item_id].in_transit = quantity
    if with_suppliers:
        for stock in (
            SupplierStock.objects.filter(supplier_item__item_id__in=items)
            .select_related("supplier_item__supplier")
            .order_by("supplier_item__supplier__code")
        ):
            supplier = stock.supplier_item.supplier
            found[stock.supplier_item.item_id].suppliers.append(
                SupplierRow(supplier.code, supplier.name, stock.quantity, stock.confirmed_at, stock.source)
            )
    return found


@dataclass(frozen=True, slots=True)
class Held:
    """What the book holds of an item; stock unit. What is below zero somewhere lowers no other place's figure."""

    on_hand: Decimal
    below_zero: Decimal  # zero or less
    on_the_road: Decimal


def held_of(*, item_id: int) -> Held:
    """One statement."""
    on_the_road = Q(location__kind=LocationKind.IN_TRANSIT)
    sums = StockBalance.objects.filter(item_id=item_id).aggregate(
        on_hand=Sum("quantity", filter=Q(quantity__gt=0) & ~on_the_road),
        below_zero=Sum("quantity", filter=Q(quantity__lt=0)),
        on_the_road=Sum("quantity", filter=Q(quantity__gt=0) & on_the_road),
    )
    return Held(*(sums[name] or ZERO for name in ("on_hand", "below_zero", "on_the_road")))
