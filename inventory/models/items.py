"""What can be stocked, and the units it is counted and typed in."""

from decimal import Decimal
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from simple_history.models import HistoricalRecords


class ItemKind(models.TextChoices):
    MATERIAL = "material", "Material"
    SUB_ASSEMBLY = "sub_assembly", "Sub-assembly"
    PRODUCT = "product", "Product"
    PACKAGING = "packaging", "Packaging"
    PHANTOM = "phantom", "Phantom (never stocked)"
    SERVICE = "service", "Service (never stocked)"


UNSTOCKED_KINDS = frozenset({ItemKind.PHANTOM, ItemKind.SERVICE})


class Tracking(models.TextChoices):
    NONE = "none", "Not tracked"
    LOT = "lot", "By lot"
    SERIAL = "serial", "By serial number"


class CostMethod(models.TextChoices):
    AVERAGE = "average", "Moving average"
    FIFO = "fifo", "First in, first out"
    LOT = "lot", "Actual cost of the lot"


class CountGroup(models.TextChoices):
    """Classes of an ABC analysis: how much of the year's usage value an item stands for."""

    A = "A", "A · counted most often"
    B = "B", "B"
    C = "C", "C · counted least often"


class SupplyPolicy(models.TextChoices):
    STOCK = "stock", "Make or buy to stock"
    MAKE_ON_ORDER = "make_on_order", "Make on order"
    MAKE_ON_SHORTAGE = "make_on_shortage", "Make on shortage"
    KIT = "kit", "Kit, shipped as components"
    BUILT_THEN_KIT = "built_then_kit", "Built stock first, then as kit"


class ItemCategory(models.Model):
    """A group of items; categories form a tree."""

    name = models.CharField(max_length=100)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")

    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "item categories"
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                fields=("parent", "name"), nulls_distinct=False, name="inventory_category_name_once"
            ),
        )

    def __str__(self) -> str:
        return self.name


class ItemQuerySet(models.QuerySet["Item"]):
    def active(self) -> Self:
        return self.filter(is_active=True)

    def stocked(self) -> Self:
        return self.exclude(kind__in=UNSTOCKED_KINDS)

    def matching(self, text: str) -> Self:
        """Items whose SKU or name contains `text`, or whose barcode (or that of a pack) is `text`."""
        text = text.strip()
        return self.filter(
            Q(sku__icontains=text)
            | Q(name__icontains=text)
            | Q(barcode=text)
            | Q(pk__in=ItemUnit.objects.filter(barcode=text).exclude(barcode="").values("item_id"))
        )


class Item(models.Model):
    """One thing that is bought, made, used, stocked or sold."""

    sku = models.CharField("SKU", max_length=100, help_text="Unique, without regard to case.")
    name = models.CharField(max_length=250)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=16, choices=ItemKind, default=ItemKind.MATERIAL)
    category = models.ForeignKey(ItemCategory, on_delete=models.PROTECT, null=True, blank=True, related_name="items")
    barcode = models.CharField(max_length=64, blank=True, db_index=True, help_text="GTIN or own code on the label.")
    is_active = models.BooleanField(
        default=True, help_text="Inactive items can no longer be received, made or published."
    )
    is_sellable = models.BooleanField(default=False, help_text="May be listed on a sales channel.")

    stock_unit = models.CharField(
        max_length=16, default="pcs", help_text="The one unit balances are kept in: pcs, kg, g, m, l, ..."
    )
    step = models.DecimalField(
        max_digits=18,
        decimal_places=6,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="Smallest quantity in the stock unit; 1 for whole items.",
    )
    tracking = models.CharField(max_length=8, choices=Tracking, default=Tracking.NONE)
    shelf_life_days = models.PositiveIntegerField(null=True, blank=True, help_text="Expiry of lots made here, in days.")
    inspection_required = models.BooleanField(default=False, help_text="Outputs and receipts go to QC hold first.")

    cost_method = models.CharField(max_length=8, choices=CostMethod, default=CostMethod.AVERAGE)
    negative_allowed = models.BooleanField(
        default=False,
        db_default=False,
        help_text="May be used below zero with a privilege and a reason; only for untracked items of average cost.",
    )
    count_group = models.CharField(
        max_length=1,
        choices=CountGroup,
        blank=True,
        default="",
        db_default="",
        help_text="ABC class for cycle counts. Empty: by the value used in a year.",
    )
    standard_cost = models.DecimalField(
        max_digits=20,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Planned cost of one stock unit, in base currency. Consumables are costed with it. Empty means unknown.",
    )
    supply_policy = models.CharField(max_length=16, choices=SupplyPolicy, default=SupplyPolicy.STOCK)
    over_completion_percent = models.DecimalField(
        max_digits=7,
        decimal_places=3,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="How far above its plan a work order may go.",
    )
    reorder_point = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    reorder_quantity = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    lead_time_days = models.PositiveIntegerField(null=True, blank=True)

    compliance_tags = models.JSONField(default=list, blank=True, help_text='For example ["lithium", "export-control"].')
    hs_code = models.CharField("HS code", max_length=16, blank=True)
    origin_country = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1 alpha-2.")
    weight_grams = models.DecimalField(max_digits=12, decimal_places=3, null=True, blank=True)
    length_mm = models.DecimalField("length (mm)", max_digits=12, decimal_places=3, null=True, blank=True)
    width_mm = models.DecimalField("width (mm)", max_digits=12, decimal_places=3, null=True, blank=True)
    height_mm = models.DecimalField("height (mm)", max_digits=12, decimal_places=3, null=True, blank=True)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    history = HistoricalRecords()
    objects = ItemQuerySet.as_manager()

    class Meta:
        ordering = ("sku",)
        constraints = (
            models.UniqueConstraint(Upper("sku"), name="inventory_item_sku_once"),
            models.CheckConstraint(condition=Q(step__gt=0), name="inventory_item_step_positive"),
            models.CheckConstraint(condition=~Q(sku=""), name="inventory_item_sku_not_empty"),
            models.CheckConstraint(
                condition=~Q(tracking=Tracking.SERIAL) | Q(step=1), name="inventory_item_serials_are_whole"
            ),
            models.CheckConstraint(
                condition=~Q(cost_method=CostMethod.LOT) | ~Q(tracking=Tracking.NONE),
                name="inventory_item_lot_cost_needs_lots",
            ),
            models.CheckConstraint(
                condition=Q(negative_allowed=False) | Q(tracking=Tracking.NONE, cost_method=CostMethod.AVERAGE),
                name="inventory_item_negative_is_untracked",
            ),
        )
        indexes = (
            models.Index(fields=("kind", "sku"), name="inventory_item_kind"),
            models.Index(Upper("name"), "id", name="inventory_item_by_name"),
        )

    def __str__(self) -> str:
        return self.sku

    def clean(self) -> None:
        if self.cost_method == CostMethod.LOT and self.tracking == Tracking.NONE:
            raise ValidationError(
                {"cost_method": "The cost of a lot needs lots. Choose another cost method, or track the item by lot."}
            )
        if self.negative_allowed and (self.tracking != Tracking.NONE or self.cost_method != CostMethod.AVERAGE):
            raise ValidationError(
                {
                    "negative_allowed": "Only an untracked item of average cost may go below zero. "
                    "Untick this, or change tracking and cost method."
                }
            )

    @property
    def is_stocked(self) -> bool:
        return self.kind not in UNSTOCKED_KINDS

    @property
    def is_whole(self) -> bool:
        """Whether the item exists in whole units only; requirements of such items round up."""
        return self.step == self.step.to_integral_value()


class ItemUnit(models.Model):
    """A pack or other unit of one item: one of this unit is `numerator / denominator` stock units."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="units")
    name = models.CharField(max_length=32, help_text="As people type it: box, carton of 12, roll.")
    numerator = models.DecimalField(
        max_digits=18, decimal_places=6, validators=[MinValueValidator(Decimal("0.000001"))]
    )
    denominator = models.DecimalField(
        max_digits=18, decimal_places=6, default=Decimal(1), validators=[MinValueValidator(Decimal("0.000001"))]
    )
    barcode = models.CharField(max_length=64, blank=True, db_index=True)
    is_purchase_unit = models.BooleanField(default=False)

    history = HistoricalRecords()

    class Meta:
        ordering = ("item", "name")
        constraints = (
            models.UniqueConstraint("item", Upper("name"), name="inventory_itemunit_name_once"),
            models.CheckConstraint(
                condition=Q(numerator__gt=0, denominator__gt=0), name="inventory_itemunit_factor_positive"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} of {self.item}"
