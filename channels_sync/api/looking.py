"""How long publishing takes, how large buffers have to be and how an order came to be oversold, over the REST API: read only."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from channels_sync.allocation.advising import RISK_DEFAULT
from channels_sync.forensics import Gap, Stage, gap_of, stages_of
from channels_sync.models import Channel, ChannelMode, Listing
from channels_sync.reads.buffers import buffer_book
from channels_sync.reads.latency import channel_latency, slowest_publishes
from channels_sync.reads.oversell import inquire
from inventory.api.fields import Body, ChoiceOut, DecimalOut, FlagOut, IdOut, MomentOut, TextOut
from inventory.api.filters import Filters, IdFilter, Rows, TextFilter
from inventory.api.resources import Endpoint, Resource
from inventory.api.valuing import MomentInAddress

SLOWEST = 20
GAPS = [(gap.value, gap.value) for gap in Gap]
STAGES = [(stage.value, stage.value) for stage in Stage]
HUNDRED = Decimal(100)

# --- Latency ----------------------------------------------------------------------------------------------------------


class LatencyQuery(Body):
    days = serializers.RegexField("^([1-9]|[1-8][0-9]|90)$", required=False, default="7", help_text="1 to 90.")


class StageSerializer(serializers.Serializer[Any]):
    """One stage in seconds, as measured: half, nine of ten and ninety-nine of a hundred took no longer."""

    stage = TextOut(help_text="absorbing, queueing, sending, confirming, and whole: all of it.")
    measured = IdOut()
    median = DecimalOut()
    ninety = DecimalOut()
    ninety_nine = DecimalOut()
    worst = DecimalOut()


class SlowPublishSerializer(serializers.Serializer[Any]):
    """A figure that took long from the change of stock until it was read back; seconds."""

    publication_id = IdOut(source="line_id")
    listing_id = IdOut()
    external_sku = TextOut()
    run_id = IdOut()
    version = IdOut()
    recorded_at = MomentOut()
    absorbing = DecimalOut(allow_null=True)
    queueing = DecimalOut(allow_null=True)
    sending = DecimalOut(allow_null=True)
    confirming = DecimalOut(allow_null=True)
    whole = DecimalOut()


class LatencySerializer(serializers.Serializer[Any]):
    """How long publishing to a channel took. Stages nothing was measured of are left out."""

    channel = TextOut()
    since = MomentOut()
    until = MomentOut()
    stages = StageSerializer(many=True, read_only=True)
    slowest = SlowPublishSerializer(many=True, read_only=True)


class LatencyOfChannel:
    """The part of the channels' resource that tells latency."""

    @action(detail=True, methods=["get"])
    def latency(self: Any, request: Request, id: str) -> Response:  # noqa: ARG002
        """Each stage from the change of stock to the figure read back, and the slowest figures, over the last days."""
        channel: Channel = self.get_object()
        until = timezone.now()
        since = until - timedelta(days=int(self.parameters()["days"]))
        asked: dict[str, Any] = {"since": since, "until": until, "channel_id": channel.pk}
        answer: Response = self.answer(
            {
                "channel": channel.code,
                "since": since,
                "until": until,
                "stages": channel_latency(**asked).get(channel.pk, ()),
                "slowest": slowest_publishes(**asked, limit=SLOWEST),
            }
        )
        return answer


# --- An oversold order ------------------------------------------------------------------------------------------------


class OversellQuery(Body):
    at = MomentInAddress(help_text="When the channel took the order; not in the future.")
    quantity = serializers.RegexField("^[1-9][0-9]{0,8}$", required=False, default="1", help_text="Units sold.")


class ChangeSerializer(serializers.Serializer[Any]):
    """A posting the channel's figure did not contain, and when it came how far. Stock units, signed."""

    posting_id = IdOut()
    quantity = DecimalOut()
    stood_in = TextOut(allow_null=True, help_text="The gap it stood in at that moment; null: the channel knew of it.")
    stood_seconds = DecimalOut(allow_null=True, help_text="For how long by then; null: the channel knew of it.")
    happened_at = MomentOut()
    recorded_at = MomentOut()
    held_at = MomentOut(allow_null=True)
    decided_at = MomentOut(allow_null=True)
    absorbed_at = MomentOut(allow_null=True)
    sent_at = MomentOut(allow_null=True)
    accepted_at = MomentOut(allow_null=True)
    confirmed_at = MomentOut(allow_null=True)


class StageTimeSerializer(serializers.Serializer[Any]):
    """One stage of the way of a change that had begun by the sale."""

    stage = ChoiceOut(STAGES)
    by_sale = DecimalOut(help_text="Seconds it had lasted when the order came.")
    whole = DecimalOut(allow_null=True, help_text="Seconds in all; null: it never ended.")
    is_open = FlagOut(help_text="Whether the change stood in it when the order came.")


class DelaySerializer(serializers.Serializer[Any]):
    """The change that took most units through the guilty gap, stage by stage; the last stage is where it stood."""

    posting_id = IdOut()
    quantity = DecimalOut(help_text="Stock units.")
    stood_seconds = DecimalOut(source="guilty.by_sale")
    stages = StageTimeSerializer(many=True, read_only=True)


class PreventionSerializer(serializers.Serializer[Any]):
    """The buffer that would have prevented it, in stock units, worked out from the quantities of that time."""

    units = DecimalOut(allow_null=True, help_text="Null: no buffer would have.")
    present = DecimalOut(help_text="What it was.")
    deliverable = IdOut(help_text="The largest figure that could have been kept, in units of the listing.")
    shows = IdOut(allow_null=True, help_text="What would have been shown with it.")
    how = TextOut(help_text="The arithmetic, in words.")


class OversellSerializer(serializers.Serializer[Any]):
    """Which gap made a sale possible that could not be delivered, and what would have prevented it."""

    listing_id = IdOut()
    at = MomentOut()
    quantity = IdOut()
    verdict = ChoiceOut(GAPS)
    in_words = TextOut()
    prevention = TextOut()
    late = DecimalOut(help_text="Stock units that were gone without the channel knowing.")
    delay = DelaySerializer(allow_null=True, read_only=True, help_text="Null: nothing was on its way.")
    ordinary_seconds = DecimalOut(
        allow_null=True, help_text="What 99 of 100 publishes took at most; null: too few were measured."
    )
    buffer = PreventionSerializer(
        allow_null=True, read_only=True, help_text="Null: no figure had a part in it, or none was needed."
    )
    stock = DecimalOut(help_text="Stock units at the listing's sources then, as the ledger says today.")
    shown = IdOut(allow_null=True, help_text="What the channel had accepted last; null: nothing yet.")
    paused_since = MomentOut(allow_null=True)
    changes = ChangeSerializer(many=True, read_only=True)
    publication_ids = serializers.ListField(
        child=serializers.IntegerField(), read_only=True, help_text="The figures from then on, oldest first."
    )


class OversellOfListing:
    """The part of the listings' resource that looks into an oversold order."""

    @action(detail=True, methods=["get"])
    def oversell(self: Any, request: Request, id: str) -> Response:  # noqa: ARG002
        """How a sale came about that could not be delivered."""
        listing: Listing = self.get_object()
        values = self.parameters()
        if values["at"] > timezone.now():
            raise ValidationError({"at": ["This moment is still to come. Give when the channel took the order."]})
        found = inquire(listing=listing, moment=values["at"], quantity=int(values["quantity"]))
        case, verdict = found.case, found.verdict
        changes = [
            {
                **{name: getattr(one, name) for name in one.__slots__},
                "stood_in": (gap := gap_of(one, case)),
                "stood_seconds": stages_of(one, case.moment)[-1].by_sale if gap else None,
            }
            for one in case.changes
        ]
        answer: Response = self.answer(
            {
                "listing_id": listing.pk,
                "at": case.moment,
                "quantity": case.quantity,
                "verdict": verdict.gap,
                "in_words": verdict.words,
                "prevention": verdict.prevention,
                "late": verdict.late,
                "delay": verdict.delay,
                "ordinary_seconds": case.ordinary_seconds,
                "buffer": verdict.buffer,
                "stock": case.stock,
                "shown": case.shown,
                "paused_since": case.paused_since,
                "changes": changes,
                "publication_ids": [line.pk for line in found.lines],
            }
        )
        return answer


# --- Buffers ----------------------------------------------------------------------------------------------------------


class AdvisedBufferSerializer(serializers.Serializer[Any]):
    """The buffer of a listing beside the one advised. Stock units but `shown`, which is in units of the listing."""

    id = IdOut(source="listing_id", help_text="Of the listing.")
    external_sku = TextOut()
    channel_id = IdOut()
    item_id = IdOut()
    unit = TextOut()
    present = DecimalOut()
    deciding = TextOut(help_text="The term of the rule that makes it; empty: none.")
    shown = IdOut()
    advised = DecimalOut(allow_null=True, help_text="Null: see `refusal`.")
    difference = DecimalOut()
    refusal = TextOut(source="advice.refusal", help_text="Why nothing is advised.")
    is_counted = FlagOut(source="advice.is_counted", help_text="Whether errors of counts are in it.")
    hidden = DecimalOut(source="cost.hidden", allow_null=True, default=None)
    hidden_percent = DecimalOut(source="cost.percent", allow_null=True, default=None, help_text="Of the stock.")
    lost_a_day = DecimalOut(source="cost.lost_a_day", allow_null=True, default=None)
    others_sell_a_day = DecimalOut(source="late_a_day", allow_null=True)


class ChanceFilter(TextFilter):
    described = {"type": "string", "format": "decimal", "pattern": r"^[0-9]{1,2}(\.[0-9]{1,2})?$"}
    wanted = "Give a percentage from 0.01 to 50, such as 1."

    @staticmethod
    def parse(text: str) -> object:
        if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,2})?", text):
            return None
        chance = Decimal(text)
        return chance if Decimal("0.01") <= chance <= 50 else None


def _unchanged(rows: Rows, name: str, value: object) -> Rows:  # noqa: ARG001
    """This parameter says what is answered about the rows, not which."""
    return rows


class AdviceFilter(Filters):
    channel = TextFilter(field_name="channel__code")
    item = TextFilter(field_name="item__sku")
    listing_id = IdFilter(field_name="pk")
    chance = ChanceFilter(method=_unchanged, help_text="Chance of overselling in percent; 1 when left out.")

    class Meta:
        model = Listing
        fields: list[str] = []


class BufferAdviceResource(Resource):
    """The smallest buffer of each listing that keeps the chance of overselling under the one asked for."""

    queryset = Listing.objects.filter(is_active=True).exclude(channel__mode=ChannelMode.OFF)
    filterset_class = AdviceFilter
    endpoints = {"list": Endpoint("channels_sync.view_allocationpolicy", AdvisedBufferSerializer)}

    def list(self, request: Request) -> Response:
        """Page by page; `next` and `previous` are the addresses of the pages around this one."""
        found: list[Listing] = self.page()
        asked = request.query_params.get("chance")
        risk = Decimal(asked) / HUNDRED if asked else RISK_DEFAULT
        book = buffer_book(risk=risk, listing_ids=[one.pk for one in found])
        rows = sorted(book.rows, key=lambda row: row.listing_id)
        answer: Response = self.get_paginated_response(self.get_serializer(rows, many=True).data)
        return answer
