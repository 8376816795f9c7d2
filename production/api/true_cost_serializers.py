"""What a completion truly cost, as the API answers it."""

from typing import Any

from rest_framework import serializers

from inventory.api.fields import DecimalOut
from production.models import Completion, CompletionLine
from production.reads.true_cost import TrueCost, true_cost


class CostPartSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(source="label", help_text="Such as Materials, landed; Labour; By-products carry.")
    planned = DecimalOut(allow_null=True)
    actual = DecimalOut(allow_null=True, help_text="Null: unknown.")
    per_unit = DecimalOut(allow_null=True, help_text="Of one good unit.")


class CauseSumSerializer(serializers.Serializer[Any]):
    cause = serializers.CharField()
    amount = DecimalOut(allow_null=True, help_text="What components cost more (or less) than their standard.")


class UsedLineCostSerializer(serializers.Serializer[Any]):
    component = serializers.CharField(source="line.component.sku")
    value = DecimalOut(source="line.value", allow_null=True)
    planned = DecimalOut(
        source="cost.planned", allow_null=True, help_text="Its standard, at the cost it was used with."
    )
    variance = DecimalOut(source="cost.variance", allow_null=True)
    cause = serializers.CharField(source="cost.cause", help_text="Empty when as much was used as planned.")


class TrueCostSerializer(serializers.Serializer[Any]):
    """Base currency; the parts add up to `total`. `scrapped` and `spoiled` are contained in it."""

    parts = CostPartSerializer(many=True)
    planned = DecimalOut(allow_null=True)
    total = DecimalOut(allow_null=True)
    per_unit = DecimalOut(allow_null=True)
    scrapped = DecimalOut(allow_null=True)
    spoiled = DecimalOut(allow_null=True)
    causes = CauseSumSerializer(many=True)
    lines = UsedLineCostSerializer(many=True)


def true_cost_of(completion: Completion) -> dict[str, object]:
    """What TrueCostSerializer shows of a completion. Two statements."""
    rows = CompletionLine.objects.filter(completion=completion).select_related("component").order_by("id")
    lines = list(rows)
    cost: TrueCost = true_cost(completion, lines)
    return {
        "parts": cost.parts,
        "planned": cost.planned,
        "total": cost.total,
        "per_unit": cost.per_unit,
        "scrapped": cost.scrapped,
        "spoiled": cost.spoiled,
        "causes": cost.causes,
        "lines": [{"line": line, "cost": cost.by_line[line.pk]} for line in lines],
    }
