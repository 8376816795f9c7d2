"""The queue of exceptions over the REST API."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Prefetch, Q
from django.http import HttpResponse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import (
    Anything,
    Body,
    ChoiceOut,
    IdOut,
    Moment,
    MomentOut,
    Nothing,
    Text,
    TextOut,
    optional_text,
)
from inventory.api.filters import Filters, FlagFilter, MomentFilter, Rows, SearchFilter, TextFilter, WordFilter
from inventory.api.idempotency import Reply
from inventory.api.references import refuse
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.models import ExceptionCase, ExceptionEvent, ExceptionState, ExceptionStep, Severity
from inventory.operations.exceptions import (
    assign_exception,
    note_exception,
    reopen_exception,
    report_problem,
    resolve_exception,
    snooze_exception,
    take_exception,
    wake_exception,
)


class ExceptionEventSerializer(serializers.Serializer[Any]):
    """One thing that was done with a case."""

    step = ChoiceOut(ExceptionStep.choices)
    words = TextOut()
    actor = TextOut(source="actor.username", default=None, allow_null=True)
    happened_at = MomentOut()


class ExceptionSerializer(serializers.Serializer[Any]):
    """Something that needs a person."""

    id = IdOut()
    kind = TextOut()
    area = TextOut()
    severity = ChoiceOut(Severity.choices)
    state = ChoiceOut(ExceptionState.choices)
    title = TextOut()
    reason = TextOut()
    evidence = Anything()
    subject = TextOut()
    url = TextOut()
    action = TextOut()
    action_url = TextOut()
    owner = TextOut(source="owner.username", default=None, allow_null=True)
    snoozed_until = MomentOut(allow_null=True)
    times_seen = IdOut()
    opened_at = MomentOut()
    last_seen_at = MomentOut()
    resolved_at = MomentOut(allow_null=True)
    resolved_by = TextOut(source="resolved_by.username", default=None, allow_null=True)
    resolution = TextOut()


class ExceptionDetailSerializer(ExceptionSerializer):
    events = ExceptionEventSerializer(many=True, read_only=True)


class ProblemSerializer(Body):
    """A problem that a person or a program saw."""

    title = Text(length_max=200)
    words = optional_text(4000)
    about = optional_text(120)


class AssignSerializer(Body):
    owner = Text(length_max=150, allow_null=True, help_text="Name of the person; null lets the case go.")


class SnoozeSerializer(Body):
    until = Moment()


class ResolveSerializer(Body):
    resolution = optional_text(300)


class NoteSerializer(Body):
    words = Text(length_max=500)


class ReopenSerializer(Body):
    note = optional_text(500)


class ExceptionFilter(Filters):
    kind = TextFilter(field_name="kind", lookup_expr="exact")
    area = TextFilter(field_name="area", lookup_expr="exact")
    state = WordFilter(ExceptionState)
    severity = WordFilter(Severity)
    owner = TextFilter(field_name="owner__username")
    has_owner = FlagFilter(field_name="owner", lookup_expr="isnull", exclude=True)
    is_waiting = FlagFilter(method="waiting", help_text="Open, or put away until a moment that has passed.")
    search = SearchFilter(method="find", help_text="Part of the title, the reason or what it is about.")
    opened_before = MomentFilter(field_name="opened_at", lookup_expr="lt")

    class Meta:
        model = ExceptionCase
        fields: list[str] = []

    def waiting(self, rows: Rows, name: str, value: bool) -> Rows:  # noqa: ARG002
        ids = ExceptionCase.objects.waiting(at=timezone.now()).values("pk")
        return rows.filter(pk__in=ids) if value else rows.exclude(pk__in=ids)

    def find(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(Q(title__icontains=value) | Q(reason__icontains=value) | Q(subject__icontains=value))


CASES = ExceptionCase.objects.select_related("owner", "resolved_by")
IN_FULL = CASES.prefetch_related(Prefetch("events", ExceptionEvent.objects.select_related("actor")))


class ExceptionResource(ListOne, Resource):
    """What needs a person, newest first."""

    queryset = CASES
    filterset_class = ExceptionFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("inventory.view_exceptioncase", ExceptionSerializer),
        "retrieve": Endpoint("inventory.view_exceptioncase", ExceptionDetailSerializer),
        "create": Endpoint(
            "inventory.report_exceptioncase", ExceptionDetailSerializer, ProblemSerializer, status=201, is_keyed=True
        ),
        "take": Endpoint("inventory.resolve_exceptioncase", ExceptionDetailSerializer, Nothing),
        "assign": Endpoint("inventory.assign_exceptioncase", ExceptionDetailSerializer, AssignSerializer),
        "snooze": Endpoint("inventory.resolve_exceptioncase", ExceptionDetailSerializer, SnoozeSerializer),
        "wake": Endpoint("inventory.resolve_exceptioncase", ExceptionDetailSerializer, Nothing),
        "resolve": Endpoint("inventory.resolve_exceptioncase", ExceptionDetailSerializer, ResolveSerializer),
        "reopen": Endpoint("inventory.resolve_exceptioncase", ExceptionDetailSerializer, ReopenSerializer),
        "note": Endpoint("inventory.resolve_exceptioncase", ExceptionDetailSerializer, NoteSerializer),
    }

    def get_queryset(self) -> Any:
        return IN_FULL.all() if self.action == "retrieve" else super().get_queryset()

    def create(self, request: Request) -> HttpResponse:
        """Report a problem; it waits in the queue until somebody has dealt with it."""

        def work(key: UUID) -> Reply:
            case = report_problem(key=key, actor=request.user, **self.values())
            return self.reply(IN_FULL.get(pk=case.pk))

        return self.answer_once(request, work)

    @action(detail=True, methods=["post"])
    def take(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Make a case one's own."""
        case = self.get_object()
        self.values()
        return self._in_full(take_exception(case=case, actor=request.user))

    @action(detail=True, methods=["post"])
    def assign(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Give a case to somebody, or let it go."""
        case = self.get_object()
        name = self.values()["owner"]
        owner = None if name is None else User.objects.filter(username=name).first()
        if name is not None and owner is None:
            refuse([(("owner",), f"There is nobody called “{name}”.")])
        return self._in_full(assign_exception(case=case, owner=owner, actor=request.user))

    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Put a case away until a moment."""
        return self._in_full(snooze_exception(case=self.get_object(), actor=request.user, **self.values()))

    @action(detail=True, methods=["post"])
    def wake(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Bring a case back that was put away."""
        case = self.get_object()
        self.values()
        return self._in_full(wake_exception(case=case, actor=request.user))

    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Close a case with what was done."""
        return self._in_full(resolve_exception(case=self.get_object(), actor=request.user, **self.values()))

    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Open a resolved case again."""
        return self._in_full(reopen_exception(case=self.get_object(), actor=request.user, **self.values()))

    @action(detail=True, methods=["post"])
    def note(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Write something down about a case."""
        return self._in_full(note_exception(case=self.get_object(), actor=request.user, **self.values()))

    def _in_full(self, case: ExceptionCase) -> Response:
        return self.answer(IN_FULL.get(pk=case.pk))
