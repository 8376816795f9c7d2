"""What is worked out every night so that the plan of counts need not read the whole ledger."""

from django.db import models

from inventory.models.items import CountGroup, Item
from inventory.models.ledger import StockStatus
from inventory.models.locations import Location
from inventory.models.lots import Lot


class CountRank(models.Model):
    """Where an item stands in the order of counting: by its class, then by the value used in a year."""

    item = models.OneToOneField(Item, on_delete=models.CASCADE, primary_key=True, related_name="count_rank")
    group = models.CharField(max_length=1, choices=CountGroup, help_text="Class by the value used in a year.")
    used_value = models.DecimalField(max_digits=20, decimal_places=6, help_text="In a year, in base currency.")
    position = models.PositiveIntegerField(help_text="1 is counted first.")
    ranked_at = models.DateTimeField()

    class Meta:
        ordering = ("position",)
        indexes = (models.Index(fields=("position",), name="inventory_countrank_position"),)

    def __str__(self) -> str:
        return f"{self.position}: item {self.item_id}, class {self.group}"


class CountDue(models.Model):
    """A cell that was due to be counted when items were ranked last. Whether it still is, whoever reads it looks."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    location = models.ForeignKey(
        Location, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    lot = models.ForeignKey(Lot, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    status = models.CharField(max_length=12, choices=StockStatus)
    reason = models.SmallIntegerField(help_text="The most urgent one, as a place in reads.count_plan.REASONS.")
    moved = models.DecimalField(
        max_digits=28,
        decimal_places=6,
        default=0,
        help_text="In and out added up since the last count when that is much, in the stock unit.",
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("item", "location", "lot", "status"), name="inventory_countdue_once"),
        )
        indexes = (models.Index(fields=("reason", "item"), name="inventory_countdue_reason"),)

    def __str__(self) -> str:
        return f"item {self.item_id} at location {self.location_id}"
