"""Fields of forms that every app uses: what is typed or scanned becomes items, places and figures."""

from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.urls import reverse_lazy
from django.utils.safestring import SafeString

from inventory.errors import DomainError
from inventory.filters import find_item, find_location
from inventory.models import Item, Location
from inventory.quantities import as_text, from_text, is_exact

SUGGESTIONS_MAX = 8
"""Matches offered at once while one types."""


class ShellInput(forms.TextInput):
    """A text field whose template stands with the other templates of the shell."""

    def _render(self, template_name: str, context: dict[str, Any], renderer: Any = None) -> SafeString:  # noqa: ARG002
        return render_to_string(template_name, context)


class TextWithAnswers(ShellInput):
    """A text field with a few usual answers to choose from."""

    template_name = "shell/_text_with_answers.html"

    def __init__(self, answers: tuple[str, ...]) -> None:
        super().__init__(attrs={"autocomplete": "off"})
        self.answers = answers

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return {**super().get_context(name, value, attrs), "answers": self.answers}


class SuggestInput(ShellInput):
    """A text field that suggests matches while one types; see static/js/backflush.js."""

    template_name = "shell/_suggest.html"

    def __init__(self, *, url: Any, placeholder: str) -> None:
        super().__init__(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": placeholder})
        self.url = url

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["suggest_url"] = str(self.url)
        context["list_id"] = f"{context['widget']['attrs'].get('id', name)}_list"
        return context


class ItemField(forms.CharField):
    """An item by SKU or barcode, or the item itself; empty is None."""

    def __init__(self, *, placeholder: str = "Scan or type an item", **kwargs: Any) -> None:
        widget = SuggestInput(url=reverse_lazy("inventory:suggest_items"), placeholder=placeholder)
        super().__init__(widget=widget, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return value.sku if isinstance(value, Item) else value

    def clean(self, value: Any) -> Any:
        text = cast(str, super().clean(self.prepare_value(value)))
        if not text:
            return None
        item = find_item(text)
        if item is None:
            raise ValidationError(f"There is no item with SKU or barcode “{text}”. Check it, or add the item first.")
        return item


class LocationField(forms.CharField):
    """A location by its code."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            widget=SuggestInput(url=reverse_lazy("inventory:suggest_locations"), placeholder="Scan or type a location"),
            **kwargs,
        )

    def prepare_value(self, value: Any) -> Any:
        return value.code if isinstance(value, Location) else value

    def clean(self, value: Any) -> Any:
        text = cast(str, super().clean(value))
        if not text:
            return None
        location = find_location(text)
        if location is None:
            raise ValidationError(f"There is no location with code “{text}”. Check the label.")
        return location


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
