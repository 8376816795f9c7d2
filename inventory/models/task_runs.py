"""How the background tasks went."""

from django.db import models


class TaskRun(models.Model):
    """How a task of the workers went last, and how often it ran. One row for each task, whoever sent for it."""

    task = models.CharField(max_length=200, unique=True, help_text="Its dotted name.")
    runs = models.BigIntegerField(
        default=0, help_text="Noted ones; the last few of a process that ended between two notes are missing."
    )
    started_at = models.DateTimeField(help_text="Of the last run that ended.")
    milliseconds = models.IntegerField(help_text="What it took.")
    succeeded_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True, help_text="Why it failed last.")

    class Meta:
        ordering = ("task",)
        default_permissions = ()

    def __str__(self) -> str:
        return self.task

    @property
    def has_failed(self) -> bool:
        """Whether the last run failed."""
        return self.failed_at is not None and (self.succeeded_at is None or self.succeeded_at < self.failed_at)
