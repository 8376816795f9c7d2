"""Finding work that no wake-up told of: lost messages, dead senders, rows whose time has come."""

from __future__ import annotations

from dataclasses import dataclass

from channels_sync.models import Freeze, Listing, RecomputePiece, WideDecision
from channels_sync.operations.allocating import tell_dated_rules
from channels_sync.operations.giving_up import tell_trouble
from channels_sync.operations.recomputing import recompute_ids
from channels_sync.operations.run_plans import Cause
from channels_sync.reads.publishing import due_channel_ids, unconfirmed_channel_ids
from inventory.models import StockChange

LISTINGS_PER_SWEEP = 500


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What is to be done now."""

    has_news: bool  # of stock, pieces of wide work, or decisions about it, not yet worked through
    computed: int  # listings that had never been worked out and were just now
    to_publish: tuple[int, ...]  # channels with due rows, expired leases among them
    to_confirm: tuple[int, ...]  # channels with accepted rows to read back


def sweep() -> SweepResult:
    """Look for work; work out listings that came into being beside `create_listing`, and tell of rules that begin or end
    and of what is not sent any more."""
    fresh = list(
        Listing.objects.published()
        .exclude(push__version__gt=0)
        .exclude(push__is_held=True)  # its first figure waits for a person
        .exclude(freezes__in=Freeze.objects.in_force().filter(is_exact=True))
        .order_by("pk")
        .values_list("pk", flat=True)[:LISTINGS_PER_SWEEP]
    )
    if fresh:
        recompute_ids(fresh, cause=Cause("new listing"))
    tell_dated_rules()
    tell_trouble()
    return SweepResult(
        has_news=StockChange.objects.exists()
        or RecomputePiece.objects.exists()
        or WideDecision.objects.filter(ended_at__isnull=True).exists(),
        computed=len(fresh),
        to_publish=due_channel_ids(),
        to_confirm=unconfirmed_channel_ids(),
    )
