"""What a person reports about a completion, and what it will do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from inventory.errors import DomainError
from inventory.models import Item, Location, Lot, Posting
from inventory.quantities import ZERO
from production.facts import OutputItem
from production.models import Bom, Completion, WorkOrder
from production.planned import PlannedLine


@dataclass(frozen=True, slots=True)
class Actual:
    """What was really used of a component, in its stock unit. Lots are optional; without them the picking order decides.

    `replaces` names the component of the BOM that this one was used instead of. `scrapped` is the part of the quantity that
    was spoiled.
    """

    component: Item
    quantity: Decimal
    reason: str = ""
    lots: Sequence[tuple[Lot, Decimal]] = ()
    replaces: Item | None = None
    scrapped: Decimal = ZERO
    cause: str = ""


@dataclass(frozen=True, slots=True)
class OutputLot:
    """One lot, or one serial number, of the good quantity."""

    code: str
    quantity: Decimal
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class ByProduct:
    """What really came out of a by-product, in its stock unit; zero when nothing did."""

    item: Item
    quantity: Decimal
    location: Location | None = None
    lot_code: str = ""


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What a person reports. Either an item or a work order is given; quantities are in the item's stock unit.

    `reason` explains over-completion, deviations that have none of their own, and stock below zero. Without
    `source_location` components come from the work order's source, or from any own, unblocked place. `scrap_location` says
    where scrapped units were put, as a note: they are waste and no stock. With `output_lots` the
    good quantity is theirs together. `build_missing` makes every made component that is missing in the same transaction,
    as if all lines were flagged so. `is_confirmed` says that an unusual quantity was looked at again. `labour_minutes` and
    `machine_minutes` are what the work really took, all of it; without them it takes what the BOM says (rule S20).
    """

    good: Decimal
    item: Item | None = None
    work_order: WorkOrder | None = None
    scrapped: Decimal = ZERO
    scrap_reason: str = ""
    scrap_location: Location | None = None
    source_location: Location | None = None
    output_location: Location | None = None
    output_lot_code: str = ""
    expires_on: date | None = None
    output_lots: Sequence[OutputLot] = ()
    actuals: Sequence[Actual] = ()
    by_products: Sequence[ByProduct] = ()
    bom: Bom | None = None
    reason: str = ""
    reference: str = ""
    note: str = ""
    effective_at: datetime | None = None
    build_missing: bool = False
    may_go_below: bool = False
    is_confirmed: bool = True
    labour_minutes: Decimal | None = None
    machine_minutes: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PlannedOutput:
    """One quantity that goes into stock: a lot of the item itself, or a by-product. Value in base currency, None: unknown."""

    item_id: int
    sku: str
    stock_unit: str
    tracking: str
    location: Location
    status: str
    lot_code: str
    expires_on: date | None
    quantity: Decimal
    value: Decimal | None
    is_main: bool
    expected: Decimal = ZERO
    is_expiry_given: bool = False
    """Whether somebody said the expiry; else a lot that exists keeps its own, and a new one gets this."""


@dataclass(frozen=True, slots=True)
class PlannedWork:
    """Work of one kind that takes time: what the BOM says and what is charged. Minutes; base currency, rounded once."""

    kind: str
    planned_minutes: Decimal
    minutes: Decimal
    planned_value: Decimal
    value: Decimal
    is_entered: bool
    """Whether somebody said how long it took."""


@dataclass(slots=True)
class CompletionPlan:
    """What posting the request would do, and what stands in its way (`problems`, in the order they are refused).

    Values in base currency, None when a cost is unknown. `completable` is the largest good quantity that present stock
    allows with the same scrap; None when nothing limits it or nothing is short.
    """

    item: Item
    work_order: WorkOrder | None
    bom_id: int
    bom_version: int
    good: Decimal
    scrapped: Decimal
    scrap_reason: str
    lines: Sequence[PlannedLine]
    problems: Sequence[DomainError]
    consumed_value: Decimal | None
    output_value: Decimal | None
    source_location: Location | None
    output_location: Location
    output_lot_code: str
    output_expires_on: date | None
    output_status: str
    output_on_hand: Decimal
    completable: Decimal | None
    scrap_location: Location | None = None
    outputs: Sequence[PlannedOutput] = ()
    """Everything that goes into stock, the item itself first; empty when nothing good is made."""
    operation_costs: dict[str, Decimal] = field(default_factory=dict)
    """Labour, machines and overhead by kind."""
    work: Sequence[PlannedWork] = ()
    """Of the kinds that take time, their minutes."""
    by_product_value: Decimal | None = ZERO
    nested: Sequence["CompletionPlan"] = ()
    """Completions of missing components that are posted before this one."""
    by_products: Sequence[tuple[OutputItem, Decimal]] = ()
    """What comes out beside the item by the BOM, with the quantity that is expected of it in its stock unit."""
    substitutes: Mapping[int, Mapping[int, Decimal]] = field(default_factory=dict)
    """By component: the approved items that may replace it, in order of preference, with their ratios."""
    deviation_policy: str = ""
    deviation_tolerance_percent: Decimal = ZERO

    @property
    def operation_value(self) -> Decimal:
        return sum(self.operation_costs.values(), ZERO)

    @property
    def is_postable(self) -> bool:
        return not self.problems

    @property
    def unit_cost(self) -> Decimal | None:
        """Base currency per good unit, exact; None when unknown or when nothing good is made."""
        return None if self.output_value is None or not self.good else self.output_value / self.good


@dataclass(frozen=True, slots=True)
class CompletionResult:
    posting: Posting
    completion: Completion
    replayed: bool  # the key had already been used for this very request
    plan: CompletionPlan | None = None  # what was posted; None when replayed


def item_of(request: CompletionRequest) -> Item:
    """The item that is made; ValueError when neither an item nor a work order is given."""
    if request.work_order is not None:
        return request.work_order.item
    if request.item is None:
        raise ValueError("a completion needs an item or a work order")
    return request.item


def as_request(request: CompletionRequest) -> dict[str, object]:
    """The request in the form that its key is compared by. What is not used is left out."""
    base: dict[str, object] = {
        "item": item_of(request).pk,
        "work_order": request.work_order.pk if request.work_order else None,
        "good": request.good,
        "scrapped": request.scrapped,
        "scrap_reason": request.scrap_reason,
        "source": request.source_location.pk if request.source_location else None,
        "output": request.output_location.pk if request.output_location else None,
        "lot": request.output_lot_code,
        "expires_on": request.expires_on,
        "actuals": [_actual_as_request(actual) for actual in request.actuals],
        "bom": request.bom.pk if request.bom else None,
        "reason": request.reason,
        "reference": request.reference,
        "effective_at": request.effective_at,
    }
    if request.scrap_location is not None:
        base["scrap_location"] = request.scrap_location.pk
    if request.output_lots:
        base["lots"] = [[lot.code, lot.quantity, lot.expires_on] for lot in request.output_lots]
    if request.by_products:
        base["by_products"] = [
            [by.item.pk, by.quantity, by.location.pk if by.location else None, by.lot_code]
            for by in request.by_products
        ]
    if request.labour_minutes is not None:
        base["labour_minutes"] = request.labour_minutes
    if request.machine_minutes is not None:
        base["machine_minutes"] = request.machine_minutes
    if request.build_missing:
        base["build_missing"] = True
    if request.may_go_below:
        base["may_go_below"] = True
    return base


def _actual_as_request(actual: Actual) -> list[object]:
    plain: list[object] = [actual.component.pk, actual.quantity, actual.reason, [[lot.pk, q] for lot, q in actual.lots]]
    if actual.replaces is not None or actual.scrapped or actual.cause:
        plain += [actual.replaces.pk if actual.replaces else None, actual.scrapped, actual.cause]
    return plain
