"""Import of the classes of cycle counts. There are three; a table brings them up to date."""

from typing import Any

from django.conf import settings

from inventory.importing.cells import read_choice, read_percent, read_price
from inventory.importing.headers import Field, find_columns
from inventory.importing.item_columns import GROUP_WORDS
from inventory.importing.reports import Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.importing.upkeep import (
    Entry,
    check_model,
    compare,
    leave_out_blank,
    not_negative,
    tell,
    without_repetitions,
    write,
)
from inventory.models import CountClass
from inventory.operations.posting import Actor

FIELDS = (
    Field(
        "group",
        "Class",
        ("class", "group", "count class", "abc class", "abc"),
        is_required=True,
        help_text="A, B or C.",
    ),
    Field("counts_per_year", "Counts a year", ("counts a year", "counts per year")),
    Field("tolerance_percent", "Tolerance %", ("tolerance %", "tolerance percent", "tolerance")),
    Field("share_percent", "Share of usage value %", ("share of usage value %", "share percent", "share %", "share")),
    Field(
        "approval_value", "Approval above", ("approval above", "approval value"), help_text="Variance in base currency."
    ),
)
NUMBERS = ("counts_per_year", "tolerance_percent", "share_percent", "approval_value")


def import_count_classes(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Bring the classes up to date; see running.ImportKind."""
    report = Report.of("count_classes", table)
    columns = find_columns(table, FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=NUMBERS),
        report,
        key="group",
        words="the class is empty. Type A, B or C, or delete the row.",
    )
    readers = without_repetitions(
        readers, report, key=lambda reader: reader.text("group").upper(), column="group", label="group"
    )
    known = {one.group: one for one in CountClass.objects.select_for_update(of=("self",), no_key=True).order_by("pk")}
    entries = [entry for reader in readers if (entry := _entry(reader, known)) is not None]
    write(CountClass, entries, actor=actor)
    return tell(report, readers, entries, label="group")


def _entry(reader: RowReader, known: dict[str, CountClass]) -> Entry[CountClass] | None:
    group = reader.read("group", lambda text: read_choice(text, GROUP_WORDS, what="class"))
    values = _values(reader)
    if group is None or not reader.is_clean:
        return None
    found = known.get(group)
    is_new = found is None
    if is_new and len(values) < len(NUMBERS):
        reader.refuse("group", f"class {group} is new, so the row must fill every column.")
        return None
    one = found or CountClass(group=group)
    entry = compare(reader, one, label=f"Class {group}", is_new=is_new, values=values, fields=FIELDS)
    check_model(reader, one, exclude=("group",))
    return entry if reader.is_clean else None


def _values(reader: RowReader) -> dict[str, Any]:
    readers: dict[str, Any] = {
        "counts_per_year": not_negative(reader.style("counts_per_year")),
        "tolerance_percent": lambda text: read_percent(text, style=reader.style("tolerance_percent")),
        "share_percent": lambda text: read_percent(text, style=reader.style("share_percent")),
        "approval_value": lambda text: read_price(
            text, currency=settings.BASE_CURRENCY, style=reader.style("approval_value")
        )[0],
    }
    found = {name: reader.read(name, read) for name, read in readers.items()}
    return {name: value for name, value in found.items() if value is not None}


COUNT_CLASSES = ImportKind(
    name="count_classes",
    title="Count classes",
    help_text="How often items of class A, B and C are counted, and how far a count may be off.",
    permissions=("inventory.add_countclass", "inventory.change_countclass"),
    fields=FIELDS,
    options=(),
    perform=import_count_classes,
    order=60,
)
