"""Large changes: what touched more listings than one transaction takes, looked at and decided about as one."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channels_sync.models import Channel, WideChange, WideVerdict
from channels_sync.operations.deciding_wide import PROBLEMS_KEPT, decide_wide
from channels_sync.operations.second_looks import TYPED_FROM
from channels_sync.reads.runs import runs_with_holds
from channels_sync.reads.wide_changes import holds_by_size, undo_of_wide, view_of_wide, wide_changes
from inventory.errors import DomainError, WrongState
from inventory.web import Crumb, go_to, render_page

CHANGES_PER_PAGE = 100
WIDE_PER_PAGE = 50
DECIDE = "channels_sync.decide_publishrun"


def _crumbs(*more: Crumb) -> list[Crumb]:
    return [
        Crumb("Channels", reverse("channels_sync:channels")),
        Crumb("Publish runs", reverse("channels_sync:runs")),
        *more,
    ]


@require_GET
@permission_required("channels_sync.view_publishrun", raise_exception=True)
def large_changes(request: HttpRequest) -> HttpResponse:
    """Everything that touched more listings than one transaction takes, the newest first."""
    page = Paginator(wide_changes(), WIDE_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request, "channels_sync/large_changes.html", title="Large changes", crumbs=_crumbs(), page_object=page
    )


@require_GET
@permission_required("channels_sync.view_publishrun", raise_exception=True)
def large_change(request: HttpRequest, pk: int) -> HttpResponse:
    """One large change: its effect by channel, what the guard said, its biggest changes, what waits, and decisions."""
    return _page(request, _wide(pk))


def _wide(pk: int) -> WideChange:
    return get_object_or_404(WideChange, pk=pk)


def _page(request: HttpRequest, wide: WideChange, problem: DomainError | None = None) -> HttpResponse:
    view = view_of_wide(wide)
    holds = Paginator(holds_by_size(wide), CHANGES_PER_PAGE).get_page(request.GET.get("held"))
    runs = Paginator(runs_with_holds().filter(wide=wide), CHANGES_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "channels_sync/large_change.html",
        title=str(wide),
        crumbs=_crumbs(Crumb("Large changes", reverse("channels_sync:large_changes"))),
        status=200 if problem is None else problem.http_status,
        view=view,
        wide=wide,
        problem=problem,
        holds=holds,
        page_object=runs,
        typed_from=TYPED_FROM,
        problems_kept=PROBLEMS_KEPT,
        may_decide=request.user.has_perm(DECIDE) and not view.left and not view.is_being_decided,
        values=request.POST,
    )


@require_POST
@permission_required(DECIDE, raise_exception=True)
def decide_large(request: HttpRequest, pk: int) -> HttpResponse:
    """Approve or refuse all that waits of a large change, on one channel or on all."""
    assert request.user.is_authenticated
    wide = _wide(pk)
    verdict = next(
        (one for one in (WideVerdict.APPROVE, WideVerdict.REFUSE) if one == request.POST.get("verdict")), None
    )
    if verdict is None:
        return _page(request, wide, WrongState("Choose whether it is approved or refused."))
    try:
        decision = decide_wide(
            wide=wide,
            verdict=verdict,
            channel=_channel(request.POST.get("channel")),
            actor=request.user,
            reason=request.POST.get("reason", ""),
            typed=request.POST.get("typed", ""),
        )
    except DomainError as error:
        return _page(request, wide, error)
    words = (
        f"{decision.listings} change{'' if decision.listings == 1 else 's'}: {decision.get_verdict_display().lower()}."
    )
    return go_to(
        request, "channels_sync:large_change", pk, message=f"{words} The workers carry it out now, run by run."
    )


def _channel(code: str | None) -> Channel | None:
    """The channel of that code; none where all are meant. Raises Http404 for one that does not exist."""
    return get_object_or_404(Channel, code=code[:32]) if code else None


@require_http_methods(["GET", "POST"])
@permission_required(DECIDE, raise_exception=True)
def undo_large(request: HttpRequest, pk: int) -> HttpResponse:
    """What taking a large change back would do, and doing it."""
    assert request.user.is_authenticated
    wide = _wide(pk)
    channel = _channel(request.POST.get("channel") or request.GET.get("channel"))
    problem: DomainError | None = None
    if request.method == "POST":
        try:
            decision = decide_wide(
                wide=wide,
                verdict=WideVerdict.UNDO,
                channel=channel,
                actor=request.user,
                reason=request.POST.get("reason", ""),
                typed=request.POST.get("typed", ""),
            )
        except DomainError as error:
            problem = error
        else:
            words = f"{decision.listings} listings are taken back. The workers carry it out now, run by run."
            return go_to(request, "channels_sync:large_change", pk, message=words)
    return render_page(
        request,
        "channels_sync/undo_large_change.html",
        title=f"Take {str(wide).lower()} back",
        crumbs=_crumbs(
            Crumb("Large changes", reverse("channels_sync:large_changes")),
            Crumb(str(wide), reverse("channels_sync:large_change", args=[pk])),
        ),
        status=200 if problem is None else problem.http_status,
        wide=wide,
        channel=channel,
        outlook=undo_of_wide(wide, channel),
        problem=problem,
        typed_from=TYPED_FROM,
        reason=request.POST.get("reason", ""),
    )
