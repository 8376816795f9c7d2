"""Forms of counting: opening a sheet, a figure, something found, and why a line differs."""

from typing import Any, cast

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from inventory.filters import find_item, find_location
from inventory.form_fields import FigureField, LocationField
from inventory.forms.stock import units_of
from inventory.models import CountCause, CountLine, Item, Location, StockStatus
from inventory.operations.counting import COUNTERS_BACKEND, LINES_MAX

TOP_USUAL = 20

DUE, ITEMS, ALL = "due", "items", "all"


class SkusField(forms.CharField):
    """Items by SKU or barcode, separated by blanks, commas or lines."""

    def clean(self, value: Any) -> Any:
        text = cast(str, super().clean(value))
        words = text.replace(",", " ").replace(";", " ").split()
        items: list[Item] = []
        unknown = []
        for word in dict.fromkeys(words[:LINES_MAX]):
            item = find_item(word)
            if item is None:
                unknown.append(word)
            else:
                items.append(item)
        if unknown:
            raise ValidationError(f"There is no item with SKU or barcode {', '.join(unknown[:5])}. Check it.")
        return items


class OpenSheetForm(forms.Form):
    """What to count, where, and by whom."""

    location = LocationField(label="Where", help_text="This place and everything below it.")
    what = forms.ChoiceField(
        label="What",
        choices=[(DUE, "The most urgent cells"), (ALL, "Every cell that holds something"), (ITEMS, "Chosen items")],
        widget=forms.RadioSelect,
        initial=DUE,
    )
    top = forms.IntegerField(
        label="How many of the most urgent", min_value=1, max_value=LINES_MAX, initial=TOP_USUAL, required=False
    )
    items = SkusField(
        label="Chosen items",
        required=False,
        max_length=10_000,
        help_text="SKUs or barcodes, separated by blanks. Used with “Chosen items”.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )
    assigned_to = forms.ModelChoiceField(
        label="Who counts", queryset=User.objects.none(), required=False, empty_label="Whoever is free"
    )
    is_blind = forms.BooleanField(
        label="Blind: whoever counts does not see what is expected", required=False, initial=True
    )
    note = forms.CharField(label="Note", required=False, max_length=500)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        people = cast(forms.ModelChoiceField, self.fields["assigned_to"])  # type: ignore[type-arg]
        people.queryset = User.objects.with_perm("inventory.count_stock", backend=COUNTERS_BACKEND).order_by("username")
        self.fields["location"].widget.attrs["data-focus"] = ""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        what = cleaned.get("what")
        if what == ITEMS and not cleaned.get("items") and "items" not in self.errors:
            self.add_error("items", "Name the items to count, or choose what to count above.")
        if what != ITEMS:
            cleaned["items"] = []
        cleaned["top"] = (cleaned.get("top") or TOP_USUAL) if what == DUE else None
        return cleaned


class CountForm(forms.Form):
    """What is in one cell."""

    quantity = FigureField(label="How many are there?")
    unit = forms.ChoiceField(label="Unit", required=False)
    alone = forms.BooleanField(label="Nobody else is here who could count it again", required=False)

    def __init__(self, *args: Any, line: CountLine, asks_alone: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        cast(forms.ChoiceField, self.fields["unit"]).choices = [(name, name) for name in units_of(line.item)]
        self.fields["quantity"].widget.attrs |= {"data-focus": "", "data-pad-field": ""}
        if not asks_alone:
            del self.fields["alone"]


class FoundForm(forms.Form):
    """Something that the sheet does not list. Plain fields: whoever only counts has no right to look items up."""

    item = forms.CharField(
        label="What is it?",
        max_length=100,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "placeholder": "Scan or type SKU or barcode", "data-focus": ""}
        ),
    )
    location = forms.CharField(label="Where does it stand?", max_length=64)
    lot_code = forms.CharField(
        label="Lot or serial number", max_length=64, required=False, help_text="Of items that are tracked."
    )
    status = forms.ChoiceField(label="Status", choices=StockStatus.choices, initial=StockStatus.AVAILABLE)

    def clean_item(self) -> Item:
        text = self.cleaned_data["item"]
        item = find_item(text)
        if item is None:
            raise ValidationError(f"There is no item with SKU or barcode “{text}”. Check the label, or set it aside.")
        return item

    def clean_location(self) -> Location:
        text = self.cleaned_data["location"]
        location = find_location(text)
        if location is None:
            raise ValidationError(f"There is no location with code “{text}”. Check the label.")
        return location


class ExplainForm(forms.Form):
    """Why one line differs."""

    cause = forms.ChoiceField(label="Cause", choices=[("", "Choose why"), *CountCause.choices], required=False)
    note = forms.CharField(label="Note", required=False, max_length=250)

    @classmethod
    def of(cls, line: CountLine, data: Any = None) -> "ExplainForm":
        return cls(data, prefix=f"line{line.pk}", initial={"cause": line.cause, "note": line.note})
