"""A moment in both times of the ledger: when things happened, and when they were recorded."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models


class Basis(models.TextChoices):
    """How a question about the past is meant."""

    KNOWN_NOW = "known_now", "As it was"
    KNOWN_THEN = "known_then", "As then believed"


@dataclass(frozen=True, slots=True)
class AsOf:
    """What had happened by `effective_at`, of what was recorded by `recorded_at`; None does not bound."""

    effective_at: datetime | None = None
    recorded_at: datetime | None = None

    @classmethod
    def at(cls, moment: datetime | None, basis: str = Basis.KNOWN_NOW) -> "AsOf":
        """The moment as it was, knowing what is known now, or as it was believed then; None is now."""
        return cls(moment, moment if basis == Basis.KNOWN_THEN else None)

    @property
    def is_now(self) -> bool:
        return self.effective_at is None and self.recorded_at is None

    def condition(self, alias: str = "m") -> tuple[str, list[Any]]:
        """SQL for the movements (or postings) that belong to it, and its parameters."""
        parts, parameters = [], []
        for column, bound in (("effective_at", self.effective_at), ("recorded_at", self.recorded_at)):
            if bound is not None:
                parts.append(f"{alias}.{column} <= %s")
                parameters.append(bound)
        return " AND ".join(parts) or "true", parameters

    def remainder(self, alias: str = "m") -> tuple[str, list[Any]]:
        """SQL for the movements that do not belong to it, so that a sum over all of them can be brought back to it.

        Nothing is recorded before it happened: what is not part of the moment was recorded after the earlier of both times,
        which lets the index on the time of recording bound the search.
        """
        bounds = [bound for bound in (self.effective_at, self.recorded_at) if bound is not None]
        if not bounds:
            return "false", []
        condition, parameters = self.condition(alias)
        return f"{alias}.recorded_at > %s AND NOT ({condition})", [min(bounds), *parameters]
