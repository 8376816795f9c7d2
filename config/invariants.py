"""Every fact that always holds, of all apps: what `verify_ledger`, the nightly task and the page about it check."""

from collections.abc import Sequence
from dataclasses import dataclass

from channels_sync.invariants import INVARIANTS as CHANNELS
from inventory.invariants import INVARIANTS as INVENTORY
from inventory.invariants import Invariant
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


def verify() -> list[Finding]:
    """Check every invariant on the present data."""
    return [Finding(app, invariant, invariant.find()) for app, invariant in INVARIANTS]
