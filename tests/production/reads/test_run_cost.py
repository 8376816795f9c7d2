"""What runs are planned to cost: set-ups once, whole items rounded up, and the unit cost of the roll-up in the long run."""

from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import ItemKind
from production.models import BomOperation, BomOutput
from production.operations.boms import activate_bom, create_draft
from production.reads.cost_rollup import cost_rollups
from production.reads.run_cost import run_costs
from tests.factories import make_item
from tests.production.reads.structures import active, make_phantom, make_wide_and_deep, spec

pytestmark = pytest.mark.django_db


def candle():
    """A batch of 10 takes 25 g of wax at 0.04, 10 wicks at 0.30 in packs of 25, and 3 minutes of work after 12 of set-up."""
    wax = make_item(unit="g", step="0.001", standard_cost=Decimal("0.04"))
    wick = make_item(standard_cost=Decimal("0.30"))
    draft = create_draft(
        item=make_item(),
        makes=Decimal(10),
        lines=[spec(wax, "25", setup_quantity=Decimal(50)), spec(wick, "10", rounding_multiple=Decimal(25))],
        actor=None,
    )
    BomOperation.objects.create(
        bom=draft,
        name="Pour",
        minutes=Decimal(3),
        setup_minutes=Decimal(12),
        rate_per_hour=Decimal(60),
        amount=Decimal("0.5"),
    )
    return activate_bom(bom=draft, effective_from=None, actor=None).bom


def parts(run):
    return [run.components, run.set_up, run.rounding, run.work, run.by_products, run.total]


def test_set_ups_and_packs_are_spread_over_the_run():
    """One: 0.1 wax + 0.3 wick, 2 wax and 12 minutes of set-up, 24 wicks too many, 0.35 of work. Of 100 all comes out even."""
    costs = run_costs(bom_id=candle().pk)

    assert [run.quantity for run in costs.runs] == [1, 10, 100]
    one, _, hundred = costs.runs
    assert parts(one) == [Fraction("0.4"), 14, Fraction("7.2"), Fraction("0.35"), 0, Fraction("21.95")]
    assert parts(hundred) == [40, 14, 0, 35, 0, 89]
    assert [run.each for run in costs.runs] == [Decimal("21.95"), Decimal("2.6"), Decimal("0.89")]


def test_without_set_ups_and_rounding_a_run_costs_what_the_roll_up_says():
    """Phantoms, consumables, services, scrap, process loss and a by-product by its share; nothing that needs rounding."""
    wax, glue = (make_item(unit="g", step="0.000001", standard_cost=Decimal(cost)) for cost in ("3", "7"))
    work, cream = make_item(kind=ItemKind.SERVICE, standard_cost=Decimal(8)), make_item(step="0.000001")
    mix = make_phantom()
    mixed = create_draft(item=mix, lines=[spec(wax, "2")], makes=Decimal(4), actor=None)
    BomOperation.objects.create(bom=mixed, name="Stir", minutes=Decimal(6), rate_per_hour=Decimal(20))
    activate_bom(bom=mixed, effective_from=None, actor=None)
    draft = create_draft(
        item=make_item(),
        lines=[
            spec(mix, "3", scrap_percent=Decimal(25)),
            spec(glue, "0.5", is_consumable=True),
            spec(work, "0.25"),
            spec(wax, "9", is_optional=True),
        ],
        makes=Decimal(5),
        actor=None,
    )
    BomOutput.objects.create(bom=draft, item=cream, quantity=Decimal(1), cost_share_percent=Decimal(10))
    bom = activate_bom(bom=draft, effective_from=None, actor=None).bom

    (run,) = run_costs(bom_id=bom.pk, quantities=[Decimal(40)]).runs

    assert run.total / 40 == cost_rollups(boms=[bom.pk])[bom.pk].cost.value
    assert (run.set_up, run.rounding) == (0, 0)
    assert run.by_products * 9 == run.total


def test_a_by_product_of_which_no_whole_one_comes_out_carries_nothing():
    draft = create_draft(item=make_item(), lines=[spec(make_item(standard_cost=Decimal(4)))], actor=None)
    BomOutput.objects.create(bom=draft, item=make_item(), quantity=Decimal("0.4"), unit_value=Decimal(1))
    bom = activate_bom(bom=draft, effective_from=None, actor=None).bom

    runs = run_costs(bom_id=bom.pk, quantities=[Decimal(2), Decimal(3)]).runs

    assert [(run.by_products, run.total) for run in runs] == [(0, 8), (1, 11)]


def test_names_what_is_missing_and_costs_nothing_then():
    screw = make_item(sku="SCREW")
    bom = active(make_item(), spec(screw))
    phantom = make_phantom(sku="MIX")
    create_draft(item=phantom, lines=[spec(screw)], actor=None)
    undated = create_draft(item=make_item(), lines=[spec(phantom)], actor=None)

    unknown, unusable = run_costs(bom_id=bom.pk), run_costs(bom_id=undated.pk)

    assert (list(unknown.runs), [item.sku for item in unknown.missing]) == ([], ["SCREW"])
    assert (list(unusable.runs), [item.sku for item in unusable.missing]) == ([], ["MIX"])


def test_costs_the_same_queries_for_1_and_20_components():
    counts = []
    for size in (1, 20):
        _, bom = make_wide_and_deep(size)
        with CaptureQueriesContext(connection) as queries:
            run_costs(bom_id=bom.pk)
        counts.append(len(queries))

    assert counts == [3, 3]
