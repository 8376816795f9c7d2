"""Items, packs, categories, locations, lots, classes of counts and opening stock as their imports read them."""

from collections.abc import Iterator

from django.db.models import Exists, OuterRef, QuerySet

from inventory.importing.exporting import CHUNK_ROWS, Cell, ExportKind, yes
from inventory.importing.items import tags_text
from inventory.importing.opening_stock import REFERENCE
from inventory.importing.paths import Categories, path_text
from inventory.models import CountClass, Item, ItemCategory, ItemUnit, Location, Lot, Movement, Posting, PostingKind

_ITEM_COLUMNS = (
    "sku",
    "name",
    "kind",
    "category",
    "barcode",
    "stock_unit",
    "step",
    "tracking",
    "shelf_life_days",
    "inspection_required",
    "is_active",
    "is_sellable",
    "standard_cost",
    "cost_method",
    "negative_allowed",
    "supply_policy",
    "over_completion_percent",
    "reorder_point",
    "reorder_quantity",
    "lead_time_days",
    "count_group",
    "hs_code",
    "origin_country",
    "weight_grams",
    "length_mm",
    "width_mm",
    "height_mm",
    "compliance_tags",
    "description",
    "note",
)


def _items() -> Iterator[list[Cell]]:
    categories = Categories()
    for item in Item.objects.order_by("sku").iterator(chunk_size=CHUNK_ROWS):
        row: list[Cell] = []
        for name in _ITEM_COLUMNS:
            if name == "category":
                row.append(categories.text_of(item.category_id))
            elif name == "compliance_tags":
                row.append(tags_text(item.compliance_tags))
            else:
                value = getattr(item, name)
                row.append(yes(value) if isinstance(value, bool) else value)
        yield row


def _categories() -> Iterator[list[Cell]]:
    categories = Categories()
    paths = {
        category_id: categories.path_of(category_id)
        for category_id in ItemCategory.objects.values_list("pk", flat=True)
    }
    for path in sorted(paths.values()):
        yield [path_text(path[-1:]), path_text(path[:-1])]


def _item_units() -> Iterator[list[Cell]]:
    for unit in ItemUnit.objects.select_related("item").order_by("item__sku", "name").iterator(chunk_size=CHUNK_ROWS):
        yield [
            unit.item.sku,
            unit.name,
            unit.numerator,
            unit.denominator,
            unit.barcode,
            yes(unit.is_purchase_unit),
        ]


def _locations() -> Iterator[list[Cell]]:
    for place in Location.objects.select_related("parent").order_by("path").iterator(chunk_size=CHUNK_ROWS):
        yield [
            place.code,
            place.name,
            "" if place.parent is None else place.parent.code,
            place.kind,
            yes(place.is_sellable),
            yes(place.is_blocked),
            yes(place.is_active),
            place.owner,
            place.freshness_hours,
        ]


def _lots() -> Iterator[list[Cell]]:
    found = Lot.objects.named().select_related("item").order_by("item__sku", "code", "pk")
    for lot in found.iterator(chunk_size=CHUNK_ROWS):
        yield [
            lot.item.sku,
            lot.code,
            lot.received_on.isoformat(),
            "" if lot.expires_on is None else lot.expires_on.isoformat(),
            lot.supplier_lot,
            lot.owner,
            lot.note,
        ]


def _count_classes() -> Iterator[list[Cell]]:
    for one in CountClass.objects.order_by("group"):
        yield [one.group, one.counts_per_year, one.tolerance_percent, one.share_percent, one.approval_value]


def _opening() -> QuerySet[Movement]:
    """What was received as opening stock and not taken back."""
    undone = Posting.objects.filter(reverses=OuterRef("posting_id"))
    return Movement.objects.filter(
        ~Exists(undone), posting__reference=REFERENCE, posting__kind=PostingKind.RECEIPT, quantity__gt=0
    )


def _opening_stock() -> Iterator[list[Cell]]:
    found = _opening().select_related("item", "location", "lot").order_by("id")
    for movement in found.iterator(chunk_size=CHUNK_ROWS):
        lot = movement.lot
        yield [
            movement.item.sku,
            movement.quantity,
            movement.item.stock_unit,
            movement.location.code,
            lot.code,
            "" if lot.expires_on is None else lot.expires_on.isoformat(),
            movement.status,
            movement.value,
            lot.supplier_lot,
        ]


EXPORTS = (
    ExportKind(
        name="items",
        permission="inventory.view_item",
        columns=_ITEM_COLUMNS,
        rows=_items,
        count=Item.objects.count,
        note="Packs are in a table of their own.",
    ),
    ExportKind(
        name="categories",
        permission="inventory.view_itemcategory",
        columns=("name", "below"),
        rows=_categories,
        count=ItemCategory.objects.count,
    ),
    ExportKind(
        name="item_units",
        permission="inventory.view_itemunit",
        columns=("item", "name", "numerator", "denominator", "barcode", "is_purchase_unit"),
        rows=_item_units,
        count=ItemUnit.objects.count,
    ),
    ExportKind(
        name="locations",
        permission="inventory.view_location",
        columns=(
            "code",
            "name",
            "parent",
            "kind",
            "is_sellable",
            "is_blocked",
            "is_active",
            "owner",
            "freshness_hours",
        ),
        rows=_locations,
        count=Location.objects.count,
    ),
    ExportKind(
        name="lots",
        permission="inventory.view_lot",
        columns=("item", "code", "received_on", "expires_on", "supplier_lot", "owner", "note"),
        rows=_lots,
        count=lambda: Lot.objects.named().count(),
        note="Lots by name; the nameless one of untracked items is no row.",
    ),
    ExportKind(
        name="count_classes",
        permission="inventory.view_countclass",
        columns=("group", "counts_per_year", "tolerance_percent", "share_percent", "approval_value"),
        rows=_count_classes,
        count=CountClass.objects.count,
    ),
    ExportKind(
        name="opening_stock",
        permission="inventory.view_movement",
        columns=("item", "quantity", "unit", "location", "lot", "expires_on", "status", "value", "supplier_lot"),
        rows=_opening_stock,
        count=lambda: _opening().count(),
        note="What was received as opening stock, not what is on the shelves now; the stock board exports that.",
    ),
)
