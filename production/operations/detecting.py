"""Putting completions that were probably forgotten, or recorded twice, before a person; and taking back what is over."""

from dataclasses import dataclass
from urllib.parse import urlencode

from inventory.models import Severity
from inventory.operations.exceptions import close_settled, report_exception
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import as_text
from production.reads.missed import DAYS_LOOKED_BACK, Missed, MissedKind, by_fingerprint, missed_completions

KIND = "missed_completion"


@dataclass(frozen=True, slots=True)
class Detected:
    """How many cases were reported, new or again, and how many were closed because nothing shows them any more."""

    reported: int
    resolved: int


@operation
def report_missed_completions(*, actor: Actor = None) -> Detected:
    """Open a case for each completion that seems to be missing or one too many, and close those that are over.

    Running it again reports the same cases, counted once more, and opens none twice.
    """
    found = by_fingerprint(missed_completions())
    for one in found.values():
        _report(one, actor)
    resolved = close_settled(KIND, standing=found, resolution="Stock and counts no longer show it.", actor=actor)
    return Detected(len(found), resolved)


def _report(one: Missed, actor: Actor) -> None:
    unit, sku, quantity = one.item.stock_unit, one.item.sku, as_text(one.quantity)
    shown = "; ".join(f"{item.sku} {as_text(difference)} {item.stock_unit}" for item, difference in one.found)
    words = {
        MissedKind.BELOW_ZERO: (
            f"Probably {quantity} {unit} of {sku} were made and not recorded",
            f"{sku} stands at −{quantity} {unit}: it left before it was made. Record the completion, or count it.",
            Severity.HIGH,
        ),
        MissedKind.NOT_RECORDED: (
            f"Probably {quantity} {unit} of {sku} were made and not recorded",
            f"Counts differ in the proportions of its BOM ({shown}). They have put stock right already: record the completion "
            f"for {one.before} or earlier, before they were made, and what was counted stays. Without the privilege to record "
            "for an earlier day, ask somebody who has it.",
            Severity.NORMAL,
        ),
        MissedKind.NOT_MADE: (
            f"Probably {quantity} {unit} of {sku} were recorded and not made",
            f"Counts differ in the proportions of its BOM ({shown}), with more components and fewer finished goods than "
            "booked. Look for a completion that was recorded twice, undo it and count again.",
            Severity.NORMAL,
        ),
        MissedKind.LATE: (
            f"{sku} left before it was recorded as made",
            f"In the last {DAYS_LOOKED_BACK} days {quantity} {unit} of {sku} had left when {_completions(one.times)} recorded "
            "them. Stock is right again; what channels showed until then was too low, and its cost was guessed. Record "
            "completions when they happen, or have them scanned at the bench.",
            Severity.LOW,
        ),
    }
    title, reason, severity = words[one.kind]
    is_made = one.kind in (MissedKind.BELOW_ZERO, MissedKind.NOT_RECORDED)
    report_exception(
        kind=KIND,
        area="production",
        fingerprint=one.fingerprint,
        title=title,
        reason=reason,
        severity=severity,
        evidence={item.sku: as_text(difference) for item, difference in one.found},
        subject=sku,
        url=f"/stock/items/{one.item.id}/?tab=made",
        action="Record the completion" if is_made else "Look at its completions",
        action_url=(
            f"/make/complete/?{urlencode(_filled(one))}" if is_made else f"/make/completions/?{urlencode({'q': sku})}"
        ),
        actor=actor,
    )


def _completions(times: int) -> str:
    return "a completion" if times == 1 else f"{times} completions"


def _filled(one: Missed) -> dict[str, str]:
    """What the form is opened with."""
    day = {} if one.before is None else {"on": one.before.isoformat()}
    return {"what": one.item.sku, "good": as_text(one.quantity), **day}
