"""Rehearsals of rules: what was asked, how far the worker is, and what came out."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class SimulationState(models.TextChoices):
    WAITING = "waiting", "Waits for a worker"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class Simulation(models.Model):
    """One question to the simulator, and its answer when a worker has worked it out.

    `fingerprint` is of all that was read for the answer: stock, rules, demand and supply. Two answers to the same question
    with the same fingerprint are the same.
    """

    key = models.UUIDField(unique=True, help_text="Made by the form or the client; the same key starts nothing again.")
    title = models.CharField(max_length=150)
    question = models.JSONField()
    state = models.CharField(max_length=8, choices=SimulationState, default=SimulationState.WAITING)
    progress_done = models.PositiveIntegerField(default=0, help_text="Items replayed.")
    progress_of = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, help_text="Until then a worker has it.")
    attempts = models.PositiveSmallIntegerField(default=0)
    fingerprint = models.CharField(max_length=64, blank=True)
    result = models.JSONField(null=True)
    problem = models.CharField(max_length=500, blank=True)
    repeats = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="repeated_by")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=~Q(state=SimulationState.DONE) | Q(result__isnull=False),
                name="channels_sync_simulation_done_has_result",
            ),
        )
        indexes = (
            models.Index(
                fields=("id",),
                condition=Q(state__in=[SimulationState.WAITING, SimulationState.RUNNING]),
                name="channels_sync_simulation_open",
            ),
        )

    def __str__(self) -> str:
        return self.title

    @property
    def is_over(self) -> bool:
        return self.state in (SimulationState.DONE, SimulationState.FAILED)

    @property
    def percent_done(self) -> int:
        return 100 * self.progress_done // self.progress_of if self.progress_of else 0
