"""Channels, listings, published quantities and the rules behind them."""

from typing import Any

from django.db import transaction
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from channels_sync.allocation import Derivation
from channels_sync.api.filters import ChannelFilter, ListingFilter, PolicyFilter, PublicationFilter
from channels_sync.api.serializers import (
    ChannelSerializer,
    ListingChangeSerializer,
    ListingInputSerializer,
    ListingSerializer,
    PolicyInputSerializer,
    PolicySerializer,
    PublicationDetailSerializer,
    PublicationSerializer,
)
from channels_sync.models import AllocationPolicy, Channel, Listing, PublicationLine
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.controlling import pause_channel, resume_channel, retry_listing
from channels_sync.operations.recomputing import tell_items_changed
from inventory.api.fields import Nothing
from inventory.api.references import find_items, find_one
from inventory.api.resources import Endpoint, ListOne, Resource, save_checked


class ChannelResource(ListOne, Resource):
    """Where things are sold. Accounts are set up in the admin."""

    queryset = Channel.objects.prefetch_related("source_locations")
    filterset_class = ChannelFilter
    endpoints = {
        "list": Endpoint("channels_sync.view_channel", ChannelSerializer),
        "retrieve": Endpoint("channels_sync.view_channel", ChannelSerializer),
        "pause": Endpoint("channels_sync.pause_channel", ChannelSerializer, Nothing),
        "resume": Endpoint("channels_sync.pause_channel", ChannelSerializer, Nothing),
    }

    @action(detail=True, methods=["post"])
    def pause(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Send nothing more to the channel until it is resumed."""
        channel: Channel = self.get_object()
        self.values()
        return self.answer(pause_channel(channel=channel, actor=request.user))

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Send again."""
        channel: Channel = self.get_object()
        self.values()
        return self.answer(resume_channel(channel=channel, actor=request.user))


class ListingResource(ListOne, Resource):
    """Offers of items on channels, with how far their newest figure got."""

    queryset = Listing.objects.select_related("channel", "item", "push")
    filterset_class = ListingFilter
    endpoints = {
        "list": Endpoint("channels_sync.view_listing", ListingSerializer),
        "retrieve": Endpoint("channels_sync.view_listing", ListingSerializer),
        "create": Endpoint("channels_sync.add_listing", ListingSerializer, ListingInputSerializer, status=201),
        "partial_update": Endpoint("channels_sync.change_listing", ListingSerializer, ListingChangeSerializer),
        "retry": Endpoint("channels_sync.change_listing", ListingSerializer, Nothing),
    }

    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Offer an item on a channel. Its quantity is worked out at once."""
        values = self.values()
        (item,) = find_items([(("item",), values.pop("item"))])
        channel = find_one(Channel, "code", where=("channel",), name=values.pop("channel"), what="channel")
        listing = Listing(channel=channel, item=item, **values)
        _save(listing)
        return self._fresh(listing)

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Change an offer."""
        listing: Listing = self.get_object()
        for name, value in self.values(partial=True).items():
            setattr(listing, name, value)
        _save(listing)
        return self._fresh(listing)

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Send the newest figure now, whatever went wrong before."""
        listing: Listing = self.get_object()
        self.values()
        retry_listing(listing=listing)
        return self._fresh(listing)

    def _fresh(self, listing: Listing) -> Response:
        return self.answer(self.get_queryset().get(pk=listing.pk))


def _save(listing: Listing) -> None:
    """Save a listing, and have its figure worked out anew in the same transaction."""
    with transaction.atomic():
        save_checked(listing)
        tell_items_changed(items={listing.item_id}, cause="listing")


class PublicationResource(ListOne, Resource):
    """Every figure that was published, newest first, and why it was that one."""

    queryset = PublicationLine.objects.select_related("listing__channel", "listing__item")
    filterset_class = PublicationFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("channels_sync.view_publicationline", PublicationSerializer),
        "retrieve": Endpoint("channels_sync.view_publicationline", PublicationDetailSerializer),
    }

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """One of them by its id, with its derivation."""
        line: PublicationLine = self.get_object()
        line.derivation_in_words = Derivation.from_json(line.derivation).in_words()  # type: ignore[attr-defined]
        return self.answer(line)


class PolicyResource(ListOne, Resource):
    """Rules of how much each channel may show, all versions, newest first."""

    queryset = AllocationPolicy.objects.select_related("channel", "item", "listing__channel", "listing__item")
    filterset_class = PolicyFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("channels_sync.view_allocationpolicy", PolicySerializer),
        "retrieve": Endpoint("channels_sync.view_allocationpolicy", PolicySerializer),
        "create": Endpoint(
            "channels_sync.change_allocationpolicy", PolicySerializer, PolicyInputSerializer, status=201
        ),
    }

    def create(self, request: Request) -> Response:
        """Put a new version of the rule of a scope in force from now on. The same terms again change nothing."""
        values = self.values()
        policy = set_policy(actor=request.user, **_scope(values))
        return self.answer(self.get_queryset().get(pk=policy.pk))


def _scope(values: dict[str, Any]) -> dict[str, Any]:
    channel, item, listing = values.pop("channel"), values.pop("item"), values.pop("listing_id")
    if listing is not None and (channel is not None or item is not None):
        raise ValidationError({"listing_id": ["A listing says its channel and item itself. Give it alone."]})
    found: dict[str, Any] = {}
    if channel is not None:
        found["channel"] = find_one(Channel, "code", where=("channel",), name=channel, what="channel")
    if item is not None:
        (found["item"],) = find_items([(("item",), item)])
    if listing is not None:
        found["listing"] = find_one(Listing, "id", where=("listing_id",), name=listing, what="listing")
    return {**values, **found}
