"""Shapes of whole BOM versions: head, lines with substitutes, by-products, operations; their cost; replacements."""

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
    IdOut,
    MomentOut,
    Money,
    Quantity,
    Text,
    TextOut,
    Whole,
    item_reference,
    lines_of,
    optional_text,
)
from inventory.api.references import find_items
from inventory.quantities import ZERO
from production.api.serializers import BomLineInputSerializer, BomSummarySerializer, FractionOut
from production.bom_checks import BomLineSpec, SubstituteSpec
from production.bom_content import BomContent, HeadSpec, OperationSpec, OutputSpec
from production.models import BomState, DeviationPolicy, IssueMethod, OperationKind, OutputKind

PERCENT: dict[str, Any] = {"required": False, "default": ZERO}


# --- In ---------------------------------------------------------------------------------------------------------------


class SubstituteInputSerializer(Body):
    item = item_reference()
    ratio = Quantity(required=False, default="1", help_text="Stock units for one stock unit of the component.")


class ContentLineInputSerializer(BomLineInputSerializer):
    substitutes = lines_of(SubstituteInputSerializer, required=False, default=list)


class OutputInputSerializer(Body):
    """A share of the cost, or a fixed value of one stock unit."""

    item = item_reference()
    quantity = Quantity(help_text="Per batch, in the item's stock unit.")
    kind = Choice(OutputKind.choices, required=False, default=OutputKind.BY_PRODUCT.value)
    cost_share_percent = DecimalIn(digits=3, places=4, **PERCENT)
    unit_value = Money(required=False, allow_null=True, default=None)


class OperationInputSerializer(Body):
    name = Text(length_max=100)
    kind = Choice(OperationKind.choices, required=False, default=OperationKind.LABOUR.value)
    minutes = DecimalIn(digits=9, places=3, help_text="Per batch.", **PERCENT)
    setup_minutes = DecimalIn(digits=9, places=3, help_text="Once per run.", **PERCENT)
    rate_per_hour = Money(required=False, default=ZERO)
    amount = Money(required=False, default=ZERO, help_text="Per batch beside the time.")
    instructions = Text(length_max=10_000, required=False, allow_blank=True, default="")


class ContentInputSerializer(Body):
    """Everything the draft holds from now on. `revision` is that of the content it was made from."""

    revision = Whole(minimum=1)
    makes = Quantity(required=False, default="1")
    effective_from = Day(required=False, allow_null=True, default=None)
    deviation_policy = Choice(DeviationPolicy.choices, required=False, default=DeviationPolicy.REASON.value)
    deviation_tolerance_percent = DecimalIn(digits=4, places=3, **PERCENT)
    process_loss_percent = DecimalIn(digits=2, places=3, **PERCENT)
    capacity_per_day = Quantity(required=False, allow_null=True, default=None)
    instructions = Text(length_max=20_000, required=False, allow_blank=True, default="")
    note = Text(length_max=10_000, required=False, allow_blank=True, default="")
    lines = lines_of(ContentLineInputSerializer)
    outputs = lines_of(OutputInputSerializer, required=False, default=list)
    operations = lines_of(OperationInputSerializer, required=False, default=list)


class ReplaceInputSerializer(Body):
    """Drafts of the named versions, with one component replaced; all are made, or none."""

    component = item_reference()
    replacement = item_reference()
    factor = Quantity(required=False, default="1", help_text="Stock units of the new item for one of the old one.")
    boms = serializers.ListField(child=Whole(minimum=1), min_length=1, max_length=200, help_text="Ids of versions.")
    note = optional_text(500)


class ActivateReplacementSerializer(Body):
    replacement = Whole(minimum=1, help_text="Id of the replacement.")
    effective_from = Day(required=False, allow_null=True, default=None)
    over_bom_ids = serializers.ListField(
        child=Whole(minimum=1),
        required=False,
        default=list,
        max_length=200,
        help_text="Versions that were activated since the drafts were made, and that are written over all the same.",
    )


class DiscardReplacementSerializer(Body):
    replacement = Whole(minimum=1, help_text="Id of the replacement.")


class DiscardedSerializer(serializers.Serializer[Any]):
    discarded = IdOut(help_text="How many drafts.")


def content_from(values: dict[str, Any]) -> BomContent:
    """A body as content. Raises ValidationError for unknown items, each at its place."""
    wanted: list[tuple[tuple[str | int, ...], Any]] = []
    for number, line in enumerate(values["lines"]):
        wanted.append((("lines", number, "component"), line["component"]))
        wanted += [
            (("lines", number, "substitutes", place, "item"), one["item"])
            for place, one in enumerate(line["substitutes"])
        ]
    wanted += [(("outputs", number, "item"), output["item"]) for number, output in enumerate(values["outputs"])]
    items = iter(find_items(wanted))
    lines = []
    for line in values["lines"]:
        component = next(items)
        substitutes = tuple(SubstituteSpec(next(items), one["ratio"]) for one in line["substitutes"])
        lines.append(BomLineSpec(**{**line, "component": component, "substitutes": substitutes}))
    outputs = [OutputSpec(**{**output, "item": next(items)}) for output in values["outputs"]]
    operations = [OperationSpec(**operation) for operation in values["operations"]]
    head = {name: value for name, value in values.items() if name in HeadSpec.__slots__}
    return BomContent(HeadSpec(**head), lines, outputs, operations)


# --- Out --------------------------------------------------------------------------------------------------------------


class SubstituteSerializer(serializers.Serializer[Any]):
    item = TextOut(source="item.sku")
    item_id = IdOut(source="item.pk")
    ratio = DecimalOut()


class ContentLineSerializer(serializers.Serializer[Any]):
    component = TextOut(source="component.sku")
    component_id = IdOut(source="component.pk")
    quantity = DecimalOut()
    unit = TextOut()
    scrap_percent = DecimalOut()
    setup_quantity = DecimalOut()
    rounding_multiple = DecimalOut(allow_null=True)
    issue_method = ChoiceOut(IssueMethod.choices)
    is_consumable = serializers.BooleanField(read_only=True)
    is_optional = serializers.BooleanField(read_only=True)
    is_phantom = serializers.BooleanField(read_only=True)
    builds_shortage = serializers.BooleanField(read_only=True)
    reference = TextOut()
    note = TextOut()
    substitutes = SubstituteSerializer(many=True, read_only=True)


class OutputSerializer(serializers.Serializer[Any]):
    item = TextOut(source="item.sku")
    item_id = IdOut(source="item.pk")
    quantity = DecimalOut()
    kind = ChoiceOut(OutputKind.choices)
    cost_share_percent = DecimalOut()
    unit_value = DecimalOut(allow_null=True)


class OperationSerializer(serializers.Serializer[Any]):
    name = TextOut()
    kind = ChoiceOut(OperationKind.choices)
    minutes = DecimalOut()
    setup_minutes = DecimalOut()
    rate_per_hour = DecimalOut()
    amount = DecimalOut()
    instructions = TextOut()


class BomContentSerializer(serializers.Serializer[Any]):
    """A version as a whole. Send it back with what you changed and the revision you read."""

    bom_id = IdOut()
    item = TextOut()
    version = IdOut()
    state = ChoiceOut(BomState.choices)
    revision = IdOut()
    makes = DecimalOut(source="head.makes")
    effective_from = DayOut(source="head.effective_from", allow_null=True)
    deviation_policy = ChoiceOut(DeviationPolicy.choices, source="head.deviation_policy")
    deviation_tolerance_percent = DecimalOut(source="head.deviation_tolerance_percent")
    process_loss_percent = DecimalOut(source="head.process_loss_percent")
    capacity_per_day = DecimalOut(source="head.capacity_per_day", allow_null=True)
    instructions = TextOut(source="head.instructions")
    note = TextOut(source="head.note")
    lines = ContentLineSerializer(many=True, read_only=True)
    outputs = OutputSerializer(many=True, read_only=True)
    operations = OperationSerializer(many=True, read_only=True)


class LineCostSerializer(serializers.Serializer[Any]):
    component = TextOut(source="component.sku")
    component_id = IdOut(source="component.id")
    quantity = FractionOut(help_text="Per unit of output.")
    unit_cost = FractionOut(source="unit_cost.value", allow_null=True)
    known_from = TextOut(source="unit_cost.source", help_text="average, bom, standard or unknown.")
    cost = FractionOut(allow_null=True)


class CostQuerySerializer(Body):
    run = Quantity(required=False, default=None, help_text="Units of output of one more run that is to be costed.")


class RunCostSerializer(serializers.Serializer[Any]):
    """A run by present costs; the parts add up to the total."""

    quantity = DecimalOut()
    components = FractionOut()
    set_up = FractionOut(help_text="Components and work needed once a run.")
    rounding = FractionOut(help_text="What whole items, steps and rounding multiples take more.")
    work = FractionOut()
    by_products = FractionOut(help_text="Taken off.")
    total = FractionOut()
    each = DecimalOut()


class BomCostSerializer(serializers.Serializer[Any]):
    """One unit of output by present costs; null while unknown, and `missing` says why."""

    bom_id = IdOut()
    unit_cost = DecimalOut(allow_null=True)
    own = DecimalOut(help_text="Work, overhead and packaging of the version itself, less its by-products.")
    by_level = serializers.ListField(
        child=DecimalOut(), read_only=True, help_text="What enters 1, 2, ... levels below."
    )
    by_kind = serializers.DictField(child=DecimalOut(), read_only=True)
    missing = serializers.ListField(child=TextOut(), read_only=True, help_text="SKUs without a known cost.")
    lines = LineCostSerializer(many=True, read_only=True)
    runs = RunCostSerializer(
        many=True,
        read_only=True,
        help_text="Runs of 1, 10 and 100, and the one asked about; none while a cost is unknown.",
    )


class ReplacementSerializer(serializers.Serializer[Any]):
    id = IdOut()
    component = TextOut(source="component.sku")
    replacement = TextOut(source="replacement.sku")
    factor = DecimalOut()
    note = TextOut()
    created_at = MomentOut()
    activated_at = MomentOut(allow_null=True)
    drafts = BomSummarySerializer(many=True, read_only=True, help_text="The versions drafted for it.")
