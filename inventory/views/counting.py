"""Counts on the floor: one cell at a time, on a tablet, with a scanner or without.

A cell is scanned first, which freezes what the book expects, then its figure is typed. Nothing on these pages shows what is
expected; whoever may see stock looks at it elsewhere.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inventory.errors import DomainError, SecondPersonRequired
from inventory.filters import find_item
from inventory.forms.counts import CountForm, FoundForm
from inventory.models import CountLine, CountLineState, CountSheet, CountSheetState
from inventory.operations.counting import add_found_line, record_count, scan_count_line
from inventory.quantities import ZERO
from inventory.reads.counts import sheet_lines
from inventory.templatetags.figures import grouped
from inventory.views.counts import counts_crumb, sheet_named
from inventory.web import Crumb, add_refusal, go_to, render_page
from inventory.whole_numbers import whole_number


@require_GET
@permission_required("inventory.count_stock", raise_exception=True)
def count_next(request: HttpRequest, number: str) -> HttpResponse:
    """The next cell to count: after the one that was left for later, else the first one."""
    sheet = sheet_named(number)
    lines = list(sheet_lines(sheet))
    if sheet.state != CountSheetState.OPEN:
        return redirect("inventory:count_sheet", number=sheet.number)
    line = next_line(lines, person=request.user.pk, after=whole_number(request.GET.get("after")))
    if line is None:
        return redirect("inventory:count_sheet", number=sheet.number)
    return redirect("inventory:count_line", pk=line.pk)


def next_line(lines: Sequence[CountLine], *, person: int | None, after: int | None = None) -> CountLine | None:
    """The line to count next, in the order one walks; those for somebody else to count again come last."""
    ranked = [line for line in lines if line.is_open and not _is_for_another(line, person)]
    ranked += [line for line in lines if line.is_open and _is_for_another(line, person)]
    ids = [line.pk for line in ranked]
    start = ids.index(after) + 1 if after in ids else 0
    return next(iter(ranked[start:] + ranked[:start]), None)


def _is_for_another(line: CountLine, person: int | None) -> bool:
    return line.state == CountLineState.RECOUNT and line.first_counted_by_id == person


@require_http_methods(["GET", "POST"])
@permission_required("inventory.count_stock", raise_exception=True)
def count_line(request: HttpRequest, pk: int) -> HttpResponse:
    """One cell: where it is, and once it was scanned, how many are there."""
    assert request.user.is_authenticated
    line = get_object_or_404(CountLine.objects.select_related("item", "location", "lot", "sheet__location"), pk=pk)
    if not line.is_open or line.sheet.state != CountSheetState.OPEN:
        return redirect("inventory:count_sheet", number=line.sheet.number)
    form = CountForm(None, line=line, asks_alone=False)
    if request.method == "POST":
        data = request.POST.copy()
        if "nothing" in data:
            data["quantity"] = "0"
        form = CountForm(data, line=line, asks_alone=_is_for_another(line, request.user.pk))
        if form.is_valid():
            try:
                result = record_count(
                    line=line,
                    quantity=form.cleaned_data["quantity"],
                    unit=form.cleaned_data["unit"],
                    alone=form.cleaned_data.get("alone", False),
                    actor=request.user,
                )
            except SecondPersonRequired as error:
                form.add_error("alone", error.message)
            except DomainError as error:
                add_refusal(form, error)
            else:
                return _after_count(request, line, form.cleaned_data["quantity"] or ZERO, again=result.needs_recount)
    elif _is_for_another(line, request.user.pk):
        form = CountForm(None, line=line, asks_alone=True)
    return _page(request, line, form)


def _after_count(request: HttpRequest, line: CountLine, quantity: Any, *, again: bool) -> HttpResponse:
    url = f"{reverse('inventory:count_next', args=[line.sheet.number])}?after={line.pk}"
    what = f"{line.item.sku} at {line.location.code}"
    if again:
        message = f"{what} has to be counted a second time, best by somebody else."
        return go_to(request, url, message=message, level=messages.WARNING)
    return go_to(
        request, url, message=f"{what}: {grouped(quantity)} {request.POST.get('unit') or line.item.stock_unit}."
    )


def _page(request: HttpRequest, line: CountLine, form: CountForm, *, said: str = "") -> HttpResponse:
    lines = list(sheet_lines(line.sheet))
    done = sum(not one.is_open for one in lines)
    return render_page(
        request,
        "inventory/count.html",
        part="inventory/_count.html",
        title=f"Count at {line.sheet.location.code}",
        crumbs=[counts_crumb(), Crumb(line.sheet.number, reverse("inventory:count_sheet", args=[line.sheet.number]))],
        status=409 if said else None,
        form=form,
        line=line,
        sheet=line.sheet,
        is_scanned=line.scanned_at is not None or form.is_bound,
        is_second=line.state == CountLineState.RECOUNT,
        is_for_another=_is_for_another(line, request.user.pk),
        done=done,
        total=len(lines),
        percent=100 * done // len(lines),
        others=sum(one.is_open for one in lines) - 1,
        said=said,
        keys=["7", "8", "9", "4", "5", "6", "1", "2", "3", ".", "0"],
    )


@require_POST
@permission_required("inventory.count_stock", raise_exception=True)
def scan(request: HttpRequest, pk: int) -> HttpResponse:
    """Standing before a cell: this one, or the one whose place, item or lot was scanned."""
    assert request.user.is_authenticated
    line = get_object_or_404(CountLine.objects.select_related("item", "location", "lot", "sheet__location"), pk=pk)
    code = request.POST.get("code", "").strip()
    if code:
        found = line_by_code(list(sheet_lines(line.sheet)), code, at=line)
        if found is None:
            if not line.is_open:
                return redirect("inventory:count_sheet", number=line.sheet.number)
            form = CountForm(None, line=line, asks_alone=_is_for_another(line, request.user.pk))
            said = (
                f"Nothing on this sheet has the code “{code[:64]}”. Scan again, or say that you found something else."
            )
            return _page(request, line, form, said=said)
        line = found
    try:
        scan_count_line(line=line, actor=request.user)
    except DomainError as error:
        return go_to(request, "inventory:count_sheet", line.sheet.number, message=error.message, level=messages.ERROR)
    return go_to(request, "inventory:count_line", line.pk)


def line_by_code(lines: Sequence[CountLine], code: str, *, at: CountLine) -> CountLine | None:
    """The line that a scanned code means: the present one if it fits, else an open one, else a counted one.

    A code is that of a place, of a lot, or the SKU or a barcode of an item.
    """
    folded = code.casefold()
    item = find_item(code)
    fitting = [
        line
        for line in lines
        if folded in (line.location.code.casefold(), line.lot.code.casefold())
        or (item is not None and line.item_id == item.pk)
    ]
    fitting = [line for line in fitting if line.state != CountLineState.POSTED]
    return min(
        fitting, key=lambda line: (line.pk != at.pk, line.location_id != at.location_id, not line.is_open), default=None
    )


@require_http_methods(["GET", "POST"])
@permission_required("inventory.count_stock", raise_exception=True)
def found(request: HttpRequest, number: str) -> HttpResponse:
    """Something stands here that the sheet does not list."""
    assert request.user.is_authenticated
    sheet: CountSheet = sheet_named(number)
    form = FoundForm(request.POST or None, initial={"location": request.GET.get("at", "")})
    if form.is_valid():
        try:
            line = add_found_line(sheet=sheet, actor=request.user, **form.cleaned_data)
        except DomainError as error:
            add_refusal(form, error)
        else:
            return go_to(request, "inventory:count_line", line.pk)
    return render_page(
        request,
        "inventory/count_found.html",
        part="inventory/_count_found.html",
        title="Found something else",
        crumbs=[counts_crumb(), Crumb(sheet.number, reverse("inventory:count_sheet", args=[sheet.number]))],
        form=form,
        sheet=sheet,
    )
