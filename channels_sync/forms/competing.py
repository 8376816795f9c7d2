"""The slider of a group of competing products."""

from decimal import Decimal

from django import forms

STEP = 5


class DivisionForm(forms.Form):
    """How far a group is divided."""

    percent = forms.DecimalField(min_value=Decimal(0), max_value=Decimal(100), max_digits=6, decimal_places=3)
