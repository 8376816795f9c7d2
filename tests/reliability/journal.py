"""What the clients sent and what they were told: the only witness that no kill can touch."""

import json
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Request:
    """One intended change, repeated under one key until its fate is known."""

    key: str
    kind: str  # completion, receipt, issue or reversal
    path: str
    body: dict
    sku: str
    quantity: int
    of: "Request | None" = None  # the completion a reversal takes back
    status: str = "unknown"  # acknowledged, refused or unknown
    code: str = ""  # of a refusal
    answer: dict = field(default_factory=dict)
    attempts: int = 0

    @property
    def posting_id(self):
        """The posting it was acknowledged with."""
        return self.answer.get("id") or self.answer.get("posting_id")


class Journal:
    """Append-only and on the disk before a client goes on. Kept in memory as well, for the checks at the end."""

    def __init__(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()
        self.requests = []
        self.counts = Counter()
        self.complaints = []
        """Answers that no run may give."""
        self.resting = frozenset()
        """Products that nobody touches until the next check; see let_rest."""
        self._changed_at = {}

    def sent(self, request):
        with self._lock:
            self.requests.append(request)
        self._write({"sent": request.key, "kind": request.kind, "path": request.path, "body": request.body})

    def acknowledged(self, request, answer):
        request.answer = answer
        self._write({"acknowledged": request.key, "posting": request.posting_id}, durable=True)
        request.status = "acknowledged"
        with self._lock:
            self._changed_at[request.sku] = time.monotonic()
        self.count("acknowledged", request.kind)

    def refused(self, request, code):
        request.code = code
        self._write({"refused": request.key, "code": code}, durable=True)
        request.status = "refused"
        self.count("refused", code)

    def unclear(self, request, what):
        self._write({"unclear": request.key, "what": what})
        self.count("no clear answer", what)

    def complain(self, words):
        self._write({"complaint": words})
        with self._lock:
            self.complaints.append(words)

    def count(self, *name):
        with self._lock:
            self.counts[" ".join(name)] += 1

    def let_rest(self, products, *, changed_within_seconds, at_most):
        """Nobody shall touch products that changed just now: the news of a later change would mend what was lost."""
        with self._lock:
            since = time.monotonic() - changed_within_seconds
            just_changed = sorted(
                (sku for sku in products if self._changed_at.get(sku, 0) > since and sku not in self.resting),
                key=lambda sku: -self._changed_at[sku],
            )
            self.resting |= set(just_changed[:at_most])

    def wake_all(self):
        self.resting = frozenset()

    @property
    def acknowledged_count(self):
        return sum(number for name, number in list(self.counts.items()) if name.startswith("acknowledged "))

    def _write(self, fact, *, durable=False):
        line = json.dumps({"at": round(time.time(), 3), "by": threading.current_thread().name, **fact})
        os.write(self._descriptor, f"{line}\n".encode())
        if durable:
            os.fsync(self._descriptor)
