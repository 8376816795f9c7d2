"""What is written down of items, places, lots and suppliers is news too, where what can be promised follows from it.

An item that may not be sold any more, a place that is blocked, an expiry date that is corrected: nothing is posted, and yet
other figures follow. Whoever saves such things saves them through here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from django.db import connection
from django.db.models import Model

from inventory.arrays import numbers
from inventory.bulk import as_one_act
from inventory.models import Item, ItemCategory, Location, Lot, Supplier, SupplierItem
from inventory.operations.posting import Actor
from inventory.operations.telling import tell_changed
from inventory.operations.transactions import operation

_SAYS: dict[type[Model], frozenset[str]] = {
    Item: frozenset({"is_active", "is_sellable", "category", "kind", "stock_unit", "step", "negative_allowed"}),
    ItemCategory: frozenset({"parent"}),
    Location: frozenset(
        {"is_active", "is_sellable", "is_blocked", "parent", "kind", "owner", "stock_as_of", "freshness_hours"}
    ),
    Lot: frozenset({"expires_on", "owner"}),
    Supplier: frozenset({"is_active"}),
    SupplierItem: frozenset({"supplier", "item"}),
}
"""Fields that what can be promised rests on."""
_CAUSES: dict[type[Model], str] = {
    Item: "item",
    ItemCategory: "category",
    Location: "place",
    Lot: "lot",
    Supplier: "supplier",
    SupplierItem: "supplier item",
}
_ITEMS: dict[type[Model], str] = {
    Item: "SELECT unnest(%(ids)s::bigint[])",
    ItemCategory: "WITH RECURSIVE below(id) AS (SELECT unnest(%(ids)s::bigint[]) UNION"
    " SELECT c.id FROM inventory_itemcategory c JOIN below b ON c.parent_id = b.id)"
    " SELECT i.id FROM inventory_item i JOIN below ON i.category_id = below.id",
    Location: "SELECT DISTINCT b.item_id FROM inventory_location top"
    " JOIN inventory_location p ON p.path LIKE top.path || '%%'"
    " JOIN inventory_stockbalance b ON b.location_id = p.id WHERE top.id = ANY(%(ids)s::bigint[]) AND b.quantity <> 0",
    Lot: "SELECT item_id FROM inventory_lot WHERE id = ANY(%(ids)s::bigint[])",
    Supplier: "SELECT item_id FROM inventory_supplieritem WHERE supplier_id = ANY(%(ids)s::bigint[])",
    SupplierItem: "SELECT item_id FROM inventory_supplieritem WHERE id = ANY(%(ids)s::bigint[])",
}


@operation
def save_and_tell(*, instance: Model, save: Callable[[], object], actor: Actor) -> None:
    """Save something by `save`, and leave news of the items of which more or less can be promised for what changed in it.

    A new object is no news: nothing rests on it yet.
    """
    model = type(instance)
    if not changed_fields(instance):
        save()
        return
    before = _items_of(model, [instance.pk])
    save()
    _tell(model, {*before, *_items_of(model, [instance.pk])}, actor)


@operation
def delete_and_tell(*, instances: Collection[Model], delete: Callable[[], object], actor: Actor) -> None:
    """Delete things by `delete`, and leave news of the items that rested on them."""
    found = {(type(one), one.pk) for one in instances}
    told = {model: _items_of(model, [pk for kind, pk in found if kind is model]) for model, _ in found}
    delete()
    for model, items in told.items():
        _tell(model, set(items), actor)


def changed_fields(instance: Model) -> frozenset[str]:
    """The fields figures rest on in which something differs from what is stored; none for what is new."""
    wanted = _SAYS.get(type(instance))
    if wanted is None or instance.pk is None:
        return frozenset()
    stored = type(instance)._default_manager.filter(pk=instance.pk).first()
    if stored is None:
        return frozenset()
    columns = {name: instance._meta.get_field(name).attname for name in wanted}  # type: ignore[union-attr]
    return frozenset(name for name, column in columns.items() if getattr(instance, column) != getattr(stored, column))


def tell_described(*, instances: Sequence[Model], fields: Iterable[str]) -> None:
    """Leave news of the items that rest on objects of one kind whose `fields` changed; part of the present
    transaction. Who changed them is known from the bulk act around it."""
    if not instances:
        return
    model = type(instances[0])
    if _SAYS.get(model, frozenset()).isdisjoint(fields):
        return
    tell_changed(items=_items_of(model, [one.pk for one in instances]), cause=_CAUSES[model])


def _tell(model: type[Model], items: Collection[int], actor: Actor) -> None:
    """News of what a person changed; one of a place or a category may touch a whole shop."""
    cause = _CAUSES.get(model, "")
    with as_one_act(cause, items=len(items)):
        tell_changed(items=items, cause=cause, actor=actor)


def _items_of(model: type[Model], ids: Collection[int]) -> list[int]:
    if model not in _ITEMS or not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS[model], {"ids": numbers(ids)})
        return [item_id for (item_id,) in cursor.fetchall()]
