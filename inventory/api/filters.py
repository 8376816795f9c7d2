"""What the lists of the REST API can be narrowed to."""

from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from inventory.api.fields import ID_MAX, YEAR_MAX, YEAR_MIN
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

Rows = QuerySet[Any]


class IdFilter(filters.NumberFilter):
    """An id, an integer."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=0, max_value=ID_MAX, **kwargs)

    def get_max_validator(self) -> None:
        """The field has its own limits."""


class TextFilter(filters.CharFilter):
    """Text without regard to case."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("lookup_expr", "iexact")
        super().__init__(*args, max_length=200, **kwargs)


class SearchFilter(filters.CharFilter):
    """Words to look for, at least one character."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, max_length=200, **kwargs)


class MomentField(forms.Field):
    """A time with its offset, as in bodies."""

    def to_python(self, value: Any) -> Any:
        from inventory.api.fields import Moment

        if not value:
            return None
        field = Moment()
        try:
            return field.to_internal_value(value)
        except field_errors() as error:
            raise forms.ValidationError([str(message) for message in error.detail]) from None


def field_errors() -> Any:
    from rest_framework.exceptions import ValidationError

    return ValidationError


class MomentFilter(filters.Filter):
    field_class = MomentField


class DayFilter(filters.DateFilter):
    """A calendar day as 2025-12-31."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, input_formats=["%Y-%m-%d"], **kwargs)


class ItemFilter(filters.FilterSet):
    sku = TextFilter(field_name="sku")
    search = SearchFilter(method="find", help_text="Part of SKU or name, or a whole barcode.")
    kind = filters.MultipleChoiceFilter(choices=ItemKind.choices)
    category_id = IdFilter(field_name="category_id")
    barcode = TextFilter(field_name="barcode", lookup_expr="exact")
    is_active = filters.BooleanFilter()
    is_sellable = filters.BooleanFilter()

    class Meta:
        model = Item
        fields: list[str] = []

    def find(self, rows: Any, name: str, value: str) -> Rows:  # noqa: ARG002
        found: Rows = rows.matching(value)
        return found


class ItemUnitFilter(filters.FilterSet):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")

    class Meta:
        model = ItemUnit
        fields: list[str] = []


class CategoryFilter(filters.FilterSet):
    parent_id = IdFilter(field_name="parent_id")
    search = SearchFilter(field_name="name", lookup_expr="icontains")

    class Meta:
        model = ItemCategory
        fields: list[str] = []


class LocationFilter(filters.FilterSet):
    code = TextFilter(field_name="code")
    search = SearchFilter(method="find", help_text="Part of code or name.")
    kind = filters.MultipleChoiceFilter(choices=LocationKind.choices)
    parent_id = IdFilter(field_name="parent_id")
    within = IdFilter(method="below", help_text="This location and everything below it.")
    is_active = filters.BooleanFilter()
    is_sellable = filters.BooleanFilter()

    class Meta:
        model = Location
        fields: list[str] = []

    def find(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(Q(code__icontains=value) | Q(name__icontains=value))

    def below(self, rows: Rows, name: str, value: int) -> Rows:  # noqa: ARG002
        return rows.filter(path__contains=f"/{int(value)}/")


class LotFilter(filters.FilterSet):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    code = TextFilter(field_name="code")
    search = SearchFilter(field_name="code", lookup_expr="icontains")
    expires_before = DayFilter(field_name="expires_on", lookup_expr="lt")

    class Meta:
        model = Lot
        fields: list[str] = []


class StockFilter(filters.FilterSet):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    location = TextFilter(field_name="location__code")
    location_id = IdFilter(field_name="location_id")
    within = IdFilter(method="below", help_text="At this location (id) and everything below it.")
    lot = TextFilter(field_name="lot__code")
    lot_id = IdFilter(field_name="lot_id")
    status = filters.MultipleChoiceFilter(choices=StockStatus.choices)
    search = SearchFilter(method="find", help_text="Part of SKU or name of the item.")
    with_empty = filters.BooleanFilter(method="empty", help_text="Also cells that hold nothing now.")

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
        return rows.filter(location__path__contains=f"/{int(value)}/")

    def find(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(Q(item__sku__icontains=value) | Q(item__name__icontains=value))


class MovementFilter(filters.FilterSet):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    location = TextFilter(field_name="location__code")
    location_id = IdFilter(field_name="location_id")
    lot = TextFilter(field_name="lot__code")
    lot_id = IdFilter(field_name="lot_id")
    posting_id = IdFilter(field_name="posting_id")
    status = filters.MultipleChoiceFilter(choices=StockStatus.choices)
    effective_from = MomentFilter(field_name="effective_at", lookup_expr="gte")
    effective_before = MomentFilter(field_name="effective_at", lookup_expr="lt")
    recorded_from = MomentFilter(field_name="recorded_at", lookup_expr="gte")
    recorded_before = MomentFilter(field_name="recorded_at", lookup_expr="lt")

    class Meta:
        model = Movement
        fields: list[str] = []


class PostingFilter(filters.FilterSet):
    kind = filters.MultipleChoiceFilter(choices=PostingKind.choices)
    reference = TextFilter(field_name="reference")
    key = filters.UUIDFilter(field_name="key")
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


class ReservationFilter(filters.FilterSet):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    location = TextFilter(field_name="location__code")
    location_id = IdFilter(field_name="location_id")
    demand_kind = TextFilter(field_name="demand_kind", lookup_expr="exact")
    demand_ref = TextFilter(field_name="demand_ref", lookup_expr="exact")
    search = SearchFilter(field_name="demand_ref", lookup_expr="icontains")
    is_pinned = filters.BooleanFilter(field_name="lot", lookup_expr="isnull", exclude=True)
    with_released = filters.BooleanFilter(method="released", help_text="Also those that hold nothing any more.")

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
