"""Why cells are due, in which order, and what class an item has."""

import random
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.counting import has_moved_much, is_within_tolerance, next_count_on
from inventory.models import CountClass, CountLine, LocationKind, Movement, StockBalance
from inventory.operations.issuing import issue_stock
from inventory.operations.landing_costs import ReceiptPrice, correct_prices
from inventory.operations.ranking_counts import rank_items
from inventory.operations.reversing import reverse_posting
from inventory.reads.count_plan import REASONS, count_plan, due_totals, item_groups
from tests.factories import make_item, make_location, put_on_hand
from tests.inventory.operations.counting_steps import approve_from, count, count_for_sure, line_of, open_sheet, submit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


@pytest.fixture
def site():
    return make_location(code="SITE")


def issue(item, place, quantity, **more):
    return issue_stock(key=uuid4(), item=item, location=place, quantity=Decimal(quantity), actor=None, **more).posting


def counted(item, place, quantity):
    sheet = open_sheet(place, items=[item])
    count_for_sure(line_of(sheet, item), quantity)
    submit(sheet)


def reasons(place="/"):
    return {cell.sku: cell.reasons for cell in count_plan(within=place)}


def test_cell_that_was_never_counted_is_due_and_one_that_was_is_not(site):
    new, right = make_item(sku="NEW"), make_item(sku="RIGHT")
    put_on_hand(new, site, "5", value="5.00")
    put_on_hand(right, site, "5", value="5.00")
    counted(right, site, "5")

    assert reasons() == {"NEW": ("never",)}


def test_last_count_outside_its_tolerance_is_suspicious_until_the_next_one_agrees(site):
    item = make_item(sku="OFF")
    put_on_hand(item, site, "100", value="100.00")
    counted(item, site, "80")

    (cell,) = count_plan()
    assert (cell.reasons, cell.off_by) == (("suspicious",), Decimal(4))
    counted(item, site, "80")
    assert reasons() == {}


def test_cell_is_overdue_when_the_time_of_its_class_is_over(site):
    item = make_item(sku="OLD")
    put_on_hand(item, site, "5", value="5.00")
    counted(item, site, "5")
    CountLine.objects.update(scanned_at=timezone.now() - timedelta(days=364))
    rank_items()
    assert reasons() == {}

    CountLine.objects.update(scanned_at=timezone.now() - timedelta(days=366))
    rank_items()

    (cell,) = count_plan()
    assert "overdue" in cell.reasons
    assert cell.due_on < timezone.localdate()


def test_negative_cell_is_the_most_urgent(site, administrator):
    new, below = make_item(sku="A-NEW"), make_item(sku="Z-BELOW", negative_allowed=True)
    put_on_hand(new, site, "5", value="5.00")
    put_on_hand(below, site, "5", value="5.00")
    counted(below, site, "5")
    issue_stock(
        key=uuid4(), item=below, location=site, quantity=Decimal(6), actor=administrator, reason="x", may_go_below=True
    )

    found = count_plan()

    assert [cell.sku for cell in found] == ["Z-BELOW", "A-NEW"]
    assert found[0].reasons[0] == "negative"
    assert [cell.sku for cell in count_plan(rows_max=1)] == ["Z-BELOW"]


def test_much_movement_since_the_last_count_makes_a_cell_due(site):
    item = make_item(sku="BUSY")
    put_on_hand(item, site, "10", value="10.00")
    counted(item, site, "10")
    for _ in range(2):
        put_on_hand(item, site, "7", value="7.00")
        issue(item, site, "7")
    rank_items()
    assert reasons() == {}

    put_on_hand(item, site, "1", value="1.00")
    issue(item, site, "1")
    rank_items()

    (cell,) = count_plan()
    assert (cell.reasons, cell.moved) == (("moved",), Decimal(30))


def test_a_price_that_comes_later_is_no_movement_since_the_last_count(site):
    item = make_item(sku="PRICED")
    receipt = put_on_hand(item, site, "40")
    counted(item, site, "40")
    correct_prices(key=uuid4(), prices=[ReceiptPrice(receipt.movements.get(), Decimal("20.00"))], actor=None)
    put_on_hand(item, site, "1", value="0.50")
    rank_items()

    assert reasons() == {}


def test_the_correction_of_the_count_itself_is_no_movement_since(site):
    item = make_item(sku="GONE")
    put_on_hand(item, site, "100", value="100.00")
    counted(item, site, "1")
    rank_items()

    assert reasons() == {"GONE": ("suspicious",)}


def test_only_our_own_places_below_the_chosen_one_are_planned(site):
    shelf = make_location(parent=site)
    third = make_location(kind=LocationKind.THIRD_PARTY)
    for sku, place in (("BELOW", shelf), ("AWAY", third), ("OTHER", make_location())):
        put_on_hand(make_item(sku=sku), place, "1")

    assert set(reasons(site.path)) == {"BELOW"}
    assert set(reasons()) == {"BELOW", "OTHER"}


def test_cell_names_the_sheet_it_is_on(site):
    put_on_hand(make_item(), site, "1")
    sheet = open_sheet(site)

    assert [cell.sheet for cell in count_plan()] == [sheet.number]


def test_class_follows_the_value_used_in_a_year_unless_it_is_set_by_hand(site):
    big, small, unused, chosen = make_item(), make_item(), make_item(), make_item(count_group="A")
    for item in (big, small, unused):
        put_on_hand(item, site, "100", value="1000.00")
    issue(big, site, "90")
    issue(small, site, "10")
    assert set(item_groups([big.pk, small.pk, unused.pk]).values()) == {"C"}

    rank_items()

    found = item_groups([item.pk for item in (big, small, unused, chosen)])
    assert [found[item.pk] for item in (big, small, unused, chosen)] == ["A", "B", "C", "A"]
    assert item_groups([small.pk]) == {small.pk: "B"}


def test_use_that_was_taken_back_was_no_use(site):
    big, small = make_item(), make_item()
    for item in (big, small):
        put_on_hand(item, site, "100", value="1000.00")
    taken = issue(big, site, "90")
    issue(small, site, "10")

    reverse_posting(key=uuid4(), posting=taken, actor=None)
    rank_items()

    assert item_groups([big.pk, small.pk]) == {big.pk: "C", small.pk: "A"}


def test_use_of_unknown_cost_counts_at_the_planned_cost(site):
    item, other = make_item(standard_cost=Decimal(10)), make_item()
    put_on_hand(item, site, "100")
    put_on_hand(other, site, "100", value="100.00")
    issue(item, site, "90")
    issue(other, site, "1")
    rank_items()

    assert item_groups([item.pk, other.pk]) == {item.pk: "A", other.pk: "C"}


def test_a_count_after_the_ranking_takes_a_cell_that_moved_much_off_the_plan(site):
    item = make_item(sku="BUSY")
    put_on_hand(item, site, "10", value="10.00")
    counted(item, site, "10")
    put_on_hand(item, site, "20", value="20.00")
    issue(item, site, "20")
    rank_items()
    assert reasons() == {"BUSY": ("moved",)}

    counted(item, site, "10")

    assert reasons() == {}


def test_within_a_reason_the_class_set_by_hand_and_then_the_use_decide(site):
    often, seldom, chosen, new = (
        make_item(sku=sku, **more)
        for sku, more in (("Z-OFTEN", {}), ("A-SELDOM", {}), ("X-CHOSEN", {"count_group": "A"}), ("B-UNUSED", {}))
    )
    for item in (often, seldom, chosen, new):
        put_on_hand(item, site, "100", value="1000.00")
    issue(often, site, "90")
    issue(seldom, site, "1")
    rank_items()
    put_on_hand(make_item(sku="A-NEWCOMER"), site, "1")

    assert [cell.sku for cell in count_plan()] == ["Z-OFTEN", "X-CHOSEN", "A-SELDOM", "B-UNUSED", "A-NEWCOMER"]


def test_only_cells_that_are_on_no_sheet_when_asked_for(site):
    taken, free = make_item(sku="TAKEN"), make_item(sku="FREE")
    for item in (taken, free):
        put_on_hand(item, site, "1")
    open_sheet(site, items=[taken])

    assert [cell.sku for cell in count_plan(rows_max=1, is_free=True)] == ["FREE"]
    assert (due_totals().cells, due_totals().free) == (2, 1)


def test_a_rank_that_is_worked_out_twice_is_the_same(site):
    item = make_item()
    put_on_hand(item, site, "100", value="1000.00")
    issue(item, site, "90")

    first, second = rank_items(), rank_items()

    assert (first.items, second.items) == (1, 1)
    assert (item.count_rank.group, item.count_rank.used_value, item.count_rank.position) == ("A", Decimal(900), 1)
    assert item.count_rank.ranked_at == second.ranked_at


def why_due(cell, classes):
    """The reasons of one cell by the rules of inventory.counting, in order."""
    key = {"item": cell.item_id, "location": cell.location_id, "lot": cell.lot_id, "status": cell.status}
    last = CountLine.objects.filter(state="posted", **key).order_by("-scanned_at").first()
    if last is None:
        return ["never"]
    rule = classes[cell.item.count_group or cell.item.count_rank.group]
    since = Movement.objects.filter(effective_at__gt=last.scanned_at, **key)
    moved = sum((abs(movement.quantity) for movement in since), Decimal(0))
    due_on = next_count_on(last_counted_on=timezone.localdate(last.scanned_at), counts_per_year=rule.counts_per_year)
    found = {
        "suspicious": not is_within_tolerance(
            counted=last.counted, expected=last.expected, percent=last.tolerance_percent or Decimal(0)
        ),
        "overdue": due_on <= timezone.localdate(),
        "moved": has_moved_much(moved=moved, on_hand=cell.quantity, last_counted=last.counted),
    }
    return [reason for reason, is_so in found.items() if is_so]


def test_plan_is_what_a_reading_of_every_cell_would_say(site):
    """The database ranks; here the rules of inventory.counting say of each cell why it is due, and all are sorted."""
    rng = random.Random(20)
    approve_from("1000000")
    classes = {row.group: row for row in CountClass.objects.all()}
    places = [make_location(parent=site) for _ in range(3)]
    items = [make_item(count_group=rng.choice(["", "", "A", "B"])) for _ in range(25)]
    for item in items:
        for place in rng.sample(places, rng.randint(1, 3)):
            put_on_hand(item, place, str(rng.randint(1, 40)), value="40.00")
    for cell in rng.sample(list(StockBalance.objects.select_related("item", "location")), 30):
        sheet = open_sheet(cell.location, items=[cell.item])
        count_for_sure(line_of(sheet, cell.item), str(max(0, int(cell.quantity) + rng.choice([0, 0, 0, -1, 9]))))
        submit(sheet)
    for line in CountLine.objects.all():
        CountLine.objects.filter(pk=line.pk).update(scanned_at=line.scanned_at - timedelta(days=rng.randint(0, 500)))
    for cell in rng.sample(list(StockBalance.objects.filter(quantity__gte=1).select_related("item", "location")), 15):
        issue(cell.item, cell.location, str(rng.randint(1, int(cell.quantity))))
    for line in rng.sample(list(CountLine.objects.select_related("item", "location")), 12):
        put_on_hand(line.item, line.location, "200", value="200.00")
        issue(line.item, line.location, "200")
    rank_items()

    expected = []
    for cell in StockBalance.objects.exclude(quantity=0).select_related("item__count_rank", "location"):
        if why := why_due(cell, classes):
            order = (REASONS.index(why[0]), cell.item.count_rank.position, cell.location.path)
            expected.append((order, cell.item.sku, cell.location.code, tuple(why)))
    expected.sort()

    found = [(cell.sku, cell.location_code, cell.reasons) for cell in count_plan()]
    assert found == [tuple(row[1:]) for row in expected]
    assert len({row[0][0] for row in expected}) == 4, "each reason but being below zero comes first somewhere"
    assert [(cell.sku, cell.location_code) for cell in count_plan(rows_max=7)] == [row[1:3] for row in expected[:7]]
    firsts = Counter(row[3][0] for row in expected)
    assert due_totals().by_reason == dict(firsts)


def test_plan_costs_the_same_number_of_queries_with_1_and_20_cells(site):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            count_plan()
        return len(captured)

    put_on_hand(make_item(), site, "1", value="1.00")
    one = queries()
    for _ in range(19):
        put_on_hand(make_item(), site, "1", value="1.00")
    sheet = open_sheet(site)
    for line in sheet.lines.all():
        count(line, "1")
    submit(sheet)
    put_on_hand(make_item(), site, "1", value="1.00")

    rank_items()

    assert queries() == one == 9
