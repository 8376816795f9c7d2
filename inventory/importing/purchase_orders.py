"""Import of purchase orders: the rows of one supplier and number are one order.

A new number becomes a draft. A known one is compared line by line: a draft is brought to what the file says, an order that
was placed is only reported when it differs, since the supplier has it already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.db import connection, transaction
from django.db.models.expressions import RawSQL

from inventory.errors import DomainError
from inventory.importing.cells import read_date, read_price, read_quantity, usual_spelling
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.suppliers import (
    CODE,
    ITEM,
    NO_SKU,
    find_item,
    find_supplier,
    suppliers_by_code,
)
from inventory.importing.tables import Table
from inventory.importing.upkeep import leave_out_blank, shown
from inventory.models import Item, Location, PurchaseOrder, PurchaseOrderLine, PurchaseOrderState, Supplier
from inventory.operations.checking import check_item, check_quantity, to_stock_unit
from inventory.operations.posting import Actor
from inventory.operations.purchasing import OrderLineSpec, change_order, draft_order
from inventory.operations.receiving import check_value
from inventory.ordering import price_of
from inventory.quantities import as_text
from inventory.units import normal_unit

_LOCK = 7_204_663_023
"""Advisory lock of order imports: two at once must not both find a number new."""

FIELDS = (
    Field(
        "order",
        "Order",
        ("order", "order number", "po", "po number", "purchase order", "number", "reference"),
        is_required=True,
        help_text="The supplier's number of it, or ours (PO-000042). Rows with the same one are one order.",
    ),
    CODE,
    ITEM,
    Field("quantity", "Quantity", ("quantity", "qty", "ordered", "order quantity"), is_required=True),
    Field("unit", "Unit", ("unit", "uom", "unit of measure"), help_text="Empty: the stock unit."),
    Field("unit_cost", "Unit cost", ("unit cost", "unit price", "price each", "cost", "price")),
    Field("value", "Value", ("value", "total", "line total", "amount"), help_text="Of the whole row, instead."),
    Field("expected_on", "Expected on", ("expected on", "expected", "delivery date", "due date", "due")),
    Field("location", "Location", ("location", "warehouse", "deliver to", "ship to")),
    Field("note", "Note", ("note", "notes", "remark", "comment"), help_text="Of new orders; that of the first row."),
)


@dataclass(slots=True)
class _Row:
    reader: RowReader
    supplier: Supplier
    number: str
    location: Location
    spec: OrderLineSpec

    @property
    def label(self) -> str:
        return f"{self.spec.item.sku} on {self.number}"


def import_purchase_orders(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Write the orders of a table as drafts, or bring drafts up to date; see running.ImportKind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    report = Report.of("purchase_orders", table)
    columns = find_columns(table, FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=("quantity", "unit_cost", "value")), report, key="item", words=NO_SKU
    )
    suppliers = suppliers_by_code({r.text("supplier") for r in readers})
    items = items_by_sku({r.text("item") for r in readers})
    places = {place.code.upper(): place for place in Location.objects.all()}
    groups: dict[tuple[str, str], list[RowReader]] = {}
    for reader in readers:
        if not reader.text("order"):
            reader.refuse("order", "the number of the order is empty. Give rows of one order the same number.")
        groups.setdefault((reader.text("supplier").upper(), reader.text("order").upper()), []).append(reader)
    known = _known_orders([reader.text("order") for reader in readers])
    for (code, number), of_order in groups.items():
        rows = [row for r in of_order if (row := _row(r, suppliers, items, places, options)) is not None]
        if len(rows) < len(of_order):
            _refuse_rest(of_order)
        else:
            _write(rows, known.get((code, number)), report, actor)
    for reader in readers:
        if not reader.is_clean:
            report.add(reader.number, Outcome.REFUSED, f"{reader.text('item')} on {reader.text('order')}")
    report.results.sort(key=lambda result: result.row)
    return report


def _known_orders(numbers: Sequence[str]) -> dict[tuple[str, str], PurchaseOrder]:
    """Orders by upper-case supplier code and number: ours, or the supplier's."""
    named = RawSQL(
        """SELECT o.id FROM inventory_purchaseorder o JOIN unnest(%s::text[]) AS w(number)
           ON o.number = upper(w.number) OR upper(o.reference) = upper(w.number)""",
        [sorted({number for number in numbers if number})],
    )  # the database folds some letters otherwise than Python does
    found: dict[tuple[str, str], PurchaseOrder] = {}
    orders = PurchaseOrder.objects.filter(pk__in=named)
    for order in orders.select_related("supplier", "location").order_by("id"):
        code = order.supplier.code.upper()
        found[(code, order.number.upper())] = order
        if order.reference and order.state != PurchaseOrderState.CANCELLED:
            found[(code, order.reference.upper())] = order
    return found


def _row(
    reader: RowReader,
    suppliers: dict[str, Supplier],
    items: dict[str, Item],
    places: dict[str, Location],
    options: ImportOptions,
) -> _Row | None:
    supplier, item = find_supplier(reader, suppliers), find_item(reader, items)
    location = options.location
    if reader.has("location"):
        location = places.get(reader.text("location").upper())
        if location is None:
            reader.refuse("location", f"there is no location {reader.text('location')}. Correct the code.")
    elif location is None:
        reader.refuse("location", "the row names no location. Fill the column, or choose one location for all rows.")
    typed = reader.read("quantity", lambda text: read_quantity(text, style=reader.style("quantity")))
    if typed is None:
        reader.refuse("quantity", "the quantity is empty. Type what is ordered, or delete the row.")
    expected_on = reader.read("expected_on", read_date)
    if supplier is None or item is None or location is None or typed is None or not reader.is_clean:
        return None
    unit = usual_spelling(typed.unit or reader.text("unit")) or item.stock_unit
    spec = OrderLineSpec(item, typed.number, unit, _value(reader, typed.number), expected_on)
    return _Row(reader, supplier, reader.text("order"), location, spec) if _can_be(reader, spec) else None


def _can_be(reader: RowReader, spec: OrderLineSpec) -> bool:
    """Whether a line passes the checks of an order; what is against it is noted."""
    try:
        check_item(spec.item)
        check_quantity(spec.item, to_stock_unit(spec.item, spec.quantity, spec.unit))
        check_value(spec.item, spec.value)
    except DomainError as error:
        reader.refuse({"INVALID_UNIT": "unit", "ITEM_INACTIVE": "item"}.get(error.code, "quantity"), error.message)
    return reader.is_clean


def _value(reader: RowReader, quantity: Decimal) -> Decimal | None:
    currency = settings.BASE_CURRENCY
    total = reader.read("value", lambda text: read_price(text, currency=currency, style=reader.style("value")))
    if total is not None:
        return total[0]
    each = reader.read("unit_cost", lambda text: read_price(text, currency=currency, style=reader.style("unit_cost")))
    return None if each is None else price_of(quantity, each[0], step=settings.CURRENCY_STEP)


def _refuse_rest(readers: Sequence[RowReader]) -> None:
    """An order with a row that cannot be is not written in part."""
    for reader in readers:
        if reader.is_clean:
            reader.refuse("", f"another row of {reader.text('order')} is refused. Mend that one; an order comes whole.")


def _write(rows: Sequence[_Row], known: PurchaseOrder | None, report: Report, actor: Actor) -> None:
    first = rows[0]
    try:
        if known is None:
            with transaction.atomic():
                draft_order(
                    supplier=first.supplier,
                    location=first.location,
                    lines=[row.spec for row in rows],
                    reference=first.number[:100],
                    note=first.reader.text("note"),
                    actor=actor,
                )
            for row in rows:
                report.add(
                    row.reader.number, Outcome.NEW, row.label, group=row.number, changes=_changes(None, row.spec)
                )
            return
        lines = list(known.lines.select_related("item").order_by("id"))
        pairs = _pair(lines, rows)
        gone = [line for line in lines if line not in [line for line, _ in pairs]]
        differs = bool(gone) or any(line is None or _changes(line, row.spec) for line, row in pairs)
        if differs and known.state != PurchaseOrderState.DRAFT:
            for row in rows:
                row.reader.refuse(
                    "order",
                    f"{row.number} is {known.get_state_display().lower()} here as {known.number} with other lines. "
                    "Change it on its page, or give the row another number.",
                )
            return
        if differs:
            with transaction.atomic():
                change_order(
                    order=known,
                    supplier=known.supplier,
                    location=known.location,
                    lines=[_with_line(row.spec, line) for line, row in pairs],
                    expected_on=known.expected_on,
                    reference=known.reference,
                    note=known.note,
                    actor=actor,
                )
    except DomainError as error:
        for row in rows:
            row.reader.refuse("order", error.message)
        return
    for line, row in pairs:
        changes = _changes(line, row.spec)
        outcome = Outcome.NEW if line is None else Outcome.CHANGED if changes else Outcome.UNCHANGED
        report.add(row.reader.number, outcome, row.label, group=row.number, changes=changes)
    if gone:
        words = ", ".join(f"{as_text(line.quantity)} {line.item.stock_unit} of {line.item.sku}" for line in gone)
        report.summary.append(f"{known.number} loses {words}, which the file does not name.")


def _pair(lines: Sequence[PurchaseOrderLine], rows: Sequence[_Row]) -> list[tuple[PurchaseOrderLine | None, _Row]]:
    """Each row with the line of the same item it stands for, in order; None for a row that is new."""
    left = list(lines)
    pairs: list[tuple[PurchaseOrderLine | None, _Row]] = []
    for row in rows:
        line = next((line for line in left if line.item_id == row.spec.item.pk), None)
        if line is not None:
            left.remove(line)
        pairs.append((line, row))
    return pairs


def _with_line(spec: OrderLineSpec, line: PurchaseOrderLine | None) -> OrderLineSpec:
    return OrderLineSpec(
        spec.item, spec.quantity, spec.unit, spec.value, spec.expected_on, line.pk if line is not None else None
    )


def _changes(line: PurchaseOrderLine | None, spec: OrderLineSpec) -> list[Change]:
    before = (None, None, None) if line is None else (line.typed_quantity, line.value, line.expected_on)
    unit = "" if line is None else f" {line.unit}"
    found = []
    if line is None or line.typed_quantity != spec.quantity or normal_unit(line.unit) != normal_unit(spec.unit):
        found.append(Change("Quantity", f"{shown(before[0])}{unit}".strip(), f"{as_text(spec.quantity)} {spec.unit}"))
    for title, old, new in (("Value", before[1], spec.value), ("Expected on", before[2], spec.expected_on)):
        if old != new:
            found.append(Change(title, shown(old), shown(new)))
    return found


PURCHASE_ORDERS = ImportKind(
    name="purchase_orders",
    title="Purchase orders",
    help_text="New numbers become drafts, drafts are brought up to date. Orders that were placed are compared and not touched.",
    permissions=("inventory.add_purchaseorder", "inventory.change_purchaseorder"),
    fields=FIELDS,
    options=("location",),
    perform=import_purchase_orders,
    order=43,
)
