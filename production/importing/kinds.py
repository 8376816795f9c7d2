"""The tables of production that can be imported."""

from inventory.importing.exporting import register_export
from inventory.importing.running import register_kind
from production.importing.boms import BOMS
from production.importing.exports import BOMS_OUT
from production.importing.inspection_plans import INSPECTION_PLANS, INSPECTION_PLANS_OUT

register_kind(BOMS)
register_export(BOMS_OUT)
register_kind(INSPECTION_PLANS)
register_export(INSPECTION_PLANS_OUT)
