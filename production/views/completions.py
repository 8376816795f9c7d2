"""Completions that were recorded: the list, one of them with all it moved, and taking it back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.decorators import permission_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from inventory.models import Movement, PostingKind
from inventory.quantities import ZERO
from inventory.typed_days import start_of, typed_day
from inventory.web import Cell, Crumb, export_table, render_page
from inventory.whole_numbers import whole_number
from production.forms import UndoForm, new_key
from production.models import Completion, CompletionLine, CompletionReversal
from production.panels_quality import inspections_of
from production.reads.true_cost import LineCost, TrueCost, true_cost
from production.views.completion_lines import PickShown

ROWS_PER_PAGE = 50
USES_SHOWN_MAX = 50
STATES = (("standing", "Not undone"), ("undone", "Undone, whole or in part"))


@require_GET
@permission_required("production.view_completion", raise_exception=True)
def completions(request: HttpRequest) -> HttpResponseBase:
    """The newest completions first, filtered, a page at a time, or exported as shown."""
    chosen = _Chosen(request)
    rows = chosen.rows()
    download = export_table(
        request.GET.get("export", ""),
        name="Completions",
        header=[
            "Completion", "Made at", "SKU", "Name", "Good", "Scrapped", "Unit", "Undone",
            "Work order", "Into", "Lot",
            "Components cost", "Unit cost", "By", "Scrap reason", "Scrap put in",
        ],
        rows=_export_rows(rows),
    )  # fmt: skip
    if download is not None:
        return download
    if chosen.before:
        rows = rows.filter(posting_id__lt=chosen.before)
    shown = list(rows[: ROWS_PER_PAGE + 1])
    return render_page(
        request,
        "production/completions.html",
        part={"completions": "production/_completions.html"},
        title="Completions",
        completions=shown[:ROWS_PER_PAGE],
        next_before=str(shown[ROWS_PER_PAGE - 1].posting_id) if len(shown) > ROWS_PER_PAGE else "",
        chosen=chosen,
        chips=chosen.chips(),
        clear_url=reverse("production:completions"),
        states=STATES,
        can_undo=request.user.has_perm("production.reverse_completion"),
    )


class _Chosen:
    """The filters of the list, as chosen in the address."""

    def __init__(self, request: HttpRequest) -> None:
        query = request.GET
        self.query = query
        self.text = query.get("q", "").strip()[:100]
        self.state = query.get("state", "") if query.get("state") in dict(STATES) else ""
        self.since = typed_day(query.get("since", ""))
        self.until = typed_day(query.get("until", ""))
        before = query.get("before", "")
        self.before = before if whole_number(before) is not None else ""

    def rows(self) -> QuerySet[Completion]:
        found = Completion.objects.select_related(
            "item", "posting", "posting__actor", "work_order", "output_location", "output_lot", "scrap_location"
        ).order_by("-posting_id")
        if self.text:
            found = found.filter(
                Q(item__sku__icontains=self.text)
                | Q(item__name__icontains=self.text)
                | Q(item__barcode=self.text)
                | Q(work_order__number__iexact=self.text)
                | Q(output_lot__code__iexact=self.text)
            )
        if self.state == "standing":
            found = found.filter(reversed_good=0, reversed_scrap=0)
        elif self.state == "undone":
            found = found.filter(Q(reversed_good__gt=0) | Q(reversed_scrap__gt=0))
        if self.since:
            found = found.filter(posting__effective_at__gte=start_of(self.since))
        if self.until:
            found = found.filter(posting__effective_at__lt=start_of(self.until + timedelta(days=1)))
        return found

    def chips(self) -> list[dict[str, str]]:
        chips = []
        if self.text:
            chips.append({"label": f"“{self.text}”", "url": self._without("q")})
        if self.state:
            chips.append({"label": dict(STATES)[self.state], "url": self._without("state")})
        if self.since:
            chips.append({"label": f"From {self.since:%d %b %Y}", "url": self._without("since")})
        if self.until:
            chips.append({"label": f"Until {self.until:%d %b %Y}", "url": self._without("until")})
        return chips

    def _without(self, name: str) -> str:
        rest = self.query.copy()
        for gone in (name, "before", "export"):
            rest.pop(gone, None)
        return f"?{rest.urlencode()}"


def _export_rows(rows: QuerySet[Completion]) -> Iterator[list[Cell]]:
    for done in rows.iterator(chunk_size=1000):
        yield [
            done.posting_id,
            timezone.localtime(done.posting.effective_at).isoformat(timespec="seconds"),
            done.item.sku,
            done.item.name,
            done.good,
            done.scrapped,
            done.item.stock_unit,
            done.reversed_good + done.reversed_scrap,
            done.work_order.number if done.work_order else "",
            done.output_location.code,
            done.output_lot.code if done.output_lot else "",
            done.consumed_value,
            done.unit_cost,
            done.posting.actor.get_username() if done.posting.actor else "",
            done.scrap_reason,
            done.scrap_location.code if done.scrap_location else "",
        ]


# --- One completion ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineShown:
    """One component of a completion, with the lots it came from and what of it went back."""

    line: CompletionLine
    returned: Decimal
    taken: Sequence[PickShown]
    cost: LineCost

    @property
    def variance(self) -> Decimal:
        return self.line.actual - self.line.expected

    @property
    def is_reversed(self) -> bool:
        return bool(self.line.actual) and self.returned >= self.line.actual


@require_GET
@permission_required("production.view_completion", raise_exception=True)
def completion(request: HttpRequest, pk: int) -> HttpResponse:
    """All that one completion took, made and cost, and what became of it."""
    done = completion_named(pk)
    form = UndoForm(initial={"key": new_key()}, item=done.item)
    return _completion_page(request, done, form)


def completion_named(pk: int) -> Completion:
    """The completion with what its pages show of it; 404 when there is none."""
    return get_object_or_404(
        Completion.objects.select_related(
            "item",
            "bom",
            "posting",
            "posting__actor",
            "work_order",
            "scrap_location",
            "source_location",
            "output_location",
            "output_lot",
        ),
        pk=pk,
    )


def _completion_page(request: HttpRequest, done: Completion, form: UndoForm) -> HttpResponse:
    reversals = list(
        CompletionReversal.objects.filter(completion=done)
        .select_related("posting", "posting__actor")
        .prefetch_related("lines")
        .order_by("posting_id")
    )
    lines, cost = _lines(done, reversals)
    return render_page(
        request,
        "production/completion.html",
        title=f"Completion {done.posting_id}",
        crumbs=[Crumb("Completions", reverse("production:completions"))],
        form=form,
        completion=done,
        lines=lines,
        cost=cost,
        inspections=inspections_of(request, done.posting),
        outputs=list(done.outputs.select_related("item", "lot", "location").order_by("id")),
        nested=list(Completion.objects.filter(parent=done).select_related("item").order_by("pk")),
        reversals=reversals,
        uses=_uses_of_output(done),
        good_left=done.good - done.reversed_good,
        scrap_left=done.scrapped - done.reversed_scrap,
    )


def _lines(done: Completion, reversals: Sequence[CompletionReversal]) -> tuple[list[LineShown], TrueCost]:
    returned: dict[int, Decimal] = {}
    for reversal in reversals:
        for back in reversal.lines.all():
            returned[back.line_id] = returned.get(back.line_id, ZERO) + back.actual
    taken: dict[int, list[PickShown]] = {}
    moves = Movement.objects.filter(posting_id=done.posting_id, quantity__lt=0).select_related("lot", "location")
    for movement in moves.order_by("id"):
        lot = movement.lot
        pick = PickShown(lot.code, movement.location.code, -movement.quantity, lot.expires_on)
        taken.setdefault(movement.item_id, []).append(pick)
    lines = list(done.lines.select_related("component", "substitute_for").order_by("id"))
    cost = true_cost(done, lines)
    shown = [
        LineShown(
            line,
            returned.get(line.pk, ZERO),
            [] if line.is_consumable else taken.get(line.component_id, []),
            cost.by_line[line.pk],
        )
        for line in lines
    ]
    return shown, cost


def _uses_of_output(done: Completion) -> Sequence[Movement]:
    """Where the lot that was made went since, one level on; empty for items without lots."""
    if done.output_lot is None or done.output_lot.is_implicit:
        return ()
    moves = Movement.objects.filter(lot=done.output_lot, quantity__lt=0).exclude(posting__reverses_id=done.posting_id)
    stays = (PostingKind.TRANSFER, PostingKind.STATUS_CHANGE, PostingKind.LANDED_COST)  # a later price moves nothing
    return list(
        moves.exclude(posting__kind__in=stays)
        .select_related("posting", "location", "posting__completion__item", "posting__actor")
        .order_by("-id")[:USES_SHOWN_MAX]
    )
