"""Items, rules and demand of the simulator's tests, without a database."""

from datetime import UTC, datetime
from decimal import Decimal

from channels_sync.allocation import Offer, Snapshot, Term, Terms
from channels_sync.allocation.sisters import Sister
from channels_sync.simulation import Exposure, ItemCase, Order, Supply, to_parts

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SHOP, STALL = 1, 2
HOUR = 60


def units(number):
    return to_parts(Decimal(number))


def terms(**values):
    return Terms(**{name: Term(value) for name, value in values.items()})


def sister(*, channel=SHOP, listing=None, pack="1", step="1", **values):
    offer = Offer(listing or channel, "SKU", "pcs", Decimal(step), Decimal(pack), 1_000_000)
    return Sister(listing or channel, channel, offer, terms(**values), Snapshot(1, None, ()), {})


def exposure(*sisters):
    return Exposure(sisters, now=NOW, demand_days=28)


def case(*, start, orders, packs=("1", "1"), late=(0, 0), channels=(SHOP, STALL), supply=None, demand=None):
    return ItemCase(
        item_id=1,
        sku="CANDLE",
        start=units(start),
        packs=tuple(units(pack) for pack in packs),
        channels=tuple(channels)[: len(packs)],
        late=tuple(late)[: len(packs)],
        orders=[Order(*order) for order in sorted(orders)],
        supply=supply or Supply(),
        demand=demand or {},
    )
