"""What closing the books through a day would freeze."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from inventory.models import CountSheet, StockTransfer
from inventory.operations.closing import GRACE, end_of
from inventory.reads.moments import AsOf
from inventory.reads.stock_totals import totals_as_of

LISTED_MAX = 10


@dataclass(frozen=True, slots=True)
class Outlook:
    """What closing through a day would freeze, and what is unfinished and may belong to it."""

    through: date
    ends_at: datetime
    items: int
    known_value: Decimal  # base currency
    unknown_items: int
    """Items of which a part has no known cost; a correction after the close counts for the next period."""
    sheets: tuple[CountSheet, ...]
    """Count sheets begun in the period and not posted; at most LISTED_MAX."""
    transfers: tuple[StockTransfer, ...]
    """Goods sent in the period that have not arrived; at most LISTED_MAX."""


def outlook_of(through: date) -> Outlook:
    ends_at = end_of(through)
    totals = totals_as_of(moment=AsOf(effective_at=ends_at), by="kind")
    sheets = CountSheet.objects.unfinished().filter(created_at__lte=ends_at).select_related("location").order_by("pk")
    transfers = (
        StockTransfer.objects.under_way()
        .filter(dispatched_at__lte=ends_at)
        .select_related("source", "target")
        .order_by("dispatched_at")
    )
    return Outlook(
        through=through,
        ends_at=ends_at,
        items=totals.items,
        known_value=totals.known_value,
        unknown_items=totals.unknown_items,
        sheets=tuple(sheets[:LISTED_MAX]),
        transfers=tuple(transfers[:LISTED_MAX]),
    )


def last_day_to_close() -> date:
    """The newest day that ended long enough ago."""
    return timezone.localdate(timezone.now() - GRACE) - timedelta(days=1)


def suggested_day() -> date:
    """The end of last month."""
    return min(last_day_to_close().replace(day=1) - timedelta(days=1), last_day_to_close())
