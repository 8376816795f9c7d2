"""The valuation of stock at any moment: a page of items by SKU, all of them for an export, and the tie-out with the ledger."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Upper

from inventory.models import CostPool, Item, ItemCategory, Location, StockBalance
from inventory.reads.moments import AsOf
from inventory.reads.stock_as_of import WorthAsOf, worth_as_of
from inventory.reads.stock_totals import Narrowing
from inventory.reads.unknown_costs import items_of_unknown_cost

LOOKED_AT_MAX = 3_000
"""Items looked at for one page: most of them may have had nothing at a moment long ago."""
UNKNOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class ValuationQuestion:
    """What is valued, and when. Empty values do not narrow it."""

    moment: AsOf = field(default_factory=AsOf)
    text: str = ""
    kind: str = ""
    category: ItemCategory | None = None
    place: Location | None = None

    def narrowing(self) -> Narrowing:
        """The same as ids, everything below the category and the place included; two statements at most."""
        return Narrowing(
            text=self.text,
            kind=self.kind,
            categories=None if self.category is None else with_subcategories(self.category),
            locations=None if self.place is None else locations_within(self.place),
        )


@dataclass(frozen=True, slots=True)
class ValuationRow:
    """An item that had stock (or a value) at the moment."""

    item: Item
    worth: WorthAsOf


@dataclass(frozen=True, slots=True)
class ValuationPage:
    rows: tuple[ValuationRow, ...]
    next_after: str | None  # go on after this SKU; None at the end


@dataclass(frozen=True, slots=True)
class TieOut:
    """Whether the cost pools are worth what the ledger says."""

    pools: Decimal
    ledger: Decimal

    @property
    def is_true(self) -> bool:
        return self.pools == self.ledger


def valuation_page(question: ValuationQuestion, *, after: str = "", rows_max: int = 50) -> ValuationPage:
    """Items in the order of their SKUs, those after `after`; two to five statements for each batch of items looked at.

    One batch fills the page where most items were worth something then. Where many were not (they came later, or have no
    stock), batches double until LOOKED_AT_MAX items were looked at: six of them for pages of 50, however many items. A page
    may then be shorter than `rows_max` and still have a next one.
    """
    narrowing = question.narrowing()
    rows: list[ValuationRow] = []
    batch, looked_at = rows_max + 1, 0
    while True:
        items = list(_items(question, narrowing, after=after)[:batch])
        rows += _rows(items, question, narrowing)
        looked_at += len(items)
        if len(rows) > rows_max:
            return ValuationPage(tuple(rows[:rows_max]), rows[rows_max - 1].item.sku)
        if len(items) < batch:
            return ValuationPage(tuple(rows), None)
        after = items[-1].sku
        if looked_at >= LOOKED_AT_MAX:
            return ValuationPage(tuple(rows), after)
        batch *= 2


def valuation_rows(question: ValuationQuestion, *, chunk: int = 500) -> Iterator[ValuationRow]:
    """Every row, a few statements per `chunk` items."""
    narrowing = question.narrowing()
    after = ""
    while True:
        items = list(_items(question, narrowing, after=after)[:chunk])
        yield from _rows(items, question, narrowing)
        if len(items) < chunk:
            return
        after = items[-1].sku


def unknown_rows(question: ValuationQuestion) -> list[ValuationRow]:
    """Items of which a part has no known cost, by SKU, at most UNKNOWN_MAX + 1."""
    found = items_of_unknown_cost(moment=question.moment)
    if not found:
        return []
    narrowing = question.narrowing()
    items = list(_items(question, narrowing).filter(pk__in=found)[: UNKNOWN_MAX + 1])
    return _rows(items, question, narrowing)


def tie_out() -> TieOut:
    """The value of the pools against the last closed period and everything that happened since it ended."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH known AS MATERIALIZED (
              SELECT id, ends_at FROM inventory_periodclose WHERE reopened_at IS NULL ORDER BY ends_at DESC LIMIT 1
            )
            SELECT (SELECT coalesce(sum(value), 0) FROM inventory_costpool WHERE lot_id IS NULL),
                   (SELECT coalesce(sum(s.value), 0) FROM inventory_periodsnapshot s JOIN known k ON k.id = s.period_id)
                   + (SELECT coalesce(sum(m.value), 0) FROM inventory_movement m
                      WHERE m.recorded_at > coalesce((SELECT ends_at FROM known), '-infinity')
                        AND m.effective_at > coalesce((SELECT ends_at FROM known), '-infinity'))
            """
        )
        row = cursor.fetchone()
    assert row is not None
    return TieOut(*row)


def with_subcategories(category: ItemCategory) -> list[int]:
    """Ids of the category and everything below it; one statement."""
    children: dict[int | None, list[int]] = {}
    for pk, parent_id in ItemCategory.objects.values_list("pk", "parent_id"):
        children.setdefault(parent_id, []).append(pk)
    found, waiting = [], [category.pk]
    while waiting:
        pk = waiting.pop()
        found.append(pk)
        waiting.extend(children.get(pk, []))
    return found


def locations_within(place: Location) -> list[int]:
    """Ids of the place and everything below it; one statement."""
    return list(Location.objects.within(place).values_list("pk", flat=True))


def _items(question: ValuationQuestion, narrowing: Narrowing, *, after: str = "") -> QuerySet[Item]:
    """Items that may have a row, by SKU."""
    items = Item.objects.select_related("category").order_by(Upper("sku"))
    if after:
        items = items.alias(upper_sku=Upper("sku")).filter(upper_sku__gt=after.upper())
    if question.text:
        items = items.matching(question.text)
    if question.kind:
        items = items.filter(kind=question.kind)
    if narrowing.categories is not None:
        items = items.filter(category_id__in=narrowing.categories)
    if narrowing.locations is not None:
        cells = StockBalance.objects.filter(item=OuterRef("pk"), location_id__in=narrowing.locations)
        return items.filter(Exists(cells.exclude(quantity=0) if question.moment.is_now else cells))
    pools = CostPool.objects.filter(item=OuterRef("pk"), lot__isnull=True)
    return items.filter(Exists(pools.filter(~Q(quantity=0) | ~Q(value=0)) if question.moment.is_now else pools))


def _rows(items: list[Item], question: ValuationQuestion, narrowing: Narrowing) -> list[ValuationRow]:
    worths = worth_as_of(items=[item.pk for item in items], moment=question.moment, locations=narrowing.locations)
    found = ((item, worths.get(item.pk)) for item in items)
    return [
        ValuationRow(item, worth)
        for item, worth in found
        if worth is not None and (worth.held if narrowing.locations is not None else not worth.is_empty)
    ]
