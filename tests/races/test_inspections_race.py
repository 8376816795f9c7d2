"""Two inspectors judge the same goods at once.

What keeps them apart is the lock of the inspection in `inspection_of`, and for the quantity also that of `lock_for_posting`.
"""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory.errors import DomainError
from inventory.models import StockStatus
from production.errors import OverInspection
from production.models import InspectionVerdict
from production.operations.inspecting import Outcome, decide_inspection
from production.reads.held_goods import held_goods
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.races.test_completions_race import together

pytestmark = pytest.mark.race


def test_together_they_decide_what_is_there_and_no_more(committed_db):
    item, place = make_item(inspection_required=True), make_location()
    put_on_hand(item, place, "10", value="10")
    put_on_hand(item, place, "10", value="10")
    first, _ = held_goods()

    def release():
        return decide_inspection(key=uuid4(), handle=first.pk, outcomes=[Outcome("release", Decimal(7))], actor=None)

    answers = together([release, release])

    assert sorted(isinstance(answer, OverInspection) for answer in answers) == [False, True]
    assert on_hand(item, status=StockStatus.AVAILABLE) == Decimal(7)
    assert sorted(goods.held for goods in held_goods()) == [Decimal(3), Decimal(10)]
    assert broken_invariants() == []


def test_the_same_key_at_once_decides_once(committed_db):
    item, place = make_item(inspection_required=True), make_location()
    put_on_hand(item, place, "10", value="10")
    (goods,) = held_goods()
    key = uuid4()

    def release():
        return decide_inspection(key=key, handle=goods.pk, outcomes=[Outcome("release", Decimal(4))], actor=None)

    answers = together([release, release])

    assert not [answer for answer in answers if isinstance(answer, DomainError)]
    assert sorted(answer.replayed for answer in answers) == [False, True]
    assert InspectionVerdict.objects.count() == 1
    assert on_hand(item, status=StockStatus.AVAILABLE) == Decimal(4)
