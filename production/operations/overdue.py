"""Work orders whose day is past and that still want output: put before a person, until they are done or have another day."""

from datetime import date

from django.db.models import F
from django.utils import timezone

from inventory.models import Severity
from inventory.operations.exceptions import close_settled, report_exception
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import as_text
from production.models import WorkOrder
from production.operations.detecting import Detected

KIND = "overdue_order"


@operation
def report_overdue_orders(*, actor: Actor = None) -> Detected:
    """Open a case for each released order that is past its day with something left, and close those that no longer are.

    Running it again reports the same cases, counted once more, and opens none twice.
    """
    today = timezone.localdate()
    overdue = (
        WorkOrder.objects.open()
        .filter(due_on__lt=today, planned__gt=F("good") + F("scrapped"))
        .select_related("item")
        .order_by("due_on", "pk")
    )
    found = {fingerprint_of(order): order for order in overdue}
    for fingerprint, order in found.items():
        _report(order, fingerprint, today, actor)
    resolved = close_settled(
        KIND, standing=found, resolution="The order is done, closed or has another day.", actor=actor
    )
    return Detected(len(found), resolved)


def fingerprint_of(order: WorkOrder) -> str:
    return f"{KIND}:{order.pk}"


def _report(order: WorkOrder, fingerprint: str, today: date, actor: Actor) -> None:
    assert order.due_on is not None, "only orders with a day are overdue"
    unit, sku, days = order.item.stock_unit, order.item.sku, (today - order.due_on).days
    made = as_text(order.good) if order.good else "none"
    report_exception(
        kind=KIND,
        area="production",
        fingerprint=fingerprint,
        title=f"{order.number} was due {order.due_on:%Y-%m-%d} and {as_text(order.remaining)} {unit} are not recorded",
        reason=f"Of {as_text(order.planned)} {unit} of {sku} {made} are recorded as good, {days} day{'' if days == 1 else 's'} "
        "after its day. If they were made, record it: until then channels do not show them. Else give the order another day, "
        "or close it short.",
        severity=Severity.NORMAL,
        evidence={
            "work_order": order.number,
            "item": sku,
            "due_on": order.due_on.isoformat(),
            "planned": as_text(order.planned),
            "good": as_text(order.good),
            "left": as_text(order.remaining),
        },
        subject=sku,
        url=f"/make/orders/{order.number}/",
        action="Record the completion",
        action_url=f"/make/complete/?what={order.number}",
        actor=actor,
    )
