"""Promises of stock to demands. A reservation is an intent: it never moves anything."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from inventory.models.items import Item
from inventory.models.ledger import StockStatus
from inventory.models.locations import Location
from inventory.models.lots import Lot


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def open(self, *, at: datetime) -> Self:
        return self.filter(quantity__gt=0).filter(Q(expires_at__isnull=True) | Q(expires_at__gt=at))

    def lapsed(self, *, at: datetime) -> Self:
        """Still promised although their time is over."""
        return self.filter(quantity__gt=0, expires_at__lte=at)

    def for_demand(self, *, kind: str, reference: str) -> Self:
        return self.filter(demand_kind=kind, demand_ref=reference)

    def pinned(self) -> Self:
        return self.filter(lot__isnull=False)

    def soft(self) -> Self:
        return self.filter(lot__isnull=True)


class Reservation(models.Model):
    """A quantity of an item promised to one demand.

    Soft (no lot): promised from a site, ranked; counted against availability and not on a balance. Pinned (with a lot):
    promised from one cell of status available; counted in the balance's `reserved`, and nobody else can take it. One whose
    `expires_at` has come is let go of within a minute.
    `demand_kind` and `demand_ref` are plain words, for the demand may live in a higher app.
    """

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="reservations")
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="reservations")
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, null=True, blank=True, related_name="reservations")
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Still promised, in the stock unit.")
    demand_kind = models.CharField(max_length=24)
    demand_ref = models.CharField(max_length=64)
    rank = models.BigIntegerField(default=0, help_text="Lower is served first; decides who is short.")
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ReservationQuerySet.as_manager()

    STATUS = StockStatus.AVAILABLE

    class Meta:
        ordering = ("rank", "id")
        constraints = (models.CheckConstraint(condition=Q(quantity__gte=0), name="inventory_reservation_not_negative"),)
        indexes = (
            models.Index(fields=("item", "location"), condition=Q(quantity__gt=0), name="inventory_reservation_open"),
            models.Index(fields=("demand_kind", "demand_ref"), name="inventory_reservation_demand"),
        )

    def __str__(self) -> str:
        return f"{self.quantity:f} of item {self.item_id} for {self.demand_kind} {self.demand_ref}"

    @property
    def demand(self) -> str:
        """`work order WO-000042`, as people read it."""
        return f"{self.demand_kind.replace('_', ' ')} {self.demand_ref}"

    @property
    def is_pinned(self) -> bool:
        return self.lot_id is not None


class ReservationChange(models.Model):
    """One change of a reservation's quantity. Never changed or deleted, so that past availability can be recomputed."""

    reservation = models.ForeignKey(Reservation, on_delete=models.PROTECT, related_name="changes")
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Signed, in the stock unit.")
    reason = models.CharField(max_length=100)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        constraints = (models.CheckConstraint(condition=~Q(quantity=0), name="inventory_reservationchange_not_zero"),)

    def __str__(self) -> str:
        return f"{self.quantity:+f} of reservation {self.reservation_id}"
