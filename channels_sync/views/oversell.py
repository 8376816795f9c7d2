"""How a sale came about that could not be delivered: gap by gap."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET

from channels_sync.forensics import Change, Gap, gap_of
from channels_sync.forms.oversell import OversellForm
from channels_sync.models import Listing
from channels_sync.reads.oversell import inquire
from inventory.web import Crumb, render_page

TITLES = {
    Gap.RECORDING: "Recorded late",
    Gap.RECOMPUTE: "Not worked out yet",
    Gap.HOLD: "Held by the guard",
    Gap.PAUSE: "Sending paused",
    Gap.CHANNEL: "Channel had not taken it",
    Gap.BUFFER: "Buffer too small",
    Gap.PROMISED: "Figure counted on more",
    Gap.DIFFERED: "Figure differed on the channel",
    Gap.NOTHING_TOLD: "Nothing told before",
    Gap.NONE: "Stock was there",
}


@dataclass(frozen=True, slots=True)
class ChangeRow:
    change: Change
    standing: str
    """Where it was at the moment of the sale; empty when the channel knew of it."""


@require_GET
@permission_required("channels_sync.view_listing", raise_exception=True)
def oversell(request: HttpRequest, pk: int) -> HttpResponse:
    """A moment and a quantity are asked for in the address, so that an answer can be passed on."""
    listing = get_object_or_404(Listing.objects.select_related("channel", "item"), pk=pk)
    form = OversellForm(request.GET) if request.GET else OversellForm()
    inquiry = None
    rows: list[ChangeRow] = []
    if form.is_bound and form.is_valid():
        inquiry = inquire(listing=listing, moment=form.cleaned_data["moment"], quantity=form.cleaned_data["quantity"])
        for change in inquiry.case.changes:
            gap = gap_of(change, inquiry.case)
            rows.append(ChangeRow(change, TITLES[gap] if gap else ""))
    return render_page(
        request,
        "channels_sync/oversell.html",
        title="Oversold: how?",
        crumbs=[
            Crumb(listing.channel.name, reverse("channels_sync:channel", args=[listing.channel.code])),
            Crumb(listing.external_sku, reverse("channels_sync:listing", args=[listing.pk])),
        ],
        status=422 if form.is_bound and form.errors else 200,
        listing=listing,
        form=form,
        inquiry=inquiry,
        verdict=TITLES[inquiry.verdict.gap] if inquiry else "",
        rows=rows,
    )
