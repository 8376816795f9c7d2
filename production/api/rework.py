"""Rework orders over the REST API: opened, recorded in parts, undone and closed."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import (
    Body,
    Choice,
    ChoiceOut,
    Day,
    DayOut,
    DecimalIn,
    DecimalOut,
    FlagOut,
    IdOut,
    MomentOut,
    Money,
    Nothing,
    Quantity,
    Text,
    TextOut,
    Whole,
    item_reference,
    lines_of,
    location_reference,
    lot_reference,
    optional_text,
)
from inventory.api.filters import Filters, IdFilter, SearchFilter, TextFilter, WordFilter
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_locations, find_lots, in_stock_units, refuse
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.api.serializers import UNIT_HELP, LotQuantitySerializer
from inventory.api.stock import picked_lots
from inventory.models import Item, Lot, StockStatus
from production.models import (
    REWORKED_FROM,
    InspectionDecision,
    ReworkComponent,
    Reworking,
    ReworkingLine,
    ReworkOrder,
    ReworkState,
)
from production.operations.reworking import COMPONENTS_MAX, Use, close_rework, open_rework, reverse_rework, rework

ROWS = ReworkOrder.objects.select_related("item", "lot", "location", "source_location", "created_by")
DETAILS = ROWS.prefetch_related(
    Prefetch("components", ReworkComponent.objects.select_related("component").order_by("id")),
    Prefetch(
        "reworkings",
        Reworking.objects.select_related("posting__actor", "output_location")
        .prefetch_related(Prefetch("lines", ReworkingLine.objects.select_related("component").order_by("id")))
        .order_by("posting_id"),
    ),
)
STATUSES = [(one.value, one.label) for one in REWORKED_FROM]


class ReworkComponentSerializer(serializers.Serializer[Any]):
    component = TextOut(source="component.sku")
    component_id = IdOut()
    unit = TextOut(source="component.stock_unit")
    quantity = DecimalOut(help_text="For the whole order.")


class ReworkingLineSerializer(serializers.Serializer[Any]):
    component = TextOut(source="component.sku")
    component_id = IdOut()
    unit = TextOut(source="component.stock_unit")
    expected = DecimalOut()
    actual = DecimalOut()
    value = DecimalOut(allow_null=True)


class ReworkingSerializer(serializers.Serializer[Any]):
    """A part of an order that was done. Values in base currency, null while a cost is unknown."""

    posting_id = IdOut()
    good = DecimalOut()
    scrapped = DecimalOut()
    scrap_reason = TextOut()
    minutes = DecimalOut()
    goods_value = DecimalOut(allow_null=True, help_text="Of the goods before.")
    component_value = DecimalOut(allow_null=True)
    work_value = DecimalOut()
    location = TextOut(source="output_location.code")
    status = ChoiceOut(StockStatus.choices, source="output_status", help_text="The goods came in with.")
    is_reversed = FlagOut()
    note = TextOut(source="posting.note")
    actor = TextOut(source="posting.actor.username", allow_null=True, default=None)
    effective_at = MomentOut(source="posting.effective_at")
    lines = ReworkingLineSerializer(many=True, read_only=True)


class ReworkSummarySerializer(serializers.Serializer[Any]):
    """One order without its parts; quantities in the item's stock unit."""

    id = IdOut()
    number = TextOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    unit = TextOut(source="item.stock_unit")
    lot = TextOut(source="lot.code", help_text="Empty for an item without lots.")
    lot_id = IdOut()
    location = TextOut(source="location.code", help_text="Where the goods wait.")
    status = ChoiceOut(STATUSES, help_text="They wait with.")
    decision_id = IdOut(allow_null=True, help_text="Of the inspection that sent them.")
    quantity = DecimalOut()
    good = DecimalOut()
    scrapped = DecimalOut()
    remaining = DecimalOut()
    state = ChoiceOut(ReworkState.choices)
    work = TextOut(help_text="What is to be done.")
    minutes = DecimalOut(help_text="Of work, for the whole quantity.")
    rate_per_hour = DecimalOut(help_text="Base currency.")
    source_location = TextOut(source="source_location.code", help_text="Components come from here.")
    due_on = DayOut(allow_null=True)
    created_by = TextOut(source="created_by.username", allow_null=True, default=None)
    created_at = MomentOut()
    closed_at = MomentOut(allow_null=True)


class ReworkSerializer(ReworkSummarySerializer):
    """One order with its planned components and what was done."""

    components = ReworkComponentSerializer(many=True, read_only=True)
    reworkings = ReworkingSerializer(many=True, read_only=True)


class PlannedComponentSerializer(Body):
    """How much of a component the whole order takes."""

    component = item_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)


class OpenReworkSerializer(Body):
    """Open an order for goods in quarantine or damaged. Nothing moves yet."""

    item = item_reference()
    lot = lot_reference(required=False, allow_null=True, default=None, help_text="Of a tracked item.")
    location = location_reference(help_text="Where the goods wait.")
    status = Choice(STATUSES, required=False, default=StockStatus.QUARANTINE.value)
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    work = Text(length_max=1000, help_text="What is to be done.")
    source_location = location_reference(
        required=False, allow_null=True, default=None, help_text="Components come from here; where the goods wait."
    )
    components = lines_of(PlannedComponentSerializer, length_max=COMPONENTS_MAX, required=False, default=list)
    minutes = DecimalIn(digits=7, places=2, required=False, default="0", help_text="Of work, for the whole quantity.")
    rate_per_hour = Money(required=False, default="0")
    due_on = Day(required=False, allow_null=True, default=None)
    decision_id = Whole(
        minimum=1, required=False, allow_null=True, default=None, help_text="Of the inspection that sent the goods."
    )


class UsedComponentSerializer(Body):
    """What was really used of a component; zero: none of it."""

    component = item_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    lots = lines_of(LotQuantitySerializer, required=False, default=list)


class RecordReworkSerializer(Body):
    """What was mended and spoiled. Components that are not named, and minutes, are taken as planned, in proportion."""

    good = Quantity(required=False, default="0")
    scrapped = Quantity(required=False, default="0")
    unit = optional_text(32, help_text=UNIT_HELP)
    scrap_reason = optional_text(100)
    used = lines_of(UsedComponentSerializer, length_max=COMPONENTS_MAX, required=False, default=list)
    minutes = DecimalIn(digits=7, places=2, required=False, allow_null=True, default=None)
    target = location_reference(
        required=False, allow_null=True, default=None, help_text="The goods go there; where they wait."
    )
    reason = optional_text(100, help_text="Needed for lots out of their order.")
    note = optional_text(500)


class UndoReworkSerializer(Body):
    posting_id = Whole(minimum=1, help_text="The part that is taken back.")
    reason = optional_text(100)


class ReworkFilter(Filters):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    lot_id = IdFilter(field_name="lot_id")
    state = WordFilter(ReworkState)
    decision_id = IdFilter(field_name="decision_id")
    search = SearchFilter(method="find", help_text="The number, or part of SKU, name or lot.")

    class Meta:
        model = ReworkOrder
        fields: list[str] = []

    def find(self, rows: Any, name: str, value: str) -> Any:  # noqa: ARG002
        return (
            rows.filter(number__iexact=value)
            | rows.filter(item__sku__icontains=value)
            | rows.filter(item__name__icontains=value)
            | rows.filter(lot__code__icontains=value)
        )


class ReworkResource(ListOne, Resource):
    """Rework orders, newest first."""

    queryset = ROWS
    filterset_class = ReworkFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("production.view_inspection", ReworkSummarySerializer),
        "retrieve": Endpoint("production.view_inspection", ReworkSerializer),
        "create": Endpoint("production.inspect", ReworkSerializer, OpenReworkSerializer, status=201, is_keyed=True),
        "record": Endpoint("production.inspect", ReworkSerializer, RecordReworkSerializer, status=201, is_keyed=True),
        "undo": Endpoint("production.inspect", ReworkSerializer, UndoReworkSerializer, status=201, is_keyed=True),
        "close": Endpoint("production.inspect", ReworkSerializer, Nothing),
    }

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """One order by its id, with its components and what was done."""
        found: ReworkOrder = self.get_object()
        return self.answer(DETAILS.get(pk=found.pk))

    def create(self, request: Request) -> HttpResponse:
        """Open an order for goods that wait in quarantine or damaged."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            order = open_rework(actor=request.user, **self._opening())
            return self.reply(DETAILS.get(pk=order.pk))

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def record(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Record what was mended and spoiled: goods and components leave, what is good comes in worth all of it."""

        def work(key: UUID) -> Reply:
            order: ReworkOrder = self.get_object()
            result = rework(key=key, order=order, actor=request.user, **self._done(order))
            return self.reply(DETAILS.get(pk=order.pk), replayed=result.replayed)

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def undo(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Take a part back, exactly; refused when the mended goods are no longer where they were put."""

        def work(key: UUID) -> Reply:
            order: ReworkOrder = self.get_object()
            values = self.values()
            found = order.reworkings.filter(pk=values["posting_id"]).first()
            if found is None:
                refuse([(("posting_id",), f"{order.number} has no part with this posting.")])
                raise AssertionError("refused above")
            reverse_rework(key=key, reworking=found, actor=request.user, reason=values["reason"])
            return self.reply(DETAILS.get(pk=order.pk))

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def close(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Close an order whose rest is not reworked; it stays where it is."""
        order = close_rework(order=self.get_object(), actor=request.user)
        return self.answer(DETAILS.get(pk=order.pk))

    def _opening(self) -> dict[str, Any]:
        values = self.values()
        lines = values.pop("components")
        item, *parts = find_items([(("item",), values.pop("item")), *_named(lines, "components")])
        places = [name for name in ("location", "source_location") if values[name] is not None]
        found = dict(zip(places, find_locations([((name,), values[name]) for name in places]), strict=True))
        lot_named = values.pop("lot")
        decision_id = values.pop("decision_id")
        quantity, *needed = in_stock_units([(item, values.pop("quantity"), values.pop("unit")), *_typed(parts, lines)])
        return {
            **values,
            "source_location": found.get("source_location", found["location"]),
            "location": found["location"],
            "item": item,
            "lot": _lot(item, lot_named),
            "quantity": quantity,
            "components": list(zip(parts, needed, strict=True)),
            "decision": None if decision_id is None else _decision(decision_id),
        }

    def _done(self, order: ReworkOrder) -> dict[str, Any]:
        values = self.values()
        lines, unit = values.pop("used"), values.pop("unit")
        parts = find_items(_named(lines, "used"))
        good, scrapped, *quantities = in_stock_units(
            [(order.item, values.pop("good"), unit), (order.item, values.pop("scrapped"), unit), *_typed(parts, lines)]
        )
        target = values.pop("target")
        uses = [
            Use(part, quantity, picked_lots(part, line["lots"], line["unit"], at=("used", number)))
            for number, (part, quantity, line) in enumerate(zip(parts, quantities, lines, strict=True))
        ]
        return {
            **values,
            "good": good,
            "scrapped": scrapped,
            "used": uses,
            "target": None if target is None else find_locations([(("target",), target)])[0],
        }


def _named(lines: Sequence[Mapping[str, Any]], at: str) -> list[Any]:
    return [((at, number, "component"), line["component"]) for number, line in enumerate(lines)]


def _typed(parts: Sequence[Item], lines: Sequence[Mapping[str, Any]]) -> list[tuple[Item, Decimal, str]]:
    return [(part, line["quantity"], line["unit"]) for part, line in zip(parts, lines, strict=True)]


def _lot(item: Item, named: Any) -> Lot:
    """The named lot, or the one lot of an item without lots."""
    if named is not None:
        return find_lots([(("lot",), item, named)])[0]
    found = Lot.objects.filter(item=item, code="").first()
    if found is None:
        refuse([(("lot",), f"Name the lot of {item.sku} that is reworked.")])
        raise AssertionError("refused above")
    return found


def _decision(decision_id: int) -> InspectionDecision:
    decisions = InspectionDecision.objects.standing().select_related("verdict__inspection")
    found = decisions.filter(pk=decision_id).first()
    if found is None:
        refuse([(("decision_id",), f"There is no decision {decision_id}, or it was taken back.")])
        raise AssertionError("refused above")
    return found
