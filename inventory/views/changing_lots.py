"""Splitting, merging and relabelling lots."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from inventory.errors import DomainError
from inventory.forms.lots import ChangeLotsForm
from inventory.forms.stock import effective_at_of
from inventory.models import PostingKind
from inventory.operations.relabelling import LotChangeResult, change_lots
from inventory.views.actions import link_to, recent_postings
from inventory.web import Crumb, add_refusal, go_to, render_page


@require_http_methods(["GET", "POST"])
@permission_required("inventory.change_lots", raise_exception=True)
def change(request: HttpRequest) -> HttpResponse:
    """The form, refreshed when item, place or status changed, or the change it describes."""
    assert request.user.is_authenticated
    if request.method == "POST" and "refresh" not in request.POST:
        form = ChangeLotsForm(request.POST, user=request.user)
        if form.is_valid():
            try:
                result = _change(request, form)
            except DomainError as error:
                add_refusal(form, error)
            else:
                return _done(request, form, result)
    else:
        source = request.POST if request.method == "POST" else request.GET
        form = ChangeLotsForm(initial={name: source[name] for name in source if source[name]}, user=request.user)
    return render_page(
        request,
        "inventory/change_lots.html",
        part="inventory/_change_lots.html",
        title="Split, merge, relabel lots",
        crumbs=[Crumb("Stock board", reverse("inventory:board"))],
        form=form,
        head_fields=[form[name] for name in ("location", "status")],
        more_fields=[form[name] for name in ("effective_at", "note") if name in form.fields],
        recent=[] if "HX-Request" in request.headers else recent_postings(PostingKind.LOT_CHANGE),
    )


def _change(request: HttpRequest, form: ChangeLotsForm) -> LotChangeResult:
    data = form.cleaned_data
    return change_lots(
        key=data["key"],
        item=data["item"],
        location=data["location"],
        status=data["status"],
        sources=data["sources"],
        targets=data["targets"],
        reason=data["reason"],
        actor=request.user,
        effective_at=effective_at_of(data),
        note=data["note"],
    )


def _done(request: HttpRequest, form: ChangeLotsForm, result: LotChangeResult) -> HttpResponse:
    data = form.cleaned_data
    names = ", ".join(target.code for target in data["targets"][:4])
    message = format_html("{} is now in lot {} · {}.", data["item"].sku, names, link_to(result.posting))
    undo = ""
    if request.user.has_perm("inventory.reverse_posting"):
        undo = reverse("inventory:undo_posting", args=[result.posting.pk])
    query = urlencode({"item": data["item"].sku, "location": data["location"].code, "status": data["status"]})
    return go_to(request, f"{reverse('inventory:change_lots')}?{query}", message=message, undo=undo)
