"""Keyword-only makers of test data. Stock comes from a receipt, as in life."""

from decimal import Decimal
from itertools import count
from uuid import uuid4

from django.contrib.auth.models import Group, User

from inventory.models import Item, ItemKind, ItemUnit, Location, Lot, StockStatus, Supplier
from inventory.operations.purchasing import OrderLineSpec, draft_order, place_order
from inventory.operations.receiving import ReceiptLine, receive_stock

_numbers = count(1)


def make_item(*, sku=None, step="1", unit="pcs", kind=ItemKind.MATERIAL, **fields):
    number = next(_numbers)
    return Item.objects.create(
        sku=sku or f"ITEM-{number}",
        name=fields.pop("name", f"Item {number}"),
        step=Decimal(step),
        stock_unit=unit,
        kind=kind,
        **fields,
    )


def make_unit(*, item, name, numerator, denominator="1"):
    return ItemUnit.objects.create(item=item, name=name, numerator=Decimal(numerator), denominator=Decimal(denominator))


def make_location(*, code=None, parent=None, **fields):
    number = next(_numbers)
    return Location.objects.create(
        code=code or f"LOC-{number}", name=fields.pop("name", f"Location {number}"), parent=parent, **fields
    )


def make_user(*, username=None, role=None, superuser=False):
    """A person; `role` is the name of one of the first roles."""
    number = next(_numbers)
    user = User.objects.create_user(username or f"user-{number}", password="correct horse battery")
    if superuser:
        user.is_superuser = True
    user.is_staff = True
    user.save()
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


def put_on_hand(item, location, quantity, *, value=None, lot="", expires_on=None, status="", effective_at=None):
    """Receive stock; `value` is the cost of all of it (None: unknown). Returns the posting."""
    return receive_stock(
        key=uuid4(),
        lines=[
            ReceiptLine(
                item=item,
                location=location,
                quantity=Decimal(quantity),
                value=None if value is None else Decimal(value),
                lot_code=lot,
                expires_on=expires_on,
                status=status,
            )
        ],
        actor=None,
        effective_at=effective_at,
    ).posting


def on_hand(item, *, location=None, status=None, lot=None):
    """What the balances say, summed; stock unit."""
    rows = item.balances.all()
    if location is not None:
        rows = rows.filter(location=location)
    if status is not None:
        rows = rows.filter(status=status)
    if lot is not None:
        rows = rows.filter(lot__code=lot)
    return sum((row.quantity for row in rows), Decimal(0))


def lot_of(item, code):
    return Lot.objects.get(item=item, code=code)


AVAILABLE = StockStatus.AVAILABLE


def make_supplier(*, code=None, **fields):
    number = next(_numbers)
    return Supplier.objects.create(
        code=code or f"SUP-{number}", name=fields.pop("name", f"Supplier {number}"), **fields
    )


def make_order(lines, *, supplier=None, location=None, placed=True, **fields):
    """A purchase order of (item, quantity, value of the line or None)."""
    order = draft_order(
        supplier=supplier or make_supplier(),
        location=location or make_location(),
        lines=[
            OrderLineSpec(item, Decimal(quantity), value=None if value is None else Decimal(value))
            for item, quantity, value in lines
        ],
        actor=None,
        **fields,
    )
    return place_order(order=order, actor=None) if placed else order
