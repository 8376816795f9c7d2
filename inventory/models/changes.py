"""News for the apps above, and replies kept for repeated requests."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class StockChange(models.Model):
    """Items whose availability may have changed, written in the transaction that changed it.

    Readers claim rows with SKIP LOCKED and delete them in the transaction that records what follows; ids are not
    ordered by commit, so nobody remembers how far they read.
    """

    items = ArrayField(models.BigIntegerField())
    posting_id = models.BigIntegerField(null=True, help_text="The posting behind it; null for rules and reservations.")
    actor_id = models.BigIntegerField(null=True, help_text="Who caused it, where no posting says so.")
    cause = models.CharField(max_length=24)
    recorded_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.cause}: {len(self.items)} items"


class StoredReply(models.Model):
    """The answer given to one keyed API request, so that a repetition gets the same answer."""

    key = models.UUIDField(unique=True)
    request_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    recorded_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        verbose_name_plural = "stored replies"

    def __str__(self) -> str:
        return str(self.key)
