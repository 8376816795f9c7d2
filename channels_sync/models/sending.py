"""How fast and when a channel is told: the allowance of an account, and the hours in which things go out."""

from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from channels_sync.models.channels import Channel


class SendingAccount(models.Model):
    """The allowance of one account at a selling place, shared by every worker and every channel that calls it.

    A bucket of points that calls are paid from, as of `filled_at`; and whether the place answers at all.
    """

    account = models.CharField(max_length=300, primary_key=True, help_text="Protocol and address.")
    bucket_points = models.PositiveIntegerField(help_text="The most it holds, as declared or as the channel told.")
    refill_points_per_second = models.DecimalField(max_digits=12, decimal_places=3)
    share_percent = models.PositiveSmallIntegerField(
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Of the account's allowance; the rest is left to other programs that use it.",
    )
    points = models.DecimalField(max_digits=15, decimal_places=6)
    filled_at = models.DateTimeField()
    quiet_until = models.DateTimeField(null=True, help_text="Nobody calls before.")
    failures = models.PositiveIntegerField(default=0, help_text="Calls in a row that found nobody there.")
    failing_since = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(share_percent__gte=1, share_percent__lte=100), name="channels_sync_account_share_percent"
            ),
            models.CheckConstraint(condition=Q(points__gte=0), name="channels_sync_account_not_overdrawn"),
        )

    def __str__(self) -> str:
        return self.account


class WindowKind(models.TextChoices):
    QUIET = "quiet", "Quiet: not in these hours"
    OPEN = "open", "Open: only in these hours"


class WindowScope(models.TextChoices):
    EVERYTHING = "everything", "Everything"
    RAISES = "raises", "Raises only; lowering always goes out"


class SendingWindowQuerySet(models.QuerySet["SendingWindow"]):
    def of_channel(self, channel_id: int) -> Self:
        return self.filter(channel=channel_id)


class SendingWindow(models.Model):
    """Hours of the week, on the channel's clock, in which figures go out or do not.

    From `starts_at` on each of `weekdays` until `ends_at`; an end that is not later belongs to the next day.
    """

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="windows")
    kind = models.CharField(max_length=5, choices=WindowKind, default=WindowKind.QUIET)
    scope = models.CharField(max_length=10, choices=WindowScope, default=WindowScope.EVERYTHING)
    weekdays = models.CharField(max_length=7, default="0123456", help_text="Digits; 0 is Monday.")
    starts_at = models.TimeField()
    ends_at = models.TimeField()
    reason = models.CharField(max_length=200, blank=True)

    history = HistoricalRecords()
    objects = SendingWindowQuerySet.as_manager()

    class Meta:
        ordering = ("channel", "kind", "starts_at", "pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(weekdays__regex=r"^0?1?2?3?4?5?6?$") & ~Q(weekdays=""),
                name="channels_sync_window_days_in_order",
            ),
            models.CheckConstraint(condition=~Q(starts_at=F("ends_at")), name="channels_sync_window_has_length"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.starts_at:%H:%M}-{self.ends_at:%H:%M}"
