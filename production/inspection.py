"""Judging what was found against what the plan says. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

PASS_FAIL = "pass_fail"  # noqa: S105  passing a check, not a password
MEASUREMENT = "measurement"
PHOTO = "photo"
TEXT = "text"
SAMPLES_MAX = 20
"""Samples for which a measurement is asked one by one."""


class Check(Protocol):
    """One thing to look at or measure, with its limits."""

    @property
    def pk(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def minimum(self) -> Decimal | None: ...
    @property
    def maximum(self) -> Decimal | None: ...
    @property
    def is_required(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found on one sample: yes or no, a measurement in the unit of the check, or words."""

    check_id: int
    sample: int = 1
    is_ok: bool | None = None
    measured: Decimal | None = None
    text: str = ""

    @property
    def is_answered(self) -> bool:
        return self.is_ok is not None or self.measured is not None or bool(self.text)


def is_within(measured: Decimal, *, minimum: Decimal | None, maximum: Decimal | None) -> bool:
    """Whether a measurement keeps to its limits, which belong to what is allowed."""
    return (minimum is None or measured >= minimum) and (maximum is None or measured <= maximum)


def judge(check: Check, finding: Finding) -> bool | None:
    """Whether a finding passes its check; None when the check says nothing about passing or was not answered."""
    if check.kind == PASS_FAIL:
        return finding.is_ok
    if check.kind == MEASUREMENT and finding.measured is not None:
        return is_within(finding.measured, minimum=check.minimum, maximum=check.maximum)
    return None


def missing_checks(
    checks: Iterable[Check],
    findings: Sequence[Finding],
    *,
    samples: int,
    earlier: Mapping[str, int],
    has_file: bool,
) -> list[str]:
    """Names of the required checks that are not answered, a measurement once for each of `samples`.

    `earlier`: how many answers verdicts that stand have given, by name.
    """
    answered = {(finding.check_id, finding.sample) for finding in findings if finding.is_answered}
    missing = []
    for check in checks:
        needed = samples if check.kind == MEASUREMENT else 1
        found = earlier.get(check.name, 0) + sum(1 for check_id, _ in answered if check_id == check.pk)
        if check.kind == PHOTO and has_file:
            found = needed
        if check.is_required and found < needed:
            missing.append(f"{check.name} ({found} of {needed} samples)" if found else check.name)
    return missing


def samples_of(sample: Decimal) -> int:
    """How many times a measurement is asked for: once for each whole sample, at most twenty times."""
    return max(1, min(SAMPLES_MAX, int(sample))) if sample == sample.to_integral_value() else 1
