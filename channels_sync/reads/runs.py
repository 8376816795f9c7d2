"""Publish runs for people: what each did, what of it waits, and its effect in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from channels_sync.guard import Change, Effect, effect_of
from channels_sync.models import Hold, HoldState, PublicationLine, PublishRun


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
    changes = [Change(listing_id, sku, before, after) for listing_id, sku, before, after in figures]
    return RunView(run, lines, holds, effect_of(changes))
