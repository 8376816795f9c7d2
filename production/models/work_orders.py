"""Work orders: an instruction to make a quantity, with the BOM as it was when it was released."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Self

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from inventory.models import Item, Location
from production.models.boms import Bom, IssueMethod

DEMAND_KIND = "work_order"
"""The demand kind of what a work order needs itself; its number is the reference."""
REPLENISHMENT = "replenishment"
"""The demand kind of what is made beyond what anybody asked for, up to the reorder point."""


REFERENCE_LENGTH_MAX = 64


def replenishment_of(item: Item) -> tuple[str, str]:
    """Kind and reference of what is made of an item for nobody in particular."""
    return (REPLENISHMENT, item.sku[:REFERENCE_LENGTH_MAX])


class WorkOrderState(models.TextChoices):
    PLANNED = "planned", "Planned"
    OPEN = "open", "Open"
    DONE = "done", "Done"
    CLOSED = "closed", "Closed short"
    CANCELLED = "cancelled", "Cancelled"


class ConsumptionBasis(models.TextChoices):
    BOM = "bom", "What the BOM says"
    ISSUED = "issued", "What was issued to the order"


class WorkOrderQuerySet(models.QuerySet["WorkOrder"]):
    def open(self) -> Self:
        return self.filter(state=WorkOrderState.OPEN)


class WorkOrder(models.Model):
    """An order to make `planned` of an item from a frozen BOM. It takes many completions and keeps its remainder.

    `good` and `scrapped` are the sums of its completions that are not reversed.
    """

    number = models.CharField(max_length=24, unique=True, editable=False, help_text="WO-000042")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="work_orders")
    bom = models.ForeignKey(Bom, on_delete=models.PROTECT, related_name="work_orders")
    planned = models.DecimalField(
        max_digits=18, decimal_places=6, validators=[MinValueValidator(Decimal("0.000001"))], help_text="Stock unit."
    )
    good = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    scrapped = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    over_completion_percent = models.DecimalField(max_digits=7, decimal_places=3, default=Decimal(0))
    state = models.CharField(max_length=10, choices=WorkOrderState, default=WorkOrderState.OPEN)
    source_location = models.ForeignKey(
        Location,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Components come from here.",
    )
    output_location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    basis = models.CharField(
        max_length=8,
        choices=ConsumptionBasis,
        default=ConsumptionBasis.BOM,
        db_default=ConsumptionBasis.BOM,
        help_text="What a completion consumes when nothing else is entered (rule S4).",
    )
    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        help_text="The order this one makes a sub-assembly for.",
    )
    split_from = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="splits", editable=False
    )
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="merged", editable=False
    )
    floor_location = models.ForeignKey(
        Location,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Where components stand that were issued early; not sellable.",
    )
    rank = models.BigIntegerField(default=0, db_default=0, help_text="Lower is made first.")
    start_on = models.DateField(null=True, blank=True)
    due_on = models.DateField(null=True, blank=True)
    demand_kind = models.CharField(max_length=24, blank=True)
    demand_ref = models.CharField(max_length=REFERENCE_LENGTH_MAX, blank=True)
    note = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    released_at = models.DateTimeField(null=True, blank=True, editable=False)
    frozen_on = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text="The day whose BOMs its lines were frozen by; empty: the day it was made.",
    )
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = WorkOrderQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        permissions = (
            ("close_workorder", "Can close and reopen work orders"),
            ("release_workorder", "Can release, split and merge work orders"),
        )
        constraints = (
            models.CheckConstraint(condition=Q(planned__gt=0), name="production_workorder_planned_positive"),
            models.CheckConstraint(
                condition=Q(good__gte=0, scrapped__gte=0), name="production_workorder_made_not_negative"
            ),
        )
        indexes = (models.Index(fields=("state", "due_on"), name="production_workorder_due"),)

    def __str__(self) -> str:
        return self.number

    @property
    def remaining(self) -> Decimal:
        """Still to start, never below zero; stock unit."""
        return max(Decimal(0), self.planned - self.good - self.scrapped)

    @property
    def is_open(self) -> bool:
        return self.state == WorkOrderState.OPEN

    @property
    def frozen_day(self) -> date:
        """The day whose BOMs it goes by, with those of the phantoms below."""
        return self.frozen_on or timezone.localdate(self.created_at)

    @property
    def allowance_left(self) -> Decimal:
        """What may still be started, the allowance above the plan included, in whole steps of the item; stock unit."""
        limit = self.planned * (100 + self.over_completion_percent) / 100
        left = max(limit - self.good - self.scrapped, Decimal(0))
        return left - left % self.item.step

    @property
    def takes_completions(self) -> bool:
        """Whether more can be completed: it is open, or done with a part of its allowance left (rule S5)."""
        return self.is_open or (self.state == WorkOrderState.DONE and self.allowance_left > 0)


class WorkOrderLine(models.Model):
    """One component of a work order, frozen at release: phantoms exploded, lines of the same component added.

    `rate_numerator / rate_denominator` is the exact need per unit of output in the component's stock unit, expected
    scrap included. `booked` is the sum of the expected quantities of completions that are not reversed, `used` the sum of
    the actual ones.
    """

    work_order = models.ForeignKey(WorkOrder, on_delete=models.PROTECT, related_name="lines")
    component = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="work_order_lines")
    rate_numerator = models.DecimalField(max_digits=60, decimal_places=0)
    rate_denominator = models.DecimalField(max_digits=60, decimal_places=0)
    setup_quantity = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0), help_text="Stock unit.")
    setup_numerator = models.DecimalField(
        max_digits=60, decimal_places=0, null=True, help_text="Set-up exactly; empty: as `setup_quantity` says."
    )
    setup_denominator = models.DecimalField(max_digits=60, decimal_places=0, null=True)
    rounding_multiple = models.DecimalField(max_digits=18, decimal_places=6, null=True, help_text="Stock unit.")
    issue_method = models.CharField(max_length=10, choices=IssueMethod, default=IssueMethod.BACKFLUSH)
    is_consumable = models.BooleanField(default=False)
    is_optional = models.BooleanField(default=False)
    booked = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    used = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))

    class Meta:
        ordering = ("work_order", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("work_order", "component", "is_consumable", "is_optional"), name="production_workorderline_once"
            ),
            models.CheckConstraint(
                condition=Q(rate_numerator__gte=0, rate_denominator__gt=0),
                name="production_workorderline_rate_positive",
            ),
        )

    def __str__(self) -> str:
        return f"{self.component} for {self.work_order}"

    @property
    def setup(self) -> Fraction:
        """What a run needs once, exact, in the component's stock unit."""
        return exact_setup(self.setup_quantity, self.setup_numerator, self.setup_denominator)


def exact_setup(rounded: Decimal, numerator: Decimal | None, denominator: Decimal | None) -> Fraction:
    """The set-up of an order's line; lines that were frozen before it was kept exactly have it with six places."""
    if numerator is None or denominator is None:
        return Fraction(rounded)
    return Fraction(int(numerator), int(denominator))


class WorkOrderPeg(models.Model):
    """What a work order is made for: a part of its plan that one demand asked for.

    `served` of it was handed to the demand: made, and promised to it.
    """

    work_order = models.ForeignKey(WorkOrder, on_delete=models.CASCADE, related_name="pegs")
    demand_kind = models.CharField(max_length=24, help_text="order, work_order, replenishment, ...")
    demand_ref = models.CharField(max_length=REFERENCE_LENGTH_MAX)
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock unit of the item.")
    served = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0), db_default=Decimal(0))
    needed_on = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("work_order", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("work_order", "demand_kind", "demand_ref"), name="production_workorderpeg_once"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="production_workorderpeg_quantity_positive"),
            models.CheckConstraint(
                condition=Q(served__gte=0, served__lte=models.F("quantity")), name="production_workorderpeg_served"
            ),
        )
        indexes = (models.Index(fields=("demand_kind", "demand_ref"), name="production_peg_demand"),)

    def __str__(self) -> str:
        return f"{self.quantity:f} for {self.demand_kind} {self.demand_ref}"

    @property
    def demand(self) -> tuple[str, str]:
        """Kind and reference of the demand."""
        return (self.demand_kind, self.demand_ref)

    @property
    def open(self) -> Decimal:
        """Not yet handed to the demand; stock unit."""
        return self.quantity - self.served


class DemandMode(models.TextChoices):
    ALWAYS = "always", "Make all of it"
    SHORTAGE = "shortage", "Reserve stock, make what is missing"
    REORDER = "reorder", "Reserve stock, make up to the reorder point"
    NEVER = "never", "Reserve stock, make nothing"


class Demand(models.Model):
    """What somebody asked to have of an item, by a reference that counts once.

    What is done about it follows from reservations and from the work orders it is pegged to (`reads/demands.py`). A demand
    that was withdrawn has quantity zero.
    """

    demand_kind = models.CharField(max_length=24, help_text="order, plan, ...")
    demand_ref = models.CharField(max_length=REFERENCE_LENGTH_MAX)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Asked for, in the stock unit.")
    mode = models.CharField(max_length=8, choices=DemandMode)
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+", help_text="Ready here.")
    needed_on = models.DateField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("demand_kind", "demand_ref", "item"), name="production_demand_once"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="production_demand_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.demand_ref}: {self.quantity:f} of item {self.item_id}"
