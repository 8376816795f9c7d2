"""How long publishing takes: every channel beside the others, and one of them stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from channels_sync.models import Channel
from channels_sync.reads.latency import StageLatency, channel_latency, slowest_publishes
from channels_sync.views.bars import HEIGHT, WIDTH
from channels_sync.views.latency_chart import LABELS, chart_of
from inventory.web import Crumb, render_page

SLOWEST = 20
SPANS = {
    "24h": (timedelta(hours=24), "24 hours"),
    "7d": (timedelta(days=7), "7 days"),
    "30d": (timedelta(days=30), "30 days"),
}
MEANINGS = {
    "absorbing": "From the change of stock until the new figure was worked out, waiting for a person included.",
    "queueing": "From there until a sender took it up, hours and pauses included.",
    "sending": "Until the channel said yes, repeated attempts included.",
    "confirming": "Until it was read back on the channel.",
    "whole": "From the change of stock until the channel was seen to show the figure.",
}


@dataclass(frozen=True, slots=True)
class StageRow:
    label: str
    meaning: str
    latency: StageLatency


@require_GET
@permission_required("channels_sync.view_channel", raise_exception=True)
def latency_of_channels(request: HttpRequest) -> HttpResponse:
    """Every channel: how long the whole way and each stage take."""
    channels = list(Channel.objects.order_by("name"))
    return _page(request, channels, template="channels_sync/latencies.html", crumbs=[])


@require_GET
@permission_required("channels_sync.view_channel", raise_exception=True)
def latency_of_channel(request: HttpRequest, code: str) -> HttpResponse:
    """One channel, with a chart."""
    channel = get_object_or_404(Channel, code=code)
    return _page(
        request,
        [channel],
        template="channels_sync/latency.html",
        crumbs=[Crumb(channel.name, reverse("channels_sync:channel", args=[code]))],
        channel=channel,
    )


def _page(
    request: HttpRequest,
    channels: list[Channel],
    *,
    template: str,
    crumbs: list[Crumb],
    channel: Channel | None = None,
) -> HttpResponse:
    chosen = request.GET.get("time", "")
    chosen = chosen if chosen in SPANS else "7d"
    span, words = SPANS[chosen]
    until = timezone.now()
    asked: dict[str, Any] = {"since": until - span, "until": until, "channel_id": channel.pk if channel else None}
    found = channel_latency(**asked)
    rows = [
        (one, [StageRow(LABELS[stage.stage], MEANINGS[stage.stage], stage) for stage in found[one.pk]])
        for one in channels
        if one.pk in found
    ]
    return render_page(
        request,
        template,
        title="Latency",
        crumbs=[Crumb("Channels", reverse("channels_sync:channels")), *crumbs],
        channel=channel,
        rows=rows,
        slowest=slowest_publishes(**asked, limit=SLOWEST) if rows else [],
        chart=chart_of(found[channel.pk]) if channel and channel.pk in found else None,
        chart_size={"width": WIDTH, "height": HEIGHT},
        spans=[(value, label) for value, (_, label) in SPANS.items()],
        chosen=chosen,
        span_words=words,
    )
