"""Bills of materials: versions and their lines."""

from datetime import date
from decimal import Decimal
from typing import Self

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from inventory.models import Item


class BomState(models.TextChoices):
    DRAFT = "draft", "Draft"
    ACTIVE = "active", "Active"
    RETIRED = "retired", "Retired"


class DeviationPolicy(models.TextChoices):
    FREE = "free", "Free"
    REASON = "reason", "Reason required"
    BLOCK = "block", "Blocked"


class IssueMethod(models.TextChoices):
    BACKFLUSH = "backflush", "Backflush the standard"
    PROMPT = "prompt", "Ask for the actual"
    MANUAL = "manual", "Issued by hand, not backflushed"


class BomQuerySet(models.QuerySet["Bom"]):
    def in_force(self, *, on: date) -> Self:
        """Versions that are used on a day; a retired one was used until the day it ended. At most one per item."""
        return self.filter(
            ~Q(state=BomState.DRAFT),
            Q(effective_to__gt=on) | Q(effective_to__isnull=True, state=BomState.ACTIVE),
            effective_from__lte=on,
        )


class Bom(models.Model):
    """One version of the bill of materials of an item: what one batch of `makes` consumes.

    Draft versions are edited; an active or retired version never changes (the database refuses it), so that what was made
    with it can always be explained.
    """

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="boms")
    version = models.PositiveIntegerField(help_text="1, 2, 3 ... per item.")
    state = models.CharField(max_length=8, choices=BomState, default=BomState.DRAFT)
    makes = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="Quantity one batch of these lines yields, in the item's stock unit.",
    )
    effective_from = models.DateField(null=True, blank=True, help_text="First day of use; set when activated.")
    effective_to = models.DateField(null=True, blank=True, editable=False, help_text="First day it is no longer used.")
    deviation_policy = models.CharField(
        max_length=8,
        choices=DeviationPolicy,
        default=DeviationPolicy.REASON,
        help_text="When actual differs from standard.",
    )
    deviation_tolerance_percent = models.DecimalField(
        max_digits=7, decimal_places=3, default=Decimal(0), validators=[MinValueValidator(Decimal(0))]
    )
    note = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, editable=False)

    history = HistoricalRecords()
    objects = BomQuerySet.as_manager()

    class Meta:
        verbose_name = "BOM"
        verbose_name_plural = "BOMs"
        ordering = ("item__sku", "-version")
        permissions = (("activate_bom", "Can activate and retire BOM versions"),)
        constraints = (
            models.UniqueConstraint(fields=("item", "version"), name="production_bom_version_once"),
            models.CheckConstraint(condition=Q(makes__gt=0), name="production_bom_makes_something"),
            models.CheckConstraint(
                condition=Q(state=BomState.DRAFT) | Q(effective_from__isnull=False),
                name="production_bom_active_has_a_date",
            ),
            models.CheckConstraint(
                condition=Q(effective_to__isnull=True) | Q(effective_to__gte=F("effective_from")),
                name="production_bom_ends_after_start",
            ),
            models.UniqueConstraint(
                fields=("item",),
                condition=Q(state=BomState.ACTIVE, effective_to__isnull=True),
                name="production_bom_one_open_active",
            ),
        )

    def __str__(self) -> str:
        return f"{self.item} v{self.version}"

    @property
    def is_draft(self) -> bool:
        return self.state == BomState.DRAFT


class BomLine(models.Model):
    """One component of a batch. A component may stand on several lines.

    What was typed (`quantity` and `unit`) is kept; `unit_numerator / unit_denominator` is how many of the component's stock
    units one typed unit is, fixed when the line was saved, so that a later change of a pack never changes a BOM.
    """

    bom = models.ForeignKey(Bom, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField(default=0)
    component = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="bom_lines")
    quantity = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="Per batch, as typed.",
    )
    unit = models.CharField(max_length=32, blank=True, help_text="As typed; empty means the component's stock unit.")
    unit_numerator = models.DecimalField(max_digits=40, decimal_places=0, default=1, editable=False)
    unit_denominator = models.DecimalField(max_digits=40, decimal_places=0, default=1, editable=False)
    scrap_percent = models.DecimalField(
        "scrap %",
        max_digits=7,
        decimal_places=3,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="Expected loss, added on top.",
    )
    setup_quantity = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="Used once per run, in the line's unit.",
    )
    rounding_multiple = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="Rounded up to a multiple of this, in the line's unit.",
    )
    issue_method = models.CharField(max_length=10, choices=IssueMethod, default=IssueMethod.BACKFLUSH)
    is_consumable = models.BooleanField("consumable", default=False, help_text="Costed, not counted.")
    is_optional = models.BooleanField("optional", default=False, help_text="Not consumed unless asked for.")
    is_phantom = models.BooleanField(
        "explode", default=False, help_text="Use the parts of this component instead of taking it from stock."
    )
    reference = models.CharField(max_length=250, blank=True, help_text="Drawing position or designator.")
    note = models.CharField(max_length=500, blank=True)

    history = HistoricalRecords()

    class Meta:
        verbose_name = "BOM line"
        ordering = ("bom", "position", "id")
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="production_bomline_quantity_positive"),
            models.CheckConstraint(
                condition=Q(unit_numerator__gt=0, unit_denominator__gt=0), name="production_bomline_unit_positive"
            ),
            models.CheckConstraint(
                condition=Q(scrap_percent__gte=0, setup_quantity__gte=0), name="production_bomline_losses_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(rounding_multiple__isnull=True) | Q(rounding_multiple__gt=0),
                name="production_bomline_multiple_positive",
            ),
        )

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f} {self.unit} {self.component}"
