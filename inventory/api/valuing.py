"""Stock at any moment: its value, its cells, what changed it; and the closing of periods."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.http import HttpResponse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import (
    Body,
    Choice,
    ChoiceOut,
    Day,
    DayOut,
    DecimalOut,
    FlagOut,
    IdOut,
    Moment,
    MomentOut,
    Text,
    TextOut,
    optional_text,
)
from inventory.api.filters import (
    BasisFilter,
    Filters,
    IdFilter,
    ItemFilter,
    MomentFilter,
    Rows,
    StockFilter,
    TextFilter,
)
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_locations
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.models import (
    CostMethod,
    CostPool,
    Item,
    ItemKind,
    Location,
    PeriodClose,
    PostingKind,
    StockBalance,
    StockStatus,
)
from inventory.operations.closing import close_period, reopen_period
from inventory.reads.changes_by_cause import Side, changes_by_cause
from inventory.reads.changes_by_reason import changes_by_reason
from inventory.reads.moments import AsOf, Basis
from inventory.reads.stock_as_of import WorthAsOf, cells_as_of, worth_as_of
from inventory.reads.stock_totals import Narrowing, totals_as_of
from inventory.reads.valuation_report import locations_within

BASIS_HELP = "known_now: as it was, late records included; known_then: as it was believed at that moment."
AT_HELP = "The moment that is asked about; now when left out."

# --- Parameters -------------------------------------------------------------------------------------------------------


def _unchanged(rows: Rows, name: str, value: object) -> Rows:  # noqa: ARG001
    """These parameters say what is answered about the rows, not which."""
    return rows


class MomentInAddress(Moment):
    """A point in time after a question mark, where a plus stands for a space."""

    def to_internal_value(self, data: Any) -> datetime:
        return super().to_internal_value(data.replace(" ", "+") if isinstance(data, str) else data)


class ItemsAtMoment(ItemFilter):
    at = MomentFilter(method=_unchanged, help_text=AT_HELP)
    basis = BasisFilter(method=_unchanged, help_text=BASIS_HELP)
    location = TextFilter(method=_unchanged, help_text="Code of a place: its share, everything below it included.")


class CellsAtMoment(Filters):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    location = TextFilter(field_name="location__code")
    location_id = IdFilter(field_name="location_id")
    within = StockFilter.declared_filters["within"]
    lot_id = IdFilter(field_name="lot_id")
    at = MomentFilter(method=_unchanged, help_text=AT_HELP)
    basis = BasisFilter(method=_unchanged, help_text=BASIS_HELP)

    class Meta:
        model = StockBalance
        fields: list[str] = []

    def below(self, rows: Rows, name: str, value: int) -> Rows:  # noqa: ARG002
        return rows.filter(location__path__contains=f"/{value}/")


class TotalsQuery(Body):
    at = MomentInAddress(required=False, default=None, help_text=AT_HELP)
    basis = Choice(Basis.choices, required=False, default=Basis.KNOWN_NOW.value, help_text=BASIS_HELP)
    by = Choice(
        [("category", "Category"), ("kind", "Kind"), ("place", "Place")],
        required=False,
        default="category",
        help_text="What the parts are.",
    )
    location = Text(length_max=64, required=False, default="", help_text="Code of a place: only what is there.")


class ChangesQuery(Body):
    first = MomentInAddress(help_text="The earlier moment.")
    second = MomentInAddress(required=False, default=None, help_text="The later moment; now when left out.")
    basis = Choice(Basis.choices, required=False, default=Basis.KNOWN_NOW.value, help_text=BASIS_HELP)
    item = Text(length_max=100, required=False, default="", help_text="SKU; all stock when left out.")


def _moment(parameters: Mapping[str, str]) -> AsOf:
    """The moment of a list whose parameters were checked."""
    text = parameters.get("at")
    at = None if text is None else MomentInAddress().to_internal_value(text)
    return AsOf.at(at, parameters.get("basis", Basis.KNOWN_NOW))


def _place_ids(code: str) -> list[int] | None:
    if not code:
        return None
    (place,) = find_locations([(("location",), code)])
    return locations_within(place)


# --- Answers ----------------------------------------------------------------------------------------------------------


class ValuationSerializer(serializers.Serializer[Any]):
    """What the stock of one item is worth at the moment, in base currency. Quantities are in its stock unit."""

    item = TextOut(source="item.sku")
    item_id = IdOut(source="item.id")
    name = TextOut(source="item.name")
    category_id = IdOut(source="item.category_id", allow_null=True)
    kind = ChoiceOut(ItemKind.choices, source="item.kind")
    cost_method = ChoiceOut(CostMethod.choices, source="item.cost_method")
    unit = TextOut(source="item.stock_unit")
    quantity = DecimalOut(source="worth.held")
    unit_cost = DecimalOut(source="unit_cost_shown", allow_null=True, help_text="Rounded to six places.")
    value = DecimalOut(source="worth.held_value", allow_null=True, help_text="Null while a part has no known cost.")
    known_value = DecimalOut(source="worth.known_held_value")
    unknown_quantity = DecimalOut(source="worth.unknown_quantity", help_text="Came in without a cost.")


@dataclass(frozen=True, slots=True)
class _Valued:
    item: Item
    worth: WorthAsOf

    @property
    def unit_cost_shown(self) -> Decimal | None:
        cost = self.worth.unit_cost
        return None if cost is None else cost.quantize(Decimal("0.000001"))


class ValuationPartSerializer(serializers.Serializer[Any]):
    """One category, kind or place."""

    key = TextOut(help_text="Id or word; empty when there is none.")
    name = TextOut(source="label")
    items = IdOut()
    known_value = DecimalOut()
    unknown_items = IdOut()


class ValuationTotalsSerializer(serializers.Serializer[Any]):
    """All stock at the moment. The parts add up to the sum."""

    items = IdOut(help_text="With stock; by place an item counts at each of its places.")
    known_value = DecimalOut()
    unknown_items = IdOut(help_text="Items of which a part has no known cost.")
    parts = ValuationPartSerializer(many=True, read_only=True, source="rows")


class StockAsOfSerializer(serializers.Serializer[Any]):
    """What one cell held at the moment, in the item's stock unit."""

    id = IdOut(source="cell.id", help_text="Of the cell, as in the stock list.")
    item = TextOut(source="cell.item.sku")
    item_id = IdOut(source="cell.item_id")
    unit = TextOut(source="cell.item.stock_unit")
    location = TextOut(source="cell.location.code")
    location_id = IdOut(source="cell.location_id")
    lot = TextOut(source="cell.lot.code")
    lot_id = IdOut(source="cell.lot_id")
    status = ChoiceOut(StockStatus.choices, source="cell.status")
    quantity = DecimalOut()


class SideSerializer(serializers.Serializer[Any]):
    """The stock at one of the two moments."""

    at = MomentOut()
    quantity = DecimalOut(source="side.quantity", help_text="Of the item; 0 for all stock.")
    known_value = DecimalOut(source="side.known_value")
    unknown_items = IdOut(source="side.unknown_items")


@dataclass(frozen=True, slots=True)
class _SideAt:
    at: datetime
    side: Side


class CauseSerializer(serializers.Serializer[Any]):
    """What one kind of posting changed."""

    kind = ChoiceOut(PostingKind.choices)
    undoes = TextOut(help_text="Of a reversal: the kind it reverses.")
    way = TextOut(help_text="Of completions: in (made) or out (used).")
    name = TextOut(source="label")
    is_late = FlagOut(help_text="Happened before the first moment and was recorded after it.")
    movements = IdOut()
    quantity = DecimalOut(help_text="Of the item; without meaning for all stock.")
    value = DecimalOut(help_text="Known part.")
    unknown_quantity = DecimalOut()


class ReasonSumSerializer(serializers.Serializer[Any]):
    """Adjustments, counts or scrap for one reason; what was taken back is left out."""

    kind = ChoiceOut(PostingKind.choices)
    reason = TextOut(help_text="Empty: none was given.")
    postings = IdOut()
    quantity = DecimalOut(help_text="Of the item; without meaning for all stock.")
    value = DecimalOut(help_text="Known part, signed.")
    lost = DecimalOut(help_text="Of it, what left stock; zero or less.")
    unknown_movements = IdOut(help_text="Movements without a known cost.")


class StockChangesSerializer(serializers.Serializer[Any]):
    """Opening, causes and closing, which add up.

    With basis known_now `late` is contained in the opening; with known_then it leads from the opening to the closing too.
    """

    opening = SideSerializer(read_only=True)
    causes = CauseSerializer(many=True, read_only=True)
    late = CauseSerializer(many=True, read_only=True)
    closing = SideSerializer(read_only=True)
    reasons = ReasonSumSerializer(many=True, read_only=True, help_text="The largest loss first.")


class PeriodSerializer(serializers.Serializer[Any]):
    """A day the books were closed through."""

    id = IdOut()
    through = DayOut()
    is_closed = FlagOut(help_text="False once it was reopened.")
    items = IdOut(help_text="With stock at the end.")
    known_value = DecimalOut(help_text="Of all stock at the end, in base currency.")
    unknown_items = IdOut()
    note = TextOut()
    closed_at = MomentOut()
    closed_by = TextOut(source="closed_by.username", allow_null=True, default=None)
    reopened_at = MomentOut(allow_null=True)
    reopened_by = TextOut(source="reopened_by.username", allow_null=True, default=None)
    reopen_reason = TextOut()


class ClosePeriodSerializer(Body):
    through = Day(help_text="The last day of the period; it must have ended an hour ago.")
    note = optional_text(500)


class ReopenPeriodSerializer(Body):
    reason = Text(length_max=200)


# --- Resources --------------------------------------------------------------------------------------------------------


class ValuationResource(Resource):
    """What stock is worth, now or at any moment before."""

    queryset = Item.objects.all()
    filterset_class = ItemsAtMoment
    endpoints = {
        "list": Endpoint("inventory.view_costpool", ValuationSerializer),
        "totals": Endpoint("inventory.view_costpool", ValuationTotalsSerializer, query=TotalsQuery),
    }

    def get_queryset(self) -> Any:
        return Item.objects.filter(Exists(CostPool.objects.filter(item=OuterRef("pk"), lot__isnull=True)))

    def list(self, request: Request) -> Response:
        """Items that had stock. A page may hold fewer rows than asked for, since items without any are left out."""
        items: list[Item] = self.page()
        parameters = request.query_params
        worths = worth_as_of(
            items=[item.pk for item in items],
            moment=_moment(parameters),
            locations=_place_ids(parameters.get("location", "")),
        )
        rows = [
            _Valued(item, worths[item.pk])
            for item in items
            if item.pk in worths
            and (worths[item.pk].held or (not parameters.get("location") and not worths[item.pk].is_empty))
        ]
        answer: Response = self.get_paginated_response(self.get_serializer(rows, many=True).data)
        return answer

    @action(detail=False, methods=["get"])
    def totals(self, request: Request) -> Response:  # noqa: ARG002
        """The sum of all stock with its parts."""
        values = self.parameters()
        narrowing = Narrowing(locations=_place_ids(values["location"]))
        return self.answer(
            totals_as_of(moment=AsOf.at(values["at"], values["basis"]), by=values["by"], narrowing=narrowing)
        )


class StockAsOfResource(Resource):
    """What was where, at any moment."""

    queryset = StockBalance.objects.select_related("item", "location", "lot")
    filterset_class = CellsAtMoment
    endpoints = {"list": Endpoint("inventory.view_stockbalance", StockAsOfSerializer)}

    def list(self, request: Request) -> Response:
        """Cells that held something. A page may hold fewer rows than asked for, since empty cells are left out."""
        cells: list[StockBalance] = self.page()
        moment = _moment(request.query_params)
        held = {
            (cell.item_id, cell.location_id, cell.lot_id, cell.status): cell.quantity
            for cell in cells_as_of(items={cell.item_id for cell in cells}, moment=moment)
        }
        rows = [
            {"cell": cell, "quantity": quantity}
            for cell in cells
            if (quantity := held.get((cell.item_id, cell.location_id, cell.lot_id, cell.status)))
        ]
        answer: Response = self.get_paginated_response(self.get_serializer(rows, many=True).data)
        return answer


class StockChangesResource(Resource):
    """Why the stock of one moment became that of another."""

    queryset = Location.objects.none()
    endpoints = {"compare": Endpoint("inventory.view_movement", StockChangesSerializer, query=ChangesQuery)}

    @action(detail=False, methods=["get"])
    def compare(self, request: Request) -> Response:  # noqa: ARG002
        """Two moments, and what changed in between by cause."""
        values = self.parameters()
        second = values["second"] or timezone.now()
        if second < values["first"]:
            raise ValidationError({"second": ["Give a moment after the first one."]})
        item = find_items([(("item",), values["item"])])[0] if values["item"] else None
        found = changes_by_cause(first=values["first"], second=second, item=item, basis=values["basis"])
        return self.answer(
            {
                "opening": _SideAt(found.first, found.opening),
                "causes": found.causes,
                "late": found.late,
                "closing": _SideAt(found.second, found.closing),
                "reasons": changes_by_reason(first=found.first, second=found.second, item=item),
            }
        )


class PeriodResource(ListOne, Resource):
    """Closed periods, newest first."""

    queryset = PeriodClose.objects.select_related("closed_by", "reopened_by")
    newest_first = True
    endpoints = {
        "list": Endpoint("inventory.view_periodclose", PeriodSerializer),
        "retrieve": Endpoint("inventory.view_periodclose", PeriodSerializer),
        "create": Endpoint(
            "inventory.close_period", PeriodSerializer, ClosePeriodSerializer, status=201, is_keyed=True
        ),
        "reopen": Endpoint("inventory.close_period", PeriodSerializer, ReopenPeriodSerializer, is_keyed=True),
    }

    def create(self, request: Request) -> HttpResponse:
        """Close the books through a day."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the day itself makes it repeatable
            result = close_period(actor=request.user, **self.values())
            return self.reply(self.get_queryset().get(pk=result.period.pk), replayed=result.replayed)

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Open the newest closed period again."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            period: PeriodClose = self.get_object()
            reopen_period(period=period, actor=request.user, **self.values())
            return self.reply(self.get_queryset().get(pk=period.pk))

        return self.answer_once(request, work)
