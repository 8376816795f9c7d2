"""Forms of purchase orders: what is ordered, what came in of it, and what it cost to bring it here."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.conf import settings

from inventory.errors import DomainError
from inventory.filters import find_item
from inventory.form_fields import FigureField, ItemField, LocationField, TextWithAnswers
from inventory.forms.stock import Person, note_field, units_of, when_field
from inventory.models import (
    Item,
    LandedBasis,
    LandedCostKind,
    PurchaseOrder,
    PurchaseOrderLine,
    StockStatus,
    Supplier,
    SupplierItem,
    Tracking,
)
from inventory.operations.checking import check_quantity, to_stock_unit
from inventory.operations.purchasing import OrderLineSpec
from inventory.operations.receiving_orders import Arrival, Charge
from inventory.ordering import OrderTerms, price_of, terms_hint
from inventory.quantities import PLACES, round_half_up, to_decimal
from inventory.web import add_refusal
from inventory.whole_numbers import whole_number

ROWS_MAX = 500
OVER_REASONS = ("Supplier sent more", "Pack was larger", "Replaces damaged goods")
KINDS = [choice for choice in LandedCostKind.choices if choice[0] != LandedCostKind.PRICE]
BASES = [choice for choice in LandedBasis.choices if choice[0] != LandedBasis.GIVEN]


def day_field(label: str, *, help_text: str = "") -> forms.DateField:
    return forms.DateField(
        label=label,
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=help_text,
    )


class SupplierField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """One of the suppliers that are active."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=Supplier.objects.active(), **kwargs)

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.code} · {obj.name}"


# --- Writing an order -------------------------------------------------------------------------------------------------


class OrderForm(forms.Form):
    """The head of an order. `add` takes an item and adds a line for it."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    supplier = SupplierField(empty_label="Choose a supplier")
    location = LocationField(label="Arrives at")
    expected_on = day_field("Expected on", help_text="Empty: by the supplier's lead time, from the day it is placed.")
    reference = forms.CharField(label="Supplier's number", required=False, max_length=100)
    note = forms.CharField(label="Note", required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2}))
    add = ItemField(label="Add an item", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.initial.setdefault("key", str(uuid4()))


class OrderLineForm(forms.Form):
    """One line: an item that was added before, its quantity in a unit, and what one of that unit costs."""

    id = forms.IntegerField(required=False, widget=forms.HiddenInput)
    item = forms.CharField(max_length=100, widget=forms.HiddenInput)
    quantity = FigureField(label="Quantity")
    unit = forms.ChoiceField(label="Unit")
    unit_cost = FigureField(label=f"Price each, {settings.BASE_CURRENCY}", required=False)
    expected_on = day_field("Expected on")

    def __init__(
        self, *args: Any, known: Item, sold: SupplierItem | None, line: PurchaseOrderLine | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.known, self.sold, self.line = known, sold, line
        units = units_of(known)
        for extra in (line.unit if line else "", sold.unit if sold else ""):
            if extra and extra not in units:
                units.append(extra)
        unit = cast(forms.ChoiceField, self.fields["unit"])
        unit.choices = [(name, name) for name in units]

    @property
    def is_started(self) -> bool:
        """Whether something of the line came in, so that only its missing price may be filled in."""
        return self.line is not None and self.line.received > 0

    def figure(self, name: str) -> Decimal | None:
        """What stands in a field now, when it is a number; for hints while one types."""
        field = cast(FigureField, self.fields[name])
        source: Any = self.data.get(self.add_prefix(name)) if self.is_bound else self.initial.get(name)
        try:
            return field.clean(str(source)) if source not in (None, "") else None
        except forms.ValidationError:
            return None

    @property
    def total(self) -> Decimal | None:
        quantity, each = self.figure("quantity"), self.figure("unit_cost")
        return None if quantity is None or each is None else self._value(quantity, each)

    @property
    def hint(self) -> str:
        """What the supplier's terms say against the quantity."""
        quantity = self.figure("quantity")
        unit = str(self["unit"].value() or self.known.stock_unit)
        if self.sold is None or quantity is None or quantity <= 0 or unit != (self.sold.unit or self.known.stock_unit):
            return ""
        return terms_hint(quantity, OrderTerms(self.sold.order_minimum, self.sold.order_multiple), unit=unit)

    def _value(self, quantity: Decimal, each: Decimal) -> Decimal:
        line = self.line
        is_as_shown = line is not None and quantity == line.typed_quantity and each == shown_unit_cost(line)
        if line is not None and line.value is not None and is_as_shown:  # the price stays as it is, to the cent
            return line.value
        return price_of(quantity, each, step=settings.CURRENCY_STEP)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        quantity = cleaned.get("quantity")
        if isinstance(quantity, Decimal) and cleaned.get("unit"):
            try:
                check_quantity(self.known, to_stock_unit(self.known, quantity, cleaned["unit"]))
            except DomainError as error:
                add_refusal(self, error, field="quantity")
        return cleaned

    def spec(self) -> OrderLineSpec:
        data = self.cleaned_data
        each = data.get("unit_cost")
        return OrderLineSpec(
            item=self.known,
            quantity=data["quantity"],
            unit=data["unit"],
            value=None if each is None else self._value(data["quantity"], each),
            expected_on=data.get("expected_on"),
            line=data.get("id"),
        )


def shown_unit_cost(line: PurchaseOrderLine) -> Decimal | None:
    """The price of one unit of a line as forms show it, to six places; None while it is not known."""
    if line.value is None:
        return None
    return round_half_up(Fraction(line.value) / Fraction(line.typed_quantity), PLACES)


def order_lines(
    data: Mapping[str, Any] | None,
    *,
    order: PurchaseOrder | None,
    supplier_id: int | None,
    added: Item | None = None,
    is_refresh: bool = False,
) -> list[OrderLineForm]:
    """The line forms of what was sent, or of the order as it is, with a new one for an item that was `added`.

    With `is_refresh` what was sent is shown again and not judged yet.
    """
    lines = {line.pk: line for line in order.lines.select_related("item").order_by("id")} if order else {}
    rows: list[tuple[int, str, PurchaseOrderLine | None]] = []
    if data is None:
        rows = [(n, line.item.sku, line) for n, line in enumerate(lines.values())]
    else:
        for number in _numbers(data, "line"):
            line = lines.get(_number(data.get(f"line-{number}-id")))
            rows.append((number, str(data.get(f"line-{number}-item", "")), line))
    items = {sku: item for sku in {sku for _, sku, _ in rows} if (item := find_item(sku)) is not None}
    wanted = [*items.values(), *([added] if added else [])]
    sold = {one.item_id: one for one in SupplierItem.objects.filter(supplier=supplier_id, item__in=wanted)}
    forms_ = []
    for number, sku, line in rows:
        item = items.get(sku)
        if item is None:
            continue
        prefix = f"line-{number}"
        initial = {} if line is None else _initial(line)
        if data is not None and is_refresh:
            initial = _as_sent(data, prefix, OrderLineForm)
        forms_.append(
            OrderLineForm(
                None if is_refresh else data,
                prefix=prefix,
                known=item,
                sold=sold.get(item.pk),
                line=line,
                initial=initial,
            )
        )
    if added is not None:
        number = max((n for n, _, _ in rows), default=-1) + 1
        terms = sold.get(added.pk)
        form = OrderLineForm(
            prefix=f"line-{number}", known=added, sold=terms, line=None, initial=_suggested(added, terms)
        )
        form.fields["quantity"].widget.attrs["data-focus"] = ""
        forms_.append(form)
    return forms_


def _initial(line: PurchaseOrderLine) -> dict[str, Any]:
    return {
        "id": line.pk,
        "item": line.item.sku,
        "quantity": line.typed_quantity,
        "unit": line.unit,
        "unit_cost": shown_unit_cost(line),
        "expected_on": line.expected_on,
    }


def _suggested(item: Item, sold: SupplierItem | None) -> dict[str, Any]:
    """A new line as the supplier sells the item."""
    bought = sold.unit if sold and sold.unit else ""
    if not bought:
        pack = next((unit for unit in item.units.all() if unit.is_purchase_unit), None)
        bought = pack.name if pack and sold is None else item.stock_unit
    return {
        "item": item.sku,
        "unit": bought,
        "quantity": sold.order_minimum if sold else None,
        "unit_cost": sold.unit_cost if sold else None,
    }


def _as_sent(data: Mapping[str, Any], prefix: str, form: type[forms.Form]) -> dict[str, Any]:
    return {name: data.get(f"{prefix}-{name}", "") for name in form.base_fields}


def _numbers(data: Mapping[str, Any], prefix: str) -> list[int]:
    """The numbers of the rows that were sent, in order; at most ROWS_MAX."""
    found = set()
    for name in data:
        head, _, rest = name.partition("-")
        number = whole_number(rest.partition("-")[0], digits_max=6)
        if head == prefix and number is not None:
            found.add(number)
    return sorted(found)[:ROWS_MAX]


def _number(text: Any) -> int:
    return whole_number(text) or 0


# --- Receiving --------------------------------------------------------------------------------------------------------


class ReceiveOrderForm(forms.Form):
    """What all of a receipt has in common. `scan` leads to the row of an item."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    location = LocationField(label="Into")
    scan = ItemField(label="Scan what you unpack", required=False)
    reason = forms.CharField(
        label="Why more than ordered",
        required=False,
        max_length=100,
        widget=TextWithAnswers(OVER_REASONS),
        help_text="Only needed when more came than is outstanding.",
    )
    effective_at = when_field()
    note = note_field()

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.initial.setdefault("key", str(uuid4()))
        if not user.has_perm("inventory.backdate_posting"):
            del self.fields["effective_at"]
        if not user.has_perm("inventory.over_receive"):
            del self.fields["reason"]


class ArrivalForm(forms.Form):
    """What came in of one line, of one lot."""

    line = forms.IntegerField(widget=forms.HiddenInput)
    quantity = FigureField(label="Came in", required=False)
    unit = forms.ChoiceField(label="Unit", required=False)
    lot_code = forms.CharField(label="Lot", max_length=64, required=False)
    expires_on = day_field("Expires on")
    supplier_lot = forms.CharField(label="Supplier's lot", max_length=64, required=False)
    status = forms.ChoiceField(label="Status", required=False)

    def __init__(self, *args: Any, row: PurchaseOrderLine, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row
        units = units_of(row.item)
        if row.unit not in units:
            units.append(row.unit)
        unit = cast(forms.ChoiceField, self.fields["unit"])
        unit.choices = [(name, name) for name in units]
        usual = StockStatus.QC_HOLD if row.item.inspection_required else StockStatus.AVAILABLE
        status = cast(forms.ChoiceField, self.fields["status"])
        status.choices = [("", f"{usual.label}, as usual"), *(one for one in StockStatus.choices if one[0] != usual)]
        if row.item.tracking == Tracking.NONE:
            del self.fields["lot_code"], self.fields["expires_on"], self.fields["supplier_lot"]
        elif row.item.tracking == Tracking.SERIAL:
            self.fields["lot_code"].label = "Serial number"
            del self.fields["expires_on"]

    @property
    def is_tracked(self) -> bool:
        return "lot_code" in self.fields

    @property
    def more(self) -> list[forms.BoundField]:
        """What most deliveries need not say: the supplier's lot and another status than usual."""
        return [self[name] for name in ("supplier_lot", "status") if name in self.fields]

    @property
    def says_more(self) -> bool:
        return any(field.value() or field.errors for field in self.more)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        quantity = cleaned.get("quantity")
        if isinstance(quantity, Decimal) and quantity:
            if "lot_code" in self.fields and not cleaned.get("lot_code"):
                item = self.row.item
                self.add_error(
                    "lot_code",
                    f"{item.sku} is tracked {item.get_tracking_display().lower()}; name the one these goods belong to.",
                )
            try:
                exact = to_stock_unit(self.row.item, quantity, cleaned.get("unit") or "")
                cleaned["quantity"] = check_quantity(self.row.item, exact)
            except DomainError as error:
                add_refusal(self, error, field="quantity")
        return cleaned

    def arrival(self, location: Any) -> Arrival | None:
        """What came in; None for an empty or zero quantity."""
        data = self.cleaned_data
        if not data.get("quantity"):
            return None
        return Arrival(
            self.row,
            data["quantity"],
            location=location,
            lot_code=data.get("lot_code") or "",
            expires_on=data.get("expires_on"),
            supplier_lot=data.get("supplier_lot") or "",
            status=data.get("status") or "",
        )


def arrival_rows(
    data: Mapping[str, Any] | None,
    *,
    lines: Sequence[PurchaseOrderLine],
    another: int = 0,
    is_refresh: bool = False,
) -> list[ArrivalForm]:
    """The rows that were sent, or one for each open line with what is outstanding; `another` adds one for a line id.

    With `is_refresh` what was sent is shown again and not judged yet.
    """
    by_id = {line.pk: line for line in lines}
    found: list[ArrivalForm] = []
    if data is None:
        for number, line in enumerate(line for line in lines if line.outstanding):
            found.append(ArrivalForm(prefix=f"row-{number}", row=line, initial=_outstanding(line)))
        return found
    numbers = _numbers(data, "row")
    for number in numbers:
        sent = by_id.get(_number(data.get(f"row-{number}-line")))
        if sent is None:
            continue
        prefix = f"row-{number}"
        if is_refresh:
            found.append(ArrivalForm(prefix=prefix, row=sent, initial=_as_sent(data, prefix, ArrivalForm)))
        else:
            found.append(ArrivalForm(data, prefix=prefix, row=sent))
    if another in by_id:
        line = by_id[another]
        form = ArrivalForm(
            prefix=f"row-{max(numbers, default=-1) + 1}", row=line, initial={"line": line.pk, "unit": line.unit}
        )
        form.fields["quantity"].widget.attrs["data-focus"] = ""
        place = max((n for n, one in enumerate(found) if one.row.pk == another), default=len(found) - 1)
        found.insert(place + 1, form)
    return found


def _outstanding(line: PurchaseOrderLine) -> dict[str, Any]:
    """What is still to come of a line: in the unit it was ordered in where that is exact, else in the stock unit."""
    if line.item.tracking == Tracking.SERIAL:
        return {"line": line.pk, "unit": line.item.stock_unit, "quantity": None}
    exact = Fraction(line.outstanding) * Fraction(line.typed_quantity) / Fraction(line.quantity)
    try:
        return {"line": line.pk, "unit": line.unit, "quantity": to_decimal(exact)}
    except ValueError:
        return {"line": line.pk, "unit": line.item.stock_unit, "quantity": line.outstanding}


class ChargeForm(forms.Form):
    """A cost of bringing the goods here that is known with the delivery."""

    amount = FigureField(label=f"Amount, {settings.BASE_CURRENCY}", required=False)
    kind = forms.ChoiceField(label="Kind", choices=KINDS, required=False)
    basis = forms.ChoiceField(label="Spread by", choices=BASES, required=False)

    def charge(self) -> Charge | None:
        data = self.cleaned_data
        if data.get("amount") is None:
            return None
        kind, basis = data.get("kind") or LandedCostKind.FREIGHT, data.get("basis") or LandedBasis.VALUE
        return Charge(data["amount"], LandedCostKind(kind), LandedBasis(basis))
