"""Acts on many things at once leave their name with the news they cause, so that whoever publishes can look twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

CAUSE_LENGTH = 24

_present: ContextVar[str] = ContextVar("bulk_cause", default="")


@contextmanager
def as_bulk(words: str) -> Iterator[None]:
    """News written within carries `words` (at most 24 letters are kept) as its cause."""
    token = _present.set(words[:CAUSE_LENGTH])
    try:
        yield
    finally:
        _present.reset(token)


def cause_of(usual: str) -> str:
    """The cause that news is to carry: that of the present bulk act, or the usual one."""
    return _present.get() or usual
