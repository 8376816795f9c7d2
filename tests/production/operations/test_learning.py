"""Drafting a proposed quantity, and dismissing it."""

from decimal import Decimal

import pytest

from inventory.errors import WrongState
from production.errors import InvalidBom
from production.models import Bom, BomProposal, BomState
from production.operations.boms import activate_bom, discard_draft
from production.operations.learning import accept_proposal, dismiss_proposal
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


@pytest.fixture
def candle(db):
    wax, wick = make_item(sku="WAX", unit="kg", step="0.001"), make_item(sku="WICK")
    bom = make_bom(item=make_item(sku="CANDLE"), lines=[(wax, "120", {"unit": "g"}), (wick, "1")])
    place = make_location()
    put_on_hand(wax, place, "10", value="40")
    put_on_hand(wick, place, "10", value="1")
    return bom, wax


def take(bom, component, quantity="127", **named):
    return accept_proposal(bom=bom, component=component, quantity=Decimal(quantity), measured=18, actor=None, **named)


def refuse(bom, component, reason):
    return dismiss_proposal(bom=bom, component=component, quantity=Decimal(127), measured=18, reason=reason, actor=None)


def test_a_draft_carries_the_quantity_and_shows_what_a_unit_costs(candle):
    bom, wax = candle

    done = take(bom, wax)

    lines = {line.component.sku: (line.quantity, line.unit) for line in done.draft.lines.select_related("component")}
    assert (done.draft.version, done.draft.state) == (2, BomState.DRAFT)
    assert lines == {"WAX": (Decimal(127), "g"), "WICK": (Decimal(1), "")}
    assert (done.cost_before, done.cost_after) == (Decimal("0.58"), Decimal("0.608"))
    bom.refresh_from_db()
    assert bom.state == BomState.ACTIVE


def test_the_same_proposal_again_is_the_same_draft(candle):
    bom, wax = candle
    first = take(bom, wax)

    again = take(bom, wax)

    assert (again.draft, again.replayed) == (first.draft, True)
    assert (Bom.objects.count(), BomProposal.objects.count()) == (2, 1)


def test_once_the_draft_is_discarded_it_can_be_drafted_anew(candle):
    bom, wax = candle
    discard_draft(bom=take(bom, wax).draft, actor=None)

    assert not take(bom, wax).replayed


def test_a_version_that_is_not_active_takes_no_decisions(candle):
    bom, wax = candle
    draft = take(bom, wax).draft

    with pytest.raises(WrongState, match="proposals are about the active version"):
        take(draft, wax, "130")

    assert BomProposal.objects.count() == 1


def test_a_component_that_is_not_on_exactly_one_line_is_refused(candle):
    bom, wax = candle
    twice = make_bom(item=make_item(), lines=[(wax, "1"), (wax, "2")])

    for version, component in ((twice, wax), (bom, make_item())):
        with pytest.raises(InvalidBom):
            take(version, component)

    assert not BomProposal.objects.exists()
    assert not Bom.objects.filter(state=BomState.DRAFT).exists()


def test_dismissing_needs_a_reason(candle):
    bom, wax = candle

    with pytest.raises(InvalidBom, match="needs a reason"):
        refuse(bom, wax, "  ")

    assert not BomProposal.objects.exists()


def test_dismissing_twice_for_the_same_reason_is_one_decision(candle):
    bom, wax = candle

    assert refuse(bom, wax, "new pump") == refuse(bom, wax, " new pump ")
    assert BomProposal.objects.get().standard == 120


def test_proposals_about_one_version_go_into_one_draft(candle):
    bom, wax = candle
    wick = bom.lines.exclude(component=wax).get().component
    first = take(bom, wax)

    second = take(bom, wick, "2")

    assert second.draft == first.draft
    lines = {line.component.sku: line.quantity for line in second.draft.lines.select_related("component")}
    assert (lines, Bom.objects.count()) == ({"WAX": 127, "WICK": 2}, 2)


def test_a_proposal_after_the_draft_came_into_force_is_about_the_new_version(candle):
    bom, wax = candle
    activate_bom(bom=take(bom, wax).draft, actor=None)

    with pytest.raises(WrongState, match="proposals are about the active"):
        take(bom, wax, "130")
