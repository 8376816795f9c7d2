"""What is on its way to us or lies with suppliers: never on hand, shown beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.db.models import F, Min, Q, Sum
from django.utils import timezone

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
from inventory.reads.incoming import will_be_available


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
    """Of one item, in its stock unit. `ordered` is open on purchase orders, `in_transit` on transfers under way; `arriving`
    is what of the latter will be available where it goes, the first of it on the day `arriving_on`."""

    ordered: Decimal = ZERO
    in_transit: Decimal = ZERO
    arriving: Decimal = ZERO
    arriving_on: date | None = None
    suppliers: list[SupplierRow] = field(default_factory=list)

    @property
    def with_suppliers(self) -> Decimal:
        return sum((row.quantity for row in self.suppliers), ZERO)


def supply_of(
    *, items: Sequence[int], places: Sequence[int] | None = None, with_suppliers: bool = True
) -> dict[int, Supply]:
    """What is coming of each item, by item id. `places` are where it will arrive; None: anywhere, and what goes to a place
    of a channel is not `arriving`, since what a channel keeps is not available elsewhere. Three statements."""
    found = {item_id: Supply() for item_id in items}
    ordered = PurchaseOrderLine.objects.filter(
        item_id__in=items, order__state=PurchaseOrderState.ORDERED, is_closed=False, received__lt=F("quantity")
    )
    moving = StockTransferLine.objects.filter(item_id__in=items, transfer__state=TransferState.IN_TRANSIT)
    arriving = will_be_available(on=timezone.localdate())
    if places is None:
        arriving &= ~Q(transfer__target__kind=LocationKind.CHANNEL_OWNED)
    else:
        ordered = ordered.filter(order__location_id__in=places)
        moving = moving.filter(transfer__target_id__in=places)
    for item_id, quantity in (
        ordered.order_by()
        .values("item_id")
        .annotate(open=Sum(F("quantity") - F("received")))
        .values_list("item_id", "open")
    ):
        found[item_id].ordered = quantity
    still_open = F("quantity") - F("received") - F("lost")
    for item_id, quantity, good, day in (
        moving.order_by()
        .values("item_id")
        .annotate(
            open=Sum(still_open),
            good=Sum(still_open, filter=arriving),
            day=Min("transfer__expected_on", filter=arriving),
        )
        .values_list("item_id", "open", "good", "day")
    ):
        found[item_id].in_transit, found[item_id].arriving, found[item_id].arriving_on = quantity, good or ZERO, day
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
