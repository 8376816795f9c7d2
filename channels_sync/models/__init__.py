from channels_sync.models.channels import SENDING, Channel, ChannelMode, Listing
from channels_sync.models.guarding import ChannelGuard, Freeze, Hold, HoldState
from channels_sync.models.policies import AllocationPolicy, Campaign, ChannelDemand
from channels_sync.models.pushes import ListingPush, PublicationLine, PublicationState, PublishRun
from channels_sync.models.sending import SendingAccount, SendingWindow, WindowKind, WindowScope

__all__ = [
    "SENDING",
    "AllocationPolicy",
    "Campaign",
    "Channel",
    "ChannelDemand",
    "ChannelGuard",
    "ChannelMode",
    "Freeze",
    "Hold",
    "HoldState",
    "Listing",
    "ListingPush",
    "PublicationLine",
    "PublicationState",
    "PublishRun",
    "SendingAccount",
    "SendingWindow",
    "WindowKind",
    "WindowScope",
]
