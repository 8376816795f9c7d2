"""How many can be made now, and what stands in the way."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import ItemKind, LocationKind
from inventory.operations.reserving import reserve_stock
from production.operations.boms import create_draft
from production.reads.buildable import buildable, buildable_by_bom, buildable_by_place
from tests.factories import make_item, make_location, make_unit, put_on_hand
from tests.production.factories import complete
from tests.production.reads.structures import active, make_phantom, make_wide_and_deep, spec

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_location(code="SHOP")


def ask(item, **named):
    return buildable(items=[item.pk], **named)[item.pk]


def test_the_scarcest_component_decides_and_is_named(shop):
    """W15 of the worked examples."""
    kit, p, q = make_item(), make_item(sku="P"), make_item(sku="Q")
    active(kit, spec(p, "2"), spec(q, "3"))
    put_on_hand(p, shop, "11")
    put_on_hand(q, shop, "13")

    found = ask(kit)

    assert found.quantity == 4
    assert found.bottleneck.component.sku == "Q"
    assert [(limit.component.sku, limit.free, limit.per_unit, limit.limit) for limit in found.limits] == [
        ("Q", 13, 3, 4),
        ("P", 11, 2, 5),
    ]


def test_places_are_not_pooled_when_asked_for_one_by_one():
    """W16 of the worked examples."""
    kit, p, q = make_item(), make_item(), make_item()
    one, two = make_location(), make_location()
    active(kit, spec(p, "2"), spec(q, "3"))
    put_on_hand(p, one, "1")
    put_on_hand(q, one, "3")
    put_on_hand(p, two, "1")

    apart = buildable_by_place(items=[kit.pk], places=[one.pk, two.pk])

    assert [apart[place.pk][kit.pk].quantity for place in (one, two)] == [0, 0]
    assert ask(kit, places=[one.pk, two.pk]).quantity == 1
    assert ask(kit).quantity == 1


def test_only_free_stock_counts(shop):
    item, part = make_item(), make_item(tracking="lot")
    active(item, spec(part))
    today = timezone.localdate()
    put_on_hand(part, shop, "3", lot="GOOD", expires_on=today)
    put_on_hand(part, shop, "5", lot="OLD", expires_on=today - timedelta(days=1))
    put_on_hand(part, shop, "7", lot="HELD", status="qc_hold")
    put_on_hand(part, make_location(is_sellable=False), "11", lot="FLOOR")
    put_on_hand(part, make_location(kind=LocationKind.CHANNEL_OWNED), "13", lot="THEIRS")
    reserve_stock(item=part, location=shop, quantity=Decimal(1), demand_kind="order", demand_ref="1", actor=None)

    assert ask(item).quantity == 2


def test_more_promised_than_there_is_allows_nothing(shop):
    item, part = make_item(), make_item()
    active(item, spec(part))
    put_on_hand(part, shop, "3")
    reserve_stock(item=part, location=shop, quantity=Decimal(9), demand_kind="order", demand_ref="1", actor=None)

    assert ask(item).quantity == 0


def test_consumables_services_and_optional_components_do_not_limit(shop):
    item, part, glue, ribbon = make_item(), make_item(), make_item(), make_item()
    work = make_item(kind=ItemKind.SERVICE)
    active(item, spec(part), spec(glue, is_consumable=True), spec(work), spec(ribbon, is_optional=True))
    put_on_hand(part, shop, "6")

    found = ask(item)

    assert (found.quantity, len(found.limits)) == (6, 1)


def test_nothing_that_limits_is_no_limit():
    item = make_item()
    active(item, spec(make_item(), is_consumable=True))

    found = ask(item)

    assert (found.quantity, found.bottleneck) == (None, None)


def test_phantoms_explode_and_made_components_count_as_they_lie_in_stock(shop):
    top, phantom, part, sub = make_item(), make_phantom(), make_item(), make_item()
    active(phantom, spec(part, "2"))
    active(sub, spec(part))
    active(top, spec(phantom, "3"), spec(part, "1"), spec(sub))
    put_on_hand(part, shop, "1000")
    put_on_hand(sub, shop, "5")

    found = ask(top)

    assert found.quantity == 5
    assert {limit.component.id: limit.per_unit for limit in found.limits} == {part.pk: 7, sub.pk: 1}


def test_units_scrap_and_batches_are_exact(shop):
    item, wax = make_item(), make_item(unit="kg", step="0.000001")
    make_unit(item=wax, name="bar", numerator="1", denominator="3")
    active(item, spec(wax, "1", unit="bar", scrap_percent=Decimal(50)), makes="3")
    put_on_hand(wax, shop, "2")

    found = ask(item)

    assert found.limits[0].per_unit == Fraction(1, 6)
    assert found.quantity == 12


def test_what_it_says_can_be_completed_and_one_more_cannot(shop):
    """Rounding up, set-up and multiples count as they do in a completion."""
    item, whole, packed = make_item(), make_item(), make_item()
    active(
        item, spec(whole, "7", setup_quantity=Decimal(3)), spec(packed, "1", rounding_multiple=Decimal(5)), makes="4"
    )
    put_on_hand(whole, shop, "20", value="20.00")
    put_on_hand(packed, shop, "14", value="14.00")

    found = ask(item)

    assert found.quantity == 9  # ceil(9 x 7 / 4 + 3) = 19, ceil(10 x 7 / 4 + 3) = 21
    assert complete(item, "9", into=shop).completion.good == 9


def test_an_output_in_fractions_is_counted_in_its_step(shop):
    cream, oil = make_item(unit="kg", step="0.25"), make_item(unit="kg", step="0.001")
    active(cream, spec(oil, "3"))
    put_on_hand(oil, shop, "2")

    assert ask(cream).quantity == Decimal("0.5")


def test_without_a_bom_or_a_phantoms_bom_nothing_can_be_made_and_it_says_why(shop):
    item, top, phantom, part = make_item(), make_item(), make_phantom("SPRAY"), make_item()
    inner = create_draft(item=phantom, lines=[spec(part)], actor=None)
    draft = create_draft(item=top, lines=[spec(phantom)], actor=None)
    put_on_hand(part, shop, "5")

    bare = ask(item)
    broken = buildable_by_bom(boms=[draft.pk])[draft.pk]

    assert (bare.quantity, bare.problem) == (0, f"No BOM is in force on {timezone.localdate()}.")
    assert (broken.quantity, broken.problem) == (0, "SPRAY has no BOM in force whose parts could be used.")
    assert buildable_by_bom(boms=[inner.pk])[inner.pk].quantity == 5


def test_costs_the_same_queries_for_1_and_20_items_and_places():
    tops = [make_wide_and_deep(3)[0] for _ in range(20)]
    places = [make_location() for _ in range(20)]
    counts = []
    for size in (1, 20):
        with CaptureQueriesContext(connection) as queries:
            buildable(items=[top.pk for top in tops[:size]])
            buildable_by_place(items=[top.pk for top in tops[:size]], places=[p.pk for p in places[:size]])
        counts.append(len(queries))

    assert counts == [4, 4]
