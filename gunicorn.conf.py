"""What gunicorn reads when it starts in this folder: only what is the same everywhere."""

import gc
from typing import Any

preload_app = True
"""Loaded once, before the workers part: they start at once and share the memory of what was loaded."""
GARBAGE_THRESHOLD = 50_000
"""Allocations between collections; requests make few cycles, and a collection walks everything that was loaded."""


def when_ready(server: Any) -> None:  # noqa: ARG001  gunicorn's signature
    """Load what the first request would load, and leave it all out of every later collection: none writes to its memory."""
    from django.urls import get_resolver

    assert get_resolver().url_patterns, "the addresses of the product and the modules behind them"
    gc.collect()
    gc.freeze()


def post_worker_init(worker: Any) -> None:  # noqa: ARG001  gunicorn's signature
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)
