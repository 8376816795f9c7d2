"""Rows of the BOM editor, as they were typed, turned into content. What cannot be read is said at its field."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from inventory.errors import DomainError
from inventory.models import Item
from inventory.quantities import ZERO, from_text, is_exact
from production.bom_checks import BomLineSpec, SubstituteSpec
from production.bom_content import OperationSpec, OutputSpec
from production.bom_rows import Row, Rows
from production.models import IssueMethod, OperationKind, OutputKind
from production.typed import read_quantity

T = TypeVar("T")


def read_rows_of(rows: Rows) -> tuple[list[BomLineSpec], list[OutputSpec], list[OperationSpec]]:
    """What the rows say. A row that cannot be read is left out, and says why; call `know_items` before."""
    return _read(rows.lines, _line), _read(rows.outputs, _output), _read(rows.operations, _operation)


def _read(rows: Sequence[Row], reader: Callable[[Row], T | None]) -> list[T]:
    found: list[T] = []
    for row in rows:
        spec = reader(row)
        if spec is not None:
            row.index = len(found)
            found.append(spec)
    return found


def _figure(row: Row, name: str, *, empty: Decimal = ZERO) -> Decimal:
    text = row.text(name)
    if not text:
        return empty
    try:
        number = from_text(text)
    except DomainError as error:
        row.refuse(name, error.message)
        return empty
    if not is_exact(number):
        row.refuse(name, f"“{text}” has more than six decimal places or is too large. Shorten it.")
        return empty
    return number


def _item(row: Row, name: str) -> Item | None:
    if row.known is None:
        code = row.text(name)
        if code:
            row.refuse(name, f"There is no item with SKU or barcode “{code}”. Check it, or add the item first.")
        else:
            row.refuse(name, "Which item? Scan or type it, or empty the row.")
    return row.known


def _line(row: Row) -> BomLineSpec | None:
    component = _item(row, "component")
    quantity, unit = _quantity_and_unit(row)
    scrap, setup = _figure(row, "scrap_percent"), _figure(row, "setup_quantity")
    multiple = _figure(row, "rounding_multiple") if row.text("rounding_multiple") else None
    substitutes = [_substitute(one) for one in row.substitutes]
    if component is None or quantity is None or row.messages:
        return None
    return BomLineSpec(
        component=component,
        quantity=quantity,
        unit=unit,
        scrap_percent=scrap,
        setup_quantity=setup,
        rounding_multiple=multiple,
        issue_method=row.text("issue_method") or IssueMethod.BACKFLUSH,
        is_consumable="is_consumable" in row.flags,
        is_optional="is_optional" in row.flags,
        is_phantom="is_phantom" in row.flags,
        reference=row.text("reference"),
        note=row.text("note"),
        builds_shortage="builds_shortage" in row.flags,
        substitutes=tuple(one for one in substitutes if one is not None),
    )


def _quantity_and_unit(row: Row) -> tuple[Decimal | None, str]:
    """The unit may be typed behind the number or in its own field; both must agree."""
    unit = row.text("unit")
    text = row.text("quantity")
    if not text:
        row.refuse("quantity", "How much of it? Type a quantity such as 12.5 or 500 g.")
        return None, unit
    try:
        typed = read_quantity(text)
    except DomainError as error:
        row.refuse("quantity", error.message)
        return None, unit
    if typed.unit and unit and typed.unit.casefold() != unit.casefold():
        row.refuse("quantity", f"The quantity says {typed.unit}, the unit says {unit}. Keep one of them.")
        return None, unit
    if not is_exact(typed.number):
        row.refuse("quantity", f"“{text}” has more than six decimal places or is too large. Shorten it.")
        return None, unit
    return typed.number, typed.unit or unit


def _substitute(row: Row) -> SubstituteSpec | None:
    item = _item(row, "item")
    ratio = _figure(row, "ratio", empty=Decimal(1))
    return None if item is None or row.errors else SubstituteSpec(item, ratio)


def _output(row: Row) -> OutputSpec | None:
    item = _item(row, "item")
    quantity = _figure(row, "quantity")
    share = _figure(row, "cost_share_percent")
    value = _figure(row, "unit_value") if row.text("unit_value") else None
    if item is None or row.errors:
        return None
    return OutputSpec(
        item=item,
        quantity=quantity,
        kind=row.text("kind") or OutputKind.BY_PRODUCT,
        cost_share_percent=share,
        unit_value=value,
    )


def _operation(row: Row) -> OperationSpec | None:
    figures = {name: _figure(row, name) for name in ("minutes", "setup_minutes", "rate_per_hour", "amount")}
    if row.errors:
        return None
    return OperationSpec(
        name=row.text("name"),
        kind=row.text("kind") or OperationKind.LABOUR,
        instructions=row.text("instructions"),
        **figures,
    )
