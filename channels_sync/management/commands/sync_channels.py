"""`manage.py sync_channels`: take in what changed, send it and read it back here and now, without broker and workers."""

from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from channels_sync.models import SENDING, Channel
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.confirming import confirm_sent
from channels_sync.operations.deciding_wide import carry_out_decision
from channels_sync.operations.publishing import publish_due
from channels_sync.operations.recomputing import recompute_all
from channels_sync.reads.publishing import channel_health

BATCHES_MAX = 10_000


class Command(BaseCommand):
    help = (
        "Works out changed quantities, sends them and reads them back. Exits with 1 when something could not be sent."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--recompute", action="store_true", help="work out every listing anew first")

    def handle(self, *, recompute: bool, **_options: Any) -> None:
        taken = sum(islice(iter(absorb_changes, 0), BATCHES_MAX))
        sum(islice(iter(carry_out_decision, 0), BATCHES_MAX))
        changed = recompute_all(cause="sync_channels").changed if recompute else 0
        self.stdout.write(f"news taken in: {taken}; changed by a full recompute: {changed}")
        channels = list(Channel.objects.filter(mode__in=SENDING, is_paused=False).order_by("pk"))
        for channel in channels:
            accepted, refused, postponed = self._publish(channel)
            confirmed = self._confirm(channel)
            self.stdout.write(
                f"{channel.code}: accepted {accepted}, confirmed {confirmed}, refused {refused}, postponed {postponed}"
            )
        waiting = [health for health in channel_health(channels=channels).values() if health.due]
        if waiting:
            raise CommandError(f"{sum(health.due for health in waiting)} figures could not be sent; see the listings.")

    def _publish(self, channel: Channel) -> tuple[int, int, int]:
        accepted = refused = postponed = 0
        for _ in range(BATCHES_MAX):
            result = publish_due(channel_id=channel.pk)
            accepted, refused = accepted + result.accepted, refused + result.refused
            postponed += result.postponed
            if not result.claimed or result.is_blocked:
                break
        return accepted, refused, postponed

    def _confirm(self, channel: Channel) -> int:
        confirmed = 0
        for _ in range(BATCHES_MAX):
            result = confirm_sent(channel_id=channel.pk)
            confirmed += result.confirmed
            if not result.read:
                break
        return confirmed
