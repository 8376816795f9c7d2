"""The ledger of one item, newest first, with the balance after each movement; and what its stock is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Q, QuerySet, Sum

from inventory.models import CostPool, Item, Location, Movement, Posting, StockBalance
from inventory.quantities import ZERO


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A movement as a page shows it."""

    movement: Movement
    posting: Posting
    balance: Decimal | None  # after this movement, over the cells that were asked for; stock unit; None when not asked
    actor: str
    is_reversed: bool

    @property
    def is_backdated(self) -> bool:
        """Whether it was recorded more than an hour after it happened."""
        return (self.movement.recorded_at - self.movement.effective_at).total_seconds() > 3600


@dataclass(frozen=True, slots=True)
class LedgerPage:
    rows: tuple[LedgerRow, ...]
    next_before: int | None  # ask for movements before this id to go on


def item_ledger(
    *,
    item: Item,
    place: Location | None = None,
    status: str = "",
    lot_id: int | None = None,
    upto: int | None = None,
    before: int | None = None,
    rows_max: int = 50,
) -> LedgerPage:
    """A page of movements of `item`, optionally only of cells at a place (and below), with a status, of a lot.

    The balance after a movement is what these cells hold now less everything that came later. `upto` (a movement's id) leaves
    out everything recorded after it, so that the newest balance is what the ledger held then; `before` goes on below a row.
    """
    cells = _cell_condition(place=place, status=status, lot_id=lot_id)
    asked = Movement.objects.for_item(item).filter(cells)
    if upto is not None:
        before = upto + 1 if before is None else min(before, upto + 1)
    wanted = asked if before is None else asked.filter(pk__lt=before)
    found = list(
        wanted.select_related("posting", "location", "lot", "posting__reverses").order_by("-pk")[: rows_max + 1]
    )
    has_more = len(found) > rows_max
    found = found[:rows_max]
    balance = _sum(StockBalance.objects.filter(cells, item=item))
    if before is not None:
        balance -= _sum(asked.filter(pk__gte=before))
    rows = []
    actors = actor_names([movement.posting for movement in found])
    reversed_cells = _reversed_quantities(found, item=item)
    for movement in found:
        key = (movement.posting_id, movement.location_id, movement.lot_id, movement.status)
        rows.append(
            LedgerRow(
                movement=movement,
                posting=movement.posting,
                balance=balance,
                actor=actors.get(movement.posting.actor_id, "the system"),
                is_reversed=key in reversed_cells,
            )
        )
        balance -= movement.quantity
    return LedgerPage(tuple(rows), found[-1].pk if has_more and found else None)


def recorded_at(*, item: Item, upto: int) -> datetime | None:
    """When the newest movement of `item` up to an id was recorded; None when there is none."""
    newest = Movement.objects.for_item(item).filter(pk__lte=upto).order_by("-pk")
    return newest.values_list("recorded_at", flat=True).first()


def ledger_rows(movements: Sequence[Movement]) -> tuple[LedgerRow, ...]:
    """Movements of any items as rows without a running balance. Their postings must have been selected with them."""
    actors = actor_names([movement.posting for movement in movements])
    reversed_ids = fully_reversed([movement.posting_id for movement in movements])
    return tuple(
        LedgerRow(
            movement=movement,
            posting=movement.posting,
            balance=None,
            actor=actors.get(movement.posting.actor_id, "the system"),
            is_reversed=movement.posting_id in reversed_ids,
        )
        for movement in movements
    )


def actor_names(postings: Sequence[Posting]) -> dict[int | None, str]:
    """Names of the people behind postings, by user id."""
    ids = {posting.actor_id for posting in postings if posting.actor_id is not None}
    return {user.pk: name_of(user) for user in get_user_model().objects.filter(pk__in=ids)} if ids else {}


def name_of(user: AbstractBaseUser) -> str:
    return getattr(user, "get_full_name", lambda: "")() or user.get_username()


def fully_reversed(posting_ids: Sequence[int]) -> set[int]:
    """Those postings of which nothing is left: their movements and those of their reversals sum to zero in every cell."""
    ids = set(posting_ids)
    if not ids:
        return set()
    reversals = dict(Posting.objects.filter(reverses_id__in=ids).values_list("pk", "reverses_id"))
    if not reversals:
        return set()
    undone = {original for original in reversals.values() if original is not None}
    sums: dict[tuple[int, int, int, int, str], Decimal] = {}
    for posting_id, item_id, location_id, lot_id, status, quantity in Movement.objects.filter(
        Q(posting_id__in=undone) | Q(posting_id__in=reversals)
    ).values_list("posting_id", "item_id", "location_id", "lot_id", "status", "quantity"):
        original = reversals.get(posting_id) or posting_id
        key = (original, item_id, location_id, lot_id, status)
        sums[key] = sums.get(key, ZERO) + quantity
    left = {key[0] for key, quantity in sums.items() if quantity}
    return undone - left


def _reversed_quantities(movements: Sequence[Movement], *, item: Item) -> set[tuple[int, int, int, str]]:
    """The cells (posting, location, lot, status) of the item of which a reversal took everything back."""
    ids = {movement.posting_id for movement in movements}
    reversals = dict(Posting.objects.filter(reverses_id__in=ids).values_list("pk", "reverses_id"))
    if not reversals:
        return set()
    sums: dict[tuple[int, int, int, str], Decimal] = {}
    both = Q(posting_id__in=reversals) | Q(posting_id__in=[one for one in reversals.values() if one is not None])
    for posting_id, location_id, lot_id, status, quantity in (
        Movement.objects.for_item(item)
        .filter(both)
        .values_list("posting_id", "location_id", "lot_id", "status", "quantity")
    ):
        key = (reversals.get(posting_id) or posting_id, location_id, lot_id, status)
        sums[key] = sums.get(key, ZERO) + quantity
    return {key for key, quantity in sums.items() if not quantity}


def _cell_condition(*, place: Location | None, status: str, lot_id: int | None) -> Q:
    condition = Q()
    if place is not None:
        condition &= Q(location__path__startswith=place.path)
    if status:
        condition &= Q(status=status)
    if lot_id is not None:
        condition &= Q(lot_id=lot_id)
    return condition


def _sum(rows: QuerySet[StockBalance] | QuerySet[Movement]) -> Decimal:
    total = rows.aggregate(total=Sum("quantity"))["total"]
    return total if total is not None else ZERO


@dataclass(frozen=True, slots=True)
class Worth:
    """What the stock of an item is worth, in base currency; `unit_cost` per stock unit. None: not known."""

    quantity: Decimal
    value: Decimal | None
    known_value: Decimal
    unknown_quantity: Decimal
    unit_cost: Decimal | None


def worth_of(item: Item) -> Worth:
    pool = CostPool.objects.filter(item=item, lot__isnull=True).first()
    if pool is None:
        return Worth(ZERO, ZERO, ZERO, ZERO, None)
    is_known = pool.unknown_quantity == ZERO
    unit = pool.value / pool.quantity if is_known and pool.quantity else None
    return Worth(pool.quantity, pool.value if is_known else None, pool.value, pool.unknown_quantity, unit)
