"""Closed periods, and what every item was worth when they ended."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from inventory.models.items import Item


class PeriodCloseQuerySet(models.QuerySet["PeriodClose"]):
    def in_force(self) -> Self:
        return self.filter(reopened_at__isnull=True)


class PeriodClose(models.Model):
    """The books are closed through a day: nothing that happened up to its end can be recorded any more."""

    through = models.DateField(help_text="The last closed day.")
    ends_at = models.DateTimeField(help_text="The end of that day, as a moment.")
    closed_at = models.DateTimeField()
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    note = models.CharField(max_length=500, blank=True)
    items = models.PositiveIntegerField(default=0, help_text="Items with stock at the end.")
    known_value = models.DecimalField(
        max_digits=20, decimal_places=6, default=0, help_text="Of all stock at the end, in base currency."
    )
    unknown_items = models.PositiveIntegerField(
        default=0, help_text="Items of which a part had no known cost at the end; their known part is in the value."
    )
    reopened_at = models.DateTimeField(null=True, blank=True)
    reopened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    reopen_reason = models.CharField(max_length=200, blank=True)

    objects = PeriodCloseQuerySet.as_manager()

    class Meta:
        ordering = ("-through", "-id")
        permissions = (("close_period", "Can close and reopen periods"),)
        constraints = (
            models.UniqueConstraint(
                fields=("through",), condition=Q(reopened_at__isnull=True), name="inventory_periodclose_day_once"
            ),
        )

    def __str__(self) -> str:
        return f"Closed through {self.through}"

    @property
    def is_closed(self) -> bool:
        return self.reopened_at is None


class PeriodSnapshot(models.Model):
    """What one item came to at the end of a closed period: the sums of its movements that happened until then.

    Valid as long as the period stays closed, since nothing can be recorded into it.
    """

    period = models.ForeignKey(PeriodClose, on_delete=models.CASCADE, related_name="snapshots")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock unit.")
    value = models.DecimalField(max_digits=20, decimal_places=6, help_text="Known value, in base currency.")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("period", "item"), name="inventory_periodsnapshot_once"),)

    def __str__(self) -> str:
        return f"Item {self.item_id}, {self.period}"
