"""Fields of the forms of selling: an item by what is typed or scanned, and figures as people write them."""

from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from inventory.errors import DomainError
from inventory.filters import find_item
from inventory.models import Item
from inventory.quantities import as_text, from_text, is_exact


class ItemInput(forms.TextInput):
    """A text field that suggests items while one types; see static/js/backflush.js."""

    template_name = "shell/_suggest.html"

    def __init__(self) -> None:
        super().__init__(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "Every item"})

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["suggest_url"] = reverse("inventory:suggest_items")
        context["list_id"] = f"{context['widget']['attrs'].get('id', name)}_list"
        return context

    def _render(self, template_name: str, context: dict[str, Any], renderer: Any = None) -> SafeString:  # noqa: ARG002
        return render_to_string(template_name, context)


class ItemField(forms.CharField):
    """An item by SKU or barcode."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=ItemInput(), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return value.sku if isinstance(value, Item) else value

    def clean(self, value: Any) -> Any:
        text = cast(str, super().clean(value.sku if isinstance(value, Item) else value))
        if not text:
            return None
        item = find_item(text)
        if item is None:
            raise ValidationError(f"There is no item with SKU or barcode “{text}”. Check it, or add the item first.")
        return item


class FigureField(forms.CharField):
    """A decimal as people type it, such as 12.5 or 1,250; empty is None."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"inputmode": "decimal", "autocomplete": "off", "class": "bf-field-number"}
        super().__init__(widget=forms.TextInput(attrs=attrs), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return as_text(value) if isinstance(value, Decimal) else value

    def clean(self, value: Any) -> Any:
        text = cast(str, super().clean(value))
        if not text:
            return None
        try:
            figure = from_text(text)
        except DomainError as error:
            raise ValidationError(error.message) from None
        if not is_exact(figure):
            raise ValidationError(f"“{text}” has more than six decimal places or is too large. Shorten it.")
        return figure
