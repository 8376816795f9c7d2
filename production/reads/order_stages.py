"""How far a work order is, in one word: from planned to closed."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q

from inventory.models import Reservation
from production.models import DEMAND_KIND, WorkOrder, WorkOrderState
from production.models.work_orders import WorkOrderQuerySet


@dataclass(frozen=True, slots=True)
class Stage:
    """A column of the board. `empty` says what it means that there is none."""

    key: str
    title: str
    tone: str
    icon: str
    empty: str


PLANNED = Stage("planned", "Planned", "quiet", "edit_calendar", "Nothing waits to be released.")
RELEASED = Stage("released", "Released", "info", "pending_actions", "Nothing waits to be started.")
IN_PROGRESS = Stage("started", "In progress", "look", "construction", "Nothing is under way.")
COMPLETE = Stage("done", "Complete", "good", "check_circle", "Nothing was finished yet.")
CLOSED = Stage("closed", "Closed", "quiet", "lock", "No finished order was closed.")
SHORT = Stage("short", "Closed short", "quiet", "block", "No order was closed before its plan was met.")
CANCELLED = Stage("cancelled", "Cancelled", "quiet", "cancel", "No order was cancelled.")
STAGES: Sequence[Stage] = (PLANNED, RELEASED, IN_PROGRESS, COMPLETE, CLOSED, SHORT, CANCELLED)
UNDER_WAY = (PLANNED, RELEASED, IN_PROGRESS)

_MADE = Q(good__gt=0) | Q(scrapped__gt=0)
_MET = Q(planned__lte=F("good") + F("scrapped"))


def of_stage(orders: WorkOrderQuerySet, key: str) -> WorkOrderQuerySet:
    """Only the orders of one stage. An order is in progress once something was made of it or issued to it."""
    issued = Exists(
        Reservation.objects.filter(
            demand_kind=DEMAND_KIND,
            demand_ref=OuterRef("number"),
            location=OuterRef("floor_location"),
            lot__isnull=False,
            quantity__gt=0,
        )
    )
    started = _MADE | issued
    if key == PLANNED.key:
        return orders.filter(state=WorkOrderState.PLANNED)
    if key == RELEASED.key:
        return orders.filter(state=WorkOrderState.OPEN).exclude(started)
    if key == IN_PROGRESS.key:
        return orders.filter(state=WorkOrderState.OPEN).filter(started)
    if key == COMPLETE.key:
        return orders.filter(state=WorkOrderState.DONE)
    if key == CLOSED.key:
        return orders.filter(_MET, state=WorkOrderState.CLOSED)
    if key == SHORT.key:
        return orders.filter(state=WorkOrderState.CLOSED).exclude(_MET)
    return orders.filter(state=WorkOrderState.CANCELLED)


def stage_of(order: WorkOrder) -> Stage:
    """The stage of one order; one statement at most."""
    if order.state == WorkOrderState.PLANNED:
        return PLANNED
    if order.state == WorkOrderState.DONE:
        return COMPLETE
    if order.state == WorkOrderState.CANCELLED:
        return CANCELLED
    if order.state == WorkOrderState.CLOSED:
        return SHORT if order.remaining else CLOSED
    if order.good or order.scrapped:
        return IN_PROGRESS
    is_issued = (
        order.floor_location_id is not None
        and Reservation.objects.for_demand(kind=DEMAND_KIND, reference=order.number)
        .filter(location_id=order.floor_location_id, quantity__gt=0, lot__isnull=False)
        .exists()
    )
    return IN_PROGRESS if is_issued else RELEASED
