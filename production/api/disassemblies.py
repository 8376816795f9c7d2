"""Disassemblies: finished goods taken apart, previewed, posted, read and undone."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import (
    Body,
    Choice,
    ChoiceOut,
    DecimalOut,
    FlagOut,
    IdOut,
    MomentOut,
    Quantity,
    TextOut,
    Whole,
    item_reference,
    lines_of,
    location_reference,
    optional_text,
)
from inventory.api.filters import Filters, FlagFilter, IdFilter, MomentFilter, SearchFilter, TextFilter
from inventory.api.idempotency import Reply
from inventory.api.references import Named, Where, find_items, find_locations, in_stock_units
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.api.serializers import UNIT_HELP, LotQuantitySerializer
from inventory.api.stock import picked_lots
from inventory.models import Item, Lot, StockStatus
from production.models import Completion, Disassembly, DisassemblyLine
from production.operations.disassembling import (
    DisassemblyPlan,
    disassemble,
    preview_disassembly,
    reverse_disassembly,
)

ROWS = Disassembly.objects.select_related("posting__actor", "item", "completion")
DETAILS = ROWS.prefetch_related(Prefetch("lines", DisassemblyLine.objects.select_related("component").order_by("id")))


class DisassemblyLineSerializer(serializers.Serializer[Any]):
    """One component: what was expected back, and what came back with what value."""

    component = TextOut(source="component.sku")
    component_id = IdOut()
    unit = TextOut(source="component.stock_unit")
    expected = DecimalOut()
    recovered = DecimalOut()
    value = DecimalOut(allow_null=True)


class DisassemblySummarySerializer(serializers.Serializer[Any]):
    """One disassembly, without its lines."""

    id = IdOut(source="pk", help_text="Also the id of its posting.")
    item = TextOut(source="item.sku")
    item_id = IdOut()
    unit = TextOut(source="item.stock_unit")
    completion_id = IdOut(allow_null=True, help_text="What was taken apart of; null without origin.")
    bom_id = IdOut(allow_null=True, help_text="What said what comes back, without a completion.")
    quantity = DecimalOut()
    value = DecimalOut(allow_null=True, help_text="That left with it.")
    wasted_value = DecimalOut(help_text="Of it, what was not recovered.")
    is_reversed = FlagOut()
    reference = TextOut(source="posting.reference")
    reason = TextOut(source="posting.reason")
    note = TextOut(source="posting.note")
    actor = TextOut(source="posting.actor.username", allow_null=True, default=None)
    effective_at = MomentOut(source="posting.effective_at")
    recorded_at = MomentOut(source="posting.recorded_at")


class DisassemblySerializer(DisassemblySummarySerializer):
    """One disassembly with what came back."""

    lines = DisassemblyLineSerializer(many=True, read_only=True)


class TakenLotSerializer(serializers.Serializer[Any]):
    lot = TextOut()
    quantity = DecimalOut()


class RecoveredLineSerializer(DisassemblyLineSerializer):
    lot = TextOut(help_text="It came from and would go back to; empty without lots.")
    status = ChoiceOut(
        StockStatus.choices, help_text="It would come back with: not available while it waits or its lot is stopped."
    )


class DisassemblyPreviewSerializer(serializers.Serializer[Any]):
    """What posting the same request would do now."""

    item = TextOut()
    item_id = IdOut()
    unit = TextOut()
    completion_id = IdOut(allow_null=True)
    bom_id = IdOut(allow_null=True)
    quantity = DecimalOut()
    location = TextOut()
    target = TextOut()
    status = ChoiceOut(StockStatus.choices)
    taken = TakenLotSerializer(many=True, read_only=True)
    value = DecimalOut(allow_null=True)
    wasted_value = DecimalOut()
    lines = RecoveredLineSerializer(many=True, read_only=True)


class RecoveredSerializer(Body):
    """How much of a component came back, where it is less than expected."""

    component = item_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)


class DisassemblyInputSerializer(Body):
    """Take goods apart: those of a completion, whose very components come back, or of an item, by its BOM in force."""

    completion_id = Whole(minimum=1, required=False, allow_null=True, default=None)
    item = item_reference(required=False, allow_null=True, default=None)
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    location = location_reference(
        required=False, allow_null=True, default=None, help_text="Where the goods are; where the completion put them."
    )
    target = location_reference(
        required=False, allow_null=True, default=None, help_text="Where the components go; where the goods are."
    )
    status = Choice(StockStatus.choices, required=False, default=StockStatus.AVAILABLE.value)
    lots = lines_of(LotQuantitySerializer, required=False, default=list)
    recovered = lines_of(RecoveredSerializer, required=False, default=list)
    reason = optional_text(100)
    note = optional_text(500)


class UndoDisassemblySerializer(Body):
    reason = optional_text(100)


class DisassemblyReversalSerializer(serializers.Serializer[Any]):
    """The posting that put together again what was taken apart."""

    posting_id = IdOut()
    disassembly_id = IdOut()


class DisassemblyFilter(Filters):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    completion_id = IdFilter(field_name="completion_id")
    is_reversed = FlagFilter(field_name="is_reversed")
    search = SearchFilter(method="find", help_text="Part of SKU or name of the item.")
    effective_from = MomentFilter(field_name="posting__effective_at", lookup_expr="gte")
    effective_before = MomentFilter(field_name="posting__effective_at", lookup_expr="lt")

    class Meta:
        model = Disassembly
        fields: list[str] = []

    def find(self, rows: Any, name: str, value: str) -> Any:  # noqa: ARG002
        return rows.filter(item__sku__icontains=value) | rows.filter(item__name__icontains=value)


class DisassemblyResource(ListOne, Resource):
    """Finished goods taken apart, newest first."""

    queryset = ROWS
    filterset_class = DisassemblyFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("production.view_disassembly", DisassemblySummarySerializer),
        "retrieve": Endpoint("production.view_disassembly", DisassemblySerializer),
        "create": Endpoint(
            "production.disassemble", DisassemblySerializer, DisassemblyInputSerializer, status=201, is_keyed=True
        ),
        "preview": Endpoint("production.disassemble", DisassemblyPreviewSerializer, DisassemblyInputSerializer),
        "reverse": Endpoint(
            "production.disassemble",
            DisassemblyReversalSerializer,
            UndoDisassemblySerializer,
            status=201,
            is_keyed=True,
        ),
    }

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """One of them by its id, with what came back."""
        found: Disassembly = self.get_object()
        return self.answer(DETAILS.get(pk=found.pk))

    def create(self, request: Request) -> HttpResponse:
        """Take goods apart: they leave stock, their components come back with their value, the rest is waste."""

        def work(key: UUID) -> Reply:
            wanted, reason, note = self._wanted()
            result = disassemble(key=key, reason=reason, note=note, actor=request.user, **wanted)
            return self.reply(DETAILS.get(pk=result.posting.pk), replayed=result.replayed)

        return self.answer_once(request, work)

    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:  # noqa: ARG002
        """What posting the same body would do now, by the same code; nothing is written. Refuses as posting would."""
        wanted, _, _ = self._wanted()
        return Response(_preview_of(preview_disassembly(**wanted)))

    @action(detail=True, methods=["post"])
    def reverse(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Put together again what was taken apart, exactly; refused when a component is no longer where it was put."""

        def work(key: UUID) -> Reply:
            found: Disassembly = self.get_object()
            posting = reverse_disassembly(
                key=key, disassembly=found, reason=self.values()["reason"], actor=request.user
            )
            return self.reply({"posting_id": posting.pk, "disassembly_id": found.pk})

        return self.answer_once(request, work)

    def _wanted(self) -> tuple[dict[str, Any], str, str]:
        """The body with its objects, as the operation takes them, and its reason and note."""
        values = self.values()
        completion = _completion(values)
        named: list[tuple[Where, Named]] = [] if completion else [(("item",), values["item"])]
        named += [(("recovered", n, "component"), line["component"]) for n, line in enumerate(values["recovered"])]
        items = dict(zip([where for where, _ in named], find_items(named), strict=True))
        item = completion.item if completion else items[("item",)]
        places: list[tuple[Where, Named]] = [
            ((name,), values[name]) for name in ("location", "target") if values[name] is not None
        ]
        found = dict(zip([where for where, _ in places], find_locations(places), strict=True))
        location = found.get(("location",)) or (completion.output_location if completion else None)
        if location is None:
            raise ValidationError({"location": ["Say where the goods are."]})
        (quantity,) = in_stock_units([(item, values["quantity"], values["unit"])])
        wanted = {
            "completion": completion,
            "item": None if completion else item,
            "quantity": quantity,
            "location": location,
            "target": found.get(("target",)),
            "lots": picked_lots(item, values["lots"], values["unit"]),
            "recovered": _recovered(values["recovered"], items),
            "status": values["status"],
        }
        return wanted, values["reason"], values["note"]


def _completion(values: Mapping[str, Any]) -> Completion | None:
    named = values["completion_id"]
    if (named is None) == (values["item"] is None):
        raise ValidationError({"item": ["Give either the completion that made the goods, or the item."]})
    if named is None:
        return None
    found = Completion.objects.select_related("item", "output_location").filter(pk=named).first()
    if found is None:
        raise ValidationError({"completion_id": [f"There is no completion with id {named}."]})
    return found


def _recovered(lines: Sequence[Mapping[str, Any]], items: Mapping[Where, Item]) -> dict[int, Decimal]:
    components = [items[("recovered", number, "component")] for number in range(len(lines))]
    if len({component.pk for component in components}) != len(components):
        raise ValidationError({"recovered": ["Name each component once."]})
    quantities = in_stock_units(
        [(item, line["quantity"], line["unit"]) for item, line in zip(components, lines, strict=True)]
    )
    return {item.pk: quantity for item, quantity in zip(components, quantities, strict=True)}


def _preview_of(plan: DisassemblyPlan) -> dict[str, Any]:
    items = Item.objects.in_bulk({recovery.component_id for recovery, _ in plan.lines})
    lots = Lot.objects.in_bulk({recovery.lot_id for recovery, _ in plan.lines if recovery.lot_id is not None})
    shown = {
        "item": plan.item.sku,
        "item_id": plan.item.pk,
        "unit": plan.item.stock_unit,
        "completion_id": None if plan.completion is None else plan.completion.pk,
        "bom_id": plan.bom_id,
        "quantity": plan.quantity,
        "location": plan.location.code,
        "target": plan.target.code,
        "status": plan.status,
        "taken": [{"lot": code, "quantity": quantity} for code, quantity in plan.taken],
        "value": plan.value,
        "wasted_value": plan.wasted_value,
        "lines": [
            {
                "component": items[recovery.component_id],
                "component_id": recovery.component_id,
                "lot": "" if recovery.lot_id is None else lots[recovery.lot_id].code,
                "expected": recovery.expected,
                "recovered": recovery.recovered,
                "value": value,
                "status": status,
            }
            for (recovery, value), status in zip(plan.lines, plan.statuses, strict=True)
        ],
    }
    return dict(DisassemblyPreviewSerializer(shown).data)
