"""Groups that compete for components with the items in them, for pages and answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Exists, OuterRef
from django.utils import timezone

from inventory.models import Item, ItemKind
from inventory.models.items import ItemQuerySet
from inventory.quantities import ZERO
from production.contention import Group, Want, partition
from production.models import Bom
from production.reads.contention import ShopRead, alone
from production.reads.structures import ItemFact

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class MemberShown:
    """An item of a group: what it could make alone, and what is safe when all are promised together."""

    item: ItemFact
    alone: Decimal | None
    safe: Decimal | None


@dataclass(frozen=True, slots=True)
class SharedShown:
    component: ItemFact
    free: Decimal
    wanted: Decimal
    users: Sequence[ItemFact]

    @property
    def missing(self) -> Decimal:
        return self.wanted - self.free


@dataclass(frozen=True, slots=True)
class GroupShown:
    members: Sequence[MemberShown]
    shared: Sequence[SharedShown]


def made_items() -> ItemQuerySet:
    """Active items with a BOM in force that can be stocked."""
    in_force = Bom.objects.in_force(on=timezone.localdate()).filter(item=OuterRef("pk"))
    return Item.objects.filter(Exists(in_force), is_active=True).exclude(kind=ItemKind.PHANTOM)


def shown_group(read: ShopRead, group: Group) -> GroupShown:
    """A group with what is safe for each when every one gets the same share of what it could make alone."""
    most = alone(read, group.items)
    wanted = {item_id: Want(quantity or _ONE, quantity) for item_id, quantity in most.items()}
    safe = partition(read.shop, {item_id: want for item_id, want in wanted.items() if want.most})
    members = [MemberShown(read.items[item_id], most[item_id], safe.get(item_id, ZERO)) for item_id in most]
    return GroupShown(
        sorted(members, key=lambda member: member.item.sku),
        [
            SharedShown(read.items[one.component_id], one.free, one.wanted, [read.items[user] for user in one.users])
            for one in group.shared
        ],
    )
