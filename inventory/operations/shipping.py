"""Goods leave to a customer, and what was promised to that demand is used up with them (rule S19)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from inventory.errors import InvalidQuantity
from inventory.locks import lock_for_posting
from inventory.models import Item, Location, Posting, PostingKind, Reservation
from inventory.operations.checking import check_effective_at, check_item, check_quantity, check_source
from inventory.operations.choosing import Cells, check_lines, common_path, take_lines
from inventory.operations.issuing import fulfil, issued_value, lots_request
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.taking import LotQuantity, Wanted
from inventory.operations.transactions import operation
from inventory.quantities import ZERO

SHELF_LIFE_DAYS_MAX = 36_500


@dataclass(frozen=True, slots=True)
class ShipmentLine:
    """A quantity (stock unit, positive) of one item out of a place and everything below it. Without `lots` the earliest
    expiry goes first."""

    item: Item
    location: Location
    quantity: Decimal
    lots: Sequence[LotQuantity] = ()


@dataclass(frozen=True, slots=True)
class ShipmentResult:
    posting: Posting
    value: Decimal | None  # base currency, positive; None when the cost of a part is not known
    replayed: bool


@operation
def ship_stock(
    *,
    key: UUID,
    lines: Sequence[ShipmentLine],
    actor: Actor,
    demand: tuple[str, str] | None = None,
    shelf_life_days_min: int = 0,
    may_go_below: bool = False,
    effective_at: datetime | None = None,
    reference: str = "",
    reason: str = "",
    note: str = "",
) -> ShipmentResult:
    """Ship available stock, all lines or none.

    `demand` (kind, reference) uses up its own promises: pinned stock first, then, by what was shipped beyond that, its
    promises without a lot; nobody else's are touched. Lots are good for at least `shelf_life_days_min` days after the day of
    the shipment. Raises InsufficientStock or ReservedByOther that lists every short line, and as issue_stock; nothing is
    written then.
    """
    check_lines(lines, what="A shipment")
    for line in lines:
        check_item(line.item)
        check_source(line.location)
        check_quantity(line.item, line.quantity)
    if not 0 <= shelf_life_days_min <= SHELF_LIFE_DAYS_MAX:
        raise InvalidQuantity(
            f"{shelf_life_days_min} days is no shelf life to ask for. Give 0 to {SHELF_LIFE_DAYS_MAX}.",
        )
    check_effective_at(effective_at, actor=actor)
    claim = claim_posting(
        key=key,
        kind=PostingKind.SHIPMENT,
        request={
            "lines": [[one.item.pk, one.location.pk, one.quantity, lots_request(one.lots)] for one in lines],
            "demand": demand,
            "shelf_life_days_min": shelf_life_days_min,
            "may_go_below": may_go_below,
            "effective_at": effective_at,
            "reference": reference,
            "reason": reason,
        },
        actor=actor,
        effective_at=effective_at,
        reference=reference,
        reason=reason,
        note=note,
        demand=demand,
    )
    if not claim.is_new:
        return ShipmentResult(claim.posting, issued_value(claim.posting), replayed=True)

    rows = lock_for_posting(
        items=[line.item.pk for line in lines], within=common_path([line.location for line in lines]), demand=demand
    )
    draft = Draft(rows)
    wanted = [
        Wanted(one.item, one.quantity, one.location, lots=one.lots, shelf_life_days_min=shelf_life_days_min)
        for one in lines
    ]
    day = timezone.localdate(claim.posting.effective_at)
    taken = take_lines(draft, wanted, on=day, actor=actor, reason=reason, may_go_below=may_go_below)
    value: Decimal | None = ZERO
    leaving: dict[int, Cells] = {}
    promised: dict[tuple[int, int], Decimal] = {}
    for line, (cells, picks) in zip(lines, taken, strict=True):
        leaving.setdefault(line.item.pk, []).extend(cells)
        fulfil(draft, line.item, picks)
        free = line.quantity - sum((pick.own for pick in picks), ZERO)
        where = (line.item.pk, line.location.site_id)
        promised[where] = promised.get(where, ZERO) + free
    for item_id in sorted(leaving):  # once for each item, so that its value is rounded once
        worth = draft.issue(item_id, leaving[item_id])
        value = None if value is None or worth is None else value + worth
    if demand is not None:
        use_up_promises(draft, promised, demand=demand)
    post(posting=claim.posting, draft=draft)
    return ShipmentResult(claim.posting, value, replayed=False)


def use_up_promises(draft: Draft, shipped: Mapping[tuple[int, int], Decimal], *, demand: tuple[str, str]) -> None:
    """Lower the demand's promises without a lot by what was shipped ((item id, site id) -> quantity, without its pinned stock).

    What leaves a site uses up its own promises first, then those of other sites; the oldest first. The pools of the items
    must be locked.
    """
    kind, reference = demand
    promises = list(
        Reservation.objects.for_demand(kind=kind, reference=reference)
        .soft()
        .filter(item_id__in={item_id for item_id, _ in shipped}, quantity__gt=0)
        .select_related("location")
        .select_for_update(of=("self",), no_key=True)
        .order_by("id")
    )
    left = dict(shipped)
    for is_own_site in (True, False):
        for promise in promises:
            here = (promise.item_id, promise.location.site_id)
            for where in [here] if is_own_site else [key for key in left if key[0] == promise.item_id]:
                used = draft.released.get(promise.pk, ZERO)
                part = min(promise.quantity - used, left.get(where, ZERO))
                if part > ZERO:
                    draft.released[promise.pk] = used + part
                    left[where] -= part
