from channels_sync.models.building import BuildFigure
from channels_sync.models.channels import SENDING, Channel, ChannelMode, Listing
from channels_sync.models.differences import Difference, DifferenceCause, Done, DriftSetting, ListingReading
from channels_sync.models.guarding import ChannelGuard, Freeze, Hold, HoldState, WideDecision, WideVerdict
from channels_sync.models.pieces import RecomputePiece, WideChange
from channels_sync.models.policies import AllocationPolicy, Campaign, ChannelDemand
from channels_sync.models.pushes import ListingPush, PublicationLine, PublicationState, PublishRun
from channels_sync.models.sending import SendingAccount, SendingWindow, WindowKind, WindowScope
from channels_sync.models.simulations import Simulation, SimulationState

__all__ = [
    "SENDING",
    "AllocationPolicy",
    "BuildFigure",
    "Campaign",
    "Channel",
    "ChannelDemand",
    "ChannelGuard",
    "ChannelMode",
    "Difference",
    "DifferenceCause",
    "Done",
    "DriftSetting",
    "Freeze",
    "Hold",
    "HoldState",
    "Listing",
    "ListingPush",
    "ListingReading",
    "PublicationLine",
    "PublicationState",
    "PublishRun",
    "RecomputePiece",
    "SendingAccount",
    "SendingWindow",
    "Simulation",
    "SimulationState",
    "WideChange",
    "WideDecision",
    "WideVerdict",
    "WindowKind",
    "WindowScope",
]
