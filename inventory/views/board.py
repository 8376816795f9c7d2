"""The stock board: one view of what there is, everywhere."""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponseBase
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from inventory.filters import BOARD_SORTS, FLAGS, LEVELS, OURS, PLACE_KINDS, BoardFilter
from inventory.models import Item, ItemKind, StockStatus
from inventory.panels import board_columns_for, expected_of
from inventory.reads.board import (
    BoardQuestion,
    BoardRow,
    LotRow,
    Mark,
    PlaceRow,
    SupplierRow,
    all_rows,
    board_page,
    board_rows,
    count_items,
)
from inventory.reads.freshness import supplier_freshness
from inventory.reads.saved_views import kept_views
from inventory.templatetags.figures import freshness_dot
from inventory.views.board_columns import (
    BELOW_ZERO,
    EMPTY,
    SHORTAGE,
    Column,
    Surroundings,
    all_columns,
    chosen_columns,
    kind_icon,
)
from inventory.views.saved_views import menu_of
from inventory.web import Cell, export_table, render_page

ITEMS_PER_PAGE = 50
LOTS_PER_ITEM = 25
"""Lots of one item that a page lists; the item's own page has all of them, and so has an export."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: an item with its totals, or a part of its stock. `place` and `supplier` say which part."""

    row: BoardRow
    cells: list[tuple[Column, SafeString]]
    is_lead: bool = False
    """Its parts follow."""
    is_part: bool = False
    is_last: bool = False
    place: PlaceRow | None = None
    supplier: SupplierRow | None = None
    mark: SafeString = EMPTY

    @property
    def lot(self) -> LotRow | None:
        return self.place if isinstance(self.place, LotRow) else None


@require_GET
@permission_required("inventory.view_stockbalance", raise_exception=True)
def board(request: HttpRequest) -> HttpResponseBase:
    """Items with their stock: filtered, sorted, paged, or exported as shown."""
    chosen = BoardFilter(request)
    question = chosen.question()
    kept = kept_views(person=request.user, page="board")
    asked = request.GET.get("cols")
    known = all_columns(request)
    usual = chosen_columns(known, None, level=chosen.rows)
    columns = chosen_columns(known, asked.split(",") if asked else kept.columns, level=chosen.rows)
    if columns != usual:  # what somebody chose stays on narrow pages too
        columns = [replace(column, fold="") for column in columns]
    download = export_table(
        request.GET.get("export", ""),
        name="Stock",
        header=_export_header(_for_export(columns, chosen.rows), chosen.rows),
        rows=_export_rows(request, question, _for_export(columns, chosen.rows), chosen),
    )
    if download is not None:
        return download
    page = board_page(
        question,
        rows_max=ITEMS_PER_PAGE,
        after=_mark(request.GET.get("after", "")),
        before=_mark(request.GET.get("before", "")),
    )
    rows = board_rows(
        page.items,
        question,
        expected=expected_of([item.pk for item in page.items], question.places),
        lots_max=LOTS_PER_ITEM if chosen.rows == "lots" else 0,
    )
    around = _around(request, chosen, columns, [item.pk for item in page.items])
    return render_page(
        request,
        "inventory/board.html",
        part={"board": "inventory/_board.html"},
        title="Stock board",
        chosen=chosen,
        chips=chosen.chips(),
        clear_url=chosen.clear_url,
        count=count_items(question),
        before=_cursor(page.before),
        after=_cursor(page.after),
        lines=list(_lines(rows, columns, around, chosen.rows)),
        columns=[(column, *_sort_link(chosen.sort, column.sort)) for column in columns],
        head_sorts=[(BOARD_SORTS[key], *_sort_link(chosen.sort, key)) for key in ("sku", "name")],
        known_columns=[(column, column.key in {one.key for one in columns}) for column in known],
        levels=LEVELS.items(),
        sites=chosen.places.options(),
        place_kinds=PLACE_KINDS.items(),
        statuses=StockStatus.choices,
        owners=[(OURS, "Ours"), *((name, name) for name in chosen.owners)] if chosen.owners else [],
        flags=FLAGS.items(),
        kinds=[choice for choice in ItemKind.choices if choice[0] not in ("phantom", "service")],
        has_items=bool(rows) or bool(chosen.chips()) or Item.objects.exists(),
        **menu_of(request, "board", kept),
    )


def _around(request: HttpRequest, chosen: BoardFilter, columns: Sequence[Column], ids: Sequence[int]) -> Surroundings:
    """Places, and what higher apps show of these items in the columns that are asked for."""
    wanted = {column.key for column in columns}
    added = {one.key: one.load(ids) for one in board_columns_for(request) if one.key in wanted} if ids else {}
    return Surroundings.of(chosen.places, added)


def _lines(rows: Sequence[BoardRow], columns: Sequence[Column], around: Surroundings, level: str) -> Iterator[Line]:
    for row in rows:
        places = () if level == "items" else row.lots if level == "lots" else row.places
        suppliers = () if level == "items" else tuple(row.suppliers)
        if len(places) + len(suppliers) > 1 or suppliers or row.lots_more:
            yield Line(row, [(column, column.item(row, around)) for column in columns], is_lead=True)
            parts = [_part(row, place, columns, around) for place in places]
            parts += [_supplier_part(row, supplier, columns) for supplier in suppliers]
            for number, part in enumerate(parts, start=1):
                yield part if number < len(parts) else _last(part)
            continue
        place = places[0] if places else None
        yield Line(
            row,
            [(column, column.item(row, around)) for column in columns],
            place=place,
            mark=_mark_of(place, around) if place else _stale_mark(row, around),
        )


def _part(row: BoardRow, place: PlaceRow, columns: Sequence[Column], around: Surroundings) -> Line:
    cells = [(column, column.place(row, place, around)) for column in columns]
    return Line(row, cells, is_part=True, place=place, mark=_mark_of(place, around))


def _supplier_part(row: BoardRow, supplier: SupplierRow, columns: Sequence[Column]) -> Line:
    cells = [(column, column.supplier(row, supplier)) for column in columns]
    return Line(
        row, cells, is_part=True, supplier=supplier, mark=freshness_dot(supplier_freshness(supplier.confirmed_at))
    )


def _mark_of(place: PlaceRow, around: Surroundings) -> SafeString:
    """What kind of place it is, and how old its figures are, unless it is our own."""
    return format_html("{} {}", kind_icon(place.location_kind), freshness_dot(around.fresh.get(place.location_id)))


def _stale_mark(row: BoardRow, around: Surroundings) -> SafeString:
    """Where places are added up, only figures that are too old are worth a word."""
    found = around.freshness(row)
    return freshness_dot(found) if found is not None and found.is_stale else EMPTY


def _last(line: Line) -> Line:
    return Line(
        line.row, line.cells, is_part=True, is_last=True, place=line.place, supplier=line.supplier, mark=line.mark
    )


def _sort_link(sort: str, key: str) -> tuple[str, str]:
    """The next `sort` when a head is clicked, and how the column is sorted now; empty for columns without order."""
    if not key:
        return "", ""
    assert key in BOARD_SORTS
    first = f"-{key}" if key in ("on_hand", "value") else key
    second = key if first.startswith("-") else f"-{key}"
    state = "" if sort.removeprefix("-") != key else ("descending" if sort.startswith("-") else "ascending")
    return (second if sort == first else first), state


def _cursor(mark: Mark | None) -> str:
    if mark is None:
        return ""
    return base64.urlsafe_b64encode(json.dumps([mark.key, mark.item_id]).encode()).decode().rstrip("=")


def _mark(text: str) -> Mark | None:
    """The place an address names; None for one that is none, which shows the first page."""
    try:
        key, item_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, TypeError):
        return None
    if not isinstance(key, str) or not isinstance(item_id, int) or "\x00" in key or not 0 <= item_id < 10**18:
        return None
    return Mark(key, item_id)


# --- Exports ------------------------------------------------------------------------------------------------------


def _export_header(columns: Sequence[Column], level: str) -> list[str]:
    where = {"items": [], "places": ["Location", "Status"], "lots": ["Location", "Status", "Lot", "Expires"]}[level]
    return ["SKU", "Name", "Unit", *where, *(column.title for column in columns)]


def _for_export(columns: Sequence[Column], level: str) -> list[Column]:
    """What lies below zero stands in a column of its own where places are added up, so that it hides nothing; so does what
    is promised and not there."""
    found = []
    for column in columns:
        found.append(column)
        if column.key == "on_hand" and level == "items":
            found.append(BELOW_ZERO)
        if column.key == "available":
            found.append(SHORTAGE)
    return found


def _export_rows(
    request: HttpRequest, question: BoardQuestion, columns: Sequence[Column], chosen: BoardFilter
) -> Iterator[list[Cell]]:
    def expect(ids: Sequence[int]) -> Any:
        return expected_of(ids, question.places)

    for batch in all_rows(question, expect=expect, with_lots=chosen.rows == "lots"):
        around = _around(request, chosen, columns, [row.item.pk for row in batch])
        for row in batch:
            yield from _export_of(row, columns, around, chosen.rows)


def _export_of(row: BoardRow, columns: Sequence[Column], around: Surroundings, level: str) -> Iterator[list[Cell]]:
    start: list[Cell] = [row.item.sku, row.item.name, row.item.stock_unit]
    if level == "items":
        yield [*start, *(column.cell(row, around) for column in columns)]
        return
    places = row.lots if level == "lots" else row.places
    more: list[Cell] = ["", ""] if level == "lots" else []
    if not places and not row.suppliers:
        yield [*start, "", "", *more, *(column.cell(row, around) for column in columns)]
    for number, place in enumerate(places):
        lot: list[Cell] = []
        if isinstance(place, LotRow):
            lot = [place.lot_code, place.next_expiry.isoformat() if place.next_expiry else ""]
        cells = [_export_cell(column, row, place, around, is_first=number == 0) for column in columns]
        yield [*start, place.location_code, StockStatus(place.status).label, *lot, *cells]
    for number, supplier in enumerate(row.suppliers):
        is_first = not places and number == 0
        supplied = [
            column.cell(row, around)
            if is_first and column.place_cell is None and column.key != "supplier"
            else column.supplier_cell(row, supplier)
            for column in columns
        ]
        yield [*start, f"Supplier {supplier.supplier_code}", "", *more, *supplied]


def _export_cell(column: Column, row: BoardRow, place: PlaceRow, around: Surroundings, *, is_first: bool) -> Cell:
    """What lies there; figures of the item as a whole stand in its first row alone, so that columns can be summed."""
    if column.place_cell is not None:
        return column.place_cell(row, place, around)
    return column.cell(row, around) if is_first and column.key != "supplier" else ""
