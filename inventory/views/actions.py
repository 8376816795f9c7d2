"""A verb of stock as a page: one form, one operation, and the next goods after it."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inventory.errors import DomainError
from inventory.forms import StockForm
from inventory.models import Item, Movement, Posting, PostingKind, StockBalance
from inventory.operations.posting import Actor
from inventory.reads.item_ledger import fully_reversed
from inventory.templatetags.figures import grouped
from inventory.web import Crumb, add_refusal, go_to, render_page

RECENT_MAX = 8
PLACES = ("location", "target")
"""Fields that are scanned right after the item."""
CELLS_MAX = 30


@dataclass(frozen=True, slots=True)
class Done:
    posting: Posting
    message: str


@dataclass(frozen=True, slots=True)
class Action:
    """A verb of stock as a page. `submit` runs the one operation behind it; `keep` stays in the form for the next one."""

    name: str
    title: str
    verb: str
    icon: str
    help: str
    kind: PostingKind
    form: type[StockForm]
    submit: Callable[[StockForm, Actor], Done]
    keep: tuple[str, ...] = ("location",)
    more: tuple[str, ...] = ("effective_at", "note", "supplier_lot", "may_go_below")
    can_undo: bool = True
    effect: Callable[[StockForm], object | None] = lambda _form: None
    """What submitting the form as it stands would change, for `_cost_effect.html`; None when there is nothing to show."""


def moved_words(verb: str, item: Item, quantity: Decimal, where: str) -> SafeString:
    return format_html("{} {} {} of {} {}", verb, grouped(quantity), item.stock_unit, item.sku, where)


def link_to(posting: Posting) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("inventory:posting", args=[posting.pk]), str(posting))


def action_page(request: HttpRequest, action: Action) -> HttpResponse:
    """Show the form, refresh it when its item or place changed, or do what it says and start the next one."""
    assert request.user.is_authenticated
    if request.method == "POST" and "refresh" not in request.POST:
        form = action.form(request.POST, user=request.user)
        if form.is_valid():
            try:
                done = action.submit(form, request.user)
            except DomainError as error:
                add_refusal(form, error)
                form._focus()
            else:
                undo = ""
                if request.user.has_perm("inventory.reverse_posting") and action.can_undo:
                    undo = reverse("inventory:undo_posting", args=[done.posting.pk])
                return go_to(request, _next(form, action), message=done.message, undo=undo)
    else:
        source = request.POST if request.method == "POST" else request.GET
        form = action.form(initial={name: source[name] for name in source if source[name]}, user=request.user)
    return render_page(
        request,
        "inventory/move.html",
        part="inventory/_move.html",
        title=action.title,
        crumbs=[Crumb("Stock board", reverse("inventory:board"))],
        form=form,
        action=action,
        action_url=reverse(f"inventory:{action.name}"),
        place_fields=[form[name] for name in PLACES if name in form.fields],
        main_fields=[
            form[n] for n in form.fields if n not in (*action.more, *PLACES, "key", "item", "quantity", "unit")
        ],
        more_fields=[form[name] for name in action.more if name in form.fields],
        cells=_cells(form.known_item),
        effect=action.effect(form),
        recent=[] if "HX-Request" in request.headers else recent_postings(action.kind),
    )


def _next(form: StockForm, action: Action) -> str:
    """The address of the same form for the next goods, with what usually stays the same."""
    kept = {name: form.typed(name) for name in action.keep if form.typed(name)}
    url = reverse(f"inventory:{action.name}")
    return f"{url}?{urlencode(kept)}" if kept else url


def _cells(item: Item | None) -> list[StockBalance]:
    """What there is of the item now, to look at while filling in the form."""
    if item is None:
        return []
    cells = StockBalance.objects.on_hand().filter(item=item).select_related("location", "lot")
    return list(cells.order_by("location__path", "lot__expires_on", "lot_id", "status")[:CELLS_MAX])


def recent_postings(kind: PostingKind) -> list[dict[str, Any]]:
    """The last postings of a kind with their first movement, newest first."""
    postings = list(Posting.objects.filter(kind=kind).order_by("-pk")[:RECENT_MAX])
    first: dict[int, Movement] = {}
    for movement in (
        Movement.objects.filter(posting__in=postings).select_related("item", "location").order_by("-quantity", "pk")
    ):
        first.setdefault(movement.posting_id, movement)
    gone = fully_reversed([posting.pk for posting in postings])
    return [
        {"posting": posting, "movement": first.get(posting.pk), "is_reversed": posting.pk in gone}
        for posting in postings
    ]
