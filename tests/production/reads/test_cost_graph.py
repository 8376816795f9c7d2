"""What costs are worked out from, read from the database in bare columns, gives what the plain roll-up of whole rows gives."""

from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import CostMethod, CostPool, ItemKind
from production.models import Bom, BomOperation, BomOutput
from production.operations.boms import activate_bom, create_draft
from production.reads.cost_rollup import cost_rollups, present_averages, unit_costs
from production.reads.structures import load_extras, load_structures
from tests.factories import make_item, make_location, make_unit, put_on_hand
from tests.production.plain_costs import PlainBook
from tests.production.reads.structures import active, make_phantom, make_wide_and_deep, spec

pytestmark = pytest.mark.django_db


def draft_with(item, *lines, work=(), outputs=(), loss="0", makes="1"):
    """A version in force with operations, by-products and a process loss."""
    bom = create_draft(item=item, lines=list(lines), makes=Decimal(makes), actor=None)
    Bom.objects.filter(pk=bom.pk).update(process_loss_percent=Decimal(loss))
    BomOperation.objects.bulk_create([BomOperation(bom=bom, **fields) for fields in work])
    BomOutput.objects.bulk_create([BomOutput(bom=bom, **fields) for fields in outputs])
    bom.refresh_from_db()
    return activate_bom(bom=bom, effective_from=None, actor=None).bom


def labour(minutes, rate="0", amount="0", kind="labour"):
    return {
        "kind": kind,
        "name": "Work",
        "minutes": Decimal(minutes),
        "rate_per_hour": Decimal(rate),
        "amount": Decimal(amount),
        "setup_minutes": Decimal(30),
    }


@pytest.fixture
def company():
    """Two products that share parts, with everything a version may say."""
    shop = make_location()
    wax, wick, glue = (make_item(standard_cost=Decimal(cost)) for cost in ("3.1", "0.333333", "12"))
    oil = make_item(unit="g", step="0.001")
    make_unit(item=oil, name="tin", numerator="1000", denominator="3")
    put_on_hand(oil, shop, "700", value="91.37")
    lots = make_item(cost_method=CostMethod.LOT, tracking="lot")
    put_on_hand(lots, shop, "3", value="10.00", lot="A")
    put_on_hand(lots, shop, "4", value="10.01", lot="B")
    partly = make_item(standard_cost=Decimal(7))
    put_on_hand(partly, shop, "3", value="30.00")
    put_on_hand(partly, shop, "1")
    work, cream = make_item(kind=ItemKind.SERVICE, standard_cost=Decimal(8)), make_item(standard_cost=Decimal(2))
    mix, candle, jar = make_phantom(), make_item(), make_item()
    draft_with(mix, spec(wax, "2"), spec(oil, "1", unit="tin"), makes="7", work=[labour("2", "60")])
    draft_with(
        candle,
        spec(mix, "3", scrap_percent=Decimal("10.125")),
        spec(wick, "1.5"),
        spec(glue, "0.01", is_consumable=True),
        spec(lots, "2"),
        spec(jar, is_optional=True),
        work=[labour("1.125", "31.17"), labour("0", amount="0.7", kind="overhead"), labour("3", "20")],
        outputs=[
            {"item": cream, "quantity": Decimal("0.5"), "cost_share_percent": Decimal("3.5")},
            {"item": glue, "quantity": Decimal("0.1"), "unit_value": Decimal("0.25"), "kind": "co_product"},
        ],
        loss="4.5",
        makes="2.5",
    )
    put_on_hand(jar, shop, "2", value="5.00")
    box = draft_with(make_item(), spec(candle, "4"), spec(jar), spec(work, "0.25"), spec(partly))
    exploded = draft_with(make_item(), spec(candle, "1", is_phantom=True), spec(candle, "2"))
    unknown = draft_with(make_item(), spec(make_item(), "1"), spec(candle))
    undated = create_draft(item=make_item(), lines=[spec(candle, "2")], makes=Decimal(3), actor=None)
    return [box, exploded, unknown, active(make_item(), spec(wax, is_optional=True)), undated]


def test_stored_versions_cost_what_the_plain_roll_up_of_whole_rows_says(company):
    """Fails when a column is left out, or read in another unit, or when a source is asked in another order."""
    ids = [bom.pk for bom in company]
    structures = load_structures(boms=ids)
    plain = PlainBook(structures, present_averages(list(structures.items)), load_extras(structures))

    quick, bare = cost_rollups(boms=ids), unit_costs(boms=ids)

    for bom_id in ids:
        expected = plain.of_bom(bom_id)
        assert quick[bom_id].cost.value == bare[bom_id].value == expected.value
        assert {item.id for item in quick[bom_id].missing} == bare[bom_id].missing == expected.missing
        assert [dict(level) for level in quick[bom_id].cost.stack] == [dict(level) for level in expected.stack]
        assert [(line.unit_cost.value, line.cost) for line in quick[bom_id].lines] == [
            (cost.value, None if cost.value is None else structures.rate_of(line, bom_id) * cost.value)
            for line in structures.boms[bom_id].lines
            for cost in [plain.of_line(line)]
        ]
    assert [quick[bom_id].cost.value is None for bom_id in ids] == [False, False, True, False, False]


def test_lots_that_carry_their_cost_are_not_counted_twice(company):
    """The pool without a lot is the sum of the others."""
    lots = CostPool.objects.filter(lot__isnull=False).values_list("item_id", flat=True).distinct()

    averages = present_averages(list(lots))

    assert list(averages.values()) == [Fraction("20.01") / 7]


def test_unit_costs_take_one_statement_for_1_and_20_versions():
    counts = []
    boms = [make_wide_and_deep(size)[1] for size in (1, 20)]
    for wanted in ([boms[0]], boms):
        with CaptureQueriesContext(connection) as queries:
            unit_costs(boms=[bom.pk for bom in wanted])
        counts.append(len(queries))

    assert counts == [1, 1]
