"""Set-up of suppliers, of what they sell and have; purchase orders and late costs to look at."""

# ruff: noqa: ARG002  Django decides the signatures of these methods

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString

from inventory.admin_tools import (
    ExchangeAdmin,
    HistoryAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ShellAdmin,
    ShellInline,
    is_new,
    page_button,
)
from inventory.errors import DomainError
from inventory.models import (
    LandedCost,
    LandedCostShare,
    PurchaseOrder,
    PurchaseOrderLine,
    Supplier,
    SupplierItem,
    SupplierStock,
)
from inventory.operations.checking import packs_of
from inventory.operations.telling import tell_changed
from inventory.templatetags.figures import moment, money, quantity, unit_cost
from inventory.units import unit_factor


class SupplierForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"].strip()
        same = Supplier.objects.filter(code__iexact=code).exclude(pk=self.instance.pk).first()
        if same is not None:
            raise forms.ValidationError(
                f"{same.code} is {same.name} already. Choose another code; case makes no difference."
            )
        return code


class SupplierItemForm(forms.ModelForm):  # type: ignore[type-arg]
    """A supplier's terms for an item; the unit must be one the item knows."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        item = cleaned.get("item") or (None if is_new(self) else self.instance.item)
        unit = cleaned.get("unit")
        if item is not None and unit:
            try:
                unit_factor(unit=unit, stock_unit=item.stock_unit, packs=packs_of(item), sku=item.sku)
            except DomainError as error:
                self.add_error("unit", error.message)
        if item is not None and cleaned.get("is_preferred"):
            other = (
                SupplierItem.objects.filter(item=item, is_preferred=True)
                .exclude(pk=self.instance.pk)
                .select_related("supplier")
                .first()
            )
            if other is not None:
                self.add_error(
                    "is_preferred",
                    f"{item.sku} is bought from {other.supplier.code} unless told otherwise. Untick that first.",
                )
        return cleaned


class SupplierItemInline(ShellInline):
    model = SupplierItem
    form = SupplierItemForm
    verbose_name_plural = "What we buy there"
    autocomplete_fields = ("item",)
    fields = (
        "item",
        "supplier_sku",
        "unit",
        "unit_cost",
        "order_minimum",
        "order_multiple",
        "lead_time_days",
        "is_preferred",
    )
    per_page = 50


@admin.register(Supplier)
class SupplierAdmin(ExchangeAdmin, HistoryAdmin):
    exchange = "suppliers"
    form = SupplierForm
    list_display = ("code", "name", "contact", "email", "phone", "lead_time_days", "is_active")
    list_filter = ("is_active",)
    search_fields = ("code", "name", "contact", "email")
    inlines = (SupplierItemInline,)
    actions_detail: ClassVar[list[str]] = ["open_orders", "write_order"]
    fieldsets = (
        (None, {"fields": (("code", "name"), ("lead_time_days", "is_active"))}),
        ("Contact", {"fields": (("contact", "email", "phone"), "address", "note")}),
    )

    @page_button(description="Orders", icon="shopping_cart", url_path="orders")
    def open_orders(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect(f"{reverse('buying:orders')}?state=all&supplier={object_id}")

    @page_button(description="Write an order", icon="add", url_path="order")
    def write_order(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect(f"{reverse('buying:new_order')}?supplier={object_id}")


@admin.register(SupplierItem)
class SupplierItemAdmin(ExchangeAdmin, HistoryAdmin):
    exchange = "supplier_items"
    form = SupplierItemForm
    list_display = (
        "item",
        "supplier",
        "supplier_sku",
        "unit",
        "each",
        "minimum",
        "multiple",
        "lead_time_days",
        "is_preferred",
    )
    list_filter = ("is_preferred", "supplier")
    list_select_related = ("item", "supplier")
    search_fields = ("item__sku", "item__name", "supplier__code", "supplier_sku")
    autocomplete_fields = ("item", "supplier")
    fieldsets = (
        (None, {"fields": (("supplier", "item"), ("supplier_sku", "unit", "unit_cost"))}),
        ("Terms", {"fields": (("order_minimum", "order_multiple"), ("lead_time_days", "is_preferred"))}),
    )

    @admin.display(description="Cost", ordering="unit_cost")
    def each(self, row: SupplierItem) -> SafeString:
        return unit_cost(row.unit_cost)

    @admin.display(description="Minimum", ordering="order_minimum")
    def minimum(self, row: SupplierItem) -> SafeString:
        return quantity(row.order_minimum, row.unit or row.item)

    @admin.display(description="Multiple", ordering="order_multiple")
    def multiple(self, row: SupplierItem) -> SafeString:
        return quantity(row.order_multiple, row.unit or row.item)


@admin.register(SupplierStock)
class SupplierStockAdmin(ExchangeAdmin, ShellAdmin):
    exchange = "supplier_stock"
    list_display = ("item", "supplier", "amount", "age", "source")
    list_filter = ("supplier_item__supplier",)
    list_select_related = ("supplier_item__item", "supplier_item__supplier")
    search_fields = ("supplier_item__item__sku", "supplier_item__supplier__code")
    autocomplete_fields = ("supplier_item",)
    fields = ("supplier_item", "quantity", "confirmed_at", "source")

    def save_model(self, request: HttpRequest, obj: SupplierStock, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        tell_changed(items=[obj.supplier_item.item_id], cause="supplier stock", actor=request.user)

    def delete_model(self, request: HttpRequest, obj: SupplierStock) -> None:
        tell_changed(items=[obj.supplier_item.item_id], cause="supplier stock", actor=request.user)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[SupplierStock]) -> None:
        tell_changed(
            items=queryset.values_list("supplier_item__item_id", flat=True), cause="supplier stock", actor=request.user
        )
        super().delete_queryset(request, queryset)

    @admin.display(description="Item", ordering="supplier_item__item__sku")
    def item(self, row: SupplierStock) -> str:
        return row.supplier_item.item.sku

    @admin.display(description="Supplier", ordering="supplier_item__supplier__code")
    def supplier(self, row: SupplierStock) -> str:
        return row.supplier_item.supplier.code

    @admin.display(description="They have", ordering="quantity")
    def amount(self, row: SupplierStock) -> SafeString:
        return quantity(row.quantity, row.supplier_item.item)

    @admin.display(description="Said", ordering="confirmed_at")
    def age(self, row: SupplierStock) -> SafeString:
        return moment(row.confirmed_at)


class PurchaseOrderLineInline(ReadOnlyInline):
    model = PurchaseOrderLine
    fields = ("item", "typed_quantity", "unit", "quantity", "value", "expected_on", "received", "is_closed")


@admin.register(PurchaseOrder)
class PurchaseOrderAdmin(ReadOnlyAdmin):
    """To look at, with its history; orders are written on their own pages."""

    list_display = ("number", "supplier", "state", "ordered_on", "expected_on", "reference")
    list_filter = ("state", "supplier")
    list_select_related = ("supplier",)
    search_fields = ("number", "reference", "supplier__code")
    ordering = ("-id",)
    inlines = (PurchaseOrderLineInline,)
    actions_detail: ClassVar[list[str]] = ["open_order"]

    @page_button(description="Open the order", icon="shopping_cart")
    def open_order(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("buying:order", PurchaseOrder.objects.get(pk=object_id).number)


class LandedCostShareInline(ReadOnlyInline):
    model = LandedCostShare
    fields = ("movement", "amount", "capitalised", "expensed", "received", "remaining")


@admin.register(LandedCost)
class LandedCostAdmin(ReadOnlyAdmin):
    list_display = ("posting", "kind", "basis", "sum", "supplier")
    list_filter = ("kind",)
    list_select_related = ("posting", "supplier")
    search_fields = ("posting__reference", "supplier__code")
    ordering = ("-id",)
    inlines = (LandedCostShareInline,)

    @admin.display(description="Amount", ordering="amount")
    def sum(self, cost: LandedCost) -> SafeString:
        return money(cost.amount, signed=True)
