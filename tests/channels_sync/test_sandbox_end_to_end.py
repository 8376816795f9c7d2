"""From a receipt to the figure a shopper sees, through the real adapter and a running training shop."""

from decimal import Decimal
from uuid import uuid4

import httpx
import pytest
from django.core.management import call_command

from channels_sync.credentials import Secrets, encrypt
from channels_sync.models import PublicationState
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.confirming import confirm_sent
from channels_sync.operations.offering import channel_locations
from channels_sync.operations.publishing import publish_due
from channels_sync.sandbox.process import SandboxProcess
from inventory.operations.issuing import issue_stock
from tests.channels_sync.conftest import broken
from tests.channels_sync.factories import line_of, make_channel, make_listing, push_of, time_passes
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db

MAIN_WAREHOUSE = "gid://shopify/Location/1001"


@pytest.fixture(scope="module")
def running_shop(tmp_path_factory):
    with SandboxProcess(data=tmp_path_factory.mktemp("shop")) as process:
        yield process


@pytest.fixture
def control(running_shop):
    with running_shop.control() as control:
        control.clear_faults()
        control.reset()
        yield control


@pytest.fixture
def channel(running_shop):
    return make_channel(
        base_url=running_shop.url,
        credentials=encrypt(Secrets(access_token=running_shop.token)),
        external_location_id=MAIN_WAREHOUSE,
    )


def make_offer(channel, control, *, sku, quantity, shows=0, pack="1"):
    control.put_products([{"sku": sku, "title": sku.title(), "price": "9.00", "available": shows}])
    listing = make_listing(channel=channel, item=make_item(sku=sku, is_sellable=True), pack_size=Decimal(pack))
    put_on_hand(listing.item, make_location(), quantity)
    return listing


def take_away(item, location, quantity):
    issue_stock(key=uuid4(), item=item, location=location, quantity=Decimal(quantity), actor=None)


def sync(channel):
    """What the workers do, until nothing is left to do."""
    for _ in range(5):
        time_passes()
        while absorb_changes():
            pass
        publish_due(channel_id=channel.pk)
        confirm_sent(channel_id=channel.pk)


def test_a_receipt_arrives_in_the_shop_and_is_confirmed(channel, control):
    listing = make_offer(channel, control, sku="CANDLE", quantity="16", shows=3, pack="6")

    call_command("sync_channels")

    line = line_of(listing)
    assert control.available(sku="CANDLE") == 2
    assert (line.state, push_of(listing).confirmed_version) == (PublicationState.CONFIRMED, 1)
    listing.refresh_from_db()
    assert listing.external_item_id.startswith("gid://shopify/InventoryItem/")
    assert broken() == []


def test_the_locations_of_the_shop_can_be_chosen_from(channel, control):
    assert MAIN_WAREHOUSE in {place.external_id for place in channel_locations(channel=channel)}


def test_many_listings_go_out_in_one_call(channel, control):
    listings = [make_offer(channel, control, sku=f"SKU-{n}", quantity=str(n + 1)) for n in range(30)]

    sync(channel)

    assert [control.available(sku=listing.external_sku) for listing in listings] == list(range(1, 31))


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "throttle", "count": 6},
        {"kind": "too_many_requests", "count": 6},
        {"kind": "server_error", "count": 2},
        {"kind": "drop_connection", "count": 2},
        {"kind": "drop_after_apply", "count": 1},
        {"kind": "duplicate_request", "count": 3},
        {"kind": "reject_rows", "skus": ["SOAP"], "count": 1},
    ],
    ids=lambda fault: fault["kind"],
)
def test_the_shop_ends_at_the_right_figure_after_trouble(channel, control, fault):
    listings = [make_offer(channel, control, sku=sku, quantity="10", shows=1) for sku in ("SOAP", "BALM")]
    control.add_fault(fault.pop("kind"), **fault)

    sync(channel)
    sync(channel)

    assert [control.available(sku=listing.external_sku) for listing in listings] == [10, 10]
    assert {line_of(listing).state for listing in listings} == {PublicationState.CONFIRMED}
    assert broken() == []


def test_a_sale_in_the_shop_is_noticed_before_the_next_figure_is_set(channel, control):
    listing = make_offer(channel, control, sku="SOAP", quantity="10")
    sync(channel)
    control.sell(sku="SOAP", quantity=4)
    put_on_hand(listing.item, make_location(), "5")
    absorb_changes()

    result = publish_due(channel_id=channel.pk)

    assert (result.stale, result.accepted) == (1, 1)
    assert control.available(sku="SOAP") == 15


class SlowNetwork:
    """Keeps the next change of quantities and says that nobody answered; it is delivered when somebody asks for it."""

    def __init__(self, monkeypatch):
        self.kept = []
        self.keeps_next = False
        self.real = httpx.Client.post
        network = self

        def post(client, path, **request):
            if network.keeps_next and "SetQuantities" in request.get("json", {}).get("query", ""):
                network.keeps_next = False
                network.kept.append((str(client.base_url), path, request))
                raise httpx.ReadTimeout("silence")
            return network.real(client, path, **request)

        monkeypatch.setattr(httpx.Client, "post", post)

    def deliver(self):
        base_url, path, request = self.kept.pop()
        with httpx.Client(base_url=base_url, trust_env=False) as client:
            return self.real(client, path, **request).json()["data"]["inventorySetQuantities"]["userErrors"]


def test_a_request_that_the_network_delivers_after_newer_figures_changes_nothing(channel, control, monkeypatch):
    """Two newer figures bring the shop back to what the late request expects: only its key keeps it out."""
    listing = make_offer(channel, control, sku="SOAP", quantity="10")
    site = make_location()
    sync(channel)
    network = SlowNetwork(monkeypatch)
    network.keeps_next = True
    put_on_hand(listing.item, site, "2")
    absorb_changes()
    publish_due(channel_id=channel.pk)
    shown = []
    for change, quantity in ((put_on_hand, "2"), (take_away, "4")):
        time_passes()
        change(listing.item, site, quantity)
        absorb_changes()
        publish_due(channel_id=channel.pk)
        shown.append(control.available(sku="SOAP"))

    (error,) = network.deliver()

    assert (shown, error["code"]) == ([14, 10], "IDEMPOTENCY_KEY_PARAMETER_MISMATCH")
    assert (control.available(sku="SOAP"), push_of(listing).call_key) == (10, None)
    assert broken() == []
