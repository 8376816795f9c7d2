"""Shapes of what the REST API of channels takes and answers. Credentials are in none of them."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from channels_sync.allocation.vocabulary import CHOICE, CHOICES, DATE, DAYS, HOURS, PERCENT, SPECS, WHOLE, TermSpec
from channels_sync.models import ChannelMode, PublicationState
from inventory.api.fields import (
    Anything,
    Body,
    Choice,
    ChoiceOut,
    Day,
    DayOut,
    DecimalIn,
    DecimalOut,
    Flag,
    FlagOut,
    IdOut,
    Moment,
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
    pause_reason = TextOut()
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
    still_shows = IdOut(
        allow_null=True,
        help_text="Of a listing that is not offered any more: what its channel goes on showing, as far as is known.",
    )
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


def _term_out(spec: TermSpec) -> serializers.Field[Any, Any, Any, Any]:
    if spec.kind == CHOICE:
        return TextOut(help_text=f"{spec.help_text} Empty: inherited.")
    if spec.kind == DATE:
        return DayOut(allow_null=True, help_text=spec.help_text)
    if spec.kind in (DAYS, HOURS, WHOLE):
        return IdOut(allow_null=True, help_text=spec.help_text)
    return DecimalOut(allow_null=True, help_text=spec.help_text)


class PolicySerializer(serializers.Serializer[Any]):
    """One version of the rule for one scope. Empty terms are inherited from the wider scope."""

    id = IdOut()
    scope = TextOut(help_text="In words.")
    channel = TextOut(source="channel.code", allow_null=True, default=None)
    category = TextOut(source="category.name", allow_null=True, default=None)
    category_id = IdOut(allow_null=True)
    item = TextOut(source="item.sku", allow_null=True, default=None)
    listing_id = IdOut(allow_null=True)
    campaign = TextOut(source="campaign.name", allow_null=True, default=None)
    version = IdOut()
    note = TextOut()
    effective_from = MomentOut()
    effective_to = MomentOut(allow_null=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), **{spec.column: _term_out(spec) for spec in SPECS}}


def _term_in(spec: TermSpec) -> serializers.Field[Any, Any, Any, Any]:
    help_text = spec.help_text
    if spec.kind == CHOICE:
        return Choice(CHOICES[spec.column], required=False, allow_null=True, default=None, help_text=help_text)
    if spec.kind == DATE:
        return Day(required=False, allow_null=True, default=None, help_text=help_text)
    if spec.kind in (DAYS, HOURS, WHOLE):
        return Whole(maximum=1_000_000, required=False, allow_null=True, default=None, help_text=help_text)
    if spec.kind == PERCENT:
        return DecimalIn(digits=3, places=3, required=False, allow_null=True, default=None, help_text=help_text)
    return Quantity(required=False, allow_null=True, default=None, help_text=help_text)


class TermsBody(Body):
    """A scope (none named: everything) and its terms; what is left out or null is inherited from the wider scope."""

    channel = channel_reference(required=False, allow_null=True, default=None)
    category_id = Whole(minimum=1, required=False, allow_null=True, default=None)
    item = item_reference(required=False, allow_null=True, default=None)
    listing_id = Whole(minimum=1, required=False, allow_null=True, default=None)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), **{spec.column: _term_in(spec) for spec in SPECS}}


class PolicyInputSerializer(TermsBody):
    """The rule of one scope from now on: everything (none named), a channel, a category or an item (each also on one
    channel), or a listing.

    Quantities are in the item's stock unit; a term that is left out or null is inherited from the wider scope.
    """

    starts_at = Moment(required=False, allow_null=True, default=None, help_text="Left out: at once.")
    note = optional_text(250)


class CampaignInputSerializer(TermsBody):
    """A campaign with one rule; see policies for the scope and the terms."""

    name = Text(length_max=100)
    starts_at = Moment(help_text="A moment that has passed means at once.")
    ends_at = Moment()
    note = optional_text(250)


class CampaignSerializer(serializers.Serializer[Any]):
    """Rules that stand above the lasting ones from one moment to another."""

    id = IdOut()
    name = TextOut()
    starts_at = MomentOut()
    ends_at = MomentOut()
    note = TextOut()
    ended_at = MomentOut(allow_null=True, help_text="When somebody ended it before its time.")
    edition = IdOut(help_text="Counts its changes.")
    approved_by = TextOut(source="approved_by.username", allow_null=True, default=None)
    approved_at = MomentOut(
        allow_null=True,
        help_text="When a second person approved this edition; null: what rises by it waits for a person.",
    )
    rules = PolicySerializer(many=True, read_only=True)


class EffectChangeSerializer(serializers.Serializer[Any]):
    listing_id = IdOut(source="listing.pk")
    before = IdOut(allow_null=True)
    after = IdOut()
    in_words = TextOut(source="words")


class EffectSerializer(serializers.Serializer[Any]):
    """What a rule would do, in sold units; `changes` are the largest."""

    touched = IdOut()
    looked_at = IdOut()
    changed = IdOut()
    rising = IdOut()
    falling = IdOut()
    to_zero = IdOut()
    from_zero = IdOut()
    sum_before = IdOut()
    sum_after = IdOut()
    held = IdOut(help_text="Changes the guard would hold, were all of them one plan now.")
    said = WordsOut(help_text="What it would say, a sentence for each rule and channel.")
    changes = EffectChangeSerializer(source="rows", many=True, read_only=True)


class CampaignChangeSerializer(Body):
    """What is left out stays as it is; the rules move with the campaign."""

    name = Text(length_max=100, required=False)
    starts_at = Moment(required=False, help_text="Only before it begins. A moment that has passed means at once.")
    ends_at = Moment(required=False)


class CampaignRuleSerializer(TermsBody):
    """One more rule of a campaign, or one set anew."""

    note = optional_text(250)


class CampaignEffectQuery(Body):
    if_approved = serializers.RegexField(
        "^yes$",
        required=False,
        default="",
        help_text="yes: what the guard would hold if it were approved as it stands.",
    )


class RuleOutSerializer(Body):
    rule_id = Whole(minimum=1, help_text="The id of a rule of the campaign.")


class CampaignPreviewSerializer(Body):
    """One change: name and dates, a rule taken out, or an end now."""

    starts_at = Moment(required=False)
    ends_at = Moment(required=False)
    rule_id = Whole(minimum=1, required=False, allow_null=True, default=None, help_text="Taken out.")
    ends_now = Flag(required=False, default=False)


class ApproveCampaignSerializer(Body):
    edition = Whole(minimum=1, help_text="The edition that was looked at; another one is refused.")
    typed = optional_text(12, help_text="The number of listings its rules are for, where there are 50 or more.")


class CampaignOutlookSerializer(serializers.Serializer[Any]):
    """What a campaign does, with stock as it is now. Its end begins from what it shows until then."""

    starts_at = MomentOut()
    ends_at = MomentOut()
    listings = IdOut(help_text="Published listings its rules are for.")
    at_once = EffectSerializer(allow_null=True, help_text="What changes at once.")
    start = EffectSerializer(allow_null=True, help_text="Null: it has begun, or does not begin any more.")
    end = EffectSerializer(allow_null=True, help_text="Null: it is over then.")
    instead = EffectSerializer(
        allow_null=True, help_text="Of one cancelled before it began: against what its begin would have brought."
    )
