"""What needs a person: one queue for everything that did not go by itself."""

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
        permissions = (("resolve_exceptioncase", "Can take, snooze and resolve exceptions"),)
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
