"""The base of every REST resource: one table says who may do what, which body it takes and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError as ModelValidationError
from django.db.models import Model
from django.http import HttpResponse
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from inventory.api.fields import Body
from inventory.api.idempotency import Reply, answer_once
from inventory.api.parsing import AlwaysJson, ExactJsonParser
from inventory.api.references import Reading
from inventory.api.schema import ApiSchema
from inventory.operations.describing import save_and_tell
from inventory.operations.posting import Actor
from inventory.operations.transactions import run_in_transaction


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing a resource can be asked to do.

    `permission` is needed to do it, or one of `also`. `is_keyed`: only with an Idempotency-Key. `query`: the parameters of
    an action that is not a list, whose parameters are its filters. `refuses`: statuses of refusals that do not follow from the
    rest, such as a question that cannot be answered as things are.
    """

    permission: str
    answer: type[BaseSerializer[Any]] | None = None
    body: type[Body] | None = None
    query: type[Body] | None = None
    status: int = 200
    is_keyed: bool = False
    is_array: bool = False
    also: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()


class Resource(GenericViewSet[Any]):
    """Objects of one kind. An action without an entry in `endpoints` is refused to everybody."""

    endpoints: ClassVar[Mapping[str, Endpoint]] = {}
    newest_first: ClassVar[bool] = False
    """Order of lists: by id, upwards or downwards."""
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    lookup_url_kwarg = "id"
    lookup_value_regex = "[0-9]{1,18}"
    parser_classes = (ExactJsonParser,)
    content_negotiation_class = AlwaysJson
    schema = ApiSchema()

    @property
    def endpoint(self) -> Endpoint:
        assert self.action is not None, "a request that reached a handler has an action"
        return self.endpoints[self.action]

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        answer = self.endpoint.answer
        assert answer is not None, f"{self.action} answers nothing"
        return answer

    def values(self, *, partial: bool = False) -> dict[str, Any]:
        """What the body says, in Python's types. Raises ValidationError."""
        assert self.endpoint.body is not None, f"{self.action} takes no body"
        return dict(_checker(self.endpoint.body, partial).run_validation(self.request.data))

    def parameters(self) -> dict[str, Any]:
        """What the address says after the question mark. Raises ValidationError."""
        assert self.endpoint.query is not None, f"{self.action} takes no parameters"
        return dict(_checker(self.endpoint.query, False).run_validation(self.request.query_params.dict()))

    def shape(self, found: object) -> dict[str, Any]:
        """An object as the endpoint answers it, in plain JSON values."""
        return dict(self.get_serializer_class()(found).data)

    def page(self) -> list[Any]:
        """The rows of the page that is asked for. Raises ValidationError for parameters that say nothing."""
        refuse_unknown_parameters(self, self.request)
        found: list[Any] = self.paginate_queryset(self.filter_queryset(self.get_queryset()))  # type: ignore[assignment]
        return found

    def answer(self, found: object) -> Response:
        return Response(self.shape(found), status=self.endpoint.status)

    def answer_once(
        self, request: Request, work: Callable[[UUID], Reply], *, reading: Reading | None = None
    ) -> HttpResponse:
        assert self.endpoint.is_keyed, f"{self.action} is not declared as keyed"
        return answer_once(request, work, reading=reading)

    def reply(self, found: object, *, replayed: bool = False) -> Reply:
        return Reply(self.shape(found), self.endpoint.status, replayed)


@cache
def _checker(shape: type[Body], partial: bool) -> Body:
    """One instance of each shape serves every request: checking keeps nothing in it, and building one costs as much."""
    return shape(partial=partial)


class ListOne:
    """Lists, page by page, and one object by its id."""

    def list(self: Any, request: Request) -> Response:  # noqa: ARG002
        """Page by page; `next` and `previous` are the addresses of the pages around this one."""
        answer: Response = self.get_paginated_response(self.get_serializer(self.page(), many=True).data)
        return answer

    def retrieve(self: Any, request: Request, id: str) -> Response:  # noqa: ARG002
        """One of them by its id."""
        answer: Response = self.answer(self.get_object())
        return answer


def refuse_unknown_parameters(view: Any, request: Request) -> None:
    """A mistyped filter must not quietly list everything. Raises ValidationError."""
    filterset = getattr(view, "filterset_class", None)
    known = {*(filterset.base_filters if filterset else ()), *view.paginator.parameters}
    wanted = f"Unknown parameter. Known ones: {', '.join(sorted(known))}."
    problems = {name[:100]: [wanted] for name in request.query_params if name not in known}
    for name, values in request.query_params.lists():
        if name in known and "" in values:
            problems[name] = ["Give a value, or leave the parameter out."]
    if problems:
        raise ValidationError(problems)


def change_checked(
    resource: Resource,
    values: Mapping[str, Any],
    *,
    check: Callable[[Any], object] = lambda _changed: None,
    save: Callable[[Any], object] | None = None,
) -> Any:
    """Change fields of the object of the address, which is locked: what somebody else changes meanwhile stays changed.

    `check` looks at the object with its new values before `save`, which is save_checked when none is given. Raises
    ValidationError and what these raise.
    """

    def work() -> Any:
        found = resource.get_object()
        fresh = type(found)._default_manager.select_for_update(of=("self",), no_key=True).get(pk=found.pk)
        for name, value in values.items():
            setattr(fresh, name, value)
        check(fresh)
        if save is None:
            save_checked(fresh, actor=resource.request.user)
        else:
            save(fresh)
        return fresh

    return run_in_transaction(work)


def save_checked(instance: Model, *, actor: Actor) -> None:
    """Check an object by its model's own rules and save it; what follows for its items is news. Raises ValidationError."""
    check_by_model(instance)
    save_and_tell(instance=instance, save=instance.save, actor=actor)


def check_by_model(instance: Model) -> None:
    """Check an object by its model's own rules. Raises ValidationError."""
    try:
        instance.full_clean()
    except ModelValidationError as error:
        raise ValidationError(error.message_dict) from None
