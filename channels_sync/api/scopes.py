"""Scope and terms of a rule, out of the body of a request."""

from typing import Any

from rest_framework.exceptions import ValidationError

from channels_sync.allocation.vocabulary import COLUMNS
from channels_sync.models import Channel, Listing
from inventory.api.references import find_items, find_one
from inventory.models import ItemCategory


def scope_of(values: dict[str, Any]) -> dict[str, Any]:
    """Takes the scope out of `values`. Raises ValidationError for one that says two things."""
    channel, category = values.pop("channel"), values.pop("category_id")
    item, listing = values.pop("item"), values.pop("listing_id")
    if listing is not None and (channel is not None or item is not None or category is not None):
        raise ValidationError({"listing_id": ["A listing says its channel and item itself. Give it alone."]})
    if item is not None and category is not None:
        raise ValidationError({"category_id": ["A rule is for an item or for a category. Give one of them."]})
    found: dict[str, Any] = {}
    if channel is not None:
        found["channel"] = find_one(Channel, "code", where=("channel",), name=channel, what="channel")
    if category is not None:
        found["category"] = find_one(ItemCategory, "id", where=("category_id",), name=category, what="category")
    if item is not None:
        (found["item"],) = find_items([(("item",), item)])
    if listing is not None:
        found["listing"] = find_one(Listing, "id", where=("listing_id",), name=listing, what="listing")
    return found


def terms_of(values: dict[str, Any]) -> dict[str, Any]:
    """Takes the terms out of `values`."""
    return {column: values.pop(column) for column in COLUMNS}
