"""Goods come back from a customer, or go back to a supplier (rule S20)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from inventory.errors import DuplicateSerial, InvalidQuantity, OverReturn, WrongState
from inventory.locks import StockRows, lock_for_posting
from inventory.models import (
    CostEntryKind,
    Item,
    Location,
    Lot,
    Posting,
    PostingKind,
    StockBalance,
    StockStatus,
    Tracking,
)
from inventory.operations.checking import check_effective_at, check_item, check_location, check_quantity, check_source
from inventory.operations.choosing import check_lines, common_path, take_lines
from inventory.operations.found_goods import found_value
from inventory.operations.issuing import issued_value, lots_request
from inventory.operations.lots import LotSpec, check_lot_code, ensure_lots, refuse_serials_on_hand
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.receiving import check_value
from inventory.operations.taking import LotQuantity, Wanted
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text, total_of
from inventory.reads.returning import LeftToReturn, left_to_return


@dataclass(frozen=True, slots=True)
class CustomerReturnLine:
    """A quantity (stock unit, positive) that a customer sent back, and where it is put.

    Of a known shipment `lot` is the lot it was shipped from; it may be left out where only one is possible. Otherwise a
    tracked item names `lot_code`, and `value` (base currency, all of it) may say what it is worth; else it is worth what a
    count would give it.
    """

    item: Item
    location: Location
    quantity: Decimal
    status: str = StockStatus.QUARANTINE
    lot: Lot | None = None
    lot_code: str = ""
    expires_on: date | None = None
    value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ReturnResult:
    posting: Posting
    value: Decimal | None  # base currency, positive; None when the cost is not known
    variance: Decimal  # value that left less the credit, positive for a loss; 0 without a credit
    replayed: bool


@operation
def return_from_customer(
    *,
    key: UUID,
    lines: Sequence[CustomerReturnLine],
    actor: Actor,
    shipment: Posting | None = None,
    effective_at: datetime | None = None,
    reference: str = "",
    reason: str = "",
    note: str = "",
) -> ReturnResult:
    """Take goods back that had been shipped, all lines or none.

    Of a known `shipment` they come back at the value these units left with, in the lots they left from, and never more than
    was shipped and is not back yet. Raises OverReturn, WrongState for a posting that is no standing shipment, LotRequired,
    LotMismatch, DuplicateSerial and as receive_stock; nothing is written then.
    """
    check_lines(lines, what="A return")
    codes = [_check_customer_line(line, shipment) for line in lines]
    check_effective_at(effective_at, actor=actor)
    if shipment is not None:
        _check_origin(shipment, PostingKind.SHIPMENT, effective_at)
    claim = claim_posting(
        key=key,
        kind=PostingKind.CUSTOMER_RETURN,
        request={
            "shipment": None if shipment is None else shipment.pk,
            "lines": [_as_request(line, code) for line, code in zip(lines, codes, strict=True)],
            "effective_at": effective_at,
            "reference": reference,
            "reason": reason,
        },
        actor=actor,
        effective_at=effective_at,
        reference=reference or (shipment.reference if shipment else ""),
        reason=reason,
        note=note,
        related=shipment,
    )
    if not claim.is_new:
        return ReturnResult(claim.posting, _received_value(claim.posting), ZERO, replayed=True)

    rows = lock_for_posting(
        items=[line.item.pk for line in lines],
        locations=[line.location.pk for line in lines],
        statuses=[line.status for line in lines],
    )
    draft = Draft(rows)
    if shipment is None:
        _receive_unknown_origin(draft, lines, codes, day=timezone.localdate(claim.posting.effective_at))
    else:
        _receive_shipped(draft, lines, shipment)
    value = total_of(line.value for line in draft.lines if line.quantity > ZERO)
    post(posting=claim.posting, draft=draft)
    return ReturnResult(claim.posting, value, ZERO, replayed=False)


def _check_customer_line(line: CustomerReturnLine, shipment: Posting | None) -> str:
    check_item(line.item)
    check_location(line.location)
    check_quantity(line.item, line.quantity)
    if shipment is None:
        check_value(line.item, line.value)
        return check_lot_code(line.item, line.lot_code or (line.lot.code if line.lot else ""), line.quantity)
    if line.value is not None:
        raise InvalidQuantity(
            f"What came back of {shipment} is worth what it left with. Leave the value of {line.item.sku} empty.",
            item=line.item.sku,
        )
    return line.lot.code if line.lot else line.lot_code.strip()


def _check_origin(origin: Posting, kind: PostingKind, effective_at: datetime | None) -> None:
    if origin.kind != kind:
        raise WrongState(f"{origin} is no {kind.label.lower()}. Choose one.", posting=origin.pk, kind=origin.kind)
    if effective_at is not None and effective_at < origin.effective_at:
        raise WrongState(
            f"{origin} happened {timezone.localtime(origin.effective_at):%Y-%m-%d %H:%M}; nothing of it was returned "
            "before. Give a later time.",
            posting=origin.pk,
        )


def _refuse_reversed(origin: Posting) -> None:
    """The pools of its items must be locked, so that nobody reverses it meanwhile."""
    if Posting.objects.filter(reverses=origin).exists():
        raise WrongState(f"{origin} was reversed; there is nothing of it to return.", posting=origin.pk)


def _receive_shipped(draft: Draft, lines: Sequence[CustomerReturnLine], shipment: Posting) -> None:
    _refuse_reversed(shipment)
    left = left_to_return(shipment)
    serials = [line.item for line in lines if line.item.tracking == Tracking.SERIAL]
    for line in lines:
        for rest, quantity in _shipped_lots(line, left, shipment):
            if serials:
                _refuse_piece_on_hand(line.item, rest)
            value = rest.take(quantity, step=draft.step)
            draft.receive((line.item.pk, line.location.pk, rest.lot_id, str(line.status)), quantity, value)


def _shipped_lots(
    line: CustomerReturnLine, left: Sequence[LeftToReturn], origin: Posting
) -> list[tuple[LeftToReturn, Decimal]]:
    """The lots of the origin that a line means, with its quantity: the named one, the only one, or all that is left."""
    code = line.lot.code if line.lot else line.lot_code.strip()
    mine = [rest for rest in left if rest.item_id == line.item.pk]
    named = [rest for rest in mine if rest.code.upper() == code.upper()] if code or line.lot else mine
    open_lots = [rest for rest in named if rest.quantity > ZERO]
    whole = sum((rest.quantity for rest in open_lots), ZERO)
    if line.quantity > whole:
        raise _over(line.item, line.quantity, whole, named, origin, code)
    if len(open_lots) == 1:
        return [(open_lots[0], line.quantity)]
    if line.quantity == whole:
        return [(rest, rest.quantity) for rest in open_lots]
    codes = ", ".join(f"{rest.code or 'no lot'} {as_text(rest.quantity)}" for rest in open_lots)
    raise OverReturn(
        f"{origin} took {line.item.sku} from several lots: {codes} are still to come back. Name the lot of these "
        f"{as_text(line.quantity)} {line.item.stock_unit}.",
        item=line.item.sku,
    )


def _over(
    item: Item, wanted: Decimal, whole: Decimal, named: Sequence[LeftToReturn], origin: Posting, code: str
) -> OverReturn:
    total = sum((rest.total for rest in named), ZERO)
    lot = f", lot {code}" if code else ""
    return OverReturn(
        f"{origin} moved {as_text(total)} {item.stock_unit} of {item.sku}{lot}, of which {as_text(whole)} are not returned "
        f"yet; {as_text(wanted)} cannot be. Return {as_text(whole)} or less, or the rest without this origin.",
        item=item.sku,
        lot=code,
        moved=as_text(total),
        left=as_text(whole),
        needed=as_text(wanted),
    )


def _refuse_piece_on_hand(item: Item, rest: LeftToReturn) -> None:
    held = StockBalance.objects.filter(lot_id=rest.lot_id, quantity__gt=0).select_related("location").first()
    if item.tracking == Tracking.SERIAL and held is not None:
        raise DuplicateSerial(
            f"Serial number {rest.code} of {item.sku} is on hand at {held.location.code} already. Check the number.",
            item=item.sku,
            lot=rest.code,
            location=held.location.code,
        )


def _receive_unknown_origin(
    draft: Draft, lines: Sequence[CustomerReturnLine], codes: Sequence[str], *, day: date
) -> None:
    specs = [LotSpec(line.item, code, day, line.expires_on) for line, code in zip(lines, codes, strict=True)]
    lots = ensure_lots(specs)
    refuse_serials_on_hand(specs, lots)
    for line, spec in zip(lines, specs, strict=True):
        lot_id = lots[spec.key]
        cell = (line.item.pk, line.location.pk, lot_id, str(line.status))
        value = found_value(draft.rows, cell, line.quantity, draft=draft) if line.value is None else line.value
        draft.receive(cell, line.quantity, value)


def _received_value(posting: Posting) -> Decimal | None:
    return total_of(posting.movements.filter(quantity__gt=0).values_list("value", flat=True))


def _as_request(line: CustomerReturnLine, code: str) -> dict[str, object]:
    return {
        "item": line.item.pk,
        "location": line.location.pk,
        "quantity": line.quantity,
        "status": str(line.status),
        "lot": code,
        "expires_on": line.expires_on,
        "value": None if line.value is None else as_text(line.value),
    }


# --- To the supplier --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SupplierReturnLine:
    """A quantity (stock unit, positive) that goes back. `credit` is what the supplier gives for all of it, in base
    currency; None when that is not known."""

    item: Item
    location: Location
    quantity: Decimal
    status: str = StockStatus.AVAILABLE
    lots: Sequence[LotQuantity] = ()
    credit: Decimal | None = None


@operation
def return_to_supplier(
    *,
    key: UUID,
    lines: Sequence[SupplierReturnLine],
    actor: Actor,
    receipt: Posting | None = None,
    effective_at: datetime | None = None,
    reference: str = "",
    reason: str = "",
    note: str = "",
) -> ReturnResult:
    """Send goods back to where they were bought, all lines or none; of any status, expired lots too.

    They leave at their cost: of a known `receipt` a first-in-first-out item's own layer goes first, else the oldest. What
    the value that leaves differs from the credit is purchase variance. A tracked item names its lots. Raises OverReturn for
    more than the receipt brought, and as issue_stock; nothing is written then.
    """
    check_lines(lines, what="A return")
    for line in lines:
        check_item(line.item)
        check_source(line.location)
        check_quantity(line.item, line.quantity)
        check_value(line.item, line.credit)
    check_effective_at(effective_at, actor=actor)
    if receipt is not None:
        _check_origin(receipt, PostingKind.RECEIPT, effective_at)
    claim = claim_posting(
        key=key,
        kind=PostingKind.SUPPLIER_RETURN,
        request={
            "receipt": None if receipt is None else receipt.pk,
            "lines": [_as_supplier_request(line) for line in lines],
            "effective_at": effective_at,
            "reference": reference,
            "reason": reason,
        },
        actor=actor,
        effective_at=effective_at,
        reference=reference or (receipt.reference if receipt else ""),
        reason=reason,
        note=note,
        related=receipt,
    )
    if not claim.is_new:
        value = issued_value(claim.posting)
        return ReturnResult(claim.posting, value, _variance_of(claim.posting), replayed=True)

    rows = lock_for_posting(
        items=[line.item.pk for line in lines],
        within=common_path([line.location for line in lines]),
        statuses=sorted({str(line.status) for line in lines}),
    )
    if receipt is not None:
        _refuse_reversed(receipt)
        _refuse_more_than_received(lines, receipt)
        own_layers_first(rows, receipt)
    draft = Draft(rows)
    wanted = [
        Wanted(
            line.item, line.quantity, line.location, str(line.status), line.lots, allow_expired=True, must_name_lot=True
        )
        for line in lines
    ]
    taken = take_lines(
        draft, wanted, on=timezone.localdate(claim.posting.effective_at), actor=actor, reason=reason or "returned"
    )
    total: Decimal | None = ZERO
    variance = ZERO
    for line, (cells, _) in zip(lines, taken, strict=True):
        value = draft.issue(line.item.pk, cells)
        total = None if total is None or value is None else total + value
        if value is not None and line.credit is not None:
            variance += value - line.credit
            draft.expense(line.item.pk, CostEntryKind.PURCHASE_VARIANCE, value - line.credit)
    post(posting=claim.posting, draft=draft)
    return ReturnResult(claim.posting, total, variance, replayed=False)


def own_layers_first(rows: StockRows, receipt: Posting) -> None:
    """Let the layers that a receipt brought leave before older ones; the rest keeps its order."""
    for layers in rows.layers.values():
        layers.sort(key=lambda layer: layer.posting_id != receipt.pk)


def _refuse_more_than_received(lines: Sequence[SupplierReturnLine], receipt: Posting) -> None:
    left = left_to_return(receipt)
    for line in lines:
        parts = [(lot.code, quantity) for lot, quantity in line.lots] or [("", line.quantity)]
        for code, quantity in parts:
            mine = [rest for rest in left if rest.item_id == line.item.pk and (not code or rest.code == code)]
            whole = sum((rest.quantity for rest in mine), ZERO)
            if quantity > whole:
                raise _over(line.item, quantity, whole, mine, receipt, code)
            missing = quantity
            for rest in mine:
                part = min(rest.quantity, missing)
                rest.quantity -= part
                missing -= part


def _variance_of(posting: Posting) -> Decimal:
    entries = posting.cost_entries.filter(kind=CostEntryKind.PURCHASE_VARIANCE)
    return sum((entry.amount for entry in entries), ZERO)


def _as_supplier_request(line: SupplierReturnLine) -> dict[str, object]:
    return {
        "item": line.item.pk,
        "location": line.location.pk,
        "quantity": line.quantity,
        "status": str(line.status),
        "lots": lots_request(line.lots),
        "credit": None if line.credit is None else as_text(line.credit),
    }
