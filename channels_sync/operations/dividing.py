"""Dividing what competing products may show, for the whole group at one stroke: a rule of each product."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from channels_sync.models import AllocationPolicy
from channels_sync.operations.allocating import set_policy
from channels_sync.reads.competing import division_terms, standing_terms
from inventory.bulk import as_bulk
from inventory.models import Item
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import as_text


@operation
def divide_products(*, items: Sequence[Item], percent: Decimal, actor: Actor) -> list[AllocationPolicy]:
    """Put a new version of each item's own rule in force that divides it `percent` of the way; what else it says stays.

    At 0 every channel sees all that could be built of each product, at 100 every channel sees its part alone, and all of it can
    be kept. Rules of an item on one channel and of single listings are narrower and decide before it. Raises InvalidQuantity
    for a percent that is none, and WrongState where a planned version of a rule waits.
    """
    standing = standing_terms([item.pk for item in items])
    with as_bulk("policy"):
        return [
            set_policy(
                item=item,
                actor=actor,
                note=f"Divided {as_text(percent)} % among competing products",
                **division_terms(standing.get(item.pk, {}), percent),  # type: ignore[arg-type]
            )
            for item in sorted(items, key=lambda item: item.pk)
        ]
