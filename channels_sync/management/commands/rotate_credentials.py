"""`manage.py rotate_credentials`: encrypt stored credentials with the newest of FIELD_ENCRYPTION_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from channels_sync.errors import ChannelAuthFailed
from channels_sync.operations.controlling import rotate_credentials


class Command(BaseCommand):
    help = "Put a new key first in FIELD_ENCRYPTION_KEYS, run this, then take the old key out."

    def handle(self, **_options: Any) -> None:
        try:
            count = rotate_credentials()
        except ChannelAuthFailed as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"credentials encrypted with the newest key: {count}")
