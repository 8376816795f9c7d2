"""What the lists of the REST API can be narrowed to."""

import re
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.db.models import Choices, Q, QuerySet
from django_filters import rest_framework as filters  # type: ignore[import-untyped]
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError

from inventory.api.fields import ID_MAX, Day, Described, Moment
from inventory.api.idempotency import UUID_FORM
from inventory.models import (
    Item,
    ItemCategory,
    ItemKind,
    ItemUnit,
    Location,
    LocationKind,
    Lot,
    Movement,
    Posting,
    PostingKind,
    Reservation,
    StockBalance,
    StockStatus,
)
from inventory.reads.moments import Basis

Rows = QuerySet[Any]
TEXT_MAX = 200


class _Field(forms.Field):
    """A parameter that is taken only in the form the OpenAPI document gives it."""

    def __init__(self, *, parse: Callable[[str], object], wanted: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._parse, self._wanted = parse, wanted

    def to_python(self, value: Any) -> object:
        if value is None:
            return None
        parsed = self._parse(value)
        if parsed is None:
            raise forms.ValidationError(self._wanted)
        return parsed


class _Strict(filters.Filter):  # type: ignore[misc]
    """A filter that reads one form only; a value in another form is refused, not passed over."""

    described: ClassVar[dict[str, Any]] = {}
    wanted: ClassVar[str] = ""
    field_class = _Field

    def __init__(self, *args: Any, help_text: str = "", **kwargs: Any) -> None:
        super().__init__(*args, help_text=help_text, parse=self.parse, wanted=self.wanted, **kwargs)
        extend_schema_field({**self.described, **({"description": help_text} if help_text else {})})(self)

    @staticmethod
    def parse(text: str) -> object:
        """The value; None when it has another form."""
        raise NotImplementedError


class IdFilter(_Strict):
    described = {"type": "integer", "minimum": 0, "maximum": ID_MAX}
    wanted = "Give an id, a whole number."

    @staticmethod
    def parse(text: str) -> object:
        return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


class TextFilter(_Strict):
    """Text, whole and without regard to case unless told otherwise."""

    described = {"type": "string", "minLength": 1, "maxLength": TEXT_MAX}
    wanted = f"Give up to {TEXT_MAX} characters, no NUL among them."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("lookup_expr", "iexact")
        super().__init__(*args, **kwargs)

    @staticmethod
    def parse(text: str) -> object:
        return text if 0 < len(text) <= TEXT_MAX and "\x00" not in text else None


class SearchFilter(TextFilter):
    """A part of a text."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("lookup_expr", "icontains")
        super().__init__(*args, **kwargs)


class FlagFilter(_Strict):
    described = {"type": "boolean"}
    wanted = "Give true or false."

    @staticmethod
    def parse(text: str) -> object:
        return {"true": True, "false": False}.get(text)


class KeyFilter(_Strict):
    described = {"type": "string", "format": "uuid"}
    wanted = "Give a UUID."

    @staticmethod
    def parse(text: str) -> object:
        return UUID(text) if UUID_FORM.fullmatch(text) else None


def _parsed(field: Described, text: str) -> object:
    try:
        return field.to_internal_value(text)
    except ValidationError:
        return None


class MomentFilter(_Strict):
    described = {"type": "string", "format": "date-time"}
    wanted = "Give a time with its offset as 2025-12-31T08:30:00Z."

    @staticmethod
    def parse(text: str) -> object:
        return _parsed(Moment(), text.replace(" ", "+"))


class DayFilter(_Strict):
    described = {"type": "string", "format": "date"}
    wanted = "Give a day as 2025-12-31."

    @staticmethod
    def parse(text: str) -> object:
        return _parsed(Day(), text)


class BasisFilter(_Strict):
    """How a question about the past is meant."""

    described = {"type": "string", "enum": [str(value) for value in Basis.values]}
    wanted = f"Give one of {', '.join(Basis.values)}."

    @staticmethod
    def parse(text: str) -> object:
        return text if text in Basis.values else None


class WordFilter(filters.MultipleChoiceFilter):  # type: ignore[misc]
    """Words of a list; given several times, any of them."""

    def __init__(self, choices: type[Choices], **kwargs: Any) -> None:
        super().__init__(choices=choices.choices, **kwargs)


class OneWordFilter(filters.ChoiceFilter):  # type: ignore[misc]
    """One word of a list."""

    def __init__(self, choices: type[Choices], **kwargs: Any) -> None:
        super().__init__(choices=choices.choices, **kwargs)


class Filters(filters.FilterSet):  # type: ignore[misc]
    """The filters of one list. `Meta.fields` stays empty: each filter is written out."""


class ItemFilter(Filters):
    sku = TextFilter(field_name="sku")
    search = SearchFilter(method="find", help_text="Part of SKU or name, or a whole barcode.")
    kind = WordFilter(ItemKind)
    category_id = IdFilter(field_name="category_id")
    barcode = TextFilter(field_name="barcode", lookup_expr="exact")
    is_active = FlagFilter()
    is_sellable = FlagFilter()

    class Meta:
        model = Item
        fields: list[str] = []

    def find(self, rows: Any, name: str, value: str) -> Rows:  # noqa: ARG002
        found: Rows = rows.matching(value)
        return found


class ItemUnitFilter(Filters):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")

    class Meta:
        model = ItemUnit
        fields: list[str] = []


class CategoryFilter(Filters):
    parent_id = IdFilter(field_name="parent_id")
    search = SearchFilter(field_name="name", lookup_expr="icontains")

    class Meta:
        model = ItemCategory
        fields: list[str] = []


class LocationFilter(Filters):
    code = TextFilter(field_name="code")
    search = SearchFilter(method="find", help_text="Part of code or name.")
    kind = WordFilter(LocationKind)
    parent_id = IdFilter(field_name="parent_id")
    within = IdFilter(method="below", help_text="This location and everything below it.")
    is_active = FlagFilter()
    is_sellable = FlagFilter()

    class Meta:
        model = Location
        fields: list[str] = []

    def find(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(Q(code__icontains=value) | Q(name__icontains=value))

    def below(self, rows: Rows, name: str, value: int) -> Rows:  # noqa: ARG002
        return rows.filter(path__contains=f"/{value}/")


class LotFilter(Filters):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    code = TextFilter(field_name="code")
    search = SearchFilter(field_name="code", lookup_expr="icontains")
    expires_before = DayFilter(field_name="expires_on", lookup_expr="lt")

    class Meta:
        model = Lot
        fields: list[str] = []


class StockFilter(Filters):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    location = TextFilter(field_name="location__code")
    location_id = IdFilter(field_name="location_id")
    within = IdFilter(method="below", help_text="At this location (id) and everything below it.")
    lot = TextFilter(field_name="lot__code")
    lot_id = IdFilter(field_name="lot_id")
    status = WordFilter(StockStatus)
    search = SearchFilter(method="find", help_text="Part of SKU or name of the item.")
    with_empty = FlagFilter(method="empty", help_text="Also cells that hold nothing now.")

    class Meta:
        model = StockBalance
        fields: list[str] = []

    def filter_queryset(self, queryset: Rows) -> Rows:
        if not self.form.cleaned_data.get("with_empty"):
            queryset = queryset.exclude(quantity=0)
        found: Rows = super().filter_queryset(queryset)
        return found

    def empty(self, rows: Rows, name: str, value: bool) -> Rows:  # noqa: ARG002
        return rows

    def below(self, rows: Rows, name: str, value: int) -> Rows:  # noqa: ARG002
        return rows.filter(location__path__contains=f"/{value}/")

    def find(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(Q(item__sku__icontains=value) | Q(item__name__icontains=value))


class MovementFilter(Filters):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    location = TextFilter(field_name="location__code")
    location_id = IdFilter(field_name="location_id")
    lot = TextFilter(field_name="lot__code")
    lot_id = IdFilter(field_name="lot_id")
    posting_id = IdFilter(field_name="posting_id")
    kind = WordFilter(PostingKind, field_name="posting__kind", distinct=False)
    status = WordFilter(StockStatus)
    effective_from = MomentFilter(field_name="effective_at", lookup_expr="gte")
    effective_before = MomentFilter(field_name="effective_at", lookup_expr="lt")
    recorded_from = MomentFilter(field_name="recorded_at", lookup_expr="gte")
    recorded_before = MomentFilter(field_name="recorded_at", lookup_expr="lt")

    class Meta:
        model = Movement
        fields: list[str] = []


class PostingFilter(Filters):
    kind = WordFilter(PostingKind)
    reference = TextFilter(field_name="reference")
    demand_kind = TextFilter(field_name="demand_kind")
    demand_ref = TextFilter(
        field_name="demand_ref",
        lookup_expr="exact",
        help_text="Number of what goods were shipped or issued for, exactly.",
    )
    key = KeyFilter(field_name="key")
    search = SearchFilter(method="find", help_text="Part of reference, reason or note.")
    effective_from = MomentFilter(field_name="effective_at", lookup_expr="gte")
    effective_before = MomentFilter(field_name="effective_at", lookup_expr="lt")
    recorded_from = MomentFilter(field_name="recorded_at", lookup_expr="gte")
    recorded_before = MomentFilter(field_name="recorded_at", lookup_expr="lt")

    class Meta:
        model = Posting
        fields: list[str] = []

    def find(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(Q(reference__icontains=value) | Q(reason__icontains=value) | Q(note__icontains=value))


class ReservationFilter(Filters):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    location = TextFilter(field_name="location__code")
    location_id = IdFilter(field_name="location_id")
    demand_kind = TextFilter(field_name="demand_kind", lookup_expr="exact")
    demand_ref = TextFilter(field_name="demand_ref", lookup_expr="exact")
    search = SearchFilter(field_name="demand_ref", lookup_expr="icontains")
    is_pinned = FlagFilter(field_name="lot", lookup_expr="isnull", exclude=True)
    with_released = FlagFilter(method="released", help_text="Also those that hold nothing any more.")

    class Meta:
        model = Reservation
        fields: list[str] = []

    def filter_queryset(self, queryset: Rows) -> Rows:
        if not self.form.cleaned_data.get("with_released"):
            queryset = queryset.filter(quantity__gt=0)
        found: Rows = super().filter_queryset(queryset)
        return found

    def released(self, rows: Rows, name: str, value: bool) -> Rows:  # noqa: ARG002
        return rows
