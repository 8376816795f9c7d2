"""What channels sold, day by day, over the REST API: read only. It is recorded by importing tables."""

from typing import Any

from rest_framework import serializers

from channels_sync.models import ChannelDemand
from inventory.api.fields import DayOut, DecimalOut, IdOut, MomentOut, TextOut
from inventory.api.filters import DayFilter, Filters, IdFilter, MomentFilter, SearchFilter, TextFilter
from inventory.api.resources import Endpoint, ListOne, Resource


class ChannelDemandSerializer(serializers.Serializer[Any]):
    """What one channel sold of one item on one day. A day without one counts as nothing sold."""

    id = IdOut()
    channel = TextOut(source="channel.code")
    item_id = IdOut()
    item = TextOut(source="item.sku")
    unit = TextOut(source="item.stock_unit")
    day = DayOut()
    quantity = DecimalOut(help_text="Stock units.")
    unit_price = DecimalOut(allow_null=True, help_text="Average of a stock unit, base currency; null: not known.")
    source = TextOut(help_text="File or feed it came from.")  # type: ignore[assignment]
    recorded_at = MomentOut()


class ChannelDemandFilter(Filters):
    channel = TextFilter(field_name="channel__code")
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    source = TextFilter(field_name="source")
    search = SearchFilter(field_name="item__sku", help_text="Part of the item's SKU.")
    day_from = DayFilter(field_name="day", lookup_expr="gte")
    day_before = DayFilter(field_name="day", lookup_expr="lt")
    recorded_from = MomentFilter(field_name="recorded_at", lookup_expr="gte")

    class Meta:
        model = ChannelDemand
        fields: list[str] = []


class ChannelDemandResource(ListOne, Resource):
    """What each channel sold of each item on each day, as buffers, shares and scarcity see it."""

    queryset = ChannelDemand.objects.select_related("channel", "item")
    filterset_class = ChannelDemandFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("channels_sync.view_allocationpolicy", ChannelDemandSerializer),
        "retrieve": Endpoint("channels_sync.view_allocationpolicy", ChannelDemandSerializer),
    }
