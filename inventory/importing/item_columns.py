"""The columns of a list of items, and the words that stand for their choices."""

from inventory.importing.headers import Field
from inventory.models import CostMethod, CountGroup, ItemKind, SupplyPolicy, Tracking

KIND_WORDS = {
    **{kind.value.replace("_", " "): kind.value for kind in ItemKind},
    **{kind.label.casefold().replace("-", " "): kind.value for kind in ItemKind},
    "part": ItemKind.MATERIAL,
    "component": ItemKind.MATERIAL,
    "raw material": ItemKind.MATERIAL,
    "buy": ItemKind.MATERIAL,
    "bought": ItemKind.MATERIAL,
    "purchased": ItemKind.MATERIAL,
    "make": ItemKind.SUB_ASSEMBLY,
    "made": ItemKind.SUB_ASSEMBLY,
    "assembly": ItemKind.SUB_ASSEMBLY,
    "subassembly": ItemKind.SUB_ASSEMBLY,
    "finished": ItemKind.PRODUCT,
    "finished good": ItemKind.PRODUCT,
    "finished goods": ItemKind.PRODUCT,
}
TRACKING_WORDS = {
    "none": Tracking.NONE,
    "no": Tracking.NONE,
    "not tracked": Tracking.NONE,
    "lot": Tracking.LOT,
    "by lot": Tracking.LOT,
    "batch": Tracking.LOT,
    "serial": Tracking.SERIAL,
    "by serial number": Tracking.SERIAL,
    "serial number": Tracking.SERIAL,
}
POLICY_WORDS = {
    **{policy.value.replace("_", " "): policy.value for policy in SupplyPolicy},
    **{policy.label.casefold(): policy.value for policy in SupplyPolicy},
}
METHOD_WORDS = {
    **{method.value: method.value for method in CostMethod},
    **{method.label.casefold(): method.value for method in CostMethod},
}
GROUP_WORDS = {group.value.casefold(): group.value for group in CountGroup}

FIELDS = (
    Field(
        "sku",
        "SKU",
        (
            "sku",
            "item code",
            "part number",
            "part no",
            "item number",
            "item no",
            "product number",
            "part",
            "item",
            "code",
        ),
        is_required=True,
        help_text="Unique, without regard to case. A known one is brought up to date.",
    ),
    Field(
        "name", "Name", ("name", "item name", "part name", "product name", "title"), help_text="New items only need it."
    ),
    Field("description", "Description", ("description", "details", "long description")),
    Field(
        "kind",
        "Kind",
        ("kind", "item kind", "item type", "make or buy", "type"),
        help_text="Material, sub-assembly, product, packaging, phantom or service.",
    ),
    Field("category", "Category", ("category", "item group", "group"), help_text="As Wax/Soy for a sub-category."),
    Field("barcode", "Barcode", ("barcode", "gtin", "ean", "upc", "ean code")),
    Field("stock_unit", "Unit", ("stock unit", "unit", "uom", "units", "unit of measure", "base unit")),
    Field("step", "Step", ("step", "smallest quantity", "quantity step")),
    Field("tracking", "Tracking", ("tracking", "tracked by", "lot tracking")),
    Field("shelf_life_days", "Shelf life (days)", ("shelf life days", "shelf life")),
    Field("inspection_required", "Inspection", ("inspection required", "inspection", "qc required")),
    Field("is_active", "Active", ("is active", "active", "enabled")),
    Field("is_sellable", "Sellable", ("is sellable", "sellable", "salable", "for sale")),
    Field(
        "standard_cost",
        "Standard cost",
        ("standard cost", "unit cost", "unit price", "cost", "cost price", "purchase price", "std cost"),
        help_text="Of one stock unit, or per the unit beside it: 15.09 / m.",
    ),
    Field("cost_unit", "Cost unit", ("cost unit", "cost uom", "price uom", "price unit")),
    Field("supply_policy", "Supply policy", ("supply policy", "replenishment")),
    Field(
        "over_completion_percent",
        "Over-completion %",
        ("over completion percent", "over completion %", "over completion"),
    ),
    Field("reorder_point", "Reorder point", ("reorder point", "min stock", "minimum stock", "reorder level")),
    Field("reorder_quantity", "Reorder quantity", ("reorder quantity", "reorder qty")),
    Field("lead_time_days", "Lead time (days)", ("lead time days", "lead time")),
    Field("hs_code", "HS code", ("hs code", "tariff number", "customs tariff number")),
    Field("origin_country", "Origin", ("origin country", "country of origin", "origin")),
    Field("weight_grams", "Weight (g)", ("weight grams", "weight g")),
    Field("length_mm", "Length (mm)", ("length mm", "length")),
    Field("width_mm", "Width (mm)", ("width mm", "width")),
    Field("height_mm", "Height (mm)", ("height mm", "height")),
    Field(
        "cost_method",
        "Cost method",
        ("cost method", "valuation method", "costing method", "valuation", "costing"),
        help_text="average, fifo or lot. The value of what is on hand stays.",
    ),
    Field("negative_allowed", "Below zero allowed", ("negative allowed", "below zero allowed", "allow negative")),
    Field("count_group", "Count class", ("count group", "count class", "abc class", "abc"), help_text="A, B or C."),
    Field(
        "compliance_tags",
        "Compliance tags",
        ("compliance tags", "tags"),
        help_text="Words separated by semicolons: lithium; export-control.",
    ),
    Field("pack_name", "Pack", ("pack name", "pack", "purchase unit"), help_text="Name of a pack: carton."),
    Field(
        "pack_quantity",
        "Pack quantity",
        ("pack quantity", "pack qty", "units per pack"),
        help_text="Stock units in it.",
    ),
    Field("pack_barcode", "Pack barcode", ("pack barcode", "pack ean")),
    Field("note", "Note", ("note", "notes", "remark", "remarks", "comment")),
)
NUMBERS = (
    "step",
    "standard_cost",
    "over_completion_percent",
    "reorder_point",
    "reorder_quantity",
    "weight_grams",
    "length_mm",
    "width_mm",
    "height_mm",
    "pack_quantity",
)
