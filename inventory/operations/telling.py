"""News for whoever shows what is there: items of which more or less can be promised though nothing was posted."""

from collections.abc import Iterable

from inventory.bulk import bulk_actor_id, cause_of
from inventory.models import StockChange
from inventory.operations.posting import Actor
from inventory.wakeups import wake_after_commit

ITEMS_PER_CHANGE = 500
"""Items named by one row of news; it bounds what one transaction of a reader has to work out."""


def tell_changed(*, items: Iterable[int], cause: str, actor: Actor = None) -> None:
    """Leave news of `items` (ids) within the present transaction. `cause` has at most 24 letters; a bulk act names itself.

    Whoever caused it does not approve alone what follows from it.
    """
    ordered = sorted(set(items))
    if not ordered:
        return
    actor_id = bulk_actor_id() or getattr(actor, "pk", None)
    StockChange.objects.bulk_create(
        StockChange(items=ordered[start : start + ITEMS_PER_CHANGE], cause=cause_of(cause)[:24], actor_id=actor_id)
        for start in range(0, len(ordered), ITEMS_PER_CHANGE)
    )
    wake_after_commit()
