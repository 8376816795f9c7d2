"""What changed between two versions, and what it does to cost and buildable quantity."""

from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from production.models import Bom, BomOperation, BomOutput
from production.operations.boms import create_draft, draft_from, replace_lines
from production.reads.bom_diff import bom_diff
from tests.factories import make_item, make_location, make_unit, put_on_hand
from tests.production.reads.structures import active, make_wide_and_deep, spec

pytestmark = pytest.mark.django_db


def edited(bom, *lines, makes=None):
    draft = draft_from(bom=bom, actor=None)
    return replace_lines(bom=draft, lines=list(lines), makes=None if makes is None else Decimal(makes), actor=None)


def compare(old, new):
    return bom_diff(old_id=old.pk, new_id=new.pk)


def shown(diff):
    return [
        (
            line.change,
            line.component.sku,
            [(f.field, f.old, f.new) for f in line.fields],
            line.old_per_unit,
            line.new_per_unit,
        )
        for line in diff.lines
    ]


def test_a_copy_does_not_differ():
    wax = make_item()
    bom = active(make_item(), spec(wax, "2", reference="A"), spec(wax, "3", reference="B"))

    diff = compare(bom, draft_from(bom=bom, actor=None))

    assert diff.is_empty
    assert diff.unit_cost_change is None


def test_added_removed_and_changed_lines_with_old_and_new_values():
    wax, wick, dye, jar = (make_item(sku=s) for s in ("WAX", "WICK", "DYE", "JAR"))
    old = active(make_item(), spec(wax, "2"), spec(wick), spec(jar))
    new = edited(old, spec(dye, "4"), spec(wax, "3", scrap_percent=Decimal(10)), spec(jar, is_consumable=True))

    diff = compare(old, new)

    assert shown(diff) == [
        ("added", "DYE", [("quantity", "", "4 pcs"), ("issue method", "", "backflush")], None, 4),
        ("changed", "WAX", [("quantity", "2 pcs", "3 pcs"), ("scrap %", "", "10")], 2, Fraction(33, 10)),
        ("changed", "JAR", [("consumable", "", "yes")], 1, 1),
        ("removed", "WICK", [("quantity", "1 pcs", ""), ("issue method", "backflush", "")], 1, None),
    ]
    assert (diff.old.version, diff.new.version) == (1, 2)


def test_lines_of_one_component_are_told_apart_by_reference():
    chip = make_item(sku="CHIP")
    old = active(make_item(), spec(chip, "1", reference="U1"), spec(chip, "1", reference="U2"))
    new = edited(old, spec(chip, "5", reference="U2"), spec(chip, "1", reference="U9"))

    assert shown(compare(old, new)) == [
        ("changed", "CHIP", [("quantity", "1 pcs", "5 pcs")], 1, 5),
        ("changed", "CHIP", [("reference", "U1", "U9")], 1, 1),
    ]


def test_another_batch_size_changes_the_head_and_the_rate_of_each_line():
    wax = make_item(sku="WAX")
    old = active(make_item(), spec(wax, "6"), makes="2")
    new = edited(old, spec(wax, "6"), makes="3")

    diff = compare(old, new)

    assert [(f.field, f.old, f.new) for f in diff.head] == [("makes", "2", "3")]
    assert shown(diff) == [("changed", "WAX", [], 3, 2)]


def test_a_pack_with_new_content_is_a_change():
    wax = make_item(sku="WAX")
    box = make_unit(item=wax, name="box", numerator="12")
    old = active(make_item(), spec(wax, unit="box"))
    box.numerator = Decimal(10)
    box.save()

    diff = compare(old, edited(old, spec(wax, unit="box")))

    assert shown(diff) == [("changed", "WAX", [("unit content", "12 pcs", "10 pcs")], 12, 10)]


def test_effect_on_cost_and_on_how_many_can_be_made():
    shop, wax = make_location(), make_item(sku="WAX")
    put_on_hand(wax, shop, "12", value="6.00")
    old = active(make_item(), spec(wax, "2"))
    new = edited(old, spec(wax, "3"))

    diff = compare(old, new)

    assert (diff.old_unit_cost, diff.new_unit_cost, diff.unit_cost_change) == (1, Decimal("1.5"), Decimal("0.5"))
    assert (diff.old_buildable.quantity, diff.new_buildable.quantity) == (6, 4)


def test_a_version_that_is_not_there_is_refused():
    bom = create_draft(item=make_item(), lines=[], actor=None)

    with pytest.raises(Bom.DoesNotExist):
        bom_diff(old_id=bom.pk, new_id=bom.pk + 1)


def test_costs_the_same_queries_for_1_and_20_lines():
    counts = []
    for size in (1, 20):
        _, old = make_wide_and_deep(size)
        new = draft_from(bom=old, actor=None)
        with CaptureQueriesContext(connection) as queries:
            compare(old, new)
        counts.append(len(queries))

    assert counts == [6, 6]


def test_work_and_by_products_show_their_own_effect_on_the_cost():
    """A batch of 4 costs 8 of wax. Before: 2 of work, 10 % by-product: -1. After: 6 of work, 10 %: -1.4, a fixed one: -0.5."""
    wax, cream, foam = make_item(standard_cost=Decimal(2)), make_item(sku="CREAM"), make_item(sku="FOAM")
    product = make_item()
    versions = []
    for minutes, outputs in (("2", [(cream, "10", None)]), ("6", [(cream, "10", None), (foam, "0", Decimal(1))])):
        draft = create_draft(item=product, lines=[spec(wax, "4")], makes=Decimal(4), actor=None)
        BomOperation.objects.create(bom=draft, name="Pour", minutes=Decimal(minutes), rate_per_hour=Decimal(60))
        for item, share, value in outputs:
            BomOutput.objects.create(
                bom=draft, item=item, quantity=Decimal(2), cost_share_percent=Decimal(share), unit_value=value
            )
        versions.append(draft)

    difference = bom_diff(old_id=versions[0].pk, new_id=versions[1].pk)

    assert [(part.section, part.label, part.change, part.cost_change) for part in difference.parts] == [
        ("by-product", "FOAM", "added", Decimal("-0.5")),
        ("operation", "Pour", "changed", Decimal(1)),
    ]
    assert difference.unit_cost_change == Decimal("0.4")
    assert (difference.old_unit_cost, difference.new_unit_cost) == (Decimal("2.25"), Decimal("2.65"))
