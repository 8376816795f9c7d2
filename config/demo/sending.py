"""How the demo company sends: a fifth of its shop's allowance is left to the programs of others."""

from channels_sync.models import Channel, SendingAccount
from channels_sync.operations.metering import account_of_channel
from channels_sync.operations.scheduling import set_sending
from inventory.operations.posting import Actor

SHARE_PERCENT = 80


def ensure_sending(channel: Channel | None, actor: Actor) -> None:
    """Once; a share somebody chose since is kept. Hours are left to whoever tries them: they would keep figures back."""
    if channel is not None and not SendingAccount.objects.filter(account=account_of_channel(channel)).exists():
        set_sending(channel=channel, time_zone=channel.time_zone, share_percent=SHARE_PERCENT, actor=actor)
