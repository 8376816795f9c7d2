"""Suppliers, what they sell us, and what they say they have."""

from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import (
    Body,
    DecimalOut,
    Flag,
    FlagOut,
    IdOut,
    Moment,
    MomentOut,
    Money,
    Quantity,
    Reference,
    Text,
    TextOut,
    Whole,
    item_reference,
    optional_text,
)
from inventory.api.filters import Filters, FlagFilter, IdFilter, SearchFilter, TextFilter
from inventory.api.references import find_items, find_one, in_stock_units, refuse
from inventory.api.resources import Endpoint, ListOne, Resource, change_checked, save_checked
from inventory.api.serializers import UNIT_HELP
from inventory.models import Item, Supplier, SupplierItem, SupplierStock
from inventory.operations.describing import delete_and_tell
from inventory.operations.telling import tell_changed

DAYS_MAX = 3_650


def supplier_reference(**kwargs: Any) -> Reference:
    return Reference(what="supplier code", length_max=32, **kwargs)


def find_supplier(name: str | int | None, *, where: tuple[str | int, ...] = ("supplier",)) -> Supplier | None:
    """The supplier a body names; None when it names none. Raises ValidationError for an unknown one."""
    return None if name is None else find_one(Supplier, "code", where=where, name=name, what="supplier")


def the_supplier(name: str | int) -> Supplier:
    found = find_supplier(name)
    assert found is not None, "a required reference was checked"
    return found


class SupplierSerializer(serializers.Serializer[Any]):
    """A company we buy from."""

    id = IdOut()
    code = TextOut()
    name = TextOut()
    contact = TextOut()
    email = TextOut()
    phone = TextOut()
    address = TextOut()
    lead_time_days = IdOut(allow_null=True)
    is_active = FlagOut()
    note = TextOut()


class SupplierInputSerializer(Body):
    code = Text(length_max=32)
    name = Text(length_max=200)
    contact = Text(length_max=200, required=False, allow_blank=True)
    email = Text(length_max=254, required=False, allow_blank=True)
    phone = Text(length_max=64, required=False, allow_blank=True)
    address = Text(length_max=2_000, required=False, allow_blank=True)
    lead_time_days = Whole(maximum=DAYS_MAX, required=False, allow_null=True)
    is_active = Flag(required=False)
    note = Text(length_max=10_000, required=False, allow_blank=True)


class SupplierFilter(Filters):
    code = TextFilter(field_name="code")
    search = SearchFilter(field_name="name", help_text="Part of the name.")
    is_active = FlagFilter()

    class Meta:
        model = Supplier
        fields: list[str] = []


class SupplierResource(ListOne, Resource):
    """Companies we buy from."""

    queryset = Supplier.objects.all()
    filterset_class = SupplierFilter
    endpoints = {
        "list": Endpoint("inventory.view_supplier", SupplierSerializer),
        "retrieve": Endpoint("inventory.view_supplier", SupplierSerializer),
        "create": Endpoint("inventory.add_supplier", SupplierSerializer, SupplierInputSerializer, status=201),
        "partial_update": Endpoint("inventory.change_supplier", SupplierSerializer, SupplierInputSerializer),
    }

    def create(self, request: Request) -> Response:
        """Create a supplier."""
        supplier = Supplier(**self.values())
        save_checked(supplier, actor=request.user)
        return self.answer(supplier)

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Change some fields of a supplier."""
        return self.answer(change_checked(self, self.values(partial=True)))


class SupplierItemSerializer(serializers.Serializer[Any]):
    """How one supplier sells one of our items. Quantities and cost in `unit`; an empty unit is the stock unit."""

    id = IdOut()
    supplier = TextOut(source="supplier.code")
    supplier_id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    supplier_sku = TextOut()
    unit = TextOut()
    unit_cost = DecimalOut(allow_null=True)
    order_minimum = DecimalOut(allow_null=True)
    order_multiple = DecimalOut(allow_null=True)
    lead_time_days = IdOut(allow_null=True)
    is_preferred = FlagOut()


class SupplierItemChangeSerializer(Body):
    supplier_sku = Text(length_max=100, required=False, allow_blank=True)
    unit = Text(length_max=32, required=False, allow_blank=True)
    unit_cost = Money(required=False, allow_null=True)
    order_minimum = Quantity(required=False, allow_null=True)
    order_multiple = Quantity(required=False, allow_null=True)
    lead_time_days = Whole(maximum=DAYS_MAX, required=False, allow_null=True)
    is_preferred = Flag(required=False)


class SupplierItemInputSerializer(SupplierItemChangeSerializer):
    supplier = supplier_reference()
    item = item_reference()


class SupplierItemFilter(Filters):
    supplier = TextFilter(field_name="supplier__code")
    supplier_id = IdFilter(field_name="supplier_id")
    item = TextFilter(field_name="item__sku")
    item_id = IdFilter(field_name="item_id")
    supplier_sku = TextFilter(field_name="supplier_sku")
    is_preferred = FlagFilter()

    class Meta:
        model = SupplierItem
        fields: list[str] = []


class SupplierItemResource(ListOne, Resource):
    """What suppliers sell us, and on which terms."""

    queryset = SupplierItem.objects.select_related("supplier", "item")
    filterset_class = SupplierItemFilter
    endpoints = {
        "list": Endpoint("inventory.view_supplieritem", SupplierItemSerializer),
        "retrieve": Endpoint("inventory.view_supplieritem", SupplierItemSerializer),
        "create": Endpoint(
            "inventory.add_supplieritem", SupplierItemSerializer, SupplierItemInputSerializer, status=201
        ),
        "partial_update": Endpoint(
            "inventory.change_supplieritem", SupplierItemSerializer, SupplierItemChangeSerializer
        ),
        "destroy": Endpoint("inventory.delete_supplieritem", status=204),
    }

    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Say how a supplier sells an item."""
        values = self.values()
        (item,) = find_items([(("item",), values.pop("item"))])
        row = SupplierItem(item=item, supplier=the_supplier(values.pop("supplier")), **values)
        self._save(row)
        return self.answer(row)

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Change terms, price or pack."""
        return self.answer(change_checked(self, self.values(partial=True), save=self._save))

    def destroy(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """The supplier no longer sells the item; what it said to have of it goes too."""
        row: SupplierItem = self.get_object()
        delete_and_tell(instances=[row], delete=row.delete, actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _save(self, row: SupplierItem) -> None:
        """Refuses a unit the item does not know."""
        if row.unit:
            in_stock_units([(_with_finest_step(row.item), Decimal(1), row.unit)])
        save_checked(row, actor=self.request.user)


def _with_finest_step(item: Item) -> Item:
    """The item for converting units alone, where no quantity is meant."""
    return Item(pk=item.pk, sku=item.sku, stock_unit=item.stock_unit, step=Decimal("0.000001"))


class SupplierStockSerializer(serializers.Serializer[Any]):
    """What a supplier says to have of an item, in our stock unit. Never on hand."""

    id = IdOut()
    supplier = TextOut(source="supplier_item.supplier.code")
    item = TextOut(source="supplier_item.item.sku")
    quantity = DecimalOut()
    confirmed_at = MomentOut()
    source = TextOut()  # type: ignore[assignment]


class SupplierStockInputSerializer(Body):
    """A new figure replaces the one before."""

    supplier = supplier_reference()
    item = item_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    confirmed_at = Moment(required=False, allow_null=True, default=None, help_text="Now when left out.")
    source = Text(length_max=100, required=False, allow_blank=True, default="API")  # type: ignore[assignment]


class SupplierStockFilter(Filters):
    supplier = TextFilter(field_name="supplier_item__supplier__code")
    item = TextFilter(field_name="supplier_item__item__sku")
    item_id = IdFilter(field_name="supplier_item__item_id")

    class Meta:
        model = SupplierStock
        fields: list[str] = []


class SupplierStockResource(ListOne, Resource):
    """What suppliers say to have, with its source and age."""

    queryset = SupplierStock.objects.select_related("supplier_item__supplier", "supplier_item__item")
    filterset_class = SupplierStockFilter
    endpoints = {
        "list": Endpoint("inventory.view_supplierstock", SupplierStockSerializer),
        "retrieve": Endpoint("inventory.view_supplierstock", SupplierStockSerializer),
        "create": Endpoint(
            "inventory.add_supplierstock", SupplierStockSerializer, SupplierStockInputSerializer, status=201
        ),
    }

    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Say what a supplier has of an item; the figure before is replaced."""
        values = self.values()
        (item,) = find_items([(("item",), values.pop("item"))])
        supplier = the_supplier(values.pop("supplier"))
        row = SupplierItem.objects.filter(supplier=supplier, item=item).first()
        if row is None:
            refuse([(("item",), f"{supplier.code} does not sell us {item.sku}. Say so at its supplier items first.")])
        at = values["confirmed_at"]
        if at is not None and at > timezone.now():
            words = f"{timezone.localtime(at):%Y-%m-%d %H:%M} lies in the future; a figure says what was. Give a time up to now."
            refuse([(("confirmed_at",), words)])
        (quantity,) = in_stock_units([(item, values["quantity"], values["unit"])])
        with transaction.atomic():
            stock, _ = SupplierStock.objects.update_or_create(
                supplier_item=row,
                defaults={
                    "quantity": quantity,
                    "confirmed_at": at or timezone.now(),
                    "source": values["source"],
                },
            )
            tell_changed(items=[item.pk], cause="supplier stock", actor=self.request.user)
        return self.answer(self.get_queryset().get(pk=stock.pk))
