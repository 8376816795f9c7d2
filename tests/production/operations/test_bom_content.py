"""A draft saved as a whole: everything or nothing, and never over what somebody else saved meanwhile."""

from dataclasses import replace
from decimal import Decimal

import pytest

from inventory.models import ItemKind
from production.bom_checks import BomLineSpec, SubstituteSpec
from production.bom_content import BomContent, HeadSpec, OperationSpec, OutputSpec
from production.errors import BomChangedMeanwhile, BomCycle, InvalidBom
from production.models import Bom, BomSubstitute
from production.operations.bom_content import write_bom
from production.operations.bom_files import attach_file
from production.operations.boms import activate_bom, create_draft, draft_from, replace_lines
from production.reads.bom_content import content_of
from tests.factories import make_item, make_unit
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture
def goods():
    """A candle of wax and wick, and what else may come of it."""
    names = ("CANDLE", "WAX", "WICK", "WICK-B", "DROSS")
    return {name: make_item(sku=name, unit="kg" if name in ("WAX", "DROSS") else "pcs", step="0.001") for name in names}


def whole(goods, **changes):
    """Content with something of everything."""
    content = BomContent(
        head=HeadSpec(
            makes=Decimal(40),
            process_loss_percent=Decimal("2.5"),
            capacity_per_day=Decimal(200),
            instructions="Melt.\nPour.",
            note="Winter",
        ),
        lines=[
            BomLineSpec(
                goods["WAX"], Decimal(7600), unit="g", scrap_percent=Decimal("1.5"), reference="A", substitutes=()
            ),
            BomLineSpec(
                goods["WICK"],
                Decimal(40),
                builds_shortage=True,
                substitutes=(SubstituteSpec(goods["WICK-B"], Decimal(2)),),
                note="trim",
            ),
        ],
        outputs=[OutputSpec(goods["DROSS"], Decimal("0.3"), cost_share_percent=Decimal(2))],
        operations=[
            OperationSpec("Pour", minutes=Decimal(30), rate_per_hour=Decimal(24), instructions="At 70 °C"),
            OperationSpec("Wrap", kind="packaging", amount=Decimal(3)),
        ],
    )
    return replace(content, **changes)


def draft_of(item):
    return create_draft(item=item, actor=None)


def test_everything_is_stored_as_it_was_given_and_counts_as_one_revision(goods):
    draft = draft_of(goods["CANDLE"])

    saved = write_bom(bom=draft, content=whole(goods), revision=1, actor=None)

    assert content_of(saved) == whole(goods)
    assert Bom.objects.get(pk=draft.pk).revision == 2


def test_saving_what_is_stored_already_writes_nothing(goods):
    draft = draft_of(goods["CANDLE"])
    write_bom(bom=draft, content=whole(goods), revision=1, actor=None)
    lines = list(draft.lines.values_list("pk", flat=True))

    write_bom(bom=draft, content=whole(goods), revision=2, actor=None)

    assert Bom.objects.get(pk=draft.pk).revision == 2
    assert list(draft.lines.values_list("pk", flat=True)) == lines


def test_who_saves_second_is_told_and_overwrites_nothing(goods):
    draft = draft_of(goods["CANDLE"])
    write_bom(bom=draft, content=whole(goods), revision=1, actor=None)

    with pytest.raises(BomChangedMeanwhile) as refusal:
        write_bom(bom=draft, content=whole(goods, outputs=[]), revision=1, actor=None)

    assert refusal.value.context == {"revision": 2, "yours": 1}
    assert content_of(draft) == whole(goods)


def test_without_a_revision_it_is_written_over_whatever_is_there(goods):
    draft = draft_of(goods["CANDLE"])
    write_bom(bom=draft, content=whole(goods), revision=1, actor=None)

    write_bom(bom=draft, content=whole(goods, operations=[]), revision=None, actor=None)

    assert content_of(draft) == whole(goods, operations=[])


def test_lines_changed_elsewhere_count_as_a_revision_too(goods):
    draft = draft_of(goods["CANDLE"])

    replace_lines(bom=draft, lines=[BomLineSpec(goods["WAX"], Decimal(1))], actor=None)

    with pytest.raises(BomChangedMeanwhile):
        write_bom(bom=draft, content=whole(goods), revision=1, actor=None)


def test_lines_changed_elsewhere_keep_their_substitutes(goods):
    draft = draft_of(goods["CANDLE"])
    write_bom(bom=draft, content=whole(goods), revision=1, actor=None)

    replace_lines(bom=draft, lines=[BomLineSpec(goods["WICK"], Decimal(3))], actor=None)

    assert list(BomSubstitute.objects.values_list("line__component__sku", "item__sku", "ratio")) == [
        ("WICK", "WICK-B", Decimal(2))
    ]


def test_a_draft_of_a_version_has_all_of_it(goods):
    """Nothing of the version before is lost, files included."""
    first = draft_of(goods["CANDLE"])
    write_bom(bom=first, content=whole(goods), revision=1, actor=None)
    attach_file(bom=first, name="drawing.pdf", content=b"%PDF-1.7 drawing", actor=None)
    activate_bom(bom=first, actor=None)

    copy = draft_from(bom=first, actor=None)

    assert content_of(copy) == whole(goods)
    assert [one.name for one in copy.attachments.all()] == ["drawing.pdf"]


@pytest.mark.parametrize(
    ("changes", "section", "field", "words"),
    [
        ({"outputs": [("CANDLE", "1", "0", None)]}, "outputs", "item", "CANDLE is what this BOM makes"),
        ({"outputs": [("DROSS", "1", "60", None), ("WAX", "1", "41", None)]}, "outputs", "cost_share_percent", "101 %"),
        ({"outputs": [("DROSS", "1", "10", "5")]}, "outputs", "unit_value", "both a cost share and a fixed value"),
        ({"outputs": [("DROSS", "1", "1", None), ("DROSS", "2", "1", None)]}, "outputs", "item", "comes out twice"),
        ({"outputs": [("DROSS", "0", "1", None)]}, "outputs", "quantity", "Give a positive number"),
        ({"operations": [OperationSpec(" ", minutes=Decimal(1))]}, "operations", "name", "needs a name"),
        ({"operations": [OperationSpec("Cut", minutes=Decimal(-1))]}, "operations", "minutes", "zero or more"),
        ({"operations": [OperationSpec("Cut", kind="joy")]}, "operations", "kind", "no kind of operation"),
        ({"head": HeadSpec(process_loss_percent=Decimal(100))}, "lines", "process_loss_percent", "leaves nothing"),
        ({"head": HeadSpec(capacity_per_day=Decimal(0))}, "lines", "capacity_per_day", "is none"),
    ],
)
def test_what_cannot_stand_is_refused_at_its_place_and_nothing_is_written(goods, changes, section, field, words):
    draft = draft_of(goods["CANDLE"])
    write_bom(bom=draft, content=whole(goods), revision=1, actor=None)
    if "outputs" in changes:
        changes = {
            "outputs": [
                OutputSpec(
                    goods[sku],
                    Decimal(quantity),
                    cost_share_percent=Decimal(share),
                    unit_value=None if value is None else Decimal(value),
                )
                for sku, quantity, share, value in changes["outputs"]
            ]
        }

    with pytest.raises(InvalidBom) as refusal:
        write_bom(bom=draft, content=whole(goods, **changes), revision=2, actor=None)

    (problem, *_) = refusal.value.context["lines"]
    assert (problem["section"], problem["field"]) == (section, field)
    assert words in problem["message"]
    assert content_of(draft) == whole(goods)
    assert Bom.objects.get(pk=draft.pk).revision == 2


@pytest.mark.parametrize(
    ("sku", "ratio", "words"),
    [
        ("WICK", "1", "cannot replace itself"),
        ("OLD", "1", "is inactive"),
        ("GHOST", "1", "has no stock to use"),
        ("WICK-B", "0", "a positive number"),
    ],
)
def test_a_substitute_that_cannot_be_used_is_refused(goods, sku, ratio, words):
    make_item(sku="OLD", is_active=False)
    make_item(sku="GHOST", kind=ItemKind.PHANTOM)
    draft = draft_of(goods["CANDLE"])
    item = goods.get(sku) or type(goods["WAX"]).objects.get(sku=sku)
    line = BomLineSpec(goods["WICK"], Decimal(1), substitutes=(SubstituteSpec(item, Decimal(ratio)),))

    with pytest.raises(InvalidBom, match=words):
        write_bom(bom=draft, content=whole(goods, lines=[line]), revision=1, actor=None)

    assert draft.lines.count() == 0


def test_a_substitute_that_is_made_of_the_item_is_a_loop(goods):
    make_bom(item=goods["WICK-B"], lines=[(goods["CANDLE"], "1")])
    draft = draft_of(goods["CANDLE"])

    with pytest.raises(BomCycle) as refusal:
        write_bom(bom=draft, content=whole(goods), revision=1, actor=None)

    assert refusal.value.context["path"] == ["CANDLE", "WICK-B", "CANDLE"]


def test_the_unit_as_typed_and_its_content_are_kept(goods):
    make_unit(item=goods["WICK"], name="box", numerator="50")
    draft = draft_of(goods["CANDLE"])
    line = BomLineSpec(goods["WICK"], Decimal(2), unit="box")

    write_bom(bom=draft, content=whole(goods, lines=[line]), revision=1, actor=None)

    stored = draft.lines.get()
    assert (stored.quantity, stored.unit, stored.unit_numerator) == (Decimal(2), "box", Decimal(50))
