"""What production used beyond or below its standards over a period, over REST."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import Body, Choice, Day, DecimalOut, IdOut, TextOut
from inventory.api.resources import Endpoint, Resource
from inventory.models import Item
from inventory.typed_days import start_of
from production.api.serializers import ROUNDED, FractionOut
from production.reads.variances import (
    CAUSE_WORDS,
    By,
    Usage,
    Yield,
    scrap_by_reason,
    usage,
    usage_in_all,
    yield_in_all,
    yields_of,
)

DAYS_ANSWERED = 90
ROWS_MAX = 1_000
BY = [(one.value, one.value) for one in By]
CAUSES = [(cause, cause) for cause in CAUSE_WORDS]


class VariancesQuery(Body):
    by = Choice(BY, required=False, default=By.PRODUCT.value)
    cause = Choice(CAUSES, required=False, default="", help_text="Only lines of this cause; none: without one.")
    since = Day(required=False, default=None, help_text="First day; 90 days before the last one without it.")
    until = Day(required=False, default=None, help_text="Last day; today without it.")


class UsageSerializer(serializers.Serializer[Any]):
    """Component lines that belong together. Base currency; quantities in the component's stock unit, by component only."""

    item = TextOut(allow_null=True, help_text="SKU of the product or component.")
    cause = TextOut(allow_null=True)
    lines = IdOut()
    differing = IdOut()
    unknown = IdOut(help_text="Lines that differ and have no cost: in none of the sums.")
    standard = DecimalOut(help_text="What the standard would have cost.")
    over = DecimalOut(help_text="More used.")
    under = DecimalOut(help_text="Less used, below zero.")
    variance = DecimalOut()
    percent = FractionOut(allow_null=True, help_text=f"Of the standard. {ROUNDED}")
    spoiled = DecimalOut(help_text="Of what was used.")
    expected = DecimalOut(allow_null=True)
    actual = DecimalOut(allow_null=True)


class YieldSerializer(serializers.Serializer[Any]):
    """Units made and scrapped, and what the scrapped ones cost."""

    key = TextOut(help_text="SKU, reason of scrap, or empty: of all.")
    completions = IdOut()
    good = DecimalOut()
    scrapped = DecimalOut()
    percent = FractionOut(allow_null=True, help_text=f"Good of good and scrapped. {ROUNDED}")
    scrap_cost = DecimalOut()
    unknown = IdOut(help_text="Completions whose scrap has no known cost: not in it.")


class VariancesSerializer(serializers.Serializer[Any]):
    """The largest variance first, at most 1,000 rows."""

    in_all = UsageSerializer()
    made_in_all = YieldSerializer()
    rows = UsageSerializer(many=True)
    yields = YieldSerializer(many=True, help_text="By product, the dearest scrap first, at most 1,000.")
    scrap = YieldSerializer(many=True, help_text="By reason.")


VARIANCE_ENDPOINTS = {"variances": Endpoint("inventory.view_costpool", VariancesSerializer, query=VariancesQuery)}


class VariancesOfPeriod(Resource):
    """Usage, yield and scrap of completions over a period."""

    @action(detail=False, methods=["get"])
    def variances(self, request: Request) -> Response:  # noqa: ARG002
        """What was used beyond or below the standards in money, yield and the cost of scrap."""
        asked = self.parameters()
        until = asked["until"] or timezone.localdate()
        since = asked["since"] or until - timedelta(days=DAYS_ANSWERED)
        if since > until:
            raise ValidationError({"since": [f"{since} is after {until}. Give a first day before the last one."]})
        start, end = start_of(since), start_of(until + timedelta(days=1))
        by = By(asked["by"])
        rows = usage(by=by, cause=asked["cause"], since=start, until=end)[:ROWS_MAX]
        made = sorted(yields_of(since=start, until=end).values(), key=lambda one: (-one.scrap_cost, one.key))[:ROWS_MAX]
        ids = {int(one.key) for one in made} | (set() if by is By.CAUSE else {int(one.key) for one in rows})
        skus = dict(Item.objects.filter(pk__in=ids).values_list("pk", "sku"))
        return self.answer(
            {
                "in_all": _usage(usage_in_all(since=start, until=end), None, None),
                "made_in_all": yield_in_all(since=start, until=end),
                "rows": [
                    _usage(one, None, one.key) if by is By.CAUSE else _usage(one, skus[int(one.key)], None)
                    for one in rows
                ],
                "yields": [_yield(one, skus[int(one.key)]) for one in made],
                "scrap": scrap_by_reason(since=start, until=end),
            }
        )


def _usage(one: Usage, item: str | None, cause: str | None) -> dict[str, Any]:
    names = ("lines", "differing", "unknown", "standard", "over", "under", "variance", "percent", "spoiled")
    return {
        "item": item,
        "cause": cause,
        **{name: getattr(one, name) for name in names},
        "expected": one.expected,
        "actual": one.actual,
    }


def _yield(one: Yield, sku: str) -> dict[str, Any]:
    names = ("completions", "good", "scrapped", "percent", "scrap_cost", "unknown")
    return {"key": sku, **{name: getattr(one, name) for name in names}}
