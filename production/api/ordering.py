"""What is done with work orders beyond opening and closing them, and what they are short of."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import (
    Body,
    ChoiceOut,
    Day,
    DayOut,
    DecimalOut,
    Flag,
    FlagOut,
    IdOut,
    Moment,
    Nothing,
    Quantity,
    Text,
    TextOut,
    Whole,
    item_reference,
    lines_of,
    location_reference,
    optional_text,
)
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_locations, in_stock_units
from inventory.api.resources import Endpoint, Resource
from inventory.api.serializers import UNIT_HELP, LotQuantitySerializer, PostingSerializer
from inventory.api.stock import picked_lots, posting_reply
from production.api.serializers import CloseSerializer, WorkOrderSummarySerializer
from production.models import WorkOrder
from production.operations.issuing_components import IssueLine, issue_components, return_components
from production.operations.releasing import release_work_order, reserve_components
from production.operations.reshaping import (
    PARTS_MAX,
    apply_newest_bom,
    bom_change,
    merge_work_orders,
    split_into_parts,
    split_work_order,
)
from production.operations.sub_orders import make_sub_orders
from production.operations.work_orders import cancel_work_order, reschedule_work_order
from production.reads.order_needs import needs_of_order
from production.reads.pick_list import pick_list
from production.reads.shortages import HOLD, ORDER, PURCHASE, SUBSTITUTE, shortages, shortages_of

RANK_LIMIT = 1_000_000
CLEARING_KINDS = [
    (PURCHASE, "Purchase order"),
    (ORDER, "Work order"),
    (HOLD, "Stock on hold"),
    (SUBSTITUTE, "Substitute"),
]


# --- Shapes -----------------------------------------------------------------------------------------------------------


class OrderReleaseSerializer(Body):
    keeps_bom = Flag(required=False, default=False, help_text="Go by the version it was planned by.")
    reserves = Flag(required=False, default=True, help_text="Reserve its components as far as they are free.")
    needs_everything = Flag(required=False, default=False, help_text="Refuse when a component is short.")


class MissingComponentSerializer(serializers.Serializer[Any]):
    """A component of which less was free than is needed."""

    component = TextOut(source="component.sku")
    component_id = IdOut(source="component.pk")
    unit = TextOut(source="component.stock_unit")
    quantity = DecimalOut()


class ReleasedOrderSerializer(serializers.Serializer[Any]):
    """A released order and what is short of it."""

    work_order = WorkOrderSummarySerializer(source="order", read_only=True)
    has_new_bom = FlagOut(
        help_text="Whether it consumes by something else than it was planned by: another version, or one of a phantom below."
    )
    missing = MissingComponentSerializer(many=True, read_only=True)


class OrderDatesSerializer(Body):
    """What is left out is taken away; the rank stays as it is."""

    start_on = Day(required=False, allow_null=True, default=None)
    due_on = Day(required=False, allow_null=True, default=None)
    rank = Whole(
        minimum=-RANK_LIMIT, required=False, allow_null=True, default=None, help_text="Lower is made first; 0 is usual."
    )


class OrderSplitSerializer(Body):
    quantity = Quantity(help_text="Of the new order.")
    unit = optional_text(32, help_text=UNIT_HELP)
    due_on = Day(required=False, allow_null=True, default=None)


class OrderPartsSerializer(Body):
    parts = Whole(minimum=2, help_text=f"How many orders, at most {PARTS_MAX}; the order itself is the first.")


class SplitOrdersSerializer(serializers.Serializer[Any]):
    """The orders a rest was parted into, the order itself first."""

    orders = WorkOrderSummarySerializer(many=True, read_only=True)


class OrderMergeSerializer(Body):
    orders = serializers.ListField(child=Text(length_max=24), min_length=1, max_length=100, help_text="Their numbers.")


class NewestBomSerializer(Body):
    bom_id = Whole(minimum=1, help_text="The version whose changes were looked at.")


class OrderLineChangeSerializer(serializers.Serializer[Any]):
    """One component before and after, for the whole plan."""

    component = TextOut(source="sku")
    unit = TextOut()
    before = DecimalOut(allow_null=True, help_text="Null: not used before.")
    after = DecimalOut(allow_null=True, help_text="Null: no longer used.")
    also = serializers.ListField(source="words", child=TextOut(), read_only=True)


class BomChangeSerializer(serializers.Serializer[Any]):
    """What the version in force would change of an order."""

    bom_id = IdOut()
    version = IdOut()
    is_newer = FlagOut()
    lines = OrderLineChangeSerializer(many=True, read_only=True)


class ComponentQuantitySerializer(Body):
    component = item_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    lots = lines_of(LotQuantitySerializer, required=False, default=list)


class ComponentIssueSerializer(Body):
    """Components to carry to the floor."""

    lines = lines_of(ComponentQuantitySerializer, allow_empty=False)
    floor_location = location_reference(
        required=False, allow_null=True, default=None, help_text="Needed once; the order remembers it."
    )
    effective_at = Moment(required=False, allow_null=True, default=None)
    note = optional_text(500)


class ComponentReturnSerializer(Body):
    """Components to bring back from the floor."""

    lines = lines_of(ComponentQuantitySerializer, allow_empty=False)
    location = location_reference(help_text="Where they go back to.")
    effective_at = Moment(required=False, allow_null=True, default=None)
    note = optional_text(500)


class ComponentNeedSerializer(serializers.Serializer[Any]):
    """One component of an order; quantities in its stock unit."""

    component = TextOut(source="component.sku")
    component_id = IdOut(source="component.pk")
    unit = TextOut(source="component.stock_unit")
    need = DecimalOut(help_text="For the whole plan.")
    open = DecimalOut(help_text="Still to be consumed.")
    reserved = DecimalOut()
    issued = DecimalOut(help_text="On the floor for this order.")


class PickRowSerializer(serializers.Serializer[Any]):
    """Take so much of one lot at one place."""

    location = TextOut(source="place.code")
    component = TextOut(source="component.sku")
    lot = TextOut(source="lot_code")
    lot_id = IdOut()
    expires_on = DayOut(allow_null=True)
    quantity = DecimalOut()
    unit = TextOut(source="component.stock_unit")
    is_reserved = FlagOut()


class PickShortSerializer(serializers.Serializer[Any]):
    """A component that is not there."""

    component = TextOut(source="need.component.sku")
    quantity = DecimalOut()
    unit = TextOut(source="need.component.stock_unit")


class PickListSerializer(serializers.Serializer[Any]):
    """What to fetch for the rest of an order, place by place."""

    rows = PickRowSerializer(many=True, read_only=True)
    short = PickShortSerializer(many=True, read_only=True)


class ClearingSerializer(serializers.Serializer[Any]):
    """What would clear a shortage. Purchases and work orders count; stock on hold and substitutes are possibilities."""

    kind = ChoiceOut(CLEARING_KINDS)
    reference = TextOut(help_text="Number of the order, status, or SKU of the substitute.")
    quantity = DecimalOut()
    expected_on = DayOut(allow_null=True)


class ShortLineSerializer(serializers.Serializer[Any]):
    """One component an order is short of when more urgent orders are served first; quantities in its stock unit."""

    component = TextOut(source="component.sku")
    component_id = IdOut(source="component.pk")
    unit = TextOut(source="component.stock_unit")
    open = DecimalOut(help_text="Still to be consumed.")
    held = DecimalOut(help_text="Reserved or issued.")
    free = DecimalOut(help_text="What free stock gives it.")
    short = DecimalOut()
    covered = DecimalOut(help_text="Of `short`, what is on its way.")
    clears_on = DayOut(allow_null=True)
    clearings = ClearingSerializer(many=True, read_only=True)


class ShortOrderSerializer(serializers.Serializer[Any]):
    """An unfinished order and what it is short of."""

    work_order = TextOut(source="order.number")
    work_order_id = IdOut(source="order.pk")
    item = TextOut(source="order.item.sku")
    due_on = DayOut(source="order.due_on", allow_null=True)
    rank = IdOut(source="order.rank")
    clears_on = DayOut(allow_null=True)
    lines = ShortLineSerializer(many=True, read_only=True)


# --- Work orders ------------------------------------------------------------------------------------------------------

RELEASE = "production.release_workorder"
VIEW = "production.view_workorder"

ORDER_ENDPOINTS: dict[str, Endpoint] = {
    "release": Endpoint(RELEASE, ReleasedOrderSerializer, OrderReleaseSerializer),
    "reserve": Endpoint(RELEASE, MissingComponentSerializer, Nothing, is_array=True),
    "cancel": Endpoint("production.close_workorder", WorkOrderSummarySerializer, CloseSerializer),
    "dates": Endpoint("production.change_workorder", WorkOrderSummarySerializer, OrderDatesSerializer),
    "split": Endpoint(RELEASE, WorkOrderSummarySerializer, OrderSplitSerializer, status=201, is_keyed=True),
    "split_evenly": Endpoint(RELEASE, SplitOrdersSerializer, OrderPartsSerializer, status=201, is_keyed=True),
    "merge": Endpoint(RELEASE, WorkOrderSummarySerializer, OrderMergeSerializer),
    "bom_change": Endpoint(VIEW, BomChangeSerializer, refuses=("400",)),  # without a BOM in force
    "newest_bom": Endpoint(RELEASE, WorkOrderSummarySerializer, NewestBomSerializer),
    "issue": Endpoint(
        "inventory.transfer_stock", PostingSerializer, ComponentIssueSerializer, status=201, is_keyed=True
    ),
    "return_components": Endpoint(
        "inventory.transfer_stock", PostingSerializer, ComponentReturnSerializer, status=201, is_keyed=True
    ),
    "components": Endpoint(VIEW, ComponentNeedSerializer, is_array=True),
    "pick_list": Endpoint(VIEW, PickListSerializer),
    "shortages": Endpoint(VIEW, ShortLineSerializer, is_array=True),
    "all_shortages": Endpoint(VIEW, ShortOrderSerializer, is_array=True),
    "sub_orders": Endpoint("production.add_workorder", WorkOrderSummarySerializer, Nothing, is_array=True),
}


class OrderActions(Resource):
    """What can be done with one order; a part of the resource of work orders."""

    def _listed(self, found: Any) -> Response:
        return Response(self.get_serializer_class()(found, many=True).data, status=self.endpoint.status)

    @action(detail=True, methods=["post"])
    def release(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Release a planned order: its BOM is frozen, its components are reserved, and it can be completed."""
        return self.answer(release_work_order(work_order=self.get_object(), actor=request.user, **self.values()))

    @action(detail=True, methods=["post"])
    def reserve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Reserve what an open order still needs; the answer lists what is short."""
        order: WorkOrder = self.get_object()
        self.values()
        return self._listed(reserve_components(work_order=order, actor=request.user))

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Cancel an order of which nothing was made."""
        return self.answer(cancel_work_order(work_order=self.get_object(), actor=request.user, **self.values()))

    @action(detail=True, methods=["post"])
    def dates(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Give an order other dates and another rank."""
        return self.answer(reschedule_work_order(work_order=self.get_object(), actor=request.user, **self.values()))

    @action(detail=True, methods=["post"])
    def split(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Make a part of the rest an order of its own, with the same frozen BOM."""
        order: WorkOrder = self.get_object()

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            values = self.values()
            (quantity,) = in_stock_units([(order.item, values["quantity"], values["unit"])])
            new = split_work_order(work_order=order, quantity=quantity, due_on=values["due_on"], actor=request.user)
            return self.reply(new)

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"], url_path="split-evenly")
    def split_evenly(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Part the rest evenly into several orders: each rounded down to the step, the last takes what is left."""
        order: WorkOrder = self.get_object()

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            found = split_into_parts(work_order=order, parts=self.values()["parts"], actor=request.user)
            return self.reply({"orders": found})

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def merge(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Put other orders for the same item into this one."""
        order: WorkOrder = self.get_object()
        numbers = self.values()["orders"]
        found = {other.number.upper(): other for other in WorkOrder.objects.filter(number__in=numbers)}
        unknown = [number for number in numbers if number.upper() not in found]
        if unknown:
            raise ValidationError({"orders": [f"There is no work order {unknown[0]}. Check its number."]})
        return self.answer(merge_work_orders(target=order, others=list(found.values()), actor=request.user))

    @action(detail=True, methods=["get"], url_path="bom-change")
    def bom_change(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What the BOM in force would change of the order."""
        return self.answer(bom_change(self.get_object()))

    @action(detail=True, methods=["post"], url_path="newest-bom")
    def newest_bom(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Freeze the BOM in force into an order of which nothing was made."""
        return self.answer(apply_newest_bom(work_order=self.get_object(), actor=request.user, **self.values()))

    @action(detail=True, methods=["post"])
    def issue(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Carry components to the floor of the order before it is completed; a completion does not take them again."""
        order: WorkOrder = self.get_object()

        def work(key: UUID) -> Reply:
            values = self.values()
            floor = values.pop("floor_location")
            places = find_locations([(("floor_location",), floor)]) if floor is not None else [None]
            lines = _issue_lines(values.pop("lines"))
            result = issue_components(
                key=key, work_order=order, lines=lines, floor=places[0], actor=request.user, **values
            )
            return posting_reply(self, result.posting, replayed=result.replayed)

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"], url_path="return-components")
    def return_components(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Bring components that were issued to the order back to stock."""
        order: WorkOrder = self.get_object()

        def work(key: UUID) -> Reply:
            values = self.values()
            (target,) = find_locations([(("location",), values.pop("location"))])
            lines = _issue_lines(values.pop("lines"))
            result = return_components(
                key=key, work_order=order, lines=lines, target=target, actor=request.user, **values
            )
            return posting_reply(self, result.posting, replayed=result.replayed)

        return self.answer_once(request, work)

    @action(detail=True, methods=["get"])
    def components(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What each component needs, and what is reserved and issued of it."""
        return self._listed(needs_of_order(self.get_object()))

    @action(detail=True, methods=["get"], url_path="pick-list")
    def pick_list(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What to fetch for the rest of the order, place by place, earliest expiry first."""
        return self.answer(pick_list(self.get_object()))

    @action(detail=True, methods=["get"])
    def shortages(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What the order is short of, and what would clear it."""
        return self._listed(shortages_of(self.get_object()))

    @action(detail=False, methods=["get"], url_path="shortages", url_name="all-shortages")
    def all_shortages(self, request: Request) -> Response:  # noqa: ARG002
        """What every unfinished order is short of, the most urgent first; at most 1,000 orders are looked at."""
        return self._listed(shortages())

    @action(detail=True, methods=["post"], url_path="sub-orders")
    def sub_orders(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Plan work orders for the sub-assemblies the order is short of; a second call plans nothing more."""
        order: WorkOrder = self.get_object()
        self.values()
        return self._listed(make_sub_orders(work_order=order, actor=request.user))


def _issue_lines(lines: list[dict[str, Any]]) -> list[IssueLine]:
    items = find_items([(("lines", n, "component"), line["component"]) for n, line in enumerate(lines)])
    quantities = in_stock_units(
        [(item, line["quantity"], line["unit"]) for item, line in zip(items, lines, strict=True)]
    )
    return [
        IssueLine(item, quantity, picked_lots(item, line["lots"], line["unit"], at=("lines", n)))
        for n, (item, quantity, line) in enumerate(zip(items, quantities, lines, strict=True))
    ]
