"""Recording what was sold: per item, channel and day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from channels_sync.allocation.terms import BY_DEMAND, DEMAND
from channels_sync.models import AllocationPolicy, Channel
from channels_sync.operations.recomputing import tell_items_changed
from inventory.arrays import days, numbers
from inventory.errors import InvalidQuantity
from inventory.models import Item
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, is_exact


@dataclass(frozen=True, slots=True)
class DaySold:
    """`quantity` stock units of `item` sold on `channel` on one day."""

    channel: Channel
    item: Item
    day: date
    quantity: Decimal
    unit_price: Decimal | None = None
    """Average price of a stock unit, base currency, where it is known."""


@dataclass(frozen=True, slots=True)
class DemandResult:
    recorded: int  # days that are new or differ


@operation
def record_demand(*, rows: Sequence[DaySold], source: str = "") -> DemandResult:
    """Record the demand of whole days; a day that is known already gets the new figure. The same again changes nothing.

    The number of statements does not depend on the number of rows. Raises InvalidQuantity for a negative or inexact figure
    and for a day that has not come yet.
    """
    today = timezone.localdate()
    for row in rows:
        if row.quantity < ZERO or not is_exact(row.quantity):
            raise InvalidQuantity(
                f"{row.quantity} of {row.item} were sold on {row.day}? Give 0 or more with at most six decimal places.",
                item=row.item.sku,
                quantity=str(row.quantity),
            )
        if row.day > today:
            raise InvalidQuantity(f"{row.day} has not come yet. Give a day up to {today}.", item=row.item.sku)
    wanted = {(row.item.pk, row.channel.pk, row.day): row for row in rows}
    if not wanted:
        return DemandResult(0)
    keys = sorted(wanted)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO channels_sync_channeldemand AS d (item_id, channel_id, day, quantity, unit_price, source, recorded_at)"
            " SELECT u.item_id, u.channel_id, u.day, u.quantity, u.unit_price, %s, clock_timestamp()"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::numeric[], %s::numeric[])"
            " AS u(item_id, channel_id, day, quantity, unit_price)"
            " ON CONFLICT (item_id, channel_id, day) DO UPDATE SET quantity = excluded.quantity, source = excluded.source,"
            " unit_price = coalesce(excluded.unit_price, d.unit_price), recorded_at = excluded.recorded_at"
            " WHERE d.quantity <> excluded.quantity OR d.unit_price IS DISTINCT FROM coalesce(excluded.unit_price, d.unit_price)"
            " RETURNING item_id",
            [
                source[:100],
                numbers(item for item, _, _ in keys),
                numbers(channel for _, channel, _ in keys),
                days(day for _, _, day in keys),
                numbers(wanted[key].quantity for key in keys),
                numbers(wanted[key].unit_price for key in keys),
            ],
        )
        changed = [item_id for (item_id,) in cursor.fetchall()]
    if changed and _demand_has_a_say():
        tell_items_changed(items=set(changed), cause="demand")
    return DemandResult(len(changed))


def _demand_has_a_say() -> bool:
    open_rules = AllocationPolicy.objects.filter(Q(effective_to__isnull=True) | Q(effective_to__gt=timezone.now()))
    return open_rules.filter(
        Q(buffer_days__gt=0) | Q(scarce_days__gt=0) | Q(sharing=DEMAND) | Q(building=BY_DEMAND)
    ).exists()
