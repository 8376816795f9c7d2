"""Forms of the pages about work orders."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from inventory.errors import DomainError
from inventory.models import Item, Location
from inventory.operations.checking import packs_of
from production.forms import PlaceField, QuantityField
from production.models import DemandMode
from production.operations.reshaping import PARTS_MAX
from production.typed import TypedQuantity, in_stock_unit

RANKS = ((-100, "Urgent"), (-10, "High"), (0, "Normal"), (10, "Low"))
"""Priorities one chooses from; a lower rank is made first."""


def rank_name(rank: int) -> str:
    """The priority nearest to a rank, in a word."""
    return next((name for value, name in RANKS if rank <= value), "Low")


def day_field(label: str, **options: Any) -> forms.DateField:
    return forms.DateField(
        label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **options
    )


class ScheduleForm(forms.Form):
    """Dates and priority of an order."""

    start_on = day_field("Start")
    due_on = day_field("Due")
    rank = forms.TypedChoiceField(label="Priority", choices=RANKS, coerce=int, empty_value=None, required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start, due = data.get("start_on"), data.get("due_on")
        if start and due and start > due:
            self.add_error("start_on", "The start is after the due date. Change one of them.")
        return data


class ReleaseForm(forms.Form):
    """How an order is released."""

    keeps_bom = forms.BooleanField(required=False)
    reserves = forms.BooleanField(required=False)
    needs_everything = forms.BooleanField(required=False)


class SplitForm(forms.Form):
    """How much of an order's rest becomes an order of its own."""

    quantity = QuantityField(label="Quantity of the new order")
    due_on = day_field("Due", help_text="Of the new order. Empty: as this one.")

    def __init__(self, *args: Any, item: Item, **options: Any) -> None:
        super().__init__(*args, **options)
        self.item = item

    def clean_quantity(self) -> Decimal:
        return stock_quantity(self.cleaned_data["quantity"], self.item)


class PartsForm(forms.Form):
    """Into how many orders of equal size the rest of an order is parted."""

    parts = forms.IntegerField(
        label="Parts",
        min_value=2,
        max_value=PARTS_MAX,
        error_messages=dict.fromkeys(
            ("min_value", "max_value", "invalid"), f"Type a whole number from 2 to {PARTS_MAX}: into how many orders?"
        ),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "class": "bf-field-number", "autocomplete": "off"}),
        help_text="The order itself is the first. Each is rounded down to the step, the last takes the rest.",
    )


class ReturnForm(forms.Form):
    """Where issued components go back to; the quantities stand beside their lots."""

    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, places: Mapping[str, Location], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["target"] = PlaceField(label="Back to", places=places)


class IssueForm(forms.Form):
    """Where picked components go; the rows stand beside it."""

    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, places: Mapping[str, Location], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["floor"] = PlaceField(label="To the floor", places=places)


class DemandForm(forms.Form):
    """A demand by its reference: what, how many, when, and whether it is made."""

    reference = forms.CharField(label="Reference", max_length=64, help_text="Order number or any name; given once.")
    item = forms.CharField(label="Item", max_length=250, help_text="SKU, barcode or name.")
    quantity = QuantityField(label="Quantity")
    needed_on = day_field("Needed on")
    mode = forms.ChoiceField(
        label="How",
        required=False,
        choices=[("", "As the item says"), *DemandMode.choices],
    )
    window_hours = forms.IntegerField(
        label="Join orders of the last hours", required=False, min_value=0, max_value=24 * 31, initial=4
    )

    def __init__(self, *args: Any, places: Mapping[str, Location], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["location"] = PlaceField(label="Ready at", places=places)
        self.fields["source"] = PlaceField(
            label="Components come from", places=places, required=False, empty="Any place of our own"
        )
        self.order_fields(("reference", "item", "quantity", "location", "source", "needed_on", "mode", "window_hours"))

    def clean_item(self) -> Item:
        return named_item(self.cleaned_data["item"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        item, typed = data.get("item"), data.get("quantity")
        if isinstance(item, Item) and isinstance(typed, TypedQuantity):
            try:
                data["quantity"] = stock_quantity(typed, item)
            except ValidationError as error:
                self.add_error("quantity", error)
        return data


class ReplenishForm(forms.Form):
    """Where what is made again goes and where its components come from; the items stand beside it."""

    def __init__(self, *args: Any, places: Mapping[str, Location], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["location"] = PlaceField(label="Into", places=places)
        self.fields["source"] = PlaceField(
            label="Components come from", places=places, required=False, empty="Any place of our own"
        )


def named_item(text: str) -> Item:
    """The one active item that a text names. Raises ValidationError."""
    text = text.strip()
    exact = Item.objects.active().filter(sku__iexact=text).first()
    found = [exact] if exact else list(Item.objects.active().stocked().matching(text)[:2])
    if not found:
        raise ValidationError(f"Nothing is called “{text}”. Type a SKU, a barcode or a part of the name.")
    if len(found) > 1:
        raise ValidationError(f"“{text}” fits several items. Type the whole SKU.")
    return found[0]


def stock_quantity(typed: TypedQuantity, item: Item) -> Decimal:
    """A typed quantity in the item's stock unit. Raises ValidationError."""
    try:
        return in_stock_unit(
            typed,
            sku=item.sku,
            stock_unit=item.stock_unit,
            step=item.step,
            packs=packs_of(item) if typed.unit else {},
        )
    except DomainError as error:
        raise ValidationError(error.message) from error
