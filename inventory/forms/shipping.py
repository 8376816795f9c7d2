"""Forms of shipments and of goods that are sent from place to place."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Sum

from inventory.form_fields import LocationField
from inventory.forms.lines import LinesForm, StatusLineForm
from inventory.forms.stock import Person, below_zero_field, note_field, reason_field, reference_field, when_field
from inventory.models import Location, LocationKind, Reservation
from inventory.operations.shipping import SHELF_LIFE_DAYS_MAX


class ShipForm(LinesForm):
    location = LocationField(label="From", help_text="What lies below this place is used too.")
    reference = reference_field("Number of the order or the delivery note.")
    demand_kind = forms.CharField(
        label="Promised to", required=False, max_length=24, help_text="What the goods are reserved for, such as order."
    )
    demand_ref = forms.CharField(label="Its number", required=False, max_length=64)
    shelf_life_days_min = forms.IntegerField(
        label="Good for at least, days",
        required=False,
        min_value=0,
        max_value=SHELF_LIFE_DAYS_MAX,
        help_text="Lots with less time left are passed over.",
    )
    reason = reason_field(
        ("The customer asked for this lot", "Not booked yet"),
        required=False,
        help_text="Needed for lots out of order and for stock below zero.",
    )
    may_go_below = below_zero_field()
    effective_at = when_field()
    note = note_field()

    more = ("shelf_life_days_min", "reason", "may_go_below", "effective_at", "note")

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        if not user.has_perm("inventory.go_negative"):
            del self.fields["may_go_below"]

    @property
    def demand(self) -> tuple[str, str] | None:
        kind, reference = self.typed("demand_kind"), self.typed("demand_ref")
        return (kind, reference) if kind and reference else None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if bool(cleaned.get("demand_kind")) != bool(cleaned.get("demand_ref")):
            raise ValidationError("Name both what the goods are promised to and its number, or neither.")
        return cleaned


def promised_lines(demand: tuple[str, str]) -> Sequence[Mapping[str, Any]]:
    """What a demand still has reserved, one line for each item."""
    kind, reference = demand
    held = Reservation.objects.for_demand(kind=kind, reference=reference).filter(quantity__gt=0)
    sums = held.values("item__sku").annotate(total=Sum("quantity")).order_by("item__sku")
    return [{"item": row["item__sku"], "quantity": row["total"]} for row in sums]


class DispatchForm(LinesForm):
    source = LocationField(label="From", help_text="What lies below this place is used too.")
    target = LocationField(label="To")
    transit = forms.ModelChoiceField(
        queryset=Location.objects.none(), label="On the road at", empty_label=None, required=True
    )
    expected_on = forms.DateField(label="Expected on", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    reference = reference_field("Number of the waybill.")
    effective_at = when_field()
    note = note_field()

    line_form = StatusLineForm
    place_field = "source"
    focus_order = ("source", "target")
    more = ("effective_at", "note")

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        roads = Location.objects.active().filter(kind=LocationKind.IN_TRANSIT).order_by("code")
        if len(roads) > 1:
            self.fields["transit"].queryset = roads  # type: ignore[attr-defined]
        else:
            del self.fields["transit"]
