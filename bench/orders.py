"""A year of real orders for the simulator: Online Retail II of the UCI Machine Learning Repository (CC BY 4.0).

The whole year is read from the data folder beside the repository; where that is absent, an excerpt of twenty products stands
in for it. Assumed, since the data do not say it: seven of ten invoices came through the shop and three through a marketplace,
by the last digit of their number; supply is ordered up to a level (7 days of lead time, 14 more of cover), which is there at
the start. Cancelled lines are left out, the customer asked first.
"""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path

from bench.database import ROOT
from channels_sync.simulation import ItemCase, Order, Supply, orders_from_lines
from channels_sync.simulation.case import DAY_MINUTES, PARTS

WHOLE = ROOT.parent / "shared" / "data" / "orders" / "uci_online_retail_2"
EXCERPT = Path(__file__).parent / "excerpts" / "online_retail_ii.csv"
FIRST_DAY = date(2009, 12, 1)
DAYS = 365
SHOP, MARKET = 1, 2
LATE_MINUTES = {SHOP: 2, MARKET: 20}
"""Minutes until news is shown: a shop of one's own hears sooner than a marketplace."""
LEAD_DAYS, COVER_DAYS = 7, 14


@dataclass(frozen=True, slots=True)
class OrderLine:
    """`units` of `sku` asked for on a channel, `minute` minutes after FIRST_DAY began."""

    sku: str
    channel: int
    minute: int
    units: int


def order_lines(*, excerpt: bool = False) -> Iterator[OrderLine]:
    """Lines of products that somebody asked for, in the order of the files."""
    begins = datetime.combine(FIRST_DAY, datetime.min.time())
    for row in rows_of_products(excerpt=excerpt):
        invoice, units = row["Invoice"], int(row["Quantity"])
        if units <= 0 or not invoice.isdigit():
            continue
        at = datetime.fromisoformat(row["InvoiceDate"])  # of one shop, one zone
        yield OrderLine(row["StockCode"], channel_of(invoice), int((at - begins).total_seconds()) // 60, units)


def rows_of_products(*, excerpt: bool = False) -> Iterator[dict[str, str]]:
    """Rows of the files that are about a product, cancelled and returned ones too; codes in capital letters."""
    for row in _rows(excerpt=excerpt):
        row["StockCode"] = row["StockCode"].upper()
        if row["StockCode"][:5].isdigit():
            yield row


def channel_of(invoice: str) -> int:
    """The channel that is assumed of an invoice."""
    return SHOP if int(invoice[-1]) < 7 else MARKET


def _rows(*, excerpt: bool) -> Iterator[dict[str, str]]:
    if excerpt or not WHOLE.is_dir():
        with EXCERPT.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
        return
    for path in sorted(WHOLE.glob("orders_*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as packed:
            yield from csv.DictReader(packed)


def cases(lines: Iterator[OrderLine]) -> list[ItemCase]:
    """An item for each product, offered on both channels in single units."""
    by_sku: dict[str, dict[int, list[tuple[int, int]]]] = {}
    for line in lines:
        channels = by_sku.setdefault(line.sku, {SHOP: [], MARKET: []})
        channels[line.channel].append((line.minute, line.units * PARTS))
    return [_case(number, sku, by_sku[sku]) for number, sku in enumerate(sorted(by_sku), start=1)]


def _case(number: int, sku: str, sold: dict[int, list[tuple[int, int]]]) -> ItemCase:
    parts = sum(parts for lines in sold.values() for _, parts in lines)
    supply = Supply.by_cover(daily=Fraction(parts, DAYS), lead_days=LEAD_DAYS, cover_days=COVER_DAYS)
    demand: dict[int, dict[int, int]] = {}
    for channel, lines in sold.items():
        days = demand.setdefault(channel, {})
        for minute, asked in lines:
            days[minute // DAY_MINUTES] = days.get(minute // DAY_MINUTES, 0) + asked
    orders: list[Order] = []
    for place, channel in enumerate((SHOP, MARKET)):
        orders += orders_from_lines(sold[channel], place=place, pack=PARTS)
    return ItemCase(
        item_id=number,
        sku=sku,
        start=supply.level,
        packs=(PARTS, PARTS),
        channels=(SHOP, MARKET),
        late=(LATE_MINUTES[SHOP], LATE_MINUTES[MARKET]),
        orders=sorted(orders),
        supply=supply,
        demand=demand,
    )
