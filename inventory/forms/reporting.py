"""The form that takes a report of a place we do not run."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.utils import timezone

from inventory.errors import DomainError
from inventory.filters import find_item
from inventory.models import Location, StockStatus
from inventory.operations.checking import to_stock_unit
from inventory.operations.reporting import REPORTING_KINDS, ReportedQuantity
from inventory.quantities import from_text

LINES_MAX = 500
STATUSES = {status.value: status.value for status in StockStatus} | {
    status.label.casefold(): status.value for status in StockStatus
}


class ExternalReportForm(forms.Form):
    """Which place, as of when, and its lines as they come out of a spreadsheet."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    location = forms.ModelChoiceField(
        Location.objects.none(), label="Place", empty_label="Choose the place that reports", widget=forms.Select
    )
    as_of = forms.DateTimeField(
        label="As of",
        help_text="The moment the figures are of. What moved since then stays moved.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    lines = forms.CharField(
        label="Figures",
        max_length=200_000,
        error_messages={"required": "Paste the lines of the report, or mark it as complete if nothing is there."},
        help_text="One line each, pasted from a spreadsheet: SKU, quantity and, if known, lot and status. Quantities may have "
        "a unit: 2 box.",
        widget=forms.Textarea(attrs={"rows": 10, "data-focus": "", "placeholder": "CANDLE-LAVENDER\t120\tL-0241"}),
    )
    is_complete = forms.BooleanField(
        label="The report is complete",
        required=False,
        help_text="What it does not name is not there. Leave this off for a part of a report: the rest stays as it is.",
    )
    reference = forms.CharField(label="Number of the report", max_length=100, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places = Location.objects.active().filter(kind__in=sorted(REPORTING_KINDS)).order_by("code")
        self.fields["location"].queryset = places  # type: ignore[attr-defined]
        self.fields["lines"].required = not self.data.get("is_complete")
        self.fields["as_of"].initial = timezone.localtime().strftime("%Y-%m-%dT%H:%M")

    def clean_as_of(self) -> datetime:
        """To the minute, so that a report of this minute is not of the future."""
        as_of: datetime = self.cleaned_data["as_of"]
        if as_of > timezone.now():
            raise forms.ValidationError("This lies in the future. Give the moment the figures are of.")
        return as_of

    def clean_lines(self) -> list[ReportedQuantity]:
        rows = [
            (number, text)
            for number, text in enumerate(self.cleaned_data["lines"].splitlines(), start=1)
            if text.strip()
        ]
        if len(rows) > LINES_MAX:
            raise forms.ValidationError(
                f"{len(rows)} lines are too many for this page ({LINES_MAX}). Use the import of reported stock."
            )
        found, problems = [], []
        for number, text in rows:
            try:
                found.append(_line(text))
            except (DomainError, forms.ValidationError) as error:
                problems.append(f"Line {number}: {error.message}")
        if problems:
            raise forms.ValidationError(problems[:20])
        return found


def _line(text: str) -> ReportedQuantity:
    separator = next((one for one in ("\t", ";", ",") if one in text), None)
    parts = [part.strip() for part in (text.split(separator) if separator else text.split())]
    parts += [""] * (4 - len(parts))
    sku, typed, lot, status = parts[:4]
    item = find_item(sku)
    if item is None:
        raise forms.ValidationError(f"There is no item {sku}. Correct the SKU, or make the item first.")
    figure, _, unit = typed.partition(" ")
    if not figure:
        raise forms.ValidationError(f"{item.sku} has no quantity. Type it behind the SKU.")
    if status and status.casefold() not in STATUSES:
        raise forms.ValidationError(f"“{status}” is no status. Use one of: {', '.join(StockStatus.labels)}.")
    quantity = to_stock_unit(item, from_text(figure), unit.strip())
    return ReportedQuantity(
        item=item,
        quantity=quantity,
        lot_code=lot,
        status=STATUSES[status.casefold()] if status else StockStatus.AVAILABLE,
    )
