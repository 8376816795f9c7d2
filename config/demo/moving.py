"""Goods on the move at the demo company: a shipment and what came back of it, goods sent back, lots split, goods on the road."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from config.demo.catalogue import FINISHED, LOGISTICS, SITE, STORE, place
from config.demo.steps import days_ago, is_done, item, key_of, posting_of
from inventory.models import Lot, StockStatus, StockTransfer
from inventory.operations.posting import Actor
from inventory.operations.relabelling import NewLot, change_lots
from inventory.operations.reserving import reserve_stock
from inventory.operations.returning import (
    CustomerReturnLine,
    SupplierReturnLine,
    return_from_customer,
    return_to_supplier,
)
from inventory.operations.shipping import ShipmentLine, ship_stock
from inventory.operations.transit import Arrival, DispatchLine, dispatch_transfer, receive_transfer

ORDER = ("order", "SO-2041")


def ensure_movements(actor: Actor) -> None:
    """Everything below, in the order it happened."""
    _send_long_ago(actor)
    _ship(actor)
    _take_back(actor)
    _send_back(actor)
    _split(actor)
    _send_and_receive(actor)


def _ship(actor: Actor) -> None:
    """A customer's order, of which a part is still to go."""
    if is_done("cedar-shipped"):
        return
    cedar = item("CANDLE-CEDAR")
    kind, reference = ORDER
    reserve_stock(
        item=cedar, location=place(SITE), quantity=Decimal(30), demand_kind=kind, demand_ref=reference, actor=actor
    )
    ship_stock(
        key=key_of("cedar-shipped"),
        lines=[ShipmentLine(item=cedar, location=place(FINISHED), quantity=Decimal(24))],
        demand=ORDER,
        shelf_life_days_min=30,
        reference=reference,
        actor=actor,
        effective_at=days_ago(3, hour=15),
    )


def _take_back(actor: Actor) -> None:
    if is_done("cedar-back"):
        return
    return_from_customer(
        key=key_of("cedar-back"),
        lines=[CustomerReturnLine(item=item("CANDLE-CEDAR"), location=place(FINISHED), quantity=Decimal(2))],
        shipment=posting_of("cedar-shipped"),
        reason="Damaged on the way",
        actor=actor,
        effective_at=days_ago(1, hour=14),
    )


def _send_back(actor: Actor) -> None:
    """Some of the jars of the dropped pallet; the supplier gives less than they cost."""
    if is_done("jars-sent-back"):
        return
    line = SupplierReturnLine(
        item=item("JAR-220"),
        location=place(STORE),
        quantity=Decimal(5),
        status=StockStatus.DAMAGED,
        credit=Decimal("3.00"),
    )
    return_to_supplier(
        key=key_of("jars-sent-back"),
        lines=[line],
        reason="Damaged on arrival",
        reference="RMA-118",
        actor=actor,
        effective_at=days_ago(1, hour=16),
    )


def _split(actor: Actor) -> None:
    if is_done("beeswax-split"):
        return
    wax = item("WAX-BEES")
    change_lots(
        key=key_of("beeswax-split"),
        item=wax,
        location=place(STORE),
        sources=[(Lot.objects.get(item=wax, code="BW-0093"), Decimal(6))],
        targets=[NewLot("BW-0093-A", Decimal(4)), NewLot("BW-0093-B", Decimal(2))],
        reason="Repacked",
        actor=actor,
    )


def _send_long_ago(actor: Actor) -> None:
    """Left nine days ago and nobody has said that it arrived."""
    if is_done("cedar-on-the-road"):
        return
    dispatch_transfer(
        key=key_of("cedar-on-the-road"),
        source=place(FINISHED),
        target=place(LOGISTICS),
        lines=[DispatchLine(item("CANDLE-CEDAR"), Decimal(12))],
        expected_on=timezone.localdate() - timedelta(days=6),
        reference="WB-7731",
        actor=actor,
        effective_at=days_ago(9, hour=16),
    )


def _send_and_receive(actor: Actor) -> None:
    """Left two days ago, arrived in part."""
    if not is_done("boxes-on-the-road"):
        dispatch_transfer(
            key=key_of("boxes-on-the-road"),
            source=place(STORE),
            target=place(LOGISTICS),
            lines=[DispatchLine(item("BOX-SINGLE"), Decimal(60)), DispatchLine(item("LABEL-CEDAR"), Decimal(40))],
            expected_on=timezone.localdate() + timedelta(days=1),
            reference="WB-7744",
            actor=actor,
            effective_at=days_ago(2, hour=9),
        )
    if not is_done("boxes-arrived"):
        transfer = StockTransfer.objects.get(dispatch=posting_of("boxes-on-the-road"))
        boxes = transfer.lines.get(item=item("BOX-SINGLE"))
        receive_transfer(
            key=key_of("boxes-arrived"),
            transfer=transfer,
            arrivals=[Arrival(boxes, received=Decimal(45), lost=Decimal(1))],
            loss_reason="Broken on the way",
            actor=actor,
            effective_at=days_ago(1, hour=11),
        )
