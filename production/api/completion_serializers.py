"""Shapes of what the REST API takes and answers about completions."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from inventory.api.fields import (
    Anything,
    Body,
    Choice,
    ChoiceOut,
    Day,
    DayOut,
    DecimalIn,
    DecimalOut,
    FlagOut,
    IdOut,
    Moment,
    MomentOut,
    Quantity,
    Reference,
    Text,
    TextOut,
    Whole,
    item_reference,
    lines_of,
    location_reference,
    optional_text,
)
from inventory.api.fields import Flag as FlagIn
from inventory.api.serializers import UNIT_HELP, LotQuantitySerializer, MovementSerializer
from inventory.models import StockStatus
from inventory.quantities import ZERO
from production.api.serializers import ROUNDED
from production.models import OperationKind, VarianceCause


class ActualSerializer(Body):
    """What was really used of a component, when it differs from the standard or comes from certain lots."""

    component = item_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    reason = optional_text(100)
    lots = lines_of(LotQuantitySerializer, required=False, default=list)
    replaces = item_reference(
        required=False,
        allow_null=True,
        default=None,
        help_text="The component of the BOM that this item was used instead of; it must be approved for it.",
    )
    scrapped = Quantity(required=False, default=ZERO, help_text="Of `quantity`, what was spoiled; in `unit`.")
    cause = Choice(VarianceCause.choices, required=False, allow_null=True, default=None)


class OutputLotSerializer(Body):
    """One lot, or one serial number, of the good units; `quantity` in the unit of the completion."""

    lot = Text(length_max=64)
    quantity = Quantity()
    expires_on = Day(required=False, allow_null=True, default=None)


class ByProductSerializer(Body):
    """What really came out beside the item itself; what is not named comes out as the BOM expects."""

    item = item_reference()
    quantity = Quantity(help_text="Zero when nothing came out.")
    unit = optional_text(32, help_text=UNIT_HELP)
    location = location_reference(required=False, allow_null=True, default=None)
    lot = optional_text(64, help_text="Made up from day and number when left out.")


def work_order_reference(**kwargs: Any) -> Reference:
    return Reference(what="work order number", length_max=24, **kwargs)


class CompletionInputSerializer(Body):
    """What was made: of an item, or for a work order. Components leave by the BOM, the good units come in."""

    item = item_reference(required=False, allow_null=True, default=None)
    work_order = work_order_reference(required=False, allow_null=True, default=None)
    good = Quantity()
    scrapped = Quantity(required=False, default=ZERO)
    unit = optional_text(32, help_text="Unit of `good` and `scrapped`; empty means the item's stock unit.")
    scrap_reason = optional_text(100)
    scrap_location = location_reference(
        required=False, allow_null=True, default=None, help_text="Where the scrapped units were put; they are no stock."
    )
    source_location = location_reference(
        required=False,
        allow_null=True,
        default=None,
        help_text="Components come from here and below; left out: from the work order's source, or any own place.",
    )
    output_location = location_reference(
        required=False, allow_null=True, default=None, help_text="Needed without a work order."
    )
    output_lot = optional_text(64, help_text="Lot of the output; made up from day and number when left out.")
    expires_on = Day(required=False, allow_null=True, default=None)
    labour_minutes = DecimalIn(
        digits=7,
        places=2,
        required=False,
        allow_null=True,
        default=None,
        help_text="All together; left out: as planned.",
    )
    machine_minutes = DecimalIn(
        digits=7,
        places=2,
        required=False,
        allow_null=True,
        default=None,
        help_text="All together; left out: as planned.",
    )
    output_lots = lines_of(
        OutputLotSerializer, required=False, default=list, help_text="Several lots; together they are the good units."
    )
    serials = serializers.ListField(
        child=Text(length_max=64),
        max_length=1_000,
        required=False,
        default=list,
        help_text="Instead of `output_lots`: the serial numbers of the good units, one each.",
    )
    actuals = lines_of(ActualSerializer, required=False, default=list)
    by_products = lines_of(ByProductSerializer, required=False, default=list)
    build_missing = FlagIn(
        required=False, default=False, help_text="Make every made component that is missing in the same transaction."
    )
    may_go_below = FlagIn(
        required=False,
        default=False,
        help_text="Take components that allow it below zero; needs the permission and a `reason`, and opens an exception.",
    )
    is_confirmed = FlagIn(
        required=False,
        default=True,
        help_text="Send false to be refused with UNUSUAL_QUANTITY when it is far above what is usual.",
    )
    bom_id = Whole(minimum=1, required=False, allow_null=True, default=None, help_text="Another version than today's.")
    reason = optional_text(100, help_text="Why it differs from the standard or goes above the plan.")
    reference = optional_text(100)
    note = optional_text(500)
    effective_at = Moment(
        required=False, allow_null=True, default=None, help_text="When it happened; now when left out."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["serials"] and attrs["output_lots"]:
            raise ValidationError({"serials": ["Give either lots or serial numbers, not both."]})
        return attrs


class PickSerializer(serializers.Serializer[Any]):
    """What was taken of a component from one cell."""

    location = TextOut()
    location_id = IdOut()
    lot = TextOut()
    lot_id = IdOut()
    quantity = DecimalOut()


class CompletionLineSerializer(serializers.Serializer[Any]):
    """One component: standard by the BOM and actual, in its stock unit."""

    component = TextOut()
    component_id = IdOut()
    unit = TextOut()
    expected = DecimalOut()
    actual = DecimalOut()
    reason = TextOut()
    value = DecimalOut(allow_null=True, help_text="Cost of the actual quantity; null when it is not known.")
    is_consumable = FlagOut()
    scrapped = DecimalOut(help_text="Of the actual quantity, what was spoiled.")
    cause = ChoiceOut(VarianceCause.choices, allow_null=True)
    replaces = TextOut(allow_null=True, help_text="SKU of the component that it was used instead of.")
    picks = PickSerializer(many=True, read_only=True)


class CompletionOutputSerializer(serializers.Serializer[Any]):
    """One quantity that went into stock: a lot of the item itself, or a by-product."""

    item = TextOut()
    item_id = IdOut()
    unit = TextOut()
    is_main = FlagOut(help_text="Whether it is of the item the completion is about.")
    location = TextOut()
    lot = TextOut()
    status = ChoiceOut(StockStatus.choices)
    quantity = DecimalOut()
    expected = DecimalOut(help_text="By the BOM, for by-products; 0 for the item itself.")
    value = DecimalOut(allow_null=True)


class CompletionSummarySerializer(serializers.Serializer[Any]):
    """One recorded production, without its lines."""

    id = IdOut(help_text="Also the id of its posting.")
    item = TextOut()
    item_id = IdOut()
    unit = TextOut()
    bom_id = IdOut()
    bom_version = IdOut()
    work_order = TextOut(allow_null=True)
    good = DecimalOut()
    scrapped = DecimalOut()
    scrap_reason = TextOut()
    scrap_location = TextOut(allow_null=True, help_text="Where the scrapped units were put, if it was noted.")
    source_location = TextOut(allow_null=True)
    output_location = TextOut()
    output_lot = TextOut(allow_null=True, help_text="Null when nothing good was made.")
    output_status = ChoiceOut(StockStatus.choices)
    consumed_value = DecimalOut(allow_null=True)
    output_value = DecimalOut(allow_null=True)
    operation_value = DecimalOut(help_text="Labour, machines and overhead that went into the output.")
    by_product_value = DecimalOut(allow_null=True, help_text="What by-products carry of the cost.")
    unit_cost = DecimalOut(allow_null=True, help_text=f"Of one good unit. {ROUNDED}")
    made_for = IdOut(allow_null=True, help_text="The completion that made this one because a component was missing.")
    reversed_good = DecimalOut()
    reversed_scrap = DecimalOut()
    is_reversed = FlagOut(help_text="Whether nothing of it is left.")
    reference = TextOut()
    reason = TextOut()
    note = TextOut()
    actor = TextOut(allow_null=True)
    effective_at = MomentOut()
    recorded_at = MomentOut()


class CompletionWorkSerializer(serializers.Serializer[Any]):
    """How long work of one kind took, where somebody said it."""

    kind = ChoiceOut(OperationKind.choices)
    planned_minutes = DecimalOut()
    minutes = DecimalOut()
    planned_value = DecimalOut()
    value = DecimalOut()


class CompletionSerializer(CompletionSummarySerializer):
    """One recorded production with what it consumed."""

    lines = CompletionLineSerializer(many=True, read_only=True)
    outputs = CompletionOutputSerializer(many=True, read_only=True)
    work = CompletionWorkSerializer(many=True, read_only=True)
    nested = serializers.ListField(
        child=serializers.IntegerField(), read_only=True, help_text="Completions of what was missing, made first."
    )


class CompletionDetailSerializer(CompletionSerializer):
    """One recorded production with what it consumed, its movements, and the postings that took it back."""

    movements = MovementSerializer(many=True, read_only=True)
    reversals = serializers.ListField(child=serializers.IntegerField(), read_only=True)


class ProblemSerializer(serializers.Serializer[Any]):
    """Why posting the same request would be refused."""

    code = TextOut()
    detail = TextOut()
    context = Anything(read_only=True)  # type: ignore[assignment]


class PreviewLineSerializer(CompletionLineSerializer):
    """One component as it would be used, with the stock it would come from."""

    on_hand = DecimalOut(help_text="At the source, before.")
    on_hand_after = DecimalOut()
    free = DecimalOut()
    short = DecimalOut(help_text="What is missing.")


class OperationCostSerializer(serializers.Serializer[Any]):
    kind = ChoiceOut(OperationKind.choices)
    amount = DecimalOut()


class NestedPreviewSerializer(serializers.Serializer[Any]):
    """One completion that is posted before this one because a component is missing; rows stand in reading order."""

    level = IdOut(help_text="1 when it is needed for this completion itself.")
    item = TextOut()
    item_id = IdOut()
    unit = TextOut()
    bom_id = IdOut()
    good = DecimalOut()
    output_location = TextOut()
    consumed_value = DecimalOut(allow_null=True)
    unit_cost = DecimalOut(allow_null=True)
    lines = CompletionLineSerializer(many=True, read_only=True)


class CompletionPreviewSerializer(serializers.Serializer[Any]):
    """What posting the same request would do now."""

    item = TextOut()
    item_id = IdOut()
    unit = TextOut()
    bom_id = IdOut()
    bom_version = IdOut()
    work_order = TextOut(allow_null=True)
    good = DecimalOut()
    scrapped = DecimalOut()
    scrap_location = TextOut(allow_null=True)
    source_location = TextOut(allow_null=True)
    output_location = TextOut()
    output_lot = TextOut(help_text="“new” stands for the number of the posting to come.")
    output_expires_on = DayOut(allow_null=True)
    output_status = ChoiceOut(StockStatus.choices)
    output_on_hand = DecimalOut(help_text="Of the output at its place, before.")
    consumed_value = DecimalOut(allow_null=True)
    output_value = DecimalOut(allow_null=True)
    operation_value = DecimalOut()
    operation_costs = OperationCostSerializer(many=True, read_only=True)
    work = CompletionWorkSerializer(many=True, read_only=True, help_text="Of the kinds that take time, as charged.")
    by_product_value = DecimalOut(allow_null=True)
    unit_cost = DecimalOut(allow_null=True)
    is_postable = FlagOut()
    problems = ProblemSerializer(many=True, read_only=True)
    completable = DecimalOut(
        allow_null=True, help_text="The largest good quantity that would do; null when nothing is short."
    )
    lines = PreviewLineSerializer(many=True, read_only=True)
    outputs = CompletionOutputSerializer(many=True, read_only=True)
    nested = NestedPreviewSerializer(many=True, read_only=True)


class ReverseCompletionSerializer(Body):
    good = Quantity(
        required=False, allow_null=True, default=None, help_text="Good units to take back; all that are left."
    )
    unit = optional_text(32, help_text="Unit of `good`; empty means the item's stock unit.")
    reason = optional_text(100)


class CompletionReversalSerializer(serializers.Serializer[Any]):
    """How much of a completion was taken back, and by which posting."""

    posting_id = IdOut()
    completion_id = IdOut()
    good = DecimalOut()
    scrapped = DecimalOut()
    movements = MovementSerializer(many=True, read_only=True, source="posting.movements")


class ReversalQuerySerializer(Body):
    good = Quantity(required=False, allow_null=True, default=None, help_text="Good units; all that are left.")


class ReversalLineSerializer(serializers.Serializer[Any]):
    """One component and how much of it would come back."""

    component = TextOut(source="line.component.sku")
    component_id = IdOut(source="line.component_id")
    unit = TextOut(source="line.component.stock_unit")
    actual = DecimalOut(source="line.actual", help_text="Used by the completion.")
    returned = DecimalOut()


class RefusalSerializer(serializers.Serializer[Any]):
    """Why it would be refused; for what stands in the way see `context.blocked_by`."""

    code = TextOut()
    detail = TextOut(source="message")
    context = Anything(read_only=True)  # type: ignore[assignment]


class ReversalPreviewSerializer(serializers.Serializer[Any]):
    """What taking a completion back would do now, and what stands in the way."""

    completion_id = IdOut(source="completion.pk")
    good = DecimalOut()
    good_left = DecimalOut(help_text="Good units that were not taken back yet.")
    returnable = DecimalOut(help_text="The most that could be taken back now.")
    left_to_disassemble = DecimalOut()
    is_possible = FlagOut()
    problem = RefusalSerializer(allow_null=True, read_only=True)
    lines = ReversalLineSerializer(many=True, read_only=True)
