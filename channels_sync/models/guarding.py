"""What stands between a plan and the channel: limits of the breaker, changes that wait for a person, freezes."""

from decimal import Decimal
from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from channels_sync.models.channels import Channel, Listing
from channels_sync.models.pieces import WideChange
from channels_sync.models.pushes import PublishRun
from inventory.models import Item


class ChannelGuard(models.Model):
    """The limits of one channel's breaker; see guard.Limits. A channel without a row has the defaults. Empty: the rule is off."""

    channel = models.OneToOneField(Channel, on_delete=models.CASCADE, primary_key=True, related_name="guard")
    changed_percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        default=Decimal(30),
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(Decimal(100))],
        help_text="Of the channel's listings, changed within a quarter of an hour.",
    )
    changed_min = models.PositiveIntegerField(
        default=20, help_text="Fewer changed listings are never too many, whatever their share."
    )
    to_zero_max = models.PositiveIntegerField(
        null=True, blank=True, default=10, help_text="Listings that may fall to zero within a quarter of an hour."
    )
    zeroing_waits = models.BooleanField(default=True, help_text="Falls to zero beyond that wait; else only raises do.")
    times_recent_max = models.DecimalField(
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        default=Decimal(5),
        validators=[MinValueValidator(Decimal(1))],
        help_text="A quantity above so many times the most of the last 30 days waits.",
    )
    recent_units_min = models.PositiveIntegerField(
        default=20, help_text="A quantity at most so many units above the most of the last 30 days never waits."
    )
    above_possible = models.BooleanField(default=True, help_text="More than the counted supply waits.")
    after_bulk = models.BooleanField(default=True, help_text="Raises after an import or a change of rules wait.")
    bulk_listings_min = models.PositiveIntegerField(default=5, help_text="... when they are more listings than this.")
    stale_sources = models.BooleanField(
        default=True, help_text="Raises wait while a place that others report about is older than it may be."
    )

    history = HistoricalRecords()

    class Meta:
        permissions = (
            ("decide_publishrun", "Can approve, refuse and undo what is published"),
            ("freeze_listing", "Can freeze what listings show"),
        )

    def __str__(self) -> str:
        return f"Guard of {self.channel}"


class HoldState(models.TextChoices):
    OPEN = "open", "Waits"
    APPROVED = "approved", "Approved"
    REFUSED = "refused", "Refused"
    REPLACED = "replaced", "Replaced by a newer one"
    OVER = "over", "No longer needed"


class Hold(models.Model):
    """A change of one listing that waits for a person: nothing of it is in the outbox."""

    run = models.ForeignKey(PublishRun, on_delete=models.PROTECT, related_name="holds")
    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="holds")
    before = models.PositiveIntegerField(null=True)
    after = models.PositiveIntegerField()
    derivation = models.JSONField()
    state = models.CharField(max_length=10, choices=HoldState, default=HoldState.OPEN)
    recorded_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("listing",), condition=Q(state=HoldState.OPEN), name="channels_sync_hold_one_open"
            ),
        )

    def __str__(self) -> str:
        return f"{self.listing} {self.before} -> {self.after}"

    @property
    def difference(self) -> int | None:
        """By how much the figure would change; None where it is not known what is shown."""
        return None if self.before is None else self.after - self.before


class WideVerdict(models.TextChoices):
    APPROVE = "approve", "Approved"
    REFUSE = "refuse", "Refused"
    UNDO = "undo", "Taken back"


class WideDecision(models.Model):
    """What a person decided about the runs of a large change, on one channel or on all.

    Workers carry it out run by run, each in a transaction of its own; who dies in between leaves the rest to the next one.
    """

    wide = models.ForeignKey(WideChange, on_delete=models.PROTECT, related_name="decisions")
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    verdict = models.CharField(max_length=10, choices=WideVerdict)
    reason = models.CharField(max_length=200, blank=True)
    listings = models.PositiveIntegerField(help_text="Changes it was about when it was decided.")
    newest_hold = models.BigIntegerField(
        default=0, help_text="What began to wait later was not seen and is not decided."
    )
    newest_run = models.BigIntegerField(default=0, help_text="Runs made later were not seen and are not taken back.")
    last_run = models.BigIntegerField(default=0, help_text="Runs are gone through in order, up to this one so far.")
    changed = models.PositiveIntegerField(default=0, help_text="New figures it led to.")
    held = models.PositiveIntegerField(default=0, help_text="Changes it led to that wait again.")
    frozen = models.PositiveIntegerField(default=0, help_text="Listings it froze.")
    problems = models.JSONField(default=list, help_text="Runs it could not be carried out for: run and words.")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("wide",), condition=Q(ended_at__isnull=True), name="channels_sync_decision_one_open"
            ),
        )

    def __str__(self) -> str:
        return f"{self.wide}: {self.get_verdict_display()}"


class FreezeQuerySet(models.QuerySet["Freeze"]):
    def in_force(self) -> Self:
        return self.filter(ended_at__isnull=True)

    def on(self, listing: Listing) -> Self:
        """Those of a listing, of its item, and of its channel."""
        return self.filter(Q(listing=listing) | Q(item=listing.item_id) | Q(channel=listing.channel_id))

    def told(self) -> Self:
        """With all that is told of them, in one statement."""
        return self.select_related("channel", "item", "listing__channel", "created_by")


class Freeze(models.Model):
    """A lid on what listings show, until it is lifted: on a channel, an item everywhere, or one listing.

    `quantity` is the most each of them shows; without one it is what each showed at `as_of`, and without that what it shows when
    it is worked out, so that it falls with the stock and never rises. An exact one, of one listing, keeps the very figure, though
    there may be less: that is how a refused fall stays refused. Exact without a quantity: the channel was never told a figure and
    is told none.
    """

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, null=True, blank=True, related_name="freezes")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, null=True, blank=True, related_name="freezes")
    quantity = models.PositiveIntegerField(null=True, blank=True)
    as_of = models.DateTimeField(
        null=True, blank=True, help_text="Each listing shows no more than the figure it had last been given then."
    )
    is_exact = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="This very figure is shown, whatever there is."
    )
    reason = models.CharField(max_length=200)
    run = models.ForeignKey(
        PublishRun, on_delete=models.PROTECT, null=True, related_name="freezes", help_text="The run it takes back."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = FreezeQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(channel__isnull=False, item__isnull=True, listing__isnull=True)
                | Q(channel__isnull=True, item__isnull=False, listing__isnull=True)
                | Q(channel__isnull=True, item__isnull=True, listing__isnull=False),
                name="channels_sync_freeze_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(is_exact=False) | Q(listing__isnull=False), name="channels_sync_freeze_exact_of_a_listing"
            ),
            models.CheckConstraint(
                condition=Q(as_of__isnull=True) | Q(quantity__isnull=True, is_exact=False),
                name="channels_sync_freeze_at_one_thing",
            ),
        )
        indexes = (
            models.Index(fields=("listing",), condition=Q(ended_at__isnull=True), name="channels_sync_freeze_now"),
        )

    def __str__(self) -> str:
        return f"{self.subject}: {self.in_words}"

    @property
    def subject(self) -> str:
        """What is frozen, in words."""
        return str(self.channel or self.item or self.listing)

    @property
    def scope(self) -> str:
        """What kind of thing is frozen: channel, item or listing."""
        return "channel" if self.channel_id else "item" if self.item_id else "listing"

    @property
    def in_words(self) -> str:
        """What is shown while it is in force."""
        if self.as_of is not None:
            return f"at most what it showed {timezone.localtime(self.as_of):%Y-%m-%d %H:%M}"
        if self.quantity is None:
            return "what the channel has" if self.is_exact else "what it shows"
        return f"exactly {self.quantity}" if self.is_exact else f"at most {self.quantity}"
