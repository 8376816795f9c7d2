"""Forms of the guard: its limits, and what is frozen."""

from __future__ import annotations

from typing import Any

from django import forms

from channels_sync.models import Channel, ChannelGuard, Listing
from inventory.form_fields import ItemField


class GuardForm(forms.ModelForm):  # type: ignore[type-arg]
    """The limits of one channel's breaker. An empty limit switches its rule off."""

    class Meta:
        model = ChannelGuard
        fields = (
            "changed_percent",
            "changed_min",
            "to_zero_max",
            "zeroing_waits",
            "times_recent_max",
            "recent_units_min",
            "above_possible",
            "after_bulk",
            "bulk_listings_min",
            "stale_sources",
        )
        labels = {
            "changed_percent": "Share of listings that may change (%)",
            "changed_min": "Never too many below (listings)",
            "to_zero_max": "Falls to zero (listings)",
            "zeroing_waits": "Falls to zero beyond that wait",
            "times_recent_max": "Times the most of the last 30 days",
            "recent_units_min": "Never too much within (units)",
            "above_possible": "More than there is waits",
            "after_bulk": "Raises after a bulk edit wait",
            "bulk_listings_min": "When they are more than (listings)",
            "stale_sources": "Raises on old reports wait",
        }


class FreezeForm(forms.Form):
    """What to freeze, how, and why."""

    what = forms.ChoiceField(
        label="Freeze", choices=[("channel", "A channel"), ("item", "An item everywhere"), ("listing", "One listing")]
    )
    channel = forms.ModelChoiceField(
        Channel.objects.order_by("name"), required=False, to_field_name="code", empty_label="Choose a channel"
    )
    item = ItemField(label="Item", required=False)
    listing_sku = forms.CharField(
        label="SKU on the channel", required=False, max_length=100, help_text="For one listing, with its channel."
    )
    at = forms.ChoiceField(
        label="At",
        choices=[
            ("now", "What it shows now"),
            ("zero", "Zero"),
            ("figure", "A figure"),
            ("moment", "What it showed at a moment"),
        ],
        help_text="It still falls with the stock, so nothing is sold that is not there.",
    )
    at_most = forms.IntegerField(
        label="At most", required=False, min_value=0, max_value=1_000_000_000, help_text="Units of the listing."
    )
    as_of = forms.DateTimeField(
        label="Moment",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="When its figures were right. What had none then stays at what it shows.",
    )
    reason = forms.CharField(max_length=200, help_text="Whoever lifts it reads this.")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        what = data.get("what")
        if what in ("channel", "listing") and not data.get("channel") and "channel" not in self.errors:
            self.add_error("channel", "Choose the channel.")
        if what == "item" and not data.get("item") and "item" not in self.errors:
            self.add_error("item", "Scan or type the item.")
        if what == "listing" and data.get("channel"):
            sku = data.get("listing_sku", "").strip()
            found = Listing.objects.filter(channel=data["channel"], external_sku__iexact=sku).first() if sku else None
            if found is None:
                self.add_error(
                    "listing_sku", f"{data['channel']} has no listing “{sku}”." if sku else "Type its SKU there."
                )
            data["listing"] = found
        if data.get("at") == "figure" and data.get("at_most") is None and "at_most" not in self.errors:
            self.add_error("at_most", "Type the most it may show.")
        if data.get("at") == "moment" and data.get("as_of") is None and "as_of" not in self.errors:
            self.add_error("as_of", "Say when its figures were right.")
        return data

    @property
    def figure(self) -> dict[str, Any]:
        """At what it is frozen, as `freeze` takes it."""
        match self.cleaned_data["at"]:
            case "zero":
                return {"at_most": 0}
            case "figure":
                return {"at_most": self.cleaned_data["at_most"]}
            case "moment":
                return {"as_of": self.cleaned_data["as_of"]}
        return {}

    @property
    def scope(self) -> dict[str, Any]:
        """What is frozen, as `freeze` takes it."""
        what = self.cleaned_data["what"]
        return {what: self.cleaned_data["listing" if what == "listing" else what]}
