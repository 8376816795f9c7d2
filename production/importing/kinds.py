"""The tables of production that can be imported."""

from inventory.importing.running import register_kind
from production.importing.boms import BOMS

register_kind(BOMS)
