"""Import of listings: offers of items on channels. Figures are worked out, and sent, soon after."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from channels_sync.models import Channel, Listing
from channels_sync.operations.offering import save_listings
from inventory.importing.cells import read_number, read_yes
from inventory.importing.errors import CellError
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.reports import Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table, canonical
from inventory.importing.upkeep import (
    Entry,
    check_model,
    compare,
    leave_out_blank,
    tell,
    text_of,
    without_repetitions,
)
from inventory.models import Item
from inventory.operations.posting import Actor

FIELDS = (
    Field("channel", "Channel", ("channel", "channel code", "shop"), is_required=True, help_text="Its code."),
    Field(
        "external_sku",
        "SKU on the channel",
        ("sku on the channel", "channel sku", "external sku", "listing sku", "sku"),
        is_required=True,
        help_text="A known one is brought up to date.",
    ),
    Field("item", "Item", ("item", "item sku", "item code", "our sku"), help_text="Our SKU; empty: the same."),
    Field("title", "Title", ("title", "name", "product title")),
    Field("pack_size", "Pack size", ("pack size", "pack", "units per sale"), help_text="Stock units in one sold unit."),
    Field("external_item_id", "Id on the channel", ("id on the channel", "external item id", "inventory item id")),
    Field("is_active", "Active", ("active", "is active", "enabled")),
)


def import_listings(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Make and update the listings of a table; see running.ImportKind."""
    report = Report.of("listings", table)
    columns = find_columns(table, FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=("pack_size",)),
        report,
        key="external_sku",
        words="the SKU on the channel is empty. Fill it, or delete the row.",
    )
    readers = without_repetitions(readers, report, key=_key, column="external_sku", label="external_sku")
    channels = {channel.code.casefold(): channel for channel in Channel.objects.all()}
    items = items_by_sku({_item_word(reader) for reader in readers})
    known = {
        (listing.channel_id, canonical(listing.external_sku).upper()): listing
        for listing in Listing.objects.select_for_update(of=("self",), no_key=True)
        .select_related("item", "channel")
        .filter(channel__code__in=[channel.code for channel in channels.values()])
        .order_by("pk")
    }
    entries = [entry for reader in readers if (entry := _entry(reader, channels, items, known)) is not None]
    save_listings(
        new=[entry.instance for entry in entries if entry.is_new],
        changed=[entry.instance for entry in entries if not entry.is_new and entry.fields],
        fields=sorted({name for entry in entries if not entry.is_new for name in entry.fields}),
        actor=actor,
        reason="import",
    )
    return tell(report, readers, entries, label="external_sku")


def _key(reader: RowReader) -> object:
    return (reader.text("channel").casefold(), reader.text("external_sku").upper())


def _item_word(reader: RowReader) -> str:
    return reader.text("item") or reader.text("external_sku")


def _entry(
    reader: RowReader,
    channels: Mapping[str, Channel],
    items: Mapping[str, Item],
    known: Mapping[tuple[int, str], Listing],
) -> Entry[Listing] | None:
    channel = channels.get(reader.text("channel").casefold())
    if channel is None:
        there_are = ", ".join(sorted(one.code for one in channels.values())) or "none yet"
        reader.refuse(
            "channel", f"there is no channel “{reader.text('channel')}”. Channels by their code: {there_are}."
        )
    sku = reader.read("external_sku", text_of(100))
    values = _values(reader)
    if channel is None or not sku or not reader.is_clean:
        return None
    listing = known.get((channel.pk, sku.upper()))
    item = items.get(_item_word(reader).upper())
    if item is None and (listing is None or reader.has("item")):
        words = f"there is no item {_item_word(reader)}. Import the items first, or correct the SKU."
        reader.refuse("item" if reader.has("item") else "external_sku", words)
        return None
    is_new = listing is None
    if listing is None:
        assert item is not None, "a new listing without an item was refused above"
        if not item.is_active or not item.is_sellable:
            why = "not marked as sellable" if item.is_active else "inactive"
            reader.refuse("item", f"{item.sku} is {why}, so it cannot be listed. Change the item first.")
            return None
        listing = Listing(channel=channel, item=item, external_sku=sku)
        values.setdefault("title", item.name)
    elif reader.has("item") and item is not None and item.pk != listing.item_id:
        reader.refuse("item", f"{sku} on {channel.name} offers {listing.item.sku}; that stays. Make another listing.")
        return None
    entry = compare(reader, listing, label=f"{sku} on {channel.code}", is_new=is_new, values=values, fields=FIELDS)
    check_model(reader, listing, exclude=("channel", "item"))
    return entry if reader.is_clean else None


def _values(reader: RowReader) -> dict[str, Any]:
    readers: dict[str, Any] = {
        "title": text_of(250),
        "pack_size": lambda text: _pack(text, reader),
        "external_item_id": text_of(100),
        "is_active": read_yes,
    }
    found = {name: reader.read(name, read) for name, read in readers.items()}
    return {name: value for name, value in found.items() if value is not None}


def _pack(text: str, reader: RowReader) -> Decimal:
    size = read_number(text, style=reader.style("pack_size"))
    if size <= 0:
        raise CellError(f"a pack of {text} cannot be sold. Type a number above zero.")
    return size


LISTINGS = ImportKind(
    name="listings",
    title="Listings",
    help_text="What is offered on which channel, in which pack. Empty cells and missing columns change nothing.",
    permissions=("channels_sync.add_listing", "channels_sync.change_listing"),
    fields=FIELDS,
    options=(),
    perform=import_listings,
    order=70,
)
