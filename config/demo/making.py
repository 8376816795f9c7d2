"""A month of work at the demo company: receipts, completions, one taken back, goods on hold, work orders half done."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from django.utils import timezone

from config.demo.catalogue import ASSEMBLY, BENCH, FINISHED, LOGISTICS, QUARANTINE, SITE, STORE, place
from config.demo.steps import days_ago, is_done, item, key_of, posting_of
from inventory.models import Item, Lot, Reservation, StockStatus
from inventory.operations.adjusting import adjust_stock
from inventory.operations.posting import Actor
from inventory.operations.receiving import ReceiptLine, receive_stock
from inventory.operations.reserving import reserve_stock
from inventory.operations.transferring import change_status, transfer_stock
from inventory.quantities import round_half_up
from production.models import Bom, Completion, WorkOrder
from production.operations.completing import DEMAND_KIND, Actual, CompletionRequest, complete_production
from production.operations.reversing import reverse_completion
from production.operations.work_orders import close_work_order, open_work_order

ROBOTS_STOCKED_FOR = 6
CENT = Decimal("0.01")

_LOTS = (  # sku, bin, lot, quantity, cost of one unit, days until it expires, supplier's lot
    ("WAX-SOY", "STORE-A1", "SW-2417", "120", "4.60", 410, "KX-88121"),
    ("WAX-SOY", "STORE-A1", "SW-2432", "80", "4.72", 560, "KX-90544"),
    ("WAX-BEES", "STORE-A2", "BW-0093", "25", "11.20", 800, ""),
    ("FRAGRANCE-LAVENDER", "STORE-B1", "FL-311", "1500", "0.052", 95, "LV-2291"),
    ("FRAGRANCE-LAVENDER", "STORE-B1", "FL-318", "4000", "0.054", 290, "LV-2307"),
    ("FRAGRANCE-CEDAR", "STORE-B1", "FC-120", "3000", "0.061", 21, "CD-7003"),
    ("FRAGRANCE-CEDAR", "STORE-B1", "FC-127", "2500", "0.061", 300, "CD-7110"),
)
_GOODS = (  # sku, place, quantity, cost of one unit; None: not known yet
    ("WICK-COTTON-8", "STORE-A2", "1500", "0.08"),
    ("JAR-220", "STORE-A2", "960", "0.74"),
    ("LID-220", "STORE-A2", "1000", "0.19"),
    ("LABEL-LAVENDER", "STORE-B1", "1000", "0.06"),
    ("LABEL-CEDAR", "STORE-B1", "1000", "0.06"),
    ("BOX-SINGLE", "STORE-B1", "900", "0.31"),
    ("BOX-GIFT", "STORE-B1", "75", None),
)


def ensure_history(actor: Actor) -> None:
    """Everything below, in the order it happened."""
    _receive(actor)
    _make_candles(actor)
    _make_robots(actor)
    _hold_and_move(actor)
    _open_orders(actor)


def _receive(actor: Actor) -> None:
    if is_done("opening"):
        return
    start = timezone.localdate() - timedelta(days=30)
    lines = [
        ReceiptLine(
            item=item(sku),
            location=place(code),
            quantity=Decimal(quantity),
            value=_value(quantity, cost),
            lot_code=lot,
            expires_on=timezone.localdate() + timedelta(days=days),
            supplier_lot=supplier_lot,
        )
        for sku, code, lot, quantity, cost, days, supplier_lot in _LOTS
    ]
    lines += [
        ReceiptLine(item=item(sku), location=place(code), quantity=Decimal(quantity), value=_value(quantity, cost))
        for sku, code, quantity, cost in _GOODS
    ]
    lines += [
        ReceiptLine(
            item=part, location=place(STORE), quantity=quantity, value=_value(str(quantity), str(part.standard_cost))
        )
        for part, quantity in _robot_parts().items()
    ]
    receive_stock(
        key=key_of("opening"),
        lines=lines,
        actor=actor,
        effective_at=days_ago(30, hour=8),
        reference=f"Opening {start:%Y-%m}",
        note="Stock when the ledger began",
    )


def _robot_parts() -> dict[Item, Decimal]:
    """Bought parts for a few robots, all levels."""
    needs: dict[Item, Decimal] = {}

    def add(made: Item, quantity: Decimal) -> None:
        bom = Bom.objects.get(item=made, state="active")
        for line in bom.lines.select_related("component"):
            need = line.quantity * quantity
            if line.component.kind == "sub_assembly":
                add(line.component, need)
            elif not line.is_consumable:
                needs[line.component] = needs.get(line.component, Decimal(0)) + need

    add(item("GARDEN-ROBOT"), Decimal(ROBOTS_STOCKED_FOR))
    return needs


def _value(quantity: str, unit_cost: str | None) -> Decimal | None:
    return None if unit_cost is None else round_half_up(Fraction(quantity) * Fraction(unit_cost), CENT)


def _complete(
    step: str,
    actor: Actor,
    *,
    good: str,
    sku: str = "",
    order: WorkOrder | None = None,
    into: str = FINISHED,
    days: int = 0,
    hour: int = 10,
    lot: str = "",
    scrapped: str = "0",
    scrap_reason: str = "",
    actuals: tuple[Actual, ...] = (),
) -> None:
    if is_done(step):
        return
    request = CompletionRequest(
        item=None if order else item(sku),
        work_order=order,
        good=Decimal(good),
        scrapped=Decimal(scrapped),
        scrap_reason=scrap_reason,
        source_location=place(SITE),
        output_location=place(into),
        output_lot_code=lot,
        actuals=actuals,
        effective_at=days_ago(days, hour),
    )
    complete_production(key=key_of(step), request=request, actor=actor)


def _make_candles(actor: Actor) -> None:
    lavender, cedar = "CANDLE-LAVENDER", "CANDLE-CEDAR"
    _complete("lavender-1", actor, sku=lavender, good="120", days=24, lot="L-0241")
    _complete("cedar-1", actor, sku=cedar, good="80", days=22, lot="C-0241", scrapped="2", scrap_reason="cracked jar")
    _complete("lavender-2", actor, sku=lavender, good="80", days=15, lot="L-0242")
    more_wax = Actual(item("WAX-SOY"), Decimal("8.2"), reason="spilled while pouring")
    _complete("cedar-2", actor, sku=cedar, good="40", days=9, lot="C-0242", actuals=(more_wax,))
    _complete("lavender-wrong", actor, sku=lavender, good="140", days=6, hour=9, lot="L-0243")
    if not is_done("lavender-wrong-undo"):
        wrong = Completion.objects.get(posting=posting_of("lavender-wrong"))
        reverse_completion(
            key=key_of("lavender-wrong-undo"), completion=wrong, actor=actor, reason="typed 140 instead of 40"
        )
    _complete("lavender-3", actor, sku=lavender, good="40", days=6, hour=11, lot="L-0244")
    _complete("gift-1", actor, sku="GIFT-SET", good="20", days=5, lot="G-0057")


def _make_robots(actor: Actor) -> None:
    _complete("motor-unit", actor, sku="GR-MOTOR-UNIT", good="12", into=ASSEMBLY, days=18)
    _complete("gantry", actor, sku="GR-GANTRY", good="3", into=ASSEMBLY, days=16)
    _complete("cross-slide", actor, sku="GR-CROSS-SLIDE", good="3", into=ASSEMBLY, days=14)
    _complete("electronics", actor, sku="GR-ELECTRONICS", good="4", into=ASSEMBLY, days=12)
    _complete("watering", actor, sku="GR-WATERING", good="4", into=ASSEMBLY, days=11)
    _complete("robot", actor, sku="GARDEN-ROBOT", good="2", into=ASSEMBLY, days=8, lot="R-0012")


def _hold_and_move(actor: Actor) -> None:
    """Gift sets wait for inspection, half of them passed; some jars are damaged; a partner stores some candles."""
    if not is_done("gift-released"):
        change_status(
            key=key_of("gift-released"),
            item=item("GIFT-SET"),
            location=place(FINISHED),
            quantity=Decimal(12),
            from_status=StockStatus.QC_HOLD,
            to_status=StockStatus.AVAILABLE,
            actor=actor,
            effective_at=days_ago(4),
        )
    if not is_done("jars-damaged"):
        change_status(
            key=key_of("jars-damaged"),
            item=item("JAR-220"),
            location=place(STORE),
            quantity=Decimal(9),
            from_status=StockStatus.AVAILABLE,
            to_status=StockStatus.DAMAGED,
            reason="pallet dropped",
            actor=actor,
            effective_at=days_ago(3),
        )
    if not is_done("beeswax-quarantine"):
        transfer_stock(
            key=key_of("beeswax-quarantine"),
            item=item("WAX-BEES"),
            source=place(STORE),
            target=place(QUARANTINE),
            quantity=Decimal(5),
            actor=actor,
            effective_at=days_ago(3, hour=12),
            note="Smells of smoke",
        )
    if not is_done("candles-to-partner"):
        transfer_stock(
            key=key_of("candles-to-partner"),
            item=item("CANDLE-LAVENDER"),
            source=place(FINISHED),
            target=place(LOGISTICS),
            quantity=Decimal(60),
            lots=[(Lot.objects.get(item__sku="CANDLE-LAVENDER", code="L-0241"), Decimal(60))],
            actor=actor,
            effective_at=days_ago(2),
            reference="Shipment to the partner",
        )
    if not is_done("labels-counted"):
        adjust_stock(
            key=key_of("labels-counted"),
            item=item("LABEL-CEDAR"),
            location=place("STORE-B1"),
            quantity=Decimal(-14),
            reason="count",
            actor=actor,
            effective_at=days_ago(1),
        )


def _open_orders(actor: Actor) -> None:
    """One order half done, one waiting with its stock reserved, one closed short, one for robots."""
    lavender = _order("lavender", actor, sku="CANDLE-LAVENDER", planned="200", into=FINISHED, due=4)
    _complete("order-lavender-1", actor, order=lavender, good="80", lot="L-0245", hour=8)
    cedar = _order("cedar", actor, sku="CANDLE-CEDAR", planned="120", into=FINISHED, due=9)
    _reserve_once(cedar, "FRAGRANCE-CEDAR", "1440", actor)
    _order("robot", actor, sku="GARDEN-ROBOT", planned="2", into=ASSEMBLY, due=12)
    _order("bench-trial", actor, sku="CANDLE-CEDAR", planned="30", into=BENCH, due=-3, closed="wick out of stock")


def _order(name: str, actor: Actor, *, sku: str, planned: str, into: str, due: int, closed: str = "") -> WorkOrder:
    known = WorkOrder.objects.filter(note=f"Demo order {name}").first()
    if known is not None:
        return known
    order = open_work_order(
        item=item(sku),
        planned=Decimal(planned),
        source_location=place(SITE),
        output_location=place(into),
        due_on=timezone.localdate() + timedelta(days=due),
        note=f"Demo order {name}",
        actor=actor,
    )
    if closed:
        close_work_order(work_order=order, actor=actor, reason=closed)
    return order


def _reserve_once(order: WorkOrder, sku: str, quantity: str, actor: Actor) -> None:
    if Reservation.objects.filter(demand_kind=DEMAND_KIND, demand_ref=order.number).exists():
        return
    reserve_stock(
        item=item(sku),
        location=place(SITE),
        quantity=Decimal(quantity),
        demand_kind=DEMAND_KIND,
        demand_ref=order.number,
        actor=actor,
        pinned=True,
    )
