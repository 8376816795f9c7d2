"""The traveller: one printed page that goes with the goods, with a code that leads back to the order."""

import re
from fractions import Fraction

import segno
from barcode.codex import Code128
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET

from inventory.quantities import round_down
from inventory.web import Crumb, render_page
from production.explosion import started_per_good
from production.models import BomAttachment, BomOperation, BomOutput
from production.order_forms import rank_name
from production.reads.order_needs import needs_of_order
from production.reads.order_stages import stage_of
from production.views.orders_page import find_order


@require_GET
@permission_required("production.view_workorder", raise_exception=True)
def traveller(request: HttpRequest, number: str) -> HttpResponse:
    """What is made, from what, how, and what comes out beside it; to be printed."""
    order = find_order(number)
    batches = started_per_good(order.bom.process_loss_percent) * Fraction(order.planned) / Fraction(order.bom.makes)
    outputs = [
        (output, round_down(Fraction(output.quantity) * batches, output.item.step))
        for output in BomOutput.objects.filter(bom=order.bom_id).select_related("item").order_by("position", "id")
    ]
    complete_url = reverse("production:complete_order", args=[order.number])
    return render_page(
        request,
        "production/order_traveller.html",
        title=f"Traveller of {order.number}",
        crumbs=[
            Crumb("Work orders", reverse("production:work_orders")),
            Crumb(order.number, reverse("production:work_order", args=[order.number])),
        ],
        order=order,
        stage=stage_of(order),
        priority=rank_name(order.rank) if order.rank else "",
        needs=needs_of_order(order),
        operations=list(BomOperation.objects.filter(bom=order.bom_id).order_by("position", "id")),
        outputs=outputs,
        attachments=list(BomAttachment.objects.filter(bom=order.bom_id).order_by("id")),
        pegs=list(order.pegs.order_by("id")),
        code=qr_code(request.build_absolute_uri(complete_url), title=f"Complete {order.number}"),
        number_code=qr_code(order.number, title=order.number),
        number_bars=code_128(order.number, title=f"{order.number} as bars"),
        printed_at=timezone.now(),
    )


def qr_code(text: str, *, title: str) -> SafeString:
    """A QR code of `text` as inline SVG that prints sharp at any size; dark on white in every theme."""
    code = segno.make(text, error="m", micro=False)
    return mark_safe(  # noqa: S308  the library writes the SVG and escapes the title
        code.svg_inline(scale=4, border=2, title=title, omitsize=True, dark="#000", light="#fff", svgclass="order-code")
    )


QUIET_MODULES = 10
"""Blank modules that a reader of Code 128 needs on either side (ISO/IEC 15417)."""


def code_128(text: str, *, title: str) -> SafeString:
    """A Code 128 of `text` (ASCII) as inline SVG, one unit wide a module, for readers that see no QR codes."""
    modules = Code128(text).build()[0]
    bars = "".join(
        f"M{QUIET_MODULES + bar.start()} 0h{len(bar[0])}v40h-{len(bar[0])}z" for bar in re.finditer("1+", modules)
    )
    width = len(modules) + 2 * QUIET_MODULES
    return format_html(
        '<svg class="order-bars" viewBox="0 0 {} 40" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect width="{}" height="40" fill="#fff"/><path fill="#000" d="{}"/></svg>',
        width,
        title,
        width,
        bars,
    )
