"""The first step of every posting: making its key ours, or finding the posting that used it before."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection
from django.utils import timezone

from inventory.errors import BackdatingNotAllowed, IdempotencyMismatch
from inventory.models import Posting, PostingKind
from inventory.quantities import as_text
from inventory.trips import Question, Rows, rows_of

Actor = AbstractBaseUser | AnonymousUser | None
"""Who does it; None for the system itself."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A posting whose key is ours, or one that had used the key for this very request before."""

    posting: Posting
    is_new: bool
    answer: Rows = field(default_factory=list)
    """What was asked along."""


def request_hash(kind: str, request: Mapping[str, object]) -> bytes:
    """SHA-256 of a request in canonical form: sorted keys, quantities as text, times in ISO 8601."""
    text = json.dumps({"kind": kind, **request}, sort_keys=True, separators=(",", ":"), default=_canonical)
    return hashlib.sha256(text.encode()).digest()


def _canonical(value: object) -> str:
    if isinstance(value, Decimal):
        return as_text(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


_INSERT = (
    "INSERT INTO inventory_posting (key, request_hash, kind, reference, reason, note, demand_kind,"
    " demand_ref, actor_id, reverses_id, related_id, effective_at, recorded_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (key) DO NOTHING RETURNING id"
)
_NOTHING = Question("nothing AS (SELECT 1)", "1", ())


def claim_posting(
    *,
    key: UUID,
    kind: PostingKind,
    request: Mapping[str, object],
    actor: Actor,
    effective_at: datetime | None,
    reference: str = "",
    reason: str = "",
    note: str = "",
    reverses: Posting | None = None,
    related: Posting | None = None,
    demand: tuple[str, str] | None = None,
    asking: Callable[[datetime], Question] | None = None,
) -> Claim:
    """Insert the posting under `key`, or find the one that used the key before.

    A rival with the same key is waited for. `asking` gives, for the moment at which the posting takes effect, what the same
    statement is to read: as committed when it began. Raises IdempotencyMismatch when the key was used for another request, and
    BackdatingNotAllowed for a time in the future.
    """
    now = timezone.now()
    if effective_at is not None and effective_at > now:
        raise BackdatingNotAllowed(
            f"{timezone.localtime(effective_at):%Y-%m-%d %H:%M} lies in the future; stock can only have moved already. "
            "Give a time up to now.",
            effective_at=effective_at.isoformat(),
        )
    fingerprint = request_hash(kind, request)
    demand_kind, demand_ref = demand or ("", "")
    posting = Posting(
        key=key,
        request_hash=fingerprint,
        kind=kind,
        reference=reference,
        reason=reason,
        note=note,
        demand_kind=demand_kind,
        demand_ref=demand_ref,
        actor_id=getattr(actor, "pk", None),
        reverses=reverses,
        related=related,
        effective_at=effective_at or now,
        recorded_at=now,
    )
    values = [
        key,
        fingerprint,
        str(kind),
        reference,
        reason,
        note,
        demand_kind,
        demand_ref,
        posting.actor_id,
        posting.reverses_id,
        posting.related_id,
        posting.effective_at,
        now,
    ]
    question = _NOTHING if asking is None else asking(posting.effective_at)
    answer = rows_of(
        f"WITH made AS ({_INSERT}), {question.tables} SELECT (SELECT id FROM made), {question.select}",
        [*values, *question.parameters],
    )
    posting.pk = answer[0][0]
    if posting.pk is not None:
        posting._state.adding = False
        posting._state.db = connection.alias
        return Claim(posting, is_new=True, answer=[row[1:] for row in answer])
    known = Posting.objects.get(key=key)
    if bytes(known.request_hash) != fingerprint:
        raise IdempotencyMismatch(
            f"The key {key} was used on {timezone.localtime(known.recorded_at):%Y-%m-%d %H:%M} for another request "
            f"({known}). Repeat that request unchanged, or send this one with a new key.",
            key=str(key),
            posting=known.pk,
        )
    return Claim(known, is_new=False)
