"""Days at the market stall: candles leave the shelves in the morning and what is left comes back, and the shop follows.

Each move is published and read back at once, so that it is known how long the shop takes to show what happened here.
"""

from decimal import Decimal
from itertools import islice

from channels_sync.models import Channel
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.confirming import confirm_sent
from channels_sync.operations.publishing import publish_due
from config.demo.catalogue import FINISHED, SITE, place
from config.demo.steps import is_done, item, key_of
from inventory.models import Location
from inventory.operations.posting import Actor
from inventory.operations.transferring import transfer_stock

STALL = "STALL"
_DAYS = 6
_CANDLES = Decimal(12)
_BATCHES_MAX = 50


def ensure_stall_days(channel: Channel | None, actor: Actor) -> None:
    """Six days, once; nothing where there is no shop that follows. In the end everything is back on the shelf."""
    if channel is None:
        return
    follow(channel)
    for day in range(1, _DAYS + 1):
        for step, source, target in ((f"stall-out-{day}", FINISHED, STALL), (f"stall-back-{day}", STALL, FINISHED)):
            if not is_done(step):
                _ensure_stall()
                transfer_stock(
                    key=key_of(step),
                    item=item("CANDLE-LAVENDER"),
                    source=place(source),
                    target=place(target),
                    quantity=_CANDLES,
                    actor=actor,
                    reference=f"Market day {day}",
                )
                follow(channel)


def follow(channel: Channel) -> None:
    """Work out what changed, send it to the channel and read it back."""
    sum(islice(iter(absorb_changes, 0), _BATCHES_MAX))
    publish_due(channel_id=channel.pk)
    confirm_sent(channel_id=channel.pk)


def _ensure_stall() -> None:
    if not Location.objects.filter(code__iexact=STALL).exists():
        Location.objects.create(code=STALL, name="Market stall", parent=place(SITE), is_sellable=False)
