"""How a sale came about that could not be delivered: gap by gap."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from channels_sync.forensics import Change, Delay, Gap, Stage, StageTime, gap_of, stages_of
from channels_sync.forms.oversell import OversellForm
from channels_sync.models import AllocationPolicy, Listing
from channels_sync.reads.oversell import Inquiry, inquire
from channels_sync.views.buffers import rule_with_buffer
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
    stood: Decimal | None
    """Seconds it had stood there; None when the channel knew of it."""


STAGES = {
    Stage.RECORDING: "Happened to recorded",
    Stage.WORKING_OUT: "Recorded to worked out",
    Stage.DECIDING: "Held to decided",
    Stage.QUEUEING: "Worked out to sent",
    Stage.SENDING: "Sent to accepted",
}


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
            stood = stages_of(change, inquiry.case.moment)[-1].by_sale if gap else None
            rows.append(ChangeRow(change, TITLES[gap] if gap else "", stood))
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
        stages=_stages(inquiry.verdict.delay) if inquiry else [],
        rule_url=_rule_url(listing, inquiry) if inquiry else "",
        rows=rows,
    )


def _stages(delay: Delay | None) -> list[tuple[str, StageTime]]:
    return [] if delay is None else [(STAGES[one.stage], one) for one in delay.stages]


def _rule_url(listing: Listing, inquiry: Inquiry) -> str:
    """The editor of the listing's rule with the buffer that would have prevented it; empty where none would."""
    buffer, derivation = inquiry.verdict.buffer, inquiry.case.derivation
    if buffer is None or buffer.units is None or derivation is None:
        return ""
    standing = AllocationPolicy.objects.standing().filter(listing=listing).first()
    moment = timezone.localtime(inquiry.case.moment)
    return rule_with_buffer(
        listing.channel_id,
        listing.external_sku,
        buffer=buffer.units,
        derivation=derivation,
        standing={} if standing is None else standing.terms,
        note=f"Would have prevented the oversell of {moment:%Y-%m-%d %H:%M:%S}",
    )
