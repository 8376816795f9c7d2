"""Checks of arguments that several operations share. All of them are made before anything is locked."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from django.db import connection
from django.utils import timezone

from inventory.errors import (
    BackdatingNotAllowed,
    InvalidQuantityStep,
    ItemInactive,
    LocationBlocked,
    PeriodLocked,
    PhantomNotStocked,
)
from inventory.models import Item, ItemUnit, Location, LocationKind, StockTransfer, TransferState
from inventory.operations.posting import Actor
from inventory.quantities import as_text, check_step, to_decimal
from inventory.units import unit_factor

NAMED_MAX = 3
"""Transfers that a refusal names."""
PERIOD_LOCK = 7_301_957
"""Advisory lock: shared by postings with an earlier date, exclusive for closing a period."""


def check_item(item: Item) -> None:
    """Refuse an item that cannot hold stock or is inactive."""
    if not item.is_stocked:
        raise PhantomNotStocked(
            f"{item.sku} is a {item.get_kind_display().lower()}; it never holds stock. Use its components instead.",
            item=item.sku,
        )
    if not item.is_active:
        raise ItemInactive(f"{item.sku} is inactive. Set it active again before moving it.", item=item.sku)


def check_location(location: Location) -> None:
    """Refuse a location that is inactive or where goods on the road stand: nothing is put there but by its transfer."""
    check_active(location)
    check_source(location)


def check_source(location: Location) -> None:
    """Refuse to take from where goods on the road stand: their transfer would look for them there for ever."""
    if location.kind != LocationKind.IN_TRANSIT:
        return
    under_way = StockTransfer.objects.filter(transit=location, state=TransferState.IN_TRANSIT).order_by("pk")
    numbers = list(under_way.values_list("number", flat=True)[: NAMED_MAX + 1])
    named = ", ".join(numbers[:NAMED_MAX]) + (" and others" if len(numbers) > NAMED_MAX else "")
    raise LocationBlocked(
        f"{location.code} is where goods on the road stand"
        + (f", now those of {named}. Receive them, book them as lost or bring them back there." if named else ".")
        + " Choose another location.",
        location=location.code,
        transfers=numbers[:NAMED_MAX],
    )


def check_active(location: Location) -> None:
    """Refuse an inactive location."""
    if not location.is_active:
        raise LocationBlocked(
            f"{location.code} is inactive and takes no stock. Choose another location or set it active again.",
            location=location.code,
        )


def check_quantity(item: Item, quantity: Decimal) -> Decimal:
    """A positive quantity in the stock unit that is a multiple of the item's step; see quantities.check_step."""
    return check_step(quantity=quantity, step=item.step, sku=item.sku, unit=item.stock_unit)


def packs_of(item: Item) -> Mapping[str, Fraction]:
    """The item's own units in lower case, each in stock units."""
    return {
        unit.name.casefold(): Fraction(unit.numerator) / Fraction(unit.denominator)
        for unit in ItemUnit.objects.filter(item=item)
    }


def to_stock_unit(item: Item, quantity: Decimal, unit: str, *, packs: Mapping[str, Fraction] | None = None) -> Decimal:
    """A typed quantity in the item's stock unit, converted exactly. `packs` are the item's own units when already read.

    Raises InvalidUnit, or InvalidQuantityStep when the result is not a multiple of the item's step.
    """
    if not unit or unit.casefold() == item.stock_unit.casefold():
        return quantity
    packs = packs_of(item) if packs is None else packs
    factor = unit_factor(unit=unit, stock_unit=item.stock_unit, packs=packs, sku=item.sku)
    exact = Fraction(quantity) * factor
    if (exact / Fraction(item.step)).denominator != 1:
        raise InvalidQuantityStep(
            f"{as_text(quantity)} {unit} of {item.sku} is {float(exact):.6g} {item.stock_unit}, which is not a multiple of "
            f"its step {as_text(item.step)} {item.stock_unit}. Give another quantity, or change the item's step.",
            item=item.sku,
            quantity=as_text(quantity),
            unit=unit,
            step=as_text(item.step),
        )
    return to_decimal(exact)


def check_effective_at(effective_at: datetime | None, *, actor: Actor) -> None:
    """Refuse a date before today from somebody without the privilege to backdate (rule S17)."""
    if effective_at is None or timezone.localdate(effective_at) >= timezone.localdate():
        return
    if actor is not None and not actor.has_perm("inventory.backdate_posting"):  # type: ignore[union-attr]
        raise BackdatingNotAllowed(
            f"{timezone.localtime(effective_at):%Y-%m-%d} is before today, and you may not backdate. "
            "Record it with today's date, or ask somebody with the privilege.",
            effective_at=effective_at.isoformat(),
        )
    refuse_closed_period(effective_at)


def refuse_closed_period(effective_at: datetime) -> None:
    """Refuse a moment in a closed period. Until the transaction ends nobody closes a period over it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [PERIOD_LOCK])
        cursor.execute(
            "SELECT through FROM inventory_periodclose WHERE reopened_at IS NULL AND ends_at >= %s"
            " ORDER BY ends_at DESC LIMIT 1",
            [effective_at],
        )
        row = cursor.fetchone()
    if row is not None:
        raise PeriodLocked(
            f"The books are closed through {row[0]}; nothing can be recorded for "
            f"{timezone.localtime(effective_at):%Y-%m-%d} any more. Use a later date, or have the period reopened.",
            effective_at=effective_at.isoformat(),
            closed_through=str(row[0]),
        )
