"""Counting what is there: classes of items, sheets, and every counted cell."""

from decimal import Decimal
from typing import Self

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from inventory.models.items import CountGroup, Item
from inventory.models.ledger import Posting, StockStatus
from inventory.models.locations import Location
from inventory.models.lots import Lot


class CountClass(models.Model):
    """How often items of an ABC class are counted, and how far a count may be off before it is counted again."""

    group = models.CharField(max_length=1, choices=CountGroup, unique=True)
    counts_per_year = models.DecimalField(
        max_digits=6, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )
    tolerance_percent = models.DecimalField(
        max_digits=6,
        decimal_places=3,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Of the expected quantity.",
    )
    share_percent = models.DecimalField(
        max_digits=6,
        decimal_places=3,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Up to this share of the year's usage value the items belong here, the largest first.",
    )
    approval_value = models.DecimalField(
        max_digits=20,
        decimal_places=6,
        validators=[MinValueValidator(Decimal(0))],
        help_text="A variance worth more needs a second person, in base currency.",
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "count classes"
        ordering = ("group",)

    def __str__(self) -> str:
        return f"Class {self.group}"


class CountSheetState(models.TextChoices):
    OPEN = "open", "Being counted"
    REVIEW = "review", "To be approved"
    POSTED = "posted", "Posted"
    CANCELLED = "cancelled", "Cancelled"


UNFINISHED = (CountSheetState.OPEN, CountSheetState.REVIEW)
"""States of sheets that may still post something."""


class CountSheetQuerySet(models.QuerySet["CountSheet"]):
    def unfinished(self) -> Self:
        return self.filter(state__in=UNFINISHED)


class CountSheet(models.Model):
    """A list of cells to be counted by somebody, at one place."""

    number = models.CharField(max_length=24, unique=True, editable=False, help_text="CS-000042")
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=CountSheetState, default=CountSheetState.OPEN)
    is_blind = models.BooleanField(default=True, help_text="The person who counts does not see what is expected.")
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    note = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = CountSheetQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        permissions = (
            ("count_stock", "Can count stock"),
            ("approve_count", "Can approve counts"),
            ("plan_counts", "Can plan counts"),
        )

    def __str__(self) -> str:
        return self.number


class CountCause(models.TextChoices):
    MISCOUNT = "miscount", "Counted wrongly before"
    UNRECORDED_USE = "unrecorded_use", "Used without recording"
    MISSED_COMPLETION = "missed_completion", "Completion not recorded"
    BOM_ERROR = "bom_error", "BOM is wrong"
    SCRAP = "scrap", "Scrap not recorded"
    RECEIVING = "receiving", "Received wrongly"
    WRONG_PLACE = "wrong_place", "Stood in another place"
    UNIT = "unit", "Wrong unit"
    SHRINKAGE = "shrinkage", "Lost or stolen"
    OTHER = "other", "Other"


class CountLineState(models.TextChoices):
    TO_COUNT = "to_count", "To count"
    RECOUNT = "recount", "Count again"
    COUNTED = "counted", "Counted"
    POSTED = "posted", "Posted"


class CountLineQuerySet(models.QuerySet["CountLine"]):
    def unfinished(self) -> Self:
        """Lines whose count is still to come or to be posted."""
        return self.filter(sheet__state__in=UNFINISHED).exclude(state=CountLineState.POSTED)


class CountLine(models.Model):
    """One cell on a sheet. What is expected is frozen when the cell is scanned, so stock may move while it is counted.

    `expected` is the balance at `scanned_at`. Posting brings the cell to `counted` plus what moved since the scan, so what was
    recorded meanwhile for an earlier time is not posted twice.
    """

    sheet = models.ForeignKey(CountSheet, on_delete=models.PROTECT, related_name="lines")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="count_lines")
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=12, choices=StockStatus, default=StockStatus.AVAILABLE)
    state = models.CharField(max_length=10, choices=CountLineState, default=CountLineState.TO_COUNT)
    is_unexpected = models.BooleanField(default=False, help_text="Added by the person who counts.")
    scanned_at = models.DateTimeField(null=True, blank=True)
    expected = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True, help_text="Stock unit.")
    counted = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True, help_text="Stock unit.")
    first_counted = models.DecimalField(
        max_digits=18, decimal_places=6, null=True, blank=True, help_text="The first count, when it was counted again."
    )
    first_expected = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    counted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    first_counted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    group = models.CharField(
        max_length=1,
        choices=CountGroup,
        blank=True,
        default="",
        db_default="",
        help_text="Class of the item when the line was made.",
    )
    tolerance_percent = models.DecimalField(max_digits=6, decimal_places=3, null=True, blank=True)
    variance_value = models.DecimalField(
        max_digits=20, decimal_places=6, null=True, blank=True, help_text="Signed, base currency; null when unknown."
    )
    needs_approval = models.BooleanField(default=False)
    cause = models.CharField(max_length=20, choices=CountCause, blank=True)
    note = models.CharField(max_length=250, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, null=True, blank=True, related_name="count_lines")

    objects = CountLineQuerySet.as_manager()

    class Meta:
        ordering = ("sheet", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("sheet", "item", "location", "lot", "status"), name="inventory_countline_cell_once"
            ),
            models.CheckConstraint(
                condition=Q(counted__isnull=True) | Q(counted__gte=0, expected__isnull=False, scanned_at__isnull=False),
                name="inventory_countline_counted_was_scanned",
            ),
        )
        indexes = (
            models.Index(
                fields=("item", "location", "lot", "status", "scanned_at"),
                condition=Q(state=CountLineState.POSTED),
                name="inventory_countline_posted",
            ),
            models.Index(
                fields=("scanned_at",),
                condition=Q(state=CountLineState.POSTED),
                name="inventory_countline_recent",
            ),
        )

    def __str__(self) -> str:
        return f"{self.item} at {self.location} on {self.sheet}"

    @property
    def variance(self) -> Decimal | None:
        """Counted less expected, in the stock unit; None while it is not counted."""
        return None if self.counted is None or self.expected is None else self.counted - self.expected

    @property
    def is_open(self) -> bool:
        """Whether it waits to be counted, for the first or for the second time."""
        return self.state in (CountLineState.TO_COUNT, CountLineState.RECOUNT)

    @property
    def is_recounted_alone(self) -> bool:
        """Whether the second count was made by the person who made the first."""
        return self.first_counted_by_id is not None and self.first_counted_by_id == self.counted_by_id
