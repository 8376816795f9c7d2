"""Two-step transfers over the REST API: sent, received in parts, brought back."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request

from inventory.api.fields import (
    Body,
    Choice,
    ChoiceOut,
    Day,
    DayOut,
    DecimalOut,
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
from inventory.api.filters import Filters as ListFilters
from inventory.api.filters import FlagFilter, MomentFilter, SearchFilter, TextFilter, WordFilter
from inventory.api.idempotency import Reply
from inventory.api.references import find_locations, in_stock_units, refuse
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.api.serializers import UNIT_HELP, LotQuantitySerializer, Timed
from inventory.api.shipping import found_lines
from inventory.models import StockStatus, StockTransfer, TransferState
from inventory.operations.transit import (
    ARRIVAL_STATUSES,
    Arrival,
    DispatchLine,
    TransferResult,
    dispatch_transfer,
    receive_transfer,
    return_transfer,
)
from inventory.quantities import ZERO
from inventory.reads.transit import transfers_with_lines


class StockTransferLineSerializer(serializers.Serializer[Any]):
    """A quantity of one lot in a transfer, in the item's stock unit."""

    id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    unit = TextOut(source="item.stock_unit")
    lot = TextOut(source="lot.code")
    lot_id = IdOut()
    status = ChoiceOut(StockStatus.choices)
    quantity = DecimalOut(help_text="Sent.")
    received = DecimalOut(help_text="Arrived.")
    lost = DecimalOut(help_text="Did not arrive, written off.")


class StockTransferSerializer(serializers.Serializer[Any]):
    """One consignment between two of our places."""

    id = IdOut()
    number = TextOut()
    state = ChoiceOut(TransferState.choices)
    source = TextOut(source="source.code")  # type: ignore[assignment]
    target = TextOut(source="target.code")
    transit = TextOut(source="transit.code")
    dispatched_at = MomentOut()
    expected_on = DayOut(allow_null=True)
    closed_at = MomentOut(allow_null=True)
    reference = TextOut()
    note = TextOut()
    dispatch_id = IdOut(help_text="The posting that sent it.")
    lines = StockTransferLineSerializer(many=True, read_only=True)


class DispatchLineSerializer(Body):
    """What is sent of one item; without `lots` the earliest expiry goes first, then the oldest."""

    item = item_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    status = Choice(StockStatus.choices, required=False, default=StockStatus.AVAILABLE.value)
    lots = lines_of(LotQuantitySerializer, required=False, default=list)


class StockTransferInputSerializer(Timed):
    """Goods leave for another place, all lines or none."""

    source = location_reference(help_text="Everything below it counts too.")  # type: ignore[assignment]
    target = location_reference()
    transit = location_reference(
        required=False, allow_null=True, default=None, help_text="Left out: the only place of kind in transit."
    )
    lines = lines_of(DispatchLineSerializer, allow_empty=False)
    expected_on = Day(required=False, allow_null=True, default=None)
    reference = optional_text(100, help_text="Number of the waybill.")


ARRIVED_AS = [(status.value, status.label) for status in ARRIVAL_STATUSES]


class ArrivalLineSerializer(Body):
    """What became of one line, in the item's stock unit. A line may stand several times, each with another status."""

    line_id = Whole(minimum=1)
    received = Quantity(required=False, default=ZERO)
    lost = Quantity(required=False, default=ZERO)
    status = Choice(
        ARRIVED_AS,
        required=False,
        allow_null=True,
        default=None,
        help_text="What goods that were sent as available arrived as; left out: as they were sent.",
    )


class ArrivalSerializer(Timed):
    """What arrived of a transfer and what was lost on the way."""

    lines = lines_of(ArrivalLineSerializer, allow_empty=False)
    loss_reason = optional_text(100, help_text="Required when something was lost.")


class TransferReturnSerializer(Timed):
    """What is still on the road goes back to where it was sent from."""

    reason = optional_text(100)


class StockTransferFilter(ListFilters):
    state = WordFilter(TransferState)
    number = TextFilter(field_name="number")
    source = TextFilter(field_name="source__code")
    target = TextFilter(field_name="target__code")
    search = SearchFilter(field_name="reference", lookup_expr="icontains")
    dispatched_before = MomentFilter(field_name="dispatched_at", lookup_expr="lt")
    is_expected = FlagFilter(field_name="expected_on", lookup_expr="isnull", exclude=True)

    class Meta:
        model = StockTransfer
        fields: list[str] = []


class StockTransferResource(ListOne, Resource):
    """Goods on the road between our places."""

    queryset = transfers_with_lines()
    filterset_class = StockTransferFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("inventory.view_stocktransfer", StockTransferSerializer),
        "retrieve": Endpoint("inventory.view_stocktransfer", StockTransferSerializer),
        "create": Endpoint(
            "inventory.transfer_stock",
            StockTransferSerializer,
            StockTransferInputSerializer,
            status=201,
            is_keyed=True,
        ),
        "receive": Endpoint("inventory.transfer_stock", StockTransferSerializer, ArrivalSerializer, is_keyed=True),
        "bring_back": Endpoint(
            "inventory.transfer_stock", StockTransferSerializer, TransferReturnSerializer, is_keyed=True
        ),
    }

    def create(self, request: Request) -> HttpResponse:
        """Send goods; they stand on the road until they are received."""

        def work(key: UUID) -> Reply:
            values = self.values()
            names = [name for name in ("source", "target", "transit") if values[name] is not None]
            places = find_locations([((name,), values.pop(name)) for name in names])
            lines = [DispatchLine(**line) for line in found_lines(values.pop("lines"))]
            values |= dict(zip(names, places, strict=True))
            return self._answer(dispatch_transfer(key=key, lines=lines, actor=request.user, **values))

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def receive(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Book what arrived, whole or in part, and what was lost."""

        def work(key: UUID) -> Reply:
            transfer: StockTransfer = self.get_object()
            values = self.values()
            arrivals = _arrivals(transfer, values.pop("lines"))
            return self._answer(
                receive_transfer(key=key, transfer=transfer, arrivals=arrivals, actor=request.user, **values)
            )

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"], url_path="return")
    def bring_back(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Bring what is still on the road back; the transfer is cancelled then."""

        def work(key: UUID) -> Reply:
            transfer: StockTransfer = self.get_object()
            return self._answer(return_transfer(key=key, transfer=transfer, actor=request.user, **self.values()))

        return self.answer_once(request, work)

    def _answer(self, result: TransferResult) -> Reply:
        return self.reply(transfers_with_lines().get(pk=result.transfer.pk), replayed=result.replayed)


def _arrivals(transfer: StockTransfer, wanted: list[dict[str, Any]]) -> list[Arrival]:
    lines = {line.pk: line for line in transfer.lines.all()}
    refuse(
        [
            (("lines", n, "line_id"), f"{transfer.number} has no line with id {one['line_id']}.")
            for n, one in enumerate(wanted)
            if one["line_id"] not in lines
        ]
    )
    merged: dict[tuple[int, str], Arrival] = {}
    for one in wanted:
        line = lines[one["line_id"]]
        status = one["status"] or ""
        before = merged.get((line.pk, status), Arrival(line))
        received, lost = in_stock_units([(line.item, one["received"], ""), (line.item, one["lost"], "")])
        merged[line.pk, status] = Arrival(line, before.received + received, before.lost + lost, status)
    return list(merged.values())
