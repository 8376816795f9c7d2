"""Rivals who take apart the same goods, with real commits."""

import threading
from contextlib import suppress
from decimal import Decimal
from uuid import uuid4

import pytest

from production.errors import OverDisassembly
from production.models import Disassembly
from production.operations import disassembling
from production.operations.completing import CompletionRequest
from production.operations.completing_batches import BatchMode, complete_batch
from production.operations.disassembling import disassemble
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import complete, make_bom
from tests.races.test_completions_race import together

pytestmark = pytest.mark.race


@pytest.fixture
def workshop(committed_db):
    place = make_location(code="WORKSHOP")
    part, item = make_item(sku="PART"), make_item(sku="THING")
    make_bom(item=item, lines=[(part, "1")])
    put_on_hand(part, place, "40", value="40.00")
    return item, part, place


def test_two_never_take_more_apart_than_a_completion_made(workshop, monkeypatch):
    """Without the lock of the completion's row in `disassemble` both take 6 of its 10: another 10 are on the shelf."""
    item, part, place = workshop
    complete(item, "10", into=place)
    done = complete(item, "10", into=place).completion
    barrier, real = threading.Barrier(2), disassembling.from_completion

    def read_together(*given):
        found = real(*given)
        with suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=2)  # both rivals have read what is left before either writes
        return found

    monkeypatch.setattr(disassembling, "from_completion", read_together)

    results = together(
        [
            lambda: disassemble(key=uuid4(), completion=done, quantity=Decimal(6), location=place, actor=None)
            for _ in range(2)
        ]
    )

    assert sorted(type(one).__name__ for one in results) == ["DisassemblyResult", "OverDisassembly"]
    assert isinstance(next(one for one in results if isinstance(one, Exception)), OverDisassembly)
    assert (Disassembly.objects.count(), on_hand(item), on_hand(part)) == (1, 14, 26)
    assert broken_invariants() == []


@pytest.mark.parametrize("mode", [BatchMode.ALL, BatchMode.EACH])
def test_the_same_rows_sent_twice_at_once_are_posted_once(workshop, mode):
    """Without the unique key that `claim_posting` inserts, each row would be posted twice."""
    item, _, place = workshop
    entries = [
        (uuid4(), CompletionRequest(item=item, good=Decimal(2), output_location=place, source_location=place))
        for _ in range(3)
    ]

    results = together([lambda: complete_batch(entries=entries, mode=mode, actor=None) for _ in range(2)])

    assert [[outcome.problem for outcome in one.outcomes] for one in results] == [[None] * 3] * 2
    assert on_hand(item) == 6
    assert broken_invariants() == []
