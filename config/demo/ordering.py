"""Work orders in every state: planned for demands, released with their stock reserved, half issued, finished, cancelled."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from config.demo.catalogue import ASSEMBLY, FINISHED, SITE, place
from config.demo.steps import item, key_of
from inventory.models import Location
from inventory.operations.posting import Actor
from production.models import Demand, WorkOrder
from production.operations.completing import CompletionRequest, complete_production
from production.operations.demands import make_for_demand
from production.operations.issuing_components import IssueLine, issue_components
from production.operations.releasing import release_work_order
from production.operations.sub_orders import make_sub_orders
from production.operations.work_orders import cancel_work_order, close_work_order, open_work_order

FLOOR = "SHOP-FLOOR"


def ensure_ordering(actor: Actor) -> None:
    """Everything below, once."""
    floor = _floor()
    _for_demands(actor)
    _issued(actor, floor)
    _finished(actor)
    _cancelled(actor)
    _with_sub_assemblies(actor)


def _floor() -> Location:
    """Where components stand that were issued to an order before it is completed."""
    known = Location.objects.filter(code__iexact=FLOOR).first()
    return known or Location.objects.create(
        code=FLOOR, name="Shop floor, issued to orders", parent=place(SITE), is_sellable=False
    )


def _for_demands(actor: Actor) -> None:
    """Two shop orders that join one batch of lavender candles."""
    for reference, quantity, days in (("SHOP-1007", "24", 6), ("SHOP-1009", "36", 8)):
        if not Demand.objects.filter(demand_kind="order", demand_ref=reference).exists():
            make_for_demand(
                demand_kind="order",
                demand_ref=reference,
                item=item("CANDLE-LAVENDER"),
                quantity=Decimal(quantity),
                location=place(FINISHED),
                source_location=place(SITE),
                needed_on=timezone.localdate() + timedelta(days=days),
                mode="always",
                actor=actor,
            )


def _issued(actor: Actor, floor: Location) -> None:
    """A released order; its wax and jars are on the floor already."""
    if _is_known("wholesale"):
        return
    order = _plan("wholesale", actor, sku="CANDLE-CEDAR", planned="36", into=FINISHED, due=2, rank=-10)
    release_work_order(work_order=order, actor=actor)
    issue_components(
        key=key_of("wholesale-issued"),
        work_order=order,
        lines=[IssueLine(item("WAX-SOY"), Decimal("7.2")), IssueLine(item("JAR-220"), Decimal(36))],
        floor=floor,
        actor=actor,
    )


def _finished(actor: Actor) -> None:
    """A small order that is done, and closed."""
    if _is_known("samples"):
        return
    order = _plan("samples", actor, sku="CANDLE-CEDAR", planned="6", into=FINISHED, due=-1)
    release_work_order(work_order=order, actor=actor)
    request = CompletionRequest(good=Decimal(6), work_order=order, output_lot_code="C-0250")
    complete_production(key=key_of("samples-made"), request=request, actor=actor)
    close_work_order(work_order=order, actor=actor)


def _cancelled(actor: Actor) -> None:
    if not _is_known("fair"):
        order = _plan("fair", actor, sku="GIFT-SET", planned="10", into=FINISHED, due=15)
        cancel_work_order(work_order=order, reason="The fair was called off", actor=actor)


def _with_sub_assemblies(actor: Actor) -> None:
    """Robots whose sub-assemblies are short, each with a planned order of its own."""
    if not _is_known("robots"):
        order = _plan("robots", actor, sku="GARDEN-ROBOT", planned="4", into=ASSEMBLY, due=20)
        make_sub_orders(work_order=order, actor=actor)


def _is_known(name: str) -> bool:
    return WorkOrder.objects.filter(note=f"Demo order {name}").exists()


def _plan(name: str, actor: Actor, *, sku: str, planned: str, into: str, due: int, rank: int = 0) -> WorkOrder:
    return open_work_order(
        item=item(sku),
        planned=Decimal(planned),
        source_location=place(SITE),
        output_location=place(into),
        due_on=timezone.localdate() + timedelta(days=due),
        rank=rank,
        note=f"Demo order {name}",
        is_planned=True,
        actor=actor,
    )
