"""Bills of materials as their import reads them: the version of each item that an import compares with."""

from collections.abc import Iterator

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from inventory.importing.exporting import CHUNK_ROWS, Cell, ExportKind, yes
from production.models import Bom, BomLine, BomOperation, BomOutput, BomState, BomSubstitute
from production.reads.bom_content import contents_of


def _lines() -> QuerySet[BomLine]:
    """Lines of the newest active version of each item; a planned one counts, as it will replace the others."""
    active = Bom.objects.filter(state=BomState.ACTIVE).filter(
        Q(effective_to__isnull=True) | Q(effective_to__gt=timezone.localdate())
    )
    newest = active.filter(item=OuterRef("bom__item")).order_by("-version").values("pk")[:1]
    return BomLine.objects.filter(bom__state=BomState.ACTIVE).filter(bom=Subquery(newest))


def _boms() -> Iterator[list[Cell]]:
    found = _lines().select_related("bom__item", "component").order_by(F("bom__item__sku"), "bom", "position", "pk")
    for line in found.iterator(chunk_size=CHUNK_ROWS):
        yield [
            line.bom.item.sku,
            line.component.sku,
            line.component.name,
            line.quantity,
            line.unit,
            line.bom.makes,
            line.scrap_percent,
            line.setup_quantity,
            line.rounding_multiple,
            line.issue_method,
            yes(line.is_consumable),
            yes(line.is_optional),
            yes(line.is_phantom),
            yes(line.builds_shortage),
            line.reference,
            line.note,
        ]


def _newest() -> QuerySet[Bom]:
    """The version of each item whose lines are exported: the newest active one."""
    active = Bom.objects.filter(state=BomState.ACTIVE).filter(
        Q(effective_to__isnull=True) | Q(effective_to__gt=timezone.localdate())
    )
    newest = active.filter(item=OuterRef("item")).order_by("-version").values("pk")[:1]
    return Bom.objects.filter(state=BomState.ACTIVE, pk=Subquery(newest))


def _settings() -> Iterator[list[Cell]]:
    for bom in _newest().select_related("item").order_by("item__sku").iterator(chunk_size=CHUNK_ROWS):
        yield [
            bom.item.sku,
            bom.deviation_policy,
            bom.deviation_tolerance_percent,
            bom.process_loss_percent,
            bom.capacity_per_day,
            bom.instructions,
            bom.note,
        ]


def _outputs() -> Iterator[list[Cell]]:
    found = BomOutput.objects.filter(bom__in=_newest()).select_related("bom__item", "item")
    for one in found.order_by("bom__item__sku", "position", "pk").iterator(chunk_size=CHUNK_ROWS):
        yield [one.bom.item.sku, one.item.sku, one.quantity, one.kind, one.cost_share_percent, one.unit_value]


def _operations() -> Iterator[list[Cell]]:
    found = BomOperation.objects.filter(bom__in=_newest()).select_related("bom__item")
    for one in found.order_by("bom__item__sku", "position", "pk").iterator(chunk_size=CHUNK_ROWS):
        yield [
            one.bom.item.sku,
            one.name,
            one.kind,
            one.minutes,
            one.setup_minutes,
            one.rate_per_hour,
            one.amount,
            one.instructions,
        ]


def _substitutes() -> Iterator[list[Cell]]:
    """In the order of the lines. A component that stands on several lines is told apart by how many stand before."""
    boms = list(
        _newest().filter(pk__in=BomSubstitute.objects.values("line__bom")).order_by("item__sku").select_related("item")
    )
    for start in range(0, len(boms), SUBSTITUTE_BOMS):
        chunk = boms[start : start + SUBSTITUTE_BOMS]
        contents = contents_of(boms=[bom.pk for bom in chunk])
        for bom in chunk:
            counted: dict[int, int] = {}
            for line in contents[bom.pk].lines:
                counted[line.component.pk] = nth = counted.get(line.component.pk, 0) + 1
                for one in line.substitutes or ():
                    yield [bom.item.sku, line.component.sku, nth, one.item.sku, one.ratio]


SUBSTITUTE_BOMS = 100
"""BOMs that are held at a time."""
NOTE = "The version in force of each item; drafts and earlier versions are left out."
BOM_SETTINGS_OUT = ExportKind(
    name="bom_settings",
    permission="production.view_bom",
    columns=(
        "parent",
        "deviation_policy",
        "deviation_tolerance_percent",
        "process_loss_percent",
        "capacity_per_day",
        "instructions",
        "note",
    ),
    rows=_settings,
    count=lambda: _newest().count(),
    note=NOTE,
)
BOM_OUTPUTS_OUT = ExportKind(
    name="bom_outputs",
    permission="production.view_bom",
    columns=("parent", "item", "quantity", "kind", "cost_share_percent", "unit_value"),
    rows=_outputs,
    count=lambda: BomOutput.objects.filter(bom__in=_newest()).count(),
    note=NOTE,
)
BOM_OPERATIONS_OUT = ExportKind(
    name="bom_operations",
    permission="production.view_bom",
    columns=("parent", "name", "kind", "minutes", "setup_minutes", "rate_per_hour", "amount", "instructions"),
    rows=_operations,
    count=lambda: BomOperation.objects.filter(bom__in=_newest()).count(),
    note=NOTE,
)
BOM_SUBSTITUTES_OUT = ExportKind(
    name="bom_substitutes",
    permission="production.view_bom",
    columns=("parent", "component", "occurrence", "substitute", "ratio"),
    rows=_substitutes,
    count=lambda: BomSubstitute.objects.filter(line__bom__in=_newest()).count(),
    note=NOTE,
)
BOMS_OUT = ExportKind(
    name="boms",
    permission="production.view_bom",
    columns=(
        "parent",
        "component",
        "name",
        "quantity",
        "unit",
        "makes",
        "scrap_percent",
        "setup_quantity",
        "rounding_multiple",
        "issue_method",
        "is_consumable",
        "is_optional",
        "is_phantom",
        "builds_shortage",
        "reference",
        "note",
    ),
    rows=_boms,
    count=lambda: _lines().count(),
    note="The newest active version of each item, also one that is planned for later; drafts and earlier ones are left out.",
)
