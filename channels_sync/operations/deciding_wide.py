"""Decisions about a large change as a whole: checked at once, carried out by the workers run by run."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from channels_sync.models import Channel, Hold, HoldState, PublishRun, WideChange, WideDecision, WideVerdict
from channels_sync.operations.deciding import (
    causers_of,
    check_second_person,
    keep_back,
    let_flow,
    lines_in_force,
    take_back,
)
from channels_sync.operations.second_looks import check_typed
from channels_sync.reads.wide_changes import holds_waiting, lines_to_take_back, runs_to_decide
from inventory.errors import DomainError, WrongState
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.wakeups import wake_after_commit

PROBLEMS_KEPT = 20
_WHY_NEEDED = {
    WideVerdict.REFUSE: "Say why it is refused; whoever mends the figures needs to know.",
    WideVerdict.UNDO: "Say why it is taken back.",
}


@operation
def decide_wide(
    *,
    wide: WideChange,
    verdict: WideVerdict,
    actor: Actor,
    channel: Channel | None = None,
    reason: str = "",
    typed: str = "",
) -> WideDecision:
    """Approve or refuse all changes of a large change that wait, or take back what it brought about, on one channel or on all.

    The same rules as for one run are checked here, for all of it; then the workers carry it out run by run, each in a transaction
    of its own. What began to wait afterwards was not seen and goes on waiting. Raises WrongState while it is still being worked
    out, while another decision about it is carried out, without a reason where one is needed, or when nothing is there to decide;
    SecondPersonRequired; TypedConfirmationRequired for TYPED_FROM listings or more without their number.
    """
    locked = WideChange.objects.select_for_update(no_key=True).get(pk=wide.pk)
    left = locked.pieces.count()
    if left:
        raise WrongState(
            f"{locked} is still being worked out: {left} of {locked.parts} parts are left. "
            "Pause its channels if nothing may be sent meanwhile."
        )
    if locked.decisions.filter(ended_at__isnull=True).exists():
        raise WrongState(f"A decision about {locked} is being carried out. Wait until it has ended.")
    if verdict in _WHY_NEEDED and not reason.strip():
        raise WrongState(_WHY_NEEDED[verdict])
    newest_hold = 0
    if verdict == WideVerdict.UNDO:
        count = lines_to_take_back(locked, channel).count()
        if not count:
            raise WrongState(f"Nothing of {locked} is in force: newer figures took its place.")
    else:
        holds = list(holds_waiting(locked, channel).order_by("pk").values_list("pk", flat=True))
        if not holds:
            raise WrongState(f"Nothing of {locked} waits. It was decided, or newer changes took its place.")
        count, newest_hold = len(holds), holds[-1]
        if verdict == WideVerdict.APPROVE:
            check_second_person(str(locked).lower(), causers_of(holds), actor)
    if verdict != WideVerdict.REFUSE:
        check_typed(count, typed)
    decision = WideDecision.objects.create(
        wide=locked,
        channel=channel,
        verdict=verdict,
        reason=reason.strip()[:200],
        listings=count,
        newest_hold=newest_hold,
        newest_run=locked.runs.aggregate(newest=Max("pk"))["newest"] or 0,
        created_by_id=getattr(actor, "pk", None),
    )
    wake_after_commit()
    return decision


@operation
def carry_out_decision() -> int:
    """Carry out the next run of a decision nobody else is at. Returns 1, or 0 when there is none.

    What cannot be carried out for a run, since things changed meanwhile, is kept with the decision, and the next run follows.
    """
    decision = (
        WideDecision.objects.filter(ended_at__isnull=True)
        .select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("created_by", "wide", "channel")
        .order_by("pk")
        .first()
    )
    if decision is None:
        return 0
    run = runs_to_decide(decision).first()
    if run is None:
        decision.ended_at = timezone.now()
        decision.save(update_fields=["ended_at"])
        return 1
    decision.last_run = run.pk
    try:
        with transaction.atomic():
            done = _carry_out(decision, run)
    except DomainError as error:
        decision.problems = [*decision.problems, {"run": run.pk, "words": error.message}][:PROBLEMS_KEPT]
    else:
        decision.changed += done.changed
        decision.held += done.held
        decision.frozen += done.frozen
    decision.save(update_fields=["last_run", "problems", "changed", "held", "frozen"])
    return 1


@dataclass(frozen=True, slots=True)
class _Done:
    changed: int = 0
    held: int = 0
    frozen: int = 0


def _carry_out(decision: WideDecision, run: PublishRun) -> _Done:
    actor = decision.created_by
    if decision.verdict == WideVerdict.UNDO:
        _, still = lines_in_force(run)
        result = take_back(run, still, reason=decision.reason, actor=actor)
        return _Done(result.changed, result.held, len(still))
    holds = list(
        Hold.objects.filter(run=run, state=HoldState.OPEN, pk__lte=decision.newest_hold).order_by("listing_id")
    )
    if decision.verdict == WideVerdict.REFUSE:
        return _Done(frozen=len(keep_back(run, holds, reason=decision.reason, actor=actor)))
    result = let_flow(run, holds, causers=causers_of(hold.pk for hold in holds), actor=actor)
    return _Done(result.changed, result.held)
