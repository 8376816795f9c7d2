"""Completions that were probably forgotten open a case, once."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import ExceptionCase, ExceptionState, Item, ItemKind
from inventory.operations.shipping import ShipmentLine, ship_stock
from production.models import Completion
from production.operations.detecting import Detected, report_missed_completions
from production.operations.overdue import report_overdue_orders
from production.operations.work_orders import open_work_order
from production.reads.missed import MissedKind, missed_completions
from production.tasks import detect_missed_completions
from tests.factories import make_item, make_location, make_user, on_hand, put_on_hand
from tests.inventory.operations.counting_steps import count_for_sure, line_of, open_sheet, scan, submit
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


def stock_the_shop(*, since=None):
    place = make_location(code="SHOP")
    wax = make_item(sku="WAX", unit="kg", step="0.001")
    wick, candle = make_item(sku="WICK"), make_item(sku="CANDLE", kind=ItemKind.PRODUCT)
    make_bom(item=candle, lines=[(wax, "0.2"), (wick, "1")])
    put_on_hand(wax, place, "50", value="200", effective_at=since)
    put_on_hand(wick, place, "500", value="50", effective_at=since)
    put_on_hand(candle, place, "10", value="10", effective_at=since)
    return {"place": place, "wax": wax, "wick": wick, "candle": candle}


@pytest.fixture
def shop(db):
    return stock_the_shop()


def count_all(shop, **counted):
    """Count some items of the place and post what was found."""
    items = {"wax": shop["wax"], "wick": shop["wick"], "candle": shop["candle"]}
    sheet = open_sheet(shop["place"], items=[items[name] for name in counted])
    for name, quantity in counted.items():
        line = line_of(sheet, items[name])
        scan(line)
        count_for_sure(line, quantity, second=make_user())
    submit(sheet)


def test_counts_in_the_proportions_of_the_bom_name_the_forgotten_completion(shop):
    count_all(shop, wax="42", wick="460", candle="50")

    (found,) = missed_completions()

    assert (found.kind, found.item.sku, found.quantity) == (MissedKind.NOT_RECORDED, "CANDLE", 40)
    assert [(item.sku, difference) for item, difference in found.found] == [("WAX", -8), ("WICK", -40), ("CANDLE", 40)]


def test_a_completion_too_many_is_told_from_a_missing_one(shop):
    complete(shop["candle"], "20", into=shop["place"])
    count_all(shop, wax="50", wick="500", candle="10")

    (found,) = missed_completions()

    assert (found.kind, found.quantity) == (MissedKind.NOT_MADE, 20)


def test_counts_that_do_not_agree_say_nothing(shop):
    count_all(shop, wax="42", wick="498")

    assert missed_completions() == []


def test_a_case_is_opened_once_and_leads_to_the_completion(shop):
    count_all(shop, wax="42", wick="460", candle="50")

    first, again = report_missed_completions(), report_missed_completions()

    case = ExceptionCase.objects.get(kind="missed_completion")
    assert (first.reported, again.reported, case.times_seen) == (1, 1, 2)
    assert case.title == "Probably 40 pcs of CANDLE were made and not recorded"
    day_before = timezone.localdate() - timedelta(days=1)
    assert case.action_url == f"/make/complete/?what=CANDLE&good=40&on={day_before}"
    assert case.evidence == {"WAX": "-8", "WICK": "-40", "CANDLE": "40"}
    assert f"record the completion for {day_before} or earlier" in case.reason, "a count cannot be reversed"


def test_the_proposed_completion_leaves_what_was_counted_and_closes_the_case(client, db):
    shop = stock_the_shop(since=timezone.now() - timedelta(days=30))
    count_all(shop, wax="42", wick="460", candle="50")
    report_missed_completions()
    client.force_login(make_user(role="administrator"))

    page = client.get(ExceptionCase.objects.get(kind="missed_completion").action_url)
    form = page.context["form"]
    assert (form["good"].value(), page.context["outlook"].plan.good) == ("40", 40)
    posted = client.post(
        "/make/complete/",
        {
            "item": str(shop["candle"].pk),
            "key": form["key"].value(),
            "good": "40",
            "made_on": form["made_on"].value(),
            "output_location": "SHOP",
            "action": "complete",
        },
    )

    assert posted.status_code == 302, posted.content.decode()
    completion = Completion.objects.get()
    assert timezone.localdate(completion.posting.effective_at) == timezone.localdate() - timedelta(days=1)
    assert [on_hand(shop[name]) for name in ("wax", "wick", "candle")] == [42, 460, 50]
    done = report_missed_completions()
    assert (done.reported, done.resolved) == (0, 1)


def test_a_case_is_closed_when_nothing_shows_it_any_more(shop):
    count_all(shop, wax="42", wick="460", candle="50")
    report_missed_completions()
    count_all(shop, wax="50", wick="500", candle="10")

    done = report_missed_completions()

    assert (done.reported, done.resolved) == (0, 1)
    assert ExceptionCase.objects.get(kind="missed_completion").state == ExceptionState.RESOLVED


def test_goods_that_left_before_they_were_made_open_a_case(shop):
    Item.objects.filter(pk=shop["candle"].pk).update(negative_allowed=True)
    shop["candle"].refresh_from_db()
    line = ShipmentLine(shop["candle"], shop["place"], Decimal(13))
    ship_stock(key=uuid4(), lines=[line], may_go_below=True, reason="not booked yet", actor=None)

    (found,) = missed_completions()

    assert (found.kind, found.quantity) == (MissedKind.BELOW_ZERO, 3)


def test_looking_costs_the_same_for_one_and_twenty_items(shop):
    count_all(shop, wax="42", wick="460")
    counts = []
    for size in (1, 20):
        for _ in range(size):
            make_bom(item=make_item(), lines=[(shop["wax"], "0.2"), (shop["wick"], "1")])
        with CaptureQueriesContext(connection) as queries:
            missed_completions()
        counts.append(len(queries))

    assert counts == [5, 5]


# --- Late, and past their day ------------------------------------------------------------------------------------------


def sold_before_it_was_made(shop, quantity="12"):
    """More of the candle is shipped than there is, with the privilege to."""
    candle = shop["candle"]
    candle.negative_allowed = True
    candle.save()
    lines = [ShipmentLine(item=candle, location=shop["place"], quantity=Decimal(quantity))]
    ship_stock(
        key=uuid4(),
        lines=lines,
        actor=None,
        reason="On the table",
        may_go_below=True,
    )


def late_of(found):
    return [(one.item.sku, one.quantity, one.times) for one in found if one.kind == MissedKind.LATE]


def test_what_left_before_it_was_recorded_is_told_when_it_is_right_again(shop):
    sold_before_it_was_made(shop)
    assert late_of(missed_completions()) == []  # it is missing, not late
    complete(shop["candle"], "1", into=shop["place"])
    complete(shop["candle"], "6", into=shop["place"])

    assert late_of(missed_completions()) == [("CANDLE", 2, 2)]
    report_missed_completions()
    (case,) = ExceptionCase.objects.open().filter(kind="missed_completion")
    assert case.title == "CANDLE left before it was recorded as made"
    assert "2 completions recorded them" in case.reason


def test_completions_in_time_are_not_late(shop):
    complete(shop["candle"], "5", into=shop["place"])
    sold_before_it_was_made(shop, "15")
    complete(shop["candle"], "5", into=shop["place"])

    assert late_of(missed_completions()) == []


def test_what_was_late_long_ago_is_over(shop):
    sold_before_it_was_made(shop)
    complete(shop["candle"], "6", into=shop["place"])
    report_missed_completions()
    assert late_of(missed_completions(days=0)) == []


def order_due(shop, days, **fields):
    day = timezone.localdate() + timedelta(days=days)
    return open_work_order(
        item=shop["candle"], planned=Decimal(10), output_location=shop["place"], due_on=day, actor=None, **fields
    )


def test_an_order_past_its_day_is_a_case_until_it_is_done(shop):
    late, today = order_due(shop, -2), order_due(shop, 0)
    planned = order_due(shop, -5, is_planned=True)
    complete(None, "4", order=late, source_location=shop["place"])

    assert (report_overdue_orders(), report_overdue_orders()) == (Detected(1, 0), Detected(1, 0))
    (case,) = ExceptionCase.objects.open().filter(kind="overdue_order")
    assert case.title.startswith(f"{late.number} was due")
    assert ("6 pcs are not recorded" in case.title, "4 are recorded as good, 2 days" in case.reason) == (True, True)
    assert case.action_url == f"/make/complete/?what={late.number}"
    assert {today.number, planned.number}.isdisjoint({case.evidence["work_order"]})

    complete(None, "6", order=late, source_location=shop["place"])
    assert report_overdue_orders() == Detected(0, 1)
    assert not ExceptionCase.objects.open().filter(kind="overdue_order").exists()


def test_the_nightly_task_tells_both(shop):
    order_due(shop, -1)
    count_all(shop, wax="42", wick="460", candle="50")
    assert detect_missed_completions() == 2
