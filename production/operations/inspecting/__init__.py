"""Inspecting goods in QC hold: what was found, and what becomes of each part of them.

What is released, quarantined or sent to rework moves by one status change, what is scrapped by one scrap posting; both
name the posting that brought the goods (`related`), so the whole chain can be followed and taken back, newest first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid5

from django.db.models import F, Sum
from django.utils import timezone

from inventory.errors import (
    AlreadyReversed,
    IdempotencyMismatch,
    InsufficientStock,
    WrongState,
)
from inventory.models import (
    Item,
    Posting,
    PostingKind,
    StockStatus,
)
from inventory.operations.checking import check_quantity
from inventory.operations.exceptions import resolve_by_fingerprint
from inventory.operations.posting import Actor, Draft, claim_posting, post, request_hash
from inventory.operations.reversing import reverse_posting
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text
from production.inspection import Finding
from production.models import (
    Disposition,
    Inspection,
    InspectionDecision,
    InspectionResult,
    InspectionVerdict,
    ReworkOrder,
)
from production.operations.inspecting.consequences import (
    fingerprint_of,
    follow_verdict,
    has_failures,
    let_go,
    locked_order_of,
)
from production.operations.inspecting.deciding import (
    HELD,
    Outcome,
    carry_out,
    cell_of,
    free_in,
    inspection_of,
    judged_results,
    lock_cells,
    merged_outcomes,
    postings_of,
    refuse_unchecked,
    verdict_request,
)
from production.reads.held_goods import held_arrival, held_goods

__all__ = [
    "Finding",
    "Outcome",
    "VerdictResult",
    "decide_inspection",
    "fingerprint_of",
    "in_rework",
    "open_inspection",
    "release_not_due",
    "return_reworked",
    "undo_verdict",
]

SKIPPED_REASON = "Not due for inspection"


@dataclass(frozen=True, slots=True)
class VerdictResult:
    verdict: InspectionVerdict
    postings: Sequence[Posting]
    replayed: bool  # the key had already been used for this very request


@operation
def open_inspection(*, handle: int, actor: Actor) -> Inspection:  # noqa: ARG001  opening decides nothing
    """The inspection of an arrival by its handle, made when it is the first time that somebody needs it.

    Raises WrongState when nothing of it is held.
    """
    goods = held_arrival(handle)
    if goods is None:
        raise WrongState("Nothing of this is on QC hold any more. Go back to the queue.", arrival=handle)
    return inspection_of(goods)


@operation
def decide_inspection(
    *,
    key: UUID,
    handle: int,
    outcomes: Sequence[Outcome],
    actor: Actor,
    findings: Sequence[Finding] = (),
    note: str = "",
) -> VerdictResult:
    """Judge all or a part of what is held of an arrival: release, scrap, quarantine or send to rework, by quantity.

    Everything that fails is put into the queue of exceptions. Raises WrongState when nothing of it is held or a failed check
    is released without a word, OverInspection, InspectionIncomplete, InvalidQuantity, InvalidQuantityStep, LotExpired,
    ReservedByOther or IdempotencyMismatch; nothing is written then.
    """
    wanted = merged_outcomes(outcomes)
    known = InspectionVerdict.objects.select_related("inspection").filter(key=key).first()
    request = verdict_request(handle, wanted, findings, note)
    if known is not None:
        return _replayed(known, request)

    goods = held_arrival(handle)
    order = None if goods is None else locked_order_of(posting_id=goods.posting_id, item_id=goods.item.pk)
    inspection = None if goods is None else inspection_of(goods)
    known = InspectionVerdict.objects.select_related("inspection").filter(key=key).first()
    if known is not None:  # a rival with the same key held the inspection until now
        return _replayed(known, request)
    if goods is None or inspection is None:
        raise WrongState("Nothing of this is on QC hold any more. Go back to the queue.", arrival=handle)
    item = Item.objects.get(pk=goods.item.pk)
    for outcome in wanted:
        check_quantity(item, outcome.quantity)
    verdict = InspectionVerdict.objects.create(
        inspection=inspection,
        key=key,
        request_hash=request_hash("inspection", request),
        note=note[:500],
        decided_by_id=getattr(actor, "pk", None),
        decided_at=timezone.now(),
    )
    postings = carry_out(verdict, item, handle, wanted, actor=actor, note=note)
    results = judged_results(verdict, goods.plan, findings)
    refuse_unchecked(verdict, goods, wanted, findings, results, note=note)
    InspectionResult.objects.bulk_create(results)
    follow_verdict(verdict, goods, item, wanted, postings, order=order, actor=actor)
    return VerdictResult(verdict, postings, replayed=False)


@operation
def undo_verdict(*, key: UUID, verdict: InspectionVerdict, actor: Actor, reason: str = "") -> list[Posting]:
    """Take back what a verdict did, newest posting first; the goods are in QC hold again. Returns the reversing postings.

    What the release had reserved for the order's demand is let go of. Raises AlreadyReversed when nothing of it stands, and
    as reverse_posting when the goods are no longer there.
    """
    about = Inspection.objects.get(pk=verdict.inspection_id)
    order = locked_order_of(posting_id=about.posting_id, item_id=about.item_id)
    inspection = Inspection.objects.select_for_update(of=("self",), no_key=True).get(pk=about.pk)
    decisions = list(verdict.decisions.select_related("posting").order_by("-id"))
    keys = {decision.posting_id: uuid5(key, f"undo {decision.posting_id}") for decision in decisions}
    done = list(Posting.objects.filter(key__in=keys.values()).order_by("pk"))
    if done:
        return done
    standing = set(InspectionDecision.objects.filter(verdict=verdict).standing().values_list("posting_id", flat=True))
    left = [posting for posting in postings_of(decisions) if posting.pk in standing]
    if not left:
        raise AlreadyReversed("This verdict was taken back before. There is nothing left to undo.", verdict=verdict.pk)
    let_go(inspection, order, [one for one in decisions if one.posting_id in standing], actor=actor)
    reversals = [
        reverse_posting(key=keys[posting.pk], posting=posting, actor=actor, reason=reason).posting for posting in left
    ]
    if not has_failures(inspection):
        resolve_by_fingerprint(
            fingerprint=fingerprint_of(inspection), resolution="The verdict was taken back", actor=actor
        )
    return reversals


@operation
def return_reworked(
    *, key: UUID, decision: InspectionDecision, quantity: Decimal, actor: Actor, note: str = ""
) -> Posting:
    """Bring a quantity (stock unit) that was sent to rework back into QC hold, where it is inspected again.

    Raises WrongState for another disposition, InvalidQuantityStep, and InsufficientStock when less of it is in rework.
    """
    if decision.disposition != Disposition.REWORK:
        raise WrongState("Only goods that were sent to rework come back from it. Choose another decision.")
    inspection = Inspection.objects.select_related("item", "location", "lot").get(pk=decision.verdict.inspection_id)
    item = inspection.item
    check_quantity(item, quantity)
    claim = claim_posting(
        key=key,
        kind=PostingKind.STATUS_CHANGE,
        request={"rework": decision.pk, "quantity": quantity},
        actor=actor,
        effective_at=None,
        reference=f"INSPECTION-{inspection.pk}",
        reason="Back from rework",
        note=note,
        related=decision.posting,
    )
    if not claim.is_new:
        return claim.posting

    source, target = (cell_of(inspection, StockStatus.QUARANTINE.value), cell_of(inspection, HELD))
    rows = lock_cells(inspection)
    left = min(in_rework([decision]).get(decision.pk, ZERO), free_in(rows, source))
    if quantity > left:
        raise InsufficientStock(
            f"{as_text(left)} {item.stock_unit} of {item.sku} are in rework here, {as_text(quantity)} would come back. "
            "Give at most what is there.",
            item=item.sku,
            left=as_text(left),
            needed=as_text(quantity),
        )
    draft = Draft(rows)
    draft.move(source, target, quantity)
    post(posting=claim.posting, draft=draft)
    return claim.posting


@operation
def release_not_due(*, actor: Actor = None) -> int:
    """Release what its plan lets pass without inspection: all but each n-th. Returns how many arrivals; safe to run twice.

    Lots past their last day are left for a person.
    """
    released = 0
    day = timezone.localdate()
    for goods in held_goods():
        if goods.is_due or (goods.expires_on is not None and goods.expires_on < day):
            continue
        assert goods.plan is not None
        reason = f"{SKIPPED_REASON}: {_ordinal(goods.number)}, each {_ordinal(goods.plan.every_nth)} is inspected"
        result = decide_inspection(
            key=uuid5(Posting.objects.get(pk=goods.posting_id).key, f"not due {goods.pk} {as_text(goods.held)}"),
            handle=goods.pk,
            outcomes=[Outcome(Disposition.RELEASE, goods.held, reason)],
            actor=actor,
        )
        released += not result.replayed
    return released


def in_rework(decisions: Sequence[InspectionDecision]) -> dict[int, Decimal]:
    """By decision id, how much of a standing rework has not come back yet, in the stock unit."""
    rework = [decision for decision in decisions if decision.disposition == Disposition.REWORK]
    back: dict[int, Decimal] = {}
    returns = (
        Posting.objects.filter(
            kind=PostingKind.STATUS_CHANGE,
            related_id__in=[decision.posting_id for decision in rework],
            reversals__isnull=True,
            movements__status=HELD,
            movements__quantity__gt=0,
        )
        .values_list("related_id", "movements__quantity")
        .order_by("pk")
    )
    for related_id, quantity in returns:
        back[related_id] = back.get(related_id, ZERO) + quantity
    mended = _mended(rework)
    left: dict[int, Decimal] = {}
    for decision in rework:
        came = min(back.get(decision.posting_id, ZERO), decision.quantity)
        back[decision.posting_id] = back.get(decision.posting_id, ZERO) - came
        left[decision.pk] = max(decision.quantity - came - mended.get(decision.pk, ZERO), ZERO)
    return left


def _mended(decisions: Sequence[InspectionDecision]) -> dict[int, Decimal]:
    """By decision id, what rework orders have made good or spoiled of it."""
    orders = ReworkOrder.objects.filter(decision_id__in=[decision.pk for decision in decisions]).order_by()
    sums = orders.values_list("decision_id").annotate(quantity=Sum(F("good") + F("scrapped")))
    return dict(sums)


def _replayed(verdict: InspectionVerdict, request: Mapping[str, object]) -> VerdictResult:
    if bytes(verdict.request_hash) != request_hash("inspection", request):
        raise IdempotencyMismatch(
            f"The key {verdict.key} was used for another verdict of {verdict.inspection}. Repeat that request unchanged, or "
            "send this one with a new key.",
            key=str(verdict.key),
            verdict=verdict.pk,
        )
    decisions = list(verdict.decisions.select_related("posting").order_by("-id"))
    return VerdictResult(verdict, postings_of(decisions)[::-1], replayed=True)


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
