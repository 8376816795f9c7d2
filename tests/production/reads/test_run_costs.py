"""Unit costs in runs: set-ups and rounding are spread, and a large run comes near the roll-up."""

from decimal import Decimal
from fractions import Fraction

import pytest

from inventory.models import ItemKind
from production.reads.cost_rollup import cost_book
from production.reads.run_costs import run_costs, runs_to_show
from production.reads.structures import load_structures
from tests.factories import make_item
from tests.production.factories import make_bom
from tests.production.reads.structures import active, make_phantom, spec

pytestmark = pytest.mark.django_db


def runs(bom, *quantities):
    book = cost_book(load_structures(boms=[bom.pk]))
    return run_costs(book, bom.pk, quantities=[Decimal(quantity) for quantity in quantities])


def costed(cost, **fields):
    return make_item(standard_cost=Decimal(cost), **fields)


def test_a_set_up_is_spread_over_the_run():
    """2 for each, and 5 once: 7, then 2.5, then 2.05."""
    bom = active(make_item(), spec(costed("1"), "2", setup_quantity=Decimal(5)))

    found = runs(bom, "1", "10", "100")

    assert [run.unit_cost for run in found] == [Decimal(7), Decimal("2.5"), Decimal("2.05")]
    assert [run.set_up_each for run in found] == [Decimal(5), Decimal("0.5"), Decimal("0.05")]
    assert [run.total for run in found] == [Decimal(7), Decimal(25), Decimal(205)]


def test_needs_are_rounded_up_to_whole_items_and_multiples():
    """A quarter of a sheet that costs 8 and comes in fours: one needs four sheets, sixteen do too, seventeen need eight."""
    bom = active(make_item(), spec(costed("8"), "0.25", rounding_multiple=Decimal(4)))

    found = runs(bom, "1", "16", "17")

    assert [run.total for run in found] == [Decimal(32), Decimal(32), Decimal(64)]
    assert [run.rounding_each for run in found] == [
        Decimal(30),
        Decimal(0),
        Decimal("1.764706"),
    ]


def test_set_up_of_work_is_charged_once():
    """6 minutes each at 30 an hour, and an hour to set up."""
    work = {"minutes": Decimal(6), "setup_minutes": Decimal(60), "rate_per_hour": Decimal(30)}
    bom = make_bom(item=make_item(), lines=[(costed("1"), "1")], operations=[work])

    one, ten = runs(bom, "1", "10")

    assert (one.work_each, one.set_up_each, one.unit_cost) == (Decimal(33), Decimal(30), Decimal(34))
    assert (ten.work_each, ten.set_up_each, ten.unit_cost) == (Decimal(6), Decimal(3), Decimal(7))


def test_by_products_take_their_share_of_a_run_and_whole_pieces_at_a_fixed_value():
    """Half a piece of 3 comes with each: none with one, five with ten. The share is a tenth of everything."""
    fixed = make_bom(item=make_item(), lines=[(costed("4"), "1")], outputs=[(make_item(), "0.5", "0", "3")])
    share = make_bom(item=make_item(), lines=[(costed("4"), "1")], outputs=[(make_item(), "1", "10")])

    assert [run.by_products for run in runs(fixed, "1", "10")] == [0, -15]
    assert [run.unit_cost for run in runs(share, "1", "10")] == [Decimal("3.6")] * 2


def test_parts_of_phantoms_services_and_consumables_count_and_optional_lines_do_not():
    mix, work = make_phantom(), costed("8", kind=ItemKind.SERVICE)
    active(mix, spec(costed("3"), "2", setup_quantity=Decimal(1)))
    bom = active(
        make_item(),
        spec(mix, "2"),
        spec(work, "0.25"),
        spec(costed("5"), "1", is_consumable=True),
        spec(costed("99"), is_optional=True),
    )

    assert [run.unit_cost for run in runs(bom, "1", "3")] == [Decimal(12 + 3 + 2 + 5), Decimal(12 + 1 + 2 + 5)]


def test_without_set_up_and_rounding_every_run_costs_what_the_roll_up_says():
    wax, box = costed("0.7"), make_item()
    active(box, spec(costed("2"), "3"))
    bom = active(make_item(), spec(wax, "14", scrap_percent=Decimal(50)), spec(box, "7"), makes="7")

    book = cost_book(load_structures(boms=[bom.pk]))
    (run,) = run_costs(book, bom.pk, quantities=[Decimal(70)])

    assert run.materials / 70 == book.of_bom(bom.pk).value == Fraction("0.7") * 3 + 6


def test_an_unknown_cost_makes_every_run_unknown():
    bom = active(make_item(), spec(costed("1")), spec(make_item()))

    assert [(run.unit_cost, run.total, run.set_up_each) for run in runs(bom, "1", "10")] == [(None, None, None)] * 2


def test_usual_runs_and_the_one_asked_for_are_shown_once_each():
    assert runs_to_show(None) == [1, 10, 100]
    assert runs_to_show(Decimal(10)) == [1, 10, 100]
    assert runs_to_show(Decimal(25)) == [1, 10, 25, 100]
