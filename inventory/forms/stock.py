"""Forms of stock: what is typed or scanned becomes items, places, quantities and lots, with errors in words."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.safestring import SafeString

from inventory.errors import DomainError
from inventory.filters import find_item, find_location
from inventory.models import Item, Location, Lot, StockBalance, StockStatus, Tracking
from inventory.operations.checking import to_stock_unit
from inventory.quantities import as_text, from_text, is_exact
from inventory.templatetags.figures import grouped
from inventory.web import add_refusal

Person = User | AnonymousUser

LIKELY_UNITS = {"kg": ("g",), "g": ("kg",), "l": ("ml",), "ml": ("l",), "m": ("cm", "mm"), "cm": ("m",), "mm": ("m",)}
"""Units people type for a stock unit beside the item's own packs."""

SCRAP_REASONS = ("Damaged", "Expired", "Failed inspection", "Lost", "Spilled", "Used as a sample")
ADJUSTMENT_REASONS = ("Counted", "Found", "Miscounted at receipt", "Recorded twice", "Unrecorded use")
STATUS_REASONS = ("Failed inspection", "Customer complaint", "Damaged in storage", "Supplier recall")


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
    """An item by SKU or barcode."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            widget=SuggestInput(url=reverse_lazy("inventory:suggest_items"), placeholder="Scan or type an item"),
            **kwargs,
        )

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
    """A decimal as people type it, such as 12.5 or 1,250."""

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


class StockForm(forms.Form):
    """One thing that is done with one item. The hidden key makes a repeated submit harmless."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    item = ItemField()

    focus_order: tuple[str, ...] = ("item", "location", "target", "quantity", "lot_code", "reason")
    place_field = "location"
    status_field = "status"

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if not self.is_bound:
            self.initial.setdefault("key", str(uuid4()))
        self.known_item: Item | None = find_item(self.typed("item"))
        self.known_place: Location | None = find_location(self.typed(self.place_field))
        self._shape()
        self._focus()

    def typed(self, name: str) -> str:
        """What stands in a field now: typed, or prepared."""
        source: Mapping[str, Any] = self.data if self.is_bound else self.initial
        return str(source.get(name) or "").strip()

    def _shape(self) -> None:
        """Leave out what does not concern the chosen item."""
        item = self.known_item
        if item is None:
            self.fields.pop("unit", None)
        elif "unit" in self.fields:
            unit = cast(forms.ChoiceField, self.fields["unit"])
            unit.choices = [(name, name) for name in units_of(item)]
        is_tracked = item is not None and item.tracking != Tracking.NONE
        for name in ("lot_code", "expires_on", "supplier_lot", "lot"):
            if name in self.fields and not is_tracked:
                del self.fields[name]
        if "lot_code" in self.fields and item is not None:
            self.fields["lot_code"].required = True
            self.fields["lot_code"].error_messages["required"] = (
                f"{item.sku} is tracked {item.get_tracking_display().lower()}; name the one these goods belong to."
            )
            if item.tracking == Tracking.SERIAL:
                self.fields["lot_code"].label = "Serial number"
        if "lot" in self.fields and item is not None:
            lots = self._lots(item)
            self.lots = {lot.pk: lot for lot, _ in lots}
            field = cast(forms.ChoiceField, self.fields["lot"])
            automatic = "Choose a lot" if self.must_name_lot else "Automatic: first to expire, then oldest"
            field.choices = [("", automatic), *((str(lot.pk), label) for lot, label in lots)]
        if "effective_at" in self.fields and not self.user.has_perm("inventory.backdate_posting"):
            del self.fields["effective_at"]

    must_name_lot = False
    """Whether a tracked item leaves only by a lot that was named."""

    def _lots(self, item: Item) -> list[tuple[Lot, str]]:
        """Lots of the item that can be taken, with what there is of each."""
        cells = StockBalance.objects.on_hand().filter(item=item).select_related("lot", "location")
        if self.known_place is not None:
            cells = cells.filter(location__path__startswith=self.known_place.path)
        status = self.typed(self.status_field) or StockStatus.AVAILABLE
        cells = cells.filter(status=status)
        held: dict[int, tuple[Lot, Decimal]] = {}
        for cell in cells.order_by("lot__expires_on", "lot__received_on", "lot_id"):
            _, before = held.get(cell.lot_id, (cell.lot, Decimal(0)))
            held[cell.lot_id] = (cell.lot, before + cell.quantity - cell.reserved)
        return [
            (
                lot,
                f"{lot.code or 'no lot'} · {grouped(free)} {item.stock_unit} free"
                + (f" · expires {lot.expires_on:%Y-%m-%d}" if lot.expires_on else ""),
            )
            for lot, free in held.values()
        ]

    def _focus(self) -> None:
        if self.is_bound:
            invalid = [name for name in self.fields if name in self.errors]
            names = invalid or list(self.focus_order)
        else:
            names = [name for name in self.focus_order if not self.typed(name)]
        for name in names:
            field = self.fields.get(name)
            if field is not None and not field.widget.is_hidden:
                field.widget.attrs["data-focus"] = ""
                return

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        item, typed_quantity = cleaned.get("item"), cleaned.get("quantity")
        if isinstance(item, Item) and isinstance(typed_quantity, Decimal):
            try:
                cleaned["quantity"] = to_stock_unit(item, typed_quantity, cleaned.get("unit") or "")
            except DomainError as error:
                add_refusal(self, error, field="quantity")
        if cleaned.get("effective_at") is None:
            cleaned.pop("effective_at", None)
        return cleaned

    def chosen_lots(self) -> tuple[tuple[Lot, Decimal], ...]:
        """The lot that was chosen with the whole quantity, as operations want it; empty for automatic."""
        chosen = self.cleaned_data.get("lot")
        if not chosen:
            return ()
        lot = self.lots.get(int(chosen))
        return ((lot, abs(self.cleaned_data["quantity"])),) if lot else ()


def units_of(item: Item) -> list[str]:
    """Units that can be typed for an item, its stock unit first."""
    likely = LIKELY_UNITS.get(item.stock_unit.casefold(), ())
    return [item.stock_unit, *(unit.name for unit in item.units.all()), *likely]


def quantity_field(label: str = "Quantity") -> FigureField:
    return FigureField(label=label)


def unit_field() -> forms.ChoiceField:
    return forms.ChoiceField(label="Unit", required=False)


def lot_field() -> forms.ChoiceField:
    return forms.ChoiceField(label="Lot", required=False)


def when_field() -> forms.DateTimeField:
    return forms.DateTimeField(
        label="When it happened",
        required=False,
        help_text="Empty means now.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"],
    )


def reference_field(help_text: str) -> forms.CharField:
    return forms.CharField(label="Reference", required=False, max_length=100, help_text=help_text)


def note_field() -> forms.CharField:
    return forms.CharField(label="Note", required=False, max_length=500)


def reason_field(answers: tuple[str, ...], *, required: bool = True, help_text: str = "") -> forms.CharField:
    return forms.CharField(
        label="Reason", required=required, max_length=100, widget=TextWithAnswers(answers), help_text=help_text
    )


class ReceiveForm(StockForm):
    location = LocationField(label="Into")
    quantity = quantity_field()
    unit = unit_field()
    lot_code = forms.CharField(label="Lot", max_length=64, required=False)
    expires_on = forms.DateField(label="Expires on", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    value = FigureField(
        label=f"Cost of all of it, {settings.BASE_CURRENCY}",
        required=False,
        help_text="What this quantity cost in total. Leave it empty while it is not known; it is listed until then.",
    )
    reference = reference_field("Delivery note or order number.")
    supplier_lot = forms.CharField(label="Supplier's lot", max_length=64, required=False)
    effective_at = when_field()
    note = note_field()


class IssueForm(StockForm):
    location = LocationField(label="From", help_text="What lies below this place is used too.")
    quantity = quantity_field()
    unit = unit_field()
    lot = lot_field()
    reason = reason_field(
        ("Sample", "Own use", "Workshop supplies", "Given away"), required=False, help_text="What it was used for."
    )
    reference = reference_field("Number of the document behind it.")
    effective_at = when_field()
    note = note_field()


class TransferForm(StockForm):
    location = LocationField(label="From")
    target = LocationField(label="To")
    quantity = quantity_field()
    unit = unit_field()
    status = forms.ChoiceField(label="Status", choices=StockStatus.choices, initial=StockStatus.AVAILABLE)
    lot = lot_field()
    reference = reference_field("Number of the document behind it.")
    effective_at = when_field()
    note = note_field()


class AdjustForm(StockForm):
    location = LocationField(label="Where")
    direction = forms.ChoiceField(
        label="What happened",
        choices=[("missing", "Less is there than the book says"), ("found", "More is there than the book says")],
        widget=forms.RadioSelect,
        initial="missing",
    )
    quantity = quantity_field("By how much")
    unit = unit_field()
    status = forms.ChoiceField(label="Status", choices=StockStatus.choices, initial=StockStatus.AVAILABLE)
    reason = reason_field(ADJUSTMENT_REASONS)
    lot = lot_field()
    lot_code = forms.CharField(label="Lot", max_length=64, required=False)
    expires_on = forms.DateField(label="Expires on", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    value = FigureField(
        label=f"Value of what was found, {settings.BASE_CURRENCY}",
        required=False,
        help_text="Empty means the present average cost.",
    )
    effective_at = when_field()
    note = note_field()

    def _shape(self) -> None:
        super()._shape()
        gone = ("lot",) if self.typed("direction") == "found" else ("lot_code", "expires_on", "value")
        for name in gone:
            self.fields.pop(name, None)


class ScrapForm(StockForm):
    location = LocationField(label="Where")
    quantity = quantity_field()
    unit = unit_field()
    status = forms.ChoiceField(label="Status", choices=StockStatus.choices, initial=StockStatus.AVAILABLE)
    lot = lot_field()
    reason = reason_field(SCRAP_REASONS)
    effective_at = when_field()
    note = note_field()

    must_name_lot = True


class ChangeStatusForm(StockForm):
    location = LocationField(label="Where")
    from_status = forms.ChoiceField(label="Status now", choices=StockStatus.choices, initial=StockStatus.QC_HOLD)
    to_status = forms.ChoiceField(label="New status", choices=StockStatus.choices, initial=StockStatus.AVAILABLE)
    quantity = quantity_field()
    unit = unit_field()
    lot = lot_field()
    reason = reason_field(STATUS_REASONS, required=False, help_text="Needed when stock leaves available.")
    effective_at = when_field()
    note = note_field()

    status_field = "from_status"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("from_status") == StockStatus.AVAILABLE and not cleaned.get("reason"):
            self.add_error("reason", "Say why this stock can no longer be sold or used.")
        return cleaned


class CorrectCostForm(StockForm):
    unit_cost = FigureField(label=f"Right cost of one unit, {settings.BASE_CURRENCY}")
    reason = reason_field(("Invoice came in", "Wrong price at receipt", "Freight added"))
    note = note_field()

    focus_order = ("item", "unit_cost", "reason")


def effective_at_of(cleaned: Mapping[str, Any]) -> datetime | None:
    """The time that was given, aware; None for now."""
    value = cleaned.get("effective_at")
    if value is None:
        return None
    moment = cast(datetime, value)
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
