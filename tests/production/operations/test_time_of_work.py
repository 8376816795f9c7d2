"""Minutes of labour and machines as they really were: at the BOM's rate, beside what was planned (rule S20)."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.errors import IdempotencyMismatch, InvalidQuantity
from inventory.models import CostEntry, ItemKind, Posting
from production.models import Completion, CompletionWork
from production.operations.completing import CompletionRequest, complete_production, preview_completion
from production.operations.reversing import reverse_completion
from production.reads.true_cost import true_cost
from production.reads.true_costs import true_costs
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import make_bom

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def shop(db):
    """A candle of 1.00 of wax; 6 minutes of labour at 20.00 and 3 at 40.00 an hour, 2 of a machine at 30.00 with 10 to set up."""
    place = make_location()
    wax, candle = make_item(sku="WAX"), make_item(sku="CANDLE", kind=ItemKind.PRODUCT)
    put_on_hand(wax, place, "1000", value="1000")
    make_bom(
        item=candle,
        lines=[(wax, "1")],
        operations=[
            {"kind": "labour", "minutes": Decimal(6), "rate_per_hour": Decimal(20)},
            {"kind": "labour", "minutes": Decimal(3), "rate_per_hour": Decimal(40)},
            {"kind": "machine", "minutes": Decimal(2), "setup_minutes": Decimal(10), "rate_per_hour": Decimal(30)},
            {"kind": "overhead", "amount": Decimal("0.10")},
        ],
    )
    return {"place": place, "candle": candle}


def request(shop, good="10", **fields):
    return CompletionRequest(good=Decimal(good), item=shop["candle"], output_location=shop["place"], **fields)


def complete(shop, good="10", *, key=None, **fields):
    return complete_production(key=key or uuid4(), request=request(shop, good, **fields), actor=None)


def entries(posting):
    return dict(CostEntry.objects.filter(posting=posting).values_list("kind", "amount"))


def test_without_minutes_the_bom_says_how_long_and_nothing_is_kept(shop):
    done = complete(shop)

    assert entries(done.posting) == {"labour": -40, "machine": -15, "overhead": -1}
    assert not CompletionWork.objects.exists()
    assert [(one.kind, one.planned_minutes, one.minutes) for one in done.plan.work] == [
        ("labour", 90, 90),
        ("machine", 30, 30),
    ]


def test_minutes_are_charged_at_the_average_rate_of_the_plan(shop):
    """90 minutes cost 40.00, so 108 cost 48.00; 24 of a machine at 30.00 an hour cost 12.00."""
    done = complete(shop, labour_minutes=Decimal(108), machine_minutes=Decimal(24))

    assert entries(done.posting) == {"labour": -48, "machine": -12, "overhead": -1}
    assert done.completion.output_value == 10 + 48 + 12 + 1
    kept = {one.kind: one for one in CompletionWork.objects.all()}
    assert [(one.planned_minutes, one.minutes, one.planned_value, one.value) for one in kept.values()] == [
        (90, 108, 40, 48),
        (30, 24, 15, 12),
    ]


def test_the_preview_shows_what_is_posted(shop):
    asked = request(shop, labour_minutes=Decimal("12.34"))
    seen = preview_completion(request=asked, actor=None)
    done = complete_production(key=uuid4(), request=asked, actor=None)

    assert (seen.operation_costs, seen.work, seen.unit_cost) == (
        done.plan.operation_costs,
        done.plan.work,
        done.plan.unit_cost,
    )


def test_no_time_at_all_costs_nothing_and_what_was_planned_is_still_shown(shop):
    done = complete(shop, labour_minutes=Decimal(0))

    assert "labour" not in entries(done.posting)
    completion = Completion.objects.get(pk=done.posting.pk)
    cost = true_cost(completion, list(completion.lines.select_related("component")))
    (labour,) = [part for part in cost.parts if part.label.startswith("Labour")]
    assert (labour.label, labour.planned, labour.actual) == ("Labour, 0 of 90 min planned", 40, 0)
    assert [(cause.cause, cause.amount) for cause in cost.causes] == [("Time of labour", -40)]
    assert (cost.planned, cost.total) == (66, 26)


def test_over_a_period_longer_work_is_usage_not_price(shop):
    complete(shop, labour_minutes=Decimal(108))
    now = timezone.now()
    found = true_costs(items=[shop["candle"].pk], since=now - timedelta(days=1), until=now + timedelta(days=1))
    one = found[shop["candle"].pk]

    assert one.actual_unit.labour == Fraction(48 + 15) / 10
    assert one.usage == Fraction("0.8")
    assert one.price == Fraction("0.5")  # the set-up of the machine, which a unit is planned without


def test_undone_in_part_and_whole_the_time_goes_too(shop):
    done = complete(shop, labour_minutes=Decimal(108))
    reverse_completion(key=uuid4(), completion=done.completion, good=Decimal(4), actor=None)
    reverse_completion(key=uuid4(), completion=Completion.objects.get(pk=done.posting.pk), good=Decimal(6), actor=None)

    assert sum(entry.amount for entry in CostEntry.objects.filter(kind="labour")) == 0


@pytest.mark.parametrize("minutes", ["-1", "NaN", "Infinity", "1000001", "0.001"])
def test_minutes_that_cannot_be_are_refused(shop, minutes):
    before = Posting.objects.count()
    with pytest.raises(InvalidQuantity):
        complete(shop, labour_minutes=Decimal(minutes))
    assert Posting.objects.count() == before


def test_minutes_without_a_rate_are_refused_in_words(shop):
    plain = make_item(sku="PLAIN", kind=ItemKind.PRODUCT)
    make_bom(item=plain, lines=[(shop["candle"], "1")])
    complete(shop)
    asked = CompletionRequest(good=Decimal(1), item=plain, output_location=shop["place"], machine_minutes=Decimal(5))
    seen = preview_completion(request=asked, actor=None)
    assert [problem.code for problem in seen.problems] == ["INVALID_QUANTITY"]
    with pytest.raises(InvalidQuantity, match="no machine with a time and a rate"):
        complete_production(key=uuid4(), request=asked, actor=None)


def test_a_key_stands_for_one_time(shop):
    key = uuid4()
    first = complete(shop, key=key, labour_minutes=Decimal(100))
    assert complete(shop, key=key, labour_minutes=Decimal(100)).posting.pk == first.posting.pk
    with pytest.raises(IdempotencyMismatch):
        complete(shop, key=key, labour_minutes=Decimal(101))
