"""What receipts count towards the lines of purchase orders, and what taking them back does."""

from collections.abc import Iterable, Sequence

from django.utils import timezone

from inventory.models import Posting, PurchaseOrder, PurchaseOrderLine, PurchaseOrderState, PurchaseReceiptLine


def lock_orders(ids: Iterable[int]) -> dict[int, PurchaseOrder]:
    """Lock purchase orders in order of id: documents come before pools and cells (see README). Their lines go with them."""
    rows = PurchaseOrder.objects.filter(pk__in=set(ids)).select_for_update(of=("self",), no_key=True).order_by("pk")
    return {order.pk: order for order in rows.select_related("supplier", "location")}


def settle(order: PurchaseOrder, lines: Sequence[PurchaseOrderLine]) -> None:
    """Bring the state of an ordered order to what its lines say: received as soon as nothing is outstanding, and back."""
    if order.state not in (PurchaseOrderState.ORDERED, PurchaseOrderState.RECEIVED):
        return
    is_done = not any(line.outstanding for line in lines)
    state = PurchaseOrderState.RECEIVED if is_done else PurchaseOrderState.ORDERED
    if state != order.state:
        order.state = state
        order.closed_at = timezone.now() if is_done else None
        order.save(update_fields=["state", "closed_at"])


def lock_orders_of_receipt(posting: Posting) -> Sequence[PurchaseReceiptLine]:
    """The order lines that a receipt counts towards, their orders locked; empty for any other posting."""
    receipts = list(PurchaseReceiptLine.objects.filter(posting=posting, is_reversed=False).select_related("line"))
    if receipts:
        lock_orders(receipt.line.order_id for receipt in receipts)
    return receipts


def take_back_receipt(receipts: Sequence[PurchaseReceiptLine]) -> None:
    """A receipt was reversed: its lines are outstanding again and an order that was received whole is open again."""
    if not receipts:
        return
    PurchaseReceiptLine.objects.filter(pk__in=[receipt.pk for receipt in receipts]).update(is_reversed=True)
    lines = {
        line.pk: line
        for line in PurchaseOrderLine.objects.filter(order__in={receipt.line.order_id for receipt in receipts})
    }
    for receipt in receipts:
        lines[receipt.line_id].received -= receipt.quantity
    PurchaseOrderLine.objects.bulk_update(lines.values(), ["received"])
    for order in PurchaseOrder.objects.filter(pk__in={line.order_id for line in lines.values()}).order_by("pk"):
        settle(order, [line for line in lines.values() if line.order_id == order.pk])
