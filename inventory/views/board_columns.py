"""The columns of the stock board: what each shows of an item, of a place and of a lot, on the page and in an export."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inventory.filters import LocationChoices
from inventory.models import Item, LocationKind
from inventory.panels import BoardCell, board_columns_for
from inventory.quantities import ZERO
from inventory.reads.board import BoardRow, PlaceRow, SupplierRow
from inventory.reads.freshness import Freshness, freshness_of_places, oldest, supplier_freshness
from inventory.templatetags.figures import NOTHING, badge, freshness_dot, icon, money, quantity
from inventory.web import Cell

EMPTY = SafeString("")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What cells need beside their row: places with their freshness and owners, and what higher apps added."""

    places: LocationChoices
    fresh: Mapping[int, Freshness]
    added: Mapping[str, Mapping[int, BoardCell]]

    @classmethod
    def of(cls, places: LocationChoices, added: Mapping[str, Mapping[int, BoardCell]]) -> "Surroundings":
        return cls(places, freshness_of_places(places.locations), added)

    def owner(self, *places: PlaceRow) -> str:
        """Whose goods lie there: what the lots say, else the place; empty when all of them are ours."""
        found = {owner or self.places.owner_of(place.location_id) for place in places for owner in place.owners}
        named = sorted(found - {""}, key=str.casefold)
        return ", ".join(["ours", *named] if named and "" in found else named)

    def freshness(self, row: BoardRow) -> Freshness | None:
        """The oldest figure the row is made of."""
        return oldest([self.fresh[place.location_id] for place in row.places if place.location_id in self.fresh])


@dataclass(frozen=True, slots=True)
class Column:
    """One column. The functions answer safe HTML for the page; `cell` and `place_cell` the same for an export.

    `fold` is the CSS class by which it leaves narrow pages, unless somebody chose it.
    """

    key: str
    title: str
    item: Callable[[BoardRow, Surroundings], SafeString]
    place: Callable[[BoardRow, PlaceRow, Surroundings], SafeString]
    cell: Callable[[BoardRow, Surroundings], Cell]
    place_cell: Callable[[BoardRow, PlaceRow, Surroundings], Cell] | None = None
    """None: the figure is the item's as a whole; an export by place has it in the item's first row."""
    supplier: Callable[[BoardRow, SupplierRow], SafeString] = lambda _row, _supplier: EMPTY
    supplier_cell: Callable[[BoardRow, SupplierRow], Cell] = lambda _row, _supplier: ""
    sort: str = ""
    is_number: bool = True
    is_usual: bool = True
    fold: str = ""
    hint: str = ""


def item_url(item: Item, **query: object) -> str:
    words = "&".join(f"{name}={value}" for name, value in query.items())
    return f"{reverse('inventory:item', args=[item.pk])}?{words}"


def _door(url: str, value: SafeString) -> SafeString:
    return format_html('<a class="bf-door" href="{}">{}</a>', url, value)


def _or_dash(value: object, shown: SafeString) -> SafeString:
    return shown if value else NOTHING


def _on_hand(row: BoardRow, _around: Surroundings) -> SafeString:
    shown = _door(item_url(row.item, tab="where"), quantity(row.on_hand, row.item))
    if row.below_zero:
        return format_html("{} {}", quantity(row.below_zero, row.item), shown)
    return shown


def _place_on_hand(row: BoardRow, place: PlaceRow, _around: Surroundings) -> SafeString:
    if place.is_on_the_road:
        return NOTHING
    url = item_url(row.item, tab="ledger", place=place.location_id, status=place.status)
    return _door(url, quantity(place.on_hand, row.item))


def _available(row: BoardRow, _around: Surroundings) -> SafeString:
    shown = _door(item_url(row.item, tab="available"), quantity(row.available, row.item))
    if row.is_low:
        shown = format_html("{} {}", badge("Low", "look", "trending_down"), shown)
    if row.shortage:
        hint = "Promised at a place that does not have it; what other places have is not taken for it"
        return format_html('<span title="{}">{}</span> {}', hint, quantity(row.shortage, row.item), shown)
    return shown


def _after(row: BoardRow, _around: Surroundings) -> SafeString:
    return quantity(row.after_demand, row.item)


def _incoming(row: BoardRow, _around: Surroundings) -> SafeString:
    parts = ((row.supply.ordered, "purchase orders"), (row.expected, "work orders"), (row.supply.arriving, "transfers"))
    hint = ", ".join(f"{part.normalize():f} on {what}" for part, what in parts)
    return _or_dash(row.incoming, format_html('<span title="{}">{}</span>', hint, quantity(row.incoming, row.item)))


def _demand(row: BoardRow, _around: Surroundings) -> SafeString:
    hint = f"{row.soft.normalize():f} promised, {row.needed.normalize():f} needed by work orders"
    return _or_dash(row.demand, format_html('<span title="{}">{}</span>', hint, quantity(row.demand, row.item)))


def _supplier_total(row: BoardRow, _around: Surroundings) -> SafeString:
    return _or_dash(row.suppliers, quantity(row.supply.with_suppliers, row.item))


def _value(row: BoardRow, _around: Surroundings) -> SafeString:
    if not row.places:
        return NOTHING
    return _door(item_url(row.item, tab="cost"), money(row.value))


def _fresh(row: BoardRow, around: Surroundings) -> SafeString:
    found = around.freshness(row)
    return NOTHING if found is None else freshness_dot(found)


def _place_fresh(_row: BoardRow, place: PlaceRow, around: Surroundings) -> SafeString:
    found = around.fresh.get(place.location_id)
    return NOTHING if found is None else freshness_dot(found)


def _nothing(_row: BoardRow, _place: PlaceRow, _around: Surroundings) -> SafeString:
    return EMPTY


def _as_of(found: Freshness | None) -> str:
    return "" if found is None else found.words


def _category(row: BoardRow, _around: Surroundings) -> SafeString:
    return format_html("{}", row.item.category.name if row.item.category else "")


OWN = (
    Column(
        "category",
        "Category",
        _category,
        _nothing,
        lambda row, _: row.item.category.name if row.item.category else "",
        lambda row, _place, _around: row.item.category.name if row.item.category else "",
        is_number=False,
        is_usual=False,
    ),
    Column(
        "owner",
        "Owner",
        lambda row, around: format_html("{}", around.owner(*row.places)),
        lambda _row, place, around: format_html("{}", around.owner(place)),
        lambda row, around: around.owner(*row.places),
        lambda _row, place, around: around.owner(place) or "ours",
        supplier=lambda _row, supplier: format_html("{}", supplier.supplier_name),
        supplier_cell=lambda _row, supplier: supplier.supplier_name,
        is_number=False,
        is_usual=False,
        hint="Whose goods these are; empty means ours",
    ),
    Column(
        "on_hand",
        "On hand",
        _on_hand,
        _place_on_hand,
        lambda row, _: row.on_hand,
        lambda _row, place, _: ZERO if place.is_on_the_road else place.on_hand,
        sort="on_hand",
        hint="At places of ours, of third parties and channels; sorted with what is on the road",
    ),
    Column(
        "reserved",
        "Reserved",
        lambda row, _: _or_dash(row.reserved, quantity(row.reserved, row.item)),
        lambda row, place, _: quantity(place.pinned, row.item) if place.pinned else EMPTY,
        lambda row, _: row.reserved,
        lambda _row, place, _: place.pinned,
        fold="bf-wide",
        hint="Promised to orders",
    ),
    Column("available", "Available", _available, _nothing, lambda row, _: row.available),
    Column(
        "incoming",
        "Incoming",
        _incoming,
        _nothing,
        lambda row, _: row.incoming,
        fold="bf-wide",
        hint="Open on purchase orders, work orders and transfers to places that are sold from",
    ),
    Column(
        "in_transit",
        "In transit",
        lambda row, _: _or_dash(row.supply.in_transit, quantity(row.supply.in_transit, row.item)),
        lambda row, place, _: quantity(place.on_hand, row.item) if place.is_on_the_road else EMPTY,
        lambda row, _: row.supply.in_transit,
        lambda _row, place, _: place.on_hand if place.is_on_the_road else ZERO,
        fold="bf-wide",
        hint="On transfers between places of ours; what will be available there is part of Incoming",
        is_usual=False,
    ),
    Column(
        "supplier",
        "At suppliers",
        _supplier_total,
        _nothing,
        lambda row, _: row.supply.with_suppliers,
        supplier=lambda row, supplier: quantity(supplier.quantity, row.item),
        supplier_cell=lambda _row, supplier: supplier.quantity,
        fold="bf-wide",
        hint="What suppliers say to have. Never on hand",
        is_usual=False,
    ),
    Column(
        "demand",
        "Open demand",
        _demand,
        _nothing,
        lambda row, _: row.demand,
        is_usual=False,
        fold="bf-wide",
        hint="Promised without a lot, and components of open work orders",
    ),
    Column(
        "after",
        "After demand",
        _after,
        _nothing,
        lambda row, _: row.after_demand,
        fold="bf-wide",
        hint="Available and incoming, less what open work orders still need",
    ),
    Column(
        "value",
        "Value",
        _value,
        lambda _row, place, _: money(place.value),
        lambda row, _: row.value,
        lambda _row, place, _: place.value,
        sort="value",
        fold="bf-medium",
    ),
    Column(
        "freshness",
        "Figures",
        _fresh,
        _place_fresh,
        lambda row, around: _as_of(around.freshness(row)),
        lambda _row, place, around: _as_of(around.fresh.get(place.location_id)),
        supplier=lambda _row, supplier: freshness_dot(supplier_freshness(supplier.confirmed_at)),
        supplier_cell=lambda _row, supplier: supplier_freshness(supplier.confirmed_at).words,
        is_number=False,
        is_usual=False,
        hint="How old figures are that others report to us",
    ),
)


BELOW_ZERO = Column(
    "below_zero",
    "Below zero",
    lambda row, _: quantity(row.below_zero, row.item),
    _nothing,
    lambda row, _: row.below_zero,
)
"""Only in exports; on the page it stands before what is on hand."""
SHORTAGE = Column(
    "shortage",
    "Promised and not there",
    lambda row, _: quantity(row.shortage, row.item),
    _nothing,
    lambda row, _: row.shortage,
)
"""Only in exports; on the page it stands before what is available."""


def all_columns(request: HttpRequest) -> list[Column]:
    """Every column this person may see: ours, and before the value those that higher apps add."""
    added = [_added(one.key, one.title, is_number=one.is_number) for one in board_columns_for(request)]
    place = next(number for number, column in enumerate(OWN) if column.key == "value")
    return [*OWN[:place], *added, *OWN[place:]]


def _added(key: str, title: str, *, is_number: bool) -> Column:
    def shown(row: BoardRow, around: Surroundings) -> SafeString:
        found = around.added.get(key, {}).get(row.item.pk)
        return EMPTY if found is None else SafeString(found.html)

    def cell(row: BoardRow, around: Surroundings) -> Cell:
        found = around.added.get(key, {}).get(row.item.pk)
        return "" if found is None else found.text

    return Column(
        key,
        title,
        shown,
        _nothing,
        cell,
        is_number=is_number,
        fold="bf-wide",
    )


def chosen_columns(columns: Sequence[Column], keys: Sequence[str] | None, *, level: str = "places") -> list[Column]:
    """The columns somebody chose, in the order of the board; the usual ones when nothing known was chosen.

    Lots take a column of their own, so what is known of items as a whole leaves there.
    """
    chosen = [column for column in columns if keys is not None and column.key in keys]
    usual = [column for column in columns if column.is_usual]
    if level == "lots":
        usual = [column for column in usual if column.place_cell is not None or column.key == "available"]
    return chosen or usual


KIND_MARKS = {
    LocationKind.THIRD_PARTY: ("3PL", "local_shipping"),
    LocationKind.CHANNEL_OWNED: ("Channel", "storefront"),
    LocationKind.IN_TRANSIT: ("In transit", "moving"),
}


def kind_mark(kind: str) -> SafeString:
    """A mark for places that are not our own."""
    found = KIND_MARKS.get(LocationKind(kind))
    return EMPTY if found is None else badge(found[0], "info", found[1], LocationKind(kind).label)


def kind_icon(kind: str) -> SafeString:
    """The same where there is little room: the word is heard, and seen when pointed at."""
    found = KIND_MARKS.get(LocationKind(kind))
    if found is None:
        return EMPTY
    return format_html(
        '<span class="bf-tone-info" title="{}">{}<span class="bf-visually-hidden">{}</span></span>',
        LocationKind(kind).label,
        icon(found[1]),
        found[0],
    )
