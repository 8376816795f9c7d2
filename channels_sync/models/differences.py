"""What was read back from channels: the last reading of each listing, and where it is not what was sent."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from channels_sync.drift import Cause, Response
from channels_sync.models.channels import Channel, Listing

OVERWRITE = (Response.OVERWRITE.value, "is overwritten with our figure")
ALERT = (Response.ALERT.value, "is told to a person")
ADOPT = (Response.ADOPT.value, "becomes the most we show, where it is lower")
LEAVE = (Response.LEAVE.value, "is left alone")


class DriftSetting(models.Model):
    """How one channel is read back, and what follows from each cause. A channel without a row has the defaults."""

    channel = models.OneToOneField(Channel, on_delete=models.CASCADE, primary_key=True, related_name="drift_setting")
    settle_minutes = models.PositiveIntegerField(
        default=10,
        validators=[MaxValueValidator(2_880)],
        help_text="How long the channel may take to show a figure; a younger difference is only watched.",
    )
    sample_rows = models.PositiveIntegerField(
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(200)],
        help_text="Listings read back every five minutes.",
    )
    lost_lowering = models.CharField(max_length=10, choices=[OVERWRITE, ALERT, LEAVE], default=Response.OVERWRITE.value)
    # A raise that was applied, sold down to the old figure and shipped looks like one that was lost.
    lost_raise = models.CharField(max_length=10, choices=[ALERT, OVERWRITE, LEAVE], default=Response.ALERT.value)
    edited = models.CharField(max_length=10, choices=[ALERT, OVERWRITE, ADOPT, LEAVE], default=Response.ALERT.value)
    sold = models.CharField(max_length=10, choices=[ALERT, LEAVE], default=Response.ALERT.value)
    mapping = models.CharField(max_length=10, choices=[ALERT, LEAVE], default=Response.ALERT.value)
    unexplained = models.CharField(max_length=10, choices=[ALERT, LEAVE], default=Response.ALERT.value)

    history = HistoricalRecords()

    def __str__(self) -> str:
        return f"Reading back of {self.channel}"


class ListingReading(models.Model):
    """What the channel was last seen to show of a listing. Quantities are whole units of the listing."""

    listing = models.OneToOneField(Listing, on_delete=models.CASCADE, primary_key=True, related_name="reading")
    quantity = models.IntegerField(null=True, help_text="Null: the channel stocks nothing of it at the location.")
    sku = models.CharField(max_length=100, blank=True, help_text="The channel's own; empty: it knows no such item.")
    committed = models.IntegerField(null=True, help_text="What the channel's orders held; null: it does not tell.")
    read_at = models.DateTimeField()
    agreed_version = models.PositiveBigIntegerField(default=0, help_text="Newest version it was seen to show.")
    agreed_committed = models.IntegerField(null=True, help_text="What its orders held then.")
    agreed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=("read_at",), name="channels_sync_reading_age"),)

    def __str__(self) -> str:
        return f"{self.listing}: {self.quantity}"


class DifferenceCause(models.TextChoices):
    NOT_APPLIED = Cause.NOT_APPLIED.value, "Our figure never arrived"
    EDITED = Cause.EDITED.value, "Changed on the channel"
    SOLD = Cause.SOLD.value, "Orders not imported yet"
    MAPPING = Cause.MAPPING.value, "Linked to the wrong item"
    UNEXPLAINED = Cause.UNEXPLAINED.value, "Unexplained"


class Done(models.TextChoices):
    WATCHED = "watched", "Watched: too young to judge"
    TOLD = "told", "Told to a person"
    OVERWRITTEN = "overwritten", "Our figure was sent again"
    HELD = "held", "Our figure waits for a person"
    ADOPTED = "adopted", "Frozen at the channel's figure"
    LEFT = "left", "Left alone"


class Difference(models.Model):
    """A listing that shows something else than the version that was sent, from when it was first seen until it ended."""

    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="differences")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="+", db_index=False)
    version = models.PositiveBigIntegerField()
    ours = models.PositiveIntegerField()
    theirs = models.IntegerField(null=True, help_text="Null: the channel shows nothing.")
    cause = models.CharField(max_length=12, choices=DifferenceCause)
    evidence = models.CharField(max_length=300)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    done = models.CharField(max_length=12, choices=Done, default=Done.WATCHED)
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Null: the channel's rule.",
    )

    class Meta:
        ordering = ("-id",)
        permissions = (("decide_difference", "Can overwrite, adopt and leave what channels show"),)
        constraints = (
            models.UniqueConstraint(
                fields=("listing",), condition=Q(ended_at__isnull=True), name="channels_sync_difference_one_open"
            ),
        )
        indexes = (
            models.Index(
                fields=("channel", "cause"), condition=Q(ended_at__isnull=True), name="channels_sync_difference_now"
            ),
        )

    def __str__(self) -> str:
        return f"{self.listing}: {self.ours}, shown {self.theirs}"

    @property
    def delta(self) -> int | None:
        """Theirs less ours, in units of the listing."""
        return None if self.theirs is None else self.theirs - self.ours

    @property
    def can_be_overwritten(self) -> bool:
        """What orders explain is not overwritten, for that sells it twice; nor what is linked to the wrong item."""
        return self.cause not in (DifferenceCause.SOLD, DifferenceCause.MAPPING)

    @property
    def can_be_adopted(self) -> bool:
        """Only a lower figure: a higher one promises what our stock does not hold."""
        return self.cause != DifferenceCause.MAPPING and self.theirs is not None and 0 <= self.theirs < self.ours
