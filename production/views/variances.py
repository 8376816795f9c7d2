"""What production used beyond or below its standards, what was spoiled and scrapped, and its yield, over a period."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from inventory.models import Item
from inventory.quantities import round_half_up
from inventory.typed_days import start_of, typed_day
from inventory.web import Cell, export_table, render_page
from inventory.whole_numbers import whole_number
from production.reads.variances import (
    CAUSE_WORDS,
    NOTHING_USED,
    By,
    Usage,
    Yield,
    scrap_by_reason,
    usage,
    usage_in_all,
    yield_in_all,
    yields_of,
)

ROWS_PER_PAGE = 50
DAYS_SHOWN = 90
LOOK_PERCENT = 5
"""A variance of more than so many percent of the standard is shown as something to look at."""
EXPORT_HEADER = [
    "SKU", "Name", "Unit", "Lines", "Lines that differ", "Cost unknown", "Standard quantity", "Actual quantity",
    "Standard", "More used", "Less used", "Variance", "Variance %", "Spoiled", "Good", "Scrapped", "Yield %", "Cost of scrap",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class VarianceRow:
    """One product or component, rounded for people. `made` is a product's yield."""

    item: Item
    used: Usage
    made: Yield | None
    percent: Decimal | None
    yield_percent: Decimal | None

    @property
    def tone(self) -> str:
        return "look" if self.percent is not None and abs(self.percent) > LOOK_PERCENT else ""

    @property
    def difference(self) -> Decimal | None:
        """Quantity, of a component."""
        if self.used.actual is None or self.used.expected is None:
            return None
        return self.used.actual - self.used.expected


@dataclass(frozen=True, slots=True)
class CauseRow:
    cause: str
    words: str
    used: Usage


class _Chosen:
    """Period, search, cause and dimension, as chosen in the address."""

    def __init__(self, query: QueryDict) -> None:
        today = timezone.localdate()
        self.text = query.get("q", "").strip()[:100]
        self.since = typed_day(query.get("since", "")) or today - timedelta(days=DAYS_SHOWN)
        self.until = typed_day(query.get("until", "")) or today
        self.by = By.COMPONENT if query.get("by") == By.COMPONENT else By.PRODUCT
        self.cause = query.get("cause", "") if query.get("cause") in CAUSE_WORDS else ""
        self.skip = max(whole_number(query.get("skip")) or 0, 0)

    @property
    def start(self) -> datetime:
        return start_of(self.since)

    @property
    def end(self) -> datetime:
        return start_of(self.until + timedelta(days=1))

    @property
    def cause_words(self) -> str:
        return CAUSE_WORDS.get(self.cause, "")


@require_GET
@permission_required("inventory.view_costpool", raise_exception=True)
def variances(request: HttpRequest) -> HttpResponseBase:
    """Sums of the period, by cause and by reason of scrap, and products or components with what they differ by."""
    chosen = _Chosen(request.GET)
    since, until = chosen.start, chosen.end
    matching = list(Item.objects.matching(chosen.text).values_list("pk", flat=True)) if chosen.text else None
    found = usage(by=chosen.by, cause=chosen.cause, items=matching, since=since, until=until)
    made = yields_of(items=matching, since=since, until=until) if chosen.by is By.PRODUCT else {}
    if not chosen.cause:
        known = {int(one.key) for one in found}
        found += [replace(NOTHING_USED, key=str(pk)) for pk in sorted(set(made) - known)]
    download = export_table(
        request.GET.get("export", ""), name="Variances", header=EXPORT_HEADER, rows=_export_rows(found, made)
    )
    if download is not None:
        return download
    in_all, made_in_all = usage_in_all(since=since, until=until), yield_in_all(since=since, until=until)
    causes = usage(by=By.CAUSE, since=since, until=until)
    return render_page(
        request,
        "production/variances.html",
        part={"variances": "production/_variances.html"},
        title="Variances",
        rows=_rows(found[chosen.skip : chosen.skip + ROWS_PER_PAGE], made),
        total=len(found),
        next_skip=chosen.skip + ROWS_PER_PAGE if len(found) > chosen.skip + ROWS_PER_PAGE else None,
        chosen=chosen,
        causes_to_choose=CAUSE_WORDS.items(),
        in_all=in_all,
        percent_in_all=_percent(in_all.percent),
        made_in_all=made_in_all,
        yield_in_all=_percent(made_in_all.percent),
        causes=[CauseRow(one.key, CAUSE_WORDS.get(one.key, one.key), one) for one in causes],
        reasons=scrap_by_reason(since=since, until=until),
        clear_url=reverse("production:variances"),
    )


def _rows(found: Sequence[Usage], made: dict[int, Yield]) -> list[VarianceRow]:
    items = Item.objects.in_bulk([int(one.key) for one in found])
    rows = []
    for one in found:
        item = items[int(one.key)]
        product = made.get(item.pk)
        rows.append(
            VarianceRow(
                item, one, product, _percent(one.percent), None if product is None else _percent(product.percent)
            )
        )
    return rows


def _percent(value: Fraction | None) -> Decimal | None:
    return None if value is None else round_half_up(value, Decimal("0.1"))


def _money(value: Decimal) -> Decimal:
    return round_half_up(Fraction(value), settings.CURRENCY_STEP)


def _export_rows(found: Sequence[Usage], made: dict[int, Yield]) -> Iterator[list[Cell]]:
    for begin in range(0, len(found), ROWS_PER_PAGE):
        for row in _rows(found[begin : begin + ROWS_PER_PAGE], made):
            used, product = row.used, row.made
            yield [
                row.item.sku,
                row.item.name,
                row.item.stock_unit,
                used.lines,
                used.differing,
                used.unknown,
                used.expected,
                used.actual,
                _money(used.standard),
                _money(used.over),
                _money(used.under),
                _money(used.variance),
                row.percent,
                _money(used.spoiled),
                None if product is None else product.good,
                None if product is None else product.scrapped,
                row.yield_percent,
                None if product is None else _money(product.scrap_cost),
            ]
