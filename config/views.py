"""The start page, the search over everything, and pages that say in words why something cannot be shown."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import Count, F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from channels_sync.models import Channel, ChannelMode, Listing, ListingPush
from channels_sync.reads.runs import changes_waiting
from config.bottlenecks import bottlenecks
from config.integrity.board import is_overdue, latest
from config.shell import address, menu_for
from inventory.models import (
    CostPool,
    CountSheet,
    CountSheetState,
    Item,
    Location,
    Movement,
    Posting,
    PostingKind,
    StockBalance,
    StockStatus,
)
from inventory.reads.board import EXPIRY_NOTICE_DAYS, BoardQuestion, expiring, items_matching
from inventory.reads.exceptions import queue_figures
from inventory.reads.item_ledger import actor_names, fully_reversed
from inventory.views.suggesting import matching_items
from inventory.web import is_htmx, render_page
from inventory.whole_numbers import whole_number
from production.models import Bom, BomState, Completion, WorkOrder

Person = User | AnonymousUser

RECENT_MAX = 10
HITS_MAX = 8


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that waits for a person: what, how many, and where to act."""

    tone: str  # blocked or look
    icon: str
    text: str
    url: str
    action: str


@require_GET
def today(request: HttpRequest) -> HttpResponse:
    """What needs somebody, what happened last, how the channels are, and the ways into the day's work."""
    user = request.user
    has_items = Item.objects.exists()
    return render_page(
        request,
        "config/today.html",
        title="Today",
        now=timezone.localtime(),
        attention=list(_attention(user)),
        bottlenecks=bottlenecks(user),
        is_new=not has_items,
        steps=list(_first_steps(user)) if not has_items or not Posting.objects.exists() else [],
        completions=_completions() if user.has_perm("production.view_completion") else [],
        postings=_postings() if user.has_perm("inventory.view_posting") else [],
        orders=_orders() if user.has_perm("production.view_workorder") else [],
        channels=_channels() if user.has_perm("channels_sync.view_channel") else [],
        quick=list(_quick(user)),
        completion_url=address("production:record_completion"),
    )


def _attention(user: Person) -> Iterable[Attention]:
    """Worst first; a fixed number of statements."""
    if user.has_perm("inventory.view_invariantrun"):
        yield from _ledger_attention()
    if user.has_perm("inventory.view_exceptioncase"):
        yield from _exception_attention(user)
    if user.has_perm("channels_sync.view_channel"):
        yield from _channel_attention()
    if user.has_perm("channels_sync.view_hold"):
        held = changes_waiting()
        if held:
            text = f"{held} change{_s(held)} of what channels show {'waits' if held == 1 else 'wait'} for a decision"
            yield Attention("blocked", "pan_tool", text, f"{reverse('channels_sync:runs')}?waits=1", "Decide")
    if user.has_perm("production.view_workorder"):
        late = WorkOrder.objects.open().filter(due_on__lt=timezone.localdate()).count()
        if late:
            text = f"{late} work order{_s(late)} past the due date"
            yield Attention("look", "schedule", text, reverse("production:work_orders"), "See them")
    if user.has_perm("inventory.view_stockbalance"):
        yield from _stock_attention(user)
    yield from _count_attention(user)
    if user.has_perm("production.view_bom"):
        waiting = Bom.objects.filter(state=BomState.DRAFT, created_at__lt=timezone.now() - timedelta(hours=1)).count()
        if waiting:
            url = f"{reverse('production:boms')}?state=draft"
            yield Attention("look", "edit_note", f"{waiting} BOM draft{_s(waiting)} not activated", url, "See them")


def _ledger_attention() -> Iterable[Attention]:
    """A breach stands here until a later check is clean."""
    row = latest()
    if row is None:
        return
    url = reverse("ledger_check")
    if not row.is_genuine:
        text = "The last ledger check was changed after it was written, so it proves nothing"
        yield Attention("blocked", "gpp_bad", text, url, "Look")
    elif not row.run.is_true:
        count = len(row.broken)
        text = f"The ledger check found {count} broken fact{_s(count)}"
        yield Attention("blocked", "error", text, url, "Look")
    if is_overdue(row):
        days = (timezone.now() - row.run.finished_at).days or 1
        text = f"The ledger was last checked {days} day{_s(days)} ago: the nightly check does not run"
        yield Attention("look", "schedule", text, url, "Look")


def _exception_attention(user: Person) -> Iterable[Attention]:
    """Severe cases by themselves, the rest in one line."""
    figures = queue_figures(person_id=user.pk)
    url = reverse("exceptions:exceptions")
    if figures.severe:
        text = f"{figures.severe} exception{_s(figures.severe)} of high severity"
        yield Attention("blocked", "notification_important", text, url, "Look")
    others = figures.waiting - figures.severe
    if others:
        yield Attention("look", "notifications", f"{others} other exception{_s(others)}", url, "See them")


def _channel_attention() -> Iterable[Attention]:
    broken = Channel.objects.exclude(mode=ChannelMode.OFF).exclude(last_error="")
    for channel in broken.filter(Q(last_success_at__isnull=True) | Q(last_error_at__gt=F("last_success_at"))):
        url = reverse("channels_sync:channel", args=[channel.code])
        yield Attention("blocked", "sync_problem", f"{channel.name}: {channel.last_error}", url, "Look")
    stuck = ListingPush.objects.filter(version__gt=F("sent_version"), attempts__gt=2).count()
    if stuck:
        text = f"{stuck} listing{_s(stuck)} could not be sent after several attempts"
        yield Attention("blocked", "error", text, f"{reverse('channels_sync:listings')}?state=failing", "Look")
    for channel in Channel.objects.filter(is_paused=True).exclude(mode=ChannelMode.OFF):
        url = reverse("channels_sync:channel", args=[channel.code])
        text = f"{channel.name} is paused: changes wait and nothing is sent"
        yield Attention("look", "pause_circle", text, url, "Look")


def _stock_attention(user: Person) -> Iterable[Attention]:
    board = reverse("inventory:board")
    inspects, sees_queue = user.has_perm("production.inspect"), user.has_perm("production.view_inspection")
    cells = StockBalance.objects.available().on_hand()
    found = (
        (
            _items_with(StockBalance.objects.on_hand().filter(status=StockStatus.QC_HOLD)),
            "hourglass_top",
            "on QC hold, waiting for inspection",
            reverse("quality:queue") if sees_queue else f"{board}?status=qc_hold",
            "Inspect" if inspects else "See them",
        ),
        (
            items_matching(BoardQuestion(flag="low")),
            "trending_down",
            "below the reorder point",
            f"{board}?flag=low&rows=items",
            "See them",
        ),
        (
            _items_with(cells.filter(expiring(soon=False))),
            "event_busy",
            "with lots past their last day, still marked available",
            f"{board}?flag=expired",
            "See them",
        ),
        (
            _items_with(cells.filter(expiring(soon=True))),
            "event_upcoming",
            f"with lots that expire within {EXPIRY_NOTICE_DAYS} days",
            f"{board}?flag=soon",
            "See them",
        ),
        (
            CostPool.objects.filter(unknown_quantity__gt=0).count(),
            "help",
            "in stock with a part whose cost is not known",
            f"{board}?flag=unknown&rows=items",
            "Correct" if user.has_perm("inventory.correct_cost") else "See them",
        ),
    )
    for count, icon, words, url, action in found:
        if count:
            yield Attention("look", icon, f"{count} item{_s(count)} {words}", url, action)


def _count_attention(user: Person) -> Iterable[Attention]:
    """Sheets to count, and counts to approve."""
    wanted = [
        ("inventory.count_stock", CountSheetState.OPEN, "to be counted", "Count"),
        ("inventory.approve_count", CountSheetState.REVIEW, "with variances to be approved", "Look"),
    ]
    for permission, state, words, action in wanted:
        count = CountSheet.objects.filter(state=state).count() if user.has_perm(permission) else 0
        if count:
            url = f"{reverse('inventory:counts')}?state={state}"
            yield Attention("look", "fact_check", f"{count} count sheet{_s(count)} {words}", url, action)


def _items_with(cells: Any) -> int:
    count: int = cells.aggregate(count=Count("item_id", distinct=True))["count"]
    return count


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _completions() -> list[Completion]:
    return list(
        Completion.objects.select_related("item", "posting", "work_order", "output_location").order_by("-posting_id")[
            :RECENT_MAX
        ]
    )


def _postings() -> list[dict[str, Any]]:
    """The last postings other than completions, with their first movement."""
    postings = list(Posting.objects.exclude(kind=PostingKind.COMPLETION).order_by("-pk")[:RECENT_MAX])
    first: dict[int, Movement] = {}
    for movement in (
        Movement.objects.filter(posting__in=postings).select_related("item", "location").order_by("-quantity", "pk")
    ):
        first.setdefault(movement.posting_id, movement)
    gone = fully_reversed([posting.pk for posting in postings])
    actors = actor_names(postings)
    return [
        {
            "posting": posting,
            "movement": first.get(posting.pk),
            "is_reversed": posting.pk in gone,
            "actor": actors.get(posting.actor_id, "the system"),
        }
        for posting in postings
    ]


def _orders() -> list[WorkOrder]:
    return list(
        WorkOrder.objects.open().select_related("item").order_by(F("due_on").asc(nulls_last=True), "pk")[:RECENT_MAX]
    )


def _channels() -> list[Channel]:
    waiting = Count("listings", filter=Q(listings__push__version__gt=F("listings__push__sent_version")))
    return list(
        Channel.objects.annotate(
            listing_count=Count("listings", filter=Q(listings__is_active=True)), waiting=waiting
        ).order_by("name")[:RECENT_MAX]
    )


QUICK = (
    ("production:record_completion", "task_alt", "Record completion", "production.record_completion"),
    ("inventory:receive", "input", "Receive stock", "inventory.receive_stock"),
    ("inventory:transfer", "swap_horiz", "Transfer", "inventory.transfer_stock"),
    ("inventory:adjust", "tune", "Adjust", "inventory.adjust_stock"),
    ("inventory:counts", "fact_check", "Count", "inventory.count_stock"),
    ("inventory:board", "inventory_2", "Stock board", "inventory.view_stockbalance"),
)


def _quick(user: Person) -> Iterable[dict[str, str]]:
    for target, icon, label, permission in QUICK:
        url = address(target)
        if url and user.has_perm(permission):
            yield {"url": url, "icon": icon, "label": label}


def _first_steps(user: Person) -> Iterable[dict[str, Any]]:
    """The way from nothing to a first completion, with what is done already."""
    steps = (
        ("Add a location", "Where stock stands: a site, with areas and bins below it.", Location.objects.exists(),
         "admin:inventory_location_add", "inventory.add_location"),
        ("Add items", "What you buy, make, use and sell.", Item.objects.exists(),
         "admin:inventory_item_add", "inventory.add_item"),
        ("Write a BOM", "What one of your products is made of.", Bom.objects.exists(),
         "production:new_bom", "production.add_bom"),
        ("Receive the components", "So that there is something to make it from.", Posting.objects.exists(),
         "inventory:receive", "inventory.receive_stock"),
        ("Record a completion", "Components fall, the product rises, channels learn of it.", Completion.objects.exists(),
         "production:record_completion", "production.record_completion"),
    )  # fmt: skip
    for title, text, is_done, target, permission in steps:
        url = address(target) if user.has_perm(permission) else None
        yield {"title": title, "text": text, "is_done": is_done, "url": url}


def for_those_with_screens(index: Callable[..., TemplateResponse]) -> Callable[..., TemplateResponse]:
    """The index of the set-up screens, for whoever may open one of them."""

    @wraps(index)
    def asked(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        if not admin.site.get_app_list(request):
            raise PermissionDenied
        return index(request, extra_context)

    return asked


# --- Search -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hit:
    title: str
    detail: str
    url: str
    icon: str
    is_exact: bool = False


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Items, work orders, listings and pages that match; an exact code sent by a scanner opens its page at once."""
    text = request.GET.get("q", "").strip()[:200]
    hits = list(_hits(request, text)) if text else []
    exact = [hit for hit in hits if hit.is_exact]
    if text and not is_htmx(request) and (len(exact) == 1 or len(hits) == 1):
        return redirect((exact or hits)[0].url)
    if is_htmx(request):
        return render(request, "config/_hits.html", {"hits": hits, "text": text})
    return render_page(request, "config/search.html", title="Search", text=text, hits=hits)


def _hits(request: HttpRequest, text: str) -> Iterable[Hit]:
    user = request.user
    folded = text.casefold()
    if user.has_perm("inventory.view_item"):
        for item in matching_items(text)[:HITS_MAX]:
            is_exact = folded in (item.sku.casefold(), item.barcode.casefold())
            yield Hit(item.sku, item.name, reverse("inventory:item", args=[item.pk]), "inventory_2", is_exact)
    if user.has_perm("production.view_workorder"):
        for order in WorkOrder.objects.filter(number__icontains=text).select_related("item").order_by("-pk")[:HITS_MAX]:
            url = reverse("production:work_order", args=[order.number])
            is_exact = folded == order.number.casefold()
            yield Hit(order.number, f"Work order · {order.item.sku}", url, "assignment", is_exact)
    if user.has_perm("channels_sync.view_listing"):
        found = Listing.objects.filter(external_sku__icontains=text).select_related("channel")
        for listing in found.order_by("external_sku")[:4]:
            url = reverse("channels_sync:listing", args=[listing.pk])
            yield Hit(listing.external_sku, f"Listing on {listing.channel.name}", url, "sell")
    number = whole_number(text)
    if user.has_perm("inventory.view_posting") and number is not None:
        for posting in Posting.objects.filter(pk=number):
            yield Hit(str(posting), "Posting", reverse("inventory:posting", args=[posting.pk]), "receipt_long")
    for group, entries in menu_for(request):
        for entry, url in entries:
            if folded in entry.title.casefold():
                yield Hit(entry.title, group.title or "Page", url, entry.icon)


# --- Refusals in words ------------------------------------------------------------------------------------------------


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    """403: who one is here, and who can help."""
    return _refusal(request, 403, "You may not do this", "config/403.html", roles=_roles(request))


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: nothing is at this address."""
    detail = str(exception) if exception and exception.args and isinstance(exception.args[0], str) else ""
    return _refusal(request, 404, "There is nothing here", "config/404.html", detail=detail)


def not_understood(request: HttpRequest) -> HttpResponse:
    """400: the address or the form holds a character that no text can have."""
    detail = (
        "What was sent holds a NUL character, which no text can have. Nothing was changed. Type it again, or go back."
    )
    return _refusal(request, 400, "That was not understood", "config/400.html", detail=detail)


def _refusal(request: HttpRequest, status: int, title: str, template: str, **context: Any) -> HttpResponse:
    if is_htmx(request):
        return render(request, "config/_refusal.html", {"title": title, "status": status, **context}, status=status)
    if not request.user.is_authenticated:
        return render(request, "config/plain.html", {"title": title, "status": status, **context}, status=status)
    return render(request, template, {**admin.site.each_context(request), "title": title, **context}, status=status)


def _roles(request: HttpRequest) -> list[str]:
    return sorted(request.user.groups.values_list("name", flat=True)) if request.user.is_authenticated else []
