"""What every request passes. Those of the REST API that come with a token skip what only people with a browser need."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import structlog
from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import DataError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin
from django_structlog.middlewares import RequestMiddleware

Answer = HttpResponseBase | Awaitable[HttpResponseBase]

API_ADDRESSES = "/api/"
NOTHING_MAY_LOAD = "default-src 'none'; frame-ancestors 'none'"
"""The content security policy of an answer that is no page."""


def is_by_token(request: HttpRequest) -> bool:
    """Whether a token alone says who asks, as integrations do it. Whoever has a cookie is treated as a browser."""
    return (
        request.path_info.startswith(API_ADDRESSES)
        and request.META.get("HTTP_AUTHORIZATION", "").startswith("Token ")
        and not request.META.get("HTTP_COOKIE")
    )


class _ForBrowsers(MiddlewareMixin):
    """Lets requests by token pass untouched."""

    def __call__(self, request: HttpRequest) -> Answer:
        if is_by_token(request):
            return self.get_response(request)
        return super().__call__(request)


class Sessions(_ForBrowsers, SessionMiddleware):
    """Django's sessions."""


class Messages(_ForBrowsers, MessageMiddleware):
    """Django's messages, which are kept in the session."""


class Users(_ForBrowsers, AuthenticationMiddleware):
    """The user of the session; nobody yet where a token says who it is, which is read with the view's permission."""

    def __call__(self, request: HttpRequest) -> Answer:
        if is_by_token(request):
            request.user = AnonymousUser()
        return super().__call__(request)


class Unstorable:
    """Answers 400 where a text with a NUL character reached the database, which cannot hold one: nobody types it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        if isinstance(exception, DataError) and "NUL" in str(exception):
            from config.views import not_understood

            return not_understood(request)
        return None


class ContentSecurity(CSPMiddleware):
    """The content security policy of pages, put together for each; a fixed one for answers to requests by token."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if is_by_token(request):
            response.headers.setdefault(HEADER, NOTHING_MAY_LOAD)
            return response
        answer: HttpResponseBase = super().process_response(request, response)
        return answer


def _tells_requests() -> bool:
    return logging.getLogger("django_structlog").isEnabledFor(logging.INFO)


class _Address:
    """Where a request came from, worked out from the headers of proxies once a line of the log shows it."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def __str__(self) -> str:
        from ipware import get_client_ip

        return str(get_client_ip(self.request)[0] or "")

    __repr__ = __str__


class RequestLog(RequestMiddleware):
    """Gives every line that is logged during a request its id, user and address.

    The lines that say a request began and ended are put together only where somebody wants to read them.
    """

    def prepare(self, request: HttpRequest) -> None:
        if is_by_token(request) and not _tells_requests():
            structlog.contextvars.bind_contextvars(request_id=str(uuid4()), ip=_Address(request))
        else:
            super().prepare(request)

    def handle_response(self, request: HttpRequest, response: Any) -> None:
        is_quiet = response.status_code < HTTPStatus.BAD_REQUEST and not response.streaming
        if is_quiet and is_by_token(request) and not _tells_requests():
            structlog.contextvars.clear_contextvars()
        else:
            super().handle_response(request, response)

    @classmethod
    def bind_ip(cls, request: Any) -> None:
        structlog.contextvars.bind_contextvars(ip=_Address(request))
