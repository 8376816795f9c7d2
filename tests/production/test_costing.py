"""Costs by level and kind: the worked figures of the rules, and that a stack always adds up.

The plain roll-up is held to them here, and the quick one to the plain one in test_rolling.
"""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from production.costing import CostKind, by_kind, by_product_credit
from production.explosion import OperationFact, OutputFact
from tests.production.plain_costs import bought, made, own_operations, value_of


def operation(kind="labour", minutes="0", rate="0", amount="0", setup="0"):
    return OperationFact(1, kind, "Work", Decimal(minutes), Decimal(setup), Decimal(rate), Decimal(amount))


def share(percent, quantity="1"):
    return OutputFact(9, "by_product", Fraction(quantity), Decimal(percent), None)


def fixed(value, quantity="1"):
    return OutputFact(9, "by_product", Fraction(quantity), Decimal(0), Decimal(value))


def test_worked_example_of_a_completion_with_a_by_product():
    """W9: 85.00 consumed, operations 12.00, by-product 10 %: 9.70 of 97.00; 18 good carry 87.30, 4.85 each."""
    work = own_operations([operation(minutes="24", rate="30")], makes=Decimal(18), loss_percent=Decimal(0))

    stack = made([(Fraction(85, 18), Fraction(85, 18), bought(Fraction(1)))], operations=work, outputs=[share("10")])

    assert value_of(stack) == Fraction("4.85")
    assert by_kind(stack)[CostKind.BY_PRODUCT] * 18 == Fraction("-9.70")
    assert by_kind(stack)[CostKind.LABOUR] * 18 == 12


def test_worked_example_of_two_by_products():
    """W11: 10 % and 5 % of 333.33, exactly; a posting rounds them to 33.33 and 16.67."""
    credit = by_product_credit(Fraction("333.33"), [share("10"), share("5")])

    assert credit == Fraction("333.33") * Fraction(15, 100)


def test_expected_scrap_is_told_apart_from_material():
    stack = made([(Fraction(100), Fraction(102), bought(Fraction(3)))], operations={})

    assert by_kind(stack) == {"material": 300, "scrap": 6}


def test_process_loss_raises_the_work_of_what_becomes_good():
    """W10 turned round: of ten started 9.5 become good, so each good unit carries 10/9.5 of the work."""
    work = own_operations([operation(minutes="60", rate="19")], makes=Decimal(1), loss_percent=Decimal(5))

    assert work == {"labour": Fraction(20)}


def test_the_set_up_of_a_run_is_left_out():
    assert own_operations([operation(rate="60", setup="30")], makes=Decimal(1), loss_percent=Decimal(0)) == {}


def test_a_fixed_value_never_takes_off_more_than_there_is():
    stack = made([(Fraction(1), Fraction(1), bought(Fraction(5)))], operations={}, outputs=[fixed("4"), fixed("3")])

    assert value_of(stack) == 0


def test_levels_tell_where_a_cost_enters():
    part = made([(Fraction(2), Fraction(2), bought(Fraction(5)))], operations={"labour": Fraction(1)})

    whole = made([(Fraction(3), Fraction(3), part)], operations={"packaging": Fraction(4)}, outputs=[share("10")])

    assert whole == (
        {"packaging": 4, "by_product": Fraction("-3.7")},
        {"labour": 3},
        {"material": 30},
    )
    assert value_of(whole) == Fraction("33.3")


def test_ten_levels_of_a_tenth_more_each():
    stack = bought(Fraction(1))
    for _ in range(10):
        stack = made([(Fraction(1), Fraction("1.1"), stack)], operations={"overhead": Fraction("0.5")})

    expected = Fraction(1)
    for _ in range(10):
        expected = expected * Fraction("1.1") + Fraction("0.5")
    assert value_of(stack) == expected
    assert len(stack) == 11
    assert stack[10] == {"material": 1, "scrap": Fraction(1, 10)}


amounts = st.fractions(min_value=0, max_value=1000, max_denominator=1000)
stacks = st.lists(st.dictionaries(st.sampled_from(["material", "labour", "scrap"]), amounts), min_size=1, max_size=4)


@given(
    parts=st.lists(st.tuples(amounts, amounts, stacks), max_size=5),
    work=st.dictionaries(st.sampled_from(["labour", "overhead"]), amounts),
    percents=st.lists(st.integers(0, 40), max_size=2),
)
def test_a_stack_adds_up_to_its_parts_less_what_by_products_carry(parts, work, percents):
    """Fails when a level, the scrap or the credit is left out of the stack."""
    needed = [(net, net + lost, tuple(stack)) for net, lost, stack in parts]

    stack = made(needed, operations=work, outputs=[share(str(percent)) for percent in percents])

    total = sum((gross * value_of(part) for _, gross, part in needed), Fraction(0)) + sum(work.values())
    assert value_of(stack) == total * (1 - Fraction(min(sum(percents), 100), 100))
