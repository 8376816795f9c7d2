"""Advice on buffers: how large each listing's has to be, what that costs, and the way to the rule that sets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from channels_sync.allocation import Derivation
from channels_sync.allocation.advising import RISK_DEFAULT
from channels_sync.forms.buffers import BufferForm
from channels_sync.models import AllocationPolicy, Channel
from channels_sync.reads.buffers import DELAY_DAYS, LISTINGS_MAX, WINDOW_DAYS, BufferRow, buffer_book
from inventory.quantities import as_text
from inventory.web import Crumb, render_page

ROWS_PER_PAGE = 50
HUNDRED = Decimal(100)
DECIDING = {
    "buffer": "units",
    "buffer_percent": "percent of stock",
    "buffer_days": "days of demand",
    "doubt_percent": "doubt about the books",
}


@dataclass(frozen=True, slots=True)
class AdviceRow:
    row: BufferRow
    channel: Channel
    deciding: str
    edit_url: str
    """Empty where what is advised is there already, or nothing is advised."""


@require_GET
@permission_required("channels_sync.view_allocationpolicy", raise_exception=True)
def buffers(request: HttpRequest) -> HttpResponse:
    """Listings whose buffer differs most from what is advised come first. `?chance=` is in percent."""
    asked = {"chance": as_text(RISK_DEFAULT * HUNDRED), **{name: request.GET[name] for name in request.GET}}
    form = BufferForm(asked)
    context: dict[str, Any] = {}
    if form.is_valid():
        chance, channel = form.cleaned_data["chance"], form.cleaned_data["channel"]
        book = buffer_book(risk=chance / HUNDRED, channel_id=channel.pk if channel else None)
        page = Paginator(book.rows, ROWS_PER_PAGE).get_page(request.GET.get("page"))
        context = {
            "page_object": page,
            "rows": _rows(list(page.object_list), chance),
            "known_until": book.known_until,
            "is_cut": book.is_cut,
        }
    return render_page(
        request,
        "channels_sync/buffers.html",
        title="Buffers",
        crumbs=[Crumb("Allocation rules", reverse("channels_sync:policies"))],
        status=200 if form.is_valid() else 422,
        form=form,
        listings_max=LISTINGS_MAX,
        window_days=WINDOW_DAYS,
        delay_days=DELAY_DAYS,
        **context,
    )


def _rows(rows: list[BufferRow], chance: Decimal) -> list[AdviceRow]:
    """Two statements for any number of rows."""
    channels = Channel.objects.in_bulk({row.channel_id for row in rows})
    standing = AllocationPolicy.objects.standing().filter(listing__in=[row.listing_id for row in rows])
    rules = {rule.listing_id: rule.terms for rule in standing}
    return [
        AdviceRow(row, channels[row.channel_id], DECIDING.get(row.deciding, ""), _edit_url(row, rules, chance))
        for row in rows
    ]


def _edit_url(row: BufferRow, rules: dict[int | None, dict[str, object]], chance: Decimal) -> str:
    if row.advised is None or not row.difference:
        return ""
    return rule_with_buffer(
        row.channel_id,
        row.external_sku,
        buffer=row.advised,
        derivation=row.derivation,
        standing=rules.get(row.listing_id, {}),
        note=f"Advised for a chance of overselling of at most {as_text(chance)} %",
    )


def rule_with_buffer(
    channel_id: int,
    external_sku: str,
    *,
    buffer: Decimal,
    derivation: Derivation,
    standing: Mapping[str, object],
    note: str,
) -> str:
    """The editor of a listing's own rule: what it says already (`standing`), with this buffer in place of every other one."""
    fields = {name: as_text(value) if isinstance(value, Decimal) else str(value) for name, value in standing.items()}
    for name in DECIDING:
        if derivation.terms.named(name).value:
            fields[name] = "0"
    fields |= {"channel": str(channel_id), "listing_sku": external_sku, "buffer": as_text(buffer), "note": note}
    return f"{reverse('channels_sync:edit_policy')}?{urlencode(fields)}"
