"""Publish runs, decisions about what waits, freezes, limits, and the switch for all channels."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channels_sync.forms.guarding import FreezeForm, GuardForm
from channels_sync.models import SENDING, Channel, ChannelGuard, Freeze, HoldState, Listing, PublishRun, WideChange
from channels_sync.operations.deciding import (
    approve_run,
    freeze,
    lift,
    pause_all,
    refuse_run,
    resume_all,
    set_guard,
    undo_run,
)
from channels_sync.operations.rehearsing import outlook_of_undo
from channels_sync.operations.second_looks import TYPED_FROM
from channels_sync.reads.runs import changes_waiting, holds_of, lines_of, runs_with_holds, view_of
from channels_sync.reads.wide_changes import wide_changes
from inventory.errors import DomainError, WrongState
from inventory.web import Crumb, go_to, render_page, safe_next
from inventory.whole_numbers import whole_number, whole_numbers

RUNS_PER_PAGE = 50
CHANGES_PER_PAGE = 200
FREEZES_PER_PAGE = 50
LARGE_SHOWN = 5
DECIDE = "channels_sync.decide_publishrun"


def _crumbs() -> list[Crumb]:
    return [Crumb("Channels", reverse("channels_sync:channels"))]


@require_GET
@permission_required("channels_sync.view_publishrun", raise_exception=True)
def runs(request: HttpRequest) -> HttpResponse:
    """Every recompute that changed a figure, the newest first; those of which something waits can be asked for.

    Parts of a large change stand there as one; `?wide=` shows them.
    """
    found = runs_with_holds()
    chosen = Channel.objects.filter(code=request.GET.get("channel", "")[:32]).first()
    if chosen is not None:
        found = found.filter(channel=chosen)
    waits = request.GET.get("waits") == "1"
    if waits:
        found = found.filter(holds__state=HoldState.OPEN)
    number = whole_number(request.GET.get("wide"))
    wide = None if number is None else WideChange.objects.filter(pk=number).first()
    found = found.filter(wide=wide)
    page = Paginator(found, RUNS_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "channels_sync/runs.html",
        title="Publish runs",
        crumbs=_crumbs(),
        page_object=page,
        channels=list(Channel.objects.order_by("name")),
        chosen=chosen,
        waits=waits,
        wide=wide,
        large=[] if wide is not None else list(wide_changes(channel=chosen, only_waiting=waits)[:LARGE_SHOWN]),
        waiting=changes_waiting(),
        is_sending=Channel.objects.filter(mode__in=SENDING, is_paused=False).exists(),
        is_paused=Channel.objects.filter(mode__in=SENDING, is_paused=True).exists(),
    )


@require_GET
@permission_required("channels_sync.view_publishrun", raise_exception=True)
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: its effect in figures, what the guard said, what went out and what waits."""
    return _run_page(request, _run(pk))


def _run(pk: int) -> PublishRun:
    return get_object_or_404(PublishRun.objects.select_related("channel", "wide"), pk=pk)


def _run_page(request: HttpRequest, run: PublishRun, problem: DomainError | None = None) -> HttpResponse:
    view = view_of(run)
    held = Paginator(holds_of(run), CHANGES_PER_PAGE).get_page(request.GET.get("held"))
    sent = Paginator(lines_of(run), CHANGES_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "channels_sync/run.html",
        title=str(run),
        crumbs=[*_crumbs(), Crumb("Publish runs", reverse("channels_sync:runs"))],
        status=200 if problem is None else problem.http_status,
        view=view,
        run=run,
        problem=problem,
        typed_from=TYPED_FROM,
        held=held,
        holds=[(hold, view.said.get(hold.listing_id, "")) for hold in held.object_list],
        page_object=sent,
        waiting=view.waiting,
        may_decide=request.user.has_perm(DECIDE),
        may_undo=run.listings_changed > 0 and not view.waiting,
        reason=request.POST.get("reason", ""),
        freezes=list(run.freezes.select_related("listing", "created_by").order_by("pk")[:RUNS_PER_PAGE]),
    )


@require_POST
@permission_required(DECIDE, raise_exception=True)
def approve(request: HttpRequest, pk: int) -> HttpResponse:
    assert request.user.is_authenticated
    run = _run(pk)
    try:
        result = approve_run(
            run=run, actor=request.user, typed=request.POST.get("typed", ""), listings=_marked(request)
        )
    except DomainError as error:
        return _run_page(request, run, error)
    words = f"{result.changed} change{'' if result.changed == 1 else 's'} approved; the channel gets them now."
    if result.held:
        words += f" {result.held} would go higher than you saw and wait again."
    return go_to(request, "channels_sync:run", pk, message=words)


@require_POST
@permission_required(DECIDE, raise_exception=True)
def refuse(request: HttpRequest, pk: int) -> HttpResponse:
    assert request.user.is_authenticated
    run = _run(pk)
    try:
        frozen = refuse_run(
            run=run, actor=request.user, reason=request.POST.get("reason", ""), listings=_marked(request)
        )
    except DomainError as error:
        return _run_page(request, run, error)
    kept = sum(one.is_exact and one.quantity is not None for one in frozen)
    words = f"Refused. {len(frozen)} listing{' stays' if len(frozen) == 1 else 's stay'} at what is shown until you lift that."
    if kept:
        words += f" {kept} of them would fall: more may be sold than there is."
    return go_to(request, "channels_sync:run", pk, message=words)


@require_http_methods(["GET", "POST"])
@permission_required(DECIDE, raise_exception=True)
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """What taking a run back would do, and doing it."""
    assert request.user.is_authenticated
    run = _run(pk)
    if request.method == "GET":
        return _undo_page(request, run)
    try:
        result = undo_run(
            run=run,
            actor=request.user,
            reason=request.POST.get("reason", ""),
            typed=request.POST.get("typed", ""),
        )
    except DomainError as error:
        return _undo_page(request, run, error)
    words = f"Taken back: {result.changed} listing{' shows' if result.changed == 1 else 's show'} what was shown before, or less."
    if result.held:
        words += f" {result.held} would fall to zero and wait{'s' if result.held == 1 else ''} for a decision."
    return go_to(request, "channels_sync:run", pk, message=words)


def _undo_page(request: HttpRequest, run: PublishRun, problem: DomainError | None = None) -> HttpResponse:
    try:
        outlook = outlook_of_undo(run=run)
    except DomainError as error:
        return _run_page(request, run, error)
    return render_page(
        request,
        "channels_sync/undo_run.html",
        title=f"Take {run} back",
        crumbs=[
            *_crumbs(),
            Crumb("Publish runs", reverse("channels_sync:runs")),
            Crumb(str(run), reverse("channels_sync:run", args=[run.pk])),
        ],
        status=200 if problem is None else problem.http_status,
        run=run,
        outlook=outlook,
        problem=problem,
        page_object=Paginator(outlook.changes, CHANGES_PER_PAGE).get_page(request.GET.get("page")),
        typed_from=TYPED_FROM,
        reason=request.POST.get("reason", ""),
    )


def _marked(request: HttpRequest) -> list[Listing] | None:
    """The listings that were ticked; None for all of the run."""
    if request.POST.get("which") != "marked":
        return None
    ids = whole_numbers(request.POST.getlist("listing"))
    if not ids:
        raise WrongState("Nothing is ticked. Tick the changes you mean, or choose all of them.")
    return list(Listing.objects.filter(pk__in=ids))


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.view_freeze", raise_exception=True)
def freezes(request: HttpRequest) -> HttpResponse:
    """What is frozen, and the form that freezes more."""
    assert request.user.is_authenticated
    may_freeze = request.user.has_perm("channels_sync.freeze_listing")
    back = safe_next(request, "")
    if request.method == "POST" and not may_freeze:
        return HttpResponse(status=403)
    form = FreezeForm(
        request.POST or None, initial={name: request.GET.get(name, "") for name in FreezeForm.base_fields}
    )
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = freeze(reason=data["reason"], actor=request.user, **form.figure, **form.scope)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return go_to(request, back or reverse("channels_sync:freezes"), message=f"{made.subject} is frozen.")
    found = Freeze.objects.select_related(
        "channel", "item", "listing__channel", "created_by", "ended_by", "run"
    ).order_by("-pk")
    is_past = request.GET.get("past") == "1"
    page = Paginator(found.filter(ended_at__isnull=not is_past), FREEZES_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "channels_sync/freezes.html",
        title="Frozen listings",
        crumbs=_crumbs(),
        page_object=page,
        form=form,
        is_past=is_past,
        may_freeze=may_freeze,
        back=back,
        now=timezone.now(),
    )


@require_POST
@permission_required("channels_sync.freeze_listing", raise_exception=True)
def lift_freezes(request: HttpRequest) -> HttpResponse:
    """Lift the ticked freezes, or with `run` all of one run."""
    assert request.user.is_authenticated
    ids = whole_numbers(request.POST.getlist("freeze"))
    found = Freeze.objects.in_force()
    run = whole_number(request.POST.get("run"))
    chosen = found.filter(pk__in=ids) if run is None else found.filter(run=run)
    count = lift(freezes=list(chosen), actor=request.user)
    words = f"{count} lifted; what they held down is worked out anew." if count else "Nothing was ticked."
    return go_to(request, safe_next(request, reverse("channels_sync:freezes")), message=words)


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.view_channelguard", raise_exception=True)
def guard(request: HttpRequest, code: str) -> HttpResponse:
    """The limits of one channel's breaker."""
    assert request.user.is_authenticated
    channel = get_object_or_404(Channel, code=code)
    may_change = request.user.has_perm("channels_sync.change_channelguard")
    if request.method == "POST" and not may_change:
        return HttpResponse(status=403)
    known = ChannelGuard.objects.filter(channel=channel).first() or ChannelGuard(channel=channel)
    form = GuardForm(request.POST or None, instance=known)
    if request.method == "POST" and form.is_valid():
        set_guard(channel=channel, values=form.cleaned_data, actor=request.user)
        return go_to(request, "channels_sync:channel", code, message=f"The guard of {channel.name} has new limits.")
    return render_page(
        request,
        "channels_sync/guard.html",
        title="Guard",
        crumbs=[*_crumbs(), Crumb(channel.name, reverse("channels_sync:channel", args=[code]))],
        channel=channel,
        form=form,
        may_change=may_change,
    )


@require_POST
@permission_required("channels_sync.pause_channel", raise_exception=True)
def switch_all(request: HttpRequest) -> HttpResponse:
    """Pause or resume every channel."""
    assert request.user.is_authenticated
    if request.POST.get("to") == "resume":
        count = resume_all(actor=request.user)
        return go_to(request, "channels_sync:publishing", message=f"{_channels(count)} again.")
    count = pause_all(actor=request.user, reason=request.POST.get("reason", ""))
    words = f"{count} channel is" if count == 1 else f"{count} channels are"
    return go_to(request, "channels_sync:publishing", message=f"{words} paused. Nothing is sent; changes wait.")


def _channels(count: int) -> str:
    return f"{count} channel sends" if count == 1 else f"{count} channels send"
