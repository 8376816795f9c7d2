"""Import of what channels sold: one row for an item, a channel and a day."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from django.utils import timezone

from channels_sync.models import Channel, ChannelDemand
from channels_sync.operations.demand import DaySold, record_demand
from inventory.importing.cells import read_date
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.importing.upkeep import leave_out_blank, not_negative, without_repetitions
from inventory.models import Item
from inventory.operations.posting import Actor
from inventory.quantities import as_text, is_exact

FIELDS = (
    Field("channel", "Channel", ("channel", "channel code", "shop"), is_required=True, help_text="Its code."),
    Field("item", "Item", ("item", "item sku", "sku", "item code"), is_required=True, help_text="Our SKU."),
    Field("day", "Day", ("day", "date", "sold on"), is_required=True),
    Field(
        "quantity", "Quantity", ("quantity", "qty", "sold", "units", "demand"), is_required=True,
        help_text="Sold that day, in stock units; 0 for nothing.",
    ),
)  # fmt: skip


def import_demand(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Take over what was sold; see running.ImportKind. A day that is known already gets the figure of the file."""
    report = Report.of("demand", table)
    columns = find_columns(table, FIELDS)
    rows = read_rows(table, columns, report, numbers=("quantity",))
    named = leave_out_blank(rows, report, key="item", words="the item is empty. Give its SKU.")
    readers = without_repetitions(named, report, key=_key, column="item", label="item")
    channels = {channel.code.casefold(): channel for channel in Channel.objects.all()}
    items = items_by_sku({reader.text("item") for reader in readers})
    wanted = [(reader, _read(reader, channels, items)) for reader in readers]
    sold = [row for _, row in wanted if row is not None]
    known = known_demand(sold)
    for reader, row in wanted:
        label = f"{reader.text('item')} on {reader.text('channel')}, {reader.text('day')}"
        if row is None:
            report.add(reader.number, Outcome.REFUSED, label)
            continue
        before = known.get((row.item.pk, row.channel.pk, row.day))
        if before == row.quantity:
            report.add(reader.number, Outcome.UNCHANGED, label)
            continue
        outcome = Outcome.NEW if before is None else Outcome.CHANGED
        change = Change("Quantity", "" if before is None else as_text(before), as_text(row.quantity))
        report.add(reader.number, outcome, label, changes=[change])
    record_demand(rows=sold, source=table.name)
    report.results.sort(key=lambda result: result.row)
    return report


def _key(reader: RowReader) -> object:
    return (reader.text("channel").casefold(), reader.text("item").upper(), reader.text("day"))


def _read(reader: RowReader, channels: Mapping[str, Channel], items: Mapping[str, Item]) -> DaySold | None:
    channel = channels.get(reader.text("channel").casefold())
    if channel is None:
        reader.refuse("channel", f"there is no channel “{reader.text('channel')}”. Give the code of one.")
    item = items.get(reader.text("item").upper())
    if item is None:
        reader.refuse("item", f"there is no item {reader.text('item')}. Import the items first, or correct the SKU.")
    day = reader.read("day", read_date)
    if day is None:
        reader.refuse("day", "the day is empty. Type it as year-month-day.")
    elif day > timezone.localdate():
        reader.refuse("day", "it has not come yet. Give days that are over.")
    quantity = reader.read("quantity", not_negative(reader.style("quantity")))
    if quantity is None:
        reader.refuse("quantity", "the quantity is empty. Type what was sold, 0 for nothing.")
    elif not is_exact(quantity):
        reader.refuse("quantity", "it has more than six decimal places. Shorten it.")
    if channel is None or item is None or day is None or quantity is None or not reader.is_clean:
        return None
    return DaySold(channel, item, day, quantity)


def known_demand(sold: Sequence[DaySold]) -> dict[tuple[int, int, date], Decimal]:
    """What is recorded of the items between the first and the last of these days, by item id, channel id and day."""
    if not sold:
        return {}
    rows = ChannelDemand.objects.filter(
        item__in={row.item.pk for row in sold},
        day__gte=min(row.day for row in sold),
        day__lte=max(row.day for row in sold),
    )
    return {(row.item_id, row.channel_id, row.day): row.quantity for row in rows}


DEMAND = ImportKind(
    name="demand",
    title="Channel demand",
    help_text="What each channel sold of an item on a day. It decides buffers in days, shares by demand, and scarcity.",
    permissions=("channels_sync.change_allocationpolicy",),
    fields=FIELDS,
    options=(),
    perform=import_demand,
    order=85,
)
