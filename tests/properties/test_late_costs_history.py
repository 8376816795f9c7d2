"""Random receipts, issues, undone issues and late costs on items of every cost method (T3, T7).

Mutations that were tried and are found: booking the capitalised part as expense, forgetting the cost entry of the expensed
part.
"""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.errors import DomainError
from inventory.models import CostEntry, CostPool, LandedCostShare, Movement, Posting
from inventory.operations.issuing import issue_stock
from inventory.operations.landing_costs import ReceiptPrice, add_landed_cost, correct_prices
from inventory.operations.rebuilding import rebuild_balances
from inventory.operations.reversing import reverse_posting
from inventory.quantities import proportion
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, put_on_hand
from tests.properties.sizes import histories

EXAMPLES = histories("BACKFLUSH_LATE_COST_EXAMPLES", usual=40)
CENT = Decimal("0.01")

cents = st.integers(0, 5_000).map(lambda n: n * CENT)
signed_cents = st.integers(-3_000, 5_000).filter(bool).map(lambda n: n * CENT)
steps = st.one_of(
    st.tuples(st.just("receive"), st.integers(1, 20), st.one_of(cents, cents, st.none())),
    st.tuples(st.just("issue"), st.integers(1, 20), st.none()),
    st.tuples(st.just("undo"), st.integers(0, 5), st.none()),
    st.tuples(st.just("land"), st.integers(0, 5), signed_cents),
    st.tuples(st.just("price"), st.integers(0, 5), cents),
)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["average", "fifo", "lot"])
@given(history=st.lists(steps, min_size=3, max_size=14))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_cent_is_on_hand_issued_or_expensed(method, history):
    with transaction.atomic():
        item, place = make_item(cost_method=method, tracking="lot"), make_location()
        for number, (verb, one, amount) in enumerate(history):
            perform(item, place, f"L{number % 3}", verb, one, amount)
        check(item)
        transaction.set_rollback(True)


def perform(item, place, lot, verb, one, amount):
    """One step; what is refused is part of life and must change nothing."""
    received = list(Movement.objects.filter(item=item, posting__kind="receipt", quantity__gt=0).order_by("-id")[:6])
    try:
        with transaction.atomic():
            if verb == "receive":
                put_on_hand(item, place, str(one), value=amount, lot=lot)
            elif verb == "issue":
                issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(one), actor=None)
            elif verb == "undo":
                issues = list(Posting.objects.filter(kind="issue", reversals=None).order_by("-id"))
                if one < len(issues):
                    reverse_posting(key=uuid4(), posting=issues[one], actor=None)
            elif verb == "land":
                add_landed_cost(key=uuid4(), targets=received[: one + 1], amount=amount, basis="quantity", actor=None)
            elif one < len(received):
                correct_prices(key=uuid4(), prices=[ReceiptPrice(received[one], amount)], actor=None)
    except DomainError:
        pass


def check(item):
    pool = CostPool.objects.get(item=item, lot=None) if CostPool.objects.filter(item=item).exists() else None
    held = pool.value if pool else Decimal(0)
    moved = {True: Decimal(0), False: Decimal(0)}
    for movement in Movement.objects.filter(item=item).exclude(posting__kind="landed_cost"):
        moved[movement.posting.kind == "receipt"] += movement.value or Decimal(0)
    entries = list(CostEntry.objects.filter(item=item))
    late = -sum((e.amount for e in entries if e.kind == "landed_cost"), Decimal(0))
    expensed = sum((e.amount for e in entries if e.kind == "landed_expense"), Decimal(0))
    assert moved[True] + late == held - moved[False] + expensed
    for share in LandedCostShare.objects.all():
        assert share.capitalised + share.expensed == share.amount
        assert 0 <= share.remaining <= share.received
        if share.amount >= 0:
            assert share.capitalised == proportion(share.amount, share.remaining, share.received, step=CENT)
    assert held >= 0
    assert broken_invariants() == []
    assert rebuild_balances(items=[item.pk], dry_run=True).differences == []
