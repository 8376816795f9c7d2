"""Forms of the decisions about proposed quantities."""

from decimal import Decimal

from django import forms


class AcceptForm(forms.Form):
    """The quantity that was shown, and on how many measurements it rests."""

    quantity = forms.DecimalField(
        widget=forms.HiddenInput, max_digits=18, decimal_places=6, min_value=Decimal("0.000001")
    )
    measured = forms.IntegerField(widget=forms.HiddenInput, min_value=1)


class DismissForm(AcceptForm):
    reason = forms.CharField(
        label="Why does the standard stay?",
        max_length=300,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "placeholder": "For example: new dosing pump since March"}
        ),
    )
