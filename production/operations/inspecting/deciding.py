"""The parts of a verdict: what was asked, what moves, and what must have been checked before goods are released."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid5

from django.utils import timezone

from inventory.errors import (
    InvalidQuantity,
    LotExpired,
    ReservedByOther,
    WrongState,
)
from inventory.locks import StockRows, lock_for_posting
from inventory.models import (
    CostEntryKind,
    Item,
    Lot,
    Posting,
    PostingKind,
    StockStatus,
)
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.quantities import ZERO, as_text
from production.errors import InspectionIncomplete, OverInspection
from production.inspection import Finding, judge, missing_checks, samples_of
from production.models import (
    Disposition,
    Inspection,
    InspectionDecision,
    InspectionPlan,
    InspectionResult,
    InspectionVerdict,
)
from production.reads.held_goods import HeldGoods, held_arrival

TARGETS = {
    Disposition.RELEASE: StockStatus.AVAILABLE,
    Disposition.QUARANTINE: StockStatus.QUARANTINE,
    Disposition.REWORK: StockStatus.QUARANTINE,
}
"""Where each disposition puts the goods; what is scrapped leaves stock."""
HELD = StockStatus.QC_HOLD.value


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a part: a positive quantity in the stock unit; everything but a release says why."""

    disposition: Disposition
    quantity: Decimal
    reason: str = ""


def merged_outcomes(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Outcomes with something in them, one for each disposition and reason; every failure says why."""
    sums: dict[tuple[Disposition, str], Decimal] = {}
    for outcome in outcomes:
        if not outcome.quantity.is_finite() or outcome.quantity < ZERO:
            raise InvalidQuantity(f"{outcome.quantity} is not a quantity. Give zero or more of each.")
        where = (Disposition(outcome.disposition), outcome.reason.strip()[:100])
        sums[where] = sums.get(where, ZERO) + outcome.quantity
    wanted = [Outcome(disposition, quantity, reason) for (disposition, reason), quantity in sums.items() if quantity]
    if not wanted:
        raise InvalidQuantity("Nothing was decided. Say how many pass and how many fail.")
    for outcome in wanted:
        if outcome.disposition != Disposition.RELEASE and not outcome.reason:
            raise WrongState(
                f"{as_text(outcome.quantity)} would go to {outcome.disposition.label.lower()} without a reason. "
                "Say what is wrong with them.",
                disposition=outcome.disposition.value,
            )
    return sorted(wanted, key=lambda outcome: (list(Disposition).index(outcome.disposition), outcome.reason))


def verdict_request(
    handle: int, outcomes: Sequence[Outcome], findings: Sequence[Finding], note: str
) -> Mapping[str, object]:
    return {
        "arrival": handle,
        "outcomes": [[one.disposition.value, one.quantity, one.reason] for one in outcomes],
        "findings": [[one.check_id, one.sample, one.is_ok, one.measured, one.text] for one in findings],
        "note": note,
    }


def postings_of(decisions: Sequence[InspectionDecision]) -> list[Posting]:
    """The postings of decisions, each once, newest first."""
    found = {decision.posting_id: decision.posting for decision in decisions}
    return [found[pk] for pk in sorted(found, reverse=True)]


def inspection_of(goods: HeldGoods) -> Inspection:
    """The inspection of an arrival, locked; made when there is none."""
    where = {
        "posting_id": goods.posting_id,
        "item_id": goods.item.pk,
        "location_id": goods.location_id,
        "lot_id": goods.lot_id,
    }
    made = Inspection(
        **where, applies_to=goods.applies_to, plan=goods.plan, quantity=goods.arrived, opened_at=goods.since
    )
    Inspection.objects.bulk_create([made], ignore_conflicts=True)  # a rival may open it at once
    return Inspection.objects.select_for_update(of=("self",), no_key=True).get(**where)


def lock_cells(inspection: Inspection) -> StockRows:
    return lock_for_posting(
        items=[inspection.item_id],
        locations=[inspection.location_id],
        statuses=[HELD, StockStatus.AVAILABLE.value, StockStatus.QUARANTINE.value],
    )


def cell_of(inspection: Inspection, status: str) -> tuple[int, int, int, str]:
    return (inspection.item_id, inspection.location_id, inspection.lot_id, status)


def free_in(rows: StockRows, key: tuple[int, int, int, str]) -> Decimal:
    cell = rows.cells.get(key)
    return ZERO if cell is None else cell.free


def carry_out(
    verdict: InspectionVerdict, item: Item, handle: int, wanted: Sequence[Outcome], *, actor: Actor, note: str
) -> list[Posting]:
    """The postings of the outcomes and the decisions that name them."""
    inspection = verdict.inspection
    moved = [outcome for outcome in wanted if outcome.disposition in TARGETS]
    scrapped = [outcome for outcome in wanted if outcome.disposition not in TARGETS]
    postings: list[Posting] = []
    decisions: list[InspectionDecision] = []
    for kind, outcomes in ((PostingKind.STATUS_CHANGE, moved), (PostingKind.SCRAP, scrapped)):
        if not outcomes:
            continue
        reasons = dict.fromkeys(outcome.reason for outcome in outcomes if outcome.reason)
        claim = claim_posting(
            key=uuid5(verdict.key, kind.value),
            kind=kind,
            request={"inspection": inspection.pk, "verdict": str(verdict.key)},
            actor=actor,
            effective_at=None,
            reference=f"INSPECTION-{inspection.pk}",
            reason="; ".join(reasons)[:100],
            note=note[:500],
            related=Posting(pk=inspection.posting_id),
        )
        rows = lock_cells(inspection)
        if not postings:
            _refuse_too_much(rows, inspection, item, handle, wanted)
        draft = Draft(rows)
        source = cell_of(inspection, HELD)
        for outcome in outcomes:
            if outcome.disposition in TARGETS:
                draft.move(source, cell_of(inspection, TARGETS[outcome.disposition].value), outcome.quantity)
            else:
                draft.expense(item.pk, CostEntryKind.SCRAP, draft.issue(item.pk, [(source, outcome.quantity)]))
        post(posting=claim.posting, draft=draft)
        postings.append(claim.posting)
        decisions += [
            InspectionDecision(
                verdict=verdict,
                disposition=outcome.disposition,
                quantity=outcome.quantity,
                reason=outcome.reason,
                posting=claim.posting,
            )
            for outcome in outcomes
        ]
    InspectionDecision.objects.bulk_create(decisions)
    return postings


def _refuse_too_much(
    rows: StockRows, inspection: Inspection, item: Item, handle: int, wanted: Sequence[Outcome]
) -> None:
    """Refuse more than is held of the arrival now, reserved stock, and the release of an expired lot."""
    total = sum((outcome.quantity for outcome in wanted), ZERO)
    goods = held_arrival(handle)
    held = ZERO if goods is None else goods.held
    if total > held:
        raise OverInspection(
            f"{as_text(held)} {item.stock_unit} of {item.sku} are held of this, {as_text(total)} were decided. "
            "Correct the quantities.",
            item=item.sku,
            held=as_text(held),
            decided=as_text(total),
        )
    free = free_in(rows, cell_of(inspection, HELD))
    if total > free:
        raise ReservedByOther(
            f"{as_text(free)} {item.stock_unit} of {item.sku} are held and not reserved, {as_text(total)} were decided. "
            "Let go of the reservation first.",
            item=item.sku,
            free=as_text(free),
        )
    lot = Lot.objects.get(pk=inspection.lot_id)
    if lot.is_expired(on=timezone.localdate()) and any(one.disposition == Disposition.RELEASE for one in wanted):
        raise LotExpired(
            f"Lot {lot.code} of {item.sku} was good until {lot.expires_on:%Y-%m-%d} and cannot be released. "
            "Scrap it or put it into quarantine.",
            item=item.sku,
            lot=lot.code,
        )


def judged_results(
    verdict: InspectionVerdict, plan: InspectionPlan | None, findings: Sequence[Finding]
) -> list[InspectionResult]:
    """The findings as rows, each judged against the limits of its check. Raises WrongState for a check of another plan."""
    checks = {check.pk: check for check in (plan.checks.all() if plan is not None else ())}
    results = []
    for finding in findings:
        if not finding.is_answered:
            continue
        check = checks.get(finding.check_id)
        if check is None:
            raise WrongState(
                "The inspection plan was changed meanwhile. Load the page again and check by the new version.",
                check=finding.check_id,
            )
        results.append(
            InspectionResult(
                verdict=verdict,
                check_name=check.name,
                kind=check.kind,
                unit=check.unit,
                minimum=check.minimum,
                maximum=check.maximum,
                sample=finding.sample,
                measured=finding.measured,
                text=finding.text[:500],
                is_passed=judge(check, finding),
            )
        )
    return results


def refuse_unchecked(
    verdict: InspectionVerdict,
    goods: HeldGoods,
    wanted: Sequence[Outcome],
    findings: Sequence[Finding],
    results: Sequence[InspectionResult],
    *,
    note: str,
) -> None:
    """Goods are released when all required checks were answered, once for an arrival; against a failed check with a word."""
    inspection = verdict.inspection
    releases = [outcome for outcome in wanted if outcome.disposition == Disposition.RELEASE]
    if not releases:
        return
    if goods.plan is not None and goods.is_due:
        Inspection.objects.filter(pk=inspection.pk).update(plan=goods.plan)
        missing = missing_checks(
            goods.plan.checks.order_by("position", "id"),
            findings,
            samples=1 if goods.plan.sample_quantity is None else samples_of(goods.sample),
            earlier=_answered_before(inspection, exclude=verdict),
            has_file=inspection.files.exists(),
        )
        if missing:
            raise InspectionIncomplete(
                f"{len(missing)} required {'check is' if len(missing) == 1 else 'checks are'} not answered: "
                f"{', '.join(missing)}. Answer them, then release.",
                missing=missing,
            )
    failed = [result.check_name for result in results if result.is_passed is False]
    is_all = len(releases) == len(wanted)
    if failed and is_all and not note.strip() and not any(outcome.reason for outcome in releases):
        raise WrongState(
            f"{', '.join(dict.fromkeys(failed))} failed, and everything would be released. Say in the note why it is good "
            "enough, or decide what fails.",
            failed=failed,
        )


def _answered_before(inspection: Inspection, *, exclude: InspectionVerdict) -> Mapping[str, int]:
    """How many answers verdicts that still stand have given, by the name of the check."""
    standing = InspectionDecision.objects.filter(verdict__inspection=inspection).standing().values("verdict_id")
    return Counter(
        InspectionResult.objects.filter(verdict__in=standing)
        .exclude(verdict=exclude)
        .values_list("check_name", flat=True)
    )
