"""The form of reading back: how long a channel may take, how much is read, and what follows from each cause."""

from __future__ import annotations

from django import forms

from channels_sync.models import DriftSetting


class DriftForm(forms.ModelForm):  # type: ignore[type-arg]
    """How one channel is read back."""

    class Meta:
        model = DriftSetting
        fields = (
            "settle_minutes",
            "sample_rows",
            "lost_lowering",
            "lost_raise",
            "edited",
            "sold",
            "mapping",
            "unexplained",
        )
        labels = {
            "settle_minutes": "Time to settle (minutes)",
            "sample_rows": "Listings read every five minutes",
            "lost_lowering": "A lower figure that never arrived",
            "lost_raise": "A higher figure that never arrived",
            "edited": "A figure changed on the channel",
            "sold": "Orders not imported yet",
            "mapping": "A listing linked to the wrong item",
            "unexplained": "A difference nothing explains",
        }
