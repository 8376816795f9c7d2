"""Rework: goods that failed are mended by an order of its own, with components and work whose cost goes to the goods."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from inventory.models import Item, Location, Lot, Posting, StockStatus
from production.models.quality import InspectionDecision

REWORKED_FROM = (StockStatus.QUARANTINE, StockStatus.DAMAGED)
"""The statuses in which goods wait to be reworked."""


class ReworkState(models.TextChoices):
    OPEN = "open", "Open"
    DONE = "done", "Done"
    CLOSED = "closed", "Closed short"


class ReworkOrder(models.Model):
    """What is to be done to a quantity of one lot in one place, which waits there in quarantine or damaged.

    `good` and `scrapped` are the sums of its reworkings that are not taken back.
    """

    number = models.CharField(max_length=24, unique=True, editable=False, help_text="RW-000042")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="rework_orders")
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="rework_orders")
    location = models.ForeignKey(
        Location, on_delete=models.PROTECT, related_name="+", help_text="Where the goods wait."
    )
    status = models.CharField(max_length=12, choices=[(one.value, one.label) for one in REWORKED_FROM])
    decision = models.ForeignKey(
        InspectionDecision,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="rework_orders",
        help_text="The decision of an inspection that sent the goods to rework.",
    )
    quantity = models.DecimalField(
        max_digits=18, decimal_places=6, validators=[MinValueValidator(Decimal("0.000001"))], help_text="Stock unit."
    )
    good = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    scrapped = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    work = models.CharField(max_length=1000, help_text="What is to be done.")
    minutes = models.DecimalField(
        max_digits=10, decimal_places=2, default=Decimal(0), help_text="Of work, for the whole quantity."
    )
    rate_per_hour = models.DecimalField(
        max_digits=12, decimal_places=4, default=Decimal(0), help_text="Of the work, in base currency."
    )
    source_location = models.ForeignKey(
        Location, on_delete=models.PROTECT, related_name="+", help_text="Components come from here."
    )
    due_on = models.DateField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=ReworkState, default=ReworkState.OPEN)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(quantity__gt=0, minutes__gte=0, rate_per_hour__gte=0),
                name="production_reworkorder_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(good__gte=0, scrapped__gte=0, quantity__gte=F("good") + F("scrapped")),
                name="production_reworkorder_within_quantity",
            ),
        )
        indexes = (models.Index(fields=("state", "due_on"), name="production_reworkorder_due"),)

    def __str__(self) -> str:
        return self.number

    @property
    def remaining(self) -> Decimal:
        """Still to be reworked; stock unit."""
        return self.quantity - self.good - self.scrapped

    @property
    def is_open(self) -> bool:
        return self.state == ReworkState.OPEN


class ReworkComponent(models.Model):
    """A component the rework of the whole quantity is planned to take."""

    order = models.ForeignKey(ReworkOrder, on_delete=models.CASCADE, related_name="components")
    component = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+", db_index=False)
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock unit of the component.")

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="production_reworkcomponent_quantity_positive"),
            models.UniqueConstraint(fields=("order", "component"), name="production_reworkcomponent_once"),
        )

    def __str__(self) -> str:
        return f"{self.quantity:f} of item {self.component_id}"


class Reworking(models.Model):
    """A part of a rework order that was done: goods and components left, the mended goods came in with the cost of all."""

    posting = models.OneToOneField(
        Posting, on_delete=models.PROTECT, primary_key=True, related_name="reworking", db_constraint=False
    )
    order = models.ForeignKey(ReworkOrder, on_delete=models.PROTECT, related_name="reworkings")
    good = models.DecimalField(max_digits=18, decimal_places=6, help_text="Mended, stock unit.")
    scrapped = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    scrap_reason = models.CharField(max_length=100, blank=True)
    minutes = models.DecimalField(max_digits=10, decimal_places=2, default=Decimal(0), help_text="Of work.")
    goods_value = models.DecimalField(
        max_digits=20, decimal_places=6, null=True, help_text="Of the goods before; base currency, empty: unknown."
    )
    component_value = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    work_value = models.DecimalField(max_digits=20, decimal_places=6, default=Decimal(0))
    output_location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    output_status = models.CharField(max_length=12, choices=StockStatus)
    is_reversed = models.BooleanField(default=False)

    class Meta:
        ordering = ("-posting_id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(good__gte=0, scrapped__gte=0, minutes__gte=0, work_value__gte=0)
                & (Q(good__gt=0) | Q(scrapped__gt=0)),
                name="production_reworking_of_something",
            ),
            models.CheckConstraint(
                condition=Q(scrapped=0) | ~Q(scrap_reason=""), name="production_reworking_scrap_says_why"
            ),
        )

    def __str__(self) -> str:
        return f"Reworking {self.posting_id}"

    @property
    def added_value(self) -> Decimal | None:
        """What the rework cost: components and work, in base currency; None: a component has no cost."""
        return None if self.component_value is None else self.component_value + self.work_value


class ReworkingLine(models.Model):
    """How much of one component a reworking was expected to take, and took."""

    reworking = models.ForeignKey(Reworking, on_delete=models.PROTECT, related_name="lines")
    component = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+", db_index=False)
    expected = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock unit of the component.")
    actual = models.DecimalField(max_digits=18, decimal_places=6)
    value = models.DecimalField(max_digits=20, decimal_places=6, null=True, help_text="That left with it.")

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(expected__gte=0, actual__gte=0), name="production_reworkingline_not_negative"
            ),
        )

    def __str__(self) -> str:
        return f"{self.actual:f} of item {self.component_id}"
