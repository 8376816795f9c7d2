"""The REST API as a whole: who asks, who may, pages, and the one shape of errors."""

import base64
import binascii
import logging
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import DataError, IntegrityError, OperationalError, connection
from django.db.models import Model
from django.http import Http404
from rest_framework import authentication, exceptions
from rest_framework.pagination import BasePagination
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from inventory.arrays import numbers
from inventory.errors import DomainError
from inventory.operations.transactions import RETRIED
from inventory.quantities import as_text
from inventory.trips import rows_of

if TYPE_CHECKING:
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

# --- Who asks ---------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"[0-9a-f]{40}")
_ALLOWED_TO = """
SELECT u.id, u.is_superuser, u.username, u.is_staff, u.is_active, (
  SELECT string_agg(permission_id::text, ' ') FROM (
    SELECT permission_id FROM auth_user_user_permissions WHERE user_id = u.id
    UNION ALL
    SELECT g.permission_id FROM auth_group_permissions g
    JOIN auth_user_groups m ON m.group_id = g.group_id WHERE m.user_id = u.id
  ) given)
FROM authtoken_token k JOIN auth_user u ON u.id = k.user_id WHERE k.key = %s
"""
"""The rights are named by id: what the names are does not change while a process runs."""
_NAMES = """
SELECT p.id, t.app_label || '.' || p.codename
FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id WHERE p.id = ANY(%s::bigint[])
"""
_OF_USER = ["id", "is_superuser", "username", "is_staff", "is_active"]
"""What is read of a user with every request, in the order of the model; the rest follows when something asks for it."""


class TokenAuthentication(authentication.TokenAuthentication):
    """`Authorization: Token …`. The token, its user and all the user may do are read with one statement."""

    def authenticate_credentials(self, key: str) -> tuple[Any, str]:
        found = self._read(key) if _TOKEN.fullmatch(key) else None
        if found is None:
            raise exceptions.AuthenticationFailed("This token is not valid. Ask for a new one.")
        if not found.is_active:
            raise exceptions.AuthenticationFailed("This user is inactive.")
        return found, key

    def _read(self, key: str) -> Any:
        found = rows_of(_ALLOWED_TO, [key])
        if not found:
            return None
        ((*values, allowed),) = found
        user = get_user_model().from_db(connection.alias, _OF_USER, values)
        if user.is_active and not user.is_superuser:
            # where ModelBackend keeps what it has read
            user._perm_cache = _rights(connection.settings_dict["NAME"], allowed or "")  # type: ignore[attr-defined]
        return user


@lru_cache(maxsize=500)
def _rights(_database: str, ids: str) -> frozenset[str]:
    """The names of rights that are given by their ids, parted by spaces. One statement the first time."""
    return (
        frozenset(name for _, name in rows_of(_NAMES, [numbers(int(one) for one in ids.split())]))
        if ids
        else frozenset()
    )


# --- Who may ----------------------------------------------------------------------------------------------------------


class ModelOrOperationPermissions(BasePermission):
    """The permission that the view declares for the action. What is not declared is refused, to administrators too."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not request.user.is_authenticated:
            raise exceptions.NotAuthenticated("Send a token: Authorization: Token <your token>.")
        action = getattr(view, "action", None)
        if action is None:
            raise exceptions.MethodNotAllowed(str(request.method))
        endpoint = getattr(view, "endpoints", {}).get(action)
        if endpoint is None:
            return False
        if not any(request.user.has_perm(one) for one in (endpoint.permission, *endpoint.also)):
            raise exceptions.PermissionDenied(
                f"You may not do this: it needs the permission {endpoint.permission}. Ask an administrator for it."
            )
        return True


class MayReadItems(BasePermission):
    """Enough of a right to read what the API can do; who only counts has no use for it."""

    def has_permission(self, request: Request, view: "APIView") -> bool:  # noqa: ARG002
        return bool(request.user.is_authenticated and request.user.has_perm("inventory.view_item"))


# --- Pages ------------------------------------------------------------------------------------------------------------


class StableCursorPagination(BasePagination):
    """Pages by id: rows that come or go meanwhile never make a page repeat or skip another row."""

    cursor_parameter: ClassVar[str] = "cursor"
    size_parameter: ClassVar[str] = "page_size"
    parameters: ClassVar[tuple[str, ...]] = ("cursor", "page_size")
    size_default: ClassVar[int] = 50
    size_max: ClassVar[int] = 500

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> list[Any]:
        size = self._size(request)
        is_backwards, position = self._position(request)
        is_downwards = bool(getattr(view, "newest_first", False))
        rows_down = is_downwards != is_backwards
        if position is not None:
            queryset = queryset.filter(**{"pk__lt" if rows_down else "pk__gt": position})
        found = list(queryset.order_by("-pk" if rows_down else "pk")[: size + 1])
        has_more, page = len(found) > size, found[:size]
        if is_backwards:
            page.reverse()
        has_next = has_more if not is_backwards else position is not None
        has_previous = has_more if is_backwards else position is not None
        address = request.build_absolute_uri()
        self.next = self._address(address, "a", page[-1]) if has_next and page else None
        self.previous = self._address(address, "b", page[0]) if has_previous and page else None
        return page

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next, "previous": self.previous, "results": data})

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        address = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": address, "previous": address, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:  # noqa: ARG002
        return [
            {
                "name": self.cursor_parameter,
                "in": "query",
                "required": False,
                "description": "Where to go on; follow `next` and `previous` instead of making one.",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"},
            },
            {
                "name": self.size_parameter,
                "in": "query",
                "required": False,
                "description": "Rows on a page.",
                "schema": {"type": "integer", "minimum": 1, "maximum": self.size_max, "default": self.size_default},
            },
        ]

    def _size(self, request: Request) -> int:
        given = request.query_params.get(self.size_parameter)
        if given is None:
            return self.size_default
        if not re.fullmatch(r"[0-9]{1,4}", given) or not 1 <= int(given) <= self.size_max:
            raise exceptions.ValidationError({self.size_parameter: [f"Give a number from 1 to {self.size_max}."]})
        return int(given)

    def _position(self, request: Request) -> tuple[bool, int | None]:
        given = request.query_params.get(self.cursor_parameter)
        if given is None:
            return False, None
        try:
            text = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True).decode("ascii")
        except (binascii.Error, ValueError):
            text = ""
        if not re.fullmatch(r"[ab][0-9]{1,18}", text):
            raise exceptions.ValidationError(
                {self.cursor_parameter: ["This is no cursor of ours. Start without one, then follow `next`."]}
            )
        return text[0] == "b", int(text[1:])

    def _address(self, address: str, direction: str, row: Model) -> str:
        cursor = base64.urlsafe_b64encode(f"{direction}{row.pk}".encode()).decode().rstrip("=")
        return replace_query_param(address, self.cursor_parameter, cursor)


# --- Errors -----------------------------------------------------------------------------------------------------------

_CODES = {
    400: "INVALID",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    413: "TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "THROTTLED",
}
_MESSAGES_SHOWN_MAX = 5
_OUT_OF_RANGE = "22003"
_UNIQUE_VIOLATION = "23505"
_FOREIGN_KEY_VIOLATION = "23503"


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:  # noqa: ARG001
    """Every error as {"code", "detail", "context"}. None for a bug, which travels on to the log."""
    headers: dict[str, str] = {}
    if isinstance(error, DomainError):
        status, body = error.http_status, error_body(error.code, error.message, error.context)
    elif isinstance(error, Http404):
        status, body = 404, error_body("NOT_FOUND", "There is nothing at this address.")
    elif isinstance(error, PermissionDenied):
        status, body = 403, error_body("FORBIDDEN", "You may not do this.")
    elif isinstance(error, exceptions.APIException):
        status, body = error.status_code, _of_framework(error)
        if getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
        if getattr(error, "wait", None):
            headers["Retry-After"] = f"{error.wait:.0f}"  # type: ignore[attr-defined]
    elif isinstance(error, OperationalError) and _state(error) in RETRIED:
        logger.warning("api.busy", extra={"sqlstate": _state(error)})
        status = 503
        body = error_body("BUSY", "Other work holds what this needs. Nothing was written; send it again in a moment.")
        headers["Retry-After"] = "1"
    elif isinstance(error, DataError) and _state(error) == _OUT_OF_RANGE:
        status = 400
        body = error_body(
            "INVALID_QUANTITY", "With this a quantity or a value would grow larger than the books can hold. Give less."
        )
    elif isinstance(error, IntegrityError) and _state(error) in (_UNIQUE_VIOLATION, _FOREIGN_KEY_VIOLATION):
        status, body = 409, _of_database(error)
    else:
        return None
    return Response(body, status=status, headers=headers)


def error_body(code: str, detail: str, context: Mapping[str, object] | None = None) -> dict[str, Any]:
    """The one shape of errors, in plain JSON values."""
    return {"code": code, "detail": _plain(detail), "context": _plain(context or {})}


def _of_framework(error: exceptions.APIException) -> dict[str, Any]:
    code = _CODES.get(error.status_code, "REFUSED")
    if isinstance(error, exceptions.ValidationError):
        fields = error.detail if isinstance(error.detail, dict) else {"body": error.detail}
        return error_body(code, _in_words(fields), fields)
    if isinstance(error, exceptions.ParseError):
        code = "MALFORMED"
    if isinstance(error, exceptions.Throttled):
        return _of_throttle(code, seconds=round(getattr(error, "wait", None) or 1))
    return error_body(code, str(error.detail))


def _of_throttle(code: str, *, seconds: int) -> dict[str, Any]:
    limit = settings.API_REQUESTS_PER_MINUTE
    return error_body(
        code,
        f"This user has sent its {limit:,} requests of this minute. Nothing was done; go on in {seconds} s. Larger pages "
        "(page_size) and the addresses that take many at once (completions/batch/) need fewer requests.",
        {"requests_per_minute": limit, "retry_after_seconds": seconds},
    )


def _of_database(error: Exception) -> dict[str, Any]:
    """Somebody else wrote, a moment earlier, what stands in the way of this."""
    constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""
    if _state(error) == _UNIQUE_VIOLATION:
        return error_body(
            "DUPLICATE", "There is such an object already. Read it and change that one.", {"rule": constraint}
        )
    return error_body("IN_USE", "Other objects refer to this one, so it stays.", {"rule": constraint})


def _state(error: Exception) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


def _in_words(fields: Mapping[str, Any]) -> str:
    messages = list(_messages(fields, ""))
    more = len(messages) - _MESSAGES_SHOWN_MAX
    shown = " ".join(messages[:_MESSAGES_SHOWN_MAX])
    return f"{shown} And {more} more." if more > 0 else shown


def _messages(detail: object, where: str) -> Any:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _messages(inner, f"{where}.{name}" if where else str(name))
    elif isinstance(detail, list | tuple):
        for number, inner in enumerate(detail):
            is_text = not isinstance(inner, Mapping | list | tuple)
            yield from _messages(inner, where if is_text else f"{where}.{number}")
    else:
        place = "" if where in ("body", "non_field_errors") else f"{where}: "
        yield f"{place}{detail}"


def _plain(value: object) -> Any:
    """As JSON can carry it: decimals and days as text, text without the halves of characters that UTF-8 cannot write."""
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Decimal):
        return as_text(value) if value.is_finite() else str(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value).encode("utf-8", "replace").decode()
