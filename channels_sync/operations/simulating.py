"""Simulations as jobs: asked for by a person, worked out by a worker, kept with their answer. They change nothing else.

Three steps, like sending: a short transaction claims the row, the work is done with none open, another records the answer,
and only while the row still carries that very lease.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from channels_sync.models import Simulation, SimulationState
from channels_sync.operations.allocating import checked_terms
from channels_sync.reads.layers import DEMAND_DAYS
from channels_sync.reads.rehearsal import Rehearsal, read_rehearsal
from channels_sync.simulation import Question, SupplyKind, Tally, replay
from channels_sync.simulation.question import (
    DAYS_MAX,
    LATE_MINUTES_MAX,
    PERCENT_MAX,
    SEED_MAX,
    STARTS,
    WEEKS_MAX,
)
from channels_sync.simulation.tally import worst_items
from inventory.errors import DomainError, IdempotencyMismatch, InvalidQuantity
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=20)
"""Longer than a task may live."""
ATTEMPTS_MAX = 3
ITEMS_PER_STEP = 100
"""Progress is written after so many items."""
WORST_MAX = 20
KEPT_MAX = 500
"""Simulations kept; the oldest that are over go."""


@dataclass(frozen=True, slots=True)
class SimulationResult:
    simulation: Simulation
    replayed: bool  # the key had already been used for this very question


@operation
def ask_simulation(
    *, key: UUID, question: Question, actor: Actor, title: str = "", repeats: Simulation | None = None
) -> SimulationResult:
    """Keep a question for the next free worker.

    Raises InvalidQuantity for a figure out of its range or a rule that sets nothing, IdempotencyMismatch when the key was
    used for another question.
    """
    _check(question)
    asked = question.to_json()
    simulation, created = Simulation.objects.get_or_create(
        key=key,
        defaults={
            "title": title.strip()[:150] or "Other rules",
            "question": asked,
            "repeats": repeats,
            "created_by_id": getattr(actor, "pk", None),
        },
    )
    if not created and simulation.question != asked:
        raise IdempotencyMismatch(
            f"This key was used for the simulation “{simulation.title}”, which asks something else. Use a new key.",
            simulation=simulation.pk,
        )
    if created:
        _remove_old()
    return SimulationResult(simulation, replayed=not created)


@operation
def claim_simulation() -> Simulation | None:
    """The oldest simulation that waits, or whose worker is gone, for this worker alone; None when there is none.

    One that was begun ATTEMPTS_MAX times and never ended is given up.
    """
    now = timezone.now()
    due = Q(state=SimulationState.WAITING) | Q(state=SimulationState.RUNNING, lease_until__lt=now)
    rows = Simulation.objects.filter(due).select_for_update(of=("self",), no_key=True, skip_locked=True)
    simulation = rows.order_by("pk").first()
    if simulation is None:
        return None
    if simulation.attempts >= ATTEMPTS_MAX:
        simulation.state = SimulationState.FAILED
        simulation.problem = "It was begun three times and did not end. Choose fewer items or weeks."
        simulation.finished_at = now
    else:
        simulation.state = SimulationState.RUNNING
        simulation.attempts += 1
        simulation.lease_until = now + LEASE
    simulation.save()
    return simulation


@operation
def record_answer(
    *,
    simulation: Simulation,
    result: dict[str, object] | None,
    fingerprint: str = "",
    problem: str = "",
) -> bool:
    """End a claimed simulation with its answer or with what stood in the way; False when another worker has it by now."""
    mine = Simulation.objects.filter(
        pk=simulation.pk, state=SimulationState.RUNNING, lease_until=simulation.lease_until
    )
    return bool(
        mine.update(
            state=SimulationState.FAILED if result is None else SimulationState.DONE,
            result=result,
            fingerprint=fingerprint,
            problem=problem[:500],
            lease_until=None,
            finished_at=timezone.now(),
        )
    )


def work_on_simulation(*, simulation: Simulation, now: datetime | None = None) -> bool:
    """Work out a claimed simulation and record its answer. Not inside a transaction. False when it was lost to another."""
    question = Question.from_json(simulation.question)
    try:
        rehearsal = read_rehearsal(question, now=now)
    except DomainError as error:
        return record_answer(simulation=simulation, result=None, problem=error.message)
    mine = Simulation.objects.filter(pk=simulation.pk, lease_until=simulation.lease_until)
    mine.update(progress_of=len(rehearsal.items), progress_done=0)
    tallies = (Tally(question.days), Tally(question.days))
    for number, one in enumerate(rehearsal.items, start=1):
        for tally, exposure in zip(tallies, (one.present, one.proposed), strict=True):
            tally.add(one.case, replay(one.case, exposure, days=question.days, demand_days=DEMAND_DAYS))
        if number % ITEMS_PER_STEP == 0 and not mine.update(progress_done=number):
            return False
    mine.update(progress_done=len(rehearsal.items))
    answer = _answer(question, rehearsal, tallies)
    return record_answer(simulation=simulation, result=answer, fingerprint=rehearsal.fingerprint)


def work_on_simulations(*, simulations_max: int) -> int:
    """Work out what waits, one after the other. Returns their number."""
    done = 0
    for _ in range(simulations_max):
        simulation = claim_simulation()
        if simulation is None:
            break
        if simulation.state == SimulationState.RUNNING:
            try:
                work_on_simulation(simulation=simulation)
            except Exception as error:
                logger.exception("simulation.broke", extra={"simulation_id": simulation.pk})
                words = f"It broke off: {type(error).__name__}. The log has the rest; tell whoever looks after it."
                record_answer(simulation=simulation, result=None, problem=words)
        done += 1
    return done


def waiting_simulations() -> int:
    """How many wait for a worker, or lost theirs."""
    now = timezone.now()
    due = Q(state=SimulationState.WAITING) | Q(state=SimulationState.RUNNING, lease_until__lt=now)
    return Simulation.objects.filter(due).count()


# --- building blocks ---


def _answer(question: Question, rehearsal: Rehearsal, tallies: tuple[Tally, Tally]) -> dict[str, object]:
    names = {str(channel): name for channel, name in rehearsal.channels.items() if channel in tallies[0].channels}
    return {
        "first_day": question.first_day.isoformat(),
        "last_day": question.last_day.isoformat(),
        "days": question.days,
        "items": len(rehearsal.items),
        "listings": rehearsal.listings,
        "names": names,
        "present": tallies[0].to_json(),
        "proposed": tallies[1].to_json(),
        "worst": worst_items(*tallies, rows_max=WORST_MAX),
        "notices": rehearsal.notices,
    }


def _check(question: Question) -> None:
    _check_whole("weeks", question.weeks, 1, WEEKS_MAX)
    _check_whole("percent", question.percent, 1, PERCENT_MAX)
    _check_whole("lead_days", question.lead_days, 0, DAYS_MAX)
    _check_whole("cover_days", question.cover_days, 1, DAYS_MAX)
    _check_whole("late_minutes", question.late_minutes, 0, LATE_MINUTES_MAX)
    for minutes in question.late.values():
        _check_whole("late_minutes", minutes, 0, LATE_MINUTES_MAX)
    _check_whole("seed", question.seed, 0, SEED_MAX)
    if question.last_day >= timezone.localdate():
        raise InvalidQuantity(
            f"The last day is {question.last_day}. Choose a day that is over, so that its demand is known.",
            term="last_day",
            value=question.last_day.isoformat(),
        )
    if question.start not in STARTS or question.supply not in SupplyKind:
        raise ValueError(f"no such start or supply: {question.start!r}, {question.supply!r}")
    if not question.rules:
        raise InvalidQuantity("Nothing is proposed. Give a rule, a planned one or a campaign.", term="rules", value="")
    for rule in question.rules:
        checked_terms(rule.terms)


def _check_whole(term: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        words = term.replace("_", " ")
        raise InvalidQuantity(
            f"The {words} are {value}. Give a whole number from {low} to {high}.", term=term, value=str(value)
        )


def _remove_old() -> None:
    over = Simulation.objects.filter(state__in=(SimulationState.DONE, SimulationState.FAILED))
    last = over.order_by("-pk").values_list("pk", flat=True)[KEPT_MAX : KEPT_MAX + 1].first()
    if last is not None:
        Simulation.objects.filter(repeats__pk__lte=last).update(repeats=None)
        over.filter(pk__lte=last).delete()
