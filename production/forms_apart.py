"""The form of the page that takes finished goods apart."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.http import QueryDict

from inventory.errors import DomainError
from inventory.models import Item, Location, Lot, Tracking
from inventory.quantities import ZERO
from inventory.whole_numbers import whole_number
from production.forms import PlaceField, QuantityField, typed_in_stock_unit
from production.typed import TypedQuantity, read_quantity

FIELDS_MAX = 2_000


class DisassemblyForm(forms.Form):
    """How many are taken apart, where they are, and where their components go. Lots and recovered parts are read beside it."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    quantity = QuantityField(label="How many", required=False)
    reason = forms.CharField(label="Reason", max_length=100, required=False)
    note = forms.CharField(label="Note", max_length=500, required=False)

    def __init__(self, *args: Any, item: Item, places: Mapping[str, Location], **options: Any) -> None:
        options["auto_id"] = "apart-%s"
        super().__init__(*args, **options)
        self.item = item
        self.fields["location"] = PlaceField(label="Taken from", places=places)
        self.fields["target"] = PlaceField(
            label="Components go to", places=places, required=False, empty="The same place"
        )
        self.fields["quantity"].widget.attrs.update({"data-focus": "", "enterkeyhint": "go"})
        self.order_fields(("key", "quantity", "location", "target", "reason", "note"))
        self.lots: list[tuple[Lot, Decimal]] = []
        self.recovered: dict[int, Decimal] = {}
        self.line_errors: dict[int, str] = {}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        typed = data.get("quantity")
        data["quantity"] = ZERO
        if isinstance(typed, TypedQuantity):
            try:
                data["quantity"] = typed_in_stock_unit(self.item, typed)
            except DomainError as error:
                self.add_error("quantity", error.message)
        self._read_lots(data)
        self._read_recovered()
        return data

    def _read_lots(self, data: dict[str, Any]) -> None:
        """The lots that were ticked or filled in; they say how many when nothing else does."""
        texts = _numbered(self.data, "lot-")
        lots = Lot.objects.filter(item=self.item).in_bulk([lot_id for lot_id, text in texts.items() if text])
        for lot_id, lot in lots.items():
            try:
                quantity = Decimal(1)
                if self.item.tracking != Tracking.SERIAL:
                    quantity = typed_in_stock_unit(self.item, read_quantity(texts[lot_id]))
                if quantity:
                    self.lots.append((lot, quantity))
            except DomainError as error:
                self.line_errors[lot_id] = error.message
        if self.lots and not data["quantity"] and "quantity" not in self.errors:
            data["quantity"] = sum((quantity for _, quantity in self.lots), ZERO)

    def _read_recovered(self) -> None:
        """What came back of each component, where it is not what was expected."""
        typed, expected = _numbered(self.data, "back-"), _numbered(self.data, "backwas-")
        touched = {pk: text for pk, text in typed.items() if text and text != expected.get(pk, "")}
        for component_id, component in Item.objects.in_bulk(touched).items():
            try:
                self.recovered[component_id] = typed_in_stock_unit(component, read_quantity(touched[component_id]))
            except DomainError as error:
                self.line_errors[component_id] = error.message

    @property
    def is_empty(self) -> bool:
        return not self.cleaned_data.get("quantity") and "quantity" not in self.errors


def _numbered(data: Any, prefix: str) -> dict[int, str]:
    """The fields whose names end with an id, by it."""
    found: dict[int, str] = {}
    names: Sequence[str] = [name for name in data if name.startswith(prefix)] if isinstance(data, QueryDict) else []
    for name in names[:FIELDS_MAX]:
        number = whole_number(name.removeprefix(prefix))
        if number is not None:
            found[number] = data.get(name, "")[:48].strip()
    return found
