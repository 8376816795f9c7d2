"""Stock changes its lot: one lot is split into several, several become one, a lot gets another name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db.models.functions import Upper
from django.utils import timezone

from inventory.errors import InvalidQuantity, LotMismatch, LotRequired, WrongState
from inventory.locks import CellKey, lock_for_posting
from inventory.models import Item, Location, Lot, Posting, PostingKind, StockStatus, Tracking
from inventory.operations.checking import check_effective_at, check_item, check_quantity, check_source
from inventory.operations.choosing import check_lines
from inventory.operations.issuing import lots_request
from inventory.operations.lots import LotSpec, check_lot_code, ensure_lots, refuse_serials_on_hand
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.taking import LotQuantity, Wanted, choose_cells
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text


@dataclass(frozen=True, slots=True)
class NewLot:
    """A lot that stock gets, made when it does not exist. `quantity` (stock unit) may be left out when it is the only one.

    Without `expires_on` it inherits the last day of what it is made from: the earliest of several lots.
    """

    code: str
    quantity: Decimal | None = None
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class LotChangeResult:
    posting: Posting
    replayed: bool


@operation
def change_lots(
    *,
    key: UUID,
    item: Item,
    location: Location,
    sources: Sequence[LotQuantity],
    targets: Sequence[NewLot],
    reason: str,
    actor: Actor,
    status: str = StockStatus.AVAILABLE,
    effective_at: datetime | None = None,
    note: str = "",
) -> LotChangeResult:
    """Give stock at `location` (and below) other lots: one source into several targets, or any number into one.

    Places, status, quantity and value stay; where lots carry their cost it goes along. Reserved stock is not moved. The
    implicit lot of an item whose tracking was switched on later is a source like any other. Raises LotRequired, LotMismatch,
    DuplicateSerial, WrongState, InvalidQuantity, and as issue_stock; nothing is written then.
    """
    check_item(item)
    check_source(location)
    check_lines([*sources], what="A change of lots")
    check_lines([*targets], what="A change of lots")
    for _, taken in sources:
        check_quantity(item, taken)
    total = sum((taken for _, taken in sources), ZERO)
    wanted_lots = _with_quantities(item, targets, total)
    _check_shape(item, sources, wanted_lots, reason)
    check_effective_at(effective_at, actor=actor)
    claim = claim_posting(
        key=key,
        kind=PostingKind.LOT_CHANGE,
        request={
            "item": item.pk,
            "location": location.pk,
            "status": str(status),
            "sources": lots_request(sources),
            "targets": [[one.code, one.quantity, one.expires_on] for one in wanted_lots],
            "effective_at": effective_at,
            "reason": reason,
        },
        actor=actor,
        effective_at=effective_at,
        reason=reason,
        note=note,
    )
    if not claim.is_new:
        return LotChangeResult(claim.posting, replayed=True)

    rows = lock_for_posting(items=[item.pk], within=location.path, statuses=[status])
    wanted = Wanted(item, total, location, status=status, lots=sources, allow_expired=True)
    picks = choose_cells(rows, wanted, on=timezone.localdate(claim.posting.effective_at))
    specs = _specs(item, [lot for lot, _ in sources], wanted_lots)
    lot_ids = ensure_lots(specs)
    _refuse_longer_life(item, [lot for lot, _ in sources], specs, lot_ids)
    refuse_serials_on_hand(specs, lot_ids)

    draft = Draft(rows)
    left = [(spec, one.quantity or ZERO) for spec, one in zip(specs, wanted_lots, strict=True)]
    for pick in picks:
        source: CellKey = (item.pk, pick.location_id, pick.lot_id, str(status))
        missing = pick.quantity
        while missing:
            spec, room = left[0]
            part = min(room, missing)
            draft.move(source, (item.pk, pick.location_id, lot_ids[spec.key], str(status)), part)
            missing -= part
            left[0] = (spec, room - part)
            if room == part:
                left.pop(0)
    post(posting=claim.posting, draft=draft)
    return LotChangeResult(claim.posting, replayed=False)


def _with_quantities(item: Item, targets: Sequence[NewLot], total: Decimal) -> list[NewLot]:
    """The targets with codes as they are kept and quantities that add up to what is taken."""
    if len(targets) > 1 and any(one.quantity is None for one in targets):
        raise InvalidQuantity(f"Say how much of {item.sku} each of the {len(targets)} lots gets.", item=item.sku)
    found = []
    for one in targets:
        quantity = total if one.quantity is None else check_quantity(item, one.quantity)
        found.append(NewLot(check_lot_code(item, one.code, quantity), quantity, one.expires_on))
    given = sum((one.quantity or ZERO for one in found), ZERO)
    if given != total:
        raise LotMismatch(
            f"{as_text(total)} {item.stock_unit} of {item.sku} are taken and {as_text(given)} given to the new lots. "
            "Make both the same.",
            item=item.sku,
            taken=as_text(total),
            given=as_text(given),
        )
    return found


def _check_shape(item: Item, sources: Sequence[LotQuantity], targets: Sequence[NewLot], reason: str) -> None:
    if item.tracking == Tracking.NONE:
        raise LotRequired(
            f"{item.sku} is not tracked by lot. Switch tracking on first; what is there then gets its lots here.",
            item=item.sku,
        )
    if not reason.strip():
        raise WrongState(f"Changing lots of {item.sku} needs a reason. Say why.", item=item.sku)
    if len(sources) > 1 and len(targets) > 1:
        raise WrongState(
            f"Several lots of {item.sku} cannot become several others at once, since nobody could tell which came from "
            "which. Split or merge them one after the other.",
            item=item.sku,
        )
    codes = [one.code.upper() for one in targets]
    for lot, _ in sources:
        if lot.item_id == item.pk and lot.code.upper() in codes:
            raise WrongState(f"Lot {lot} would become itself. Leave it out.", item=item.sku, lot=lot.code)
    if len(set(codes)) < len(codes) or len({lot.pk for lot, _ in sources}) < len(sources):
        raise LotMismatch(f"A lot of {item.sku} is named twice. Add its quantities up.", item=item.sku)


def _specs(item: Item, sources: Sequence[Lot], targets: Sequence[NewLot]) -> list[LotSpec]:
    """The targets as lots to find or make. A lot is as old as the oldest it is made from."""
    received_on = min(lot.received_on for lot in sources)
    inherited = _earliest(sources)
    codes = [one.code.upper() for one in targets]
    same = Lot.objects.for_item(item).annotate(upper_code=Upper("code")).filter(upper_code__in=codes)
    known = set(same.values_list("upper_code", flat=True))
    supplier_lot = sources[0].supplier_lot if len(sources) == 1 else ""
    return [
        LotSpec(
            item,
            one.code,
            received_on,
            one.expires_on if one.expires_on or one.code.upper() in known else inherited,
            supplier_lot,
        )
        for one in targets
    ]


def _earliest(lots: Sequence[Lot]) -> date | None:
    return min((lot.expires_on for lot in lots if lot.expires_on is not None), default=None)


def _refuse_longer_life(
    item: Item, sources: Sequence[Lot], specs: Sequence[LotSpec], lot_ids: dict[tuple[int, str], int]
) -> None:
    """Goods do not get a later last day by joining a lot, unless somebody says so by giving that day."""
    earliest = _earliest(sources)
    if earliest is None:
        return
    lots = Lot.objects.in_bulk([lot_ids[spec.key] for spec in specs])
    for spec in specs:
        lot = lots[lot_ids[spec.key]]
        if spec.expires_on is None and (lot.expires_on is None or lot.expires_on > earliest):
            until = "never expires" if lot.expires_on is None else f"expires on {lot.expires_on}"
            confirm = ", or give the expiry of that lot to confirm it" if lot.expires_on else ""
            raise LotMismatch(
                f"Lot {lot.code} of {item.sku} {until}, what would join it on {earliest}. Choose another lot{confirm}.",
                item=item.sku,
                lot=lot.code,
                expires_on=str(lot.expires_on),
            )
