"""BOM versions: the list, the page of one, and what can be done with it."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inventory.errors import DomainError
from inventory.filters import Chip, find_item, without
from inventory.form_fields import SUGGESTIONS_MAX
from inventory.models import Item
from inventory.templatetags.figures import badge
from inventory.web import Crumb, export_table, go_to, is_htmx, render_page
from inventory.whole_numbers import whole_numbers
from production.costing import KIND_WORDS, CostKind
from production.models import Bom, BomOperation, BomOutput, BomState
from production.operations.boms import activate_bom, create_draft, discard_draft, draft_from, overtaken_by, retire_bom
from production.reads.bom_check import problems_of
from production.reads.bom_content import contents_of
from production.reads.bom_list import bom_rows
from production.reads.bom_tree import bom_tree
from production.reads.buildable import buildable_by_bom
from production.reads.cost_rollup import CostRollup, cost_rollups

ROWS_PER_PAGE = 50
TREE_ROWS_MAX = 500
VERSIONS_SHOWN_MAX = 12
TONES = {
    BomState.DRAFT: ("info", "edit_note"),
    BomState.ACTIVE: ("good", "check_circle"),
    BomState.RETIRED: ("quiet", "inventory"),
}
STATES = {"active": "In force or planned", "draft": "Drafts", "retired": "Retired", "all": "Every state"}


def crumbs_of(bom: Bom | None = None) -> list[Crumb]:
    crumbs = [Crumb("BOMs", reverse("production:boms"))]
    if bom is not None:
        crumbs.append(Crumb(title_of(bom), reverse("production:bom", args=[bom.pk])))
    return crumbs


def title_of(bom: Bom) -> str:
    return f"{bom.item.sku} v{bom.version}"


def state_badge(bom: Bom) -> SafeString:
    tone, icon = TONES[BomState(bom.state)]
    today = timezone.localdate()
    if bom.state == BomState.ACTIVE and bom.effective_from and bom.effective_from > today:
        return badge("Planned", "info", "event")
    return badge(bom.get_state_display(), tone, icon)


def bom_named(pk: int) -> Bom:
    return get_object_or_404(Bom.objects.select_related("item", "created_by"), pk=pk)


# --- The list ---------------------------------------------------------------------------------------------------------


@require_GET
@permission_required("production.view_bom", raise_exception=True)
def boms(request: HttpRequest) -> HttpResponseBase:
    """Versions by item; drafts and what is in force unless a state is chosen."""
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    text = request.GET.get("q", "").strip()[:100]
    component = request.GET.get("uses", "").strip()[:100]
    found = _filtered(state, text, component)
    table = export_table(
        request.GET.get("export", ""),
        name="BOMs",
        header=["Item", "Name", "Version", "State", "In force from", "Until", "Makes", "Unit", "Note"],
        rows=(
            [
                bom.item.sku,
                bom.item.name,
                bom.version,
                bom.get_state_display(),
                str(bom.effective_from or ""),
                str(bom.effective_to or ""),
                bom.makes,
                bom.item.stock_unit,
                bom.note,
            ]
            for bom in found.iterator(chunk_size=1000)
        ),
    )
    if table is not None:
        return table
    page = Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page"))
    chips = [
        Chip(label, without(request.GET, name))
        for name, label in (
            ("q", f"“{text}”" if text else ""),
            ("uses", f"Uses {component}" if component else ""),
            ("state", STATES[state] if state else ""),
        )
        if label
    ]
    return render_page(
        request,
        "production/boms.html",
        part={"boms": "production/_boms.html"},
        title="BOMs",
        page_object=page,
        rows=[(row, state_badge(row.bom)) for row in bom_rows(list(page.object_list))],
        has_any=bool(page.paginator.count) or Bom.objects.exists(),
        chips=chips,
        clear_url=reverse("production:boms"),
        states=STATES,
        state=state,
        text=text,
        component=component,
    )


def _filtered(state: str, text: str, component: str) -> QuerySet[Bom]:
    found: QuerySet[Bom] = Bom.objects.select_related("item").order_by("item__sku", "-version")
    if text:
        found = found.filter(Q(item__sku__icontains=text) | Q(item__name__icontains=text) | Q(item__barcode=text))
    if component:
        of_item = Q(lines__component__sku__iexact=component) | Q(lines__component__barcode=component)
        found = found.filter(pk__in=Bom.objects.filter(of_item).values("pk"))
    if state and state != "all":
        return found.filter(state=state)
    if not state:
        return found.exclude(state=BomState.RETIRED)
    return found


@require_GET
@permission_required("production.view_bom", raise_exception=True)
def suggest_components(request: HttpRequest) -> HttpResponse:
    """Active items of every kind: a component may be a phantom or a service too."""
    text = request.GET.get("q", "").strip()
    found = Item.objects.active().matching(text).order_by("sku") if text else Item.objects.none()
    exact = list(Item.objects.active().filter(sku__iexact=text)) if text else []
    items = [*exact, *(item for item in found[:SUGGESTIONS_MAX] if item not in exact)]
    return render(request, "inventory/_suggest_items.html", {"items": items[:SUGGESTIONS_MAX], "text": text})


# --- One version ------------------------------------------------------------------------------------------------------


@require_GET
@permission_required("production.view_bom", raise_exception=True)
def bom(request: HttpRequest, pk: int) -> HttpResponse:
    """A version with its tree, cost and parts; a draft leads on to its editor."""
    return bom_response(request, bom_named(pk))


def bom_response(request: HttpRequest, bom: Bom, *, refusal: str = "") -> HttpResponse:
    tree = bom_tree(bom_id=bom.pk, rows_max=TREE_ROWS_MAX)
    can_make = buildable_by_bom(boms=[bom.pk]).get(bom.pk)
    rollup = cost_rollups(boms=[bom.pk])[bom.pk]
    contents = contents_of(boms=[bom.pk])
    is_checked = bom.state != BomState.RETIRED
    return render_page(
        request,
        "production/bom.html",
        title=title_of(bom),
        crumbs=crumbs_of(),
        status=409 if refusal else None,
        refusal=refusal,
        bom=bom,
        badge=state_badge(bom),
        versions=versions_of(bom),
        tree=tree,
        rollup=rollup,
        kinds=kinds_of(rollup),
        buildable=can_make,
        problems=problems_of(items={bom.pk: bom.item}, contents=contents)[bom.pk] if is_checked else [],
        substitutes=[line for line in contents[bom.pk].lines if line.substitutes],
        outputs=list(BomOutput.objects.filter(bom=bom).select_related("item").order_by("position", "id")),
        operations=list(BomOperation.objects.filter(bom=bom).order_by("position", "id")),
        attachments=list(bom.attachments.select_related("uploaded_by").order_by("name", "id")),
        compared=compared_version(bom),
        meanwhile=overtaken_by(bom, Bom.objects.filter(item_id=bom.item_id)) if bom.is_draft else None,
        today=timezone.localdate(),
    )


def over_of(data: QueryDict) -> set[int]:
    """The versions a form says somebody has looked at and writes over."""
    return set(whole_numbers(data.getlist("over")))


def kinds_of(rollup: CostRollup) -> list[tuple[str, Any]]:
    """The cost by kind with words, in their order; empty while it is unknown."""
    return [(KIND_WORDS[CostKind(kind)], value) for kind, value in rollup.by_kind.items()]


def versions_of(bom: Bom) -> list[Bom]:
    return list(Bom.objects.filter(item_id=bom.item_id).order_by("-version")[:VERSIONS_SHOWN_MAX])


def compared_version(bom: Bom) -> Bom | None:
    """The version a page compares with: for a draft the active one, else the one before."""
    others = Bom.objects.filter(item_id=bom.item_id).exclude(pk=bom.pk).select_related("item")
    if bom.is_draft:
        active = others.filter(state=BomState.ACTIVE).order_by("-effective_from", "-version").first()
        if active is not None:
            return active
    return others.filter(version__lt=bom.version).order_by("-version").first()


# --- What can be done -------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@permission_required("production.add_bom", raise_exception=True)
def new_bom(request: HttpRequest) -> HttpResponse:
    """A first draft for an item; one that has versions already gets a draft of the newest."""
    text = (request.POST.get("item") or request.GET.get("item") or "").strip()
    item = find_item(text) if text else None
    refusal = ""
    if request.method == "POST":
        if item is None:
            refusal = (
                f"There is no item with SKU or barcode “{text}”." if text else "Which item is made? Scan or type it."
            )
        else:
            open_draft = Bom.objects.filter(item=item, state=BomState.DRAFT, lines=None).order_by("-version").first()
            newest = Bom.objects.filter(item=item).exclude(state=BomState.DRAFT).order_by("-version").first()
            try:
                draft = open_draft or create_draft(item=item, copy_of=newest, actor=request.user)
            except DomainError as error:
                refusal = error.message
            else:
                return go_to(request, "production:edit_bom", draft.pk)
    return render_page(
        request,
        "production/new_bom.html",
        title="New BOM",
        crumbs=crumbs_of(),
        status=422 if refusal else 200,
        refusal=refusal,
        text=text,
    )


def _doing(request: HttpRequest, pk: int, work: Callable[[Bom], tuple[str, str]]) -> HttpResponse:
    """Do something with a version: go on to where it leads, or show the refusal on its page."""
    bom = bom_named(pk)
    try:
        url, message = work(bom)
    except DomainError as error:
        if is_htmx(request):
            return go_to(request, "production:bom", pk, message=error.message, level=messages.ERROR)
        return bom_response(request, bom_named(pk), refusal=error.message)
    return go_to(request, url, message=message)


@require_POST
@permission_required("production.add_bom", raise_exception=True)
def draft_bom(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft of any version."""

    def work(bom: Bom) -> tuple[str, str]:
        draft = draft_from(bom=bom, actor=request.user)
        message = f"{title_of(draft)} is a draft of v{bom.version}. What is in force stays so until you activate it."
        return reverse("production:edit_bom", args=[draft.pk]), message

    return _doing(request, pk, work)


@require_POST
@permission_required("production.activate_bom", raise_exception=True)
def activate(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a draft in force from a day on."""

    def work(bom: Bom) -> tuple[str, str]:
        text = request.POST.get("effective_from", "").strip()
        try:
            day = parse_date(text) if text else None
        except ValueError:
            day = None
        done = activate_bom(bom=bom, effective_from=day, actor=request.user, over=over_of(request.POST))
        replaced = ", ".join(f"v{old.version}" for old in done.replaced)
        words = f"{title_of(bom)} is in force from {done.bom.effective_from}"
        return reverse("production:bom", args=[pk]), f"{words}{f' and follows {replaced}' if replaced else ''}."

    return _doing(request, pk, work)


@require_POST
@permission_required("production.delete_bom", raise_exception=True)
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Throw a draft away."""

    def work(bom: Bom) -> tuple[str, str]:
        discard_draft(bom=bom, actor=request.user)
        return reverse("production:boms"), f"Discarded the draft {title_of(bom)}."

    return _doing(request, pk, work)


@require_POST
@permission_required("production.activate_bom", raise_exception=True)
def retire(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a version out of force."""

    def work(bom: Bom) -> tuple[str, str]:
        retire_bom(bom=bom, actor=request.user)
        return reverse("production:bom", args=[pk]), f"{title_of(bom)} is retired. New completions no longer use it."

    return _doing(request, pk, work)
