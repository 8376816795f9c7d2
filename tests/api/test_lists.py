"""Lists: pages that neither repeat nor skip, filters, and a cost that does not grow with the rows."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_sync.models import (
    AllocationPolicy,
    Campaign,
    Channel,
    ChannelDemand,
    Difference,
    Freeze,
    Hold,
    Listing,
    PublishRun,
    SendingWindow,
    WideChange,
)
from channels_sync.operations.simulating import ask_simulation
from inventory.models import ItemCategory, ItemKind, ItemUnit, PeriodClose, SupplierItem, SupplierStock
from inventory.operations.counting import open_count_sheet
from inventory.operations.landing_costs import add_landed_cost
from inventory.operations.reserving import reserve_stock
from inventory.operations.transit import DispatchLine, dispatch_transfer
from production.operations.demands import make_for_demand
from production.operations.disassembling import disassemble
from production.operations.work_orders import open_work_order
from tests.channels_sync.simulation.selling import question
from tests.factories import make_item, make_location, make_order, make_supplier, make_unit, put_on_hand
from tests.production.factories import complete, make_bom, open_rework_of, quarantined

pytestmark = pytest.mark.django_db


def pages(caller, path, **query):
    """The ids on each page, following `next`."""
    answer = caller.get(path, **query).json()
    found = [[row["id"] for row in answer["results"]]]
    while answer["next"]:
        answer = caller.follow(answer["next"]).json()
        found.append([row["id"] for row in answer["results"]])
    return found, answer


def test_pages_follow_each_other_forwards_and_backwards(as_viewer):
    ids = [make_item().pk for _ in range(7)]

    found, last = pages(as_viewer, "items/", page_size=3)

    assert found == [ids[0:3], ids[3:6], ids[6:7]]
    middle = as_viewer.follow(last["previous"]).json()
    assert [row["id"] for row in middle["results"]] == ids[3:6]
    first = as_viewer.follow(middle["previous"]).json()
    assert [row["id"] for row in first["results"]] == ids[0:3]
    assert first["previous"] is None
    assert first["next"] is not None


def test_rows_that_come_meanwhile_are_neither_repeated_nor_make_others_skipped(as_viewer):
    place = make_location()
    item = make_item()
    for _ in range(4):
        put_on_hand(item, place, "1")
    first = as_viewer.get("movements/", page_size=2).json()
    put_on_hand(item, place, "1")

    second = as_viewer.follow(first["next"]).json()

    ids = [row["id"] for row in (*first["results"], *second["results"])]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) == 4
    assert second["next"] is None


def test_empty_list_has_no_neighbours(as_viewer):
    assert as_viewer.get("items/").json() == {"next": None, "previous": None, "results": []}


def test_filters_narrow_and_stay_in_the_links(as_viewer):
    for kind in (ItemKind.PRODUCT, ItemKind.MATERIAL, ItemKind.PRODUCT, ItemKind.PHANTOM):
        make_item(kind=kind)

    answer = as_viewer.get("items/", kind="product", page_size=1).json()

    assert "kind=product" in answer["next"]
    assert [row["kind"] for row in as_viewer.follow(answer["next"]).json()["results"]] == ["product"]
    assert len(as_viewer.get("items/", kind=["product", "phantom"]).json()["results"]) == 3


def test_search_finds_by_part_of_the_name_and_by_barcode(as_viewer):
    wick = make_item(sku="WICK-8", name="Cotton wick", barcode="4006381333931")
    make_item(sku="WAX", name="Beeswax")

    assert [row["id"] for row in as_viewer.get("items/", search="otton").json()["results"]] == [wick.pk]
    assert [row["id"] for row in as_viewer.get("items/", search="4006381333931").json()["results"]] == [wick.pk]
    assert as_viewer.get("items/", search="%").json()["results"] == []


def test_stock_list_leaves_out_empty_cells_unless_asked(as_administrator):
    item, place, other = make_item(sku="A"), make_location(code="L"), make_location(code="M")
    put_on_hand(item, place, "2")
    as_administrator.post("transfers/", {"item": "A", "source": "L", "target": "M", "quantity": "2"})

    assert [row["location"] for row in as_administrator.get("stock/").json()["results"]] == ["M"]
    assert len(as_administrator.get("stock/", with_empty="true").json()["results"]) == 2
    assert len(as_administrator.get("stock/", within=other.pk).json()["results"]) == 1


def one_more(number):
    """One more row in every list."""
    site = make_location()
    place = make_location(parent=site)
    part, product = make_item(), make_item(kind=ItemKind.PRODUCT, reorder_point=1000)
    make_unit(item=part, name="box", numerator="10")
    ItemCategory.objects.create(name=f"Category {number}")
    make_bom(item=product, lines=[(part, "1")])
    put_on_hand(part, place, "100", value="10.00")
    made = complete(product, "2", into=place).completion
    disassemble(key=uuid4(), completion=made, quantity=part.step, location=place, actor=None)
    reserve_stock(
        item=part, location=place, quantity=part.step, demand_kind="order", demand_ref="1", actor=None, pinned=True
    )
    open_rework_of(part, quarantined(part, place, "1", lot="", value="1"), place, "1", components=[(product, "1")])
    open_work_order(item=product, planned=part.step, output_location=place, source_location=place, actor=None)
    make_for_demand(
        demand_kind="order",
        demand_ref=f"SO-{product.pk}",
        item=product,
        quantity=part.step,
        location=place,
        mode="always",
        actor=None,
    )
    supplier = make_supplier()
    sold = SupplierItem.objects.create(supplier=supplier, item=part)
    SupplierStock.objects.create(supplier_item=sold, quantity=1, confirmed_at="2020-01-01T00:00:00Z")
    make_order([(part, "5", None)], supplier=supplier, location=place)
    received = part.movements.filter(posting__kind="receipt").first()
    add_landed_cost(key=uuid4(), targets=[received], amount=part.step, actor=None, supplier=supplier)
    channel = Channel.objects.create(code=f"shop-{number}", name="Shop", base_url="https://shop.example")
    channel.source_locations.add(site)
    listing = Listing.objects.create(channel=channel, item=product, external_sku="X")
    wide = WideChange.objects.create(cause="policy", parts=1)
    run = PublishRun.objects.create(channel=channel, cause="receipt", wide=wide)
    Hold.objects.create(run=run, listing=listing, after=9, derivation={}, recorded_at=timezone.now())
    Freeze.objects.create(item=product, reason="recalled")
    seen = {"first_seen_at": timezone.now(), "last_seen_at": timezone.now()}
    Difference.objects.create(listing=listing, channel=channel, version=1, ours=9, theirs=4, cause="sold", **seen)
    ChannelDemand.objects.create(channel=channel, item=product, day="2020-01-01", quantity=1)
    ask_simulation(key=uuid4(), question=question(), actor=None)
    SendingWindow.objects.create(channel=channel, starts_at="22:00", ends_at="06:00")
    line = DispatchLine(part, part.step)
    dispatch_transfer(key=uuid4(), source=place, target=make_location(), lines=[line], actor=None)
    open_count_sheet(location=site, actor=None)
    AllocationPolicy.objects.create(channel=channel, item=product, effective_from="2020-01-01T00:00:00Z")
    campaign = Campaign.objects.create(name="Market", starts_at="2020-01-01T00:00:00Z", ends_at="2020-01-02T00:00:00Z")
    AllocationPolicy.objects.create(
        campaign=campaign, channel=channel, effective_from="2020-01-01T00:00:00Z", effective_to="2020-01-02T00:00:00Z"
    )
    long_ago = timezone.now() - timedelta(days=2000 + number)
    PeriodClose.objects.create(through=long_ago, ends_at=long_ago, closed_at=long_ago, reopened_at=timezone.now())


LISTS = [
    "items/",
    "item-units/",
    "categories/",
    "locations/",
    "lots/",
    "stock/",
    "stock-board/",
    "movements/",
    "postings/",
    "valuation/",
    "stock-as-of/",
    "periods/",
    "reservations/",
    "stock-transfers/",
    "suppliers/",
    "supplier-items/",
    "supplier-stock/",
    "purchase-orders/",
    "landed-costs/",
    "boms/",
    "buildable/",
    "learned-usage/",
    "completions/",
    "disassemblies/",
    "rework-orders/",
    "work-orders/",
    "replenishment/",
    "demands/",
    "channels/",
    "listings/",
    "publications/",
    "policies/",
    "campaigns/",
    "publish-runs/",
    "large-changes/",
    "holds/",
    "freezes/",
    "differences/",
    "drift-settings/",
    "guard-settings/",
    "buffer-advice/",
    "channel-demand/",
    "simulations/",
    "publishing/",
    "sending-windows/",
    "count-sheets/",
]


def test_lists_cost_the_same_with_few_and_with_20_times_the_rows(as_administrator):
    one_more(0)
    few = {path: statements(as_administrator, path) for path in LISTS}
    for number in range(1, 20):
        one_more(number)

    many = {path: statements(as_administrator, path) for path in LISTS}

    assert {path: count for path, (count, _) in few.items()} == {path: count for path, (count, _) in many.items()}
    assert all(rows >= 20 for path, (_, rows) in many.items() if path != "publications/")
    assert ItemUnit.objects.count() == 20


def statements(caller, path):
    with CaptureQueriesContext(connection) as captured:
        rows = caller.get(path, page_size=100).json()["results"]
    return len(captured), len(rows)
