"""What a change of a BOM does: two versions compared, where an item is used, and one component replaced in many BOMs."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inventory.errors import DomainError
from inventory.filters import find_item
from inventory.models import Item
from inventory.web import Crumb, go_to, render_page
from inventory.whole_numbers import whole_number, whole_numbers
from production.bom_forms import ReplaceForm
from production.models import Bom, BomReplacement, BomState
from production.operations.replacing import (
    BOMS_MAX,
    Exchange,
    activate_replacement,
    discard_replacement,
    replace_component,
)
from production.panels import BuildableChange, listing_changes
from production.reads.bom_diff import BomDiff, bom_diff
from production.reads.cost_rollup import as_unit_cost
from production.reads.replacements import ReplacementReview, replacement_review
from production.reads.where_used import WhereUsed, where_used
from production.views.boms import bom_named, compared_version, crumbs_of, over_of, state_badge, title_of, versions_of

REPLACEMENTS_SHOWN_MAX = 10


# --- Two versions -----------------------------------------------------------------------------------------------------


@require_GET
@permission_required("production.view_bom", raise_exception=True)
def bom_difference(request: HttpRequest, pk: int) -> HttpResponse:
    """A version against another of the same item: what differs, and what that does to cost, buildable and listings."""
    bom = bom_named(pk)
    text = request.GET.get("against", "")
    if text:
        number = whole_number(text)
        if number is None:
            raise Http404("No such version.")
        other = get_object_or_404(Bom.objects.select_related("item"), pk=number)
    else:
        found = compared_version(bom)
        if found is None:
            return go_to(
                request,
                "production:bom",
                pk,
                message=f"{title_of(bom)} is the only version of {bom.item.sku}; there is nothing to compare it with.",
                level=messages.INFO,
            )
        other = found
    difference = bom_diff(old_id=other.pk, new_id=bom.pk)
    return render_page(
        request,
        "production/bom_diff.html",
        title=f"v{bom.version} against v{other.version}",
        crumbs=crumbs_of(bom),
        bom=bom,
        other=other,
        badges=(state_badge(other), state_badge(bom)),
        versions=versions_of(bom),
        difference=difference,
        lines=_shown_lines(difference),
        listings=listing_changes([_buildable_change(bom.item, difference)]),
        today=timezone.localdate(),
    )


def _buildable_change(item: Item, difference: BomDiff) -> BuildableChange:
    return BuildableChange(item.pk, difference.old_buildable.quantity, difference.new_buildable.quantity)


def _shown_lines(difference: BomDiff) -> list[tuple[Any, Any, Any]]:
    return [(change, as_unit_cost(change.old_cost), as_unit_cost(change.new_cost)) for change in difference.lines]


# --- Where used, and replacing ----------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@permission_required("production.view_bom", raise_exception=True)
def where_used_page(request: HttpRequest) -> HttpResponse:
    """Everything that needs an item, on all levels; and drafts of chosen BOMs with another item in its place."""
    if request.method == "POST" and not request.user.has_perm("production.add_bom"):
        raise PermissionDenied
    source = request.POST if request.method == "POST" else request.GET
    text = (source.get("component") or source.get("item") or "").strip()[:100]
    item = find_item(text) if text else None
    uses = where_used(item_id=item.pk) if item is not None else None
    chosen = set(whole_numbers(request.POST.getlist("bom")))
    form = ReplaceForm(request.POST if request.method == "POST" else None, initial={"component": text})
    refusal = ""
    if request.method == "POST" and form.is_valid():
        boms = list(Bom.objects.filter(pk__in=list(chosen)[: BOMS_MAX + 1]).select_related("item"))
        data = form.cleaned_data
        exchange = Exchange(data["component"], data["replacement"], data["factor"])
        try:
            record = replace_component(boms=boms, exchange=exchange, note=data["note"], actor=request.user)
        except DomainError as error:
            refusal = error.message
        else:
            count = len(boms)
            words = f"Made {count} draft{'' if count == 1 else 's'} with {exchange.replacement.sku}. Nothing is in force yet."
            return go_to(request, "production:replacement", record.pk, message=words)
    return render_page(
        request,
        "production/where_used.html",
        title=f"Where {item.sku} is used" if item else "Where an item is used",
        crumbs=crumbs_of(),
        form=form,
        status=422 if refusal or (form.is_bound and not form.is_valid()) else 404 if text and item is None else 200,
        item=item,
        text=text,
        uses=uses,
        direct=_direct(uses, chosen, is_new=request.method == "GET") if uses else [],
        refusal=refusal,
        recent=list(
            BomReplacement.objects.select_related("component", "replacement", "created_by")[:REPLACEMENTS_SHOWN_MAX]
        ),
    )


def _direct(uses: WhereUsed, chosen: set[int], *, is_new: bool) -> list[tuple[Any, bool, bool]]:
    """Each use with whether it may be chosen, once a version, and whether it is chosen now."""
    seen: set[int] = set()
    rows = []
    for use in uses.direct:
        may_choose = use.bom_id not in seen
        seen.add(use.bom_id)
        rows.append((use, may_choose, use.is_in_force if is_new else use.bom_id in chosen))
    return rows


@require_GET
@permission_required("production.view_bom", raise_exception=True)
def replacement(request: HttpRequest, pk: int) -> HttpResponse:
    """All drafts of a replacement with what each changes, and what the products above cost then."""
    return _review(request, pk)


def _review(request: HttpRequest, pk: int, *, refusal: str = "") -> HttpResponse:
    found = BomReplacement.objects.select_related("component", "replacement", "created_by")
    record = get_object_or_404(found, pk=pk)
    review = replacement_review(replacement=record)
    changes = [_buildable_change(one.draft.item, one.difference) for one in review.drafts if one.difference is not None]
    listings: Mapping[int, Sequence[Any]] = _by_item(listing_changes(changes))
    return render_page(
        request,
        "production/replacement.html",
        title=f"{record.replacement.sku} instead of {record.component.sku}",
        crumbs=[*crumbs_of(), Crumb("Where used", f"{reverse('production:where_used')}?item={record.component.sku}")],
        status=409 if refusal else 200,
        refusal=refusal,
        record=record,
        drafts=[
            (
                one,
                state_badge(one.draft),
                _shown_lines(one.difference) if one.difference else [],
                listings.get(one.draft.item_id, ()),
            )
            for one in review.drafts
        ],
        overtaken=[one for one in review.drafts if one.meanwhile is not None],
        open_count=sum(1 for one in review.drafts if one.draft.state == BomState.DRAFT),
        effects=review.effects,
        unknown=_unknown(review),
        today=timezone.localdate(),
    )


def _by_item(changes: Sequence[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for change in changes:
        found.setdefault(change.item_id, []).append(change)
    return found


def _unknown(review: ReplacementReview) -> int:
    return sum(1 for effect in review.effects if effect.change is None)


@require_POST
@permission_required("production.activate_bom", raise_exception=True)
def activate_all(request: HttpRequest, pk: int) -> HttpResponse:
    """Put all drafts of a replacement in force together."""
    record = get_object_or_404(BomReplacement, pk=pk)
    try:
        done = activate_replacement(
            replacement=record, effective_from=_day(request), actor=request.user, over=over_of(request.POST)
        )
    except DomainError as error:
        return _review(request, pk, refusal=error.message)
    count = len(done)
    words = f"{count} BOM{' is' if count == 1 else 's are'} in force from {done[0].bom.effective_from}."
    return go_to(request, "production:replacement", pk, message=words)


@require_POST
@permission_required("production.delete_bom", raise_exception=True)
def discard_all(request: HttpRequest, pk: int) -> HttpResponse:
    """Discard what is left of a replacement's drafts."""
    record = get_object_or_404(BomReplacement.objects.select_related("component"), pk=pk)
    try:
        count = discard_replacement(replacement=record, actor=request.user)
    except DomainError as error:
        return _review(request, pk, refusal=error.message)
    url = f"{reverse('production:where_used')}?item={record.component.sku}"
    return go_to(request, url, message=f"Discarded {count} draft{'' if count == 1 else 's'}.")


def _day(request: HttpRequest) -> date | None:
    try:
        return parse_date(request.POST.get("effective_from", "").strip() or "-")
    except ValueError:
        return None
