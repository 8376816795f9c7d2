"""Publish runs for people: what each did, what of it waits, and its effect in figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from channels_sync.allocation import Derivation
from channels_sync.guard import Change, Effect, effect_of
from channels_sync.models import Hold, HoldState, PublicationLine, PublishRun
from channels_sync.operations.guarding import possible_packs

POSSIBLE_MAX = 200
"""Up to so many changes the supply behind each is read from its derivation."""


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with its changes: those that went out and those that waited."""

    run: PublishRun
    lines: Sequence[PublicationLine]
    holds: Sequence[Hold]
    effect: Effect

    @property
    def open_holds(self) -> list[Hold]:
        return [hold for hold in self.holds if hold.state == HoldState.OPEN]


def runs_with_holds() -> QuerySet[PublishRun]:
    """All runs, the newest first, each with `waiting`: its changes that wait for a person."""
    return (
        PublishRun.objects.select_related("channel")
        .annotate(waiting=Count("holds", filter=Q(holds__state=HoldState.OPEN)))
        .order_by("-pk")
    )


def changes_waiting() -> int:
    """Changes on all channels that wait for a person."""
    return Hold.objects.filter(state=HoldState.OPEN).count()


def view_of(run: PublishRun, *, rows_max: int = 500) -> RunView:
    """The run with at most `rows_max` changes of each kind; its effect is that of all of them. Four statements."""
    lines = list(
        PublicationLine.objects.filter(run=run)
        .select_related("listing__item", "listing__channel")
        .order_by("pk")[:rows_max]
    )
    holds = list(
        Hold.objects.filter(run=run)
        .select_related("listing__item", "listing__channel", "decided_by")
        .order_by("pk")[:rows_max]
    )
    figures = [
        *PublicationLine.objects.filter(run=run).values_list("listing_id", "listing__external_sku", "before", "after"),
        *Hold.objects.filter(run=run).values_list("listing_id", "listing__external_sku", "before", "after"),
    ]
    possible: dict[int, int | None] = {}
    if len(figures) <= POSSIBLE_MAX:
        kept = [*((line.listing_id, line.derivation) for line in lines), *((h.listing_id, h.derivation) for h in holds)]
        possible = {listing_id: _possible(stored) for listing_id, stored in kept}
    changes = [
        Change(listing_id, sku, before, after, possible=possible.get(listing_id))
        for listing_id, sku, before, after in figures
    ]
    return RunView(run, lines, holds, effect_of(changes))


def _possible(stored: Mapping[str, Any]) -> int | None:
    """Sold units the supply behind a stored figure comes to; None also for a derivation of an unknown format."""
    try:
        return possible_packs(Derivation.from_json(stored))
    except ValueError:
        return None
