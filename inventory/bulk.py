"""Acts on many things at once leave their name with the news they cause, and their person: who publishes can look twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

CAUSE_LENGTH = 24
ITEMS_MIN = 20
"""From so many items on, what one person types, pastes or sends at once is a bulk act. A completion is none, however many
components it uses, nor is what a document says: a purchase order that comes in, an order that is reserved or shipped."""

_present: ContextVar[tuple[str, int | None]] = ContextVar("bulk_act", default=("", None))


@contextmanager
def as_bulk(words: str, *, actor_id: int | None = None) -> Iterator[None]:
    """News written within carries `words` (at most 24 letters are kept) as its cause, and `actor_id` as who caused it."""
    token = _present.set((words[:CAUSE_LENGTH], actor_id))
    try:
        yield
    finally:
        _present.reset(token)


@contextmanager
def as_one_act(words: str, *, items: int) -> Iterator[None]:
    """News written within carries `bulk` and these words (at most 24 letters together) as its cause where one act changes
    ITEMS_MIN `items` or more; with fewer it keeps its usual one. A bulk act around it keeps its name."""
    if items < ITEMS_MIN or _present.get()[0]:
        yield
    else:
        with as_bulk(f"bulk {words}"):
            yield


def cause_of(usual: str) -> str:
    """The cause that news is to carry: that of the present bulk act, or the usual one."""
    return _present.get()[0] or usual


def bulk_actor_id() -> int | None:
    """Who does the present bulk act; None when there is none, or nobody is known."""
    return _present.get()[1]
