"""Rework orders: goods that wait in quarantine or damaged are mended with components and work, whose cost they carry.

A reworking takes the goods and the components out and puts the mended goods in, in the same lot, worth all of it; what is
spoiled on the way is carried by the good units, as in a completion (rule S9). Goods of an inspected item, and those an
inspection sent here, wait for inspection again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from inventory.errors import AlreadyReversed, InsufficientStock, InvalidQuantity, LotExpired, WrongState
from inventory.locks import CellKey, lock_for_posting
from inventory.models import (
    CostEntryKind,
    Item,
    Location,
    Lot,
    Posting,
    PostingKind,
    StockBalance,
    StockStatus,
)
from inventory.operations.checking import check_item, check_location, check_quantity, check_source
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.reversing import undo_whole
from inventory.operations.taking import LotQuantity, Wanted, check_picked_in_order, take_cells
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text, round_half_up, total_of
from production.errors import OrderClosed
from production.models import (
    REWORKED_FROM,
    Disposition,
    InspectionDecision,
    ReworkComponent,
    Reworking,
    ReworkingLine,
    ReworkOrder,
    ReworkState,
)
from production.operations.inspecting import in_rework

COMPONENTS_MAX = 100
"""Components of one rework order."""
MINUTES_MAX, RATE_MAX = Decimal(1_000_000), Decimal(1_000_000)
MINUTES_STEP = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a component was used (stock unit; zero: none of it) and, where it matters, of which lots."""

    component: Item
    quantity: Decimal
    lots: Sequence[LotQuantity] = ()


@dataclass(frozen=True, slots=True)
class ReworkResult:
    posting: Posting
    reworking: Reworking
    replayed: bool  # the key had already been used for this very request


@operation
def open_rework(
    *,
    item: Item,
    lot: Lot,
    location: Location,
    status: str,
    quantity: Decimal,
    work: str,
    source_location: Location,
    actor: Actor,
    components: Sequence[tuple[Item, Decimal]] = (),
    minutes: Decimal = ZERO,
    rate_per_hour: Decimal = ZERO,
    due_on: date | None = None,
    decision: InspectionDecision | None = None,
) -> ReworkOrder:
    """Open an order to rework `quantity` (stock unit) of a lot that waits in quarantine or damaged. Nothing moves yet.

    `components` are what all of it is planned to take, `minutes` at `rate_per_hour` (base currency) the work. Raises
    WrongState for goods in another status or no words, InvalidQuantity, InvalidQuantityStep, InsufficientStock when less
    waits there than other open orders leave.
    """
    if status not in REWORKED_FROM:
        raise WrongState(
            f"Goods that are {StockStatus(status).label.lower()} are not reworked. Put them into quarantine first.",
            status=status,
        )
    if not work.strip():
        raise WrongState("Say what is to be done to the goods.")
    check_item(item)
    check_quantity(item, quantity)
    check_source(location)
    check_location(source_location)
    planned = _planned_components(item, components)
    _check_work(minutes, rate_per_hour)
    _one_at_a_time(lot)
    _refuse_too_much(item, lot, location, status, quantity, decision)
    order = ReworkOrder.objects.create(
        number=f"new-{timezone.now().timestamp():.6f}-{lot.pk}"[:24],
        item=item,
        lot=lot,
        location=location,
        status=str(status),
        decision=decision,
        quantity=quantity,
        work=work.strip()[:1000],
        minutes=minutes,
        rate_per_hour=rate_per_hour,
        source_location=source_location,
        due_on=due_on,
        created_by_id=getattr(actor, "pk", None),
    )
    order.number = f"RW-{order.pk:06d}"
    order.save(update_fields=["number"])
    ReworkComponent.objects.bulk_create(
        ReworkComponent(order=order, component=component, quantity=needed) for component, needed in planned
    )
    return order


@operation
def close_rework(*, order: ReworkOrder, actor: Actor) -> ReworkOrder:  # noqa: ARG001  what is left stays where it is
    """Close an order whose remainder is not reworked; it stays in quarantine. Raises OrderClosed when it is not open."""
    locked = _locked(order)
    _refuse_closed(locked)
    locked.state = ReworkState.CLOSED
    locked.closed_at = timezone.now()
    locked.save(update_fields=["state", "closed_at"])
    return locked


@operation
def rework(
    *,
    key: UUID,
    order: ReworkOrder,
    good: Decimal,
    actor: Actor,
    scrapped: Decimal = ZERO,
    scrap_reason: str = "",
    used: Sequence[Use] | None = None,
    minutes: Decimal | None = None,
    target: Location | None = None,
    reason: str = "",
    note: str = "",
) -> ReworkResult:
    """Record that `good` were mended and `scrapped` spoiled of an order: all in one posting.

    `used` says what it really took; without it, and for planned components it does not name, it is the plan in proportion,
    rounded on the running total. So with `minutes`. The goods go to `target` (default: where they wait). Raises OrderClosed,
    InvalidQuantity, InvalidQuantityStep, WrongState for scrap without a reason, LotExpired, InsufficientStock, ReservedByOther,
    lot refusals or IdempotencyMismatch; nothing is written then.
    """
    _check_done(order.item, good, scrapped, scrap_reason)
    claim = claim_posting(
        key=key,
        kind=PostingKind.REWORK,
        request={
            "order": order.pk,
            "good": good,
            "scrapped": scrapped,
            "scrap_reason": scrap_reason,
            "used": None
            if used is None
            else [[one.component.pk, one.quantity, [[lot.pk, q] for lot, q in one.lots]] for one in used],
            "minutes": minutes,
            "target": None if target is None else target.pk,
            "reason": reason,
        },
        actor=actor,
        effective_at=None,
        reference=order.number,
        reason=reason,
        note=note,
        related=_sent_by(order),
    )
    if not claim.is_new:
        known = Reworking.objects.select_related("order").get(posting=claim.posting)
        return ReworkResult(claim.posting, known, replayed=True)

    locked = _locked(order)
    _refuse_closed(locked)
    _refuse_more_than_left(locked, good + scrapped)
    place = target or locked.location
    check_location(place)
    if good:
        _refuse_expired(locked)
    lines = expected_use(locked, good + scrapped)
    uses = _uses(locked, lines, used)
    spent = expected_minutes(locked, good + scrapped) if minutes is None else minutes
    _check_work(spent, locked.rate_per_hour)
    reworking = _carry_out(
        claim.posting,
        locked,
        Reworking(
            posting=claim.posting,
            order=locked,
            good=good,
            scrapped=scrapped,
            scrap_reason=scrap_reason.strip()[:100],
            minutes=spent,
            work_value=round_half_up(Fraction(spent) / 60 * Fraction(locked.rate_per_hour), settings.CURRENCY_STEP),
            output_location=place,
            output_status=status_after(locked),
        ),
        uses,
        expected={component.pk: quantity for component, quantity in lines},
        actor=actor,
        reason=reason,
    )
    _count(locked, good, scrapped)
    return ReworkResult(claim.posting, reworking, replayed=False)


@operation
def reverse_rework(*, key: UUID, reworking: Reworking, actor: Actor, reason: str = "") -> Posting:
    """Take back what a reworking did, exactly; the order is open for it again. Returns the reversing posting.

    Raises AlreadyReversed, or ReversalBlocked when the mended goods are not where they were put.
    """
    original = Posting.objects.get(pk=reworking.posting_id)
    claim = claim_posting(
        key=key,
        kind=PostingKind.REVERSAL,
        request={"reworking": reworking.pk, "reason": reason},
        actor=actor,
        effective_at=None,
        reference=original.reference,
        reason=reason,
        reverses=original,
    )
    if not claim.is_new:
        return claim.posting
    order = _locked(ReworkOrder(pk=reworking.order_id))
    done = Reworking.objects.select_for_update(of=("self",), no_key=True).get(pk=reworking.pk)
    if done.is_reversed:
        raise AlreadyReversed(f"{original} was reversed before. There is nothing left to undo.", posting=original.pk)
    undo_whole(original, reversal=claim.posting)
    done.is_reversed = True
    done.save(update_fields=["is_reversed"])
    _count(order, -done.good, -done.scrapped)
    return claim.posting


def expected_use(order: ReworkOrder, quantity: Decimal) -> list[tuple[Item, Decimal]]:
    """What the plan says the next `quantity` of an order takes of each component, in its stock unit.

    It is the share of the quantity up to then, rounded, less what was expected of the reworkings before: parts add up to
    the plan, however the order is parted.
    """
    before: dict[int, Decimal] = {}
    lines = ReworkingLine.objects.filter(reworking__order=order, reworking__is_reversed=False)
    for component_id, expected in lines.values_list("component_id", "expected"):
        before[component_id] = before.get(component_id, ZERO) + expected
    share = Fraction(order.good + order.scrapped + quantity) / Fraction(order.quantity)
    return [
        (
            one.component,
            max(
                round_half_up(Fraction(one.quantity) * share, one.component.step) - before.get(one.component_id, ZERO),
                ZERO,
            ),
        )
        for one in order.components.select_related("component")
    ]


def expected_minutes(order: ReworkOrder, quantity: Decimal) -> Decimal:
    """The minutes of work the plan says the next `quantity` takes."""
    done = order.good + order.scrapped
    whole = Fraction(order.minutes) / Fraction(order.quantity)
    return round_half_up(whole * Fraction(done + quantity), MINUTES_STEP) - round_half_up(
        whole * Fraction(done), MINUTES_STEP
    )


def status_after(order: ReworkOrder) -> str:
    """What mended goods are: on hold when their item is inspected or an inspection sent them here, else available."""
    is_inspected = order.item.inspection_required or order.decision_id is not None
    return str(StockStatus.QC_HOLD if is_inspected else StockStatus.AVAILABLE)


def waiting_for_rework(
    item: Item, lot: Lot, location: Location, status: str, decision: InspectionDecision | None
) -> Decimal:
    """How much of a lot waits there and no open order speaks for, in the stock unit; of a decision, of what it sent."""
    cell = StockBalance.objects.filter(item=item, lot=lot, location=location, status=status).first()
    free = ZERO if cell is None else cell.quantity - cell.reserved
    same_cell = ReworkOrder.objects.filter(item=item, lot=lot, location=location, status=status, state=ReworkState.OPEN)
    left = free - sum((one.remaining for one in same_cell), ZERO)
    if decision is not None:
        promised = sum((one.remaining for one in same_cell if one.decision_id == decision.pk), ZERO)
        left = min(left, in_rework([decision]).get(decision.pk, ZERO) - promised)
    return max(left, ZERO)


def _one_at_a_time(lot: Lot) -> None:
    """Orders for goods of one lot are opened one after another, so that no two speak for the same goods."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"production.rework:{lot.pk}"])


def _planned_components(item: Item, components: Sequence[tuple[Item, Decimal]]) -> Sequence[tuple[Item, Decimal]]:
    if len(components) > COMPONENTS_MAX:
        raise InvalidQuantity(f"A rework takes at most {COMPONENTS_MAX} components, {len(components)} were given.")
    seen: set[int] = set()
    for component, quantity in components:
        _check_component(item, component, seen)
        check_quantity(component, quantity)
    return components


def _check_component(item: Item, component: Item, seen: set[int]) -> None:
    check_item(component)
    if component.pk == item.pk:
        raise WrongState(f"{item.sku} is what is reworked; it cannot be a component of it. Name something else.")
    if component.pk in seen:
        raise WrongState(f"{component.sku} is named twice. Name each component once.", item=component.sku)
    seen.add(component.pk)


def _check_work(minutes: Decimal, rate_per_hour: Decimal) -> None:
    if not minutes.is_finite() or not ZERO <= minutes <= MINUTES_MAX:
        raise InvalidQuantity(f"{minutes} minutes of work cannot be. Give 0 to {as_text(MINUTES_MAX)}.")
    if not rate_per_hour.is_finite() or not ZERO <= rate_per_hour <= RATE_MAX:
        raise InvalidQuantity(f"{rate_per_hour} an hour cannot be. Give 0 to {as_text(RATE_MAX)}.")
    if minutes != round(minutes, 2) or rate_per_hour != round(rate_per_hour, 4):
        raise InvalidQuantity("Minutes have at most two decimal places, and a rate four. Shorten them.")


def _check_done(item: Item, good: Decimal, scrapped: Decimal, scrap_reason: str) -> None:
    for quantity in (good, scrapped):
        if not quantity.is_finite() or quantity < ZERO:
            raise InvalidQuantity(f"{quantity} is not a quantity. Give zero or more of each.")
        if quantity:
            check_quantity(item, quantity)
    if not good and not scrapped:
        raise InvalidQuantity("Nothing was reworked. Say how many are good, and how many were spoiled.")
    if scrapped and not scrap_reason.strip():
        raise WrongState("Scrap needs a reason. Say why they could not be mended.")


def _refuse_too_much(
    item: Item, lot: Lot, location: Location, status: str, quantity: Decimal, decision: InspectionDecision | None
) -> None:
    if decision is not None:
        inspection = decision.verdict.inspection
        same = (inspection.item_id, inspection.lot_id, inspection.location_id, StockStatus.QUARANTINE.value)
        if decision.disposition != Disposition.REWORK or same != (item.pk, lot.pk, location.pk, str(status)):
            raise WrongState("That decision sent other goods to rework. Choose the one of these goods.")
    left = waiting_for_rework(item, lot, location, status, decision)
    if quantity > left:
        raise InsufficientStock(
            f"{as_text(left)} {item.stock_unit} of {item.sku}{f' lot {lot.code}' if lot.code else ''} wait in "
            f"{location.code} and are in no other rework order; {as_text(quantity)} were asked for. Give at most what waits.",
            item=item.sku,
            left=as_text(left),
            needed=as_text(quantity),
        )


def _sent_by(order: ReworkOrder) -> Posting | None:
    """The posting by which an inspection sent the goods to rework."""
    if order.decision is None:
        return None
    return Posting(pk=order.decision.posting_id)


def _locked(order: ReworkOrder) -> ReworkOrder:
    found = ReworkOrder.objects.select_related("item", "lot", "location", "source_location")
    return found.select_for_update(of=("self",), no_key=True).get(pk=order.pk)


def _refuse_closed(order: ReworkOrder) -> None:
    if not order.is_open:
        raise OrderClosed(
            f"{order.number} is {order.get_state_display().lower()}. Open another order for what is left.",
            rework_order=order.number,
            state=order.state,
        )


def _refuse_more_than_left(order: ReworkOrder, quantity: Decimal) -> None:
    if quantity > order.remaining:
        raise InvalidQuantity(
            f"{as_text(order.remaining)} {order.item.stock_unit} are left of {order.number}, {as_text(quantity)} were "
            "recorded. Correct the quantities, or open another order.",
            left=as_text(order.remaining),
            recorded=as_text(quantity),
        )


def _refuse_expired(order: ReworkOrder) -> None:
    """Goods past their last day are not made available by mending them; those that are inspected again are stopped there."""
    lot = order.lot
    if status_after(order) == StockStatus.AVAILABLE and lot.is_expired(on=timezone.localdate()):
        raise LotExpired(
            f"Lot {lot.code} of {order.item.sku} was good until {lot.expires_on:%Y-%m-%d} and cannot be made available. "
            "Record it as spoiled, or correct the last day of the lot.",
            item=order.item.sku,
            lot=lot.code,
        )


def _uses(order: ReworkOrder, planned: Sequence[tuple[Item, Decimal]], used: Sequence[Use] | None) -> list[Use]:
    """What was used of each component: as said, else as planned; each component once."""
    said: dict[int, Use] = {}
    seen: set[int] = set()
    for use in used or ():
        _check_component(order.item, use.component, seen)
        if not use.quantity.is_finite() or use.quantity < ZERO:
            raise InvalidQuantity(f"{use.quantity} is not a quantity of {use.component.sku}. Give zero or more.")
        if use.quantity:
            check_quantity(use.component, use.quantity)
        said[use.component.pk] = use
    if len(said) > COMPONENTS_MAX:
        raise InvalidQuantity(f"A rework takes at most {COMPONENTS_MAX} components, {len(said)} were given.")
    uses = [said.pop(component.pk, Use(component, quantity)) for component, quantity in planned]
    return [*uses, *said.values()]


def _carry_out(
    posting: Posting,
    order: ReworkOrder,
    reworking: Reworking,
    uses: Sequence[Use],
    *,
    expected: Mapping[int, Decimal],
    actor: Actor,
    reason: str,
) -> Reworking:
    """Move goods and components, and write what was done beside the posting."""
    item, on = order.item, timezone.localdate(posting.effective_at)
    taken = [use for use in uses if use.quantity]
    rows = lock_for_posting(
        items=[item.pk, *(use.component.pk for use in taken)],
        within=order.source_location.path,
        locations=sorted({order.location_id, reworking.output_location.pk}),
        statuses=sorted({order.status, StockStatus.AVAILABLE.value}),
    )
    draft = Draft(rows)
    source: CellKey = (item.pk, order.location_id, order.lot_id, order.status)
    quantity = reworking.good + reworking.scrapped
    free = rows.cells[source].free if source in rows.cells else ZERO
    if quantity > free:
        raise InsufficientStock(
            f"{as_text(free)} {item.stock_unit} of {item.sku} wait in {order.location.code}, {as_text(quantity)} were "
            "recorded. Somebody has moved them meanwhile: look at the lot.",
            item=item.sku,
            left=as_text(free),
            needed=as_text(quantity),
        )
    reworking.goods_value = draft.issue(item.pk, [(source, quantity)])
    lines = []
    for use in uses:
        value: Decimal | None = ZERO
        if use.quantity:
            wanted = Wanted(use.component, use.quantity, order.source_location, lots=use.lots)
            check_picked_in_order(rows, wanted, on=on, reason=reason)
            cells, _ = take_cells(draft, wanted, on=on, actor=actor, reason=reason)
            value = draft.issue(use.component.pk, cells)
        lines.append(
            ReworkingLine(
                reworking=reworking,
                component=use.component,
                expected=expected.get(use.component.pk, ZERO),
                actual=use.quantity,
                value=value,
            )
        )
    reworking.component_value = total_of(line.value for line in lines)
    draft.expense(item.pk, CostEntryKind.LABOUR, -reworking.work_value)
    whole = total_of((reworking.goods_value, reworking.component_value, reworking.work_value))
    if reworking.good:
        target: CellKey = (item.pk, reworking.output_location.pk, order.lot_id, reworking.output_status)
        draft.receive(target, reworking.good, whole)
    else:
        draft.expense(item.pk, CostEntryKind.SCRAP, whole)
    post(posting=posting, draft=draft)
    reworking.save(force_insert=True)
    ReworkingLine.objects.bulk_create(lines)
    return reworking


def _count(order: ReworkOrder, good: Decimal, scrapped: Decimal) -> None:
    """Book what was done (negative: taken back) on a locked order, which is done when nothing is left, and open again else."""
    order.good += good
    order.scrapped += scrapped
    if not order.remaining:
        order.state, order.closed_at = ReworkState.DONE, timezone.now()
    elif order.state == ReworkState.DONE:
        order.state, order.closed_at = ReworkState.OPEN, None
    order.save(update_fields=["good", "scrapped", "state", "closed_at"])
