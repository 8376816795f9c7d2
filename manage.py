#!/usr/bin/env python
"""Django's command line for Backflush."""

import os
import sys

OWNER_COMMANDS = frozenset({"migrate", "flush", "sqlmigrate", "grant_rights"})
"""Commands that change the schema run as the role that owns it, when one is named."""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    if len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        os.environ["BACKFLUSH_AS_OWNER"] = "1"
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        from config.env import embedded_hint

        hint = embedded_hint()
        if hint is None:
            raise
        sys.exit(f"{error}\n{hint}")


if __name__ == "__main__":
    main()
