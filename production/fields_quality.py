"""Fields of the forms of inspecting: figures and items as people type them, and text with usual answers."""

from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.urls import reverse_lazy
from django.utils.safestring import SafeString

from inventory.errors import DomainError
from inventory.filters import find_item
from inventory.models import Item
from inventory.quantities import as_text, from_text, is_exact


class _FromShell(forms.TextInput):
    """A text field whose template stands with the other templates of the shell."""

    def _render(self, template_name: str, context: dict[str, Any], renderer: Any = None) -> SafeString:  # noqa: ARG002
        return render_to_string(template_name, context)


class AnsweredInput(_FromShell):
    """A text field with a few usual answers to choose from."""

    template_name = "shell/_text_with_answers.html"

    def __init__(self, answers: tuple[str, ...]) -> None:
        super().__init__(attrs={"autocomplete": "off"})
        self.answers = answers

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return {**super().get_context(name, value, attrs), "answers": self.answers}


class _ItemInput(_FromShell):
    template_name = "shell/_suggest.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["suggest_url"] = str(reverse_lazy("inventory:suggest_items"))
        context["list_id"] = f"{context['widget']['attrs'].get('id', name)}_list"
        return context


class ScannedItemField(forms.CharField):
    """An item by SKU or barcode."""

    def __init__(self, **options: Any) -> None:
        attrs = {"autocomplete": "off", "spellcheck": "false", "placeholder": "Scan or type an item"}
        super().__init__(widget=_ItemInput(attrs=attrs), **options)

    def prepare_value(self, value: Any) -> Any:
        return value.sku if isinstance(value, Item) else value

    def clean(self, value: Any) -> Any:
        text = cast(str, super().clean(value))
        if not text:
            return None
        item = find_item(text)
        if item is None:
            raise ValidationError(f"There is no item with SKU or barcode “{text}”. Check it, or add the item first.")
        return item


class TypedFigureField(forms.CharField):
    """A decimal as people type it, such as 12.5 or 1,250; empty is None."""

    def __init__(self, **options: Any) -> None:
        attrs = {"inputmode": "decimal", "autocomplete": "off", "class": "bf-field-number"}
        super().__init__(widget=forms.TextInput(attrs=attrs), **options)

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
