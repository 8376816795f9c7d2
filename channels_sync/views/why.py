"""The page that tells why a listing shows its figure."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET

from channels_sync.models import Hold, Listing, PublicationLine
from channels_sync.reads.differences import open_difference
from channels_sync.reads.figures import figures_of
from channels_sync.views.explaining import explain, why_of
from inventory.web import Crumb, is_htmx, render_page
from inventory.whole_numbers import whole_number

VERSIONS_SHOWN = 20


@require_GET
@permission_required("channels_sync.view_listing", raise_exception=True)
def why(request: HttpRequest, pk: int) -> HttpResponse:
    """Why a listing shows its figure, in its newest or an earlier version, or as it would be worked out at this moment
    (`?version=now`), or why it would show what waits for a person (`?hold=`), or what a run (`?run=`) or a large change
    (`?large=`) did to it: in the drawer, or as a page of its own.
    """
    listing = get_object_or_404(Listing.objects.select_related("channel", "item"), pk=pk)
    lines = PublicationLine.objects.filter(listing=listing).select_related("run").order_by("-version")
    holds = Hold.objects.filter(listing=listing).order_by("-pk")
    present = next(iter(figures_of(listing_ids=[listing.pk])), None) if request.GET.get("version") == "now" else None
    versions = list(lines[:VERSIONS_SHOWN])
    newest = versions[0] if versions else None
    chosen = None if present is not None else _chosen(request, lines, holds, newest)
    stored = why_of(chosen.derivation) if chosen else None
    return render_page(
        request,
        "channels_sync/why.html",
        part="channels_sync/_why.html",
        title="Why this number?",
        crumbs=[
            Crumb(listing.channel.name, reverse("channels_sync:channel", args=[listing.channel.code])),
            Crumb(listing.external_sku, reverse("channels_sync:listing", args=[listing.pk])),
        ],
        listing=listing,
        line=chosen if isinstance(chosen, PublicationLine) else None,
        hold=chosen if isinstance(chosen, Hold) else None,
        is_present=present is not None,
        why=explain(present.derivation, is_present=True) if present else stored,
        difference=open_difference(listing_id=listing.pk),
        versions=versions,
        is_drawer=is_htmx(request),
    )


def _chosen(
    request: HttpRequest, lines: QuerySet[PublicationLine], holds: QuerySet[Hold], newest: PublicationLine | None
) -> PublicationLine | Hold | None:
    """The figure that was asked for; the newest where none was, or none of ours."""
    asked = {name: whole_number(request.GET.get(name)) for name in ("version", "hold", "run", "large")}
    if asked["version"] is not None:
        return lines.filter(version=asked["version"]).first()
    found: list[PublicationLine | Hold | None] = []
    if asked["hold"] is not None:
        found = [holds.filter(pk=asked["hold"]).first()]
    elif asked["run"] is not None:
        found = [one.filter(run=asked["run"]).first() for one in (lines, holds)]
    elif asked["large"] is not None:
        found = [one.filter(run__wide=asked["large"]).first() for one in (lines, holds)]
    known = [one for one in found if one is not None]
    return max(known, key=lambda one: one.recorded_at) if known else newest
