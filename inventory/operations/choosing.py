"""Choosing the cells of several lines of one posting: a later line sees what an earlier one took, and all shortages are told."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from inventory.errors import DomainError, InsufficientStock, InvalidQuantity, ReservedByOther
from inventory.locks import ANYWHERE, CellKey, StockRows
from inventory.models import Location, StockStatus
from inventory.operations.posting import Actor, Draft
from inventory.operations.taking import Wanted, check_picked_in_order, choose_cells, take_cells
from inventory.picking import Pick
from inventory.quantities import ZERO

Cells = list[tuple[CellKey, Decimal]]
LINES_MAX = 500


def check_lines(lines: Sequence[object], *, what: str) -> None:
    """Refuse no lines and too many of them."""
    if not lines:
        raise InvalidQuantity(f"{what} needs at least one line. Add an item and a quantity.")
    if len(lines) > LINES_MAX:
        raise InvalidQuantity(f"{what} of {len(lines)} lines is too long. Send at most {LINES_MAX} at once.")


def common_path(places: Sequence[Location]) -> str:
    """The deepest place all the given ones lie in, as a path; that of every place when there is none."""
    parts = [place.path.strip("/").split("/") for place in places]
    shared = []
    for step in zip(*parts, strict=False):
        if len(set(step)) > 1:
            break
        shared.append(step[0])
    return f"/{'/'.join(shared)}/" if shared else ANYWHERE


def take_lines(
    draft: Draft, wanted: Sequence[Wanted], *, on: date, actor: Actor, reason: str = "", may_go_below: bool = False
) -> list[tuple[Cells, tuple[Pick, ...]]]:
    """For each line the cells with quantities that leave, and the picks in picking order among them.

    With `may_go_below` items that allow it go below zero where nobody picked lots by hand. Raises the refusal of the one
    line that is short, one refusal that lists all when several are, and as taking.take_cells for the rest.
    """
    taken: list[tuple[Cells, tuple[Pick, ...]]] = []
    short: list[DomainError] = []
    for one in wanted:
        check_picked_in_order(draft.rows, one, on=on, reason=reason)
        below = may_go_below and one.item.negative_allowed
        try:
            cells, picks = take_cells(draft, one, on=on, actor=actor, reason=reason, may_go_below=below)
        except (InsufficientStock, ReservedByOther) as refusal:
            short.append(refusal)
            continue
        _note(draft.rows, one, picks)
        taken.append((cells, picks))
    refuse_short(short)
    return taken


def choose_lines(rows: StockRows, wanted: Sequence[Wanted], *, on: date) -> list[tuple[Pick, ...]]:
    """As take_lines for stock that only moves: the picks of each line."""
    chosen: list[tuple[Pick, ...]] = []
    short: list[DomainError] = []
    for one in wanted:
        try:
            picks = choose_cells(rows, one, on=on)
        except (InsufficientStock, ReservedByOther) as refusal:
            short.append(refusal)
            continue
        _note(rows, one, picks)
        chosen.append(picks)
    refuse_short(short)
    return chosen


def _note(rows: StockRows, wanted: Wanted, picks: Sequence[Pick]) -> None:
    for pick in picks:
        key = (wanted.item.pk, pick.location_id, pick.lot_id, str(wanted.status))
        rows.note_chosen(key, pick.quantity, own=pick.own if wanted.status == StockStatus.AVAILABLE else ZERO)


def refuse_short(short: Sequence[DomainError]) -> None:
    """Raise what is short, all of it in one refusal; nothing when nothing is."""
    if not short:
        return
    kind = ReservedByOther if all(isinstance(one, ReservedByOther) for one in short) else InsufficientStock
    first = dict(short[0].context) if len(short) == 1 else {}
    raise kind(" ".join(one.message for one in short), **{**first, "short": [dict(one.context) for one in short]})
