"""How sending is doing, its hours and its pace, over the REST API."""

from collections.abc import Sequence
from datetime import time
from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from channels_sync.api.filters import ChannelFilter
from channels_sync.models import Channel, ChannelMode, SendingWindow, WindowKind, WindowScope
from channels_sync.operations.deciding import pause_all, resume_all
from channels_sync.operations.giving_up import retry_given_up
from channels_sync.operations.metering import account_of_channel
from channels_sync.operations.scheduling import add_window, remove_window, set_sending
from channels_sync.reads.sending import AGES_SECONDS, ChannelSending, sending_of, zone_of
from inventory.api.fields import (
    Body,
    Choice,
    ChoiceOut,
    DecimalOut,
    IdOut,
    MomentOut,
    Nothing,
    Text,
    TextOut,
    Whole,
    optional_text,
)
from inventory.api.filters import Filters, TextFilter
from inventory.api.references import find_one
from inventory.api.resources import Endpoint, ListOne, Resource

STATES = [
    (state, state) for state in ("off", "shadow", "paused", "quiet", "silent", "throttled", "lowering", "sending")
]


class PublishingSerializer(serializers.Serializer[Any]):
    """How sending to one channel is doing."""

    id = IdOut(source="channel.pk")
    channel = TextOut(source="channel.code")
    mode = ChoiceOut(ChannelMode.choices, source="channel.mode")
    state = ChoiceOut(STATES, help_text="What happens now.")
    pause_reason = TextOut(source="channel.pause_reason")
    paused_at = MomentOut(source="channel.paused_at", allow_null=True)
    flow = serializers.SerializerMethodField(help_text="What its hours let out: nothing, lowering, everything.")
    flow_until = MomentOut(allow_null=True, help_text="When that changes; null: not within eight days.")
    time_zone = serializers.SerializerMethodField(help_text="The clock of its hours.")
    waiting = IdOut(source="backlog.waiting", help_text="Listings whose newest figure was not sent yet.")
    waiting_by_age = serializers.SerializerMethodField(
        help_text="Listings by seconds waited: up to the bound, and older."
    )
    retrying = IdOut(source="backlog.retrying", help_text="Of those, the ones that failed before.")
    on_the_way = IdOut(source="backlog.on_the_way")
    given_up = IdOut(source="backlog.given_up", help_text="Failed too often; not sent by itself any more.")
    unconfirmed = IdOut(source="backlog.unconfirmed", help_text="Accepted, not read back yet.")
    oldest_waiting_at = MomentOut(source="backlog.oldest_waiting_at", allow_null=True)
    oldest_unconfirmed_at = MomentOut(source="backlog.oldest_unconfirmed_at", allow_null=True)
    last_confirmed_at = MomentOut(source="channel.last_confirmed_at", allow_null=True)
    next_sending_at = MomentOut(allow_null=True, help_text="Null: nothing waits, or nobody knows.")
    last_error = TextOut(source="channel.last_error")
    last_error_at = MomentOut(source="channel.last_error_at", allow_null=True)
    allowance = serializers.SerializerMethodField(
        help_text="The bucket of the channel's account, shared with its other channels; null: not called yet."
    )

    def get_flow(self, one: ChannelSending) -> str:
        return one.flow.name.lower()

    def get_time_zone(self, one: ChannelSending) -> str:
        return zone_of(one.channel).key

    def get_waiting_by_age(self, one: ChannelSending) -> dict[str, int]:
        names = [*(f"up_to_{seconds}" for seconds in AGES_SECONDS), "older"]
        return dict(zip(names, one.backlog.ages, strict=True))

    def get_allowance(self, one: ChannelSending) -> dict[str, Any] | None:
        if one.allowance is None:
            return None
        return AllowanceSerializer(one.allowance).data


class AllowanceSerializer(serializers.Serializer[Any]):
    """Points that calls are paid from."""

    account = TextOut()
    points = DecimalOut()
    points_max = DecimalOut()
    refill_per_second = DecimalOut()
    share_percent = IdOut()
    failures = IdOut(help_text="Calls in a row that found nobody there.")
    failing_since = MomentOut(allow_null=True)
    quiet_until = MomentOut(allow_null=True, help_text="Nobody calls before.")


class PauseSerializer(Body):
    reason = optional_text(200, help_text="For whoever resumes.")


class PaceSerializer(Body):
    time_zone = optional_text(64, help_text="Such as Europe/Berlin; empty: the company's.")
    share_percent = Whole(minimum=1, maximum=100, help_text="Of the account's allowance, for all its channels.")


class CountSerializer(serializers.Serializer[Any]):
    count = IdOut()


class WindowSerializer(serializers.Serializer[Any]):
    """Hours of the week in which figures go out or do not."""

    id = IdOut()
    channel = TextOut(source="channel.code")
    kind = ChoiceOut(WindowKind.choices)
    scope = ChoiceOut(WindowScope.choices)
    weekdays = TextOut(help_text="Digits; 0 is Monday.")
    starts_at = serializers.TimeField(format="%H:%M", read_only=True)
    ends_at = serializers.TimeField(format="%H:%M", read_only=True)
    reason = TextOut()


def _clock(**kwargs: Any) -> Text:
    return Text(length_max=5, validators=[RegexValidator(r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")], **kwargs)


class WindowInputSerializer(Body):
    channel = Text(length_max=32, help_text="Code of a channel.")
    kind = Choice(WindowKind.choices)
    scope = Choice(WindowScope.choices)
    weekdays = Text(length_max=7, validators=[RegexValidator(r"^[0-6]+\Z")], help_text="Digits; 0 is Monday.")
    starts_at = _clock(help_text="Such as 22:00, on the channel's clock.")
    ends_at = _clock(help_text="Not later than the start: of the next day.")
    reason = optional_text(200)


class WindowFilter(Filters):
    channel = TextFilter(field_name="channel__code")

    class Meta:
        model = SendingWindow
        fields: list[str] = []


class PublishingResource(Resource):
    """Sending, channel by channel, and the switch for all of them."""

    queryset = Channel.objects.all()
    filterset_class = ChannelFilter
    endpoints = {
        "list": Endpoint("channels_sync.view_sendingwindow", PublishingSerializer),
        "retrieve": Endpoint("channels_sync.view_sendingwindow", PublishingSerializer),
        "pause_all": Endpoint("channels_sync.pause_channel", CountSerializer, PauseSerializer),
        "resume_all": Endpoint("channels_sync.pause_channel", CountSerializer, Nothing),
        "pace": Endpoint("channels_sync.change_sendingwindow", PublishingSerializer, PaceSerializer),
        "retry": Endpoint("channels_sync.change_listing", CountSerializer, Nothing),
    }

    def list(self, request: Request) -> Response:  # noqa: ARG002
        """Page by page; `next` and `previous` are the addresses of the pages around this one."""
        found = _sending(self.page())
        answer: Response = self.get_paginated_response(self.get_serializer(found, many=True).data)
        return answer

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """One channel by its id."""
        return self._of(self.get_object())

    @action(detail=False, methods=["post"], url_path="pause-all")
    def pause_all(self, request: Request) -> Response:
        """Send nothing anywhere until it is resumed. Figures are still worked out. Answers the channels that were sending."""
        return self.answer({"count": pause_all(actor=request.user, **self.values())})

    @action(detail=False, methods=["post"], url_path="resume-all")
    def resume_all(self, request: Request) -> Response:
        """Resume the channels that were paused together; those paused by themselves only when there are no others."""
        self.values()
        return self.answer({"count": resume_all(actor=request.user)})

    @action(detail=True, methods=["post"])
    def pace(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Set the clock of the channel's hours and our share of its account's allowance."""
        channel: Channel = self.get_object()
        return self._of(set_sending(channel=channel, actor=request.user, **self.values()))

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Send what was given up once more. Answers the listings."""
        channel: Channel = self.get_object()
        self.values()
        return self.answer({"count": retry_given_up(channel=channel, actor=request.user)})

    def _of(self, channel: Channel) -> Response:
        return self.answer(_sending([channel])[0])


def _sending(channels: Sequence[Channel]) -> Sequence[ChannelSending]:
    return sending_of(channels=channels, accounts=[account_of_channel(channel) for channel in channels])


class SendingWindowResource(ListOne, Resource):
    """Hours of the week in which channels are told things, or not."""

    queryset = SendingWindow.objects.select_related("channel")
    filterset_class = WindowFilter
    endpoints = {
        "list": Endpoint("channels_sync.view_sendingwindow", WindowSerializer),
        "retrieve": Endpoint("channels_sync.view_sendingwindow", WindowSerializer),
        "create": Endpoint("channels_sync.change_sendingwindow", WindowSerializer, WindowInputSerializer, status=201),
        "destroy": Endpoint("channels_sync.change_sendingwindow", status=204),
    }

    def create(self, request: Request) -> Response:
        """Add hours. The same hours again change nothing."""
        values = self.values()
        channel = find_one(Channel, "code", where=("channel",), name=values.pop("channel"), what="channel")
        for name in ("starts_at", "ends_at"):
            values[name] = time.fromisoformat(values[name])
        made = add_window(channel=channel, actor=request.user, **values)
        return self.answer(self.get_queryset().get(pk=made.pk))

    def destroy(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Remove hours; what they kept back goes out."""
        remove_window(window=self.get_object(), actor=request.user)
        return Response(status=204)
