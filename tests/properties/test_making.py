"""Random BOM graphs, made level by level in random parts, or all levels at once: what goes in is what the graph says, and it
comes out to the cent. And runs of which any completion is taken back at any time, whole or in part.

The needs are computed here once more, by a plain walk with exact fractions. The number of graphs comes from
BACKFLUSH_MAKING_EXAMPLES (15 by default, 200 by night). Mutations that were tried and are found: lines that do not see what
earlier ones took (`planning._note_taken`), nested builds with the deepest first (`nesting._users_first`; not in every run),
set-ups and by-products that go by how many units were started (`ran._standing`), parts of an undo that keep too little
(`kept_after_reversal`).
"""

from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from math import ceil
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.models import CostPool, Item, ItemKind
from production.models import Completion, CompletionLine
from production.operations.completing import Actual, CompletionRequest, complete_production, preview_completion
from production.operations.reversing import reverse_completion
from production.operations.work_orders import open_work_order
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import make_bom
from tests.properties.sizes import histories

ZERO = Decimal(0)
EXAMPLES = histories("BACKFLUSH_MAKING_EXAMPLES", usual=15)
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    print_blob=True,
)
SMALL_LOTS = 12
"""Lots of two units each that are taken before the large one."""
LINES = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 1, 1, 2, 3, 5, 7]),  # how far below; most is made of what is right below
        st.sampled_from(["1", "2", "0.5", "0.333", "7"]),
        st.sampled_from([0, 0, 2, 10]),
        st.sampled_from(["0", "0", "0", "2", "0.5", "0.333333"]),  # set-up
        st.sampled_from([None, None, None, "6", "2.5"]),  # rounding multiple
    ),
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
        "takes_substitute": st.booleans(),
    }
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("make"), st.integers(1, 6), st.integers(0, 2)),
        st.tuples(st.just("make"), st.just(0), st.integers(1, 2)),  # nothing came out well
        st.tuples(st.just("undo"), st.integers(0, 9), st.integers(0, 4)),  # which, and how many; none: all that is left
    ),
    min_size=2,
    max_size=8,
)
PARTS = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), min_size=1, max_size=3)


class Graph:
    """Items of random levels over four bought ones; each level uses earlier ones. The last one is the product.

    One substitute stands in for all bought items; some levels use it as a component of their own as well.
    """

    def __init__(self, levels, operations=()):
        self.operations = operations
        self.place = make_location()
        self.leaves = [make_item(step="1" if number % 2 else "0.001") for number in range(4)]
        self.substitute = make_item(step="0.001", tracking="lot", cost_method="fifo")
        self.remains = make_item(step="1")
        for number, leaf in enumerate(self.leaves, start=1):
            put_on_hand(leaf, self.place, "1000000", value=f"{number * 1234567}.89")
        for number in range(SMALL_LOTS):
            put_on_hand(self.substitute, self.place, "2", value="3.33", lot=f"S-{number}")
        put_on_hand(self.substitute, self.place, "1000000", value="6172839.45", lot="LARGE")
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
            known[-1 - place % len(known)]: (Decimal(quantity), scrap, Decimal(setup), multiple)
            for place, quantity, scrap, setup, multiple in level["lines"]
        }
        if level["takes_substitute"]:
            lines[self.substitute] = (Decimal(1), 0, ZERO, None)
        for component, (quantity, scrap, setup, multiple) in lines.items():
            # A multiple belongs to an item that is counted; only whole ones of a whole item are.
            is_counted = component.kind != ItemKind.PHANTOM and (component.step != 1 or multiple == "6")
            lines[component] = (quantity, scrap, setup, Decimal(multiple) if multiple and is_counted else None)
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
                        "setup_quantity": setup,
                        "rounding_multiple": multiple,
                        "substitutes": [(self.substitute, "1.5")] if component in self.leaves else [],
                    },
                )
                for component, (quantity, scrap, setup, multiple) in lines.items()
            ],
            outputs=[(self.remains, *by_product)] if by_product else [],
            operations=self.operations,
            deviation_policy="free",
        )
        makes = Fraction(level["makes"])
        self.below[item.pk] = [
            (component, Fraction(quantity) / makes * (1 + Fraction(scrap, 100)), Fraction(setup), multiple)
            for component, (quantity, scrap, setup, multiple) in lines.items()
        ]
        if not is_phantom:
            self.made.append((item, level, Fraction(by_product[0]) / makes if by_product else Fraction(0)))

    def needs(self, item, quantity):
        """What a run of `quantity` takes of each component that is held in stock, by item."""
        return {
            component: rounded(need, component.step, multiple)
            for component, (need, multiple) in self._raw_needs(item, quantity).items()
        }

    def _raw_needs(self, item, quantity):
        needs = {}
        for component, each, setup, multiple in self.below[item.pk]:
            need = quantity * each + setup
            inner = {component: (need, multiple)}
            if component.kind == ItemKind.PHANTOM:
                inner = self._raw_needs(component, need)
            for one, (more, other) in inner.items():
                before, known = needs.get(one, (Fraction(0), None))
                needs[one] = before + more, max((m for m in (known, other) if m is not None), default=None)
        return needs


def rounded(need, step, multiple=None):
    """Whole components up, others to the nearest step, halves up; then up to the multiple."""
    if step == 1:
        found = Decimal(-(-need.numerator // need.denominator))
    else:
        steps = need / Fraction(step)
        found = Decimal((2 * steps.numerator + steps.denominator) // (2 * steps.denominator)) * step
    return found if multiple is None else ceil(Fraction(found) / Fraction(multiple)) * multiple


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
@SETTINGS
@given(levels=st.lists(LEVEL, min_size=1, max_size=4), data=st.data())
def test_what_goes_into_a_graph_comes_out_of_it_in_quantity_and_value(levels, data):
    graph = Graph(levels)
    done = []
    for item, level, remains_each in graph.made:
        parts = data.draw(PARTS, label=f"parts of {item.sku}")
        started = sum(good + scrapped for good, scrapped in parts)
        needs = graph.needs(item, Fraction(started))
        for component, need in needs.items():  # what the earlier levels did not make happens to be bought
            missing = need - on_hand(component)
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
        own = needs.pop(graph.substitute, ZERO)
        assert before[graph.substitute] - on_hand(graph.substitute) == own + used_instead
        assert on_hand(graph.remains) - before[graph.remains] == Fraction(remains_each * started).__floor__()
        replaced = Fraction(used_instead) / Fraction("1.5")
        wanted = sum((Fraction(need) for need in needs.values()), Fraction(0))
        taken = sum((Fraction(before[component] - on_hand(component)) for component in needs), Fraction(0))
        assert taken + replaced == wanted
        if not used_instead:
            assert {one: before[one] - on_hand(one) for one in needs} == needs
    assert broken_invariants() == []

    for completion in reversed(done):
        reverse_completion(key=uuid4(), completion=Completion.objects.get(pk=completion.pk), actor=None)
    assert all(on_hand(item) == ZERO for item, *_ in graph.made if not bought(item))
    assert on_hand(graph.remains) == ZERO
    assert on_hand(graph.substitute) == Decimal(1000000 + 2 * SMALL_LOTS)
    assert broken_invariants() == []


@pytest.mark.django_db
@SETTINGS
@given(levels=st.lists(LEVEL, min_size=2, max_size=5), data=st.data())
def test_all_levels_are_made_at_once_and_nothing_too_much(levels, data):
    graph = Graph(levels)
    *below, (item, _, _) = graph.made
    for one, *_ in below:
        there = data.draw(st.sampled_from([0, 0, 1, 3, 20]), label=f"on hand of {one.sku}")
        if there:
            put_on_hand(one, graph.place, str(there), value=f"{there}.35")
    good = Decimal(data.draw(st.integers(1, 4), label="good"))
    plain = CompletionRequest(item=item, good=good, output_location=graph.place, build_missing=True)
    request = replace(plain, actuals=entered(graph, plain, data), reason="as it was")
    before = {one: on_hand(one) for one, *_ in graph.made}

    seen = preview_completion(request=request, actor=None)
    assert seen.problems == []
    assert {one: on_hand(one) for one, *_ in graph.made} == before
    result = complete_production(key=uuid4(), request=request, actor=None)

    assert facts(seen)[1:] == facts(result.plan)[1:]  # lots that the preview made are gone again
    assert on_hand(item) == good
    nested = made_for(result.completion)
    for completion in nested:
        used = {line.component: line.actual for line in completion.lines.select_related("component")}
        assert used == graph.needs(completion.item, Fraction(completion.good))
    made = {completion.item for completion in nested}
    assert all(on_hand(one) == ZERO for one in made), "more was made than was needed"
    each = {one: remains for one, _, remains in graph.made}
    remains = sum(
        (Fraction(each[run.item] * Fraction(run.good)).__floor__() for run in [*nested, result.completion]), 0
    )
    assert on_hand(graph.remains) == remains
    assert broken_invariants() == []

    reverse_completion(key=uuid4(), completion=result.completion, actor=None)
    assert {one: on_hand(one) for one, *_ in graph.made} == before
    assert on_hand(graph.substitute) == Decimal(1000000 + 2 * SMALL_LOTS)
    assert on_hand(graph.remains) == ZERO
    assert broken_invariants() == []


@dataclass
class Standing:
    """What is left of one completion, by plain arithmetic: quantities by component, `share` of the set-up it was charged."""

    good: int
    scrapped: int
    used: dict
    remains: Decimal
    share: Fraction
    left: int = 0
    stays: dict = field(default_factory=dict)

    def __post_init__(self):
        self.left, self.stays = self.good, dict(self.used)

    @property
    def part(self):
        """The part of it that stands; one without a good unit stands as a whole until it is taken back."""
        return Fraction(self.left, self.good) if self.good else Fraction(1)

    @property
    def started(self):
        return self.left + self.scrapped

    def take_back(self, count):
        self.left -= count
        self.stays = {
            one: min(self.stays[one], kept(Fraction(used) * self.part, one.step)) for one, used in self.used.items()
        }

    @property
    def remains_kept(self):
        return Decimal(int(Fraction(self.remains) * self.part))


def worth(item):
    return sum(CostPool.objects.filter(item=item, lot=None).values_list("value", flat=True), ZERO)


def kept(quantity, step):
    """What stays of a part of a completion: whole components up, others to the nearest step."""
    return rounded(quantity, step)


class Run:
    """What one run should have used and yielded. Nothing here is known to the code it is compared with."""

    def __init__(self, graph, item, remains_each):
        self.graph, self.item, self.remains_each, self.standing = graph, item, remains_each, []

    def make(self, good, scrapped):
        started = sum(one.started for one in self.standing) + good + scrapped
        needs = self.graph.needs(self.item, Fraction(started))
        used = {one: max(need - self.used(one), ZERO) for one, need in needs.items()}
        remains = max(Decimal(int(self.remains_each * started)) - self.remains(), ZERO)
        share = 1 - sum((one.share * one.part for one in self.standing), Fraction(0))
        self.standing.append(Standing(good, scrapped, used, remains, share))
        return self.standing[-1]

    def used(self, component):
        return sum((one.stays.get(component, ZERO) for one in self.standing), ZERO)

    def remains(self):
        return sum((one.remains_kept for one in self.standing), ZERO)


@pytest.mark.django_db
@SETTINGS
@given(level=LEVEL, steps=STEPS)
def test_a_run_uses_and_yields_what_its_standing_completions_say_whatever_was_taken_back(level, steps):
    set_up = {"kind": "labour", "minutes": ZERO, "setup_minutes": Decimal(60), "rate_per_hour": Decimal(60)}
    graph = Graph([{**level, "is_replaced": False}], operations=[set_up])
    ((item, _, remains_each),) = graph.made
    run, done = Run(graph, item, remains_each), []
    components = list(graph.needs(item, Fraction(1)))
    before = {one: (on_hand(one), worth(one)) for one in [*components, graph.remains]}
    order = open_work_order(item=item, planned=Decimal(1000), output_location=graph.place, actor=None)
    for step, first, second in steps:
        if step == "make":
            standing = run.make(first, second)
            completion, _ = one_part(graph, order, Decimal(first), Decimal(second), {"is_replaced": False})
            assert abs(Fraction(completion.operation_value) - 60 * standing.share) <= Fraction(1, 200), "set-up"
            done.append((completion, standing))
        elif done:
            completion, standing = done[first % len(done)]
            count = second if 0 < second < standing.left else standing.left
            reverse_completion(
                key=uuid4(),
                completion=completion,
                good=None if count == standing.left else Decimal(count),
                actor=None,
            )
            if count == standing.left:
                run.standing.remove(standing)
                done.remove((completion, standing))
            else:
                standing.take_back(count)
        assert {one: before[one][0] - on_hand(one) for one in components} == {one: run.used(one) for one in components}
        assert on_hand(graph.remains) == run.remains()
        assert on_hand(item) == sum(one.left for one in run.standing)
    assert broken_invariants() == []

    for completion, _ in reversed(done):
        reverse_completion(key=uuid4(), completion=completion, actor=None)
    assert {one: (on_hand(one), worth(one)) for one in before} == before
    assert (on_hand(item), worth(item)) == (ZERO, ZERO)
    assert broken_invariants() == []


def made_for(completion):
    """Everything that was made in the same step, on all levels."""
    found = []
    for one in Completion.objects.filter(parent=completion).select_related("item"):
        found += [one, *made_for(one)]
    return found


def entered(graph, request, data):
    """What somebody enters of a made component: nothing, that none of it was used, or as much as the standard."""
    lines = preview_completion(request=replace(request, build_missing=False), actor=None).lines
    made = {item.pk for item, *_ in graph.made}
    actuals = []
    for line in lines:
        if line.component.id in made:
            how = data.draw(st.sampled_from(["standard", "none", "as it is"]), label=f"entered of {line.component.sku}")
            if how != "standard":
                component = Item.objects.get(pk=line.component.id)
                actuals.append(Actual(component, ZERO if how == "none" else line.expected))
    return actuals


def one_part(graph, order, good, scrapped, level):
    """Complete one part; the preview said the same, and its posting adds the work alone. What was used of the substitute."""
    request, instead = report(order, good, scrapped), ZERO
    if level["is_replaced"]:
        actuals = []
        for line in preview_completion(request=request, actor=None).lines:
            if line.component.id in {leaf.pk for leaf in graph.leaves} and line.expected >= 2 and len(actuals) < 4:
                component = Item.objects.get(pk=line.component.id)
                instead += Decimal("1.5")  # one of the component
                actuals += [
                    Actual(graph.substitute, Decimal("1.5"), replaces=component),
                    Actual(component, line.expected - 1),
                ]
        request = report(order, good, scrapped, actuals)
    seen = preview_completion(request=request, actor=None)
    assert seen.problems == []
    result = complete_production(key=uuid4(), request=request, actor=None)
    completion = result.completion
    assert facts(seen) == facts(result.plan)
    movements = list(result.posting.movements.all())
    added = completion.operation_value if good else -completion.consumed_value  # without a good unit it is all expense
    assert sum(movement.value for movement in movements) == added
    assert -sum(m.value for m in movements if m.quantity < 0) == completion.consumed_value == seen.consumed_value
    seen_picks, taken = {}, {}
    for line in seen.lines:
        for pick in line.picks:
            seen_picks[line.component.id, pick.lot_id] = (
                seen_picks.get((line.component.id, pick.lot_id), 0) + pick.quantity
            )
    for movement in movements:
        if movement.quantity < 0:
            cell = movement.item_id, movement.lot_id
            taken[cell] = taken.get(cell, 0) - movement.quantity
    assert taken == {cell: quantity for cell, quantity in seen_picks.items() if quantity}, "what was seen is what moved"
    lines, moved = {}, {}
    for line in CompletionLine.objects.filter(completion=completion):
        lines[line.component_id] = lines.get(line.component_id, ZERO) + line.actual
    for movement in movements:
        if movement.quantity < 0:
            moved[movement.item_id] = moved.get(movement.item_id, ZERO) - movement.quantity
    assert moved == {item: actual for item, actual in lines.items() if actual}
    return completion, instead


def bought(item):
    """Whether some of a made item was bought as well, for a level above it."""
    return item.movements.filter(posting__kind="receipt").exists()
