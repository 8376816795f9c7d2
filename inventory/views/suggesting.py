"""Suggestions while one types an item or a place; and their exact matches first."""

from django.contrib.auth.decorators import permission_required
from django.db.models import Case, IntegerField, Q, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from inventory.form_fields import SUGGESTIONS_MAX
from inventory.models import Item, Location


@require_GET
@permission_required("inventory.view_item", raise_exception=True)
def suggest_items(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    items = matching_items(text)[:SUGGESTIONS_MAX] if text else []
    return render(request, "inventory/_suggest_items.html", {"items": items, "text": text})


@require_GET
@permission_required("inventory.view_location", raise_exception=True)
def suggest_locations(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    found = Location.objects.active().filter(Q(code__icontains=text) | Q(name__icontains=text)).order_by("path")
    places = list(found[:SUGGESTIONS_MAX]) if text else []
    return render(request, "inventory/_suggest_locations.html", {"places": places, "text": text})


def matching_items(text: str) -> "list[Item]":
    """Stocked items that match, the exact SKU or barcode first, then those that begin with the text."""
    rank = Case(
        When(Q(sku__iexact=text) | Q(barcode=text), then=Value(0)),
        When(sku__istartswith=text, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    found = Item.objects.active().stocked().matching(text).annotate(rank=rank).order_by("rank", "sku")
    return list(found[:SUGGESTIONS_MAX])
