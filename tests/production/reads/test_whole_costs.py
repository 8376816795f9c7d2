"""Costs of whole structures in one pass: the same as the plain roll-up, fraction by fraction."""

from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.models import CostPool, Item, ItemKind
from production.models import Bom, BomLine, BomOperation, BomOutput
from production.reads.cost_rollup import cost_book
from production.reads.structures import load_structures
from production.reads.whole_costs import whole_costs_of
from production.whole_costing import BomColumns, CostSheet, whole_costs
from tests.factories import make_item
from tests.production.reads.structures import active, make_phantom, make_wide_and_deep, spec

pytestmark = pytest.mark.django_db

LAYERS = 5
quantities = st.decimals("0.000001", "500", places=6)
money = st.decimals("0", "900", places=6)
percents = st.sampled_from(["0", "0", "2.5", "33.333", "99.999"]).map(Decimal)


@st.composite
def lines(draw, below):
    return [
        {
            "component": component,
            "quantity": draw(quantities),
            "unit_numerator": draw(st.sampled_from([1, 1, 3, 12])),
            "unit_denominator": draw(st.sampled_from([1, 1, 7])),
            "scrap_percent": draw(percents),
            "is_consumable": draw(st.sampled_from([False] * 5 + [True])),
            "is_optional": draw(st.sampled_from([False] * 6 + [True])),
            "is_phantom": draw(st.sampled_from([False] * 5 + [True])),
        }
        for component in draw(st.lists(st.integers(0, below - 1), min_size=0, max_size=4))
    ]


@st.composite
def graphs(draw):
    """Items in order, each made of earlier ones; the first few are bought."""
    items = []
    for number in range(draw(st.integers(4, 12))):
        is_made = number >= 3 and draw(st.sampled_from([True, True, True, False]))
        kinds = ["product"] * 5 + ["phantom"] if is_made else ["product"] * 6 + ["service"]
        items.append(
            {
                "kind": draw(st.sampled_from(kinds)),
                "standard_cost": draw(st.one_of(st.none(), money) if number % 3 == 2 else money),
                "pool": draw(st.one_of(st.none(), st.none(), st.tuples(quantities, money, st.sampled_from([0, 0, 1])))),
                "lines": draw(lines(number)) if is_made else None,
                "makes": draw(st.one_of(st.just(Decimal(1)), quantities)),
                "loss": draw(percents),
                "work": draw(st.lists(st.tuples(money, money, money, money), max_size=2)) if is_made else [],
                "outputs": draw(st.lists(st.tuples(quantities, percents, st.one_of(st.none(), money)), max_size=2))
                if is_made
                else [],
            }
        )
    return items


def store(graph):
    """Rows as they are stored, past the operations: what they refuse (a phantom without a BOM) has to be costed as well."""
    items, boms = [], []
    for number, fact in enumerate(graph):
        item = make_item(kind=ItemKind(fact["kind"]), standard_cost=fact["standard_cost"])
        items.append(item)
        if fact["pool"]:
            held, worth, unknown = fact["pool"]
            CostPool.objects.update_or_create(
                item=item, lot=None, defaults={"quantity": held, "value": worth, "unknown_quantity": unknown}
            )
        if fact["lines"] is None:
            continue
        bom = Bom.objects.create(item=item, version=1, makes=fact["makes"], process_loss_percent=fact["loss"])
        for position, line in enumerate(fact["lines"]):
            values = {**line, "component": items[line["component"]]}
            BomLine.objects.create(bom=bom, position=position, **values)
        for minutes, setup, rate, amount in fact["work"]:
            BomOperation.objects.create(
                bom=bom,
                name="Work",
                minutes=minutes.quantize(Decimal("0.001")),
                setup_minutes=setup.quantize(Decimal("0.001")),
                rate_per_hour=rate,
                amount=amount,
            )
        for place, (quantity, share, value) in enumerate(fact["outputs"][:number]):
            BomOutput.objects.create(
                bom=bom,
                position=place,
                item=items[place],
                quantity=quantity,
                cost_share_percent=share if value is None else 0,
                unit_value=value,
            )
        Bom.objects.filter(pk=bom.pk).update(state="active", effective_from="2020-01-01")
        boms.append(bom.pk)
    return [item.pk for item in items], boms


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(graph=graphs())
def test_whole_numbers_and_plain_fractions_agree_on_every_cost_and_on_what_is_missing(graph):
    """Fails when scrap, loss, work, by-products, phantoms, averages or units are left out, or anything is rounded."""
    with transaction.atomic():
        items, boms = store(graph)
        plain = cost_book(load_structures(items=items, boms=boms))
        whole = whole_costs_of(items=items, boms=boms)

        for bom in boms:
            cost = plain.of_bom(bom)
            assert whole.of_bom(bom) == cost.value
            assert whole.missing.get(bom, frozenset()) == cost.missing
        for item in items:
            if item in plain.structures.items:
                assert whole.of_item(item) == plain.of_item(item).value
        transaction.set_rollback(True)


def test_the_strategy_reaches_known_and_unknown_costs():
    wax, unknown = make_item(standard_cost=Decimal("0.7")), make_item()
    known, mixed = active(make_item(), spec(wax, "3"), makes="7"), active(make_item(), spec(wax), spec(unknown))

    whole = whole_costs_of(boms=[known.pk, mixed.pk])

    assert whole.of_bom(known.pk) == Fraction(3, 10)
    assert (whole.of_bom(mixed.pk), whole.missing[mixed.pk]) == (None, {unknown.pk})


def test_a_phantom_without_a_bom_is_missing():
    phantom = make_phantom()
    bom = Bom.objects.create(item=make_item(), version=1)
    BomLine.objects.create(bom=bom, component=phantom, quantity=1)

    assert whole_costs_of(boms=[bom.pk]).missing == {bom.pk: {phantom.pk}}


def test_a_draft_is_costed_beside_the_version_in_force():
    wax, candle = make_item(standard_cost=Decimal(1)), make_item()
    current, case = active(candle, spec(wax, "2")), active(make_item(), spec(candle, "10"))
    draft = Bom.objects.create(item=candle, version=2)
    BomLine.objects.create(bom=draft, component=wax, quantity=5)

    whole = whole_costs_of(boms=[draft.pk, case.pk])

    assert [whole.of_bom(bom.pk) for bom in (draft, current, case)] == [5, 2, 20]
    assert whole.of_item(candle.pk) == 2


def test_a_loop_is_named_and_not_run_round():
    sheet = CostSheet(
        columns=BomColumns(boms=[1, 2], items=[11, 12], makes=[10**6] * 2, losses=[0] * 2),
        in_force={11: 1, 12: 2},
        lines={1: [(12, 10**11, 1, 0)], 2: [(11, 10**11, 1, 0)]},
        standards={},
        averages={},
    )

    with pytest.raises(ValueError, match=r"\[1, 2\] contain each other"):
        whole_costs(sheet)


def test_costs_one_statement_for_1_and_20_boms():
    boms = [make_wide_and_deep(size)[1] for size in (1, 20)]
    counts = []
    for wanted in ([boms[0]], boms):
        with CaptureQueriesContext(connection) as queries:
            whole_costs_of(boms=[bom.pk for bom in wanted])
        counts.append(len(queries))

    assert counts == [1, 1]


def test_nothing_asked_is_nothing_costed():
    assert not whole_costs_of().boms
    assert Item.objects.count() == 0
