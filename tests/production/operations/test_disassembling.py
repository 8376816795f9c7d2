from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.errors import AlreadyReversed, InvalidQuantity, LotRequired, ReversalBlocked
from inventory.models import CostEntry, CostPool, StockBalance
from inventory.operations.quarantining import quarantine_lots
from inventory.reads.genealogy import genealogy
from inventory.reads.recall import recall
from production.errors import OverDisassembly
from production.models import Completion, Disassembly
from production.operations.disassembling import disassemble, reverse_disassembly
from production.operations.reversing import reverse_completion
from tests.factories import lot_of, make_item, make_location, on_hand, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def place(db):
    return make_location(code="WORKSHOP")


def state():
    cells = StockBalance.objects.exclude(quantity=0).values_list("item", "location", "lot", "status", "quantity")
    pools = CostPool.objects.exclude(quantity=0).values_list("item", "lot", "quantity", "value", "unknown_quantity")
    return sorted(cells), sorted(pools, key=repr)


def apart(completion, quantity, place, **rest):
    fresh = Completion.objects.get(pk=completion.pk)
    return disassemble(key=uuid4(), completion=fresh, quantity=Decimal(quantity), location=place, actor=None, **rest)


def test_what_was_used_comes_back_to_the_lots_it_came_from(place):
    """W22: 10 made of L1 12 and L2 8; 4 reversed, then 3 of the remaining 6 taken apart: 6 go to L1."""
    part, item = make_item(sku="PART", tracking="lot"), make_item(sku="THING")
    put_on_hand(part, place, "12", lot="L1", value="12.00")
    put_on_hand(part, place, "8", lot="L2", value="16.00")
    make_bom(item=item, lines=[(part, "2")])
    completion = complete(item, "10", into=place).completion
    reverse_completion(key=uuid4(), completion=completion, good=Decimal(4), actor=None)
    assert on_hand(part, lot="L2") == 8

    apart(completion, "3", place)

    assert (on_hand(part, lot="L1"), on_hand(part, lot="L2"), on_hand(item)) == (6, 8, 3)


def test_taking_everything_apart_returns_exactly_its_components(place):
    part, jar, item = make_item(sku="PART", step="0.001"), make_item(sku="JAR"), make_item(sku="THING")
    put_on_hand(part, place, "10", value="33.33")
    put_on_hand(jar, place, "9", value="7.77")
    make_bom(item=item, lines=[(part, "0.333"), (jar, "4")], makes="3")
    completion = complete(item, "5", into=place).completion

    for quantity in ("2", "1", "2"):
        apart(completion, quantity, place)

    assert (on_hand(part), on_hand(jar), on_hand(item)) == (10, 9, 0)
    assert sum(pool.value for pool in CostPool.objects.all()) == Decimal("41.10")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.integers(1, 12),
    per_unit=st.integers(1, 5),
    cents=st.integers(0, 9_999),
    cuts=st.lists(st.integers(1, 5), max_size=6),
)
def test_value_and_quantity_are_conserved_in_any_number_of_steps(db, made, per_unit, cents, cuts):
    place = make_location()
    part, item = make_item(), make_item()
    put_on_hand(part, place, str(made * per_unit), value=str(Decimal(cents) / 100))
    make_bom(item=item, lines=[(part, str(per_unit))])
    before = state()
    completion = complete(item, str(made), into=place).completion
    left = made
    for cut in [*cuts, made]:
        quantity = min(cut, left)
        if quantity:
            apart(completion, str(quantity), place)
            left -= quantity

    assert [row for row in state()[1] if row[0] == part.pk] == [row for row in before[1] if row[0] == part.pk]


def test_no_more_than_is_left_can_be_taken_apart(place):
    part, item = make_item(), make_item()
    put_on_hand(part, place, "10")
    make_bom(item=item, lines=[(part, "1")])
    completion = complete(item, "5", into=place).completion
    apart(completion, "3", place)

    with pytest.raises(OverDisassembly, match="2 pcs"):
        apart(completion, "3", place)

    assert on_hand(item) == 2


def test_what_was_not_recovered_is_waste(place):
    part, item = make_item(), make_item()
    put_on_hand(part, place, "10", value="20.00")
    make_bom(item=item, lines=[(part, "2")])
    completion = complete(item, "5", into=place).completion

    result = apart(completion, "5", place, recovered={part.pk: Decimal(7)})

    assert (on_hand(part), result.disassembly.wasted_value) == (7, Decimal("6.00"))
    assert CostEntry.objects.get(posting=result.posting).kind == "waste"
    with pytest.raises(InvalidQuantity, match="at most"):
        apart(complete(item, "1", into=place).completion, "1", place, recovered={part.pk: Decimal(3)})


def test_without_a_completion_the_value_is_spread_by_what_parts_cost(place):
    wood, screw, chair = make_item(sku="WOOD"), make_item(sku="SCREW"), make_item(sku="CHAIR")
    put_on_hand(wood, place, "1", value="9.00")
    put_on_hand(screw, place, "10", value="2.50")
    put_on_hand(chair, place, "2", value="40.00")
    make_bom(item=chair, lines=[(wood, "2"), (screw, "8")])

    result = disassemble(key=uuid4(), item=chair, quantity=Decimal(1), location=place, actor=None)

    lines = {line.component_id: line.value for line in result.disassembly.lines.all()}
    assert lines == {wood.pk: Decimal("18.00"), screw.pk: Decimal("2.00")}
    assert (on_hand(wood), on_hand(screw), on_hand(chair)) == (3, 18, 1)


def test_tracked_parts_need_the_completion_they_came_from(place):
    part, item = make_item(sku="PART", tracking="lot"), make_item()
    put_on_hand(item, place, "1")
    make_bom(item=item, lines=[(part, "1")])

    with pytest.raises(LotRequired, match="PART is tracked"):
        disassemble(key=uuid4(), item=item, quantity=Decimal(1), location=place, actor=None)

    assert not Disassembly.objects.exists()


def test_a_disassembly_is_undone_exactly_and_once(place):
    part, item = make_item(), make_item()
    put_on_hand(part, place, "10", value="9.99")
    make_bom(item=item, lines=[(part, "2")])
    completion = complete(item, "5", into=place).completion
    before = state()
    disassembly = apart(completion, "2", place, recovered={part.pk: Decimal(3)}).disassembly
    with pytest.raises(ReversalBlocked, match="taken apart"):
        reverse_completion(key=uuid4(), completion=completion, actor=None)

    reverse_disassembly(key=uuid4(), disassembly=disassembly, actor=None)

    assert state() == before
    with pytest.raises(AlreadyReversed):
        reverse_disassembly(key=uuid4(), disassembly=disassembly, actor=None)


def test_the_same_key_takes_apart_once(place):
    part, item = make_item(), make_item()
    put_on_hand(part, place, "10")
    make_bom(item=item, lines=[(part, "1")])
    completion = complete(item, "5", into=place).completion
    key = uuid4()

    for _ in range(2):
        result = disassemble(key=key, completion=completion, quantity=Decimal(1), location=place, actor=None)

    assert (result.replayed, on_hand(item)) == (True, 4)


def quarantine(item, code):
    quarantine_lots(key=uuid4(), lots=[lot_of(item, code)], reason="a doubt", actor=None)


def test_parts_of_a_stopped_lot_come_back_stopped(place):
    part, other, item = make_item(tracking="lot"), make_item(tracking="lot"), make_item(sku="THING")
    put_on_hand(part, place, "12", lot="R1", value="12.00")
    put_on_hand(other, place, "10", lot="S1", value="10.00")
    make_bom(item=item, lines=[(part, "1"), (other, "1")])
    completion = complete(item, "10", into=place).completion
    quarantine(part, "R1")

    apart(completion, "4", place)

    assert (on_hand(part, status="quarantine"), on_hand(part, status="available")) == (6, 0)
    assert (on_hand(other, status="available"), on_hand(item)) == (4, 6)


def test_parts_of_goods_in_quarantine_do_not_become_free(place):
    part, nut, item = make_item(tracking="lot"), make_item(), make_item(sku="THING", tracking="lot")
    put_on_hand(part, place, "10", lot="R1", value="10.00")
    put_on_hand(nut, place, "10", value="1.00")
    make_bom(item=item, lines=[(part, "1"), (nut, "1")])
    completion = complete(item, "10", into=place, output_lot_code="F1").completion
    quarantine(item, "F1")

    done = apart(completion, "4", place, status="quarantine").disassembly

    assert [on_hand(one, status="quarantine") for one in (part, nut, item)] == [4, 4, 6]
    reverse_disassembly(key=uuid4(), disassembly=done, actor=None)
    assert [on_hand(one) for one in (part, nut, item)] == [0, 0, 10]


def test_a_recall_goes_on_through_what_was_taken_apart(place):
    part, item, box = make_item(tracking="lot"), make_item(tracking="lot"), make_item(tracking="lot")
    put_on_hand(part, place, "10", lot="R1", value="10.00")
    make_bom(item=item, lines=[(part, "1")])
    make_bom(item=box, lines=[(part, "1")])
    complete(box, "2", into=place, output_lot_code="BEFORE")
    completion = complete(item, "8", into=place, output_lot_code="F1").completion
    apart(completion, "3", place)
    complete(box, "3", into=place, output_lot_code="AFTER")

    answer = recall(lots=[lot_of(item, "F1").pk])
    back = genealogy(lots=[lot_of(box, "BEFORE").pk], direction="backward")

    assert [node.lot.code for node in answer.nodes] == ["F1", "R1", "AFTER"]
    assert [(edge.kind, edge.taken, edge.made) for edge in answer.completions] == [
        ("disassembly", 3, 3),
        ("completion", 3, 3),
    ]
    assert [node.lot.code for node in back.nodes.values()] == ["BEFORE", "R1"]
