"""What needs a person: one queue for everything that did not go by itself."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q


class ExceptionState(models.TextChoices):
    OPEN = "open", "Open"
    SNOOZED = "snoozed", "Snoozed"
    RESOLVED = "resolved", "Resolved"


class Severity(models.IntegerChoices):
    LOW = 1, "Low"
    NORMAL = 2, "Normal"
    HIGH = 3, "High"
    URGENT = 4, "Urgent"


class ExceptionCaseQuerySet(models.QuerySet["ExceptionCase"]):
    def open(self) -> Self:
        return self.exclude(state=ExceptionState.RESOLVED)

    def waiting(self, *, at: datetime) -> Self:
        """Open cases, and those that were put away until a moment that has passed."""
        awake = Q(state=ExceptionState.SNOOZED, snoozed_until__lte=at)
        return self.filter(Q(state=ExceptionState.OPEN) | awake)


class ExceptionCase(models.Model):
    """One thing that needs a person: why, what shows it, what would help, and whose it is.

    `fingerprint` is the same for the same trouble, so that it is reported once and counted again while it lasts. Subject
    and action are plain words and addresses, for they may belong to a higher app.
    """

    kind = models.CharField(max_length=40, help_text="For example negative_stock, held_run, drift.")
    area = models.CharField(max_length=16, help_text="stock, production, publishing, feed, count, order.")
    severity = models.IntegerField(choices=Severity, default=Severity.NORMAL)
    fingerprint = models.CharField(max_length=120)
    title = models.CharField(max_length=200)
    reason = models.TextField()
    evidence = models.JSONField(default=dict, blank=True)
    subject = models.CharField(max_length=120, blank=True, help_text="What it is about, in words.")
    url = models.CharField(max_length=300, blank=True, help_text="Where to look.")
    action = models.CharField(max_length=60, blank=True, help_text="What would help, as a button says it.")
    action_url = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10, choices=ExceptionState, default=ExceptionState.OPEN)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="exception_cases"
    )
    snoozed_until = models.DateTimeField(null=True, blank=True)
    times_seen = models.PositiveIntegerField(default=1)
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    resolution = models.CharField(max_length=300, blank=True)

    objects = ExceptionCaseQuerySet.as_manager()

    class Meta:
        ordering = ("-severity", "opened_at")
        permissions = (
            ("resolve_exceptioncase", "Can take, snooze and resolve exceptions"),
            ("assign_exceptioncase", "Can give exceptions to others"),
            ("report_exceptioncase", "Can report a problem"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("fingerprint",),
                condition=~Q(state=ExceptionState.RESOLVED),
                name="inventory_exceptioncase_open_once",
            ),
        )
        indexes = (
            models.Index(
                fields=("-severity", "opened_at"),
                condition=~Q(state=ExceptionState.RESOLVED),
                name="inventory_case_open",
            ),
            models.Index(fields=("kind", "state"), name="inventory_case_kind"),
        )

    def __str__(self) -> str:
        return self.title


class ExceptionStep(models.TextChoices):
    REPORTED = "reported", "Reported"
    TAKEN = "taken", "Taken"
    ASSIGNED = "assigned", "Given"
    RELEASED = "released", "Let go"
    SNOOZED = "snoozed", "Put away"
    WOKEN = "woken", "Brought back"
    RESOLVED = "resolved", "Resolved"
    REOPENED = "reopened", "Opened again"
    NOTED = "noted", "Note"


class ExceptionEvent(models.Model):
    """One thing that somebody did with a case; never changed."""

    case = models.ForeignKey(ExceptionCase, on_delete=models.CASCADE, related_name="events")
    step = models.CharField(max_length=10, choices=ExceptionStep)
    words = models.CharField(max_length=500, blank=True, help_text="The note, the person it was given to, until when.")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    happened_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.get_step_display()} {self.case}"
