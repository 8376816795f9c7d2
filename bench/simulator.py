"""The simulator on a year of real orders: how long a comparison of two sets of rules takes, and what it says."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bench.orders import COVER_DAYS, DAYS, LEAD_DAYS, MARKET, SHOP, WHOLE, cases, order_lines
from channels_sync.allocation import Offer, Snapshot, Term, Terms
from channels_sync.allocation.sisters import Sister
from channels_sync.reads.layers import DEMAND_DAYS
from channels_sync.simulation import Exposures, ItemCase, Tally, replay

NOW = datetime(2010, 12, 1, 9, tzinfo=UTC)
ASSUMED = (
    "Assumed, since the data do not say it: lines of invoices whose number ends in 0 to 6 were sold by the shop, the others by "
    f"the marketplace; stock comes {LEAD_DAYS} days after it was ordered and covers {COVER_DAYS} days of average demand."
)
Rules = Mapping[int, Terms]
PRESENT: Rules = {SHOP: Terms(), MARKET: Terms()}
"""Everybody sees everything."""
PROPOSED: Rules = {SHOP: Terms(), MARKET: Terms(percent=Term(Decimal(80)), buffer=Term(Decimal(12)))}
"""Twelve are kept back from the marketplace, and of the rest it sees 80 %."""
BY_DEMAND: Rules = {SHOP: Terms(), MARKET: Terms(buffer_days=Term(Decimal(3)))}
"""The marketplace leaves three days of its own recent demand: that is worked out anew each day."""


def compare(items: Sequence[ItemCase], *sides: Rules, days: int = DAYS) -> list[Tally]:
    """Replay the same items under each set of rules."""
    tallies = []
    for rules in sides:
        book, tally = Exposures(now=NOW, demand_days=DEMAND_DAYS), Tally(days)
        for item in items:
            tally.add(item, replay(item, book.of(_sisters(item, rules)), days=days, demand_days=DEMAND_DAYS))
        tallies.append(tally)
    return tallies


def _sisters(item: ItemCase, rules: Rules) -> list[Sister]:
    return [
        Sister(
            listing_id=channel,
            channel_id=channel,
            offer=Offer(channel, item.sku, "pcs", Decimal(1), Decimal(1), 1_000_000_000),
            terms=rules[channel],
            snapshot=Snapshot(item.item_id, None, ()),
            pools={},
        )
        for channel in item.channels
    ]


def measure_simulator(*, excerpt: bool = False) -> dict[str, Any]:
    """Seconds for reading the orders and for two comparisons, with their figures."""
    began = time.perf_counter()
    items = cases(order_lines(excerpt=excerpt))
    read, cpu = time.perf_counter(), time.process_time()
    present, proposed = compare(items, PRESENT, PROPOSED)
    compared = time.perf_counter()
    cpu = time.process_time() - cpu
    (by_demand,) = compare(items, BY_DEMAND)
    ended = time.perf_counter()
    return {
        "data": "Online Retail II, one year" if WHOLE.is_dir() and not excerpt else "excerpt of 20 products, one year",
        "assumed": ASSUMED,
        "items": len(items),
        "order_lines": sum(len(item.orders) for item in items),
        "days": DAYS,
        "reading_s": round(read - began, 2),
        "two_rules_s": round(compared - read, 2),
        "two_rules_cpu_s": round(cpu, 2),
        "daily_rule_s": round(ended - compared, 2),
        "rows": [
            _row("everything", present),
            _row("80 % and a buffer of 12", proposed),
            _row("3 days of demand kept back", by_demand),
        ],
    }


def _row(name: str, tally: Tally) -> dict[str, Any]:
    totals = tally.to_json()["totals"]
    names = ("demanded", "sold", "lost", "oversold", "out_days", "exposure")
    return {"rules of the marketplace": name, **{key: totals[key] for key in names}}
