"""Work that is too wide for one transaction, cut into pieces that workers take one by one."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from channels_sync.models.channels import Channel


class WideChange(models.Model):
    """Something that touched more listings than one transaction takes. Its runs are looked at and decided about together."""

    cause = models.TextField(help_text="What made the figures change, in words.")
    posting_id = models.BigIntegerField(null=True, help_text="Newest posting among the changes.")
    changed_at = models.DateTimeField(null=True, help_text="Oldest of the changes.")
    actors = ArrayField(models.BigIntegerField(), default=list, help_text="Users whose acts are among the changes.")
    parts = models.PositiveIntegerField(
        help_text="Transactions it was cut into; each makes a run of each channel it changes."
    )
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"Large change {self.pk}"


class RecomputePiece(models.Model):
    """Listings that are still to be worked out of something that touched many: one transaction of a worker.

    It is deleted in the transaction that writes what follows from it. Who dies in between leaves it to the next one.
    """

    listings = ArrayField(models.BigIntegerField(), help_text="All listings of an item stand in one piece.")
    wide = models.ForeignKey(WideChange, on_delete=models.CASCADE, related_name="pieces")
    is_wide = models.BooleanField(default=False, help_text="Of a bulk act: what single acts changed goes first.")
    send_again = models.BooleanField(default=False, help_text="A new version also where the figure is the same.")
    forgets_shown = models.BooleanField(default=False, help_text="What the channel shows is read before it is changed.")
    keeps_back = models.ForeignKey(
        Channel,
        on_delete=models.CASCADE,
        null=True,
        related_name="+",
        help_text="Nothing is sent to this channel before the piece was worked out.",
    )

    class Meta:
        indexes = (models.Index(fields=("is_wide", "id"), name="channels_sync_piece_order"),)

    def __str__(self) -> str:
        return f"{self.wide}: {len(self.listings)} listings"
