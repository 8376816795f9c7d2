"""Shapes of what the REST API of channels takes and answers. Credentials are in none of them."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from channels_sync.models import ChannelMode, PublicationState
from inventory.api.fields import (
    Anything,
    Body,
    ChoiceOut,
    DecimalIn,
    DecimalOut,
    Flag,
    FlagOut,
    IdOut,
    MomentOut,
    Quantity,
    Reference,
    Text,
    TextOut,
    Whole,
    WordsOut,
    item_reference,
    optional_text,
)


class SourceCodes(WordsOut):
    """Codes of locations."""

    def to_representation(self, value: Any) -> list[str]:
        return [place.code for place in value]


class ChannelSerializer(serializers.Serializer[Any]):
    """One account at one selling place."""

    id = IdOut()
    code = TextOut()
    name = TextOut()
    adapter = TextOut()
    mode = ChoiceOut(ChannelMode.choices)
    is_paused = FlagOut()
    is_sending = FlagOut()
    storefront_url = TextOut()
    source_locations = SourceCodes(source="source_locations.all", help_text="Empty: every sellable site.")
    last_success_at = MomentOut(allow_null=True)
    last_error = TextOut()
    last_error_at = MomentOut(allow_null=True)


class PushSerializer(serializers.Serializer[Any]):
    """What the listing should show, and what the channel was last told."""

    wanted = IdOut(allow_null=True, help_text="In sold units; null until first worked out.")
    version = IdOut()
    sent_version = IdOut()
    confirmed_version = IdOut()
    channel_quantity = IdOut(allow_null=True, help_text="Last figure the channel is known to show.")
    channel_quantity_at = MomentOut(allow_null=True)
    attempts = IdOut()
    last_error = TextOut()


class ListingSerializer(serializers.Serializer[Any]):
    """A channel's offer of one item in packs."""

    id = IdOut()
    channel = TextOut(source="channel.code")
    channel_id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    external_sku = TextOut()
    external_item_id = TextOut()
    title = TextOut()
    pack_size = DecimalOut(help_text="Stock units in one sold unit.")
    is_active = FlagOut()
    created_at = MomentOut()
    push = PushSerializer(read_only=True, allow_null=True, default=None)


def channel_reference(**kwargs: Any) -> Reference:
    return Reference(what="channel code", length_max=32, **kwargs)


class ListingInputSerializer(Body):
    channel = channel_reference()
    item = item_reference()
    external_sku = Text(length_max=100)
    external_item_id = optional_text(100)
    title = optional_text(250)
    pack_size = Quantity(required=False, default=Decimal(1))
    is_active = Flag(required=False, default=True)


class ListingChangeSerializer(Body):
    external_sku = Text(length_max=100, required=False)
    external_item_id = Text(length_max=100, required=False, allow_blank=True)
    title = Text(length_max=250, required=False, allow_blank=True)
    pack_size = Quantity(required=False)
    is_active = Flag(required=False)


class PublicationSerializer(serializers.Serializer[Any]):
    """One version of a listing's published quantity: from what, to what, why, and how far it got."""

    id = IdOut()
    run_id = IdOut()
    listing_id = IdOut()
    external_sku = TextOut(source="listing.external_sku")
    channel = TextOut(source="listing.channel.code")
    item = TextOut(source="listing.item.sku")
    version = IdOut()
    before = IdOut(allow_null=True)
    after = IdOut()
    state = ChoiceOut(PublicationState.choices)
    error = TextOut()
    recorded_at = MomentOut()
    sent_at = MomentOut(allow_null=True)
    accepted_at = MomentOut(allow_null=True)
    confirmed_at = MomentOut(allow_null=True)


class PublicationDetailSerializer(PublicationSerializer):
    """One version of a published quantity with everything it follows from."""

    derivation_in_words = TextOut()
    derivation = Anything(read_only=True, help_text="Every term of the figure with its source.")


class PolicySerializer(serializers.Serializer[Any]):
    """One version of the rule for one scope. Empty terms are inherited from the wider scope."""

    id = IdOut()
    scope = TextOut(help_text="In words.")
    channel = TextOut(source="channel.code", allow_null=True, default=None)
    item = TextOut(source="item.sku", allow_null=True, default=None)
    listing_id = IdOut(allow_null=True)
    version = IdOut()
    percent = DecimalOut(allow_null=True)
    buffer = DecimalOut(allow_null=True)
    minimum_to_list = DecimalOut(allow_null=True)
    maximum_to_list = DecimalOut(allow_null=True)
    note = TextOut()
    effective_from = MomentOut()
    effective_to = MomentOut(allow_null=True)


class PolicyInputSerializer(Body):
    """The rule of one scope from now on: everything (none named), a channel, an item, an item on a channel, or a listing.

    Quantities are in the item's stock unit; a term that is left out or null is inherited from the wider scope.
    """

    channel = channel_reference(required=False, allow_null=True, default=None)
    item = item_reference(required=False, allow_null=True, default=None)
    listing_id = Whole(minimum=1, required=False, allow_null=True, default=None)
    percent = DecimalIn(digits=3, places=3, required=False, allow_null=True, default=None)
    buffer = Quantity(required=False, allow_null=True, default=None)
    minimum_to_list = Quantity(required=False, allow_null=True, default=None)
    maximum_to_list = Quantity(required=False, allow_null=True, default=None)
    note = optional_text(250)
