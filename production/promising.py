"""By when a quantity can be ready: from finished stock, components on hand, what is on order, and the capacity of a day. Pure.

One run begins when the last component is there and what is already planned is done, and goes on day by day at capacity.
Deliveries without a day, or whose day has passed, are named and not counted on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from inventory.quantities import ZERO, round_up
from production.contention import Shop, short_of_run, taken_by_run

DAYS_MAX = 3_650
"""Promises further away than ten years are none."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An open quantity (stock unit) of one item on an order; `day` None when nobody said."""

    item_id: int
    quantity: Decimal
    day: date | None
    reference: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """What one component needs: taken from what is free, then from `arrivals`; `ready_on` None where it is `missing`."""

    component_id: int
    need: Decimal
    free: Decimal
    promised: Decimal
    """Of it, what open work orders still need: it is not in `free`."""
    arrivals: Sequence[Arrival]
    ready_on: date | None
    missing: Decimal
    uncertain: Sequence[Arrival] = ()
    """On order without a day, or with one that has passed."""


@dataclass(frozen=True, slots=True)
class Promise:
    """The earliest day for a quantity, and why. `ready_on` is None when a component is not coming, or too far away."""

    item_id: int
    quantity: Decimal
    from_stock: Decimal
    to_make: Decimal
    materials_on: date | None
    queue: Decimal
    """Units planned before: what open work orders still make of it."""
    capacity: Decimal | None
    queue_days: int
    work_days: int
    starts_on: date | None
    ready_on: date | None
    waits: Sequence[Wait]


def promise(
    shop: Shop,
    item_id: int,
    quantity: Decimal,
    *,
    on_hand: Decimal,
    promised: Mapping[int, Decimal],
    arrivals: Sequence[Arrival],
    today: date,
    capacity: Decimal | None = None,
    queue: Decimal = ZERO,
) -> Promise:
    """The earliest day for `quantity` (stock unit). `on_hand` is free finished stock, `promised` what open work orders
    still need of each component, `capacity` units a day (None: not limited).
    """
    from_stock = min(max(on_hand, ZERO), quantity)
    to_make = round_up(Fraction(quantity - from_stock), shop.makes[item_id].step)
    if not to_make:
        return Promise(item_id, quantity, from_stock, ZERO, today, queue, capacity, 0, 0, today, today, ())
    rest = replace(shop, stock={one: shop.free(one) - promised.get(one, ZERO) for one in shop.stock})
    certain = sorted(
        (one for one in arrivals if one.day is not None and one.day >= today),
        key=lambda one: (one.day or today, one.reference),
    )
    materials_on = None
    supplied = rest
    for day in (today, *sorted({one.day for one in certain if one.day is not None and one.day > today})):
        supplied = _on(rest, certain, day)
        if not short_of_run(supplied, item_id, to_make):
            materials_on = day
            break
    uncertain = [one for one in arrivals if one.day is None or one.day < today]
    waits = _waits(supplied, rest, item_id, to_make, promised, certain, uncertain, today)
    queue_days = 0 if capacity is None else _days(queue, capacity)
    work_days = 1 if capacity is None else _days(to_make, capacity)
    starts_on = ready_on = None
    if materials_on is not None and queue_days + work_days <= DAYS_MAX:
        starts_on = max(materials_on, today + timedelta(days=queue_days))
        ready_on = starts_on + timedelta(days=work_days - 1)
    return Promise(
        item_id, quantity, from_stock, to_make, materials_on, queue, capacity, queue_days, work_days, starts_on, ready_on,
        waits,
    )  # fmt: skip


def _on(shop: Shop, arrivals: Sequence[Arrival], day: date) -> Shop:
    """The shop once everything that comes by a day is there."""
    stock = dict(shop.stock)
    for one in arrivals:
        if one.day is not None and one.day <= day:
            stock[one.item_id] = stock.get(one.item_id, ZERO) + one.quantity
    return replace(shop, stock=stock)


def _days(quantity: Decimal, capacity: Decimal) -> int:
    exact = Fraction(quantity) / Fraction(capacity)
    return -(-exact.numerator // exact.denominator)


def run_begins(*, due_on: date, quantity: Decimal, capacity: Decimal | None, lead_time_days: int | None) -> date:
    """The day a run of `quantity` has to begin to be done on `due_on`: at the capacity of a day, else by the lead time.

    Without either it takes the day itself.
    """
    days = max(lead_time_days or 1, 1) if capacity is None else _days(quantity, capacity)
    return due_on - timedelta(days=max(days, 1) - 1)


def _waits(
    supplied: Shop,
    rest: Shop,
    item_id: int,
    to_make: Decimal,
    promised: Mapping[int, Decimal],
    certain: Sequence[Arrival],
    uncertain: Sequence[Arrival],
    today: date,
) -> list[Wait]:
    """Line by line, those that come last first; a component that is partly made is listed with what stock gives of it."""
    found = []
    for component, need in taken_by_run(supplied, item_id, to_make).items():
        if need <= ZERO:
            continue
        covered, used, ready = rest.free(component), [], today
        for one in certain:
            if covered >= need:
                break
            if one.item_id == component and one.day is not None:
                covered += one.quantity
                used.append(one)
                ready = max(ready, one.day)
        missing = max(need - covered, ZERO)
        doubtful = [one for one in uncertain if one.item_id == component] if missing or ready > today else []
        found.append(
            Wait(
                component_id=component,
                need=need,
                free=rest.free(component),
                promised=promised.get(component, ZERO),
                arrivals=used,
                ready_on=None if missing else ready,
                missing=missing,
                uncertain=doubtful,
            )
        )
    found.sort(key=lambda wait: (wait.ready_on or date.max, wait.missing, wait.component_id), reverse=True)
    return found
