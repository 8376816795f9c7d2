"""Which sale is looked into."""

from __future__ import annotations

from datetime import datetime

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone


class OversellForm(forms.Form):
    moment = forms.DateTimeField(
        label="Sold at",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"),
    )
    quantity = forms.IntegerField(label="Quantity sold", min_value=1, max_value=1_000_000_000)
    reference = forms.CharField(label="Order", max_length=100, required=False)

    def clean_moment(self) -> datetime:
        moment: datetime = self.cleaned_data["moment"]
        if moment > timezone.now():
            raise ValidationError("This moment is still to come. Enter when the channel took the order.")
        return moment
