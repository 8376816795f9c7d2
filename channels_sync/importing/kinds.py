"""The tables of selling that can be imported and exported."""

from channels_sync.importing.campaigns import CAMPAIGNS
from channels_sync.importing.demand import DEMAND
from channels_sync.importing.drift_settings import DRIFT_SETTINGS
from channels_sync.importing.exports import (
    CAMPAIGNS_OUT,
    DEMAND_OUT,
    DRIFT_SETTINGS_OUT,
    LISTINGS_OUT,
    POLICIES_OUT,
    SENDING_WINDOWS_OUT,
)
from channels_sync.importing.listings import LISTINGS
from channels_sync.importing.order_lines import ORDER_LINES
from channels_sync.importing.policies import POLICIES
from channels_sync.importing.sending_windows import SENDING_WINDOWS
from channels_sync.reads.policy_effect import effect_in_words
from inventory.importing.exporting import register_export, register_without_export
from inventory.importing.running import register_kind, register_outlook

register_kind(LISTINGS)
register_kind(POLICIES)
register_kind(CAMPAIGNS)
register_kind(DEMAND)
register_kind(ORDER_LINES)
register_kind(SENDING_WINDOWS)
register_kind(DRIFT_SETTINGS)
register_outlook("channels", effect_in_words)
register_export(LISTINGS_OUT)
register_export(POLICIES_OUT)
register_export(CAMPAIGNS_OUT)
register_export(DEMAND_OUT)
register_export(SENDING_WINDOWS_OUT)
register_export(DRIFT_SETTINGS_OUT)
register_without_export(ORDER_LINES.name, "Lines are added up by day; the sums are exported as channel demand.")
