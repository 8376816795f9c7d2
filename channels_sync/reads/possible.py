"""What there is of an item whatever a rule counts: on hand where the channel sells from, what could be built, suppliers' stock.

Asked only about figures above what their own derivation counted: fixed ones, and those that promise what is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from channels_sync.allocation import Derivation
from channels_sync.allocation.facts import TRANSFER
from channels_sync.reads.layers import supplier_figures_of
from inventory.quantities import ZERO
from inventory.reads.availability import availability
from production.reads.buildable import limits_of
from production.reads.structures import load_structures


def exceeds_its_stock(derivation: Derivation) -> bool:
    """Whether a figure is above what its derivation read that is there or could be made or bought: purchase orders are not, goods
    on the road are."""
    return derivation.quantity * derivation.offer.pack_size > _seen(derivation)


def _seen(derivation: Derivation) -> Decimal:
    snapshot = derivation.snapshot
    made = snapshot.makeable.quantity if snapshot.makeable is not None else ZERO
    return _on_hand(derivation) + max(ZERO, made) + sum((one.quantity for one in snapshot.suppliers), ZERO)


def _on_hand(derivation: Derivation) -> Decimal:
    """At the sources, and on the road to them: that is there, unlike what was only ordered."""
    snapshot = derivation.snapshot
    on_the_road = sum((one.quantity for one in snapshot.incoming if one.kind == TRANSFER), ZERO)
    return sum((max(ZERO, source.on_hand) for source in snapshot.sources), on_the_road)


def possible_packs(derivations: Sequence[Derivation], *, now: datetime) -> dict[int, int]:
    """Sold units that could exist, by listing id; left out where the BOM names nothing that limits it.

    Suppliers' figures count as long as they may by the listing's rules. A fixed number of statements, none without derivations.
    """
    if not derivations:
        return {}
    items = {one.snapshot.item_id for one in derivations}
    built = _buildable(items, now=now)
    suppliers = supplier_figures_of(items)
    found: dict[int, int] = {}
    for one in derivations:
        item_id = one.snapshot.item_id
        made = built[item_id]
        if made is None:
            continue
        oldest = now - timedelta(seconds=int(one.terms.supplier_hours.value * 3600))
        said = sum((each.quantity for each in suppliers.get(item_id, ()) if each.confirmed_at >= oldest), ZERO)
        there = Fraction(_on_hand(one) + made + said)
        found[one.offer.listing_id] = int(there // Fraction(one.offer.pack_size))
    return found


def _buildable(items: set[int], *, now: datetime) -> dict[int, Decimal | None]:
    """What could be built of each item; None where no component limits it."""
    structures = load_structures(items=items, whole=False)
    stock = availability(items=structures.items, at=now)
    found: dict[int, Decimal | None] = {}
    for item_id in items:
        bom_id = structures.in_force.get(item_id)
        found[item_id] = ZERO if bom_id is None else limits_of(structures, bom_id, stock).quantity
    return found
