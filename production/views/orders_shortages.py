"""What work orders are short of and what would clear it, order by order or component by component."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from inventory.models import Item
from inventory.quantities import ZERO
from inventory.web import Crumb, export_table, render_page
from production.reads.shortages import ORDERS_MAX, ShortLine, ShortOrder, shortages, unfinished_orders

ROWS_PER_PAGE = 25


@dataclass(frozen=True, slots=True)
class ShortComponent:
    """One component over all orders that are short of it; `short` and `uncovered` in its stock unit."""

    component: Item
    lines: Sequence[tuple[ShortOrder, ShortLine]]
    short: Decimal
    uncovered: Decimal


@require_GET
@permission_required("production.view_workorder", raise_exception=True)
def order_shortages(request: HttpRequest) -> HttpResponseBase:
    """Shortages of unfinished orders, the most urgent first."""
    text = request.GET.get("q", "").strip()[:100]
    by_component = request.GET.get("by") == "component"
    only_open = bool(request.GET.get("uncovered"))
    found = _narrowed(shortages(), text, only_open=only_open)
    exported = export_table(
        request.GET.get("export", ""),
        name="Shortages",
        header=[
            "Order",
            "Due",
            "Item",
            "Component",
            "Unit",
            "Needed",
            "Held",
            "Free",
            "Short",
            "On its way",
            "Clears on",
        ],
        rows=(_row(order, line) for order in found for line in order.lines),
    )
    if exported is not None:
        return exported
    rows: Sequence[object] = _by_component(found) if by_component else found
    page = Paginator(rows, ROWS_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "production/order_shortages.html",
        part={"shortages": "production/_order_shortages.html"},
        title="Shortages",
        crumbs=[Crumb("Work orders", reverse("production:work_orders"))],
        page_object=page,
        by_component=by_component,
        text=text,
        only_open=only_open,
        is_filtered=bool(text or only_open),
        clear_url=reverse("production:order_shortages"),
        today=timezone.localdate(),
        left_out=max(unfinished_orders().count() - ORDERS_MAX, 0),
        orders_max=ORDERS_MAX,
    )


def _narrowed(found: Sequence[ShortOrder], text: str, *, only_open: bool) -> list[ShortOrder]:
    needle = text.casefold()
    kept = []
    for short in found:
        lines = [
            line
            for line in short.lines
            if (not only_open or line.uncovered > ZERO)
            and (
                not needle
                or needle in f"{short.order.number} {short.order.item.sku}".casefold()
                or needle in f"{line.component.sku} {line.component.name}".casefold()
            )
        ]
        if lines:
            kept.append(ShortOrder(short.order, lines))
    return kept


def _by_component(found: Sequence[ShortOrder]) -> list[ShortComponent]:
    lines: dict[int, list[tuple[ShortOrder, ShortLine]]] = {}
    for order in found:
        for line in order.lines:
            lines.setdefault(line.component.pk, []).append((order, line))
    return [
        ShortComponent(
            component=pairs[0][1].component,
            lines=pairs,
            short=sum((line.short for _, line in pairs), ZERO),
            uncovered=sum((line.uncovered for _, line in pairs), ZERO),
        )
        for pairs in lines.values()
    ]


def _row(order: ShortOrder, line: ShortLine) -> list[str | Decimal]:
    return [
        order.order.number,
        order.order.due_on.isoformat() if order.order.due_on else "",
        order.order.item.sku,
        line.component.sku,
        line.component.stock_unit,
        line.open,
        line.held,
        line.free,
        line.short,
        line.covered,
        line.clears_on.isoformat() if line.clears_on else "",
    ]
