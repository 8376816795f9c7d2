"""What completions of a version say about its lines."""

from decimal import Decimal
from fractions import Fraction
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import ItemKind
from production.learning import Part, Verdict
from production.models import ProposalDecision
from production.operations.completing import Actual, CompletionRequest, complete_production
from production.operations.learning import accept_proposal, dismiss_proposal
from production.operations.reversing import reverse_completion
from production.reads.learning import completed_versions, learned
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

USED = ["1.27", "1.25", "1.28", "1.26", "1.29", "1.27", "1.27", "1.25"]
"""Wax of ten candles, kg; the standard is 1.2."""


@pytest.fixture
def shop(db):
    place = make_location(code="SHOP")
    wax = make_item(sku="WAX", unit="kg", step="0.001", kind=ItemKind.MATERIAL)
    wick, candle = make_item(sku="WICK"), make_item(sku="CANDLE", kind=ItemKind.PRODUCT)
    bom = make_bom(item=candle, lines=[(wax, "120", {"unit": "g"}), (wick, "1")], deviation_policy="free")
    put_on_hand(wax, place, "50", value="200")
    put_on_hand(wick, place, "500", value="50")
    return {"place": place, "wax": wax, "wick": wick, "candle": candle, "bom": bom}


def make_ten(shop, wax):
    return complete(shop["candle"], "10", into=shop["place"], actuals=[(shop["wax"], wax)])


def line_of(shop, sku="WAX"):
    return next(one for one in learned(boms=[shop["bom"].pk]) if one.component.sku == sku)


def test_measured_usage_becomes_a_proposal_in_the_unit_of_the_line(shop):
    for used in USED:
        make_ten(shop, used)

    found = line_of(shop)

    assert (found.quantity, found.unit, found.proposed) == (120, "g", 127)
    assert (found.lower, found.upper, found.finding.measured) == (Decimal(126), Decimal(127), 8)
    assert found.cost_effect == Fraction("0.007") * 4
    assert (found.buildable_now, found.buildable_then) == (332, 313)
    assert found.parts[Part.UNEXPLAINED] == Fraction("0.54")
    assert found.is_open


def test_completions_taken_back_are_no_evidence(shop):
    for used in USED:
        done = make_ten(shop, used)
    reverse_completion(key=uuid4(), completion=done.completion, actor=None, reason="typo")

    assert line_of(shop).finding.verdict == Verdict.FEW


def test_lines_nobody_measured_say_nothing(shop):
    for used in USED:
        make_ten(shop, used)

    found = line_of(shop, "WICK")

    assert (found.finding.measured, found.finding.completions, found.proposed) == (0, 8, None)


def test_what_substitutes_stood_in_for_counts_as_used(shop):
    other, lamp = make_item(sku="WAX-B", unit="kg", step="0.001"), make_item(sku="LAMP")
    bom = make_bom(item=lamp, lines=[(shop["wax"], "0.12", {"substitutes": [(other, "2")]})], deviation_policy="free")
    put_on_hand(other, shop["place"], "50", value="300")
    instead = Actual(other, Decimal("0.4"), replaces=shop["wax"])
    request = CompletionRequest(item=lamp, good=Decimal(10), output_location=shop["place"], actuals=[instead])

    complete_production(key=uuid4(), request=request, actor=None)

    (found,) = learned(boms=[bom.pk])
    assert (found.parts[Part.SUBSTITUTE], found.parts[Part.UNEXPLAINED]) == (Fraction("-0.2"), 0)
    assert found.measured[0].observation.ratio == 1


def test_a_component_on_two_lines_is_left_to_people(shop):
    twice = make_item(sku="TWICE")
    bom = make_bom(item=twice, lines=[(shop["wick"], "1"), (shop["wick"], "2"), (shop["wax"], "0.1")])

    assert [one.component.sku for one in learned(boms=[bom.pk])] == ["WAX"]


def test_a_dismissed_quantity_is_not_proposed_again_until_the_measurements_move_on(shop):
    for used in USED:
        make_ten(shop, used)
    dismiss_proposal(
        bom=shop["bom"], component=shop["wax"], quantity=Decimal(127), measured=8, reason="new pump", actor=None
    )

    dismissed = line_of(shop)
    for _ in range(20):
        make_ten(shop, "1.35")
    moved = line_of(shop)

    assert (dismissed.is_open, dismissed.decision.reason) == (False, "new pump")
    assert moved.decision is None


def test_a_drafted_quantity_waits_for_its_draft(shop):
    for used in USED:
        make_ten(shop, used)
    done = accept_proposal(bom=shop["bom"], component=shop["wax"], quantity=Decimal(127), measured=8, actor=None)

    found = line_of(shop)

    assert (found.is_open, found.decision.decision, found.decision.draft_id) == (
        False,
        ProposalDecision.ACCEPTED,
        done.draft.pk,
    )


def test_only_versions_in_force_that_were_completed_are_looked_at(shop):
    make_bom(item=make_item(), lines=[(shop["wick"], "1")])
    make_ten(shop, "1.25")

    assert completed_versions() == [shop["bom"].pk]


def test_the_read_costs_the_same_for_one_and_twenty_versions(shop):
    boms = []
    for _ in range(20):
        item = make_item()
        boms.append(make_bom(item=item, lines=[(shop["wick"], "1")], deviation_policy="free"))
        complete(item, "1", into=shop["place"], actuals=[(shop["wick"], "2")])
    counts = []
    for size in (1, 20):
        with CaptureQueriesContext(connection) as queries:
            learned(boms=[bom.pk for bom in boms[:size]])
        counts.append(len(queries))

    assert counts == [7, 7]
