"""News for whoever shows what is there: items of which more or less can be promised though nothing was posted."""

from collections.abc import Iterable

from inventory.bulk import cause_of
from inventory.models import StockChange
from inventory.wakeups import wake_after_commit

ITEMS_PER_CHANGE = 500
"""Items named by one row of news; it bounds what one transaction of a reader has to work out."""


def tell_changed(*, items: Iterable[int], cause: str) -> None:
    """Leave news of `items` (ids) within the present transaction. `cause` has at most 24 letters; a bulk act names itself."""
    ordered = sorted(set(items))
    if not ordered:
        return
    StockChange.objects.bulk_create(
        StockChange(items=ordered[start : start + ITEMS_PER_CHANGE], cause=cause_of(cause)[:24])
        for start in range(0, len(ordered), ITEMS_PER_CHANGE)
    )
    wake_after_commit()
