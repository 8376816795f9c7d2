"""Counts as the office sees them: what is due, the sheets, one sheet with its variances, and how right the records are."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required, user_passes_test
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inventory.errors import DomainError
from inventory.filters import LocationChoices, find_location
from inventory.forms.counts import TOP_USUAL, ExplainForm, OpenSheetForm
from inventory.models import CountLine, CountLineState, CountSheet, CountSheetState, Location
from inventory.operations.closing_counts import (
    Explanation,
    SheetResult,
    approve_count,
    explain_variance,
    send_back_count,
    submit_count_sheet,
)
from inventory.operations.counting import cancel_count_sheet, open_count_sheet
from inventory.operations.ranking_counts import rank_items
from inventory.quantities import as_text
from inventory.reads.count_plan import DueCell, count_plan, due_totals, ranked_at
from inventory.reads.counts import (
    FreedReservation,
    accuracy_report,
    freed_reservations,
    known_total,
    may_see_expected,
    sheet_lines,
    sheets_with_progress,
)
from inventory.views import count_export
from inventory.web import EXPORT_ROWS_MAX, Cell, Crumb, add_refusal, export_table, go_to, key_from, render_page
from inventory.whole_numbers import whole_number, whole_numbers

ROWS_PER_PAGE = 50
DUE_SHOWN_MAX = 100

REASON_WORDS = {
    "negative": ("Below zero", "blocked", "trending_down"),
    "suspicious": ("Suspicious last count", "look", "warning"),
    "never": ("Never counted", "info", "new_releases"),
    "overdue": ("Overdue", "look", "schedule"),
    "moved": ("Moved much", "info", "swap_vert"),
}

SHEETS_HEADER = ["Sheet", "State", "Place", "Name of the place", "Cells", "To count", "Opened", "Note"]
PLAN_HEADER = [
    "SKU", "Name", "Place", "Lot", "Status", "Class", "Why", "Due", "Last counted", "On sheet", "Unit", "On hand", "Moved",
]  # fmt: skip
ANY_RIGHT = ("inventory.count_stock", "inventory.plan_counts", "inventory.approve_count", "inventory.view_countsheet")


def _has_any_right(user: Any) -> bool:
    if any(user.has_perm(permission) for permission in ANY_RIGHT):
        return True
    raise PermissionDenied


with_any_right = user_passes_test(_has_any_right)


def counts_crumb() -> Crumb:
    return Crumb("Counts", reverse("inventory:counts"))


def sheet_named(number: str) -> CountSheet:
    return get_object_or_404(CountSheet.objects.select_related("location", "assigned_to", "created_by"), number=number)


@require_GET
@with_any_right
def counts(request: HttpRequest) -> HttpResponseBase:
    """Every sheet, unfinished ones first."""
    state = request.GET.get("state", "")
    sheets = sheets_with_progress().order_by("-pk")
    if state in CountSheetState.values:
        sheets = sheets.filter(state=state)
    download = export_table(
        request.GET.get("export", ""), name="Count sheets", header=SHEETS_HEADER, rows=_sheet_rows(sheets)
    )
    if download is not None:
        return download
    page = Paginator(sheets, ROWS_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "inventory/counts.html",
        title="Counts",
        page_object=page,
        state=state,
        states=CountSheetState.choices,
        has_any=bool(page.object_list) or bool(state),
    )


@require_GET
@permission_required("inventory.plan_counts", raise_exception=True)
def plan(request: HttpRequest) -> HttpResponseBase:
    """What is due and why, the most urgent first."""
    places = LocationChoices()
    place = _place(request, places)
    within = place.path if place else "/"
    if wanted := request.GET.get("export", ""):
        download = export_table(
            wanted,
            name="What to count",
            header=PLAN_HEADER,
            rows=_plan_rows(
                count_plan(within=within, rows_max=EXPORT_ROWS_MAX + 1),
                sees=request.user.has_perm("inventory.view_stockbalance"),
            ),
        )
        if download is not None:
            return download
    due = count_plan(within=within, rows_max=DUE_SHOWN_MAX + 1)
    return render_page(
        request,
        "inventory/count_plan.html",
        part={"plan": "inventory/_count_plan.html"},
        title="What to count",
        crumbs=[counts_crumb()],
        rows=[
            {"cell": cell, "reasons": [(*REASON_WORDS[reason], reason) for reason in cell.reasons]}
            for cell in due[:DUE_SHOWN_MAX]
        ],
        has_more=len(due) > DUE_SHOWN_MAX,
        shown_max=DUE_SHOWN_MAX,
        ranked_at=ranked_at(),
        totals_url=f"{reverse('inventory:count_plan_totals')}?{request.GET.urlencode()}",
        place=place,
        places=places.options(),
        top=TOP_USUAL,
        sees_stock=request.user.has_perm("inventory.view_stockbalance"),
    )


def _sheet_rows(sheets: QuerySet[CountSheet]) -> Iterator[list[Cell]]:
    for sheet in sheets.iterator(chunk_size=1_000):
        yield [
            sheet.number,
            sheet.get_state_display(),
            sheet.location.code,
            sheet.location.name,
            sheet.line_count,  # type: ignore[attr-defined]  # annotated
            sheet.left_count,  # type: ignore[attr-defined]  # annotated
            timezone.localtime(sheet.created_at).isoformat(timespec="minutes"),
            sheet.note,
        ]


def _plan_rows(due: Iterable[DueCell], *, sees: bool) -> Iterator[list[Cell]]:
    """Quantities only for those who may see them: who counts blind must not learn them here."""
    for cell in due:
        yield [
            cell.sku,
            cell.name,
            cell.location_code,
            cell.lot_code,
            cell.status,
            cell.group,
            ", ".join(REASON_WORDS[reason][0] for reason in cell.reasons),
            "" if cell.due_on is None else cell.due_on.isoformat(),
            "" if cell.last_counted_at is None else timezone.localtime(cell.last_counted_at).date().isoformat(),
            cell.sheet,
            cell.unit,
            cell.on_hand if sees else None,
            cell.moved if sees else None,
        ]


def _place(request: HttpRequest, places: LocationChoices) -> Location | None:
    wanted = whole_number(request.GET.get("place"))
    return None if wanted is None else places.by_id.get(wanted)


@require_GET
@permission_required("inventory.plan_counts", raise_exception=True)
def plan_totals(request: HttpRequest) -> HttpResponse:
    """How many cells are due and why; it reads every cell, so it comes after the page."""
    place = _place(request, LocationChoices())
    totals = due_totals(within=place.path if place else "/")
    return render_page(
        request,
        "inventory/count_plan_totals.html",
        part="inventory/_count_plan_totals.html",
        title="How much is due",
        crumbs=[counts_crumb(), Crumb("What to count", reverse("inventory:count_plan"))],
        totals=totals,
        reasons=[(*REASON_WORDS[reason], cells) for reason, cells in totals.by_reason.items()],
    )


@require_POST
@permission_required("inventory.plan_counts", raise_exception=True)
def rank(request: HttpRequest) -> HttpResponse:
    """Put items into classes now, as every night."""
    assert request.user.is_authenticated
    ranking = rank_items(actor=request.user)
    one = ranking.items == 1
    said = f"{ranking.items} item{'' if one else 's'} put in order by what was used of {'it' if one else 'them'} in a year."
    return go_to(request, "inventory:count_plan", message=said)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.plan_counts", raise_exception=True)
def open_sheet(request: HttpRequest) -> HttpResponse:
    assert request.user.is_authenticated
    place = find_location(request.GET.get("location", ""))
    form = OpenSheetForm(request.POST or None, initial={"location": place} if place else None)
    if form.is_valid():
        data = form.cleaned_data
        try:
            sheet = open_count_sheet(
                location=data["location"],
                items=data["items"],
                top=data["top"],
                is_blind=data["is_blind"],
                assigned_to=data["assigned_to"],
                note=data["note"],
                actor=request.user,
            )
        except DomainError as error:
            add_refusal(form, error)
        else:
            cells = sheet.lines.count()
            message = f"Opened {sheet.number} with {cells} cell{'' if cells == 1 else 's'} to count."
            return go_to(request, "inventory:count_sheet", sheet.number, message=message)
    return render_page(
        request,
        "inventory/open_count_sheet.html",
        part="inventory/_open_count_sheet.html",
        title="Open a count sheet",
        crumbs=[counts_crumb()],
        form=form,
    )


@require_GET
@with_any_right
def sheet_page(request: HttpRequest, number: str) -> HttpResponseBase:
    """A sheet, or its lines as a file. Who may not see what is expected finds it in neither."""
    sheet = sheet_named(number)
    sees = may_see_expected(request.user, sheet)
    download = export_table(
        request.GET.get("export", ""),
        name=f"Count {sheet.number}",
        header=count_export.header(sees=sees),
        rows=count_export.rows(sheet, sheet_lines(sheet), sees=sees),
    )
    return _sheet_page(request, sheet) if download is None else download


def _sheet_page(
    request: HttpRequest, sheet: CountSheet, *, refusal: DomainError | None = None, bound: bool = False
) -> HttpResponse:
    """Progress while it is counted, variances by value afterwards, and what the person may do about it."""
    user = request.user
    assert user.is_authenticated
    sees = may_see_expected(user, sheet)
    lines = list(sheet_lines(sheet))
    may_approve = sees and sheet.state == CountSheetState.REVIEW and user.has_perm("inventory.approve_count")
    may_explain = sees and user.has_perm("inventory.approve_count")
    rows = [
        _row(line, user=user, may_approve=may_approve, may_explain=may_explain, data=request.POST if bound else None)
        for line in lines
    ]
    if sees and sheet.state != CountSheetState.OPEN:
        rows.sort(key=lambda row: _by_value(row["line"]))
    known, unknown = known_total([line for line in lines if line.counted is not None]) if sees else (None, 0)
    return render_page(
        request,
        "inventory/count_sheet.html",
        title=f"Count {sheet.number}",
        crumbs=[counts_crumb()],
        status=409 if refusal else None,
        sheet=sheet,
        rows=rows,
        refusal=refusal,
        sees=sees,
        may_approve=may_approve,
        may_count=user.has_perm("inventory.count_stock") and sheet.state == CountSheetState.OPEN,
        may_cancel=user.has_perm("inventory.plan_counts")
        and sheet.state in (CountSheetState.OPEN, CountSheetState.REVIEW),
        left=sum(line.is_open for line in lines),
        again=sum(line.state == CountLineState.RECOUNT for line in lines),
        waiting=sum(line.state == CountLineState.COUNTED for line in lines),
        differing=sum(bool(line.variance) for line in lines),
        known_value=known,
        unknown_count=unknown,
        freed=freed_reservations(sheet) if sees else [],
    )


def _row(line: CountLine, *, user: Any, may_approve: bool, may_explain: bool, data: Any) -> dict[str, Any]:
    waits = may_approve and line.state == CountLineState.COUNTED
    own = user.pk in (line.counted_by_id, line.first_counted_by_id)
    explains = may_explain and line.state == CountLineState.POSTED and bool(line.variance) and not line.cause
    return {
        "line": line,
        "waits": waits,
        "is_own": own,
        "form": ExplainForm.of(line, data) if (waits and not own) or explains else None,
        "explains": explains,
    }


def _by_value(line: CountLine) -> tuple[bool, Any]:
    """Unknown values first, then the largest."""
    if line.variance_value is None:
        return (not line.variance, 0)
    return (True, -abs(line.variance_value))


@require_POST
@permission_required("inventory.count_stock", raise_exception=True)
def submit(request: HttpRequest, number: str) -> HttpResponse:
    assert request.user.is_authenticated
    sheet = sheet_named(number)
    try:
        result = submit_count_sheet(key=key_from(request), sheet=sheet, actor=request.user)
    except DomainError as error:
        return _sheet_page(request, sheet, refusal=error)
    return go_to(
        request,
        "inventory:count_sheet",
        sheet.number,
        message=_said(result, "Submitted", sees=may_see_expected(request.user, result.sheet)),
    )


@require_POST
@permission_required("inventory.approve_count", raise_exception=True)
def approve(request: HttpRequest, number: str) -> HttpResponse:
    """Post the ticked lines with their causes, or send them back to be counted again."""
    assert request.user.is_authenticated
    sheet = sheet_named(number)
    ticked = whole_numbers(request.POST.getlist("line"))
    try:
        if "send_back" in request.POST:
            send_back_count(sheet=sheet, line_ids=ticked, actor=request.user)
            message: Any = (
                f"{len(ticked)} line{'' if len(ticked) == 1 else 's'} of {sheet.number} will be counted again."
            )
        else:
            result = approve_count(
                key=key_from(request),
                sheet=sheet,
                explanations={pk: _explanation(request, pk) for pk in ticked},
                actor=request.user,
            )
            message = _said(result, "Approved", sees=True)
    except DomainError as error:
        return _sheet_page(request, sheet, refusal=error, bound=True)
    return go_to(request, "inventory:count_sheet", sheet.number, message=message)


def _explanation(request: HttpRequest, pk: int) -> Explanation:
    return Explanation(
        request.POST.get(f"line{pk}-cause", ""), " ".join(request.POST.get(f"line{pk}-note", "").split())[:250]
    )


@require_POST
@permission_required("inventory.approve_count", raise_exception=True)
def explain(request: HttpRequest, pk: int) -> HttpResponse:
    """Say why a line that was posted at once differed."""
    assert request.user.is_authenticated
    line = get_object_or_404(CountLine.objects.select_related("sheet"), pk=pk)
    sheet = sheet_named(line.sheet.number)
    said = _explanation(request, pk)
    try:
        explain_variance(line=line, cause=said.cause, note=said.note, actor=request.user)
    except DomainError as error:
        return _sheet_page(request, sheet, refusal=error, bound=True)
    return go_to(request, "inventory:count_sheet", sheet.number, message="The cause is kept.")


@require_POST
@permission_required("inventory.plan_counts", raise_exception=True)
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    assert request.user.is_authenticated
    sheet = sheet_named(number)
    try:
        cancel_count_sheet(sheet=sheet, actor=request.user)
    except DomainError as error:
        return _sheet_page(request, sheet, refusal=error)
    return go_to(
        request, "inventory:counts", message=f"Cancelled {sheet.number}. Nothing more of it is posted.",
        level=messages.INFO,
    )  # fmt: skip


@require_GET
@permission_required("inventory.view_countsheet", raise_exception=True)
def accuracy(request: HttpRequest) -> HttpResponse:
    """Record accuracy by class and month, and what the variances came from."""
    return render_page(
        request,
        "inventory/count_accuracy.html",
        title="Record accuracy",
        crumbs=[counts_crumb()],
        report=accuracy_report(),
        sees_value=request.user.has_perm("inventory.view_stockbalance"),
    )


def _said(result: SheetResult, verb: str, *, sees: bool) -> Any:
    """What a submit or an approval did; figures of the book only for those who may see them."""
    parts = [f"{verb} {result.sheet.number}"]
    if sees:
        parts.append(f"{len(result.postings)} correction{'' if len(result.postings) == 1 else 's'} posted")
    if result.waiting:
        parts.append(f"{result.waiting} to be approved")
    if sees and result.freed:
        parts.append("promises cut: " + ", ".join(map(freed_words, result.freed)))
    return format_html("{}.", " · ".join(parts))


def freed_words(freed: FreedReservation) -> str:
    """`2 pcs of JAR for order 1001`."""
    row = freed.reservation
    return f"{as_text(freed.quantity)} {row.item.stock_unit} of {row.item.sku} for {row.demand}"
