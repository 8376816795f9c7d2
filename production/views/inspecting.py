"""Inspecting: what waits on hold, judging it on a tablet, and what was decided, with the way back."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inventory.errors import DomainError
from inventory.filters import Chip, without
from inventory.models import Movement, Posting
from inventory.quantities import from_text
from inventory.templatetags.figures import grouped
from inventory.web import Crumb, add_refusal, export_table, go_to, key_from, render_page
from production.errors import InspectionIncomplete, OverInspection
from production.forms_quality import VerdictForm
from production.models import (
    Disposition,
    Inspection,
    InspectionCheck,
    InspectionDecision,
    InspectionFile,
    InspectionVerdict,
)
from production.operations.inspecting import (
    VerdictResult,
    decide_inspection,
    open_inspection,
    release_not_due,
    return_reworked,
    undo_verdict,
)
from production.operations.inspection_files import IMAGES, attach_file
from production.reads.held_goods import ROWS_MAX, HeldGoods, HeldQuestion, held_arrival, held_goods, hold_figures
from production.reads.inspections import inspections, records

ROWS_PER_PAGE = 50
SOURCES = (("output", "Made"), ("receipt", "Received"), ("other", "Came another way"))
DONE_WORDS = {
    Disposition.RELEASE: "released",
    Disposition.SCRAP: "scrapped",
    Disposition.REWORK: "sent to rework",
    Disposition.QUARANTINE: "put into quarantine",
}
EXPORT_HEADER = (
    "On hold since",
    "SKU",
    "Item",
    "Lot",
    "Place",
    "Held",
    "Unit",
    "From",
    "Reference",
    "Work order",
    "Due",
)


def link_to(posting: Posting) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("inventory:posting", args=[posting.pk]), str(posting))


def posting_links(postings: Sequence[Posting]) -> SafeString:
    return format_html_join(" · ", "{}", ((link_to(posting),) for posting in postings))


def queue_crumb() -> Crumb:
    return Crumb("Quality", reverse("quality:queue"))


# --- What waits ----------------------------------------------------------------------------------------------------


@require_GET
@permission_required("production.view_inspection", raise_exception=True)
def queue(request: HttpRequest) -> HttpResponseBase:
    """What waits for inspection, the longest first. A scanned lot or item that waits once opens its inspection."""
    text = request.GET.get("q", "").strip()[:100]
    source = request.GET.get("source", "") if request.GET.get("source") in dict(SOURCES) else ""
    rows = held_goods(HeldQuestion(text=text, source=source))
    if request.GET.get("due"):
        rows = [goods for goods in rows if goods.is_due]
    exported = export_table(
        request.GET.get("export", ""), name="On hold", header=EXPORT_HEADER, rows=(_exported(goods) for goods in rows)
    )
    if exported is not None:
        return exported
    if "scan" in request.GET and text and request.user.has_perm("production.inspect"):
        scanned = [goods for goods in rows if _is_scanned(goods, text)]
        if len(scanned) == 1:
            return redirect("quality:inspect", scanned[0].pk)
    now = timezone.now()
    all_rows = rows if not (text or source or request.GET.get("due")) else held_goods()
    return render_page(
        request,
        "production/quality/queue.html",
        part={"held": "production/quality/_queue.html"},
        title="Quality",
        page_object=Paginator(rows, ROWS_PER_PAGE).get_page(request.GET.get("page")),
        now=now,
        text=text,
        source=source,
        sources=SOURCES,
        only_due=bool(request.GET.get("due")),
        chips=_chips(request, text, source),
        clear_url=reverse("quality:queue"),
        waiting=len(all_rows),
        is_capped=len(all_rows) >= ROWS_MAX,
        oldest=all_rows[0] if all_rows else None,
        not_due=sum(not goods.is_due for goods in all_rows),
        figures=hold_figures(at=now),
    )


def _is_scanned(goods: HeldGoods, text: str) -> bool:
    return text.casefold() in (goods.lot_code.casefold(), goods.item.sku.casefold(), goods.work_order.casefold())


def _exported(goods: HeldGoods) -> Sequence[Any]:
    return (
        timezone.localtime(goods.since).strftime("%Y-%m-%d %H:%M"),
        goods.item.sku,
        goods.item.name,
        goods.lot_code,
        goods.location_code,
        goods.held,
        goods.item.stock_unit,
        f"{goods.kind_label} {goods.posting_id}",
        goods.reference,
        goods.work_order,
        "yes" if goods.is_due else "no",
    )


def _chips(request: HttpRequest, text: str, source: str) -> list[Chip]:
    chips = []
    if text:
        chips.append(Chip(f"Matches “{text}”", without(request.GET, "q", "scan")))
    if source:
        chips.append(Chip(dict(SOURCES)[source], without(request.GET, "source")))
    if request.GET.get("due"):
        chips.append(Chip("Due for inspection", without(request.GET, "due")))
    return chips


@require_POST
@permission_required("production.inspect", raise_exception=True)
def release_skipped(request: HttpRequest) -> HttpResponse:
    """Release what its plans let pass without inspection."""
    count = release_not_due(actor=request.user)
    words = f"Released {count} that were not due." if count else "Nothing was released: all that waits is due."
    return go_to(request, reverse("quality:queue"), message=words)


# --- Judging -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@permission_required("production.inspect", raise_exception=True)
def inspect(request: HttpRequest, handle: int) -> HttpResponse:
    """Judge what is held of one arrival: checks, quantities, photos, and one verdict."""
    goods = held_arrival(handle)
    if goods is None:
        return _gone(request, handle)
    checks = list(goods.plan.checks.order_by("position", "id")) if goods.plan is not None else []
    if request.method == "GET":
        return _inspect_page(request, goods, VerdictForm(goods=goods, checks=checks))
    form = VerdictForm(request.POST, goods=goods, checks=checks)
    refusal = _attach(request, goods)
    if "attach" in request.POST:
        typed = VerdictForm(initial=request.POST.dict(), goods=goods, checks=checks)
        return _inspect_page(request, goods, typed, refusal=refusal)
    if refusal is None and form.is_valid():
        try:
            result = decide_inspection(
                key=form.cleaned_data["key"],
                handle=goods.pk,
                outcomes=form.outcomes(),
                findings=form.findings(),
                note=form.cleaned_data["note"],
                actor=request.user,
            )
        except DomainError as error:
            _show_refusal(form, error)
        else:
            return _decided(request, goods, result)
    return _inspect_page(request, goods, form, refusal=refusal, status=422)


def _attach(request: HttpRequest, goods: HeldGoods) -> DomainError | None:
    """Keep the files that came with the form, also when the verdict itself is refused; the first refusal."""
    for upload in request.FILES.getlist("files"):
        try:
            attach_file(
                inspection=open_inspection(handle=goods.pk, actor=request.user), upload=upload, actor=request.user
            )
        except DomainError as error:
            return error
    return None


def _show_refusal(form: VerdictForm, error: DomainError) -> None:
    if isinstance(error, InspectionIncomplete):
        missing = error.context["missing"]
        for shown in form.shown_checks():
            if shown.check.name in missing and shown.fields:  # type: ignore[operator]
                form.add_error(shown.fields[0].name, "Not answered yet.")
        form.add_error(None, error.message)
    else:
        add_refusal(form, error, field="release" if isinstance(error, OverInspection) else None)


def _decided(request: HttpRequest, goods: HeldGoods, result: VerdictResult) -> HttpResponse:
    """Say what was done, with the way back, and go on with what waits next."""
    parts = ", ".join(
        f"{grouped(one.quantity)} {goods.item.stock_unit} {DONE_WORDS[Disposition(one.disposition)]}"
        for one in result.verdict.decisions.all()
    )
    links = posting_links(result.postings)
    message = format_html("{}: {} · {}.", goods.item.sku, parts, links)
    undo = reverse("quality:undo", args=[result.verdict.pk])
    left = held_arrival(goods.pk)
    target = (
        reverse("quality:queue") if left is None else reverse("quality:inspection", args=[result.verdict.inspection_id])
    )
    return go_to(request, target, message=message, undo=undo)


def _gone(request: HttpRequest, handle: int) -> HttpResponse:
    """Nothing of it is held any more: its record tells what was decided; else the queue tells that it is gone."""
    movement = get_object_or_404(Movement, pk=handle)
    known = Inspection.objects.filter(
        posting_id=movement.posting_id,
        item_id=movement.item_id,
        location_id=movement.location_id,
        lot_id=movement.lot_id,
    ).first()
    words = "Nothing of it is on QC hold any more."
    if known is None:
        return go_to(request, reverse("quality:queue"), message=words, level=30)
    return go_to(request, reverse("quality:inspection", args=[known.pk]), message=words, level=30)


def _inspect_page(
    request: HttpRequest,
    goods: HeldGoods,
    form: VerdictForm,
    *,
    refusal: DomainError | None = None,
    status: int | None = None,
) -> HttpResponse:
    known = inspections().filter(pk=goods.inspection_id).first() if goods.inspection_id else None
    if known is None and refusal is None and request.method == "POST":
        known = inspections().filter(posting_id=goods.posting_id, item_id=goods.item.pk, lot_id=goods.lot_id).first()
    return render_page(
        request,
        "production/quality/inspect.html",
        part={"inspect": "production/quality/_inspect.html"},
        title=f"Inspect {goods.item.sku}",
        crumbs=[queue_crumb()],
        form=form,
        status=422 if refusal is not None else status,
        goods=goods,
        plan=goods.plan,
        record=records([known])[0] if known is not None else None,
        needs_photo=any(check.kind == "photo" for check in _checks(goods)),
        refusal=refusal,
        now=timezone.now(),
        images=IMAGES,
    )


def _checks(goods: HeldGoods) -> Sequence[InspectionCheck]:
    return list(goods.plan.checks.all()) if goods.plan is not None else []


# --- What was decided ----------------------------------------------------------------------------------------------


@require_GET
@permission_required("production.view_inspection", raise_exception=True)
def decided(request: HttpRequest) -> HttpResponse:
    """Inspections that were begun, newest first, with what was released and what failed."""
    text = request.GET.get("q", "").strip()[:100]
    found = inspections().filter(verdicts__isnull=False).distinct().order_by("-pk")
    if text:
        found = found.filter(item__sku__icontains=text) | found.filter(lot__code__icontains=text)
    if request.GET.get("failed"):
        failed = InspectionDecision.objects.standing().exclude(disposition=Disposition.RELEASE)
        found = found.filter(verdicts__decisions__in=failed)
    page = Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "production/quality/decided.html",
        part={"decided": "production/quality/_decided.html"},
        title="Decided inspections",
        crumbs=[queue_crumb()],
        page_object=page,
        rows=records(list(page.object_list)),
        text=text,
        only_failed=bool(request.GET.get("failed")),
    )


@require_GET
@permission_required("production.view_inspection", raise_exception=True)
def inspection(request: HttpRequest, pk: int) -> HttpResponse:
    return _record_page(request, pk)


def _record_page(request: HttpRequest, pk: int, *, refusal: DomainError | None = None) -> HttpResponse:
    found = get_object_or_404(inspections(), pk=pk)
    (record,) = records([found])
    held = held_goods(HeldQuestion(item_ids=[found.item_id], location_ids=[found.location_id], lot_ids=[found.lot_id]))
    here = next((goods for goods in held if goods.inspection_id == found.pk), None)
    return render_page(
        request,
        "production/quality/inspection.html",
        title=f"Inspection {found.pk} · {found.item.sku}",
        crumbs=[queue_crumb(), Crumb("Decided", reverse("quality:decided"))],
        status=409 if refusal is not None else None,
        record=record,
        inspection=found,
        held=here,
        refusal=refusal,
        blocked=(refusal.context.get("blocked_by") if refusal is not None else None) or [],
        images=IMAGES,
    )


@require_POST
@permission_required("production.inspect", raise_exception=True)
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a verdict back, newest posting first; a refusal names what stands in the way."""
    verdict = get_object_or_404(InspectionVerdict, pk=pk)
    try:
        reversals = undo_verdict(
            key=key_from(request), verdict=verdict, actor=request.user, reason=request.POST.get("reason", "")[:100]
        )
    except DomainError as error:
        return _record_page(request, verdict.inspection_id, refusal=error)
    links = posting_links(reversals)
    message = format_html("Taken back: the goods are on QC hold again · {}.", links)
    return go_to(request, reverse("quality:inspection", args=[verdict.inspection_id]), message=message)


@require_POST
@permission_required("production.inspect", raise_exception=True)
def back_from_rework(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring reworked goods back into QC hold, where they are inspected again."""
    decision = get_object_or_404(InspectionDecision.objects.select_related("verdict__inspection__item"), pk=pk)
    found = decision.verdict.inspection
    try:
        quantity = from_text(request.POST.get("quantity", ""))
        posting = return_reworked(key=key_from(request), decision=decision, quantity=quantity, actor=request.user)
    except DomainError as error:
        return _record_page(request, found.pk, refusal=error)
    words = f"{grouped(quantity)} {found.item.stock_unit} of {found.item.sku} wait for inspection again"
    message = format_html("{} · {}.", words, link_to(posting))
    return go_to(request, reverse("quality:queue"), message=message)


@require_GET
@permission_required("production.view_inspection", raise_exception=True)
def file(request: HttpRequest, pk: int) -> HttpResponseBase:  # noqa: ARG001
    """A photo, or a file to download. Its type is the one its bytes had when it was kept, and nothing in it may run."""
    found = get_object_or_404(InspectionFile, pk=pk)
    is_image = found.content_type in IMAGES
    response = FileResponse(
        found.file.open("rb"),
        as_attachment=not is_image,
        filename=found.name,
        content_type=found.content_type if is_image else "application/octet-stream",
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response
