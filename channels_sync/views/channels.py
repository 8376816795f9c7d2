"""Channels, their listings, and why a listing shows its figure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Page, Paginator
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from channels_sync.models import (
    SENDING,
    Channel,
    ChannelMode,
    Freeze,
    Hold,
    HoldState,
    Listing,
    ListingPush,
    PublicationLine,
    PublicationState,
)
from channels_sync.operations.controlling import (
    pause_channel,
    resume_channel,
    retry_listing,
    set_channel_mode,
    unsent_of,
)
from channels_sync.operations.first_looks import take_first_look
from channels_sync.operations.rehearsing import outlook_of_automatic
from channels_sync.operations.second_looks import TYPED_FROM, TypedConfirmationRequired
from channels_sync.reads.differences import open_difference
from channels_sync.reads.publishing import channel_health
from channels_sync.views.explaining import why_of
from inventory.errors import DomainError
from inventory.filters import Chip, without
from inventory.web import Cell, Crumb, export_table, go_to, render_page

LOOK_SECONDS = 20.0
"""What somebody waits for at a button."""
LISTINGS_PER_PAGE = 50
HISTORY_PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class State:
    """How far a listing's newest figure got: a word, its tone, an icon, and what that means."""

    word: str
    tone: str
    icon: str
    meaning: str


HELD = State("Held", "look", "pan_tool", "A change of it waits for a person; until then it is not raised.")
DIFFERS = State("Differs", "look", "radar", "The channel was read back and shows something else.")
UNKNOWN = State("Not worked out", "quiet", "hourglass_empty", "No figure has been worked out yet.")
STATES = {
    PublicationState.SHADOW: State("Shadow", "info", "visibility", "Worked out and kept, not sent."),
    PublicationState.QUEUED: State("Waiting", "look", "schedule", "It will be sent as soon as the channel takes it."),
    PublicationState.SENT: State("On its way", "info", "send", "Sent; the channel has not answered yet."),
    PublicationState.ACCEPTED: State("Accepted", "info", "done", "The channel took it; it has not been read back yet."),
    PublicationState.CONFIRMED: State("Confirmed", "good", "done_all", "The channel was read back and shows it."),
    PublicationState.FAILED: State("Failed", "blocked", "error", "The channel refused it."),
    PublicationState.SUPERSEDED: State("Superseded", "quiet", "fast_forward", "A newer figure took its place."),
}


def state_of(push: ListingPush | None, channel: Channel) -> State:
    """Where a listing's newest figure is."""
    if push is None or (push.wanted is None and not push.is_held):
        return UNKNOWN
    if push.version > push.sent_version:
        if channel.mode not in SENDING:
            return STATES[PublicationState.SHADOW]
        if push.is_held and not push.last_error:
            return HELD
        return STATES[PublicationState.FAILED if push.last_error else PublicationState.QUEUED]
    if push.is_held:
        return HELD
    if push.sent_version > push.confirmed_version:
        return STATES[PublicationState.ACCEPTED]
    return STATES[PublicationState.CONFIRMED]


@dataclass(frozen=True, slots=True)
class ListingRow:
    listing: Listing
    push: ListingPush | None
    state: State


@require_GET
@permission_required("channels_sync.view_channel", raise_exception=True)
def channels(request: HttpRequest) -> HttpResponse:
    """Every channel with its state."""
    found = list(Channel.objects.order_by("name"))
    health = channel_health(channels=found)
    return render_page(
        request,
        "channels_sync/channels.html",
        title="Channels",
        rows=[(channel, health[channel.pk]) for channel in found],
    )


@require_GET
@permission_required("channels_sync.view_channel", raise_exception=True)
def channel_page(request: HttpRequest, code: str) -> HttpResponseBase:
    """One channel: switches, how it is doing, and its listings."""
    channel = get_object_or_404(Channel.objects.prefetch_related("source_locations"), code=code)
    return _listings(
        request,
        Listing.objects.filter(channel=channel),
        template="channels_sync/channel.html",
        title=channel.name,
        crumbs=[Crumb("Channels", reverse("channels_sync:channels"))],
        channel=channel,
        health=channel_health(channels=[channel])[channel.pk],
        modes=[(ChannelMode(value), *_mode_words(value)) for value in ChannelMode.values],
        sources=list(channel.source_locations.all()),
        freezes=list(Freeze.objects.in_force().filter(channel=channel).told()),
        in_trouble=bool(channel.last_error)
        and (
            channel.last_success_at is None or (channel.last_error_at or channel.created_at) > channel.last_success_at
        ),
    )


@require_GET
@permission_required("channels_sync.view_listing", raise_exception=True)
def listings(request: HttpRequest) -> HttpResponseBase:
    """The listings of all channels."""
    return _listings(request, Listing.objects.all(), template="channels_sync/listings.html", title="Listings")


def _mode_words(mode: str) -> tuple[str, str]:
    label, _, meaning = ChannelMode(mode).label.partition(": ")
    return label, meaning.capitalize()


LISTING_STATES = {
    "failing": "Failing",
    "waiting": "Waiting to be sent",
    "held": "Held for a person",
    "differing": "Channel shows something else",
}


def _listings(
    request: HttpRequest, base: QuerySet[Listing], *, template: str, title: str, **context: Any
) -> HttpResponseBase:
    text = request.GET.get("q", "").strip()[:200]
    state = request.GET.get("state", "")
    state = state if state in LISTING_STATES else ""
    found = base.select_related("channel", "item", "push").order_by("item__sku", "channel__name", "external_sku", "pk")
    if text:
        found = found.filter(Q(external_sku__icontains=text) | Q(title__icontains=text) | Q(item__sku__icontains=text))
    if state in ("failing", "waiting"):
        found = found.filter(push__version__gt=F("push__sent_version"), channel__mode__in=SENDING)
        found = found.exclude(push__last_error="") if state == "failing" else found
    elif state == "held":
        found = found.filter(push__is_held=True)
    elif state == "differing":
        found = found.exclude(push__channel_quantity=F("push__wanted")).filter(push__channel_quantity__isnull=False)
    download = export_table(
        request.GET.get("export", ""), name="Listings", header=EXPORT_HEADER, rows=_export_rows(found)
    )
    if download is not None:
        return download
    page: Page[Listing] = Paginator(found, LISTINGS_PER_PAGE).get_page(request.GET.get("page"))
    chips = [Chip(f"“{text}”", without(request.GET, "q"))] if text else []
    if state:
        chips.append(Chip(LISTING_STATES[state], without(request.GET, "state")))
    return render_page(
        request,
        template,
        part={"listings": "channels_sync/_listings.html"},
        title=title,
        page_object=page,
        rows=[_row(listing) for listing in page.object_list],
        text=text,
        state=state,
        states=LISTING_STATES.items(),
        chips=chips,
        clear_url=without(request.GET, "q", "state"),
        **context,
    )


def _row(listing: Listing) -> ListingRow:
    push = getattr(listing, "push", None)
    return ListingRow(listing, push, state_of(push, listing.channel))


EXPORT_HEADER = ["Channel", "Channel SKU", "Item", "Pack", "Wanted", "Channel shows", "State", "Error"]


def _export_rows(found: QuerySet[Listing]) -> Iterator[list[Cell]]:
    for listing in found.iterator(chunk_size=1000):
        row = _row(listing)
        yield [
            listing.channel.name,
            listing.external_sku,
            listing.item.sku,
            listing.pack_size,
            row.push.wanted if row.push else None,
            row.push.channel_quantity if row.push else None,
            row.state.word,
            row.push.last_error if row.push else "",
        ]


@require_POST
@permission_required("channels_sync.pause_channel", raise_exception=True)
def pause(request: HttpRequest, code: str) -> HttpResponse:
    assert request.user.is_authenticated
    channel = pause_channel(
        channel=get_object_or_404(Channel, code=code), actor=request.user, reason=request.POST.get("reason", "")
    )
    message = f"{channel.name} is paused. Nothing is sent; changes wait."
    return go_to(request, _back_to(request), code, message=message)


@require_POST
@permission_required("channels_sync.pause_channel", raise_exception=True)
def resume(request: HttpRequest, code: str) -> HttpResponse:
    assert request.user.is_authenticated
    channel = resume_channel(channel=get_object_or_404(Channel, code=code), actor=request.user)
    message = f"{channel.name} sends again. The newest figure of each listing goes out."
    return go_to(request, _back_to(request), code, message=message)


def _back_to(request: HttpRequest) -> str:
    """The page of the channel whose button it was."""
    return "channels_sync:sending" if request.POST.get("from") == "sending" else "channels_sync:channel"


@require_POST
@permission_required("channels_sync.change_channel", raise_exception=True)
def change_mode(request: HttpRequest, code: str) -> HttpResponse:
    assert request.user.is_authenticated
    wanted = request.POST.get("mode", "")
    mode = next((one for one in ChannelMode if one.value == wanted), None)
    if mode is None:
        return go_to(request, "channels_sync:channel", code, message="Choose a mode first.", level=40)
    channel = get_object_or_404(Channel, code=code)
    typed = request.POST.get("typed")
    if typed is None and mode == ChannelMode.AUTO and channel.mode not in SENDING and unsent_of(channel).exists():
        return go_to(request, "channels_sync:go_automatic", code)  # the plan is looked at first
    try:
        channel = set_channel_mode(channel=channel, mode=mode, actor=request.user, typed=typed)
    except TypedConfirmationRequired as error:
        return go_to(request, "channels_sync:go_automatic", code, message=error.message, level=40)
    except DomainError as error:
        return go_to(request, "channels_sync:channel", code, message=error.message, level=40)
    label, meaning = _mode_words(channel.mode)
    return go_to(request, "channels_sync:channel", code, message=f"{channel.name} is now {label.lower()}. {meaning}.")


@require_GET
@permission_required("channels_sync.change_channel", raise_exception=True)
def go_automatic(request: HttpRequest, code: str) -> HttpResponse:
    """What a channel would be sent, and what the guard would hold, before it is switched to automatic."""
    channel = get_object_or_404(Channel, code=code)
    if channel.mode in SENDING:
        return go_to(request, "channels_sync:channel", code)
    try:
        outlook = outlook_of_automatic(channel=channel)
    except DomainError as error:
        return go_to(request, "channels_sync:channel", code, message=error.message, level=40)
    return render_page(
        request,
        "channels_sync/go_automatic.html",
        title=f"Switch {channel.name} to automatic",
        crumbs=[
            Crumb("Channels", reverse("channels_sync:channels")),
            Crumb(channel.name, reverse("channels_sync:channel", args=[code])),
        ],
        channel=channel,
        outlook=outlook,
        page_object=Paginator(outlook.changes, LISTINGS_PER_PAGE).get_page(request.GET.get("page")),
        count=len(outlook.changes),
        typed_from=TYPED_FROM,
        unknown=sum(change.before is None for change in outlook.changes),
    )


@require_POST
@permission_required("channels_sync.change_channel", raise_exception=True)
def look(request: HttpRequest, code: str) -> HttpResponse:
    """Read what the channel shows before it is told anything, and go back to the plan of the switch."""
    channel = get_object_or_404(Channel, code=code)
    found = take_first_look(channel_id=channel.pk, before=timezone.now(), seconds_max=LOOK_SECONDS)
    words = [f"{found.read} listing{'' if found.read == 1 else 's'} read."]
    if found.missing:
        words.append(f"{found.missing} are not on the channel, or not stocked there.")
    if found.left:
        words.append(f"{found.left} not looked at yet.")
    if found.problem:
        words.append(found.problem)
    elif found.left:
        words.append("Read again to go on; in the shadow the rest is read within minutes by itself.")
    message = " ".join(words)
    return go_to(request, "channels_sync:go_automatic", code, message=message, level=40 if found.problem else 20)


@require_GET
@permission_required("channels_sync.view_listing", raise_exception=True)
def listing_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One listing: its figure, why, and every figure before."""
    listing = get_object_or_404(Listing.objects.select_related("channel", "item", "push"), pk=pk)
    lines = PublicationLine.objects.filter(listing=listing).select_related("run").order_by("-version")
    page = Paginator(lines, HISTORY_PER_PAGE).get_page(request.GET.get("page"))
    newest = lines.first()
    difference = open_difference(listing_id=listing.pk)
    row = _row(listing)
    if difference is not None and row.push is not None and difference.version == row.push.version:
        row = replace(row, state=DIFFERS)
    return render_page(
        request,
        "channels_sync/listing.html",
        title=listing.external_sku,
        crumbs=[
            Crumb("Channels", reverse("channels_sync:channels")),
            Crumb(listing.channel.name, reverse("channels_sync:channel", args=[listing.channel.code])),
        ],
        listing=listing,
        row=row,
        newest=newest,
        why=why_of(newest.derivation) if newest else None,
        page_object=page,
        hold=Hold.objects.filter(listing=listing, state=HoldState.OPEN).select_related("run").first(),
        difference=difference,
        freezes=list(Freeze.objects.in_force().on(listing).told()),
        history=[(line, STATES[PublicationState(line.state)]) for line in page.object_list],
    )


@require_POST
@permission_required("channels_sync.change_listing", raise_exception=True)
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    listing = get_object_or_404(Listing, pk=pk)
    retry_listing(listing=listing)
    return go_to(request, "channels_sync:listing", pk, message=f"{listing.external_sku} is tried again now.")
