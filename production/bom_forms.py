"""Forms of BOM pages: the head of a version, a replacement in many BOMs, a file."""

from decimal import Decimal
from typing import Any

from django import forms
from django.urls import reverse_lazy

from inventory.form_fields import FigureField, ItemField, SuggestInput
from inventory.models import Item
from inventory.quantities import ZERO
from production.bom_content import HeadSpec
from production.models import DeviationPolicy

TEXT_CHARS_MAX = 20_000


class ComponentField(ItemField):
    """Any active item by SKU or barcode: phantoms and services too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget = SuggestInput(
            url=reverse_lazy("production:suggest_components"), placeholder="Scan or type an item"
        )
        self.widget.is_required = self.required


class BomHeadForm(forms.Form):
    """What a version says about itself."""

    makes = FigureField(label="One batch makes", help_text="In the item's stock unit; lines are per batch.")
    effective_from = forms.DateField(
        label="In force from",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Empty: the day it is activated.",
    )
    process_loss_percent = FigureField(
        label="Process loss %", required=False, help_text="Share of what is started that never becomes good."
    )
    capacity_per_day = FigureField(label="Capacity a day", required=False)
    deviation_policy = forms.ChoiceField(
        label="When actual use differs", choices=DeviationPolicy.choices, initial=DeviationPolicy.REASON
    )
    deviation_tolerance_percent = FigureField(label="Tolerance %", required=False)
    instructions = forms.CharField(
        label="Instructions",
        required=False,
        max_length=TEXT_CHARS_MAX,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Printed on the traveller, step by step.",
    )
    note = forms.CharField(
        label="Note", required=False, max_length=TEXT_CHARS_MAX, widget=forms.Textarea(attrs={"rows": 2})
    )

    def spec(self) -> HeadSpec:
        """What can be read of the form; the rest is as in a new version. Validate before."""
        data = self.cleaned_data
        makes = data.get("makes")
        return HeadSpec(
            makes=Decimal(1) if makes is None else makes,
            effective_from=data.get("effective_from"),
            deviation_policy=data.get("deviation_policy") or DeviationPolicy.REASON,
            deviation_tolerance_percent=data.get("deviation_tolerance_percent") or ZERO,
            process_loss_percent=data.get("process_loss_percent") or ZERO,
            capacity_per_day=data.get("capacity_per_day"),
            instructions=(data.get("instructions") or "").replace("\r\n", "\n"),
            note=(data.get("note") or "").replace("\r\n", "\n"),
        )

    @classmethod
    def values_of(cls, head: HeadSpec) -> dict[str, Any]:
        """What the fields show for a head; figures at their default are empty."""
        return {
            "makes": head.makes,
            "effective_from": head.effective_from,
            "process_loss_percent": head.process_loss_percent or None,
            "capacity_per_day": head.capacity_per_day,
            "deviation_policy": head.deviation_policy,
            "deviation_tolerance_percent": head.deviation_tolerance_percent or None,
            "instructions": head.instructions,
            "note": head.note,
        }


class ReplaceForm(forms.Form):
    """Which component is replaced by which, and how much of it."""

    component = ComponentField(label="Replace")
    replacement = ComponentField(label="By")
    factor = FigureField(
        label="Factor",
        required=False,
        help_text="How much of the new item stands for one stock unit of the old one. Empty: 1.",
    )
    note = forms.CharField(label="Why", required=False, max_length=500)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("factor") is None and "factor" not in self.errors:
            cleaned["factor"] = Decimal(1)
        factor = cleaned.get("factor")
        if isinstance(factor, Decimal) and factor <= 0:
            self.add_error("factor", "Give a factor above zero.")
        one, other = cleaned.get("component"), cleaned.get("replacement")
        if isinstance(one, Item) and one == other:
            self.add_error("replacement", f"{one.sku} would be replaced by itself. Choose another item.")
        if isinstance(other, Item) and not other.is_active:
            self.add_error("replacement", f"{other.sku} is inactive. Set it active again, or choose another item.")
        return cleaned
