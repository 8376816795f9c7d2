"""Allocation policies: how much of what is there each channel may show; dated campaigns; what was sold on which day."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from channels_sync.allocation.vocabulary import BASES, BUILDINGS, BY_COLUMN, COLUMNS, SHARINGS
from channels_sync.models.channels import Channel, Listing
from inventory.models import Item, ItemCategory


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def running(self, *, at: datetime) -> Self:
        return self.filter(starts_at__lte=at, ends_at__gt=at)

    def unfinished(self, *, at: datetime) -> Self:
        return self.filter(ends_at__gt=at)


class Campaign(models.Model):
    """A season or promotion: rules that stand above the lasting ones from one moment to another, and end by themselves."""

    name = models.CharField(max_length=100)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="From this moment on the lasting rules hold again.")
    note = models.CharField(max_length=250, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True, help_text="When somebody ended it before its time.")
    edition = models.PositiveIntegerField(
        default=1, db_default=1, help_text="Counts its changes: whoever approves names the one they saw."
    )
    actors = ArrayField(
        models.BigIntegerField(), default=list, db_default=[], help_text="Ids of all who planned or changed it."
    )
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    approved_at = models.DateTimeField(
        null=True, help_text="When a second person approved this edition; empty: nobody did."
    )

    history = HistoricalRecords(history_change_reason_field=models.TextField(null=True))
    objects = CampaignQuerySet.as_manager()

    class Meta:
        ordering = ("-starts_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(ends_at__gte=F("starts_at")), name="channels_sync_campaign_ends_after_it_starts"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_approved(self) -> bool:
        """Whether a second person approved it as it stands."""
        return self.approved_at is not None

    def is_over(self, *, at: datetime) -> bool:
        return self.ends_at <= at or self.ended_at is not None

    @property
    def began_when_planned(self) -> bool:
        """Whether the start that was asked for had passed, so that it began at once."""
        return self.starts_at <= self.created_at


class AllocationPolicyQuerySet(models.QuerySet["AllocationPolicy"]):
    def in_force(self, *, at: datetime) -> Self:
        return self.filter(effective_from__lte=at).filter(Q(effective_to__isnull=True) | Q(effective_to__gt=at))

    def lasting(self) -> Self:
        """Rules that are no part of a campaign."""
        return self.filter(campaign__isnull=True)

    def standing(self) -> Self:
        """The newest lasting version of each scope: in force, or planned."""
        return self.lasting().filter(effective_to__isnull=True)


def _percent(help_text: str) -> Any:
    return models.DecimalField(
        max_digits=6,
        decimal_places=3,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))],
        help_text=help_text,
    )


def _quantity(help_text: str) -> Any:
    return models.DecimalField(
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text=help_text,
    )


def _term(column: str) -> Any:
    spec = BY_COLUMN[column]
    return _percent(spec.help_text) if spec.kind == "percent" else _quantity(spec.help_text)


def scope_in_words(*, channel: object, category: object, item: object, listing: object) -> str:
    """The scope of a rule by the names of what it is for; None where it is not narrowed."""
    if listing is not None:
        return f"Listing {listing}"
    if item is not None:
        return f"Item {item}" if channel is None else f"{item} on {channel}"
    if category is not None:
        return f"Category {category}" if channel is None else f"Category {category} on {channel}"
    return "Everywhere" if channel is None else f"Channel {channel}"


class AllocationPolicy(models.Model):
    """One version of the rule for one scope. Empty terms are inherited from the wider scope.

    Scopes from wide to narrow: everything (no channel, category, item or listing), a channel, a category, a category on a
    channel, an item, an item on a channel, a listing. A rule of a campaign stands above all lasting ones. A change makes a
    new version and ends the one before; versions are never edited, so that every published figure can be explained with the
    rule of its day.
    """

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, null=True, blank=True, related_name="policies")
    category = models.ForeignKey(ItemCategory, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, null=True, blank=True, related_name="policies")
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, null=True, blank=True, related_name="rules")
    version = models.PositiveIntegerField(default=1)

    basis = models.CharField(max_length=10, choices=BASES, blank=True, default="", db_default="")
    fixed_quantity = _term("fixed_quantity")
    incoming_days = models.PositiveIntegerField(null=True, blank=True, help_text=BY_COLUMN["incoming_days"].help_text)
    buildable_percent = _term("buildable_percent")
    building = models.CharField(max_length=10, choices=BUILDINGS, blank=True, default="", db_default="")
    divided_percent = _term("divided_percent")
    supplier_percent = _term("supplier_percent")
    supplier_maximum = _term("supplier_maximum")
    supplier_hours = models.PositiveIntegerField(null=True, blank=True, help_text=BY_COLUMN["supplier_hours"].help_text)
    shelf_life_days = models.PositiveIntegerField(
        null=True, blank=True, help_text=BY_COLUMN["shelf_life_days"].help_text
    )
    percent = _percent("Share of what is available after the buffer.")
    buffer = _quantity("Stock units withheld from the channel.")
    buffer_percent = _term("buffer_percent")
    buffer_days = _term("buffer_days")
    doubt_percent = _term("doubt_percent")
    minimum_to_list = _quantity("Below this many stock units the listing shows 0.")
    maximum_to_list = _quantity("Never more than this many stock units.")
    sharing = models.CharField(max_length=10, choices=SHARINGS, blank=True, default="", db_default="")
    weight = _term("weight")
    ring_fence = _term("ring_fence")
    priority = models.PositiveIntegerField(null=True, blank=True, help_text=BY_COLUMN["priority"].help_text)
    scarce_below = _term("scarce_below")
    scarce_days = _term("scarce_days")
    trial_limit = _term("trial_limit")
    trial_until = models.DateField(null=True, blank=True, help_text=BY_COLUMN["trial_until"].help_text)

    note = models.CharField(max_length=250, blank=True)
    effective_from = models.DateTimeField()
    effective_to = models.DateTimeField(null=True, blank=True)
    start_told = models.BooleanField(
        default=True, db_default=True, editable=False, help_text="Whether figures were worked out since it began."
    )
    end_told = models.BooleanField(
        default=True, db_default=True, editable=False, help_text="Whether figures were worked out since it ended."
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    history = HistoricalRecords()
    objects = AllocationPolicyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "allocation policies"
        ordering = ("-effective_from", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(listing__isnull=True) | Q(channel__isnull=True, item__isnull=True, category__isnull=True),
                name="channels_sync_policy_listing_says_it_all",
            ),
            models.CheckConstraint(
                condition=Q(category__isnull=True) | Q(item__isnull=True),
                name="channels_sync_policy_item_or_category",
            ),
            models.CheckConstraint(
                condition=Q(campaign__isnull=True) | Q(effective_to__isnull=False),
                name="channels_sync_policy_campaign_ends",
            ),
            models.CheckConstraint(
                condition=Q(percent__isnull=True) | Q(percent__gte=0, percent__lte=100),
                name="channels_sync_policy_percent_is_a_share",
            ),
            models.UniqueConstraint(
                fields=("channel", "category", "item", "listing", "campaign", "version"),
                nulls_distinct=False,
                name="channels_sync_policy_version_once",
            ),
            models.UniqueConstraint(
                fields=("channel", "category", "item", "listing"),
                condition=Q(effective_to__isnull=True),
                nulls_distinct=False,
                name="channels_sync_policy_one_open",
            ),
        )
        indexes = (
            models.Index(
                fields=("effective_from",), condition=Q(start_told=False), name="channels_sync_policy_to_begin"
            ),
            models.Index(fields=("effective_to",), condition=Q(end_told=False), name="channels_sync_policy_to_end"),
        )

    def __str__(self) -> str:
        return f"{self.scope} v{self.version}"

    @property
    def scope(self) -> str:
        """The scope in words."""
        return scope_in_words(channel=self.channel, category=self.category, item=self.item, listing=self.listing)

    @property
    def terms(self) -> dict[str, Any]:
        """What this version sets, by column; what is inherited is not in it."""
        found = {column: getattr(self, column) for column in COLUMNS}
        return {column: value for column, value in found.items() if value not in (None, "")}


class ChannelDemand(models.Model):
    """What one channel sold of one item on one day, in stock units, whatever was in stock."""

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="channel_demand")
    day = models.DateField()
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock units.")
    unit_price = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        null=True,
        help_text="Average price of a stock unit that day, in base currency; null: not known.",
    )
    source = models.CharField(max_length=100, blank=True, help_text="File or feed it came from.")
    recorded_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "channel demand"
        ordering = ("-day", "channel", "item")
        constraints = (
            models.UniqueConstraint(fields=("item", "channel", "day"), name="channels_sync_demand_day_once"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="channels_sync_demand_not_negative"),
        )
        indexes = (models.Index(fields=("item", "day"), name="channels_sync_demand_recent"),)

    def __str__(self) -> str:
        return f"{self.quantity:f} of {self.item} on {self.channel}, {self.day}"
