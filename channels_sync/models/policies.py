"""Allocation policies: how much of what is available each channel may show."""

from datetime import datetime
from decimal import Decimal
from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from channels_sync.models.channels import Channel, Listing
from inventory.models import Item


class AllocationPolicyQuerySet(models.QuerySet["AllocationPolicy"]):
    def in_force(self, *, at: datetime) -> Self:
        return self.filter(effective_from__lte=at).filter(Q(effective_to__isnull=True) | Q(effective_to__gt=at))


class AllocationPolicy(models.Model):
    """One version of the rule for one scope. Empty terms are inherited from the wider scope.

    Scopes from wide to narrow: everything (no channel, item or listing), a channel, an item, an item on a channel, a
    listing. A change makes a new version and ends the one before; versions are never edited, so that every published
    figure can be explained with the rule of its day.
    """

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, null=True, blank=True, related_name="policies")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, null=True, blank=True, related_name="policies")
    version = models.PositiveIntegerField(default=1)
    percent = models.DecimalField(
        max_digits=6,
        decimal_places=3,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))],
        help_text="Share of what is available after the buffer.",
    )
    buffer = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Stock units withheld from the channel.",
    )
    minimum_to_list = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Below this many stock units the listing shows 0.",
    )
    maximum_to_list = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Never more than this many stock units.",
    )
    note = models.CharField(max_length=250, blank=True)
    effective_from = models.DateTimeField()
    effective_to = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    history = HistoricalRecords()
    objects = AllocationPolicyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "allocation policies"
        ordering = ("-effective_from", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(listing__isnull=True) | Q(channel__isnull=True, item__isnull=True),
                name="channels_sync_policy_listing_says_it_all",
            ),
            models.CheckConstraint(
                condition=Q(percent__isnull=True) | Q(percent__gte=0, percent__lte=100),
                name="channels_sync_policy_percent_is_a_share",
            ),
            models.UniqueConstraint(
                fields=("channel", "item", "listing", "version"),
                nulls_distinct=False,
                name="channels_sync_policy_version_once",
            ),
            models.UniqueConstraint(
                fields=("channel", "item", "listing"),
                condition=Q(effective_to__isnull=True),
                nulls_distinct=False,
                name="channels_sync_policy_one_open",
            ),
        )

    def __str__(self) -> str:
        return f"{self.scope} v{self.version}"

    @property
    def scope(self) -> str:
        """The scope in words."""
        if self.listing_id:
            return f"Listing {self.listing}"
        if self.item_id and self.channel_id:
            return f"{self.item} on {self.channel}"
        if self.item_id:
            return f"Item {self.item}"
        return f"Channel {self.channel}" if self.channel_id else "Everywhere"
