"""What follows from a verdict: promises to the demand behind an order, and the queue of exceptions."""

from collections.abc import Sequence

from inventory.models import (
    Item,
    Posting,
    Severity,
)
from inventory.operations.exceptions import report_exception
from inventory.operations.posting import Actor
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
from production.operations.pegs import hand_out, take_back
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
    order: WorkOrder | None,
    actor: Actor,
) -> None:
    """What is released is promised to the demands of its order, in turn (rule S19); what failed is put into the queue."""
    released = sum((one.quantity for one in wanted if one.disposition == Disposition.RELEASE), ZERO)
    failed = [outcome for outcome in wanted if outcome.disposition != Disposition.RELEASE]
    if released and order is not None:
        cell = (verdict.inspection.location_id, verdict.inspection.lot_id)
        hand_out(order, item, {cell: released}, actor=actor)
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


def locked_order_of(*, posting_id: int, item_id: int) -> WorkOrder | None:
    """The order that goods were made by and whose demands wait for them, locked; orders come before stock (rule S18)."""
    orders = WorkOrder.objects.exclude(demand_kind="").filter(
        pk__in=Completion.objects.filter(posting_id=posting_id, item_id=item_id).values("work_order")
    )
    return orders.select_for_update(of=("self",), no_key=True).first()


def let_go(
    inspection: Inspection, order: WorkOrder | None, decisions: Sequence[InspectionDecision], *, actor: Actor
) -> None:
    """What a verdict released of an order's output is promised to its demands no longer."""
    released = sum((one.quantity for one in decisions if one.disposition == Disposition.RELEASE), ZERO)
    if order is not None and released:
        take_back(
            order,
            Item.objects.get(pk=inspection.item_id),
            {(inspection.location_id, inspection.lot_id): released},
            reason=f"inspection {inspection.pk} taken back",
            actor=actor,
        )
