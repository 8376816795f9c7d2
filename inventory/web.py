"""Helpers of every page: rendering in the shell or as a part for htmx, redirects with a toast, exports of tables."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.contrib import admin, messages
from django.db.models import Model
from django.forms import BaseForm
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from openpyxl import Workbook

from inventory.errors import DomainError
from inventory.importing.tables import protect
from inventory.quantities import as_text

EXPORT_ROWS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Crumb:
    """One step of the way to a page; the last one is the page's own title and is not listed."""

    label: str
    url: str


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asks for a part; a page restored from the browser's history is asked for whole."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"


def render_page(
    request: HttpRequest,
    template: str,
    *,
    title: str,
    part: str | Mapping[str, str] | None = None,
    crumbs: Sequence[Crumb] = (),
    form: BaseForm | None = None,
    status: int | None = None,
    **context: Any,
) -> HttpResponse:
    """The page in the shell, or only the part when htmx asks for it.

    `part` is a template, or templates by the id of the element htmx wants to fill. A form with errors is answered with
    422; the shell lets htmx show that.
    """
    if status is None:
        status = 422 if form is not None and form.is_bound and not form.is_valid() else 200
    values = {**context, "form": form, "title": title, "crumbs": crumbs}
    wanted = part_for(request, part)
    if wanted is not None:
        values["is_part"] = True
        response = render(request, wanted, values, status=status)
    else:
        response = render(request, template, {**admin.site.each_context(request), **values}, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def part_for(request: HttpRequest, part: str | Mapping[str, str] | None) -> str | None:
    """The template of the part htmx asks for; None when the whole page is wanted."""
    if part is None or not is_htmx(request):
        return None
    if isinstance(part, str):
        return part
    return part.get(request.headers.get("HX-Target", ""))


def go_to(
    request: HttpRequest,
    target: str | Model,
    *args: Any,
    message: str = "",
    undo: str = "",
    level: int = messages.SUCCESS,
) -> HttpResponse:
    """Redirect a plain request and an htmx request alike, with a toast on the next page.

    `undo` is the address that takes back what was done; the toast offers it as a button.
    """
    if message:
        messages.add_message(request, level, message, extra_tags=f"undo:{undo}" if undo else "")
    url = resolve_url(target, *args)
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)


def safe_next(request: HttpRequest, fallback: str) -> str:
    """Where the person came from, when that is a page of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return wanted
    return fallback


def key_from(request: HttpRequest) -> UUID:
    """The key a button's form carries, so that a double click does one thing; a new one when there is none."""
    try:
        return UUID(request.POST.get("key", ""))
    except ValueError:
        return uuid4()


FIELD_OF_ERROR = {
    "INVALID_QUANTITY": ("quantity",),
    "INVALID_QUANTITY_STEP": ("quantity",),
    "INSUFFICIENT_STOCK": ("quantity",),
    "RESERVED_BY_OTHER": ("quantity",),
    "INVALID_UNIT": ("unit", "quantity"),
    "LOT_REQUIRED": ("lot_code", "lot"),
    "LOT_EXPIRED": ("lot", "lot_code"),
    "LOT_MISMATCH": ("lot", "lot_code", "expires_on"),
    "DUPLICATE_SERIAL": ("lot_code", "lot"),
    "PHANTOM_NOT_STOCKED": ("item",),
    "ITEM_INACTIVE": ("item",),
    "LOCATION_BLOCKED": ("location", "target"),
    "BACKDATING_NOT_ALLOWED": ("effective_at",),
}


def add_refusal(form: BaseForm, error: DomainError, *, field: str | None = None) -> None:
    """Show a refusal at the field it is about, or above the form when it is about none of them."""
    candidates = (field,) if field else FIELD_OF_ERROR.get(error.code, ())
    place = next((name for name in candidates if name in form.fields), None)
    if place is None and "reason" in form.fields and "reason" in error.message and not form.data.get("reason"):
        place = "reason"
    form.add_error(place, error.message)


# --- Tables out ---------------------------------------------------------------------------------------------------

Cell = str | int | Decimal | None


def export_table(
    kind: str,
    *,
    name: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    rows_max: int | None = EXPORT_ROWS_MAX,
) -> HttpResponseBase | None:
    """A table as a CSV or XLSX download, at most `rows_max` rows (None: all); None for any other kind."""
    stamp = timezone.localtime().strftime("%Y-%m-%d %H%M")
    if kind == "csv":
        return StreamingHttpResponse(
            csv_lines(header, rows, rows_max),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name} {stamp}.csv"'},
        )
    if kind == "xlsx":
        return FileResponse(workbook(name, header, rows, rows_max), as_attachment=True, filename=f"{name} {stamp}.xlsx")
    return None


def _capped(rows: Iterable[Sequence[Cell]], rows_max: int | None) -> Iterator[Sequence[Cell]]:
    for number, row in enumerate(rows):
        if rows_max is not None and number >= rows_max:
            yield [f"Only the first {rows_max} rows are listed. Narrow the filters to see the rest."]
            return
        yield row


def _plain(value: Cell) -> str | int | Decimal:
    """A cell that a spreadsheet does not take for a formula."""
    if value is None:
        return ""
    return protect(value) if isinstance(value, str) else value


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Cell]], rows_max: int | None = None) -> Iterator[str]:
    """The lines of a CSV file that spreadsheets open as UTF-8, row by row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow(header)
    for row in _capped(rows, rows_max):
        plain = (_plain(value) for value in row)
        writer.writerow([as_text(value) if isinstance(value, Decimal) else value for value in plain])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def workbook(
    name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]], rows_max: int | None = None
) -> io.BytesIO:
    """An XLSX file with one sheet; its rows go to disk while it is made."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(name[:31])
    sheet.append(list(header))
    for row in _capped(rows, rows_max):
        sheet.append([_plain(value) for value in row])
    file = io.BytesIO()
    book.save(file)
    file.seek(0)
    return file
