"""What is written down of items, places, lots and suppliers changes what channels show at once, not within the hour."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from inventory.importing.running import Mode, kind_named, run_import
from inventory.models import Item, ItemCategory, Location, Lot, StockChange, SupplierItem, SupplierStock
from tests.api.client import ApiClient
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.factories import lot_of, make_item, make_location, make_supplier, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def listing():
    """Ten candles in a bin of the shop's only site; its figure is worked out."""
    candle = make_item(sku="CANDLE", is_sellable=True)
    bin_ = make_location(code="BIN", parent=make_location(code="SITE"))
    put_on_hand(candle, bin_, "10")
    found = make_listing(channel=make_channel(), item=candle)
    set_policy(supplier_percent=Decimal(100), actor=None)
    absorb_all()
    assert push_of(found).wanted == 10
    return found


def absorb_all():
    while absorb_changes():
        pass


def shown(listing):
    absorb_all()
    return push_of(listing).wanted


@pytest.fixture
def api():
    return ApiClient(make_user(role="administrator"))


def bring(kind, text):
    report = run_import(kind=kind_named(kind), content=text.encode(), file_name="table.csv", actor=None, mode=Mode.ALL)
    assert report.is_applied, report.problems
    return report


def save_in_admin(instance, **changes):
    """Change fields on the object's admin screen, everything else as it stands there."""
    client = Client()
    client.force_login(make_user(superuser=True))
    meta = instance._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[instance.pk])
    page = client.get(address)
    data = {}
    forms = [page.context["adminform"].form]
    for formset in page.context["inline_admin_formsets"]:
        forms += [formset.formset.management_form, *formset.formset.forms]
    for form in forms:
        for bound in form:
            value = bound.value()
            if value is None or value is False:
                continue
            if bound.html_name.endswith(("confirmed_at", "stock_as_of")) and not isinstance(value, str):
                value = timezone.localtime(value)
                data |= {f"{bound.html_name}_0": f"{value:%Y-%m-%d}", f"{bound.html_name}_1": f"{value:%H:%M:%S}"}
                continue
            data[bound.html_name] = value
    for name, value in changes.items():
        data.pop(name, None)
        if value is not False:
            data[name] = value
    answer = client.post(address, data)
    assert answer.status_code == 302, [form.errors for form in [answer.context["adminform"].form]]


def test_an_item_that_may_not_be_sold_any_more_goes_to_zero_over_rest(listing, api):
    assert api.patch(f"items/{listing.item_id}/", {"is_sellable": False}).status_code == 200

    assert shown(listing) == 0


def test_an_item_that_may_not_be_sold_any_more_goes_to_zero_in_the_admin(listing):
    save_in_admin(listing.item, is_sellable=False)

    assert shown(listing) == 0


def test_an_item_that_may_not_be_sold_any_more_goes_to_zero_by_import(listing):
    bring("items", "SKU,Sellable\nCANDLE,no\n")

    assert shown(listing) == 0


def test_another_category_brings_other_rules(listing, api):
    half = ItemCategory.objects.create(name="Half")
    set_policy(category=half, percent=Decimal(50), actor=None)
    absorb_all()

    bring("items", "SKU,Category\nCANDLE,Half\n")

    assert shown(listing) == 5


def test_a_category_that_moves_brings_other_rules_to_all_below_it(listing, api):
    half, candles = ItemCategory.objects.create(name="Half"), ItemCategory.objects.create(name="Candles")
    Item.objects.filter(pk=listing.item_id).update(category=candles)
    set_policy(category=half, percent=Decimal(50), actor=None)
    assert shown(listing) == 10

    assert api.patch(f"categories/{candles.pk}/", {"parent_id": half.pk}).status_code == 200

    assert shown(listing) == 5


@pytest.mark.parametrize("code", ["BIN", "SITE"])
def test_a_place_that_is_not_sold_from_any_more_is_not_offered(listing, api, code):
    """Also where it is the site around the bin."""
    place = Location.objects.get(code=code)

    assert api.patch(f"locations/{place.pk}/", {"is_sellable": False}).status_code == 200

    assert StockChange.objects.filter(items=[listing.item_id], cause="place").exists()
    assert code == "SITE" or shown(listing) == 0


def test_a_place_that_is_not_sold_from_any_more_is_not_offered_after_the_admin(listing):
    save_in_admin(Location.objects.get(code="BIN"), is_sellable=False)

    assert shown(listing) == 0


def test_a_place_that_is_not_sold_from_any_more_is_not_offered_after_an_import(listing):
    bring("locations", "Code,Sellable\nBIN,no\n")

    assert shown(listing) == 0


def test_another_name_of_a_place_is_no_news(listing, api):
    assert api.patch(f"locations/{Location.objects.get(code='BIN').pk}/", {"name": "Shelf"}).status_code == 200

    assert not StockChange.objects.exists()


def test_a_lot_whose_expiry_is_corrected_is_not_offered_any_more():
    cream = make_item(sku="CREAM", is_sellable=True, tracking="lot")
    put_on_hand(cream, make_location(), "10", lot="L1", expires_on=timezone.localdate() + timedelta(days=90))
    listing = make_listing(channel=make_channel(), item=cream)
    assert shown(listing) == 10
    past = timezone.localdate() - timedelta(days=1)

    bring("lots", f"Item,Lot,Expires\nCREAM,L1,{past}\n")

    assert shown(listing) == 0
    save_in_admin(Lot.objects.get(pk=lot_of(cream, "L1").pk), expires_on=f"{past + timedelta(days=30)}")
    assert shown(listing) == 10


@pytest.fixture
def supplied(listing):
    row = SupplierItem.objects.create(supplier=make_supplier(code="WAXCO"), item=listing.item)
    SupplierStock.objects.create(supplier_item=row, quantity=Decimal(7), confirmed_at=timezone.now())
    bring("supplier_stock", "Supplier,SKU,Quantity\nWAXCO,CANDLE,5\n")
    assert shown(listing) == 15
    return row


@pytest.mark.parametrize("way", ["rest", "admin", "import"])
def test_what_an_inactive_supplier_has_is_not_offered(listing, supplied, api, way):
    if way == "rest":
        assert api.patch(f"suppliers/{supplied.supplier_id}/", {"is_active": False}).status_code == 200
    elif way == "admin":
        save_in_admin(supplied.supplier, is_active=False)
    else:
        bring("suppliers", "Code,Active\nWAXCO,no\n")

    assert shown(listing) == 10


def test_what_a_supplier_had_of_an_item_it_does_not_sell_any_more_is_not_offered(listing, supplied, api):
    assert api.delete(f"supplier-items/{supplied.pk}/").status_code == 204

    assert shown(listing) == 10


def test_a_supplier_figure_of_a_day_to_come_is_refused_everywhere(listing, supplied, api):
    """It would never age: dated a year ahead it counts for a year."""
    ahead = timezone.now() + timedelta(days=365)

    answer = api.post(
        "supplier-stock/",
        {"supplier": "WAXCO", "item": "CANDLE", "quantity": "900", "confirmed_at": ahead.isoformat()},
    )
    text = f"Supplier,SKU,Quantity,Confirmed on\nWAXCO,CANDLE,900,{ahead:%Y-%m-%d}\n"
    report = run_import(
        kind=kind_named("supplier_stock"), content=text.encode(), file_name="t.csv", actor=None, mode=Mode.ALL
    )
    stock = SupplierStock.objects.get()
    client = Client()
    client.force_login(make_user(superuser=True))
    page = client.post(
        reverse("admin:inventory_supplierstock_change", args=[stock.pk]),
        {
            "supplier_item": supplied.pk,
            "quantity": "900",
            "confirmed_at_0": f"{ahead:%Y-%m-%d}",
            "confirmed_at_1": "12:00:00",
        },
    )

    assert (answer.status_code, "lies in the future" in answer.content.decode()) == (400, True)
    assert "has not come yet" in str(report.problems[0])
    assert "lies in the future" in page.content.decode()
    assert shown(listing) == 15


def test_a_figure_of_today_is_taken(listing, supplied):
    bring("supplier_stock", f"Supplier,SKU,Quantity,Confirmed on\nWAXCO,CANDLE,6,{timezone.localdate()}\n")

    assert shown(listing) == 16
