"""What people decide about a difference: send our figure again, take over the channel's, or leave it; and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from channels_sync.drift import Cause, Response
from channels_sync.models import SENDING, Channel, Difference, DifferenceCause, Done, DriftSetting, ListingPush
from channels_sync.operations.channel_settings import save_settings
from channels_sync.operations.differing import Differing, carry_out, report
from inventory.errors import WrongState
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation


@operation
def decide_difference(*, difference: Difference, response: Response, actor: Actor) -> Difference:
    """Overwrite, adopt or leave one difference. Our figure goes out through guard and outbox; stock is never posted.

    Raises WrongState when the difference is over, a newer figure is on its way, or the response does not fit: orders are not
    overwritten, and only a lower figure is adopted.
    """
    push = ListingPush.objects.select_for_update(of=("self",), no_key=True).get(listing=difference.listing_id)
    found = Difference.objects.select_related("channel").get(pk=difference.pk)
    if found.ended_at is not None:
        raise WrongState("This difference is over: the channel shows our figure again, or a newer one was sent.")
    if found.channel.mode not in SENDING:
        raise WrongState(f"{found.channel} is told nothing in its mode, so nothing can be sent again or adopted.")
    if push.version != found.version:
        raise WrongState("A newer figure of this listing is on its way. It is compared again once it was sent.")
    _check_fits(found, response)
    now = timezone.now()
    if response is Response.LEAVE:
        Difference.objects.filter(pk=found.pk).update(
            done=Done.LEFT, done_at=now, done_by_id=getattr(actor, "pk", None)
        )
    else:
        differing = Differing(
            listing_id=found.listing_id,
            version=found.version,
            ours=found.ours,
            theirs=found.theirs,
            cause=Cause(found.cause),
            evidence=found.evidence,
            response=response,
        )
        carry_out(found.channel, [differing], now=now, actor=actor)
    report(found.channel)
    found.refresh_from_db()
    return found


def _check_fits(found: Difference, response: Response) -> None:
    if response is Response.OVERWRITE and not found.can_be_overwritten:
        if found.cause == DifferenceCause.SOLD:
            raise WrongState("Orders of the channel explain this figure. To overwrite it sells the same units twice.")
        raise WrongState("The listing is linked to the wrong item. Mend the link first, then the figure is sent.")
    if response is Response.ADOPT and not found.can_be_adopted:
        raise WrongState(
            f"Only a lower figure can be adopted. The channel shows {found.theirs}, our stock gives {found.ours}."
        )
    if response is Response.ALERT:
        raise WrongState("Choose to overwrite, to adopt or to leave it.")


@operation
def set_drift(*, channel: Channel, values: Mapping[str, Any], actor: Actor) -> DriftSetting:
    """Set how a channel is read back and what follows from differences. Raises ValidationError for what makes no sense."""
    return save_settings(DriftSetting, channel=channel, values=values, actor=actor)
