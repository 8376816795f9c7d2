"""Addresses of the channels' resources."""

from rest_framework.routers import BaseRouter

from channels_sync.api.campaigns import CampaignResource
from channels_sync.api.demand import ChannelDemandResource
from channels_sync.api.differences import DifferenceResource
from channels_sync.api.drift_settings import DriftSettingResource
from channels_sync.api.guard_settings import GuardSettingResource
from channels_sync.api.guarding import FreezeResource, HoldResource, RunResource
from channels_sync.api.looking import BufferAdviceResource
from channels_sync.api.resources import (
    ChannelResource,
    ListingResource,
    PolicyResource,
    PublicationResource,
)
from channels_sync.api.sending import PublishingResource, SendingWindowResource
from channels_sync.api.simulations import SimulationResource
from channels_sync.api.wide_changes import LargeChangeResource
from inventory.api.resources import Resource

RESOURCES: dict[str, type[Resource]] = {
    "channels": ChannelResource,
    "listings": ListingResource,
    "publications": PublicationResource,
    "policies": PolicyResource,
    "campaigns": CampaignResource,
    "publish-runs": RunResource,
    "large-changes": LargeChangeResource,
    "holds": HoldResource,
    "freezes": FreezeResource,
    "differences": DifferenceResource,
    "drift-settings": DriftSettingResource,
    "guard-settings": GuardSettingResource,
    "buffer-advice": BufferAdviceResource,
    "channel-demand": ChannelDemandResource,
    "simulations": SimulationResource,
    "publishing": PublishingResource,
    "sending-windows": SendingWindowResource,
}


def register(router: BaseRouter) -> None:
    """Add the resources to a router."""
    for address, resource in RESOURCES.items():
        router.register(address, resource, basename=address)
