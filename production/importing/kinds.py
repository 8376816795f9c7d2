"""The tables of production that can be imported."""

from inventory.importing.exporting import register_export, register_without_export
from inventory.importing.running import register_kind
from production.importing.boms import BOMS
from production.importing.completions import COMPLETIONS
from production.importing.exports import BOMS_OUT
from production.importing.inspection_plans import INSPECTION_PLANS, INSPECTION_PLANS_OUT

register_kind(BOMS)
register_export(BOMS_OUT)
register_kind(INSPECTION_PLANS)
register_export(INSPECTION_PLANS_OUT)
register_kind(COMPLETIONS)
register_without_export(
    COMPLETIONS.name, "The rows are postings, made once; the list of completions exports what it shows."
)
