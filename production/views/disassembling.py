"""Taking finished goods apart: what comes back, shown by the code that posts it; the list of what was taken apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from inventory.errors import DomainError, IdempotencyMismatch
from inventory.models import Item, Location, Lot, StockBalance, StockStatus, Tracking
from inventory.quantities import ZERO
from inventory.templatetags.figures import grouped
from inventory.web import Cell, Crumb, export_table, go_to, key_from, part_for, render_page
from inventory.whole_numbers import whole_number
from production.forms import new_key, own_places, shown
from production.forms_apart import DisassemblyForm
from production.models import Completion, Disassembly
from production.operations.disassembling import (
    DisassemblyPlan,
    disassemble,
    left_to_disassemble,
    preview_disassembly,
    reverse_disassembly,
)
from production.subjects import find_subject

ROWS_PER_PAGE = 50
EXPORT_HEADER = ["When", "SKU", "Name", "Unit", "Taken apart", "Of completion", "Value", "Waste", "State", "By"]
LOTS_SHOWN_MAX = 200
PARTS = {"apart-preview": "production/_apart_preview.html"}


@dataclass(frozen=True, slots=True)
class LotRow:
    """A lot that may be taken apart, with what of it is free; stock unit of the item."""

    lot_id: str
    code: str
    place: str
    free: Decimal
    text: str


@dataclass(frozen=True, slots=True)
class BackRow:
    """One component that comes back, its lots together; quantities in its stock unit, value in base currency."""

    key: str
    component: Item
    lots: str
    expected: Decimal
    recovered: Decimal
    value: Decimal | None
    text: str
    error: str

    @property
    def expected_text(self) -> str:
        return shown(self.expected)


@require_http_methods(["GET", "POST"])
@permission_required("production.disassemble", raise_exception=True)
def disassemble_goods(request: HttpRequest) -> HttpResponse:
    """GET asks what is taken apart, a completion's goods or an item's; POST previews or, with `action=post`, posts."""
    source = request.POST if request.method == "POST" else request.GET
    completion = _completion(source.get("completion", ""))
    what = source.get("what", "").strip()
    item = completion.item if completion else _item(what)
    if item is None:
        return _page(request, what=what, status=422 if what else 200)
    places = own_places()
    if request.method == "GET":
        location = completion.output_location.code if completion else _usual_place(item)
        form = DisassemblyForm(initial={"key": new_key(), "location": location}, item=item, places=places)
        return _page(
            request, what=what, item=item, completion=completion, form=form, location=places.get(location.casefold())
        )
    data = request.POST.copy()
    data["key"] = str(key_from(request))
    form = DisassemblyForm(data, item=item, places=places)
    is_valid = form.is_valid() and not form.line_errors
    plan, problem = _planned(form, item, completion)
    if request.POST.get("action") == "post":
        if form.is_empty:
            form.add_error("quantity", "How many are taken apart? Type a quantity, or choose lots.")
        elif is_valid and form.is_valid() and problem is None:
            try:
                return _post(request, form, item, completion)
            except IdempotencyMismatch:
                data["key"] = new_key()
                form.add_error(
                    None, "This form was posted before with other figures. Press the button again to post these."
                )
            except DomainError as error:
                problem = error
    posts = request.POST.get("action") == "post"
    return _page(
        request,
        what=what,
        item=item,
        completion=completion,
        form=form,
        plan=plan,
        problem=problem,
        location=form.cleaned_data.get("location"),
        status=422 if posts else 200,
    )


def _completion(text: str) -> Completion | None:
    number = whole_number(text)
    if number is None:
        return None
    found = Completion.objects.select_related("item", "output_location", "posting", "work_order")
    return found.filter(pk=number).first()


def _item(what: str) -> Item | None:
    subject = find_subject(what).subject if what else None
    return subject.item if subject else None


def _usual_place(item: Item) -> str:
    """Where most of it lies; empty when there is none."""
    cell = (
        StockBalance.objects.filter(item=item, status=StockStatus.AVAILABLE, quantity__gt=0, location__kind="own")
        .order_by("-quantity")
        .select_related("location")
        .first()
    )
    return cell.location.code if cell else ""


def _wanted(form: DisassemblyForm, item: Item, completion: Completion | None) -> dict[str, Any]:
    return {
        "completion": completion,
        "item": None if completion else item,
        "quantity": form.cleaned_data["quantity"],
        "location": form.cleaned_data["location"],
        "target": form.cleaned_data.get("target"),
        "lots": form.lots,
        "recovered": form.recovered,
    }


def _planned(
    form: DisassemblyForm, item: Item, completion: Completion | None
) -> tuple[DisassemblyPlan | None, DomainError | None]:
    """The plan, and what stands in its way; neither while the form does not say enough."""
    if form.is_empty or {"quantity", "location", "target"} & set(form.errors):
        return None, None
    try:
        return preview_disassembly(**_wanted(form, item, completion)), None
    except DomainError as error:
        problem = error
    if not form.recovered:
        return None, problem
    try:  # what came back is out of reach: show what could come back, so that it can be mended
        return preview_disassembly(**{**_wanted(form, item, completion), "recovered": {}}), problem
    except DomainError as error:
        return None, error


def _post(request: HttpRequest, form: DisassemblyForm, item: Item, completion: Completion | None) -> HttpResponse:
    result = disassemble(
        key=form.cleaned_data["key"],
        reason=form.cleaned_data["reason"],
        note=form.cleaned_data["note"],
        actor=request.user,
        **_wanted(form, item, completion),
    )
    done = result.disassembly
    message = f"Took apart {grouped(done.quantity)} × {item.sku} · components returned"
    undo = reverse("production:undo_disassembly", args=[done.posting_id])
    return go_to(request, "production:disassembly", done.posting_id, message=message, undo=undo)


def _page(
    request: HttpRequest,
    *,
    what: str,
    item: Item | None = None,
    completion: Completion | None = None,
    form: DisassemblyForm | None = None,
    plan: DisassemblyPlan | None = None,
    problem: DomainError | None = None,
    location: Location | None = None,
    status: int = 200,
) -> HttpResponse:
    part = part_for(request, PARTS)
    return render_page(
        request,
        "production/disassemble.html",
        part=PARTS,
        title="Take apart",
        crumbs=[Crumb("Taken apart", reverse("production:disassemblies"))],
        form=form,
        status=200 if part else status,
        what=what,
        item=item,
        completion=completion,
        left=left_to_disassemble(completion) if completion else None,
        plan=plan,
        problem=problem,
        rows=_back_rows(plan, form) if plan and form else [],
        lots=_lot_rows(item, completion, location, form) if item and form else [],
        is_serial=item is not None and item.tracking == Tracking.SERIAL,
    )


def _back_rows(plan: DisassemblyPlan, form: DisassemblyForm) -> Sequence[BackRow]:
    components = Item.objects.in_bulk({recovery.component_id for recovery, _ in plan.lines})
    lots = Lot.objects.in_bulk({recovery.lot_id for recovery, _ in plan.lines if recovery.lot_id is not None})
    rows: dict[int, BackRow] = {}
    for (recovery, value), status in zip(plan.lines, plan.statuses, strict=True):
        before = rows.get(recovery.component_id)
        code = "" if recovery.lot_id is None else lots[recovery.lot_id].code
        if status != StockStatus.AVAILABLE:
            code = f"{code} ({StockStatus(status).label.lower()})".strip()
        expected = recovery.expected + (before.expected if before else ZERO)
        recovered = recovery.recovered + (before.recovered if before else ZERO)
        worth = value
        if before is not None:
            worth = None if value is None or before.value is None else value + before.value
        key = str(recovery.component_id)
        error = form.line_errors.get(recovery.component_id, "")
        rows[recovery.component_id] = BackRow(
            key=key,
            component=components[recovery.component_id],
            lots=", ".join(filter(None, [before.lots if before else "", code])),
            expected=expected,
            recovered=recovered,
            value=worth,
            text=str(form.data.get(f"back-{key}", "")) if error else shown(recovered),
            error=error,
        )
    return list(rows.values())


def _lot_rows(
    item: Item, completion: Completion | None, location: Location | None, form: DisassemblyForm
) -> Sequence[LotRow]:
    """The lots of the item at the place, only the completion's own where there is one."""
    if item.tracking == Tracking.NONE or location is None:
        return []
    cells = StockBalance.objects.filter(
        item=item, status=StockStatus.AVAILABLE, quantity__gt=0, location__path__startswith=location.path
    ).select_related("lot", "location")
    if completion is not None:
        made = set(completion.outputs.filter(is_main=True).values_list("lot_id", flat=True))
        cells = cells.filter(lot_id__in=made or {completion.output_lot_id})
    data: Mapping[str, Any] = form.data if form.is_bound else {}
    return [
        LotRow(
            lot_id=str(cell.lot_id),
            code=cell.lot.code,
            place=cell.location.code,
            free=cell.quantity - cell.reserved,
            text=str(data.get(f"lot-{cell.lot_id}", "")),
        )
        for cell in cells.order_by("lot_id")[:LOTS_SHOWN_MAX]
    ]


# --- What was taken apart ---------------------------------------------------------------------------------------------


@require_GET
@permission_required("production.view_disassembly", raise_exception=True)
def disassemblies(request: HttpRequest) -> HttpResponseBase:
    """The newest first, a page at a time."""
    before = whole_number(request.GET.get("before"))
    found = Disassembly.objects.select_related("item", "posting__actor", "completion").order_by("-posting_id")
    download = export_table(
        request.GET.get("export", ""), name="Taken apart", header=EXPORT_HEADER, rows=_export_rows(found)
    )
    if download is not None:
        return download
    if before is not None:
        found = found.filter(posting_id__lt=before)
    shown_rows = list(found[: ROWS_PER_PAGE + 1])
    return render_page(
        request,
        "production/disassemblies.html",
        title="Taken apart",
        crumbs=[Crumb("Completions", reverse("production:completions"))],
        disassemblies=shown_rows[:ROWS_PER_PAGE],
        next_before=str(shown_rows[ROWS_PER_PAGE - 1].posting_id) if len(shown_rows) > ROWS_PER_PAGE else "",
    )


def _export_rows(found: QuerySet[Disassembly]) -> Iterator[list[Cell]]:
    for done in found.iterator(chunk_size=1_000):
        yield [
            timezone.localtime(done.posting.effective_at).isoformat(timespec="minutes"),
            done.item.sku,
            done.item.name,
            done.item.stock_unit,
            done.quantity,
            done.completion_id,
            done.value,
            done.wasted_value,
            "undone" if done.is_reversed else "",
            "" if done.posting.actor is None else done.posting.actor.get_username(),
        ]


@require_GET
@permission_required("production.view_disassembly", raise_exception=True)
def disassembly(request: HttpRequest, pk: int) -> HttpResponse:
    """One disassembly: what left, what came back, what was lost."""
    return _disassembly_page(request, _named(pk))


@require_http_methods(["POST"])
@permission_required("production.disassemble", raise_exception=True)
def undo_disassembly(request: HttpRequest, pk: int) -> HttpResponse:
    """Put together again what was taken apart; what stands in the way is told on its page."""
    done = _named(pk)
    try:
        reverse_disassembly(key=key_from(request), disassembly=done, actor=request.user)
    except DomainError as error:
        return _disassembly_page(request, _named(pk), refusal=error, status=422)
    message = f"Put {grouped(done.quantity)} × {done.item.sku} together again"
    return go_to(request, "production:disassembly", done.pk, message=message)


def _named(pk: int) -> Disassembly:
    found = Disassembly.objects.select_related("item", "posting__actor", "completion", "bom")
    return get_object_or_404(found, pk=pk)


def _disassembly_page(
    request: HttpRequest, done: Disassembly, *, refusal: DomainError | None = None, status: int = 200
) -> HttpResponse:
    return render_page(
        request,
        "production/disassembly.html",
        title=f"Disassembly {done.posting_id}",
        crumbs=[Crumb("Taken apart", reverse("production:disassemblies"))],
        status=status,
        done=done,
        lines=list(done.lines.select_related("component").order_by("id")),
        refusal=refusal,
    )
