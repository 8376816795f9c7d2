"""What gunicorn reads when it starts in this folder: only what is the same everywhere."""

import gc
from typing import Any

GARBAGE_THRESHOLD = 50_000
"""Allocations between collections; requests make few cycles, and a collection walks everything that was loaded."""


def post_worker_init(worker: Any) -> None:  # noqa: ARG001  gunicorn's signature
    """Leave what was loaded at the start out of every later collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)
