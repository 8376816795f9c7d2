"""Reports of places we do not run."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from inventory.api.fields import (
    Body,
    Choice,
    ChoiceOut,
    Day,
    DecimalOut,
    Flag,
    FlagOut,
    Moment,
    MomentOut,
    Quantity,
    TextOut,
    WordsOut,
    item_reference,
    lines_of,
    location_reference,
    optional_text,
)
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_locations, in_stock_units
from inventory.api.resources import Endpoint, Resource
from inventory.api.serializers import UNIT_HELP, PostingSerializer
from inventory.api.stock import POSTINGS
from inventory.models import StockStatus
from inventory.operations.reporting import ReportedQuantity, report_external_stock


class ReportedLineSerializer(Body):
    """What the report says of one item; zero is a figure."""

    item = item_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    location = location_reference(
        required=False, allow_null=True, default=None, help_text="A bin of the place; left out: the place as a whole."
    )
    lot = optional_text(64, help_text="Left out: the sum over all lots.")
    status = Choice(StockStatus.choices, required=False, default=StockStatus.AVAILABLE.value)
    expires_on = Day(required=False, allow_null=True, default=None)


class ExternalStockSerializer(Body):
    """What a logistics partner or a channel says to have held at a moment."""

    location = location_reference()
    as_of = Moment()
    lines = lines_of(ReportedLineSerializer, allow_empty=True)
    is_complete = Flag(
        required=False,
        default=False,
        help_text="What the report does not name is not there. Otherwise it stays as it is.",
    )
    reference = optional_text(100)
    note = optional_text(500)


class ReportedDifferenceSerializer(serializers.Serializer[Any]):
    """Where the report and the book differed as of the report's time."""

    item = TextOut(source="item.sku")
    location = TextOut(source="location.code")
    lot = TextOut(source="lot_code")
    status = ChoiceOut(StockStatus.choices)
    booked = DecimalOut()
    reported = DecimalOut()


class ExternalStockAnswerSerializer(serializers.Serializer[Any]):
    """What the report changed. The posting is null when it said what the book says."""

    posting = PostingSerializer(read_only=True, allow_null=True)
    differences = ReportedDifferenceSerializer(many=True, read_only=True)
    unnamed = WordsOut(help_text="SKUs on hand there that the report left out; they stay as they are.")
    confirms = FlagOut(help_text="Whether the figures of the place count as confirmed as of then.")
    as_of = MomentOut()


class ExternalStockResource(Resource):
    """Reports of places we do not run: third-party logistics, stock held by a channel."""

    queryset = POSTINGS
    endpoints = {
        "create": Endpoint(
            "inventory.adjust_stock", ExternalStockAnswerSerializer, ExternalStockSerializer, status=201, is_keyed=True
        )
    }

    def create(self, request: Request) -> HttpResponse:
        """Bring the book of a place to what it reports to have held; all lines or none."""

        def work(key: UUID) -> Reply:
            values = self.values()
            (place,) = find_locations([(("location",), values.pop("location"))])
            lines = _lines(values.pop("lines"))
            result = report_external_stock(key=key, location=place, lines=lines, actor=request.user, **values)
            answer = {
                "posting": None if result.posting is None else POSTINGS.get(pk=result.posting.pk),
                "differences": result.differences,
                "unnamed": result.unnamed,
                "confirms": result.confirms,
                "as_of": result.as_of,
            }
            return self.reply(answer, replayed=result.replayed)

        return self.answer_once(request, work)


def _lines(lines: list[dict[str, Any]]) -> list[ReportedQuantity]:
    items = find_items([(("lines", n, "item"), line["item"]) for n, line in enumerate(lines)])
    named = [(n, line["location"]) for n, line in enumerate(lines) if line["location"] is not None]
    found = find_locations([(("lines", n, "location"), name) for n, name in named])
    bins = {n: place for (n, _), place in zip(named, found, strict=True)}
    quantities = in_stock_units(
        [(item, line["quantity"], line["unit"]) for item, line in zip(items, lines, strict=True)]
    )
    return [
        ReportedQuantity(
            item=item,
            quantity=quantity,
            location=bins.get(n),
            lot_code=line["lot"],
            status=line["status"],
            expires_on=line["expires_on"],
        )
        for n, (line, item, quantity) in enumerate(zip(lines, items, quantities, strict=True))
    ]
