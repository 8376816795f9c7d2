"""What follows from a verdict: promises to the demand behind an order, and the queue of exceptions."""

from collections.abc import Sequence
from decimal import Decimal

from inventory.models import (
    Item,
    Location,
    Lot,
    Posting,
    Reservation,
    Severity,
)
from inventory.operations.exceptions import report_exception
from inventory.operations.posting import Actor
from inventory.operations.reserving import release_pins, reserve_stock
from inventory.quantities import ZERO, as_text
from production.models import (
    Completion,
    Disposition,
    Inspection,
    InspectionDecision,
    InspectionVerdict,
    WorkOrder,
)
from production.operations.inspecting.deciding import Outcome
from production.reads.held_goods import HeldGoods


def fingerprint_of(inspection: Inspection) -> str:
    """Names the exception of an inspection that failed."""
    return f"failed_inspection:{inspection.pk}"


def follow_verdict(
    verdict: InspectionVerdict,
    goods: HeldGoods,
    item: Item,
    wanted: Sequence[Outcome],
    postings: Sequence[Posting],
    *,
    actor: Actor,
) -> None:
    released = sum((one.quantity for one in wanted if one.disposition == Disposition.RELEASE), ZERO)
    failed = [outcome for outcome in wanted if outcome.disposition != Disposition.RELEASE]
    if released:
        _reserve_for_demand(verdict.inspection, item, released, actor=actor)
    if failed:
        _report_failed(verdict, goods, item, failed, postings, actor=actor)


def _report_failed(
    verdict: InspectionVerdict,
    goods: HeldGoods,
    item: Item,
    failed: Sequence[Outcome],
    postings: Sequence[Posting],
    *,
    actor: Actor,
) -> None:
    parts = "; ".join(
        f"{as_text(one.quantity)} {item.stock_unit} {one.disposition.label.lower()}: {one.reason}" for one in failed
    )
    lot = f" lot {goods.lot_code}" if goods.lot_code else ""
    url = f"/quality/inspections/{verdict.inspection_id}/"
    report_exception(
        kind="failed_inspection",
        area="production",
        severity=Severity.NORMAL if all(one.disposition == Disposition.REWORK for one in failed) else Severity.HIGH,
        fingerprint=fingerprint_of(verdict.inspection),
        title=f"{item.sku}{lot} failed inspection",
        reason=f"{goods.kind_label} {goods.posting_id}: {parts}.",
        evidence={
            "item": item.sku,
            "lot": goods.lot_code,
            "location": goods.location_code,
            "inspection": verdict.inspection_id,
            "posting": goods.posting_id,
            "postings": [posting.pk for posting in postings],
        },
        subject=f"{item.sku}{lot}",
        url=url,
        action="See what failed",
        action_url=url,
        actor=actor,
    )


def has_failures(inspection: Inspection) -> bool:
    standing = InspectionDecision.objects.filter(verdict__inspection=inspection).standing()
    return standing.exclude(disposition=Disposition.RELEASE).exists()


def _order_of(inspection: Inspection) -> WorkOrder | None:
    """The order whose demand waits for what was made, if there is one."""
    done = (
        Completion.objects.filter(posting_id=inspection.posting_id, item_id=inspection.item_id)
        .select_related("work_order")
        .first()
    )
    order = done.work_order if done is not None else None
    return order if order is not None and order.demand_kind else None


def _reserve_for_demand(inspection: Inspection, item: Item, released: Decimal, *, actor: Actor) -> None:
    """What an order made for a demand is promised to it once it is released, up to what was ordered (rule S19)."""
    order = _order_of(inspection)
    if order is None:
        return
    promised = Reservation.objects.for_demand(kind=order.demand_kind, reference=order.demand_ref).filter(item=item)
    quantity = min(released, order.planned - sum((row.quantity for row in promised), ZERO))
    if quantity > ZERO:
        reserve_stock(
            item=item,
            location=Location.objects.get(pk=inspection.location_id),
            quantity=quantity,
            demand_kind=order.demand_kind,
            demand_ref=order.demand_ref,
            actor=actor,
            lots=[(Lot.objects.get(pk=inspection.lot_id), quantity)],
            partial=True,
        )


def let_go(inspection: Inspection, decisions: Sequence[InspectionDecision], *, actor: Actor) -> None:
    order = _order_of(inspection)
    released = sum((one.quantity for one in decisions if one.disposition == Disposition.RELEASE), ZERO)
    if order is not None and released:
        release_pins(
            demand_kind=order.demand_kind,
            demand_ref=order.demand_ref,
            item=Item.objects.get(pk=inspection.item_id),
            cells={(inspection.location_id, inspection.lot_id): released},
            reason=f"inspection {inspection.pk} taken back",
            actor=actor,
        )
