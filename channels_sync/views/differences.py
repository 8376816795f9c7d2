"""Drift: what channels show instead of what was sent, and what is done about it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channels_sync.drift import Response
from channels_sync.forms.differences import DriftForm
from channels_sync.models import Channel, Difference, DifferenceCause, DriftSetting
from channels_sync.operations.deciding_differences import decide_difference, set_drift
from channels_sync.reads.differences import counts_by_cause, differences_now, verified
from inventory.errors import DomainError
from inventory.web import Crumb, go_to, render_page

ROWS_PER_PAGE = 50
DECIDE = "channels_sync.decide_difference"
CHANGE = "channels_sync.change_driftsetting"
_WORDS = {
    Response.OVERWRITE: "Our figure of {sku} goes out again.",
    Response.ADOPT: "{sku} is frozen at the channel's figure until somebody lifts that.",
    Response.LEAVE: "{sku} is left as it is until the channel shows something else.",
}


@require_GET
@permission_required("channels_sync.view_difference", raise_exception=True)
def drift(request: HttpRequest) -> HttpResponse:
    """What differs now on every channel."""
    return _drift_page(request, None)


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.view_difference", raise_exception=True)
def channel_drift(request: HttpRequest, code: str) -> HttpResponse:
    """What differs now on one channel, and how it is read back."""
    assert request.user.is_authenticated
    channel = get_object_or_404(Channel, code=code)
    if request.method == "POST" and not request.user.has_perm(CHANGE):
        return HttpResponse(status=403)
    known = DriftSetting.objects.filter(channel=channel).first() or DriftSetting(channel=channel)
    form = DriftForm(request.POST or None, instance=known)
    if request.method == "POST" and form.is_valid():
        set_drift(channel=channel, values=form.cleaned_data, actor=request.user)
        return go_to(
            request, "channels_sync:channel_drift", code, message=f"{channel.name} is read back in this way now."
        )
    return _drift_page(request, channel, form=form)


def _drift_page(
    request: HttpRequest, channel: Channel | None, *, problem: DomainError | None = None, **context: Any
) -> HttpResponse:
    cause = request.GET.get("cause", "")
    cause = cause if cause in DifferenceCause.values else ""
    channel_id = None if channel is None else channel.pk
    crumbs = [Crumb("Channels", reverse("channels_sync:channels"))]
    if channel is not None:
        crumbs.append(Crumb(channel.name, reverse("channels_sync:channel", args=[channel.code])))
    found = differences_now(channel_id=channel_id, cause=cause)
    return render_page(
        request,
        "channels_sync/drift.html",
        title="Drift",
        crumbs=crumbs,
        status=200 if problem is None else problem.http_status,
        channel=channel,
        page_object=Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page")),
        causes=counts_by_cause(channel_id=channel_id),
        cause=cause,
        verified=verified(channel_id=channel_id, now=timezone.now()),
        problem=problem,
        may_decide=request.user.has_perm(DECIDE),
        may_change=request.user.has_perm(CHANGE),
        **context,
    )


@require_POST
@permission_required(DECIDE, raise_exception=True)
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Overwrite, adopt or leave one difference."""
    assert request.user.is_authenticated
    difference = get_object_or_404(Difference.objects.select_related("channel", "listing"), pk=pk)
    channel = difference.channel
    to = request.POST.get("to", "")
    if to not in {response.value for response in _WORDS}:
        return HttpResponse(status=400)
    response = Response(to)
    try:
        decided = decide_difference(difference=difference, response=response, actor=request.user)
    except DomainError as error:
        known = DriftSetting.objects.filter(channel=channel).first() or DriftSetting(channel=channel)
        return _drift_page(request, channel, problem=error, form=DriftForm(instance=known))
    words = _WORDS[response].format(sku=difference.listing.external_sku)
    if decided.done == "held":
        words = f"The guard holds our figure of {difference.listing.external_sku}; it waits for a person under Publish runs."
    return go_to(request, "channels_sync:channel_drift", channel.code, message=words)
