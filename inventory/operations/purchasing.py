"""Purchase orders: written, placed, closed short, cancelled and opened again. Receiving them is in receiving_orders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.utils import timezone

from inventory.errors import InvalidQuantity, WrongState
from inventory.models import (
    Item,
    Location,
    PurchaseOrder,
    PurchaseOrderLine,
    PurchaseOrderState,
    PurchaseReceiptLine,
    Supplier,
    SupplierItem,
)
from inventory.operations.checking import check_item, check_location, check_quantity, to_stock_unit
from inventory.operations.posting import Actor
from inventory.operations.purchase_receipts import lock_orders, settle
from inventory.operations.receiving import check_value
from inventory.operations.telling import tell_changed
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text

LINES_MAX = 1_000
EDITABLE = (PurchaseOrderState.DRAFT, PurchaseOrderState.ORDERED)


@dataclass(frozen=True, slots=True)
class OrderLineSpec:
    """A line as it shall be. `quantity` is typed in `unit` (empty: stock unit); `value` is the price of all of it, in base
    currency, None while it is not known. `line` names the line of the order it replaces; None adds one.
    """

    item: Item
    quantity: Decimal
    unit: str = ""
    value: Decimal | None = None
    expected_on: date | None = None
    line: int | None = None


@operation
def draft_order(
    *,
    supplier: Supplier,
    location: Location,
    lines: Sequence[OrderLineSpec],
    actor: Actor,
    expected_on: date | None = None,
    reference: str = "",
    note: str = "",
) -> PurchaseOrder:
    """Write an order to a supplier as a draft: nothing is expected until it is placed.

    Raises InvalidQuantity, InvalidQuantityStep, InvalidUnit, PhantomNotStocked, ItemInactive, LocationBlocked, or WrongState
    for an inactive supplier.
    """
    _check_supplier(supplier)
    check_location(location)
    rows = _checked(lines)
    order = PurchaseOrder.objects.create(
        number=f"new-{timezone.now().timestamp():.6f}-{supplier.pk}"[:24],
        supplier=supplier,
        location=location,
        expected_on=expected_on,
        reference=reference,
        note=note,
        created_by_id=getattr(actor, "pk", None),
    )
    order.number = f"PO-{order.pk:06d}"
    order.save(update_fields=["number"])
    for row in rows:
        row.order = order
    PurchaseOrderLine.objects.bulk_create(rows)
    return order


@operation
def change_order(
    *,
    order: PurchaseOrder,
    supplier: Supplier,
    location: Location,
    lines: Sequence[OrderLineSpec],
    actor: Actor,
    expected_on: date | None = None,
    reference: str = "",
    note: str = "",
) -> PurchaseOrder:
    """Bring a draft or ordered order to the given lines: named ones change, new ones are added, the others go.

    A line of which something came in stays as it is, but may get the price it lacked; correct a price at the receipt, close
    the line short, or add another one.
    Raises WrongState for that and for orders that are closed, and as draft_order.
    """
    _check_supplier(supplier)
    check_location(location)
    rows = _checked(lines)
    held = lock_orders([order.pk])[order.pk]
    if held.state not in EDITABLE:
        raise WrongState(
            f"{held.number} is {held.get_state_display().lower()} and cannot be changed. Open it again, or write another order.",
            order=held.number,
            state=held.state,
        )
    known = {line.pk: line for line in held.lines.select_related("item").order_by("id")}
    with_receipts = set(PurchaseReceiptLine.objects.filter(line__in=known).values_list("line_id", flat=True))
    started = [line for line in known.values() if line.pk in with_receipts]
    if started and held.supplier_id != supplier.pk:
        raise WrongState(
            f"Goods of {held.number} came in from {held.supplier}; its supplier stays. Write another order.",
            order=held.number,
        )
    for spec in lines:
        if spec.line is not None and spec.line not in known:
            raise WrongState(f"{held.number} has no line {spec.line} any more. Reload it first.", order=held.number)
    wanted = {spec.line: row for spec, row in zip(lines, rows, strict=True) if spec.line is not None}
    for line in started:
        new = wanted.get(line.pk)
        if new is None or not _is_same(new, line):
            raise WrongState(
                f"{as_text(line.received)} {line.item.stock_unit} of {line.item.sku} came in, so that line of {held.number} "
                "stays as it is. Correct its price at the receipt, close it short, or add another line.",
                order=held.number,
                line=line.pk,
            )
    held.supplier, held.location = supplier, location
    held.expected_on, held.reference, held.note = expected_on, reference, note
    held.save()
    PurchaseOrderLine.objects.filter(pk__in=[pk for pk in known if pk not in wanted]).delete()
    for pk, row in wanted.items():
        if known[pk] in started:
            PurchaseOrderLine.objects.filter(pk=pk).update(expected_on=row.expected_on, value=row.value)
            continue
        row.pk, row.order, row.is_closed = pk, held, known[pk].is_closed
        row.save(force_update=True)
    added = [row for spec, row in zip(lines, rows, strict=True) if spec.line is None]
    for row in added:
        row.order = held
    PurchaseOrderLine.objects.bulk_create(added)
    settle(held, list(held.lines.all()))
    if held.ordered_on is not None:
        _tell([*known.values(), *rows], actor)
    return held


@operation
def place_order(*, order: PurchaseOrder, actor: Actor, ordered_on: date | None = None) -> PurchaseOrder:
    """The draft was sent to the supplier: from now on its lines are expected.

    Without a date the order is expected after the lead time of the supplier, lines after that of their item there.
    """
    held = lock_orders([order.pk])[order.pk]
    _need(held, PurchaseOrderState.DRAFT, verb="placed")
    lines = list(held.lines.order_by("id"))
    if not lines:
        raise WrongState(f"{held.number} has no lines. Add what you order first.", order=held.number)
    held.ordered_on = ordered_on or timezone.localdate()
    lead_times = dict(
        SupplierItem.objects.filter(
            supplier=held.supplier_id, item__in=[line.item_id for line in lines], lead_time_days__isnull=False
        ).values_list("item_id", "lead_time_days")
    )
    if held.expected_on is None:
        if held.supplier.lead_time_days is not None:
            held.expected_on = held.ordered_on + timedelta(days=held.supplier.lead_time_days)
        for line in lines:
            days = lead_times.get(line.item_id)
            if line.expected_on is None and days is not None:
                line.expected_on = held.ordered_on + timedelta(days=days)
        PurchaseOrderLine.objects.bulk_update(lines, ["expected_on"])
    held.state = PurchaseOrderState.ORDERED
    held.save()
    _tell(lines, actor)
    return held


@operation
def close_order_line(*, order: PurchaseOrder, line: int, actor: Actor) -> PurchaseOrder:
    """The rest of one line (its id) no longer comes. The order is received when nothing else is outstanding."""
    held = lock_orders([order.pk])[order.pk]
    _need(held, PurchaseOrderState.ORDERED, verb="closed in part")
    lines = list(held.lines.order_by("id"))
    found = next((one for one in lines if one.pk == line), None)
    if found is None or not found.outstanding:
        raise WrongState(f"Nothing of that line of {held.number} is outstanding.", order=held.number, line=line)
    found.is_closed = True
    found.save(update_fields=["is_closed"])
    if not any(one.received for one in lines) and not any(one.outstanding for one in lines):
        _end(held, PurchaseOrderState.CLOSED)
    else:
        settle(held, lines)
    _tell([found], actor)
    return held


@operation
def close_order(*, order: PurchaseOrder, actor: Actor, reason: str = "") -> PurchaseOrder:
    """Close an order short: what is outstanding of it no longer comes."""
    held = lock_orders([order.pk])[order.pk]
    _need(held, PurchaseOrderState.ORDERED, verb="closed short")
    for line in held.lines.order_by("id"):
        if line.outstanding:
            PurchaseOrderLine.objects.filter(pk=line.pk).update(is_closed=True)
    _end(held, PurchaseOrderState.CLOSED, reason)
    _tell(held.lines.all(), actor)
    return held


@operation
def cancel_order(*, order: PurchaseOrder, actor: Actor, reason: str = "") -> PurchaseOrder:
    """Cancel an order of which nothing came in."""
    held = lock_orders([order.pk])[order.pk]
    if held.state not in EDITABLE:
        raise WrongState(
            f"{held.number} is {held.get_state_display().lower()} already.", order=held.number, state=held.state
        )
    received = held.lines.filter(received__gt=ZERO).select_related("item").first()
    if received is not None:
        raise WrongState(
            f"{as_text(received.received)} {received.item.stock_unit} of {received.item.sku} of {held.number} came in. "
            "Close it short instead.",
            order=held.number,
        )
    if held.state == PurchaseOrderState.ORDERED:
        _tell(held.lines.all(), actor)
    _end(held, PurchaseOrderState.CANCELLED, reason)
    return held


@operation
def reopen_order(*, order: PurchaseOrder, actor: Actor) -> PurchaseOrder:
    """Open a closed or cancelled order again with what was outstanding of it; one that was never placed is a draft again."""
    held = lock_orders([order.pk])[order.pk]
    lines = list(held.lines.order_by("id"))
    is_short = held.state == PurchaseOrderState.RECEIVED and any(line.is_closed for line in lines)
    if held.state not in (PurchaseOrderState.CLOSED, PurchaseOrderState.CANCELLED) and not is_short:
        words = "open" if held.state in EDITABLE else "received whole; write another order for more"
        raise WrongState(f"{held.number} is {words}.", order=held.number, state=held.state)
    for line in lines:
        line.is_closed = False
    PurchaseOrderLine.objects.bulk_update(lines, ["is_closed"])
    held.state = PurchaseOrderState.ORDERED if held.ordered_on else PurchaseOrderState.DRAFT
    held.closed_at = None
    held.save(update_fields=["state", "closed_at"])
    settle(held, lines)
    if held.ordered_on is not None:
        _tell(lines, actor)
    return held


def _tell(lines: Iterable[PurchaseOrderLine], actor: Actor) -> None:
    """What is on its way changed."""
    tell_changed(items=[line.item_id for line in lines], cause="purchase order", actor=actor)


def _check_supplier(supplier: Supplier) -> None:
    if not supplier.is_active:
        raise WrongState(
            f"{supplier.code} is inactive. Set it active again before ordering from it.", supplier=supplier.code
        )


def _checked(lines: Sequence[OrderLineSpec]) -> list[PurchaseOrderLine]:
    """The lines as rows without an order. Raises what is wrong with one of them."""
    if len(lines) > LINES_MAX:
        raise InvalidQuantity(f"An order has at most {LINES_MAX} lines, not {len(lines)}. Split it.")
    rows = []
    for spec in lines:
        check_item(spec.item)
        if spec.quantity <= ZERO:
            raise InvalidQuantity(
                f"{as_text(spec.quantity)} {spec.unit or spec.item.stock_unit} of {spec.item.sku} cannot be ordered. Give a "
                "positive quantity, or leave the line out.",
                item=spec.item.sku,
            )
        quantity = check_quantity(spec.item, to_stock_unit(spec.item, spec.quantity, spec.unit))
        check_value(spec.item, spec.value)
        rows.append(
            PurchaseOrderLine(
                item=spec.item,
                typed_quantity=spec.quantity,
                unit=spec.unit or spec.item.stock_unit,
                quantity=quantity,
                value=spec.value,
                expected_on=spec.expected_on,
            )
        )
    return rows


def _is_same(new: PurchaseOrderLine, line: PurchaseOrderLine) -> bool:
    """Whether a line of which something came in stays as it is; a price that was not known may be filled in."""
    return (new.item_id, new.quantity) == (line.item_id, line.quantity) and line.value in (None, new.value)


def _need(order: PurchaseOrder, state: PurchaseOrderState, *, verb: str) -> None:
    if order.state != state:
        raise WrongState(
            f"{order.number} is {order.get_state_display().lower()}; only an order that is {state.label.lower()} can be {verb}.",
            order=order.number,
            state=order.state,
        )


def _end(order: PurchaseOrder, state: PurchaseOrderState, reason: str = "") -> None:
    order.state = state
    order.closed_at = timezone.now()
    if reason.strip():
        order.note = f"{order.note}\n{state.label}: {reason.strip()}".strip()
    order.save(update_fields=["state", "closed_at", "note"])
