"""Listings and rules as their imports read them."""

from collections.abc import Iterator

from channels_sync.models import AllocationPolicy, Listing
from inventory.importing.exporting import CHUNK_ROWS, Cell, ExportKind, yes


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
    found = (
        AllocationPolicy.objects.filter(effective_to__isnull=True)
        .select_related("channel", "item", "listing__channel")
        .order_by("pk")
    )
    for rule in found.iterator(chunk_size=CHUNK_ROWS):
        channel = rule.listing.channel if rule.listing is not None else rule.channel
        yield [
            "" if channel is None else channel.code,
            "" if rule.item is None else rule.item.sku,
            "" if rule.listing is None else rule.listing.external_sku,
            rule.percent,
            rule.buffer,
            rule.minimum_to_list,
            rule.maximum_to_list,
            rule.note,
        ]


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
    columns=("channel", "item", "listing", "percent", "buffer", "minimum_to_list", "maximum_to_list", "note"),
    rows=_policies,
    count=lambda: AllocationPolicy.objects.filter(effective_to__isnull=True).count(),
    note="Only rules in force; earlier versions stay in the history.",
)
