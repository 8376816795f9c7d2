"""Set-up of items, categories, locations and lots; the ledger to look at."""

# ruff: noqa: ARG002  Django decides the signatures of these methods

from decimal import Decimal
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.db.models import DecimalField, Model, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inventory.admin_tools import (
    ExchangeAdmin,
    HistoryAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ShellInline,
    is_new,
    page_button,
)
from inventory.errors import DomainError
from inventory.models import (
    CostEntry,
    CostPool,
    Item,
    ItemCategory,
    ItemUnit,
    Location,
    Lot,
    Movement,
    Posting,
    Reservation,
    ReservationChange,
    StockBalance,
)
from inventory.operations.cost_methods import change_cost_method, check_cost_method
from inventory.operations.describing import save_and_tell
from inventory.operations.items import refused_changes
from inventory.quantities import ZERO, as_text
from inventory.templatetags.figures import money, quantity, status_badge


class ItemForm(forms.ModelForm):  # type: ignore[type-arg]
    """An item; what its stock rests on cannot change under it."""

    def clean_sku(self) -> str:
        sku: str = self.cleaned_data["sku"].strip()
        same = Item.objects.filter(sku__iexact=sku).exclude(pk=self.instance.pk).first()
        if same is not None:
            raise forms.ValidationError(
                f"{same.sku} is {same.name} already. Choose another SKU; case makes no difference."
            )
        return sku

    def clean_compliance_tags(self) -> list[str]:
        tags = self.cleaned_data.get("compliance_tags") or []
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise forms.ValidationError('Give a list of words, such as ["lithium"], or leave it empty.')
        return tags

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        method = cleaned.get("cost_method")
        if not is_new(self) and method and method != self.initial.get("cost_method"):
            try:
                check_cost_method(
                    Item(pk=self.instance.pk, sku=cleaned.get("sku", ""), tracking=cleaned.get("tracking", "")), method
                )
            except DomainError as error:
                self.add_error("cost_method", error.message)
        if is_new(self):
            return cleaned
        before = Item.objects.get(pk=self.instance.pk)
        wanted = {name: cleaned[name] for name in ("stock_unit", "step", "tracking", "kind") if name in cleaned}
        after = Item(**{name: getattr(before, name) for name in ("stock_unit", "step", "tracking", "kind")} | wanted)
        for name, words in refused_changes(before=before, after=after).items():
            self.add_error(name, f"{before.sku} has been in stock, so {words}. Make a new item instead.")
        return cleaned


class ItemUnitInline(ShellInline):
    model = ItemUnit
    extra = 0
    verbose_name = "unit"
    verbose_name_plural = "Packs and other units: one of them is numerator / denominator stock units"
    fields = ("name", "numerator", "denominator", "barcode", "is_purchase_unit")


def _on_hand(queryset: QuerySet[Item]) -> QuerySet[Item]:
    totals = (
        StockBalance.objects.filter(item=OuterRef("pk"))
        .order_by()
        .values("item")
        .annotate(total=Sum("quantity"))
        .values("total")
    )
    return queryset.annotate(on_hand_total=Subquery(totals, output_field=DecimalField(max_digits=30, decimal_places=6)))


@admin.register(Item)
class ItemAdmin(ExchangeAdmin, HistoryAdmin):
    exchange = "items"
    form = ItemForm
    list_display = ("sku", "name", "kind", "category", "on_hand", "tracking", "is_sellable", "is_active")
    list_display_links = ("sku",)
    list_filter = ("kind", "category", "tracking", "supply_policy", "is_sellable", "is_active")
    list_select_related = ("category",)
    search_fields = ("sku", "name", "barcode", "units__barcode")
    search_help_text = "SKU, name or barcode"
    autocomplete_fields = ("category",)
    inlines = (ItemUnitInline,)
    actions_detail: ClassVar[list[str]] = ["open_item_page"]
    history_list_display = ("changed_fields",)
    fieldsets = (
        (None, {"fields": (("sku", "name"), ("kind", "category"), ("barcode",), ("is_active", "is_sellable"))}),
        (
            "Stock",
            {"fields": (("stock_unit", "step"), ("tracking", "shelf_life_days"), ("inspection_required",))},
        ),
        (
            "Planning and cost",
            {
                "fields": (
                    ("supply_policy", "over_completion_percent"),
                    ("reorder_point", "reorder_quantity", "lead_time_days"),
                    ("cost_method", "standard_cost"),
                    ("negative_allowed", "count_group"),
                )
            },
        ),
        (
            "Shipping and rules",
            {
                "classes": ("collapse",),
                "fields": (
                    ("weight_grams", "length_mm", "width_mm", "height_mm"),
                    ("hs_code", "origin_country"),
                    "compliance_tags",
                    "description",
                    "note",
                ),
            },
        ),
    )

    def save_model(self, request: HttpRequest, obj: Item, form: Any, change: bool) -> None:
        """Another cost method is a posting, so that stock on hand keeps its value and is followed in the new way."""
        if change and "cost_method" in form.changed_data:
            change_it = partial(
                change_cost_method,
                key=uuid4(),
                item=obj,
                method=obj.cost_method,
                actor=request.user if request.user.is_authenticated else None,
                reason="Changed at the item",
            )
            save_and_tell(instance=obj, save=change_it, actor=request.user)
        else:
            super().save_model(request, obj, form, change)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Item]:
        return _on_hand(super().get_queryset(request))

    @admin.display(description="On hand", ordering="on_hand_total")
    def on_hand(self, item: Item) -> SafeString:
        if not item.is_stocked:
            return format_html("–")
        total: Decimal = getattr(item, "on_hand_total", None) or ZERO
        url = reverse("inventory:item", args=[item.pk])
        return format_html('<a href="{}">{}</a>', url, quantity(total, item))

    @page_button(description="Stock, ledger and cost", icon="inventory_2")
    def open_item_page(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("inventory:item", object_id)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Item], search_term: str
    ) -> tuple[QuerySet[Item], bool]:
        """Autocomplete offers only items that can still be used."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        if request.path.endswith("/autocomplete/"):
            found = found.filter(is_active=True)
        return found, may_repeat


@admin.register(ItemCategory)
class ItemCategoryAdmin(ExchangeAdmin, HistoryAdmin):
    exchange = "categories"
    list_display = ("name", "parent")
    list_select_related = ("parent",)
    search_fields = ("name",)
    autocomplete_fields = ("parent",)


class LocationForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"].strip()
        same = Location.objects.filter(code__iexact=code).exclude(pk=self.instance.pk).first()
        if same is not None:
            raise forms.ValidationError(
                f"{same.code} is {same.name} already. Choose another code; case makes no difference."
            )
        return code

    def clean_is_active(self) -> bool:
        is_active: bool = self.cleaned_data["is_active"]
        if not is_active and not is_new(self):
            held = StockBalance.objects.on_hand().filter(location=self.instance).select_related("item").first()
            if held is not None:
                raise forms.ValidationError(
                    f"It holds {as_text(held.quantity)} {held.item.stock_unit} of {held.item.sku}. "
                    "Move all stock out before setting it inactive."
                )
        return is_active


@admin.register(Location)
class LocationAdmin(ExchangeAdmin, HistoryAdmin):
    exchange = "locations"
    form = LocationForm
    list_display = ("tree_code", "name", "kind", "is_sellable", "is_blocked", "is_active")
    list_display_links = ("tree_code",)
    list_filter = ("kind", "is_sellable", "is_blocked", "is_active")
    search_fields = ("code", "name")
    autocomplete_fields = ("parent",)
    ordering = ("path",)
    fieldsets = (
        (None, {"fields": (("code", "name"), ("parent", "kind"))}),
        ("Use", {"fields": (("is_sellable", "is_blocked", "is_active"),)}),
        ("Whose goods and how fresh", {"fields": (("owner", "freshness_hours"), "stock_as_of")}),
    )

    @admin.display(description="Code", ordering="path")
    def tree_code(self, location: Location) -> SafeString:
        return format_html('<span style="padding-left: {}rem">{}</span>', location.depth * 1.5, location.code)


@admin.register(Lot)
class LotAdmin(ExchangeAdmin, HistoryAdmin):
    exchange = "lots"
    list_display = ("code", "item", "received_on", "expires_on", "supplier_lot")
    list_filter = ("expires_on",)
    list_select_related = ("item",)
    search_fields = ("code", "item__sku", "supplier_lot")
    autocomplete_fields = ("item",)
    fields = (("item", "code"), ("received_on", "expires_on"), ("supplier_lot", "owner"), "note")
    paginator = ReadOnlyAdmin.paginator

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lot]:
        return super().get_queryset(request).exclude(code="")  # type: ignore[no-any-return]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("item", "code") if obj is not None else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


# --- The ledger, to look at -------------------------------------------------------------------------------------------


class FiguresMixin:
    """Columns with figures as people read them."""

    @admin.display(description="Quantity", ordering="quantity")
    def amount(self, row: Any) -> SafeString:
        return quantity(row.quantity, row.item)

    @admin.display(description="Value", ordering="value")
    def worth(self, row: Any) -> SafeString:
        return money(row.value)

    @admin.display(description="Status", ordering="status")
    def state(self, row: Any) -> SafeString:
        return status_badge(row.status)


class MovementInline(FiguresMixin, ReadOnlyInline):
    model = Movement
    fields = ("item", "location", "lot", "state", "amount", "worth")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Movement]:
        return super().get_queryset(request).select_related("item", "location", "lot")  # type: ignore[no-any-return]


class CostEntryInline(ReadOnlyInline):
    model = CostEntry
    fields = ("item", "kind", "amount")


@admin.register(Posting)
class PostingAdmin(ReadOnlyAdmin):
    list_display = ("number", "kind", "reference", "reason", "effective_at", "recorded_at", "reverses")
    list_display_links = ("number",)
    list_filter = ("kind",)
    list_select_related = ("reverses",)
    search_fields = ("reference", "=id")
    search_help_text = "Reference or number"
    fields = ("kind", "reference", "reason", "note", "actor", "reverses", "effective_at", "recorded_at", "key")
    inlines = (MovementInline, CostEntryInline)
    actions_detail: ClassVar[list[str]] = ["open_posting_page"]

    @admin.display(description="Posting", ordering="id")
    def number(self, posting: Posting) -> str:
        return str(posting)

    @page_button(description="Open with undo", icon="receipt_long")
    def open_posting_page(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("inventory:posting", object_id)


@admin.register(Movement)
class MovementAdmin(FiguresMixin, ReadOnlyAdmin):
    list_display = ("effective_at", "posting", "item", "location", "lot", "state", "amount", "worth")
    list_filter = ("status", "posting__kind")
    list_select_related = ("posting", "item", "location", "lot")
    search_fields = ("item__sku",)
    ordering = ("-id",)


@admin.register(StockBalance)
class StockBalanceAdmin(FiguresMixin, ReadOnlyAdmin):
    list_display = ("item", "location", "lot", "state", "amount", "held")
    list_filter = ("status",)
    list_select_related = ("item", "location", "lot")
    search_fields = ("item__sku", "location__code", "lot__code")
    ordering = ("id",)

    @admin.display(description="Reserved", ordering="reserved")
    def held(self, balance: StockBalance) -> SafeString:
        return quantity(balance.reserved, balance.item)


@admin.register(CostPool)
class CostPoolAdmin(FiguresMixin, ReadOnlyAdmin):
    list_display = ("item", "amount", "worth", "unknown")
    list_select_related = ("item",)
    search_fields = ("item__sku",)
    ordering = ("id",)

    @admin.display(description="Came in without a cost", ordering="unknown_quantity")
    def unknown(self, pool: CostPool) -> SafeString:
        return quantity(pool.unknown_quantity, pool.item)


@admin.register(CostEntry)
class CostEntryAdmin(ReadOnlyAdmin):
    list_display = ("recorded_at", "posting", "kind", "item", "sum")
    list_filter = ("kind",)
    list_select_related = ("posting", "item")
    search_fields = ("item__sku",)
    ordering = ("-id",)

    @admin.display(description="Amount", ordering="amount")
    def sum(self, entry: CostEntry) -> SafeString:
        return money(entry.amount, signed=True)


class ReservationChangeInline(ReadOnlyInline):
    model = ReservationChange
    fields = ("recorded_at", "quantity", "reason", "actor")


@admin.register(Reservation)
class ReservationAdmin(FiguresMixin, ReadOnlyAdmin):
    list_display = ("demand_kind", "demand_ref", "item", "location", "lot", "amount", "rank", "expires_at")
    list_filter = ("demand_kind",)
    list_select_related = ("item", "location", "lot")
    search_fields = ("demand_ref", "item__sku")
    inlines = (ReservationChangeInline,)
