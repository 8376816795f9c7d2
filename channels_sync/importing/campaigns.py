"""Import of campaigns: each row is one rule; rows with the same name, start and end are one campaign.

A campaign whose start has passed begins at once, as on its page. It is known again by its name, its end and a start before the
moment it began, so that the same file again changes nothing. A file neither moves a campaign nor takes a rule out of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

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
from channels_sync.models import AllocationPolicy, Campaign
from channels_sync.operations.campaigns import CampaignRule, add_campaign_rule, checked_campaign_terms, plan_campaign
from inventory.errors import DomainError
from inventory.importing.headers import Field, find_columns
from inventory.importing.moments import moment_text, read_moment
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table, canonical
from inventory.importing.upkeep import leave_out_blank, text_of, without_repetitions
from inventory.operations.posting import Actor

_LOCK = 7_204_663_031
"""Advisory lock of campaign imports: two at once must not both find a campaign new."""
STARTS, ENDS = "Starts", "Ends"
FIELDS = (
    Field(
        "campaign",
        "Campaign",
        ("campaign", "campaign name", "promotion", "season"),
        is_required=True,
        help_text="Its name. Rows with the same name, start and end are one campaign.",
    ),
    Field(
        "starts_at",
        STARTS,
        ("starts", "starts at", "start", "begins", "from"),
        is_required=True,
        help_text="Such as 2026-12-01 08:00; a date alone is its midnight. What has passed: at once.",
    ),
    Field(
        "ends_at",
        ENDS,
        ("ends", "ends at", "end", "until", "to"),
        is_required=True,
        help_text="From this moment on the lasting rules hold again; a date alone is its midnight.",
    ),
    *SCOPE_FIELDS,
    *TERM_FIELDS,
    NOTE,
)


class _Span(NamedTuple):
    """What makes rows one campaign. `name` has no capitals."""

    name: str
    starts_at: datetime
    ends_at: datetime

    @property
    def in_words(self) -> str:
        return f"from {moment_text(self.starts_at)} until {moment_text(self.ends_at)}"


@dataclass(slots=True)
class _Row:
    reader: RowReader
    span: _Span
    scope: dict[str, Any]
    terms: dict[str, Any]

    @property
    def name(self) -> str:
        return self.reader.text("campaign")

    @property
    def label(self) -> str:
        return label_of(self.reader)


@dataclass(slots=True)
class _Group:
    """The rows of one campaign, and those in the book that are it: one, unless somebody planned the same twice."""

    span: _Span
    rows: list[_Row] = field(default_factory=list)
    known: list[Campaign] = field(default_factory=list)

    def refuse(self, column: str, words: str) -> None:
        for row in self.rows:
            row.reader.refuse(column, words)


def import_campaigns(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Plan the campaigns of a table, and set rules that differ anew; see running.ImportKind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    report = Report.of("campaigns", table)
    columns = find_columns(table, FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=NUMBERS),
        report,
        key="campaign",
        words="the campaign has no name. Give the rows of one campaign the same name.",
    )
    subjects = Subjects.of(readers)
    rows = {reader.number: row for reader in readers if (row := _row(reader, subjects)) is not None}
    kept = without_repetitions(
        [row.reader for row in rows.values()],
        report,
        key=lambda reader: (rows[reader.number].span, key_of(rows[reader.number].scope)),
        column="campaign",
        label=lambda reader: f"{reader.text('campaign')}, {label_of(reader)}",
    )
    groups = _groups([rows[reader.number] for reader in kept])
    _write_all(groups, report, actor)
    told = {result.row for result in report.results}
    for reader in readers:
        if not reader.is_clean and reader.number not in told:
            report.add(reader.number, Outcome.REFUSED, label_of(reader), group=reader.text("campaign"))
    report.results.sort(key=lambda result: result.row)
    return report


def _row(reader: RowReader, subjects: Subjects) -> _Row | None:
    name = reader.read("campaign", text_of(100))
    starts_at, ends_at = reader.read("starts_at", read_moment), reader.read("ends_at", read_moment)
    for column, moment in (("starts_at", starts_at), ("ends_at", ends_at)):
        if moment is None:
            reader.refuse(column, "it is empty. Type a date, and a time unless it is midnight.")
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        reader.refuse("ends_at", f"it would end on {moment_text(ends_at)}, before it begins. Give a later end.")
    scope, terms = read_scope(reader, subjects), read_terms(reader)
    if name is None or starts_at is None or ends_at is None or scope is None or not reader.is_clean:
        return None
    return _Row(reader, _Span(name.casefold(), starts_at, ends_at), scope, terms)


def _groups(rows: Sequence[_Row]) -> Sequence[_Group]:
    found: dict[_Span, _Group] = {}
    for row in rows:
        found.setdefault(row.span, _Group(row.span)).rows.append(row)
    return list(found.values())


def _write_all(groups: Sequence[_Group], report: Report, actor: Actor) -> None:
    namesakes = _namesakes(groups)
    now = timezone.now()
    for group in groups:
        group.known = [one for one in namesakes.get(group.span.name, ()) if _is_it(one, group.span)]
    rules = _rules([one for group in groups for one in group.known])
    earlier: dict[str, list[_Group]] = {}
    for group in groups:
        obstacle = _otherwise(group, earlier.get(group.span.name, ()))
        if obstacle is None and not group.known:
            obstacle = _obstacle(group.span, namesakes.get(group.span.name, ()), now)
        if obstacle is not None:
            group.refuse(*obstacle)
            continue
        earlier.setdefault(group.span.name, []).append(group)
        if not group.known:
            _plan(group, now, report, actor)
            continue
        for row in group.rows:
            _write_known(row, group.known, rules, now, report, actor)


def _namesakes(groups: Sequence[_Group]) -> Mapping[str, Sequence[Campaign]]:
    """Campaigns by name without capitals, the newest first, as far back as the file goes."""
    found: dict[str, list[Campaign]] = {}
    if groups:
        earliest = min(group.span.starts_at for group in groups)
        for campaign in Campaign.objects.filter(ends_at__gte=earliest).order_by("-pk"):
            found.setdefault(canonical(campaign.name).casefold(), []).append(campaign)
    return found


def _rules(campaigns: Sequence[Campaign]) -> Mapping[tuple[int, Scope], AllocationPolicy]:
    """The newest version of each rule, by campaign and scope."""
    found = AllocationPolicy.objects.filter(campaign__in=campaigns).order_by("version")
    return {(rule.campaign_id or 0, scope_key(rule)): rule for rule in found}


def _starts_like(campaign: Campaign, span: _Span) -> bool:
    """Whether it has the start of the file, or began at once because that had passed."""
    if campaign.starts_at == span.starts_at:
        return True
    return campaign.began_when_planned and span.starts_at <= campaign.starts_at < span.ends_at


def _is_it(campaign: Campaign, span: _Span) -> bool:
    return campaign.ends_at == span.ends_at and _starts_like(campaign, span)


def _is_over(campaign: Campaign, now: datetime) -> bool:
    return campaign.ends_at <= now or campaign.ended_at is not None


def _otherwise(group: _Group, earlier: Sequence[_Group]) -> tuple[str, str] | None:
    """Where rows above give the same campaign other moments: a column, and words. Two in the book may overlap."""
    span = group.span
    for other in earlier:
        is_apart = other.span.starts_at >= span.ends_at or span.starts_at >= other.span.ends_at
        if is_apart or (group.known and not {one.pk for one in group.known} & {one.pk for one in other.known}):
            continue
        column = "ends_at" if other.span.starts_at == span.starts_at else "starts_at"
        number = other.rows[0].reader.number
        return (
            column,
            f"by row {number} it runs {other.span.in_words}. Give its rows the same moments, or another name.",
        )
    return None


def _obstacle(span: _Span, namesakes: Sequence[Campaign], now: datetime) -> tuple[str, str] | None:
    """Why a campaign the book does not have is not planned: a column, and words."""
    for one in sorted(namesakes, key=lambda one: _is_over(one, now)):
        ends = moment_text(one.ends_at)
        if _starts_like(one, span) and _is_over(one, now):
            return "campaign", f"{one.name} ended on {ends}. To have it again give the rows another start or name."
        if _starts_like(one, span):
            return "ends_at", f"{one.name} ends on {ends}, and a file does not move that. End it on its page first."
        if not _is_over(one, now) and one.starts_at < span.ends_at and span.starts_at < one.ends_at:
            there = _Span("", one.starts_at, one.ends_at).in_words
            return "starts_at", f"{one.name} runs {there} already. Give these moments, or another name."
    return None


def _write_known(
    row: _Row,
    known: Sequence[Campaign],
    rules: Mapping[tuple[int, Scope], AllocationPolicy],
    now: datetime,
    report: Report,
    actor: Actor,
) -> None:
    scope = key_of(row.scope)
    campaign = next((one for one in known if (one.pk, scope) in rules), known[0])
    before = rules.get((campaign.pk, scope))
    wanted = whole_rule(row.reader, before, row.terms)
    changes = changes_of(before, wanted)
    if before is not None and not changes and row.reader.is_clean:
        report.add(row.reader.number, Outcome.UNCHANGED, row.label, group=row.name)
        return
    if _is_over(campaign, now):
        row.reader.refuse(
            "campaign",
            f"{campaign.name} ended on {moment_text(campaign.ends_at)}, and what it did stays. Plan another.",
        )
        return
    rule = _rule(row, wanted, is_new=before is None)
    if rule is None:
        return
    try:
        add_campaign_rule(campaign=campaign, rule=rule, actor=actor)
    except DomainError as error:
        row.reader.refuse("campaign", error.message)
        return
    report.add(
        row.reader.number,
        Outcome.NEW if before is None else Outcome.CHANGED,
        row.label,
        group=row.name,
        changes=changes,
    )


def _plan(group: _Group, now: datetime, report: Report, actor: Actor) -> None:
    span = group.span
    planned = []
    for row in group.rows:
        wanted = whole_rule(row.reader, None, row.terms)
        rule = _rule(row, wanted, is_new=True)
        if rule is not None:
            planned.append((row, rule, changes_of(None, wanted)))
    if not planned:
        return
    first = group.rows[0]
    try:
        plan_campaign(
            name=first.name,
            starts_at=span.starts_at,
            ends_at=span.ends_at,
            rules=[rule for _, rule, _ in planned],
            note=planned[0][1].note or "",
            actor=actor,
        )
    except DomainError as error:
        group.refuse("ends_at", error.message)
        return
    when = [Change(STARTS, "", moment_text(span.starts_at)), Change(ENDS, "", moment_text(span.ends_at))]
    note = "its start has passed: it begins at once" if span.starts_at <= now else ""
    for row, _, changes in planned:
        report.add(row.reader.number, Outcome.NEW, row.label, group=row.name, changes=[*when, *changes], note=note)


def _rule(row: _Row, wanted: Mapping[str, Any], *, is_new: bool) -> CampaignRule | None:
    """The rule for the operations; None, with what is against it noted, when it cannot be."""
    terms: Any = {name: value for name, value in wanted.items() if name != "note"}
    try:
        checked_campaign_terms(terms)
    except DomainError as error:
        row.reader.refuse(str(error.context.get("term", "")), error.message)
    if not row.reader.is_clean:
        return None
    is_told = "note" in row.reader.columns.found or not is_new
    return CampaignRule(terms, **row.scope, note=wanted["note"] if is_told else None)


CAMPAIGNS = ImportKind(
    name="campaigns",
    title="Campaigns",
    help_text="Rules that begin and end by themselves. A row is the whole rule of its scope while the campaign runs. What "
    "differs is set anew as long as the campaign has not ended; rules that a file does not name stay.",
    permissions=("channels_sync.change_allocationpolicy",),
    fields=FIELDS,
    options=(),
    perform=import_campaigns,
    order=81,
)
