"""The queue of what needs a person: reporting, taking, snoozing and resolving."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import F
from django.utils import timezone

from inventory.errors import WrongState
from inventory.models import ExceptionCase, ExceptionState, Severity
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
    actor: Actor,  # noqa: ARG001  the case is for everybody; who caused it stands in the evidence
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
    open_cases = ExceptionCase.objects.open().filter(fingerprint=fingerprint[:120])
    if open_cases.update(**words, times_seen=F("times_seen") + 1):
        return open_cases.get()
    made = ExceptionCase(kind=kind, area=area, fingerprint=fingerprint[:120], opened_at=now, **words)
    ExceptionCase.objects.bulk_create([made], ignore_conflicts=True)  # a rival may report the same at once
    return open_cases.get()


@operation
def take_exception(*, case: ExceptionCase, actor: Actor) -> ExceptionCase:
    """Make a case one's own. Raises WrongState when it is resolved."""
    found = _locked(case)
    found.owner_id = getattr(actor, "pk", None)
    found.save(update_fields=["owner"])
    return found


@operation
def snooze_exception(*, case: ExceptionCase, until: datetime, actor: Actor) -> ExceptionCase:  # noqa: ARG001
    """Put a case away until a moment in the future. Raises WrongState when it is resolved or the moment has passed."""
    found = _locked(case)
    if until <= timezone.now():
        raise WrongState("Snooze until a time that is still to come.")
    found.state, found.snoozed_until = ExceptionState.SNOOZED, until
    found.save(update_fields=["state", "snoozed_until"])
    return found


@operation
def resolve_exception(*, case: ExceptionCase, actor: Actor, resolution: str = "") -> ExceptionCase:
    """Close a case. Raises WrongState when it is resolved already."""
    found = _locked(case)
    found.state, found.resolved_at = ExceptionState.RESOLVED, timezone.now()
    found.resolved_by_id = getattr(actor, "pk", None)
    found.resolution = resolution[:300]
    found.save(update_fields=["state", "resolved_at", "resolved_by", "resolution"])
    return found


@operation
def resolve_by_fingerprint(*, fingerprint: str, resolution: str, actor: Actor = None) -> int:
    """Close the open case of a trouble that is over; returns how many were closed."""
    return (
        ExceptionCase.objects.open()
        .filter(fingerprint=fingerprint)
        .update(
            state=ExceptionState.RESOLVED,
            resolved_at=timezone.now(),
            resolved_by_id=getattr(actor, "pk", None),
            resolution=resolution[:300],
        )
    )


def _locked(case: ExceptionCase) -> ExceptionCase:
    found = ExceptionCase.objects.select_for_update(of=("self",), no_key=True).get(pk=case.pk)
    if found.state == ExceptionState.RESOLVED:
        raise WrongState(f"“{found.title}” is resolved already.")
    return found
