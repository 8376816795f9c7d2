"""Shapes of what the REST API of production takes and answers."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from rest_framework import serializers

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
    Quantity,
    Text,
    TextOut,
    Whole,
    item_reference,
    lines_of,
    location_reference,
    optional_text,
)
from inventory.api.fields import Flag as FlagIn
from inventory.api.serializers import UNIT_HELP
from inventory.quantities import PLACES, ZERO, round_half_up
from production.bom_checks import SCRAP_PERCENT_MAX
from production.models import BomState, ConsumptionBasis, DeviationPolicy, IssueMethod, WorkOrderState
from production.reads.bom_diff import Change

ROUNDED = "To six decimal places."


class FractionOut(DecimalOut):
    """An exact ratio, rounded to six places for the answer only."""

    def to_representation(self, value: Fraction | Decimal) -> str:
        return super().to_representation(round_half_up(Fraction(value), PLACES))


# --- BOMs -------------------------------------------------------------------------------------------------------------


class BomLineSerializer(serializers.Serializer[Any]):
    """One component of a batch."""

    id = IdOut()
    position = IdOut()
    component = TextOut(source="component.sku")
    component_id = IdOut()
    quantity = DecimalOut(help_text="Per batch, in `unit`.")
    unit = TextOut(help_text="As typed; empty means the component's stock unit.")
    stock_unit = TextOut(source="component.stock_unit")
    unit_numerator = DecimalOut(help_text="One typed unit is numerator / denominator stock units, fixed when saved.")
    unit_denominator = DecimalOut()
    scrap_percent = DecimalOut()
    setup_quantity = DecimalOut()
    rounding_multiple = DecimalOut(allow_null=True)
    issue_method = ChoiceOut(IssueMethod.choices)
    is_consumable = FlagOut()
    is_optional = FlagOut()
    is_phantom = FlagOut()
    builds_shortage = FlagOut()
    reference = TextOut()
    note = TextOut()


class BomSummarySerializer(serializers.Serializer[Any]):
    """One version of the BOM of an item, without its lines."""

    id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    version = IdOut()
    state = ChoiceOut(BomState.choices)
    makes = DecimalOut(help_text="What one batch yields, in the item's stock unit.")
    effective_from = DayOut(allow_null=True)
    effective_to = DayOut(allow_null=True, help_text="First day it is no longer used.")
    deviation_policy = ChoiceOut(DeviationPolicy.choices)
    deviation_tolerance_percent = DecimalOut()
    note = TextOut()
    revision = IdOut(help_text="Counts what was saved; see `content`.")
    created_at = MomentOut()
    activated_at = MomentOut(allow_null=True)


class BomSerializer(BomSummarySerializer):
    """One version of the BOM of an item. Active and retired versions never change."""

    lines = BomLineSerializer(many=True, read_only=True)


class BomLineInputSerializer(Body):
    """Quantity, set-up and multiple are in `unit`."""

    component = item_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    scrap_percent = DecimalIn(digits=len(str(int(SCRAP_PERCENT_MAX))), places=3, required=False, default=ZERO)
    setup_quantity = Quantity(required=False, default=ZERO)
    rounding_multiple = Quantity(required=False, allow_null=True, default=None)
    issue_method = Choice(IssueMethod.choices, required=False, default=IssueMethod.BACKFLUSH.value)
    is_consumable = FlagIn(required=False, default=False)
    is_optional = FlagIn(required=False, default=False)
    is_phantom = FlagIn(required=False, default=False)
    builds_shortage = FlagIn(required=False, default=False)
    reference = optional_text(250)
    note = optional_text(500)


class DraftSerializer(Body):
    """A new draft version. With `copy_of` (the id of a version) everything that is not given comes from there."""

    item = item_reference()
    lines = lines_of(BomLineInputSerializer, required=False, default=list)
    makes = Quantity(required=False, allow_null=True, default=None)
    copy_of = Whole(minimum=1, required=False, allow_null=True, default=None)
    deviation_policy = Choice(DeviationPolicy.choices, required=False, allow_null=True, default=None)
    deviation_tolerance_percent = DecimalIn(digits=4, places=3, required=False, allow_null=True, default=None)
    effective_from = Day(required=False, allow_null=True, default=None)
    note = Text(length_max=10_000, required=False, allow_blank=True, allow_null=True, default=None)


class BomLinesSerializer(Body):
    """The lines a draft has from now on, and its batch size when `makes` is given."""

    lines = lines_of(BomLineInputSerializer)
    makes = Quantity(required=False, allow_null=True, default=None)


class ActivateSerializer(Body):
    effective_from = Day(
        required=False, allow_null=True, default=None, help_text="First day of use; today when left out."
    )
    over_bom_id = Whole(
        minimum=1,
        required=False,
        allow_null=True,
        default=None,
        help_text="The version that was activated since this one was drafted, and that is written over all the same.",
    )


class FieldChangeSerializer(serializers.Serializer[Any]):
    field = TextOut()
    old = TextOut()
    new = TextOut()


class LineChangeSerializer(serializers.Serializer[Any]):
    change = ChoiceOut([(change.value, change.name) for change in Change])
    component = TextOut(source="component.sku")
    component_id = IdOut(source="component.id")
    reference = TextOut()
    fields_changed = FieldChangeSerializer(many=True, read_only=True, source="fields")
    old_per_unit = FractionOut(allow_null=True, help_text=ROUNDED)
    new_per_unit = FractionOut(allow_null=True, help_text=ROUNDED)
    cost_change = DecimalOut(allow_null=True, help_text="Effect on the cost of one unit; null while unknown.")


class PartChangeSerializer(serializers.Serializer[Any]):
    """A by-product, an operation or the substitutes of a component that differ."""

    change = ChoiceOut([(change.value, change.name) for change in Change])
    section = TextOut()
    name = TextOut(source="label")
    old = TextOut()
    new = TextOut()
    cost_change = DecimalOut(
        allow_null=True, help_text="Of one unit of output; null for substitutes and while a cost is unknown."
    )


class BomDiffSerializer(serializers.Serializer[Any]):
    """What differs between two versions, and figures of both by present stock and costs."""

    old_id = IdOut(source="old.id")
    new_id = IdOut(source="new.id")
    is_empty = FlagOut()
    head = FieldChangeSerializer(many=True, read_only=True)
    lines = LineChangeSerializer(many=True, read_only=True)
    parts = PartChangeSerializer(many=True, read_only=True)
    old_unit_cost = DecimalOut(allow_null=True)
    new_unit_cost = DecimalOut(allow_null=True)
    unit_cost_change = DecimalOut(allow_null=True)
    old_buildable = DecimalOut(source="old_buildable.quantity", allow_null=True)
    new_buildable = DecimalOut(source="new_buildable.quantity", allow_null=True)


class DiffQuerySerializer(Body):
    against = serializers.RegexField("^[0-9]{1,18}$", help_text="Id of the version to compare with.")


class TreeRowSerializer(serializers.Serializer[Any]):
    """One item at one place of the tree; rows stand in reading order."""

    level = IdOut(help_text="0 for the product itself.")
    item = TextOut(source="item.sku")
    item_id = IdOut(source="item.id")
    unit = TextOut(source="item.stock_unit")
    quantity = FractionOut(help_text=f"Needed in all, expected scrap included. {ROUNDED}")
    bom_id = IdOut(source="bom.id", allow_null=True, default=None)
    is_made = FlagOut()
    is_phantom = FlagOut()
    is_consumable = FlagOut()
    is_optional = FlagOut()
    cost = DecimalOut(allow_null=True)
    on_hand = DecimalOut()
    free = DecimalOut()


class BomTreeSerializer(serializers.Serializer[Any]):
    """Every level below a version with what `quantity` of its output needs."""

    bom_id = IdOut()
    quantity = DecimalOut()
    is_complete = FlagOut(help_text="false when there were more rows than are listed.")
    rows = TreeRowSerializer(many=True, read_only=True)


class TreeQuerySerializer(Body):
    quantity = Quantity(required=False, default=Decimal(1), help_text="Units of output.")


class DirectUseSerializer(serializers.Serializer[Any]):
    bom_id = IdOut()
    item = TextOut(source="sku")
    item_id = IdOut()
    version = IdOut()
    state = ChoiceOut(BomState.choices)
    is_in_force = FlagOut()
    quantity = DecimalOut(help_text="Per batch of `makes`, in `unit`.")
    unit = TextOut()
    makes = DecimalOut()
    per_unit = FractionOut(help_text=ROUNDED)
    is_consumable = FlagOut()
    is_optional = FlagOut()
    is_phantom = FlagOut()


class UseAboveSerializer(serializers.Serializer[Any]):
    bom_id = IdOut()
    item = TextOut(source="sku")
    item_id = IdOut()
    unit = TextOut(source="stock_unit")
    level = IdOut(help_text="1 for a direct use.")
    per_unit = FractionOut(help_text=ROUNDED)
    is_top = FlagOut(help_text="Whether nothing else in force is made of it.")


class UseBesideSerializer(serializers.Serializer[Any]):
    """A version that names the item as a substitute or as an output."""

    bom_id = IdOut()
    item = TextOut(source="sku")
    item_id = IdOut()
    version = IdOut()
    state = ChoiceOut(BomState.choices)
    is_in_force = FlagOut()
    instead_of = TextOut(help_text="SKU of the component it may replace; empty: it comes out beside the product.")
    quantity = DecimalOut(help_text="For one stock unit of `instead_of`, or of a batch.")
    output_kind = TextOut(help_text="by_product or co_product; empty for a substitute.")


class WhereUsedSerializer(serializers.Serializer[Any]):
    """Every version that uses or names an item, and everything that needs it by the versions in force."""

    item = TextOut()
    item_id = IdOut()
    direct = DirectUseSerializer(many=True, read_only=True)
    above = UseAboveSerializer(many=True, read_only=True)
    beside = UseBesideSerializer(many=True, read_only=True)


class WhereUsedQuerySerializer(Body):
    item = Text(length_max=100, help_text="SKU.")


# --- Work orders ------------------------------------------------------------------------------------------------------


class WorkOrderLineSerializer(serializers.Serializer[Any]):
    """One component, frozen when the order was opened."""

    id = IdOut()
    component = TextOut(source="component.sku")
    component_id = IdOut()
    unit = TextOut(source="component.stock_unit")
    per_unit = FractionOut(help_text=f"Exact need per unit of output, expected scrap included. {ROUNDED}")
    setup_quantity = DecimalOut()
    rounding_multiple = DecimalOut(allow_null=True)
    issue_method = ChoiceOut(IssueMethod.choices)
    is_consumable = FlagOut()
    is_optional = FlagOut()
    booked = DecimalOut(help_text="Standard of the completions so far.")
    used = DecimalOut(help_text="Actual of the completions so far.")


class WorkOrderSummarySerializer(serializers.Serializer[Any]):
    """An order to make a quantity, without its lines."""

    id = IdOut()
    number = TextOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    unit = TextOut(source="item.stock_unit")
    bom_id = IdOut()
    state = ChoiceOut(WorkOrderState.choices)
    planned = DecimalOut()
    good = DecimalOut()
    scrapped = DecimalOut()
    remaining = DecimalOut()
    over_completion_percent = DecimalOut()
    source_location = TextOut(source="source_location.code", allow_null=True, default=None)
    output_location = TextOut(source="output_location.code")
    floor_location = TextOut(
        source="floor_location.code", allow_null=True, default=None, help_text="Where components issued to it stand."
    )
    basis = ChoiceOut(ConsumptionBasis.choices)
    rank = IdOut(help_text="Lower is made first.")
    start_on = DayOut(allow_null=True)
    due_on = DayOut(allow_null=True)
    parent_order = TextOut(source="parent.number", allow_null=True, default=None, help_text="What it makes a part for.")
    split_from = TextOut(source="split_from.number", allow_null=True, default=None)
    merged_into = TextOut(source="merged_into.number", allow_null=True, default=None)
    demand_kind = TextOut()
    demand_ref = TextOut()
    note = TextOut()
    created_at = MomentOut()
    released_at = MomentOut(allow_null=True)
    closed_at = MomentOut(allow_null=True)


class WorkOrderSerializer(WorkOrderSummarySerializer):
    """An order to make a quantity from a frozen BOM."""

    lines = WorkOrderLineSerializer(many=True, read_only=True)


class WorkOrderInputSerializer(Body):
    item = item_reference()
    planned = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    output_location = location_reference()
    source_location = location_reference(required=False, allow_null=True, default=None)
    bom_id = Whole(minimum=1, required=False, allow_null=True, default=None, help_text="Another version than today's.")
    due_on = Day(required=False, allow_null=True, default=None)
    over_completion_percent = DecimalIn(digits=4, places=3, required=False, allow_null=True, default=None)
    is_planned = FlagIn(required=False, default=False, help_text="Only plan it; release it later.")
    start_on = Day(required=False, allow_null=True, default=None)
    rank = Whole(minimum=-1_000_000, required=False, default=0, help_text="Lower is made first.")
    basis = Choice(ConsumptionBasis.choices, required=False, default=ConsumptionBasis.BOM.value)
    floor_location = location_reference(
        required=False, allow_null=True, default=None, help_text="Where components issued to it stand."
    )
    demand_kind = optional_text(24)
    demand_ref = optional_text(64)
    note = optional_text(10_000)


class PlanChangeSerializer(Body):
    planned = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)


class CloseSerializer(Body):
    reason = optional_text(100)
