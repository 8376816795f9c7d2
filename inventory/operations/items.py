"""What may still be changed of an item once it has a history."""

from inventory.errors import InUse
from inventory.models import UNSTOCKED_KINDS, Item, Movement, Reservation, Tracking
from inventory.quantities import as_text


def check_item_change(*, before: Item, after: Item) -> None:
    """Refuse changes that would give recorded quantities another meaning. `before` is the item as it is stored.

    Raises InUse for another stock unit, a coarser step, another tracking or a kind without stock, when the item has moved
    or is reserved.
    """
    wanted = refused_changes(before=before, after=after)
    if wanted:
        raise InUse(
            f"{before.sku} has been in stock, so {' and '.join(wanted.values())}. Make a new item instead.",
            item=before.sku,
        )


def refused_changes(*, before: Item, after: Item) -> dict[str, str]:
    """By field, in words, what cannot change any more of an item that has moved or is reserved; empty when all may."""
    wanted = _changed_meaning(before, after)
    has_history = wanted and (
        Movement.objects.filter(item=before).exists()
        or Reservation.objects.filter(item=before, quantity__gt=0).exists()
    )
    return wanted if has_history else {}


def _changed_meaning(before: Item, after: Item) -> dict[str, str]:
    found = {}
    if before.stock_unit != after.stock_unit:
        found["stock_unit"] = f"its unit can no longer change, it stays {before.stock_unit}"
    if after.step > 0 and before.step % after.step:
        found["step"] = f"its step {as_text(before.step)} can only be divided, not become {as_text(after.step)}"
    if before.tracking not in (after.tracking, Tracking.NONE):
        found["tracking"] = f"its tracking stays {before.get_tracking_display().lower()}"
    elif before.tracking != after.tracking and after.tracking == Tracking.SERIAL:
        found["tracking"] = "it cannot be tracked by serial number any more"
    if before.is_stocked and after.kind in UNSTOCKED_KINDS:
        found["kind"] = "its kind must be one that holds stock"
    return found
