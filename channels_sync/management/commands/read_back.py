"""`manage.py read_back <channel>`: compare what a channel shows with what was sent, here and now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from channels_sync.models import Channel
from channels_sync.operations.reading_back import read_everything, read_sample
from channels_sync.reads.differences import differences_now, verified


class Command(BaseCommand):
    help = "Reads back what a channel shows and compares it with what was sent. Exits with 1 when it could not be read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("channel", help="code of the channel")
        parser.add_argument("--sample", action="store_true", help="only as many listings as every few minutes")

    def handle(self, *, channel: str, sample: bool, **_options: Any) -> None:
        found = Channel.objects.filter(code=channel).first()
        if found is None:
            codes = ", ".join(Channel.objects.order_by("code").values_list("code", flat=True)) or "none"
            raise CommandError(f"There is no channel {channel}. There are: {codes}.")
        read = read_sample if sample else read_everything
        result = read(channel_id=found.pk)
        self.stdout.write(
            f"{found.code}: {result.read} read back, {result.differing} differing, {result.acted} acted upon"
        )
        for one in differences_now(channel_id=found.pk):
            shown = "nothing" if one.theirs is None else one.theirs
            self.stdout.write(
                f"  {one.listing.external_sku}: ours {one.ours}, theirs {shown}; {one.get_cause_display()}. {one.evidence}"
                f" {one.get_done_display()}."
            )
        share = verified(channel_id=found.pk, now=timezone.now())
        self.stdout.write(f"{share.read} of {share.sent} listings were read back in the last 24 hours")
        if result.problem:
            raise CommandError(f"It stopped early: {result.problem} What was read is kept; start it again to go on.")
