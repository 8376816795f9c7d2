"""The stock board: what every item has, in all and per place and status."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Count, DecimalField, Exists, F, Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Upper
from django.utils import timezone

from inventory.models import CostPool, Item, ItemCategory, Location, Reservation, StockBalance
from inventory.quantities import ZERO, proportion
from inventory.reads.availability import ItemAvailability, availability

EXPIRY_NOTICE_DAYS = 30
_AMOUNT: "DecimalField[Any, Any]" = DecimalField(max_digits=30, decimal_places=6)


@dataclass(frozen=True, slots=True)
class BoardQuestion:
    """What the board is asked for. Empty values do not narrow it; `sort` is a key, with a minus for the other way."""

    text: str = ""
    site: Location | None = None
    status: str = ""
    category: ItemCategory | None = None
    kind: str = ""
    stocked: bool = False
    flag: str = ""
    """`low` (below the reorder point), `soon` or `expired` (lots), `unknown` (cost)."""
    sort: str = "sku"


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """An item at one location with one status. Quantities are in the item's stock unit."""

    location_id: int
    location_code: str
    location_name: str
    status: str
    on_hand: Decimal
    pinned: Decimal
    value: Decimal | None  # base currency; None when unknown
    lots: int
    next_expiry: date | None


@dataclass(frozen=True, slots=True)
class BoardRow:
    """An item with all its stock that matches the question. Quantities are in the item's stock unit."""

    item: Item
    on_hand: Decimal
    reserved: Decimal
    available: Decimal  # below zero where more is promised than is there
    value: Decimal | None  # base currency; None when unknown
    places: tuple[PlaceRow, ...]

    @property
    def is_low(self) -> bool:
        return self.item.reorder_point is not None and self.available < self.item.reorder_point


def board_items(question: BoardQuestion) -> QuerySet[Item]:
    """The items of the board in its order, ready to page."""
    items = Item.objects.stocked().select_related("category")
    if question.text:
        items = items.matching(question.text)
    if question.category:
        items = items.filter(category_id__in=_with_subcategories(question.category))
    if question.kind:
        items = items.filter(kind=question.kind)
    cells = _cells(question).filter(item=OuterRef("pk"))
    if question.stocked or question.status or question.site:  # without stock there, there is no row to show
        items = items.filter(Exists(cells))
    else:
        items = items.filter(Q(is_active=True) | Exists(cells))
    if question.flag == "low":
        items = items.filter(reorder_point__isnull=False).filter(reorder_point__gt=_free_everywhere())
    elif question.flag == "unknown":
        items = items.filter(Exists(CostPool.objects.filter(item=OuterRef("pk"), unknown_quantity__gt=0)))
    elif question.flag in ("soon", "expired"):
        items = items.filter(Exists(cells.filter(expiring(soon=question.flag == "soon"))))
    return _sorted(items, question, cells)


def expiring(*, soon: bool) -> Q:
    """A condition on cells: their lot expires within EXPIRY_NOTICE_DAYS, or it has expired."""
    today = timezone.localdate()
    if soon:
        return Q(lot__expires_on__gte=today, lot__expires_on__lte=today + timedelta(days=EXPIRY_NOTICE_DAYS))
    return Q(lot__expires_on__lt=today)


def board_rows(items: Sequence[Item], question: BoardQuestion) -> list[BoardRow]:
    """The rows of some items, by three statements for any number of them."""
    ids = [item.pk for item in items]
    if not ids:
        return []
    pools = {pool.item_id: pool for pool in CostPool.objects.filter(item_id__in=ids, lot__isnull=True)}
    places: dict[int, list[dict[str, Any]]] = {}
    for cell in (
        _cells(question)
        .filter(item_id__in=ids)
        .order_by("item_id", "location__path", "status")
        .values("item_id", "location_id", "location__code", "location__name", "location__path", "status")
        .annotate(
            on_hand=Sum("quantity"),
            pinned=Sum("reserved"),
            lots=Count("lot", filter=~Q(lot__code="")),
            next_expiry=Min("lot__expires_on"),
        )
    ):
        places.setdefault(cell["item_id"], []).append(dict(cell))
    sources = [question.site.pk] if question.site else []
    free = availability(items=ids, sources=sources)
    return [_row(item, places.get(item.pk, []), pools.get(item.pk), free.get(item.pk), sources) for item in items]


def all_rows(question: BoardQuestion, *, chunk: int = 500) -> Iterator[BoardRow]:
    """Every row of the board, a few statements per `chunk` items."""
    items = board_items(question)
    for start in range(0, items.count(), chunk):
        yield from board_rows(list(items[start : start + chunk]), question)


def _row(
    item: Item,
    cells: Sequence[dict[str, Any]],
    pool: CostPool | None,
    free: ItemAvailability | None,
    sources: Sequence[int],
) -> BoardRow:
    places = tuple(
        PlaceRow(
            location_id=cell["location_id"],
            location_code=cell["location__code"],
            location_name=cell["location__name"],
            status=cell["status"],
            on_hand=cell["on_hand"],
            pinned=cell["pinned"],
            value=share_of_pool(pool, cell["on_hand"]),
            lots=cell["lots"],
            next_expiry=cell["next_expiry"],
        )
        for cell in cells
    )
    on_hand = sum((place.on_hand for place in places), ZERO)
    asked = free.from_sources(sources).sources if free else ()
    return BoardRow(
        item=item,
        on_hand=on_hand,
        reserved=sum((source.reserved_pinned + source.reserved_soft for source in asked), ZERO),
        available=sum((source.available for source in asked), ZERO),
        value=share_of_pool(pool, on_hand),
        places=places,
    )


def share_of_pool(pool: CostPool | None, quantity: Decimal) -> Decimal | None:
    """What `quantity` of a pool's stock is worth, to the currency's step; None while a part of the pool is unknown."""
    if not quantity:
        return ZERO
    if pool is None or pool.unknown_quantity > ZERO or not pool.quantity:
        return None
    return proportion(abs(pool.value), quantity, abs(pool.quantity), step=settings.CURRENCY_STEP)


def _cells(question: BoardQuestion) -> QuerySet[StockBalance]:
    cells = StockBalance.objects.filter(quantity__gt=0)
    if question.site:
        cells = cells.filter(location__path__startswith=question.site.path)
    if question.status:
        cells = cells.filter(status=question.status)
    return cells


def _sorted(items: QuerySet[Item], question: BoardQuestion, cells: QuerySet[StockBalance]) -> QuerySet[Item]:
    key = question.sort.removeprefix("-")
    expression: Any
    if key == "on_hand":
        expression = _sum_of(cells.order_by().values("item").annotate(total=Sum("quantity")).values("total"))
    elif key == "value":
        expression = Coalesce(
            Subquery(CostPool.objects.filter(item=OuterRef("pk"), lot__isnull=True).values("value")[:1]),
            Value(ZERO),
            output_field=_AMOUNT,
        )
    else:
        expression = Upper(key)
    order = expression.desc() if question.sort.startswith("-") else expression.asc()
    return items.order_by(order, "pk")


def _sum_of(totals: "QuerySet[Any, Any]") -> Coalesce:
    return Coalesce(Subquery(totals, output_field=_AMOUNT), Value(ZERO), output_field=_AMOUNT)


def _free_everywhere() -> Any:
    """Sellable and not promised, over all places, as an expression over items."""
    today = timezone.localdate()
    held = (
        StockBalance.objects.available()
        .filter(item=OuterRef("pk"))
        .filter(Q(lot__expires_on__isnull=True) | Q(lot__expires_on__gte=today))
        .order_by()
        .values("item")
        .annotate(total=Sum(F("quantity") - F("reserved")))
        .values("total")
    )
    promised = (
        Reservation.objects.open(at=timezone.now())
        .soft()
        .filter(item=OuterRef("pk"))
        .order_by()
        .values("item")
        .annotate(total=Sum("quantity"))
        .values("total")
    )
    return _sum_of(held) - _sum_of(promised)


def _with_subcategories(category: ItemCategory) -> list[int]:
    """The category and everything below it."""
    children: dict[int | None, list[int]] = {}
    for pk, parent_id in ItemCategory.objects.values_list("pk", "parent_id"):
        children.setdefault(parent_id, []).append(pk)
    found, waiting = [], [category.pk]
    while waiting:
        pk = waiting.pop()
        found.append(pk)
        waiting.extend(children.get(pk, []))
    return found
