"""The books of the demo company are closed through the day before most of its history."""

from datetime import timedelta

from django.utils import timezone

from inventory.models import PeriodClose
from inventory.operations.closing import close_period
from inventory.operations.posting import Actor

DAYS_AGO = 29


def ensure_close(actor: Actor) -> None:
    """Close once; loading again on another day must not close another period."""
    if not PeriodClose.objects.exists():
        close_period(
            through=timezone.localdate() - timedelta(days=DAYS_AGO),
            actor=actor,
            note="Opening stock checked and settled",
        )
