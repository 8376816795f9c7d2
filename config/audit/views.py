"""The page of changes to master data."""

from collections.abc import Iterator
from dataclasses import replace

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from config.audit.filters import AuditFilter
from config.audit.reading import SYSTEM, Page, read_page
from config.audit.wording import entries
from inventory.web import Cell, export_table, render_page

ROWS_PER_PAGE = 60
"""Rows of histories. Lines of a BOM that were saved together are shown as one entry, so a page may be shorter."""
ROWS_PER_READING = 500
EXPORT_HEADER = ["When", "Who", "Kind", "What", "How", "Reason", "Field", "Before", "After"]


@require_GET
@permission_required("inventory.read_audit", raise_exception=True)
def audit(request: HttpRequest) -> HttpResponseBase:
    """Who changed what and when, newest first, a page at a time from wherever one is."""
    chosen = AuditFilter(request)
    download = export_table(
        request.GET.get("export", ""), name="Audit", header=EXPORT_HEADER, rows=_export_rows(chosen)
    )
    if download is not None:
        return download
    page = Page([], False, {}, frozenset(), {})
    if not chosen.is_unknown:
        page = read_page(chosen.question(), rows_max=ROWS_PER_PAGE)
    is_backwards = chosen.newer is not None
    has_older = page.has_more or is_backwards
    has_newer = page.has_more if is_backwards else chosen.older is not None
    posted_url = ""
    if chosen.person is not None and chosen.person != SYSTEM and request.user.has_perm("inventory.view_movement"):
        posted_url = f"{reverse('inventory:ledger')}?person={chosen.person}"
    return render_page(
        request,
        "config/audit.html",
        part={"audit": "config/_audit.html"},
        title="Audit",
        chosen=chosen,
        chips=chosen.chips(),
        clear_url=chosen.clear_url,
        people=chosen.options(),
        entries=entries(page),
        older=str(page.rows[-1].cursor) if page.rows and has_older else None,
        newer=str(page.rows[0].cursor) if page.rows and has_newer else None,
        is_first_page=chosen.older is None and chosen.newer is None,
        posted_url=posted_url,
    )


def _export_rows(chosen: AuditFilter) -> Iterator[list[Cell]]:
    """Every change the filters leave, newest first, a row for each field; read a page at a time."""
    if chosen.is_unknown:
        return
    question = replace(chosen.question(), older_than=None, newer_than=None)
    while True:
        page = read_page(question, rows_max=ROWS_PER_READING)
        for entry in entries(page):
            what = [
                f"{timezone.localtime(entry.at):%Y-%m-%d %H:%M:%S}",
                entry.person,
                entry.kind_title,
                entry.label,
                entry.verb,
                entry.reason,
            ]
            if not entry.differences:
                yield [*what, "", "", ""]
            for one in entry.differences:
                yield [*what, one.what, one.old, one.new]
        if not page.has_more:
            return
        question = replace(question, older_than=page.rows[-1].cursor)
