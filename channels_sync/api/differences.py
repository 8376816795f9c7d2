"""What channels show instead of what was sent, over the REST API."""

from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response as Answer

from channels_sync.drift import Response
from channels_sync.models import Difference, DifferenceCause, Done
from channels_sync.operations.deciding_differences import decide_difference, decide_differences
from inventory.api.fields import (
    ID_MAX,
    LINES_MAX,
    Body,
    Choice,
    ChoiceOut,
    IdOut,
    MomentOut,
    TextOut,
    Whole,
    optional_text,
)
from inventory.api.filters import Filters, FlagFilter, IdFilter, TextFilter, WordFilter
from inventory.api.resources import Endpoint, ListOne, Resource


class ChannelDifferenceSerializer(serializers.Serializer[Any]):
    """A listing that shows something else than what was sent, or did. Quantities are whole units of the listing."""

    id = IdOut()
    listing_id = IdOut()
    external_sku = TextOut(source="listing.external_sku")
    channel = TextOut(source="channel.code")
    version = IdOut(help_text="The version of the figure that was compared.")
    ours = IdOut()
    theirs = IdOut(allow_null=True, help_text="Null: the channel shows nothing.")
    cause = ChoiceOut(DifferenceCause.choices)
    evidence = TextOut()
    first_seen_at = MomentOut()
    last_seen_at = MomentOut()
    ended_at = MomentOut(allow_null=True)
    done = ChoiceOut(Done.choices)
    done_at = MomentOut(allow_null=True)
    done_by = TextOut(source="done_by.username", allow_null=True, default=None, help_text="Null: the channel's rule.")


RESPONSES = [(one.value, one.value) for one in (Response.OVERWRITE, Response.ADOPT, Response.LEAVE)]
"""What a person can decide about a difference."""


class DecideDifferenceSerializer(Body):
    response = Choice(
        RESPONSES,
        help_text="overwrite: send our figure again; adopt: freeze at the channel's lower figure; leave: do nothing.",
    )


class DecideDifferencesSerializer(DecideDifferenceSerializer):
    ids = serializers.ListField(
        child=Whole(minimum=1, maximum=ID_MAX),
        allow_empty=False,
        max_length=LINES_MAX,
        help_text="Of differences, on any channels.",
    )
    typed = optional_text(12, help_text="The number of ids, where there are 50 or more.")


class UndecidedSerializer(serializers.Serializer[Any]):
    """A difference that was left as it is."""

    id = IdOut(source="difference_id")
    listing_id = IdOut(allow_null=True, help_text="Null: there is no such difference.")
    external_sku = TextOut()
    why = TextOut()


class DecidedSerializer(serializers.Serializer[Any]):
    """What became of differences decided together. Each id is in `decided` or in `left`."""

    decided = serializers.ListField(child=serializers.IntegerField(), source="done", read_only=True)
    held = serializers.ListField(
        child=serializers.IntegerField(),
        read_only=True,
        help_text="Of those decided: the guard holds our figure, which waits for a person.",
    )
    left = UndecidedSerializer(many=True, read_only=True)


class DifferenceFilter(Filters):
    channel = TextFilter(field_name="channel__code")
    listing_id = IdFilter(field_name="listing_id")
    cause = WordFilter(DifferenceCause)
    done = WordFilter(Done)
    is_open = FlagFilter(field_name="ended_at", lookup_expr="isnull")

    class Meta:
        model = Difference
        fields: list[str] = []


class DifferenceResource(ListOne, Resource):
    """Where channels show something else than what was sent, newest first, and decisions about it."""

    queryset = Difference.objects.select_related("channel", "listing", "done_by")
    filterset_class = DifferenceFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("channels_sync.view_difference", ChannelDifferenceSerializer),
        "retrieve": Endpoint("channels_sync.view_difference", ChannelDifferenceSerializer),
        "decide": Endpoint("channels_sync.decide_difference", ChannelDifferenceSerializer, DecideDifferenceSerializer),
        "decide_many": Endpoint("channels_sync.decide_difference", DecidedSerializer, DecideDifferencesSerializer),
    }

    @action(detail=True, methods=["post"])
    def decide(self, request: Request, id: str) -> Answer:  # noqa: ARG002
        """Send our figure again, freeze at the channel's lower one, or leave it. Stock is never posted."""
        found: Difference = self.get_object()
        response = Response(self.values()["response"])
        decide_difference(difference=found, response=response, actor=request.user)
        return self.answer(self.get_queryset().get(pk=found.pk))

    @action(detail=False, methods=["post"], url_path="decide")
    def decide_many(self, request: Request) -> Answer:
        """Decide about many in one way: each under the same conditions as alone, and what does not fit is named and left.

        What changes on a channel is one plan for the guard, which may hold it.
        """
        values = self.values()
        decided = decide_differences(
            difference_ids=values["ids"],
            response=Response(values["response"]),
            actor=request.user,
            typed=values["typed"],
        )
        return self.answer({"done": decided.done, "held": sorted(decided.held), "left": decided.left})
