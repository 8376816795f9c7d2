"""A book with all that makes tables go wrong: commas, quotes, line ends, leading zeros, formulas, other letters, odd decimals.

Every kind of import that has an export must find rows here; whoever adds one adds some that are hard on it.
"""

from datetime import UTC, date, datetime, time
from decimal import Decimal

from channels_sync.models import Listing, WindowKind, WindowScope
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.campaigns import CampaignRule, add_campaign_rule, plan_campaign
from channels_sync.operations.deciding_differences import set_drift
from channels_sync.operations.demand import DaySold, record_demand
from channels_sync.operations.offering import create_listing
from channels_sync.operations.scheduling import add_window
from inventory.importing.running import Mode, kind_named, run_import
from inventory.models import CountClass, ItemCategory, Lot, SupplierItem, SupplierStock
from inventory.operations.purchasing import OrderLineSpec, draft_order
from production.models import IssueMethod
from production.operations.inspection_plans import CheckSpec, save_inspection_plan
from tests.channels_sync.factories import make_channel
from tests.factories import make_item, make_location, make_order, make_supplier, make_unit
from tests.production.factories import make_bom

TEXTS = {
    "plain": "Soy wax",
    "comma": 'Wax, "hard", 5 mm; or | less',
    "lines": "first line\r\nsecond line\n\tthird",
    "zeros": "00042",
    "formula": "=SUM(A1:A9)",
    "minus": "-12.5",
    "at": "@home",
    "quoted": "'=quoted",
    "error": "#N/A",
    "letters": "Größe ß · 蜡烛 · İıŞ · 🕯",
    "blanks": "  two  blanks\u00a0inside ",
    "number": "1e5",
    "date": "2026-01-02",
    "long": "x" * 240,
}
CODES = {
    "zeros": "0007",
    "comma": "A,B;C",
    "formula": "=1+1",
    "plus": "+49-1",
    "letters": "GRÖßE-蜡",
    "quote": 'JAR "8"',
    "blank": "TWO WORDS",
    "number": "1e3",
    "error": "#REF!",
    "case": "MixedCase",
}


def make_channels():
    """Channels are not imported, so they are there before."""
    return [make_channel(code=f"shop-{n}", name=f"Shop, {n}", external_location_id="") for n in (1, 2)]


def fill(channels):
    """Make the book. Channels must exist."""
    places = _places()
    categories = _categories()
    items = _items(categories)
    _units(items)
    _boms(items)
    _inspections(items)
    _opening(items, places)
    _lots(items)
    _classes()
    _buying(items, places)
    _selling(items, channels)
    _campaigns(items, channels)
    _sending(channels)


def _places():
    site = make_location(code="Main, site", name=TEXTS["comma"])
    shelf = make_location(code="=SHELF", name=TEXTS["formula"], parent=site)
    bins = [
        make_location(code=f"{code}-BIN", name=text.strip(), parent=shelf, owner=TEXTS["letters"][:30])
        for code, text in zip(CODES.values(), TEXTS.values(), strict=False)
    ]
    make_location(code="3PL", name="Partner", kind="3pl", freshness_hours=0, is_blocked=True)
    make_location(code="TRUCK", name="On the road", kind="in_transit", is_sellable=False)
    make_location(code="OLD", name="Gone", is_active=False)
    return [site, *bins]


def _categories():
    top = ItemCategory.objects.create(name="Nuts/Bolts, all")
    return [
        top,
        *(ItemCategory.objects.create(name=text.strip()[:100], parent=top) for text in TEXTS.values()),
        ItemCategory.objects.create(name="wax", parent=top),
    ]


def _items(categories):
    items = [
        make_item(
            sku=code,
            name=text,
            description=TEXTS["lines"],
            note=text,
            barcode="0001234500012",
            category=category,
            unit="kg" if number % 2 else "pcs",
            step="0.000001" if number % 2 else "1",
            standard_cost=Decimal("1234567.000001"),
            over_completion_percent=Decimal("2.125"),
            reorder_point=Decimal("1000"),
            reorder_quantity=Decimal("0.125"),
            weight_grams=Decimal("1.125"),
            length_mm=Decimal("1000.5"),
            hs_code="0011.22",
            origin_country="DE",
            lead_time_days=0,
            compliance_tags=["lithium", "a;b"] if number % 2 else ["export-control"],
            count_group="B",
            is_sellable=True,
        )
        for number, (code, text, category) in enumerate(zip(CODES.values(), TEXTS.values(), categories, strict=False))
    ]
    return [
        *items,
        make_item(sku="LOTTED", tracking="lot", cost_method="lot", shelf_life_days=30, inspection_required=True),
        make_item(sku="SERIAL", tracking="serial", is_active=True),
        make_item(sku="FIFO", cost_method="fifo", supply_policy="built_then_kit", unit="Rolle", step="0.25"),
        make_item(sku="NEGATIVE", negative_allowed=True, kind="sub_assembly"),
        make_item(sku="PHANTOM", kind="phantom"),
        make_item(sku="GONE", is_active=False),
    ]


def _units(items):
    make_unit(item=items[0], name="box, big", numerator="12")
    make_unit(item=items[0], name="third", numerator="1", denominator="3")
    unit = make_unit(item=items[1], name="=drum", numerator="0.000001", denominator="1000")
    unit.barcode, unit.is_purchase_unit = "00099", True
    unit.save()


def _boms(items):
    by_sku = {item.sku: item for item in items}
    lines = [
        (items[1], "0.000001", {"unit": "g", "reference": TEXTS["comma"], "note": TEXTS["formula"]}),
        (items[0], "3", {"scrap_percent": Decimal("2.125"), "setup_quantity": Decimal("1000"), "note": TEXTS["minus"]}),
        (items[0], "7", {"is_optional": True, "rounding_multiple": Decimal("5"), "reference": "R1,R2"}),
        (items[2], "1", {"issue_method": IssueMethod.PROMPT, "note": TEXTS["letters"]}),
        (items[3], "1000", {"unit": "kg", "is_consumable": True}),
    ]
    make_bom(item=by_sku["NEGATIVE"], makes="12.5", lines=[(items[0], "1")])
    make_bom(item=by_sku["NEGATIVE"], makes="1", lines=[(items[0], "2")], state="draft")
    lines[1][2]["substitutes"] = [(items[5], "0.000001"), (by_sku["NEGATIVE"], "2.5")]
    lines[2][2].update(substitutes=[(items[5], "1")], builds_shortage=True)
    make_bom(
        item=items[4],
        makes="1000",
        lines=lines,
        outputs=[(by_sku["FIFO"], "0.25", "12.3456"), (by_sku["NEGATIVE"], "3", "0", "0")],
        operations=[
            {"name": TEXTS["formula"], "minutes": Decimal("12.125"), "rate_per_hour": Decimal("30.000001")},
            {
                "name": TEXTS["comma"],
                "kind": "packaging",
                "amount": Decimal("1234.5"),
                "setup_minutes": Decimal("0.5"),
                "instructions": TEXTS["letters"],
            },
        ],
        process_loss_percent=Decimal("2.5"),
        capacity_per_day=Decimal("0.5"),
        deviation_policy="block",
        deviation_tolerance_percent=Decimal("0.125"),
        instructions=TEXTS["minus"],
        note=TEXTS["comma"],
    )


def _inspections(items):
    """Plans of items that are held anyway, with and without checks."""
    held = [item for item in items if item.inspection_required]
    checks = [
        CheckSpec(name[:190], "measurement", "mm", Decimal("-0.5"), None, is_required=False)
        for name in (TEXTS["comma"], TEXTS["formula"], TEXTS["error"])
    ]
    save_inspection_plan(
        item=held[0],
        applies_to="output",
        checks=[CheckSpec("Dry"), CheckSpec("Photo", "photo"), CheckSpec("1e5", "text"), *checks],
        every_nth=3,
        sample_quantity=Decimal("2.5"),
        instructions=TEXTS["lines"],
        actor=None,
    )
    save_inspection_plan(item=held[0], applies_to="receipt", checks=[], actor=None)


def _opening(items, places):
    """Through the import, as opening stock comes."""
    text = "Item\tQuantity\tLocation\tLot\tExpires\tValue\tSupplier lot\tStatus\n"
    text += f"{items[0].sku}\t1000\t{places[0].code}\t\t\t1234.56\t\t\n"
    text += f"{items[1].sku}\t0.000001\t{places[1].code}\t\t\t\t\t\n"
    text += f'LOTTED\t10\t{places[0].code}\tL,1\t2099-01-31\t12.30\tSL "7"\t\n'
    text += f"LOTTED\t5\t{places[0].code}\t007\t\t\t\tdamaged\n"
    text += f"FIFO\t2.25\t{places[2].code}\t\t\t0\t\t\n"
    report = run_import(
        kind=kind_named("opening_stock"), content=text.encode(), file_name="o.txt", actor=None, mode=Mode.ALL
    )
    assert report.is_applied, report.problems


def _lots(items):
    by_sku = {item.sku: item for item in items}
    for code, text in zip(CODES.values(), TEXTS.values(), strict=False):
        Lot.objects.create(
            item=by_sku["LOTTED"],
            code=code,
            received_on=date(2026, 1, 2),
            expires_on=date(2099, 12, 31),
            supplier_lot=code,
            owner=TEXTS["comma"],
            note=text.strip(),
        )
    Lot.objects.create(item=by_sku["SERIAL"], code="0001", received_on=date(2025, 12, 31))


def _classes():
    one = CountClass.objects.get(group="B")
    one.counts_per_year, one.tolerance_percent, one.approval_value = Decimal("2.5"), Decimal("1.125"), Decimal(1000)
    one.save()


def _buying(items, places):
    suppliers = [
        make_supplier(
            code=code,
            name=text.strip()[:200],
            contact=TEXTS["comma"],
            email="office@example.com",
            phone="+49-1",
            address=TEXTS["lines"],
            note=text.strip(),
            lead_time_days=number or None,
            is_active=number != 1,
        )
        for number, (code, text) in enumerate(zip(CODES.values(), TEXTS.values(), strict=False))
    ]
    for number, supplier in enumerate(suppliers):
        sold = SupplierItem.objects.create(
            supplier=supplier,
            item=items[0],
            supplier_sku=supplier.code,
            unit="box, big" if number % 2 else "",
            unit_cost=Decimal("0.000001") if number else None,
            order_minimum=Decimal("0.125"),
            order_multiple=Decimal(1000) if number % 2 else None,
            lead_time_days=0,
            is_preferred=number == 2,
        )
        SupplierStock.objects.create(
            supplier_item=sold,
            quantity=Decimal(1000 * number),
            confirmed_at=datetime(2026, 1, 2, 12, tzinfo=UTC),
            source=TEXTS["comma"],
        )
    prices = [(items[0], "1000", "1234.56"), (items[2], "7", None), (items[0], "1", "0")]
    for reference in ("0007", "=1+1", "", "PO, 7"):
        make_order(prices, supplier=suppliers[0], location=places[0], reference=reference, note=TEXTS["formula"])
    drums = [OrderLineSpec(items[1], Decimal(1000), "=drum", Decimal("9.99"), date(2027, 1, 2))]
    draft_order(supplier=suppliers[2], location=places[1], lines=drums, reference="0007", actor=None)


def _selling(items, channels):
    for item in items[:8]:
        create_listing(channel=channels[0], item=item, actor=None, title=item.name, external_item_id="000123")
    packs = create_listing(
        channel=channels[1], item=items[0], external_sku='=PACK,"6"', pack_size=Decimal("0.125"), actor=None
    )
    Listing.objects.filter(pk=packs.pk).update(is_active=False)
    set_policy(percent=Decimal("99.125"), note=TEXTS["comma"], actor=None)
    set_policy(channel=channels[0], buffer=Decimal("1000"), note=TEXTS["formula"], actor=None)
    set_policy(channel=channels[0], buffer=Decimal("1.000001"), note=TEXTS["lines"], actor=None)
    set_policy(item=items[0], minimum_to_list=Decimal(0), maximum_to_list=Decimal(12), actor=None)
    set_policy(channel=channels[1], item=items[1], percent=Decimal(0), actor=None)
    set_policy(listing=packs, percent=Decimal(50), note=TEXTS["letters"], actor=None)
    category = next(item.category for item in items if item.category is not None)
    set_policy(
        category=category,
        channel=channels[1],
        basis="fixed",
        fixed_quantity=Decimal("0.000001"),
        incoming_days=0,
        buildable_percent=Decimal("33.333"),
        supplier_percent=Decimal(1),
        supplier_maximum=Decimal(1000),
        supplier_hours=1000,
        shelf_life_days=1000,
        buffer_percent=Decimal("0.001"),
        buffer_days=Decimal("1.5"),
        doubt_percent=Decimal(100),
        sharing="demand",
        weight=Decimal("1234.5"),
        ring_fence=Decimal(0),
        priority=0,
        scarce_below=Decimal(1000),
        scarce_days=Decimal("0.25"),
        trial_limit=Decimal(1000),
        trial_until=date(2027, 1, 2),
        note=TEXTS["lines"],
        actor=None,
    )
    sold = (("0", date(2026, 1, 1)), ("1000", date(2026, 1, 2)), ("1.000001", date(2026, 1, 3)))
    record_demand(
        rows=[DaySold(channels[0], item, day, Decimal(quantity)) for item in items[:2] for quantity, day in sold]
    )


def _campaigns(items, channels):
    """All are to come: what has begun would begin anew in another book, at its own moment."""
    packs = Listing.objects.get(channel=channels[1])
    category = next(item.category for item in items if item.category is not None)
    for number, (name, text) in enumerate(
        [*zip(CODES.values(), TEXTS.values(), strict=False), ("Sale", ""), ("Sale", "")]
    ):
        plan_campaign(
            name=name,
            starts_at=datetime(2099, 12, 1, number, 30, 15 * (number % 2), number % 3, tzinfo=UTC),
            ends_at=datetime(2099, 12, 1, number + 1, 30, tzinfo=UTC),
            rules=[
                CampaignRule({"percent": Decimal("99.125")}),
                CampaignRule({"buffer": Decimal(0)}, channel=channels[0]),
            ],
            note=text.strip(),
            actor=None,
        )
    campaign = plan_campaign(
        name=TEXTS["comma"],
        starts_at=datetime(2099, 10, 25, 0, 30, tzinfo=UTC),  # twice on the clocks of Europe
        ends_at=datetime(2099, 10, 25, 1, 30, tzinfo=UTC),
        rules=[
            CampaignRule({"trial_until": date(2099, 12, 31), "sharing": "weight"}, listing=packs, note=TEXTS["lines"])
        ],
        note="another",
        actor=None,
    )
    for percent in ("10", "0.125"):
        rule = CampaignRule({"percent": Decimal(percent)}, channel=channels[1], category=category)
        add_campaign_rule(campaign=campaign, rule=rule, actor=None)
    add_campaign_rule(campaign=campaign, rule=CampaignRule({"priority": 0}, item=items[2]), actor=None)


def _sending(channels):
    for number, text in enumerate(TEXTS.values()):
        add_window(
            channel=channels[number % 2],
            kind=WindowKind.OPEN if number % 3 else WindowKind.QUIET,
            scope=WindowScope.RAISES if number % 2 else WindowScope.EVERYTHING,
            weekdays="0123456"[number % 7 :],
            starts_at=time(number + 1, 0, 30 * (number % 2)),
            ends_at=time(0),
            reason=text,
            actor=None,
        )
    set_drift(channel=channels[0], values={"settle_minutes": 0, "sample_rows": 200, "edited": "adopt"}, actor=None)
