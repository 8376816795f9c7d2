"""Goods of a purchase order come in: whole or in parts, more or less than was ordered, in one lot or several."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid5

from django.conf import settings

from inventory.errors import InvalidQuantity, OverReceipt, WrongState
from inventory.models import (
    LandedBasis,
    LandedCostKind,
    Location,
    Posting,
    PostingKind,
    PurchaseOrder,
    PurchaseOrderLine,
    PurchaseOrderState,
    PurchaseReceiptLine,
    Supplier,
)
from inventory.operations.checking import check_effective_at
from inventory.operations.landing_costs import add_landed_cost
from inventory.operations.posting import Actor, claim_posting
from inventory.operations.purchase_receipts import lock_orders, settle
from inventory.operations.receiving import ReceiptLine, check_receipt_lines, take_in
from inventory.operations.transactions import operation
from inventory.ordering import receipt_value
from inventory.quantities import ZERO, as_text

RECEIVABLE = (PurchaseOrderState.ORDERED, PurchaseOrderState.RECEIVED)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A quantity (stock unit) of one order line that came in. Several of one line may be several lots or places.

    Without a `location` it goes where the order says. An empty `status` means QC hold for items that need inspection.
    """

    line: PurchaseOrderLine
    quantity: Decimal
    location: Location | None = None
    lot_code: str = ""
    expires_on: date | None = None
    supplier_lot: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    """What bringing the goods here cost, known when they come in: spread over all of the receipt."""

    amount: Decimal
    kind: LandedCostKind = LandedCostKind.FREIGHT
    basis: LandedBasis = LandedBasis.VALUE
    supplier: Supplier | None = None
    reference: str = ""


@dataclass(frozen=True, slots=True)
class OrderReceiptResult:
    posting: Posting
    order: PurchaseOrder
    charges: Sequence[Posting]
    replayed: bool  # the key had already been used for this very request


@operation
def receive_order(
    *,
    key: UUID,
    order: PurchaseOrder,
    arrivals: Sequence[Arrival],
    actor: Actor,
    charges: Sequence[Charge] = (),
    effective_at: datetime | None = None,
    reason: str = "",
    note: str = "",
) -> OrderReceiptResult:
    """Take goods of an ordered order into stock, all lines or none, and count them towards its lines.

    Each line's goods take their part of its price, so that all receipts sum to it; without a price their cost is unknown
    until it is given. More than was ordered needs the privilege and a `reason`. Raises OverReceipt, WrongState, and as
    receive_stock and add_landed_cost; nothing is written then.
    """
    if not arrivals:
        raise InvalidQuantity(f"Nothing of {order.number} was given. Type what came in.", order=order.number)
    lines = [
        ReceiptLine(
            item=arrival.line.item,
            location=arrival.location or order.location,
            quantity=arrival.quantity,
            lot_code=arrival.lot_code,
            expires_on=arrival.expires_on,
            supplier_lot=arrival.supplier_lot,
            status=arrival.status,
        )
        for arrival in arrivals
    ]
    codes = check_receipt_lines(lines)
    check_effective_at(effective_at, actor=actor)
    claim = claim_posting(
        key=key,
        kind=PostingKind.RECEIPT,
        request={
            "order": order.pk,
            "arrivals": [_as_request(arrival, code) for arrival, code in zip(arrivals, codes, strict=True)],
            "charges": [_charge_as_request(charge) for charge in charges],
            "effective_at": effective_at,
            "reason": reason,
            "note": note,
        },
        actor=actor,
        effective_at=effective_at,
        reference=order.number,
        reason=reason,
        note=note,
    )
    if not claim.is_new:
        made = Posting.objects.filter(related=claim.posting, kind=PostingKind.LANDED_COST).order_by("pk")
        return OrderReceiptResult(claim.posting, PurchaseOrder.objects.get(pk=order.pk), list(made), replayed=True)

    held = lock_orders([order.pk])[order.pk]
    rows = {line.pk: line for line in held.lines.select_related("item").order_by("id")}
    _check_receivable(held, rows, arrivals, actor=actor, reason=reason)
    booked = _booked(held)
    valued: list[ReceiptLine] = []
    receipts: list[PurchaseReceiptLine] = []
    for arrival, line in zip(arrivals, lines, strict=True):
        row = rows[arrival.line.pk]
        value = receipt_value(
            value=row.value,
            ordered=row.quantity,
            received=row.received,
            booked=booked.get(row.pk, ZERO),
            quantity=arrival.quantity,
            step=settings.CURRENCY_STEP,
        )
        row.received += arrival.quantity
        before = booked.get(row.pk, ZERO)
        booked[row.pk] = None if before is None or value is None else before + value
        valued.append(
            ReceiptLine(
                line.item,
                line.location,
                line.quantity,
                value,
                line.lot_code,
                line.expires_on,
                line.supplier_lot,
                line.status,
            )
        )
        receipts.append(PurchaseReceiptLine(posting=claim.posting, line=row, quantity=arrival.quantity, value=value))
    take_in(posting=claim.posting, lines=valued, codes=codes)
    PurchaseReceiptLine.objects.bulk_create(receipts)
    PurchaseOrderLine.objects.bulk_update(rows.values(), ["received"])
    settle(held, list(rows.values()))
    return OrderReceiptResult(claim.posting, held, _add_charges(claim.posting, charges, actor=actor), replayed=False)


def _check_receivable(
    order: PurchaseOrder,
    rows: dict[int, PurchaseOrderLine],
    arrivals: Sequence[Arrival],
    *,
    actor: Actor,
    reason: str,
) -> None:
    if order.state not in RECEIVABLE:
        what = "Place it first" if order.state == PurchaseOrderState.DRAFT else "Open it again first"
        raise WrongState(
            f"{order.number} is {order.get_state_display().lower()}; nothing can come in for it. {what}.",
            order=order.number,
            state=order.state,
        )
    coming: dict[int, Decimal] = {}
    for arrival in arrivals:
        row = rows.get(arrival.line.pk)
        if row is None:
            raise WrongState(
                f"{arrival.line.item.sku} is no line of {order.number} any more. Reload it first.", order=order.number
            )
        if row.is_closed:
            raise WrongState(
                f"The line of {row.item.sku} on {order.number} is closed. Open the order again first.",
                order=order.number,
            )
        coming[row.pk] = coming.get(row.pk, ZERO) + arrival.quantity
    over = [(rows[pk], quantity) for pk, quantity in coming.items() if quantity > rows[pk].outstanding]
    if not over:
        return
    words = "; ".join(
        f"{as_text(row.outstanding)} {row.item.stock_unit} of {row.item.sku} are outstanding, {as_text(quantity)} came in"
        for row, quantity in over
    )
    context = [
        {"line": row.pk, "item": row.item.sku, "outstanding": as_text(row.outstanding), "quantity": as_text(quantity)}
        for row, quantity in over
    ]
    if actor is not None and not actor.has_perm("inventory.over_receive"):  # type: ignore[union-attr]
        raise OverReceipt(
            f"{words}. You may not receive more than was ordered: receive what was, or ask somebody with the privilege.",
            over=context,
        )
    if not reason.strip():
        raise OverReceipt(
            f"{words}. More than was ordered needs a reason: type one, or correct the quantity.", over=context
        )


def _booked(order: PurchaseOrder) -> dict[int, Decimal | None]:
    """By line id, what the receipts that were not taken back are worth; None when one came in without a price."""
    booked: dict[int, Decimal | None] = {}
    rows = PurchaseReceiptLine.objects.filter(line__order=order, is_reversed=False)
    for line_id, value in rows.values_list("line_id", "value"):
        before = booked.get(line_id, ZERO)
        booked[line_id] = None if before is None or value is None else before + value
    return booked


def _add_charges(posting: Posting, charges: Sequence[Charge], *, actor: Actor) -> list[Posting]:
    if not charges:
        return []
    targets = list(
        posting.movements.filter(quantity__gt=0).select_related("item", "posting", "location", "lot").order_by("id")
    )
    return [
        add_landed_cost(
            key=uuid5(posting.key, f"charge {number}"),
            targets=targets,
            amount=charge.amount,
            kind=charge.kind,
            basis=charge.basis,
            supplier=charge.supplier,
            reference=charge.reference or posting.reference,
            related=posting,
            actor=actor,
        ).posting
        for number, charge in enumerate(charges)
    ]


def _as_request(arrival: Arrival, code: str) -> dict[str, object]:
    return {
        "line": arrival.line.pk,
        "quantity": arrival.quantity,
        "location": None if arrival.location is None else arrival.location.pk,
        "lot": code,
        "expires_on": arrival.expires_on,
        "supplier_lot": arrival.supplier_lot,
        "status": str(arrival.status),
    }


def _charge_as_request(charge: Charge) -> list[object]:
    supplier = None if charge.supplier is None else charge.supplier.pk
    return [as_text(charge.amount), str(charge.kind), str(charge.basis), supplier, charge.reference]
