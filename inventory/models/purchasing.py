"""Who we buy from, what is on order, what came in of it, and what it cost to bring it here."""

from decimal import Decimal
from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils import timezone
from simple_history.models import HistoricalRecords

from inventory.models.items import Item
from inventory.models.ledger import Movement, Posting
from inventory.models.locations import Location


class SupplierQuerySet(models.QuerySet["Supplier"]):
    def active(self) -> Self:
        return self.filter(is_active=True)


class Supplier(models.Model):
    """A company we buy from."""

    code = models.CharField(max_length=32, help_text="Short name, unique without regard to case.")
    name = models.CharField(max_length=200)
    contact = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=64, blank=True)
    address = models.TextField(blank=True)
    lead_time_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Usual, unless an item says otherwise."
    )
    is_active = models.BooleanField(default=True)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    history = HistoricalRecords()
    objects = SupplierQuerySet.as_manager()

    class Meta:
        ordering = ("code",)
        constraints = (
            models.UniqueConstraint(Upper("code"), name="inventory_supplier_code_once"),
            models.CheckConstraint(condition=~Q(code=""), name="inventory_supplier_code_not_empty"),
        )

    def __str__(self) -> str:
        return self.code


class SupplierItem(models.Model):
    """How one supplier sells one of our items: their number, their pack, their price, their terms."""

    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, related_name="items")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="suppliers")
    supplier_sku = models.CharField("supplier's SKU", max_length=100, blank=True)
    unit = models.CharField(max_length=32, blank=True, help_text="What one buys it by; empty means the stock unit.")
    unit_cost = models.DecimalField(
        max_digits=20,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Of one such unit, in base currency. Empty means not known.",
    )
    order_minimum = models.DecimalField(
        max_digits=18, decimal_places=6, null=True, blank=True, help_text="Smallest order (MOQ), in that unit."
    )
    order_multiple = models.DecimalField(
        max_digits=18, decimal_places=6, null=True, blank=True, help_text="Orders are multiples of this, in that unit."
    )
    lead_time_days = models.PositiveIntegerField(null=True, blank=True)
    is_preferred = models.BooleanField(default=False, help_text="Buy the item here unless told otherwise.")

    history = HistoricalRecords()

    class Meta:
        ordering = ("item", "supplier")
        constraints = (
            models.UniqueConstraint(fields=("supplier", "item"), name="inventory_supplieritem_once"),
            models.UniqueConstraint(
                fields=("item",), condition=Q(is_preferred=True), name="inventory_supplieritem_one_preferred"
            ),
            models.CheckConstraint(
                condition=(Q(order_minimum__isnull=True) | Q(order_minimum__gt=0))
                & (Q(order_multiple__isnull=True) | Q(order_multiple__gt=0)),
                name="inventory_supplieritem_terms_positive",
            ),
        )

    def __str__(self) -> str:
        return f"{self.item} from {self.supplier}"


class SupplierStock(models.Model):
    """What a supplier says to have of an item: a supply layer with a source and an age, never on hand."""

    supplier_item = models.OneToOneField(SupplierItem, on_delete=models.CASCADE, related_name="stock")
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="In our stock unit.")
    confirmed_at = models.DateTimeField(help_text="When the supplier said so.")
    source = models.CharField(max_length=100, blank=True, help_text="File, feed or person it came from.")

    class Meta:
        verbose_name_plural = "supplier stock"
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gte=0), name="inventory_supplierstock_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.quantity:f} for {self.supplier_item}"

    def clean(self) -> None:
        if self.confirmed_at is not None and self.confirmed_at > timezone.now():
            raise ValidationError(
                {"confirmed_at": "It lies in the future; a figure says what was. Give a time up to now."}
            )


class PurchaseOrderState(models.TextChoices):
    DRAFT = "draft", "Draft"
    ORDERED = "ordered", "Ordered"
    RECEIVED = "received", "Received"
    CLOSED = "closed", "Closed short"
    CANCELLED = "cancelled", "Cancelled"


class PurchaseOrderQuerySet(models.QuerySet["PurchaseOrder"]):
    def open(self) -> Self:
        """Ordered and not yet received whole."""
        return self.filter(state=PurchaseOrderState.ORDERED)


class PurchaseOrder(models.Model):
    """An order to a supplier."""

    number = models.CharField(max_length=24, unique=True, editable=False, help_text="PO-000042")
    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, related_name="orders")
    state = models.CharField(max_length=10, choices=PurchaseOrderState, default=PurchaseOrderState.DRAFT)
    location = models.ForeignKey(
        Location, on_delete=models.PROTECT, related_name="+", help_text="Where it will arrive."
    )
    ordered_on = models.DateField(null=True, blank=True)
    expected_on = models.DateField(null=True, blank=True)
    reference = models.CharField(max_length=100, blank=True, help_text="The supplier's order number.")
    note = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)

    history = HistoricalRecords()
    objects = PurchaseOrderQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        permissions = (
            ("place_purchaseorder", "Can send, close and cancel purchase orders"),
            ("receive_purchaseorder", "Can receive purchase orders"),
            ("over_receive", "Can receive more than was ordered"),
        )
        indexes = (models.Index(fields=("state", "expected_on"), name="inventory_purchaseorder_due"),)

    def __str__(self) -> str:
        return self.number


class PurchaseOrderLine(models.Model):
    """A quantity of one item on an order. `received` is the sum of its receipts that were not taken back."""

    order = models.ForeignKey(PurchaseOrder, on_delete=models.PROTECT, related_name="lines")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="purchase_lines")
    typed_quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="As typed, in `unit`.")
    unit = models.CharField(max_length=32, help_text="As typed.")
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Ordered, in the stock unit.")
    value = models.DecimalField(
        max_digits=20,
        decimal_places=6,
        null=True,
        blank=True,
        help_text="Price of all of it, in base currency; null while it is not known.",
    )
    expected_on = models.DateField(null=True, blank=True, help_text="Empty means with the order.")
    received = models.DecimalField(max_digits=18, decimal_places=6, default=0, help_text="Stock unit.")
    is_closed = models.BooleanField(default=False, help_text="The rest is no longer expected.")

    class Meta:
        ordering = ("order", "id")
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="inventory_purchaseorderline_quantity_positive"),
            models.CheckConstraint(
                condition=Q(received__gte=0), name="inventory_purchaseorderline_received_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(value__isnull=True) | Q(value__gte=0), name="inventory_purchaseorderline_value_not_negative"
            ),
        )
        indexes = (
            models.Index(
                fields=("item",),
                condition=Q(is_closed=False, received__lt=F("quantity")),
                name="inventory_line_expected",
            ),
        )

    def __str__(self) -> str:
        return f"{self.quantity:f} of {self.item} on {self.order}"

    @property
    def outstanding(self) -> Decimal:
        """Still expected, in the stock unit."""
        return Decimal(0) if self.is_closed else max(Decimal(0), self.quantity - self.received)


class PurchaseReceiptLine(models.Model):
    """What one receipt brought of one order line. Taken back when its posting is reversed."""

    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="purchase_lines")
    line = models.ForeignKey(PurchaseOrderLine, on_delete=models.PROTECT, related_name="receipts")
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock unit.")
    value = models.DecimalField(
        max_digits=20,
        decimal_places=6,
        null=True,
        blank=True,
        help_text="Its part of the line's price, in base currency; null while that was not known.",
    )
    is_reversed = models.BooleanField(default=False)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="inventory_purchasereceiptline_quantity_positive"),
        )

    def __str__(self) -> str:
        return f"{self.quantity:f} for {self.line}"


class LandedBasis(models.TextChoices):
    VALUE = "value", "Value of the goods"
    QUANTITY = "quantity", "Quantity"
    WEIGHT = "weight", "Weight"
    VOLUME = "volume", "Volume"
    GIVEN = "given", "As given for each line"


class LandedCostKind(models.TextChoices):
    FREIGHT = "freight", "Freight"
    DUTY = "duty", "Duty"
    INSURANCE = "insurance", "Insurance"
    HANDLING = "handling", "Handling"
    OTHER = "other", "Other"
    PRICE = "price", "Price of the goods"


class LandedCost(models.Model):
    """One amount that was paid to bring received goods here, spread over them (rule S21). A credit note is negative.

    Of kind `price` it is what the goods themselves cost more, or less, than was recorded when they came in.
    """

    posting = models.OneToOneField(Posting, on_delete=models.PROTECT, related_name="landed_cost")
    kind = models.CharField(max_length=10, choices=LandedCostKind, default=LandedCostKind.FREIGHT)
    basis = models.CharField(max_length=8, choices=LandedBasis, default=LandedBasis.VALUE)
    amount = models.DecimalField(max_digits=20, decimal_places=6, help_text="In base currency.")
    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=~Q(amount=0) | Q(kind=LandedCostKind.PRICE), name="inventory_landedcost_not_zero"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount:f}"


class LandedCostShare(models.Model):
    """The part of a landed cost that fell on one received quantity: what stayed in stock of it and what was expensed."""

    landed_cost = models.ForeignKey(LandedCost, on_delete=models.PROTECT, related_name="shares")
    movement = models.ForeignKey(
        Movement, on_delete=models.PROTECT, related_name="landed_shares", help_text="The receipt it fell on."
    )
    amount = models.DecimalField(max_digits=20, decimal_places=6)
    capitalised = models.DecimalField(max_digits=20, decimal_places=6)
    expensed = models.DecimalField(max_digits=20, decimal_places=6)
    received = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock unit.")
    remaining = models.DecimalField(max_digits=18, decimal_places=6, help_text="Of it still on hand then.")

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(amount=F("capitalised") + F("expensed")), name="inventory_landedcostshare_parts_sum_up"
            ),
        )

    def __str__(self) -> str:
        return f"{self.amount:f} on movement {self.movement_id}"
