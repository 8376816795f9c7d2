"""What a scan or a typed text means on the floor: a work order, or an item that is made."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from inventory.models import Item, ItemUnit
from inventory.whole_numbers import whole_number
from production.models import Bom, WorkOrder
from production.models.work_orders import WorkOrderQuerySet

MATCHES_MAX = 12
_TRAVELLER_CODE = re.compile(r"^https?://\S+/orders/([A-Za-z0-9-]+)/complete/?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be completed: a work order with its item, or an item alone."""

    item: Item
    work_order: WorkOrder | None = None

    @property
    def code(self) -> str:
        """What one would scan to come back here."""
        return self.work_order.number if self.work_order else self.item.sku


@dataclass(frozen=True, slots=True)
class Found:
    """One subject when the text is clear; else what it may mean, nearest first."""

    subject: Subject | None
    candidates: Sequence[Subject] = ()


def find_subject(text: str) -> Found:
    """The work order with this number, else the item with this SKU or barcode, else everything whose name fits."""
    text = _order_in(text.strip()[:250])
    if not text:
        return Found(None)
    order = _orders().filter(number__iexact=text).first()
    if order is not None:
        return Found(Subject(order.item, order))
    exact = Item.objects.filter(
        Q(sku__iexact=text)
        | Q(barcode=text)
        | Q(pk__in=ItemUnit.objects.filter(barcode=text).exclude(barcode="").values("item_id"))
    )
    items = list(exact.order_by("-is_active", "sku")[:MATCHES_MAX])
    by_sku = [item for item in items if item.sku.casefold() == text.casefold()]
    if by_sku or len(items) == 1:
        return Found(Subject((by_sku or items)[0]))
    candidates = [Subject(item) for item in items] or suggestions(text)
    if len(candidates) == 1:
        return Found(candidates[0])
    return Found(None, candidates)


def _order_in(text: str) -> str:
    """The order's number when the text is the address in the code of a traveller, else the text."""
    found = _TRAVELLER_CODE.search(text)
    return found.group(1) if found else text


def suggestions(text: str) -> list[Subject]:
    """Open work orders and makeable items that fit a text, at most MATCHES_MAX of each. Two queries."""
    text = text.strip()[:250]
    if not text:
        return []
    in_force = Bom.objects.in_force(on=timezone.localdate()).filter(item=OuterRef("pk"))
    items = list(Item.objects.active().stocked().matching(text).filter(Exists(in_force)).order_by("sku")[:MATCHES_MAX])
    orders = _orders().open().filter(Q(number__icontains=text) | Q(item__in=[item.pk for item in items]))
    found = [Subject(item) for item in items]
    found += [Subject(order.item, order) for order in orders.order_by("due_on", "id")[:MATCHES_MAX]]
    needle = text.casefold()
    return sorted(found, key=lambda subject: (not subject.code.casefold().startswith(needle),))


def find_component(text: str) -> Item | None:
    """The active item with stock that a text names without doubt."""
    items = Item.objects.active().stocked()
    exact = items.filter(sku__iexact=text).first()
    if exact is not None:
        return exact
    fitting = list(items.matching(text)[:2])
    return fitting[0] if len(fitting) == 1 else None


def subject_of(*, item: str, work_order: str) -> Subject | None:
    """The subject a form was shown for, by the ids it carries; None when they name nothing."""
    if (order_id := whole_number(work_order)) is not None:
        order = _orders().filter(pk=order_id).first()
        return Subject(order.item, order) if order else None
    if (item_id := whole_number(item)) is not None:
        found = Item.objects.filter(pk=item_id).first()
        return Subject(found) if found else None
    return None


def open_orders_of(item: Item) -> list[WorkOrder]:
    """Open work orders of an item, most urgent first, at most MATCHES_MAX."""
    return list(WorkOrder.objects.open().filter(item=item).order_by("due_on", "id")[:MATCHES_MAX])


def _orders() -> WorkOrderQuerySet:
    return WorkOrder.objects.select_related("item", "bom", "output_location", "source_location")
