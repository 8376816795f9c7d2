"""Goods on the road: transfers that leave one place today and arrive at another later."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from inventory.models.items import Item
from inventory.models.ledger import Posting, StockStatus
from inventory.models.locations import Location
from inventory.models.lots import Lot


class TransferState(models.TextChoices):
    IN_TRANSIT = "in_transit", "In transit"
    RECEIVED = "received", "Received"
    CANCELLED = "cancelled", "Cancelled"


class StockTransferQuerySet(models.QuerySet["StockTransfer"]):
    def under_way(self) -> Self:
        return self.filter(state=TransferState.IN_TRANSIT)


class StockTransfer(models.Model):
    """One consignment between two of our places. Its goods stand at `transit` until they are received."""

    number = models.CharField(max_length=24, unique=True, editable=False, help_text="TR-000042")
    source = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    target = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    transit = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=TransferState, default=TransferState.IN_TRANSIT)
    dispatched_at = models.DateTimeField()
    expected_on = models.DateField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    reference = models.CharField(max_length=100, blank=True, help_text="Number of the waybill.")
    note = models.CharField(max_length=500, blank=True)
    dispatch = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="+")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )

    objects = StockTransferQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=~Q(source=F("target")), name="inventory_stocktransfer_goes_somewhere"),
        )
        indexes = (
            models.Index(
                fields=("dispatched_at",),
                condition=Q(state=TransferState.IN_TRANSIT),
                name="inventory_transfer_under_way",
            ),
        )

    def __str__(self) -> str:
        return self.number


class StockTransferLine(models.Model):
    """A quantity of one lot in a consignment, and how much of it arrived or was lost on the way."""

    transfer = models.ForeignKey(StockTransfer, on_delete=models.PROTECT, related_name="lines")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=12, choices=StockStatus, default=StockStatus.AVAILABLE)
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Sent, in the stock unit.")
    received = models.DecimalField(max_digits=18, decimal_places=6, default=0, help_text="Arrived.")
    lost = models.DecimalField(max_digits=18, decimal_places=6, default=0, help_text="Did not arrive, written off.")

    class Meta:
        ordering = ("transfer", "id")
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="inventory_stocktransferline_quantity_positive"),
            models.CheckConstraint(
                condition=Q(received__gte=0, lost__gte=0) & Q(quantity__gte=F("received") + F("lost")),
                name="inventory_stocktransferline_arrives_what_was_sent",
            ),
        )
        indexes = (models.Index(fields=("item",), name="inventory_line_transferred"),)

    def __str__(self) -> str:
        return f"{self.quantity:f} of {self.item} in {self.transfer}"


class StockTransferReceipt(models.Model):
    """A posting that closed a part of a transfer: an arrival, a loss, or goods that came back."""

    transfer = models.ForeignKey(StockTransfer, on_delete=models.PROTECT, related_name="receipts")
    posting = models.OneToOneField(Posting, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.posting} of {self.transfer}"
