"""Inspections that were decided: what was found, what was done, and what of it still stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Prefetch, QuerySet

from inventory.quantities import ZERO
from production.models import (
    Disposition,
    Inspection,
    InspectionDecision,
    InspectionFile,
    InspectionResult,
    InspectionVerdict,
)
from production.operations.inspecting import in_rework


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision with whether it stands and, for a rework, how much has not come back (stock unit)."""

    decision: InspectionDecision
    is_reversed: bool
    in_rework: Decimal


@dataclass(frozen=True, slots=True)
class VerdictRow:
    verdict: InspectionVerdict
    decisions: Sequence[DecisionRow]
    results: Sequence[InspectionResult]

    @property
    def stands(self) -> bool:
        """Whether anything of it was not taken back."""
        return any(not row.is_reversed for row in self.decisions)


@dataclass(frozen=True, slots=True)
class InspectionRecord:
    """One inspection with everything that was decided; quantities that stand are in the stock unit."""

    inspection: Inspection
    verdicts: Sequence[VerdictRow]
    files: Sequence[InspectionFile]
    released: Decimal
    failed: Decimal


def inspections() -> QuerySet[Inspection]:
    """Inspections with everything a list or an answer shows of them; a fixed number of queries."""
    decisions = InspectionDecision.objects.select_related("posting").with_is_reversed().order_by("id")
    decisions = decisions.prefetch_related("rework_orders")
    verdicts = InspectionVerdict.objects.select_related("decided_by").order_by("id")
    verdicts = verdicts.prefetch_related(Prefetch("decisions", decisions), "results")
    return Inspection.objects.select_related("item", "lot", "location", "posting", "plan").prefetch_related(
        Prefetch("verdicts", verdicts), Prefetch("files", InspectionFile.objects.select_related("uploaded_by"))
    )


def records(found: Sequence[Inspection]) -> list[InspectionRecord]:
    """Inspections read by `inspections`, summed up; one query more for all of them when something is in rework."""
    decisions = [one for each in found for verdict in each.verdicts.all() for one in verdict.decisions.all()]
    rework = [one for one in decisions if one.disposition == Disposition.REWORK and not _is_reversed(one)]
    left = in_rework(rework) if rework else {}
    return [_record(each, left) for each in found]


def _is_reversed(decision: InspectionDecision) -> bool:
    return bool(decision.is_reversed)  # type: ignore[attr-defined]


def _record(inspection: Inspection, left: dict[int, Decimal]) -> InspectionRecord:
    rows = [
        VerdictRow(
            verdict,
            [DecisionRow(one, _is_reversed(one), left.get(one.pk, ZERO)) for one in verdict.decisions.all()],
            list(verdict.results.all()),
        )
        for verdict in inspection.verdicts.all()
    ]
    standing = [row.decision for verdict in rows for row in verdict.decisions if not row.is_reversed]
    released = sum((one.quantity for one in standing if one.disposition == Disposition.RELEASE), ZERO)
    return InspectionRecord(
        inspection=inspection,
        verdicts=rows,
        files=list(inspection.files.all()),
        released=released,
        failed=sum((one.quantity for one in standing), ZERO) - released,
    )
