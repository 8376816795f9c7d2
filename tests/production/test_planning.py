"""Ordinary lines are planned by a short way, which says the same as the long one."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.locks import Cell, OwnReservation, StockRows
from inventory.quantities import ZERO
from inventory.valuation import Pool
from production import planning
from production.explosion import BACKFLUSH, MANUAL, Rate
from production.facts import ComponentFact, Recipe
from production.planned import Usage
from production.planning import PlanInput, plan_lines, standards_of

TODAY = date(2026, 5, 4)
UNITS = st.integers(0, 12).map(Decimal)
STEP = Decimal("0.01")


@st.composite
def cells_of(draw, item_id):
    """Up to two cells of a component, some of them blocked, on hold, expired, elsewhere, or partly reserved."""
    cells = []
    for number in range(draw(st.sampled_from([0, 1, 1, 1, 1, 2]))):
        quantity = draw(st.integers(1, 12).map(Decimal))
        cells.append(
            Cell(
                id=item_id * 10 + number,
                item_id=item_id,
                location_id=number + 1,
                lot_id=item_id * 10 + number,
                status=draw(st.sampled_from(["available", "available", "available", "qc_hold"])),
                quantity=quantity,
                reserved=min(quantity, draw(st.sampled_from([ZERO, ZERO, Decimal(1)]))),
                received_on=TODAY - timedelta(days=draw(st.integers(0, 3))),
                expires_on=draw(st.sampled_from([None, None, TODAY, TODAY - timedelta(days=1)])),
                lot_code=f"L{number}",
                path=draw(st.sampled_from(["/1/", "/1/", "/1/2/", "/3/"])),
                is_pickable=draw(st.sampled_from([True, True, False])),
                is_own=draw(st.sampled_from([True, True, False])),
            )
        )
    return cells


@st.composite
def inputs(draw):
    count = draw(st.integers(1, 4))
    items = range(1, count + 1)
    cells = [cell for item_id in items for cell in draw(cells_of(item_id))]
    pools = {}
    for item_id in items:
        held = sum((cell.quantity for cell in cells if cell.item_id == item_id), ZERO)
        unknown = min(held, draw(st.sampled_from([ZERO, ZERO, ZERO, Decimal(1)])))
        pools[item_id] = Pool(held, draw(st.integers(0, 5000)) * STEP if held > unknown else ZERO, unknown)
    rates = [
        Rate(
            item_id,
            Fraction(draw(st.integers(1, 5)), draw(st.sampled_from([1, 1, 3]))),
            issue_method=draw(st.sampled_from([BACKFLUSH, BACKFLUSH, BACKFLUSH, MANUAL])),
            is_consumable=draw(st.sampled_from([False, False, False, True])),
            is_optional=draw(st.sampled_from([False, False, False, True])),
        )
        for item_id in items
    ]
    components = {
        item_id: ComponentFact(item_id, f"C{item_id}", "", "pcs", Decimal(1), "none", Decimal("1.50"), True)
        for item_id in items
    }
    rows = StockRows(pools, {item_id: item_id for item_id in items}, {cell.key: cell for cell in cells})
    if cells and draw(st.sampled_from([False, False, True])):
        rows.own = {cells[0].id: [OwnReservation(1, min(cells[0].reserved, Decimal(1)))]} if cells[0].reserved else {}
    recipe = Recipe(1, 1, "free", ZERO, rates, components, {rate.key: rate.component_id for rate in rates}, {})
    usages = {1: Usage(draw(UNITS), "counted")} if draw(st.sampled_from([False, False, True])) else {}
    started = draw(st.integers(1, 6).map(Decimal))
    return PlanInput(
        recipe=recipe,
        started_before=ZERO,
        started=started,
        standards=standards_of(recipe, started_after=started),
        usages=usages,
        extras={},
        rows=rows,
        source_path=draw(st.sampled_from([None, "/1/", "/1/2/"])),
        source_name="Stock",
        on=TODAY,
        step=STEP,
    )


def said(plan):
    """Everything a plan says, shown as it is compared."""
    lines = [line._replace(picks=tuple(line.picks)) for line in plan.lines]
    shortage = None if plan.shortage is None else (plan.shortage.code, plan.shortage.message)
    draft = plan.draft
    moved = (draft.lines, draft.pools, draft.entries, draft.released, draft.freed)
    return lines, plan.consumed_value, shortage, plan.usable, moved


@given(given_input=inputs())
def test_the_short_way_says_what_the_long_one_says(given_input):
    short = said(plan_lines(given_input))

    with patch.object(planning, "_plan_from_one_lot", lambda *given: None):
        long = said(plan_lines(given_input))

    assert short == long


def plain_input(**changes):
    recipe = Recipe(
        1,
        1,
        "free",
        ZERO,
        [Rate(1, Fraction(2))],
        {1: ComponentFact(1, "C1", "", "pcs", Decimal(1), "none", None, True)},
        {},
        {},
    )
    cell = Cell(7, 1, 4, 9, "available", Decimal(10), ZERO, TODAY, None, "L", "/1/", True, True)
    rows = StockRows({1: Pool(Decimal(10), Decimal("25.00"))}, {1: 1}, {cell.key: cell})
    return PlanInput(
        **{
            "recipe": recipe,
            "started_before": ZERO,
            "started": Decimal(3),
            "standards": standards_of(recipe, started_after=Decimal(3)),
            "usages": {},
            "extras": {},
            "rows": rows,
            "source_path": None,
            "source_name": "Stock",
            "on": TODAY,
            "step": STEP,
            **changes,
        }
    )


def test_a_line_from_one_lot():
    plan = plan_lines(plain_input())

    (line,) = plan.lines
    assert (line.expected, line.actual, line.value, line.on_hand, line.free, line.short) == (6, 6, 15, 10, 10, 0)
    assert [tuple(pick) for pick in line.picks] == [(9, "L", 4, 6, None)]
    assert plan.draft.pools == {1: Pool(Decimal(4), Decimal("10.00"))}
    assert plan.usable == {(1, False, False): Decimal(10)}


@pytest.mark.parametrize("usages", [{}, {1: Usage(Decimal(6))}])
def test_most_lines_take_the_short_way_and_entered_ones_the_long(usages):
    with patch.object(planning, "_plan_from_one_lot", wraps=planning._plan_from_one_lot) as short:
        plan_lines(plain_input(usages=usages))

    assert short.called is (not usages)
