from channels_sync.models.channels import Channel, ChannelMode, Listing
from channels_sync.models.policies import AllocationPolicy, Campaign, ChannelDemand
from channels_sync.models.pushes import ListingPush, PublicationLine, PublicationState, PublishRun

__all__ = [
    "AllocationPolicy",
    "Campaign",
    "Channel",
    "ChannelDemand",
    "ChannelMode",
    "Listing",
    "ListingPush",
    "PublicationLine",
    "PublicationState",
    "PublishRun",
]
