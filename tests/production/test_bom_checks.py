"""The pure checks of BOM lines: loops with a real path, units, multiples, marks that contradict each other."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.errors import InvalidQuantity, InvalidQuantityStep, InvalidUnit, ItemInactive
from inventory.models import Item, ItemKind
from production.bom_checks import (
    BomLineSpec,
    BomSurroundings,
    Use,
    check_lines,
    line_factor,
    loop_through,
    raise_problems,
    ways_back,
)
from production.errors import BomCycle, InvalidBom
from production.explosion import DEPTH_MAX


def item(number, sku=None, **fields):
    return Item(pk=number, sku=sku or f"I{number}", stock_unit=fields.pop("unit", "pcs"), **fields)


CANDLE = item(1, "CANDLE", kind=ItemKind.PRODUCT)
WAX = item(2, "WAX", unit="g", step=Decimal("0.001"))
GIFT = item(3, "GIFT-SET", kind=ItemKind.PRODUCT)
SPRAY = item(4, "SPRAY", kind=ItemKind.PHANTOM)


def around(*uses, packs=None, with_bom=()):
    names = {number: f"I{number}" for use in uses for number in (use.item_id, use.component_id)}
    names |= {1: "CANDLE", 2: "WAX", 3: "GIFT-SET", 4: "SPRAY"}
    return BomSurroundings(packs or {}, uses, names, frozenset(with_bom))


def findings(*lines, of=CANDLE, surroundings=None):
    return [
        (problem.line, problem.field, type(problem.error))
        for problem in check_lines(item=of, lines=lines, around=surroundings or around())
    ]


def line(component=WAX, quantity="1", **fields):
    return BomLineSpec(component=component, quantity=Decimal(quantity), **fields)


def test_good_lines_have_no_problems():
    lines = [line(quantity="250", unit="g"), line(quantity="0.5", unit="kg", scrap_percent=Decimal("2.5"))]

    assert findings(*lines) == []


def test_an_item_is_no_component_of_itself():
    [problem] = check_lines(item=CANDLE, lines=[line(CANDLE)], around=around())

    assert (problem.line, problem.field) == (0, "component")
    assert problem.error.message == (
        "CANDLE makes a loop: CANDLE -> CANDLE. An item cannot be a component of itself; use another component."
    )


def test_an_indirect_loop_is_named_with_its_path_and_the_version_to_change():
    surroundings = around(Use(3, 5, "GIFT-SET v2 (draft)"), Use(5, 1, "I5 v1 (active)"))

    [problem] = check_lines(item=CANDLE, lines=[line(), line(GIFT)], around=surroundings)

    assert problem.line == 1
    assert problem.error.context["path"] == ["CANDLE", "GIFT-SET", "I5", "CANDLE"]
    assert problem.error.message == (
        "GIFT-SET makes a loop: CANDLE -> GIFT-SET -> I5 -> CANDLE. "
        "I5 v1 (active) uses CANDLE; take it out there, or use another component here."
    )


def test_a_loop_through_a_phantom_is_a_loop():
    surroundings = around(Use(4, 1, "SPRAY v1 (active)", explodes=True), with_bom=[4])

    assert findings(line(SPRAY), surroundings=surroundings) == [(0, "component", BomCycle)]


@pytest.mark.parametrize(
    ("fields", "field", "error"),
    [
        ({"quantity": "0"}, "quantity", InvalidQuantity),
        ({"quantity": "-1"}, "quantity", InvalidQuantity),
        ({"quantity": "NaN"}, "quantity", InvalidQuantity),
        ({"quantity": "0.0000001"}, "quantity", InvalidQuantity),
        ({"setup_quantity": Decimal("-0.1")}, "setup_quantity", InvalidQuantity),
        ({"scrap_percent": Decimal("-1")}, "scrap_percent", InvalidQuantity),
        ({"scrap_percent": Decimal("1.0005")}, "scrap_percent", InvalidQuantity),
        ({"scrap_percent": Decimal("10000")}, "scrap_percent", InvalidQuantity),
        ({"rounding_multiple": Decimal(0)}, "rounding_multiple", InvalidQuantity),
        ({"rounding_multiple": Decimal("0.0005")}, "rounding_multiple", InvalidQuantityStep),
        ({"unit": "litre"}, "unit", InvalidUnit),
        ({"unit": "box"}, "unit", InvalidUnit),
        ({"issue_method": "magic"}, "issue_method", InvalidBom),
        ({"reference": "x" * 251}, "reference", InvalidBom),
        ({"note": "x" * 501}, "note", InvalidBom),
    ],
)
def test_refuses(fields, field, error):
    assert findings(line(**fields)) == [(0, field, error)]


def test_refuses_an_inactive_component():
    assert findings(line(item(9, is_active=False))) == [(0, "component", ItemInactive)]


def test_a_pack_of_the_item_is_a_unit():
    packs = {2: {"sack": Fraction(25000)}}

    assert findings(line(unit="Sack"), surroundings=around(packs=packs)) == []
    assert line_factor(line(unit="Sack"), packs[2]) == 25000


def test_a_factor_that_does_not_fit_its_columns_is_refused():
    packs = {2: {"odd": Fraction(10**41 + 1, 10**41)}}

    assert findings(line(unit="odd"), surroundings=around(packs=packs)) == [(0, "unit", InvalidUnit)]


def test_lines_of_one_component_agree_on_the_rounding_multiple_in_any_unit():
    same = [line(rounding_multiple=Decimal(500)), line(unit="kg", rounding_multiple=Decimal("0.5")), line()]
    mixed = [line(rounding_multiple=Decimal(500)), line(), line(unit="kg", rounding_multiple=Decimal(1))]

    assert findings(*same) == []
    assert findings(*mixed) == [(2, "rounding_multiple", InvalidBom)]


def test_a_phantom_needs_a_bom_to_use_instead():
    exploded = replace(line(GIFT), is_phantom=True)

    assert findings(line(SPRAY), exploded) == [(0, "component", InvalidBom), (1, "component", InvalidBom)]
    assert findings(line(SPRAY), exploded, surroundings=around(with_bom=[3, 4])) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("is_consumable", True),
        ("is_optional", True),
        ("rounding_multiple", Decimal(5)),
        ("issue_method", "prompt"),
    ],
)
def test_an_exploded_line_carries_no_marks_its_parts_would_ignore(field, value):
    marked = replace(line(SPRAY), **{field: value})

    assert findings(marked, surroundings=around(with_bom=[4])) == [(0, field, InvalidBom)]


def chain_of_phantoms(length):
    uses = [Use(n, n + 1, f"I{n} v1 (active)", explodes=True) for n in range(100, 100 + length - 1)]
    surroundings = around(*uses, with_bom=range(100, 100 + length))
    return findings(line(item(100, kind=ItemKind.PHANTOM)), surroundings=surroundings)


def test_phantoms_in_phantoms_are_followed_as_deep_as_an_explosion_goes():
    assert chain_of_phantoms(DEPTH_MAX) == []
    assert chain_of_phantoms(DEPTH_MAX + 1) == [(None, "", InvalidBom)]


def test_a_refusal_lists_every_problem_and_shows_the_first_five():
    problems = check_lines(item=CANDLE, lines=[line(unit="furlongs")] * 7, around=around())

    with pytest.raises(InvalidBom) as refusal:
        raise_problems(problems, what="BOM v1 of CANDLE cannot be saved")

    assert refusal.value.message.startswith("BOM v1 of CANDLE cannot be saved. Line 1: WAX is kept in g;")
    assert refusal.value.message.endswith("And 2 more.")
    assert [entry["line"] for entry in refusal.value.context["lines"]] == [1, 2, 3, 4, 5, 6, 7]
    assert {entry["code"] for entry in refusal.value.context["lines"]} == {"INVALID_UNIT"}


def test_a_loop_among_other_problems_is_the_refusal():
    problems = check_lines(item=CANDLE, lines=[line(unit="furlongs"), line(CANDLE)], around=around())

    with pytest.raises(BomCycle) as refusal:
        raise_problems(problems, what="No")

    assert refusal.value.context["path"] == ["CANDLE", "CANDLE"]
    assert len(refusal.value.context["lines"]) == 2


@st.composite
def acyclic_uses(draw):
    """Uses that only lead from a higher number to a lower one, under shuffled ids, and the ids from low to high."""
    size = draw(st.integers(2, 12))
    ids = draw(st.permutations(range(1, size + 1)))
    pairs = draw(st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=40))
    uses = [Use(ids[high], ids[low], f"I{ids[high]} v1 (active)") for low, high in pairs if low < high]
    return ids, uses


@given(acyclic_uses(), st.data())
@settings(max_examples=300)
def test_any_graph_without_loops_is_accepted(graph, data):
    ids, uses = graph
    position = data.draw(st.integers(1, len(ids) - 1))
    of = item(ids[position])
    lines = [line(item(component)) for component in ids[:position]]
    others = [use for use in uses if use.item_id != of.pk]

    assert findings(*lines, of=of, surroundings=around(*others)) == []


@given(acyclic_uses(), st.data())
@settings(max_examples=300)
def test_one_back_edge_is_refused_with_a_path_that_exists(graph, data):
    """Fails when ways_back follows only direct users."""
    ids, uses = graph
    edges = {(use.item_id, use.component_id) for use in uses}
    below = data.draw(st.sampled_from(ids))
    above = {below}
    while True:
        more = {user for user, component in edges if component in above} - above
        if not more:
            break
        above |= more
    top = data.draw(st.sampled_from(sorted(above)))
    of = item(below, f"I{below}")

    problems = check_lines(item=of, lines=[line(item(top, f"I{top}"))], around=around(*uses))

    assert [type(problem.error) for problem in problems] == [BomCycle]
    path = loop_through(below, top, ways_back(below, uses))
    assert path[0] == path[-1] == below
    assert path[1] == top
    assert all(step in edges for step in pairwise(path[1:]))
    assert len(set(path[1:])) == len(path) - 1
