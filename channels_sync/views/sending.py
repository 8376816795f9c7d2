"""How sending is doing on every channel, and the hours, pace and dead letters of one."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channels_sync.forms.sending import DAYS, PaceForm, WindowForm
from channels_sync.models import SENDING, Channel, Listing, SendingWindow
from channels_sync.operations.giving_up import retry_given_up
from channels_sync.operations.metering import account_of_channel
from channels_sync.operations.scheduling import add_window, remove_window, set_sending
from channels_sync.reads.sending import ChannelSending, given_up, sending_of, zone_of
from inventory.errors import DomainError
from inventory.reads.schedules import schedules
from inventory.web import Crumb, go_to, render_page
from inventory.whole_numbers import whole_numbers

SET_HOURS = "channels_sync.change_sendingwindow"
GIVEN_UP_PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Word:
    """What happens on a channel now: a word, its tone, an icon."""

    word: str
    tone: str
    icon: str


WORDS = {
    "off": Word("Off", "quiet", "power_settings_new"),
    "shadow": Word("Shadow", "info", "visibility"),
    "paused": Word("Paused", "look", "pause"),
    "quiet": Word("Quiet hours", "info", "bedtime"),
    "silent": Word("Does not answer", "blocked", "cloud_off"),
    "throttled": Word("Asked for a pause", "look", "hourglass_top"),
    "lowering": Word("Lowering only", "info", "trending_down"),
    "sending": Word("Sends", "good", "sync"),
}
AGES = ("under 1 minute", "1 to 5 minutes", "5 minutes to 1 hour", "1 hour to 1 day", "over 1 day")


@require_GET
@permission_required("channels_sync.view_sendingwindow", raise_exception=True)
def publishing(request: HttpRequest) -> HttpResponse:
    """Every channel: whether it sends, how full its account's allowance is, what waits and since when."""
    channels = list(Channel.objects.order_by("name"))
    found = sending_of(channels=channels, accounts=[account_of_channel(channel) for channel in channels])
    return render_page(
        request,
        "channels_sync/publishing.html",
        title="Publishing",
        crumbs=[Crumb("Channels", reverse("channels_sync:channels"))],
        rows=[(one, WORDS[one.state]) for one in found],
        is_sending=any(channel.is_sending for channel in channels),
        paused=[channel for channel in channels if channel.mode in SENDING and channel.is_paused],
        reason=next((channel.pause_reason for channel in channels if channel.is_paused_with_all), ""),
        given_up=sum(one.backlog.given_up for one in found),
        schedules=schedules(tasks_of="channels_sync"),
        may_see_schedules=request.user.has_perm("inventory.view_invariantrun"),
    )


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.view_sendingwindow", raise_exception=True)
def sending(request: HttpRequest, code: str) -> HttpResponse:
    """One channel: the same in full, its hours, and what is not sent any more; posting adds hours."""
    assert request.user.is_authenticated
    channel = get_object_or_404(Channel, code=code)
    if request.method == "GET":
        return _page(request, channel)
    if not request.user.has_perm(SET_HOURS):
        return HttpResponse(status=403)
    form = WindowForm(request.POST)
    if form.is_valid():
        try:
            window = add_window(channel=channel, actor=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return go_to(request, "channels_sync:sending", code, message=f"{window}: in force.")
    return _page(request, channel, window_form=form)


@require_POST
@permission_required(SET_HOURS, raise_exception=True)
def change_pace(request: HttpRequest, code: str) -> HttpResponse:
    """Set the clock of the hours and our share of the allowance."""
    assert request.user.is_authenticated
    channel = get_object_or_404(Channel, code=code)
    form = PaceForm(request.POST)
    if form.is_valid():
        try:
            set_sending(channel=channel, actor=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error("time_zone", error.message)
        else:
            return go_to(request, "channels_sync:sending", code, message="Clock and share are set.")
    return _page(request, channel, pace_form=form)


@require_POST
@permission_required(SET_HOURS, raise_exception=True)
def remove_hours(request: HttpRequest, pk: int) -> HttpResponse:
    assert request.user.is_authenticated
    window = get_object_or_404(SendingWindow.objects.select_related("channel"), pk=pk)
    remove_window(window=window, actor=request.user)
    message = "The hours are removed; what they kept back goes out."
    return go_to(request, "channels_sync:sending", window.channel.code, message=message)


@require_POST
@permission_required("channels_sync.change_listing", raise_exception=True)
def retry_all(request: HttpRequest, code: str) -> HttpResponse:
    """Try again what was given up: the ticked listings, or with `which=all` every one."""
    assert request.user.is_authenticated
    channel = get_object_or_404(Channel, code=code)
    ids = whole_numbers(request.POST.getlist("listing"))
    marked = None if request.POST.get("which") == "all" else list(Listing.objects.filter(channel=channel, pk__in=ids))
    count = retry_given_up(channel=channel, listings=marked, actor=request.user)
    words = f"{count} listing{'' if count == 1 else 's'} tried again now." if count else "Nothing was ticked."
    return go_to(request, "channels_sync:sending", code, message=words)


def _page(
    request: HttpRequest, channel: Channel, *, window_form: WindowForm | None = None, pace_form: PaceForm | None = None
) -> HttpResponse:
    (one,) = sending_of(channels=[channel], accounts=[account_of_channel(channel)])
    share = one.allowance.share_percent if one.allowance else 100
    page = Paginator(given_up(channel=channel), GIVEN_UP_PER_PAGE).get_page(request.GET.get("page"))
    problem = window_form is not None or pace_form is not None
    return render_page(
        request,
        "channels_sync/sending.html",
        title="Sending",
        crumbs=[
            Crumb("Channels", reverse("channels_sync:channels")),
            Crumb("Publishing", reverse("channels_sync:publishing")),
            Crumb(channel.name, reverse("channels_sync:channel", args=[channel.code])),
        ],
        status=422 if problem else 200,
        channel=channel,
        one=one,
        word=WORDS[one.state],
        ages=list(zip(AGES, one.backlog.ages, strict=True)),
        hours=[(window, _days(window)) for window in one.windows],
        zone=zone_of(channel).key,
        neighbours=_neighbours(channel, one),
        page_object=page,
        form=window_form or WindowForm(),
        pace_form=pace_form or PaceForm(initial={"time_zone": channel.time_zone, "share_percent": share}),
        may_set=request.user.has_perm(SET_HOURS),
    )


def _days(window: SendingWindow) -> str:
    names = [name for digit, name in DAYS if digit in window.weekdays]
    return "every day" if len(names) == len(DAYS) else ", ".join(names)


def _neighbours(channel: Channel, one: ChannelSending) -> list[Channel]:
    """Other channels that share the account."""
    if one.allowance is None:
        return []
    others = Channel.objects.exclude(pk=channel.pk).order_by("name")
    return [other for other in others if account_of_channel(other) == one.allowance.account]
