"""Rehearsed disasters: through the import that people use and the tasks that the workers run, up to what the shop shows."""

from decimal import Decimal

import pytest
from django.utils import timezone

from channels_sync import tasks
from channels_sync.models import Hold, HoldState, PublishRun
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.deciding import approve_run, refuse_run
from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from inventory.models import ExceptionCase, StockChange, SupplierItem, SupplierStock
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_item, make_location, make_supplier, put_on_hand

pytestmark = pytest.mark.django_db
COUNT = 30


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


@pytest.fixture
def work(monkeypatch):
    """Let the workers do all there is: the tasks themselves, one after the other, as messages arrive."""
    waiting = []
    monkeypatch.setattr(tasks, "send_message", lambda task, **arguments: waiting.append((task, arguments)))

    def until_done():
        tasks.sweep_publishing.apply(throw=True)
        done = 0
        while waiting:
            task, arguments = waiting.pop(0)
            task.apply(kwargs=arguments, throw=True)
            done += 1
            assert done < 200

    return until_done


@pytest.fixture
def site():
    return make_location(code="SITE")


def make_shelf(shop, site, work, quantity="10"):
    """COUNT listings that show `quantity`, settled an hour ago."""
    channel = make_channel()
    listings = [
        make_listing(channel=channel, shop=shop, item=make_item(sku=f"SKU-{n:02}", is_sellable=True))
        for n in range(COUNT)
    ]
    for listing in listings:
        put_on_hand(listing.item, site, quantity)
    settle(work)
    assert {shop.shows(listing) for listing in listings} == {int(quantity)}
    return channel, listings


def settle(work):
    work()
    PublishRun.objects.update(recorded_at="2020-01-01T00:00:00Z")


def import_file(kind, text, *, mode=Mode.ALL, **options):
    return run_import(
        kind=kind_named(kind), content=text.encode(), file_name="list.csv", actor=None, mode=mode,
        options=ImportOptions(**options),
    )  # fmt: skip


def open_holds():
    return Hold.objects.filter(state=HoldState.OPEN).count()


def test_a_tenfold_typo_in_an_import_waits(shop, site, work):
    _, listings = make_shelf(shop, site, work)

    report = import_file("adjustments", "Item;Location;Qty;Reason\nSKU-00;SITE;990;stock list\n")
    work()

    assert report.is_applied
    assert shop.shows(listings[0]) == 10
    assert open_holds() == 1


def test_a_tenfold_typo_in_an_import_waits_also_where_nothing_was_shown(shop, site, work):
    listing = make_listing(channel=make_channel(), shop=shop, item=make_item(sku="SKU-00", is_sellable=True))
    settle(work)
    assert shop.shows(listing) == 0

    report = import_file("adjustments", "Item;Location;Qty;Reason\nSKU-00;SITE;12000;stock list\n")
    work()

    assert report.is_applied, report.problems
    assert shop.shows(listing) == 0
    assert Hold.objects.get(state=HoldState.OPEN).after == 12000


def test_somebody_refuses_the_zeroing_and_nothing_falls(shop, site, work):
    """A wrong file empties the location; sales of what is still there, the sweep and the hourly look go on meanwhile."""
    _, listings = make_shelf(shop, site, work)
    rows = "".join(f"SKU-{n:02};SITE;-10;wrong file\n" for n in range(COUNT))
    import_file("adjustments", f"Item;Location;Qty;Reason\n{rows}")
    work()

    refuse_run(run=PublishRun.objects.filter(listings_held=COUNT).get(), actor=None, reason="wrong file")
    for n in range(COUNT):
        import_file("adjustments", f"Item;Location;Qty;Reason\nSKU-{n:02};SITE;{1 + n % 2};found again\n")
        settle(work)
    tasks.recompute_everything.apply(throw=True)
    work()

    assert {shop.shows(listing) for listing in listings} == {10}
    assert open_holds() == 0
    case = ExceptionCase.objects.open().get(kind="kept_figures")
    assert case.evidence == {"listings": COUNT}


def test_an_import_that_empties_a_location_waits_beyond_ten(shop, site, work):
    _, listings = make_shelf(shop, site, work)
    rows = "".join(f"SKU-{n:02};SITE;-10;wrong file\n" for n in range(COUNT))

    report = import_file("adjustments", f"Item;Location;Qty;Reason\n{rows}")
    work()

    assert report.is_applied
    assert {shop.shows(listing) for listing in listings} == {10}
    assert open_holds() == COUNT


def test_a_rule_that_zeroes_a_channel_waits(shop, site, work):
    channel, listings = make_shelf(shop, site, work)

    set_policy(channel=channel, maximum_to_list=Decimal(0), actor=None)
    work()

    assert {shop.shows(listing) for listing in listings} == {10}
    assert open_holds() == COUNT


def test_an_imported_rule_that_zeroes_a_channel_waits(shop, site, work):
    channel, listings = make_shelf(shop, site, work)

    report = import_file("policies", f"Channel;Percent\n{channel.code};0\n")
    work()

    assert report.is_applied, report.problems
    assert {shop.shows(listing) for listing in listings} == {10}
    assert open_holds() == COUNT


# --- suppliers' figures ---


def make_supplied(shop, work, site):
    """Listings of what a supplier has ten of each; nothing is in our own stock."""
    channel, supplier = make_channel(), make_supplier(code="ACME")
    set_policy(supplier_percent=Decimal(100), actor=None)
    listings = []
    for n in range(COUNT):
        item = make_item(sku=f"SKU-{n:02}", is_sellable=True)
        SupplierItem.objects.create(supplier=supplier, item=item)
        listings.append(make_listing(channel=channel, shop=shop, item=item))
    report = import_file("supplier_stock", list_of(range(COUNT)))
    assert report.is_applied, report.problems
    first_figures_flow(work)
    assert {shop.shows(listing) for listing in listings} == {10}
    return listings


def first_figures_flow(work):
    """What a shop shows first waits after an import, and somebody lets it go."""
    work()
    for run in PublishRun.objects.filter(listings_held__gt=0):
        approve_run(run=run, actor=None, typed=str(run.listings_held))
    settle(work)


def list_of(numbers, quantity="10"):
    return "Supplier;Item;Quantity\n" + "".join(f"ACME;SKU-{n:02};{quantity}\n" for n in numbers)


def figures():
    return dict(SupplierStock.objects.values_list("supplier_item__item__sku", "quantity"))


def test_new_figures_of_a_supplier_reach_the_shop_at_once(shop, site, work):
    listings = make_supplied(shop, work, site)

    import_file("supplier_stock", "Supplier;Item;Quantity\nACME;SKU-00;4\n")
    change = StockChange.objects.get()
    work()

    assert (change.cause, change.items) == ("import supplier_stock", [listings[0].item.pk])
    assert [shop.shows(listing) for listing in listings[:2]] == [4, 10]


def test_the_same_file_again_is_no_news(shop, site, work):
    make_supplied(shop, work, site)

    report = import_file("supplier_stock", list_of(range(COUNT)))

    assert report.is_applied
    assert not StockChange.objects.exists()


def test_a_file_that_was_cut_off_lowers_nothing_it_does_not_name(shop, site, work):
    listings = make_supplied(shop, work, site)

    report = import_file("supplier_stock", list_of(range(3), quantity="9"))
    work()

    assert report.is_applied
    assert [shop.shows(listing) for listing in listings] == [9] * 3 + [10] * (COUNT - 3)


def test_a_complete_file_that_was_cut_off_is_refused_whole(shop, site, work):
    listings = make_supplied(shop, work, site)
    before = figures()

    report = import_file("supplier_stock", list_of(range(3)), is_complete=True)
    clean = import_file("supplier_stock", list_of(range(3), quantity="9"), mode=Mode.CLEAN, is_complete=True)
    work()

    assert not report.is_applied
    assert report.problems[0].message == (
        "ACME had something of 30 items and the file names 3 of them, not SKU-03, SKU-04, SKU-05 and 24 more. It looks cut off. "
        "Fetch it again; if all that is really gone, name each with 0."
    )
    assert clean.is_applied, "the rows that are in order, which are none"
    assert figures() == before
    assert {shop.shows(listing) for listing in listings} == {10}


def test_a_file_cut_in_the_middle_of_a_row_is_refused(shop, site, work):
    make_supplied(shop, work, site)
    before = figures()

    report = import_file("supplier_stock", list_of(range(4), quantity="9")[: -len(";9\n")])

    assert not report.is_applied
    assert figures() == before


def test_a_complete_file_sets_what_it_leaves_out_to_nothing(shop, site, work):
    listings = make_supplied(shop, work, site)

    report = import_file("supplier_stock", list_of(range(COUNT - 4)), is_complete=True)
    work()

    assert report.is_applied
    assert [shop.shows(listing) for listing in listings] == [10] * (COUNT - 4) + [0] * 4


def test_a_supplier_who_has_nothing_any_more_waits_at_the_guard(shop, site, work):
    """Named one by one with 0 it is believed, but the shop is not emptied without a second look."""
    listings = make_supplied(shop, work, site)

    report = import_file("supplier_stock", list_of(range(COUNT), quantity="0"), is_complete=True)
    work()

    assert report.is_applied
    assert {shop.shows(listing) for listing in listings} == {10}
    assert open_holds() == COUNT
    assert SupplierStock.objects.filter(confirmed_at__date=timezone.localdate(), quantity=0).count() == COUNT
