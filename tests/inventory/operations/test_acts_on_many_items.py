"""News of what one act changes of many items at once names the act; with fewer items it has its usual cause."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from inventory.bulk import ITEMS_MIN, as_bulk
from inventory.importing.running import Mode, kind_named, run_import
from inventory.models import ItemCategory, LocationKind, StockChange
from inventory.operations.describing import save_and_tell
from inventory.operations.receiving import ReceiptLine, receive_stock
from inventory.operations.receiving_orders import Arrival, receive_order
from inventory.operations.reporting import ReportedQuantity, report_external_stock
from inventory.operations.reversing import reverse_posting
from tests.factories import make_item, make_location, make_order, make_user
from tests.inventory.operations.counting_steps import count_for_sure, open_sheet, submit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]
NUMBERS = pytest.mark.parametrize(("number", "is_many"), [(ITEMS_MIN, True), (ITEMS_MIN - 1, False)])


def goods(number, **fields):
    return [make_item(**fields) for _ in range(number)]


def put(items, place, *, hours_ago=0):
    return receive_stock(
        key=uuid4(),
        lines=[ReceiptLine(item=item, location=place, quantity=Decimal(10), value=Decimal(10)) for item in items],
        actor=None,
        effective_at=timezone.now() - timedelta(hours=hours_ago),
    ).posting


def forget():
    StockChange.objects.all().delete()


def told():
    return set(StockChange.objects.values_list("cause", flat=True))


@NUMBERS
def test_a_receipt(number, is_many):
    put(goods(number), make_location())

    assert told() == {"bulk receipt" if is_many else "receipt"}


@NUMBERS
def test_a_report(number, is_many):
    items, place = goods(number), make_location(kind=LocationKind.THIRD_PARTY)
    put(items, place, hours_ago=1)
    forget()

    lines = [ReportedQuantity(item, Decimal(12)) for item in items]
    report_external_stock(key=uuid4(), location=place, as_of=timezone.now(), lines=lines, actor=None)

    assert told() == {"bulk report" if is_many else "adjustment"}


@NUMBERS
def test_a_count_sheet_of_which_every_line_is_a_posting(number, is_many):
    items, place = goods(number), make_location()
    put([*items, same := make_item()], place)
    sheet = open_sheet(place, items=[*items, same])
    for line in sheet.lines.select_related("item"):
        count_for_sure(line, "10" if line.item == same else "11")
    forget()

    submit(sheet)

    assert StockChange.objects.count() == number
    assert told() == {"bulk count" if is_many else "count"}


@NUMBERS
def test_a_posting_taken_back(number, is_many):
    posting = put(goods(number), make_location())
    forget()

    reverse_posting(key=uuid4(), posting=posting, actor=None)

    assert told() == {"bulk reversal" if is_many else "reversal"}


@NUMBERS
def test_a_place_that_is_blocked(number, is_many):
    place, person = make_location(), make_user()
    put(goods(number), place)
    forget()

    place.is_blocked = True
    save_and_tell(instance=place, save=place.save, actor=person)

    assert told() == {"bulk place" if is_many else "place"}
    assert StockChange.objects.get().actor_id == person.pk


@NUMBERS
def test_a_category_that_comes_to_stand_elsewhere(number, is_many):
    category, above = (ItemCategory.objects.create(name=name) for name in ("Candles", "Goods"))
    goods(number, category=category)

    category.parent = above
    save_and_tell(instance=category, save=category.save, actor=make_user())

    assert told() == {"bulk category" if is_many else "category"}


def test_what_comes_in_for_a_purchase_order_is_what_the_order_says():
    items = goods(ITEMS_MIN)
    order = make_order([(item, "10", None) for item in items])
    forget()

    arrivals = [Arrival(line, line.quantity) for line in order.lines.all()]
    receive_order(key=uuid4(), order=order, arrivals=arrivals, actor=None)

    assert told() == {"receipt"}


def test_an_import_keeps_its_name():
    place = make_location(code="3PL", kind=LocationKind.THIRD_PARTY)
    items = goods(ITEMS_MIN)
    put(items, place, hours_ago=1)
    forget()
    rows = "\n".join(f"3PL;{item.sku};12" for item in items)

    report = run_import(
        kind=kind_named("external_stock"), content=f"Place;Item;Quantity\n{rows}".encode(), file_name="stock.csv",
        actor=None, mode=Mode.ALL,
    )  # fmt: skip

    assert report.is_applied, report.problems
    assert told() == {"import external_stock"}


def test_what_an_act_around_it_is_called_comes_first():
    with as_bulk("policy"):
        put(goods(ITEMS_MIN), make_location())

    assert told() == {"policy"}
