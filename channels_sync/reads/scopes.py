"""What a rule is for: the listings it covers, and the items whose figures it may change."""

from __future__ import annotations

from django.db.models import QuerySet

from channels_sync.models import Channel, Listing
from inventory.models import Item, ItemCategory


def listings_in(
    *,
    channel: Channel | None = None,
    category: ItemCategory | None = None,
    item: Item | None = None,
    listing: Listing | None = None,
) -> QuerySet[Listing]:
    """The published listings a scope covers; a category with everything below it."""
    covered = Listing.objects.published()
    if listing is not None:
        return covered.filter(pk=listing.pk)
    if channel is not None:
        covered = covered.filter(channel=channel)
    if item is not None:
        covered = covered.filter(item=item)
    if category is not None:
        covered = covered.filter(item__category__in=with_all_below(category))
    return covered


def items_in(
    *,
    channel: Channel | None = None,
    category: ItemCategory | None = None,
    item: Item | None = None,
    listing: Listing | None = None,
) -> set[int]:
    """Ids of the items a scope touches. Sisters of its listings are listings of the same items, so they are in it too."""
    if listing is not None:
        return {listing.item_id}
    if item is not None:
        return {item.pk}
    covered = listings_in(channel=channel, category=category)
    return set(covered.order_by().values_list("item_id", flat=True))


def with_all_below(category: ItemCategory) -> set[int]:
    """Ids of a category and of all below it."""
    children: dict[int | None, list[int]] = {}
    for pk, parent in ItemCategory.objects.values_list("pk", "parent_id"):
        children.setdefault(parent, []).append(pk)
    found: set[int] = set()
    waiting = [category.pk]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += children.get(current, ())
    return found
