"""Trouble that shows by standing: stock below zero, goods that nobody takes out of quarantine, goods too long on the road."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import connection
from django.utils import timezone

from inventory.models import Item, Severity, StockTransfer
from inventory.operations.exceptions import close_settled, report_exception
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import as_text
from inventory.reads.transit import in_transit

NEGATIVE = "negative_stock"
QUARANTINE = "old_quarantine"
ON_ROAD = "old_transfer"
CASES_MAX = 500
"""Cells or transfers reported in one run. Beyond them what stands is only counted, and cases of it stay open."""
GOODS_TOLD_MAX = 3

_QUARANTINE = """
SELECT b.item_id, b.location_id, b.lot_id, b.quantity, o.code, l.code, max(m.effective_at)
FROM inventory_stockbalance b
JOIN inventory_location o ON o.id = b.location_id
JOIN inventory_lot l ON l.id = b.lot_id
JOIN inventory_movement m ON (m.item_id, m.location_id, m.lot_id) = (b.item_id, b.location_id, b.lot_id)
 AND m.status = 'quarantine' AND m.quantity > 0
WHERE b.status = 'quarantine' AND b.quantity > 0
GROUP BY 1, 2, 3, 4, 5, 6 HAVING max(m.effective_at) < %s
ORDER BY 7
"""
_NEGATIVE = """
SELECT b.item_id, sum(b.quantity), string_agg(DISTINCT o.code, ', ' ORDER BY o.code)
FROM inventory_stockbalance b JOIN inventory_location o ON o.id = b.location_id
WHERE b.negative_allowed AND b.quantity < 0
GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How many items are below zero, how many cells are long in quarantine, how many transfers are long on the road."""

    below_zero: int
    quarantined: int
    on_road: int = 0


@operation
def report_standing(*, actor: Actor = None, at: datetime | None = None) -> Standing:
    """Put all of it into the queue of exceptions, and close the cases of what is settled."""
    now = at or timezone.now()
    below = _report_below_zero(actor=actor)
    old = _report_quarantine(now, actor=actor)
    lost = _report_on_road(now, actor=actor)
    for kind, standing, resolution in (
        (NEGATIVE, below, "The stock is at zero or above again"),
        (QUARANTINE, old, "Nothing of it is long in quarantine any more"),
        (ON_ROAD, lost, "It arrived, or what is left of it was brought back"),
    ):
        close_settled(kind, standing=standing, resolution=resolution, actor=actor, cases_max=CASES_MAX)
    return Standing(below_zero=len(below), quarantined=len(old), on_road=len(lost))


def _report_below_zero(*, actor: Actor) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_NEGATIVE)
        rows: list[tuple[int, Decimal, str]] = cursor.fetchall()
    items = Item.objects.in_bulk([item_id for item_id, *_ in rows[:CASES_MAX]])
    for item_id, quantity, places in rows[:CASES_MAX]:
        item = items[item_id]
        report_exception(
            kind=NEGATIVE,
            area="stock",
            severity=Severity.HIGH,
            fingerprint=_below_zero(item_id),
            title=f"{item.sku} is below zero",
            reason=f"{as_text(quantity)} {item.stock_unit} at {places}. It was used before it was received or counted.",
            evidence={"item": item.sku, "quantity": as_text(quantity), "places": places},
            subject=item.sku,
            url=f"/stock/items/{item_id}/",
            action="Receive it",
            action_url=f"/stock/receive/?item={item.sku}",
            actor=actor,
        )
    return {_below_zero(item_id) for item_id, *_ in rows}


def _below_zero(item_id: int) -> str:
    return f"{NEGATIVE}:{item_id}"


def _report_quarantine(now: datetime, *, actor: Actor) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_QUARANTINE, [now - timedelta(days=settings.QUARANTINE_DAYS_MAX)])
        rows: list[tuple[int, int, int, Decimal, str, str, datetime]] = cursor.fetchall()
    items = Item.objects.in_bulk([item_id for item_id, *_ in rows[:CASES_MAX]])
    for item_id, location_id, lot_id, quantity, place, lot, since in rows[:CASES_MAX]:
        item = items[item_id]
        days = (now - since).days
        what = f"{item.sku} lot {lot}" if lot else item.sku
        report_exception(
            kind=QUARANTINE,
            area="stock",
            severity=Severity.NORMAL,
            fingerprint=_in_quarantine(item_id, location_id, lot_id),
            title=f"{what} is in quarantine for {days} days",
            reason=f"{as_text(quantity)} {item.stock_unit} at {place}; nothing came to it since. More than "
            f"{settings.QUARANTINE_DAYS_MAX} days are too long: release it, scrap it, or send it back.",
            evidence={"item": item.sku, "lot": lot, "location": place, "quantity": as_text(quantity), "days": days},
            subject=what,
            url=f"/stock/lots/{lot_id}/" if lot else f"/stock/items/{item_id}/",
            action="Decide",
            action_url=f"/stock/status/?item={item.sku}&location={place}",
            actor=actor,
        )
    return {_in_quarantine(*cell) for *cell, _, _, _, _ in rows}


def _in_quarantine(item_id: int, location_id: int, lot_id: int) -> str:
    return f"{QUARANTINE}:{item_id}:{location_id}:{lot_id}"


def _report_on_road(now: datetime, *, actor: Actor) -> set[str]:
    old = [one for one in in_transit(at=now) if one.is_old]
    for way in old[:CASES_MAX]:
        transfer = way.transfer
        goods = ", ".join(
            f"{as_text(line.quantity - line.received - line.lost)} {line.item.stock_unit} of {line.item.sku}"
            for line in way.lines[:GOODS_TOLD_MAX]
        )
        more = len(way.lines) - GOODS_TOLD_MAX
        report_exception(
            kind=ON_ROAD,
            area="stock",
            severity=Severity.NORMAL,
            fingerprint=_on_road(transfer),
            title=f"{transfer.number} was expected {way.days_late} days ago"
            if way.days_late
            else f"{transfer.number} is on the road for {way.age_days} days",
            reason=f"{goods}{f' and {more} more' if more > 0 else ''} left {transfer.source.code} for {transfer.target.code} "
            f"and did not arrive. That is {way.too_long}: receive it, say what was lost, or bring it back. Until then it is "
            "available nowhere.",
            evidence={
                "transfer": transfer.number,
                "from": transfer.source.code,
                "to": transfer.target.code,
                "days": way.age_days,
                "days_late": way.days_late,
            },
            subject=transfer.number,
            url=f"/stock/transfers/{transfer.number}/",
            action="Receive it",
            action_url=f"/stock/transfers/{transfer.number}/",
            actor=actor,
        )
    return {_on_road(one.transfer) for one in old}


def _on_road(transfer: StockTransfer) -> str:
    return f"{ON_ROAD}:{transfer.pk}"
