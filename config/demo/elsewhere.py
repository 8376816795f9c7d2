"""Stock that lies elsewhere: with a channel, a logistics partner, suppliers; and what was sent out."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from config.demo.catalogue import FINISHED, LOGISTICS, place
from config.demo.steps import days_ago, is_done, item, key_of
from inventory.models import Location, LocationKind, Lot, SavedView, Supplier, SupplierItem, SupplierStock
from inventory.operations.issuing import issue_stock
from inventory.operations.posting import Actor
from inventory.operations.reporting import ReportedQuantity, report_external_stock
from inventory.operations.saved_views import save_view
from inventory.operations.transferring import transfer_stock

CHANNEL_STOCK = "FBA-NORTH"
_SUPPLIERS = (  # code, name, item, quantity, hours since it was said
    ("WAX-DIRECT", "Wax Direct", "WAX-SOY", "640", 5),
    ("GLASS-LINE", "Glass Line", "JAR-220", "2400", 100),
)


def ensure_elsewhere(actor: Actor) -> None:
    """Candles with a channel and a partner, both reported; suppliers' figures; two orders sent; a view for everybody."""
    _send_to_channel(actor)
    _take_reports(actor)
    _ask_suppliers()
    _send_orders(actor)
    if not SavedView.objects.filter(page="board", is_shared=True).exists() and actor is not None:
        save_view(owner=actor, page="board", name="What to order", query="flag=low&rows=items", is_shared=True)


def _send_to_channel(actor: Actor) -> None:
    if not Location.objects.filter(code=CHANNEL_STOCK).exists():
        Location.objects.create(
            code=CHANNEL_STOCK,
            name="Fulfilled by the marketplace, north",
            kind=LocationKind.CHANNEL_OWNED,
            freshness_hours=24,
        )
    if not is_done("candles-to-channel"):
        lot = Lot.objects.get(item__sku="CANDLE-LAVENDER", code="L-0242")
        transfer_stock(
            key=key_of("candles-to-channel"),
            item=lot.item,
            source=place(FINISHED),
            target=place(CHANNEL_STOCK),
            quantity=Decimal(24),
            lots=[(lot, Decimal(24))],
            actor=actor,
            effective_at=days_ago(3),
            reference="Inbound shipment",
        )


def _take_reports(actor: Actor) -> None:
    """The channel counted one candle less; the partner's report says what the book says, and is getting old."""
    candle = item("CANDLE-LAVENDER")
    if not is_done("channel-report"):
        report_external_stock(
            key=key_of("channel-report"),
            location=place(CHANNEL_STOCK),
            as_of=timezone.now() - timedelta(minutes=90),
            lines=[ReportedQuantity(candle, Decimal(23), lot_code="L-0242")],
            is_complete=True,
            actor=actor,
            reference="Daily inventory",
        )
    partner = place(LOGISTICS)
    if partner.freshness_hours is None:
        partner.freshness_hours = 48  # raises of what lies at a place that is late would wait
        partner.save()
        report_external_stock(
            key=key_of("partner-report"),
            location=partner,
            as_of=days_ago(1, hour=8),
            lines=[ReportedQuantity(candle, Decimal(60)), ReportedQuantity(item("BOX-SINGLE"), Decimal(0))],
            actor=actor,
        )


def _ask_suppliers() -> None:
    for code, name, sku, quantity, hours in _SUPPLIERS:
        supplier, _ = Supplier.objects.get_or_create(code=code, defaults={"name": name})
        offer, _ = SupplierItem.objects.get_or_create(supplier=supplier, item=item(sku))
        SupplierStock.objects.get_or_create(
            supplier_item=offer,
            defaults={
                "quantity": Decimal(quantity),
                "confirmed_at": timezone.now() - timedelta(hours=hours),
                "source": "stock list by mail",
            },
        )


def _send_orders(actor: Actor) -> None:
    for number, sku, quantity in (("1038", "CANDLE-LAVENDER", "6"), ("1039", "CANDLE-CEDAR", "4")):
        if not is_done(f"sent-{number}"):
            issue_stock(
                key=key_of(f"sent-{number}"),
                item=item(sku),
                location=place(FINISHED),
                quantity=Decimal(quantity),
                reference=f"Order {number}",
                reason="sold at the market",
                actor=actor,
                effective_at=days_ago(1),
            )
