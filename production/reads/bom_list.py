"""What a list of versions says beside what is stored: cost, and whether the version can be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from inventory.models import Item
from production.bom_checks import BomProblem
from production.models import Bom, BomState
from production.reads.bom_check import problems_of
from production.reads.bom_content import contents_of
from production.reads.cost_rollup import as_unit_cost
from production.reads.whole_costs import whole_costs_of


@dataclass(frozen=True, slots=True)
class BomRow:
    """One version in a list. A retired version is not checked, for nobody uses it."""

    bom: Bom
    unit_cost: Decimal | None
    """To six places; None while unknown."""
    missing: Sequence[str]
    """SKUs whose unknown cost makes it so."""
    problems: Sequence[BomProblem]
    line_count: int

    @property
    def is_checked(self) -> bool:
        return self.bom.state != BomState.RETIRED


def bom_rows(boms: Sequence[Bom]) -> list[BomRow]:
    """Rows for versions that were read with their items. Eleven statements whatever their number and size."""
    ids = [bom.pk for bom in boms]
    costs = whole_costs_of(boms=ids)
    unknown = {item for missing in costs.missing.values() for item in missing}
    sku_of = dict(Item.objects.filter(pk__in=unknown).order_by().values_list("pk", "sku"))
    contents = contents_of(boms=ids)
    checked = {bom.pk: bom.item for bom in boms if bom.state != BomState.RETIRED}
    problems = problems_of(items=checked, contents={pk: contents[pk] for pk in checked if pk in contents})
    return [
        BomRow(
            bom,
            as_unit_cost(costs.of_bom(bom.pk)),
            sorted(sku_of[item] for item in costs.missing.get(bom.pk, ())),
            problems.get(bom.pk, []),
            len(contents[bom.pk].lines) if bom.pk in contents else 0,
        )
        for bom in boms
    ]
