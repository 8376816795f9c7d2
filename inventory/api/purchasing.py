"""Purchase orders from draft to receipt."""

from collections.abc import Mapping
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
    TextOut,
    Whole,
    item_reference,
    lines_of,
    location_reference,
    optional_text,
)
from inventory.api.filters import DayFilter, Filters, IdFilter, Rows, TextFilter, WordFilter
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_locations, in_stock_units, refuse
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.api.serializers import UNIT_HELP, PostingSerializer, Timed
from inventory.api.stock import posting_reply
from inventory.api.suppliers import find_supplier, supplier_reference, the_supplier
from inventory.models import (
    LandedBasis,
    LandedCostKind,
    PurchaseOrder,
    PurchaseOrderLine,
    PurchaseOrderState,
    StockStatus,
)
from inventory.operations.purchasing import (
    OrderLineSpec,
    cancel_order,
    change_order,
    close_order,
    close_order_line,
    draft_order,
    place_order,
    reopen_order,
)
from inventory.operations.receiving_orders import Arrival, Charge, receive_order

LANDED_KINDS = [choice for choice in LandedCostKind.choices if choice[0] != LandedCostKind.PRICE]
LANDED_BASES = [choice for choice in LandedBasis.choices if choice[0] != LandedBasis.GIVEN]


class PurchaseOrderLineSerializer(serializers.Serializer[Any]):
    """A quantity of one item on an order, in the item's stock unit, beside what was typed."""

    id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    unit = TextOut(source="item.stock_unit")
    quantity = DecimalOut()
    typed_quantity = DecimalOut()
    typed_unit = TextOut(source="unit")
    value = DecimalOut(allow_null=True, help_text="Price of all of it; null while it is not known.")
    expected_on = DayOut(allow_null=True, help_text="Null: with the order.")
    received = DecimalOut()
    outstanding = DecimalOut()
    is_closed = FlagOut()


class PurchaseOrderSummarySerializer(serializers.Serializer[Any]):
    """An order to a supplier, without its lines."""

    id = IdOut()
    number = TextOut()
    supplier = TextOut(source="supplier.code")
    supplier_id = IdOut()
    state = ChoiceOut(PurchaseOrderState.choices)
    location = TextOut(source="location.code")
    location_id = IdOut()
    ordered_on = DayOut(allow_null=True)
    expected_on = DayOut(allow_null=True)
    reference = TextOut()
    note = TextOut()
    created_at = MomentOut()
    closed_at = MomentOut(allow_null=True)


class PurchaseOrderSerializer(PurchaseOrderSummarySerializer):
    """An order to a supplier."""

    lines = PurchaseOrderLineSerializer(many=True, read_only=True)


class OrderLineSerializer(Body):
    """A line as it shall be."""

    item = item_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    value = Money(required=False, allow_null=True, default=None, help_text="Price of all of it; unknown when left out.")
    expected_on = Day(required=False, allow_null=True, default=None)


class ChangedLineSerializer(OrderLineSerializer):
    """A line as it shall be; with its id the one it replaces."""

    id = Whole(minimum=1, required=False, allow_null=True, default=None)


class PurchaseOrderInputSerializer(Body):
    """An order, written as a draft."""

    supplier = supplier_reference()
    location = location_reference(help_text="Where it will arrive.")
    lines = lines_of(OrderLineSerializer)
    expected_on = Day(required=False, allow_null=True, default=None)
    reference = optional_text(100, help_text="The supplier's number of it.")
    note = optional_text(2_000)


class PurchaseOrderChangeSerializer(PurchaseOrderInputSerializer):
    """An order as it shall be. Lines that are not named go."""

    lines = lines_of(ChangedLineSerializer)


class PlaceSerializer(Body):
    ordered_on = Day(required=False, allow_null=True, default=None, help_text="Today when left out.")


class OrderReasonSerializer(Body):
    reason = optional_text(100)


class CloseLineSerializer(Body):
    line_id = Whole(minimum=1)


class PurchaseArrivalSerializer(Body):
    """A quantity of one order line that came in. Name a line several times for several lots or places."""

    line_id = Whole(minimum=1)
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    location = location_reference(required=False, allow_null=True, default=None, help_text="Left out: as ordered.")
    lot = optional_text(64, help_text="Code of the lot, made when it is new. Required for tracked items.")
    expires_on = Day(required=False, allow_null=True, default=None)
    supplier_lot = optional_text(64)
    status = Choice(
        StockStatus.choices, required=False, default="", help_text="Left out: QC hold if the item needs inspection."
    )


class ChargeSerializer(Body):
    """A cost of bringing the goods here that is known when they come in."""

    amount = DecimalIn(digits=14, signed=True)
    kind = Choice(LANDED_KINDS, required=False, default=LandedCostKind.FREIGHT.value)
    basis = Choice(LANDED_BASES, required=False, default=LandedBasis.VALUE.value)
    supplier = supplier_reference(required=False, allow_null=True, default=None)
    reference = optional_text(100)


class OrderReceiptSerializer(Timed):
    """Goods of the order come in, all lines or none."""

    lines = lines_of(PurchaseArrivalSerializer, allow_empty=False)
    charges = lines_of(ChargeSerializer, required=False, default=list)
    reason = optional_text(100, help_text="Needed for more than was ordered.")


class PurchaseOrderFilter(Filters):
    number = TextFilter(field_name="number")
    supplier = TextFilter(field_name="supplier__code")
    supplier_id = IdFilter(field_name="supplier_id")
    state = WordFilter(PurchaseOrderState)
    item = TextFilter(method="with_item", help_text="SKU of an item on it.")
    expected_before = DayFilter(field_name="expected_on", lookup_expr="lt")
    reference = TextFilter(field_name="reference")

    class Meta:
        model = PurchaseOrder
        fields: list[str] = []

    def with_item(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(pk__in=PurchaseOrderLine.objects.filter(item__sku__iexact=value).values("order_id"))


WITHOUT_LINES = PurchaseOrder.objects.select_related("supplier", "location")
WITH_LINES = WITHOUT_LINES.prefetch_related(
    Prefetch("lines", PurchaseOrderLine.objects.select_related("item").order_by("id"))
)


class PurchaseOrderResource(ListOne, Resource):
    """Orders to suppliers."""

    queryset = WITHOUT_LINES
    filterset_class = PurchaseOrderFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("inventory.view_purchaseorder", PurchaseOrderSummarySerializer),
        "retrieve": Endpoint("inventory.view_purchaseorder", PurchaseOrderSerializer),
        "create": Endpoint(
            "inventory.add_purchaseorder",
            PurchaseOrderSerializer,
            PurchaseOrderInputSerializer,
            status=201,
            is_keyed=True,
        ),
        "update": Endpoint("inventory.change_purchaseorder", PurchaseOrderSerializer, PurchaseOrderChangeSerializer),
        "place": Endpoint("inventory.place_purchaseorder", PurchaseOrderSerializer, PlaceSerializer),
        "receive": Endpoint(
            "inventory.receive_purchaseorder", PostingSerializer, OrderReceiptSerializer, status=201, is_keyed=True
        ),
        "close": Endpoint("inventory.place_purchaseorder", PurchaseOrderSerializer, OrderReasonSerializer),
        "close_line": Endpoint("inventory.place_purchaseorder", PurchaseOrderSerializer, CloseLineSerializer),
        "cancel": Endpoint("inventory.place_purchaseorder", PurchaseOrderSerializer, OrderReasonSerializer),
        "reopen": Endpoint("inventory.place_purchaseorder", PurchaseOrderSerializer, Nothing),
    }

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """One of them by its id, with its lines."""
        return self._with_lines(self.get_object())

    def create(self, request: Request) -> HttpResponse:
        """Write an order as a draft."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            order = draft_order(actor=request.user, **_written(self.values()))
            return self.reply(WITH_LINES.get(pk=order.pk))

        return self.answer_once(request, work)

    def update(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Bring an order to the given lines. Lines of which something came in stay as they are."""
        order: PurchaseOrder = self.get_object()
        return self._with_lines(change_order(order=order, actor=request.user, **_written(self.values())))

    @action(detail=True, methods=["post"])
    def place(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """The draft was sent to the supplier; its lines are expected from now on."""
        order: PurchaseOrder = self.get_object()
        return self._with_lines(place_order(order=order, actor=request.user, **self.values()))

    @action(detail=True, methods=["post"])
    def receive(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Take goods of the order into stock, with what bringing them here cost."""

        def work(key: UUID) -> Reply:
            order: PurchaseOrder = self.get_object()
            values = self.values()
            arrivals = _arrivals(order, values.pop("lines"))
            charges = [_charge(number, charge) for number, charge in enumerate(values.pop("charges"))]
            result = receive_order(
                key=key, order=order, arrivals=arrivals, charges=charges, actor=request.user, **values
            )
            return posting_reply(self, result.posting, replayed=result.replayed)

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def close(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Close an order short: what is outstanding no longer comes."""
        order: PurchaseOrder = self.get_object()
        return self._with_lines(close_order(order=order, actor=request.user, **self.values()))

    @action(detail=True, methods=["post"], url_path="close-line")
    def close_line(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """The rest of one line no longer comes."""
        order: PurchaseOrder = self.get_object()
        return self._with_lines(close_order_line(order=order, line=self.values()["line_id"], actor=request.user))

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Cancel an order of which nothing came in."""
        order: PurchaseOrder = self.get_object()
        return self._with_lines(cancel_order(order=order, actor=request.user, **self.values()))

    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Open a closed or cancelled order again."""
        order: PurchaseOrder = self.get_object()
        self.values()
        return self._with_lines(reopen_order(order=order, actor=request.user))

    def _with_lines(self, order: PurchaseOrder) -> Response:
        return self.answer(WITH_LINES.get(pk=order.pk))


def _written(values: dict[str, Any]) -> dict[str, Any]:
    """A body as draft_order and change_order take it."""
    lines = values.pop("lines")
    items = find_items([(("lines", n, "item"), line["item"]) for n, line in enumerate(lines)])
    (location,) = find_locations([(("location",), values.pop("location"))])
    specs = [
        OrderLineSpec(
            item=item,
            quantity=line["quantity"],
            unit=line["unit"],
            value=line["value"],
            expected_on=line["expected_on"],
            line=line.get("id"),
        )
        for item, line in zip(items, lines, strict=True)
    ]
    return {**values, "supplier": the_supplier(values.pop("supplier")), "location": location, "lines": specs}


def _arrivals(order: PurchaseOrder, lines: list[dict[str, Any]]) -> list[Arrival]:
    rows: Mapping[int, PurchaseOrderLine] = {
        row.pk: row for row in PurchaseOrderLine.objects.filter(order=order).select_related("item")
    }
    refuse(
        [
            (("lines", n, "line_id"), f"{order.number} has no line with id {line['line_id']}.")
            for n, line in enumerate(lines)
            if line["line_id"] not in rows
        ]
    )
    named = [(n, line["location"]) for n, line in enumerate(lines) if line["location"] is not None]
    found = find_locations([(("lines", n, "location"), name) for n, name in named])
    places = {n: place for (n, _), place in zip(named, found, strict=True)}
    quantities = in_stock_units([(rows[line["line_id"]].item, line["quantity"], line["unit"]) for line in lines])
    return [
        Arrival(
            line=rows[line["line_id"]],
            quantity=quantity,
            location=places.get(n),
            lot_code=line["lot"],
            expires_on=line["expires_on"],
            supplier_lot=line["supplier_lot"],
            status=line["status"],
        )
        for n, (line, quantity) in enumerate(zip(lines, quantities, strict=True))
    ]


def _charge(number: int, values: dict[str, Any]) -> Charge:
    return Charge(
        amount=values["amount"],
        kind=LandedCostKind(values["kind"]),
        basis=LandedBasis(values["basis"]),
        supplier=find_supplier(values["supplier"], where=("charges", number, "supplier")),
        reference=values["reference"],
    )
