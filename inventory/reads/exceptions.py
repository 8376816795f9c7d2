"""The queue of what needs a person, and how much of it there is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from inventory.models import ExceptionCase, ExceptionState, Severity
from inventory.whole_numbers import whole_number

OLD_DAYS = 3
"""Cases that wait longer are pointed out."""

KIND_WORDS = {
    "negative_stock": "Below zero",
    "old_quarantine": "Long in quarantine",
    "failed_inspection": "Failed inspection",
    "problem": "Reported problem",
    "held_run": "Held publish run",
    "drift": "Drift at a channel",
    "oversold": "Oversold",
}


def kind_words(kind: str) -> str:
    """A kind in words; kinds of higher apps are read as they are called."""
    return KIND_WORDS.get(kind) or kind.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class ExceptionQuestion:
    """Which cases are asked for; empty means all of those that wait now."""

    state: str = "waiting"
    """waiting, snoozed, resolved or all."""
    kind: str = ""
    severity: int | None = None
    owner: str = ""
    """mine, nobody, or a user id."""
    person_id: int | None = None
    """Who asks, for `mine`."""
    older_than_days: int | None = None
    text: str = ""


def exceptions_matching(question: ExceptionQuestion, *, at: datetime | None = None) -> QuerySet[ExceptionCase]:
    """Cases, the worst first and then the oldest; resolved ones newest first."""
    now = at or timezone.now()
    found = ExceptionCase.objects.select_related("owner", "resolved_by")
    if question.state == "waiting":
        found = found.waiting(at=now)
    elif question.state == "snoozed":
        found = found.filter(state=ExceptionState.SNOOZED, snoozed_until__gt=now)
    elif question.state == "resolved":
        found = found.filter(state=ExceptionState.RESOLVED)
    if question.kind:
        found = found.filter(kind=question.kind)
    if question.severity is not None:
        found = found.filter(severity=question.severity)
    if question.owner == "mine":
        found = found.filter(owner_id=question.person_id)
    elif question.owner == "nobody":
        found = found.filter(owner__isnull=True)
    elif (owner := whole_number(question.owner)) is not None:
        found = found.filter(owner_id=owner)
    if question.older_than_days is not None:
        found = found.filter(opened_at__lt=now - timedelta(days=question.older_than_days))
    if question.text:
        words = Q(title__icontains=question.text) | Q(reason__icontains=question.text)
        found = found.filter(words | Q(subject__icontains=question.text))
    if question.state == "resolved":
        return found.order_by("-resolved_at", "-pk")
    return found.order_by("-severity", "opened_at", "pk")


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """How much waits: in all, of it urgent or high, a person's own, nobody's, older than some days; and by kind."""

    waiting: int
    severe: int
    mine: int
    nobody: int
    old: int
    snoozed: int
    kinds: list[tuple[str, int]]


def queue_figures(*, person_id: int | None, at: datetime | None = None) -> QueueFigures:
    """Two queries."""
    now = at or timezone.now()
    waiting = Q(state=ExceptionState.OPEN) | Q(state=ExceptionState.SNOOZED, snoozed_until__lte=now)
    sums: dict[str, Any] = ExceptionCase.objects.open().aggregate(
        waiting=Count("pk", filter=waiting),
        severe=Count("pk", filter=waiting & Q(severity__gte=Severity.HIGH)),
        mine=Count("pk", filter=waiting & Q(owner_id=person_id)),
        nobody=Count("pk", filter=waiting & Q(owner__isnull=True)),
        old=Count("pk", filter=waiting & Q(opened_at__lt=now - timedelta(days=OLD_DAYS))),
        snoozed=Count("pk", filter=Q(state=ExceptionState.SNOOZED, snoozed_until__gt=now)),
    )
    kinds = ExceptionCase.objects.waiting(at=now).values("kind").annotate(count=Count("pk")).order_by("-count", "kind")
    return QueueFigures(**sums, kinds=[(row["kind"], row["count"]) for row in kinds])


def waiting_count(*, at: datetime | None = None) -> int:
    """How many cases wait now."""
    return ExceptionCase.objects.waiting(at=at or timezone.now()).count()
