"""What is due to be counted and why, and how right the records were, for programs: the reads of the two pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import Body, ChoiceOut, DayOut, DecimalOut, IdOut, MomentOut, Text, TextOut, WordsOut
from inventory.api.references import find_locations
from inventory.api.resources import Endpoint
from inventory.counting import Accuracy
from inventory.models import StockStatus
from inventory.reads.count_plan import REASONS, ROWS_MAX, DueCell, count_plan, ranked_at
from inventory.reads.counts import CauseRow, accuracy_report

UNSEEN = "Null for whoever may not see stock."


# --- What is due ------------------------------------------------------------------------------------------------------


class DueQuery(Body):
    location = Text(
        length_max=64, required=False, default="", help_text="Code of a place: what stands there and below."
    )
    rows = serializers.RegexField(
        "^([1-9]|[1-9][0-9]|[1-4][0-9][0-9]|500)$", required=False, default="100", help_text=f"1 to {ROWS_MAX}."
    )


class DueCellSerializer(serializers.Serializer[Any]):
    """A cell that is due. Quantities are in the item's stock unit."""

    item = TextOut(source="cell.sku")
    item_id = IdOut(source="cell.item_id")
    name = TextOut(source="cell.name")
    unit = TextOut(source="cell.unit")
    location = TextOut(source="cell.location_code")
    location_id = IdOut(source="cell.location_id")
    lot = TextOut(source="cell.lot_code")
    lot_id = IdOut(source="cell.lot_id")
    status = ChoiceOut(StockStatus.choices, source="cell.status")
    group = TextOut(source="cell.group", help_text="Class A, B or C.")
    reasons = WordsOut(source="cell.reasons", help_text=f"The most urgent first: {', '.join(REASONS)}.")
    last_counted_at = MomentOut(source="cell.last_counted_at", allow_null=True)
    due_on = DayOut(source="cell.due_on", allow_null=True, help_text="By its class; null: never counted.")
    sheet = TextOut(source="cell.sheet", help_text="Number of the unfinished sheet that has it; empty: none.")
    on_hand = DecimalOut(allow_null=True, help_text=UNSEEN)
    moved = DecimalOut(allow_null=True, help_text=f"Since its last count, in and out added up, where much. {UNSEEN}")
    off_by = DecimalOut(
        allow_null=True, help_text=f"How many tolerances its last count was off, where suspicious. {UNSEEN}"
    )


class DueSerializer(serializers.Serializer[Any]):
    """Cells to count, the most urgent first."""

    ranked_at = MomentOut(allow_null=True, help_text="When items were put in order last; null: never.")
    cells = DueCellSerializer(many=True, read_only=True)


@dataclass(frozen=True, slots=True)
class _SeenCell:
    """A cell as somebody may see it: figures only for whoever may see stock."""

    cell: DueCell
    sees: bool

    @property
    def on_hand(self) -> Decimal | None:
        return self.cell.on_hand if self.sees else None

    @property
    def moved(self) -> Decimal | None:
        return self.cell.moved if self.sees else None

    @property
    def off_by(self) -> Decimal | None:
        return self.cell.off_by if self.sees else None


# --- How right the records were ---------------------------------------------------------------------------------------


class AccuracyQuery(Body):
    months = serializers.RegexField(
        "^([1-9]|1[0-9]|2[0-4])$", required=False, default="12", help_text="1 to 24, the present one included."
    )


class AccuracySerializer(serializers.Serializer[Any]):
    """Lines within their tolerance of the lines that were counted; nothing is netted."""

    group = TextOut(help_text="Class A, B or C; empty: all of them.")
    within = IdOut()
    counted = IdOut()
    percent = DecimalOut(allow_null=True, help_text="0 to 100, to two places; null: nothing was counted.")


class AccuracyMonthSerializer(serializers.Serializer[Any]):
    month = DayOut(help_text="Its first day.")
    groups = AccuracySerializer(many=True, read_only=True)


class CauseOfVarianceSerializer(serializers.Serializer[Any]):
    """What variances came from."""

    cause = TextOut(help_text="Empty: not explained yet.")
    name = TextOut()
    lines = IdOut()
    value = DecimalOut(allow_null=True, help_text=f"Signed, base currency; the known part. {UNSEEN}")
    unknown = IdOut(help_text="Lines of which the cost is not known.")


class AccuracyReportSerializer(serializers.Serializer[Any]):
    """Record accuracy: all of the time asked about, then month by month, the newest first."""

    groups = AccuracySerializer(many=True, read_only=True)
    months = AccuracyMonthSerializer(many=True, read_only=True)
    causes = CauseOfVarianceSerializer(many=True, read_only=True)


_HUNDREDTH = Decimal("0.01")


def _accuracy(group: str, found: Accuracy) -> Mapping[str, Any]:
    percent = found.percent
    exact = None if percent is None else Decimal(percent.numerator) / percent.denominator
    return {
        "group": group,
        "within": found.within,
        "counted": found.counted,
        "percent": None if exact is None else exact.quantize(_HUNDREDTH),
    }


def _cause(row: CauseRow, *, sees: bool) -> Mapping[str, Any]:
    value = row.value if sees else None
    return {"cause": row.cause, "name": row.label, "lines": row.lines, "value": value, "unknown": row.unknown}


class CountReports:
    """Part of the resource of count sheets: what should be on the next ones, and what came of those that are done."""

    @action(detail=False, methods=["get"])
    def due(self: Any, request: Request) -> Response:
        """Cells that are due to be counted, with the reasons."""
        values = self.parameters()
        within = "/"
        if values["location"]:
            (place,) = find_locations([(("location",), values["location"])])
            within = place.path
        sees = request.user.has_perm("inventory.view_stockbalance")
        cells = count_plan(within=within, rows_max=int(values["rows"]))
        answer: Response = self.answer({"ranked_at": ranked_at(), "cells": [_SeenCell(cell, sees) for cell in cells]})
        return answer

    @action(detail=False, methods=["get"])
    def accuracy(self: Any, request: Request) -> Response:
        """How many of the lines counted in a month were within their tolerance, by class; and what the others came from."""
        report = accuracy_report(months=int(self.parameters()["months"]))
        sees = request.user.has_perm("inventory.view_stockbalance")
        answer: Response = self.answer(
            {
                "groups": [_accuracy("", report.total), *(_accuracy(*one) for one in report.by_group)],
                "months": [
                    {
                        "month": month.month,
                        "groups": [_accuracy("", month.total), *(_accuracy(*one) for one in month.by_group)],
                    }
                    for month in report.months
                ],
                "causes": [_cause(row, sees=sees) for row in report.causes],
            }
        )
        return answer


COUNT_REPORTS = {
    "due": Endpoint("inventory.plan_counts", DueSerializer, query=DueQuery),
    "accuracy": Endpoint("inventory.view_countsheet", AccuracyReportSerializer, query=AccuracyQuery),
}
