"""Listings, rules, campaigns, demand, hours of sending and settings of reading back as their imports read them."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from channels_sync.allocation.vocabulary import COLUMNS
from channels_sync.importing.sending_windows import days_text
from channels_sync.models import (
    AllocationPolicy,
    Campaign,
    Channel,
    ChannelDemand,
    DriftSetting,
    Listing,
    SendingWindow,
)
from inventory.importing.exporting import CHUNK_ROWS, Cell, ExportKind, yes
from inventory.importing.moments import moment_text, time_text
from inventory.importing.paths import Categories


def _listings() -> Iterator[list[Cell]]:
    found = Listing.objects.select_related("channel", "item").order_by("channel__code", "external_sku", "pk")
    for listing in found.iterator(chunk_size=CHUNK_ROWS):
        yield [
            listing.channel.code,
            listing.external_sku,
            listing.item.sku,
            listing.title,
            listing.pack_size,
            listing.external_item_id,
            yes(listing.is_active),
        ]


def _policies() -> Iterator[list[Cell]]:
    found = AllocationPolicy.objects.standing().select_related("channel", "item", "listing__channel").order_by("pk")
    categories = Categories()
    for rule in found.iterator(chunk_size=CHUNK_ROWS):
        yield _rule(rule, categories)


def _rule(rule: AllocationPolicy, categories: Categories) -> list[Cell]:
    channel = rule.listing.channel if rule.listing is not None else rule.channel
    return [
        "" if channel is None else channel.code,
        categories.text_of(rule.category_id),
        "" if rule.item is None else rule.item.sku,
        "" if rule.listing is None else rule.listing.external_sku,
        *(_cell(getattr(rule, column)) for column in COLUMNS),
        rule.note,
    ]


def _campaign_rules() -> QuerySet[AllocationPolicy]:
    """The newest version of every rule of campaigns that have not ended; of two for one scope that count as one, the newer."""
    what = ("campaign__starts_at", "folded_name", "campaign__ends_at")
    scope = ("channel_id", "category_id", "item_id", "listing_id")
    return (
        AllocationPolicy.objects.filter(
            campaign__ends_at__gt=timezone.now(),
            campaign__ended_at__isnull=True,
            effective_to=F("campaign__ends_at"),
        )
        .annotate(folded_name=Lower("campaign__name"))
        .order_by(*what, *scope, "-campaign_id")
        .distinct(*what, *scope)
    )


def _campaigns() -> Iterator[list[Cell]]:
    found = _campaign_rules().select_related("campaign", "channel", "item", "listing__channel")
    categories = Categories()
    for rule in found.iterator(chunk_size=CHUNK_ROWS):
        assert rule.campaign is not None, "only rules of campaigns were asked for"
        yield [
            rule.campaign.name,
            _start_of(rule.campaign),
            moment_text(rule.campaign.ends_at),
            *_rule(rule, categories),
        ]


def _start_of(campaign: Campaign) -> str:
    """One that began at once did so at no round moment; any before it reads back as its start."""
    begun = campaign.starts_at
    return moment_text(begun.replace(second=0, microsecond=0) if campaign.began_when_planned else begun)


def _cell(value: Any) -> Cell:
    return value.isoformat() if isinstance(value, date) else value


def _demand() -> Iterator[list[Cell]]:
    found = ChannelDemand.objects.select_related("channel", "item").order_by("day", "channel__code", "item__sku", "pk")
    for row in found.iterator(chunk_size=CHUNK_ROWS):
        yield [row.channel.code, row.item.sku, row.day.isoformat(), row.quantity]


def _sending_windows() -> Iterator[list[Cell]]:
    found = SendingWindow.objects.select_related("channel").order_by("channel__code", "kind", "starts_at", "pk")
    for window in found.iterator(chunk_size=CHUNK_ROWS):
        yield [
            window.channel.code,
            window.kind,
            window.scope,
            days_text(window.weekdays),
            time_text(window.starts_at),
            time_text(window.ends_at),
            window.reason,
        ]


DRIFT_COLUMNS = (
    "settle_minutes",
    "sample_rows",
    "lost_lowering",
    "lost_raise",
    "edited",
    "sold",
    "mapping",
    "unexplained",
)


def _drift_settings() -> Iterator[list[Cell]]:
    known = DriftSetting.objects.in_bulk()
    for channel in Channel.objects.order_by("code"):
        setting = known.get(channel.pk) or DriftSetting(channel=channel)
        yield [channel.code, *(getattr(setting, name) for name in DRIFT_COLUMNS)]


LISTINGS_OUT = ExportKind(
    name="listings",
    permission="channels_sync.view_listing",
    columns=("channel", "external_sku", "item", "title", "pack_size", "external_item_id", "is_active"),
    rows=_listings,
    count=Listing.objects.count,
)
POLICIES_OUT = ExportKind(
    name="policies",
    permission="channels_sync.view_allocationpolicy",
    columns=("channel", "category", "item", "listing", *COLUMNS, "note"),
    rows=_policies,
    count=lambda: AllocationPolicy.objects.standing().count(),
    note="Only lasting rules in force; earlier versions stay in the history, campaigns are a table of their own.",
)
CAMPAIGNS_OUT = ExportKind(
    name="campaigns",
    permission="channels_sync.view_allocationpolicy",
    columns=("campaign", "starts_at", "ends_at", "channel", "category", "item", "listing", *COLUMNS, "note"),
    rows=_campaigns,
    count=lambda: _campaign_rules().count(),
    note="Those that have not ended; what ended stays in the history.",
)
DEMAND_OUT = ExportKind(
    name="demand",
    permission="channels_sync.view_allocationpolicy",
    columns=("channel", "item", "day", "quantity"),
    rows=_demand,
    count=ChannelDemand.objects.count,
)
SENDING_WINDOWS_OUT = ExportKind(
    name="sending_windows",
    permission="channels_sync.view_sendingwindow",
    columns=("channel", "kind", "scope", "weekdays", "starts_at", "ends_at", "reason"),
    rows=_sending_windows,
    count=SendingWindow.objects.count,
)
DRIFT_SETTINGS_OUT = ExportKind(
    name="drift_settings",
    permission="channels_sync.view_difference",
    columns=("channel", *DRIFT_COLUMNS),
    rows=_drift_settings,
    count=Channel.objects.count,
    note="Every channel, with the defaults where nobody set anything.",
)
