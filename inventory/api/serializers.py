"""Shapes of what the REST API of the stock ledger takes and answers."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from inventory.api.fields import (
    Body,
    Choice,
    ChoiceOut,
    Day,
    DayOut,
    DecimalIn,
    DecimalOut,
    Described,
    Flag,
    FlagOut,
    IdOut,
    IdsOut,
    Moment,
    MomentOut,
    Money,
    Quantity,
    Schema,
    Text,
    TextOut,
    Whole,
    WordsOut,
    item_reference,
    lines_of,
    location_reference,
    lot_reference,
    optional_text,
)
from inventory.models import (
    CostMethod,
    ItemKind,
    LocationKind,
    PostingKind,
    StockStatus,
    SupplyPolicy,
    Tracking,
)
from inventory.quantities import as_text

SHELF_LIFE_DAYS_MAX = 36_500
RANK_MAX = 10**15

UNIT_HELP = "Unit the quantity is in; empty means the item's stock unit. Converted exactly."

# --- Items ------------------------------------------------------------------------------------------------------------


class ItemSerializer(serializers.Serializer[Any]):
    """One thing that is bought, made, used, stocked or sold."""

    id = IdOut()
    sku = TextOut()
    name = TextOut()
    description = TextOut()
    kind = ChoiceOut(ItemKind.choices)
    category_id = IdOut(allow_null=True)
    barcode = TextOut()
    is_active = FlagOut()
    is_sellable = FlagOut()
    stock_unit = TextOut(help_text="The one unit balances are kept in.")
    step = DecimalOut(help_text="Smallest quantity, in the stock unit.")
    tracking = ChoiceOut(Tracking.choices)
    shelf_life_days = IdOut(allow_null=True)
    inspection_required = FlagOut()
    cost_method = ChoiceOut(CostMethod.choices)
    negative_allowed = FlagOut(help_text="May be used below zero with a privilege and a reason.")
    count_group = TextOut(help_text="Class for cycle counts: A, B or C; empty: by the value used in a year.")
    standard_cost = DecimalOut(allow_null=True)
    supply_policy = ChoiceOut(SupplyPolicy.choices)
    over_completion_percent = DecimalOut()
    reorder_point = DecimalOut(allow_null=True)
    reorder_quantity = DecimalOut(allow_null=True)
    lead_time_days = IdOut(allow_null=True)
    compliance_tags = WordsOut()
    hs_code = TextOut()
    origin_country = TextOut()
    weight_grams = DecimalOut(allow_null=True)
    length_mm = DecimalOut(allow_null=True)
    width_mm = DecimalOut(allow_null=True)
    height_mm = DecimalOut(allow_null=True)
    note = TextOut()
    created_at = MomentOut()
    updated_at = MomentOut()


def _millimetres(**kwargs: Any) -> DecimalIn:
    return DecimalIn(digits=9, places=3, required=False, allow_null=True, **kwargs)


class ItemInputSerializer(Body):
    """An item to create, or the fields of one to change."""

    sku = Text(length_max=100)
    name = Text(length_max=250)
    description = Text(length_max=10_000, required=False, allow_blank=True)
    kind = Choice(ItemKind.choices, required=False)
    category_id = Whole(minimum=1, required=False, allow_null=True)
    barcode = Text(length_max=64, required=False, allow_blank=True)
    is_active = Flag(required=False)
    is_sellable = Flag(required=False)
    stock_unit = Text(length_max=16, required=False)
    step = Quantity(required=False)
    tracking = Choice(Tracking.choices, required=False)
    shelf_life_days = Whole(maximum=SHELF_LIFE_DAYS_MAX, required=False, allow_null=True)
    inspection_required = Flag(required=False)
    cost_method = Choice(
        CostMethod.choices,
        required=False,
        help_text="The value of stock on hand stays; refused while its cost is unknown.",
    )
    negative_allowed = Flag(required=False)
    count_group = Text(length_max=1, required=False, allow_blank=True, help_text="A, B, C or empty.")
    standard_cost = Money(required=False, allow_null=True)
    supply_policy = Choice(SupplyPolicy.choices, required=False)
    over_completion_percent = DecimalIn(digits=4, places=3, required=False)
    reorder_point = Quantity(required=False, allow_null=True)
    reorder_quantity = Quantity(required=False, allow_null=True)
    lead_time_days = Whole(required=False, allow_null=True)
    compliance_tags = serializers.ListField(child=Text(length_max=64), required=False, max_length=100)
    hs_code = Text(length_max=16, required=False, allow_blank=True)
    origin_country = Text(length_max=2, required=False, allow_blank=True)
    weight_grams = _millimetres()
    length_mm = _millimetres()
    width_mm = _millimetres()
    height_mm = _millimetres()
    note = Text(length_max=10_000, required=False, allow_blank=True)


class ItemUnitSerializer(serializers.Serializer[Any]):
    """One of this unit is `numerator / denominator` stock units of the item."""

    id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    name = TextOut()
    numerator = DecimalOut()
    denominator = DecimalOut()
    barcode = TextOut()
    is_purchase_unit = FlagOut()


class ItemUnitInputSerializer(Body):
    item = item_reference()
    name = Text(length_max=32)
    numerator = Quantity()
    denominator = Quantity(required=False, default=Decimal(1))
    barcode = optional_text(64)
    is_purchase_unit = Flag(required=False, default=False)


class ItemUnitChangeSerializer(Body):
    name = Text(length_max=32, required=False)
    barcode = Text(length_max=64, required=False, allow_blank=True)
    is_purchase_unit = Flag(required=False)


class CategorySerializer(serializers.Serializer[Any]):
    """A group of items; categories form a tree."""

    id = IdOut()
    name = TextOut()
    parent_id = IdOut(allow_null=True)


class CategoryInputSerializer(Body):
    name = Text(length_max=100)
    parent_id = Whole(minimum=1, required=False, allow_null=True)


class SourceAvailabilitySerializer(serializers.Serializer[Any]):
    """An item at one site, everything below it included."""

    location = TextOut(source="code")
    location_id = IdOut()
    on_hand = DecimalOut(help_text="Good, sellable stock.")
    reserved = DecimalOut(help_text="Promised to demands, pinned to lots or not.")
    expired = DecimalOut(help_text="Not in `on_hand`.")
    withheld = DecimalOut(help_text="Not in `on_hand`: held, quarantined, damaged, or at a place that is not sellable.")
    available = DecimalOut(help_text="Below zero where more is promised than is there.")


class AvailabilitySerializer(serializers.Serializer[Any]):
    """What can be promised of an item now, in its stock unit."""

    item = TextOut()
    item_id = IdOut()
    unit = TextOut()
    on_hand = DecimalOut()
    reserved = DecimalOut()
    available = DecimalOut(help_text="Over all sites; what one lacks is not taken from another.")
    shortage = DecimalOut(help_text="Zero or less: promised at sites that do not have it. Not part of `available`.")
    newest_movement = IdOut(allow_null=True, help_text="The newest movement these figures contain.")
    sites = SourceAvailabilitySerializer(many=True, read_only=True)


# --- Places and lots --------------------------------------------------------------------------------------------------


class LocationSerializer(serializers.Serializer[Any]):
    """One place that can hold stock: a site, an area or a bin."""

    id = IdOut()
    code = TextOut()
    name = TextOut()
    parent_id = IdOut(allow_null=True)
    depth = IdOut(help_text="0 for a site.")
    site_id = IdOut()
    kind = ChoiceOut(LocationKind.choices)
    is_sellable = FlagOut()
    is_blocked = FlagOut()
    is_active = FlagOut()
    owner = TextOut(help_text="Whose goods stand here; empty: ours.")
    freshness_hours = IdOut(allow_null=True, help_text="Figures that are older are stale; null: they never are.")
    stock_as_of = MomentOut(allow_null=True, help_text="When figures of a place others run were last confirmed.")


class ChildLocations(Described):
    """The locations below, each with those below it."""

    described: Schema = {"type": "array", "items": {"$ref": "#/components/schemas/LocationNode"}}

    def to_representation(self, value: Any) -> Any:
        return value


class LocationNodeSerializer(LocationSerializer):
    """A location with everything below it."""

    children = ChildLocations(read_only=True, default=[])


class LocationInputSerializer(Body):
    code = Text(length_max=64)
    name = Text(length_max=200)
    parent = location_reference(required=False, allow_null=True)  # type: ignore[assignment]
    kind = Choice(LocationKind.choices, required=False)
    is_sellable = Flag(required=False)
    is_blocked = Flag(required=False)
    is_active = Flag(required=False)
    owner = optional_text(100, help_text="Whose goods stand here; empty: ours.")
    freshness_hours = Whole(
        minimum=1,
        required=False,
        allow_null=True,
        help_text="Figures that are older are stale; null: they never are.",
    )


class LotSerializer(serializers.Serializer[Any]):
    """A batch of one item, or one piece of a serial item. The empty code is the implicit lot of an untracked item."""

    id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    code = TextOut()
    received_on = DayOut()
    expires_on = DayOut(allow_null=True, help_text="Last day of use.")
    supplier_lot = TextOut()
    owner = TextOut(help_text="Whose goods they are; empty: those of the place.")
    note = TextOut()


class LotChangeInputSerializer(Body):
    """What is known of a lot beside where it is."""

    expires_on = Day(required=False, allow_null=True, help_text="Last day of use.")
    supplier_lot = optional_text(64)
    owner = optional_text(100, help_text="Whose goods they are; empty: those of the place.")
    note = optional_text(250)


# --- Ledger -----------------------------------------------------------------------------------------------------------


class StockSerializer(serializers.Serializer[Any]):
    """What one cell (item, location, lot, status) holds now, in the item's stock unit."""

    id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    unit = TextOut(source="item.stock_unit")
    location = TextOut(source="location.code")
    location_id = IdOut()
    lot = TextOut(source="lot.code")
    lot_id = IdOut()
    expires_on = DayOut(source="lot.expires_on", allow_null=True)
    status = ChoiceOut(StockStatus.choices)
    quantity = DecimalOut()
    reserved = DecimalOut(help_text="Pinned to demands.")


class MovementSerializer(serializers.Serializer[Any]):
    """One signed change of stock: positive into the cell, negative out of it."""

    id = IdOut()
    posting_id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    location = TextOut(source="location.code")
    location_id = IdOut()
    lot = TextOut(source="lot.code")
    lot_id = IdOut()
    status = ChoiceOut(StockStatus.choices)
    quantity = DecimalOut(help_text="Signed, in the item's stock unit.")
    value = DecimalOut(allow_null=True, help_text="Signed, in base currency; null when the cost is not known.")
    effective_at = MomentOut()
    recorded_at = MomentOut()


class LedgerRowSerializer(MovementSerializer):
    """A movement with what its posting says of it."""

    kind = ChoiceOut(PostingKind.choices, source="posting.kind")
    reference = TextOut(source="posting.reference")
    reason = TextOut(source="posting.reason")
    note = TextOut(source="posting.note")
    demand_kind = TextOut(source="posting.demand_kind", help_text="What it was shipped or issued for; empty: not said.")
    demand_ref = TextOut(source="posting.demand_ref", help_text="Its number.")
    actor = TextOut(source="posting.actor.username", allow_null=True, default=None, help_text="null: the system.")


class PostingSerializer(serializers.Serializer[Any]):
    """One business fact about stock with everything it moved."""

    id = IdOut()
    key = TextOut(help_text="The idempotency key of the request that made it.")
    kind = ChoiceOut(PostingKind.choices)
    reference = TextOut()
    reason = TextOut()
    note = TextOut()
    demand_kind = TextOut(help_text="What the goods were shipped or issued for; empty when nothing was named.")
    demand_ref = TextOut(help_text="Its number.")
    actor = TextOut(source="actor.username", allow_null=True, default=None)
    reverses_id = IdOut(allow_null=True)
    related_id = IdOut(allow_null=True, help_text="What it follows from: the shipment that came back, the receipt ...")
    reversed_by = IdsOut(source="reversals.all")
    effective_at = MomentOut(help_text="When it happened.")
    recorded_at = MomentOut(help_text="When we learned of it.")
    movements = MovementSerializer(many=True, read_only=True)


class ReverseSerializer(Body):
    reason = optional_text(100)


# --- Stock operations -------------------------------------------------------------------------------------------------


class Timed(Body):
    note = optional_text(500)
    effective_at = Moment(
        required=False, allow_null=True, default=None, help_text="When it happened; now when left out."
    )


class LotQuantitySerializer(Body):
    """A hand-picked lot and how much of it, in the unit of the line."""

    lot = lot_reference()
    quantity = Quantity()


class ReceiptLineSerializer(Body):
    """One received quantity. `value` is what all of it cost; leave it out when that is not known yet."""

    item = item_reference()
    location = location_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    value = Money(required=False, allow_null=True, default=None)
    lot = optional_text(64, help_text="Code of the lot, made when it is new. Required for tracked items.")
    expires_on = Day(required=False, allow_null=True, default=None)
    supplier_lot = optional_text(64)
    status = Choice(
        StockStatus.choices, required=False, default="", help_text="Left out: QC hold if the item needs inspection."
    )


class ReceiptSerializer(Timed):
    """Goods come in, all lines or none."""

    lines = lines_of(ReceiptLineSerializer, allow_empty=False)
    reference = optional_text(100)


class Picked(Timed):
    """Stock that leaves a place; without `lots` the earliest expiry goes first, then the oldest."""

    item = item_reference()
    location = location_reference(help_text="Everything below it counts too.")
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    lots = lines_of(LotQuantitySerializer, required=False, default=list)


class IssueSerializer(Picked):
    """Goods leave to a use."""

    reference = optional_text(100)
    reason = optional_text(100, help_text="Required for lots out of order or expired, and for stock below zero.")
    demand_kind = optional_text(24, help_text="With `demand_ref`: use what is pinned to this demand first.")
    demand_ref = optional_text(64)
    may_go_below = Flag(
        required=False,
        default=False,
        help_text="An item that allows it may go below zero; needs a privilege and a reason.",
    )
    use_expired = Flag(
        required=False,
        default=False,
        help_text="The named lots may be past their last day; needs a privilege and a reason.",
    )


class ScrapSerializer(Picked):
    """Goods are written off at their present cost. Tracked items must name their lots."""

    reason = Text(length_max=100)
    status = Choice(StockStatus.choices, required=False, default=StockStatus.AVAILABLE.value)


class TransferSerializer(Timed):
    """Goods change their place; lots, status and value stay."""

    item = item_reference()
    source = location_reference(help_text="Everything below it counts too.")  # type: ignore[assignment]
    target = location_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    status = Choice(StockStatus.choices, required=False, default=StockStatus.AVAILABLE.value)
    lots = lines_of(LotQuantitySerializer, required=False, default=list)
    reference = optional_text(100)


class StatusChangeSerializer(Picked):
    """Stock changes its status: held, quarantined, damaged, or released to available."""

    from_status = Choice(StockStatus.choices)
    to_status = Choice(StockStatus.choices)
    reason = optional_text(100, help_text="Required when something leaves available stock.")


class AdjustmentSerializer(Timed):
    """The book is raised or lowered by a signed quantity."""

    item = item_reference()
    location = location_reference()
    quantity = DecimalIn(
        signed=True, help_text="The difference: positive for what was found, negative for what is missing."
    )
    unit = optional_text(32, help_text=UNIT_HELP)
    reason = Text(length_max=100)
    status = Choice(StockStatus.choices, required=False, default=StockStatus.AVAILABLE.value)
    lot = optional_text(64, help_text="Lot that was found.")
    expires_on = Day(required=False, allow_null=True, default=None)
    lots = lines_of(LotQuantitySerializer, required=False, default=list, help_text="Lots that are missing.")
    value = Money(
        required=False, allow_null=True, default=None, help_text="Of what was found; the average when left out."
    )
    reference = optional_text(100)


class CostCorrectionSerializer(Body):
    """What is on hand is worth another unit cost from now on."""

    item = item_reference()
    unit_cost = Money(help_text="Base currency per stock unit.")
    reason = Text(length_max=100)
    note = optional_text(250)


# --- Reservations -----------------------------------------------------------------------------------------------------


class ReservationSerializer(serializers.Serializer[Any]):
    """A quantity of an item promised to one demand. With a lot it is pinned: nobody else can take it."""

    id = IdOut()
    item = TextOut(source="item.sku")
    item_id = IdOut()
    location = TextOut(source="location.code")
    location_id = IdOut()
    lot = TextOut(source="lot.code", allow_null=True, default=None)
    lot_id = IdOut(allow_null=True)
    quantity = DecimalOut(help_text="Still promised, in the stock unit.")
    demand_kind = TextOut()
    demand_ref = TextOut()
    rank = IdOut(help_text="Lower is served first.")
    expires_at = MomentOut(allow_null=True)
    created_at = MomentOut()


class ReservedSerializer(serializers.Serializer[Any]):
    """What was promised, and what was not because it is not free."""

    quantity = DecimalOut()
    missing = DecimalOut()
    reservations = ReservationSerializer(many=True, read_only=True)


class ReserveSerializer(Body):
    item = item_reference()
    location = location_reference()
    quantity = Quantity()
    unit = optional_text(32, help_text=UNIT_HELP)
    demand_kind = Text(length_max=24, help_text="What needs it, in a word: order, project, ...")
    demand_ref = Text(length_max=64, help_text="Which one.")
    is_pinned = Flag(required=False, default=False, help_text="Promise real lots at real places.")
    lots = lines_of(LotQuantitySerializer, required=False, default=list)
    is_partial = Flag(required=False, default=False, help_text="Promise what is free when not all of it is.")
    rank = Whole(minimum=-RANK_MAX, maximum=RANK_MAX, required=False, default=0)
    expires_at = Moment(required=False, allow_null=True, default=None)


class ReleaseSerializer(Body):
    """Let go of everything a demand still holds, of one item or of all."""

    demand_kind = Text(length_max=24)
    demand_ref = Text(length_max=64)
    item = item_reference(required=False, allow_null=True, default=None)
    reason = Text(length_max=100)


class ReleasedSerializer(serializers.Serializer[Any]):
    quantity = DecimalOut(help_text="Summed over items.")


def quantity_text(value: Decimal | None) -> str | None:
    """A quantity or value in an answer that is put together by hand."""
    return None if value is None else as_text(value)
