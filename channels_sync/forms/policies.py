"""The forms of rules and campaigns: a scope, terms that may stay empty, and dates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone

from channels_sync.allocation import Terms
from channels_sync.allocation.terms import BUILT_IN_TERMS
from channels_sync.allocation.vocabulary import (
    BY_COLUMN,
    CHOICE,
    CHOICES,
    COLUMNS,
    DATE,
    DAYS,
    GROUPS,
    HOURS,
    SPECS,
    WHOLE,
    TermSpec,
)
from channels_sync.models import AllocationPolicy, Campaign, Channel, Listing
from channels_sync.reads.rulebook import Scope
from inventory.form_fields import FigureField, ItemField
from inventory.models import ItemCategory
from inventory.quantities import as_text

FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]
SCOPE_FIELDS = ("channel", "category", "item", "listing_sku")
OPEN_GROUPS = 2
"""Groups of terms that stand open; the others open when they hold something."""


def _moment_field(label: str, help_text: str, *, required: bool) -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label,
        required=required,
        input_formats=FORMATS,
        help_text=help_text,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )


def _term_field(spec: TermSpec) -> forms.Field:
    says_it = spec.unit in spec.label or "percent" in spec.label.lower()
    label = spec.label if says_it else f"{spec.label} ({spec.unit})"
    if spec.kind == CHOICE:
        choices = [("", "Inherited"), *CHOICES[spec.column]]
        return forms.ChoiceField(label=label, required=False, choices=choices, help_text=spec.help_text)
    if spec.kind == DATE:
        day = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        return forms.DateField(label=label, required=False, help_text=spec.help_text, widget=day)
    if spec.kind in (DAYS, HOURS, WHOLE):
        widget = forms.NumberInput(attrs={"inputmode": "numeric", "class": "bf-field-number"})
        return forms.IntegerField(
            label=label, required=False, min_value=0, max_value=1_000_000, help_text=spec.help_text, widget=widget
        )
    return FigureField(label=label, required=False, help_text=spec.help_text)


class RuleForm(forms.Form):
    """One scope and its terms; what stays empty is inherited."""

    channel = forms.ModelChoiceField(Channel.objects.order_by("name"), required=False, empty_label="Every channel")
    category = forms.ModelChoiceField(
        ItemCategory.objects.order_by("name"), required=False, empty_label="Every category"
    )
    item = ItemField(required=False, placeholder="Every item")
    listing_sku = forms.CharField(
        label="Listing", required=False, max_length=100, help_text="SKU on the channel, for a rule of this one listing."
    )
    note = forms.CharField(required=False, max_length=250, help_text="Why; it stands in the history.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for spec in SPECS:
            self.fields[spec.column] = _term_field(spec)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        channel, item, category = values.get("channel"), values.get("item"), values.get("category")
        values["listing"] = None
        sku = (values.get("listing_sku") or "").strip()
        if sku:
            if channel is None:
                self.add_error(
                    "channel", "A listing is named by its channel and its SKU there. Choose the channel too."
                )
                return values
            values["listing"] = (
                Listing.objects.select_related("channel", "item")
                .filter(channel=channel, external_sku__iexact=sku)
                .first()
            )
            if values["listing"] is None:
                self.add_error("listing_sku", f"{channel.name} has no listing “{sku}”. Correct the SKU.")
            elif item is not None and item.pk != values["listing"].item_id:
                self.add_error("item", f"{sku} offers {values['listing'].item.sku}. Leave the item empty.")
        elif item is not None and category is not None:
            self.add_error("category", "A rule is for an item or for a category. Leave one of them empty.")
        return values

    @property
    def scope(self) -> dict[str, Any]:
        """The scope as the operations want it. The form must be valid."""
        data = self.cleaned_data
        if data["listing"] is not None:
            return {"channel": None, "category": None, "item": None, "listing": data["listing"]}
        return {"channel": data["channel"], "category": data["category"], "item": data["item"], "listing": None}

    @property
    def scope_ids(self) -> Scope:
        return Scope(*(None if one is None else one.pk for one in self.scope.values()))

    @property
    def terms(self) -> dict[str, Any]:
        return {column: self.cleaned_data.get(column) for column in COLUMNS}

    def show_inherited(self, inherited: Terms) -> None:
        """Say in every empty field what holds when it stays empty."""
        for spec in SPECS:
            term = inherited.named(spec.term)
            words = _shown(spec, term.value)
            origin = "" if term.rule.policy_id is None else f", {term.rule.scope}"
            field = self.fields[spec.column]
            if isinstance(field, forms.ChoiceField):
                field.choices = [("", f"Inherited: {words}{origin}"), *CHOICES[spec.column]]
            elif words and (term.rule.policy_id is not None or term.value != getattr(BUILT_IN_TERMS, spec.term)):
                field.widget.attrs["placeholder"] = f"{words}{origin}"

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField], bool]]:
        """Terms by group, and whether the group stands open."""
        found = []
        for number, group in enumerate(GROUPS):
            fields = [self[spec.column] for spec in SPECS if spec.group == group]
            holds = any(field.value() not in (None, "") or field.errors for field in fields)
            found.append((group, fields, number < OPEN_GROUPS or holds))
        return found


def _shown(spec: TermSpec, value: Any) -> str:
    if value is None or value == "":
        return ""
    if spec.column in CHOICES:
        return str(dict(CHOICES[spec.column])[value]).lower()
    return value.isoformat() if spec.kind == DATE else as_text(value)


class PolicyForm(RuleForm):
    """A lasting rule, from now on or from a day to come."""

    starts_at = _moment_field("From", "Empty: at once.", required=False)


class CampaignRuleForm(RuleForm):
    """What a campaign does for one scope."""


class CampaignForm(RuleForm):
    """A new campaign with its first rule."""

    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    starts_at = _moment_field("Starts", "A moment that has passed means at once.", required=True)
    ends_at = _moment_field("Ends", "The lasting rules hold again from then on.", required=True)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        starts_at, ends_at = values.get("starts_at"), values.get("ends_at")
        if (
            isinstance(starts_at, datetime)
            and isinstance(ends_at, datetime)
            and ends_at <= max(starts_at, timezone.now())
        ):
            self.add_error("ends_at", "It would end before it begins. Give a later end.")
        return values


class CampaignDatesForm(forms.Form):
    """Another name, begin or end of a campaign."""

    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    starts_at = _moment_field("Starts", "A moment that has passed means at once.", required=True)
    ends_at = _moment_field("Ends", "The lasting rules hold again from then on.", required=True)

    def __init__(self, *args: Any, has_begun: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if has_begun:
            self.fields["starts_at"].disabled = True
            self.fields["starts_at"].help_text = "It has begun, so its begin stays."

    def values_for(self, campaign: Campaign) -> dict[str, Any]:
        """What was typed; a moment that was left as it stood keeps its seconds. The form must be valid."""
        typed = self.cleaned_data
        return {
            "name": typed["name"],
            **{name: _kept(typed[name], getattr(campaign, name)) for name in ("starts_at", "ends_at")},
        }

    def print_of(self, campaign: Campaign) -> str:
        """What was looked at: these values, and the edition of the campaign."""
        return "|".join((str(campaign.edition), *(str(self[name].value()) for name in self.fields)))


def _kept(typed: datetime, stored: datetime) -> datetime:
    return stored if typed.replace(second=0, microsecond=0) == stored.replace(second=0, microsecond=0) else typed


def dates_of(campaign: Campaign) -> dict[str, Any]:
    """A campaign as the form of its dates shows it."""
    return {
        "name": campaign.name,
        "starts_at": timezone.localtime(campaign.starts_at),
        "ends_at": timezone.localtime(campaign.ends_at),
    }


def values_of(policy: AllocationPolicy) -> dict[str, Any]:
    """A version as the form shows it, to change it."""
    listing = policy.listing
    found = {column: getattr(policy, column) for column in BY_COLUMN}
    return found | {
        "channel": listing.channel_id if listing else policy.channel_id,
        "category": policy.category_id,
        "item": policy.item,
        "listing_sku": listing.external_sku if listing else "",
        "note": policy.note,
    }
