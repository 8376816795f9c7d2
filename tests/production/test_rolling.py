"""The roll-up in whole numbers says what the plain one says, and what it must not depend on."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.models import ItemKind
from production.explosion import BomFact, LineFact, OperationFact, OutputFact
from production.reads.cost_rollup import CostBook
from production.reads.structures import BomHead, Extras, ItemFact, Structures
from production.rolling import OF_ITEM, CostSource, Figures, Recipe, Roller
from tests.production.plain_costs import PlainBook

KINDS = (ItemKind.MATERIAL, ItemKind.MATERIAL, ItemKind.MATERIAL, ItemKind.PHANTOM, ItemKind.SERVICE)
COUNT = 9


def decimals(least, most, places):
    return st.integers(least, most).map(lambda number: Decimal(number).scaleb(-places))


quantities = decimals(1, 5_000_000, 6)


@st.composite
def lines(draw, line_id, item_id):
    return LineFact(
        line_id=line_id,
        component_id=draw(st.integers(item_id + 1, COUNT - 1)),
        quantity=draw(quantities),
        unit_numerator=Decimal(draw(st.sampled_from((1, 1, 12, 7)))),
        unit_denominator=Decimal(draw(st.sampled_from((1, 1, 3, 1000)))),
        scrap_percent=draw(st.sampled_from((Decimal(0), Decimal("2.5"), Decimal("0.125")))),
        is_consumable=draw(st.booleans()) and draw(st.booleans()),
        is_optional=draw(st.booleans()) and draw(st.booleans()),
        explodes=draw(st.booleans()) and draw(st.booleans()),
    )


@st.composite
def companies(draw):
    """Items whose versions are made of later items only, with everything a version may say."""
    structures, extras = Structures(date(2026, 1, 1)), Extras()
    averages = {}
    for item_id in range(COUNT):
        kind = draw(st.sampled_from(KINDS))
        cost = draw(st.none() | decimals(0, 10_000_000, 6))
        structures.items[item_id] = ItemFact(item_id, f"I{item_id}", "", kind, "pcs", Decimal(1), cost, True)
        if draw(st.integers(0, 3)) == 0:
            averages[item_id] = draw(st.fractions(0, 100, max_denominator=999))
        if item_id == 0 or (item_id < COUNT - 1 and draw(st.booleans())):
            bom_id = 100 + item_id
            makes, loss = draw(quantities), draw(st.sampled_from((Decimal(0), Decimal("12.5"))))
            of_bom = [draw(lines(bom_id * 10 + n, item_id)) for n in range(draw(st.integers(0, 4)))]
            structures.heads[bom_id] = BomHead(bom_id, item_id, 1, "active", makes, None, None, True, loss)
            structures.boms[bom_id] = BomFact(bom_id, item_id, makes, of_bom, loss)
            structures.in_force[item_id] = bom_id
            for kind in draw(st.lists(st.sampled_from(("labour", "labour", "machine", "packaging")), max_size=3)):
                work = OperationFact(
                    bom_id,
                    kind,
                    "",
                    draw(decimals(0, 90_000, 3)),
                    Decimal(5),
                    draw(decimals(0, 50_000_000, 6)),
                    draw(decimals(0, 9, 2)),
                )
                extras.operations.setdefault(bom_id, []).append(work)
            for share in draw(st.lists(st.none() | decimals(0, 700_000, 4), max_size=2)):
                fixed = draw(decimals(0, 9_000_000, 6)) if share is None else None
                per_unit = draw(st.fractions(0, 3, max_denominator=50))
                output = OutputFact(900, "by_product", per_unit, share or Decimal(0), fixed)
                extras.outputs.setdefault(bom_id, []).append(output)
    return structures, averages, extras


def assert_same(cost, plain):
    assert (cost.value, cost.source, cost.missing) == (plain.value, plain.source, plain.missing)
    assert filled(cost.stack) == filled(plain.stack)


def filled(stack):
    """The stack without kinds that cost nothing, and without levels at the end where nothing enters."""
    levels = [{kind: part for kind, part in level.items() if part} for level in stack]
    while levels and not levels[-1]:
        levels.pop()
    return levels


@settings(max_examples=100, deadline=None)
@given(company=companies())
def test_every_item_line_and_version_costs_what_the_plain_roll_up_says(company):
    """Fails when scrap, loss, packs, batches, work, by-products or the order of sources is left out or rounded."""
    structures, averages, extras = company
    quick, plain = CostBook(structures, averages, extras), PlainBook(structures, averages, extras)

    for item_id in structures.items:
        assert_same(quick.of_item(item_id), plain.of_item(item_id))
    for bom_id, bom in structures.boms.items():
        assert_same(quick.of_bom(bom_id), plain.of_bom(bom_id))
        assert_same(quick.of_bom(bom_id, is_exploded=True), plain.of_bom(bom_id, is_exploded=True))
        for line in bom.lines:
            assert_same(quick.of_line(line), plain.of_line(line))


def chain(length, *, closed=False):
    """Each item made of one and a tenth of the next; the last is bought for 1, or made of the first."""
    recipes = {
        n: Recipe(n, 1_000_000, 0, True, [(n + 1 if n + 1 < length or not closed else 0, 1_100_000, 1, 0, OF_ITEM)])
        for n in range(length)
    }
    standards = {} if closed else {length: (CostSource.STANDARD, 1_000_000, 1_000_000, frozenset())}
    return Figures(recipes, {n: n for n in range(length)}, {}, standards)


def test_no_depth_is_too_deep_and_nothing_is_rounded_on_the_way():
    source, denominator, total, missing = Roller(chain(3000)).of_version(0)

    assert (source, missing) == (CostSource.BOM, frozenset())
    assert Fraction(total, denominator) == Fraction(11, 10) ** 3000


@pytest.mark.parametrize("asked", [0, 2])
def test_what_is_part_of_itself_has_no_cost(asked):
    source, denominator, _, missing = Roller(chain(4, closed=True)).of_version(asked)

    assert (source, denominator) == (CostSource.UNKNOWN, 0)
    assert missing


@pytest.mark.parametrize("order", [(), (0, 1, 2, 3), (3, 2, 1, 0), (2, 0)])
def test_the_order_of_what_was_read_changes_nothing(order):
    figures = chain(4)
    figures.order = order

    _, denominator, total, _ = Roller(figures).of_version(0)

    assert Fraction(total, denominator) == Fraction(11, 10) ** 4
