"""Stored versions as the content an editor, a file or a client works with. Seven statements whatever their number and size."""

from collections.abc import Collection

from production.bom_checks import BomLineSpec, SubstituteSpec
from production.bom_content import BomContent, HeadSpec, OperationSpec, OutputSpec
from production.models import Bom, BomLine

_PARTS = ("lines__component", "lines__substitutes__item", "outputs__item", "operations")


def content_of(bom: Bom) -> BomContent:
    """Everything the version holds, lines with their substitutes. Raises KeyError when it is no longer there."""
    return contents_of(boms=[bom.pk])[bom.pk]


def contents_of(*, boms: Collection[int]) -> dict[int, BomContent]:
    """The content of each version, by BOM id; those that are no longer there are left out."""
    found = Bom.objects.filter(pk__in=boms).prefetch_related(*_PARTS)
    return {
        bom.pk: BomContent(
            head=head_of(bom),
            lines=[line_of(line) for line in bom.lines.all()],
            outputs=[
                OutputSpec(
                    item=output.item,
                    quantity=output.quantity,
                    kind=output.kind,
                    cost_share_percent=output.cost_share_percent,
                    unit_value=output.unit_value,
                )
                for output in bom.outputs.all()
            ],
            operations=[
                OperationSpec(
                    name=operation.name,
                    kind=operation.kind,
                    minutes=operation.minutes,
                    setup_minutes=operation.setup_minutes,
                    rate_per_hour=operation.rate_per_hour,
                    amount=operation.amount,
                    instructions=operation.instructions,
                )
                for operation in bom.operations.all()
            ],
        )
        for bom in found
    }


def head_of(bom: Bom) -> HeadSpec:
    return HeadSpec(
        makes=bom.makes,
        effective_from=bom.effective_from,
        deviation_policy=bom.deviation_policy,
        deviation_tolerance_percent=bom.deviation_tolerance_percent,
        process_loss_percent=bom.process_loss_percent,
        capacity_per_day=bom.capacity_per_day,
        instructions=bom.instructions,
        note=bom.note,
    )


def line_of(line: BomLine) -> BomLineSpec:
    """A stored line as it was typed, its substitutes included. Prefetch `substitutes__item`."""
    return BomLineSpec(
        component=line.component,
        quantity=line.quantity,
        unit=line.unit,
        scrap_percent=line.scrap_percent,
        setup_quantity=line.setup_quantity,
        rounding_multiple=line.rounding_multiple,
        issue_method=line.issue_method,
        is_consumable=line.is_consumable,
        is_optional=line.is_optional,
        is_phantom=line.is_phantom,
        reference=line.reference,
        note=line.note,
        builds_shortage=line.builds_shortage,
        substitutes=tuple(SubstituteSpec(one.item, one.ratio) for one in line.substitutes.all()),
    )
