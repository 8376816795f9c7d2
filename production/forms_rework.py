"""Forms of rework orders: opening one, and recording what was done. Components are rows of an item and a quantity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.forms import BoundField
from django.http import QueryDict

from inventory.errors import DomainError
from inventory.form_fields import FigureField, ItemField, TextWithAnswers
from inventory.models import Item, Location
from inventory.quantities import ZERO, as_text
from inventory.whole_numbers import whole_number
from production.forms import SCRAP_REASONS, PlaceField, QuantityField, typed_in_stock_unit
from production.forms_quality import REWORK_REASONS
from production.operations.reworking import COMPONENTS_MAX
from production.typed import TypedQuantity

BLANK_ROWS = 3


@dataclass(frozen=True, slots=True)
class ComponentRow:
    """One row: the component and how much; `planned` is the component of a planned one."""

    component: BoundField
    quantity: BoundField
    planned: Item | None = None


class ComponentRowsForm(forms.Form):
    """A form with rows of components after its own fields; `components` are the filled ones, in stock units.

    `lines` are planned ones, with what is expected of each: their rows come first, and may be left empty for that.
    """

    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, lines: Sequence[tuple[Item, Decimal]] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.lines = list(lines)
        self.components: list[tuple[Item, Decimal]] = []
        self.row_count = min(max(len(self.lines), _rows_of(self.data)) + BLANK_ROWS, COMPONENTS_MAX)
        for number in range(self.row_count):
            self.fields[f"component-{number}"] = ItemField(label="Component", required=False, max_length=250)
            self.fields[f"quantity-{number}"] = QuantityField(label="Quantity", required=False)
            if number < len(self.lines):
                component, expected = self.lines[number]
                self.initial.setdefault(f"component-{number}", component.sku)
                self.fields[f"quantity-{number}"].widget.attrs["placeholder"] = as_text(expected)

    def rows(self) -> list[ComponentRow]:
        found = []
        for number in range(self.row_count):
            planned = self.lines[number][0] if number < len(self.lines) else None
            found.append(ComponentRow(self[f"component-{number}"], self[f"quantity-{number}"], planned))
        return found

    def own_fields(self) -> list[BoundField]:
        return [field for field in self.visible_fields() if not field.name.startswith(("component-", "quantity-"))]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for number in range(self.row_count):
            item, typed = cleaned.get(f"component-{number}"), cleaned.get(f"quantity-{number}")
            is_planned = number < len(self.lines) and item == self.lines[number][0]
            if item is None:
                if typed is not None and f"component-{number}" not in self.errors:
                    self.add_error(f"component-{number}", "Of which component? Type its SKU, or empty the quantity.")
                continue
            if typed is None:
                if not is_planned and f"quantity-{number}" not in self.errors:
                    self.add_error(f"quantity-{number}", f"How much {item.sku}? Type a quantity, or empty the row.")
                continue
            quantity = self.read(f"quantity-{number}", item)
            if quantity is not None:
                self.components.append((item, quantity))
        return cleaned

    def read(self, name: str, item: Item) -> Decimal | None:
        """What was typed in a field as a quantity of an item, in its stock unit; None with an error at it."""
        typed = self.cleaned_data.get(name)
        if not isinstance(typed, TypedQuantity):
            return ZERO if name not in self.errors else None
        try:
            return typed_in_stock_unit(item, typed)
        except DomainError as error:
            self.add_error(name, error.message)
            return None


class OpenReworkForm(ComponentRowsForm):
    """What is to be done, to how many, with what."""

    quantity = QuantityField(label="How many")
    work = forms.CharField(label="What is to be done", max_length=1000, widget=TextWithAnswers(REWORK_REASONS))
    due_on = forms.DateField(label="Due", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    minutes = FigureField(label="Minutes of work", required=False, help_text="For all of them together.")
    rate_per_hour = FigureField(label="Rate an hour", required=False, help_text="What an hour of the work costs.")

    field_order = ("key", "quantity", "work", "due_on", "source_location", "minutes", "rate_per_hour")

    def __init__(self, *args: Any, item: Item, places: Mapping[str, Location], **options: Any) -> None:
        super().__init__(*args, **options)
        self.item = item
        self.fields["source_location"] = PlaceField(label="Components come from", places=places)
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if "quantity" in cleaned:
            cleaned["quantity"] = self.read("quantity", self.item)
        return cleaned


class RecordReworkForm(ComponentRowsForm):
    """What was mended, what was spoiled, and what it took."""

    good = QuantityField(label="Good", required=False)
    scrapped = QuantityField(label="Spoiled", required=False)
    scrap_reason = forms.CharField(
        label="Why spoiled", required=False, max_length=100, widget=TextWithAnswers(SCRAP_REASONS)
    )
    minutes = FigureField(label="Minutes of work", required=False)
    note = forms.CharField(label="Note", max_length=500, required=False)

    field_order = ("key", "good", "scrapped", "scrap_reason", "minutes", "target", "note")

    def __init__(
        self, *args: Any, item: Item, places: Mapping[str, Location], minutes: Decimal, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.item = item
        self.fields["minutes"].widget.attrs["placeholder"] = as_text(minutes)
        self.fields["target"] = PlaceField(label="Put to", places=places)
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in ("good", "scrapped"):
            cleaned[name] = self.read(name, self.item)
        if cleaned["scrapped"] and not cleaned.get("scrap_reason"):
            self.add_error("scrap_reason", "Say why they could not be mended.")
        if not self.errors and not cleaned["good"] and not cleaned["scrapped"]:
            self.add_error("good", "How many are good, and how many were spoiled? Type at least one of them.")
        return cleaned


def _rows_of(data: Any) -> int:
    """How many rows of components a post has."""
    if not isinstance(data, QueryDict):
        return 0
    numbers = [whole_number(name.removeprefix("component-")) for name in data if name.startswith("component-")]
    filled = [
        number
        for number in numbers
        if number is not None and (data.get(f"component-{number}") or data.get(f"quantity-{number}"))
    ]
    return min(max(filled, default=-1) + 1, COMPONENTS_MAX)
