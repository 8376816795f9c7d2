"""Inspecting what was made or received before it may be used or sold."""

from decimal import Decimal
from typing import Self

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from inventory.models import Item, Location, Lot, Posting, StockStatus


class InspectionOf(models.TextChoices):
    OUTPUT = "output", "What is made"
    RECEIPT = "receipt", "What is received"


class InspectionPlan(models.Model):
    """How an item is inspected when it is made or received. Without a plan the inspector only passes or fails quantities."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="inspection_plans")
    applies_to = models.CharField(max_length=8, choices=InspectionOf, default=InspectionOf.OUTPUT)
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

    history = HistoricalRecords()

    class Meta:
        ordering = ("item", "applies_to")
        constraints = (
            models.UniqueConstraint(fields=("item", "applies_to"), name="production_inspectionplan_once"),
            models.CheckConstraint(condition=Q(every_nth__gte=1), name="production_inspectionplan_every_nth"),
            models.CheckConstraint(
                condition=Q(sample_quantity__isnull=True) | Q(sample_quantity__gt=0),
                name="production_inspectionplan_sample_positive",
            ),
        )

    def __str__(self) -> str:
        return f"Inspection of {self.item}"


class CheckKind(models.TextChoices):
    PASS_FAIL = "pass_fail", "Pass or fail"
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


class InspectionState(models.TextChoices):
    OPEN = "open", "To inspect"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"


class InspectionQuerySet(models.QuerySet["Inspection"]):
    def open(self) -> Self:
        return self.filter(state=InspectionState.OPEN)


class Inspection(models.Model):
    """One quantity in QC hold that is to be passed or failed, in one go or in parts."""

    posting = models.ForeignKey(
        Posting, on_delete=models.PROTECT, related_name="inspections", help_text="The completion or receipt behind it."
    )
    applies_to = models.CharField(max_length=8, choices=InspectionOf)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="inspections")
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="inspections")
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Held, in the stock unit.")
    passed = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    failed = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    sample_quantity = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    state = models.CharField(max_length=10, choices=InspectionState, default=InspectionState.OPEN)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = InspectionQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        permissions = (("inspect", "Can pass and fail inspections"),)
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="production_inspection_quantity_positive"),
            models.CheckConstraint(
                condition=Q(passed__gte=0, failed__gte=0) & Q(quantity__gte=F("passed") + F("failed")),
                name="production_inspection_decides_what_is_held",
            ),
        )
        indexes = (
            models.Index(
                fields=("opened_at",), condition=Q(state=InspectionState.OPEN), name="production_inspection_open"
            ),
            models.Index(fields=("posting",), name="production_inspection_posting"),
        )

    def __str__(self) -> str:
        return f"Inspection {self.pk}"

    @property
    def undecided(self) -> Decimal:
        """Still held, in the stock unit."""
        return self.quantity - self.passed - self.failed


class Disposition(models.TextChoices):
    RELEASE = "release", "Release"
    SCRAP = "scrap", "Scrap"
    REWORK = "rework", "Rework"
    QUARANTINE = "quarantine", "Quarantine"


class InspectionDecision(models.Model):
    """What was decided about a part of an inspected quantity, and the posting that carried it out."""

    inspection = models.ForeignKey(Inspection, on_delete=models.PROTECT, related_name="decisions")
    disposition = models.CharField(max_length=10, choices=Disposition)
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock unit.")
    reason = models.CharField(max_length=200, blank=True)
    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, null=True, related_name="+")
    rework_order = models.ForeignKey(
        "production.WorkOrder", on_delete=models.PROTECT, null=True, blank=True, related_name="rework_of"
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(auto_now_add=True)
    is_reversed = models.BooleanField(default=False)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="production_inspectiondecision_quantity_positive"),
        )

    def __str__(self) -> str:
        return f"{self.get_disposition_display()} {self.quantity:f}"


class InspectionResult(models.Model):
    """What one check found on one inspection."""

    inspection = models.ForeignKey(Inspection, on_delete=models.PROTECT, related_name="results")
    check_name = models.CharField(max_length=200, help_text="As the plan said then.")
    kind = models.CharField(max_length=12, choices=CheckKind)
    unit = models.CharField(max_length=16, blank=True)
    minimum = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    maximum = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    measured = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    text = models.CharField(max_length=500, blank=True)
    is_passed = models.BooleanField(null=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.check_name}: {self.is_passed}"


class InspectionFile(models.Model):
    """A photo or a file taken during an inspection."""

    inspection = models.ForeignKey(Inspection, on_delete=models.PROTECT, related_name="files")
    file = models.FileField(upload_to="inspections/%Y/%m/")
    name = models.CharField(max_length=200)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    uploaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.name


HELD = StockStatus.QC_HOLD
"""The status in which inspected goods wait."""
