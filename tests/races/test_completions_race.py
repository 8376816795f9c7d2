"""Rivals with real commits. Each test names the line whose removal makes it fail; that was tried."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, connections

from inventory import locks
from inventory.errors import AlreadyReversed, DomainError, InsufficientStock, ReservedByOther, ReversalBlocked
from inventory.models import CostPool, Posting, StockBalance
from inventory.operations import posting as posting_module
from inventory.operations.issuing import issue_stock
from inventory.operations.reserving import reserve_stock
from inventory.operations.shipping import ShipmentLine, ship_stock
from production.models import Completion
from production.operations.reversing import reverse_completion
from tests.api.client import ApiClient
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, make_user, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.race

SEEDS = int(os.environ.get("BACKFLUSH_RACE_SEEDS", "3"))
CLIENTS = int(os.environ.get("BACKFLUSH_RACE_CLIENTS", "16"))
LOCK_ORDER_COMPLETIONS = int(os.environ.get("BACKFLUSH_LOCK_ORDER_COMPLETIONS", "500"))


def together(works):
    """Run the callables at the same moment, each in a thread with a connection of its own; results or exceptions."""
    barrier = threading.Barrier(len(works))

    def run(work):
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return work()
        except (DomainError, AssertionError) as refusal:
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@pytest.fixture
def workshop(committed_db):
    place = make_location(code="WORKSHOP")
    part, item = make_item(sku="PART"), make_item(sku="THING")
    make_bom(item=item, lines=[(part, "1")])
    return item, part, place


def take_out_the_locks(monkeypatch):
    """The negative control: the same rows are read, but not locked."""
    real = {name: getattr(locks, name) for name in ("_pools_statement", "_cells_statement", "in_one_trip")}
    barrier = threading.Barrier(2)

    def read_together(*statements):
        found = real["in_one_trip"](*statements)
        with suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=3)  # both rivals have read before either writes
        return found

    for name in ("_pools_statement", "_cells_statement"):
        read = real[name]
        monkeypatch.setattr(locks, name, lambda *given, read=read, **named: read(*given, **{**named, "lock": False}))
    monkeypatch.setattr(locks, "in_one_trip", read_together)


def test_two_completions_on_the_last_component_make_one(workshop):
    item, part, place = workshop
    put_on_hand(part, place, "1", value="2.00")

    results = together([lambda: complete(item, "1", into=place) for _ in range(2)])

    refused = [r for r in results if isinstance(r, Exception)]
    assert [type(r) for r in refused] == [InsufficientStock]
    assert (on_hand(part), on_hand(item)) == (0, 1)
    assert broken_invariants() == []


def test_without_the_lock_the_pool_loses_an_update(workshop, monkeypatch):
    item, part, place = workshop
    put_on_hand(part, place, "10", value="20.00")
    complete(item, "1", into=place)
    take_out_the_locks(monkeypatch)

    together([lambda: complete(item, "1", into=place) for _ in range(2)])

    assert any(finding.startswith("pools") for finding in broken_invariants())


class Rival:
    """A client who takes one piece at a time: at the service, over HTTP, and as an order that is promised and shipped."""

    def __init__(self, item, part, place, user):
        self.item, self.part, self.place = item, part, place
        self.api = ApiClient(user)
        self.ways = [self.completes, self.issues, self.completes_over_http, self.issues_over_http, self.orders]

    def completes(self):
        complete(self.item, "1", into=self.place)
        return True

    def issues(self):
        issue_stock(key=uuid4(), item=self.part, location=self.place, quantity=Decimal(1), actor=None)
        return True

    def completes_over_http(self):
        return self._answered("completions/", {"item": self.item.sku, "good": "1", "output_location": self.place.code})

    def issues_over_http(self):
        return self._answered("issues/", {"item": self.part.sku, "location": self.place.code, "quantity": "1"})

    def orders(self):
        demand = ("order", str(uuid4()))
        reserve_stock(
            item=self.part,
            location=self.place,
            quantity=Decimal(1),
            demand_kind=demand[0],
            demand_ref=demand[1],
            actor=None,
        )
        line = ShipmentLine(item=self.part, location=self.place, quantity=Decimal(1))
        ship_stock(key=uuid4(), lines=[line], demand=demand, actor=None)
        return True

    def _answered(self, path, body):
        answer = self.api.post(path, body)
        refused = answer.status_code != 201
        assert not refused or answer.json()["code"] in {"INSUFFICIENT_STOCK", "RESERVED_BY_OTHER"}, answer.content
        return answer.status_code == 201

    def takes(self, way):
        try:
            return self.ways[way % len(self.ways)]()
        except (InsufficientStock, ReservedByOther):
            return False


@pytest.mark.parametrize("seed", range(SEEDS))
def test_many_clients_sell_exactly_what_there_is(workshop, seed):
    """F3: 16 clients (BACKFLUSH_RACE_CLIENTS) on stock for fewer, by completions and issues at the service and over HTTP, and by
    orders that are promised and shipped, at once."""
    item, part, place = workshop
    user = make_user(role="administrator")
    rivals = [Rival(item, part, place, user) for _ in range(CLIENTS)]
    stock = CLIENTS + seed
    put_on_hand(part, place, str(stock), value=f"{stock}.00")

    taken = together(
        [
            lambda rival=rival, number=number: sum(rival.takes(number + turn) for turn in range(3))
            for number, rival in enumerate(rivals)
        ]
    )

    assert [result for result in taken if isinstance(result, Exception)] == []
    assert sum(taken) == stock
    assert on_hand(part) == 0
    assert broken_invariants() == []


def test_the_same_submit_many_times_posts_once(workshop):
    """Fails when the posting is inserted without ON CONFLICT on its key."""
    item, part, place = workshop
    put_on_hand(part, place, "100", value="50.00")
    key = uuid4()

    results = together([lambda: complete(item, "3", into=place, key=key) for _ in range(8)])

    assert sorted(r.replayed for r in results) == [False] + [True] * 7
    assert len({r.posting.pk for r in results}) == 1
    assert on_hand(item) == 3
    assert Posting.objects.filter(kind="completion").count() == 1


def test_a_key_that_is_not_claimed_posts_twice(workshop, monkeypatch):
    """The negative control of the test above: with a new key for each submit, both go through."""
    item, part, place = workshop
    put_on_hand(part, place, "100", value="50.00")
    key = uuid4()
    real = posting_module.claim_posting
    monkeypatch.setattr(
        "production.operations.completing.claim_posting", lambda **named: real(**{**named, "key": uuid4()})
    )

    together([lambda: complete(item, "3", into=place, key=key) for _ in range(2)])

    assert on_hand(item) == 6


def test_reversal_against_completion_that_uses_the_output(workshop):
    item, part, place = workshop
    gift = make_item(sku="GIFT")
    make_bom(item=gift, lines=[(item, "1")])
    put_on_hand(part, place, "5", value="5.00")
    made = complete(item, "5", into=place).completion

    results = together(
        [
            lambda: reverse_completion(key=uuid4(), completion=made, actor=None),
            lambda: complete(gift, "2", into=place),
        ]
    )

    refusals = [r for r in results if isinstance(r, Exception)]
    assert len(refusals) == 1
    assert isinstance(refusals[0], (ReversalBlocked, InsufficientStock))
    assert on_hand(item) in {Decimal(0), Decimal(3)}
    assert broken_invariants() == []


def test_without_the_lock_the_output_would_be_used_and_taken_back(workshop, monkeypatch):
    """The negative control of the test above: both have read the five before either writes, and only the database refuses."""
    item, part, place = workshop
    gift = make_item(sku="GIFT")
    make_bom(item=gift, lines=[(item, "1")])
    put_on_hand(part, place, "5", value="5.00")
    made = complete(item, "5", into=place).completion
    take_out_the_locks(monkeypatch)

    def unless_stopped(work):
        try:
            return work()
        except IntegrityError as error:
            return str(error)

    results = together(
        [
            lambda: unless_stopped(lambda: reverse_completion(key=uuid4(), completion=made, actor=None)),
            lambda: unless_stopped(lambda: complete(gift, "2", into=place)),
        ]
    )

    stopped = [r for r in results if isinstance(r, str)]
    assert [("inventory_stockbalance_not_negative" in words) for words in stopped] == [True]


def test_two_reversals_of_one_completion_take_it_back_once(workshop):
    """Fails when the completion row is read without select_for_update in reverse_completion."""
    item, part, place = workshop
    put_on_hand(part, place, "5", value="5.00")
    made = complete(item, "5", into=place).completion

    results = together([lambda: reverse_completion(key=uuid4(), completion=made, actor=None) for _ in range(2)])

    assert [type(r) for r in results if isinstance(r, Exception)] == [AlreadyReversed]
    assert on_hand(part) == 5
    assert Completion.objects.get(pk=made.pk).reversed_good == 5
    assert broken_invariants() == []


def test_shared_components_in_any_order_never_deadlock(committed_db):
    """F4: 16 clients, products whose BOMs name the same four components in different orders. Full size:
    BACKFLUSH_LOCK_ORDER_COMPLETIONS=10000. Fails when lock_for_posting does not order by item.
    """
    place = make_location(code="WORKSHOP")
    parts = [make_item(sku=f"PART-{n}") for n in range(4)]
    for part in parts:
        put_on_hand(part, place, "100000", value="100000.00")
    products = []
    for number in range(8):
        product = make_item(sku=f"THING-{number}")
        rotated = parts[number % 4 :] + parts[: number % 4]
        lines = rotated if number < 4 else rotated[::-1]
        make_bom(item=product, lines=[(part, "1") for part in lines])
        products.append(product)
    each = LOCK_ORDER_COMPLETIONS // CLIENTS + 1

    def client(number):
        for turn in range(each):
            complete(products[(number + turn) % 8], "1", into=place)
        return each

    done = together([lambda number=number: client(number) for number in range(CLIENTS)])

    assert done == [each] * CLIENTS
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert cursor.fetchone()[0] == 0
    assert StockBalance.objects.filter(item__in=parts).values_list("quantity", flat=True).distinct().count() == 1
    assert CostPool.objects.get(item=parts[0]).quantity == 100000 - each * CLIENTS
    assert broken_invariants() == []
