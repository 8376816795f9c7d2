"""The tables of production that can be imported."""

from inventory.importing.exporting import register_export, register_without_export
from inventory.importing.running import register_kind
from production.importing.boms import BOMS
from production.importing.completions import COMPLETIONS
from production.importing.exports import (
    BOM_OPERATIONS_OUT,
    BOM_OUTPUTS_OUT,
    BOM_SETTINGS_OUT,
    BOM_SUBSTITUTES_OUT,
    BOMS_OUT,
)
from production.importing.inspection_plans import INSPECTION_PLANS, INSPECTION_PLANS_OUT
from production.importing.parts import BOM_OPERATIONS, BOM_OUTPUTS, BOM_SETTINGS, BOM_SUBSTITUTES

for _kind, _export in (
    (BOMS, BOMS_OUT),
    (BOM_SETTINGS, BOM_SETTINGS_OUT),
    (BOM_OUTPUTS, BOM_OUTPUTS_OUT),
    (BOM_OPERATIONS, BOM_OPERATIONS_OUT),
    (BOM_SUBSTITUTES, BOM_SUBSTITUTES_OUT),
    (INSPECTION_PLANS, INSPECTION_PLANS_OUT),
):
    register_kind(_kind)
    register_export(_export)

register_kind(COMPLETIONS)
register_without_export(
    COMPLETIONS.name, "The rows are postings, made once; the list of completions exports what it shows."
)
