"""The actual quantities of a row, from the words of a cell to components, stock units and lots."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from django.db.models.functions import Upper

from inventory.errors import InvalidQuantity
from inventory.models import Item, Lot
from inventory.quantities import ZERO, as_text
from production.forms import packs_by_item
from production.models import VarianceCause
from production.operations.completing import Actual
from production.typed import in_stock_unit, read_quantity
from production.typed_actuals import TypedActual, read_actuals

Packs = Mapping[int, Mapping[str, Fraction]]


def actuals_of(text: str) -> list[Actual]:
    """What a cell says was used, in stock units. Raises DomainError for words, items, units or lots that cannot be used.

    Three statements at most, whatever the number of components.
    """
    typed = read_actuals(text)
    if not typed:
        return []
    names = {name for actual in typed for name in (actual.component, actual.replaces) if name}
    items = _items(names)
    packs: Packs = packs_by_item([item.pk for item in items.values()]) if any(map(_names_unit, typed)) else {}
    lots = _lots(typed, items)
    return [_actual(actual, items, packs, lots) for actual in typed]


def _items(names: set[str]) -> dict[str, Item]:
    wanted = {name.upper() for name in names}
    found = Item.objects.annotate(upper_sku=Upper("sku")).filter(upper_sku__in=wanted)
    items = {item.sku.upper(): item for item in found}
    unknown = sorted(name for name in names if name.upper() not in items)
    if unknown:
        raise InvalidQuantity(f"There is no item {unknown[0]}. Name components by their SKU.", item=unknown[0])
    return items


def _names_unit(actual: TypedActual) -> bool:
    texts = (actual.quantity, actual.spoiled, *(quantity for _, quantity in actual.lots))
    return any(character.isalpha() for text in texts for character in text)


def _lots(typed: Sequence[TypedActual], items: Mapping[str, Item]) -> dict[tuple[int, str], Lot]:
    wanted = {(items[actual.component.upper()].pk, code.upper()) for actual in typed for code, _ in actual.lots}
    if not wanted:
        return {}
    found = Lot.objects.annotate(upper_code=Upper("code")).filter(
        item__in={item_id for item_id, _ in wanted}, upper_code__in={code for _, code in wanted}
    )
    return {(lot.item_id, lot.code.upper()): lot for lot in found}


def _actual(typed: TypedActual, items: Mapping[str, Item], packs: Packs, lots: Mapping[tuple[int, str], Lot]) -> Actual:
    component = items[typed.component.upper()]
    replaces = items[typed.replaces.upper()] if typed.replaces else None
    quantity = _in_stock_unit(typed.quantity, component, packs)
    spoiled = _in_stock_unit(typed.spoiled, component, packs) if typed.spoiled else ZERO
    cause = ""
    if replaces is not None:
        cause = VarianceCause.SUBSTITUTE.value
    elif spoiled:
        cause = VarianceCause.SCRAP.value
    return Actual(
        component=component,
        quantity=quantity,
        reason=(typed.reason or (str(VarianceCause.SCRAP.label) if spoiled else ""))[:100],
        lots=_chosen(typed, component, quantity, packs, lots),
        replaces=replaces,
        scrapped=spoiled,
        cause=cause,
    )


def _chosen(
    typed: TypedActual, component: Item, quantity: Decimal, packs: Packs, lots: Mapping[tuple[int, str], Lot]
) -> list[tuple[Lot, Decimal]]:
    chosen: list[tuple[Lot, Decimal | None]] = []
    for code, text in typed.lots:
        lot = lots.get((component.pk, code.upper()))
        if lot is None:
            raise InvalidQuantity(f"{component.sku} has no lot {code}. Check its code.", item=component.sku, lot=code)
        chosen.append((lot, _in_stock_unit(text, component, packs) if text else None))
    rest = quantity - sum((part for _, part in chosen if part is not None), ZERO)
    if rest <= ZERO and any(part is None for _, part in chosen):
        raise InvalidQuantity(
            f"Nothing of {as_text(quantity)} {component.stock_unit} of {component.sku} is left for the lot without a "
            "quantity. Change the quantities of the lots.",
            item=component.sku,
        )
    return [(lot, rest if part is None else part) for lot, part in chosen]


def _in_stock_unit(text: str, item: Item, packs: Packs) -> Decimal:
    return in_stock_unit(
        read_quantity(text), sku=item.sku, stock_unit=item.stock_unit, step=item.step, packs=packs.get(item.pk, {})
    )
