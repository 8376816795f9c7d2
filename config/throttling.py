"""How many requests one user may send to the REST API in a minute, counted in the Redis or Valkey that all web processes share.

A guard against a client that runs wild, not against an attacker: who has no valid token is refused before anything is counted.
Without the shared counter nobody is refused: the count protects the service, so it must never be what stops it.
"""

import logging
from functools import cache
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

_resting_until = 0.0


class RequestsPerMinute(BaseThrottle):
    """Refuses a user's requests above `API_REQUESTS_PER_MINUTE` until the minute of the clock is over; 0 refuses none."""

    def allow_request(self, request: Request, view: "APIView") -> bool:  # noqa: ARG002
        limit = settings.API_REQUESTS_PER_MINUTE
        if not limit or request.user.pk is None:
            return True
        minute = int(time() // _WINDOW_SECONDS)
        return _count(f"backflush:api-requests:{request.user.pk}:{minute}") <= limit

    def wait(self) -> float:
        """Seconds until the next minute begins, at least one."""
        return max(1.0, _WINDOW_SECONDS - time() % _WINDOW_SECONDS)


def _count(key: str) -> int:
    """One more for `key`: how many there are now; 0 when the counter cannot be reached."""
    global _resting_until  # noqa: PLW0603
    if monotonic() < _resting_until:
        return 0
    counter = _counter()
    try:
        count = int(counter.incr(key))
        if count == 1:
            counter.expire(key, 2 * _WINDOW_SECONDS)
    except RedisError as error:
        _resting_until = monotonic() + _PAUSE_SECONDS
        logger.warning("api.requests_not_counted", extra={"reason": str(error)})
        return 0
    return count


@cache
def _counter() -> Redis:
    return Redis.from_url(
        settings.API_COUNTER_URL, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS
    )
