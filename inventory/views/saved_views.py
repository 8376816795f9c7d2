"""Keeping, naming, sharing and forgetting views of tables, and choosing columns. The menu itself is part of each table."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from inventory.errors import DomainError
from inventory.models import SavedView
from inventory.operations.saved_views import delete_view, remember_columns, rename_view, save_view, share_view
from inventory.reads.saved_views import Kept, kept_views
from inventory.web import go_to, safe_next

PAGES = {"board": "inventory:board", "ledger": "inventory:ledger"}
"""Tables whose views can be kept, and their addresses."""


def menu_of(request: HttpRequest, page: str, kept: Kept | None = None) -> dict[str, Any]:
    """What the menu of views needs: the views, and which of them the present address is."""
    kept = kept_views(person=request.user, page=page) if kept is None else kept
    present = _without_paging(request.GET)
    current = next((view for view in (*kept.own, *kept.shared) if QueryDict(view.query) == present), None)
    return {
        "views_page": page,
        "views_url": reverse(PAGES[page]),
        "views_own": kept.own,
        "views_shared": kept.shared,
        "views_current": current,
        "views_query": present.urlencode(),
    }


def _without_paging(query: QueryDict) -> QueryDict:
    rest = query.copy()
    for name in ("before", "after", "page", "export", "view"):
        rest.pop(name, None)
    return rest


@require_POST
@permission_required("inventory.view_savedview", raise_exception=True)
def save(request: HttpRequest) -> HttpResponse:
    """Keep what the page shows under a name."""
    page = _page_of(request)
    query = request.POST.get("query", "")
    try:
        view = save_view(
            owner=request.user,
            page=page,
            name=request.POST.get("name", ""),
            query=query,
            is_shared=request.POST.get("is_shared") == "1",
        )
    except DomainError as error:
        return _back(request, page, query, error)
    shared = " for everybody" if view.is_shared else ""
    return go_to(request, _address(view), message=f"Kept as “{view.name}”{shared}")


@require_POST
@permission_required("inventory.view_savedview", raise_exception=True)
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    view = _view(pk)
    try:
        renamed = rename_view(view=view, name=request.POST.get("name", ""), actor=request.user)
    except DomainError as error:
        return _back(request, view.page, view.query, error)
    return go_to(request, _address(renamed), message=f"Renamed to “{renamed.name}”")


@require_POST
@permission_required("inventory.view_savedview", raise_exception=True)
def share(request: HttpRequest, pk: int) -> HttpResponse:
    view = _view(pk)
    try:
        shared = share_view(view=view, is_shared=request.POST.get("is_shared") == "1", actor=request.user)
    except DomainError as error:
        return _back(request, view.page, view.query, error)
    words = "Everybody sees" if shared.is_shared else "Only you see"
    return go_to(request, _address(shared), message=f"{words} “{shared.name}” now")


@require_POST
@permission_required("inventory.view_savedview", raise_exception=True)
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    view = _view(pk)
    try:
        delete_view(view=view, actor=request.user)
    except DomainError as error:
        return _back(request, view.page, view.query, error)
    return go_to(request, safe_next(request, reverse(PAGES[view.page])), message=f"“{view.name}” is gone")


@require_POST
@permission_required("inventory.view_savedview", raise_exception=True)
def columns(request: HttpRequest) -> HttpResponse:
    """Show these columns from now on; they also stand in the address, so that it shows the same to others."""
    page = _page_of(request)
    chosen = [word for word in request.POST.getlist("cols") if word and len(word) <= 32][:32]
    if request.POST.get("usual") == "1":
        chosen = []
    remember_columns(owner=request.user, page=page, columns=chosen)
    query = _without_paging(QueryDict(request.POST.get("query", "")))
    query.pop("cols", None)
    if chosen:
        query["cols"] = ",".join(chosen)
    return go_to(request, f"{reverse(PAGES[page])}?{query.urlencode()}")


def _page_of(request: HttpRequest) -> str:
    page = request.POST.get("page", "")
    if page not in PAGES:
        raise Http404(f"No table is called “{page}”.")
    return page


def _view(pk: int) -> SavedView:
    return get_object_or_404(SavedView.objects.filter(page__in=PAGES), pk=pk)


def _address(view: SavedView) -> str:
    return f"{reverse(PAGES[view.page])}?{view.query}"


def _back(request: HttpRequest, page: str, query: str, error: DomainError) -> HttpResponse:
    rest = _without_paging(QueryDict(query)).urlencode()
    return go_to(request, f"{reverse(PAGES[page])}?{rest}", message=error.message, level=messages.ERROR)
