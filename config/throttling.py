"""How many requests one user may send to the REST API in a minute, counted in the Redis or Valkey that all web processes share.

A guard against a client that runs wild, not against an attacker: who has no valid token is refused before anything is counted.
Without the shared counter nobody is refused: the count protects the service, so it must never be what stops it.
"""

import logging
from functools import cache
from threading import Lock
from time import monotonic, time
from typing import TYPE_CHECKING

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

_WINDOW_SECONDS = 60
_TIMEOUT_SECONDS = 0.5
_PAUSE_SECONDS = 10
"""How long nothing is counted after the counter could not be reached: each try may cost a time-out."""
_LEASE_SHARE = 200
"""A process takes so large a share of a user's limit at a time, so that most requests cost no trip to the counter."""


class RequestsPerMinute(BaseThrottle):
    """Refuses a user's requests above `API_REQUESTS_PER_MINUTE` until the minute of the clock is over; 0 refuses none.

    What a process has taken of the limit and not used is lost to the others: of 6,000 at most 30 for each process.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:  # noqa: ARG002
        limit = settings.API_REQUESTS_PER_MINUTE
        if not limit or request.user.pk is None:
            return True
        return _allowance.take(user_id=request.user.pk, minute=int(time() // _WINDOW_SECONDS), limit=limit)

    def wait(self) -> float:
        """Seconds until the next minute begins, at least one."""
        return max(1.0, _WINDOW_SECONDS - time() % _WINDOW_SECONDS)


class _Allowance:
    """What this process may still let pass in the present minute, by user, without asking the shared counter."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._minute = 0
        self._left: dict[int, int] = {}
        self._resting_until = 0.0

    def take(self, *, user_id: int, minute: int, limit: int) -> bool:
        """Whether one more request of a user may pass."""
        with self._lock:
            if minute != self._minute:
                self._minute, self._left = minute, {}
            left = self._left.get(user_id, 0)
            if left > 0:
                self._left[user_id] = left - 1
                return True
            if monotonic() < self._resting_until:
                return True
        lease = max(1, limit // _LEASE_SHARE)
        try:
            counted = _lease(f"backflush:api-requests:{user_id}:{minute}", lease)
        except RedisError as error:
            self._resting_until = monotonic() + _PAUSE_SECONDS
            logger.warning("api.requests_not_counted", extra={"reason": str(error)})
            return True
        granted = min(lease, limit - (counted - lease))
        if granted <= 0:
            return False
        with self._lock:
            if minute == self._minute:
                self._left[user_id] = self._left.get(user_id, 0) + granted - 1
        return True


_allowance = _Allowance()


def _lease(key: str, size: int) -> int:
    """Take so many of the minute's requests; how many all processes have taken now."""
    counter = _counter()
    counted = int(counter.incrby(key, size))
    if counted == size:
        counter.expire(key, 2 * _WINDOW_SECONDS)
    return counted


@cache
def _counter() -> Redis:
    return Redis.from_url(
        settings.API_COUNTER_URL, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS
    )
