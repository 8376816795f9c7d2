"""What units really cost over a period, against the plan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from inventory.models import Item
from inventory.quantities import PLACES, round_half_up
from inventory.typed_days import start_of, typed_day
from inventory.web import Cell, export_table, render_page
from production.reads.true_costs import PARTS, CostStack, TrueCost, items_completed, true_costs

ROWS_PER_PAGE = 50
DAYS_SHOWN = 90
PART_WORDS = {
    "material": "Material",
    "packaging": "Packaging",
    "labour": "Labour and machines",
    "overhead": "Overhead",
    "by_products": "By-products",
}
EXPORT_HEADER = [
    "SKU", "Name", "Unit", "Good", "Scrapped", "Completions", "Left out as undone",
    *(f"{words}, {side}" for words in PART_WORDS.values() for side in ("planned", "actual")),
    "Unit cost, planned", "Unit cost, actual", "Difference", "Difference %", "Of it usage and scrap", "Of it prices and set-ups",
    "Of it scrap",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class PartShown:
    label: str
    planned: Decimal | None
    actual: Decimal | None


@dataclass(frozen=True, slots=True)
class CostRow:
    """One item with figures of one unit, rounded for people; base currency."""

    item: Item
    found: TrueCost
    parts: Sequence[PartShown]
    planned: Decimal | None
    actual: Decimal | None
    difference: Decimal | None
    percent: Decimal | None
    usage: Decimal | None
    price: Decimal | None
    scrap: Decimal | None

    @property
    def tone(self) -> str:
        """Whether a person should look: more than five per cent above the plan."""
        return "look" if self.percent is not None and self.percent > 5 else ""


class _Chosen:
    """The period and the search of the list, as chosen in the address."""

    def __init__(self, query: QueryDict) -> None:
        today = timezone.localdate()
        self.text = query.get("q", "").strip()[:100]
        self.since = typed_day(query.get("since", "")) or today - timedelta(days=DAYS_SHOWN)
        self.until = typed_day(query.get("until", "")) or today
        self.after = query.get("after", "")[:100]

    @property
    def start(self) -> datetime:
        return start_of(self.since)

    @property
    def end(self) -> datetime:
        return start_of(self.until + timedelta(days=1))


@require_GET
@permission_required("inventory.view_costpool", raise_exception=True)
def unit_costs(request: HttpRequest) -> HttpResponseBase:
    """Items that were completed in the period, by SKU, a page at a time, or all of them as a table to take away."""
    chosen = _Chosen(request.GET)
    items = Item.objects.filter(pk__in=items_completed(since=chosen.start, until=chosen.end)).order_by("sku")
    if chosen.text:
        items = items & Item.objects.matching(chosen.text)
    download = export_table(
        request.GET.get("export", ""), name="Unit costs", header=EXPORT_HEADER, rows=_export_rows(list(items), chosen)
    )
    if download is not None:
        return download
    if chosen.after:
        items = items.filter(sku__gt=chosen.after)
    shown = list(items[: ROWS_PER_PAGE + 1])
    return render_page(
        request,
        "production/unit_costs.html",
        part={"unit-costs": "production/_unit_costs.html"},
        title="Planned and actual cost",
        rows=_rows(shown[:ROWS_PER_PAGE], chosen),
        next_after=shown[ROWS_PER_PAGE - 1].sku if len(shown) > ROWS_PER_PAGE else "",
        chosen=chosen,
        clear_url=reverse("production:unit_costs"),
    )


def _rows(items: Sequence[Item], chosen: _Chosen) -> list[CostRow]:
    found = true_costs(items=[item.pk for item in items], since=chosen.start, until=chosen.end)
    return [_row(item, found[item.pk]) for item in items if item.pk in found]


def _row(item: Item, found: TrueCost) -> CostRow:
    planned, actual = found.planned_unit or CostStack(), found.actual_unit or CostStack()
    parts = [
        PartShown(PART_WORDS[part], _shown(getattr(planned, part)), _shown(getattr(actual, part))) for part in PARTS
    ]
    percent = None if found.difference_percent is None else round_half_up(found.difference_percent, Decimal("0.1"))
    return CostRow(
        item=item,
        found=found,
        parts=[part for part in parts if part.planned != 0 or part.actual != 0],
        planned=_shown(planned.total) if found.good else None,
        actual=_shown(actual.total) if found.good else None,
        difference=_shown(found.difference),
        percent=percent,
        usage=_shown(found.usage),
        price=_shown(found.price),
        scrap=_shown(found.scrap_unit),
    )


def _shown(value: Fraction | None) -> Decimal | None:
    return None if value is None else round_half_up(value, PLACES)


def _export_rows(items: Sequence[Item], chosen: _Chosen) -> Iterator[list[Cell]]:
    for begin in range(0, len(items), ROWS_PER_PAGE):
        for row in _rows(items[begin : begin + ROWS_PER_PAGE], chosen):
            sides = (row.found.planned_unit or CostStack(), row.found.actual_unit or CostStack())
            yield [
                row.item.sku,
                row.item.name,
                row.item.stock_unit,
                row.found.good,
                row.found.scrapped,
                row.found.completions,
                row.found.left_out,
                *(_shown(getattr(side, part)) for part in PARTS for side in sides),
                row.planned,
                row.actual,
                row.difference,
                row.percent,
                row.usage,
                row.price,
                row.scrap,
            ]
