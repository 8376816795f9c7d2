"""Whatever way master data is changed, the history names the person: pages of the admin, REST API, imports, operations."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from channels_sync.models import AllocationPolicy, Channel, Listing
from inventory.models import Item, ItemCategory, ItemUnit, Location, Lot
from production.models import Bom, BomLine
from tests.api.client import ApiClient
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_item, make_location, make_unit

pytestmark = pytest.mark.django_db

TRACKED = [model for model in apps.get_models() if hasattr(model._meta, "simple_history_manager_attribute")]


@pytest.fixture
def changed_by(administrator):
    """Runs something and returns who stands in every history row it left: {model name: {user id}}."""
    seen = {model: set(model.history.values_list("history_id", flat=True)) for model in TRACKED}

    def people(*models):
        found = {}
        for model in TRACKED:
            rows = model.history.exclude(history_id__in=seen[model])
            if rows.exists():
                found[model.__name__] = set(rows.values_list("history_user", flat=True))
            seen[model] |= set(rows.values_list("history_id", flat=True))
        assert set(found) == {model.__name__ for model in models}
        return set().union(*found.values())

    return people


@pytest.fixture
def api(administrator):
    return ApiClient(administrator)


@pytest.fixture
def browser(administrator):
    client = Client()
    client.force_login(administrator)
    return client


def ok(answer, *codes):
    assert answer.status_code in (codes or (200, 201, 204)), answer.content
    return answer


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("items/", {"sku": "WAX", "name": "Wax"}, Item),
        ("categories/", {"name": "Wax"}, ItemCategory),
        ("locations/", {"code": "EAST", "name": "East"}, Location),
    ],
)
def test_the_api_names_the_person_who_made_and_who_changed(api, administrator, changed_by, path, body, model):
    made = ok(api.post(path, body)).json()
    ok(api.patch(f"{path}{made['id']}/", {"name": "Other"}))

    assert changed_by(model) == {administrator.pk}
    assert model.history.filter(id=made["id"]).count() == 2


def test_the_api_names_the_person_for_units_listings_rules_channels_and_boms(api, administrator, changed_by):
    wax, candle = make_item(sku="WAX"), make_item(sku="CANDLE", is_sellable=True)
    make_channel(code="shop")
    changed_by(Item, Channel)

    unit = ok(api.post("item-units/", {"item": "WAX", "name": "box", "numerator": "12"})).json()
    ok(api.patch(f"item-units/{unit['id']}/", {"barcode": "0042"}))
    ok(api.delete(f"item-units/{unit['id']}/"))
    assert changed_by(ItemUnit) == {administrator.pk}

    listing = ok(api.post("listings/", {"channel": "shop", "item": "CANDLE", "external_sku": "C"})).json()
    ok(api.patch(f"listings/{listing['id']}/", {"title": "Candle"}))
    ok(api.post("policies/", {"channel": "shop", "percent": "50"}))
    ok(api.post("policies/", {"channel": "shop", "percent": "40"}))
    ok(api.post(f"channels/{Channel.objects.get().pk}/pause/", {}))
    assert changed_by(Listing, AllocationPolicy, Channel) == {administrator.pk}

    bom = ok(api.post("boms/", {"item": "CANDLE", "lines": [{"component": "WAX", "quantity": "2"}]})).json()
    ok(api.put(f"boms/{bom['id']}/lines/", {"lines": [{"component": "WAX", "quantity": "3"}]}))
    ok(api.post(f"boms/{bom['id']}/activate/", {}))
    assert changed_by(Bom, BomLine) == {administrator.pk}
    assert (wax.pk, candle.pk) == tuple(Item.objects.order_by("pk").values_list("pk", flat=True))


def test_the_admin_names_the_person(browser, administrator, changed_by):
    inline = {"units-TOTAL_FORMS": "1", "units-INITIAL_FORMS": "0", "units-0-name": "box", "units-0-numerator": "12",
              "units-0-denominator": "1"}  # fmt: skip
    item = {"sku": "WAX", "name": "Wax", "kind": "material", "stock_unit": "pcs", "step": "1", "tracking": "lot",
            "supply_policy": "stock", "over_completion_percent": "0", "cost_method": "average", "compliance_tags": "[]",
            "is_active": "on"}  # fmt: skip
    ok(browser.post(reverse("admin:inventory_item_add"), {**item, **inline}), 302)
    ok(browser.post(reverse("admin:inventory_itemcategory_add"), {"name": "Wax"}), 302)
    ok(
        browser.post(
            reverse("admin:inventory_location_add"), {"code": "E", "name": "E", "kind": "own", "is_active": "on"}
        ),
        302,
    )
    wax = Item.objects.get()
    ok(
        browser.post(reverse("admin:inventory_lot_add"), {"item": wax.pk, "code": "L", "received_on": "2026-01-02"}),
        302,
    )

    assert changed_by(Item, ItemUnit, ItemCategory, Location, Lot) == {administrator.pk}


def test_the_pages_of_rules_and_channels_name_the_person(browser, administrator, changed_by):
    channel = make_channel(code="shop")
    listing = make_listing(channel=channel, item=make_item(sku="CANDLE", is_sellable=True))
    changed_by(Item, Channel, Listing)

    ok(browser.post("/channels/policies/edit/", {"channel": channel.pk, "percent": "50"}), 302)
    ok(
        browser.post(
            "/channels/policies/edit/", {"channel": channel.pk, "listing_sku": listing.external_sku, "percent": "40"}
        ),
        302,
    )
    ok(browser.post(f"/channels/{channel.code}/pause/"), 302)

    assert changed_by(AllocationPolicy, Channel) == {administrator.pk}


def test_a_command_names_the_person_it_is_told(administrator, changed_by, tmp_path):
    files = {
        "items": "SKU,Name,Category,Pack,Pack quantity\nWAX,Wax,Wax/Soy,box,12\n",
        "boms": "Parent,Component,Quantity\nCANDLE,WAX,2\n",
        "locations": "Code,Inside\nBIN,EAST\nEAST,\n",
    }
    for kind, text in files.items():
        (tmp_path / f"{kind}.csv").write_text(text)
        call_command("import_table", kind, str(tmp_path / f"{kind}.csv"), "--user", administrator.username, verbosity=0)

    assert changed_by(Item, ItemCategory, ItemUnit, Bom, BomLine, Location) == {administrator.pk}


def test_moving_a_location_by_a_file_and_a_pack_by_the_table_of_items_name_the_person(
    administrator, changed_by, tmp_path
):
    site = make_location(code="EAST")
    make_location(code="BIN")
    make_unit(item=make_item(sku="WAX"), name="box", numerator="6")
    changed_by(Location, ItemUnit, Item)
    (tmp_path / "places.csv").write_text("Code,Inside\nBIN,EAST\n")
    (tmp_path / "items.csv").write_text("SKU,Pack,Pack quantity\nWAX,box,12\n")

    for kind, name in (("locations", "places"), ("items", "items")):
        call_command("import_table", kind, str(tmp_path / f"{name}.csv"), "--user", administrator.username, verbosity=0)

    assert changed_by(Location, ItemUnit) == {administrator.pk}
    assert Location.objects.get(code="BIN").parent == site
