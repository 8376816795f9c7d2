"""The source locations of a channel: another choice is shown with its effect before it is made."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from channels_sync.forms.sources import SourcesForm
from channels_sync.models import Channel
from channels_sync.operations.offering import set_sources
from channels_sync.operations.rehearsing_rules import outlook_of_sources
from inventory.web import Crumb, go_to, render_page


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.change_channel", raise_exception=True)
def sources(request: HttpRequest, code: str) -> HttpResponse:
    """First what the listings would show, then the change itself."""
    assert request.user.is_authenticated
    channel = get_object_or_404(Channel, code=code)
    form = SourcesForm(request.POST or None, channel=channel)
    effect, seen = None, ""
    if request.method == "POST" and form.is_valid():
        if request.POST.get("seen") == form.print:
            is_changed = set_sources(channel=channel, places=form.chosen, actor=request.user)
            words = "has other source locations. Figures follow within seconds." if is_changed else "has these already."
            return go_to(request, "channels_sync:channel", code, message=f"{channel.name} {words}")
        effect, seen = outlook_of_sources(channel=channel, places=form.chosen), form.print
    return render_page(
        request,
        "channels_sync/sources.html",
        title="Source locations",
        crumbs=[
            Crumb("Channels", reverse("channels_sync:channels")),
            Crumb(channel.name, reverse("channels_sync:channel", args=[code])),
        ],
        channel=channel,
        form=form,
        effect=effect,
        seen=seen,
        words=[],
    )
