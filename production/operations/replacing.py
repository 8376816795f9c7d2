"""Replacing one component by another in many BOMs: drafts for all of them at once, looked at together, activated together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from django.contrib.auth import get_user_model
from django.utils import timezone

from inventory.errors import InvalidQuantity, InvalidUnit, WrongState
from inventory.models import Item
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import PLACES, ZERO, as_text, is_exact, round_half_up, to_decimal
from production.bom_checks import BomLineSpec, SubstituteSpec, line_factor
from production.bom_content import BomContent
from production.errors import InvalidBom
from production.models import Bom, BomReplacement, BomState
from production.operations.bom_content import write_bom
from production.operations.boms import Activation, activate_bom, create_draft, discard_draft, lock_graph
from production.reads.bom_check import packs_of_many
from production.reads.bom_content import contents_of

BOMS_MAX = 200


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is replaced by what: `factor` stock units of the new item stand for one stock unit of the old one."""

    component: Item
    replacement: Item
    factor: Decimal = Decimal(1)


@operation
def replace_component(*, boms: Sequence[Bom], exchange: Exchange, note: str = "", actor: Actor) -> BomReplacement:
    """Make a draft of each of `boms` in which the component is replaced. All drafts are made, or none.

    Quantities stay in the unit they were typed in where that means the same for both items, else they are written in the stock
    unit of the new one. Its substitutes stay, with their ratio to the new item; what replaces is no longer among them.
    Raises InvalidBom or BomCycle with the problems of the first BOM that has any, InvalidQuantity for a factor that is none.
    """
    _check(exchange, boms)
    lock_graph()
    record = BomReplacement.objects.create(
        component=exchange.component,
        replacement=exchange.replacement,
        factor=exchange.factor,
        note=note,
        created_by=actor if isinstance(actor, get_user_model()) else None,
    )
    packs = packs_of_many([exchange.component.pk, exchange.replacement.pk])
    contents = contents_of(boms=[bom.pk for bom in boms])
    words = f"{exchange.replacement.sku} instead of {exchange.component.sku}"
    for bom in sorted(boms, key=lambda one: one.pk):
        content = contents[bom.pk]
        if not any(line.component.pk == exchange.component.pk for line in content.lines):
            raise InvalidBom(
                f"BOM v{bom.version} of {bom.item.sku} has no line with {exchange.component.sku}. Leave it out.",
                item=bom.item.sku,
            )
        draft = create_draft(item=bom.item, copy_of=bom, note=f"{words}. {note}".strip()[:2000], actor=actor)
        lines = [_exchanged(line, exchange, packs) for line in content.lines]
        head = replace(content.head, note=draft.note, effective_from=None)
        write_bom(
            bom=draft,
            content=BomContent(head, lines, content.outputs, content.operations),
            revision=None,
            actor=actor,
        )
        Bom.objects.filter(pk=draft.pk).update(replacement=record)
    return record


@operation
def activate_replacement(
    *, replacement: BomReplacement, effective_from: date | None = None, actor: Actor, over: Collection[int] = ()
) -> list[Activation]:
    """Put all drafts of a replacement in force from one day on (default today); all of them, or none.

    Drafts that were discarded meanwhile are left out. `over`: as for `activate_bom`. Raises WrongState when none is left, and
    what activating raises.
    """
    record, drafts = _locked(replacement)
    if not drafts:
        raise WrongState(
            f"No draft of {record} is left to activate. They were activated or discarded before.", replacement=record.pk
        )
    day = effective_from or timezone.localdate()
    activations = [activate_bom(bom=draft, effective_from=day, actor=actor, over=over) for draft in drafts]
    record.activated_at = timezone.now()
    record.save(update_fields=["activated_at"])
    return activations


@operation
def discard_replacement(*, replacement: BomReplacement, actor: Actor) -> int:
    """Discard all drafts of a replacement that are left, and the replacement with them when none was activated.

    Returns how many drafts were discarded.
    """
    record, drafts = _locked(replacement)
    for draft in drafts:
        discard_draft(bom=draft, actor=actor)
    if record.activated_at is None:
        record.delete()
    return len(drafts)


def _check(exchange: Exchange, boms: Sequence[Bom]) -> None:
    if not boms:
        raise InvalidBom("No BOM is chosen. Choose at least one in which the component is to be replaced.")
    if len(boms) > BOMS_MAX:
        raise InvalidBom(f"{len(boms)} BOMs are chosen, {BOMS_MAX} are replaced at a time. Do it in several goes.")
    if exchange.component.pk == exchange.replacement.pk:
        raise InvalidBom(
            f"{exchange.component.sku} would be replaced by itself. Choose another item.", item=exchange.component.sku
        )
    if not is_exact(exchange.factor) or exchange.factor <= ZERO:
        raise InvalidQuantity(
            f"A factor of {exchange.factor} is none. Give how much of {exchange.replacement.sku} stands for one "
            f"{exchange.component.stock_unit} of {exchange.component.sku}, above zero.",
            factor=str(exchange.factor),
        )


def _locked(replacement: BomReplacement) -> tuple[BomReplacement, list[Bom]]:
    """The record and its drafts that are left, with every version of their items locked by id."""
    record = BomReplacement.objects.select_for_update(of=("self",), no_key=True).filter(pk=replacement.pk).first()
    if record is None:
        raise WrongState("This replacement was discarded with its drafts.", replacement=replacement.pk)
    items = list(Bom.objects.filter(replacement=record).values_list("item_id", flat=True))
    rows = Bom.objects.filter(item_id__in=items).select_related("item").order_by("id")
    versions = list(rows.select_for_update(of=("self",), no_key=True))
    return record, [bom for bom in versions if bom.replacement_id == record.pk and bom.state == BomState.DRAFT]


def _exchanged(line: BomLineSpec, exchange: Exchange, packs: dict[int, dict[str, Fraction]]) -> BomLineSpec:
    if line.component.pk != exchange.component.pk:
        return line
    new = exchange.replacement
    before = line_factor(line, packs.get(exchange.component.pk, {}))
    unit, per_typed = line.unit, Fraction(exchange.factor)
    try:
        is_same = line_factor(replace(line, component=new), packs.get(new.pk, {})) == before
    except InvalidUnit:
        is_same = False
    if not is_same or (not unit and new.stock_unit != exchange.component.stock_unit):
        unit, per_typed = "", Fraction(exchange.factor) * before
    substitutes = tuple(
        SubstituteSpec(one.item, round_half_up(Fraction(one.ratio) / Fraction(exchange.factor), PLACES))
        for one in line.substitutes or ()
        if one.item.pk != new.pk
    )
    return replace(
        line,
        component=new,
        unit=unit,
        quantity=_times(line.quantity, per_typed, new),
        setup_quantity=_times(line.setup_quantity, per_typed, new),
        rounding_multiple=None if line.rounding_multiple is None else _times(line.rounding_multiple, per_typed, new),
        substitutes=substitutes,
    )


def _times(quantity: Decimal, factor: Fraction, item: Item) -> Decimal:
    exact = Fraction(quantity) * factor
    if (exact / Fraction(PLACES)).denominator != 1:
        raise InvalidQuantity(
            f"{as_text(quantity)} times the factor is no quantity of {item.sku} with six decimal places. "
            "Choose another factor, or replace this line by hand.",
            item=item.sku,
        )
    return to_decimal(exact)
