"""The OpenAPI document, read from the same table of endpoints that decides who may do what."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_parameter_type
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from inventory.api.fields import ID_MAX, Anything, Body, Nothing, TextOut
from inventory.api.idempotency import HEADER, REPLAYED_HEADER

if TYPE_CHECKING:
    from inventory.api.resources import Endpoint

ID_SCHEMA = {"type": "integer", "minimum": 0, "maximum": ID_MAX}


class ErrorSerializer(serializers.Serializer[Any]):
    """Why a request was not carried out. Nothing was written."""

    code = TextOut(help_text="Stable word for programs: INVALID, INSUFFICIENT_STOCK, ...")
    detail = TextOut(help_text="For people: what is, what was needed, what to do.")
    context = Anything(  # type: ignore[assignment]
        read_only=True, help_text="Figures behind the refusal; for INVALID the messages by field of the request."
    )


ERRORS = {
    "400": "The request is malformed, or a value in it is not possible.",
    "401": "No valid token or session came with the request.",
    "403": "The user may not do this.",
    "404": "There is no such object.",
    "409": "Understood, and refused in the present state of things; for keyed requests also a key that was used otherwise.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "429": "The user has sent all the requests it may send in a minute; `Retry-After` says when to go on.",
    "503": "Other work holds what this needs. Nothing was written; send it again.",
}


class ApiSchema(AutoSchema):
    """Describes a view of `inventory.api.resources.Resource`."""

    view: Any

    @property
    def _endpoint(self) -> "Endpoint":
        endpoint: Endpoint = self.view.endpoints[self.view.action]
        return endpoint

    def get_operation_id(self) -> str:
        return f"{self.view.basename.replace('-', '_')}_{self.view.action}"

    def get_summary(self) -> str:
        return self.get_description().partition("\n")[0]

    def get_tags(self) -> list[str]:
        return [str(self.view.basename)]

    def get_request_serializer(self) -> Any:
        body = self._endpoint.body
        return body if body is None else body(partial=self.method == "PATCH")

    def get_response_serializers(self) -> Any:
        endpoint = self._endpoint
        good: Any = endpoint.answer
        if endpoint.is_array:
            good = endpoint.answer(many=True) if endpoint.answer else None
        responses: dict[str, Any] = {str(endpoint.status): OpenApiResponse(good, description="Done.")}
        for code in self._error_codes():
            responses[code] = OpenApiResponse(ErrorSerializer, description=ERRORS[code])
        return responses

    def _error_codes(self) -> list[str]:
        endpoint = self._endpoint
        codes = ["401", "403", "429"]
        if "{" in self.path:
            codes.append("404")
        if endpoint.body is not None or self.view.action == "list" or endpoint.query is not None:
            codes.append("400")
        if self.method != "GET":
            codes += ["409", "503"]
        if endpoint.body is not None:
            codes += ["413", "415"]
        return sorted({*codes, *endpoint.refuses})

    def get_override_parameters(self) -> list[Any]:
        endpoint = self._endpoint
        parameters: list[Any] = []
        if endpoint.query is not None:
            parameters.append(endpoint.query)
        if endpoint.is_keyed:
            parameters.append(
                OpenApiParameter(
                    HEADER,
                    {"type": "string", "format": "uuid"},
                    OpenApiParameter.HEADER,
                    required=True,
                    description="A new UUID for each intended change; repeat it when you repeat the request.",
                )
            )
            parameters.append(
                OpenApiParameter(
                    REPLAYED_HEADER,
                    str,
                    OpenApiParameter.HEADER,
                    response=[endpoint.status],
                    description="true when this is the stored answer to an earlier request with the same key.",
                )
            )
        return parameters

    def get_filter_backends(self) -> list[Any]:
        return self.view.filter_backends if self.view.action == "list" else []

    def _is_list_view(self, serializer: Any = None) -> bool:
        return self.view.action == "list" or isinstance(serializer, serializers.ListSerializer)

    def _get_paginator(self) -> Any:
        return None if self._endpoint.is_array else super()._get_paginator()  # type: ignore[no-untyped-call]

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        return [
            build_parameter_type(
                name=name,
                location=OpenApiParameter.PATH,
                description=f"Id of the {self._object_word()}.",
                schema=ID_SCHEMA,
            )
            for name in variables
        ]

    def _object_word(self) -> str:
        return str(self.view.queryset.model._meta.verbose_name)

    def _get_serializer_name(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> str:
        name: str = super()._get_serializer_name(serializer, direction, bypass_extensions)
        return name.removesuffix("InputRequest") + "Request" if name.endswith("InputRequest") else name

    def _get_request_body(self, direction: Any = "request") -> Any:
        found = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        if found is not None and self._endpoint.body is not None and issubclass(self._endpoint.body, Nothing):
            found.pop("required", None)
        return found

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request" and isinstance(serializer, Body):
            schema["additionalProperties"] = False
        return schema
