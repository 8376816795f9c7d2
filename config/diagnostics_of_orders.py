"""All that concerns one work order or one purchase order in one file; see diagnostics."""

from collections.abc import Iterator

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from config.diagnostics import ROWS_MAX, Section, file_of
from inventory.models import (
    CostEntry,
    ExceptionCase,
    Item,
    LandedCost,
    LandedCostShare,
    Location,
    Lot,
    Movement,
    Posting,
    PurchaseOrder,
    PurchaseOrderLine,
    PurchaseReceiptLine,
    Reservation,
    ReservationChange,
    Supplier,
    SupplierItem,
)
from production.models import (
    Bom,
    BomLine,
    Completion,
    CompletionLine,
    CompletionOutput,
    CompletionReversal,
    CompletionReversalLine,
    Demand,
    Inspection,
    InspectionDecision,
    WorkOrder,
    WorkOrderLine,
    WorkOrderPeg,
)
from production.models.work_orders import DEMAND_KIND


def sections_of_work_order(order: WorkOrder) -> Iterator[Section]:
    """The tables that say something about a work order, each with its rows, newest first where a table is long."""
    yield "work_order", WorkOrder.objects.filter(pk=order.pk)
    yield "work_order_lines", WorkOrderLine.objects.filter(work_order=order).order_by("pk")
    pegs = WorkOrderPeg.objects.filter(work_order=order)
    yield "pegs", pegs.order_by("pk")
    near = Q(parent=order) | Q(split_from=order) | Q(merged_into=order)
    above = [pk for pk in (order.parent_id, order.split_from_id, order.merged_into_id) if pk is not None]
    yield "related_work_orders", WorkOrder.objects.filter(near | Q(pk__in=above)).order_by("-pk")
    yield "demands", Demand.objects.filter(item=order.item_id, demand_ref__in=pegs.values("demand_ref")).order_by("pk")
    yield "boms", Bom.objects.filter(pk=order.bom_id)
    yield "bom_lines", BomLine.objects.filter(bom=order.bom_id).order_by("pk")
    completions = Completion.objects.filter(work_order=order).order_by("-pk")
    yield "completions", completions
    yield "completion_lines", CompletionLine.objects.filter(completion__work_order=order).order_by("-pk")
    yield "completion_outputs", CompletionOutput.objects.filter(completion__work_order=order).order_by("-pk")
    reversals = CompletionReversal.objects.filter(completion__work_order=order)
    yield "completion_reversals", reversals.order_by("-pk")
    taken_back = CompletionReversalLine.objects.filter(reversal__completion__work_order=order)
    yield "completion_reversal_lines", taken_back.order_by("-pk")
    # Components that were issued or returned carry its number, and nothing of it is older than the order.
    posted = Posting.objects.filter(recorded_at__gte=order.created_at).filter(
        Q(reference=order.number) | Q(pk__in=completions.values("pk")) | Q(pk__in=reversals.values("pk"))
    )
    postings = list(posted.order_by("-pk").values_list("pk", flat=True)[:ROWS_MAX])
    yield from _what_was_posted(postings)
    components = WorkOrderLine.objects.filter(work_order=order).values("component_id")
    yield "items", Item.objects.filter(Q(pk=order.item_id) | Q(pk__in=components)).order_by("pk")
    promised = Q(demand_kind=DEMAND_KIND, demand_ref=order.number)
    yield "reservations", Reservation.objects.filter(promised).order_by("-pk")
    changes = ReservationChange.objects.filter(reservation__in=Reservation.objects.filter(promised).values("pk"))
    yield "reservation_changes", changes.order_by("-pk")
    inspections = Inspection.objects.filter(posting__in=postings)
    yield "inspections", inspections.order_by("-pk")
    decisions = InspectionDecision.objects.filter(verdict__inspection__in=inspections.values("pk"))
    yield "inspection_decisions", decisions.order_by("-pk")
    yield "exceptions", _cases(order.number)
    yield "people", _people(postings, order.created_by_id)


def sections_of_purchase_order(order: PurchaseOrder) -> Iterator[Section]:
    """The tables that say something about a purchase order, each with its rows, newest first where a table is long."""
    lines = PurchaseOrderLine.objects.filter(order=order)
    yield "purchase_order", PurchaseOrder.objects.filter(pk=order.pk)
    yield "purchase_order_history", PurchaseOrder.history.filter(id=order.pk).order_by("-history_id")
    yield "purchase_order_lines", lines.order_by("pk")
    received = PurchaseReceiptLine.objects.filter(line__order=order)
    yield "receipt_lines", received.order_by("-pk")
    receipts = received.values("posting_id")
    # A receipt, what undid it, what went back of it and what its goods cost more or less.
    shares = LandedCostShare.objects.filter(movement__posting__in=receipts)
    costs = LandedCost.objects.filter(pk__in=shares.values("landed_cost_id"))
    posted = Posting.objects.filter(
        Q(pk__in=receipts) | Q(reverses__in=receipts) | Q(related__in=receipts) | Q(pk__in=costs.values("posting_id"))
    )
    postings = list(posted.order_by("-pk").values_list("pk", flat=True)[:ROWS_MAX])
    yield from _what_was_posted(postings)
    yield "landed_costs", costs.order_by("-pk")
    yield "landed_cost_shares", shares.order_by("-pk")
    yield "items", Item.objects.filter(pk__in=lines.values("item_id")).order_by("pk")
    yield "suppliers", Supplier.objects.filter(pk=order.supplier_id)
    sold = SupplierItem.objects.filter(supplier=order.supplier_id, item__in=lines.values("item_id"))
    yield "supplier_items", sold.order_by("pk")
    inspections = Inspection.objects.filter(posting__in=postings)
    yield "inspections", inspections.order_by("-pk")
    yield "exceptions", _cases(order.number)
    yield "people", _people(postings, order.created_by_id)


def _what_was_posted(postings: list[int]) -> Iterator[Section]:
    movements = Movement.objects.filter(posting__in=postings)
    yield "postings", Posting.objects.filter(pk__in=postings).order_by("-pk")
    yield "movements", movements.order_by("-pk")
    yield "cost_entries", CostEntry.objects.filter(posting__in=postings).order_by("-pk")
    yield "lots", Lot.objects.filter(pk__in=movements.values("lot_id")).order_by("-pk")
    yield "locations", Location.objects.filter(pk__in=movements.values("location_id")).order_by("path")


def _cases(number: str) -> QuerySet[ExceptionCase]:
    return ExceptionCase.objects.filter(Q(subject=number) | Q(subject__startswith=f"{number} ")).order_by("-pk")


def _people(postings: list[int], *others: int | None) -> QuerySet[User]:
    actors = Posting.objects.filter(pk__in=postings, actor_id__isnull=False).values("actor_id")
    known = [person for person in others if person is not None]
    return User.objects.filter(Q(pk__in=actors) | Q(pk__in=known)).only("username").order_by("pk")


@require_GET
@permission_required("inventory.read_audit", raise_exception=True)
def work_order_file(request: HttpRequest, number: str) -> HttpResponse:
    """A JSON file of everything about one work order; a fixed number of statements."""
    order = get_object_or_404(WorkOrder, number=number)
    return file_of(request, what="work order", name=order.number, sections=sections_of_work_order(order))


@require_GET
@permission_required("inventory.read_audit", raise_exception=True)
def purchase_order_file(request: HttpRequest, number: str) -> HttpResponse:
    """A JSON file of everything about one purchase order; a fixed number of statements."""
    order = get_object_or_404(PurchaseOrder, number=number)
    return file_of(request, what="purchase order", name=order.number, sections=sections_of_purchase_order(order))
