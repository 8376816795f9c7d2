"""How channels are read back and what follows from differences, over the REST API."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Answer

from channels_sync.api.filters import ChannelFilter
from channels_sync.drift import Response
from channels_sync.models import Channel, DriftSetting
from channels_sync.operations.deciding_differences import set_drift
from inventory.api.fields import Body, Choice, ChoiceOut, IdOut, TextOut, Whole
from inventory.api.resources import Endpoint, Resource

TOLD_OR_LEFT = [(one.value, one.value) for one in (Response.ALERT, Response.LEAVE)]
OR_OVERWRITTEN = [(one.value, one.value) for one in (Response.ALERT, Response.OVERWRITE, Response.LEAVE)]
OR_ADOPTED = [(one.value, one.value) for one in (Response.ALERT, Response.OVERWRITE, Response.ADOPT, Response.LEAVE)]


class DriftSettingSerializer(serializers.Serializer[Any]):
    """How one channel is read back; the defaults where nobody set anything."""

    id = IdOut(source="channel_id", help_text="Of the channel.")
    channel = TextOut(source="channel.code")
    settle_minutes = IdOut(help_text="How long the channel may take; a younger difference is only watched.")
    sample_rows = IdOut(help_text="Listings read back every five minutes.")
    lost_lowering = ChoiceOut(OR_OVERWRITTEN)
    lost_raise = ChoiceOut(OR_OVERWRITTEN)
    edited = ChoiceOut(OR_ADOPTED)
    sold = ChoiceOut(TOLD_OR_LEFT)
    mapping = ChoiceOut(TOLD_OR_LEFT)
    unexplained = ChoiceOut(TOLD_OR_LEFT)


class DriftSettingInputSerializer(Body):
    settle_minutes = Whole(required=False, maximum=2_880)
    sample_rows = Whole(required=False, minimum=1, maximum=200)
    lost_lowering = Choice(OR_OVERWRITTEN, required=False, help_text="A lower figure that never arrived.")
    lost_raise = Choice(OR_OVERWRITTEN, required=False, help_text="A higher figure that never arrived.")
    edited = Choice(OR_ADOPTED, required=False, help_text="A figure changed on the channel.")
    sold = Choice(TOLD_OR_LEFT, required=False, help_text="Orders not imported yet explain it.")
    mapping = Choice(TOLD_OR_LEFT, required=False, help_text="The listing is linked to the wrong item.")
    unexplained = Choice(TOLD_OR_LEFT, required=False)


class DriftSettingResource(Resource):
    """How channels are read back, by the id of the channel."""

    queryset = Channel.objects.all()
    filterset_class = ChannelFilter
    endpoints = {
        "list": Endpoint("channels_sync.view_difference", DriftSettingSerializer),
        "retrieve": Endpoint("channels_sync.view_difference", DriftSettingSerializer),
        "partial_update": Endpoint(
            "channels_sync.change_driftsetting", DriftSettingSerializer, DriftSettingInputSerializer
        ),
    }

    def list(self, request: Request) -> Answer:  # noqa: ARG002
        """Page by page; `next` and `previous` are the addresses of the pages around this one."""
        found = _settings(self.page())
        answer: Answer = self.get_paginated_response(self.get_serializer(found, many=True).data)
        return answer

    def retrieve(self, request: Request, id: str) -> Answer:  # noqa: ARG002
        """One channel by its id."""
        return self.answer(_settings([self.get_object()])[0])

    def partial_update(self, request: Request, id: str) -> Answer:  # noqa: ARG002
        """Change what is named; the rest stays."""
        channel: Channel = self.get_object()
        return self.answer(set_drift(channel=channel, values=self.values(partial=True), actor=request.user))


def _settings(channels: Sequence[Channel]) -> Sequence[DriftSetting]:
    known = DriftSetting.objects.select_related("channel").in_bulk([channel.pk for channel in channels])
    return [known.get(channel.pk) or DriftSetting(channel=channel) for channel in channels]
