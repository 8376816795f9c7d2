"""What a completion puts into stock: lots of the item itself, by-products, and the value each of them carries."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from django.conf import settings

from inventory.errors import DomainError, DuplicateSerial, InvalidQuantity
from inventory.models import CostEntryKind, Item, Location, StockStatus, Tracking
from inventory.operations.checking import check_location
from inventory.operations.lots import check_lot_code
from inventory.quantities import ZERO, as_text, check_step, round_half_up, share_out, total_of
from production.explosion import OutputFact, Time, by_product_values, operation_costs, operation_times
from production.facts import OutputItem, Recipe
from production.models import OperationKind
from production.operations.completing.requests import CompletionRequest, PlannedOutput, PlannedWork, item_of
from production.output_lots import read_serials
from production.ran import Ran

OPERATION_ENTRIES = {
    OperationKind.LABOUR: CostEntryKind.LABOUR,
    OperationKind.MACHINE: CostEntryKind.MACHINE,
    OperationKind.OVERHEAD: CostEntryKind.OVERHEAD,
    OperationKind.PACKAGING: CostEntryKind.PACKAGING,
}
"""Cost entries of what goes into the output beside components."""


MINUTES_MAX = Decimal(1_000_000)
MINUTES_STEP = Decimal("0.01")


def operations_of(
    request: CompletionRequest, recipe: Recipe, *, ran: Ran, started: Decimal, problems: list[DomainError]
) -> tuple[dict[str, Decimal], list[PlannedWork]]:
    """Labour, machines and overhead of this completion by kind, each rounded once, in base currency (rule S20), and the minutes
    of what takes time: as entered at the rate the BOM pays on average, else as planned."""
    extras = recipe.extras
    operations = () if extras is None else extras.operations
    uses = () if extras is None else extras.uses
    exact = operation_costs(operations, uses, started=started, set_up=1 - ran.set_up) if operations else {}
    work = []
    entered = {OperationKind.LABOUR: request.labour_minutes, OperationKind.MACHINE: request.machine_minutes}
    if operations or any(minutes is not None for minutes in entered.values()):
        times = operation_times(operations, uses, started=started, set_up=1 - ran.set_up)
        for kind, minutes in entered.items():
            if minutes is None and kind not in times:
                continue
            if minutes is not None and kind not in times:
                problems.append(_no_rate(kind, minutes))
                continue
            value = times[kind].cost
            if minutes is not None:
                known = times[kind]
                if not known.minutes:  # all that is planned is done: the rate is that of a run with its set-up
                    known = operation_times(operations, uses, started=started, set_up=Fraction(1))[kind]
                value = known.cost / known.minutes * Fraction(minutes) if known.minutes else Fraction(0)
                exact[kind] += value - times[kind].cost
            work.append(_work(kind, minutes, times[kind], value))
    rounded = {kind: round_half_up(cost, settings.CURRENCY_STEP) for kind, cost in exact.items()}
    return {kind: cost for kind, cost in rounded.items() if cost}, work


def _work(kind: OperationKind, minutes: Decimal | None, planned: Time, value: Fraction) -> PlannedWork:
    usual = round_half_up(planned.minutes, MINUTES_STEP)
    return PlannedWork(
        kind=kind.value,
        planned_minutes=usual,
        minutes=usual if minutes is None else minutes,
        planned_value=round_half_up(planned.cost, settings.CURRENCY_STEP),
        value=round_half_up(value, settings.CURRENCY_STEP),
        is_entered=minutes is not None,
    )


def _no_rate(kind: OperationKind, minutes: Decimal) -> InvalidQuantity:
    word = kind.label.lower()
    return InvalidQuantity(
        f"{as_text(minutes)} minutes of {word} were given, and the BOM has no {word} with a time and a rate. Add it to the BOM, "
        "or leave the minutes out.",
        kind=kind.value,
    )


def plan_outputs(
    request: CompletionRequest,
    recipe: Recipe,
    *,
    target: Location,
    total: Decimal | None,
    ran: Ran,
    on: date,
    posting_id: int | None,
) -> tuple[list[PlannedOutput], Decimal | None, list[DomainError]]:
    """Everything that comes in, what by-products carry of `total` together, and what is wrong with what was reported.

    Without a good unit the whole cost is an expense and by-products come in at nothing (rule S9).
    """
    problems: list[DomainError] = []
    others = _by_products(request, recipe, ran=ran, problems=problems)
    values: list[Decimal | None] = [ZERO] * len(others)
    if request.good:
        values = by_product_values(total, [(fact, q) for fact, q, _, _ in others], step=settings.CURRENCY_STEP)
    carried = total_of(values)
    planned = []
    if request.good:
        rest = None if total is None or carried is None else total - carried
        planned = _main_outputs(request, target=target, value=rest, on=on, posting_id=posting_id)
    for (fact, quantity, item, place), value in zip(others, values, strict=True):
        if not quantity:
            continue
        expected = _expected(fact, item, ran=ran, started=request.good + request.scrapped)
        for lot_code, part, worth in _parts_of(request, item, quantity, value, on, posting_id, problems):
            planned.append(
                PlannedOutput(
                    item_id=item.id,
                    sku=item.sku,
                    stock_unit=item.stock_unit,
                    tracking=item.tracking,
                    location=place or target,
                    status=_arrival(item.inspection_required),
                    lot_code=lot_code,
                    expires_on=_expiry(item.tracking, item.shelf_life_days, on=on),
                    quantity=part,
                    value=worth,
                    is_main=False,
                    expected=expected,
                )
            )
            expected = ZERO  # of several pieces the first says what was expected of all
    return planned, carried, problems


def expected_by_products(recipe: Recipe, *, ran: Ran, started: Decimal) -> list[tuple[OutputItem, Decimal]]:
    """What the BOM says comes out beside the item itself, with what is expected of it, in its stock unit."""
    extras = recipe.extras
    found = []
    for fact in extras.outputs if extras is not None else ():
        assert extras is not None
        item = extras.output_items[fact.item_id]
        found.append((item, _expected(fact, item, ran=ran, started=started)))
    return found


def _expected(fact: OutputFact, item: OutputItem, *, ran: Ran, started: Decimal) -> Decimal:
    booked = ran.booked.get(fact.item_id, ZERO)
    return fact.expected(started_after=ran.started + started, booked=booked, step=item.step)


def _arrival(inspection_required: bool) -> str:
    return str(StockStatus.QC_HOLD if inspection_required else StockStatus.AVAILABLE)


def _expiry(tracking: str, shelf_life_days: int | None, *, on: date) -> date | None:
    if tracking == Tracking.NONE or shelf_life_days is None:
        return None
    return on + timedelta(days=shelf_life_days)


def _by_products(
    request: CompletionRequest, recipe: Recipe, *, ran: Ran, problems: list[DomainError]
) -> list[tuple[OutputFact, Decimal, OutputItem, Location | None]]:
    """By-products of the BOM with what came out: as reported, else as expected."""
    extras = recipe.extras
    reported = {by.item.pk: by for by in request.by_products}
    found = []
    for fact in extras.outputs if extras is not None else ():
        assert extras is not None
        item = extras.output_items[fact.item_id]
        by = reported.pop(fact.item_id, None)
        if by is None:
            quantity = _expected(fact, item, ran=ran, started=request.good + request.scrapped)
        else:
            quantity = by.quantity
            if quantity:
                check_step(quantity=quantity, step=item.step, sku=item.sku, unit=item.stock_unit)
            if by.location is not None:
                check_location(by.location)
        found.append((fact, quantity, item, by.location if by else None))
    problems.extend(
        InvalidQuantity(
            f"{by.item.sku} is no by-product of this BOM. Add it to the BOM, or receive it by itself.", item=by.item.sku
        )
        for by in reported.values()
    )
    return found


def _parts_of(
    request: CompletionRequest,
    item: OutputItem,
    quantity: Decimal,
    value: Decimal | None,
    on: date,
    posting_id: int | None,
    problems: list[DomainError],
) -> list[tuple[str, Decimal, Decimal | None]]:
    """The lots a by-product goes into, with quantity and value of each: one, or as many serial numbers as there are pieces."""
    if item.tracking == Tracking.NONE:
        return [("", quantity, value)]
    given = next((by.lot_code.strip() for by in request.by_products if by.item.pk == item.id), "")
    automatic = automatic_lot_code(on=on, posting_id=posting_id)
    if item.tracking != Tracking.SERIAL:
        return [(given or automatic, quantity, value)]
    pieces = int(quantity)
    codes = read_serials(given.replace(",", "\n").replace(";", "\n"))
    if not codes:
        codes = [automatic] if pieces == 1 else [f"{automatic}-{number}" for number in range(1, pieces + 1)]
    if len({code.upper() for code in codes}) != pieces:
        problems.append(
            DuplicateSerial(
                f"{as_text(quantity)} {item.stock_unit} of {item.sku} came out and {len(codes)} serial numbers are given. Name "
                "each piece once, or none to have them numbered.",
                item=item.sku,
                given=len(codes),
                needed=as_text(quantity),
            )
        )
        return []
    ones = [Decimal(1)] * pieces
    values = [None] * pieces if value is None else share_out(value, ones, step=settings.CURRENCY_STEP)
    return list(zip(codes, ones, values, strict=True))


def automatic_lot_code(*, on: date, posting_id: int | None) -> str:
    """The day and the number of the posting."""
    return f"{_day_code(on)}-{posting_id if posting_id is not None else 'new'}"


@lru_cache(maxsize=64)
def _day_code(on: date) -> str:
    return f"{on:%y%m%d}"


def _main_outputs(
    request: CompletionRequest, *, target: Location, value: Decimal | None, on: date, posting_id: int | None
) -> list[PlannedOutput]:
    """The good quantity by lots; its value is shared out by quantity."""
    item = item_of(request)
    lots: Sequence[tuple[str, Decimal, date | None]]
    if request.output_lots:
        lots = [(lot.code.strip(), lot.quantity, lot.expires_on or request.expires_on) for lot in request.output_lots]
    else:
        lots = [(output_lot_code(request, item, on=on, posting_id=posting_id), request.good, request.expires_on)]
    if value is None or len(lots) == 1:
        values: Sequence[Decimal | None] = [value] * len(lots)
    else:
        values = share_out(value, [quantity for _, quantity, _ in lots], step=settings.CURRENCY_STEP)
    return [
        PlannedOutput(
            item_id=item.pk,
            sku=item.sku,
            stock_unit=item.stock_unit,
            tracking=item.tracking,
            location=target,
            status=_arrival(item.inspection_required),
            lot_code=code,
            expires_on=output_expiry(item, expires_on, on=on),
            quantity=quantity,
            value=worth,
            is_main=True,
            is_expiry_given=expires_on is not None,
        )
        for (code, quantity, expires_on), worth in zip(lots, values, strict=True)
    ]


def output_lot_code(request: CompletionRequest, item: Item, *, on: date, posting_id: int | None) -> str:
    """The lot the output goes into: as given, or the day and the number of the posting; empty for untracked items."""
    if item.tracking == Tracking.NONE or not request.good:
        return check_lot_code(item, request.output_lot_code, request.good) if request.output_lot_code else ""
    if request.output_lots:
        return request.output_lots[0].code.strip()
    automatic = automatic_lot_code(on=on, posting_id=posting_id)
    return check_lot_code(item, request.output_lot_code or automatic, request.good)


def output_expiry(item: Item, given: date | None, *, on: date) -> date | None:
    """What a new lot of the output gets: the day that was given, else the shelf life counted from the completion."""
    if given is not None and item.tracking != Tracking.NONE:
        return given
    return _expiry(item.tracking, item.shelf_life_days, on=on)
