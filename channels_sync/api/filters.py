"""What the lists of channels can be narrowed to."""

from django.db.models import Q

from channels_sync.models import (
    AllocationPolicy,
    Campaign,
    Channel,
    ChannelMode,
    Listing,
    PublicationLine,
    PublicationState,
)
from inventory.api.filters import (
    Filters,
    FlagFilter,
    IdFilter,
    MomentFilter,
    Rows,
    SearchFilter,
    TextFilter,
    WordFilter,
)


class ChannelFilter(Filters):
    code = TextFilter(field_name="code")
    mode = WordFilter(ChannelMode)
    is_paused = FlagFilter(field_name="is_paused")
    search = SearchFilter(field_name="name")

    class Meta:
        model = Channel
        fields: list[str] = []


class ListingFilter(Filters):
    channel = TextFilter(field_name="channel__code")
    channel_id = IdFilter(field_name="channel_id")
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    external_sku = TextFilter(field_name="external_sku")
    is_active = FlagFilter(field_name="is_active")
    search = SearchFilter(method="find", help_text="Part of the SKU here or there, or of the title.")

    class Meta:
        model = Listing
        fields: list[str] = []

    def find(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(Q(external_sku__icontains=value) | Q(item__sku__icontains=value) | Q(title__icontains=value))


class PublicationFilter(Filters):
    listing_id = IdFilter(field_name="listing_id")
    channel = TextFilter(field_name="listing__channel__code")
    item = TextFilter(field_name="listing__item__sku")
    run_id = IdFilter(field_name="run_id")
    state = WordFilter(PublicationState)
    search = SearchFilter(field_name="listing__external_sku")
    recorded_from = MomentFilter(field_name="recorded_at", lookup_expr="gte")
    recorded_before = MomentFilter(field_name="recorded_at", lookup_expr="lt")

    class Meta:
        model = PublicationLine
        fields: list[str] = []


class PolicyFilter(Filters):
    channel = TextFilter(field_name="channel__code")
    category_id = IdFilter(field_name="category_id")
    item = TextFilter(field_name="item__sku")
    listing_id = IdFilter(field_name="listing_id")
    campaign_id = IdFilter(field_name="campaign_id")
    in_force = FlagFilter(field_name="effective_to", lookup_expr="isnull", help_text="Whether it is the present rule.")
    search = SearchFilter(field_name="note")

    class Meta:
        model = AllocationPolicy
        fields: list[str] = []


class CampaignFilter(Filters):
    starts_from = MomentFilter(field_name="starts_at", lookup_expr="gte")
    ends_before = MomentFilter(field_name="ends_at", lookup_expr="lt")
    search = SearchFilter(field_name="name")

    class Meta:
        model = Campaign
        fields: list[str] = []
