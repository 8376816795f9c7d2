"""The whole of a BOM version as a person or a file gives it: head, lines, by-products, operations; and their checks. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from inventory.errors import DomainError, InvalidQuantity, ItemInactive
from inventory.models import Item, ItemKind
from inventory.quantities import ZERO, is_exact
from production.bom_checks import BomLineSpec, BomProblem
from production.errors import InvalidBom
from production.models import DeviationPolicy, OperationKind, OutputKind

HUNDRED = Decimal(100)
LINES_MAX = 500
MINUTES_MAX = Decimal(10**9)
NAME_CHARS_MAX = 100


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """Something else a batch yields, in the item's stock unit: with a share of the cost, or with a fixed unit value."""

    item: Item
    quantity: Decimal
    kind: str = OutputKind.BY_PRODUCT
    cost_share_percent: Decimal = ZERO
    unit_value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """Work, overhead or packaging of a batch: minutes times rate per hour, and an amount, in base currency."""

    name: str
    kind: str = OperationKind.LABOUR
    minutes: Decimal = ZERO
    setup_minutes: Decimal = ZERO
    rate_per_hour: Decimal = ZERO
    amount: Decimal = ZERO
    instructions: str = ""


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """What a version says about itself. `makes` and `capacity_per_day` are in the item's stock unit."""

    makes: Decimal = Decimal(1)
    effective_from: date | None = None
    deviation_policy: str = DeviationPolicy.REASON
    deviation_tolerance_percent: Decimal = ZERO
    process_loss_percent: Decimal = ZERO
    capacity_per_day: Decimal | None = None
    instructions: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class BomContent:
    """Everything a draft holds. Lines name their substitutes."""

    head: HeadSpec = field(default_factory=HeadSpec)
    lines: Sequence[BomLineSpec] = ()
    outputs: Sequence[OutputSpec] = ()
    operations: Sequence[OperationSpec] = ()


def check_parts(*, item: Item, content: BomContent) -> list[BomProblem]:
    """What is wrong with the head, the by-products and the operations; lines are checked by `check_lines`."""
    problems = [BomProblem(None, name, error) for name, error in _head(item, content.head)]
    for index, output in enumerate(content.outputs):
        problems += [BomProblem(index, name, error, "outputs") for name, error in _output(item, output)]
    problems += _outputs_together(item, content)
    for index, operation in enumerate(content.operations):
        problems += [BomProblem(index, name, error, "operations") for name, error in _operation(operation)]
    return problems


def _is_between(number: Decimal, low: Decimal, high: Decimal, places: int) -> bool:
    return number.is_finite() and low <= number <= high and number == round(number, places)


def _head(item: Item, head: HeadSpec) -> Iterable[tuple[str, DomainError]]:
    if not _is_between(head.deviation_tolerance_percent, ZERO, Decimal("9999.999"), 3):
        yield "deviation_tolerance_percent", _percent("tolerance", head.deviation_tolerance_percent, item)
    if not _is_between(head.process_loss_percent, ZERO, Decimal("99.999"), 3):
        yield (
            "process_loss_percent",
            InvalidQuantity(
                f"A process loss of {head.process_loss_percent} % leaves nothing of {item.sku}, or is no percentage. "
                "Give zero or more, below 100, to three decimal places.",
                item=item.sku,
            ),
        )
    capacity = head.capacity_per_day
    if capacity is not None and (not is_exact(capacity) or capacity <= ZERO):
        yield (
            "capacity_per_day",
            InvalidQuantity(
                f"A capacity of {capacity} {item.stock_unit} a day is none. Give a positive number, or leave it empty.",
                item=item.sku,
            ),
        )
    if head.deviation_policy not in DeviationPolicy.values:
        yield (
            "deviation_policy",
            InvalidBom(
                f"“{head.deviation_policy}” is no deviation policy. Choose {', '.join(DeviationPolicy.values)}.",
                item=item.sku,
            ),
        )


def _percent(what: str, given: Decimal, item: Item) -> InvalidQuantity:
    return InvalidQuantity(
        f"{given} % is no {what} for {item.sku}. Give zero or more, to three decimal places.", item=item.sku
    )


def _output(item: Item, output: OutputSpec) -> Iterable[tuple[str, DomainError]]:
    other = output.item
    if other.pk == item.pk:
        yield (
            "item",
            InvalidBom(
                f"{item.sku} is what this BOM makes and carries the rest of the cost. Name another item that comes out.",
                item=item.sku,
            ),
        )
    elif not other.is_active:
        yield (
            "item",
            ItemInactive(
                f"{other.sku} is inactive. Set it active again, or take it out of what comes out.", item=other.sku
            ),
        )
    elif other.kind in (ItemKind.PHANTOM, ItemKind.SERVICE):
        yield (
            "item",
            InvalidBom(
                f"{other.sku} is a {other.get_kind_display().lower()} and cannot come into stock. Choose a stocked item.",
                item=other.sku,
            ),
        )
    if output.kind not in OutputKind.values:
        yield (
            "kind",
            InvalidBom(f"“{output.kind}” is no kind of output. Choose {', '.join(OutputKind.values)}.", item=other.sku),
        )
    if not is_exact(output.quantity) or output.quantity <= ZERO:
        yield (
            "quantity",
            InvalidQuantity(
                f"{output.quantity} is no quantity of {other.sku}. Give a positive number, with at most six decimal places.",
                item=other.sku,
            ),
        )
    if not _is_between(output.cost_share_percent, ZERO, HUNDRED, 4):
        yield (
            "cost_share_percent",
            InvalidQuantity(
                f"{output.cost_share_percent} is no cost share of {other.sku}. Give 0 to 100, to four decimal places.",
                item=other.sku,
            ),
        )
    value = output.unit_value
    if value is not None and (not is_exact(value) or value < ZERO):
        yield (
            "unit_value",
            InvalidQuantity(
                f"{value} is no value of one {other.stock_unit} of {other.sku}. Give zero or more, or leave it empty.",
                item=other.sku,
            ),
        )
    if value is not None and output.cost_share_percent:
        yield (
            "unit_value",
            InvalidBom(f"{other.sku} has both a cost share and a fixed value. Keep one of them.", item=other.sku),
        )


def _outputs_together(item: Item, content: BomContent) -> Iterable[BomProblem]:
    seen: set[int] = set()
    for index, output in enumerate(content.outputs):
        if output.item.pk in seen:
            error = InvalidBom(
                f"{output.item.sku} comes out twice. Put both quantities on one row.", item=output.item.sku
            )
            yield BomProblem(index, "item", error, "outputs")
        seen.add(output.item.pk)
    shares = sum((o.cost_share_percent for o in content.outputs if o.cost_share_percent.is_finite()), ZERO)
    if shares > HUNDRED:
        yield BomProblem(
            len(content.outputs) - 1,
            "cost_share_percent",
            InvalidBom(
                f"The cost shares add up to {shares.normalize():f} %, and {item.sku} would carry less than nothing. "
                "Let them add up to 100 % at most.",
                item=item.sku,
            ),
            "outputs",
        )


def _operation(operation: OperationSpec) -> Iterable[tuple[str, DomainError]]:
    name = operation.name.strip()
    if not name or len(name) > NAME_CHARS_MAX:
        yield (
            "name",
            InvalidBom(
                f"An operation needs a name of at most {NAME_CHARS_MAX} characters, such as “Pour and cool”.", name=name
            ),
        )
    if operation.kind not in OperationKind.values:
        yield (
            "kind",
            InvalidBom(
                f"“{operation.kind}” is no kind of operation. Choose {', '.join(OperationKind.values)}.", name=name
            ),
        )
    for column, words in (("minutes", "minutes"), ("setup_minutes", "set-up minutes")):
        given = getattr(operation, column)
        if not _is_between(given, ZERO, MINUTES_MAX - Decimal("0.001"), 3):
            yield (
                column,
                InvalidQuantity(
                    f"{given} are no {words} of {name}. Give zero or more, to three decimal places.", name=name
                ),
            )
    for column, words in (("rate_per_hour", "rate"), ("amount", "amount")):
        given = getattr(operation, column)
        if not is_exact(given) or given < ZERO:
            yield (
                column,
                InvalidQuantity(
                    f"{given} is no {words} of {name}. Give zero or more, with at most six decimal places.", name=name
                ),
            )
