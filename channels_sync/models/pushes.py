"""Published quantities: plans, their lines, and the outbox that sends them."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from channels_sync.models.channels import Channel, Listing
from channels_sync.models.pieces import WideChange

SEND_ATTEMPTS_MAX = 8
"""A version that failed so often by its own fault is given up until somebody has it tried again, or it changes."""


class PublishRun(models.Model):
    """One recompute of published quantities: a plan with its lines."""

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, null=True, related_name="runs")
    cause = models.CharField(max_length=100, help_text="What made the figures change.")
    posting_id = models.BigIntegerField(null=True, help_text="Newest posting among the changes that were taken in.")
    actors = ArrayField(
        models.BigIntegerField(), default=list, db_default=[], help_text="Everybody who recorded what caused it."
    )
    changed_at = models.DateTimeField(null=True, help_text="Oldest of the changes that were taken in.")
    listings_checked = models.PositiveIntegerField(default=0)
    listings_changed = models.PositiveIntegerField(default=0)
    listings_held = models.PositiveIntegerField(default=0, help_text="Of those, how many waited for a person.")
    trips = models.JSONField(default=list, help_text="Rules of the breaker that said no, in words.")
    supply = models.DecimalField(
        max_digits=24, decimal_places=6, null=True, help_text="Of the items that change: what there is, counted once."
    )
    exposed_before = models.DecimalField(
        max_digits=24, decimal_places=6, null=True, help_text="What all channels show of these items, stock units."
    )
    exposed_after = models.DecimalField(
        max_digits=24, decimal_places=6, null=True, help_text="The same with everything that changes, held or not."
    )
    wide = models.ForeignKey(
        WideChange,
        on_delete=models.PROTECT,
        null=True,
        related_name="runs",
        db_index=False,
        help_text="What it is a part of, where that touched too much for one transaction.",
    )
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("channel", "-recorded_at"), name="channels_sync_run_recent"),
            models.Index(fields=("wide",), condition=Q(wide__isnull=False), name="channels_sync_run_of_wide"),
        )

    def __str__(self) -> str:
        return f"Run {self.pk}"

    @property
    def exposure_before(self) -> Decimal | None:
        """Units shown on all channels for each unit there is; None where nothing is there, or it was not kept."""
        return self._exposure(self.exposed_before)

    @property
    def exposure_after(self) -> Decimal | None:
        return self._exposure(self.exposed_after)

    def _exposure(self, shown: Decimal | None) -> Decimal | None:
        return (shown / self.supply).quantize(Decimal("0.01")) if shown is not None and self.supply else None


class PublicationState(models.TextChoices):
    SHADOW = "shadow", "Shadow, not sent"
    QUEUED = "queued", "Queued"
    SENT = "sent", "Sent"
    ACCEPTED = "accepted", "Accepted"
    CONFIRMED = "confirmed", "Confirmed"
    FAILED = "failed", "Failed"
    SUPERSEDED = "superseded", "Superseded"


class PublicationLine(models.Model):
    """One version of one listing's published quantity: from what, to what, why, and how far it got."""

    # Written by the hundred: that both exist is checked by `verify_ledger`, not for each row. The unique key finds a listing's.
    run = models.ForeignKey(PublishRun, on_delete=models.PROTECT, related_name="lines", db_constraint=False)
    listing = models.ForeignKey(
        Listing, on_delete=models.PROTECT, related_name="publications", db_constraint=False, db_index=False
    )
    version = models.PositiveBigIntegerField()
    before = models.PositiveIntegerField(
        null=True, help_text="Published before; the first time what the channel showed, null where that is not known."
    )
    after = models.PositiveIntegerField()
    derivation = models.JSONField(help_text="Every term of the figure with its source; see allocation.Derivation.")
    state = models.CharField(max_length=12, choices=PublicationState, default=PublicationState.QUEUED)
    error = models.CharField(max_length=500, blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("listing", "version"), name="channels_sync_publicationline_version_once"),
        )
        indexes = (BrinIndex(fields=("recorded_at",), pages_per_range=32, name="channels_sync_line_recorded"),)

    def __str__(self) -> str:
        return f"{self.listing} {self.before} -> {self.after}"

    @property
    def difference(self) -> int | None:
        """By how much the figure changed; None where it is not known what was shown."""
        return None if self.before is None else self.after - self.before


class ListingPush(models.Model):
    """The outbox: what one listing should show, and what the channel was last told. One row per listing.

    `version` grows with every new wanted quantity; the row is due while `sent_version` is behind. A sender holds the row
    by `lease_until`; an answer for an older version never overwrites a newer one. Whatever is sent goes under `call_key` until
    nothing sent under it can take effect any more, so of all calls that got lost on their way one does at most.
    """

    listing = models.OneToOneField(Listing, on_delete=models.CASCADE, primary_key=True, related_name="push")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="+", db_index=False)
    run = models.ForeignKey(
        PublishRun,
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text="That made the present version; the same as its newest line says.",
    )
    wanted = models.PositiveIntegerField(null=True, help_text="Null until first computed.")
    recent_max = models.PositiveIntegerField(null=True, help_text="The most it was given in the last 30 days.")
    is_held = models.BooleanField(default=False, help_text="A change of it waits for a person.")
    version = models.PositiveBigIntegerField(default=0)
    sent_version = models.PositiveBigIntegerField(default=0)
    confirmed_version = models.PositiveBigIntegerField(default=0)
    channel_quantity = models.IntegerField(
        null=True, help_text="Last figure the channel is known to show; below zero where it oversold."
    )
    channel_quantity_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    call_key = models.UUIDField(
        null=True, help_text="Idempotency key of the last call, until nothing can come of that call any more."
    )
    next_at = models.DateTimeField(null=True, help_text="Not sent or read back before.")
    due_by = models.DateTimeField(null=True, help_text="Sent in this order; see ranking.DUE_BY.")
    sold_per_day = models.DecimalField(
        max_digits=18, decimal_places=6, null=True, help_text="Sold units a day lately; null: none, or not known."
    )
    attempts = models.PositiveIntegerField(
        default=0, help_text="Attempts to send or to confirm this version that failed by its own fault."
    )
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name_plural = "listing pushes"
        constraints = (
            models.CheckConstraint(
                condition=Q(sent_version__lte=F("version")), name="channels_sync_push_sent_is_known"
            ),
            models.CheckConstraint(
                condition=Q(confirmed_version__lte=F("sent_version")), name="channels_sync_push_confirmed_was_sent"
            ),
        )
        indexes = (
            models.Index(
                F("channel"),
                F("due_by").asc(nulls_first=True),
                F("listing"),
                condition=Q(version__gt=F("sent_version"), attempts__lt=SEND_ATTEMPTS_MAX),
                name="channels_sync_push_due_first",
            ),
            models.Index(
                fields=("channel", "listing"),
                condition=Q(version__gt=F("sent_version"), attempts__gte=SEND_ATTEMPTS_MAX),
                name="channels_sync_push_given_up",
            ),
            models.Index(
                fields=("channel", "listing"),
                condition=Q(sent_version__gt=F("confirmed_version")),
                name="channels_sync_push_unconfirmed",
            ),
        )

    def __str__(self) -> str:
        return f"{self.listing}: {self.wanted}"
