"""What buffer advice is asked for."""

from __future__ import annotations

from decimal import Decimal

from django import forms

from channels_sync.models import Channel


class BufferForm(forms.Form):
    """The chance of overselling that is put up with, in percent, and the channel to look at."""

    chance = forms.DecimalField(
        label="Chance of overselling, %", min_value=Decimal("0.01"), max_value=Decimal(50), decimal_places=2
    )
    channel = forms.ModelChoiceField(Channel.objects.order_by("name"), required=False, to_field_name="code")
