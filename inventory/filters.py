"""What the lists of stock can be narrowed to, read from the address so that every view of them can be shared."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from inventory.models import (
    Item,
    ItemCategory,
    ItemKind,
    Location,
    LocationKind,
    Lot,
    Movement,
    PostingKind,
    StockStatus,
)
from inventory.reads.board import BoardQuestion
from inventory.reads.freshness import stale_places
from inventory.reads.item_ledger import name_of


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set, and the address of the page without it."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Option:
    """A choice of a filter."""

    value: str
    label: str


def without(query: QueryDict, *names: str) -> str:
    """The query of an address without some of its values; paging always starts anew."""
    rest = query.copy()
    for name in (*names, "page", "before", "after", "export", "view"):
        rest.pop(name, None)
    return f"?{rest.urlencode()}"


PEOPLE_MAX = 500
INDENT = "\u2003"
"""An em space, since options cannot be indented otherwise."""


class LocationChoices:
    """Every location once, as options in tree order; loaded by one query."""

    def __init__(self) -> None:
        self.locations = list(Location.objects.order_by("path"))
        self.by_id = {location.pk: location for location in self.locations}

    def owner_of(self, location_id: int) -> str:
        """Whose goods stand at a place: what it says itself, else what it stands in; empty when they are ours."""
        place = self.by_id.get(location_id)
        while place is not None:
            if place.owner:
                return place.owner
            place = self.by_id.get(place.parent_id or 0)
        return ""

    def owned_by(self, owner: str) -> list[int]:
        """Ids of the places of an owner; of ourselves when it is empty."""
        return [place.pk for place in self.locations if self.owner_of(place.pk) == owner]

    def options(self, *, sites_only: bool = False) -> list[Option]:
        return [
            Option(str(place.pk), INDENT * place.depth + place.code)
            for place in in_tree_order(self.locations)
            if not sites_only or place.depth == 0
        ]


def in_tree_order(locations: list[Location]) -> list[Location]:
    """Parents before their children, siblings by code."""
    children: dict[int | None, list[Location]] = {}
    for place in sorted(locations, key=lambda each: each.code.casefold()):
        children.setdefault(place.parent_id, []).append(place)
    ordered: list[Location] = []

    def walk(parent: int | None) -> None:
        for place in children.get(parent, []):
            ordered.append(place)
            walk(place.pk)

    walk(None)
    return ordered


BOARD_SORTS = {"sku": "SKU", "name": "Name", "on_hand": "On hand", "value": "Value"}


FLAGS = {
    "low": "Below reorder point",
    "negative": "Below zero",
    "soon": "Expiring within 30 days",
    "expired": "Past expiry",
    "unknown": "Unknown cost",
    "stale": "Stale figures",
    "uncounted": "Not counted for 90 days",
}
LEVELS = {"items": "Items", "places": "Places", "lots": "Lots"}
SUPPLIERS = "supplier"
"""Choice of a kind of place: what suppliers say to have, which stands at no place of ours."""
PLACE_KINDS = {**dict(LocationKind.choices), SUPPLIERS: "With suppliers"}
OURS = "-"
"""Choice of an owner: nobody else."""


class _BoardValues(forms.Form):
    q = forms.CharField(required=False, max_length=200)
    site = forms.IntegerField(required=False)
    place_kind = forms.ChoiceField(required=False, choices=[("", ""), *PLACE_KINDS.items()])
    status = forms.ChoiceField(required=False, choices=[("", ""), *StockStatus.choices])
    category = forms.IntegerField(required=False)
    kind = forms.ChoiceField(required=False, choices=[("", ""), *ItemKind.choices])
    owner = forms.CharField(required=False, max_length=100)
    flag = forms.ChoiceField(required=False, choices=[("", ""), *FLAGS.items()])
    stocked = forms.BooleanField(required=False)
    sort = forms.CharField(required=False)
    rows = forms.ChoiceField(required=False, choices=[("", ""), *LEVELS.items()])


class BoardFilter:
    """The stock board's filters. Values that do not exist are dropped, so that an old address still works."""

    NAMES = ("q", "site", "place_kind", "status", "category", "kind", "owner", "flag", "stocked")

    def __init__(self, request: HttpRequest) -> None:
        form = _BoardValues(request.GET)
        form.full_clean()
        values = form.cleaned_data
        self.query = request.GET
        self.categories = list(ItemCategory.objects.order_by("name"))
        self.places = LocationChoices()
        self.owners = known_owners(self.places.locations)
        self.text: str = (values.get("q") or "").strip()
        self.site: Location | None = self.places.by_id.get(values.get("site") or 0)
        self.place_kind: str = values.get("place_kind") or ""
        self.status: str = values.get("status") or ""
        self.category: ItemCategory | None = next(
            (one for one in self.categories if one.pk == values.get("category")), None
        )
        self.kind: str = values.get("kind") or ""
        owner = values.get("owner") or ""
        self.owner: str = owner if owner in (OURS, *self.owners) else ""
        self.flag: str = values.get("flag") or ""
        self.stocked: bool = bool(values.get("stocked"))
        sort = values.get("sort") or "sku"
        self.sort: str = sort if sort.removeprefix("-") in BOARD_SORTS else "sku"
        self.rows: str = values.get("rows") or "places"

    def question(self) -> BoardQuestion:
        """What the filters ask of the board."""
        asked = self._asked_places()
        owner = {"": None, OURS: ""}.get(self.owner, self.owner)
        return BoardQuestion(
            text=self.text,
            places=None if asked is None else [place.pk for place in asked],
            sources=[] if asked is None else outermost(asked),
            status=self.status,
            categories=None if self.category is None else self._with_subcategories(self.category.pk),
            kind=self.kind,
            owner=owner,
            owner_places=[] if owner is None else self.places.owned_by(owner),
            only_suppliers=self.place_kind == SUPPLIERS,
            stocked=self.stocked,
            flag=self.flag,
            stale_places=stale_places(self.places.locations) if self.flag == "stale" else [],
            sort=self.sort,
        )

    def _asked_places(self) -> list[Location] | None:
        if self.site is None and self.place_kind in ("", SUPPLIERS):
            return None
        path = self.site.path if self.site else "/"
        return [
            place
            for place in self.places.locations
            if place.path.startswith(path) and self.place_kind in ("", SUPPLIERS, place.kind)
        ]

    def _with_subcategories(self, category_id: int) -> list[int]:
        """The category and everything below it."""
        children: dict[int | None, list[int]] = {}
        for category in self.categories:
            children.setdefault(category.parent_id, []).append(category.pk)
        found, waiting = [], [category_id]
        while waiting:
            pk = waiting.pop()
            found.append(pk)
            waiting.extend(children.get(pk, []))
        return found

    def chips(self) -> list[Chip]:
        return [Chip(label, without(self.query, name)) for name, label in self._set()]

    def _set(self) -> Iterator[tuple[str, str]]:
        if self.text:
            yield "q", f"“{self.text}”"
        if self.site:
            yield "site", f"Place: {self.site.code}"
        if self.place_kind:
            yield "place_kind", f"At: {PLACE_KINDS[self.place_kind]}"
        if self.status:
            yield "status", f"Status: {StockStatus(self.status).label}"
        if self.category:
            yield "category", f"Category: {self.category.name}"
        if self.kind:
            yield "kind", f"Kind: {ItemKind(self.kind).label}"
        if self.owner:
            yield "owner", "Owner: ours" if self.owner == OURS else f"Owner: {self.owner}"
        if self.flag:
            yield "flag", FLAGS[self.flag]
        if self.stocked:
            yield "stocked", "With stock"

    @property
    def clear_url(self) -> str:
        return without(self.query, *self.NAMES)


def outermost(places: list[Location]) -> list[int]:
    """Ids of those places that stand in no other of them."""
    ids = {place.pk for place in places}
    return [place.pk for place in places if not any(int(part) in ids for part in place.path.strip("/").split("/")[:-1])]


def known_owners(places: list[Location]) -> list[str]:
    """Everybody whose goods we keep, by name; one query, for the owners of lots."""
    of_lots = Lot.objects.exclude(owner="").order_by().values_list("owner", flat=True).distinct()
    return sorted({*of_lots, *(place.owner for place in places if place.owner)}, key=str.casefold)


WITHOUT_REASON = "-"
"""Choice of a reason: none was given."""
WAYS = {"in": "Into stock", "out": "Out of stock"}


class _LedgerValues(forms.Form):
    item = forms.CharField(required=False, max_length=200)
    place = forms.IntegerField(required=False)
    kind = forms.ChoiceField(required=False, choices=[("", ""), *PostingKind.choices])
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)
    reference = forms.CharField(required=False, max_length=100)
    reason = forms.CharField(required=False, max_length=100)
    person = forms.IntegerField(required=False)
    happened_after = forms.DateTimeField(required=False)
    happened_until = forms.DateTimeField(required=False)
    recorded_after = forms.DateTimeField(required=False)
    recorded_until = forms.DateTimeField(required=False)
    undoes = forms.ChoiceField(required=False, choices=[("", ""), *PostingKind.choices])
    way = forms.ChoiceField(required=False, choices=[("", ""), *WAYS.items()])


MOMENTS = {
    "happened_after": ("effective_at__gt", "Happened after"),
    "happened_until": ("effective_at__lte", "Happened until"),
    "recorded_after": ("recorded_at__gt", "Recorded after"),
    "recorded_until": ("recorded_at__lte", "Recorded until"),
}
"""Exact bounds, which other pages set when they open the rows behind a figure."""


class LedgerFilter:
    """The ledger's filters."""

    def __init__(self, request: HttpRequest) -> None:
        form = _LedgerValues(request.GET)
        form.full_clean()
        values: dict[str, Any] = form.cleaned_data
        self.query = request.GET
        self.places = LocationChoices()
        self.item_text: str = (values.get("item") or "").strip()
        self.item: Item | None = find_item(self.item_text) if self.item_text else None
        self.place: Location | None = self.places.by_id.get(values.get("place") or 0)
        self.kind: str = values.get("kind") or ""
        self.since: date | None = values.get("since")
        self.until: date | None = values.get("until")
        self.reference: str = (values.get("reference") or "").strip()
        self.reason: str = (values.get("reason") or "").strip()
        self.moments: dict[str, datetime] = {name: values[name] for name in MOMENTS if values.get(name)}
        self.undoes: str = values.get("undoes") or ""
        self.way: str = values.get("way") or ""
        self.people = list(get_user_model()._default_manager.order_by("username")[:PEOPLE_MAX])
        self.person = next((user for user in self.people if user.pk == values.get("person")), None)

    def narrow(self, movements: QuerySet[Movement]) -> QuerySet[Movement]:
        """Only the movements of the exact bounds, of reversals of a kind, of one direction."""
        for name, moment in self.moments.items():
            movements = movements.filter(**{MOMENTS[name][0]: moment})
        begins = self.since_at or self.moments.get("happened_after")
        if begins is not None:  # nothing is recorded before it happened, and the time of recording has an index
            movements = movements.filter(recorded_at__gte=begins)
        if self.reason == WITHOUT_REASON:
            movements = movements.filter(posting__reason="")
        elif self.reason:
            movements = movements.filter(posting__reason__icontains=self.reason)
        if self.undoes:
            movements = movements.filter(posting__reverses__kind=self.undoes)
        if self.way == "in":
            movements = movements.filter(Q(quantity__gt=0) | Q(quantity=0, value__gt=0))
        elif self.way == "out":
            movements = movements.filter(Q(quantity__lt=0) | Q(quantity=0, value__lte=0))
        return movements

    def people_options(self) -> list[Option]:
        return [Option(str(user.pk), name_of(user)) for user in self.people]

    @property
    def since_at(self) -> datetime | None:
        return _at(self.since, time.min)

    @property
    def until_at(self) -> datetime | None:
        return _at(self.until, time.max)

    def chips(self) -> list[Chip]:
        return [Chip(label, without(self.query, name)) for name, label in self._set()]

    def _set(self) -> Iterator[tuple[str, str]]:
        if self.item_text:
            yield "item", f"Item: {self.item.sku}" if self.item else f"Item: “{self.item_text}” (not found)"
        if self.place:
            yield "place", f"Place: {self.place.code}"
        if self.kind:
            yield "kind", f"Kind: {PostingKind(self.kind).label}"
        if self.since:
            yield "since", f"From {self.since:%Y-%m-%d}"
        if self.until:
            yield "until", f"Until {self.until:%Y-%m-%d}"
        if self.reference:
            yield "reference", f"Reference: {self.reference}"
        if self.undoes:
            yield "undoes", f"Undoes: {PostingKind(self.undoes).label}"
        if self.way:
            yield "way", WAYS[self.way]
        if self.reason:
            yield "reason", "Without a reason" if self.reason == WITHOUT_REASON else f"Reason: {self.reason}"
        for name, moment in self.moments.items():
            yield name, f"{MOMENTS[name][1]} {timezone.localtime(moment):%Y-%m-%d %H:%M}"
        if self.person:
            yield "person", f"By {name_of(self.person)}"

    @property
    def clear_url(self) -> str:
        names = ("item", "place", "kind", "since", "until", "reference", "reason", "person", "undoes", "way", *MOMENTS)
        return without(self.query, *names)


def _at(day: date | None, clock: time) -> datetime | None:
    return None if day is None else timezone.make_aware(datetime.combine(day, clock))


def find_item(text: str) -> Item | None:
    """The item a person means: by SKU without regard to case, by barcode, by a pack's barcode, else by id."""
    text = text.strip()
    if not text:
        return None
    found = Item.objects.filter(sku__iexact=text).first() or Item.objects.filter(barcode=text).first()
    if found is None:
        found = Item.objects.filter(units__barcode=text).first()
    return found


def find_location(text: str) -> Location | None:
    """The location whose code is `text`, without regard to case."""
    return Location.objects.filter(code__iexact=text.strip()).first() if text.strip() else None
