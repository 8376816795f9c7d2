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
    process_loss_percent = models.DecimalField(
        "process loss %",
        max_digits=6,
        decimal_places=3,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="Of what is started this share never becomes good; components are needed for it too.",
    )
    capacity_per_day = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="How many can be made in a day, in the item's stock unit. Empty: not limited.",
    )
    instructions = models.TextField(blank=True, help_text="Printed on the traveller, step by step.")
    note = models.TextField(blank=True)
    revision = models.PositiveIntegerField(
        default=1,
        editable=False,
        help_text="Counts what was saved, so that nobody writes over what they have not seen.",
    )
    replacement = models.ForeignKey(
        "production.BomReplacement",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="drafts",
        help_text="The replacement of a component this version was drafted for.",
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, editable=False)

    drafted_from = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="The version of the same item it began as a copy of.",
    )

    history = HistoricalRecords(excluded_fields=["revision", "replacement", "drafted_from"])
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
                condition=Q(process_loss_percent__gte=0, process_loss_percent__lt=100),
                name="production_bom_loses_less_than_all",
            ),
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
    builds_shortage = models.BooleanField(
        "build what is missing",
        default=False,
        help_text="Take it from stock first and make what is missing in the same completion, by its own BOM.",
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
            models.CheckConstraint(
                condition=~Q(is_phantom=True, builds_shortage=True), name="production_bomline_explodes_or_builds"
            ),
        )

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f} {self.unit} {self.component}"


class BomSubstitute(models.Model):
    """An item that may be used instead of a line's component, in order of preference."""

    line = models.ForeignKey(BomLine, on_delete=models.CASCADE, related_name="substitutes")
    position = models.PositiveIntegerField(default=0)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="substitute_for")
    ratio = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="How many of its stock units replace one stock unit of the component.",
    )

    class Meta:
        ordering = ("line", "position", "id")
        constraints = (
            models.UniqueConstraint(fields=("line", "item"), name="production_bomsubstitute_once"),
            models.CheckConstraint(condition=Q(ratio__gt=0), name="production_bomsubstitute_ratio_positive"),
        )

    def __str__(self) -> str:
        return f"{self.item} instead of {self.line.component}"


class OutputKind(models.TextChoices):
    BY_PRODUCT = "by_product", "By-product"
    CO_PRODUCT = "co_product", "Co-product"


class BomOutput(models.Model):
    """Something else a batch yields, and the part of the cost it carries (rule S9).

    Either a share of the total cost, or a fixed value of one stock unit (net realisable value).
    """

    bom = models.ForeignKey(Bom, on_delete=models.CASCADE, related_name="outputs")
    position = models.PositiveIntegerField(default=0)
    kind = models.CharField(max_length=12, choices=OutputKind, default=OutputKind.BY_PRODUCT)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="bom_outputs")
    quantity = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="Per batch, in the item's stock unit.",
    )
    cost_share_percent = models.DecimalField(
        "cost share %",
        max_digits=7,
        decimal_places=4,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="Of the total cost of the completion.",
    )
    unit_value = models.DecimalField(
        max_digits=20,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Fixed value of one stock unit instead of a share, in base currency.",
    )

    class Meta:
        verbose_name = "BOM output"
        ordering = ("bom", "position", "id")
        constraints = (
            models.UniqueConstraint(fields=("bom", "item"), name="production_bomoutput_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="production_bomoutput_quantity_positive"),
            models.CheckConstraint(
                condition=Q(cost_share_percent__gte=0, cost_share_percent__lte=100),
                name="production_bomoutput_share_is_a_share",
            ),
            models.CheckConstraint(
                condition=Q(unit_value__isnull=True) | Q(unit_value__gte=0, cost_share_percent=0),
                name="production_bomoutput_share_or_value",
            ),
        )

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f} {self.item}"


class OperationKind(models.TextChoices):
    LABOUR = "labour", "Labour"
    MACHINE = "machine", "Machine"
    OVERHEAD = "overhead", "Overhead"
    PACKAGING = "packaging", "Packaging"


class BomOperation(models.Model):
    """Work or overhead a batch takes. Its cost is minutes times rate, plus an amount per batch, rounded once per posting."""

    bom = models.ForeignKey(Bom, on_delete=models.CASCADE, related_name="operations")
    position = models.PositiveIntegerField(default=0)
    kind = models.CharField(max_length=10, choices=OperationKind, default=OperationKind.LABOUR)
    name = models.CharField(max_length=100)
    minutes = models.DecimalField(
        max_digits=12,
        decimal_places=3,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="Per batch.",
    )
    setup_minutes = models.DecimalField(
        max_digits=12,
        decimal_places=3,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="Once per run.",
    )
    rate_per_hour = models.DecimalField(
        max_digits=20,
        decimal_places=6,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="In base currency.",
    )
    amount = models.DecimalField(
        max_digits=20,
        decimal_places=6,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="Per batch beside the time, in base currency.",
    )
    instructions = models.TextField(blank=True)

    class Meta:
        verbose_name = "BOM operation"
        ordering = ("bom", "position", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(minutes__gte=0, setup_minutes__gte=0, rate_per_hour__gte=0, amount__gte=0),
                name="production_bomoperation_not_negative",
            ),
        )

    def __str__(self) -> str:
        return self.name


class BomAttachment(models.Model):
    """A drawing, a photo or a sheet that belongs to a version. Copies of a version share the file."""

    bom = models.ForeignKey(Bom, on_delete=models.CASCADE, related_name="attachments")
    file = models.FileField(upload_to="boms/%Y/%m/")
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100, blank=True, editable=False, help_text="As its content says.")
    size_bytes = models.PositiveBigIntegerField(default=0, editable=False)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    uploaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class BomReplacement(models.Model):
    """One component replaced in many BOMs: the drafts made for it are looked at and activated together."""

    component = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    replacement = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    factor = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        default=Decimal(1),
        help_text="Stock units of the replacement for one stock unit of the component.",
    )
    note = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("-id",)
        default_permissions = ()
        constraints = (
            models.CheckConstraint(condition=Q(factor__gt=0), name="production_bomreplacement_factor_positive"),
            models.CheckConstraint(
                condition=~Q(component=F("replacement")), name="production_bomreplacement_of_another"
            ),
        )

    def __str__(self) -> str:
        return f"{self.replacement} instead of {self.component}"
