"""Inspecting over the REST API: what waits, verdicts and their undo, and inspection plans."""

from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.http import HttpResponse
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import (
    Body,
    Choice,
    ChoiceOut,
    DayOut,
    DecimalIn,
    DecimalOut,
    Flag,
    FlagOut,
    IdOut,
    IdsOut,
    MomentOut,
    Quantity,
    Text,
    TextOut,
    Whole,
    item_reference,
    lines_of,
    optional_text,
)
from inventory.api.filters import Filters, FlagFilter, IdFilter, MomentFilter, Rows, TextFilter, WordFilter
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, refuse
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.models import PostingKind
from production.inspection import SAMPLES_MAX, Finding
from production.models import (
    CheckKind,
    Disposition,
    Inspection,
    InspectionCheck,
    InspectionDecision,
    InspectionOf,
    InspectionPlan,
)
from production.operations.inspecting import Outcome, decide_inspection, return_reworked, undo_verdict
from production.operations.inspection_plans import CheckSpec, end_inspection_plan, save_inspection_plan
from production.reads.held_goods import HeldQuestion, held_goods
from production.reads.inspections import inspections

WAITING_MAX = 500
SOURCES = (("output", "Made"), ("receipt", "Received"), ("other", "Came another way"))


# --- What waits ----------------------------------------------------------------------------------------------------


class WaitingQuerySerializer(Body):
    search = optional_text(100, help_text="Part of SKU, name, lot, reference, work order or place.")
    source = Choice(SOURCES, required=False, default="")  # type: ignore[assignment]


class WaitingSerializer(serializers.Serializer[Any]):
    """Goods on QC hold of one arrival. `arrival_id` names them when they are decided; quantities in the stock unit."""

    arrival_id = IdOut(source="pk")
    posting_id = IdOut(help_text="The completion or receipt that brought them.")
    posting_kind = ChoiceOut(PostingKind.choices, source="kind")
    reference = TextOut()
    work_order = TextOut()
    item = TextOut(source="item.sku")
    item_id = IdOut(source="item.pk")
    unit = TextOut(source="item.stock_unit")
    lot = TextOut(source="lot_code")
    lot_id = IdOut()
    expires_on = DayOut(allow_null=True)
    location = TextOut(source="location_code")
    location_id = IdOut()
    arrived = DecimalOut()
    held = DecimalOut(help_text="Still on hold.")
    since = MomentOut()
    is_due = FlagOut(help_text="False: its plan lets it pass without inspection.")
    plan_id = IdOut(source="plan.pk", default=None, allow_null=True)
    inspection_id = IdOut(allow_null=True, help_text="Set once somebody has begun.")


# --- Verdicts ------------------------------------------------------------------------------------------------------


class DecisionSerializer(serializers.Serializer[Any]):
    id = IdOut()
    disposition = ChoiceOut(Disposition.choices)
    quantity = DecimalOut()
    reason = TextOut()
    posting_id = IdOut()
    is_reversed = FlagOut()


class ResultSerializer(serializers.Serializer[Any]):
    """What one check found, with its limits as they were then."""

    check_name = TextOut()
    kind = ChoiceOut(CheckKind.choices)
    unit = TextOut()
    minimum = DecimalOut(allow_null=True)
    maximum = DecimalOut(allow_null=True)
    sample = IdOut()
    measured = DecimalOut(allow_null=True)
    text = TextOut()
    is_passed = FlagOut(allow_null=True)


class VerdictSerializer(serializers.Serializer[Any]):
    id = IdOut()
    decided_at = MomentOut()
    decided_by = TextOut(source="decided_by.username", default=None, allow_null=True)
    note = TextOut()
    decisions = DecisionSerializer(many=True, read_only=True)
    results = ResultSerializer(many=True, read_only=True)


class InspectionSerializer(serializers.Serializer[Any]):
    """What one posting put on hold in one place, and what was decided about it."""

    id = IdOut()
    applies_to = ChoiceOut(InspectionOf.choices)
    posting_id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    unit = TextOut(source="item.stock_unit")
    lot = TextOut(source="lot.code")
    lot_id = IdOut()
    location = TextOut(source="location.code")
    location_id = IdOut()
    quantity = DecimalOut(help_text="Came into hold.")
    opened_at = MomentOut()
    plan_id = IdOut(allow_null=True)
    plan_version = IdOut(source="plan.version", default=None, allow_null=True)
    files = IdsOut(source="files.all", help_text="Photos and files; see the page of the inspection.")
    verdicts = VerdictSerializer(many=True, read_only=True)


class OutcomeSerializer(Body):
    """What becomes of a part; everything but a release needs a reason."""

    disposition = Choice(Disposition.choices)
    quantity = Quantity()
    reason = optional_text(100)


class FindingSerializer(Body):
    """What a check of the plan found: `is_ok` for yes or no, `measured` for a measurement, `text` for a note."""

    check_id = Whole(minimum=1)
    sample = Whole(minimum=1, maximum=SAMPLES_MAX, required=False, default=1)
    is_ok = Flag(required=False, allow_null=True, default=None)
    measured = DecimalIn(signed=True, required=False, allow_null=True, default=None)
    text = optional_text(500)


class VerdictInputSerializer(Body):
    """Judge all or a part of what is held of an arrival, in one step or not at all."""

    arrival_id = Whole(minimum=1, help_text="As `inspections/waiting/` gives it.")
    outcomes = lines_of(OutcomeSerializer, allow_empty=False)
    findings = lines_of(FindingSerializer, required=False, default=list)
    note = optional_text(500)


class UndoVerdictSerializer(Body):
    verdict_id = Whole(minimum=1)
    reason = optional_text(100)


class ReworkedSerializer(Body):
    """A quantity that was sent to rework comes back to be inspected again."""

    decision_id = Whole(minimum=1)
    quantity = Quantity()
    note = optional_text(500)


class InspectionFilter(Filters):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    lot = TextFilter(field_name="lot__code")
    location = TextFilter(field_name="location__code")
    posting_id = IdFilter(field_name="posting_id")
    applies_to = WordFilter(InspectionOf)
    failed = FlagFilter(method="with_failures", help_text="Something of it failed and that stands.")
    opened_from = MomentFilter(field_name="opened_at", lookup_expr="gte")
    opened_before = MomentFilter(field_name="opened_at", lookup_expr="lt")

    class Meta:
        model = Inspection
        fields: list[str] = []

    def with_failures(self, rows: Rows, name: str, value: bool) -> Rows:  # noqa: ARG002
        failed = InspectionDecision.objects.standing().exclude(disposition=Disposition.RELEASE)
        ids = failed.values("verdict__inspection_id")
        return rows.filter(pk__in=ids) if value else rows.exclude(pk__in=ids)


class InspectionResource(ListOne, Resource):
    """Inspections that were begun, newest first; what still waits is listed by `waiting`."""

    queryset = inspections()
    filterset_class = InspectionFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("production.view_inspection", InspectionSerializer),
        "retrieve": Endpoint("production.view_inspection", InspectionSerializer),
        "waiting": Endpoint(
            "production.view_inspection", WaitingSerializer, query=WaitingQuerySerializer, is_array=True
        ),
        "create": Endpoint(
            "production.inspect", InspectionSerializer, VerdictInputSerializer, status=201, is_keyed=True
        ),
        "undo": Endpoint("production.inspect", InspectionSerializer, UndoVerdictSerializer, status=201, is_keyed=True),
        "reworked": Endpoint("production.inspect", InspectionSerializer, ReworkedSerializer, status=201, is_keyed=True),
    }

    @action(detail=False, methods=["get"])
    def waiting(self, request: Request) -> Response:  # noqa: ARG002
        """What is on QC hold, the longest first; at most 500."""
        asked = self.parameters()
        rows = held_goods(HeldQuestion(text=asked["search"].strip(), source=asked["source"]), rows_max=WAITING_MAX)
        return Response([self.shape(goods) for goods in rows])

    def create(self, request: Request) -> HttpResponse:
        """Decide: release, scrap, quarantine or send to rework, by quantity, with what was found."""

        def work(key: UUID) -> Reply:
            values = self.values()
            result = decide_inspection(
                key=key,
                handle=values["arrival_id"],
                outcomes=[
                    Outcome(Disposition(one["disposition"]), one["quantity"], one["reason"])
                    for one in values["outcomes"]
                ],
                findings=[Finding(**one) for one in values["findings"]],
                note=values["note"],
                actor=request.user,
            )
            found = inspections().get(pk=result.verdict.inspection_id)
            return self.reply(found, replayed=result.replayed)

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def undo(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Take a verdict back, newest posting first; the goods are on hold again."""

        def work(key: UUID) -> Reply:
            found: Inspection = self.get_object()
            values = self.values()
            verdict = found.verdicts.filter(pk=values["verdict_id"]).first()
            if verdict is None:
                refuse([(("verdict_id",), f"Inspection {found.pk} has no verdict with this id.")])
                raise AssertionError("refused above")
            undo_verdict(key=key, verdict=verdict, actor=request.user, reason=values["reason"])
            return self.reply(inspections().get(pk=found.pk))

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def reworked(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Bring reworked goods back on hold, where they are inspected again."""

        def work(key: UUID) -> Reply:
            found: Inspection = self.get_object()
            values = self.values()
            decision = InspectionDecision.objects.select_related("verdict").filter(verdict__inspection=found)
            chosen = decision.filter(pk=values["decision_id"]).first()
            if chosen is None:
                refuse([(("decision_id",), f"Inspection {found.pk} has no decision with this id.")])
                raise AssertionError("refused above")
            return_reworked(
                key=key, decision=chosen, quantity=values["quantity"], note=values["note"], actor=request.user
            )
            return self.reply(inspections().get(pk=found.pk))

        return self.answer_once(request, work)


# --- Plans ---------------------------------------------------------------------------------------------------------


class CheckSerializer(serializers.Serializer[Any]):
    id = IdOut()
    name = TextOut()
    kind = ChoiceOut(CheckKind.choices)
    unit = TextOut()
    minimum = DecimalOut(allow_null=True)
    maximum = DecimalOut(allow_null=True)
    is_required = FlagOut()


class InspectionPlanSerializer(serializers.Serializer[Any]):
    """One version of a plan with its checks in order."""

    id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    applies_to = ChoiceOut(InspectionOf.choices)
    version = IdOut()
    is_active = FlagOut()
    every_nth = IdOut()
    sample_quantity = DecimalOut(allow_null=True)
    instructions = TextOut()
    created_at = MomentOut()
    created_by = TextOut(source="created_by.username", default=None, allow_null=True)
    checks = CheckSerializer(many=True, read_only=True)


class CheckInputSerializer(Body):
    """One check; a measurement has a lower or an upper limit or both, which belong to what is allowed."""

    name = Text(length_max=200)
    kind = Choice(CheckKind.choices, required=False, default=CheckKind.PASS_FAIL.value)
    unit = optional_text(16)
    minimum = DecimalIn(signed=True, required=False, allow_null=True, default=None)
    maximum = DecimalIn(signed=True, required=False, allow_null=True, default=None)
    is_required = Flag(required=False, default=True)


class InspectionPlanInputSerializer(Body):
    """Put a plan into force; it takes the place of the one before. The item goes to QC hold from then on."""

    item = item_reference()
    applies_to = Choice(InspectionOf.choices)
    every_nth = Whole(minimum=1, maximum=10_000, required=False, default=1)
    sample_quantity = Quantity(required=False, allow_null=True, default=None)
    instructions = optional_text(4000)
    checks = lines_of(CheckInputSerializer)


class InspectionPlanFilter(Filters):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    applies_to = WordFilter(InspectionOf)
    is_active = FlagFilter()

    class Meta:
        model = InspectionPlan
        fields: list[str] = []


PLANS = InspectionPlan.objects.select_related("item", "created_by").prefetch_related(
    Prefetch("checks", InspectionCheck.objects.order_by("position", "id"))
)


class InspectionPlanResource(ListOne, Resource):
    """Versions of inspection plans."""

    queryset = PLANS
    filterset_class = InspectionPlanFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("production.view_inspectionplan", InspectionPlanSerializer),
        "retrieve": Endpoint("production.view_inspectionplan", InspectionPlanSerializer),
        "create": Endpoint(
            "production.add_inspectionplan",
            InspectionPlanSerializer,
            InspectionPlanInputSerializer,
            status=201,
            is_keyed=True,
        ),
        "destroy": Endpoint("production.delete_inspectionplan", status=204),
    }

    def create(self, request: Request) -> HttpResponse:
        """Write the next version and put it into force; the same plan again changes nothing."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            values = self.values()
            (item,) = find_items([(("item",), values.pop("item"))])
            checks = [CheckSpec(**check) for check in values.pop("checks")]
            result = save_inspection_plan(item=item, checks=checks, actor=request.user, **values)
            return self.reply(PLANS.get(pk=result.plan.pk))

        return self.answer_once(request, work)

    def destroy(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """End a plan; its versions stay."""
        end_inspection_plan(plan=self.get_object(), actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)
