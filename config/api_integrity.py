"""Runs of the ledger check and changes of master data over the REST API, to read."""

import re
from typing import Any, ClassVar

from django_filters.utils import translate_validation  # type: ignore[import-untyped]
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from config.api import StableCursorPagination
from config.audit.reading import SYSTEM, Cursor, Question, read_page
from config.audit.sources import kind_titles, sources
from config.audit.wording import Entry, entries
from config.integrity.signing import is_genuine
from inventory.api.fields import FlagOut, IdOut, MomentOut, TextOut, WordsOut
from inventory.api.filters import Filters, FlagFilter, IdFilter, MomentFilter, TextFilter
from inventory.api.resources import Endpoint, ListOne, Resource, refuse_unknown_parameters
from inventory.models import InvariantRun

READ_AUDIT = "inventory.read_audit"


# --- The ledger check -------------------------------------------------------------------------------------------------


class InvariantResultSerializer(serializers.Serializer[Any]):
    """What a run found about one fact."""

    app = TextOut()
    name = TextOut()
    statement = TextOut(help_text="The fact in words.")
    holds = serializers.SerializerMethodField()
    milliseconds = IdOut()
    findings = WordsOut(help_text="What breaks the fact, at most twenty; empty when it holds.")

    def get_holds(self, result: Any) -> bool:
        return not result.findings


class InvariantRunSerializer(serializers.Serializer[Any]):
    """One check of every fact that must hold."""

    id = IdOut()
    started_at = MomentOut()
    finished_at = MomentOut()
    cause = TextOut()
    movements = IdOut(help_text="Movements there were.")
    newest_movement = IdOut(allow_null=True)
    is_true = FlagOut(help_text="Every fact held.")
    is_genuine = serializers.SerializerMethodField(help_text="The signature fits: nobody changed the run since.")
    signature = TextOut()
    results = InvariantResultSerializer(many=True, source="results.all")

    def get_is_genuine(self, run: InvariantRun) -> bool:
        return is_genuine(run, list(run.results.all()))


class InvariantRunFilter(Filters):
    is_true = FlagFilter(field_name="is_true", help_text="Only runs in which every fact held, or only the others.")
    since = MomentFilter(field_name="started_at", lookup_expr="gte", help_text="Begun at or after this moment.")
    until = MomentFilter(field_name="started_at", lookup_expr="lte", help_text="Begun at or before this moment.")


class InvariantRunResource(ListOne, Resource):
    """Checks of every fact that must hold, newest first: nightly, by hand and by command."""

    queryset = InvariantRun.objects.prefetch_related("results")
    filterset_class = InvariantRunFilter
    newest_first = True
    endpoints = {
        "list": Endpoint(READ_AUDIT, InvariantRunSerializer),
        "retrieve": Endpoint(READ_AUDIT, InvariantRunSerializer),
    }


# --- Changes of master data -------------------------------------------------------------------------------------------


class DifferenceSerializer(serializers.Serializer[Any]):
    """One figure that became another."""

    what = TextOut(help_text="Empty where a whole line came or went.")
    old = TextOut(help_text="Empty: there was none.")
    new = TextOut(help_text="Empty: there is none any more.")


class AuditEntrySerializer(serializers.Serializer[Any]):
    """One change, in words."""

    kind = TextOut(help_text="inventory.item, production.bomline, ...")
    kind_title = TextOut()
    label = TextOut(help_text="What the object is called.")  # type: ignore[assignment]
    object_id = IdOut()
    verb = TextOut(help_text="made, changed or removed.")
    at = MomentOut()
    person = TextOut(help_text="“the system” for schedules and commands.")
    person_id = IdOut(allow_null=True)
    reason = TextOut()
    differences = DifferenceSerializer(many=True)


class KindFilter(TextFilter):
    """A kind of object whose changes are kept."""

    described = {"type": "string", "enum": [key for key, _ in kind_titles()]}
    wanted = f"Give one of: {', '.join(key for key, _ in kind_titles())}."

    @staticmethod
    def parse(text: str) -> object:
        return text if text in dict(kind_titles()) else None


class ThingFilter(TextFilter):
    """An object by its kind and id."""

    described = {
        "type": "string",
        "pattern": f"^({'|'.join(key.replace('.', '[.]') for key in sources())}):[0-9]{{1,18}}$",
    }
    wanted = "Give a kind and an id, such as inventory.item:12."

    @staticmethod
    def parse(text: str) -> object:
        kind, _, number = text.partition(":")
        return (kind, int(number)) if kind in sources() and re.fullmatch("[0-9]{1,18}", number) else None


class AuditFilters(Filters):
    """Read here, applied by the reading itself: the rows come from many tables."""

    kind = KindFilter(method="leave")
    of = ThingFilter(method="leave", help_text="That object and all that belongs to it, such as the packs of an item.")
    person_id = IdFilter(method="leave", help_text="Id of a user.")
    by_system = FlagFilter(method="leave", help_text="true: only what no person did.")
    since = MomentFilter(method="leave", help_text="At or after this moment.")
    until = MomentFilter(method="leave", help_text="Before this moment.")

    def leave(self, rows: Any, _name: str, _value: object) -> Any:
        return rows


class AuditPagination(StableCursorPagination):
    """Pages by moment, kind and id."""

    cursor_pattern: ClassVar[str] = r"^-?[0-9]{1,17}-[a-z_]{1,40}\.[a-z_]{1,40}-[0-9]{1,18}$"

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor, size = super().get_schema_operation_parameters(view)
        return [{**cursor, "schema": {"type": "string", "pattern": self.cursor_pattern}}, size]

    def size(self, request: Request) -> int:
        return self._size(request)


class AuditEntryResource(Resource):
    """Who changed what master data and when, newest first."""

    queryset = InvariantRun.objects.none()
    filterset_class = AuditFilters
    pagination_class = AuditPagination
    endpoints = {"list": Endpoint(READ_AUDIT, AuditEntrySerializer)}

    def list(self, request: Request) -> Response:
        """Page by page. Lines that were saved together are one entry, so a page may be shorter than asked for."""
        refuse_unknown_parameters(self, request)
        chosen = AuditFilters(request.query_params, queryset=self.get_queryset(), request=request)
        if not chosen.is_valid():
            raise translate_validation(chosen.errors)
        question = _question(chosen.form.cleaned_data, request.query_params.get("cursor"))
        size = AuditPagination().size(request)
        page = read_page(question, rows_max=size)
        is_backwards = question.newer_than is not None
        address = request.build_absolute_uri()
        following = previous = None
        if page.rows and (page.has_more or is_backwards):
            following = replace_query_param(address, "cursor", f"{page.rows[-1].cursor}")
        if page.rows and (page.has_more if is_backwards else question.older_than is not None):
            previous = replace_query_param(address, "cursor", f"-{page.rows[0].cursor}")
        found: list[Entry] = entries(page)
        results = AuditEntrySerializer(found, many=True).data
        return Response({"next": following, "previous": previous, "results": results})


def _question(values: dict[str, Any], cursor_text: str | None) -> Question:
    older = newer = None
    if cursor_text is not None:
        cursor = Cursor.read(cursor_text.removeprefix("-"))
        if cursor is None:
            raise ValidationError({"cursor": ["This is no cursor of ours. Start without one, then follow `next`."]})
        older, newer = (None, cursor) if cursor_text.startswith("-") else (cursor, None)
    person: int | str | None = SYSTEM if values.get("by_system") else values.get("person_id")
    return Question(
        kind=values.get("kind") or "",
        thing=values.get("of"),
        person=person,
        since=values.get("since"),
        until=values.get("until"),
        older_than=older,
        newer_than=newer,
    )
