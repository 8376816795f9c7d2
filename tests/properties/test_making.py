"""Random BOM graphs, made level by level in random parts: what goes in is what the graph says, and it comes out to the cent.

The needs are computed here once more, by a plain walk with exact fractions.
"""

from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.models import Item, ItemKind
from production.models import Completion, CompletionLine
from production.operations.completing import Actual, CompletionRequest, complete_production, preview_completion
from production.operations.reversing import reverse_completion
from production.operations.work_orders import open_work_order
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import make_bom
from tests.properties.sizes import histories

ZERO = Decimal(0)
LINES = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["1", "2", "0.5", "0.333", "7"]), st.sampled_from([0, 0, 2, 10])),
    min_size=1,
    max_size=3,
    unique_by=lambda line: line[0],
)
LEVEL = st.fixed_dictionaries(
    {
        "lines": LINES,
        "makes": st.sampled_from(["1", "1", "4"]),
        "is_phantom": st.booleans(),
        "is_fine": st.booleans(),
        "by_product": st.sampled_from([None, None, ("1", "10"), ("0.25", "33.3")]),
        "is_replaced": st.booleans(),
    }
)
PARTS = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), min_size=1, max_size=3)


class Graph:
    """Items of random levels over four bought ones; each level uses earlier ones. The last one is the product."""

    def __init__(self, levels):
        self.place = make_location()
        self.leaves = [make_item(step="1" if number % 2 else "0.001") for number in range(4)]
        self.substitute = make_item(step="0.001")
        self.remains = make_item(step="1")
        for number, leaf in enumerate([*self.leaves, self.substitute], start=1):
            put_on_hand(leaf, self.place, "1000000", value=f"{number * 1234567}.89")
        self.below, self.made, known = {}, [], list(self.leaves)
        for number, level in enumerate(levels):
            is_phantom = level["is_phantom"] and number < len(levels) - 1
            item = make_item(
                step="0.001" if level["is_fine"] else "1", kind=ItemKind.PHANTOM if is_phantom else ItemKind.PRODUCT
            )
            self._add(item, level, known, is_phantom=is_phantom)
            known.append(item)

    def _add(self, item, level, known, *, is_phantom):
        lines = {
            known[-1 - place % len(known)]: (Decimal(quantity), scrap) for place, quantity, scrap in level["lines"]
        }
        by_product = None if is_phantom else level["by_product"]
        make_bom(
            item=item,
            makes=level["makes"],
            lines=[
                (
                    component,
                    quantity,
                    {
                        "scrap_percent": Decimal(scrap),
                        "substitutes": [(self.substitute, "1.5")] if component in self.leaves else [],
                    },
                )
                for component, (quantity, scrap) in lines.items()
            ],
            outputs=[(self.remains, *by_product)] if by_product else [],
            deviation_policy="free",
        )
        makes = Fraction(level["makes"])
        self.below[item.pk] = [
            (component, Fraction(quantity) / makes * (1 + Fraction(scrap, 100)))
            for component, (quantity, scrap) in lines.items()
        ]
        if not is_phantom:
            self.made.append((item, level, Fraction(by_product[0]) / makes if by_product else Fraction(0)))

    def raw_needs(self, item, quantity):
        """What `quantity` takes of each component that is held in stock; exact, by item."""
        needs = {}
        for component, each in self.below[item.pk]:
            inner = {component: quantity * each}
            if component.kind == ItemKind.PHANTOM:
                inner = self.raw_needs(component, quantity * each)
            for one, need in inner.items():
                needs[one] = needs.get(one, Fraction(0)) + need
        return needs


def rounded(need, step):
    """Whole components up, others to the nearest step, halves up."""
    if step == 1:
        return Decimal(-(-need.numerator // need.denominator))
    steps = need / Fraction(step)
    return Decimal((2 * steps.numerator + steps.denominator) // (2 * steps.denominator)) * step


def facts(plan):
    """What a plan says will happen: lines with what they take and cost, outputs with what they carry."""
    lines = [
        (
            line.component.id,
            line.expected,
            line.actual,
            line.value,
            [(pick.lot_id, pick.quantity) for pick in line.picks],
        )
        for line in plan.lines
    ]
    outputs = [(output.item_id, output.quantity, output.value) for output in plan.outputs]
    return lines, outputs, plan.consumed_value, plan.output_value, plan.by_product_value


def report(order, good, scrapped, actuals=()):
    return CompletionRequest(
        work_order=order, good=good, scrapped=scrapped, scrap_reason="broken" if scrapped else "", actuals=actuals
    )


@pytest.mark.django_db
@settings(
    max_examples=histories("BACKFLUSH_MAKING_HISTORIES", usual=25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(levels=st.lists(LEVEL, min_size=1, max_size=4), data=st.data())
def test_what_goes_into_a_graph_comes_out_of_it_in_quantity_and_value(levels, data):
    graph = Graph(levels)
    done = []
    for item, level, remains_each in graph.made:
        parts = data.draw(PARTS, label=f"parts of {item.sku}")
        started = sum(good + scrapped for good, scrapped in parts)
        needs = graph.raw_needs(item, Fraction(started))
        for component, need in needs.items():  # what the earlier levels did not make happens to be bought
            missing = rounded(need, component.step) - on_hand(component)
            if missing > ZERO:
                missing = missing.quantize(component.step, rounding=ROUND_CEILING)
                put_on_hand(component, graph.place, str(missing), value="17.77")
        order = open_work_order(
            item=item, planned=Decimal(started), output_location=graph.place, source_location=None, actor=None
        )
        before = {one: on_hand(one) for one in [*needs, item, graph.substitute, graph.remains]}
        used_instead = ZERO
        for good, scrapped in parts:
            completion, instead = one_part(graph, order, Decimal(good), Decimal(scrapped), level)
            used_instead += instead
            done.append(completion)

        good = Decimal(sum(good for good, _ in parts))
        assert on_hand(item) - before[item] == good
        assert before[graph.substitute] - on_hand(graph.substitute) == used_instead
        assert on_hand(graph.remains) - before[graph.remains] == Fraction(remains_each * started).__floor__()
        replaced = Fraction(used_instead) / Fraction("1.5")
        wanted = sum((Fraction(rounded(need, component.step)) for component, need in needs.items()), Fraction(0))
        taken = sum((Fraction(before[component] - on_hand(component)) for component in needs), Fraction(0))
        assert taken + replaced == wanted
        if not used_instead:
            assert {one: before[one] - on_hand(one) for one in needs} == {
                one: rounded(need, one.step) for one, need in needs.items()
            }
    assert broken_invariants() == []

    for completion in reversed(done):
        reverse_completion(key=uuid4(), completion=Completion.objects.get(pk=completion.pk), actor=None)
    assert all(on_hand(item) == ZERO for item, *_ in graph.made if not bought(item))
    assert on_hand(graph.remains) == ZERO
    assert on_hand(graph.substitute) == Decimal(1000000)
    assert broken_invariants() == []


def one_part(graph, order, good, scrapped, level):
    """Complete one part; the preview said the same, and its posting is worth nothing in all. What was used of the substitute."""
    request, instead = report(order, good, scrapped), ZERO
    if level["is_replaced"]:
        plan = preview_completion(request=request, actor=None)
        for line in plan.lines:
            if line.component.id in {leaf.pk for leaf in graph.leaves} and line.expected >= 2:
                component = Item.objects.get(pk=line.component.id)
                instead = Decimal("1.5")  # one of the component
                actuals = [
                    Actual(graph.substitute, instead, replaces=component),
                    Actual(component, line.expected - 1),
                ]
                request = report(order, good, scrapped, actuals)
                break
    seen = preview_completion(request=request, actor=None)
    assert seen.problems == []
    result = complete_production(key=uuid4(), request=request, actor=None)
    completion = result.completion
    assert facts(seen) == facts(result.plan)
    movements = list(result.posting.movements.all())
    assert sum(movement.value for movement in movements) == ZERO
    assert -sum(m.value for m in movements if m.quantity < 0) == completion.consumed_value == seen.consumed_value
    lines = {line.component_id: line.actual for line in CompletionLine.objects.filter(completion=completion)}
    moved = {}
    for movement in movements:
        if movement.quantity < 0:
            moved[movement.item_id] = moved.get(movement.item_id, ZERO) - movement.quantity
    assert moved == {item: actual for item, actual in lines.items() if actual}
    return completion, instead


def bought(item):
    """Whether some of a made item was bought as well, for a level above it."""
    return item.movements.filter(posting__kind="receipt").exists()
