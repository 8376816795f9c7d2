"""`manage.py grant_rights`: what the role of the application may do, given by the role that owns the tables."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import ProgrammingError, connection, transaction

from config.grants import grant_rights


class Command(BaseCommand):
    help = (
        "Let the role of DATABASE_URL read and write the tables that DATABASE_OWNER_URL owns, now and those of later "
        "migrations; what was posted it may only add to. Run it after the first migrate; it may be repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--role", default="", help="another role than that of DATABASE_URL")

    def handle(self, *_: Any, **options: Any) -> None:
        role = options["role"] or settings.APPLICATION_ROLE
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            (owner,) = cursor.fetchone()
        if not role or role == owner:
            raise CommandError(
                f"The tables are looked at as {owner or 'nobody'}, and the application would be the same role. Set "
                "DATABASE_OWNER_URL to the owner and DATABASE_URL to a role of its own, or name one with --role."
            )
        try:
            with transaction.atomic():
                granted = grant_rights(connection, application=role)
        except ProgrammingError as error:
            raise CommandError(f"{error} Make the role first, and run this as the owner of the tables.") from error
        if not granted.tables:
            raise CommandError(f"{owner} owns no tables here. Run `manage.py migrate` first.")
        self.stdout.write(
            self.style.SUCCESS(
                f"{role} may use {granted.tables} tables of {owner} and {granted.sequences} sequences; "
                f"to {granted.append_only} of the tables it may only add."
            )
        )
