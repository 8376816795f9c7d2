"""Import of lots: expiry, supplier's lot, owner and note of known ones; new ones are made for items that are tracked."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from inventory.importing.cells import read_date
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
    write,
)
from inventory.models import Item, Lot, Tracking
from inventory.operations.posting import Actor

FIELDS = (
    Field("item", "Item", ("item", "sku", "item code", "part number", "part no"), is_required=True),
    Field("code", "Lot", ("lot", "batch", "lot code", "lot number", "batch number", "serial number"), is_required=True),
    Field(
        "received_on",
        "Received",
        ("received", "received on", "receipt date"),
        help_text="First day here; orders picking.",
    ),
    Field(
        "expires_on",
        "Expires",
        ("expires", "expires on", "expiry date", "expiry", "best before"),
        help_text="Last day of use.",
    ),
    Field("supplier_lot", "Supplier lot", ("supplier lot", "supplier batch")),
    Field("owner", "Owner", ("owner", "owned by"), help_text="Whose goods these are, when not ours."),
    Field("note", "Note", ("note", "notes", "remark", "remarks", "comment")),
)


def import_lots(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Make and update the lots of a table; see running.ImportKind."""
    report = Report.of("lots", table)
    columns = find_columns(table, FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=()),
        report,
        key="item",
        words="the item is empty. Name it by its SKU, or delete the row.",
    )
    readers = without_repetitions(readers, report, key=_key, column="code", label="code")
    items = items_by_sku({reader.text("item") for reader in readers})
    known = {
        (lot.item_id, canonical(lot.code).upper()): lot
        for lot in Lot.objects.filter(item__in=items.values())
        .named()
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    }
    entries = [entry for reader in readers if (entry := _entry(reader, items, known)) is not None]
    write(Lot, entries, actor=actor)
    return tell(report, readers, entries, label="item")


def _key(reader: RowReader) -> object:
    return (reader.text("item").upper(), reader.text("code").upper())


def _entry(reader: RowReader, items: Mapping[str, Item], known: Mapping[tuple[int, str], Lot]) -> Entry[Lot] | None:
    item = items.get(reader.text("item").upper())
    if item is None:
        reader.refuse("item", f"there is no item {reader.text('item')}. Import the items first, or correct the SKU.")
    code = reader.read("code", text_of(64))
    if not code:
        reader.refuse("code", "the lot is empty. Type its number, or delete the row.")
    values = _values(reader)
    if item is None or not code or not reader.is_clean:
        return None
    lot = known.get((item.pk, code.upper()))
    is_new = lot is None
    if lot is None:
        if item.tracking == Tracking.NONE:
            reader.refuse("item", f"{item.sku} is not tracked by lot, so it has none. Switch tracking on first.")
            return None
        lot = Lot(item=item, code=code)
        values.setdefault("received_on", timezone.localdate())
    entry = compare(reader, lot, label=f"{item.sku}, {code}", is_new=is_new, values=values, fields=FIELDS)
    check_model(reader, lot, exclude=("item",))
    return entry if reader.is_clean else None


def _values(reader: RowReader) -> dict[str, Any]:
    readers: dict[str, Any] = {
        "received_on": read_date,
        "expires_on": read_date,
        "supplier_lot": text_of(64),
        "owner": text_of(100),
        "note": text_of(250),
    }
    found = {name: reader.read(name, read) for name, read in readers.items()}
    return {name: value for name, value in found.items() if value is not None}


LOTS = ImportKind(
    name="lots",
    title="Lots",
    help_text="Expiry, supplier's lot, owner and note of lots. Empty cells and missing columns change nothing.",
    permissions=("inventory.add_lot", "inventory.change_lot"),
    fields=FIELDS,
    options=(),
    perform=import_lots,
    order=14,
)
