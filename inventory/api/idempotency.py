"""Requests that may be sent again: the same key with the same request gets the stored answer, not a second effect.

The key is claimed in the transaction of the operation itself. A rival with the same key waits on the unique index until
that transaction has ended, then finds the answer, or, when it was refused, does the work itself. A refused request leaves
no trace, so its key may be tried again.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from inventory.api.references import Reading
from inventory.errors import DomainError, IdempotencyMismatch
from inventory.models import StoredReply
from inventory.operations.transactions import run_in_transaction
from inventory.trips import Question, rows_of

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
UUID_FORM = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


_INSERT = (
    "INSERT INTO inventory_storedreply (key, request_hash, recorded_at) VALUES (%s, %s, %s)"
    " ON CONFLICT (key) DO NOTHING RETURNING id"
)
_NOTHING = Question("nothing AS (SELECT 1)", "1", ())


class KeyRequired(DomainError):
    """A request that changes stock came without a key, or with one that is not a UUID."""

    code = "KEY_REQUIRED"
    http_status = 400


@dataclass(frozen=True, slots=True)
class Reply:
    """What a keyed request answers: plain JSON values. `replayed`: the ledger had known the key before."""

    body: Mapping[str, object]
    status: int = 201
    replayed: bool = False


def key_of(request: Request) -> UUID:
    """The key of a request. Raises KeyRequired."""
    given = request.headers.get(HEADER)
    if given is None or not given.strip():
        raise KeyRequired(
            f"This request changes something and needs a header {HEADER} with a new UUID, so that it can be sent again "
            "safely. Make one per intended change, and repeat it when you repeat the request.",
            header=HEADER,
        )
    if not UUID_FORM.fullmatch(given.strip()):
        raise KeyRequired(
            f"The header {HEADER} holds “{given.strip()[:60]}”, which is not a UUID. "
            "Give one like 0b7e1f0e-6f0c-4b52-9d51-6a1d6f7f2f9e.",
            header=HEADER,
            given=given.strip()[:60],
        )
    return UUID(given.strip())


def answer_once(request: Request, work: Callable[[UUID], Reply], *, reading: Reading | None = None) -> HttpResponse:
    """Do `work` once for the request's key, in one transaction with the stored answer, or give that answer again.

    `reading`: what the body names, read by the statement that claims the key. Raises KeyRequired, IdempotencyMismatch, and
    whatever `work` raises; nothing is written then.
    """
    key = key_of(request)
    fingerprint = _fingerprint(request)

    def run() -> tuple[int, str, bool]:
        if not _claim(key, fingerprint, reading):
            return _stored(key, fingerprint)
        reply = work(key)
        text = json.dumps(reply.body, ensure_ascii=False, separators=(",", ":"))
        rows_of(
            "UPDATE inventory_storedreply SET status = %s, body = %s::jsonb WHERE key = %s RETURNING id",
            [reply.status, text, key],
        )
        return reply.status, text, reply.replayed

    status, text, is_replayed = run_in_transaction(run)
    response = HttpResponse(text, status=status, content_type="application/json")
    if is_replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return response


def forget_replies(*, before: datetime, rows_max: int = 10_000) -> int:
    """Delete answers stored before a time, at most `rows_max` of them; return how many.

    Afterwards the ledger still refuses a second posting with the same key; only work orders and reservations would be made
    anew by so late a repetition.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM inventory_storedreply WHERE id IN"
            " (SELECT id FROM inventory_storedreply WHERE recorded_at < %s ORDER BY id LIMIT %s)",
            [before, rows_max],
        )
        return int(cursor.rowcount)


def _fingerprint(request: Request) -> bytes:
    """SHA-256 of who asks for what: method, address, user and body, without regard to white space in the JSON."""
    asked = [request.method, request.get_full_path(), request.user.pk, request.data]
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).digest()


def _claim(key: UUID, fingerprint: bytes, reading: Reading | None) -> bool:
    """Whether the key is ours now. Waits for a rival that has claimed it and not ended yet."""
    question = _NOTHING if reading is None else reading.question()
    answer = rows_of(
        f"WITH made AS ({_INSERT}), {question.tables} SELECT (SELECT id FROM made), {question.select}",
        [key, fingerprint, timezone.now(), *question.parameters],
    )
    if reading is not None:
        reading.take([row[1:] for row in answer])
    return answer[0][0] is not None


def _stored(key: UUID, fingerprint: bytes) -> tuple[int, str, bool]:
    known = StoredReply.objects.get(key=key)
    if bytes(known.request_hash) != fingerprint:
        raise IdempotencyMismatch(
            f"The key {key} was used on {timezone.localtime(known.recorded_at):%Y-%m-%d %H:%M} for another request. "
            "Repeat that request unchanged, or send this one with a new key.",
            key=str(key),
        )
    assert known.status is not None, "a committed reply has its status"
    return known.status, json.dumps(known.body, ensure_ascii=False, separators=(",", ":")), True
