"""Reading request bodies: JSON only, bounded, and never an internal error for what a client sent."""

import json
from collections.abc import Iterable, Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

BODY_BYTES_MAX = 5_000_000


class BodyTooLarge(APIException):
    """A body above BODY_BYTES_MAX."""

    status_code = 413
    default_code = "too_large"
    default_detail = f"The body is larger than {BODY_BYTES_MAX} bytes. Send fewer lines in one request."


class ExactJsonParser(BaseParser):
    """JSON without the extensions of Python's reader: no NaN, no Infinity, a bounded size."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        raw = stream.read(BODY_BYTES_MAX + 1)
        if len(raw) > BODY_BYTES_MAX:
            raise BodyTooLarge
        try:
            return json.loads(raw.decode(), parse_constant=_refuse_constant)
        except RecursionError:
            raise ParseError("The body is nested too deeply to be read.") from None
        except ValueError as error:
            raise ParseError(f"The body is not valid JSON: {error}.") from None


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not a JSON value")


class AlwaysJson(BaseContentNegotiation):
    """Answers are JSON whatever the client says it accepts, as there is nothing else to choose from."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        wanted = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == wanted), None)

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type or "application/json"
