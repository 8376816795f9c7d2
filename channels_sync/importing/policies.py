"""Import of allocation rules: each row is the whole rule of one scope, in force from now on."""

from collections.abc import Mapping
from dataclasses import replace

from channels_sync.importing.rule_rows import (
    NOTE,
    NUMBERS,
    SCOPE_FIELDS,
    TERM_FIELDS,
    Scope,
    Subjects,
    changes_of,
    key_of,
    label_of,
    read_scope,
    read_terms,
    scope_key,
    whole_rule,
)
from channels_sync.models import AllocationPolicy
from channels_sync.operations.allocating import set_policy
from inventory.errors import DomainError
from inventory.importing.headers import find_columns
from inventory.importing.reports import Outcome, Report
from inventory.importing.rows import RowReader, is_total, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.importing.upkeep import without_repetitions
from inventory.operations.posting import Actor

FIELDS = (replace(SCOPE_FIELDS[0], is_required=True), *SCOPE_FIELDS[1:], *TERM_FIELDS, NOTE)


def import_policies(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Put the rules of a table in force; see running.ImportKind."""
    report = Report.of("policies", table)
    columns = find_columns(table, FIELDS)
    readers = [r for r in read_rows(table, columns, report, numbers=NUMBERS) if not _is_left_out(r, report)]
    readers = without_repetitions(readers, report, key=_key, column="channel", label="channel")
    known = Subjects.of(readers)
    rules = {scope_key(rule): rule for rule in AllocationPolicy.objects.standing()}
    for reader in readers:
        _import_row(reader, known, rules, report, actor)
    report.results.sort(key=lambda result: result.row)
    return report


def _is_left_out(reader: RowReader, report: Report) -> bool:
    """A row without any scope is the rule for everything, if it has a term."""
    if is_total(reader.row):
        report.add(reader.number, Outcome.SKIPPED, "", note="a total")
        return True
    return False


def _key(reader: RowReader) -> object:
    return (
        reader.text("channel").casefold(),
        reader.text("category").casefold(),
        reader.text("item").upper(),
        reader.text("listing").upper(),
    )


def _import_row(
    reader: RowReader, known: Subjects, rules: Mapping[Scope, AllocationPolicy], report: Report, actor: Actor
) -> None:
    scope = read_scope(reader, known)
    terms = read_terms(reader)
    label = label_of(reader)
    before = None if scope is None else rules.get(key_of(scope))
    wanted = whole_rule(reader, before, terms)
    if scope is None or not reader.is_clean:
        report.add(reader.number, Outcome.REFUSED, label)
        return
    changes = changes_of(before, wanted)
    if before is not None and not changes:
        report.add(reader.number, Outcome.UNCHANGED, label)
        return
    try:
        set_policy(actor=actor, **scope, **wanted)
    except DomainError as error:
        reader.refuse(str(error.context.get("term", "")), error.message)
        report.add(reader.number, Outcome.REFUSED, label)
        return
    report.add(reader.number, Outcome.NEW if before is None else Outcome.CHANGED, label, changes=changes)


POLICIES = ImportKind(
    name="policies",
    title="Allocation rules",
    help_text="How much each channel may show. A row is the whole rule of its scope: an empty term is inherited from the "
    "wider rule. What differs becomes a new version from now on.",
    permissions=("channels_sync.add_allocationpolicy", "channels_sync.change_allocationpolicy"),
    fields=FIELDS,
    options=(),
    perform=import_policies,
    order=80,
)
