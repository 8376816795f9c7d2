"""Forms of sending: the hours of a channel, its clock and our share of its account's allowance."""

from __future__ import annotations

from typing import Any

from django import forms

from channels_sync.models import WindowKind, WindowScope

DAYS = (("0", "Mon"), ("1", "Tue"), ("2", "Wed"), ("3", "Thu"), ("4", "Fri"), ("5", "Sat"), ("6", "Sun"))


class WindowForm(forms.Form):
    """Hours in which figures go out or do not."""

    kind = forms.ChoiceField(label="Hours", choices=WindowKind.choices)
    scope = forms.ChoiceField(label="What", choices=WindowScope.choices)
    weekdays = forms.MultipleChoiceField(
        label="Days", choices=DAYS, initial=[day for day, _ in DAYS], widget=forms.CheckboxSelectMultiple
    )
    starts_at = forms.TimeField(label="From", widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    ends_at = forms.TimeField(
        label="Until",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="Not later than the start: of the next day.",
    )
    reason = forms.CharField(max_length=200, required=False, help_text="Whoever looks at it later reads this.")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("starts_at") is not None and data.get("starts_at") == data.get("ends_at"):
            self.add_error("ends_at", "It begins and ends at the same time. For a whole day give 00:00 to 23:59.")
        data["weekdays"] = "".join(data.get("weekdays", ()))
        return data


class PaceForm(forms.Form):
    """The clock of the hours and the share of the allowance."""

    time_zone = forms.CharField(
        label="Clock", max_length=64, required=False, help_text="Such as Europe/Berlin. Empty: the company's."
    )
    share_percent = forms.IntegerField(
        label="Share of the account's allowance (%)",
        min_value=1,
        max_value=100,
        help_text="The rest is left to other programs. It holds for every channel of the account.",
    )
