"""Small BOMs the reads are asked about."""

from decimal import Decimal

from inventory.models import ItemKind
from production.bom_checks import BomLineSpec
from production.operations.boms import activate_bom, create_draft
from tests.factories import make_item


def spec(component, quantity="1", **fields):
    return BomLineSpec(component=component, quantity=Decimal(quantity), **fields)


def active(item, *lines, makes="1", on=None):
    draft = create_draft(item=item, lines=list(lines), makes=Decimal(makes), actor=None)
    return activate_bom(bom=draft, effective_from=on, actor=None).bom


def make_phantom(sku=None):
    return make_item(sku=sku, kind=ItemKind.PHANTOM)


def make_wide_and_deep(size):
    """A product of `size` made components, each of two bought ones, and a phantom of `size` parts; its BOM."""
    top, phantom = make_item(), make_phantom()
    active(phantom, *[spec(make_item()) for _ in range(size)])
    subs = []
    for _ in range(size):
        sub = make_item()
        active(sub, spec(make_item(), "2"), spec(make_item(), "3"))
        subs.append(sub)
    return top, active(top, spec(phantom), *[spec(sub) for sub in subs])
