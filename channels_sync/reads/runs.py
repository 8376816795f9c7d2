"""Publish runs for people: what each did, what of it waits, and its effect in figures."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Case, Count, Q, QuerySet, When

from channels_sync.guard import Change, Effect, effect_of
from channels_sync.models import Hold, HoldState, PublicationLine, PublishRun


@dataclass(frozen=True, slots=True)
class RunView:
    """A run in figures: its effect, its changes that wait for a person, and what the guard said of single listings."""

    run: PublishRun
    effect: Effect
    waiting: int
    said: dict[int, str]
    """By listing id; the run keeps the first of them."""


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


def holds_of(run: PublishRun) -> QuerySet[Hold]:
    """Its changes that were held: those that wait first."""
    waits_first = Case(When(state=HoldState.OPEN, then=0), default=1)
    return run.holds.select_related("listing__item", "listing__channel", "decided_by").order_by(waits_first, "pk")


def lines_of(run: PublishRun) -> QuerySet[PublicationLine]:
    """Its changes that went out."""
    return run.lines.select_related("listing__item", "listing__channel").order_by("pk")


def view_of(run: PublishRun) -> RunView:
    """The run with the effect of all of its changes, whatever became of them. Three statements."""
    figures = [
        *PublicationLine.objects.filter(run=run).values_list("listing_id", "listing__external_sku", "before", "after"),
        *Hold.objects.filter(run=run).values_list("listing_id", "listing__external_sku", "before", "after"),
    ]
    said: dict[int, list[str]] = {}
    for trip in run.trips:
        if trip.get("listing") is not None:
            said.setdefault(trip["listing"], []).append(trip["words"])
    return RunView(
        run,
        effect_of([Change(listing_id, sku, before, after) for listing_id, sku, before, after in figures]),
        waiting=run.holds.filter(state=HoldState.OPEN).count(),
        said={listing_id: " ".join(words) for listing_id, words in said.items()},
    )
