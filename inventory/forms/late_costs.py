"""Forms of costs that come after the goods."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings

from inventory.form_fields import FigureField
from inventory.forms.buying import BASES, KINDS, SupplierField
from inventory.forms.stock import note_field
from inventory.models import LandedBasis, LandedCostKind, Movement
from inventory.quantities import as_text


class WhatForForm(forms.Form):
    key = forms.UUIDField(widget=forms.HiddenInput)
    supplier = SupplierField(label="Paid to", required=False, empty_label="Nobody in the list")
    reference = forms.CharField(label="Invoice", required=False, max_length=100)
    note = note_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.initial.setdefault("key", str(uuid4()))


class LandedCostForm(WhatForForm):
    """An amount that came after the goods. `find` looks for more receipts it belongs to."""

    amount = FigureField(
        label=f"Amount, {settings.BASE_CURRENCY}", help_text="Below zero for a credit note.", required=True
    )
    kind = forms.ChoiceField(label="Kind", choices=KINDS, initial=LandedCostKind.FREIGHT)
    basis = forms.ChoiceField(label="Spread by", choices=BASES, initial=LandedBasis.VALUE)
    find = forms.CharField(
        label="Find receipts",
        required=False,
        max_length=100,
        help_text="Order number, number of a receipt, delivery note, or SKU.",
    )
    field_order = ("key", "amount", "kind", "basis", "supplier", "reference", "note", "find")


class PricesForm(WhatForForm):
    """What the lines of one receipt cost after all: a field for each, empty when its price stays."""

    def __init__(self, *args: Any, movements: Sequence[Movement], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for movement in movements:
            self.fields[f"price-{movement.pk}"] = FigureField(
                label=f"Price of all {as_text(movement.quantity)} {movement.item.stock_unit} of {movement.item.sku}",
                required=False,
            )
