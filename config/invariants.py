"""Every fact that always holds, of all apps: what `verify_ledger`, the nightly task and the page about it check."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from channels_sync.invariants import INVARIANTS as CHANNELS
from inventory.invariants import INVARIANTS as INVENTORY
from inventory.invariants import Invariant
from inventory.ledger_passes import one_look
from production.invariants import INVARIANTS as PRODUCTION

INVARIANTS: Sequence[tuple[str, Invariant]] = (
    *(("inventory", invariant) for invariant in INVENTORY),
    *(("production", invariant) for invariant in PRODUCTION),
    *(("channels_sync", invariant) for invariant in CHANNELS),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """How one invariant stands; no findings: it holds."""

    app: str
    invariant: Invariant
    findings: Sequence[str]
    milliseconds: int = 0


def verify(*, before_each: Callable[[int], None] | None = None) -> list[Finding]:
    """Check every invariant on the present data. `before_each` is told how many have been checked."""
    found = []
    with one_look():
        for number, (app, invariant) in enumerate(INVARIANTS):
            if before_each is not None:
                before_each(number)
            began = time.perf_counter()
            findings = invariant.find()
            found.append(Finding(app, invariant, findings, round((time.perf_counter() - began) * 1000)))
    return found
