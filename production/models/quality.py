"""Inspecting what was made or received before it may be used or sold."""

from typing import Self

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from simple_history.models import HistoricalRecords

from inventory.models import Item, Location, Lot, Posting, StockStatus

HELD = StockStatus.QC_HOLD
"""The status in which inspected goods wait."""


class InspectionOf(models.TextChoices):
    OUTPUT = "output", "What is made"
    RECEIPT = "receipt", "What is received"


class InspectionPlan(models.Model):
    """One version of how an item is inspected when it is made or received; the active one counts.

    Without a plan the inspector only passes or fails quantities. A version that was ended is kept, for what was inspected by
    it.
    """

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="inspection_plans")
    applies_to = models.CharField(max_length=8, choices=InspectionOf, default=InspectionOf.OUTPUT)
    version = models.PositiveIntegerField(default=1)
    every_nth = models.PositiveIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="Inspect each n-th completion or receipt; 1 means all."
    )
    sample_quantity = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        help_text="How many are looked at, in the stock unit. Empty: all.",
    )
    instructions = models.TextField(blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    history = HistoricalRecords()

    class Meta:
        ordering = ("item", "applies_to", "-version")
        constraints = (
            models.UniqueConstraint(
                fields=("item", "applies_to", "version"), name="production_inspectionplan_version_once"
            ),
            models.UniqueConstraint(
                fields=("item", "applies_to"),
                condition=Q(is_active=True),
                name="production_inspectionplan_active_once",
            ),
            models.CheckConstraint(condition=Q(every_nth__gte=1), name="production_inspectionplan_every_nth"),
            models.CheckConstraint(
                condition=Q(sample_quantity__isnull=True) | Q(sample_quantity__gt=0),
                name="production_inspectionplan_sample_positive",
            ),
        )

    def __str__(self) -> str:
        return f"Inspection of {self.item}, version {self.version}"


class CheckKind(models.TextChoices):
    PASS_FAIL = "pass_fail", "Yes or no"
    MEASUREMENT = "measurement", "Measurement"
    PHOTO = "photo", "Photo or file"
    TEXT = "text", "Note"


class InspectionCheck(models.Model):
    """One thing to look at or measure, with its limits."""

    plan = models.ForeignKey(InspectionPlan, on_delete=models.CASCADE, related_name="checks")
    position = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=12, choices=CheckKind, default=CheckKind.PASS_FAIL)
    unit = models.CharField(max_length=16, blank=True)
    minimum = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    maximum = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    is_required = models.BooleanField(default=True)

    class Meta:
        ordering = ("plan", "position", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(minimum__isnull=True) | Q(maximum__isnull=True) | Q(minimum__lte=F("maximum")),
                name="production_inspectioncheck_limits_in_order",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Inspection(models.Model):
    """What one posting put into QC hold in one cell, once somebody has begun to inspect it.

    What of it is still held follows from the ledger, and what was decided from the decisions whose postings stand
    (`production.reads.held_goods`), so a posting that is reversed anywhere opens the inspection again.
    """

    posting = models.ForeignKey(
        Posting, on_delete=models.PROTECT, related_name="inspections", help_text="The completion or receipt behind it."
    )
    applies_to = models.CharField(max_length=8, choices=InspectionOf)
    plan = models.ForeignKey(
        InspectionPlan, on_delete=models.PROTECT, null=True, blank=True, related_name="inspections"
    )
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="inspections")
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="inspections")
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Came into hold, in the stock unit.")
    opened_at = models.DateTimeField(help_text="When the goods came into hold.")

    class Meta:
        ordering = ("-id",)
        permissions = (("inspect", "Can pass and fail inspections"),)
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="production_inspection_quantity_positive"),
            models.UniqueConstraint(
                fields=("posting", "item", "location", "lot"), name="production_inspection_once_of_a_cell"
            ),
        )

    def __str__(self) -> str:
        return f"Inspection {self.pk}"


class InspectionVerdict(models.Model):
    """One act of judging a part or all of an inspected quantity: what was found and, in its decisions, what was done.

    `key` makes the request repeatable: the same key with the same request finds this row again.
    """

    inspection = models.ForeignKey(Inspection, on_delete=models.PROTECT, related_name="verdicts")
    key = models.UUIDField(unique=True)
    request_hash = models.BinaryField(max_length=32, help_text="SHA-256 of the request that used the key.")
    note = models.CharField(max_length=500, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=("decided_at",), name="production_verdict_decided"),)

    def __str__(self) -> str:
        return f"Verdict {self.pk}"


class Disposition(models.TextChoices):
    RELEASE = "release", "Release"
    SCRAP = "scrap", "Scrap"
    REWORK = "rework", "Rework"
    QUARANTINE = "quarantine", "Quarantine"


class InspectionDecisionQuerySet(models.QuerySet["InspectionDecision"]):
    def with_is_reversed(self) -> Self:
        """Whether the posting that carried it out was taken back."""
        return self.annotate(is_reversed=Exists(Posting.objects.filter(reverses=OuterRef("posting_id"))))

    def standing(self) -> Self:
        """Decisions whose posting was not taken back."""
        return self.exclude(Exists(Posting.objects.filter(reverses=OuterRef("posting_id"))))


class InspectionDecision(models.Model):
    """What was decided about a part of an inspected quantity, and the posting that carried it out."""

    verdict = models.ForeignKey(InspectionVerdict, on_delete=models.PROTECT, related_name="decisions")
    disposition = models.CharField(max_length=10, choices=Disposition)
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock unit.")
    reason = models.CharField(max_length=100, blank=True)
    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="inspection_decisions")

    objects = InspectionDecisionQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="production_inspectiondecision_quantity_positive"),
            models.CheckConstraint(
                condition=Q(disposition=Disposition.RELEASE) | ~Q(reason=""),
                name="production_inspectiondecision_failing_says_why",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_disposition_display()} {self.quantity:f}"


class InspectionResult(models.Model):
    """What one check found on one sample, with the limits as they were then."""

    verdict = models.ForeignKey(InspectionVerdict, on_delete=models.PROTECT, related_name="results")
    check_name = models.CharField(max_length=200, help_text="As the plan said then.")
    kind = models.CharField(max_length=12, choices=CheckKind)
    unit = models.CharField(max_length=16, blank=True)
    minimum = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    maximum = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    sample = models.PositiveIntegerField(default=1, help_text="Number of the sample, from 1.")
    measured = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    text = models.CharField(max_length=500, blank=True)
    is_passed = models.BooleanField(null=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.check_name}: {self.is_passed}"


class InspectionFile(models.Model):
    """A photo or a file taken during an inspection. Served only to people who may see inspections."""

    inspection = models.ForeignKey(Inspection, on_delete=models.PROTECT, related_name="files")
    file = models.FileField(upload_to="inspections/%Y/%m/")
    name = models.CharField(max_length=200, help_text="As it was called where it came from.")
    content_type = models.CharField(max_length=40, help_text="As its first bytes say.")
    size_bytes = models.PositiveIntegerField()
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    uploaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.name
