"""Goods come in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from inventory.bulk import as_one_act
from inventory.errors import InvalidQuantity
from inventory.locks import lock_for_posting
from inventory.models import Item, Location, Posting, PostingKind, StockStatus
from inventory.operations.checking import check_effective_at, check_item, check_location, check_quantity
from inventory.operations.lots import LotSpec, check_lot_code, ensure_lots, refuse_serials_on_hand
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.transactions import operation
from inventory.quantities import MONEY_MAX, ZERO, as_text


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One received quantity. `value` is what all of it cost in base currency; None when that is not known yet.

    An empty `status` means QC hold for items that need inspection and available for the rest.
    """

    item: Item
    location: Location
    quantity: Decimal
    value: Decimal | None = None
    lot_code: str = ""
    expires_on: date | None = None
    supplier_lot: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class ReceiptResult:
    posting: Posting
    replayed: bool  # the key had already been used for this very request


@operation
def receive_stock(
    *,
    key: UUID,
    lines: Sequence[ReceiptLine],
    actor: Actor,
    effective_at: datetime | None = None,
    reference: str = "",
    note: str = "",
) -> ReceiptResult:
    """Take goods into stock, all lines or none.

    Raises InvalidQuantity, InvalidQuantityStep, PhantomNotStocked, LotRequired, LotMismatch, DuplicateSerial,
    LocationBlocked, BackdatingNotAllowed or IdempotencyMismatch; nothing is written then.
    """
    if not lines:
        raise InvalidQuantity("A receipt needs at least one line. Add what came in.")
    codes = check_receipt_lines(lines)
    check_effective_at(effective_at, actor=actor)
    request = {
        "lines": [_as_request(line, code) for line, code in zip(lines, codes, strict=True)],
        "effective_at": effective_at,
        "reference": reference,
        "note": note,
    }
    claim = claim_posting(
        key=key,
        kind=PostingKind.RECEIPT,
        request=request,
        actor=actor,
        effective_at=effective_at,
        reference=reference,
        note=note,
    )
    if not claim.is_new:
        return ReceiptResult(claim.posting, replayed=True)

    with as_one_act("receipt", items=len({line.item.pk for line in lines})):
        take_in(posting=claim.posting, lines=lines, codes=codes)
    return ReceiptResult(claim.posting, replayed=False)


def take_in(*, posting: Posting, lines: Sequence[ReceiptLine], codes: Sequence[str]) -> None:
    """Lock, value and write what a receipt brings in. `codes` are the lines' checked lot codes, the posting is claimed."""
    day = timezone.localdate(posting.effective_at)
    specs = [
        LotSpec(line.item, code, day, line.expires_on, line.supplier_lot)
        for line, code in zip(lines, codes, strict=True)
    ]
    statuses = [line.status or _arrival_status(line.item) for line in lines]
    rows = lock_for_posting(
        items=[line.item.pk for line in lines], locations=[line.location.pk for line in lines], statuses=statuses
    )
    lots = ensure_lots(specs)  # under the lock of the pools, like every posting that makes lots
    refuse_serials_on_hand(specs, lots)

    draft = Draft(rows)
    for line, spec, status in zip(lines, specs, statuses, strict=True):
        draft.receive((line.item.pk, line.location.pk, lots[spec.key], status), line.quantity, line.value)
    post(posting=posting, draft=draft)


def check_receipt_lines(lines: Sequence[ReceiptLine]) -> list[str]:
    """Check everything about the lines of a receipt that needs no lock; their lot codes as they will be kept."""
    return [_check_line(line) for line in lines]


def _check_line(line: ReceiptLine) -> str:
    check_item(line.item)
    check_location(line.location)
    check_quantity(line.item, line.quantity)
    check_value(line.item, line.value)
    return check_lot_code(line.item, line.lot_code, line.quantity)


def check_value(item: Item, value: Decimal | None) -> None:
    """Refuse a value that is negative, finer than the currency, or too large for the books."""
    if value is None:
        return
    if not value.is_finite() or value < ZERO or value > MONEY_MAX:
        raise InvalidQuantity(
            f"{value} is not a cost for {item.sku}. Give zero or more, or leave it empty when it is not known.",
            item=item.sku,
            value=str(value),
        )
    if value % settings.CURRENCY_STEP:
        raise InvalidQuantity(
            f"The cost {as_text(value)} of {item.sku} is finer than {settings.CURRENCY_STEP} {settings.BASE_CURRENCY}. "
            "Give the total of the line in whole steps.",
            item=item.sku,
            value=as_text(value),
        )


def _arrival_status(item: Item) -> str:
    return StockStatus.QC_HOLD if item.inspection_required else StockStatus.AVAILABLE


def _as_request(line: ReceiptLine, code: str) -> dict[str, object]:
    return {
        "item": line.item.pk,
        "location": line.location.pk,
        "quantity": line.quantity,
        "value": None if line.value is None else as_text(line.value),
        "lot": code,
        "expires_on": line.expires_on,
        "supplier_lot": line.supplier_lot,
        "status": str(line.status),
    }
