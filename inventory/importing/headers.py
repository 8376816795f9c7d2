"""Finding the columns a reader needs by their titles, which everybody writes differently."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.importing.errors import UnreadableTable
from inventory.importing.tables import Table

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BRACKETS = re.compile(r"[(\[]([^)\]]*)[)\]]")
_SEPARATORS = re.compile(r"[\s_\-./:*#]+")
_CURRENCIES = frozenset({"usd", "eur", "gbp", "€", "$", "£"})


@dataclass(frozen=True, slots=True)
class Field:
    """A column a reader understands. `synonyms` are in order of trust; each in lower case with single blanks."""

    name: str
    title: str
    synonyms: tuple[str, ...]
    is_required: bool = False
    help_text: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each field stands. `hints` are what a title says in brackets, such as the unit of `Quantity (m)`."""

    found: Mapping[str, int]
    hints: Mapping[str, str]
    unused: tuple[str, ...]


def normal_title(title: str) -> str:
    """A title in lower case with single blanks: `PerAssemblyQty` and `per_assembly-qty.` are `per assembly qty`."""
    spaced = _CAMEL.sub(" ", title.strip())
    words = [word for word in _SEPARATORS.sub(" ", spaced).casefold().split(" ") if word]
    while len(words) > 1 and words[-1] in _CURRENCIES:
        words.pop()
    return " ".join(words)


def readings(title: str) -> tuple[str, ...]:
    """A title as it may be meant: whole, with the brackets as words, and without what stands in brackets."""
    bare = _BRACKETS.sub(" ", title)
    opened = _BRACKETS.sub(r" \1 ", title)
    return tuple(dict.fromkeys(normal_title(text) for text in (opened, bare) if normal_title(text)))


def count_known(titles: Sequence[str], fields: Sequence[Field]) -> int:
    """How many different fields a row of titles names."""
    return len(_match(titles, fields))


def find_columns(table: Table, fields: Sequence[Field]) -> Columns:
    """The column of each field that the table has.

    Of several columns for one field the most trusted title wins, then the first. Raises UnreadableTable, naming the titles
    there are and the ones that would do, when a required field is missing.
    """
    found = _match(table.titles, fields)
    missing = [field for field in fields if field.is_required and field.name not in found]
    if missing:
        needed = "; ".join(f"{field.title} (or: {', '.join(field.synonyms[1:5])})" for field in missing)
        seen = ", ".join(f"“{title}”" for title in table.titles if title) or "none"
        raise UnreadableTable(
            f"{table.name} has no column for: {needed}. The titles found in row {table.header_row} are {seen}. "
            "Rename a column and import again.",
            missing=[field.name for field in missing],
            titles=[title for title in table.titles if title],
        )
    used = set(found.values())
    hints = {}
    for name, column in found.items():
        bracket = _BRACKETS.search(table.titles[column])
        if bracket:
            hints[name] = bracket[1].strip()
    unused = tuple(table.title(i) for i in range(len(table.titles)) if i not in used and table.titles[i])
    return Columns(found, hints, unused)


def _match(titles: Sequence[str], fields: Sequence[Field]) -> dict[str, int]:
    meant = [readings(title) for title in titles]
    candidates: list[tuple[int, int, int, str]] = []
    for order, field in enumerate(fields):
        for trust, synonym in enumerate(field.synonyms):
            for column, words in enumerate(meant):
                if synonym in words:
                    candidates.append((trust, order, column, field.name))
    found: dict[str, int] = {}
    taken: set[int] = set()
    for _, _, column, name in sorted(candidates):
        if name not in found and column not in taken:
            found[name] = column
            taken.add(column)
    return found
