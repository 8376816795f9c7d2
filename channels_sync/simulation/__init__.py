"""Rehearsing rules before they hold: demand that was, replayed against the formula of publishing. Pure, without a database.

`case.py` says what is replayed, `demand.py` turns days into orders, `exposure.py` asks the formula, `replay.py` lets one
item's days pass, `tally.py` adds up, and `question.py` is what a person asks, as it is stored.
"""

from channels_sync.simulation.case import ItemCase, Order, Supply, SupplyKind, to_parts, to_quantity
from channels_sync.simulation.demand import DailySold, orders_from_days, orders_from_lines
from channels_sync.simulation.exposure import Exposure, Exposures
from channels_sync.simulation.question import ProposedRule, Question
from channels_sync.simulation.replay import ItemOutcome, replay
from channels_sync.simulation.tally import Tally

__all__ = [
    "DailySold",
    "Exposure",
    "Exposures",
    "ItemCase",
    "ItemOutcome",
    "Order",
    "ProposedRule",
    "Question",
    "Supply",
    "SupplyKind",
    "Tally",
    "orders_from_days",
    "orders_from_lines",
    "replay",
    "to_parts",
    "to_quantity",
]
