"""Whether lines would make a usable BOM, for a form, an import row or an operation: two statements whatever their number."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from django.db import connection
from django.utils import timezone

from inventory.errors import InvalidQuantity, ItemInactive
from inventory.models import Item, ItemKind, ItemUnit
from inventory.quantities import ZERO, is_exact
from production.bom_checks import BomLineSpec, BomProblem, BomSurroundings, Use, check_lines
from production.bom_content import BomContent, check_parts
from production.errors import InvalidBom
from production.reads.structures import IN_FORCE

_BELOW = f"""
WITH RECURSIVE usable AS NOT MATERIALIZED (
  SELECT b.id, b.item_id, b.version, b.state, {IN_FORCE} AS is_in_force FROM production_bom b
  WHERE b.id IS DISTINCT FROM %(except)s
    AND (b.state = 'draft' OR b.state = 'active' AND (b.effective_to IS NULL OR b.effective_to > %(today)s))
), reached(item_id) AS (
  SELECT unnest(%(components)s::bigint[])
  UNION
  SELECT l.component_id FROM reached r JOIN usable u ON u.item_id = r.item_id JOIN production_bomline l ON l.bom_id = u.id
)
SELECT u.item_id, i.sku, u.version, u.state, u.is_in_force, l.component_id, c.sku, l.is_phantom OR c.kind = 'phantom'
FROM reached r JOIN usable u ON u.item_id = r.item_id JOIN inventory_item i ON i.id = u.item_id
LEFT JOIN production_bomline l ON l.bom_id = u.id LEFT JOIN inventory_item c ON c.id = l.component_id
ORDER BY u.item_id, u.version, l.position, l.id
"""


def check_bom(
    *,
    item: Item,
    lines: Sequence[BomLineSpec],
    makes: Decimal = Decimal(1),
    bom_id: int | None = None,
    in_force_on: date | None = None,
) -> list[BomProblem]:
    """Everything that is wrong with `lines` as a BOM of `item`; an empty list when it can stand.

    `bom_id` is the draft these lines replace, whose stored lines then do not count. Loops are looked for over all
    versions that are, or can become, active. With `in_force_on` exploded components need a BOM in force on that day, as
    activation asks; without, any version that can become active will do.
    """
    problems = [BomProblem(None, "item", error) for error in _item(item)]
    if not is_exact(makes) or makes <= ZERO:
        problems.append(
            BomProblem(
                None,
                "makes",
                InvalidQuantity(
                    f"A batch that makes {makes} {item.stock_unit} of {item.sku} is no BOM. "
                    "Give a positive number, with at most six decimal places.",
                    item=item.sku,
                    makes=str(makes),
                ),
            )
        )
    return problems + check_lines(item=item, lines=lines, around=_around(lines, bom_id=bom_id, on=in_force_on))


def check_content(
    *, item: Item, content: BomContent, bom_id: int | None = None, in_force_on: date | None = None
) -> list[BomProblem]:
    """`check_bom` for a whole version: head, lines with substitutes, by-products and operations."""
    problems = check_bom(
        item=item, lines=content.lines, makes=content.head.makes, bom_id=bom_id, in_force_on=in_force_on
    )
    return problems + check_parts(item=item, content=content)


def problems_of(*, items: Mapping[int, Item], contents: Mapping[int, BomContent]) -> dict[int, list[BomProblem]]:
    """`check_content` for many stored versions, by BOM id; `items` are what they make. Two statements whatever their number."""
    lines = [line for content in contents.values() for line in content.lines]
    around = _around(lines, bom_id=None, on=None)
    return {
        bom_id: [
            *(BomProblem(None, "item", error) for error in _item(items[bom_id])),
            *check_lines(item=items[bom_id], lines=content.lines, around=around),
            *check_parts(item=items[bom_id], content=content),
        ]
        for bom_id, content in contents.items()
    }


def packs_of_many(components: Sequence[int]) -> dict[int, dict[str, Fraction]]:
    """The own units of items in lower case, each in stock units, by item id. One statement."""
    packs: dict[int, dict[str, Fraction]] = {}
    for unit in ItemUnit.objects.filter(item_id__in=components):
        packs.setdefault(unit.item_id, {})[unit.name.casefold()] = Fraction(unit.numerator) / Fraction(unit.denominator)
    return packs


def _item(item: Item) -> list[ItemInactive | InvalidBom]:
    if item.kind == ItemKind.SERVICE:
        return [InvalidBom(f"{item.sku} is a service and is not made. Choose another kind for it.", item=item.sku)]
    if not item.is_active:
        return [ItemInactive(f"{item.sku} is inactive. Set it active again before giving it a BOM.", item=item.sku)]
    return []


def _named(line: BomLineSpec) -> list[int]:
    return [line.component.pk, *(substitute.item.pk for substitute in line.substitutes or ())]


def _around(lines: Sequence[BomLineSpec], *, bom_id: int | None, on: date | None) -> BomSurroundings:
    components = sorted({item_id for line in lines for item_id in _named(line)})
    today = timezone.localdate()
    with connection.cursor() as cursor:
        cursor.execute(_BELOW, {"components": components, "except": bom_id, "on": on or today, "today": today})
        rows = cursor.fetchall()
    uses: list[Use] = []
    skus: dict[int, str] = {}
    with_bom: set[int] = set()
    for item_id, sku, version, state, is_in_force, component_id, component_sku, explodes in rows:
        skus[item_id] = sku
        if is_in_force or on is None:
            with_bom.add(item_id)
        if component_id is not None:
            skus[component_id] = component_sku
            uses.append(Use(item_id, component_id, f"{sku} v{version} ({state})", explodes))
    advice = "Make its BOM first, or untick explode." if on is None else f"Activate one that is in force on {on} first."
    return BomSurroundings(packs_of_many(components), uses, skus, frozenset(with_bom), advice)
