"""Issuing components to a work order before it is completed, and taking them back (rules S3, S4, S19).

What is issued stands on the floor, pinned for its order: it is still ours and worth what it was, nobody else can take it, and
a completion of the order uses it before anything else, so that nothing is taken twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from inventory.errors import InsufficientStock, LotExpired, LotMismatch, ReservedByOther, WrongState
from inventory.locks import ANYWHERE, Cell, CellKey, StockRows, lock_for_posting
from inventory.models import Item, Location, Lot, Posting, PostingKind, StockStatus
from inventory.operations.checking import check_effective_at, check_item, check_location, check_quantity
from inventory.operations.issuing import lots_request
from inventory.operations.pinning import Pin, pin_cells
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.transactions import operation
from inventory.picking import LotOnHand, Picks, pick_lots, pick_named
from inventory.quantities import ZERO, as_text
from production.errors import InvalidSubstitute, OrderClosed
from production.models import BomSubstitute, WorkOrder
from production.operations.completing import DEMAND_KIND
from production.operations.work_orders import locked_order, refuse_issued

AVAILABLE = StockStatus.AVAILABLE.value


@dataclass(frozen=True, slots=True)
class IssueLine:
    """A quantity of a component in its stock unit. Without lots the picking order decides.

    `place` takes it from this very place only; without it, from anywhere the order takes its components.
    """

    component: Item
    quantity: Decimal
    lots: Sequence[tuple[Lot, Decimal]] = ()
    place: Location | None = None


@dataclass(frozen=True, slots=True)
class IssueToOrderResult:
    posting: Posting
    replayed: bool


@operation
def issue_components(
    *,
    key: UUID,
    work_order: WorkOrder,
    lines: Sequence[IssueLine],
    actor: Actor,
    floor: Location | None = None,
    effective_at: datetime | None = None,
    note: str = "",
) -> IssueToOrderResult:
    """Carry components to the floor of an open order and pin them for it: its own reservations first, then free stock.

    `floor` is where they stand from now on; needed once, the order remembers it. Raises IdempotencyMismatch, OrderClosed,
    WrongState without a floor or when another one already holds components of the order, InvalidSubstitute for an item that
    is no component of it and no approved substitute, LotMismatch, LotExpired, InsufficientStock or ReservedByOther (naming
    every short item); nothing is written then.
    """
    _check_lines(lines)
    check_effective_at(effective_at, actor=actor)
    claim = claim_posting(
        key=key,
        kind=PostingKind.TRANSFER,
        request={
            "work_order": work_order.pk,
            "issue": _lines_request(lines),
            "floor": None if floor is None else floor.pk,
            "effective_at": effective_at,
        },
        actor=actor,
        effective_at=effective_at,
        reference=work_order.number,
        reason=f"Issued to {work_order.number}",
        note=note,
    )
    if not claim.is_new:
        return IssueToOrderResult(claim.posting, replayed=True)

    order = locked_order(work_order)
    if not order.is_open:
        raise OrderClosed(
            f"{order.number} is {order.get_state_display().lower()}. Release or reopen it before components are issued.",
            work_order=order.number,
            state=order.state,
        )
    target = _floor_of(order, floor)
    _refuse_strangers(order, lines)
    source = order.source_location
    rows = lock_for_posting(
        items=[line.component.pk for line in lines],
        within=source.path if source else ANYWHERE,
        locations=sorted({target.pk, *(line.place.pk for line in lines if line.place is not None)}),
        demand=(DEMAND_KIND, order.number),
    )
    on = timezone.localdate(claim.posting.effective_at)
    draft = Draft(rows)
    draft.released_as = "issued"
    pins: list[Pin] = []
    short: list[tuple[IssueLine, Decimal, Sequence[Cell]]] = []
    for line in lines:
        cells = _shelf_cells(rows, line, source=source, floor=target)
        found = _choose(rows, cells, line, on=on)
        if found.missing > ZERO:
            short.append((line, found.missing, cells))
            continue
        pins += _carry(draft, line.component, found, target)
    if short:
        raise _shortage(short, source)
    post(posting=claim.posting, draft=draft)
    pin_cells(
        pins,
        demand_kind=DEMAND_KIND,
        demand_ref=order.number,
        rank=order.rank,
        actor=actor,
        reason=f"issued by posting {claim.posting.pk}",
    )
    if order.floor_location_id != target.pk:
        order.floor_location = target
        order.save(update_fields=["floor_location"])
    return IssueToOrderResult(claim.posting, replayed=False)


@operation
def return_components(
    *,
    key: UUID,
    work_order: WorkOrder,
    lines: Sequence[IssueLine],
    target: Location,
    actor: Actor,
    effective_at: datetime | None = None,
    note: str = "",
) -> IssueToOrderResult:
    """Carry components that were issued to an order back to `target`, where they are free again; in any state of the order.

    Raises IdempotencyMismatch, LocationBlocked, WrongState when nothing was ever issued to it or `target` is its floor,
    LotMismatch, and InsufficientStock when less stands there for it than is to be returned; nothing is written then.
    """
    _check_lines(lines)
    check_location(target)
    check_effective_at(effective_at, actor=actor)
    claim = claim_posting(
        key=key,
        kind=PostingKind.TRANSFER,
        request={
            "work_order": work_order.pk,
            "return": _lines_request(lines),
            "target": target.pk,
            "effective_at": effective_at,
        },
        actor=actor,
        effective_at=effective_at,
        reference=work_order.number,
        reason=f"Returned from {work_order.number}",
        note=note,
    )
    if not claim.is_new:
        return IssueToOrderResult(claim.posting, replayed=True)

    order = locked_order(work_order)
    floor = order.floor_location
    if floor is None:
        raise WrongState(f"Nothing was issued to {order.number}. Issue components first.", work_order=order.number)
    if floor.pk == target.pk:
        raise WrongState(
            f"The components of {order.number} stand at {floor.code} already. Choose the place they go back to.",
            work_order=order.number,
            location=floor.code,
        )
    rows = lock_for_posting(
        items=[line.component.pk for line in lines],
        locations=[floor.pk, target.pk],
        demand=(DEMAND_KIND, order.number),
    )
    draft = Draft(rows)
    draft.released_as = "returned"
    short: list[str] = []
    for line in lines:
        cells = [cell for cell in rows.of_item(line.component.pk, status=AVAILABLE) if cell.location_id == floor.pk]
        lots = [_only_own(cell.as_lot(own=rows.own_quantity(cell.id))) for cell in cells]
        if line.lots:
            found = pick_named(lots, wanted=[(lot.pk, quantity) for lot, quantity in line.lots])
        else:
            found = _newest_first(lots, line.quantity)
        if found.missing > ZERO:
            unit = line.component.stock_unit
            there = as_text(sum((lot.own for lot in lots), ZERO))
            short.append(f"{there} {unit} of {line.component.sku}, not {as_text(line.quantity)}")
            continue
        _carry(draft, line.component, found, target)
    if short:
        raise InsufficientStock(
            f"Issued to {order.number} and still at {floor.code}: {'; '.join(short)}. Return that much or less.",
            work_order=order.number,
            location=floor.code,
        )
    post(posting=claim.posting, draft=draft)
    return IssueToOrderResult(claim.posting, replayed=False)


def _check_lines(lines: Sequence[IssueLine]) -> None:
    if not lines:
        raise WrongState("No component was chosen. Tick or enter at least one.")
    for line in lines:
        check_item(line.component)
        check_quantity(line.component, line.quantity)
        total = sum((quantity for _, quantity in line.lots), ZERO)
        if line.lots and (total != line.quantity or any(lot.item_id != line.component.pk for lot, _ in line.lots)):
            raise LotMismatch(
                f"The chosen lots give {as_text(total)} {line.component.stock_unit} of {line.component.sku}, "
                f"{as_text(line.quantity)} are wanted. Change the lots or the quantity.",
                item=line.component.sku,
                chosen=as_text(total),
                needed=as_text(line.quantity),
            )


def _lines_request(lines: Sequence[IssueLine]) -> list[object]:
    return [
        [line.component.pk, line.quantity, lots_request(line.lots), None if line.place is None else line.place.pk]
        for line in lines
    ]


def _floor_of(order: WorkOrder, floor: Location | None) -> Location:
    target = floor or order.floor_location
    if target is None:
        raise WrongState(
            f"Where do the components of {order.number} stand until they are used? Choose a place on the floor.",
            work_order=order.number,
        )
    check_location(target)
    if order.floor_location is not None and target.pk != order.floor_location_id:
        refuse_issued(order)
    return target


def _refuse_strangers(order: WorkOrder, lines: Sequence[IssueLine]) -> None:
    wanted = {line.component.pk: line.component for line in lines}
    known = set(order.lines.filter(is_consumable=False).values_list("component_id", flat=True))
    strangers = set(wanted) - known
    if strangers:
        strangers -= set(
            BomSubstitute.objects.filter(line__bom=order.bom_id, item__in=strangers).values_list("item_id", flat=True)
        )
    if strangers:
        skus = ", ".join(sorted(wanted[pk].sku for pk in strangers))
        raise InvalidSubstitute(
            f"{skus}: no component of {order.number} that is counted, and no approved substitute of one. Enter it as an extra "
            "component when you complete the order.",
            work_order=order.number,
            items=sorted(wanted[pk].sku for pk in strangers),
        )


def _shelf_cells(rows: StockRows, line: IssueLine, *, source: Location | None, floor: Location) -> list[Cell]:
    cells = [cell for cell in rows.of_item(line.component.pk, status=AVAILABLE) if cell.location_id != floor.pk]
    if line.place is not None:
        return [cell for cell in cells if cell.location_id == line.place.pk]
    if source is None:
        return [cell for cell in cells if cell.is_pickable and cell.is_own]
    return [
        cell
        for cell in cells
        if cell.path.startswith(source.path) and (cell.is_pickable or cell.location_id == source.pk)
    ]


def _choose(rows: StockRows, cells: Sequence[Cell], line: IssueLine, *, on: date) -> Picks:
    lots = [cell.as_lot(own=rows.own_quantity(cell.id)) for cell in cells]
    if line.lots:
        for lot, _ in line.lots:
            if lot.is_expired(on=on):
                raise LotExpired(
                    f"Lot {lot} of {line.component.sku} expired on {lot.expires_on}. Choose another lot.",
                    item=line.component.sku,
                    lot=lot.code,
                    expires_on=str(lot.expires_on),
                )
        return pick_named(lots, wanted=[(lot.pk, quantity) for lot, quantity in line.lots])
    return pick_lots(lots, quantity=line.quantity, on=on)


def _carry(draft: Draft, item: Item, found: Picks, target: Location) -> list[Pin]:
    """Move what was picked; the order's own pins in it are used up."""
    pins = []
    for pick in found.picks:
        key: CellKey = (item.pk, pick.location_id, pick.lot_id, AVAILABLE)
        draft.move(key, (item.pk, target.pk, pick.lot_id, AVAILABLE), pick.quantity)
        if pick.own:
            draft.fulfil(key, pick.cell_id, pick.own)
        draft.rows.note_chosen(key, pick.quantity, own=pick.own)
        pins.append(Pin(item.pk, target.pk, pick.lot_id, pick.quantity))
    return pins


def _only_own(lot: LotOnHand) -> LotOnHand:
    return lot._replace(free=ZERO)


def _newest_first(lots: Sequence[LotOnHand], quantity: Decimal) -> Picks:
    """What was issued last goes back first; an expired lot may always go back."""
    wanted: list[tuple[int, Decimal]] = []
    left = quantity
    for lot in sorted(lots, key=lambda lot: (lot.received_on, lot.lot_id), reverse=True):
        part = min(lot.own, left)
        if part > ZERO:
            wanted.append((lot.lot_id, part))
            left -= part
    found = pick_named(lots, wanted=wanted)
    return Picks(found.picks, found.missing + left)


def _shortage(
    short: Sequence[tuple[IssueLine, Decimal, Sequence[Cell]]], source: Location | None
) -> InsufficientStock | ReservedByOther:
    """One refusal that names every short component."""
    sentences, context = [], []
    only_reserved = True
    for line, missing, cells in short:
        item = line.component
        place = line.place or source
        on_hand = sum((cell.quantity for cell in cells), ZERO)
        only_reserved = only_reserved and on_hand >= line.quantity
        reserved = sum((cell.reserved for cell in cells), ZERO)
        part = f" ({as_text(reserved)} reserved)" if reserved > ZERO else ""
        sentences.append(
            f"{place.code if place else 'Stock'} holds {as_text(on_hand)} {item.stock_unit} of {item.sku}{part}; "
            f"{as_text(line.quantity)} were to be issued."
        )
        context.append(
            {
                "item": item.sku,
                "needed": as_text(line.quantity),
                "on_hand": as_text(on_hand),
                "short": as_text(missing),
                "unit": item.stock_unit,
            }
        )
    error = ReservedByOther if only_reserved else InsufficientStock
    return error(
        f"{' '.join(sentences)} Issue less, receive more, or release a reservation.",
        short=context,
    )
