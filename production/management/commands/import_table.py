"""`manage.py import_table <kind> <file>`: check or import a CSV or XLSX file."""

from datetime import date
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inventory.errors import DomainError
from inventory.importing.reports import Report
from inventory.importing.running import ImportOptions, Mode, import_kinds, kind_named, run_import
from inventory.importing.tables import BYTES_MAX
from inventory.models import Location
from inventory.operations.posting import Actor

LINES_SHOWN_MAX = 200


class Command(BaseCommand):
    help = "Import a table from a CSV or XLSX file: all rows or none, unless told otherwise."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", help=f"one of: {', '.join(kind.name for kind in import_kinds())}")
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="only show what would change")
        parser.add_argument(
            "--clean-rows-only", action="store_true", help="import what is in order, leave out the rest"
        )
        parser.add_argument("--user", help="name of the person it is recorded for")
        parser.add_argument("--location", help="opening stock: code of the location of rows that name none")
        parser.add_argument("--product", default="", help="boms: SKU of the product of a file without a parent column")
        parser.add_argument("--on", type=date.fromisoformat, help="boms: rows valid on this day (default: today)")
        parser.add_argument("--no-new-items", action="store_true", help="boms: refuse components that are not known")
        parser.add_argument("--drafts", action="store_true", help="boms: leave new versions as drafts")
        parser.add_argument("--sheet", default="", help="of a workbook; default: the first")

    def handle(self, *_: Any, **options: Any) -> None:
        mode = Mode.CHECK if options["dry_run"] else Mode.CLEAN if options["clean_rows_only"] else Mode.ALL
        try:
            report = run_import(
                kind=kind_named(options["kind"]),
                content=_content(options["file"]),
                file_name=options["file"].name,
                actor=_actor(options["user"]),
                mode=mode,
                options=ImportOptions(
                    location=_location(options["location"]),
                    product=options["product"],
                    on=options["on"],
                    create_items=not options["no_new_items"],
                    activate=not options["drafts"],
                    sheet=options["sheet"],
                ),
            )
        except (DomainError, ValueError) as error:
            raise CommandError(str(error)) from None
        self._print(report)
        if report.problems:
            what = "The rest was imported." if report.is_applied else "Nothing was imported."
            raise CommandError(f"{len(report.problems)} problems. {what}")
        self.stdout.write("Imported." if report.is_applied else "Checked; nothing was written.")

    def _print(self, report: Report) -> None:
        if report.unused_columns:
            self.stdout.write(f"Columns not used: {', '.join(report.unused_columns)}")
        shown = [r for r in report.results if r.changes or r.note]
        for result in shown[:LINES_SHOWN_MAX]:
            where = f"row {result.row}" if result.row else "removed"
            changes = "; ".join(
                f"{c.field} {c.old} -> {c.new}" if c.old else f"{c.field} {c.new}" for c in result.changes
            )
            words = ", ".join(word for word in (changes, result.note) if word)
            group = f"{result.group}: " if result.group else ""
            self.stdout.write(f"{where}  {result.outcome}  {group}{result.label}  {words}")
        if len(shown) > LINES_SHOWN_MAX:
            self.stdout.write(f"... and {len(shown) - LINES_SHOWN_MAX} more rows")
        for problem in report.problems[:LINES_SHOWN_MAX]:
            self.stdout.write(self.style.ERROR(str(problem)))
        for sentence in report.summary:
            self.stdout.write(sentence)
        self.stdout.write(", ".join(f"{count} {outcome}" for outcome, count in report.counts().items()))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(BYTES_MAX + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None


def _actor(name: str | None) -> Actor:
    if not name:
        return None
    user: Actor = get_user_model().objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user {name}. Leave --user out to record it for the system.")
    return user


def _location(code: str | None) -> Location | None:
    if not code:
        return None
    location = Location.objects.filter(code__iexact=code).first()
    if location is None:
        raise CommandError(f"There is no location {code}. Make it first, or correct the code.")
    return location
