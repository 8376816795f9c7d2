"""The tables of production that can be imported."""

from inventory.importing.exporting import register_export
from inventory.importing.running import register_kind
from production.importing.boms import BOMS
from production.importing.exports import BOMS_OUT

register_kind(BOMS)
register_export(BOMS_OUT)
