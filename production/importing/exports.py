"""Bills of materials as their import reads them: the version of each item that an import compares with."""

from collections.abc import Iterator

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from inventory.importing.exporting import CHUNK_ROWS, Cell, ExportKind, yes
from production.models import Bom, BomLine, BomState


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
    note="The version in force of each item; drafts and earlier versions are left out.",
)
