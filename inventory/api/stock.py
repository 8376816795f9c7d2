"""Places, lots, and the ledger read: balances, movements, postings, reservations."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.filters import (
    LocationFilter,
    LotFilter,
    MovementFilter,
    PostingFilter,
    ReservationFilter,
    StockFilter,
)
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_locations, find_lots, in_stock_units
from inventory.api.resources import Endpoint, ListOne, Resource, change_checked, save_checked
from inventory.api.serializers import (
    LedgerRowSerializer,
    LocationInputSerializer,
    LocationNodeSerializer,
    LocationSerializer,
    LotChangeInputSerializer,
    LotSerializer,
    PostingSerializer,
    ReleasedSerializer,
    ReleaseSerializer,
    ReservationSerializer,
    ReservedSerializer,
    ReserveSerializer,
    ReverseSerializer,
    StockSerializer,
)
from inventory.models import Item, Location, Lot, Movement, Posting, Reservation, StockBalance
from inventory.operations.reserving import release_reservations, reserve_stock
from inventory.operations.reversing import reverse_posting


class LocationResource(ListOne, Resource):
    """Sites, areas and bins."""

    queryset = Location.objects.all()
    filterset_class = LocationFilter
    endpoints = {
        "list": Endpoint("inventory.view_location", LocationSerializer),
        "retrieve": Endpoint("inventory.view_location", LocationSerializer),
        "tree": Endpoint("inventory.view_location", LocationNodeSerializer, is_array=True),
        "create": Endpoint("inventory.add_location", LocationSerializer, LocationInputSerializer, status=201),
        "partial_update": Endpoint("inventory.change_location", LocationSerializer, LocationInputSerializer),
    }

    @action(detail=False, methods=["get"])
    def tree(self, request: Request) -> Response:  # noqa: ARG002
        """All sites with everything below them."""
        return Response(location_tree(Location.objects.order_by("path"), self.shape))

    def create(self, request: Request) -> Response:
        """Create a site, or a place below another one."""
        place = Location(**self._with_parent(self.values()))
        save_checked(place, actor=request.user)
        return self.answer(place)

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Change a place, or move it with everything below."""
        return self.answer(change_checked(self, self._with_parent(self.values(partial=True))))

    def _with_parent(self, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("parent") is not None:
            (values["parent"],) = find_locations([(("parent",), values["parent"])])
        return values


def location_tree(places: Iterable[Location], shape: Callable[[object], dict[str, Any]]) -> list[dict[str, Any]]:
    """Nested places, siblings by code."""
    nodes = {place.pk: shape(place) | {"children": []} for place in places}
    roots: list[dict[str, Any]] = []
    for node in nodes.values():
        above = nodes.get(node["parent_id"])
        (roots if above is None else above["children"]).append(node)
    for siblings in [roots, *(node["children"] for node in nodes.values())]:
        siblings.sort(key=lambda node: str(node["code"]).casefold())
    return roots


class LotResource(ListOne, Resource):
    """Batches and serial numbers. Lots are made by receiving them and by completions."""

    queryset = Lot.objects.select_related("item")
    filterset_class = LotFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("inventory.view_lot", LotSerializer),
        "retrieve": Endpoint("inventory.view_lot", LotSerializer),
        "partial_update": Endpoint("inventory.change_lot", LotSerializer, LotChangeInputSerializer),
    }

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Correct what is known of a lot: its last day, the supplier's lot, its owner. Its code changes by relabelling."""
        return self.answer(change_checked(self, self.values(partial=True)))


class StockResource(ListOne, Resource):
    """What is where: one row per item, location, lot and status that holds something."""

    queryset = StockBalance.objects.select_related("item", "location", "lot")
    filterset_class = StockFilter
    endpoints = {
        "list": Endpoint("inventory.view_stockbalance", StockSerializer),
        "retrieve": Endpoint("inventory.view_stockbalance", StockSerializer),
    }


MOVEMENTS = Movement.objects.select_related("item", "location", "lot")


class MovementResource(ListOne, Resource):
    """Every change of stock there ever was, newest first."""

    queryset = MOVEMENTS.select_related("posting__actor")
    filterset_class = MovementFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("inventory.view_movement", LedgerRowSerializer),
        "retrieve": Endpoint("inventory.view_movement", LedgerRowSerializer),
    }


POSTINGS = Posting.objects.select_related("actor").prefetch_related(
    Prefetch("movements", MOVEMENTS.order_by("id")), Prefetch("reversals", Posting.objects.order_by("id"))
)


def posting_reply(resource: Resource, posting: Posting, *, replayed: bool) -> Reply:
    """The answer to an operation: its posting with what it moved."""
    return resource.reply(POSTINGS.get(pk=posting.pk), replayed=replayed)


class PostingResource(ListOne, Resource):
    """Business facts about stock with what they moved, newest first."""

    queryset = POSTINGS
    filterset_class = PostingFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("inventory.view_posting", PostingSerializer),
        "retrieve": Endpoint("inventory.view_posting", PostingSerializer),
        "reverse": Endpoint(
            "inventory.reverse_posting", PostingSerializer, ReverseSerializer, status=201, is_keyed=True
        ),
    }

    @action(detail=True, methods=["post"])
    def reverse(self, request: Request, id: str) -> HttpResponse:  # noqa: ARG002
        """Undo a posting exactly: same lots, places and values. Completions are reversed at their own address."""

        def work(key: UUID) -> Reply:
            posting: Posting = self.get_object()
            result = reverse_posting(key=key, posting=posting, actor=request.user, **self.values())
            return posting_reply(self, result.posting, replayed=result.replayed)

        return self.answer_once(request, work)


class ReservationResource(ListOne, Resource):
    """Promises of stock to demands."""

    queryset = Reservation.objects.select_related("item", "location", "lot")
    filterset_class = ReservationFilter
    endpoints = {
        "list": Endpoint("inventory.view_reservation", ReservationSerializer),
        "retrieve": Endpoint("inventory.view_reservation", ReservationSerializer),
        "create": Endpoint(
            "inventory.add_reservation", ReservedSerializer, ReserveSerializer, status=201, is_keyed=True
        ),
        "release": Endpoint("inventory.change_reservation", ReleasedSerializer, ReleaseSerializer, is_keyed=True),
    }

    def create(self, request: Request) -> HttpResponse:
        """Promise stock to a demand."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            values = self.values()
            (item,) = find_items([(("item",), values.pop("item"))])
            (location,) = find_locations([(("location",), values.pop("location"))])
            unit = values.pop("unit")
            (quantity,) = in_stock_units([(item, values.pop("quantity"), unit)])
            result = reserve_stock(
                item=item,
                location=location,
                quantity=quantity,
                lots=picked_lots(item, values.pop("lots"), unit),
                pinned=values.pop("is_pinned"),
                partial=values.pop("is_partial"),
                actor=request.user,
                **values,
            )
            ids = [row.pk for row in result.reservations]
            rows = list(self.get_queryset().filter(pk__in=ids).order_by("pk"))
            return self.reply({"quantity": result.quantity, "missing": result.missing, "reservations": rows})

        return self.answer_once(request, work)

    @action(detail=False, methods=["post"])
    def release(self, request: Request) -> HttpResponse:
        """Let go of what a demand still holds. Nothing held is no error: 0 comes back."""

        def work(key: UUID) -> Reply:  # noqa: ARG001
            values = self.values()
            named = values.pop("item")
            item = None if named is None else find_items([(("item",), named)])[0]
            return self.reply({"quantity": release_reservations(item=item, actor=request.user, **values)})

        return self.answer_once(request, work)


def picked_lots(item: Item, lines: list[dict[str, Any]], unit: str, *, at: tuple[str | int, ...] = ()) -> Any:
    """Hand-picked lots of a body as an operation takes them: (lot, quantity in the stock unit). `at`: where they stand."""
    if not lines:
        return ()
    lots = find_lots([((*at, "lots", number, "lot"), item, line["lot"]) for number, line in enumerate(lines)])
    quantities = in_stock_units([(item, line["quantity"], unit) for line in lines])
    return tuple(zip(lots, quantities, strict=True))
