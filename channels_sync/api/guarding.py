"""Publish runs, decisions about what waits, and freezes over the REST API."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from channels_sync.models import Channel, Freeze, Hold, HoldState, Listing, PublishRun
from channels_sync.operations.deciding import approve_run, freeze, lift, refuse_run, undo_run
from channels_sync.reads.runs import runs_with_holds
from inventory.api.fields import (
    Body,
    ChoiceOut,
    DecimalOut,
    FlagOut,
    IdOut,
    Moment,
    MomentOut,
    Nothing,
    Text,
    TextOut,
    Whole,
    item_reference,
    optional_text,
)
from inventory.api.filters import Filters, FlagFilter, IdFilter, MomentFilter, TextFilter, WordFilter
from inventory.api.references import find_items, find_one
from inventory.api.resources import Endpoint, ListOne, Resource


class HoldSerializer(serializers.Serializer[Any]):
    """A change of one listing that waits for a person, or did."""

    id = IdOut()
    run_id = IdOut()
    listing_id = IdOut()
    external_sku = TextOut(source="listing.external_sku")
    channel = TextOut(source="listing.channel.code")
    before = IdOut(allow_null=True, help_text="What it shows; null: nothing yet.")
    after = IdOut(help_text="What it would show.")
    state = ChoiceOut(HoldState.choices)
    recorded_at = MomentOut()
    decided_at = MomentOut(allow_null=True)
    decided_by = TextOut(source="decided_by.username", allow_null=True, default=None)


class TripSerializer(serializers.Serializer[Any]):
    """A rule of the guard that said no."""

    rule = TextOut()
    words = TextOut()
    listing = IdOut(allow_null=True, help_text="null: it is about the whole plan.")


class RunSerializer(serializers.Serializer[Any]):
    """One recompute that changed a figure of a channel, or would have."""

    id = IdOut()
    channel = TextOut(source="channel.code", allow_null=True, default=None)
    cause = TextOut()
    posting_id = IdOut(allow_null=True)
    large_change_id = IdOut(source="wide_id", allow_null=True, help_text="The large change it is a part of.")
    recorded_at = MomentOut()
    listings_checked = IdOut()
    listings_changed = IdOut(help_text="Changes that went out.")
    listings_held = IdOut(help_text="Changes that waited for a person.")
    waiting = IdOut(help_text="Of those, the ones that still wait.")
    supply = DecimalOut(allow_null=True, help_text="What there is of the items that change, each unit once.")
    exposed_before = DecimalOut(allow_null=True, help_text="What all channels showed of them, stock units.")
    exposed_after = DecimalOut(allow_null=True, help_text="The same with every change of the run, held or not.")
    trips = TripSerializer(many=True, help_text="What the guard said.")


class ApproveRunSerializer(Body):
    typed = optional_text(12, help_text="The number of listings, where there are 50 or more.")


class RefuseRunSerializer(Body):
    reason = Text(length_max=200)


class UndoRunSerializer(Body):
    reason = Text(length_max=200)
    typed = optional_text(12, help_text="The number of listings, where there are 50 or more.")


class RunDecisionSerializer(serializers.Serializer[Any]):
    """What a decision led to."""

    checked = IdOut()
    changed = IdOut(help_text="New figures for the channel.")
    held = IdOut(help_text="Changes that wait again.")


class FreezeSerializer(serializers.Serializer[Any]):
    """A lid on what is shown, or the very figure, until it is lifted."""

    id = IdOut()
    channel = TextOut(source="channel.code", allow_null=True, default=None)
    item = TextOut(source="item.sku", allow_null=True, default=None)
    listing_id = IdOut(allow_null=True)
    quantity = IdOut(
        allow_null=True, help_text="The most that is shown; null: what is shown at present, falling with the stock."
    )
    as_of = MomentOut(allow_null=True, help_text="What each listing had last been given then is the most it shows.")
    is_exact = FlagOut(
        help_text="This very figure is shown though there may be less: a refused fall. Without a quantity: the channel was "
        "never told a figure and is told none."
    )
    reason = TextOut()
    run_id = IdOut(allow_null=True, help_text="The run it takes back or refuses.")
    created_at = MomentOut()
    ended_at = MomentOut(allow_null=True)


class FreezeInputSerializer(Body):
    channel = optional_text(32, help_text="Code of a channel. Give a channel, an item or a listing.")
    item = item_reference(required=False, allow_null=True, default=None)
    listing_id = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=2**62)
    at_most = Whole(
        required=False,
        allow_null=True,
        default=None,
        maximum=1_000_000_000,
        help_text="The most that is shown; without it and without as_of what is shown now.",
    )
    as_of = Moment(
        required=False, allow_null=True, default=None, help_text="What each listing had last been given then."
    )
    reason = Text(length_max=200)


class FrozenSerializer(serializers.Serializer[Any]):
    frozen = IdOut(help_text="Listings that are frozen now.")


class RunFilter(Filters):
    channel = TextFilter(field_name="channel__code")
    large_change_id = IdFilter(field_name="wide_id")
    recorded_from = MomentFilter(field_name="recorded_at", lookup_expr="gte")
    recorded_before = MomentFilter(field_name="recorded_at", lookup_expr="lt")

    class Meta:
        model = PublishRun
        fields: list[str] = []


class HoldFilter(Filters):
    run_id = IdFilter(field_name="run_id")
    listing_id = IdFilter(field_name="listing_id")
    channel = TextFilter(field_name="listing__channel__code")
    state = WordFilter(HoldState)

    class Meta:
        model = Hold
        fields: list[str] = []


class FreezeFilter(Filters):
    channel = TextFilter(field_name="channel__code")
    item = TextFilter(field_name="item__sku")
    listing_id = IdFilter(field_name="listing_id")
    run_id = IdFilter(field_name="run_id")
    in_force = FlagFilter(field_name="ended_at", lookup_expr="isnull")

    class Meta:
        model = Freeze
        fields: list[str] = []


class RunResource(ListOne, Resource):
    """What was worked out for each channel, newest first, and decisions about what the guard stopped."""

    queryset = runs_with_holds()
    filterset_class = RunFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("channels_sync.view_publishrun", RunSerializer),
        "retrieve": Endpoint("channels_sync.view_publishrun", RunSerializer),
        "approve": Endpoint("channels_sync.decide_publishrun", RunDecisionSerializer, ApproveRunSerializer),
        "refuse": Endpoint("channels_sync.decide_publishrun", FrozenSerializer, RefuseRunSerializer),
        "undo": Endpoint("channels_sync.decide_publishrun", RunDecisionSerializer, UndoRunSerializer),
    }

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Let what waits of the run flow: each listing up to the figure that was held."""
        run: PublishRun = self.get_object()
        return self.answer(approve_run(run=run, actor=request.user, **self.values()))

    @action(detail=True, methods=["post"])
    def refuse(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Refuse what waits of the run: its listings show what they show until that is lifted, also where they would fall."""
        run: PublishRun = self.get_object()
        frozen = refuse_run(run=run, actor=request.user, **self.values())
        return self.answer({"frozen": len(frozen)})

    @action(detail=True, methods=["post"])
    def undo(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Take the run back: its listings show what they showed before, or less, frozen until that is lifted."""
        run: PublishRun = self.get_object()
        return self.answer(undo_run(run=run, actor=request.user, **self.values()))


class HoldResource(ListOne, Resource):
    """Changes that wait for a person, and what became of earlier ones; newest first."""

    queryset = Hold.objects.select_related("listing__channel", "decided_by")
    filterset_class = HoldFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("channels_sync.view_hold", HoldSerializer),
        "retrieve": Endpoint("channels_sync.view_hold", HoldSerializer),
    }


class FreezeResource(ListOne, Resource):
    """Lids on what channels, items and listings show; newest first."""

    queryset = Freeze.objects.select_related("channel", "item")
    filterset_class = FreezeFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("channels_sync.view_freeze", FreezeSerializer),
        "retrieve": Endpoint("channels_sync.view_freeze", FreezeSerializer),
        "create": Endpoint("channels_sync.freeze_listing", FreezeSerializer, FreezeInputSerializer, status=201),
        "lift": Endpoint("channels_sync.freeze_listing", FreezeSerializer, Nothing),
    }

    def create(self, request: Request) -> Response:
        """Freeze one thing at what is shown now, at most at a figure, or at what was shown at a moment."""
        values = self.values()
        scope = _frozen_thing(values)
        made = freeze(
            reason=values["reason"], at_most=values["at_most"], as_of=values["as_of"], actor=request.user, **scope
        )
        return self.answer(self.get_queryset().get(pk=made.pk))

    @action(detail=True, methods=["post"])
    def lift(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Lift it. What it held down is worked out anew and goes through the guard; lifting twice changes nothing."""
        found: Freeze = self.get_object()
        self.values()
        lift(freezes=[found], actor=request.user)
        return self.answer(self.get_queryset().get(pk=found.pk))


def _frozen_thing(values: Mapping[str, Any]) -> dict[str, Any]:
    named = [name for name in ("channel", "item", "listing_id") if values[name] not in (None, "")]
    if len(named) != 1:
        raise ValidationError({"channel": ["Give one of channel, item and listing_id."]})
    if named == ["channel"]:
        return {"channel": find_one(Channel, "code", where=("channel",), name=values["channel"], what="channel")}
    if named == ["item"]:
        return {"item": find_items([(("item",), values["item"])])[0]}
    return {"listing": find_one(Listing, "id", where=("listing_id",), name=values["listing_id"], what="listing")}
