"""Taking finished goods apart: the item leaves stock and its components come back with its value (rule S14).

From a completion the very components it used come back, to the lots they came from. Without one the BOM in force says what
comes back, and its value is spread by what the components cost. What is not recovered is waste, an expense.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from inventory.errors import AlreadyReversed
from inventory.locks import CellKey, lock_for_posting
from inventory.models import (
    CostEntryKind,
    Item,
    Location,
    Lot,
    Posting,
    PostingKind,
    StockBalance,
    StockStatus,
)
from inventory.operations.checking import check_item, check_location, check_quantity, check_source
from inventory.operations.lots import LotSpec, ensure_lots
from inventory.operations.posting import Actor, Draft, claim_posting, post
from inventory.operations.reversing import undo_whole
from inventory.operations.taking import Wanted, choose_cells
from inventory.operations.transactions import operation
from inventory.quantities import ZERO
from production.models import Completion, Disassembly, DisassemblyLine
from production.operations.recoveries import (
    Recovery,
    from_bom,
    from_completion,
    left_to_disassemble,
    output_lots,
    valued,
    with_recovered,
)

__all__ = [
    "DisassemblyPlan",
    "DisassemblyResult",
    "disassemble",
    "left_to_disassemble",
    "preview_disassembly",
    "reverse_disassembly",
]


@dataclass(frozen=True, slots=True)
class DisassemblyPlan:
    """What a disassembly does: which lots leave with what value, and what comes back. Values in base currency, None unknown."""

    item: Item
    completion: Completion | None
    bom_id: int | None
    quantity: Decimal
    location: Location
    target: Location
    status: str
    taken: Sequence[tuple[str, Decimal]]
    """Lots that are taken apart; an empty code for an item without lots."""
    lines: Sequence[tuple[Recovery, Decimal | None]]
    """What comes back, with what it carries."""
    statuses: Sequence[str]
    """The status each of the lines comes back with."""
    value: Decimal | None
    wasted_value: Decimal


@dataclass(frozen=True, slots=True)
class DisassemblyResult:
    posting: Posting
    disassembly: Disassembly
    replayed: bool  # the key had already been used for this very request


@operation
def disassemble(
    *,
    key: UUID,
    quantity: Decimal,
    location: Location,
    actor: Actor,
    completion: Completion | None = None,
    item: Item | None = None,
    target: Location | None = None,
    lots: Sequence[tuple[Lot, Decimal]] = (),
    recovered: Mapping[int, Decimal] | None = None,
    status: str = StockStatus.AVAILABLE,
    reason: str = "",
    note: str = "",
) -> DisassemblyResult:
    """Take `quantity` (stock unit) apart at `location` and put its components to `target` (default: there).

    With `completion` its own lots leave and the components it used come back; with `item` alone the BOM in force says
    what. `recovered` (by component id, stock unit) says where less came back than expected. Raises OverDisassembly,
    InvalidBom, InvalidQuantity, LotRequired, InsufficientStock, ReservedByOther or IdempotencyMismatch.
    """
    made = completion.item if completion is not None else item
    if made is None:
        raise ValueError("a disassembly needs a completion or an item")
    check_item(made)
    check_quantity(made, quantity)
    place = target or location
    check_location(place)
    check_source(location)
    claim = claim_posting(
        key=key,
        kind=PostingKind.DISASSEMBLY,
        request={
            "completion": None if completion is None else completion.pk,
            "item": made.pk,
            "quantity": quantity,
            "location": location.pk,
            "target": place.pk,
            "lots": [[lot.pk, q] for lot, q in lots],
            "recovered": sorted((recovered or {}).items()),
            "status": str(status),
            "reason": reason,
        },
        actor=actor,
        effective_at=None,
        reference="" if completion is None else Posting.objects.get(pk=completion.posting_id).reference,
        reason=reason,
        note=note,
        related=None if completion is None else Posting(pk=completion.posting_id),
    )
    if not claim.is_new:
        return DisassemblyResult(claim.posting, Disassembly.objects.get(posting=claim.posting), replayed=True)

    if completion is not None:
        Completion.objects.select_for_update(of=("self",), no_key=True).get(pk=completion.pk)
    given = _Given(made, completion, quantity, location, place, lots, recovered or {}, str(status))
    plan, draft = _planned(given, on=timezone.localdate(claim.posting.effective_at), lock=True)
    lines = _put_components(draft, plan, posting=claim.posting)
    post(posting=claim.posting, draft=draft)
    disassembly = Disassembly.objects.create(
        posting=claim.posting,
        item=made,
        completion=completion,
        bom_id=plan.bom_id,
        quantity=quantity,
        value=plan.value,
        wasted_value=plan.wasted_value,
    )
    for line in lines:
        line.disassembly = disassembly
    DisassemblyLine.objects.bulk_create(lines)
    return DisassemblyResult(claim.posting, disassembly, replayed=False)


def preview_disassembly(
    *,
    quantity: Decimal,
    location: Location,
    completion: Completion | None = None,
    item: Item | None = None,
    target: Location | None = None,
    lots: Sequence[tuple[Lot, Decimal]] = (),
    recovered: Mapping[int, Decimal] | None = None,
    status: str = StockStatus.AVAILABLE,
) -> DisassemblyPlan:
    """What `disassemble` would do now, by the same code; nothing is locked or written. Raises the same refusals."""
    made = completion.item if completion is not None else item
    if made is None:
        raise ValueError("a disassembly needs a completion or an item")
    check_item(made)
    check_quantity(made, quantity)
    place = target or location
    check_location(place)
    check_source(location)
    given = _Given(made, completion, quantity, location, place, lots, recovered or {}, str(status))
    return _planned(given, on=timezone.localdate(), lock=False)[0]


@dataclass(frozen=True, slots=True)
class _Given:
    """What is taken apart, where, and what comes back of it, as asked for."""

    item: Item
    completion: Completion | None
    quantity: Decimal
    location: Location
    target: Location
    lots: Sequence[tuple[Lot, Decimal]]
    recovered: Mapping[int, Decimal]
    status: str


def _planned(given: _Given, *, on: date, lock: bool) -> tuple[DisassemblyPlan, Draft]:
    """The lots that leave, what comes back and what it carries, from rows that are locked or only read."""
    made, completion, bom_id, lots = given.item, given.completion, None, given.lots
    if completion is not None:
        done = Completion.objects.get(pk=completion.pk)
        recoveries = from_completion(done, made, given.quantity)
        lots = lots or output_lots(done, made, given.quantity)
    else:
        bom_id, recoveries = from_bom(made, given.quantity)
    recoveries = with_recovered(recoveries, given.recovered)
    rows = lock_for_posting(
        items=[made.pk],
        pools_of=[recovery.component_id for recovery in recoveries],
        within=given.location.path,
        locations=[given.target.pk],
        statuses=sorted({given.status, StockStatus.AVAILABLE.value}),
        lock=lock,
    )
    if completion is not None and made.pk in rows.layers:  # its own layer first
        rows.layers[made.pk].sort(key=lambda layer: (layer.posting_id != completion.posting_id, layer.id or 0))
    draft = Draft(rows)
    wanted = Wanted(made, given.quantity, given.location, status=given.status, lots=lots, allow_expired=True)
    picks = choose_cells(rows, wanted, on=on)
    value = draft.issue(made.pk, [((made.pk, p.location_id, p.lot_id, given.status), p.quantity) for p in picks])
    lines, wasted = valued(recoveries, value)
    codes = {cell.lot_id: cell.lot_code for cell in rows.of_item(made.pk, status=given.status)}
    plan = DisassemblyPlan(
        item=made,
        completion=completion,
        bom_id=bom_id,
        quantity=given.quantity,
        location=given.location,
        target=given.target,
        status=given.status,
        taken=[(codes.get(pick.lot_id, ""), pick.quantity) for pick in picks],
        lines=lines,
        statuses=_statuses(recoveries, given.status),
        value=value,
        wasted_value=wasted,
    )
    return plan, draft


@operation
def reverse_disassembly(*, key: UUID, disassembly: Disassembly, actor: Actor, reason: str = "") -> Posting:
    """Put together again what was taken apart: the exact inverse. The components must still be where they were put.

    Raises AlreadyReversed or ReversalBlocked. Returns the reversing posting.
    """
    original = Posting.objects.get(pk=disassembly.posting_id)
    claim = claim_posting(
        key=key,
        kind=PostingKind.REVERSAL,
        request={"disassembly": disassembly.pk, "reason": reason},
        actor=actor,
        effective_at=None,
        reference=original.reference,
        reason=reason,
        reverses=original,
    )
    if not claim.is_new:
        return claim.posting
    done = Disassembly.objects.select_for_update(of=("self",), no_key=True).get(pk=disassembly.pk)
    if done.is_reversed:
        raise AlreadyReversed(f"{original} was reversed before. There is nothing left to undo.", posting=original.pk)
    undo_whole(original, reversal=claim.posting)
    done.is_reversed = True
    done.save(update_fields=["is_reversed"])
    return claim.posting


def _put_components(draft: Draft, plan: DisassemblyPlan, *, posting: Posting) -> list[DisassemblyLine]:
    """Components come in with what they carry; what is not recovered is waste, an expense."""
    loose = [recovery.component_id for recovery, _ in plan.lines if recovery.lot_id is None]
    items = Item.objects.in_bulk(loose)
    specs = [LotSpec(items[component_id], "", timezone.localdate(posting.effective_at)) for component_id in loose]
    implicit = ensure_lots(specs) if specs else {}
    lines = []
    for (recovery, kept), status in zip(plan.lines, plan.statuses, strict=True):
        lot_id = implicit[(recovery.component_id, "")] if recovery.lot_id is None else recovery.lot_id
        if recovery.recovered:
            key: CellKey = (recovery.component_id, plan.target.pk, lot_id, status)
            draft.receive(key, recovery.recovered, kept)
        lines.append(
            DisassemblyLine(
                component_id=recovery.component_id,
                expected=recovery.expected,
                recovered=recovery.recovered,
                value=kept if recovery.recovered else ZERO,
            )
        )
    draft.expense(None, CostEntryKind.WASTE, plan.wasted_value)
    return lines


STAYING = frozenset({StockStatus.QC_HOLD.value, StockStatus.QUARANTINE.value})
"""Statuses that goods do not lose by being taken apart."""


def _statuses(recoveries: Sequence[Recovery], status: str) -> list[str]:
    """The status of each thing that comes back: that of goods that wait for a decision; quarantine for a lot that is stopped.

    A lot is stopped while some of it is in quarantine; the pools of the components are locked, so that stays so.
    """
    named = [recovery.lot_id for recovery in recoveries if recovery.lot_id is not None]
    held = StockBalance.objects.filter(lot_id__in=named, status=StockStatus.QUARANTINE, quantity__gt=0)
    stopped = set(held.exclude(lot__code="").values_list("lot_id", flat=True)) if named else set()
    usual = status if status in STAYING else StockStatus.AVAILABLE.value
    return [StockStatus.QUARANTINE.value if recovery.lot_id in stopped else usual for recovery in recoveries]
