"""What belongs to a BOM version beside its lines: substitutes, by-products, operations; written and copied as a whole."""

from collections.abc import Sequence

from production.bom_checks import BomLineSpec
from production.bom_content import OperationSpec, OutputSpec
from production.models import Bom, BomAttachment, BomLine, BomOperation, BomOutput, BomSubstitute


def write_substitutes(draft: Bom, specs: Sequence[BomLineSpec]) -> None:
    """Give the lines of a draft the substitutes their specs name, in this order; None leaves those a line has.

    The lines must have been written from the same specs just before, so that they stand in the same order.
    """
    lines = list(draft.lines.order_by("position", "id"))
    pairs = [(line, spec.substitutes) for line, spec in zip(lines, specs, strict=True) if spec.substitutes is not None]
    wanted = [
        (line.pk, position, substitute.item.pk, substitute.ratio)
        for line, substitutes in pairs
        for position, substitute in enumerate(substitutes or (), start=1)
    ]
    mine = BomSubstitute.objects.filter(line__in=[line.pk for line, _ in pairs])
    if sorted(mine.values_list("line_id", "position", "item_id", "ratio")) == sorted(wanted):
        return
    mine.delete()
    BomSubstitute.objects.bulk_create(
        BomSubstitute(line_id=line, position=position, item_id=item, ratio=ratio)
        for line, position, item, ratio in wanted
    )


def write_outputs(draft: Bom, specs: Sequence[OutputSpec]) -> None:
    """Give a draft exactly these by-products, in this order."""
    draft.outputs.all().delete()
    BomOutput.objects.bulk_create(
        BomOutput(
            bom=draft,
            position=position,
            kind=spec.kind,
            item=spec.item,
            quantity=spec.quantity,
            cost_share_percent=spec.cost_share_percent,
            unit_value=spec.unit_value,
        )
        for position, spec in enumerate(specs, start=1)
    )


def write_operations(draft: Bom, specs: Sequence[OperationSpec]) -> None:
    """Give a draft exactly these operations, in this order."""
    draft.operations.all().delete()
    BomOperation.objects.bulk_create(
        BomOperation(
            bom=draft,
            position=position,
            kind=spec.kind,
            name=spec.name.strip(),
            minutes=spec.minutes,
            setup_minutes=spec.setup_minutes,
            rate_per_hour=spec.rate_per_hour,
            amount=spec.amount,
            instructions=spec.instructions,
        )
        for position, spec in enumerate(specs, start=1)
    )


def copy_substitutes(source: Bom, draft: Bom) -> None:
    """Give lines of a new draft the substitutes of the same components in `source`, the first of the first, and so on."""
    lines = {key: line.pk for key, line in _by_occurrence(draft).items()}
    old = {line.pk: key for key, line in _by_occurrence(source).items()}
    found = BomSubstitute.objects.filter(line__bom=source).select_related("line").order_by("line", "position", "id")
    BomSubstitute.objects.bulk_create(
        BomSubstitute(line_id=lines[key], position=one.position, item_id=one.item_id, ratio=one.ratio)
        for one in found
        if (key := old[one.line_id]) in lines and one.item_id != key[0]
    )


def copy_parts(source: Bom, draft: Bom) -> None:
    """Copy by-products and operations; what the draft itself makes is left out of the first."""
    outputs = [output for output in source.outputs.order_by("position", "id") if output.item_id != draft.item_id]
    operations = list(source.operations.order_by("position", "id"))
    for output in outputs:
        output.pk, output.bom = None, draft
        output._state.adding = True
    for operation in operations:
        operation.pk, operation.bom = None, draft
        operation._state.adding = True
    BomOutput.objects.bulk_create(outputs)
    BomOperation.objects.bulk_create(operations)


def copy_attachments(source: Bom, draft: Bom) -> None:
    """Let a new draft show the files of `source`; the files themselves are shared."""
    attachments = list(source.attachments.order_by("name", "id"))
    for row in attachments:
        row.pk, row.bom = None, draft
        row._state.adding = True
    BomAttachment.objects.bulk_create(attachments)


def _by_occurrence(bom: Bom) -> dict[tuple[int, int], BomLine]:
    counted: dict[int, int] = {}
    found = {}
    for line in bom.lines.order_by("position", "id"):
        nth = counted.get(line.component_id, 0)
        counted[line.component_id] = nth + 1
        found[(line.component_id, nth)] = line
    return found
