"""What a completion really cost, part by part, against its plan."""

from decimal import Decimal
from uuid import uuid4

import pytest

from production.operations.completing import Actual, CompletionRequest, complete_production
from production.reads.true_cost import true_cost
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def made():
    """10 lanterns, 2 scrapped; one glass too many was broken and 3 amber ones stood in."""
    place = make_location(code="BENCH")
    glass, amber = make_item(sku="GLASS"), make_item(sku="AMBER")
    box, swarf, item = make_item(sku="BOX", kind="packaging"), make_item(sku="SWARF"), make_item(sku="LANTERN")
    for part, quantity, value in ((glass, "40", "80.00"), (amber, "40", "120.00"), (box, "40", "40.00")):
        put_on_hand(part, place, quantity, value=value)
    make_bom(
        item=item,
        lines=[(glass, "1", {"substitutes": [(amber, "1")]}), (box, "1")],
        outputs=[(swarf, "1", "0", "0.25")],
        operations=[
            {"kind": "labour", "minutes": Decimal(5), "rate_per_hour": Decimal(24)},
            {"kind": "overhead", "amount": Decimal("0.50")},
        ],
    )
    request = {"scrapped": "2", "scrap_reason": "cracked"}
    actuals = [
        Actual(glass, Decimal(10), "broken", scrapped=Decimal(1), cause="scrap"),
        Actual(amber, Decimal(3), replaces=glass, cause="substitute"),
    ]
    completion = complete(item, "10", into=place, **request, actuals=[])
    return completion, place, item, actuals, glass


def cost_of(completion):
    return true_cost(completion, list(completion.lines.select_related("component").order_by("id")))


def test_the_parts_add_up_to_what_the_good_units_carry(made):
    completion = made[0].completion

    cost = cost_of(completion)

    assert [(part.label, part.planned, part.actual, part.per_unit) for part in cost.parts] == [
        ("Materials, landed", Decimal("24.00"), Decimal("24.00"), Decimal("2.4")),
        ("Packaging", Decimal("12.00"), Decimal("12.00"), Decimal("1.2")),
        ("Labour", Decimal("24.00"), Decimal("24.00"), Decimal("2.4")),
        ("Overhead", Decimal("6.00"), Decimal("6.00"), Decimal("0.6")),
        ("By-products carry", Decimal("-3.00"), Decimal("-3.00"), Decimal("-0.3")),
    ]
    assert cost.total == completion.output_value == Decimal("63.00")
    assert cost.per_unit == Decimal("6.3")
    assert cost.scrapped == Decimal("10.50")  # 2 of 12 started
    assert cost.causes == []


def test_what_was_used_otherwise_is_summed_by_its_cause(made):
    _, place, item, actuals, glass = made
    request = {"item": item, "good": Decimal(10), "output_location": place, "actuals": actuals}
    completion = complete_production(key=uuid4(), request=CompletionRequest(**request), actor=None).completion

    cost = cost_of(completion)

    # 10 glasses as planned, 3 amber ones at 3.00 beside them; one glass of 2.00 was spoiled
    assert [(one.cause, one.amount) for one in cost.causes] == [("Replaced by another item", Decimal("9.00"))]
    assert cost.spoiled == Decimal("2.00")
    assert cost.total == completion.output_value
    line = completion.lines.get(component=glass)
    assert (cost.by_line[line.pk].planned, cost.by_line[line.pk].cause) == (Decimal("20.00"), "")
