"""The stock board for programs: the same figures by the same reads as the page, a page of items at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import TextChoices
from django.db.models.expressions import RawSQL
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import ChoiceOut, DayOut, DecimalOut, FlagOut, IdOut, MomentOut, TextOut, WordsOut
from inventory.api.filters import Filters, FlagFilter, OneWordFilter, Rows, SearchFilter, TextFilter
from inventory.api.resources import Endpoint, Resource
from inventory.filters import OURS, LocationChoices, known_owners, outermost
from inventory.models import Item, ItemKind, LocationKind, StockStatus
from inventory.panels import expected_of
from inventory.reads.board import BoardQuestion, BoardRow, PlaceRow, SupplierRow, board_rows, item_conditions
from inventory.reads.freshness import Freshness, freshness_of_places, stale_places, supplier_freshness


class BoardFlag(TextChoices):
    LOW = "low", "Available below the reorder point"
    NEGATIVE = "negative", "Below zero somewhere"
    SOON = "soon", "With lots that expire within 30 days"
    EXPIRED = "expired", "With lots past their last day"
    UNKNOWN = "unknown", "Of unknown cost, in part"
    STALE = "stale", "With figures that are too old"
    UNCOUNTED = "uncounted", "Not counted for 90 days"


def _asked_of_the_board(rows: Rows, name: str, value: object) -> Rows:  # noqa: ARG001
    """The board's own condition narrows by it."""
    return rows


class BoardFilter(Filters):
    item = TextFilter(field_name="sku")
    search = SearchFilter(method=_asked_of_the_board, help_text="Part of SKU or name, or a whole barcode.")
    location = TextFilter(method=_asked_of_the_board, help_text="Code: what stands there, with all places below it.")
    status = OneWordFilter(StockStatus, method=_asked_of_the_board)
    kind = OneWordFilter(ItemKind, method=_asked_of_the_board)
    owner = TextFilter(method=_asked_of_the_board, help_text="Whose goods; “-” for our own.")
    flag = OneWordFilter(BoardFlag, method=_asked_of_the_board)
    stocked = FlagFilter(method=_asked_of_the_board, help_text="true: only items of which there is something.")

    class Meta:
        model = Item
        fields: list[str] = []


# --- Answers ----------------------------------------------------------------------------------------------------------


class BoardPlaceSerializer(serializers.Serializer[Any]):
    """The item at one place with one status."""

    location = TextOut()
    location_id = IdOut()
    location_kind = ChoiceOut(LocationKind.choices)
    status = ChoiceOut(StockStatus.choices)
    on_hand = DecimalOut(help_text="Below zero where more was taken than was there.")
    reserved = DecimalOut(help_text="Promised out of these very cells.")
    lots = IdOut(help_text="How many lots.")
    next_expiry = DayOut(allow_null=True)
    owners = WordsOut(help_text="Whose goods; an empty text stands for ours.")
    is_own_record = FlagOut(help_text="Our own figures are never old.")
    confirmed_at = MomentOut(allow_null=True, help_text="When others last confirmed it; null: our own, or never.")
    is_stale = FlagOut()


class BoardSupplierSerializer(serializers.Serializer[Any]):
    """What a supplier says to have; no stock of ours."""

    supplier = TextOut()
    quantity = DecimalOut()
    confirmed_at = MomentOut()
    is_stale = FlagOut()
    source = TextOut()  # type: ignore[assignment]


class BoardSerializer(serializers.Serializer[Any]):
    """An item with all its stock that matches the question. Quantities in its stock unit."""

    id = IdOut(source="row.item.pk")
    item = TextOut(source="row.item.sku")
    name = TextOut(source="row.item.name")
    unit = TextOut(source="row.item.stock_unit")
    on_hand = DecimalOut(source="row.on_hand", help_text="At places; what is on the road or below zero is beside it.")
    below_zero = DecimalOut(source="row.below_zero", help_text="Zero or less; it lowers no other place's figure.")
    reserved = DecimalOut(source="row.reserved")
    available = DecimalOut(source="row.available", help_text="What one site lacks is not taken from another.")
    shortage = DecimalOut(source="row.shortage", help_text="Zero or less: promised at sites that do not have it.")
    incoming = DecimalOut(
        source="row.incoming", help_text="Ordered, being made, and on the road to where it will be sold."
    )
    in_transit = DecimalOut(
        source="row.supply.in_transit", help_text="On the road; what will be available is in `incoming`."
    )
    demand = DecimalOut(source="row.demand", help_text="Promised without naming a lot, and needed by work orders.")
    after_demand = DecimalOut(source="row.after_demand", help_text="Left once everything came in and was taken.")
    with_suppliers = DecimalOut(source="row.supply.with_suppliers")
    is_low = FlagOut(source="row.is_low")
    places = BoardPlaceSerializer(many=True, read_only=True)
    suppliers = BoardSupplierSerializer(many=True, read_only=True)


@dataclass(frozen=True, slots=True)
class _Place:
    location: str
    location_id: int
    location_kind: str
    status: str
    on_hand: Decimal
    reserved: Decimal
    lots: int
    next_expiry: object
    owners: Sequence[str]
    is_own_record: bool
    confirmed_at: datetime | None
    is_stale: bool


@dataclass(frozen=True, slots=True)
class _Supplier:
    supplier: str
    quantity: Decimal
    confirmed_at: datetime
    is_stale: bool
    source: str


@dataclass(frozen=True, slots=True)
class _Row:
    row: BoardRow
    places: list[_Place]
    suppliers: list[_Supplier]


class StockBoardResource(Resource):
    """Items with their stock over own places, third parties, channels, the road and suppliers."""

    queryset = Item.objects.all()
    filterset_class = BoardFilter
    endpoints = {"list": Endpoint("inventory.view_stockbalance", BoardSerializer)}

    def list(self, request: Request) -> Response:
        """Items with every figure of the stock board, by id; see the page for what each means."""
        self._places = LocationChoices()
        self._question = self._asked(request)
        items: list[Item] = self.page()
        expected = expected_of([item.pk for item in items], self._question.places)
        fresh = freshness_of_places(self._places.locations)
        rows = [
            _Row(
                row,
                [self._place(place, fresh.get(place.location_id)) for place in row.places],
                [_supplier(one) for one in row.suppliers],
            )
            for row in board_rows(items, self._question, expected=expected)
        ]
        answer: Response = self.get_paginated_response(self.get_serializer(rows, many=True).data)
        return answer

    def get_queryset(self) -> Any:
        question = getattr(self, "_question", None)
        if question is None:  # the OpenAPI document asks for no rows
            return Item.objects.all()
        condition, parameters = item_conditions(question)
        ids = RawSQL(f"SELECT i.id FROM inventory_item i WHERE {condition}", parameters)  # noqa: S611  no text of the request
        return Item.objects.select_related("category").filter(pk__in=ids)

    def _asked(self, request: Request) -> BoardQuestion:
        """What the parameters ask of the board. Raises ValidationError for a place or an owner that does not exist."""
        given = request.query_params
        problems: dict[str, list[str]] = {}
        places = None
        if code := given.get("location", "").strip():
            found = next((one for one in self._places.locations if one.code.casefold() == code.casefold()), None)
            if found is None:
                problems["location"] = [f"No place has the code {code[:64]}."]
            else:
                places = [one for one in self._places.locations if one.path.startswith(found.path)]
        owner = given.get("owner", "").strip()
        if owner and owner != OURS and owner not in known_owners(self._places.locations):
            problems["owner"] = [f"Nobody whose goods are kept is called {owner[:100]}. “{OURS}” stands for ourselves."]
        if problems:
            raise ValidationError(problems)
        whose = None if not owner else "" if owner == OURS else owner
        flag = given.get("flag", "")
        return BoardQuestion(
            text=given.get("search", "").strip()[:200],
            places=None if places is None else [place.pk for place in places],
            sources=[] if places is None else outermost(places),
            status=given.get("status", ""),
            kind=given.get("kind", ""),
            owner=whose,
            owner_places=[] if whose is None else self._places.owned_by(whose),
            stocked=given.get("stocked") == "true",
            flag=flag if flag in BoardFlag.values else "",
            stale_places=stale_places(self._places.locations) if flag == BoardFlag.STALE else [],
        )

    def _place(self, place: PlaceRow, fresh: Freshness | None) -> _Place:
        owners = {owner or self._places.owner_of(place.location_id) for owner in place.owners}
        return _Place(
            location=place.location_code,
            location_id=place.location_id,
            location_kind=place.location_kind,
            status=place.status,
            on_hand=place.on_hand,
            reserved=place.pinned,
            lots=place.lots,
            next_expiry=place.next_expiry,
            owners=sorted(owners, key=str.casefold),
            is_own_record=fresh is None or fresh.is_own,
            confirmed_at=None if fresh is None else fresh.as_of,
            is_stale=fresh is not None and fresh.is_stale,
        )


def _supplier(one: SupplierRow) -> _Supplier:
    is_stale = supplier_freshness(one.confirmed_at).is_stale
    return _Supplier(one.supplier_code, one.quantity, one.confirmed_at, is_stale, one.source)
