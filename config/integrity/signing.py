"""The signature of a stored run: proof that the check wrote it and that nobody changed it since.

HMAC-SHA256 over the run and all its results in one canonical text, with a key derived from SECRET_KEY. Whoever can write to
the database but does not know that key cannot turn a broken run into a clean one. Keys of SECRET_KEY_FALLBACKS still count.
"""

import json
from collections.abc import Sequence
from datetime import UTC

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from inventory.models import InvariantResult, InvariantRun

_SALT = "backflush.invariant-run.1"


def sign(run: InvariantRun, results: Sequence[InvariantResult]) -> str:
    """The signature of a run with its results in the order of the check."""
    return _signature(_content(run, results), settings.SECRET_KEY)


def is_genuine(run: InvariantRun, results: Sequence[InvariantResult]) -> bool:
    """Whether a stored run still is what the check wrote."""
    content = _content(run, results)
    keys = [settings.SECRET_KEY, *(str(key) for key in settings.SECRET_KEY_FALLBACKS)]
    return any(constant_time_compare(run.signature, _signature(content, key)) for key in keys)


def _signature(content: str, key: str) -> str:
    return salted_hmac(_SALT, content, secret=key, algorithm="sha256").hexdigest()


def _content(run: InvariantRun, results: Sequence[InvariantResult]) -> str:
    """The same text before the rows are stored and after they are read."""
    return json.dumps(
        {
            "started_at": run.started_at.astimezone(UTC).isoformat(),
            "finished_at": run.finished_at.astimezone(UTC).isoformat(),
            "cause": run.cause,
            "movements": run.movements,
            "newest_movement": run.newest_movement,
            "is_true": run.is_true,
            "results": [[one.app, one.name, one.statement, one.milliseconds, list(one.findings)] for one in results],
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
