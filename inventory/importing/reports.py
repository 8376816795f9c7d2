"""What an import found out and did, row by row: for a page, a command and tests."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from inventory.importing.tables import Table


class Outcome(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Change:
    """One figure that becomes another. Empty means there was, or will be, none."""

    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row is refused: where it stands, what is there, and in words what is needed. Row 0 is the file as a whole."""

    row: int
    column: str
    given: str
    message: str

    def __str__(self) -> str:
        where = f"Row {self.row}" if self.row else "The file"
        return f"{where}{f', {self.column}' if self.column else ''}: {self.message}"


@dataclass(frozen=True, slots=True)
class RowResult:
    """What becomes of one row. `group` names what it is part of, such as the BOM of a line; row 0 is no single row."""

    row: int
    outcome: Outcome
    label: str
    group: str = ""
    changes: Sequence[Change] = ()
    note: str = ""


@dataclass(slots=True)
class Report:
    """All of one import or check. `is_applied` tells whether it was written."""

    kind: str
    file_name: str
    digest: str
    results: list[RowResult] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    used_columns: dict[str, str] = field(default_factory=dict)
    """Field by column title."""
    unused_columns: Sequence[str] = ()
    summary: list[str] = field(default_factory=list)
    """Sentences about the import as a whole."""
    is_applied: bool = False

    @classmethod
    def of(cls, kind: str, table: Table) -> "Report":
        return cls(kind, table.name, table.digest)

    def add(
        self,
        row: int,
        outcome: Outcome,
        label: str,
        *,
        group: str = "",
        changes: Sequence[Change] = (),
        note: str = "",
    ) -> None:
        self.results.append(RowResult(row, outcome, label, group, tuple(changes), note))

    def refuse(self, row: int, column: str, given: str, message: str) -> None:
        self.problems.append(Problem(row, column, given, message))

    def counts(self) -> dict[str, int]:
        """Rows by outcome, every outcome named."""
        found = Counter(result.outcome for result in self.results)
        return {str(outcome): found[outcome] for outcome in Outcome}

    @property
    def is_clean(self) -> bool:
        return not self.problems

    @property
    def changes_something(self) -> bool:
        return any(result.outcome in (Outcome.NEW, Outcome.CHANGED) for result in self.results)

    @property
    def fingerprint(self) -> str:
        """The same for two checks that would do the same: what was shown can be asked for by it."""
        text = repr((self.kind, self.digest, self.results, self.problems))
        return hashlib.sha256(text.encode()).hexdigest()[:32]
