"""The form of the simulator: what is replayed, under which assumptions, and which rules stand against the present ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import Q
from django.utils import timezone

from channels_sync.allocation.vocabulary import COLUMNS
from channels_sync.forms.policies import RuleForm
from channels_sync.models import AllocationPolicy, Campaign, Channel, ChannelMode
from channels_sync.reads.simulations import rule_of, rules_of_campaign
from channels_sync.simulation import ProposedRule, Question, SupplyKind
from channels_sync.simulation.question import (
    ASSUMED_LENGTH,
    DAYS_MAX,
    LATE_MINUTES_MAX,
    PERCENT_MAX,
    SEED_MAX,
    START_LEVEL,
    START_NOW,
    START_THEN,
    WEEKS_MAX,
)
from inventory.form_fields import ItemField
from inventory.models import ItemCategory

SUPPLIES = (
    (SupplyKind.LEVEL.value, "Ordered up to a level"),
    (SupplyKind.GIVEN.value, "As it came in then"),
    (SupplyKind.NONE.value, "Nothing comes in"),
)
STARTS = (
    (START_NOW, "What is available now"),
    (START_THEN, "What was on hand on the first day"),
    (START_LEVEL, "The level that is ordered up to"),
)
CHOICES_MAX = 50
"""Planned rules and campaigns that can be chosen, the next ones to begin."""


def _whole(label: str, low: int, high: int, initial: int, help_text: str = "") -> forms.IntegerField:
    widget = forms.NumberInput(attrs={"inputmode": "numeric", "class": "bf-field-number"})
    return forms.IntegerField(
        label=label, min_value=low, max_value=high, initial=initial, help_text=help_text, widget=widget
    )


def _yesterday() -> Any:
    return timezone.localdate() - timedelta(days=1)


class SimulationForm(RuleForm):
    """A question to the simulator. The rule's own fields are those of the policy editor."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    title = forms.CharField(
        required=False, max_length=150, label="Name", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    of_channels = forms.ModelMultipleChoiceField(
        Channel.objects.exclude(mode=ChannelMode.OFF).order_by("name"),
        label="Items listed on",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: every channel. All channels of an item take part, for they draw on one stock.",
    )
    of_category = forms.ModelChoiceField(
        ItemCategory.objects.order_by("name"), label="Category", required=False, empty_label="Every category"
    )
    of_item = ItemField(label="Item", required=False)
    weeks = _whole("Weeks", 1, WEEKS_MAX, 8, "Whole weeks up to the last day.")
    last_day = forms.DateField(
        label="Last day",
        initial=_yesterday,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="A day that is over.",
    )
    demand_percent = _whole("Demand (%)", 1, PERCENT_MAX, 100, "100: as it was; 400: four times as much.")
    supply = forms.ChoiceField(label="Supply", choices=SUPPLIES, initial=SupplyKind.LEVEL.value)
    lead_days = _whole("Lead time (days)", 0, DAYS_MAX, 7, "From ordering to arrival; ordered when less is covered.")
    cover_days = _whole("Cover (days)", 1, DAYS_MAX, 14, "Ordered for so many days beyond the lead time.")
    start = forms.ChoiceField(label="Stock at the start", choices=STARTS, initial=START_NOW)
    late_minutes = _whole(
        "News is shown after (minutes)", 0, LATE_MINUTES_MAX, 10, "From a sale anywhere to the new figure on a channel."
    )
    seed = _whole("Seed", 0, SEED_MAX, 1, "Draws the moments of a day's orders; the same seed draws the same.")
    assumed = forms.CharField(
        label="What the data do not say",
        required=False,
        max_length=ASSUMED_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Anything you decided when you brought them in, such as which channel a line was sold on. Shown beside "
        "the answer; changes nothing.",
    )
    against = forms.ChoiceField(label="Compare the rules in force with", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = timezone.now()
        self._planned = {f"policy-{one.pk}": one for one in _planned_rules(now)}
        self._campaigns = {f"campaign-{one.pk}": one for one in _campaigns(now)}
        against = self.fields["against"]
        assert isinstance(against, forms.ChoiceField)
        against.choices = [
            ("", "The rule below"),
            *((name, f"Planned: {one}") for name, one in self._planned.items()),
            *((name, f"Campaign: {one}") for name, one in self._campaigns.items()),
        ]
        self._channels = list(Channel.objects.exclude(mode=ChannelMode.OFF).order_by("name"))
        for channel in self._channels:
            field = _whole(channel.name, 0, LATE_MINUTES_MAX, 0)
            field.required, field.initial = False, None
            self.fields[_late_name(channel)] = field

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        last_day = values.get("last_day")
        if last_day is not None and last_day >= timezone.localdate():
            self.add_error("last_day", "Its demand is not known yet. Choose a day that is over.")
        if not values.get("against") and not any(values.get(column) not in (None, "") for column in COLUMNS):
            self.add_error(
                "against", "Nothing is proposed. Fill a term of the rule below, or choose a planned rule or a campaign."
            )
        return values

    @property
    def lates(self) -> list[forms.BoundField]:
        """Minutes by channel."""
        return [self[_late_name(channel)] for channel in self._channels]

    @property
    def proposed(self) -> tuple[ProposedRule, ...]:
        """The rules to compare with. The form must be valid."""
        against = self.cleaned_data["against"]
        if against in self._planned:
            return (rule_of(self._planned[against]),)
        if against in self._campaigns:
            return rules_of_campaign(self._campaigns[against])
        scope = self.scope_ids
        terms = {column: value for column, value in self.terms.items() if value not in (None, "")}
        return (ProposedRule(terms, scope.channel_id, scope.category_id, scope.item_id, scope.listing_id),)

    @property
    def question(self) -> Question:
        """What is asked. The form must be valid."""
        data = self.cleaned_data
        return Question(
            last_day=data["last_day"],
            rules=self.proposed,
            weeks=data["weeks"],
            percent=data["demand_percent"],
            channel_ids=tuple(sorted(channel.pk for channel in data["of_channels"])),
            category_id=None if data["of_category"] is None else data["of_category"].pk,
            item_id=None if data["of_item"] is None else data["of_item"].pk,
            supply=SupplyKind(data["supply"]),
            lead_days=data["lead_days"],
            cover_days=data["cover_days"],
            start=data["start"],
            late_minutes=data["late_minutes"],
            late={
                channel.pk: data[_late_name(channel)]
                for channel in self._channels
                if data.get(_late_name(channel)) is not None
            },
            seed=data["seed"],
            assumed=data["assumed"].strip(),
        )

    @property
    def title_or_words(self) -> str:
        """The name that was typed, or one made of what is compared."""
        data = self.cleaned_data
        if data["title"].strip():
            return str(data["title"])
        against = dict(self.fields["against"].choices)[data["against"]]  # type: ignore[attr-defined]
        return str(against) if data["against"] else "A rule that was tried"


def _late_name(channel: Channel) -> str:
    return f"late_{channel.pk}"


def _planned_rules(now: Any) -> list[AllocationPolicy]:
    planned = AllocationPolicy.objects.lasting().filter(effective_from__gt=now)
    planned = planned.filter(Q(effective_to__isnull=True) | Q(effective_to__gt=now))
    return list(
        planned.select_related("channel", "category", "item", "listing__channel").order_by("effective_from")[
            :CHOICES_MAX
        ]
    )


def _campaigns(now: Any) -> list[Campaign]:
    """Those to come; one that runs is part of the rules in force."""
    coming = Campaign.objects.unfinished(at=now).filter(starts_at__gt=now, ended_at__isnull=True)
    return list(coming.order_by("starts_at")[:CHOICES_MAX])
