"""What completions teach about the lines of BOMs, over REST."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, TextChoices
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import ChoiceOut, DecimalOut, FlagOut, IdOut, TextOut
from inventory.api.filters import Filters, IdFilter, Rows, SearchFilter, TextFilter, WordFilter
from inventory.api.resources import Endpoint, Resource
from production.api.serializers import ROUNDED, FractionOut
from production.learning import Verdict
from production.models import Bom, BomLine, Completion
from production.reads.learning import learned

VERDICTS = [(verdict.value, verdict.value) for verdict in Verdict]


class Verdicts(TextChoices):
    PROPOSE = "propose", "Another quantity is proposed"
    WITHIN = "within", "The standard fits"
    FEW = "few", "Too few measurements"
    SELDOM = "seldom", "Measured too seldom"
    SCATTERED = "scattered", "Scattered around the standard"
    DRIFTING = "drifting", "Still moving"


def _unchanged(rows: Rows, name: str, value: object) -> Rows:  # noqa: ARG001
    """This parameter is answered row by row, once the measurements were read."""
    return rows


class LearnedFilter(Filters):
    item = TextFilter(field_name="bom__item__sku")
    component = TextFilter(field_name="component__sku")
    bom_id = IdFilter(field_name="bom_id")
    verdict = WordFilter(Verdicts, method=_unchanged)
    search = SearchFilter(method="find", help_text="Part of SKU or name of the item or the component.")

    class Meta:
        model = BomLine
        fields: list[str] = []

    def find(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(
            Q(bom__item__sku__icontains=value)
            | Q(bom__item__name__icontains=value)
            | Q(component__sku__icontains=value)
            | Q(component__name__icontains=value)
        )


class PartsSerializer(serializers.Serializer[Any]):
    """Actual less exact standard by cause, over the newest completions; stock unit of the component."""

    rounding = FractionOut(help_text=ROUNDED)
    substitute = FractionOut(help_text=ROUNDED)
    spoiled = FractionOut(help_text=ROUNDED)
    explained = FractionOut(help_text=ROUNDED)
    unexplained = FractionOut(help_text=ROUNDED)


class LearnedSerializer(serializers.Serializer[Any]):
    """One line of a version in force and what its completions say."""

    id = IdOut(source="line.line_id", help_text="Of the line.")
    bom_id = IdOut(source="bom.id")
    version = IdOut(source="bom.version")
    item = TextOut(source="item.sku")
    component = TextOut(source="component.sku")
    component_id = IdOut(source="component.id")
    unit = TextOut(help_text="Of the quantities, as on the line.")
    quantity = DecimalOut(help_text="The standard per batch.")
    verdict = ChoiceOut(VERDICTS, source="finding.verdict")
    completions = IdOut(source="finding.completions")
    measured = IdOut(source="finding.measured")
    median = DecimalOut(source="typical", allow_null=True)
    lower = DecimalOut(allow_null=True, help_text="A quarter of the measurements lies below.")
    upper = DecimalOut(allow_null=True, help_text="A quarter lies above.")
    proposed = DecimalOut(allow_null=True)
    cost_effect = FractionOut(
        allow_null=True, help_text="Base currency per unit of output; null: unknown or no proposal."
    )
    is_open = FlagOut(help_text="Proposed, and nobody drafted or dismissed it.")
    parts = PartsSerializer(read_only=True)


class LearnedResource(Resource):
    """Lines of BOM versions in force that were completed."""

    queryset = BomLine.objects.all()
    filterset_class = LearnedFilter
    endpoints = {"list": Endpoint("production.view_bom", LearnedSerializer)}

    def get_queryset(self) -> Any:
        completed = Completion.objects.filter(bom_id=OuterRef("bom_id"))
        in_force = Bom.objects.in_force(on=timezone.localdate())
        return BomLine.objects.filter(Exists(completed), bom__in=in_force).select_related("bom")

    def list(self, request: Request) -> Response:
        """Lines with measurements and proposals. A page may hold fewer rows than asked for: lines of which nobody can say
        anything alone, and those of another verdict, are left out.
        """
        lines: list[BomLine] = self.page()
        wanted = set(request.query_params.getlist("verdict"))
        found = {one.line.line_id: one for one in learned(boms=sorted({line.bom_id for line in lines}))}
        rows = [found[line.pk] for line in lines if line.pk in found]
        rows = [one for one in rows if not wanted or one.finding.verdict in wanted]
        answer: Response = self.get_paginated_response(self.get_serializer(rows, many=True).data)
        return answer
