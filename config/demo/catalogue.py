"""Places, items and bills of materials of the demo company. Items and BOMs come from the files in `demo/`, by the import."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from config.demo.steps import item
from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from inventory.models import Item, Location, LocationKind
from inventory.operations.posting import Actor
from production.bom_checks import BomLineSpec
from production.models import Bom
from production.operations.boms import activate_bom, create_draft, draft_from, replace_lines, spec_of

FOLDER = Path(settings.BASE_DIR) / "demo"
SITE = "WORKSHOP"
STORE, BINS = "STORE", ("STORE-A1", "STORE-A2", "STORE-B1")
BENCH, ASSEMBLY, FINISHED, QUARANTINE, LOGISTICS = "CANDLE-BENCH", "ASSEMBLY", "FINISHED", "QUARANTINE", "3PL-EAST"
FIRST_VERSION_DAYS, PRESENT_VERSION_DAYS = 150, 60

_PLACES: tuple[tuple[str, str, str | None, dict[str, object]], ...] = (
    (SITE, "Workshop", None, {}),
    (STORE, "Stores", SITE, {}),
    *((code, f"Bin {code[-2:]}", STORE, {}) for code in BINS),
    (BENCH, "Candle bench", SITE, {}),
    (ASSEMBLY, "Assembly", SITE, {}),
    (FINISHED, "Finished goods", SITE, {}),
    (QUARANTINE, "Quarantine cage", SITE, {"is_sellable": False, "is_blocked": True}),
    (LOGISTICS, "Logistics partner, east", None, {"kind": LocationKind.THIRD_PARTY}),
)


def ensure_places() -> None:
    """Make the location tree where a place is missing."""
    for code, name, parent, values in _PLACES:
        if not Location.objects.filter(code__iexact=code).exists():
            above = None if parent is None else place(parent)
            Location.objects.create(code=code, name=name, parent=above, **values)


def place(code: str) -> Location:
    return Location.objects.get(code__iexact=code)


def ensure_items(actor: Actor) -> None:
    """Import the items, once."""
    if not Item.objects.filter(sku="CANDLE-LAVENDER").exists():
        _import("items", FOLDER / "items.csv", actor, ImportOptions())


def ensure_boms(actor: Actor) -> None:
    """An old and the present recipe of the lavender candle, a draft of the next one, and the BOMs of everything else."""
    if Bom.objects.filter(item__sku="GARDEN-ROBOT").exists():
        return
    today = timezone.localdate()
    first = create_draft(item=item("CANDLE-LAVENDER"), lines=_first_recipe(), actor=actor, note="First recipe")
    activate_bom(bom=first, effective_from=today - timedelta(days=FIRST_VERSION_DAYS), actor=actor)
    _import("boms", FOLDER / "boms.csv", actor, ImportOptions(create_items=False, activate=False))
    since = today - timedelta(days=PRESENT_VERSION_DAYS)
    drafts = Bom.objects.filter(state="draft").select_related("item")
    for draft in sorted(drafts, key=lambda bom: (bom.item.kind != "phantom", bom.pk)):
        activate_bom(bom=draft, effective_from=since, actor=actor)
    present = Bom.objects.get(item__sku="CANDLE-LAVENDER", version=2)
    stronger = draft_from(bom=present, actor=actor)
    lines = [spec_of(line) for line in stronger.lines.select_related("component")]
    replace_lines(bom=stronger, lines=[_with_more_fragrance(line) for line in lines], actor=actor)


def _first_recipe() -> list[BomLineSpec]:
    return [
        BomLineSpec(component=item("WAX-SOY"), quantity=Decimal(200), unit="g"),
        BomLineSpec(component=item("FRAGRANCE-LAVENDER"), quantity=Decimal(10), unit="g"),
        BomLineSpec(component=item("WICK-COTTON-8"), quantity=Decimal(1)),
        BomLineSpec(component=item("JAR-220"), quantity=Decimal(1)),
        BomLineSpec(component=item("LID-220"), quantity=Decimal(1)),
        BomLineSpec(component=item("BOX-SINGLE"), quantity=Decimal(1)),
    ]


def _with_more_fragrance(line: BomLineSpec) -> BomLineSpec:
    if line.component.sku != "FRAGRANCE-LAVENDER":
        return line
    return BomLineSpec(
        component=line.component,
        quantity=Decimal(520),
        unit=line.unit,
        reference=line.reference,
        note="13 g each, on trial",
    )


def _import(kind: str, path: Path, actor: Actor, options: ImportOptions) -> None:
    report = run_import(
        kind=kind_named(kind),
        content=path.read_bytes(),
        file_name=path.name,
        actor=actor,
        mode=Mode.ALL,
        options=options,
    )
    if not report.is_applied:
        raise ValueError(f"{path.name}: {'; '.join(str(problem) for problem in report.problems[:5])}")
