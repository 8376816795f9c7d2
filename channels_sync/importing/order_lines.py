"""Import of order lines as shops export them: lines of one item, channel and day become what was sold that day."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from django.conf import settings
from django.db.models.functions import Upper
from django.utils import timezone

from channels_sync.importing.demand import known_demand
from channels_sync.models import Channel, Listing
from channels_sync.operations.demand import DaySold, record_demand
from inventory.importing.cells import NumberStyle, read_date, read_number, read_price
from inventory.importing.errors import CellError
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.models import Item
from inventory.operations.posting import Actor
from inventory.quantities import PLACES, ZERO, as_text, is_exact, round_half_up

FIELDS = (
    Field(
        "item", "StockCode", ("stock code", "sku", "item", "item sku", "item code", "lineitem sku", "product code"),
        is_required=True, help_text="Our SKU, or the channel's for one of its listings.",
    ),
    Field(
        "at", "InvoiceDate", ("invoice date", "order date", "date", "day", "created at", "purchase date", "ordered at"),
        is_required=True, help_text="Day, with or without a time.",
    ),
    Field(
        "quantity", "Quantity", ("quantity", "qty", "lineitem quantity", "units", "quantity purchased"), is_required=True,
        help_text="Packs of the listing, or stock units under our SKU. Below zero: cancelled or returned, left out.",
    ),
    Field(
        "channel", "Channel", ("channel", "channel code", "shop", "sales channel", "marketplace"),
        help_text="Its code. May be left out where there is only one channel.",
    ),
    Field(
        "price", "Price", ("price", "unit price", "lineitem price", "item price", "price each"),
        help_text="Of one unit of the line, in base currency. May be left out; oversells are then worth what units cost.",
    ),
    Field("order", "Invoice", ("invoice", "order", "order id", "order number", "name", "amazon order id")),
)  # fmt: skip
_TIME = re.compile(r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?( ?(Z|UTC|[+-]\d{2}:?\d{2}))?$")
_CANCELLED = re.compile(r"^C\d+$")
"""How the invoices of UCI's Online Retail mark a cancellation."""


@dataclass(slots=True)
class _Day:
    """What the lines of one item, channel and day add up to; it is shown at the first of them."""

    sold: DaySold
    first: int
    total: Decimal = ZERO
    taken: Decimal | None = ZERO
    """What was paid for it; None when a line does not say so."""
    rows: list[int] = field(default_factory=list)


def import_order_lines(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Take over what order lines add up to; see running.ImportKind. A day that is known already gets the figure of the file.

    A file must hold whole days, for what it says of a day takes the place of what was known. Cancelled and returned lines
    are left out, since the customer asked for them first.
    """
    report = Report.of("order_lines", table)
    columns = find_columns(table, FIELDS)
    readers = list(read_rows(table, columns, report, numbers=("quantity", "price")))
    channels = {channel.code.casefold(): channel for channel in Channel.objects.all()}
    only = next(iter(channels.values())) if len(channels) == 1 else None
    skus = {reader.text("item") for reader in readers}
    items = items_by_sku(skus)
    listings = _listings(skus)
    days: dict[tuple[int, int, date], _Day] = {}
    for reader in readers:
        label = f"{reader.text('item')}, {reader.text('at')}"
        if _is_left_out(reader):
            report.add(reader.number, Outcome.SKIPPED, label)
            continue
        line = _read(reader, channels, items, listings, only)
        if line is None:
            report.add(reader.number, Outcome.REFUSED, label)
            continue
        one = days.setdefault((line.item.pk, line.channel.pk, line.day), _Day(line, reader.number))
        one.total += line.quantity
        one.taken = (
            None if one.taken is None or line.unit_price is None else one.taken + line.quantity * line.unit_price
        )
        one.rows.append(reader.number)
    rows = [
        DaySold(one.sold.channel, one.sold.item, one.sold.day, one.total, _average(one.taken, one.total))
        for one in days.values()
    ]
    known = known_demand(rows)
    for one in days.values():
        label = f"{one.sold.item.sku} on {one.sold.channel.code}, {one.sold.day}"
        before = known.get((one.sold.item.pk, one.sold.channel.pk, one.sold.day))
        changes = []
        outcome = Outcome.UNCHANGED
        if before != one.total:
            outcome = Outcome.NEW if before is None else Outcome.CHANGED
            changes = [Change("Sold that day", "" if before is None else as_text(before), as_text(one.total))]
        report.add(one.first, outcome, label, changes=changes)
        for number in one.rows[1:]:
            report.add(number, Outcome.UNCHANGED, f"{label}: counted in row {one.first}")
    record_demand(rows=rows, source=table.name)
    report.results.sort(key=lambda result: result.row)
    return report


def _average(taken: Decimal | None, total: Decimal) -> Decimal | None:
    """Price of a stock unit on average."""
    return None if taken is None or not total else round_half_up(Fraction(taken) / Fraction(total), PLACES)


def _is_left_out(reader: RowReader) -> bool:
    """A cancellation, a return, or a line without an item or quantity: nothing anybody asked for."""
    if not reader.text("item") or _CANCELLED.match(reader.text("order")):
        return True
    try:
        return read_number(reader.text("quantity"), style=reader.style("quantity")) <= ZERO
    except CellError:
        return False


def _listings(skus: Collection[str]) -> dict[tuple[int, str], Listing]:
    """The listings with one of these SKUs on their channel, by channel and SKU in capitals."""
    wanted = [sku.upper() for sku in skus if sku]
    found = Listing.objects.annotate(capitals=Upper("external_sku")).filter(capitals__in=wanted).select_related("item")
    return {(one.channel_id, one.external_sku.upper()): one for one in found}


def _read(
    reader: RowReader,
    channels: Mapping[str, Channel],
    items: Mapping[str, Item],
    listings: Mapping[tuple[int, str], Listing],
    only: Channel | None,
) -> DaySold | None:
    named = reader.text("channel")
    channel = channels.get(named.casefold()) if named else only
    if channel is None:
        words = f"there is no channel “{named}”." if named else "there are several channels, and the row names none."
        reader.refuse("channel", f"{words} Give the code of one.")
    sku = reader.text("item").upper()
    listing = None if channel is None else listings.get((channel.pk, sku))
    item = items.get(sku) if listing is None else listing.item
    if item is None:
        reader.refuse("item", f"there is no item {reader.text('item')}. Import the items first, or correct the SKU.")
    day = reader.read("at", _read_day)
    if day is None:
        reader.refuse("at", "the date is empty. Type it as year-month-day.")
    elif day > timezone.localdate():
        reader.refuse("at", "it has not come yet. Give days that are over.")
    quantity = reader.read("quantity", _reader_of(reader.style("quantity")))
    if quantity is None or not is_exact(quantity if listing is None else quantity * listing.pack_size):
        reader.refuse("quantity", "there is no quantity of at most six decimal places. Type what was ordered.")
    price = reader.read("price", _price_reader(reader.style("price")))
    if channel is None or item is None or day is None or quantity is None or not reader.is_clean:
        return None
    pack = Decimal(1) if listing is None else listing.pack_size
    unit_price = None if price is None else round_half_up(Fraction(price) / Fraction(pack), PLACES)
    return DaySold(channel, item, day, quantity * pack, unit_price)


def _price_reader(style: NumberStyle) -> Callable[[str], Decimal]:
    def read(text: str) -> Decimal:
        price, per = read_price(text, currency=settings.BASE_CURRENCY, style=style)
        if per or price < ZERO:
            raise CellError(f"“{text}” is no price of a unit. Type what one unit was sold for.")
        return price

    return read


def _reader_of(style: NumberStyle) -> Callable[[str], Decimal]:
    return lambda text: read_number(text, style=style)


def _read_day(text: str) -> date:
    """A day, whatever time stands behind it."""
    return read_date(_TIME.sub("", text.strip()))


ORDER_LINES = ImportKind(
    name="order_lines",
    title="Order lines",
    help_text="Orders as a shop exports them, a row for each line. They are added up to what each channel sold of an item "
    "on a day, which the simulator replays. A file must hold whole days.",
    permissions=("channels_sync.change_allocationpolicy",),
    fields=FIELDS,
    options=(),
    perform=import_order_lines,
    order=86,
)
