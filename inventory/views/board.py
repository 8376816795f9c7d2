"""The stock board."""

from collections.abc import Iterator

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_GET

from inventory.filters import BOARD_SORTS, FLAGS, BoardFilter
from inventory.models import Item, ItemKind, StockStatus
from inventory.panels import BoardColumn, board_columns_for
from inventory.reads.board import BoardQuestion, BoardRow, all_rows, board_items, board_rows
from inventory.web import Cell, export_table, render_page

ITEMS_PER_PAGE = 50


@require_GET
@permission_required("inventory.view_stockbalance", raise_exception=True)
def board(request: HttpRequest) -> HttpResponseBase:
    """Items with their stock: filtered, sorted, paged, or exported as shown."""
    chosen = BoardFilter(request)
    question = BoardQuestion(
        text=chosen.text,
        site=chosen.site,
        status=chosen.status,
        category=chosen.category,
        kind=chosen.kind,
        stocked=chosen.stocked,
        flag=chosen.flag,
        sort=chosen.sort,
    )
    columns = board_columns_for(request)
    download = export_table(
        request.GET.get("export", ""),
        name="Stock",
        header=_export_header(columns, chosen.rows),
        rows=_export_rows(question, columns, chosen.rows),
    )
    if download is not None:
        return download
    page = Paginator(board_items(question), ITEMS_PER_PAGE).get_page(request.GET.get("page"))
    rows = board_rows(list(page.object_list), question)
    added = {column.key: column.load([row.item.pk for row in rows]) for column in columns}
    return render_page(
        request,
        "inventory/board.html",
        part={"board": "inventory/_board.html"},
        title="Stock board",
        chosen=chosen,
        chips=chosen.chips(),
        clear_url=chosen.clear_url,
        page_object=page,
        rows=[(row, [added[column.key].get(row.item.pk) for column in columns]) for row in rows],
        columns=columns,
        sites=chosen.places.options(),
        statuses=StockStatus.choices,
        flags=FLAGS.items(),
        kinds=[choice for choice in ItemKind.choices if choice[0] not in ("phantom", "service")],
        headers=[(key, BOARD_SORTS[key], *_sort_link(chosen.sort, key)) for key in BOARD_SORTS],
        has_items=bool(page.paginator.count) or bool(chosen.chips()) or Item.objects.exists(),
    )


def _sort_link(sort: str, key: str) -> tuple[str, str]:
    """The next `sort` when a head is clicked, and how the column is sorted now."""
    first = f"-{key}" if key in ("on_hand", "value") else key
    second = key if first.startswith("-") else f"-{key}"
    state = "" if sort.removeprefix("-") != key else ("descending" if sort.startswith("-") else "ascending")
    return (second if sort == first else first), state


def _export_header(columns: list[BoardColumn], rows: str) -> list[str]:
    places = ["Location", "Status"] if rows == "places" else []
    return [
        "SKU",
        "Name",
        "Unit",
        *places,
        "On hand",
        "Reserved",
        *([] if places else ["Available"]),
        "Value",
        *(column.title for column in columns),
    ]


def _export_rows(question: BoardQuestion, columns: list[BoardColumn], rows: str) -> Iterator[list[Cell]]:
    batch: list[BoardRow] = []
    for row in all_rows(question):
        batch.append(row)
        if len(batch) == ITEMS_PER_PAGE * 10:
            yield from _export_batch(batch, columns, rows)
            batch = []
    yield from _export_batch(batch, columns, rows)


def _export_batch(batch: list[BoardRow], columns: list[BoardColumn], rows: str) -> Iterator[list[Cell]]:
    added = [column.load([row.item.pk for row in batch]) for column in columns]
    for row in batch:
        cells = [column.get(row.item.pk) for column in added]
        texts: list[Cell] = [cell.text if cell else "" for cell in cells]
        start: list[Cell] = [row.item.sku, row.item.name, row.item.stock_unit]
        if rows == "items":
            yield [*start, row.on_hand, row.reserved, row.available, row.value, *texts]
        elif not row.places:
            yield [*start, "", "", row.on_hand, row.reserved, row.value, *texts]
        for place in row.places if rows == "places" else ():
            status = StockStatus(place.status).label
            yield [*start, place.location_code, status, place.on_hand, place.pinned, place.value, *texts]
