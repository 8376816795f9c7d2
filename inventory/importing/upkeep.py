"""What imports of plain tables have in common: a row is compared with the object it names, and only what differs is written."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Generic, TypeVar

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Model
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from inventory.importing.cells import NumberStyle, read_number
from inventory.importing.errors import CellError
from inventory.importing.headers import Field
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, is_total
from inventory.importing.tables import canonical
from inventory.operations.describing import tell_described
from inventory.operations.posting import Actor
from inventory.quantities import as_text

M = TypeVar("M", bound=Model)
BATCH_ROWS = 1_000
REASON = "import"


@dataclass(slots=True)
class Entry(Generic[M]):
    """One row that is in order: the object as it will be, and what that changes."""

    reader: RowReader
    instance: M
    label: str
    is_new: bool
    changes: list[Change] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)


def person(actor: Actor) -> Any:
    """The user to name in a history; None for the system."""
    return actor if isinstance(actor, get_user_model()) else None


def is_same(old: object, new: object) -> bool:
    """Whether a cell says what is stored already. Texts are compared as a file can carry them."""
    if isinstance(old, str) and isinstance(new, str):
        return old == new or canonical(old) == new
    return old == new


def shown(value: object) -> str:
    """A value as a cell shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return as_text(value)
    if isinstance(value, list):
        return "; ".join(str(one) for one in value)
    return value.isoformat() if isinstance(value, date) else str(value)


def leave_out_blank(readers: Iterable[RowReader], report: Report, *, key: str, words: str) -> list[RowReader]:
    """The rows that name something; totals are skipped, others without a name refused."""
    kept = []
    for reader in readers:
        if reader.has(key):
            kept.append(reader)
        elif is_total(reader.row):
            report.add(reader.number, Outcome.SKIPPED, "", note="a total")
        else:
            reader.refuse(key, words)
            report.add(reader.number, Outcome.REFUSED, "")
    return kept


def without_repetitions(
    readers: Iterable[RowReader],
    report: Report,
    *,
    key: Callable[[RowReader], object],
    column: str,
    label: str | Callable[[RowReader], str],
) -> list[RowReader]:
    """One row for each object; a copy is skipped, a contradiction refused. `label` is a field, or says what a row is about."""
    first: dict[object, RowReader] = {}
    kept = []
    for reader in readers:
        other = first.setdefault(key(reader), reader)
        if other is reader:
            kept.append(reader)
            continue
        named = reader.text(label) if isinstance(label, str) else label(reader)
        if other.row.cells == reader.row.cells:
            report.add(reader.number, Outcome.SKIPPED, named, note=f"the same as row {other.number}")
        else:
            reader.refuse(
                column,
                f"{named} stands in row {other.number} already, with other values. Keep one of the two rows.",
            )
            report.add(reader.number, Outcome.REFUSED, named)
    return kept


def compare(
    reader: RowReader,
    instance: M,
    *,
    label: str,
    is_new: bool,
    values: Mapping[str, Any],
    fields: Sequence[Field],
    words: Callable[[Any], str] = shown,
) -> Entry[M]:
    """Put the values of a row into its object, and note what that changes."""
    titles = {one.name: one.title for one in fields}
    entry = Entry(reader, instance, label, is_new)
    for name, value in values.items():
        old = None if is_new else getattr(instance, name)
        if not is_new and is_same(old, value):
            continue
        if not is_new or value not in (None, ""):
            entry.changes.append(Change(titles.get(name, name), words(old), words(value)))
        entry.fields.add(name)
        setattr(instance, name, value)
    return entry


def check_model(reader: RowReader, instance: Model, *, exclude: Iterable[str] = ()) -> None:
    """The rules of the model itself, each refusal at its column."""
    try:
        instance.clean_fields(exclude=set(exclude))
        instance.clean()
    except ValidationError as error:
        for name, messages in error.message_dict.items():
            reader.refuse("" if name == "__all__" else name, " ".join(messages))


def write(model: type[M], entries: Sequence[Entry[M]], *, actor: Actor) -> None:
    """Make the new objects and update the changed ones, with the person in their history."""
    new = [entry.instance for entry in entries if entry.is_new]
    changed = [entry for entry in entries if not entry.is_new and entry.fields]
    options = {"batch_size": BATCH_ROWS, "default_user": person(actor), "default_change_reason": REASON}
    if new:
        bulk_create_with_history(new, model, **options)
    if changed:
        names = sorted({name for entry in changed for name in entry.fields})
        bulk_update_with_history([entry.instance for entry in changed], model, names, **options)
        for name in names:  # each for itself: a file that corrects one expiry is no news of a thousand lots
            tell_described(instances=[entry.instance for entry in changed if name in entry.fields], fields=[name])


def tell(report: Report, readers: Iterable[RowReader], entries: Iterable[Entry[Any]], *, label: str) -> Report:
    """Add the outcome of every row to the report, in the order of the file."""
    told = {result.row for result in report.results}
    for entry in entries:
        outcome = Outcome.NEW if entry.is_new else Outcome.CHANGED if entry.changes else Outcome.UNCHANGED
        report.add(entry.reader.number, outcome, entry.label, changes=entry.changes)
        told.add(entry.reader.number)
    for reader in readers:
        if not reader.is_clean and reader.number not in told:
            report.add(reader.number, Outcome.REFUSED, reader.text(label))
    report.results.sort(key=lambda result: result.row)
    return report


# --- Reading cells ----------------------------------------------------------------------------------------------------


def not_negative(style: NumberStyle) -> Callable[[str], Decimal]:
    """Reads a number of zero or more."""

    def read(text: str) -> Decimal:
        number = read_number(text, style=style)
        if number < 0:
            raise CellError(f"“{text}” is below zero. Type zero or more.")
        return number

    return read


def whole_number(text: str) -> int:
    number = read_number(text)
    if number < 0 or number != int(number):
        raise CellError(f"“{text}” is no whole number. Type one from 0.")
    return int(number)


def text_of(chars_max: int) -> Callable[[str], str]:
    """Reads text of a column that keeps so many characters."""

    def read(text: str) -> str:
        if len(text) > chars_max:
            raise CellError(f"it has {len(text)} characters, the most are {chars_max}. Shorten it.")
        return text

    return read
