"""What replacing a component in many BOMs does: each draft against the version it would follow, and the products above."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from inventory.reads.availability import availability
from production.models import Bom, BomReplacement, BomState
from production.operations.boms import overtaken_by
from production.reads.bom_content import head_of
from production.reads.bom_diff import BomDiff, Side, compare, stored_substitutes
from production.reads.cost_rollup import CostBook, as_unit_cost, cost_book
from production.reads.structures import ItemFact, load_structures
from production.reads.where_used import where_used


@dataclass(frozen=True, slots=True)
class DraftReview:
    """One draft, the version in force it would follow (None: there is none), and what differs."""

    draft: Bom
    before: Bom | None
    difference: BomDiff | None
    meanwhile: Bom | None = None
    """The version that was activated since the draft was made of another one: what it changed is undone by the draft."""


@dataclass(frozen=True, slots=True)
class CostEffect:
    """Cost of one unit of a product before and after all drafts, by what its BOMs add up to; None while unknown."""

    item: ItemFact
    level: int
    is_top: bool
    before: Decimal | None
    after: Decimal | None

    @property
    def change(self) -> Decimal | None:
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True, slots=True)
class ReplacementReview:
    drafts: Sequence[DraftReview]
    effects: Sequence[CostEffect]
    """Everything that is made with the component or its replacement on some level, nearest first."""


def replacement_review(*, replacement: BomReplacement) -> ReplacementReview:
    """The review of a replacement. Twelve statements at most, whatever the number of drafts.

    What the products cost is rolled up from their BOMs down to the replaced component, not taken from the average of what
    lies in stock, for that was made as it was before.
    """
    drafts = list(Bom.objects.filter(replacement=replacement).select_related("item").order_by("item__sku", "version"))
    above = list(where_used(item_id=replacement.component_id).above)
    if replacement.activated_at is not None:
        known = {use.item_id for use in above}
        above += [use for use in where_used(item_id=replacement.replacement_id).above if use.item_id not in known]
    items = sorted({draft.item_id for draft in drafts} | {use.item_id for use in above})
    structures = load_structures(items=items, boms=[draft.pk for draft in drafts])
    others = _others(drafts)
    before_ids = _before(drafts, others)
    missing = [bom_id for bom_id in before_ids.values() if bom_id not in structures.boms]
    if missing:
        structures = load_structures(items=items, boms=[*(draft.pk for draft in drafts), *missing])
    overtaken = {draft.pk: overtaken_by(draft, others.get(draft.item_id, ())) for draft in drafts}
    befores = Bom.objects.select_related("item").in_bulk(list(before_ids.values()))
    book = cost_book(structures)
    stock = availability(items=list(structures.items))
    substitutes = stored_substitutes([*(draft.pk for draft in drafts), *befores])
    reviews = []
    for draft in drafts:
        before = befores.get(before_ids.get(draft.pk, 0))
        difference = None
        if before is not None:
            difference = compare(
                book,
                stock,
                old=Side(before.pk, head_of(before), substitutes),
                new=Side(draft.pk, head_of(draft), substitutes),
            )
        reviews.append(DraftReview(draft, before, difference, overtaken.get(draft.pk)))
    rolled = {item_id for item_id in items if item_id in structures.in_force}
    averages = {item_id: value for item_id, value in book.averages.items() if item_id not in rolled}
    in_force = dict(structures.in_force)
    old = _costs(book, averages, rolled, {**in_force, **{b.item_id: b.pk for b in befores.values()}})
    new = _costs(book, averages, rolled, {**in_force, **{draft.item_id: draft.pk for draft in drafts}})
    structures.in_force = in_force
    effects = [
        CostEffect(structures.items[use.item_id], use.level, use.is_top, old.get(use.item_id), new.get(use.item_id))
        for use in above
        if use.item_id in structures.items
    ]
    return ReplacementReview(reviews, sorted(effects, key=lambda effect: (effect.level, effect.item.sku)))


def _others(drafts: Sequence[Bom]) -> dict[int, list[Bom]]:
    """By item the versions that are, or were, in force, in the order of their first days."""
    others = Bom.objects.filter(item__in=[draft.item_id for draft in drafts]).exclude(state=BomState.DRAFT)
    by_item: dict[int, list[Bom]] = {}
    for bom in others.order_by("effective_from", "version"):
        by_item.setdefault(bom.item_id, []).append(bom)
    return by_item


def _before(drafts: Sequence[Bom], by_item: Mapping[int, list[Bom]]) -> dict[int, int]:
    """For each draft the version it follows: of one that waits the newest that was activated, else the one before."""
    found = {}
    for draft in drafts:
        earlier = [bom.pk for bom in by_item.get(draft.item_id, []) if draft.is_draft or bom.version < draft.version]
        if earlier:
            found[draft.pk] = earlier[-1]
    return found


def _costs(
    book: CostBook, averages: dict[int, Fraction], items: set[int], in_force: dict[int, int]
) -> dict[int, Decimal | None]:
    """Rolled-up costs with these versions in force; a book of its own, for it remembers what it worked out."""
    book.structures.in_force = in_force
    fresh = CostBook(book.structures, averages, book.extras)
    return {item_id: as_unit_cost(fresh.of_item(item_id).value) for item_id in items}
