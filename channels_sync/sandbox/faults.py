"""Trouble on demand: what real shops do to their clients, switched on for training and tests."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    THROTTLE = "throttle"  # HTTP 200 with a THROTTLED error; nothing done
    TOO_MANY_REQUESTS = "too_many_requests"  # HTTP 429 with Retry-After; nothing done
    LATENCY = "latency"  # waits `seconds`, then works
    TIMEOUT_AFTER_APPLY = "timeout_after_apply"  # does the work, then keeps silent for `seconds`
    SERVER_ERROR = "server_error"  # HTTP 500; nothing done
    DROP_CONNECTION = "drop_connection"  # closes without a word; nothing done
    DROP_AFTER_APPLY = "drop_after_apply"  # does the work, then closes without a word
    REJECT_ROWS = "reject_rows"  # refuses the rows of `skus` with `code`
    DUPLICATE_REQUEST = "duplicate_request"  # does every request twice, as a network that delivers twice


@dataclass(slots=True)
class Fault:
    """One kind of trouble. It lets `skip` requests pass, then hits with `probability`, and ends after `count` hits.

    A `count` of None never ends.
    """

    kind: FaultKind
    count: int | None = 1
    probability: float = 1.0
    seed: int = 0
    skip: int = 0
    seconds: float = 30.0
    skus: tuple[str, ...] = ()
    code: str = "NON_MUTABLE_INVENTORY_ITEM"
    is_for_reads: bool = False  # otherwise only mutations are hit
    hits: int = 0
    _dice: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 - repeatable trouble, no secret

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Fault:
        """A fault from JSON. Raises ValueError saying what is wrong with it."""
        known = {"kind", "count", "probability", "seed", "skip", "seconds", "skus", "code", "reads"}
        if unknown := sorted(set(given) - known):
            raise ValueError(f"Unknown in a fault: {', '.join(unknown)}. Known are: {', '.join(sorted(known))}.")
        try:
            kind = FaultKind(given.get("kind", ""))
        except ValueError:
            kinds = ", ".join(FaultKind)
            raise ValueError(f"kind is {given.get('kind')!r}; it must be one of {kinds}.") from None
        probability, seconds = float(given.get("probability", 1.0)), float(given.get("seconds", 30.0))
        count = given.get("count", None if "probability" in given else 1)
        skus = given.get("skus", [])
        if not 0 < probability <= 1:
            raise ValueError(f"probability is {probability}; it must be above 0 and at most 1.")
        if not 0 <= seconds <= 300:
            raise ValueError(f"seconds is {seconds}; it must be from 0 to 300.")
        if count is not None and (not isinstance(count, int) or count < 1):
            raise ValueError(f"count is {count!r}; it must be a whole number from 1, or null for no end.")
        if not isinstance(skus, list) or not all(isinstance(sku, str) for sku in skus):
            raise ValueError("skus must be a list of texts.")
        if kind is FaultKind.REJECT_ROWS and not skus:
            raise ValueError("reject_rows needs the skus it is for.")
        return cls(
            kind=kind,
            count=count,
            probability=probability,
            seed=int(given.get("seed", 0)),
            skip=int(given.get("skip", 0)),
            seconds=seconds,
            skus=tuple(skus),
            code=str(given.get("code", "NON_MUTABLE_INVENTORY_ITEM")),
            is_for_reads=bool(given.get("reads", False)),
        )

    @property
    def is_over(self) -> bool:
        return self.count is not None and self.hits >= self.count

    def strikes(self) -> bool:
        """Whether it hits this time; counts the hit."""
        if self.is_over:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self._dice.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "count": self.count,
            "probability": self.probability,
            "seed": self.seed,
            "skip": self.skip,
            "seconds": self.seconds,
            "skus": list(self.skus),
            "code": self.code,
            "reads": self.is_for_reads,
            "hits": self.hits,
        }


class Faults:
    """The trouble that is switched on. Kept in memory: a restart ends it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, faults: Iterable[Fault]) -> None:
        with self._lock:
            self._faults.extend(faults)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def as_json(self) -> list[dict[str, Any]]:
        with self._lock:
            return [fault.as_json() for fault in self._faults if not fault.is_over]

    def strike(self, kind: FaultKind, *, is_mutation: bool) -> Fault | None:
        """The fault of this kind that hits the present request, None when none does."""
        with self._lock:
            for fault in self._faults:
                if fault.kind is kind and (is_mutation or fault.is_for_reads) and fault.strikes():
                    return fault
        return None

    def failing_skus(self, skus: Iterable[str]) -> dict[str, str]:
        """SKU -> error code, for those of `skus` whose rows are to be refused in the present request."""
        asked = set(skus)
        failing: dict[str, str] = {}
        with self._lock:
            for fault in self._faults:
                hit = asked & set(fault.skus) if fault.kind is FaultKind.REJECT_ROWS else set()
                if hit and fault.strikes():
                    failing.update(dict.fromkeys(hit, fault.code))
        return failing
