"""What can be made now, who competes for what, what is safe to promise together, and by when."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import TextChoices
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import (
    Body,
    Choice,
    DayOut,
    DecimalIn,
    DecimalOut,
    IdOut,
    Quantity,
    TextOut,
    item_reference,
    lines_of,
    optional_text,
)
from inventory.api.filters import Filters, Rows, SearchFilter, TextFilter, WordFilter
from inventory.api.references import find_items, in_stock_units
from inventory.api.resources import Endpoint, Resource
from inventory.api.serializers import UNIT_HELP
from inventory.errors import InvalidQuantity
from inventory.models import Item
from inventory.quantities import ZERO, check_step
from production.contention import Want
from production.errors import InvalidBom
from production.reads.contention import (
    GROUP_ITEMS_MAX,
    Outlook,
    ShopRead,
    gain,
    groups_of,
    load_shop,
    outlook,
    partitioned,
    promise_date,
    rivals,
)
from production.reads.rivalry import MemberShown, SharedShown, made_items, shown_group
from production.reads.structures import ItemFact

# --- Parameters -------------------------------------------------------------------------------------------------------


class Levels(TextChoices):
    STOCK = "stock", "Made components as they lie in stock"
    ALL = "all", "Made components that are missing are made too"


LEVELS_HELP = (
    "stock: made components as they lie in stock, unless their line says so; all: what is missing is made too."
)


def _unchanged(rows: Rows, name: str, value: object) -> Rows:  # noqa: ARG001
    """This parameter says what is answered about the rows, not which."""
    return rows


class BuildableFilter(Filters):
    item = TextFilter(field_name="sku")
    search = SearchFilter(method="find", help_text="Part of SKU or name, or a whole barcode.")
    levels = WordFilter(Levels, method=_unchanged, help_text=LEVELS_HELP)

    class Meta:
        model = Item
        fields: list[str] = []

    def find(self, rows: Any, name: str, value: str) -> Rows:  # noqa: ARG002
        found: Rows = rows.matching(value)
        return found


class LevelsQuery(Body):
    levels = Choice(Levels.choices, required=False, default=Levels.STOCK.value, help_text=LEVELS_HELP)


class PromiseQuery(LevelsQuery):
    quantity = Quantity(help_text="Stock unit of the item.")


class GainQuery(LevelsQuery):
    component = item_reference(help_text="SKU of something the item is made of, on any level.")
    quantity = Quantity(help_text="So much more of it.")
    unit = optional_text(32, help_text=UNIT_HELP)


class WantSerializer(Body):
    item = item_reference(help_text="SKU or id.")
    weight = DecimalIn(required=False, default=Decimal(1), help_text="Against the others; 1 when left out.")
    most = Quantity(required=False, default=None, allow_null=True, help_text="No more than this, in the stock unit.")


class PartitionInputSerializer(LevelsQuery):
    items = lines_of(WantSerializer)


# --- Answers ----------------------------------------------------------------------------------------------------------


class LimitSerializer(serializers.Serializer[Any]):
    """What one component allows, as if the ones before it never ran out."""

    component = TextOut(source="item.sku")
    component_id = IdOut(source="item.id")
    free = DecimalOut(help_text="Stock unit of the component.")
    quantity = DecimalOut(help_text="It allows so many of the item.")
    short = DecimalOut(help_text="Of the component, for one step more of the item.")


class BuildableSerializer(serializers.Serializer[Any]):
    """How many of one item can be made now, everything else at rest."""

    id = IdOut(source="item.pk")
    item = TextOut(source="item.sku")
    unit = TextOut(source="item.stock_unit")
    quantity = DecimalOut(allow_null=True, help_text="null: no component limits it.")
    gain = DecimalOut(
        allow_null=True,
        help_text="What one stock unit more of the bottleneck brings; null: then nothing limits, or nothing does now.",
    )
    problem = TextOut(help_text="Why it cannot be made at all; else empty.")
    limits = LimitSerializer(many=True, read_only=True, help_text="The bottleneck first.")


class GainSerializer(serializers.Serializer[Any]):
    """What more of a component would bring. null: nothing would limit the item."""

    item = TextOut()
    item_id = IdOut()
    component = TextOut(source="gain.component.sku")
    component_id = IdOut(source="gain.component.id")
    extra = DecimalOut(source="gain.extra", help_text="Stock unit of the component.")
    before = DecimalOut(source="gain.before", allow_null=True)
    after = DecimalOut(source="gain.after", allow_null=True)
    more = DecimalOut(source="gain.more", allow_null=True)
    bottleneck = TextOut(allow_null=True, help_text="What would limit it then.")


class ArrivalSerializer(serializers.Serializer[Any]):
    quantity = DecimalOut()
    day = DayOut(allow_null=True)
    order = TextOut(source="reference")
    supplier = TextOut(source="origin")


class WaitSerializer(serializers.Serializer[Any]):
    """What one component needs, and what it waits for."""

    component = TextOut(source="item.sku")
    component_id = IdOut(source="item.id")
    need = DecimalOut(source="wait.need")
    free = DecimalOut(source="wait.free")
    promised = DecimalOut(source="wait.promised", help_text="To open work orders; not in `free`.")
    missing = DecimalOut(source="wait.missing")
    ready_on = DayOut(source="wait.ready_on", allow_null=True)
    arrivals = ArrivalSerializer(source="wait.arrivals", many=True, read_only=True)
    uncertain = ArrivalSerializer(
        source="wait.uncertain", many=True, read_only=True, help_text="Not counted on: without a day, or overdue."
    )


class PromiseSerializer(serializers.Serializer[Any]):
    """The earliest day for a quantity, and why."""

    item = TextOut()
    item_id = IdOut()
    quantity = DecimalOut()
    ready_on = DayOut(allow_null=True, help_text="null: components are missing and not coming.")
    from_stock = DecimalOut()
    to_make = DecimalOut()
    materials_on = DayOut(allow_null=True)
    starts_on = DayOut(allow_null=True)
    work_days = IdOut()
    capacity_per_day = DecimalOut(allow_null=True)
    queue = DecimalOut(help_text="Units that open work orders make first.")
    queue_days = IdOut()
    components = WaitSerializer(many=True, read_only=True)


class MemberSerializer(serializers.Serializer[Any]):
    item = TextOut(source="item.sku")
    item_id = IdOut(source="item.id")
    alone = DecimalOut(allow_null=True)
    safe = DecimalOut(allow_null=True, help_text="Any sequence of orders within these numbers can be made.")


class SharedSerializer(serializers.Serializer[Any]):
    component = TextOut(source="component.sku")
    component_id = IdOut(source="component.id")
    free = DecimalOut()
    wanted = DecimalOut(help_text="By all together, if each made what it could alone.")


class GroupSerializer(serializers.Serializer[Any]):
    """The items that compete with one item, and the components they compete for; both empty when none does."""

    item = TextOut()
    item_id = IdOut()
    members = MemberSerializer(many=True, read_only=True)
    shared = SharedSerializer(many=True, read_only=True)


class ShareSerializer(serializers.Serializer[Any]):
    item = TextOut(source="item.sku")
    item_id = IdOut(source="item.pk")
    safe = DecimalOut(allow_null=True, help_text="null: nothing limits it.")


class PartitionSerializer(serializers.Serializer[Any]):
    """Numbers within which any sequence of orders can be made."""

    items = ShareSerializer(many=True, read_only=True)


@dataclass(frozen=True, slots=True)
class _Limit:
    item: ItemFact
    free: Decimal
    quantity: Decimal
    short: Decimal


@dataclass(frozen=True, slots=True)
class _Row:
    item: Item
    quantity: Decimal | None
    gain: Decimal | None
    problem: str
    limits: list[_Limit]

    @classmethod
    def of(cls, read: ShopRead, item: Item, found: Outlook) -> "_Row":
        limits = [
            _Limit(read.items[one.component_id], read.shop.free(one.component_id), one.quantity, one.short)
            for one in found.limits
        ]
        return cls(item, found.quantity, found.gain, found.problem, limits)


class BuildableResource(Resource):
    """Items that are made, by what can be made of them."""

    queryset = Item.objects.all()
    filterset_class = BuildableFilter
    endpoints = {
        "list": Endpoint("production.view_bom", BuildableSerializer),
        "retrieve": Endpoint("production.view_bom", BuildableSerializer, query=LevelsQuery),
        "promise": Endpoint("production.view_bom", PromiseSerializer, query=PromiseQuery),
        "gain": Endpoint("production.view_bom", GainSerializer, query=GainQuery),
        "group": Endpoint("production.view_bom", GroupSerializer, query=LevelsQuery),
        "partition": Endpoint("production.view_bom", PartitionSerializer, PartitionInputSerializer),
    }

    def get_queryset(self) -> Any:
        return made_items()

    def list(self, request: Request) -> Response:
        """Items with a BOM in force, how many could be made of each now, and what limits them."""
        items: list[Item] = self.page()
        rows = _rows(items, "all" in request.query_params.getlist("levels"))
        answer: Response = self.get_paginated_response(self.get_serializer(rows, many=True).data)
        return answer

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """One item."""
        values = self.parameters()
        return self.answer(_rows([self.get_object()], values["levels"] == Levels.ALL)[0])

    @action(detail=True, methods=["get"])
    def promise(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """The earliest day on which a quantity can be ready, and what it waits for."""
        values = self.parameters()
        item: Item = self.get_object()
        quantity = check_step(quantity=values["quantity"], step=item.step, sku=item.sku, unit=item.stock_unit)
        found = promise_date(item_id=item.pk, quantity=quantity, make_missing=values["levels"] == Levels.ALL)
        if found.promise is None:
            raise InvalidBom(f"{item.sku} cannot be made: {found.problem} Mend its BOM first.", item=item.sku)
        made = found.promise
        waits = [{"item": found.items[wait.component_id], "wait": wait} for wait in made.waits]
        return self.answer(
            {
                "item": item.sku,
                "item_id": item.pk,
                "quantity": made.quantity,
                "ready_on": made.ready_on,
                "from_stock": made.from_stock,
                "to_make": made.to_make,
                "materials_on": made.materials_on,
                "starts_on": made.starts_on,
                "work_days": made.work_days,
                "capacity_per_day": made.capacity,
                "queue": made.queue,
                "queue_days": made.queue_days,
                "components": waits,
            }
        )

    @action(detail=True, methods=["get"])
    def gain(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """How many more could be made with so much more of a component, and what would limit them then."""
        values = self.parameters()
        item: Item = self.get_object()
        read = load_shop(items=[item.pk], make_missing=values["levels"] == Levels.ALL)
        if item.pk not in read.shop.makes:
            raise InvalidBom(
                f"{item.sku} cannot be made: {read.problems.get(item.pk, '')} Mend its BOM first.", item=item.sku
            )
        (component,) = find_items([(("component",), values["component"])])
        if component.pk not in read.items or component.pk == item.pk:
            raise ValidationError({"component": [f"{item.sku} is not made of {component.sku}. See its BOM."]})
        (extra,) = in_stock_units([(component, values["quantity"], values["unit"])])
        extra = check_step(quantity=extra, step=component.step, sku=component.sku, unit=component.stock_unit)
        found = gain(read, item_id=item.pk, component_id=component.pk, extra=extra)
        limiting = None if found.bottleneck is None else found.bottleneck.sku
        return self.answer({"item": item.sku, "item_id": item.pk, "gain": found, "bottleneck": limiting})

    @action(detail=True, methods=["get"])
    def group(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """The items that compete with this one for what is scarce."""
        make_missing = self.parameters()["levels"] == Levels.ALL
        item: Item = self.get_object()
        others = rivals(read=load_shop(items=[item.pk], make_missing=make_missing), item_id=item.pk)
        read = load_shop(items=others, make_missing=make_missing)
        group = next((one for one in groups_of(read, others) if item.pk in one.items), None)
        members: list[MemberShown] = []
        shared: list[SharedShown] = []
        if group is not None:
            shown = shown_group(read, group)
            members, shared = list(shown.members), list(shown.shared)
        return self.answer({"item": item.sku, "item_id": item.pk, "members": members, "shared": shared})

    @action(detail=False, methods=["post"])
    def partition(self, request: Request) -> Response:  # noqa: ARG002
        """Divide what can be made among items by weight, so that any sequence of orders within the numbers can be made."""
        values = self.values()
        lines = values["items"]
        if len(lines) > GROUP_ITEMS_MAX:
            raise ValidationError({"items": [f"Give at most {GROUP_ITEMS_MAX} items."]})
        items = find_items([(("items", number, "item"), line["item"]) for number, line in enumerate(lines)])
        wanted: dict[int, Want] = {}
        for item, line in zip(items, lines, strict=True):
            if item.pk in wanted:
                raise InvalidQuantity(f"{item.sku} is named twice. Name each item once.", item=item.sku)
            wanted[item.pk] = Want(line["weight"], line["most"])
        found = partitioned(wanted=wanted, make_missing=values["levels"] == Levels.ALL)
        return self.answer({"items": [{"item": item, "safe": found.get(item.pk, ZERO)} for item in items]})


def _rows(items: "list[Item]", make_missing: bool) -> "list[_Row]":
    """Three statements for any number of items."""
    read = load_shop(items=[item.pk for item in items], make_missing=make_missing)
    return [_Row.of(read, item, outlook(read, item.pk)) for item in items]
