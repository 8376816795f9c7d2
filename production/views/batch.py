"""Many completions on one page: typed or pasted from a spreadsheet, each row checked by the code that posts it."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from inventory.models import Location
from inventory.quantities import as_text
from inventory.web import Crumb, go_to, part_for, render_page
from production.batch_rows import COLUMNS, BatchRow, Defaults, RowProblem, request_of_row
from production.errors import UnusualQuantity
from production.forms import SCRAP_REASONS, new_key, own_places
from production.models import Completion
from production.operations.completing import CompletionPlan, CompletionRequest
from production.operations.completing_batches import BatchMode, BatchOutcome, complete_batch

ROWS_MAX = 100
ROWS_AT_FIRST = 5
TEXT_MAX = 60_000
VARIANCES_SHOWN = 3
WIDTHS = {
    "what": 64,
    "good": 48,
    "scrapped": 48,
    "scrap_reason": 100,
    "into": 64,
    "lot": 2_000,
    "reason": 100,
    "note": 500,
    "used": 2_000,
    "scrap_place": 64,
}
LABELS = {
    "what": "Item or work order",
    "good": "Good",
    "scrapped": "Scrap",
    "scrap_reason": "Scrap reason",
    "into": "Into",
    "lot": "Lot, serials",
    "reason": "Reason",
    "note": "Note",
    "used": "Used",
    "scrap_place": "Scrap put in",
}
SECOND_LINE = ("used", "scrap_place")
"""Columns that stand below the others, when they are asked for or hold something."""
PARTS = {"batch": "production/_batch.html"}
TITLES = {
    "item", "sku", "what", "work order", "item or work order", "product",
}  # fmt: skip


@dataclass(slots=True)
class GridRow:
    """One row of the grid: what was typed, and what came of it."""

    key: str
    cells: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    """By field; an empty name is the row as a whole."""
    done: Completion | None = None
    """What it would be, or is once it was posted."""
    variances: str = ""
    """Components of which another quantity is used than the standard, in words."""
    is_posted: bool = False
    is_unusual: bool = False
    """Whether its quantity is asked about."""
    is_confirmed: bool = False
    """Whether somebody said that this very quantity is right."""

    @property
    def confirmation(self) -> str:
        """What a confirmation of the row carries: it holds for these figures alone."""
        return "|".join((self.key, *(self.cells.get(name, "").strip() for name in ("what", "good", "scrapped"))))

    @property
    def is_empty(self) -> bool:
        return not any(text.strip() for text in self.cells.values())

    @property
    def message(self) -> str:
        return next(iter(self.problems.values()), "")

    @property
    def fields(self) -> Sequence[tuple[str, str, bool, str]]:
        """Name, text, whether it is wrong and what it is called, in the order of the columns."""
        return [self._field(name) for name in COLUMNS if name not in SECOND_LINE]

    @property
    def second_line(self) -> Sequence[tuple[str, str, bool, str]]:
        return [self._field(name) for name in SECOND_LINE]

    @property
    def has_second_line(self) -> bool:
        return any(self.cells.get(name, "").strip() for name in SECOND_LINE)

    def _field(self, name: str) -> tuple[str, str, bool, str]:
        return name, self.cells.get(name, ""), name in self.problems, LABELS[name]


@require_http_methods(["GET", "POST"])
@permission_required("production.record_completion", raise_exception=True)
def complete_many(request: HttpRequest) -> HttpResponse:
    """GET shows an empty grid; POST takes rows in, checks them, or posts all or each of those that can be."""
    if request.method == "GET":
        return _page(request, [GridRow(new_key()) for _ in range(ROWS_AT_FIRST)], status=200)
    action = request.POST.get("action", "")
    rows = [row for row in _rows(request.POST) if not row.is_empty]
    if action == "paste":
        pasted = _pasted(request.POST.get("pasted", "")[:TEXT_MAX])
        too_many = len(rows) + len(pasted) > ROWS_MAX
        rows = (rows + pasted)[:ROWS_MAX]
        note = f"Only the first {ROWS_MAX} rows were taken in. Import a file for more." if too_many else ""
        _run(request, rows, BatchMode.CHECK)
        return _page(request, rows, status=200, note=note)
    if action == "more":
        rows += [GridRow(new_key()) for _ in range(ROWS_AT_FIRST)]
        return _page(request, rows[:ROWS_MAX], status=200)
    mode = {"all": BatchMode.ALL, "each": BatchMode.EACH}.get(action, BatchMode.CHECK)
    if not rows:
        return _page(
            request, [GridRow(new_key()) for _ in range(ROWS_AT_FIRST)], status=422, note="Type or paste a row first."
        )
    _run(request, rows, mode)
    posted = [row for row in rows if row.is_posted]
    if posted and len(posted) == len(rows):
        message = f"Posted {len(rows)} completion{'' if len(rows) == 1 else 's'}"
        return go_to(request, "production:completions", message=message)
    is_refused = mode != BatchMode.CHECK or any(row.problems for row in rows)
    return _page(request, rows, status=422 if is_refused else 200)


def _rows(data: QueryDict) -> list[GridRow]:
    """The rows as posted, in order."""
    keys = data.getlist("key")[:ROWS_MAX]
    confirmed = set(data.getlist("confirmed"))
    columns = {name: data.getlist(name) for name in COLUMNS}
    rows = []
    for number, key in enumerate(keys):
        cells = {name: texts[number][: WIDTHS[name]] if number < len(texts) else "" for name, texts in columns.items()}
        row = GridRow(_key(key), cells)
        row.is_confirmed = row.confirmation in confirmed
        rows.append(row)
    return rows


def _key(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return new_key()


def _pasted(text: str) -> list[GridRow]:
    """Rows from a spreadsheet: parted by tabs, or by semicolons or commas when there is no tab. A title row is left out."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    mark = next((mark for mark in ("\t", ";", ",") if mark in lines[0]), "\t")
    rows = []
    for number, cells in enumerate(csv.reader(io.StringIO("\n".join(lines)), delimiter=mark)):
        if number == 0 and cells and cells[0].strip().casefold() in TITLES:
            continue
        texts = {name: cell.strip()[: WIDTHS[name]] for name, cell in zip(COLUMNS, cells, strict=False)}
        rows.append(GridRow(new_key(), texts))
    return rows


def _run(request: HttpRequest, rows: Sequence[GridRow], mode: BatchMode) -> None:
    """Check or post the rows; each learns what came of it. A row that cannot be read keeps "all" from being posted."""
    places = own_places()
    defaults = Defaults(into=places.get(request.POST.get("default_into", "").strip().casefold()))
    entries: list[tuple[GridRow, CompletionRequest]] = []
    for row in rows:
        wanted = _request(row, places, defaults)
        if wanted is not None:
            entries.append((row, wanted))
    if mode == BatchMode.ALL and len(entries) < len(rows):
        mode = BatchMode.CHECK
    result = complete_batch(entries=[(UUID(row.key), wanted) for row, wanted in entries], mode=mode, actor=request.user)
    for (row, _), outcome in zip(entries, result.outcomes, strict=True):
        _note(row, outcome, is_kept=result.is_kept)


def _request(row: GridRow, places: Mapping[str, Location], defaults: Defaults) -> CompletionRequest | None:
    try:
        typed = BatchRow(
            what=row.cells.get("what", ""),
            good=row.cells.get("good", ""),
            scrapped=row.cells.get("scrapped", ""),
            scrap_reason=row.cells.get("scrap_reason", ""),
            into=row.cells.get("into", ""),
            lot=row.cells.get("lot", ""),
            reason=row.cells.get("reason", ""),
            note=row.cells.get("note", ""),
            used=row.cells.get("used", ""),
            scrap_place=row.cells.get("scrap_place", ""),
        )
        return request_of_row(typed, places=places, defaults=defaults, is_confirmed=row.is_confirmed)
    except RowProblem as problem:
        row.problems[problem.field] = problem.message
        return None


def _note(row: GridRow, outcome: BatchOutcome, *, is_kept: bool) -> None:
    if outcome.problem is not None:
        row.problems[""] = outcome.problem.message
        row.is_unusual = isinstance(outcome.problem, UnusualQuantity)
    elif outcome.result is not None:
        row.done, row.is_posted = outcome.result.completion, is_kept
        if outcome.result.plan is not None:
            row.variances = _variances(outcome.result.plan)


def _variances(plan: CompletionPlan) -> str:
    """`WAX 2.1 instead of 2 kg`, the first of them."""
    others = [line for line in plan.lines if line.actual != line.expected]
    words = [
        f"{line.component.sku} {as_text(line.actual)} instead of {as_text(line.expected)} {line.component.stock_unit}"
        for line in others[:VARIANCES_SHOWN]
    ]
    if len(others) > VARIANCES_SHOWN:
        words.append(f"{len(others) - VARIANCES_SHOWN} more")
    return "; ".join(words)


def _page(request: HttpRequest, rows: Sequence[GridRow], *, status: int, note: str = "") -> HttpResponse:
    places = own_places()
    part = part_for(request, PARTS)
    ready = [row for row in rows if row.done is not None and not row.is_posted]
    return render_page(
        request,
        "production/batch.html",
        part=PARTS,
        title="Complete many",
        crumbs=[Crumb("Record completion", reverse("production:record_completion"))],
        status=200 if part else status,
        rows=rows,
        note=note,
        places=places.values(),
        labels=[(name, label) for name, label in LABELS.items() if name not in SECOND_LINE],
        is_wide="wide" in request.POST or any(row.has_second_line for row in rows),
        default_into=request.POST.get("default_into", ""),
        scrap_reasons=SCRAP_REASONS,
        ready=len(ready),
        refused=sum(1 for row in rows if row.problems),
        posted=sum(1 for row in rows if row.is_posted),
    )
