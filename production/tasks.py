"""What production does on a schedule."""

from celery import shared_task

from production.operations.boms import apply_effective_dates
from production.operations.detecting import report_missed_completions
from production.operations.inspecting import release_not_due
from production.operations.overdue import report_overdue_orders


@shared_task(acks_late=True, time_limit=120)
def begin_and_end_boms() -> int:
    """Retire BOM versions that have ended and tell the apps above of those that begin. Safe to run twice."""
    return apply_effective_dates()


@shared_task(acks_late=True, time_limit=240)
def release_goods_not_due() -> int:
    """Release what its inspection plan lets pass uninspected. Safe to run twice, or twice at once. Returns how many."""
    return release_not_due()


@shared_task(acks_late=True, time_limit=600)
def detect_missed_completions() -> int:
    """Report completions that were probably forgotten, late or recorded twice, and orders past their day.

    Safe to run twice. Returns the cases.
    """
    return report_missed_completions().reported + report_overdue_orders().reported
