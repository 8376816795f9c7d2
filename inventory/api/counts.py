"""Count sheets over the API: opened, scanned, counted, submitted, approved.

What a sheet expects, and everything that follows from it, is null for whoever may not see it; see reads.counts.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Prefetch
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.count_reports import COUNT_REPORTS, CountReports
from inventory.api.fields import (
    LINES_MAX,
    Body,
    Choice,
    ChoiceOut,
    DecimalOut,
    Described,
    Flag,
    FlagOut,
    IdOut,
    MomentOut,
    Nothing,
    Quantity,
    Schema,
    TextOut,
    Whole,
    item_reference,
    lines_of,
    location_reference,
    optional_text,
)
from inventory.api.filters import Filters, FlagFilter, IdFilter, TextFilter, WordFilter
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_locations, find_one, refuse
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.api.serializers import UNIT_HELP
from inventory.models import CountCause, CountLine, CountLineState, CountSheet, CountSheetState, StockStatus
from inventory.operations.closing_counts import (
    Explanation,
    SheetResult,
    approve_count,
    send_back_count,
    submit_count_sheet,
)
from inventory.operations.counting import LINES_MAX as CELLS_MAX
from inventory.operations.counting import (
    add_found_line,
    cancel_count_sheet,
    open_count_sheet,
    record_count,
    scan_count_line,
)
from inventory.reads.counts import FreedReservation, may_see_expected, sheets_with_progress

ID_LARGEST = 2**53
HIDDEN = "Null while you may not see what is expected."
LINES = CountLine.objects.select_related("item", "location", "lot", "counted_by", "approved_by").order_by(
    "location__path", "item__sku", "lot__code", "status", "pk"
)


# --- Shapes -----------------------------------------------------------------------------------------------------------


class IdsPlain(Described):
    """A list of ids."""

    described: Schema = {"type": "array", "items": {"type": "integer"}}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> list[int]:
        return list(value)


class CountLineSerializer(serializers.Serializer[Any]):
    """One cell on a sheet. Quantities are in the item's stock unit."""

    id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    location = TextOut(source="location.code")
    location_id = IdOut()
    lot = TextOut(source="lot.code")
    lot_id = IdOut()
    status = ChoiceOut(StockStatus.choices)
    unit = TextOut(source="item.stock_unit")
    state = ChoiceOut(CountLineState.choices)
    is_unexpected = FlagOut(help_text="Added by the person who counted.")
    scanned_at = MomentOut(allow_null=True)
    counted = DecimalOut(allow_null=True)
    counted_by = TextOut(source="counted_by.username", allow_null=True, default=None)
    expected = DecimalOut(allow_null=True, help_text=HIDDEN)
    variance = DecimalOut(allow_null=True, help_text=f"Counted less expected. {HIDDEN}")
    variance_value = DecimalOut(
        allow_null=True, help_text=f"Signed, base currency; null also when the cost is unknown. {HIDDEN}"
    )
    needs_approval = FlagOut(allow_null=True, help_text=HIDDEN)
    cause = TextOut(help_text="Empty while nobody gave one.")
    note = TextOut()
    approved_by = TextOut(source="approved_by.username", allow_null=True, default=None)
    posting_id = IdOut(allow_null=True, help_text=f"Null also when nothing had to be corrected. {HIDDEN}")


class CountSheetSummarySerializer(serializers.Serializer[Any]):
    """A list of cells to be counted at one place."""

    id = IdOut()
    number = TextOut()
    location = TextOut(source="location.code")
    location_id = IdOut()
    state = ChoiceOut(CountSheetState.choices)
    is_blind = FlagOut(help_text="What is expected is hidden from everybody until the sheet is submitted.")
    assigned_to = TextOut(source="assigned_to.username", allow_null=True, default=None)
    note = TextOut()
    created_at = MomentOut()
    closed_at = MomentOut(allow_null=True)
    line_count = IdOut()
    left_count = IdOut(help_text="Cells still to be counted, for the first or the second time.")


class CountSheetSerializer(CountSheetSummarySerializer):
    """A sheet with its cells in the order one walks."""

    lines = CountLineSerializer(many=True, read_only=True)


class CountOpenSerializer(Body):
    """Cells to count: those of `items`, the `top` most urgent ones, or everything at the place."""

    location = location_reference()
    items = serializers.ListField(child=item_reference(), required=False, default=list, max_length=CELLS_MAX)
    top = Whole(minimum=1, maximum=CELLS_MAX, required=False, allow_null=True, default=None)
    is_blind = Flag(required=False, default=True)
    assigned_to = optional_text(150, help_text="User name of who counts.")
    note = optional_text(500)


class ScanSerializer(Body):
    """A line of the sheet, or an item at a place that the sheet does not list."""

    line = Whole(minimum=1, maximum=ID_LARGEST, required=False, allow_null=True, default=None)
    item = item_reference(required=False, allow_null=True, default=None)
    location = location_reference(required=False, allow_null=True, default=None)
    lot = optional_text(64)
    status = Choice(StockStatus.choices, required=False, default=StockStatus.AVAILABLE.value)


class CountBodySerializer(Body):
    line = Whole(minimum=1, maximum=ID_LARGEST)
    quantity = Quantity(help_text="Zero when it cannot be found.")
    unit = optional_text(32, help_text=UNIT_HELP)
    is_alone = Flag(
        required=False,
        default=False,
        help_text="Nobody else is there who could make the second count of your own first.",
    )


class CountedSerializer(serializers.Serializer[Any]):
    needs_recount = FlagOut(help_text="The figure left the tolerance: count the cell once more, best by somebody else.")
    line = CountLineSerializer(read_only=True)


class ExplanationSerializer(Body):
    line = Whole(minimum=1, maximum=ID_LARGEST)
    cause = Choice(CountCause.choices)
    note = optional_text(250)


class ApproveSerializer(Body):
    lines = lines_of(ExplanationSerializer)


class SendBackSerializer(Body):
    lines = serializers.ListField(child=Whole(minimum=1, maximum=ID_LARGEST), max_length=LINES_MAX)


class FreedSerializer(serializers.Serializer[Any]):
    """A promise that was cut, since less is there than was promised."""

    reservation_id = IdOut(source="reservation.pk")
    item = TextOut(source="reservation.item.sku")
    demand_kind = TextOut(source="reservation.demand_kind")
    demand_ref = TextOut(source="reservation.demand_ref")
    quantity = DecimalOut()


class SubmittedSerializer(serializers.Serializer[Any]):
    """What became of the sheet."""

    sheet = CountSheetSerializer(read_only=True)
    waiting = IdOut(help_text="Lines that wait for a second person.")
    posting_ids = IdsPlain(help_text="Empty while you may not see what is expected.")
    freed = FreedSerializer(many=True, read_only=True)


# --- What a person may see --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SeenLine:
    """A line as somebody may see it: attributes of the line, the hidden ones null."""

    line: CountLine
    sees: bool

    _HIDDEN = ("expected", "variance", "variance_value", "needs_approval", "posting_id", "approved_by")

    def __getattr__(self, name: str) -> Any:
        if name in self._HIDDEN and not self.sees:
            return None
        if name in ("cause", "note") and not self.sees:
            return ""
        return getattr(self.line, name)


@dataclass(frozen=True, slots=True)
class SeenSheet:
    sheet: CountSheet
    lines: list[SeenLine]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sheet, name)


@dataclass(frozen=True, slots=True)
class _Submitted:
    sheet: SeenSheet
    waiting: int
    posting_ids: list[int]
    freed: list[FreedReservation]


@dataclass(frozen=True, slots=True)
class _Counted:
    needs_recount: bool
    line: SeenLine


class CountSheetFilter(Filters):
    number = TextFilter(field_name="number")
    state = WordFilter(CountSheetState)
    location = TextFilter(field_name="location__code")
    location_id = IdFilter(field_name="location_id")
    assigned_to = TextFilter(field_name="assigned_to__username")
    is_blind = FlagFilter()

    class Meta:
        model = CountSheet
        fields: list[str] = []


COUNTING = "inventory.count_stock"
READING = ("inventory.view_countsheet",)
"""Enough to read sheets, for whoever does not count."""


class CountSheetResource(CountReports, ListOne, Resource):
    """Counts of stock: open a sheet, scan and count its cells, submit it, approve what is large."""

    queryset = sheets_with_progress()
    filterset_class = CountSheetFilter
    newest_first = True
    endpoints = {
        "list": Endpoint(COUNTING, CountSheetSummarySerializer, also=READING),
        "retrieve": Endpoint(COUNTING, CountSheetSerializer, also=READING),
        "create": Endpoint(
            "inventory.plan_counts", CountSheetSerializer, CountOpenSerializer, status=201, is_keyed=True
        ),
        "scan": Endpoint(COUNTING, CountLineSerializer, ScanSerializer, is_keyed=True),
        "count": Endpoint(COUNTING, CountedSerializer, CountBodySerializer, is_keyed=True),
        "submit": Endpoint(COUNTING, SubmittedSerializer, Nothing, is_keyed=True),
        "approve": Endpoint("inventory.approve_count", SubmittedSerializer, ApproveSerializer, is_keyed=True),
        "send_back": Endpoint("inventory.approve_count", CountSheetSerializer, SendBackSerializer, is_keyed=True),
        "cancel": Endpoint("inventory.plan_counts", CountSheetSerializer, Nothing, is_keyed=True),
        **COUNT_REPORTS,
    }

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """One of them by its id, with its cells."""
        return self.answer(self._seen(self.get_object()))

    def create(self, request: Request) -> HttpResponse:
        """Open a sheet. Cells on another unfinished sheet are left out."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            values = self.values()
            (location,) = find_locations([(("location",), values.pop("location"))])
            named = values.pop("items")
            items = find_items([(("items", number), name) for number, name in enumerate(named)])
            user_name = values.pop("assigned_to")
            person = (
                find_one(User, "username", where=("assigned_to",), name=user_name, what="user") if user_name else None
            )
            sheet = open_count_sheet(location=location, items=items, assigned_to=person, actor=request.user, **values)
            return self.reply(self._seen(sheet))

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def scan(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Somebody stands before a cell: what moves from now on does not belong to its count."""

        def work(key: UUID) -> Reply:  # noqa: ARG001
            sheet: CountSheet = self.get_object()
            values = self.values()
            if values["line"] is not None:
                line = scan_count_line(line=self._line(sheet, values["line"]), actor=request.user)
            else:
                missing = [name for name in ("item", "location") if values[name] is None]
                refuse([((name,), "Give a line, or item and location of what was found.") for name in missing])
                (item,) = find_items([(("item",), values["item"])])
                (location,) = find_locations([(("location",), values["location"])])
                line = add_found_line(
                    sheet=sheet,
                    item=item,
                    location=location,
                    lot_code=values["lot"],
                    status=values["status"],
                    actor=request.user,
                )
            return self.reply(self._seen_line(line))

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def count(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """What is in a cell. A figure outside the tolerance asks for a second count."""

        def work(key: UUID) -> Reply:  # noqa: ARG001
            values = self.values()
            line = self._line(self.get_object(), values["line"])
            result = record_count(
                line=line,
                quantity=values["quantity"],
                unit=values["unit"],
                alone=values["is_alone"],
                actor=request.user,
            )
            return self.reply(_Counted(result.needs_recount, self._seen_line(result.line)))

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def submit(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Counting is done: post what is within limits; the rest waits for approval."""

        def work(key: UUID) -> Reply:
            result = submit_count_sheet(key=key, sheet=self.get_object(), actor=request.user)
            return self.reply(self._submitted(result), replayed=result.replayed)

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Post lines that wait, each with the cause of its variance. Only somebody who did not count them may."""

        def work(key: UUID) -> Reply:
            explanations = {line["line"]: Explanation(line["cause"], line["note"]) for line in self.values()["lines"]}
            result = approve_count(key=key, sheet=self.get_object(), explanations=explanations, actor=request.user)
            return self.reply(self._submitted(result), replayed=result.replayed)

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"], url_path="send-back")
    def send_back(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Do not accept lines that wait: they are counted once more."""

        def work(key: UUID) -> Reply:  # noqa: ARG001
            sheet = send_back_count(sheet=self.get_object(), line_ids=self.values()["lines"], actor=request.user)
            return self.reply(self._seen(sheet))

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Give a sheet up. What was posted stays."""

        def work(key: UUID) -> Reply:  # noqa: ARG001
            return self.reply(self._seen(cancel_count_sheet(sheet=self.get_object(), actor=request.user)))

        return self.answer_once(request, work)

    def _line(self, sheet: CountSheet, pk: int) -> CountLine:
        line = CountLine.objects.filter(sheet=sheet, pk=pk).first()
        if line is None:
            refuse([(("line",), f"{sheet.number} has no line {pk}. Read the sheet again.")])
        assert line is not None, "refused above"
        return line

    def _seen(self, sheet: CountSheet) -> SeenSheet:
        """The sheet as it is now, as the caller may see it."""
        found: CountSheet = self.get_queryset().prefetch_related(Prefetch("lines", LINES)).get(pk=sheet.pk)
        sees = may_see_expected(self.request.user, found)
        return SeenSheet(found, [SeenLine(line, sees) for line in found.lines.all()])

    def _seen_line(self, line: CountLine) -> SeenLine:
        found = LINES.select_related("sheet").get(pk=line.pk)
        return SeenLine(found, may_see_expected(self.request.user, found.sheet))

    def _submitted(self, result: SheetResult) -> _Submitted:
        seen = self._seen(result.sheet)
        sees = may_see_expected(self.request.user, seen.sheet)
        return _Submitted(
            seen,
            result.waiting,
            [posting.pk for posting in result.postings] if sees else [],
            list(result.freed) if sees else [],
        )
