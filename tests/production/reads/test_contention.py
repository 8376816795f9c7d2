"""One stock asked about many items: alone, in groups, divided, and by when."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import ItemKind
from production.contention import Want
from production.operations.work_orders import open_work_order
from production.reads.buildable import buildable
from production.reads.contention import groups_of, load_shop, outlook, partitioned, promise_date, rivals
from tests.factories import make_item, make_location, make_order, put_on_hand
from tests.production.factories import complete, make_bom
from tests.production.reads.structures import make_phantom, make_wide_and_deep

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def place():
    return make_location(code="SHOP")


@pytest.fixture
def candles(place):
    """10 kg of wax, 30 jars and 500 lids; a candle takes 0.2 kg and a jar, a tin 0.1 kg and a lid."""
    wax = make_item(sku="WAX", unit="kg", step="0.001")
    jar, lid = make_item(sku="JAR"), make_item(sku="LID")
    candle, tin = make_item(sku="CANDLE", kind=ItemKind.PRODUCT), make_item(sku="TIN", kind=ItemKind.PRODUCT)
    make_bom(item=candle, lines=[(wax, "0.2"), (jar, "1")])
    make_bom(item=tin, lines=[(wax, "0.1"), (lid, "1")])
    put_on_hand(wax, place, "10", value="40")
    put_on_hand(jar, place, "30", value="15")
    put_on_hand(lid, place, "500", value="50")
    return {item.sku: item for item in (wax, jar, lid, candle, tin)}


def test_an_outlook_names_bottleneck_next_limit_and_what_more_brings(candles):
    read = load_shop(items=[candles["CANDLE"].pk])

    found = outlook(read, candles["CANDLE"].pk)

    assert found.quantity == 30
    assert [(limit.component_id, limit.quantity) for limit in found.limits] == [
        (candles["JAR"].pk, 30),
        (candles["WAX"].pk, 50),
    ]
    assert found.gain == 1


def test_from_stock_alone_it_agrees_with_the_buildable_figure(candles, place):
    gift = make_item(sku="GIFT", kind=ItemKind.PRODUCT)
    make_bom(item=gift, lines=[(candles["CANDLE"], "2")])
    complete(candles["CANDLE"], "7", into=place)

    for item in (gift, candles["CANDLE"]):
        read = load_shop(items=[item.pk], make_missing=False)
        assert outlook(read, item.pk).quantity == buildable(items=[item.pk])[item.pk].quantity


def test_missing_sub_assemblies_are_made_when_asked_or_when_the_line_says_so(candles, place):
    gift, box = make_item(sku="GIFT"), make_item(sku="BOX")
    make_bom(item=gift, lines=[(candles["CANDLE"], "2")])
    make_bom(item=box, lines=[(candles["CANDLE"], "2", {"builds_shortage": True})])

    stock = load_shop(items=[gift.pk, box.pk], make_missing=False)
    deep = load_shop(items=[gift.pk], make_missing=True)

    assert outlook(stock, gift.pk).quantity == 0
    assert outlook(stock, box.pk).quantity == 15
    assert outlook(deep, gift.pk).quantity == 15


def test_parts_of_phantoms_limit(candles):
    kit = make_phantom(sku="KIT")
    make_bom(item=kit, lines=[(candles["JAR"], "2")])
    display = make_item(sku="DISPLAY")
    make_bom(item=display, lines=[(kit, "3")])

    found = outlook(load_shop(items=[display.pk]), display.pk)

    assert (found.quantity, found.limits[0].component_id) == (5, candles["JAR"].pk)


def test_without_a_bom_it_says_why_nothing_can_be_made(db):
    lonely = make_item(sku="LONELY")

    found = outlook(load_shop(items=[lonely.pk]), lonely.pk)

    assert (found.quantity, found.problem) == (0, f"No BOM is in force on {timezone.localdate()}.")


def test_rivals_are_found_at_any_level_and_compete_in_one_group(candles):
    gift = make_item(sku="GIFT", kind=ItemKind.PRODUCT)
    make_bom(item=gift, lines=[(candles["TIN"], "4")])
    apart = make_item(sku="APART")
    make_bom(item=apart, lines=[(make_item(), "1")])

    read = load_shop(items=[candles["CANDLE"].pk])
    found = rivals(read=read, item_id=candles["CANDLE"].pk)
    (group,) = groups_of(load_shop(items=found), found)

    assert found == [candles[sku].pk for sku in ("CANDLE",)] + [gift.pk, candles["TIN"].pk]
    assert candles["WAX"].pk in [one.component_id for one in group.shared]


def test_a_partition_can_be_ordered_in_any_sequence_and_leaves_nothing_lying(candles, place):
    numbers = partitioned(wanted={candles["CANDLE"].pk: Want(Decimal(1)), candles["TIN"].pk: Want(Decimal(2))})

    assert numbers == {candles["CANDLE"].pk: Decimal(25), candles["TIN"].pk: Decimal(50)}
    for sku, good in (("TIN", "20"), ("CANDLE", "24"), ("TIN", "30"), ("CANDLE", "1")):
        complete(candles[sku], good, into=place)
    assert outlook(load_shop(items=[candles["CANDLE"].pk]), candles["CANDLE"].pk).quantity == 0


def test_the_day_is_that_of_the_last_delivery_plus_the_work(candles, place):
    today = timezone.localdate()
    candles["CANDLE"].boms.update(capacity_per_day=Decimal(25))
    make_order([(candles["JAR"], "40", "20")], location=place, expected_on=today + timedelta(days=3))
    make_order([(candles["JAR"], "900", "450")], location=place, expected_on=today + timedelta(days=9))

    found = promise_date(item_id=candles["CANDLE"].pk, quantity=Decimal(50)).promise

    assert (found.to_make, found.work_days) == (50, 2)
    assert found.materials_on == today + timedelta(days=3)
    assert found.ready_on == today + timedelta(days=4)
    jar = found.waits[0]
    assert (jar.component_id, jar.need, jar.free, jar.missing) == (candles["JAR"].pk, 50, 30, 0)
    assert [(one.quantity, one.day) for one in jar.arrivals] == [(40, today + timedelta(days=3))]


def test_deliveries_without_a_day_or_overdue_are_named_and_not_counted_on(candles, place):
    today = timezone.localdate()
    undated = make_order([(candles["JAR"], "40", "20")], location=place)
    late = make_order([(candles["JAR"], "40", "20")], location=place, expected_on=today - timedelta(days=1))

    found = promise_date(item_id=candles["CANDLE"].pk, quantity=Decimal(50)).promise

    assert found.ready_on is None
    assert (found.waits[0].missing, found.waits[0].ready_on) == (20, None)
    assert {one.reference for one in found.waits[0].uncertain} == {undated.number, late.number}


def test_finished_stock_goes_first_and_open_work_orders_keep_their_components(candles, place):
    today = timezone.localdate()
    complete(candles["CANDLE"], "5", into=place)
    open_work_order(item=candles["CANDLE"], planned=Decimal(20), output_location=place, actor=None)
    candles["CANDLE"].boms.update(capacity_per_day=Decimal(10))

    small = promise_date(item_id=candles["CANDLE"].pk, quantity=Decimal(5)).promise
    ten = promise_date(item_id=candles["CANDLE"].pk, quantity=Decimal(10)).promise
    eleven = promise_date(item_id=candles["CANDLE"].pk, quantity=Decimal(11)).promise

    assert (small.from_stock, small.to_make, small.ready_on) == (5, 0, today)
    assert (ten.from_stock, ten.to_make) == (5, 5)
    assert (ten.queue, ten.queue_days, ten.ready_on) == (20, 2, today + timedelta(days=2))
    assert eleven.ready_on is None  # 25 jars are left and 20 are the work order's
    assert next(wait for wait in eleven.waits if wait.missing).promised == 20


def test_reads_cost_the_same_for_one_and_twenty_items(place):
    tops = [make_wide_and_deep(3)[0] for _ in range(20)]
    counts = []
    for size in (1, 20):
        ids = [top.pk for top in tops[:size]]
        with CaptureQueriesContext(connection) as queries:
            read = load_shop(items=ids)
            for item_id in ids:
                outlook(read, item_id)
            groups_of(read, ids)
            rivals(read=read, item_id=ids[0])
            partitioned(wanted={item_id: Want(Decimal(1)) for item_id in ids})
            promise_date(item_id=ids[0], quantity=Decimal(3))
        counts.append(len(queries))

    assert counts == [13, 13]
