"""What counts kept of a late posting (posting.backdating.keep_counts) goes again when that posting is undone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import uuid5

from django.db import connection

from inventory.arrays import numbers
from inventory.locks import CellKey, StockRows, lock_for_posting, read_layer_uses
from inventory.models import Posting, PostingKind
from inventory.operations.posting import Draft, claim_posting, post
from inventory.quantities import ZERO, proportion, total_of


@dataclass(slots=True)
class _Kept:
    """In one cell: signed quantity (stock unit), and the value that moved with it, None when unknown."""

    quantity: Decimal
    value: Decimal | None


@dataclass(slots=True)
class KeptCounts:
    """What counts compensated of one posting, by cell, less what earlier reversals of it took back."""

    cells: dict[CellKey, _Kept]
    posting_ids: list[int]
    _turns: int = field(init=False, default=0)

    def whole(self) -> dict[CellKey, Decimal]:
        """What a reversal of all that is left moves in these cells."""
        return {key: kept.quantity for key, kept in self.cells.items()}

    def undo_first(self, moved: Mapping[CellKey, Decimal], *, reversal: Posting, rows: StockRows) -> bool:
        """Take back, before the `reversal` itself, what goes with what it will move (signed): all that brings goods in, and
        what is free in its cell. Tells whether rows have to be locked and read again.
        """
        return self._undo(
            {
                key: quantity
                for key, quantity in moved.items()
                if quantity < ZERO or (key in rows.cells and rows.cells[key].free >= quantity)
            },
            reversal=reversal,
        )

    def undo_rest(self, moved: Mapping[CellKey, Decimal], *, reversal: Posting) -> None:
        """Take back what goes with what the `reversal` has moved (signed) and was not taken back before it."""
        self._undo(moved, reversal=reversal)

    def _undo(self, moved: Mapping[CellKey, Decimal], *, reversal: Posting) -> bool:
        parts = {key: self._part(key, moved[key]) for key in sorted(moved) if key in self.cells}
        parts = {key: part for key, part in parts.items() if part}
        if not parts:
            return False
        self._turns += 1
        claim = claim_posting(
            key=uuid5(reversal.key, f"kept count undone {self._turns}"),
            kind=PostingKind.COUNT,
            request={"undone by": reversal.pk, "turn": self._turns},
            actor=None,
            effective_at=reversal.effective_at,
            reference=reversal.reference,
            reason="No longer in the count",
            note=f"{reversal} undoes what was recorded later for a day before the count",
            related=reversal,
        )
        rows = lock_for_posting(
            items=[key[0] for key in parts],
            locations=sorted({key[1] for key in parts}),
            statuses=sorted({key[3] for key in parts}),
        )
        read_layer_uses(rows, posting_ids=self.posting_ids)
        for layers in rows.layers.values():  # those that the counts made leave first
            layers.sort(key=lambda layer: (layer.posting_id not in self.posting_ids, layer.id or 0))
        draft = Draft(rows)
        for key, part in parts.items():
            self._draft(draft, key, part)
        post(posting=claim.posting, draft=draft)
        self.posting_ids.append(claim.posting.pk)
        return True

    def _part(self, key: CellKey, moved: Decimal) -> Decimal:
        """How much of what is kept in a cell goes with a reversal that moves `moved` there; signed like it."""
        kept = self.cells[key].quantity
        if moved > ZERO:
            return max(min(moved, kept), ZERO)
        return min(max(moved, kept), ZERO)

    def _draft(self, draft: Draft, key: CellKey, part: Decimal) -> None:
        kept = self.cells[key]
        quantity = abs(part)
        worth = None
        if kept.value is not None:
            worth = proportion(abs(kept.value), quantity, abs(kept.quantity), step=draft.step)
        taken = total_of(use.quantity for use in draft.rows.uses.get(key[0], ()))
        if part > ZERO:
            draft.issue(key[0], [(key, quantity)])
        elif taken is not None and taken >= quantity:
            draft.put_back_part(key, quantity, worth)  # to the layers it came from
        else:
            draft.receive(key, quantity, worth)
        kept.quantity -= part
        kept.value = None if kept.value is None or worth is None else kept.value - worth.copy_sign(part)


def kept_counts(posting: Posting, *, earlier: Sequence[int] = ()) -> KeptCounts:
    """What counts kept of `posting`; `earlier` are the ids of reversals of it that were made before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.item_id, m.location_id, m.lot_id, m.status, sum(m.quantity),"
            " CASE WHEN bool_and(m.value IS NOT NULL) THEN sum(m.value) END, array_agg(DISTINCT p.id)"
            " FROM inventory_posting p JOIN inventory_movement m ON m.posting_id = p.id AND m.quantity <> 0"
            " WHERE p.related_id = ANY(%s::bigint[]) AND p.kind = %s GROUP BY 1, 2, 3, 4",
            [numbers([posting.pk, *earlier]), PostingKind.COUNT.value],
        )
        rows = cursor.fetchall()
    return KeptCounts(
        {(item, place, lot, status): _Kept(q, v) for item, place, lot, status, q, v, _ in rows if q},
        sorted({pk for *_, ids in rows for pk in ids}),
    )
