"""Limits of the guard, the mode of a channel and what a switch would send, over the REST API."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from channels_sync.api.filters import ChannelFilter
from channels_sync.api.serializers import ChannelSerializer
from channels_sync.models import SENDING, Channel, ChannelGuard, ChannelMode
from channels_sync.operations.controlling import set_channel_mode
from channels_sync.operations.deciding import set_guard
from channels_sync.operations.first_looks import take_first_look
from channels_sync.operations.rehearsing import outlook_of_automatic
from inventory.api.fields import (
    Body,
    Choice,
    DecimalIn,
    DecimalOut,
    Flag,
    FlagOut,
    IdOut,
    Nothing,
    TextOut,
    Whole,
    WordsOut,
    optional_text,
)
from inventory.api.resources import Endpoint, Resource, check_by_model
from inventory.errors import WrongState

LOOK_SECONDS = 20.0
CHANGES_MAX = 500
"""Changes named of a switch; its figures are of all."""


class GuardSettingSerializer(serializers.Serializer[Any]):
    """The limits of one channel's guard; the defaults where nobody set anything. null: that rule is off."""

    id = IdOut(source="channel_id", help_text="Of the channel.")
    channel = TextOut(source="channel.code")
    changed_percent = DecimalOut(allow_null=True, help_text="Share of the listings that may change, percent.")
    changed_min = IdOut(help_text="Fewer listings are never too many.")
    to_zero_max = IdOut(allow_null=True, help_text="Listings that may fall to zero.")
    zeroing_waits = FlagOut(help_text="Whether falls to zero beyond that wait.")
    times_recent_max = DecimalOut(allow_null=True, help_text="Times the most of the last 30 days.")
    recent_units_min = IdOut(help_text="So many units above it are never too many.")
    above_possible = FlagOut(help_text="Whether more than there is waits.")
    after_bulk = FlagOut(help_text="Whether raises after a bulk edit wait.")
    bulk_listings_min = IdOut(help_text="... when they are more listings than this.")
    stale_sources = FlagOut(help_text="Whether raises that rest on old reports wait.")


class GuardSettingInputSerializer(Body):
    changed_percent = DecimalIn(digits=3, places=2, required=False, allow_null=True)
    changed_min = Whole(required=False)
    to_zero_max = Whole(required=False, allow_null=True)
    zeroing_waits = Flag(required=False)
    times_recent_max = DecimalIn(digits=4, places=2, required=False, allow_null=True)
    recent_units_min = Whole(required=False)
    above_possible = Flag(required=False)
    after_bulk = Flag(required=False)
    bulk_listings_min = Whole(required=False)
    stale_sources = Flag(required=False)


class GuardSettingResource(Resource):
    """When the guard of a channel holds a plan, by the id of the channel."""

    queryset = Channel.objects.all()
    filterset_class = ChannelFilter
    endpoints = {
        "list": Endpoint("channels_sync.view_channelguard", GuardSettingSerializer),
        "retrieve": Endpoint("channels_sync.view_channelguard", GuardSettingSerializer),
        "partial_update": Endpoint(
            "channels_sync.change_channelguard", GuardSettingSerializer, GuardSettingInputSerializer
        ),
    }

    def list(self, request: Request) -> Response:  # noqa: ARG002
        """Page by page; `next` and `previous` are the addresses of the pages around this one."""
        found = _guards(self.page())
        answer: Response = self.get_paginated_response(self.get_serializer(found, many=True).data)
        return answer

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """One channel by its id."""
        return self.answer(_guards([self.get_object()])[0])

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Change what is named; the rest stays. null switches a rule off."""
        channel: Channel = self.get_object()
        values = self.values(partial=True)
        proposed = _guards([channel])[0]
        for name, value in values.items():
            setattr(proposed, name, value)
        check_by_model(proposed)
        return self.answer(set_guard(channel=channel, values=values, actor=request.user))


def _guards(channels: Sequence[Channel]) -> Sequence[ChannelGuard]:
    known = ChannelGuard.objects.select_related("channel").in_bulk([channel.pk for channel in channels])
    return [known.get(channel.pk) or ChannelGuard(channel=channel) for channel in channels]


# --- The mode of a channel ---


class ModeSerializer(Body):
    mode = Choice(ChannelMode.choices)
    typed = optional_text(12, help_text="Into auto: the number of listings that go out, where there are 50 or more.")


class SwitchChangeSerializer(serializers.Serializer[Any]):
    listing_id = IdOut()
    external_sku = TextOut(source="sku")
    before = IdOut(allow_null=True, help_text="What it was last sent, or seen to show; null: not known.")
    after = IdOut()
    is_held = FlagOut(default=False)


class SwitchSerializer(serializers.Serializer[Any]):
    """What a switch to automatic would send and hold; the first of the changes are named."""

    listings = IdOut(help_text="That would be sent a figure: so many are typed.")
    held = IdOut(help_text="Of them the guard would hold.")
    to_zero = IdOut(source="effect.to_zero")
    from_zero = IdOut(source="effect.from_zero")
    first = IdOut(
        source="effect.first", help_text="Listings of which nobody knows what they show: have the channel looked at."
    )
    units_before = IdOut(source="effect.units_before")
    units_after = IdOut(source="effect.units_after")
    is_judged = FlagOut(help_text="false: too many to ask the guard beforehand.")
    said = WordsOut(source="trips", help_text="What the guard says.")
    changes = SwitchChangeSerializer(many=True)


class LookSerializer(serializers.Serializer[Any]):
    """What was read of listings the channel was never told a figure of."""

    read = IdOut()
    missing = IdOut(help_text="Not on the channel, or not stocked there.")
    left = IdOut(help_text="Not looked at for want of time; ask again.")
    problem = TextOut(help_text="Why it stopped early; empty: it did not.")


MODE_ENDPOINTS = {
    "mode": Endpoint("channels_sync.change_channel", ChannelSerializer, ModeSerializer),
    "automatic": Endpoint("channels_sync.change_channel", SwitchSerializer, refuses=("409",)),
    "look": Endpoint("channels_sync.change_channel", LookSerializer, Nothing),
}


class ModeOfChannel(Resource):
    """The mode of a channel, and what there is to know before it sends."""

    @action(detail=True, methods=["post"])
    def mode(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Switch between off, shadow, approve and auto."""
        channel: Channel = self.get_object()
        values = self.values()
        return self.answer(
            set_channel_mode(
                channel=channel, mode=ChannelMode(values["mode"]), typed=values["typed"], actor=request.user
            )
        )

    @action(detail=True, methods=["get"])
    def automatic(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What the channel would be sent, and what the guard would hold, were it switched to automatic now."""
        channel: Channel = self.get_object()
        if channel.mode in SENDING:
            raise WrongState(f"{channel.name} sends already.", channel=channel.code)
        outlook = outlook_of_automatic(channel=channel)
        changes = [
            {
                "listing_id": change.listing_id,
                "sku": change.sku,
                "before": change.before,
                "after": change.after,
                "is_held": change.listing_id in outlook.held,
            }
            for change in outlook.changes[:CHANGES_MAX]
        ]
        return self.answer(
            {
                "listings": len(outlook.changes),
                "held": len(outlook.held),
                "effect": outlook.effect,
                "is_judged": outlook.is_judged,
                "trips": outlook.trips,
                "changes": changes,
            }
        )

    @action(detail=True, methods=["post"])
    def look(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Read for at most 20 seconds what the channel shows of listings it was never told a figure of. Nothing is changed."""
        channel: Channel = self.get_object()
        self.values()
        return self.answer(take_first_look(channel_id=channel.pk, before=timezone.now(), seconds_max=LOOK_SECONDS))
