"""Every stored figure counted at each source what the ledger up to its cut-off held there, over random histories.

Receipts, promises, shipments, changes of status, expiry, transfers at once and by road, undone postings and rules about shelf
life. What should have been counted is added up here, movement by movement, by other code than the product's.
"""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_sync.allocation import Derivation
from channels_sync.models import PublicationLine
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.reads.publishing import counted_in_ledger
from inventory.errors import DomainError
from inventory.models import Location, Movement, Posting, StockStatus
from inventory.operations.expiring import expire_due_lots
from inventory.operations.reserving import reserve_stock
from inventory.operations.reversing import reverse_posting
from inventory.operations.shipping import ShipmentLine, ship_stock
from inventory.operations.transferring import change_status, transfer_stock
from inventory.operations.transit import Arrival, DispatchLine, dispatch_transfer, receive_transfer
from tests.channels_sync.factories import make_channel, make_listing
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, put_on_hand
from tests.properties.sizes import histories

HELD = (StockStatus.QC_HOLD, StockStatus.QUARANTINE, StockStatus.DAMAGED)
VERBS = ("receive", "reserve", "ship", "status", "expire", "carry", "send", "undo", "life", "look")
STEP = st.tuples(
    st.sampled_from(VERBS), st.integers(1, 5), st.integers(0, 3), st.integers(0, 3), st.sampled_from(StockStatus.values)
)


@pytest.mark.django_db
@settings(
    max_examples=histories("BACKFLUSH_COUNTED_HISTORIES", usual=15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=6, max_size=20))
def test_each_stored_figure_counted_what_the_movements_up_to_its_cutoff_sum_to(steps):
    """Fails when a figure is worked out from balances of another moment than its cut-off, or leaves out a status or a place."""
    world = _World()
    for verb, quantity, here, there, status in steps:
        try:
            getattr(world, verb)(Decimal(quantity), world.places[here], world.places[there], status)
        except DomainError:
            continue  # refused, as it should be
        finally:
            absorb_changes()
    world.check()
    assert broken_invariants() == []


class _World:
    """One item with lots at two sites, one of them with an area in it; channels that offer all, a site, an area, and both."""

    def __init__(self):
        self.item = make_item(is_sellable=True, tracking="lot")
        site, other = make_location(), make_location()
        area, inner = make_location(parent=site), make_location(parent=other)
        self.places = [site, other, area, inner]
        self.channels = {}
        for sources in ((), (site,), (area,), (area, other)):
            channel = make_channel(code=f"shop-{uuid4().hex[:8]}", sources=sources)
            make_listing(channel=channel, item=self.item)
            self.channels[channel.pk] = [one.path for one in sources or (site, other)]
        for place in self.places:
            self.receive(Decimal(9), place, place, "")
        absorb_changes()

    # --- what happens; each takes what it needs of what was drawn ---

    def receive(self, quantity, here, _there, _status):
        day = timezone.localdate() + timedelta(days=int(quantity))
        put_on_hand(self.item, here, str(quantity), lot=f"L{quantity}", expires_on=day)

    def reserve(self, quantity, here, _there, status):
        reserve_stock(
            item=self.item, location=here, quantity=quantity, demand_kind="order", demand_ref=uuid4().hex,
            pinned=status == StockStatus.AVAILABLE, actor=None,
        )  # fmt: skip

    def ship(self, quantity, here, _there, _status):
        ship_stock(key=uuid4(), lines=[ShipmentLine(self.item, here, quantity)], actor=None)

    def status(self, quantity, here, there, status):
        held = status if status in HELD else StockStatus.DAMAGED
        is_back = there == self.places[0]
        change_status(
            key=uuid4(),
            item=self.item,
            location=here,
            quantity=quantity,
            from_status=held if is_back else StockStatus.AVAILABLE,
            to_status=StockStatus.AVAILABLE if is_back else held,
            reason="looked at",
            actor=None,
        )

    def expire(self, quantity, _here, _there, _status):
        expire_due_lots(on=timezone.localdate() + timedelta(days=int(quantity)))

    def carry(self, quantity, here, there, _status):
        transfer_stock(key=uuid4(), item=self.item, source=here, target=there, quantity=quantity, actor=None)

    def send(self, quantity, here, there, _status):
        sent = dispatch_transfer(
            key=uuid4(), source=here, target=there, lines=[DispatchLine(self.item, quantity)], actor=None
        )
        absorb_changes()
        line = sent.transfer.lines.order_by("pk")[0]  # one for each lot that was picked
        receive_transfer(key=uuid4(), transfer=sent.transfer, arrivals=[Arrival(line, Decimal(1))], actor=None)

    def undo(self, quantity, _here, _there, _status):
        postings = list(Posting.objects.filter(movements__item=self.item).distinct().order_by("-pk")[: int(quantity)])
        if postings:
            reverse_posting(key=uuid4(), posting=postings[-1], reason="wrong", actor=None)

    def life(self, quantity, _here, _there, _status):
        set_policy(item=self.item, shelf_life_days=int(quantity) % 4, actor=None)

    def look(self, *_drawn):
        absorb_changes()

    # --- what must be ---

    def check(self):
        movements = list(Movement.objects.filter(item=self.item).values_list("pk", "quantity", "location__path"))
        paths = dict(Location.objects.values_list("pk", "path"))
        lines = PublicationLine.objects.filter(listing__item=self.item).select_related("listing")
        assert lines.count() >= len(self.channels)
        for line in lines:
            derivation = Derivation.from_json(line.derivation)
            cutoff = derivation.snapshot.cutoff or 0
            counted = {
                paths[one.location_id]: one.on_hand + one.expired + one.withheld for one in derivation.snapshot.sources
            }
            for path in {*counted, *self.channels[line.listing.channel_id]}:
                held = sum(quantity for pk, quantity, at in movements if pk <= cutoff and at.startswith(path))
                assert counted.get(path, 0) == held, f"{path} at {cutoff}: counted {counted}, the ledger held {held}"
            by_ledger = {paths[pk]: quantity for pk, quantity in counted_in_ledger(derivation).items() if quantity}
            assert by_ledger == {path: quantity for path, quantity in counted.items() if quantity}
