"""Listings and rules as their imports read them."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from channels_sync.allocation.vocabulary import COLUMNS
from channels_sync.models import AllocationPolicy, ChannelDemand, Listing
from inventory.importing.exporting import CHUNK_ROWS, Cell, ExportKind, yes
from inventory.importing.paths import Categories


def _listings() -> Iterator[list[Cell]]:
    found = Listing.objects.select_related("channel", "item").order_by("channel__code", "external_sku", "pk")
    for listing in found.iterator(chunk_size=CHUNK_ROWS):
        yield [
            listing.channel.code,
            listing.external_sku,
            listing.item.sku,
            listing.title,
            listing.pack_size,
            listing.external_item_id,
            yes(listing.is_active),
        ]


def _policies() -> Iterator[list[Cell]]:
    found = AllocationPolicy.objects.standing().select_related("channel", "item", "listing__channel").order_by("pk")
    categories = Categories()
    for rule in found.iterator(chunk_size=CHUNK_ROWS):
        channel = rule.listing.channel if rule.listing is not None else rule.channel
        yield [
            "" if channel is None else channel.code,
            categories.text_of(rule.category_id),
            "" if rule.item is None else rule.item.sku,
            "" if rule.listing is None else rule.listing.external_sku,
            *(_cell(getattr(rule, column)) for column in COLUMNS),
            rule.note,
        ]


def _cell(value: Any) -> Cell:
    return value.isoformat() if isinstance(value, date) else value


def _demand() -> Iterator[list[Cell]]:
    found = ChannelDemand.objects.select_related("channel", "item").order_by("day", "channel__code", "item__sku", "pk")
    for row in found.iterator(chunk_size=CHUNK_ROWS):
        yield [row.channel.code, row.item.sku, row.day.isoformat(), row.quantity]


LISTINGS_OUT = ExportKind(
    name="listings",
    permission="channels_sync.view_listing",
    columns=("channel", "external_sku", "item", "title", "pack_size", "external_item_id", "is_active"),
    rows=_listings,
    count=Listing.objects.count,
)
POLICIES_OUT = ExportKind(
    name="policies",
    permission="channels_sync.view_allocationpolicy",
    columns=("channel", "category", "item", "listing", *COLUMNS, "note"),
    rows=_policies,
    count=lambda: AllocationPolicy.objects.standing().count(),
    note="Only lasting rules in force; earlier versions stay in the history, campaigns are not in it.",
)
DEMAND_OUT = ExportKind(
    name="demand",
    permission="channels_sync.view_allocationpolicy",
    columns=("channel", "item", "day", "quantity"),
    rows=_demand,
    count=ChannelDemand.objects.count,
)
