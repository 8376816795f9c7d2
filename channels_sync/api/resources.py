"""Channels, listings, published quantities and the rules behind them."""

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from channels_sync.allocation import Derivation
from channels_sync.api.explaining import WhyQuery, WhySerializer, explained
from channels_sync.api.filters import ChannelFilter, ListingFilter, PolicyFilter, PublicationFilter
from channels_sync.api.guard_settings import MODE_ENDPOINTS, ModeOfChannel
from channels_sync.api.looking import (
    LatencyOfChannel,
    LatencyQuery,
    LatencySerializer,
    OversellOfListing,
    OversellQuery,
    OversellSerializer,
)
from channels_sync.api.scopes import scope_of, terms_of
from channels_sync.api.sending import PauseSerializer
from channels_sync.api.serializers import (
    ChannelSerializer,
    EffectSerializer,
    ListingChangeSerializer,
    ListingInputSerializer,
    ListingSerializer,
    PolicyInputSerializer,
    PolicySerializer,
    PublicationDetailSerializer,
    PublicationSerializer,
)
from channels_sync.models import AllocationPolicy, Channel, Listing, PublicationLine
from channels_sync.operations.allocating import checked_scope, checked_terms, set_policy
from channels_sync.operations.controlling import pause_channel, resume_channel, retry_listing
from channels_sync.operations.offering import save_listing
from channels_sync.reads.explaining import explanation_of
from channels_sync.reads.figures import figures_of
from channels_sync.reads.policy_effect import effect_of
from channels_sync.reads.rulebook import Proposal, Scope
from channels_sync.reads.scopes import items_in
from inventory.api.fields import Nothing
from inventory.api.references import find_items, find_one
from inventory.api.resources import Endpoint, ListOne, Resource, check_by_model
from inventory.errors import WrongState
from inventory.operations.posting import Actor


class ChannelResource(ModeOfChannel, LatencyOfChannel, ListOne, Resource):
    """Where things are sold. Accounts are set up in the admin."""

    queryset = Channel.objects.prefetch_related("source_locations")
    filterset_class = ChannelFilter
    endpoints = {
        "list": Endpoint("channels_sync.view_channel", ChannelSerializer),
        "retrieve": Endpoint("channels_sync.view_channel", ChannelSerializer),
        "pause": Endpoint("channels_sync.pause_channel", ChannelSerializer, PauseSerializer),
        "resume": Endpoint("channels_sync.pause_channel", ChannelSerializer, Nothing),
        "latency": Endpoint("channels_sync.view_channel", LatencySerializer, query=LatencyQuery),
        **MODE_ENDPOINTS,
    }

    @action(detail=True, methods=["post"])
    def pause(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Send nothing more to the channel until it is resumed."""
        channel: Channel = self.get_object()
        return self.answer(pause_channel(channel=channel, actor=request.user, **self.values()))

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Send again."""
        channel: Channel = self.get_object()
        self.values()
        return self.answer(resume_channel(channel=channel, actor=request.user))


class ListingResource(OversellOfListing, ListOne, Resource):
    """Offers of items on channels, with how far their newest figure got."""

    queryset = Listing.objects.select_related("channel", "item", "push")
    filterset_class = ListingFilter
    endpoints = {
        "list": Endpoint("channels_sync.view_listing", ListingSerializer),
        "retrieve": Endpoint("channels_sync.view_listing", ListingSerializer),
        "create": Endpoint("channels_sync.add_listing", ListingSerializer, ListingInputSerializer, status=201),
        "partial_update": Endpoint("channels_sync.change_listing", ListingSerializer, ListingChangeSerializer),
        "retry": Endpoint("channels_sync.change_listing", ListingSerializer, Nothing),
        "why": Endpoint("channels_sync.view_listing", WhySerializer, query=WhyQuery),
        "oversell": Endpoint("channels_sync.view_listing", OversellSerializer, query=OversellQuery),
    }

    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Offer an item on a channel. Its quantity is worked out at once."""
        values = self.values()
        (item,) = find_items([(("item",), values.pop("item"))])
        channel = find_one(Channel, "code", where=("channel",), name=values.pop("channel"), what="channel")
        listing = Listing(channel=channel, item=item, **values)
        _save(listing, self.request.user)
        return self._fresh(listing)

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Change an offer."""
        listing: Listing = self.get_object()
        for name, value in self.values(partial=True).items():
            setattr(listing, name, value)
        _save(listing, self.request.user)
        return self._fresh(listing)

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Send the newest figure now, whatever went wrong before."""
        listing: Listing = self.get_object()
        self.values()
        retry_listing(listing=listing)
        return self._fresh(listing)

    @action(detail=True, methods=["get"])
    def why(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Why it shows its figure: as stored with a version, or worked out now."""
        listing: Listing = self.get_object()
        asked = self.parameters()["version"]
        version = int(asked) if asked else None
        if version is None:
            present = next(iter(figures_of(listing_ids=[listing.pk])), None)
            if present is None:
                raise WrongState(
                    f"{listing} is not published: it is inactive, or its channel is off. Switch it on first.",
                    listing=listing.pk,
                )
            derivation = present.derivation
        else:
            line = get_object_or_404(PublicationLine, listing=listing, version=version)
            derivation = Derivation.from_json(line.derivation)
        return self.answer(explained(explanation_of(derivation), version=version))

    def _fresh(self, listing: Listing) -> Response:
        return self.answer(self.get_queryset().get(pk=listing.pk))


def _save(listing: Listing, actor: Actor) -> None:
    """Save a listing, and have its figure worked out anew in the same transaction."""
    check_by_model(listing)
    save_listing(listing=listing, save=listing.save, actor=actor)


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

    queryset = AllocationPolicy.objects.select_related(
        "channel", "category", "item", "campaign", "listing__channel", "listing__item"
    )
    filterset_class = PolicyFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("channels_sync.view_allocationpolicy", PolicySerializer),
        "retrieve": Endpoint("channels_sync.view_allocationpolicy", PolicySerializer),
        "create": Endpoint(
            "channels_sync.change_allocationpolicy", PolicySerializer, PolicyInputSerializer, status=201
        ),
        "preview": Endpoint("channels_sync.change_allocationpolicy", EffectSerializer, PolicyInputSerializer),
    }

    def create(self, request: Request) -> Response:
        """Put a new version of the rule of a scope in force from now on. The same terms again change nothing."""
        values = self.values()
        policy = set_policy(actor=request.user, **scope_of(values), **terms_of(values), **values)
        return self.answer(self.get_queryset().get(pk=policy.pk))

    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:  # noqa: ARG002
        """What such a rule would do to every listing it touches. Nothing is written."""
        values = self.values()
        scope, terms = scope_of(values), checked_terms(terms_of(values))
        starts_at = values["starts_at"]
        at = starts_at if starts_at is not None and starts_at > timezone.now() else None
        proposal = Proposal(Scope(*(None if one is None else one.pk for one in checked_scope(**scope).values())), terms)
        return self.answer(effect_of(items=sorted(items_in(**scope)), proposals=[proposal], at=at))
