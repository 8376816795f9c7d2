"""Every work order: as a board by how far they are, as a list of one state, and as a calendar by when they are due."""

from calendar import Calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from inventory.web import Cell, Crumb, export_table, render_page
from production.models import WorkOrder, WorkOrderState
from production.models.work_orders import WorkOrderQuerySet
from production.order_forms import RANKS, rank_name
from production.reads.order_stages import CANCELLED, CLOSED, COMPLETE, SHORT, STAGES, UNDER_WAY, Stage, of_stage

CARDS_MAX = 30
"""Cards of one column of the board."""
ROWS_PER_PAGE = 50
DAY_ORDERS_MAX = 200
"""Orders of one month of the calendar, the most urgent first."""
UNDATED_MAX = 20
EXPORT_HEADER = [
    "Order", "State", "SKU", "Name", "Unit", "Planned", "Good", "Scrapped", "Remaining", "Start", "Due", "Priority", "To",
    "Demand", "Note",
]  # fmt: skip
WEEKS = Calendar(firstweekday=0)

DUE = (("overdue", "Overdue"), ("week", "Due within 7 days"), ("none", "Without a date"))
UNFINISHED = (WorkOrderState.PLANNED, WorkOrderState.OPEN)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the board."""

    stage: Stage
    orders: Sequence[WorkOrder]
    has_more: bool

    @property
    def key(self) -> str:
        return self.stage.key


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the calendar."""

    on: date
    is_of_month: bool
    orders: Sequence[WorkOrder]


@dataclass(frozen=True, slots=True)
class Filters:
    """What the orders are narrowed to; empty words narrow nothing."""

    text: str
    due: str
    stage: str
    rank: str

    @classmethod
    def of(cls, request: HttpRequest) -> "Filters":
        def one_of(name: str, allowed: Sequence[str]) -> str:
            given = request.GET.get(name, "")
            return given if given in allowed else ""

        return cls(
            text=request.GET.get("q", "").strip()[:100],
            due=one_of("due", [key for key, _ in DUE]),
            stage=one_of("state", [stage.key for stage in STAGES]),
            rank=one_of("priority", [str(rank) for rank, _ in RANKS]),
        )

    def apply(self) -> WorkOrderQuerySet:
        found = WorkOrder.objects.select_related("item", "output_location")
        if self.text:
            found = found.filter(
                Q(number__icontains=self.text)
                | Q(item__sku__icontains=self.text)
                | Q(item__name__icontains=self.text)
                | Q(item__barcode=self.text)
                | Q(demand_ref__iexact=self.text)
            )
        today = timezone.localdate()
        if self.due == "overdue":
            found = found.filter(due_on__lt=today, state__in=UNFINISHED)
        elif self.due == "week":
            found = found.filter(due_on__range=(today, today + timedelta(days=7)))
        elif self.due == "none":
            found = found.filter(due_on__isnull=True)
        if self.rank:
            found = found.filter(_of_rank(int(self.rank)))
        return found


def _of_rank(rank: int) -> Q:
    """The ranks that are called by the same word."""
    ranks = [value for value, _ in RANKS]
    index = ranks.index(rank)
    above = Q() if index == 0 else Q(rank__gt=ranks[index - 1])
    return above if index == len(ranks) - 1 else above & Q(rank__lte=rank)


@require_GET
@permission_required("production.view_workorder", raise_exception=True)
def work_orders(request: HttpRequest) -> HttpResponseBase:
    """Orders as a board by how far they are, or every order of one state as a list."""
    filters = Filters.of(request)
    found = filters.apply()
    download = export_table(
        request.GET.get("export", ""), name="Work orders", header=EXPORT_HEADER, rows=_export_rows(found, filters.stage)
    )
    if download is not None:
        return download
    columns, page = [], None
    if filters.stage:
        rows = of_stage(found, filters.stage).order_by(*_order_of(filters.stage))
        page = Paginator(rows, ROWS_PER_PAGE).get_page(request.GET.get("page"))
        _name_ranks(page.object_list)
    else:
        columns = _columns(found)
    return render_page(
        request,
        "production/work_orders.html",
        part={"orders": "production/_work_orders.html"},
        title="Work orders",
        columns=columns,
        page_object=page,
        has_any=bool(page) or any(column.orders for column in columns) or WorkOrder.objects.exists(),
        text=filters.text,
        due=filters.due,
        state=filters.stage,
        priority=filters.rank,
        dues=DUE,
        states=[(stage.key, stage.title) for stage in STAGES],
        priorities=[(str(rank), name) for rank, name in RANKS],
        chips=_chips(request, filters),
        clear_url=reverse("production:work_orders"),
        today=timezone.localdate(),
    )


def _export_rows(found: WorkOrderQuerySet, chosen: str) -> Iterator[list[Cell]]:
    """One statement for each state, as on the board."""
    for stage in STAGES:
        if chosen and stage.key != chosen:
            continue
        for order in of_stage(found, stage.key).order_by(*_order_of(stage.key)).iterator(chunk_size=1_000):
            yield [
                order.number,
                stage.title,
                order.item.sku,
                order.item.name,
                order.item.stock_unit,
                order.planned,
                order.good,
                order.scrapped,
                order.remaining,
                _iso(order.start_on),
                _iso(order.due_on),
                rank_name(order.rank),
                order.output_location.code,
                f"{order.demand_kind} {order.demand_ref}".strip(),
                order.note,
            ]


def _iso(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _order_of(stage: str) -> tuple[Any, ...]:
    if stage in [one.key for one in UNDER_WAY]:
        return ("rank", F("due_on").asc(nulls_last=True), "id")
    return ("-closed_at", "-id")


def _columns(found: WorkOrderQuerySet) -> list[Column]:
    """One statement for each stage; columns of ended orders only where there are any."""
    columns = []
    for stage in STAGES:
        limit = CARDS_MAX if stage in UNDER_WAY else CARDS_MAX // 3
        cards = list(of_stage(found, stage.key).order_by(*_order_of(stage.key))[: limit + 1])
        if cards or stage not in (CLOSED, SHORT, CANCELLED):
            _name_ranks(cards)
            columns.append(Column(stage, cards[:limit], len(cards) > limit))
    return columns


def _name_ranks(orders: Any) -> None:
    """Give each order the word for its priority; the usual one needs none."""
    for order in orders:
        order.priority = rank_name(order.rank) if order.rank else ""


def _chips(request: HttpRequest, filters: Filters) -> list[dict[str, str]]:
    chips = []
    for name, label in (
        ("q", f"“{filters.text}”" if filters.text else ""),
        ("due", dict(DUE).get(filters.due, "")),
        ("state", {stage.key: stage.title for stage in STAGES}.get(filters.stage, "")),
        ("priority", {str(rank): f"{word} priority" for rank, word in RANKS}.get(filters.rank, "")),
    ):
        if label:
            rest = request.GET.copy()
            rest.pop(name, None)
            rest.pop("page", None)
            chips.append({"label": label, "url": f"?{rest.urlencode()}"})
    return chips


@require_GET
@permission_required("production.view_workorder", raise_exception=True)
def calendar(request: HttpRequest) -> HttpResponse:
    """A month of unfinished and completed orders by the day they are due, and those without a date."""
    today = timezone.localdate()
    month = _month(request.GET.get("month", ""), today)
    days = list(WEEKS.itermonthdates(month.year, month.month))
    shown = WorkOrder.objects.select_related("item").filter(state__in=(*UNFINISHED, WorkOrderState.DONE))
    orders = list(
        shown.filter(due_on__range=(days[0], days[-1])).order_by("due_on", "rank", "id")[: DAY_ORDERS_MAX + 1]
    )
    undated = list(shown.filter(due_on__isnull=True, state__in=UNFINISHED).order_by("rank", "id")[:UNDATED_MAX])
    late = WorkOrder.objects.filter(state__in=UNFINISHED, due_on__lt=days[0]).count()
    by_day: dict[date, list[WorkOrder]] = {}
    for order in orders[:DAY_ORDERS_MAX]:
        assert order.due_on is not None, "only orders with a date are looked up"
        by_day.setdefault(order.due_on, []).append(order)
    _name_ranks(orders)
    _name_ranks(undated)
    cells = [Day(day, day.month == month.month, by_day.get(day, ())) for day in days]
    return render_page(
        request,
        "production/order_calendar.html",
        title=f"{month:%B %Y}",
        crumbs=[Crumb("Work orders", reverse("production:work_orders"))],
        weeks=[cells[start : start + 7] for start in range(0, len(cells), 7)],
        weekdays=["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        undated=undated,
        late=late,
        has_more=len(orders) > DAY_ORDERS_MAX,
        is_empty=not orders and not undated,
        before=month - timedelta(days=1),
        after=(month + timedelta(days=31)).replace(day=1),
        month=month,
        today=today,
        complete=COMPLETE,
    )


def _month(text: str, today: date) -> date:
    """The first day of the month `2026-11`; of this month when that names none."""
    try:
        found = date.fromisoformat(f"{text}-01")
    except ValueError:
        return today.replace(day=1)
    return found if 2000 <= found.year <= 2100 else today.replace(day=1)
