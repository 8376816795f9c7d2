"""The stock ledger: postings and their movements, and what follows from them: balances and cost pools."""

from decimal import Decimal
from typing import Self

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from inventory.models.items import CostMethod, Item
from inventory.models.locations import Location
from inventory.models.lots import Lot


class StockStatus(models.TextChoices):
    AVAILABLE = "available", "Available"
    QC_HOLD = "qc_hold", "QC hold"
    QUARANTINE = "quarantine", "Quarantine"
    DAMAGED = "damaged", "Damaged"
    EXPIRED = "expired", "Expired"


class PostingKind(models.TextChoices):
    RECEIPT = "receipt", "Receipt"
    ISSUE = "issue", "Issue"
    SHIPMENT = "shipment", "Shipment"
    TRANSFER = "transfer", "Transfer"
    STATUS_CHANGE = "status_change", "Status change"
    LOT_CHANGE = "lot_change", "Lot change"
    ADJUSTMENT = "adjustment", "Adjustment"
    COUNT = "count", "Count"
    SCRAP = "scrap", "Scrap"
    CUSTOMER_RETURN = "customer_return", "Customer return"
    SUPPLIER_RETURN = "supplier_return", "Supplier return"
    COMPLETION = "completion", "Completion"
    DISASSEMBLY = "disassembly", "Disassembly"
    REWORK = "rework", "Rework"
    COST_CORRECTION = "cost_correction", "Cost correction"
    LANDED_COST = "landed_cost", "Landed cost"
    REVERSAL = "reversal", "Reversal"


NEUTRAL_KINDS = frozenset({PostingKind.TRANSFER, PostingKind.STATUS_CHANGE})
"""Kinds whose movements sum to zero per item and lot, in quantity and in value."""
VALUE_KINDS = frozenset({PostingKind.COST_CORRECTION, PostingKind.LANDED_COST})
"""Kinds that change what stock is worth and move no quantity; they may leave no movement at all."""


class PostingQuerySet(models.QuerySet["Posting"]):
    def with_reversed_by(self) -> Self:
        return self.prefetch_related("reversals")


class Posting(models.Model):
    """One business fact about stock, with everything it moved. Never changed or deleted.

    `key` makes the request that made it repeatable: the same key with the same request returns this posting again.
    """

    key = models.UUIDField(unique=True)
    request_hash = models.BinaryField(max_length=32, help_text="SHA-256 of the request that used the key.")
    kind = models.CharField(max_length=16, choices=PostingKind)
    reference = models.CharField(max_length=100, blank=True, help_text="Number of the document behind it.")
    reason = models.CharField(max_length=100, blank=True)
    note = models.CharField(max_length=500, blank=True)
    demand_kind = models.CharField(
        max_length=24, blank=True, default="", db_default="", help_text="What goods were shipped or issued for: order."
    )
    demand_ref = models.CharField(max_length=64, blank=True, default="", db_default="", help_text="Its number.")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    reverses = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversals", db_index=False
    )
    related = models.ForeignKey(
        "self",
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="related_postings",
        db_constraint=False,
        db_index=False,
        help_text="The posting this one follows from: the shipment that is returned, the receipt that goes back.",
    )
    effective_at = models.DateTimeField(help_text="When it happened.")
    recorded_at = models.DateTimeField(auto_now_add=True, help_text="When we learned of it.")

    objects = PostingQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        permissions = (
            ("backdate_posting", "Can record postings with an earlier date"),
            ("receive_stock", "Can receive stock"),
            ("issue_stock", "Can issue stock"),
            ("transfer_stock", "Can transfer stock"),
            ("adjust_stock", "Can adjust stock"),
            ("scrap_stock", "Can scrap stock"),
            ("change_stock_status", "Can change the status of stock"),
            ("correct_cost", "Can correct the cost of stock"),
            ("reverse_posting", "Can reverse postings"),
            ("ship_stock", "Can ship stock"),
            ("return_stock", "Can take back and send back goods"),
            ("change_lots", "Can split, merge and relabel lots"),
            ("go_negative", "Can use stock below zero"),
            ("use_expired", "Can use expired lots by name"),
            ("add_landed_cost", "Can post landed cost"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(kind=PostingKind.REVERSAL, reverses__isnull=False)
                | (~Q(kind=PostingKind.REVERSAL) & Q(reverses__isnull=True)),
                name="inventory_posting_reversal_names_what",
            ),
        )
        indexes = (
            BrinIndex(fields=("recorded_at",), pages_per_range=32, name="inventory_posting_recorded"),
            models.Index(fields=("reverses",), condition=Q(reverses__isnull=False), name="inventory_posting_reversals"),
            models.Index(fields=("related",), condition=Q(related__isnull=False), name="inventory_posting_related"),
            models.Index(fields=("demand_ref",), condition=~Q(demand_ref=""), name="inventory_posting_demand"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @property
    def demand(self) -> str:
        """`order 1042`, as people read it; empty when it names none."""
        return f"{self.demand_kind.replace('_', ' ')} {self.demand_ref}".strip()


class MovementQuerySet(models.QuerySet["Movement"]):
    def for_item(self, item: Item) -> Self:
        return self.filter(item=item)


class Movement(models.Model):
    """One signed change of stock: positive into the cell, negative out of it. Never changed or deleted.

    The cell is (item, location, lot, status). `value` is signed like `quantity`, in base currency; null means that the
    cost of what moved is not known. A unit cost is derived by division and never stored.
    """

    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="movements", db_index=False)
    item = models.ForeignKey(
        Item, on_delete=models.PROTECT, related_name="movements", db_constraint=False, db_index=False
    )
    location = models.ForeignKey(
        Location, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="movements", db_index=False)
    status = models.CharField(max_length=12, choices=StockStatus)
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Signed, in the item's stock unit.")
    value = models.DecimalField(
        max_digits=20, decimal_places=6, null=True, help_text="Signed, in base currency; null when the cost is unknown."
    )
    effective_at = models.DateTimeField(help_text="When it happened.")
    recorded_at = models.DateTimeField(help_text="When we learned of it.")

    objects = MovementQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=~Q(quantity=0) | (Q(value__isnull=False) & ~Q(value=0)),
                name="inventory_movement_moves_something",
            ),
        )
        indexes = (
            models.Index(fields=("item", "id"), name="inventory_movement_item"),
            models.Index(fields=("posting",), name="inventory_movement_posting"),
            BrinIndex(fields=("recorded_at",), pages_per_range=32, name="inventory_movement_recorded"),
            BrinIndex(fields=("effective_at",), pages_per_range=32, name="inventory_movement_happened"),
            models.Index(fields=("item",), condition=Q(value__isnull=True), name="inventory_movement_unknown"),
        )

    def __str__(self) -> str:
        return f"{self.quantity:+f} of item {self.item_id}"

    @property
    def unit_cost(self) -> Decimal | None:
        """Base currency per stock unit; None when it is not known, or only value moved."""
        return None if self.value is None or not self.quantity else self.value / self.quantity


class StockBalanceQuerySet(models.QuerySet["StockBalance"]):
    def on_hand(self) -> Self:
        return self.exclude(quantity=0)

    def available(self) -> Self:
        """Cells that count as sellable: status available, at a sellable, active, unblocked location."""
        return self.filter(
            status=StockStatus.AVAILABLE,
            location__is_sellable=True,
            location__is_active=True,
            location__is_blocked=False,
        )

    def with_free_quantity(self) -> Self:
        return self.annotate(free_quantity=F("quantity") - F("reserved"))


class StockBalance(models.Model):
    """What one cell holds now: the sum of its movements, and how much of it is pinned to a demand."""

    item = models.ForeignKey(
        Item, on_delete=models.PROTECT, related_name="balances", db_constraint=False, db_index=False
    )
    location = models.ForeignKey(
        Location, on_delete=models.PROTECT, related_name="balances", db_constraint=False, db_index=False
    )
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="balances", db_constraint=False, db_index=False)
    status = models.CharField(max_length=12, choices=StockStatus)
    quantity = models.DecimalField(max_digits=18, decimal_places=6, default=0, db_default=0, help_text="Stock unit.")
    reserved = models.DecimalField(
        max_digits=18, decimal_places=6, default=0, db_default=0, help_text="Pinned to demands; the sum of their rows."
    )
    negative_allowed = models.BooleanField(
        default=False, db_default=False, help_text="Set when the cell went below zero with a privilege and a reason."
    )

    objects = StockBalanceQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("item", "location", "lot", "status"), name="inventory_stockbalance_cell_once"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=0) | Q(negative_allowed=True), name="inventory_stockbalance_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(reserved=0) | (Q(reserved__gt=0) & Q(reserved__lte=F("quantity"))),
                name="inventory_stockbalance_reserved_is_on_hand",
            ),
        )
        indexes = (
            models.Index(fields=("location", "item"), name="inventory_stockbalance_place"),
            models.Index(fields=("lot",), name="inventory_stockbalance_lot"),
            models.Index(fields=("item",), condition=Q(negative_allowed=True), name="inventory_balance_negative"),
        )

    def __str__(self) -> str:
        return f"{self.quantity:f} of item {self.item_id} at location {self.location_id}"


class CostPool(models.Model):
    """What the stock of one item is worth; with a lot, what that lot is worth, for items whose lots carry their cost.

    The row without a lot is the sum over all of the item's stock whatever its cost method, and the lock of the item.
    `value` is the sum of the known movement values. While `unknown_quantity` is above zero the pool holds units of unknown
    cost, and what is issued from it has an unknown cost too. Below zero `value` is the debt at the cost it was issued at.
    """

    item = models.ForeignKey(
        Item, on_delete=models.PROTECT, related_name="cost_pools", db_constraint=False, db_index=False
    )
    lot = models.ForeignKey(
        Lot,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text="Set where each lot has a cost of its own.",
    )
    method = models.CharField(
        max_length=8,
        choices=CostMethod,
        default=CostMethod.AVERAGE,
        db_default=CostMethod.AVERAGE,
        help_text="How issues are valued now; the item's cost method, kept here so that the lock tells it.",
    )
    quantity = models.DecimalField(max_digits=18, decimal_places=6, default=0, db_default=0)
    value = models.DecimalField(max_digits=20, decimal_places=6, default=0, db_default=0)
    unknown_quantity = models.DecimalField(max_digits=18, decimal_places=6, default=0, db_default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("item", "lot"), nulls_distinct=False, name="inventory_costpool_once"),
            models.CheckConstraint(
                condition=Q(quantity__gte=0) | Q(lot__isnull=True, method=CostMethod.AVERAGE),
                name="inventory_costpool_negative_is_average",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=0, value__gte=0) | Q(quantity__lt=0, value__lte=0),
                name="inventory_costpool_value_has_the_sign_of_its_quantity",
            ),
            models.CheckConstraint(
                condition=~Q(quantity=0) | Q(value=0, unknown_quantity=0),
                name="inventory_costpool_empty_is_worth_nothing",
            ),
            models.CheckConstraint(
                condition=Q(unknown_quantity__gte=0), name="inventory_costpool_unknown_not_negative"
            ),
        )
        indexes = (
            models.Index(fields=("item",), condition=Q(unknown_quantity__gt=0), name="inventory_costpool_unknown"),
        )

    def __str__(self) -> str:
        return f"Cost pool of item {self.item_id}"

    @property
    def unit_cost(self) -> Decimal | None:
        """Base currency per stock unit; None when unknown or empty."""
        return None if self.unknown_quantity or not self.quantity else self.value / self.quantity


class CostLayer(models.Model):
    """What came into stock at once of an item of first-in-first-out cost, and what is left of it: the sum of its changes.

    Layers are used in order of id. `value` is null when the cost of the layer is not known.
    """

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    lot = models.ForeignKey(
        Lot,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text="The lot that came in; which lots leave does not follow from the layers.",
    )
    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="cost_layers")
    received_quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock unit.")
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Left, in the stock unit.")
    value = models.DecimalField(
        max_digits=20, decimal_places=6, null=True, help_text="Of what is left, in base currency; null when unknown."
    )

    class Meta:
        ordering = ("item", "id")
        constraints = (
            models.CheckConstraint(condition=Q(received_quantity__gt=0), name="inventory_costlayer_received_positive"),
            models.CheckConstraint(
                condition=Q(quantity__gte=0, quantity__lte=F("received_quantity")),
                name="inventory_costlayer_left_of_received",
            ),
            models.CheckConstraint(
                condition=Q(value__isnull=True) | (Q(value__gte=0) & (~Q(quantity=0) | Q(value=0))),
                name="inventory_costlayer_empty_is_worth_nothing",
            ),
        )
        indexes = (models.Index(fields=("item", "id"), condition=Q(quantity__gt=0), name="inventory_costlayer_open"),)

    def __str__(self) -> str:
        return f"{self.quantity:f} of item {self.item_id} from posting {self.posting_id}"

    @property
    def unit_cost(self) -> Decimal | None:
        """Base currency per stock unit; None when unknown or empty."""
        return None if self.value is None or not self.quantity else self.value / self.quantity


class CostLayerChange(models.Model):
    """What one posting put into a cost layer or took out of it. Never changed or deleted."""

    layer = models.ForeignKey(CostLayer, on_delete=models.PROTECT, related_name="changes")
    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="layer_changes")
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Signed, in the stock unit.")
    value = models.DecimalField(
        max_digits=20, decimal_places=6, null=True, help_text="Signed, in base currency; null when unknown."
    )
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=~Q(quantity=0) | Q(value__isnull=False), name="inventory_costlayerchange_changes_something"
            ),
        )

    def __str__(self) -> str:
        return f"{self.quantity:+f} in layer {self.layer_id}"


class CostEntryKind(models.TextChoices):
    SCRAP = "scrap", "Scrap expense"
    REVERSAL_VARIANCE = "reversal_variance", "Reversal variance"
    COST_CORRECTION = "cost_correction", "Cost correction"
    UNKNOWN_COST = "unknown_cost", "Left with goods of unknown cost"
    CONSUMABLES = "consumables", "Consumables absorbed"
    LABOUR = "labour", "Labour absorbed"
    MACHINE = "machine", "Machine time absorbed"
    OVERHEAD = "overhead", "Overhead absorbed"
    PACKAGING = "packaging", "Packaging work absorbed"
    WASTE = "waste", "Not recovered when taken apart"
    PURCHASE_VARIANCE = "purchase_variance", "Purchase variance"
    NEGATIVE_VARIANCE = "negative_variance", "Negative stock variance"
    LANDED_COST = "landed_cost", "Landed cost invoiced"
    LANDED_EXPENSE = "landed_expense", "Landed cost of goods already used"


class CostEntry(models.Model):
    """Value that entered or left stock without a quantity. Never changed or deleted.

    `amount` is signed from the view of the books outside stock: positive is an expense (value that left stock), negative
    is value that entered stock. So movements' values plus entries show where every cent went.
    """

    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="cost_entries")
    item = models.ForeignKey(
        Item, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=20, choices=CostEntryKind)
    amount = models.DecimalField(max_digits=20, decimal_places=6)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "cost entries"
        constraints = (models.CheckConstraint(condition=~Q(amount=0), name="inventory_costentry_not_zero"),)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount:f}"
