"""Forms of the pages about making: recording and undoing completions, opening work orders."""

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from inventory.errors import DomainError, InvalidQuantity
from inventory.form_fields import FigureField
from inventory.models import Item, ItemUnit, Location, LocationKind, Tracking
from inventory.operations.checking import packs_of
from inventory.quantities import ZERO, as_text
from production.models import ConsumptionBasis, WorkOrder
from production.operations.completing import OutputLot
from production.output_lots import fill_rest, read_lots, read_serials
from production.typed import TypedQuantity, in_stock_unit, read_quantity

PLACES_AS_LIST_MAX = 60
"""With more places than this a place is typed or scanned; with fewer it is chosen from a list."""
SCRAP_REASONS = ("Broken", "Wrong dimensions", "Surface defect", "Contaminated", "Set-up piece", "Failed test")


class QuantityField(forms.CharField):
    """A quantity as typed; cleans to a TypedQuantity, or None when empty."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", 48)
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "class": "bf-field-number"})
        super().__init__(widget=widget, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return read_quantity(text)
        except DomainError as error:
            raise ValidationError(error.message) from error


class PlaceField(forms.CharField):
    """A place by its code, without regard to case: chosen from a list while there are few, else typed or scanned."""

    def __init__(self, *, places: Mapping[str, Location], empty: str = "", **options: Any) -> None:
        super().__init__(max_length=64, strip=True, **options)
        self.places = places
        if len(places) <= PLACES_AS_LIST_MAX:
            choices = [(place.code, f"{place.code} · {place.name}") for place in places.values()]
            self.widget = forms.Select(choices=[("", empty or "Choose a place"), *choices])
        else:
            self.widget = forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"})
        self.widget.is_required = self.required

    def clean(self, value: Any) -> Any:
        code = super().clean(value)
        if not code:
            return None
        place = self.places.get(code.casefold())
        if place is None:
            raise ValidationError(f"No own place is called “{code}”. Choose one that exists.")
        return place


def own_places() -> dict[str, Location]:
    """Active places of our own by their code in lower case, in the order of the tree."""
    places = Location.objects.active().filter(kind=LocationKind.OWN).order_by("path")
    return {place.code.casefold(): place for place in places}


class CompletionForm(forms.Form):
    """What a person reports about a run, without the component lines (see production.views.completion_lines)."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    good = QuantityField(label="Good", required=False)
    scrapped = QuantityField(label="Scrap", required=False)
    scrap_reason = forms.CharField(label="Scrap reason", max_length=100, required=False)
    output_lot_code = forms.CharField(label="Lot", max_length=64, required=False)
    expires_on = forms.DateField(label="Expires", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    reason = forms.CharField(label="Reason", max_length=100, required=False)
    made_on = forms.DateField(
        label="Made on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Empty means now.",
    )
    reference = forms.CharField(label="Reference", max_length=100, required=False)
    labour_minutes = FigureField(
        label="Minutes of labour", required=False, help_text="All together; empty: as planned."
    )
    machine_minutes = FigureField(
        label="Minutes of machines", required=False, help_text="All together; empty: as planned."
    )
    note = forms.CharField(label="Note", max_length=500, required=False)
    output_lots = forms.CharField(required=False, max_length=60_000, widget=forms.Textarea(attrs={"rows": 3}))
    build_missing = forms.BooleanField(label="Make what is missing first", required=False)
    may_go_below = forms.BooleanField(label="Take them below zero", required=False)
    confirmed = forms.CharField(max_length=48, required=False)

    IN_PREVIEW = ("reason", "build_missing", "may_go_below", "confirmed")
    """Fields that stand among the components, not above them."""

    def __init__(
        self,
        *args: Any,
        item: Item,
        work_order: WorkOrder | None = None,
        places: Mapping[str, Location],
        **options: Any,
    ) -> None:
        options["auto_id"] = "completion-%s"
        super().__init__(*args, **options)
        self.item, self.work_order = item, work_order
        self.fields["output_location"] = PlaceField(label="Into", places=places, required=False)
        source = work_order.source_location.code if work_order and work_order.source_location else ""
        self.fields["source_location"] = PlaceField(
            label="Components from",
            places=places,
            required=False,
            empty=f"{source} (as ordered)" if source else "Any place of our own",
        )
        self.fields["scrap_location"] = PlaceField(
            label="Scrap put in", places=places, required=False, empty="Not noted"
        )
        self.fields["scrap_reason"].widget.attrs["list"] = "scrap-reasons"
        self.fields["scrapped"].widget.attrs["placeholder"] = (
            " "  # an empty field is told from a filled one by the style
        )
        self.fields["good"].widget.attrs.update({"data-focus": "", "enterkeyhint": "go"})
        if work_order is not None:
            self.fields.pop("reference")
        if item.tracking == Tracking.NONE:
            for name in ("output_lot_code", "output_lots", "expires_on"):
                self.fields.pop(name)
        else:
            lot, lots = self.fields["output_lot_code"], self.fields["output_lots"]
            lot.widget.attrs.update({"placeholder": "automatic", "autocomplete": "off"})
            lots.widget.attrs.update({"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"})
            if item.tracking == Tracking.SERIAL:
                self.fields.pop("output_lot_code")
                lots.label = "Serial numbers"
                lots.help_text = "Scan or paste them, one to a line; A-001..A-040 names forty."
            else:
                lots.label = "Several lots"
                lots.help_text = "One to a line: lot, quantity and, if known, last day. The last may take the rest."

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        packs: Mapping[str, Fraction] | None = None
        for name in ("good", "scrapped"):
            typed = data.get(name)
            if not isinstance(typed, TypedQuantity):
                data[name] = ZERO
                continue
            if typed.unit and packs is None:
                packs = packs_of(self.item)
            data[name] = ZERO
            try:
                data[name] = in_stock_unit(
                    typed,
                    sku=self.item.sku,
                    stock_unit=self.item.stock_unit,
                    step=self.item.step,
                    packs=packs or {},
                )
            except DomainError as error:
                self.add_error(name, error.message)
        data["lots"] = []
        try:
            data["lots"] = self._lots(data)
        except DomainError as error:
            self.add_error("output_lots", error.message)
        if data.get("scrapped") and not data.get("scrap_reason") and "scrapped" not in self.errors:
            self.add_error("scrap_reason", "Scrap needs a reason. Choose one or type your own.")
        if not data.get("output_location") and self.work_order is None and "output_location" not in self.errors:
            self.add_error("output_location", f"Where does the finished {self.item.sku} go? Choose a place.")
        return data

    def _lots(self, data: dict[str, Any]) -> list[OutputLot]:
        """The lots or serial numbers of the good quantity. Serial numbers alone say how many are good."""
        text = data.get("output_lots") or ""
        if "output_lots" not in self.fields or "good" in self.errors:
            return []
        good, unit = data["good"], self.item.stock_unit
        if self.item.tracking == Tracking.SERIAL:
            serials = read_serials(text)
            if serials and not good and not self.data.get("good"):
                good = data["good"] = Decimal(len(serials))
            if len(serials) != good and (serials or good > 1):
                raise InvalidQuantity(
                    f"{len(serials) or 'No'} serial number{'' if len(serials) == 1 else 's'} for {as_text(good)} good {unit}: "
                    f"{_difference(len(serials), good)}."
                )
            return [OutputLot(serial, Decimal(1), data.get("expires_on")) for serial in serials]
        lots = fill_rest(read_lots(text), good=good)
        total = sum((quantity for _, quantity in lots), ZERO)
        if lots and total != good:
            raise InvalidQuantity(f"The lots add up to {as_text(total)} {unit}, {as_text(good)} are good.")
        return [OutputLot(lot.code, quantity, lot.expires_on or data.get("expires_on")) for lot, quantity in lots]

    @property
    def is_confirmed(self) -> bool:
        """Whether the person said that this very quantity is right, unusual as it is."""
        data = self.cleaned_data
        return data.get("confirmed") == as_text(data.get("good", ZERO) + data.get("scrapped", ZERO))

    @property
    def lots_to_plan(self) -> list[OutputLot]:
        """The lots, or stand-ins while serial numbers are missing, so that the rest can be shown."""
        data = self.cleaned_data
        good: Decimal = data.get("good", ZERO)
        if "output_lots" not in self.errors:
            return list(data.get("lots", ()))
        if self.item.tracking != Tracking.SERIAL or good != good.to_integral_value():
            return []
        return [OutputLot(f"serial {number}", Decimal(1)) for number in range(1, int(good) + 1)]

    @property
    def is_empty(self) -> bool:
        """Whether no quantity was given yet, and nothing is wrong with what was typed."""
        data = getattr(self, "cleaned_data", {})
        return not data.get("good") and not data.get("scrapped") and not {"good", "scrapped"} & set(self.errors)


def _difference(given: int, wanted: Decimal) -> str:
    missing = wanted - given
    if missing > ZERO:
        return f"{as_text(missing)} missing, scan the rest"
    return f"{as_text(-missing)} too many, take some out or raise the good quantity"


def moment_of(day: date | None) -> datetime | None:
    """The moment a completion of a day is dated: None (now) for today, noon for any other day."""
    if day is None or day == timezone.localdate():
        return None
    return timezone.make_aware(datetime.combine(day, time(12, 0)))


class UndoForm(forms.Form):
    """Take back a completion: all that is left, or a quantity of good units."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    good = QuantityField(label="Good units to take back", required=False, help_text="Empty means all that is left.")
    reason = forms.CharField(label="Reason", max_length=100, required=False)

    def __init__(self, *args: Any, item: Item, **options: Any) -> None:
        super().__init__(*args, **options)
        self.item = item

    def clean_good(self) -> Decimal | None:
        typed = self.cleaned_data["good"]
        if typed is None:
            return None
        return _converted(typed, self.item)


class WorkOrderForm(forms.Form):
    """Open a work order."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    item = forms.CharField(
        label="Item", max_length=250, help_text="What is made: its SKU, barcode or name. It needs a BOM in force."
    )
    planned = QuantityField(label="Planned quantity", help_text="In the stock unit, or with a unit: 40 or 2 box.")
    due_on = forms.DateField(label="Due", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    over_completion_percent = forms.DecimalField(
        label="Allowed above plan (%)",
        required=False,
        min_value=0,
        max_digits=7,
        decimal_places=3,
        help_text="Empty takes the item's own allowance.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "bf-field-number"}),
    )
    start_on = forms.DateField(label="Start", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    rank = forms.TypedChoiceField(
        label="Priority",
        required=False,
        coerce=int,
        initial=0,
        empty_value=None,
        choices=((-100, "Urgent"), (-10, "High"), (0, "Normal"), (10, "Low")),
    )
    basis = forms.ChoiceField(
        label="A completion consumes",
        required=False,
        choices=ConsumptionBasis.choices,
        help_text="By the BOM, or in proportion what was issued to the order before.",
    )
    is_planned = forms.ChoiceField(
        label="State",
        required=False,
        choices=(("", "Open: it can be completed now"), ("planned", "Planned: release it later, with its components")),
    )
    note = forms.CharField(label="Note", required=False, widget=forms.Textarea(attrs={"rows": 2}))

    field_order = (
        "key",
        "item",
        "planned",
        "output_location",
        "source_location",
        "due_on",
        "start_on",
        "rank",
        "is_planned",
    )

    def __init__(self, *args: Any, places: Mapping[str, Location], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["output_location"] = PlaceField(label="Finished goods go to", places=places)
        self.fields["source_location"] = PlaceField(
            label="Components come from", places=places, required=False, empty="Any place of our own"
        )
        self.order_fields(self.field_order)

    def clean_item(self) -> Item:
        text = self.cleaned_data["item"].strip()
        exact = Item.objects.active().filter(sku__iexact=text).first()
        found = [exact] if exact else list(Item.objects.active().stocked().matching(text)[:2])
        if not found:
            raise ValidationError(f"Nothing is called “{text}”. Type a SKU, a barcode or a part of the name.")
        if len(found) > 1:
            raise ValidationError(f"“{text}” fits several items. Type the whole SKU.")
        return found[0]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        item, typed = data.get("item"), data.get("planned")
        if isinstance(item, Item) and isinstance(typed, TypedQuantity):
            try:
                data["planned"] = _converted(typed, item)
            except ValidationError as error:
                self.add_error("planned", error)
        start, due = data.get("start_on"), data.get("due_on")
        if start and due and start > due:
            self.add_error("start_on", "The start is after the due date. Change one of them.")
        return data


class PlanForm(forms.Form):
    """Change what a work order plans."""

    planned = QuantityField(label="Planned quantity")

    def __init__(self, *args: Any, item: Item, **options: Any) -> None:
        super().__init__(*args, **options)
        self.item = item

    def clean_planned(self) -> Decimal:
        return _converted(self.cleaned_data["planned"], self.item)


def _converted(typed: TypedQuantity, item: Item) -> Decimal:
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


def new_key() -> str:
    """A fresh key for a form that is shown for the first time."""
    return str(uuid4())


def packs_by_item(items: list[int]) -> dict[int, dict[str, Fraction]]:
    """The own units of several items, each in stock units, by item id and unit in lower case."""
    packs: dict[int, dict[str, Fraction]] = {}
    for unit in ItemUnit.objects.filter(item_id__in=items).order_by("id"):
        factor = Fraction(unit.numerator) / Fraction(unit.denominator)
        packs.setdefault(unit.item_id, {})[unit.name.casefold()] = factor
    return packs


def typed_in_stock_unit(item: Item, typed: TypedQuantity) -> Decimal:
    """What was typed of an item, in its stock unit. Raises InvalidUnit, InvalidQuantity or InvalidQuantityStep."""
    packs = packs_by_item([item.pk]).get(item.pk, {}) if typed.unit else {}
    return in_stock_unit(typed, sku=item.sku, stock_unit=item.stock_unit, step=item.step, packs=packs)


def shown(quantity: Decimal | None) -> str:
    """A quantity as it stands in a field: digits and a point, nothing else."""
    return "" if quantity is None else as_text(quantity)
