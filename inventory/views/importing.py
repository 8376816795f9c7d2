"""Importing tables: choose a file, see row by row what would happen, import exactly that.

The file stays with the person: checking and importing both send it. The import carries the fingerprint of the check that was
shown; if it would do anything else by now, nothing is written and the new outcome is shown instead.
"""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from inventory.errors import DomainError
from inventory.forms import LocationField
from inventory.importing.exporting import ExportKind, export_of, header_of, reason_without
from inventory.importing.reports import Outcome, Report, RowResult
from inventory.importing.running import ImportKind, ImportOptions, Mode, import_kinds, run_import
from inventory.importing.tables import BYTES_MAX, ROWS_MAX
from inventory.web import Crumb, export_table, go_to, render_page

ROWS_SHOWN_MAX = 300
PROBLEMS_SHOWN_MAX = 200


class ImportForm(forms.Form):
    """A file and what its kind lets one choose beside it."""

    file = forms.FileField(
        label="File",
        help_text=f"CSV or XLSX with a row of titles, up to {BYTES_MAX // 1024 // 1024} MB.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx,.xlsm", "data-focus": ""}),
        error_messages={"required": "Choose the file to import."},
    )
    location = LocationField(
        label="Location", required=False, help_text="Of rows that name none. Leave it empty when the file has a column."
    )
    product = forms.CharField(
        label="Product",
        required=False,
        max_length=100,
        help_text="SKU of what the file is the BOM of, when it has no column for parents.",
    )
    on = forms.DateField(
        label="Valid on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="For files with start and end dates: the rows of this day. Empty means today.",
    )
    create_items = forms.BooleanField(label="Make items that are not known yet", required=False, initial=True)
    activate = forms.BooleanField(
        label="Bring new BOM versions into force today",
        required=False,
        initial=True,
        help_text="Otherwise they stay drafts.",
    )
    as_of = forms.DateTimeField(
        label="As of",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="The moment the figures are of, for files that do not say. Empty means now.",
    )
    is_complete = forms.BooleanField(
        label="The report is complete",
        required=False,
        help_text="What it does not name is not there. Leave this off for a part of a report: the rest stays as it is.",
    )
    sheet = forms.CharField(
        label="Sheet", required=False, max_length=100, help_text="Of a workbook. Empty means the first."
    )

    def __init__(self, *args: Any, kind: ImportKind, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in list(self.fields):
            if name not in ("file", "sheet", *kind.options):
                del self.fields[name]

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > BYTES_MAX:
            raise forms.ValidationError(
                f"{file.name} has {file.size / 1024 / 1024:.1f} MB, one import takes {BYTES_MAX // 1024 // 1024} MB. Split it."
            )
        return file

    @property
    def options(self) -> ImportOptions:
        chosen = {
            name: value for name, value in self.cleaned_data.items() if name != "file" and value not in (None, "")
        }
        return ImportOptions(**chosen)


@dataclass(frozen=True, slots=True)
class KindRow:
    """A kind of table as the list of all of them shows it."""

    kind: ImportKind
    export: ExportKind | None
    reason: str  # why there is no export
    count: int | None
    may_import: bool

    @property
    def required(self) -> list[str]:
        return [field.title for field in self.kind.fields if field.is_required]


@require_GET
@login_required
def imports(request: HttpRequest) -> HttpResponse:
    """Every table this person may bring in or take out, with what it needs."""
    rows = [row for kind in import_kinds() if (row := _kind_row(request, kind)) is not None]
    if not rows:
        raise PermissionDenied
    return render_page(request, "inventory/imports.html", title="Import and export", rows=rows, rows_max=ROWS_MAX)


def _kind_row(request: HttpRequest, kind: ImportKind) -> KindRow | None:
    may_import = request.user.has_perms(kind.permissions)
    export = export_of(kind)
    if export is not None and not request.user.has_perm(export.permission):
        export = None
    if not may_import and export is None:
        return None
    count = export.count() if export is not None else None
    return KindRow(kind, export, reason_without(kind), count, may_import)


@require_http_methods(["GET", "POST"])
@login_required
def import_table(request: HttpRequest, name: str) -> HttpResponse:
    """The page of one kind: GET shows the form, POST checks the file or, with `action=import`, imports it."""
    kind = _kind(request, name)
    if request.method == "GET":
        return _page(request, kind, ImportForm(kind=kind))
    form = ImportForm(request.POST, request.FILES, kind=kind)
    if not form.is_valid():
        return _page(request, kind, form)
    mode = {"import": Mode.ALL, "clean": Mode.CLEAN}.get(request.POST.get("action", ""), Mode.CHECK)
    file = form.cleaned_data["file"]
    try:
        report = run_import(
            kind=kind,
            content=file.read(),
            file_name=file.name,
            actor=request.user,
            mode=mode,
            options=form.options,
            expected=request.POST.get("expected", "") or "nothing was checked" if mode != Mode.CHECK else "",
        )
    except DomainError as error:
        form.add_error("product" if error.context.get("needs") == "product" else "file", error.message)
        return _page(request, kind, form)
    if report.is_applied:
        return go_to(request, reverse("import_table", args=[kind.name]), message=_done(report))
    return _page(request, kind, form, report=report, is_outdated=mode != Mode.CHECK)


@require_GET
@login_required
def template(request: HttpRequest, name: str) -> HttpResponseBase:
    """An empty table with the titles of a kind, as CSV or with `?as=xlsx` as a workbook."""
    kind = _kind(request, name)
    wanted = request.GET.get("as", "csv")
    table = export_table(wanted, name=kind.title, header=[field.title for field in kind.fields], rows=[])
    if table is None:
        raise Http404(f"There is no template as {wanted}.")
    return table


@require_GET
@login_required
def export(request: HttpRequest, name: str) -> HttpResponseBase:
    """The whole table of a kind as its import reads it, as CSV or with `?as=xlsx` as a workbook."""
    kind = next((one for one in import_kinds() if one.name == name), None)
    found = export_of(kind) if kind is not None else None
    if kind is None or found is None:
        raise Http404(f"There is no export of {name}.")
    if not request.user.has_perm(found.permission):
        raise PermissionDenied
    wanted = request.GET.get("as", "csv")
    table = export_table(wanted, name=kind.title, header=header_of(kind, found), rows=found.rows(), rows_max=None)
    if table is None:
        raise Http404(f"There is no export as {wanted}.")
    return table


def _kind(request: HttpRequest, name: str) -> ImportKind:
    """The kind, if this person may import it. Raises PermissionDenied else."""
    kind = next((one for one in import_kinds() if one.name == name), None)
    if kind is None or not request.user.has_perms(kind.permissions):
        raise PermissionDenied
    return kind


def _done(report: Report) -> str:
    counts = report.counts()
    left_out = f", {counts['refused']} rows left out" if counts["refused"] else ""
    return (
        f"Imported {report.file_name}: {counts['new']} new, {counts['changed']} changed, "
        f"{counts['unchanged']} unchanged{left_out}."
    )


def _page(
    request: HttpRequest,
    kind: ImportKind,
    form: ImportForm,
    *,
    report: Report | None = None,
    is_outdated: bool = False,
) -> HttpResponse:
    shown = _shown(report) if report else []
    return render_page(
        request,
        "inventory/import.html",
        part={"import-outcome": "inventory/_import_outcome.html"},
        title=f"Import {kind.title.lower()}",
        crumbs=[Crumb("Import and export", reverse("imports"))],
        form=form,
        kind=kind,
        row=_kind_row(request, kind),
        rows_max=ROWS_MAX,
        report=report,
        is_outdated=is_outdated,
        counts=_counts(report) if report else [],
        rows=shown[:ROWS_SHOWN_MAX],
        rows_more=max(0, len(shown) - ROWS_SHOWN_MAX),
        problems=report.problems[:PROBLEMS_SHOWN_MAX] if report else [],
        problems_more=max(0, len(report.problems) - PROBLEMS_SHOWN_MAX) if report else 0,
        today=timezone.localdate(),
    )


def _shown(report: Report) -> list[RowResult]:
    """The rows worth a look: what changes, then what is left out; rows without change are only counted."""
    order = {Outcome.CHANGED: 0, Outcome.NEW: 1, Outcome.SKIPPED: 2, Outcome.REFUSED: 3}
    shown = [result for result in report.results if result.outcome in order]
    return sorted(shown, key=lambda result: order[result.outcome])


def _counts(report: Report) -> list[dict[str, Any]]:
    words = {
        Outcome.NEW: ("New", "good"),
        Outcome.CHANGED: ("Changed", "look"),
        Outcome.UNCHANGED: ("Unchanged", ""),
        Outcome.SKIPPED: ("Skipped", ""),
        Outcome.REFUSED: ("Refused", "blocked"),
    }
    counts = report.counts()
    return [
        {"label": label, "count": counts[outcome], "tone": tone if counts[outcome] else ""}
        for outcome, (label, tone) in words.items()
    ]
