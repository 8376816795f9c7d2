"""What a list of versions says beside what is stored: cost, and whether the version can be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from production.bom_checks import BomProblem
from production.models import Bom, BomState
from production.reads.bom_check import problems_of
from production.reads.bom_content import contents_of
from production.reads.cost_rollup import CostRollup, cost_rollups


@dataclass(frozen=True, slots=True)
class BomRow:
    """One version in a list. A retired version is not checked, for nobody uses it."""

    bom: Bom
    rollup: CostRollup | None
    problems: Sequence[BomProblem]
    line_count: int

    @property
    def unit_cost(self) -> Decimal | None:
        return self.rollup.unit_cost if self.rollup else None

    @property
    def is_checked(self) -> bool:
        return self.bom.state != BomState.RETIRED

    @property
    def missing(self) -> Sequence[str]:
        """SKUs whose unknown cost makes the cost unknown."""
        return [item.sku for item in self.rollup.missing] if self.rollup else []


def bom_rows(boms: Sequence[Bom]) -> list[BomRow]:
    """Rows for versions that were read with their items. Twelve statements whatever their number and size."""
    ids = [bom.pk for bom in boms]
    rollups = cost_rollups(boms=ids)
    contents = contents_of(boms=ids)
    checked = {bom.pk: bom.item for bom in boms if bom.state != BomState.RETIRED}
    problems = problems_of(items=checked, contents={pk: contents[pk] for pk in checked if pk in contents})
    return [
        BomRow(
            bom,
            rollups.get(bom.pk),
            problems.get(bom.pk, []),
            len(contents[bom.pk].lines) if bom.pk in contents else 0,
        )
        for bom in boms
    ]
