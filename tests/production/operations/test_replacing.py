"""One component replaced in many BOMs: drafts of all or of none, looked at together, in force together."""

from decimal import Decimal

import pytest

from inventory.errors import InvalidQuantity, WrongState
from production.errors import BomChangedMeanwhile, BomCycle, InvalidBom
from production.models import Bom, BomReplacement, BomState
from production.operations.boms import activate_bom, discard_draft, draft_from
from production.operations.replacing import Exchange, activate_replacement, discard_replacement, replace_component
from production.reads.bom_content import content_of
from production.reads.replacements import replacement_review
from tests.factories import make_item, make_location, make_unit, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    """Two candles of soy wax, and a gift set of both."""
    soy = make_item(sku="SOY", unit="kg", step="0.001", standard_cost=Decimal(5))
    bees = make_item(sku="BEES", unit="kg", step="0.001", standard_cost=Decimal(11))
    wick = make_item(sku="WICK", standard_cost=Decimal("0.1"))
    small, large, gift = (make_item(sku=sku) for sku in ("SMALL", "LARGE", "GIFT"))
    boms = [
        make_bom(item=small, lines=[(soy, "200", {"unit": "g"}), (wick, "1")]),
        make_bom(
            item=large,
            makes="10",
            lines=[(soy, "4"), (wick, "10"), (soy, "500", {"unit": "g", "setup_quantity": Decimal(20)})],
            outputs=[(make_item(sku="DROSS"), "1", "5")],
        ),
    ]
    make_bom(item=gift, lines=[(small, "2"), (large, "1")])
    return {"soy": soy, "bees": bees, "wick": wick, "small": small, "large": large, "gift": gift, "boms": boms}


def swap(shop, factor="1", boms=None, **fields):
    exchange = Exchange(shop["soy"], shop["bees"], Decimal(factor))
    return replace_component(boms=boms or shop["boms"], exchange=exchange, actor=None, **fields)


def lines_of(item):
    draft = Bom.objects.get(item=item, state=BomState.DRAFT)
    return [(line.component.sku, line.quantity, line.unit, line.setup_quantity) for line in content_of(draft).lines]


def test_a_draft_of_every_bom_has_the_other_component_by_the_factor(shop):
    record = swap(shop, factor="0.9", note="Soy is late")

    assert lines_of(shop["small"]) == [("BEES", Decimal(180), "g", Decimal(0)), ("WICK", Decimal(1), "", Decimal(0))]
    assert lines_of(shop["large"]) == [
        ("BEES", Decimal("3.6"), "", Decimal(0)),
        ("WICK", Decimal(10), "", Decimal(0)),
        ("BEES", Decimal(450), "g", Decimal(18)),
    ]
    assert [draft.item.sku for draft in record.drafts.order_by("item__sku")] == ["LARGE", "SMALL"]
    assert content_of(Bom.objects.get(item=shop["large"], state="draft")).outputs[0].item.sku == "DROSS"
    assert Bom.objects.filter(state=BomState.ACTIVE).count() == 3


def test_a_unit_the_other_item_does_not_have_becomes_its_stock_unit(shop):
    make_unit(item=shop["soy"], name="bag", numerator="25")
    cake = make_item(sku="CAKE")
    bom = make_bom(item=cake, lines=[(shop["soy"], "2", {"unit": "bag", "rounding_multiple": Decimal(1)})])

    swap(shop, factor="1.1", boms=[bom])

    (line,) = content_of(Bom.objects.get(item=cake, state="draft")).lines
    assert (line.quantity, line.unit, line.rounding_multiple) == (Decimal(55), "", Decimal("27.5"))


def test_substitutes_stay_by_their_ratio_to_the_new_component(shop):
    palm = make_item(sku="PALM", unit="kg", step="0.001")
    cake = make_item(sku="CAKE")
    bom = make_bom(item=cake, lines=[(shop["soy"], "1", {"substitutes": [(shop["bees"], "0.5"), (palm, "2")]})])

    swap(shop, factor="0.5", boms=[bom])

    (line,) = content_of(Bom.objects.get(item=cake, state="draft")).lines
    assert [(one.item.sku, one.ratio) for one in line.substitutes] == [("PALM", Decimal(4))]


def test_one_bom_that_cannot_have_it_leaves_all_as_they_were(shop):
    make_bom(item=shop["bees"], lines=[(shop["large"], "1")])

    with pytest.raises(BomCycle):
        swap(shop)

    assert Bom.objects.filter(state=BomState.DRAFT).count() == 0
    assert BomReplacement.objects.count() == 0


@pytest.mark.parametrize(("factor", "words"), [("0", "none"), ("-1", "none"), ("0.000001", "six decimal places")])
def test_a_factor_that_gives_no_quantity_is_refused(shop, factor, words):
    cake = make_item(sku="CAKE")
    fine = make_bom(item=cake, lines=[(shop["soy"], "0.0005")])

    with pytest.raises(InvalidQuantity, match=words):
        swap(shop, factor=factor, boms=[fine])

    assert Bom.objects.filter(state=BomState.DRAFT).count() == 0


def test_a_bom_without_the_component_is_refused(shop):
    other = make_bom(item=make_item(sku="OTHER"), lines=[(shop["wick"], "1")])

    with pytest.raises(InvalidBom, match="OTHER has no line with SOY"):
        swap(shop, boms=[shop["boms"][0], other])

    assert Bom.objects.filter(state=BomState.DRAFT).count() == 0


def test_all_drafts_come_into_force_together(shop):
    record = swap(shop)

    done = activate_replacement(replacement=record, actor=None)

    assert {one.bom.item.sku for one in done} == {"SMALL", "LARGE"}
    assert Bom.objects.filter(state=BomState.ACTIVE, lines__component=shop["soy"]).count() == 0
    record.refresh_from_db()
    assert record.activated_at is not None
    with pytest.raises(WrongState, match="No draft"):
        activate_replacement(replacement=record, actor=None)


def test_one_that_cannot_come_into_force_keeps_all_of_them_drafts(shop):
    record = swap(shop)
    shop["wick"].is_active = False
    shop["wick"].save()

    with pytest.raises(InvalidBom, match="WICK is inactive"):
        activate_replacement(replacement=record, actor=None)

    assert Bom.objects.filter(state=BomState.DRAFT).count() == 2
    record.refresh_from_db()
    assert record.activated_at is None


def test_a_draft_discarded_meanwhile_is_left_out(shop):
    record = swap(shop)
    discard_draft(bom=Bom.objects.get(item=shop["small"], state="draft"), actor=None)

    done = activate_replacement(replacement=record, actor=None)

    assert [one.bom.item.sku for one in done] == ["LARGE"]


def test_discarding_takes_the_drafts_and_the_replacement_away(shop):
    record = swap(shop)

    assert discard_replacement(replacement=record, actor=None) == 2
    assert Bom.objects.filter(state=BomState.DRAFT).count() == 0
    assert BomReplacement.objects.count() == 0
    with pytest.raises(WrongState, match="was discarded"):
        discard_replacement(replacement=record, actor=None)


def test_the_review_shows_each_draft_and_what_the_products_above_cost_then(shop):
    """0.2 kg at 6 more each; the large one 0.45 kg less the twentieth that its by-product carries."""
    put_on_hand(shop["gift"], make_location(), "3", value="1.00")  # stock made before does not hide the effect

    review = replacement_review(replacement=swap(shop))

    effects = {effect.item.sku: (effect.before, effect.after, effect.change) for effect in review.effects}
    assert effects == {
        "SMALL": (Decimal("1.1"), Decimal("2.3"), Decimal("1.2")),
        "LARGE": (Decimal("2.2325"), Decimal("4.7975"), Decimal("2.565")),
        "GIFT": (Decimal("4.4325"), Decimal("9.3975"), Decimal("4.965")),
    }
    assert [(one.draft.item.sku, one.difference.unit_cost_change) for one in review.drafts] == [
        ("LARGE", Decimal("2.565")),
        ("SMALL", Decimal("1.2")),
    ]


def test_the_review_after_activation_still_compares_with_what_was_before(shop):
    record = swap(shop)
    activate_replacement(replacement=record, actor=None)
    record.refresh_from_db()

    review = replacement_review(replacement=record)

    assert {effect.item.sku: effect.change for effect in review.effects}["GIFT"] == Decimal("4.965")


def test_the_review_costs_the_same_queries_for_1_and_20_drafts(shop, django_assert_num_queries):
    boms = [make_bom(item=make_item(), lines=[(shop["soy"], "1")]) for _ in range(20)]
    one = swap(shop, boms=boms[:1])
    with django_assert_num_queries(11):
        replacement_review(replacement=one)
    many = swap(shop, boms=boms)
    with django_assert_num_queries(11):
        replacement_review(replacement=many)


def test_drafts_do_not_undo_a_version_that_came_meanwhile(shop):
    record = swap(shop, boms=shop["boms"][:1])
    newer = draft_from(bom=shop["boms"][0], actor=None)
    activate_bom(bom=newer, actor=None)

    (review,) = replacement_review(replacement=record).drafts
    with pytest.raises(
        BomChangedMeanwhile, match="BOM v3 of SMALL was activated since v2 was drafted from v1"
    ) as refusal:
        activate_replacement(replacement=record, actor=None)

    assert (review.before, review.meanwhile, refusal.value.context["over"]) == (newer, newer, newer.pk)
    newer.refresh_from_db()
    assert newer.state == BomState.ACTIVE
    (done,) = activate_replacement(replacement=record, actor=None, over=[newer.pk])
    assert [bom.pk for bom in done.replaced] == [newer.pk]
