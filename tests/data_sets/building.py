"""Importing a set, making one of a product from the bottom up, and taking all of it back."""

from dataclasses import dataclass, field
from decimal import Decimal
from uuid import uuid4

from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from inventory.models import CostPool, Item, Posting, StockBalance
from inventory.operations.reversing import reverse_posting
from production.models import Completion
from production.operations.reversing import reverse_completion
from production.reads.structures import load_structures
from tests.conftest import broken_invariants
from tests.data_sets.sources import as_csv
from tests.production.factories import complete


def check(kind, content, name, **options):
    return run_import(
        kind=kind_named(kind), content=content, file_name=name, actor=None, options=ImportOptions(**options)
    )


def import_all(kind, content, name, **options):
    """Import a file that must be in order; a second import of it must find nothing to do. Returns the first report."""
    checked = check(kind, content, name, **options)
    report = run_import(
        kind=kind_named(kind),
        content=content,
        file_name=name,
        actor=None,
        mode=Mode.ALL,
        options=ImportOptions(**options),
        expected=checked.fingerprint,
    )
    assert not report.problems, [str(problem) for problem in report.problems[:5]]
    assert report.is_applied, "the import did something else than the check had shown"
    again = run_import(
        kind=kind_named(kind),
        content=content,
        file_name=name,
        actor=None,
        mode=Mode.ALL,
        options=ImportOptions(**options),
    )
    assert (again.counts()["new"], again.counts()["changed"], again.problems) == (0, 0, [])
    return report


@dataclass
class Needs:
    """What one of a product takes: made items with their quantities, parents first, and what is bought for them."""

    made: dict[Item, Decimal] = field(default_factory=dict)
    bought: dict[Item, Decimal] = field(default_factory=dict)
    consumables: dict[Item, Decimal] = field(default_factory=dict)


def needs_of(product, quantity=Decimal(1)):
    """The needs over all levels, each level rounded as its completion rounds it."""
    structures = load_structures(items=[product.pk])
    items = Item.objects.in_bulk(list(structures.items))
    demand = {product.pk: quantity}
    needs = Needs()
    for item_id in _parents_first(structures, product.pk):
        if item_id not in structures.in_force:
            needs.bought[items[item_id]] = demand[item_id]
            continue
        needs.made[items[item_id]] = demand[item_id]
        for rate in structures.rates(structures.in_force[item_id]):
            if rate.is_optional or rate.issue_method == "manual":
                continue
            component = items[rate.component_id]
            need = rate.requirement(demand[item_id], step=component.step)
            if rate.is_consumable:
                needs.consumables[component] = needs.consumables.get(component, Decimal(0)) + need
            else:
                demand[component.pk] = demand.get(component.pk, Decimal(0)) + need
    return needs


def _parents_first(structures, root):
    ordered, done = [], set()

    def visit(item_id):
        if item_id in done:
            return
        done.add(item_id)
        bom_id = structures.in_force.get(item_id)
        if bom_id is not None:
            for rate in structures.rates(bom_id):
                if not rate.is_optional and not rate.is_consumable and rate.issue_method != "manual":
                    visit(rate.component_id)
        ordered.append(item_id)

    visit(root)
    return reversed(ordered)


@dataclass
class Made:
    """How it went, in figures."""

    needs: Needs
    completions: list[Completion]
    stock_rows: int


def make_and_take_back(product, place, *, unit_costs=None, quantity=Decimal(1)):
    """Stock the leaves by an import, complete every level deepest first, verify, reverse all newest first, verify."""
    needs = needs_of(product, quantity)
    unit_costs = unit_costs or {}
    records = [
        {"SKU": item.sku, "Quantity": f"{need:f}", "Unit": item.stock_unit, "Unit cost": unit_costs.get(item.sku, "")}
        for item, need in needs.bought.items()
    ]
    import_all("opening_stock", as_csv(records), "opening.csv", location=place)
    before = state()

    completions = []
    for item, need in reversed(needs.made.items()):
        completions.append(complete(item, need, into=place).completion)
    assert broken_invariants() == []
    left = {b.item_id: b.quantity for b in StockBalance.objects.exclude(quantity=0)}
    assert left == {product.pk: quantity}, "everything that was stocked went into the product"

    for done in reversed(completions):
        reverse_completion(key=uuid4(), completion=Completion.objects.get(pk=done.pk), actor=None)
    assert state() == before
    for posting in Posting.objects.filter(kind="receipt", reversals__isnull=True).order_by("-pk"):
        reverse_posting(key=uuid4(), posting=posting, actor=None)
    assert broken_invariants() == []
    assert not StockBalance.objects.exclude(quantity=0).exists()
    assert not CostPool.objects.exclude(quantity=0, value=0, unknown_quantity=0).exists()
    return Made(needs, completions, len(records))


def state():
    """Every balance and pool that is not empty."""
    return (
        sorted(
            StockBalance.objects.exclude(quantity=0).values_list(
                "item_id", "location_id", "lot_id", "status", "quantity"
            )
        ),
        sorted(CostPool.objects.exclude(quantity=0).values_list("item_id", "quantity", "value", "unknown_quantity")),
    )
