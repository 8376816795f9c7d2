"""Buying at the demo company: suppliers with their terms, orders in every state, freight that came late, a missing price."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from config.demo.catalogue import STORE, place
from config.demo.steps import days_ago, is_done, item, key_of, posting_of
from inventory.models import ItemUnit, LandedCostKind, PurchaseOrder, Supplier, SupplierItem, SupplierStock
from inventory.operations.landing_costs import add_landed_cost
from inventory.operations.posting import Actor
from inventory.operations.purchasing import OrderLineSpec, close_order, draft_order, place_order
from inventory.operations.receiving_orders import Arrival, Charge, receive_order

_SUPPLIERS = (  # code, name, lead time in days, contact
    ("WAXWORKS", "Waxworks Trading", 12, "Order desk"),
    ("GLASSHOUSE", "Glasshouse Packaging", 21, "Sales office"),
    ("SCENTS", "Scents and Oils", 8, "Customer care"),
    ("PRINTSHOP", "Corner Print Shop", 5, ""),
)
_SOLD = (  # supplier, sku, their sku, unit, cost, minimum, multiple, preferred
    ("WAXWORKS", "WAX-SOY", "KX-SOY-464", "kg", "4.70", "40", "20", True),
    ("WAXWORKS", "WAX-BEES", "KX-BEES", "kg", "11.35", "10", "5", True),
    ("WAXWORKS", "WICK-COTTON-8", "KX-W8", "", "0.082", "500", "500", True),
    ("GLASSHOUSE", "JAR-220", "GH-220-CLEAR", "case", "17.50", "10", "5", True),
    ("GLASSHOUSE", "LID-220", "GH-220-LID", "", "0.19", "500", "100", True),
    ("SCENTS", "FRAGRANCE-LAVENDER", "LAV-01", "g", "0.055", "1000", "500", True),
    ("SCENTS", "FRAGRANCE-CEDAR", "CED-04", "g", "0.062", "1000", "500", True),
    ("PRINTSHOP", "LABEL-LAVENDER", "", "", "0.06", "250", "250", True),
    ("PRINTSHOP", "BOX-GIFT", "", "", None, "25", "25", True),
)
_STOCK = (("WAX-SOY", "620", "price list"), ("JAR-220", "4320", "phone"), ("FRAGRANCE-CEDAR", "0", "web shop"))


def ensure_buying(actor: Actor) -> None:
    """Suppliers and orders, once."""
    if not Supplier.objects.filter(code=_SUPPLIERS[0][0]).exists():
        _suppliers()
    _orders(actor)


def _suppliers() -> None:
    suppliers = {
        code: Supplier.objects.create(
            code=code, name=name, lead_time_days=days, contact=contact, email=f"orders@{code.lower()}.example"
        )
        for code, name, days, contact in _SUPPLIERS
    }
    if not ItemUnit.objects.filter(item=item("JAR-220"), name="case").exists():
        ItemUnit.objects.create(item=item("JAR-220"), name="case", numerator=24, is_purchase_unit=True)
    for code, sku, theirs, unit, cost, minimum, multiple, is_preferred in _SOLD:
        SupplierItem.objects.create(
            supplier=suppliers[code],
            item=item(sku),
            supplier_sku=theirs,
            unit=unit,
            unit_cost=None if cost is None else Decimal(cost),
            order_minimum=Decimal(minimum),
            order_multiple=Decimal(multiple),
            is_preferred=is_preferred,
        )
    for age, (sku, quantity, source) in enumerate(_STOCK, start=1):
        SupplierStock.objects.create(
            supplier_item=SupplierItem.objects.get(item=item(sku), is_preferred=True),
            quantity=Decimal(quantity),
            confirmed_at=days_ago(age),
            source=source,
        )


def _orders(actor: Actor) -> None:
    wax = _order(
        "WX-7781",
        "WAXWORKS",
        actor,
        days=20,
        lines=[("WAX-SOY", "60", "kg", "282.00"), ("WICK-COTTON-8", "1000", "", "82.00")],
    )
    if not is_done("wax-received"):
        _receive(
            "wax-received",
            wax,
            actor,
            {"WAX-SOY": ("60", "SW-2450"), "WICK-COTTON-8": ("1000", "")},
            days=7,
            freight="18.50",
        )
    if not is_done("wax-freight"):
        _late_freight(actor)
    jars = _order(
        "GH-2093",
        "GLASSHOUSE",
        actor,
        days=26,
        lines=[("JAR-220", "20", "case", "350.00"), ("LID-220", "500", "", "95.00")],
    )
    if not is_done("jars-received"):
        _receive("jars-received", jars, actor, {"JAR-220": ("240", "")}, days=3)
    _order(
        "SC-5510",
        "SCENTS",
        actor,
        days=2,
        lines=[("FRAGRANCE-CEDAR", "2000", "g", "124.00"), ("FRAGRANCE-LAVENDER", "1500", "g", "82.50")],
    )
    boxes = _order(
        "Boxes",
        "PRINTSHOP",
        actor,
        days=9,
        lines=[("BOX-GIFT", "50", "", None), ("LABEL-LAVENDER", "500", "", "30.00")],
    )
    if not is_done("boxes-received"):
        _receive("boxes-received", boxes, actor, {"BOX-GIFT": ("50", ""), "LABEL-LAVENDER": ("250", "")}, days=4)
        close_order(order=boxes, actor=actor, reason="the rest comes with the new design")
    _order(
        "", "WAXWORKS", actor, days=None, lines=[("WAX-BEES", "12", "kg", "136.20"), ("WAX-SOY", "30", "kg", "141.00")]
    )


def _order(
    reference: str, supplier: str, actor: Actor, *, days: int | None, lines: list[tuple[str, str, str, str | None]]
) -> PurchaseOrder:
    """An order that was placed some days ago; a draft when it was not."""
    found = PurchaseOrder.objects.filter(supplier__code=supplier, reference=reference).first()
    if found is not None:
        return found
    order = draft_order(
        supplier=Supplier.objects.get(code=supplier),
        location=place(STORE),
        lines=[
            OrderLineSpec(item(sku), Decimal(quantity), unit, None if value is None else Decimal(value))
            for sku, quantity, unit, value in lines
        ],
        reference=reference,
        actor=actor,
    )
    if days is None:
        return order
    return place_order(order=order, actor=actor, ordered_on=timezone.localdate() - timedelta(days=days))


def _receive(
    step: str,
    order: PurchaseOrder,
    actor: Actor,
    came: dict[str, tuple[str, str]],
    *,
    days: int,
    freight: str = "",
) -> None:
    receive_order(
        key=key_of(step),
        order=order,
        arrivals=[
            Arrival(line, Decimal(came[line.item.sku][0]), lot_code=came[line.item.sku][1])
            for line in order.lines.select_related("item")
            if line.item.sku in came
        ],
        charges=[Charge(Decimal(freight))] if freight else (),
        actor=actor,
        effective_at=days_ago(days, hour=9),
    )


def _late_freight(actor: Actor) -> None:
    """The carrier's invoice for the opening stock of wax: most of that lot is candles by now."""
    movements = (
        posting_of("opening")
        .movements.filter(item__sku__in=("WAX-SOY", "WAX-BEES"))
        .select_related("item", "posting", "location", "lot")
    )
    add_landed_cost(
        key=key_of("wax-freight"),
        targets=list(movements.order_by("id")),
        amount=Decimal("64.00"),
        kind=LandedCostKind.FREIGHT,
        reference="Carrier 40871",
        note="Invoice for the pallet that came with the opening stock",
        actor=actor,
    )
