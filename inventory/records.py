"""Frozen dataclasses of which thousands are made at once: facts of listings, lines of structures, steps of the formula.

A frozen dataclass writes each field past its own guard, which takes five times as long as an assignment; where figures are worked
out that was a quarter of all time. A record is made like any other object. That nobody changes one is seen to by the type
checker, for which it is a frozen dataclass, and not once more at run time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

__all__ = ("record",)

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    T = TypeVar("T")

    def record(*, frozen: bool, slots: bool) -> Callable[[type[T]], type[T]]:
        """In the place of `dataclass(frozen=True, slots=True)`: equal and hashed by its fields, `replace` makes another one."""
        assert frozen, "what may change is a dataclass"
        return dataclass(slots=slots, unsafe_hash=True)
