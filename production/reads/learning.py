"""What completions teach about the lines of BOM versions: measurements, their causes, proposals and what they would change.

Only whole completions count, the newest of a version first, at most OBSERVED_MAX of them. A fixed number of statements.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers
from inventory.quantities import ZERO
from inventory.reads.availability import availability
from production.explosion import MANUAL, PROMPT, LineFact, Rate
from production.learning import Finding, Observation, Part, Rule, judge, scaled, total_parts
from production.models import BomProposal, ProposalDecision
from production.reads.buildable import limits_of
from production.reads.cost_rollup import CostBook, cost_book
from production.reads.structures import BomHead, ItemFact, Structures, load_structures, rate_of_line

OBSERVED_MAX = 60
"""Completions of a version that are looked at, the newest."""
VERSIONS_MAX = 200
"""Versions in force that are looked at on one page, those completed last."""
_SAME_AS_DISMISSED = Fraction(1, 100)
"""A quantity this near to one that was dismissed is the same proposal."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One completion's use of the component, for the evidence."""

    made_at: datetime
    started: Decimal
    observation: Observation


@dataclass(frozen=True, slots=True)
class Learned:
    """One line of a version in force, what its completions say, and what a proposal would change.

    `quantity` and `proposed` are in the line's unit per batch; `cost_effect` is base currency per unit of output, None when
    the cost is unknown; the buildable figures are units of output.
    """

    bom: BomHead
    item: ItemFact
    component: ItemFact
    line: LineFact
    unit: str
    finding: Finding
    parts: Mapping[Part, Fraction]
    measured: Sequence[Measured]
    proposed: Decimal | None = None
    cost_effect: Fraction | None = None
    buildable_now: Decimal | None = None
    buildable_then: Decimal | None = None
    decision: BomProposal | None = None
    """The newest about this very proposal, if anybody decided."""

    @property
    def quantity(self) -> Decimal:
        return self.line.quantity

    @property
    def is_open(self) -> bool:
        """Whether there is a proposal that nobody decided about."""
        return self.proposed is not None and self.decision is None

    @property
    def lower(self) -> Decimal | None:
        return None if self.finding.lower is None else scaled(self.quantity, self.finding.lower)

    @property
    def upper(self) -> Decimal | None:
        return None if self.finding.upper is None else scaled(self.quantity, self.finding.upper)

    @property
    def typical(self) -> Decimal | None:
        return None if self.finding.median is None else scaled(self.quantity, self.finding.median)


_COMPLETED = """
SELECT b.id FROM production_bom b
CROSS JOIN LATERAL (SELECT max(c.posting_id) AS newest FROM production_completion c
                    WHERE c.bom_id = b.id AND c.item_id = b.item_id) last
WHERE b.state <> 'draft' AND b.effective_from <= %(on)s
  AND (b.effective_to > %(on)s OR b.effective_to IS NULL AND b.state = 'active')
  AND last.newest IS NOT NULL
ORDER BY last.newest DESC LIMIT %(most)s
"""
_OBSERVED = """
WITH chosen AS MATERIALIZED (
  SELECT c.bom_id, c.posting_id, c.good + c.scrapped AS started, c.work_order_id IS NOT NULL AS is_ordered, c.number
  FROM (SELECT d.*, row_number() OVER (PARTITION BY d.bom_id ORDER BY d.posting_id DESC) AS number
        FROM production_completion d
        WHERE d.bom_id = ANY(%(boms)s::bigint[]) AND d.reversed_good = 0 AND d.reversed_scrap = 0) c
  WHERE c.number <= %(most)s
)
SELECT c.bom_id, c.posting_id, p.effective_at, c.started, c.is_ordered, l.component_id, l.substitute_for_id, l.expected,
       l.actual, l.scrapped, l.cause, coalesce(nullif(l.reason, ''), p.reason)
FROM chosen c JOIN inventory_posting p ON p.id = c.posting_id JOIN production_completionline l ON l.completion_id = c.posting_id
ORDER BY c.posting_id, l.id
"""
_RATIOS = """
SELECT l.bom_id, l.component_id, s.item_id, s.ratio FROM production_bomsubstitute s
JOIN production_bomline l ON l.id = s.line_id WHERE l.bom_id = ANY(%s::bigint[])
"""


def completed_versions() -> list[int]:
    """Ids of versions in force that were completed, those completed last first. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETED, {"on": timezone.localdate(), "most": VERSIONS_MAX})
        return [row[0] for row in cursor.fetchall()]


def learned(*, boms: Collection[int], rule: Rule | None = None) -> list[Learned]:
    """What completions of versions say about each of their lines, most telling first.

    Left out: optional lines, lines issued by hand, phantoms, and components that stand on several lines, for which nobody
    could say which line is wrong. Six statements whatever the number of versions and completions.
    """
    structures = load_structures(boms=boms)
    book = cost_book(structures)
    stock = availability(items=list(structures.items))
    observed = _observed(structures, boms)
    decisions: dict[tuple[int, int], list[BomProposal]] = {}
    for decision in BomProposal.objects.filter(bom_id__in=boms).select_related("draft", "decided_by").order_by("-id"):
        decisions.setdefault((decision.bom_id, decision.component_id), []).append(decision)
    found = []
    for bom_id in boms:
        if bom_id not in structures.boms:
            continue
        for line in _single_lines(structures, bom_id):
            measured = observed.get((bom_id, line.component_id), [])
            finding = judge([one.observation for one in measured], rule)
            one = Learned(
                bom=structures.heads[bom_id],
                item=structures.items[structures.heads[bom_id].item_id],
                component=structures.items[line.component_id],
                line=line,
                unit=structures.typed[line.line_id].unit or structures.items[line.component_id].stock_unit,
                finding=finding,
                parts=total_parts(one.observation for one in measured),
                measured=measured,
            )
            if finding.is_proposal and finding.median is not None:
                one = _with_effects(one, finding.median, structures, book, stock)
                one = replace(one, decision=_decided(one, decisions.get((bom_id, line.component_id), ())))
            found.append(one)
    found.sort(key=lambda one: (not one.is_open, not one.finding.is_proposal, -one.finding.measured, one.item.sku))
    return found


def _single_lines(structures: Structures, bom_id: int) -> list[LineFact]:
    """Lines that alone say how much of their component is needed."""
    lines = structures.boms[bom_id].lines
    return [
        line
        for line in lines
        if not (line.explodes or line.is_optional or line.issue_method == MANUAL)
        and sum(one.component_id == line.component_id for one in lines) == 1
        and not _is_below_phantom(structures, bom_id, line)
    ]


def _is_below_phantom(structures: Structures, bom_id: int, line: LineFact) -> bool:
    """Whether parts of a phantom add to the need of the line's component."""
    if structures.unusable_phantoms(bom_id):
        return True
    alone = structures.rate_of(line, bom_id)
    return any(rate.component_id == line.component_id and rate.per_unit != alone for rate in structures.rates(bom_id))


def _with_effects(
    one: Learned, ratio: Fraction, structures: Structures, book: CostBook, stock: Mapping[int, Any]
) -> Learned:
    """The proposal with its cost effect and what could be made by it. No statement."""
    proposed = scaled(one.quantity, ratio)
    if not proposed or proposed == one.quantity:
        return one
    then = replace(one.line, quantity=proposed)
    head = one.bom
    more = rate_of_line(then, head.makes, head.process_loss_percent) - structures.rate_of(one.line, head.id)
    cost = book.of_line(one.line).value
    now = limits_of(structures, head.id, dict(stock)).quantity
    bom = structures.boms[head.id]
    structures.boms[head.id] = replace(bom, lines=[then if line is one.line else line for line in bom.lines])
    after = limits_of(structures, head.id, dict(stock)).quantity
    structures.boms[head.id] = bom
    return replace(
        one,
        proposed=proposed,
        cost_effect=None if cost is None else more * cost,
        buildable_now=now,
        buildable_then=after,
    )


def _decided(one: Learned, decisions: Iterable[BomProposal]) -> BomProposal | None:
    """The newest decision about this quantity: an accepted one while its draft is there, a dismissed one of about as much."""
    for decision in decisions:
        if one.proposed is None:
            return None
        is_near = abs(Fraction(decision.proposed) - Fraction(one.proposed)) <= _SAME_AS_DISMISSED * Fraction(
            one.proposed
        )
        if is_near and (decision.decision == ProposalDecision.DISMISSED or decision.draft_id is not None):
            return decision
    return None


def _observed(structures: Structures, boms: Collection[int]) -> dict[tuple[int, int], list[Measured]]:
    """Measurements by version and component, oldest first. Two statements."""
    with connection.cursor() as cursor:
        cursor.execute(_RATIOS, [numbers(boms)])
        ratios = {(row[0], row[1], row[2]): Fraction(row[3]) for row in cursor.fetchall()}
        cursor.execute(_OBSERVED, {"boms": numbers(boms), "most": OBSERVED_MAX})
        rows = cursor.fetchall()
    facts = {bom_id: _line_facts(structures, bom_id) for bom_id in boms if bom_id in structures.boms}
    replaced: dict[tuple[int, int], Fraction] = {}
    unclear: set[tuple[int, int]] = set()
    for bom_id, completion, _, _, _, component, instead_of, _, actual, *_ in rows:
        if instead_of is None:
            continue
        ratio = ratios.get((bom_id, instead_of, component))
        if ratio is None:  # approved then and not any more: nobody knows how much it stood for
            unclear.add((completion, instead_of))
        else:
            key = (completion, instead_of)
            replaced[key] = replaced.get(key, Fraction(0)) + Fraction(actual) / ratio
    found: dict[tuple[int, int], list[Measured]] = {}
    for (
        bom_id,
        completion,
        at,
        started,
        is_ordered,
        component,
        instead_of,
        expected,
        actual,
        spoiled,
        cause,
        reason,
    ) in rows:
        fact = facts.get(bom_id, {}).get(component)
        if fact is None or instead_of is not None or (completion, component) in unclear:
            continue
        rate, line = fact
        is_exact = not (is_ordered and rate.setup)  # which completion of an order paid the set-up is not kept
        observation = Observation(
            completion_id=completion,
            standard=rate.raw(started) if is_exact else Fraction(expected),
            expected=expected,
            actual=actual,
            setup=rate.setup if is_exact else Fraction(0),
            scrapped=spoiled,
            replaced=replaced.get((completion, component), Fraction(0)),
            cause=cause,
            reason=reason,
            is_asked=line.issue_method == PROMPT,
            has_scrap_allowance=line.scrap_percent != ZERO,
        )
        found.setdefault((bom_id, component), []).append(Measured(at, started, observation))
    return found


def _line_facts(structures: Structures, bom_id: int) -> dict[int, tuple[Rate, LineFact]]:
    """The rate and the line of each component that stands on one line."""
    if structures.unusable_phantoms(bom_id):
        return {}
    rates = {rate.component_id: rate for rate in structures.rates(bom_id)}
    lines = {line.component_id: line for line in structures.boms[bom_id].lines}
    return {component: (rates[component], line) for component, line in lines.items() if component in rates}
