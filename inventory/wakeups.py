"""Telling the workers that there is news. A wake-up carries nothing; losing one loses no work, a sweep finds it."""

import logging
import os
import threading
import time
from collections.abc import Callable

from celery import current_app
from django.conf import settings
from django.db import transaction

logger = logging.getLogger(__name__)

SPACING_SECONDS = 0.2
"""At most one wake-up in this time and process; the last of a burst is always sent."""


class _Waker:
    """Sends wake-ups from a thread of its own, so that a slow or absent broker never holds up a posting."""

    def __init__(self) -> None:
        self._news = threading.Event()
        self._lock = threading.Lock()
        self._process: int | None = None

    def wake(self) -> None:
        self._news.set()
        if self._process != os.getpid():
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._process != os.getpid():  # after a fork the thread of the parent is not here
                self._process = os.getpid()
                threading.Thread(target=self._run, name="stock-wakeups", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            send_wakeup()
            time.sleep(SPACING_SECONDS)


def send_wakeup() -> None:
    """Send one wake-up now. A broker that cannot be reached is logged; the periodic sweep does the work then."""
    task = settings.WAKE_ON_STOCK_CHANGE
    if not task:
        return
    reaches_workers(lambda: current_app.send_task(task, retry=False, ignore_result=True), task=task)


def reaches_workers(send: Callable[[], object], *, task: str) -> bool:
    """Send a message; whether the broker took it. One that cannot be reached is logged: the work is safe in the database."""
    try:
        send()
    except Exception as error:  # whatever the broker's client raises
        logger.warning("wakeup.not_sent", extra={"task": task, "error": str(error)})
        return False
    return True


_waker = _Waker()


def wake_after_commit() -> None:
    """Have the workers woken once the present transaction is committed."""
    if settings.WAKE_ON_STOCK_CHANGE:
        transaction.on_commit(_waker.wake)
