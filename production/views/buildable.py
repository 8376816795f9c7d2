"""What can be made now, who competes for what, and by when a quantity can be ready."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET

from inventory.errors import DomainError
from inventory.models import Item
from inventory.models.items import ItemQuerySet
from inventory.quantities import check_step, from_text
from inventory.web import Cell, Crumb, export_table, render_page
from production.contention import Limit
from production.forms import packs_by_item
from production.promising import Arrival, Wait
from production.reads.contention import (
    GROUP_ITEMS_MAX,
    Gain,
    Outlook,
    PromiseRead,
    ShopRead,
    component_named,
    gain,
    groups_of,
    load_shop,
    outlook,
    promise_date,
    rivals,
)
from production.reads.rivalry import made_items, shown_group
from production.reads.structures import ItemFact
from production.typed import TypedQuantity, in_stock_unit, read_quantity

ROWS_PER_PAGE = 50
QUANTITY_LENGTH_MAX = 48
LEVELS = (("stock", "Sub-assemblies as they lie in stock"), ("all", "Make sub-assemblies too"))


@dataclass(frozen=True, slots=True)
class LimitShown:
    """A component that limits an item, with its free stock and what it lacks for one step more."""

    component: ItemFact
    free: Decimal
    limit: Limit


@dataclass(frozen=True, slots=True)
class RowShown:
    item: Item
    found: Outlook
    limits: Sequence[LimitShown]

    @property
    def bottleneck(self) -> LimitShown | None:
        return self.limits[0] if self.limits else None


@dataclass(frozen=True, slots=True)
class WaitShown:
    component: ItemFact
    wait: Wait
    arrivals: Sequence[Arrival]
    uncertain: Sequence[tuple[Arrival, str]]


@require_GET
@permission_required("production.view_bom", raise_exception=True)
def buildable_list(request: HttpRequest) -> HttpResponseBase:
    """Items that are made, by SKU, a page at a time: how many now, what limits them, what more of it would bring."""
    text, levels = request.GET.get("q", "").strip()[:100], chosen_levels(request)
    items = made_items().order_by("sku")
    if text:
        items = items.matching(text)
    download = export_table(
        request.GET.get("export", ""),
        name="Buildable",
        header=["SKU", "Name", "Buildable", "Unit", "Limited by", "Free of it", "One more unit brings", "Next limit"],
        rows=_export_rows(items, levels),
    )
    if download is not None:
        return download
    after = request.GET.get("after", "")[:100]
    if after:
        items = items.filter(sku__gt=after)
    shown = list(items[: ROWS_PER_PAGE + 1])
    return render_page(
        request,
        "production/buildable.html",
        part={"buildable": "production/_buildable.html"},
        title="Buildable",
        rows=rows_of(shown[:ROWS_PER_PAGE], levels),
        next_after=shown[ROWS_PER_PAGE - 1].sku if len(shown) > ROWS_PER_PAGE else "",
        after=after,
        text=text,
        levels=levels,
        all_levels=LEVELS,
        clear_url=reverse("production:buildable"),
    )


@require_GET
@permission_required("production.view_bom", raise_exception=True)
def contention(request: HttpRequest) -> HttpResponse:
    """The groups of items that cannot all be made from what is there."""
    levels = chosen_levels(request)
    ids = list(made_items().order_by("sku").values_list("pk", flat=True)[: GROUP_ITEMS_MAX + 1])
    read = load_shop(items=ids[:GROUP_ITEMS_MAX], make_missing=levels == "all")
    return render_page(
        request,
        "production/contention.html",
        part={"contention": "production/_contention.html"},
        title="Competing for components",
        crumbs=[Crumb("Buildable", reverse("production:buildable"))],
        groups=[shown_group(read, group) for group in groups_of(read, ids[:GROUP_ITEMS_MAX])],
        has_items=bool(ids),
        is_cut=len(ids) > GROUP_ITEMS_MAX,
        items_max=GROUP_ITEMS_MAX,
        levels=levels,
        all_levels=LEVELS,
    )


@require_GET
@permission_required("production.view_bom", raise_exception=True)
def buildable_item(request: HttpRequest, pk: int) -> HttpResponse:
    """One item: its limits, who else wants them, and by when a quantity can be ready."""
    item = get_object_or_404(Item, pk=pk)
    return render_page(
        request,
        "production/buildable_item.html",
        part={"promise": "production/_promise.html", "gain": "production/_gain.html"},
        title=f"Buildable: {item.sku}",
        crumbs=[Crumb("Buildable", reverse("production:buildable"))],
        item=item,
        **item_context(request, item),
    )


def item_context(request: HttpRequest, item: Item) -> dict[str, Any]:
    """What the page and the tab of one item show. A fixed number of statements."""
    levels = chosen_levels(request)
    make_missing = levels == "all"
    read = load_shop(items=[item.pk], make_missing=make_missing)
    found = outlook(read, item.pk)
    others = rivals(read=read, item_id=item.pk)
    together = load_shop(items=others, make_missing=make_missing)
    group = next((group for group in groups_of(together, others) if item.pk in group.items), None)
    quantity, error = _asked(request, item)
    gained, gain_error = _gain(request, item, read)
    promised = None
    if quantity is not None and item.pk in read.shop.makes:
        promised = promise_date(item_id=item.pk, quantity=quantity, make_missing=make_missing)
    return {
        "row": RowShown(item, found, limits_shown(read, found)),
        "group": None if group is None else shown_group(together, group),
        "levels": levels,
        "all_levels": LEVELS,
        "asked": request.GET.get("quantity", "").strip()[:40],
        "asked_error": error,
        "more": request.GET.get("more", "").strip()[:100],
        "extra": request.GET.get("extra", "").strip()[:QUANTITY_LENGTH_MAX],
        "gained": gained,
        "gain_error": gain_error,
        "components": sorted((one.sku for one in read.items.values() if one.id != item.pk), key=str.casefold),
        "promise": promised.promise if promised else None,
        "waits": waits_shown(promised) if promised else [],
        "unlimited": found.quantity is None,
    }


def chosen_levels(request: HttpRequest) -> str:
    return "all" if request.GET.get("levels") == "all" else "stock"


def rows_of(items: Sequence[Item], levels: str) -> list[RowShown]:
    """Three statements for any number of items."""
    read = load_shop(items=[item.pk for item in items], make_missing=levels == "all")
    found = [(item, outlook(read, item.pk)) for item in items]
    return [RowShown(item, one, limits_shown(read, one)) for item, one in found]


def limits_shown(read: ShopRead, found: Outlook) -> list[LimitShown]:
    return [
        LimitShown(read.items[limit.component_id], read.shop.free(limit.component_id), limit) for limit in found.limits
    ]


def waits_shown(found: PromiseRead) -> list[WaitShown]:
    if found.promise is None:
        return []
    return [
        WaitShown(
            found.items[wait.component_id],
            wait,
            wait.arrivals,
            [(one, "no day is known" if one.day is None else "its day has passed") for one in wait.uncertain],
        )
        for wait in found.promise.waits
    ]


def _asked(request: HttpRequest, item: Item) -> tuple[Decimal | None, str]:
    """The quantity somebody asks a day for, or what is wrong with it."""
    text = request.GET.get("quantity", "").strip()[:40]
    if not text:
        return None, ""
    try:
        return check_step(quantity=from_text(text), step=item.step, sku=item.sku, unit=item.stock_unit), ""
    except DomainError as error:
        return None, error.message


def _gain(request: HttpRequest, item: Item, read: ShopRead) -> tuple[Gain | None, str]:
    """What more of the component that is asked about would bring, or what is wrong with the question."""
    sku = request.GET.get("more", "").strip()[:100]
    typed = request.GET.get("extra", "").strip()[:QUANTITY_LENGTH_MAX]
    if not sku or item.pk not in read.shop.makes:
        return None, ""
    component = component_named(read, item.pk, sku)
    if component is None:
        return None, f"“{sku}” is nothing that {item.sku} is made of. Choose one of its components."
    if not typed:
        return None, f"How much more of {component.sku}? Type a quantity, such as 1 {component.stock_unit}."
    try:
        extra = extra_of(component, read_quantity(typed))
    except DomainError as error:
        return None, error.message
    return gain(read, item_id=item.pk, component_id=component.id, extra=extra), ""


def extra_of(component: ItemFact, typed: TypedQuantity) -> Decimal:
    """A typed quantity in the component's stock unit, above zero. Raises InvalidUnit, InvalidQuantity, InvalidQuantityStep."""
    packs = packs_by_item([component.id]).get(component.id, {}) if typed.unit else {}
    extra = in_stock_unit(typed, sku=component.sku, stock_unit=component.stock_unit, step=component.step, packs=packs)
    return check_step(quantity=extra, step=component.step, sku=component.sku, unit=component.stock_unit)


def _export_rows(items: ItemQuerySet, levels: str) -> Iterator[list[Cell]]:
    for part in _parts(items.iterator(chunk_size=ROWS_PER_PAGE)):
        for row in rows_of(part, levels):
            first = row.bottleneck
            following = row.limits[1] if len(row.limits) > 1 else None
            yield [
                row.item.sku,
                row.item.name,
                "no limit" if row.found.quantity is None else row.found.quantity,
                row.item.stock_unit,
                first.component.sku if first else row.found.problem,
                first.free if first else None,
                row.found.gain if first else None,
                f"{following.component.sku} at {following.limit.quantity.normalize():f}" if following else "",
            ]


def _parts(items: Iterable[Item]) -> Iterator[list[Item]]:
    part: list[Item] = []
    for item in items:
        part.append(item)
        if len(part) == ROWS_PER_PAGE:
            yield part
            part = []
    if part:
        yield part
