"""Runs of the nightly check that the ledger is true."""

from django.db import models
from django.db.models import Q


class InvariantRun(models.Model):
    """One check of every fact that must hold. `signature` proves that the row was written by the check and not changed."""

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    cause = models.CharField(max_length=24, help_text="nightly, by hand, or a command.")
    movements = models.BigIntegerField(help_text="How many movements there were.")
    newest_movement = models.BigIntegerField(null=True)
    is_true = models.BooleanField(help_text="Every fact held.")
    signature = models.CharField(max_length=128)

    class Meta:
        ordering = ("-id",)
        permissions = (
            ("run_invariants", "Can check the ledger by hand"),
            ("read_audit", "Can see who changed what and when"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(finished_at__gte=models.F("started_at")), name="inventory_invariantrun_ends_after_it_began"
            ),
        )

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}: {'true' if self.is_true else 'broken'}"


class InvariantResult(models.Model):
    """What one run found about one fact."""

    run = models.ForeignKey(InvariantRun, on_delete=models.CASCADE, related_name="results")
    app = models.CharField(max_length=24)
    name = models.CharField(max_length=64)
    statement = models.CharField(max_length=250)
    milliseconds = models.IntegerField()
    findings = models.JSONField(default=list)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.name}: {len(self.findings)} findings"
