"""A company with one product of ten levels: every made item with work, every tenth line with scrap, what is bought with a cost.

`tree`: each item stands below one other, 10,000 items in all, more on each level than above. `net`: 1,000 items a level, each
made of three of the next, so that most stand below several.
"""

import random
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from inventory.models import CostPool, Item, ItemKind
from production.models import Bom, BomLine, BomOperation

LEVELS = 10
NODES = 10_000
_FIRST_DAY = date(2020, 1, 1)
SEED = 1

Edge = tuple[int, int, int]
"""Above, below, and how many; items are counted from 0, which is the product."""


def tree(*, levels: int = LEVELS, nodes: int = NODES) -> list[Edge]:
    """Each item below one other; a level has about 2.8 times the items of the one above it."""
    choose = random.Random(SEED)
    growth = (nodes - 1) ** (1 / (levels - 1))
    sizes = [growth**level for level in range(1, levels)]
    scale = (nodes - 1) / sum(sizes)
    rows = [[0]]
    edges: list[Edge] = []
    following = 1
    for level, size in enumerate(sizes, start=1):
        count = nodes - following if level == levels - 1 else max(1, round(size * scale))
        rows.append(list(range(following, following + count)))
        following += count
        edges += [(rows[-2][n % len(rows[-2])], item, choose.randint(1, 4)) for n, item in enumerate(rows[-1])]
    return edges


def net(*, levels: int = LEVELS, nodes: int = NODES) -> list[Edge]:
    """Each item made of three of the next level; the first of all is the product."""
    choose = random.Random(SEED)
    width = nodes // levels
    edges: list[Edge] = []
    for level in range(levels - 1):
        below = range((level + 1) * width, (level + 2) * width)
        for above in range(level * width, (level + 1) * width):
            edges += [(above, item, choose.randint(1, 2)) for item in choose.sample(below, 3)]
    return edges


def make_structure(*, name: str, edges: Sequence[Edge]) -> int:
    """Items, versions in force, lines and work. Returns the BOM id of the product.

    What is bought has stock of known cost or a standard cost, turn about.
    """
    made = {above for above, _, _ in edges}
    count = max(max(edge[:2]) for edge in edges) + 1
    items = Item.objects.bulk_create(
        Item(
            sku=f"{name}-{n}",
            name=f"Part {n}",
            kind=ItemKind.PRODUCT if n == 0 else ItemKind.MATERIAL,
            step=Decimal("0.001"),
            standard_cost=None if n in made or n % 2 else Decimal(n % 97 + 1) / 8,
        )
        for n in range(count)
    )
    numbers = sorted(made)
    boms = dict(zip(numbers, Bom.objects.bulk_create(Bom(item=items[n], version=1) for n in numbers), strict=True))
    BomLine.objects.bulk_create(
        BomLine(
            bom=boms[above],
            position=position,
            component=items[below],
            quantity=Decimal(often),
            scrap_percent=Decimal("2.5") if position % 10 == 0 else Decimal(0),
        )
        for position, (above, below, often) in enumerate(edges)
    )
    BomOperation.objects.bulk_create(
        BomOperation(bom=bom, name="Assemble", minutes=Decimal(n % 7 + 1), rate_per_hour=Decimal(42))
        for n, bom in boms.items()
    )
    Bom.objects.filter(pk__in=[bom.pk for bom in boms.values()]).update(state="active", effective_from=_FIRST_DAY)
    CostPool.objects.bulk_create(
        CostPool(item=items[n], quantity=Decimal(n % 13 + 1), value=Decimal(n % 101 + 7) / 10)
        for n in range(count)
        if n not in made and n % 2
    )
    return boms[0].pk
