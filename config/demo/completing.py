"""Camping lanterns at the demo company: numbered one by one, with their burners made on the way, a substitute glass, brass
swarf that is worth something, labour, one run half undone and a lantern taken apart."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from config.demo.catalogue import ASSEMBLY, FINISHED, SITE, STORE, place
from config.demo.steps import days_ago, is_done, item, key_of, posting_of
from inventory.models import Item, Lot
from inventory.operations.posting import Actor
from inventory.operations.receiving import ReceiptLine, receive_stock
from production.bom_checks import BomLineSpec
from production.models import Bom, Completion
from production.operations.boms import activate_bom, create_draft
from production.operations.completing import Actual, CompletionRequest, OutputLot, complete_production
from production.operations.disassembling import disassemble
from production.operations.reversing import reverse_completion
from production.operations.work_orders import open_work_order

LANTERN, BURNER = "LANTERN-CAMP", "BURNER-UNIT"
LANTERNS_PLANNED = 50

_ITEMS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("BRASS-TUBE-12", "Brass tube 12 mm, cut", {}),
    ("WICK-FLAT-20", "Flat wick 20 mm", {}),
    ("GLASS-CHIMNEY", "Glass chimney, clear", {}),
    ("GLASS-CHIMNEY-AMBER", "Glass chimney, amber", {}),
    ("BRASS-BASE", "Lantern base, spun brass", {}),
    ("RIVET-4", "Rivet 4 mm", {"negative_allowed": True}),
    ("BOX-LANTERN", "Box for a lantern", {"kind": "packaging"}),
    ("BRASS-SWARF", "Brass swarf, clean", {"stock_unit": "kg", "step": Decimal("0.001")}),
    (BURNER, "Burner, assembled", {"kind": "sub_assembly"}),
    (
        LANTERN,
        "Camping lantern",
        {"kind": "product", "tracking": "serial", "is_sellable": True, "barcode": "2000000009902"},
    ),
)
_GOODS = (  # sku, quantity, value
    ("BRASS-TUBE-12", "120", "132.00"),
    ("WICK-FLAT-20", "160", "24.00"),
    ("GLASS-CHIMNEY", "34", "81.60"),
    ("GLASS-CHIMNEY-AMBER", "40", "116.00"),
    ("BRASS-BASE", "90", "378.00"),
    ("RIVET-4", "220", "4.40"),
    ("BOX-LANTERN", "100", "90.00"),
)


def ensure_lanterns(actor: Actor) -> None:
    """Everything below, once."""
    _items()
    _boms(actor)
    if not is_done("lantern-goods"):
        lines = [
            ReceiptLine(item=item(sku), location=place(STORE), quantity=Decimal(quantity), value=Decimal(value))
            for sku, quantity, value in _GOODS
        ]
        receive_stock(
            key=key_of("lantern-goods"), lines=lines, actor=actor, effective_at=days_ago(12, 8), reference="PO-LANTERN"
        )
    _make(actor)


def _items() -> None:
    for sku, name, values in _ITEMS:
        if not Item.objects.filter(sku=sku).exists():
            Item.objects.create(sku=sku, name=name, **values)


def _boms(actor: Actor) -> None:
    if Bom.objects.filter(item__sku=LANTERN).exists():
        return
    one = Decimal(1)
    burner = create_draft(
        item=item(BURNER),
        lines=[BomLineSpec(item("BRASS-TUBE-12"), one), BomLineSpec(item("WICK-FLAT-20"), one)],
        actor=actor,
    )
    activate_bom(bom=burner, effective_from=days_ago(60).date(), actor=actor)
    lantern = create_draft(
        item=item(LANTERN),
        lines=[
            BomLineSpec(item(BURNER), one),
            BomLineSpec(item("GLASS-CHIMNEY"), one),
            BomLineSpec(item("BRASS-BASE"), one),
            BomLineSpec(item("RIVET-4"), Decimal(6)),
            BomLineSpec(item("BOX-LANTERN"), one),
        ],
        actor=actor,
    )
    lantern.lines.filter(component=item(BURNER)).update(builds_shortage=True)
    lantern.lines.get(component=item("GLASS-CHIMNEY")).substitutes.create(
        position=1, item=item("GLASS-CHIMNEY-AMBER"), ratio=one
    )
    lantern.outputs.create(position=1, item=item("BRASS-SWARF"), quantity=Decimal("0.02"), unit_value=Decimal("3.10"))
    lantern.operations.create(
        position=1,
        name="Riveting and testing",
        minutes=Decimal(6),
        setup_minutes=Decimal(15),
        rate_per_hour=Decimal(24),
    )
    lantern.operations.create(
        position=2, kind="overhead", name="Workshop overhead", amount=Decimal("0.35"), minutes=Decimal(0)
    )
    activate_bom(bom=lantern, effective_from=days_ago(60).date(), actor=actor)


def _serials(first: int, count: int) -> list[OutputLot]:
    return [OutputLot(f"LC-{number:04d}", Decimal(1)) for number in range(first, first + count)]


def _complete(
    step: str, actor: Actor, *, serials: list[OutputLot], days: int, hour: int = 11, **values: object
) -> None:
    if is_done(step):
        return
    request = CompletionRequest(
        good=Decimal(len(serials)),
        output_lots=serials,
        source_location=place(SITE),
        output_location=place(FINISHED),
        effective_at=days_ago(days, hour),
        **values,  # type: ignore[arg-type]
    )
    complete_production(key=key_of(step), request=request, actor=actor)


def _make(actor: Actor) -> None:
    lantern = item(LANTERN)
    spoiled = Actual(item("GLASS-CHIMNEY"), Decimal(9), "cracked in the rivet jig", scrapped=Decimal(1), cause="scrap")
    _complete("lanterns-1", actor, item=lantern, serials=_serials(1, 8), days=9, actuals=(spoiled,))
    _complete(
        "lanterns-2",
        actor,
        item=lantern,
        serials=_serials(9, 6),
        days=6,
        scrapped=Decimal(1),
        scrap_reason="Failed test",
    )
    amber = Actual(item("GLASS-CHIMNEY-AMBER"), Decimal(3), replaces=item("GLASS-CHIMNEY"), cause="substitute")
    _complete("lanterns-3", actor, item=lantern, serials=_serials(15, 7), days=3, actuals=(amber,))
    if not is_done("lanterns-undone"):
        reverse_completion(
            key=key_of("lanterns-undone"),
            completion=_completion("lanterns-3"),
            good=Decimal(2),
            reason="counted twice",
            actor=actor,
        )
    if not is_done("lantern-apart"):
        done = _completion("lanterns-2")
        disassemble(
            key=key_of("lantern-apart"),
            completion=done,
            quantity=Decimal(1),
            location=place(FINISHED),
            target=place(ASSEMBLY),
            lots=[(Lot.objects.get(item=lantern, code="LC-0009"), Decimal(1))],
            recovered={item("BRASS-BASE").pk: Decimal(1), item("BOX-LANTERN").pk: Decimal(0)},
            reason="dented, for its parts",
            actor=actor,
        )
    _open_order(actor)


def _open_order(actor: Actor) -> None:
    if Completion.objects.filter(work_order__item__sku=LANTERN).exists() or is_done("lanterns-of-order"):
        return
    order = open_work_order(
        item=item(LANTERN),
        planned=Decimal(LANTERNS_PLANNED),
        output_location=place(FINISHED),
        source_location=place(SITE),
        due_on=timezone.localdate() + timedelta(days=7),
        actor=actor,
    )
    _complete("lanterns-of-order", actor, work_order=order, serials=_serials(22, 4), days=0, hour=7)


def _completion(step: str) -> Completion:
    return Completion.objects.get(posting=posting_of(step))
