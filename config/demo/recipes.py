"""The next recipe of the lavender candle as it is being worked out: work, packaging, a substitute, instructions and a sheet."""

from dataclasses import replace
from decimal import Decimal

from config.demo.steps import item
from inventory.operations.posting import Actor
from production.bom_checks import SubstituteSpec
from production.bom_content import OperationSpec
from production.models import Bom, BomState
from production.operations.bom_content import write_bom
from production.operations.bom_files import attach_file
from production.reads.bom_content import content_of

_SHEET = b"""Pouring sheet, lavender candle

1. Melt the wax to 78 C and let it fall to 68 C.
2. Stir in the fragrance for two minutes.
3. Pour to 8 mm below the rim; the jars must be at room temperature.
4. Leave to set for 24 hours before lids go on.
"""


def ensure_recipes(actor: Actor) -> None:
    """Fill in the draft on trial, once."""
    drafts = Bom.objects.filter(item=item("CANDLE-LAVENDER"), state=BomState.DRAFT).order_by("version")
    draft = drafts.filter(operations=None).first()
    if draft is None or draft.revision > 2:  # somebody works on it
        return
    content = content_of(draft)
    beeswax = item("WAX-BEES")
    lines = [
        replace(line, substitutes=(SubstituteSpec(beeswax, Decimal("0.95")),))
        if line.component.sku == "WAX-SOY"
        else line
        for line in content.lines
    ]
    operations = [
        OperationSpec("Melt and pour", minutes=Decimal(50), setup_minutes=Decimal(15), rate_per_hour=Decimal(24)),
        OperationSpec("Label and pack", kind="packaging", minutes=Decimal(30), rate_per_hour=Decimal(18)),
        OperationSpec("Workshop", kind="overhead", amount=Decimal("6.40")),
    ]
    head = replace(
        content.head, instructions="Follow the pouring sheet.\nWrite the pouring temperature on the traveller."
    )
    content = replace(content, head=head, lines=lines, operations=operations)
    write_bom(bom=draft, content=content, revision=None, actor=actor)
    attach_file(bom=draft, name="Pouring sheet.txt", content=_SHEET, actor=actor)
