"""Tables out, in exactly the form their import reads: what was exported and imported again changes nothing.

An app registers an export beside its import, in its module `importing.kinds`. An import without an export says why.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from inventory.importing.running import ImportKind, import_kinds

Cell = str | int | Decimal | None
CHUNK_ROWS = 2_000
"""Rows that are held at a time, so that a table of any size can be written."""


@dataclass(frozen=True, slots=True)
class ExportKind:
    """How the table of an import is written. `columns` are names of the import's fields, in the order of the cells."""

    name: str
    permission: str
    columns: tuple[str, ...]
    rows: Callable[[], Iterable[Sequence[Cell]]]
    count: Callable[[], int]
    """How many rows there are now; cheap enough for a list of all kinds."""
    note: str = ""
    """What the table leaves out, in words."""


_exports: dict[str, ExportKind] = {}
_reasons: dict[str, str] = {}


def register_export(kind: ExportKind) -> None:
    _exports[kind.name] = kind


def register_without_export(name: str, reason: str) -> None:
    """Say why a kind of import has no export."""
    _reasons[name] = reason


def export_of(kind: ImportKind) -> ExportKind | None:
    import_kinds()  # every app has registered its own
    return _exports.get(kind.name)


def reason_without(kind: ImportKind) -> str:
    return _reasons.get(kind.name, "")


def header_of(kind: ImportKind, export: ExportKind) -> list[str]:
    """The titles of the columns. Raises ValueError for a column the import does not know."""
    titles = {field.name: field.title for field in kind.fields}
    unknown = [name for name in export.columns if name not in titles]
    if unknown:
        raise ValueError(f"The import of {kind.name} has no column {', '.join(unknown)}.")
    return [titles[name] for name in export.columns]


def yes(value: bool) -> str:
    return "yes" if value else "no"
