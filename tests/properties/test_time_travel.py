"""Random histories: as-of reads equal a replay of the ledger up to that moment, in both times; causes add up to the cent.

The replay is plain Python over all movements and shares nothing with the reads. Mutations that were tried and are found: a
snapshot that leaves out what happened at its very end, counting back by the time of happening alone (late postings vanish),
reading the newest period instead of the first that ends after the moment, forgetting that a reopened period's sums are void.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from inventory.errors import DomainError
from inventory.models import CostMethod, CostPool, Movement, PeriodClose, StockBalance
from inventory.operations.adjusting import adjust_stock, correct_cost
from inventory.operations.closing import close_period, reopen_period
from inventory.operations.issuing import issue_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.transferring import transfer_stock
from inventory.reads.changes_by_cause import changes_by_cause, total_value
from inventory.reads.moments import AsOf, Basis
from inventory.reads.stock_as_of import cells_as_of, share_of, worth_as_of
from inventory.reads.stock_totals import Narrowing, totals_as_of
from inventory.reads.unknown_costs import items_of_unknown_cost, unknown_quantities
from inventory.reads.valuation_report import ValuationQuestion, tie_out, valuation_page, valuation_rows
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom
from tests.properties.sizes import histories

EXAMPLES = histories("BACKFLUSH_TIME_EXAMPLES", usual=25)
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
START = datetime(2026, 3, 2, 9, tzinfo=timezone.get_default_timezone())

VERBS = ("receive", "issue", "transfer", "complete", "adjust", "reverse", "correct", "close", "reopen")
STEP = st.tuples(
    st.sampled_from(VERBS),
    st.integers(0, 4),  # item
    st.integers(0, 1),  # place
    st.integers(1, 12),  # quantity
    st.one_of(st.none(), st.integers(0, 5_000)),  # cents
    st.integers(0, 4),  # days before it was recorded
    st.integers(0, 40),  # hours since the step before
)


class Workshop:
    """Five items of every cost method, two places, and one verb a step; refusals are part of life."""

    def __init__(self):
        site = make_location()
        self.places = [make_location(parent=site), make_location()]
        self.items = [
            make_item(),
            make_item(cost_method=CostMethod.FIFO),
            make_item(tracking="lot", cost_method=CostMethod.LOT),
            make_item(tracking="lot"),
        ]
        for item in self.items:
            CostPool.objects.get_or_create(item=item, defaults={"method": item.cost_method})
        made = make_item(kind="product")
        make_bom(item=made, lines=[(self.items[0], "2"), (self.items[1], "1")])
        self.items.append(made)
        self.postings = []
        self.pool_log = []

    def step(self, now, verb, number, at, quantity, cents, days, _hours):
        item, place = self.items[number], self.places[at]
        when = now - timedelta(days=days) if days else None
        value = None if cents is None else Decimal(cents) / 100
        lot = "" if item.tracking == "none" else f"L{quantity % 3}"
        amount = Decimal(quantity)
        if verb == "receive":
            self.postings.append(put_on_hand(item, place, quantity, value=value, lot=lot, effective_at=when))
        elif verb == "issue":
            done = issue_stock(key=uuid4(), item=item, location=place, quantity=amount, actor=None, effective_at=when)
            self.postings.append(done.posting)
        elif verb == "transfer":
            other = self.places[1 - at]
            done = transfer_stock(
                key=uuid4(), item=item, source=place, target=other, quantity=amount, actor=None, effective_at=when
            )
            self.postings.append(done.posting)
        elif verb == "complete":
            complete(self.items[4], quantity, into=place, source_location=self.places[0], effective_at=when)
        elif verb == "adjust":
            less = cents is None or cents % 2
            adjust_stock(
                key=uuid4(),
                item=item,
                location=place,
                quantity=-amount if less else amount,
                lot_code="" if less else lot,
                reason="counted",
                actor=None,
                effective_at=when,
            )
        elif verb == "reverse" and self.postings:
            reverse_posting(key=uuid4(), posting=self.postings[-(quantity % len(self.postings)) - 1], actor=None)
        elif verb == "correct":
            correct_cost(key=uuid4(), item=item, unit_cost=(value or Decimal(1)) / 10, reason="invoice", actor=None)
        elif verb == "close":
            close_period(through=timezone.localdate(now) - timedelta(days=1 + days), actor=None)
        elif verb == "reopen":
            newest = PeriodClose.objects.in_force().first()
            if newest is not None:
                reopen_period(period=newest, reason="late invoice", actor=None)


def live(steps):
    """Carry the steps out on a moving clock; the moments at which something was recorded, and the shop."""
    shop = Workshop()
    now, moments = START, []
    for step in steps:
        now += timedelta(hours=step[-1], minutes=7)
        with time_machine.travel(now, tick=False):
            try:
                with transaction.atomic():
                    shop.step(now, *step)
            except DomainError:
                pass
            shop.pool_log.append((now, dict(CostPool.objects.filter(lot=None).values_list("item", "unknown_quantity"))))
        moments.append(now)
    return shop, moments


def replay(movements, *, effective_at, recorded_at):
    """Cells, quantities and known values by item, of the movements that belong to a moment."""
    cells, worth = {}, {}
    for m in movements:
        if m.effective_at <= effective_at and (recorded_at is None or m.recorded_at <= recorded_at):
            key = (m.item_id, m.location_id, m.lot_id, m.status)
            cells[key] = cells.get(key, 0) + m.quantity
            quantity, value = worth.get(m.item_id, (0, 0))
            worth[m.item_id] = (quantity + m.quantity, value + (m.value or 0))
    return {k: q for k, q in cells.items() if q}, {k: w for k, w in worth.items() if w != (0, 0)}


@pytest.mark.django_db
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(steps=st.lists(STEP, min_size=6, max_size=26), data=st.data())
def test_reads_of_any_moment_equal_a_replay_and_causes_add_up(steps, data):
    with transaction.atomic():
        shop, moments = live(steps)
        later = moments[-1] + timedelta(days=2)
        with time_machine.travel(later, tick=False):
            check_moments(shop, moments, data)
            check_causes(shop, moments, data)
            assert tie_out().is_true
            assert broken_invariants() == []
        transaction.set_rollback(True)


def check_moments(shop, moments, data):
    movements = list(Movement.objects.order_by("id"))
    ids = [item.pk for item in shop.items]
    odd = [m.effective_at for m in movements] + [p.ends_at for p in PeriodClose.objects.all()]
    chosen = data.draw(st.lists(st.sampled_from(moments + odd), min_size=2, max_size=4))
    for at in chosen:
        for moment, recorded_at in (
            (AsOf.at(at), None),
            (AsOf.at(at, Basis.KNOWN_THEN), at),
            (AsOf(effective_at=at, recorded_at=moments[-1] - (moments[-1] - at) / 2), ...),
        ):
            known = moment.recorded_at if recorded_at is ... else recorded_at
            cells, worth = replay(movements, effective_at=at, recorded_at=known)

            found = {
                (c.item_id, c.location_id, c.lot_id, c.status): c.quantity
                for c in cells_as_of(items=ids, moment=moment)
            }
            assert found == cells
            worths = worth_as_of(items=ids, moment=moment)
            assert {pk: (w.quantity, w.known_value) for pk, w in worths.items() if not w.is_empty} == worth
            page = valuation_page(ValuationQuestion(moment=moment))
            assert {row.item.pk: (row.worth.quantity, row.worth.known_value) for row in page.rows} == worth
            check_totals(shop, moment, cells, worth)
        check_unknown(shop, at)


def check_totals(shop, moment, cells, worth):
    total = sum(value for _, value in worth.values())
    kinds = {item.pk: item.kind for item in shop.items}
    for by in ("category", "kind", "place"):
        totals = totals_as_of(moment=moment, by=by)
        assert totals.known_value == total
        assert sum(row.known_value for row in totals.rows) == total
    by_kind = {row.key: row.known_value for row in totals_as_of(moment=moment, by="kind").rows}
    for kind in set(kinds.values()):
        assert by_kind.get(kind, 0) == sum(value for pk, (_, value) in worth.items() if kinds[pk] == kind)
    place = shop.places[0]
    shares = {}
    for (item_id, location_id, _, _), quantity in cells.items():
        if location_id == place.pk:
            shares[item_id] = shares.get(item_id, 0) + quantity
    expected = {pk: share_of(worth.get(pk, (0, 0))[1], q, worth.get(pk, (0, 0))[0]) for pk, q in shares.items() if q}
    rows = list(valuation_rows(ValuationQuestion(moment=moment, place=place)))
    assert {row.item.pk: row.worth.known_held_value for row in rows} == expected
    at_place = totals_as_of(moment=moment, by="kind", narrowing=Narrowing(locations=[place.pk]))
    assert at_place.known_value == sum(expected.values())


def check_unknown(shop, at):
    """As then believed, an item had a part of unknown cost exactly when its pool said so at that time."""
    log = [unknown for now, unknown in shop.pool_log if now <= at]
    if log:
        believed = unknown_quantities(items=list(log[-1]), moment=AsOf.at(at, Basis.KNOWN_THEN))
        assert set(believed) == {item_id for item_id, quantity in log[-1].items() if quantity}
        assert items_of_unknown_cost(moment=AsOf.at(at, Basis.KNOWN_THEN)) == believed


def check_causes(shop, moments, data):
    first, second = sorted(data.draw(st.tuples(st.sampled_from(moments), st.sampled_from(moments))))
    for basis in Basis.values:
        for item in (None, *shop.items):
            found = changes_by_cause(first=first, second=second, item=item, basis=basis)
            counted = found.causes + (found.late if basis == Basis.KNOWN_THEN else ())
            assert found.opening.known_value + total_value(counted) == found.closing.known_value
            if item is not None:
                assert found.opening.quantity + sum(c.quantity for c in counted) == found.closing.quantity
        then = totals_as_of(moment=AsOf.at(first, Basis.KNOWN_THEN)).known_value
        if basis == Basis.KNOWN_NOW:  # what was recorded later is what tells the two beliefs apart
            opening = changes_by_cause(first=first, second=second, basis=basis)
            assert then + total_value(opening.late) == opening.opening.known_value


@pytest.mark.django_db
def test_now_is_the_balances_and_the_pools():
    item, shelf = make_item(), make_location()
    put_on_hand(item, shelf, "4", value="10.00")

    (cell,) = cells_as_of(items=[item.pk], moment=AsOf())
    worth = worth_as_of(items=[item.pk], moment=AsOf())[item.pk]

    assert (cell.location_code, cell.quantity) == (shelf.code, StockBalance.objects.get(item=item).quantity)
    assert (worth.quantity, worth.value, worth.unit_cost) == (4, 10, Decimal("2.5"))
