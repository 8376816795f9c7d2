"""Where things are sold: channels and their listings."""

from decimal import Decimal
from typing import Self

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from simple_history.models import HistoricalRecords

from inventory.models import Item, Location


class ChannelMode(models.TextChoices):
    OFF = "off", "Off: nothing is computed or sent"
    SHADOW = "shadow", "Shadow: computed and compared, not sent"
    APPROVE = "approve", "Approve: every change waits for a person, then it is sent"
    AUTO = "auto", "Automatic: changes are sent, those the guard stops wait for a person"


SENDING = (ChannelMode.APPROVE, ChannelMode.AUTO)
"""Modes in which what is in the outbox is sent."""


class Channel(models.Model):
    """One account at one selling place."""

    code = models.SlugField(max_length=32, unique=True)
    name = models.CharField(max_length=100)
    adapter = models.CharField(max_length=32, default="shopify", help_text="Which protocol the channel speaks.")
    mode = models.CharField(max_length=8, choices=ChannelMode, default=ChannelMode.SHADOW)
    is_paused = models.BooleanField(default=False, help_text="Kill switch: nothing is sent while set; changes wait.")
    is_paused_with_all = models.BooleanField(
        default=False, editable=False, help_text="Paused by the switch for all channels, and resumed with it."
    )
    pause_reason = models.CharField(max_length=200, blank=True, editable=False)
    paused_at = models.DateTimeField(null=True, editable=False)
    time_zone = models.CharField(
        max_length=64, blank=True, help_text="Clock of its quiet hours, such as Europe/Berlin; empty: the company's."
    )
    base_url = models.URLField(max_length=250, help_text="For Shopify https://your-shop.myshopify.com")
    storefront_url = models.URLField(max_length=250, blank=True, help_text="Where a shopper sees the listings.")
    api_version = models.CharField(max_length=16, blank=True, help_text="Empty means the adapter's default.")
    credentials = models.TextField(blank=True, editable=False, help_text="Encrypted; set through the credentials form.")
    external_location_id = models.CharField(max_length=100, blank=True, help_text="The channel's location to write to.")
    source_locations = models.ManyToManyField(
        Location,
        blank=True,
        related_name="+",
        help_text="Sites whose stock is offered here; empty means every sellable one.",
    )
    last_success_at = models.DateTimeField(null=True, editable=False)
    last_confirmed_at = models.DateTimeField(null=True, editable=False, help_text="When a figure was last read back.")
    last_error = models.CharField(max_length=500, blank=True, editable=False)
    last_error_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    history = HistoricalRecords(
        excluded_fields=["credentials", "last_success_at", "last_confirmed_at", "last_error", "last_error_at"],
        m2m_fields=[source_locations],
    )

    class Meta:
        ordering = ("name",)
        permissions = (("pause_channel", "Can pause and resume sending to channels"),)

    def __str__(self) -> str:
        return self.name

    @property
    def is_sending(self) -> bool:
        return self.mode in SENDING and not self.is_paused


class ListingQuerySet(models.QuerySet["Listing"]):
    def published(self) -> Self:
        """Listings a quantity is computed for."""
        return self.filter(is_active=True).exclude(channel__mode=ChannelMode.OFF)


class Listing(models.Model):
    """A channel's offer of one item in packs of `pack_size` stock units."""

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="listings")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="listings")
    external_sku = models.CharField(max_length=100, help_text="The SKU on the channel.")
    external_item_id = models.CharField(max_length=100, blank=True, help_text="For Shopify the inventory item's gid.")
    title = models.CharField(max_length=250, blank=True)
    pack_size = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="Stock units in one sold unit.",
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    history = HistoricalRecords()
    objects = ListingQuerySet.as_manager()

    class Meta:
        ordering = ("channel", "external_sku")
        constraints = (
            models.UniqueConstraint("channel", Upper("external_sku"), name="channels_sync_listing_sku_once"),
            models.CheckConstraint(condition=Q(pack_size__gt=0), name="channels_sync_listing_pack_positive"),
        )

    def __str__(self) -> str:
        return f"{self.external_sku} on {self.channel}"

    @property
    def still_shows(self) -> int | None:
        """What the channel goes on showing of a listing that is not offered any more, as far as is known; else None."""
        push = None if self.is_active else getattr(self, "push", None)
        return None if push is None or not push.channel_quantity else int(push.channel_quantity)
