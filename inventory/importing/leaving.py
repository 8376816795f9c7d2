"""Imports of many issues, shipments and changes of status: a row each."""

from inventory.importing.headers import Field
from inventory.importing.movements import AGAIN, COMMON, TAIL, read_status
from inventory.importing.reports import Report
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.stock_rows import (
    LOCATION,
    LOT,
    REASON,
    REFERENCE,
    Places,
    StockRow,
    import_rows,
    named_lots,
)
from inventory.importing.tables import Table
from inventory.models import Posting, StockStatus
from inventory.operations.issuing import issue_stock
from inventory.operations.posting import Actor
from inventory.operations.shipping import SHELF_LIFE_DAYS_MAX, ShipmentLine, ship_stock
from inventory.operations.transferring import change_status
from inventory.whole_numbers import whole_number

DEMAND_KIND = Field(
    "demand_kind",
    "Demand kind",
    ("demand kind", "kind of demand", "promised to"),
    help_text="What the goods are reserved for, such as order. Fill it together with the number.",
)
DEMAND_REF = Field(
    "demand_ref",
    "Demand number",
    ("demand number", "demand reference", "demand ref", "demand", "order number", "sales order"),
    help_text="What is promised to it is used up by the shipment.",
)
DEMAND_LENGTHS = {"demand_kind": 24, "demand_ref": 64}
"""The most characters, as a reservation has them."""
SHELF_LIFE = Field(
    "shelf_life_days",
    "Good for at least (days)",
    ("good for at least days", "good for at least", "shelf life days", "remaining shelf life"),
    help_text="Lots with less time left are passed over.",
)
FROM_STATUS = Field(
    "from_status",
    "Status now",
    ("status now", "from status", "old status", "status before"),
    help_text="Available when it is empty.",
)
TO_STATUS = Field("to_status", "New status", ("new status", "to status", "status after", "status"), is_required=True)


def _issue(row: StockRow, places: Places, actor: Actor) -> Posting | None:  # noqa: ARG001
    lots = named_lots(row)
    if not row.reader.is_clean or row.location is None:
        return None
    return issue_stock(
        key=row.key,
        item=row.item,
        location=row.location,
        quantity=row.quantity,
        lots=lots,
        actor=actor,
        effective_at=row.effective_at,
        reference=row.text("reference"),
        reason=row.text("reason"),
        note=row.text("note", 500),
    ).posting


def _demand(row: StockRow) -> tuple[str, str] | None:
    """What the row is promised to, in the words of the promise; notes a problem where one of the two is missing or too long."""
    for name, length_max in DEMAND_LENGTHS.items():
        if len(row.reader.text(name)) > length_max:
            row.reader.refuse(name, f"it has more than {length_max} characters. Name the demand as its promise does.")
    kind, reference = row.reader.text("demand_kind"), row.reader.text("demand_ref")
    if bool(kind) != bool(reference):
        row.reader.refuse(
            "demand_ref" if kind else "demand_kind",
            "name both what the goods are promised to and its number, or neither.",
        )
    return (kind, reference) if kind and reference else None


def _shelf_life(row: StockRow) -> int:
    text = row.reader.text("shelf_life_days")
    days = whole_number(text) if text else 0
    if days is None or days > SHELF_LIFE_DAYS_MAX:
        row.reader.refuse("shelf_life_days", f"“{text}” is no number of days. Give 0 to {SHELF_LIFE_DAYS_MAX}.")
        return 0
    return days


def _ship(row: StockRow, places: Places, actor: Actor) -> Posting | None:  # noqa: ARG001
    demand, days, lots = _demand(row), _shelf_life(row), named_lots(row)
    if not row.reader.is_clean or row.location is None:
        return None
    return ship_stock(
        key=row.key,
        lines=[ShipmentLine(row.item, row.location, row.quantity, lots)],
        demand=demand,
        shelf_life_days_min=days,
        actor=actor,
        effective_at=row.effective_at,
        reference=row.text("reference"),
        reason=row.text("reason"),
        note=row.text("note", 500),
    ).posting


def _change_status(row: StockRow, places: Places, actor: Actor) -> Posting | None:  # noqa: ARG001
    before, after = read_status(row, StockStatus.AVAILABLE, "from_status"), read_status(row, "", "to_status")
    lots = named_lots(row)
    if not after:
        row.reader.refuse("to_status", "the new status is empty. Name it, or delete the row.")
    if not row.reader.is_clean or row.location is None:
        return None
    return change_status(
        key=row.key,
        item=row.item,
        location=row.location,
        quantity=row.quantity,
        from_status=before,
        to_status=after,
        reason=row.text("reason"),
        lots=lots,
        actor=actor,
        effective_at=row.effective_at,
        note=row.text("note", 500),
    ).posting


ISSUE_FIELDS = (*COMMON, LOCATION, LOT, REASON, REFERENCE, *TAIL)
SHIPMENT_FIELDS = (*COMMON, LOCATION, DEMAND_KIND, DEMAND_REF, LOT, SHELF_LIFE, REASON, REFERENCE, *TAIL)
STATUS_CHANGE_FIELDS = (*COMMON, LOCATION, FROM_STATUS, TO_STATUS, REASON, LOT, *TAIL)


def import_issues(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Issue every row of a table; see running.ImportKind."""
    return import_rows(table, options, actor, kind="issues", fields=ISSUE_FIELDS, record=_issue)


def import_shipments(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Ship every row of a table, each by itself; see running.ImportKind."""
    return import_rows(table, options, actor, kind="shipments", fields=SHIPMENT_FIELDS, record=_ship)


def import_status_changes(table: Table, options: ImportOptions, actor: Actor) -> Report:
    """Hold or release every row of a table; see running.ImportKind."""
    return import_rows(table, options, actor, kind="status changes", fields=STATUS_CHANGE_FIELDS, record=_change_status)


ISSUES = ImportKind(
    name="issues",
    title="Issues",
    help_text=f"Goods that left for a use that is no completion and no shipment, a row for each. {AGAIN}",
    permissions=("inventory.issue_stock",),
    fields=ISSUE_FIELDS,
    options=("location",),
    perform=import_issues,
    order=44,
)
SHIPMENTS = ImportKind(
    name="shipments",
    title="Shipments",
    help_text=f"Goods that left to customers. Each row is a shipment, and uses up what is promised to its order. {AGAIN}",
    permissions=("inventory.ship_stock",),
    fields=SHIPMENT_FIELDS,
    options=("location",),
    perform=import_shipments,
    order=44,
)
STATUS_CHANGES = ImportKind(
    name="status_changes",
    title="Changes of status",
    help_text=f"Goods that were held, put into quarantine, found damaged or released. {AGAIN}",
    permissions=("inventory.change_stock_status",),
    fields=STATUS_CHANGE_FIELDS,
    options=("location",),
    perform=import_status_changes,
    order=44,
)
