"""Drift: what channels show instead of what was sent, and what is done about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
from channels_sync.operations.deciding_differences import (
    Decided,
    Seen,
    decide_difference,
    decide_differences,
    set_drift,
)
from channels_sync.operations.rehearsing import LISTINGS_MAX, outlook_of_decisions
from channels_sync.operations.second_looks import TYPED_FROM
from channels_sync.reads.differences import counts_by_cause, differences_now, verified
from inventory.errors import DomainError
from inventory.web import Crumb, go_to, render_page
from inventory.whole_numbers import whole_numbers

ROWS_PER_PAGE = 50
DECIDE = "channels_sync.decide_difference"
CHANGE = "channels_sync.change_driftsetting"
_WORDS = {
    Response.OVERWRITE: "Our figure of {sku} goes out again.",
    Response.ADOPT: "{sku} is frozen at the channel's figure until somebody lifts that.",
    Response.LEAVE: "{sku} is left as it is until the channel shows something else.",
}
_TITLES = {
    Response.OVERWRITE: "Send our figures again",
    Response.ADOPT: "Adopt the channel's figures",
    Response.LEAVE: "Leave these differences",
}
_SEEN = re.compile(r"([0-9]{1,18}):([0-9]{1,18}):(-?[0-9]{1,10})?", re.ASCII)
"""A difference somebody looked at, as the form carries it: its id, the version that was sent, what the channel showed."""


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


@require_http_methods(["GET", "POST"])
@permission_required(DECIDE, raise_exception=True)
def decide_many(request: HttpRequest) -> HttpResponse:
    """What deciding about many differences in one way would do, and doing it."""
    assert request.user.is_authenticated
    asked = request.POST if request.method == "POST" else request.GET
    if asked.get("to", "") not in {response.value for response in _WORDS}:
        return HttpResponse(status=400)
    response = Response(asked["to"])
    if request.method == "GET":
        ids = _chosen(request)
        if not ids:
            words = "Nothing is ticked. Tick the differences you mean, or choose all of them."
            return go_to(request, _back_to(request), message=words, level=40)
        return _decide_page(request, response, ids[:LISTINGS_MAX], more=len(ids) > LISTINGS_MAX)
    seen = _seen(request.POST.get("seen", ""))
    if not seen:
        return HttpResponse(status=400)
    try:
        outcome = decide_differences(
            difference_ids=list(seen),
            response=response,
            actor=request.user,
            typed=request.POST.get("typed", ""),
            seen=seen,
        )
    except DomainError as error:
        return _decide_page(request, response, list(seen), problem=error)
    words = _words_of(outcome, response)
    if not outcome.left:
        return go_to(request, _back_to(request), message=words)
    return render_page(
        request,
        "channels_sync/decided_differences.html",
        title=_TITLES[response],
        crumbs=_crumbs_of(request),
        words=words,
        left=outcome.left,
        back=_back_to(request),
    )


def _decide_page(
    request: HttpRequest,
    response: Response,
    ids: Sequence[int],
    *,
    more: bool = False,
    problem: DomainError | None = None,
) -> HttpResponse:
    outlook = outlook_of_decisions(difference_ids=ids, response=response)
    return render_page(
        request,
        "channels_sync/decide_differences.html",
        title=_TITLES[response],
        crumbs=_crumbs_of(request),
        status=200 if problem is None else problem.http_status,
        outlook=outlook,
        to=response.value,
        count=len(outlook.changes),
        sent=len(outlook.changes) - len(outlook.held),
        page_object=Paginator(outlook.changes, ROWS_PER_PAGE).get_page(request.GET.get("page")),
        left=Paginator(outlook.left, ROWS_PER_PAGE).get_page(request.GET.get("held")),
        seen=",".join(
            f"{one.pk}:{one.version}:{'' if one.theirs is None else one.theirs}" for one, _ in outlook.changes
        ),
        typed_from=TYPED_FROM,
        most=LISTINGS_MAX if more else None,
        problem=problem,
        back=_back_to(request),
    )


def _chosen(request: HttpRequest) -> list[int]:
    """Those that were ticked, or all of the channel and cause of the page; at most one more than is decided at once."""
    if request.GET.get("which") != "all":
        return whole_numbers(request.GET.getlist("difference"))[: LISTINGS_MAX + 1]
    channel = _channel_of(request)
    cause = request.GET.get("cause", "")
    found = differences_now(
        channel_id=None if channel is None else channel.pk, cause=cause if cause in DifferenceCause.values else ""
    )
    return list(found.values_list("pk", flat=True)[: LISTINGS_MAX + 1])


def _seen(text: str) -> Seen:
    """What the form says somebody looked at; nothing when it says anything else."""
    parts = [_SEEN.fullmatch(part) for part in text.split(",")][: LISTINGS_MAX + 1]
    if len(parts) > LISTINGS_MAX:
        return {}
    read = [part.groups() for part in parts if part is not None]
    if len(read) < len(parts):
        return {}
    return {int(pk): (int(version), None if theirs is None else int(theirs)) for pk, version, theirs in read}


def _words_of(outcome: Decided, response: Response) -> str:
    """What was done, in words."""
    done, held, left = len(outcome.done), len(outcome.held), len(outcome.left)
    match response:
        case Response.OVERWRITE:
            words = [f"{_many(done - held, 'figure goes', 'figures go')} out again."]
        case Response.ADOPT:
            words = [f"{_many(done, 'listing is', 'listings are')} frozen at the channel's figure."]
        case _:
            words = [f"{_many(done, 'difference is', 'differences are')} left until the channel shows something else."]
    if held:
        words.append(
            f"The guard holds {held}, which {'waits' if held == 1 else 'wait'} for a person under Publish runs."
        )
    if left:
        words.append(f"{left} {'does' if left == 1 else 'do'} not fit and {'was' if left == 1 else 'were'} left.")
    return " ".join(words)


def _many(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _channel_of(request: HttpRequest) -> Channel | None:
    code = request.GET.get("channel", "")
    return get_object_or_404(Channel, code=code) if code else None


def _back_to(request: HttpRequest) -> str:
    """The page of drift that was left, with its cause."""
    channel, cause = _channel_of(request), request.GET.get("cause", "")
    name, args = ("drift", []) if channel is None else ("channel_drift", [channel.code])
    address = reverse(f"channels_sync:{name}", args=args)
    return f"{address}?cause={cause}" if cause in DifferenceCause.values else address


def _crumbs_of(request: HttpRequest) -> list[Crumb]:
    return [Crumb("Channels", reverse("channels_sync:channels")), Crumb("Drift", _back_to(request))]
