"""Costs that come after the goods: freight and duty, credit notes, and the price of goods that came in with another or none.

A late cost falls on receipts. Of each one the part that is still on hand takes its share into its value; the share of what
was used is expensed, and the page shows what used it and what that would have cost (rule S21).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from inventory.errors import InvalidQuantity, NothingToSpreadOver
from inventory.locks import lock_for_posting
from inventory.models import (
    LandedBasis,
    LandedCost,
    LandedCostKind,
    LandedCostShare,
    Movement,
    Posting,
    PostingKind,
    Supplier,
)
from inventory.operations.landed_decisions import LandedPlan, Wanted, decide, plan_of
from inventory.operations.posting import Actor, claim_posting, post
from inventory.operations.receiving import check_value
from inventory.operations.transactions import operation
from inventory.quantities import MONEY_MAX, ZERO, as_text

LANDED_ON = (PostingKind.RECEIPT, PostingKind.COMPLETION)
PRICED = (*LANDED_ON, PostingKind.ADJUSTMENT, PostingKind.COUNT, PostingKind.CUSTOMER_RETURN)
TARGETS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class ReceiptPrice:
    """What a received quantity cost after all: `value` for all of it, in base currency."""

    movement: Movement
    value: Decimal


@dataclass(frozen=True, slots=True)
class LandedCostResult:
    posting: Posting
    landed_cost: LandedCost
    replayed: bool  # the key had already been used for this very request


def preview_landed_cost(
    *, targets: Sequence[Movement], amount: Decimal, kind: LandedCostKind, basis: LandedBasis
) -> LandedPlan:
    """What `add_landed_cost` would do now; raises as it does. Writes and locks nothing."""
    wanted = _landed(targets, amount, kind, basis)
    return plan_of(decide(lock_for_posting(items=(), pools_of=wanted.items, lock=False), wanted))


@operation
def add_landed_cost(
    *,
    key: UUID,
    targets: Sequence[Movement],
    amount: Decimal,
    actor: Actor,
    kind: LandedCostKind = LandedCostKind.FREIGHT,
    basis: LandedBasis = LandedBasis.VALUE,
    supplier: Supplier | None = None,
    reference: str = "",
    note: str = "",
    related: Posting | None = None,
) -> LandedCostResult:
    """Spread `amount` (base currency; negative for a credit note) over received quantities.

    `targets` are movements of receipts or completions, in the order in which the last one takes the residue. What is left of
    each takes its part into its value, never below zero; the rest is expensed. Raises InvalidQuantity, NothingToSpreadOver,
    WrongState for goods that were taken back or have no price yet, or IdempotencyMismatch; nothing is written then.
    """
    wanted = _landed(targets, amount, kind, basis)
    return _post(key, wanted, actor=actor, supplier=supplier, reference=reference, note=note, related=related)


def preview_prices(*, prices: Sequence[ReceiptPrice]) -> LandedPlan:
    """What `correct_prices` would do now; raises as it does. Writes and locks nothing."""
    wanted = _priced(prices)
    return plan_of(decide(lock_for_posting(items=(), pools_of=wanted.items, lock=False), wanted))


@operation
def correct_prices(
    *,
    key: UUID,
    prices: Sequence[ReceiptPrice],
    actor: Actor,
    supplier: Supplier | None = None,
    reference: str = "",
    note: str = "",
) -> LandedCostResult:
    """Set what received quantities cost, as the supplier invoiced it; of goods without a cost it becomes known.

    The difference to what was recorded goes where a landed cost would go. Raises InvalidQuantity when nothing changes,
    WrongState when the goods were taken back or their cost was corrected since, or IdempotencyMismatch; nothing is written
    then.
    """
    return _post(key, _priced(prices), actor=actor, supplier=supplier, reference=reference, note=note)


# --- What is asked for ------------------------------------------------------------------------------------------------


def _landed(targets: Sequence[Movement], amount: Decimal, kind: LandedCostKind, basis: LandedBasis) -> Wanted:
    if kind == LandedCostKind.PRICE or basis == LandedBasis.GIVEN:
        raise ValueError("prices are given by correct_prices")
    _check_targets(targets, LANDED_ON)
    if not amount.is_finite() or amount == ZERO or abs(amount) > MONEY_MAX:
        raise InvalidQuantity(f"{amount} is no amount to spread. Give what was paid, or a credit note below zero.")
    if amount % settings.CURRENCY_STEP:
        raise InvalidQuantity(
            f"{as_text(amount)} is finer than {settings.CURRENCY_STEP} {settings.BASE_CURRENCY}. Give it in whole steps.",
            amount=as_text(amount),
        )
    return Wanted(list(targets), LandedCostKind(kind), LandedBasis(basis), amount=amount)


def _priced(prices: Sequence[ReceiptPrice]) -> Wanted:
    targets = [price.movement for price in prices]
    _check_targets(targets, PRICED)
    for price in prices:
        check_value(price.movement.item, price.value)
    by_movement = {price.movement.pk: price.value for price in prices}
    return Wanted(targets, LandedCostKind.PRICE, LandedBasis.GIVEN, prices=by_movement)


def _check_targets(targets: Sequence[Movement], kinds: Sequence[PostingKind]) -> None:
    if not targets:
        raise NothingToSpreadOver("No received goods were chosen. Choose at least one line.")
    if len(targets) > TARGETS_MAX:
        raise NothingToSpreadOver(f"{len(targets)} lines were chosen, one cost falls on {TARGETS_MAX} at most.")
    if len({target.pk for target in targets}) < len(targets):
        raise NothingToSpreadOver("A received line was chosen twice. Choose each once.")
    for target in targets:
        if target.quantity <= ZERO or target.posting.kind not in kinds:
            raise NothingToSpreadOver(
                f"{target.posting} brought in no {target.item.sku} that could take a late cost. Choose lines of receipts or "
                "completions.",
                movement=target.pk,
            )


# --- Posting ----------------------------------------------------------------------------------------------------------


def _post(
    key: UUID,
    wanted: Wanted,
    *,
    actor: Actor,
    supplier: Supplier | None,
    reference: str,
    note: str,
    related: Posting | None = None,
) -> LandedCostResult:
    request = {
        "targets": [target.pk for target in wanted.targets],
        "amount": None if wanted.amount is None else as_text(wanted.amount),
        "prices": [[pk, as_text(value)] for pk, value in sorted(wanted.prices.items())],
        "kind": str(wanted.kind),
        "basis": str(wanted.basis),
        "supplier": None if supplier is None else supplier.pk,
        "reference": reference,
        "note": note,
    }
    claim = claim_posting(
        key=key,
        kind=PostingKind.LANDED_COST,
        request=request,
        actor=actor,
        effective_at=None,
        reference=reference,
        note=note,
        related=related,
    )
    if not claim.is_new:
        return LandedCostResult(claim.posting, LandedCost.objects.get(posting=claim.posting), replayed=True)

    decision = decide(lock_for_posting(items=(), pools_of=wanted.items), wanted)
    post(posting=claim.posting, draft=decision.draft)
    cost = LandedCost.objects.create(
        posting=claim.posting, kind=wanted.kind, basis=wanted.basis, amount=decision.amount, supplier=supplier
    )
    LandedCostShare.objects.bulk_create(
        LandedCostShare(
            landed_cost=cost,
            movement=one.standing.movement,
            amount=one.share,
            capitalised=one.added,
            expensed=one.expensed,
            received=one.standing.received,
            remaining=one.standing.remaining,
        )
        for one in decision.outcomes
    )
    return LandedCostResult(claim.posting, cost, replayed=False)
