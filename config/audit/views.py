"""The page of changes to master data."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from config.audit.filters import AuditFilter
from config.audit.reading import SYSTEM, Page, read_page
from config.audit.wording import entries
from inventory.web import render_page

ROWS_PER_PAGE = 60
"""Rows of histories. Lines of a BOM that were saved together are shown as one entry, so a page may be shorter."""


@require_GET
@permission_required("inventory.read_audit", raise_exception=True)
def audit(request: HttpRequest) -> HttpResponse:
    """Who changed what and when, newest first, a page at a time from wherever one is."""
    chosen = AuditFilter(request)
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
