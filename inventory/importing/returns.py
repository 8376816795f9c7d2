"""Imports of many returns, from customers and to suppliers: a row each."""

from decimal import Decimal

from django.conf import settings

from inventory.errors import WrongState
from inventory.importing.cells import read_date, read_price
from inventory.importing.headers import Field
from inventory.importing.movements import AGAIN, COMMON, EXPIRES_ON, TAIL, UNIT_COST, VALUE, read_status, read_value
from inventory.importing.reports import Report
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.stock_rows import (
    LOCATION,
    LOT,
    REASON,
    REFERENCE,
    STATUS,
    Places,
    StockRow,
    import_rows,
    named_lots,
)
from inventory.importing.tables import Table
from inventory.models import Posting, PostingKind, StockStatus
from inventory.operations.posting import Actor
from inventory.operations.returning import (
    CustomerReturnLine,
    SupplierReturnLine,
    return_from_customer,
    return_to_supplier,
)
from inventory.reads.returning import find_origin

SHIPMENT = Field(
    "shipment",
    "Shipment",
    ("shipment", "shipment number", "shipped with"),
    help_text="Its number or reference. The goods are then worth what they left with.",
)
RECEIPT = Field(
    "receipt",
    "Receipt",
    ("receipt", "receipt number", "received with"),
    help_text="Its number or reference, when it is known what they came with.",
)
CREDIT = Field(
    "credit",
    "Credit",
    ("credit", "credit note", "refund"),
    help_text="What the supplier gives back for all of the row. The difference to the cost is purchase variance.",
)


def _origin(row: StockRow, name: str, kind: PostingKind) -> Posting | None:
    text = row.reader.text(name)
    try:
        return find_origin(kind=kind, text=text) if text else None
    except WrongState as error:
        row.reader.refuse(name, error.message)
        return None


def _take_back(row: StockRow, places: Places, actor: Actor) -> Posting | None:  # noqa: ARG001
    shipment, value = _origin(row, "shipment", PostingKind.SHIPMENT), read_value(row)
    status, expires_on = read_status(row, StockStatus.QUARANTINE), row.reader.read("expires_on", read_date)
    if shipment is not None and value is not None:
        name = "value" if row.reader.has("value") else "unit_cost"
        row.reader.refuse(name, f"what came back of {shipment} is worth what it left with. Leave the cell empty.")
    if not row.reader.is_clean or row.location is None:
        return None
    line = CustomerReturnLine(
        item=row.item,
        location=row.location,
        quantity=row.quantity,
        status=status,
        lot_code=row.lot_code,
        expires_on=expires_on,
        value=value,
    )
    return return_from_customer(
        key=row.key,
        lines=[line],
        shipment=shipment,
        actor=actor,
        effective_at=row.effective_at,
        reference=row.text("reference"),
        reason=row.text("reason"),
        note=row.text("note", 500),
    ).posting


def _credit(row: StockRow) -> Decimal | None:
    price = row.reader.read("credit", lambda text: read_price(text, currency=settings.BASE_CURRENCY))
    return None if price is None else price[0]


def _send_back(row: StockRow, places: Places, actor: Actor) -> Posting | None:  # noqa: ARG001
    receipt, credit = _origin(row, "receipt", PostingKind.RECEIPT), _credit(row)
    status, lots = read_status(row, StockStatus.AVAILABLE), named_lots(row)
    if not row.reader.is_clean or row.location is None:
        return None
    line = SupplierReturnLine(
        item=row.item, location=row.location, quantity=row.quantity, status=status, lots=lots, credit=credit
    )
    return return_to_supplier(
        key=row.key,
        lines=[line],
        receipt=receipt,
        actor=actor,
        effective_at=row.effective_at,
        reference=row.text("reference"),
        reason=row.text("reason"),
        note=row.text("note", 500),
    ).posting


CUSTOMER_RETURN_FIELDS = (
    *COMMON, LOCATION, SHIPMENT, LOT, EXPIRES_ON, STATUS, UNIT_COST, VALUE, REASON, REFERENCE, *TAIL,
)  # fmt: skip
SUPPLIER_RETURN_FIELDS = (*COMMON, LOCATION, RECEIPT, LOT, STATUS, CREDIT, REASON, REFERENCE, *TAIL)


def import_customer_returns(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Take every row of a table back; see running.ImportKind."""
    return import_rows(table, options, actor, kind="customer returns", fields=CUSTOMER_RETURN_FIELDS, record=_take_back)


def import_supplier_returns(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Send every row of a table back; see running.ImportKind."""
    return import_rows(table, options, actor, kind="supplier returns", fields=SUPPLIER_RETURN_FIELDS, record=_send_back)


CUSTOMER_RETURNS = ImportKind(
    name="customer_returns",
    title="Returns from customers",
    help_text=f"Goods that customers sent back, into quarantine where no status is given. {AGAIN}",
    permissions=("inventory.return_stock",),
    fields=CUSTOMER_RETURN_FIELDS,
    options=("location",),
    perform=import_customer_returns,
    order=44,
)
SUPPLIER_RETURNS = ImportKind(
    name="supplier_returns",
    title="Returns to suppliers",
    help_text=f"Goods that went back to where they were bought. Tracked items name their lot. {AGAIN}",
    permissions=("inventory.return_stock",),
    fields=SUPPLIER_RETURN_FIELDS,
    options=("location",),
    perform=import_supplier_returns,
    order=44,
)
