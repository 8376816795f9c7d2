"""What making adds to other pages, and what the apps above add to the page that records completions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from inventory.models import Item, Posting, PostingKind
from inventory.panels import (
    BoardCell,
    BoardColumn,
    Expectation,
    Figure,
    ItemTab,
    PostingPanel,
    register_board_column,
    register_expectation,
    register_item_figures,
    register_item_tab,
    register_posting_panel,
)
from inventory.quantities import as_text
from inventory.templatetags.figures import quantity
from production import panels_quality  # noqa: F401  registers what inspecting adds
from production.models import Bom, BomState, Completion, CompletionReversal, Disassembly, Reworking, WorkOrder
from production.reads.buildable import buildable
from production.reads.cost_rollup import LineCost, as_unit_cost, cost_rollups
from production.reads.open_orders import open_needs, open_outputs
from production.reads.where_used import where_used
from production.views.buildable import item_context

COMPLETIONS_SHOWN_MAX = 50


@dataclass(frozen=True, slots=True)
class PublishedChange:
    """What a channel shows of an item now, and what it would show once a completion is posted."""

    channel: str
    label: str
    """What is listed, when one item has several listings there; else empty."""
    before: Decimal | None
    after: Decimal | None
    unit: str = ""
    note: str = ""
    """Why it does not change, or does not change at once."""
    url: str = ""


PublicationOutlook = Callable[[Mapping[int, Decimal]], Iterable[PublishedChange]]
"""Gets by how much the available stock of each item id would change; a bounded number of queries, nothing written."""

_outlooks: dict[str, PublicationOutlook] = {}


def register_publication_outlook(name: str, outlook: PublicationOutlook) -> None:
    """Let an app above say what a completion would publish. Registering a name again replaces it."""
    _outlooks[name] = outlook


def unregister_publication_outlook(name: str) -> None:
    _outlooks.pop(name, None)


def published_changes(changes: Mapping[int, Decimal]) -> list[PublishedChange]:
    """What all registered apps say about a change of available stock."""
    return [change for outlook in _outlooks.values() for change in outlook(changes)] if changes else []


def has_publication_outlook() -> bool:
    return bool(_outlooks)


# --- What a change of a BOM does to what is sold ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BuildableChange:
    """How many of an item could be made now by one version and by another, in its stock unit; None: no limit."""

    item_id: int
    before: Decimal | None
    after: Decimal | None


@dataclass(frozen=True, slots=True)
class ListingChange:
    """The same for one listing, in what it sells (packs)."""

    item_id: int
    channel: str
    label: str
    before: Decimal | None
    after: Decimal | None
    unit: str = ""
    url: str = ""


ListingOutlook = Callable[[Sequence[BuildableChange]], Iterable[ListingChange]]
"""Says what changes of the buildable quantity of items mean for their listings; a bounded number of queries."""

_listing_outlooks: dict[str, ListingOutlook] = {}


def register_listing_outlook(name: str, outlook: ListingOutlook) -> None:
    """Let an app above say what a BOM means for its listings. Registering a name again replaces it."""
    _listing_outlooks[name] = outlook


def unregister_listing_outlook(name: str) -> None:
    _listing_outlooks.pop(name, None)


def listing_changes(changes: Sequence[BuildableChange]) -> list[ListingChange]:
    """What all registered apps say about these changes."""
    return [one for outlook in _listing_outlooks.values() for one in outlook(changes)] if changes else []


# --- On the pages of stock --------------------------------------------------------------------------------------------


def _bom_tab(_request: HttpRequest, item: Item) -> dict[str, Any]:
    versions = list(Bom.objects.filter(item=item).order_by("-version")[:COMPLETIONS_SHOWN_MAX])
    current = next(
        iter(Bom.objects.filter(item=item, state=BomState.ACTIVE).order_by("-effective_from", "-version")), None
    )
    rollup = cost_rollups(boms=[current.pk]).get(current.pk) if current else None
    lines = list(current.lines.select_related("component").order_by("position", "id")) if current else []
    costs = {line.line_id: line for line in rollup.lines} if rollup else {}
    return {
        "bom": current,
        "versions": versions,
        "bom_lines": [(line, *_costs_of(costs.get(line.pk))) for line in lines],
        "rollup": rollup,
    }


def _costs_of(cost: LineCost | None) -> tuple[Decimal | None, Decimal | None]:
    """Per unit of the component, and per unit of what is made."""
    return (None, None) if cost is None else (as_unit_cost(cost.unit_cost.value), as_unit_cost(cost.cost))


def _where_used_tab(_request: HttpRequest, item: Item) -> dict[str, Any]:
    return {"used": where_used(item_id=item.pk)}


def _making_tab(_request: HttpRequest, item: Item) -> dict[str, Any]:
    completions = (
        Completion.objects.filter(item=item)
        .select_related("posting", "posting__actor", "output_lot", "output_location", "work_order", "item")
        .order_by("-posting_id")[:COMPLETIONS_SHOWN_MAX]
    )
    orders = WorkOrder.objects.open().filter(item=item).order_by("due_on", "id")[:COMPLETIONS_SHOWN_MAX]
    return {"completions": list(completions), "orders": list(orders)}


def _figures(request: HttpRequest, item: Item) -> Sequence[Figure]:
    if not request.user.has_perm("production.view_bom"):
        return ()
    found = buildable(items=[item.pk])[item.pk]
    if found.bom_id is None:
        return ()
    if found.quantity is None:
        return (Figure("Buildable now", "no limit", "bom", "no counted component limits it"),)
    hint = found.problem
    if found.bottleneck is not None:
        hint = f"limited by {found.bottleneck.component.sku}"
    return (Figure("Buildable now", quantity(found.quantity, item), "bom", hint, "" if found.quantity else "look"),)


def _buildable(item_ids: Sequence[int]) -> Mapping[int, BoardCell]:
    """How many could be made now, and what limits it; nothing for items without a BOM in force. Two statements."""
    cells = {}
    items = {item.pk: item for item in Item.objects.filter(pk__in=item_ids)}
    for item_id, found in buildable(items=item_ids).items():
        if found.bom_id is None:
            continue
        url = f"{reverse('inventory:item', args=[item_id])}?tab=bom"
        if found.quantity is None:
            words, text = "no limit", "no limit"
        else:
            words, text = quantity(found.quantity, items[item_id]), as_text(found.quantity)
        hint = found.problem or (f"limited by {found.bottleneck.component.sku}" if found.bottleneck else "")
        cells[item_id] = BoardCell(
            format_html('<a class="bf-door" href="{}" title="{}">{}</a>', url, hint, words), text
        )
    return cells


def _buildable_tab(request: HttpRequest, item: Item) -> dict[str, Any]:
    return item_context(request, item)


def _completion_panel(_request: HttpRequest, posting: Posting) -> dict[str, Any] | None:
    if posting.kind == PostingKind.COMPLETION:
        completion = (
            Completion.objects.select_related("item", "work_order", "scrap_location").filter(posting=posting).first()
        )
        return None if completion is None else {"completion": completion, "completion_reversal": None}
    if posting.kind == PostingKind.REVERSAL:
        reversal = (
            CompletionReversal.objects.select_related(
                "completion__item", "completion__work_order", "completion__scrap_location"
            )
            .filter(posting=posting)
            .first()
        )
        return None if reversal is None else {"completion": reversal.completion, "completion_reversal": reversal}
    return None


def _disassembly_panel(_request: HttpRequest, posting: Posting) -> dict[str, Any] | None:
    if posting.kind != PostingKind.DISASSEMBLY:
        return None
    done = Disassembly.objects.select_related("item").filter(posting=posting).first()
    return None if done is None else {"disassembly": done}


def _rework_panel(_request: HttpRequest, posting: Posting) -> dict[str, Any] | None:
    if posting.kind != PostingKind.REWORK:
        return None
    done = Reworking.objects.select_related("order__item", "order__lot").filter(posting=posting).first()
    return None if done is None else {"reworking": done}


def completion_url(completion: Completion) -> str:
    return reverse("production:completion", args=[completion.posting_id])


register_item_figures("production", _figures)
register_board_column(BoardColumn("buildable", "Buildable", _buildable, "production.view_bom", is_number=True))
register_expectation(Expectation("work orders", "Open work orders", lambda ids, at: open_outputs(items=ids, places=at)))
register_expectation(
    Expectation("components", "For work orders", lambda ids, at: open_needs(items=ids, places=at), is_demand=True)
)
register_item_tab(ItemTab("bom", "BOM", "production/_item_bom.html", _bom_tab, 30, "production.view_bom"))
register_item_tab(
    ItemTab("used", "Where used", "production/_item_used.html", _where_used_tab, 32, "production.view_bom")
)
register_item_tab(
    ItemTab("made", "Completions", "production/_item_made.html", _making_tab, 34, "production.view_completion")
)
register_item_tab(
    ItemTab("buildable", "Buildable", "production/_item_buildable.html", _buildable_tab, 31, "production.view_bom")
)
register_posting_panel("completion", PostingPanel("production/_posting_completion.html", _completion_panel))
register_posting_panel("disassembly", PostingPanel("production/_posting_disassembly.html", _disassembly_panel))
register_posting_panel("rework", PostingPanel("production/quality/_posting_rework.html", _rework_panel))
