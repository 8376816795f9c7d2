"""Forms of goods that come back from customers or go back to suppliers."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from inventory.errors import WrongState
from inventory.form_fields import FigureField, LocationField
from inventory.forms.stock import (
    StockForm,
    lot_field,
    note_field,
    quantity_field,
    reason_field,
    reference_field,
    unit_field,
    when_field,
)
from inventory.models import PostingKind, StockStatus
from inventory.reads.returning import find_origin

RETURN_REASONS = ("Did not fit", "Damaged on the way", "Wrong article sent", "Not as described", "Changed their mind")
SENT_BACK_REASONS = ("Damaged on arrival", "Failed inspection", "Wrong article delivered", "Supplier recall")


class OriginField(forms.CharField):
    """A posting by its number or by its reference, when only one of the kind has it."""

    def __init__(self, *, kind: PostingKind, **kwargs: Any) -> None:
        super().__init__(
            required=False, max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}), **kwargs
        )
        self.kind = kind

    def clean(self, value: Any) -> Any:
        text = cast(str, super().clean(value))
        if not text:
            return None
        try:
            return find_origin(kind=self.kind, text=text)
        except WrongState as error:
            raise ValidationError(error.message) from error


class CustomerReturnForm(StockForm):
    location = LocationField(label="Into")
    quantity = quantity_field()
    unit = unit_field()
    status = forms.ChoiceField(label="Status", choices=StockStatus.choices, initial=StockStatus.QUARANTINE)
    shipment = OriginField(
        kind=PostingKind.SHIPMENT,
        label="Shipment",
        help_text="Its number or reference. The goods are then worth what they left with.",
    )
    lot_code = forms.CharField(label="Lot", max_length=64, required=False)
    expires_on = forms.DateField(label="Expires on", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    value = FigureField(
        label=f"Worth of all of it, {settings.BASE_CURRENCY}",
        required=False,
        help_text="Without a shipment. Empty means the present average cost.",
    )
    reason = reason_field(RETURN_REASONS, required=False)
    reference = reference_field("Number of the return.")
    effective_at = when_field()
    note = note_field()

    def _shape(self) -> None:
        super()._shape()
        if self.typed("shipment"):
            for name in ("value", "expires_on"):
                self.fields.pop(name, None)
            if "lot_code" in self.fields:
                self.fields["lot_code"].required = False
                self.fields["lot_code"].help_text = "Needed when it was shipped from several lots."


class SupplierReturnForm(StockForm):
    location = LocationField(label="From", help_text="What lies below this place is used too.")
    quantity = quantity_field()
    unit = unit_field()
    status = forms.ChoiceField(label="Status", choices=StockStatus.choices, initial=StockStatus.AVAILABLE)
    lot = lot_field()
    receipt = OriginField(
        kind=PostingKind.RECEIPT,
        label="Receipt",
        help_text="Its number or reference, when it is known what they came with.",
    )
    credit = FigureField(
        label=f"Credit for all of it, {settings.BASE_CURRENCY}",
        required=False,
        help_text="What the supplier gives back. The difference to the cost is purchase variance.",
    )
    reason = reason_field(SENT_BACK_REASONS, required=False)
    reference = reference_field("Number of the return.")
    effective_at = when_field()
    note = note_field()

    must_name_lot = True
