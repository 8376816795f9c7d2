"""What selling adds to the pages of stock: published quantities on the board and on an item."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from channels_sync.bom_outlook import buildable_by_listing
from channels_sync.models import ChannelDemand, ChannelMode, Freeze, Listing
from channels_sync.reads.policy_effect import publication_outlook
from channels_sync.reads.publishing import published_figures
from channels_sync.views.channels import state_of
from inventory.models import Item
from inventory.panels import BoardCell, BoardColumn, ItemTab, register_board_column, register_item_tab
from inventory.templatetags.figures import grouped
from production.panels import PublishedChange, register_listing_outlook, register_publication_outlook


def _published(item_ids: Sequence[int]) -> Mapping[int, BoardCell]:
    """Small chips, one a listing, with the figure the channel should show. One query."""
    rows: dict[int, list[tuple[str, str, str, str, str]]] = {}
    texts: dict[int, list[str]] = {}
    found = Listing.objects.filter(item_id__in=item_ids, is_active=True).exclude(channel__mode=ChannelMode.OFF)
    for listing in found.select_related("channel", "push").order_by("item_id", "channel__name", "external_sku"):
        push = getattr(listing, "push", None)
        state = state_of(push, listing.channel)
        figure = "…" if push is None or push.wanted is None else grouped(push.wanted)
        name = listing.channel.name
        rows.setdefault(listing.item_id, []).append(
            (
                reverse("channels_sync:why", args=[listing.pk]),
                state.tone,
                f"{listing.external_sku} on {name}: {state.word}. {state.meaning}",
                name,
                figure,
            )
        )
        texts.setdefault(listing.item_id, []).append(f"{name} {figure}")
    return {
        item_id: BoardCell(
            format_html(
                '<span class="bf-badges">{}</span>',
                format_html_join(
                    "",
                    '<a class="bf-badge" data-drawer href="{}" data-tone="{}" title="{}">{} <b class="num">{}</b></a>',
                    chips,
                ),
            ),
            ", ".join(texts[item_id]),
        )
        for item_id, chips in rows.items()
    }


def _channels(_request: HttpRequest, item: Item) -> dict[str, Any]:
    """The item's listings with their figures and the arithmetic behind them."""
    listings = list(Listing.objects.filter(item=item).select_related("channel", "push").order_by("channel__name", "pk"))
    figures = published_figures(listings=listings)
    return {
        "has_demand": not listings and ChannelDemand.objects.filter(item=item).exists(),
        "freezes": list(Freeze.objects.in_force().filter(item=item).told()),
        "listings": [
            (one, getattr(one, "push", None), state_of(getattr(one, "push", None), one.channel), figure.in_words)
            for one, figure in zip(listings, figures, strict=True)
        ],
    }


def _outlook(changes: Mapping[int, Decimal]) -> list[PublishedChange]:
    """What the channels would show of these items if so much more were available."""
    wanted = publication_outlook(changes=changes)
    listings = Listing.objects.filter(pk__in=list(wanted)).select_related("channel", "push")
    return [
        PublishedChange(
            channel=listing.channel.name,
            label=listing.external_sku,
            before=None
            if (push := getattr(listing, "push", None)) is None or push.wanted is None
            else Decimal(push.wanted),
            after=Decimal(wanted[listing.pk]),
            note="" if listing.channel.is_sending else "computed, not sent",
            url=reverse("channels_sync:listing", args=[listing.pk]),
        )
        for listing in listings.order_by("channel__name", "external_sku")
    ]


register_publication_outlook("channels", _outlook)
register_listing_outlook("channels", buildable_by_listing)
register_board_column(BoardColumn("published", "Published", _published, "channels_sync.view_listing"))
register_item_tab(
    ItemTab("channels", "Channels", "channels_sync/_item_channels.html", _channels, 60, "channels_sync.view_listing")
)
