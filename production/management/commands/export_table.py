"""`manage.py export_table <kind> <file>`: a whole table as CSV or XLSX, in exactly the form `import_table` reads."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inventory.importing.exporting import Cell, ExportKind, export_of, header_of, reason_without
from inventory.importing.running import ImportKind, import_kinds, kind_named
from inventory.web import csv_lines, workbook


class Command(BaseCommand):
    help = "Write a table as a file that import_table reads back without a change."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", help=f"one of: {', '.join(kind.name for kind in import_kinds())}")
        parser.add_argument("file", help="ends with .csv or .xlsx; a minus writes CSV to the standard output")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            kind = kind_named(options["kind"])
        except ValueError as error:
            raise CommandError(str(error)) from None
        export = export_of(kind)
        if export is None:
            raise CommandError(f"{kind.title} cannot be exported: {reason_without(kind)}")
        if options["file"] == "-":
            for line in csv_lines(header_of(kind, export), export.rows()):
                self.stdout.write(line, ending="")
            return
        count = self._write(kind, export, Path(options["file"]))
        self.stdout.write(f"{count} rows written to {options['file']}.")

    def _write(self, kind: ImportKind, export: ExportKind, path: Path) -> int:
        counted = _Counted(export.rows())
        header = header_of(kind, export)
        try:
            if path.suffix.lower() == ".csv":
                with path.open("w", encoding="utf-8", newline="") as file:
                    file.writelines(csv_lines(header, counted))
            elif path.suffix.lower() == ".xlsx":
                path.write_bytes(workbook(kind.title, header, counted).getvalue())
            else:
                raise CommandError(f"{path} has no form that is known. End the name with .csv or .xlsx.")
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
        return counted.count


class _Counted:
    """Rows that count themselves while they pass."""

    def __init__(self, rows: Iterable[Sequence[Cell]]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Sequence[Cell]]:
        for row in self._rows:
            self.count += 1
            yield row
