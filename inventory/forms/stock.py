"""Forms of stock: what is typed or scanned becomes items, places, quantities and lots, with errors in words."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from inventory.errors import DomainError
from inventory.filters import find_item, find_location
from inventory.form_fields import FigureField, ItemField, LocationField, TextWithAnswers
from inventory.models import Item, Location, Lot, StockBalance, StockStatus, Tracking
from inventory.operations.checking import to_stock_unit
from inventory.templatetags.figures import grouped
from inventory.units import LIKELY_UNITS
from inventory.web import add_refusal

Person = User | AnonymousUser

SCRAP_REASONS = ("Damaged", "Expired", "Failed inspection", "Lost", "Spilled", "Used as a sample")
ADJUSTMENT_REASONS = ("Counted", "Found", "Miscounted at receipt", "Recorded twice", "Unrecorded use")
STATUS_REASONS = ("Failed inspection", "Customer complaint", "Damaged in storage", "Supplier recall")


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
        if "may_go_below" in self.fields and not (
            item is not None and item.negative_allowed and self.user.has_perm("inventory.go_negative")
        ):
            del self.fields["may_go_below"]
        if "effective_at" in self.fields and not self.user.has_perm("inventory.backdate_posting"):
            del self.fields["effective_at"]

    offers_expired = False
    """Whether people with the privilege may choose lots that are set to expired."""
    must_name_lot = False
    """Whether a tracked item leaves only by a lot that was named."""

    def _held(self, item: Item) -> list[tuple[Lot, Decimal]]:
        """Lots of the item at the place and with the status, first to expire first, with what is free of each."""
        cells = StockBalance.objects.on_hand().filter(item=item).select_related("lot", "location")
        if self.known_place is not None:
            cells = cells.filter(location__path__startswith=self.known_place.path)
        statuses = [self.typed(self.status_field) or StockStatus.AVAILABLE]
        if self.offers_expired and self.user.has_perm("inventory.use_expired"):
            statuses.append(StockStatus.EXPIRED)
        cells = cells.filter(status__in=statuses)
        held: dict[int, tuple[Lot, Decimal]] = {}
        for cell in cells.order_by("lot__expires_on", "lot__received_on", "lot_id"):
            _, before = held.get(cell.lot_id, (cell.lot, Decimal(0)))
            held[cell.lot_id] = (cell.lot, before + cell.quantity - cell.reserved)
        return list(held.values())

    def _lots(self, item: Item) -> list[tuple[Lot, str]]:
        """Lots that can be taken, in words."""
        today = timezone.localdate()
        return [
            (
                lot,
                f"{lot.code or 'no lot'} · {grouped(free)} {item.stock_unit} free"
                + (
                    f" · {'expired' if lot.is_expired(on=today) else 'expires'} {lot.expires_on:%Y-%m-%d}"
                    if lot.expires_on
                    else ""
                ),
            )
            for lot, free in self._held(item)
        ]

    def uses_expired(self) -> bool:
        """Whether the chosen lot is past its last day, which whoever may use such lots chose by its name."""
        return (
            self.offers_expired
            and any(
                lot.is_expired(on=timezone.localdate(effective_at_of(self.cleaned_data)))
                for lot, _ in self.chosen_lots()
            )
            and self.user.has_perm("inventory.use_expired")
        )

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


def below_zero_field() -> forms.BooleanField:
    return forms.BooleanField(
        label="Let it go below zero",
        required=False,
        help_text="For goods that are there and not booked yet. What is missing leaves at the last known cost.",
    )


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
        ("Sample", "Own use", "Workshop supplies", "Given away"),
        required=False,
        help_text="What it was used for. Needed for lots out of order or expired, and for stock below zero.",
    )
    reference = reference_field("Number of the document behind it.")
    may_go_below = below_zero_field()
    effective_at = when_field()
    note = note_field()

    offers_expired = True


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
