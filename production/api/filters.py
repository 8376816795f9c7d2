"""What the lists of production can be narrowed to."""

from typing import Any

from django.db.models import F, Q

from inventory.api.filters import (
    DayFilter,
    Filters,
    FlagFilter,
    IdFilter,
    MomentFilter,
    Rows,
    SearchFilter,
    TextFilter,
    WordFilter,
)
from production.models import Bom, BomState, Completion, WorkOrder, WorkOrderState


class BomFilter(Filters):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    state = WordFilter(BomState)
    component = TextFilter(method="using", help_text="SKU of a component on one of its lines.")
    search = SearchFilter(method="find", help_text="Part of SKU or name of the item.")

    class Meta:
        model = Bom
        fields: list[str] = []

    def using(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(lines__component__sku__iexact=value).distinct()

    def find(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(Q(item__sku__icontains=value) | Q(item__name__icontains=value))


class CompletionFilter(Filters):
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    work_order = TextFilter(field_name="work_order__number")
    bom_id = IdFilter(field_name="bom_id")
    lot = TextFilter(field_name="output_lot__code")
    scrap_location = TextFilter(field_name="scrap_location__code", help_text="Where scrapped units were put.")
    is_reversed = FlagFilter(method="reversed")
    search = SearchFilter(method="find", help_text="Part of SKU of the item, reference or note.")
    effective_from = MomentFilter(field_name="posting__effective_at", lookup_expr="gte")
    effective_before = MomentFilter(field_name="posting__effective_at", lookup_expr="lt")

    class Meta:
        model = Completion
        fields: list[str] = []

    def reversed(self, rows: Rows, name: str, value: Any) -> Rows:  # noqa: ARG002
        gone = Q(reversed_good=F("good"), reversed_scrap=F("scrapped"))
        return rows.filter(gone) if value else rows.exclude(gone)

    def find(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(
            Q(item__sku__icontains=value) | Q(posting__reference__icontains=value) | Q(posting__note__icontains=value)
        )


class WorkOrderFilter(Filters):
    number = TextFilter(field_name="number")
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    state = WordFilter(WorkOrderState)
    demand_kind = TextFilter(field_name="demand_kind", lookup_expr="exact")
    demand_ref = TextFilter(field_name="demand_ref", lookup_expr="exact")
    due_before = DayFilter(field_name="due_on", lookup_expr="lt")
    search = SearchFilter(method="find", help_text="Part of the number, or of SKU or name of the item.")

    class Meta:
        model = WorkOrder
        fields: list[str] = []

    def find(self, rows: Rows, name: str, value: str) -> Rows:  # noqa: ARG002
        return rows.filter(Q(number__icontains=value) | Q(item__sku__icontains=value) | Q(item__name__icontains=value))
