"""Why cells are due, in which order, and what class an item has."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import CountLine, LocationKind
from inventory.operations.issuing import issue_stock
from inventory.operations.landing_costs import ReceiptPrice, correct_prices
from inventory.operations.reversing import reverse_posting
from inventory.reads.count_plan import count_plan, item_groups
from tests.factories import make_item, make_location, put_on_hand
from tests.inventory.operations.counting_steps import count, count_for_sure, line_of, open_sheet, submit

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
    assert reasons() == {}

    CountLine.objects.update(scanned_at=timezone.now() - timedelta(days=366))

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
    assert reasons() == {}

    put_on_hand(item, site, "1", value="1.00")
    issue(item, site, "1")

    (cell,) = count_plan()
    assert (cell.reasons, cell.moved) == (("moved",), Decimal(30))


def test_a_price_that_comes_later_is_no_movement_since_the_last_count(site):
    item = make_item(sku="PRICED")
    receipt = put_on_hand(item, site, "40")
    counted(item, site, "40")
    correct_prices(key=uuid4(), prices=[ReceiptPrice(receipt.movements.get(), Decimal("20.00"))], actor=None)
    put_on_hand(item, site, "1", value="0.50")

    assert reasons() == {}


def test_the_correction_of_the_count_itself_is_no_movement_since(site):
    item = make_item(sku="GONE")
    put_on_hand(item, site, "100", value="100.00")
    counted(item, site, "1")

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

    found = item_groups()

    assert [found[item.pk] for item in (big, small, unused, chosen)] == ["A", "B", "C", "A"]
    assert item_groups([small.pk]) == {small.pk: "B"}


def test_use_that_was_taken_back_was_no_use(site):
    big, small = make_item(), make_item()
    for item in (big, small):
        put_on_hand(item, site, "100", value="1000.00")
    taken = issue(big, site, "90")
    issue(small, site, "10")

    reverse_posting(key=uuid4(), posting=taken, actor=None)

    assert (item_groups()[big.pk], item_groups()[small.pk]) == ("C", "A")


def test_use_of_unknown_cost_counts_at_the_planned_cost(site):
    item, other = make_item(standard_cost=Decimal(10)), make_item()
    put_on_hand(item, site, "100")
    put_on_hand(other, site, "100", value="100.00")
    issue(item, site, "90")
    issue(other, site, "1")

    assert (item_groups()[item.pk], item_groups()[other.pk]) == ("A", "C")


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

    assert queries() == one == 5
