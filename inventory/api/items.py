"""Items, their units and their categories."""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from uuid import uuid4

from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.filters import CategoryFilter, ItemFilter, ItemUnitFilter
from inventory.api.references import find_items
from inventory.api.resources import Endpoint, ListOne, Resource, change_checked, check_by_model, save_checked
from inventory.api.serializers import (
    AvailabilitySerializer,
    CategoryInputSerializer,
    CategorySerializer,
    ItemInputSerializer,
    ItemSerializer,
    ItemUnitChangeSerializer,
    ItemUnitInputSerializer,
    ItemUnitSerializer,
)
from inventory.models import Item, ItemCategory, ItemUnit
from inventory.operations.cost_methods import change_cost_method
from inventory.operations.describing import save_and_tell
from inventory.operations.items import check_item_change
from inventory.quantities import ZERO
from inventory.reads.availability import ItemAvailability, SourceAvailability, availability


class ItemResource(ListOne, Resource):
    """Everything that is bought, made, used, stocked or sold."""

    queryset = Item.objects.all()
    filterset_class = ItemFilter
    endpoints = {
        "list": Endpoint("inventory.view_item", ItemSerializer),
        "retrieve": Endpoint("inventory.view_item", ItemSerializer),
        "create": Endpoint("inventory.add_item", ItemSerializer, ItemInputSerializer, status=201),
        "partial_update": Endpoint("inventory.change_item", ItemSerializer, ItemInputSerializer),
        "availability": Endpoint("inventory.view_stockbalance", AvailabilitySerializer),
    }

    def create(self, request: Request) -> Response:
        """Create an item."""
        item = Item(**self.values())
        save_checked(item, actor=request.user)
        return self.answer(item)

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Change some fields of an item. What gives recorded quantities their meaning stays once it has moved."""
        key = uuid4()

        def save(item: Item) -> None:
            before = Item.objects.get(pk=item.pk)  # as it is under the lock
            check_item_change(before=before, after=item)
            if item.cost_method == before.cost_method:
                save_checked(item, actor=request.user)
                return
            check_by_model(item)
            change = partial(
                change_cost_method,
                key=key,
                item=item,
                method=item.cost_method,
                actor=request.user,
                reason="Changed at the item",
            )
            save_and_tell(instance=item, save=change, actor=request.user)

        return self.answer(change_checked(self, self.values(partial=True), save=save))

    @action(detail=True, methods=["get"])
    def availability(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What can be promised of the item now, in all and by site."""
        item: Item = self.get_object()
        found = availability(items=[item.pk])[item.pk].from_sources(())
        return self.answer(_AvailabilityView.of(item, found))


@dataclass(frozen=True, slots=True)
class _SiteView:
    source: SourceAvailability

    @property
    def code(self) -> str:
        return self.source.code

    @property
    def location_id(self) -> int:
        return self.source.location_id

    @property
    def on_hand(self) -> Decimal:
        return self.source.on_hand

    @property
    def reserved(self) -> Decimal:
        return self.source.reserved_pinned + self.source.reserved_soft

    @property
    def expired(self) -> Decimal:
        return self.source.expired

    @property
    def withheld(self) -> Decimal:
        return self.source.withheld

    @property
    def available(self) -> Decimal:
        return self.source.available


@dataclass(frozen=True, slots=True)
class _AvailabilityView:
    """What the answer shows of an item's availability."""

    item: str
    item_id: int
    unit: str
    on_hand: Decimal
    reserved: Decimal
    available: Decimal
    shortage: Decimal
    newest_movement: int | None
    sites: list[_SiteView]

    @classmethod
    def of(cls, item: Item, found: ItemAvailability) -> "_AvailabilityView":
        sites = [_SiteView(source) for source in found.sources]
        return cls(
            item=item.sku,
            item_id=item.pk,
            unit=item.stock_unit,
            on_hand=sum((site.on_hand for site in sites), ZERO),
            reserved=sum((site.reserved for site in sites), ZERO),
            available=found.available,
            shortage=found.shortage,
            newest_movement=found.cutoff,
            sites=sites,
        )


class ItemUnitResource(ListOne, Resource):
    """Packs and other units of single items."""

    queryset = ItemUnit.objects.select_related("item")
    filterset_class = ItemUnitFilter
    endpoints = {
        "list": Endpoint("inventory.view_itemunit", ItemUnitSerializer),
        "retrieve": Endpoint("inventory.view_itemunit", ItemUnitSerializer),
        "create": Endpoint("inventory.add_itemunit", ItemUnitSerializer, ItemUnitInputSerializer, status=201),
        "partial_update": Endpoint("inventory.change_itemunit", ItemUnitSerializer, ItemUnitChangeSerializer),
        "destroy": Endpoint("inventory.delete_itemunit", status=204),
    }

    def create(self, request: Request) -> Response:
        """Give an item a unit."""
        values = self.values()
        (item,) = find_items([(("item",), values.pop("item"))])
        unit = ItemUnit(item=item, **values)
        save_checked(unit, actor=request.user)
        return self.answer(unit)

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Rename a unit or change its barcode. Its factor stays; delete it and make another one instead."""
        return self.answer(change_checked(self, self.values(partial=True)))

    def destroy(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Delete a unit. BOM lines that were typed in it keep their quantities."""
        self.get_object().delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class CategoryResource(ListOne, Resource):
    """Groups of items."""

    queryset = ItemCategory.objects.all()
    filterset_class = CategoryFilter
    endpoints = {
        "list": Endpoint("inventory.view_itemcategory", CategorySerializer),
        "retrieve": Endpoint("inventory.view_itemcategory", CategorySerializer),
        "create": Endpoint("inventory.add_itemcategory", CategorySerializer, CategoryInputSerializer, status=201),
        "partial_update": Endpoint("inventory.change_itemcategory", CategorySerializer, CategoryInputSerializer),
    }

    def create(self, request: Request) -> Response:
        """Create a category."""
        category = ItemCategory(**self.values())
        save_checked(category, actor=request.user)
        return self.answer(category)

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Rename a category or move it below another one."""
        return self.answer(change_checked(self, self.values(partial=True), check=refuse_category_loop))


def refuse_category_loop(category: ItemCategory) -> None:
    """A category cannot stand below itself. Raises ValidationError."""
    parents = dict(ItemCategory.objects.values_list("pk", "parent_id"))
    above, seen = category.parent_id, set[int]()
    while above is not None and above not in seen:
        if above == category.pk:
            raise ValidationError({"parent_id": [f"{category} would stand below itself. Choose another parent."]})
        seen.add(above)
        above = parents.get(above)
