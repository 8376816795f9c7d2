"""Costs that come after the goods: landed costs and corrected prices, each with a preview by the code that posts it."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
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
    DecimalIn,
    DecimalOut,
    IdOut,
    MomentOut,
    Money,
    TextOut,
    Whole,
    lines_of,
    optional_text,
)
from inventory.api.filters import Filters, IdFilter, TextFilter, WordFilter
from inventory.api.idempotency import Reply
from inventory.api.purchasing import LANDED_BASES, LANDED_KINDS
from inventory.api.references import Where, refuse
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.api.suppliers import find_supplier, supplier_reference
from inventory.models import (
    LandedBasis,
    LandedCost,
    LandedCostKind,
    LandedCostShare,
    Movement,
    PostingKind,
)
from inventory.operations.landed_decisions import LandedLine, LandedPlan
from inventory.operations.landing_costs import (
    ReceiptPrice,
    add_landed_cost,
    correct_prices,
    preview_landed_cost,
    preview_prices,
)
from inventory.quantities import PLACES, round_half_up

TARGETS_MAX = 1_000


class LandedShareSerializer(serializers.Serializer[Any]):
    """The part that fell on one received quantity: what went into stock and what was expensed."""

    movement_id = IdOut()
    item = TextOut(source="movement.item.sku")
    posting_id = IdOut(source="movement.posting_id")
    amount = DecimalOut()
    capitalised = DecimalOut()
    expensed = DecimalOut()
    received = DecimalOut(help_text="Stock unit.")
    remaining = DecimalOut(help_text="Of it still on hand then.")


class LandedCostSerializer(serializers.Serializer[Any]):
    """One amount that came after the goods, spread over them. A credit note is negative."""

    id = IdOut()
    posting_id = IdOut()
    kind = ChoiceOut(LandedCostKind.choices)
    basis = ChoiceOut(LandedBasis.choices)
    amount = DecimalOut()
    supplier = TextOut(source="supplier.code", allow_null=True, default=None)
    reference = TextOut(source="posting.reference")
    note = TextOut(source="posting.note")
    recorded_at = MomentOut(source="posting.recorded_at")
    shares = LandedShareSerializer(many=True, read_only=True)


class UseCostSerializer(serializers.Serializer[Any]):
    """What used a part of the goods: booked at `recorded`, and worth `true_cost` with what came late."""

    posting_id = IdOut(source="posting.pk")
    kind = ChoiceOut(PostingKind.choices, source="posting.kind")
    reference = TextOut(source="posting.reference")
    quantity = DecimalOut(help_text="Stock unit.")
    share = DecimalOut()
    recorded = DecimalOut(allow_null=True)
    true_cost = DecimalOut(allow_null=True)


class LandedLineSerializer(serializers.Serializer[Any]):
    """What a late cost would do with one received quantity."""

    movement_id = IdOut(source="movement.pk")
    item = TextOut(source="movement.item.sku")
    amount = DecimalOut()
    received = DecimalOut()
    remaining = DecimalOut()
    capitalised = DecimalOut()
    expensed = DecimalOut()
    unit_cost_before = DecimalOut(allow_null=True, help_text="Of the item's stock, rounded to six places.")
    unit_cost_after = DecimalOut(allow_null=True)
    uses = UseCostSerializer(many=True, read_only=True)


class LandedPlanSerializer(serializers.Serializer[Any]):
    """What posting would do now; made by the code that posts."""

    amount = DecimalOut()
    capitalised = DecimalOut()
    expensed = DecimalOut()
    lines = LandedLineSerializer(many=True, read_only=True)


class WhatFor(Body):
    supplier = supplier_reference(required=False, allow_null=True, default=None, help_text="Who is paid.")
    reference = optional_text(100, help_text="Number of the invoice.")
    note = optional_text(500)


class LandedCostInputSerializer(WhatFor):
    """An amount to spread over received goods: those of whole receipts, and single ones of them."""

    amount = DecimalIn(digits=14, signed=True, help_text="Base currency; negative for a credit note.")
    kind = Choice(LANDED_KINDS, required=False, default=LandedCostKind.FREIGHT.value)
    basis = Choice(LANDED_BASES, required=False, default=LandedBasis.VALUE.value)
    posting_ids = serializers.ListField(
        child=Whole(minimum=1),
        required=False,
        default=list,
        max_length=100,
        help_text="All that these receipts brought in.",
    )
    movement_ids = serializers.ListField(
        child=Whole(minimum=1),
        required=False,
        default=list,
        max_length=TARGETS_MAX,
        help_text="Single received quantities.",
    )


class ReceiptPriceSerializer(Body):
    movement_id = Whole(minimum=1, help_text="The received quantity.")
    value = Money(help_text="What all of it cost.")


class PriceCorrectionSerializer(WhatFor):
    """What received goods cost after all."""

    prices = lines_of(ReceiptPriceSerializer, allow_empty=False)


class LandedCostFilter(Filters):
    kind = WordFilter(LandedCostKind)
    supplier = TextFilter(field_name="supplier__code")
    posting_id = IdFilter(field_name="posting_id")
    reference = TextFilter(field_name="posting__reference")

    class Meta:
        model = LandedCost
        fields: list[str] = []


MOVEMENTS = Movement.objects.select_related("item", "posting", "location", "lot")
LANDED = LandedCost.objects.select_related("posting", "supplier").prefetch_related(
    Prefetch("shares", LandedCostShare.objects.select_related("movement__item").order_by("id"))
)


class LandedCostResource(ListOne, Resource):
    """Freight, duty and other costs of received goods, and corrected prices, newest first."""

    queryset = LANDED
    filterset_class = LandedCostFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("inventory.view_landedcost", LandedCostSerializer),
        "retrieve": Endpoint("inventory.view_landedcost", LandedCostSerializer),
        "create": Endpoint(
            "inventory.add_landed_cost", LandedCostSerializer, LandedCostInputSerializer, status=201, is_keyed=True
        ),
        "preview": Endpoint("inventory.add_landed_cost", LandedPlanSerializer, LandedCostInputSerializer),
        "correct_prices": Endpoint(
            "inventory.add_landed_cost", LandedCostSerializer, PriceCorrectionSerializer, status=201, is_keyed=True
        ),
        "preview_prices": Endpoint("inventory.add_landed_cost", LandedPlanSerializer, PriceCorrectionSerializer),
    }

    def create(self, request: Request) -> HttpResponse:
        """Spread an amount over received goods: what is left takes its part, the rest is expensed."""

        def work(key: UUID) -> Reply:
            values = self.values()
            result = add_landed_cost(
                key=key,
                targets=_targets(values),
                amount=values["amount"],
                kind=LandedCostKind(values["kind"]),
                basis=LandedBasis(values["basis"]),
                supplier=find_supplier(values["supplier"]),
                reference=values["reference"],
                note=values["note"],
                actor=request.user,
            )
            return self.reply(LANDED.get(pk=result.landed_cost.pk), replayed=result.replayed)

        return self.answer_once(request, work)

    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:  # noqa: ARG002
        """What a landed cost would do, with what used the goods. Writes nothing."""
        values = self.values()
        find_supplier(values["supplier"])
        plan = preview_landed_cost(
            targets=_targets(values),
            amount=values["amount"],
            kind=LandedCostKind(values["kind"]),
            basis=LandedBasis(values["basis"]),
        )
        return self.answer(_shown(plan))

    @action(detail=False, methods=["post"], url_path="prices")
    def correct_prices(self, request: Request) -> HttpResponse:
        """Set what received goods cost; of goods without a cost it becomes known."""

        def work(key: UUID) -> Reply:
            values = self.values()
            result = correct_prices(
                key=key,
                prices=_prices(values["prices"]),
                supplier=find_supplier(values["supplier"]),
                reference=values["reference"],
                note=values["note"],
                actor=request.user,
            )
            return self.reply(LANDED.get(pk=result.landed_cost.pk), replayed=result.replayed)

        return self.answer_once(request, work)

    @action(detail=False, methods=["post"], url_path="prices/preview")
    def preview_prices(self, request: Request) -> Response:  # noqa: ARG002
        """What corrected prices would do. Writes nothing."""
        values = self.values()
        find_supplier(values["supplier"])
        return self.answer(_shown(preview_prices(prices=_prices(values["prices"]))))


def _targets(values: dict[str, Any]) -> list[Movement]:
    """The received quantities a body names, those of whole receipts first."""
    whole = {
        pk: list(MOVEMENTS.filter(posting=pk, quantity__gt=0).order_by("id"))
        for pk in dict.fromkeys(values["posting_ids"])
    }
    refuse([(("posting_ids",), f"Posting {pk} brought nothing in.") for pk, found in whole.items() if not found])
    single = _movements([(("movement_ids", n), pk) for n, pk in enumerate(values["movement_ids"])])
    return [*(movement for found in whole.values() for movement in found), *single]


def _movements(wanted: list[tuple[Where, int]]) -> list[Movement]:
    found = {movement.pk: movement for movement in MOVEMENTS.filter(pk__in=[pk for _, pk in wanted])}
    refuse([(where, f"There is no movement with id {pk}.") for where, pk in wanted if pk not in found])
    return [found[pk] for _, pk in wanted]


def _prices(lines: list[dict[str, Any]]) -> list[ReceiptPrice]:
    movements = _movements([(("prices", n, "movement_id"), line["movement_id"]) for n, line in enumerate(lines)])
    return [ReceiptPrice(movement, line["value"]) for movement, line in zip(movements, lines, strict=True)]


def _shown(plan: LandedPlan) -> LandedPlan:
    """The plan with unit costs rounded as they are shown; they are derived and otherwise endless."""
    return LandedPlan(plan.amount, [_rounded(line) for line in plan.lines])


def _rounded(line: LandedLine) -> LandedLine:
    return replace(
        line,
        unit_cost_before=_six_places(line.unit_cost_before),
        unit_cost_after=_six_places(line.unit_cost_after),
    )


def _six_places(value: Decimal | None) -> Decimal | None:
    return None if value is None else round_half_up(Fraction(value), PLACES)
