"""Where stock stands: a tree of sites, areas and bins."""

from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Substr, Upper
from simple_history.models import HistoricalRecords


class LocationKind(models.TextChoices):
    OWN = "own", "Own site"
    THIRD_PARTY = "3pl", "Third-party logistics"
    CHANNEL_OWNED = "channel_owned", "Held by a channel (FBA, WFS)"
    IN_TRANSIT = "in_transit", "In transit"


class LocationQuerySet(models.QuerySet["Location"]):
    def active(self) -> Self:
        return self.filter(is_active=True)

    def within(self, location: "Location") -> Self:
        """`location` and everything below it."""
        return self.filter(path__startswith=location.path)


class Location(models.Model):
    """One place that can hold stock: a site, an area or a bin. A root of the tree is a site."""

    code = models.CharField(max_length=64, help_text="Unique, without regard to case; printed on the label.")
    name = models.CharField(max_length=200)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    path = models.CharField(max_length=255, editable=False, help_text="Ids from the root, as /1/7/.")
    kind = models.CharField(max_length=16, choices=LocationKind, default=LocationKind.OWN)
    is_sellable = models.BooleanField(default=True, help_text="Stock here counts as available.")
    is_blocked = models.BooleanField(default=False, help_text="Nothing is picked from here automatically.")
    is_active = models.BooleanField(default=True)
    owner = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="Whose goods stand here, when not ours."
    )
    freshness_hours = models.PositiveIntegerField(
        null=True, blank=True, help_text="Figures of this place that are older count as stale. Empty: never."
    )
    stock_as_of = models.DateTimeField(
        null=True, blank=True, help_text="When figures of a place we do not run were last confirmed."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    history = HistoricalRecords()
    objects = LocationQuerySet.as_manager()

    class Meta:
        ordering = ("path", "code")
        constraints = (
            models.UniqueConstraint(Upper("code"), name="inventory_location_code_once"),
            models.CheckConstraint(condition=~Q(code=""), name="inventory_location_code_not_empty"),
            models.CheckConstraint(
                condition=~Q(kind=LocationKind.IN_TRANSIT) | Q(is_sellable=False),
                name="inventory_location_in_transit_not_sellable",
            ),
        )
        indexes = (models.Index(fields=("path",), name="inventory_location_path", opclasses=("varchar_pattern_ops",)),)

    def __str__(self) -> str:
        return self.code

    @property
    def depth(self) -> int:
        """0 for a site."""
        return self.path.count("/") - 2

    @property
    def site_id(self) -> int:
        return int(self.path.split("/")[1])

    def clean(self) -> None:
        if self.kind == LocationKind.IN_TRANSIT and self.is_sellable:
            raise ValidationError(
                {"is_sellable": "Goods in transit are not sellable. Untick this, or choose another kind."}
            )
        if self.parent is not None and self.pk is not None and f"/{self.pk}/" in self.parent.path:
            raise ValidationError(
                {
                    "parent": f"{self.parent} lies below {self}; a location cannot stand inside itself. Choose another parent."
                }
            )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep `path` true, also for everything below when the location was moved."""
        with transaction.atomic():
            before = self.path
            super().save(*args, **kwargs)
            after = f"{self.parent.path if self.parent else '/'}{self.pk}/"
            if after != before:
                type(self).objects.filter(pk=self.pk).update(path=after)
                if before:
                    below = type(self).objects.filter(path__startswith=before).exclude(pk=self.pk)
                    below.update(path=Concat(Value(after), Substr(F("path"), len(before) + 1)))
                self.path = after
