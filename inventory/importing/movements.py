"""Imports of many receipts, transfers, adjustments and scraps: a row each."""

from decimal import Decimal
from fractions import Fraction

from django.conf import settings

from inventory.errors import DomainError
from inventory.importing.cells import read_choice, read_date, read_price, usual_spelling
from inventory.importing.headers import Field
from inventory.importing.opening_stock import STATUS_WORDS
from inventory.importing.reports import Report
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.stock_rows import (
    HAPPENED_ON,
    ITEM,
    KEY,
    LOCATION,
    LOT,
    NOTE,
    QUANTITY,
    REASON,
    REFERENCE,
    STATUS,
    UNIT,
    Places,
    StockRow,
    import_rows,
    named_lots,
)
from inventory.importing.tables import Table
from inventory.models import Posting, StockStatus
from inventory.operations.adjusting import adjust_stock
from inventory.operations.checking import to_stock_unit
from inventory.operations.issuing import scrap_stock
from inventory.operations.posting import Actor
from inventory.operations.receiving import ReceiptLine, receive_stock
from inventory.operations.transferring import transfer_stock
from inventory.quantities import ZERO, round_half_up

EXPIRES_ON = Field("expires_on", "Expires", ("expires on", "expiry date", "expiry", "best before", "expires"))
UNIT_COST = Field(
    "unit_cost",
    "Unit cost",
    ("unit cost", "cost", "purchase price", "unit price", "cost price"),
    help_text="Of one unit of the row. Leave it empty when it is not known; zero means it cost nothing.",
)
VALUE = Field("value", "Value", ("value", "total cost", "stock value", "total value"), help_text="Of all of the row.")
SUPPLIER_LOT = Field("supplier_lot", "Supplier lot", ("supplier lot", "supplier batch"))
SOURCE = Field("source", "From", ("from", "source", "from location", "source location"))
TARGET = Field("target", "To", ("to", "target", "to location", "target location", "destination"), is_required=True)
COMMON = (ITEM, QUANTITY, UNIT)
TAIL = (HAPPENED_ON, NOTE, KEY)
AGAIN = "The same file again changes nothing, and a key is used once."


def read_status(row: StockRow, default: str, name: str = "status") -> str:
    """The status that a cell names, in any of its words."""
    return row.reader.read(name, lambda text: read_choice(text, STATUS_WORDS, what="status")) or default


def read_value(row: StockRow) -> Decimal | None:
    """What all of the row is worth; None when the file does not say. A unit price is rounded once, to the currency."""
    currency, reader = settings.BASE_CURRENCY, row.reader
    total = reader.read("value", lambda text: read_price(text, currency=currency))
    if total is not None:
        return total[0]
    price = reader.read("unit_cost", lambda text: read_price(text, currency=currency))
    if price is None:
        return None
    per = usual_spelling(price[1]) or row.unit
    try:
        of_one = Fraction(to_stock_unit(row.item, Decimal(1), per))
    except DomainError as error:
        reader.refuse("unit_cost", f"the price is per {per}: {error.message}")
        return None
    return round_half_up(Fraction(price[0]) * Fraction(abs(row.quantity)) / of_one, settings.CURRENCY_STEP)


def _receive(row: StockRow, places: Places, actor: Actor) -> Posting | None:  # noqa: ARG001
    value, status = read_value(row), read_status(row, "")
    expires_on = row.reader.read("expires_on", read_date)
    if not row.reader.is_clean or row.location is None:
        return None
    line = ReceiptLine(
        item=row.item,
        location=row.location,
        quantity=row.quantity,
        value=value,
        lot_code=row.lot_code,
        expires_on=expires_on,
        supplier_lot=row.text("supplier_lot", 64),
        status=status,
    )
    return receive_stock(
        key=row.key,
        lines=[line],
        actor=actor,
        effective_at=row.effective_at,
        reference=row.text("reference"),
        note=row.text("note", 500),
    ).posting


def _transfer(row: StockRow, places: Places, actor: Actor) -> Posting | None:
    target, status, lots = places.read(row.reader, "target"), read_status(row, StockStatus.AVAILABLE), named_lots(row)
    if not row.reader.is_clean or row.location is None or target is None:
        return None
    return transfer_stock(
        key=row.key,
        item=row.item,
        source=row.location,
        target=target,
        quantity=row.quantity,
        status=status,
        lots=lots,
        actor=actor,
        effective_at=row.effective_at,
        reference=row.text("reference"),
        note=row.text("note", 500),
    ).posting


def _adjust(row: StockRow, places: Places, actor: Actor) -> Posting | None:  # noqa: ARG001
    is_found = row.quantity > ZERO
    value, status = read_value(row), read_status(row, StockStatus.AVAILABLE)
    expires_on = row.reader.read("expires_on", read_date)
    lots = () if is_found else named_lots(row)
    if not row.reader.is_clean or row.location is None:
        return None
    return adjust_stock(
        key=row.key,
        item=row.item,
        location=row.location,
        quantity=row.quantity,
        reason=row.text("reason"),
        status=status,
        lot_code=row.lot_code if is_found else "",
        expires_on=expires_on if is_found else None,
        lots=lots,
        value=value if is_found else None,
        actor=actor,
        effective_at=row.effective_at,
        reference=row.text("reference"),
        note=row.text("note", 500),
    ).posting


def _scrap(row: StockRow, places: Places, actor: Actor) -> Posting | None:  # noqa: ARG001
    status, lots = read_status(row, StockStatus.AVAILABLE), named_lots(row)
    if not row.reader.is_clean or row.location is None:
        return None
    return scrap_stock(
        key=row.key,
        item=row.item,
        location=row.location,
        quantity=row.quantity,
        reason=row.text("reason"),
        status=status,
        lots=lots,
        actor=actor,
        effective_at=row.effective_at,
        note=row.text("note", 500),
    ).posting


RECEIPT_FIELDS = (*COMMON, LOCATION, LOT, EXPIRES_ON, STATUS, UNIT_COST, VALUE, SUPPLIER_LOT, REFERENCE, *TAIL)
TRANSFER_FIELDS = (*COMMON, SOURCE, TARGET, LOT, STATUS, REFERENCE, *TAIL)
ADJUSTMENT_FIELDS = (*COMMON, LOCATION, REASON, LOT, EXPIRES_ON, STATUS, UNIT_COST, VALUE, REFERENCE, *TAIL)
SCRAP_FIELDS = (*COMMON, LOCATION, REASON, LOT, STATUS, *TAIL)


def import_receipts(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Receive every row of a table; see running.ImportKind."""
    return import_rows(table, options, actor, kind="receipts", fields=RECEIPT_FIELDS, record=_receive)


def import_transfers(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Carry every row of a table; see running.ImportKind."""
    return import_rows(
        table, options, actor, kind="transfers", fields=TRANSFER_FIELDS, record=_transfer, place_field="source"
    )


def import_adjustments(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Raise or lower the book by every row of a table; see running.ImportKind."""
    return import_rows(
        table, options, actor, kind="adjustments", fields=ADJUSTMENT_FIELDS, record=_adjust, is_signed=True
    )


def import_scraps(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Write off every row of a table; see running.ImportKind."""
    return import_rows(table, options, actor, kind="scraps", fields=SCRAP_FIELDS, record=_scrap)


RECEIPTS = ImportKind(
    name="receipts",
    title="Receipts",
    help_text=f"Goods that came in, a row for each. {AGAIN}",
    permissions=("inventory.receive_stock",),
    fields=RECEIPT_FIELDS,
    options=("location",),
    perform=import_receipts,
    order=40,
)
TRANSFERS = ImportKind(
    name="transfers",
    title="Transfers",
    help_text=f"Goods that changed their place. {AGAIN}",
    permissions=("inventory.transfer_stock",),
    fields=TRANSFER_FIELDS,
    options=("location",),
    perform=import_transfers,
    order=41,
)
ADJUSTMENTS = ImportKind(
    name="adjustments",
    title="Adjustments",
    help_text=f"By how much the book is raised, or lowered with a minus, and why. {AGAIN}",
    permissions=("inventory.adjust_stock",),
    fields=ADJUSTMENT_FIELDS,
    options=("location",),
    perform=import_adjustments,
    order=42,
)
SCRAPS = ImportKind(
    name="scraps",
    title="Scrap",
    help_text=f"Goods that are lost to use, with the reason. Tracked items name their lot. {AGAIN}",
    permissions=("inventory.scrap_stock",),
    fields=SCRAP_FIELDS,
    options=("location",),
    perform=import_scraps,
    order=43,
)
