"""What of a completion's outputs goes back when it is reversed, whole or by quantity."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.conf import settings

from inventory.locks import CellKey
from inventory.models import Item, Movement
from inventory.quantities import ZERO, proportion, round_down
from production.models import Completion, CompletionOutput


@dataclass(frozen=True, slots=True)
class OutputBack:
    """A quantity (stock unit, positive) that leaves a cell again; `value` is what it was put in with, None: unknown.

    Of the item itself the value only says whether it was known: what leaves is worth what goes back of the components.
    """

    item_id: int
    location_id: int
    lot_id: int
    status: str
    quantity: Decimal
    value: Decimal | None
    is_main: bool

    @property
    def key(self) -> CellKey:
        return (self.item_id, self.location_id, self.lot_id, self.status)

    def as_movement(self, *, since: int, movements: Sequence[Movement]) -> Movement:
        """As the movement that put it there, for the check of what stands in the way."""
        mine = [
            m.pk for m in movements if (m.item_id, m.location_id, m.lot_id, m.status) == self.key and m.quantity > ZERO
        ]
        return Movement(
            id=max(mine, default=since),
            item_id=self.item_id,
            location_id=self.location_id,
            lot_id=self.lot_id,
            status=self.status,
            quantity=self.quantity,
        )


@dataclass(slots=True)
class _Put:
    """One output as it was put into stock, and how much of it is gone again."""

    item_id: int
    location_id: int
    lot_id: int
    status: str
    quantity: Decimal
    value: Decimal | None
    is_main: bool
    gone: Decimal = ZERO

    @property
    def key(self) -> CellKey:
        return (self.item_id, self.location_id, self.lot_id, self.status)


def outputs_to_take_back(
    completion: Completion, earlier: Sequence[int], *, taken: Decimal, left: Decimal
) -> list[OutputBack]:
    """The outputs that leave when `taken` of the `left` good units go back, those put in last first.

    `earlier` are the postings of reversals that were made before. By-products stay in proportion to the good units that
    stay, rounded down to their step; with the last unit all of them go.
    """
    puts = _puts(completion)
    _note_gone(puts, earlier)
    back: list[OutputBack] = []
    missing = taken
    for put in reversed([put for put in puts if put.is_main]):
        part = min(put.quantity - put.gone, missing)
        if part > ZERO:
            missing -= part
            back.append(OutputBack(*put.key, part, put.value, is_main=True))
    assert missing == ZERO, "more would go back than was made"
    others = [put for put in puts if not put.is_main]
    steps = (
        dict(Item.objects.filter(pk__in=[put.item_id for put in others]).values_list("pk", "step")) if others else {}
    )
    stays = left - taken
    going: dict[int, Decimal] = {}  # by item, for a serial-tracked one came in piece by piece
    for put in others:
        going[put.item_id] = going.get(put.item_id, ZERO) + put.quantity - put.gone
    for item_id in going if stays else ():
        made = sum((put.quantity for put in others if put.item_id == item_id), ZERO)
        going[item_id] -= round_down(Fraction(made) * Fraction(stays) / Fraction(completion.good), steps[item_id])
    for put in reversed(others):
        part = min(put.quantity - put.gone, going[put.item_id])
        if part > ZERO:
            going[put.item_id] -= part
            value = None
            if put.value is not None:
                value = _part(put, put.quantity - put.gone) - _part(put, put.quantity - put.gone - part)
            back.append(OutputBack(*put.key, part, value, is_main=False))
    return back


def main_outputs_left(completion: Completion, earlier: Sequence[int]) -> list[tuple[CellKey, Decimal]]:
    """What is left of the good units after the `earlier` reversals, by cell, in the order they would go back."""
    puts = _puts(completion)
    _note_gone(puts, earlier)
    return [(put.key, put.quantity - put.gone) for put in reversed(puts) if put.is_main and put.quantity > put.gone]


def _part(put: _Put, quantity: Decimal) -> Decimal:
    assert put.value is not None
    return proportion(put.value, quantity, put.quantity, step=settings.CURRENCY_STEP)


def _puts(completion: Completion) -> list[_Put]:
    rows = list(CompletionOutput.objects.filter(completion=completion).order_by("pk"))
    if rows:
        return [
            _Put(row.item_id, row.location_id, row.lot_id, row.status, row.quantity, row.value, row.is_main)
            for row in rows
        ]
    if not completion.good:
        return []
    assert completion.output_lot_id is not None
    return [
        _Put(
            completion.item_id,
            completion.output_location_id,
            completion.output_lot_id,
            completion.output_status,
            completion.good,
            completion.output_value,
            is_main=True,
        )
    ]


def _note_gone(puts: Sequence[_Put], earlier: Sequence[int]) -> None:
    """What earlier reversals took out of each output's cell; components went in, so what left was output."""
    if not earlier:
        return
    by_key = {put.key: put for put in puts}
    for movement in Movement.objects.filter(posting_id__in=earlier, quantity__lt=0):
        put = by_key.get((movement.item_id, movement.location_id, movement.lot_id, movement.status))
        if put is not None:
            put.gone -= movement.quantity
