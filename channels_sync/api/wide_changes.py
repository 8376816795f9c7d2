"""Large changes, looked at and decided about as one, over the REST API."""

from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from channels_sync.models import Channel, WideChange, WideVerdict
from channels_sync.operations.deciding_wide import decide_wide
from channels_sync.reads.wide_changes import view_of_wide, wide_changes
from inventory.api.fields import (
    Body,
    ChoiceOut,
    DecimalOut,
    IdOut,
    MomentOut,
    Text,
    TextOut,
    optional_text,
)
from inventory.api.filters import Filters, MomentFilter
from inventory.api.references import find_one
from inventory.api.resources import Endpoint, ListOne, Resource


class LargeChangeSerializer(serializers.Serializer[Any]):
    """Something that touched more listings than one transaction takes; its runs name it."""

    id = IdOut()
    cause = TextOut()
    posting_id = IdOut(allow_null=True)
    recorded_at = MomentOut()
    parts = IdOut(help_text="Transactions it was cut into.")
    left = IdOut(help_text="Of those, the ones still to be worked out.")
    runs = IdOut(source="runs_made")
    changed = IdOut(help_text="Changes that went out.")
    waiting = IdOut(help_text="Changes that wait for a person.")


class ChannelPartSerializer(serializers.Serializer[Any]):
    """What a large change does on one channel. Units are units of the listings, summed."""

    channel = TextOut(source="channel.code")
    runs = IdOut()
    changed = IdOut(help_text="Listings with another figure, sent or held.")
    raised = IdOut()
    lowered = IdOut()
    to_zero = IdOut()
    from_zero = IdOut()
    first = IdOut(help_text="Listings that showed nothing we know of before.")
    units_before = IdOut()
    units_after = IdOut()
    held = IdOut()
    waiting = IdOut()
    exposure = DecimalOut(allow_null=True, help_text="Units all channels would show for each unit there is.")


class DecisionProblemSerializer(serializers.Serializer[Any]):
    run = IdOut()
    words = TextOut(help_text="What stood against it.")


class WideDecisionSerializer(serializers.Serializer[Any]):
    """A decision about a large change, and how far the workers got with it."""

    id = IdOut()
    verdict = ChoiceOut(WideVerdict.choices)
    channel = TextOut(source="channel.code", allow_null=True, default=None)
    reason = TextOut()
    listings = IdOut(help_text="Changes it was about when it was decided.")
    changed = IdOut(help_text="New figures it led to so far.")
    held = IdOut(help_text="Changes it led to that wait again.")
    frozen = IdOut(help_text="Listings it froze.")
    problems = DecisionProblemSerializer(many=True, help_text="Runs it could not be carried out for.")
    created_at = MomentOut()
    created_by = TextOut(source="created_by.username", allow_null=True, default=None)
    ended_at = MomentOut(allow_null=True, help_text="null: the workers are still at it.")


class RuleSaidSerializer(serializers.Serializer[Any]):
    rule = TextOut()
    channel = TextOut()
    runs = IdOut()
    times = IdOut()
    words = TextOut(help_text="One of its sentences.")


class LargeChangePlanSerializer(LargeChangeSerializer):
    """The same as one plan: by channel, with what the guard said and what was decided."""

    channels = ChannelPartSerializer(many=True, source="plan.parts")
    said = RuleSaidSerializer(many=True, source="plan.said")
    decisions = WideDecisionSerializer(many=True, source="plan.decisions")


class OfChannelSerializer(Body):
    channel = optional_text(32, help_text="Code of a channel; all of them without it.")


class ApproveLargeSerializer(OfChannelSerializer):
    typed = optional_text(12, help_text="The number of changes, where there are 50 or more.")


class RefuseLargeSerializer(OfChannelSerializer):
    reason = Text(length_max=200)


class UndoLargeSerializer(RefuseLargeSerializer):
    typed = optional_text(12, help_text="The number of listings, where there are 50 or more.")


class LargeChangeFilter(Filters):
    recorded_from = MomentFilter(field_name="recorded_at", lookup_expr="gte")
    recorded_before = MomentFilter(field_name="recorded_at", lookup_expr="lt")

    class Meta:
        model = WideChange
        fields: list[str] = []


class LargeChangeResource(ListOne, Resource):
    """What touched more listings than one transaction takes, newest first, and decisions about all of it."""

    queryset = wide_changes()
    filterset_class = LargeChangeFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("channels_sync.view_publishrun", LargeChangeSerializer),
        "retrieve": Endpoint("channels_sync.view_publishrun", LargeChangePlanSerializer),
        "approve": Endpoint(
            "channels_sync.decide_publishrun", WideDecisionSerializer, ApproveLargeSerializer, status=202
        ),
        "refuse": Endpoint(
            "channels_sync.decide_publishrun", WideDecisionSerializer, RefuseLargeSerializer, status=202
        ),
        "undo": Endpoint("channels_sync.decide_publishrun", WideDecisionSerializer, UndoLargeSerializer, status=202),
    }

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """One large change as one plan."""
        wide = self.get_object()
        wide.plan = view_of_wide(wide)
        return self.answer(wide)

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Let all of it that waits flow, each listing up to the figure that was held. Workers carry it out run by run."""
        return self._decide(request, WideVerdict.APPROVE)

    @action(detail=True, methods=["post"])
    def refuse(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Refuse all of it that waits: its listings show what they show until that is lifted."""
        return self._decide(request, WideVerdict.REFUSE)

    @action(detail=True, methods=["post"])
    def undo(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Take it back: its listings show what they showed before, or less, frozen until that is lifted."""
        return self._decide(request, WideVerdict.UNDO)

    def _decide(self, request: Request, verdict: WideVerdict) -> Response:
        values = self.values()
        code = values.pop("channel", "")
        channel = find_one(Channel, "code", where=("channel",), name=code, what="channel") if code else None
        decision = decide_wide(wide=self.get_object(), verdict=verdict, channel=channel, actor=request.user, **values)
        return self.answer(decision)
