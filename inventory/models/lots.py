"""Lots and serial numbers."""

from datetime import date
from typing import Self

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from simple_history.models import HistoricalRecords

from inventory.models.items import Item


class LotQuerySet(models.QuerySet["Lot"]):
    def for_item(self, item: Item) -> Self:
        return self.filter(item=item)

    def named(self) -> Self:
        """Without the implicit lots of untracked items."""
        return self.exclude(code="")


class Lot(models.Model):
    """A batch of one item that was received or made together; of a serial item, one piece.

    Every item has one implicit lot with an empty code, so that no balance is without a lot. It is the only lot of an
    untracked item, and the "unknown" lot of an item whose tracking was switched on later.
    """

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="lots")
    code = models.CharField(max_length=64, blank=True, help_text="Batch or serial number; empty for the implicit lot.")
    received_on = models.DateField(help_text="First day the lot was here; orders picking by age.")
    expires_on = models.DateField(null=True, blank=True, help_text="Last day of use.")
    supplier_lot = models.CharField(max_length=64, blank=True)
    owner = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="Whose goods these are, when not ours."
    )
    note = models.CharField(max_length=250, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    history = HistoricalRecords()
    objects = LotQuerySet.as_manager()

    class Meta:
        ordering = ("item", "code")
        constraints = (
            models.UniqueConstraint("item", Upper("code"), name="inventory_lot_code_once"),
            models.CheckConstraint(
                condition=Q(expires_on__isnull=True) | ~Q(code=""), name="inventory_lot_implicit_never_expires"
            ),
        )

        indexes = (
            models.Index(OpClass(Upper("code"), name="text_pattern_ops"), name="inventory_lot_code_begins"),
            models.Index(
                OpClass(Upper("supplier_lot"), name="text_pattern_ops"),
                condition=~Q(supplier_lot=""),
                name="inventory_lot_supplier_begins",
            ),
            models.Index(fields=("expires_on",), condition=Q(expires_on__isnull=False), name="inventory_lot_expiry"),
            models.Index(fields=("owner",), condition=~Q(owner=""), name="inventory_lot_not_ours"),
        )

    def __str__(self) -> str:
        return self.code or "no lot"

    @property
    def is_implicit(self) -> bool:
        return self.code == ""

    def is_expired(self, *, on: date) -> bool:
        """A lot is good through its expiry day."""
        return self.expires_on is not None and self.expires_on < on
