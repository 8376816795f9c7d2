"""Closing a count: what is within limits is posted at once, the rest when a second person has approved it.

Each counted cell that differs becomes a posting of its own, since each was counted at a moment of its own: as of that moment
the book then holds what was counted, whatever moved meanwhile and whenever that was recorded.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID, uuid5

from django.db import connection
from django.utils import timezone

from inventory.arrays import numbers, texts
from inventory.bulk import as_one_act
from inventory.errors import CountIncomplete, DuplicateSerial, PeriodLocked, SecondPersonRequired, WrongState
from inventory.locks import StockRows, lock_for_posting, read_last_costs
from inventory.models import (
    CountCause,
    CountClass,
    CountLine,
    CountLineState,
    CountSheet,
    CountSheetState,
    Posting,
    PostingKind,
    Reservation,
    ReservationChange,
    StockBalance,
    Tracking,
)
from inventory.operations.checking import refuse_closed_period
from inventory.operations.counting import cell_of, judge, lock_sheet, outdated, to_recount
from inventory.operations.found_goods import found_value
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text
from inventory.reads.counts import FreedReservation, freed_reason

logger = logging.getLogger(__name__)


class Explanation(NamedTuple):
    """Why a line differs, as the person who approves it says."""

    cause: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class SheetResult:
    """What became of a sheet. `postings` are those made now, `freed` the promises that had to be cut."""

    sheet: CountSheet
    postings: tuple[Posting, ...] = ()
    freed: tuple[FreedReservation, ...] = ()
    waiting: int = 0  # lines that wait for approval
    replayed: bool = False  # the sheet had been submitted before


@dataclass(slots=True)
class _Posted:
    postings: list[Posting] = field(default_factory=list)
    freed: list[FreedReservation] = field(default_factory=list)


@operation
def submit_count_sheet(*, key: UUID, sheet: CountSheet, actor: Actor) -> SheetResult:
    """Counting is done: post what is within the limits of its class, let the rest wait for approval.

    What is posted is judged, as it is now: what was recorded late since the count may have made it larger.
    A sheet that was submitted before is returned as it is. Raises CountIncomplete while cells are to be counted,
    CountOutdated for cells to count again, DuplicateSerial, WrongState for a cancelled sheet; nothing is posted then.
    """
    locked = lock_sheet(sheet)
    lines = _lock_lines(locked)
    waiting = [line for line in lines if line.state == CountLineState.COUNTED]
    if locked.state in (CountSheetState.REVIEW, CountSheetState.POSTED):
        return SheetResult(locked, waiting=len(waiting), replayed=True)
    if locked.state == CountSheetState.CANCELLED:
        raise WrongState(f"{locked.number} was cancelled. Open another sheet.", sheet=locked.number)
    left = [line for line in lines if line.is_open]
    if left:
        again = sum(line.state == CountLineState.RECOUNT for line in left)
        names = ", ".join(f"{line.item.sku} at {line.location.code}" for line in left[:5])
        raise CountIncomplete(
            f"{len(left)} of {len(lines)} cells of {locked.number} are not counted yet"
            f"{f', {again} of them for the second time' if again else ''}: {names}{', …' if len(left) > 5 else ''}. "
            "Count them; what cannot be found is zero.",
            sheet=locked.number,
            lines=[line.pk for line in left],
        )
    limits = dict(CountClass.objects.values_list("group", "approval_value"))
    unlimited = [line for line in waiting if not line.needs_approval]
    done = _post(locked, unlimited, key=key, actor=actor, limits=limits)
    return _settle(locked, done)


@operation
def approve_count(
    *, key: UUID, sheet: CountSheet, explanations: Mapping[int, Explanation], actor: Actor
) -> SheetResult:
    """Post lines that wait for approval, each (by id) with the cause of its variance.

    Raises SecondPersonRequired when `actor` counted one of them, WrongState for a line that does not wait or has no cause,
    and CountOutdated or DuplicateSerial; nothing is posted then.
    """
    locked = lock_sheet(sheet)
    lines = {line.pk: line for line in _lock_lines(locked)}
    chosen = [lines[pk] for pk in explanations if pk in lines]
    if chosen and all(_is_approved_by(line, key) for line in chosen):
        return SheetResult(locked, replayed=True)
    _check_review(locked, explanations, lines)
    for line in chosen:
        _check_other_person(line, actor)
        cause, note = explanations[line.pk]
        if cause not in CountCause.values:
            raise WrongState(
                f"{line.item.sku} at {line.location.code} needs a cause before it is posted. Choose why it differs.",
                line=line.pk,
            )
        line.cause, line.note = cause, note
        line.approved_by_id = getattr(actor, "pk", None)
    done = _post(locked, chosen, key=key, actor=actor)
    return _settle(locked, done)


@operation
def send_back_count(*, sheet: CountSheet, line_ids: Sequence[int], actor: Actor) -> CountSheet:  # noqa: ARG001
    """Do not accept lines that wait for approval: they are to be counted once more, and the sheet is open again.

    Raises WrongState for a line that does not wait.
    """
    locked = lock_sheet(sheet)
    lines = {line.pk: line for line in _lock_lines(locked)}
    _check_review(locked, line_ids, lines)
    for pk in line_ids:
        to_recount(lines[pk])
        lines[pk].save()
    locked.state = CountSheetState.OPEN
    locked.save(update_fields=["state"])
    return locked


@operation
def explain_variance(*, line: CountLine, cause: str, actor: Actor, note: str = "") -> CountLine:  # noqa: ARG001
    """Say why a posted line differed, when it was small enough to be posted without approval, or say it better.

    Raises WrongState for a line that is not posted or does not differ.
    """
    locked = CountLine.objects.select_for_update(of=("self",), no_key=True).select_related("item").get(pk=line.pk)
    if locked.state != CountLineState.POSTED or not locked.variance:
        raise WrongState(f"{locked.item.sku} has no posted variance here to explain.", line=locked.pk)
    if cause not in CountCause.values:
        raise WrongState("Choose one of the causes.", cause=cause)
    locked.cause, locked.note = cause, note
    locked.save(update_fields=["cause", "note"])
    return locked


def _lock_lines(sheet: CountSheet) -> list[CountLine]:
    lines = CountLine.objects.filter(sheet=sheet).select_for_update(of=("self",), no_key=True)
    return list(lines.select_related("item", "location", "lot").order_by("pk"))


def _check_review(
    sheet: CountSheet, wanted: Sequence[int] | Mapping[int, Explanation], lines: dict[int, CountLine]
) -> None:
    if sheet.state != CountSheetState.REVIEW:
        raise WrongState(
            f"{sheet.number} does not wait for approval: {sheet.get_state_display().lower()}.",
            sheet=sheet.number,
            state=sheet.state,
        )
    wrong = [pk for pk in wanted if pk not in lines or lines[pk].state != CountLineState.COUNTED]
    if wrong or not wanted:
        raise WrongState(
            f"Choose lines of {sheet.number} that wait for approval. Look at it again: somebody may have been faster.",
            sheet=sheet.number,
            lines=wrong,
        )


def _is_approved_by(line: CountLine, key: UUID) -> bool:
    return line.state == CountLineState.POSTED and line.posting is not None and line.posting.key == _key(key, line)


def _check_other_person(line: CountLine, actor: Actor) -> None:
    pk = getattr(actor, "pk", None)
    if pk is not None and pk in (line.counted_by_id, line.first_counted_by_id):
        raise SecondPersonRequired(
            f"You counted {line.item.sku} at {line.location.code} yourself; somebody else has to approve it.",
            line=line.pk,
        )


def _settle(sheet: CountSheet, done: _Posted) -> SheetResult:
    """The state of a sheet that was submitted: posted when nothing waits any more."""
    waiting = sheet.lines.exclude(state=CountLineState.POSTED).count()
    sheet.state = CountSheetState.REVIEW if waiting else CountSheetState.POSTED
    sheet.closed_at = None if waiting else timezone.now()
    sheet.save(update_fields=["state", "closed_at"])
    return SheetResult(sheet, tuple(done.postings), tuple(done.freed), waiting)


# --- Posting ----------------------------------------------------------------------------------------------------------


def _key(key: UUID, line: CountLine) -> UUID:
    return uuid5(key, f"count line {line.pk}")


def _post(
    sheet: CountSheet,
    lines: Sequence[CountLine],
    *,
    key: UUID,
    actor: Actor,
    limits: Mapping[str, Decimal] | None = None,
) -> _Posted:
    """Bring each cell to what was counted plus what moved since, what is missing first.

    A cell whose book says the same has nothing to post. With `limits` (by class, base currency) a change that is worth more
    is not posted: it waits for approval. The pools of all items are locked before the first posting.
    """
    done = _Posted()
    if not lines:
        return done
    rows = _lock(lines)
    since = _moved_since(lines)
    late = [line for line in lines if _counted(line) + since[line.pk].lowest < ZERO or _is_closed(line)]
    if late:
        raise outdated(late)
    changes = []
    for line in lines:
        cell = rows.cells.get(cell_of(line))
        held = cell.quantity if cell else ZERO
        changes.append((line, _counted(line) + since[line.pk].quantity - held))
    with as_one_act("count", items=len({line.item_id for line, change in changes if change})):
        for line, change in sorted(changes, key=lambda pair: (pair[1] > ZERO, pair[0].pk)):
            if change and limits is not None and judge(line, change, rows, limits):
                line.needs_approval = True
                line.save()
                continue
            if change:
                _post_line(sheet, line, change, key=key, actor=actor, done=done)
            line.state = CountLineState.POSTED
            line.save()
    return done


def _lock(lines: Sequence[CountLine]) -> StockRows:
    rows = lock_for_posting(
        items=[line.item_id for line in lines],
        locations=sorted({line.location_id for line in lines}),
        statuses=sorted({line.status for line in lines}),
    )
    read_last_costs(rows, items={line.item_id for line in lines})
    return rows


def _counted(line: CountLine) -> Decimal:
    assert line.counted is not None, "only counted lines are posted"
    return line.counted


class _Since(NamedTuple):
    quantity: Decimal  # what moved in the cell after it was scanned, signed
    lowest: Decimal  # the lowest of its running sums, at most zero


def _moved_since(lines: Sequence[CountLine]) -> dict[int, _Since]:
    """By line id. What happened before the scan and was recorded later is not in it: the count saw it already."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT n.id, coalesce(max(moved.total), 0), least(coalesce(min(moved.running), 0), 0)
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[])
                 AS n(id, item_id, location_id, lot_id, status, scanned_at)
            LEFT JOIN LATERAL (
              SELECT sum(m.quantity) OVER () AS total,
                     sum(m.quantity) OVER (ORDER BY m.effective_at, m.id ROWS UNBOUNDED PRECEDING) AS running
              FROM inventory_movement m
              WHERE m.item_id = n.item_id AND m.location_id = n.location_id AND m.lot_id = n.lot_id
                AND m.status = n.status AND m.effective_at > n.scanned_at AND m.recorded_at > n.scanned_at
            ) moved ON true
            GROUP BY n.id
            """,
            [
                numbers(line.pk for line in lines),
                numbers(line.item_id for line in lines),
                numbers(line.location_id for line in lines),
                numbers(line.lot_id for line in lines),
                texts(line.status for line in lines),
                [line.scanned_at for line in lines],
            ],
        )
        return {row[0]: _Since(row[1], row[2]) for row in cursor.fetchall()}


def _is_closed(line: CountLine) -> bool:
    """Whether the moment of the count lies in a period that was closed since."""
    assert line.scanned_at is not None, "a counted line was scanned"
    if timezone.localdate(line.scanned_at) >= timezone.localdate():
        return False
    try:
        refuse_closed_period(line.scanned_at)
    except PeriodLocked:
        return True
    return False


def _post_line(sheet: CountSheet, line: CountLine, change: Decimal, *, key: UUID, actor: Actor, done: _Posted) -> None:
    cause = CountCause(line.cause).label if line.cause else "Counted"
    claim = claim_posting(
        key=_key(key, line),
        kind=PostingKind.COUNT,
        request={"sheet": sheet.pk, "line": line.pk, "counted": line.counted, "scanned_at": line.scanned_at},
        actor=actor,
        effective_at=line.scanned_at,
        reference=sheet.number,
        reason=cause,
        note=line.note,
    )
    assert claim.is_new, "a line is posted once, under the lock of its sheet"
    rows = _lock([line])  # as the postings before this one left them
    cell = cell_of(line)
    draft = Draft(rows)
    if change > ZERO:
        _refuse_second_serial(line)
        worth = found_value(rows, cell, change)
        draft.receive(cell, change, worth)
    else:
        taken = draft.issue(line.item_id, [(cell, -change)])
        worth = None if taken is None else -taken
    freed = _to_free(rows, line, change)
    if freed:
        draft.freed[cell] = sum((one.quantity for one in freed), ZERO)
    post(posting=claim.posting, draft=draft)
    _free(sheet, freed, actor=actor)
    line.posting = claim.posting
    line.variance_value = worth
    done.postings.append(claim.posting)
    done.freed += freed


def _refuse_second_serial(line: CountLine) -> None:
    if line.item.tracking != Tracking.SERIAL:
        return
    if StockBalance.objects.filter(lot_id=line.lot_id, quantity__gt=0).exists():
        raise DuplicateSerial(
            f"Serial number {line.lot.code} of {line.item.sku} was found at {line.location.code}, and the book has it in "
            "another place. Count that place too, or move it there by a transfer.",
            item=line.item.sku,
            lot=line.lot.code,
            line=line.pk,
        )


def _to_free(rows: StockRows, line: CountLine, change: Decimal) -> list[FreedReservation]:
    """The newest promises of the cell that what is left cannot keep: physical truth wins (rule S19)."""
    cell = rows.cells.get(cell_of(line))
    missing = ZERO if cell is None else cell.reserved - (cell.quantity + change)
    if cell is None or cell.reserved <= ZERO or missing <= ZERO:
        return []
    pinned = Reservation.objects.pinned().filter(item=line.item, location=line.location, lot=line.lot, quantity__gt=0)
    freed = []
    for reservation in reversed(list(pinned.select_for_update(of=("self",), no_key=True).order_by("pk"))):
        part = min(reservation.quantity, missing)
        if part > ZERO:
            freed.append(FreedReservation(reservation, part))
            missing -= part
    assert missing == ZERO, "what a cell has reserved is the sum of its reservations"
    return freed


def _free(sheet: CountSheet, freed: Sequence[FreedReservation], *, actor: Actor) -> None:
    for one in freed:
        row = one.reservation
        row.quantity -= one.quantity
        row.save(update_fields=["quantity"])
        ReservationChange.objects.create(
            reservation=row,
            quantity=-one.quantity,
            reason=freed_reason(sheet.number),
            actor_id=getattr(actor, "pk", None),
        )
        logger.info(
            "count.reservation_freed",
            extra={
                "sheet": sheet.number,
                "demand": f"{row.demand_kind} {row.demand_ref}",
                "quantity": as_text(one.quantity),
            },
        )
