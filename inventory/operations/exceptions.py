"""The queue of what needs a person: reporting, taking, snoozing and resolving."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import F
from django.utils import timezone

from inventory.errors import WrongState
from inventory.models import ExceptionCase, ExceptionEvent, ExceptionState, ExceptionStep, Severity
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation


@operation
def report_exception(
    *,
    kind: str,
    area: str,
    fingerprint: str,
    title: str,
    reason: str,
    actor: Actor,
    severity: int = Severity.NORMAL,
    evidence: Mapping[str, object] | None = None,
    subject: str = "",
    url: str = "",
    action: str = "",
    action_url: str = "",
) -> ExceptionCase:
    """Put something into the queue, or count it again while a case with the same `fingerprint` is open.

    A case seen again gets the new words and evidence and keeps its owner and age.
    """
    now = timezone.now()
    words = {
        "severity": severity,
        "title": title[:200],
        "reason": reason,
        "evidence": dict(evidence or {}),
        "subject": subject[:120],
        "url": url,
        "action": action,
        "action_url": action_url,
        "last_seen_at": now,
    }
    fingerprint = fingerprint[:120]
    open_cases = ExceptionCase.objects.open().filter(fingerprint=fingerprint)
    if open_cases.update(**words, times_seen=F("times_seen") + 1):
        return open_cases.get()
    made = ExceptionCase(kind=kind, area=area, fingerprint=fingerprint, opened_at=now, **words)
    ExceptionCase.objects.bulk_create([made], ignore_conflicts=True)  # a rival may report the same at once
    case = open_cases.get()
    if not case.events.exists():
        _note(case, ExceptionStep.REPORTED, actor=actor)
    return case


@operation
def report_problem(*, key: UUID, title: str, words: str, actor: Actor, about: str = "", url: str = "") -> ExceptionCase:
    """Put what a person saw into the queue. The same key reports once. Raises WrongState without a title."""
    if not title.strip():
        raise WrongState("Say in a few words what is wrong.")
    fingerprint = f"problem:{key}"
    known = ExceptionCase.objects.filter(fingerprint=fingerprint).first()
    if known is not None:
        return known
    return report_exception(
        kind="problem",
        area="people",
        fingerprint=fingerprint,
        title=title.strip(),
        reason=words.strip() or title.strip(),
        evidence={"reported by": getattr(actor, "username", "") or "the system"},
        subject=about.strip(),
        url=url,
        actor=actor,
    )


@operation
def take_exception(*, case: ExceptionCase, actor: Actor) -> ExceptionCase:
    """Make a case one's own. Raises WrongState when it is resolved."""
    found = _locked(case)
    if found.owner_id != getattr(actor, "pk", None):
        found.owner_id = getattr(actor, "pk", None)
        found.save(update_fields=["owner"])
        _note(found, ExceptionStep.TAKEN, actor=actor)
    return found


@operation
def assign_exception(*, case: ExceptionCase, owner: AbstractBaseUser | None, actor: Actor) -> ExceptionCase:
    """Give a case to somebody, or to nobody. Raises WrongState when it is resolved or the person is not active."""
    found = _locked(case)
    if owner is not None and not owner.is_active:
        raise WrongState(f"{owner.get_username()} does not work here any more. Choose somebody else.")
    if found.owner_id != getattr(owner, "pk", None):
        found.owner_id = getattr(owner, "pk", None)
        found.save(update_fields=["owner"])
        step = ExceptionStep.RELEASED if owner is None else ExceptionStep.ASSIGNED
        _note(found, step, words="" if owner is None else owner.get_username(), actor=actor)
    return found


@operation
def snooze_exception(*, case: ExceptionCase, until: datetime, actor: Actor) -> ExceptionCase:
    """Put a case away until a moment in the future. Raises WrongState when it is resolved or the moment has passed."""
    found = _locked(case)
    if until <= timezone.now():
        raise WrongState("Snooze until a time that is still to come.")
    found.state, found.snoozed_until = ExceptionState.SNOOZED, until
    found.save(update_fields=["state", "snoozed_until"])
    _note(found, ExceptionStep.SNOOZED, words=f"until {timezone.localtime(until):%Y-%m-%d %H:%M}", actor=actor)
    return found


@operation
def wake_exception(*, case: ExceptionCase, actor: Actor) -> ExceptionCase:
    """Bring a case that was put away back now. Raises WrongState when it is resolved; waking it twice is fine."""
    found = _locked(case)
    if found.state == ExceptionState.SNOOZED:
        found.state, found.snoozed_until = ExceptionState.OPEN, None
        found.save(update_fields=["state", "snoozed_until"])
        _note(found, ExceptionStep.WOKEN, actor=actor)
    return found


@operation
def resolve_exception(*, case: ExceptionCase, actor: Actor, resolution: str = "") -> ExceptionCase:
    """Close a case. Raises WrongState when it is resolved already."""
    found = _locked(case)
    found.state, found.resolved_at = ExceptionState.RESOLVED, timezone.now()
    found.resolved_by_id = getattr(actor, "pk", None)
    found.resolution, found.snoozed_until = resolution.strip()[:300], None
    found.save(update_fields=["state", "resolved_at", "resolved_by", "resolution", "snoozed_until"])
    _note(found, ExceptionStep.RESOLVED, words=found.resolution, actor=actor)
    return found


@operation
def reopen_exception(*, case: ExceptionCase, actor: Actor, note: str = "") -> ExceptionCase:
    """Open a resolved case again. Raises WrongState when it is not resolved, or the same trouble has a case of its own."""
    found = ExceptionCase.objects.select_for_update(of=("self",), no_key=True).get(pk=case.pk)
    if found.state != ExceptionState.RESOLVED:
        raise WrongState(f"“{found.title}” is not resolved, so there is nothing to open again.")
    other = ExceptionCase.objects.open().filter(fingerprint=found.fingerprint).first()
    if other is not None:
        raise WrongState(f"The same trouble was reported again as “{other.title}”. Work on that one.", case=other.pk)
    found.state, found.resolved_at, found.resolved_by_id, found.resolution = ExceptionState.OPEN, None, None, ""
    found.save(update_fields=["state", "resolved_at", "resolved_by", "resolution"])
    _note(found, ExceptionStep.REOPENED, words=note, actor=actor)
    return found


@operation
def note_exception(*, case: ExceptionCase, words: str, actor: Actor) -> ExceptionCase:
    """Write something down about a case, whatever its state. Raises WrongState without words."""
    if not words.strip():
        raise WrongState("The note is empty. Type what is to be remembered.")
    _note(case, ExceptionStep.NOTED, words=words.strip(), actor=actor)
    return case


@operation
def resolve_by_fingerprint(*, fingerprint: str, resolution: str, actor: Actor = None) -> int:
    """Close the open case of a trouble that is over; returns how many were closed."""
    found = list(ExceptionCase.objects.open().filter(fingerprint=fingerprint))
    for case in found:
        resolve_exception(case=case, resolution=resolution, actor=actor)
    return len(found)


def close_settled(
    kind: str, *, standing: Iterable[str], resolution: str, actor: Actor = None, cases_max: int | None = None
) -> int:
    """Close the open cases of a kind but those whose trouble stands (fingerprints); returns how many were closed."""
    over = ExceptionCase.objects.open().filter(kind=kind).exclude(fingerprint__in=list(standing))
    return sum(
        resolve_by_fingerprint(fingerprint=fingerprint, resolution=resolution, actor=actor)
        for fingerprint in list(over.values_list("fingerprint", flat=True)[:cases_max])
    )


def _locked(case: ExceptionCase) -> ExceptionCase:
    found = ExceptionCase.objects.select_for_update(of=("self",), no_key=True).get(pk=case.pk)
    if found.state == ExceptionState.RESOLVED:
        raise WrongState(f"“{found.title}” is resolved already.")
    return found


def _note(case: ExceptionCase, step: ExceptionStep, *, actor: Actor, words: str = "") -> None:
    ExceptionEvent.objects.create(
        case=case, step=step, words=words[:500], actor_id=getattr(actor, "pk", None), happened_at=timezone.now()
    )
