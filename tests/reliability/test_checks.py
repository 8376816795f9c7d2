"""The checks of the kill test find each thing they are there for."""

import json
from decimal import Decimal

import pytest

from tests.reliability import checks
from tests.reliability.checks import Stored
from tests.reliability.journal import Journal, Request
from tests.reliability.workshop import ON_HAND_FIRST, Rule, plan_recipes, plan_rules

RECIPES = {"CANDLE": {"WAX": 2, "WICK": 1}}


def make_request(
    kind="completion", *, key="key-1", quantity=3, sku="CANDLE", status="acknowledged", posting=7, of=None
):
    return Request(
        key=key, kind=kind, path="", body={}, sku=sku, quantity=quantity, status=status, answer={"id": posting}, of=of
    )


def make_stored(**changes):
    """What one completion of three candles leaves."""
    values = {
        "postings": {7: ("key-1", "completion", None)},
        "moved": {7: {"WAX": Decimal(-6), "WICK": Decimal(-3), "CANDLE": Decimal(3)}},
        "completions": {7: ("CANDLE", Decimal(3), Decimal(0), 2)},
        "told": {7},
        "on_hand": {
            "WAX": Decimal(ON_HAND_FIRST - 6),
            "WICK": Decimal(ON_HAND_FIRST - 3),
            "CANDLE": Decimal(3),
        },
    }
    stored = Stored(**{**values, **changes})
    stored.movements.update({7: 3})
    return stored


def all_findings(requests, stored):
    return [
        *checks.acknowledged_exactly_once(requests, stored, RECIPES),
        *checks.nothing_else_is_there(requests, stored, first_receipt_count=0),
        *checks.nothing_is_half_done(stored),
        *checks.stock_is_what_was_acknowledged(requests, stored, RECIPES),
        *checks.every_fate_is_known(requests),
    ]


def test_a_completion_that_is_there_once_and_whole_passes():
    assert all_findings([make_request()], make_stored()) == []


def test_an_acknowledged_completion_that_is_missing_is_found():
    stored = Stored(on_hand={"WAX": Decimal(ON_HAND_FIRST), "WICK": Decimal(ON_HAND_FIRST), "CANDLE": Decimal(0)})

    findings = all_findings([make_request()], stored)

    assert findings[0] == "completion key-1 was acknowledged as posting 7; found: nothing"
    assert "CANDLE: 0 on hand, 3 by what was acknowledged" in findings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"postings": {7: ("key-1", "completion", None), 8: ("key-1", "completion", None)}}, "found: [(7"),
        ({"postings": {7: ("key-2", "completion", None)}}, "has a key nobody sent"),
        ({"moved": {7: {"WAX": Decimal(-6), "CANDLE": Decimal(3)}}}, "posting 7 moved"),
        ({"completions": {7: ("CANDLE", Decimal(3), Decimal(0), 1)}}, "has the completion"),
        ({"completions": {}}, "has the completion None"),
        ({"told": set()}, "told nobody"),
        ({"on_hand": {}}, "0 on hand, 3 by"),
    ],
)
def test_what_is_doubled_partial_silent_or_strange_is_found(changes, words):
    findings = all_findings([make_request()], make_stored(**changes))

    assert any(words in finding for finding in findings), findings


def test_a_refused_request_that_left_a_posting_is_found():
    findings = checks.nothing_else_is_there([make_request(status="refused")], make_stored())

    assert findings == ["posting 7 (completion) is of a request whose fate is: refused"]


def test_a_request_without_a_clear_answer_is_found():
    assert checks.every_fate_is_known([make_request(status="unknown")]) == [
        "completion key-1 never got a clear answer in 0 attempts"
    ]


def test_a_reversal_of_another_completion_is_found():
    made = make_request()
    reversal = make_request("reversal", key="key-2", posting=8, of=made)
    stored = Stored(
        postings={8: ("key-2", "reversal", 5)},
        moved={8: {"WAX": Decimal(6), "WICK": Decimal(3), "CANDLE": Decimal(-3)}},
    )

    findings = checks.acknowledged_exactly_once([reversal], stored, RECIPES)

    assert findings == ["reversal key-2: posting 8 does not reverse 7"]


def test_a_shop_that_shows_an_older_figure_is_found():
    rules = {"CANDLE": Rule(percent=50, buffer=1)}

    assert checks.shop_shows_the_right_figures([make_request()], RECIPES, rules, {"CANDLE": 1}) == []
    assert checks.shop_shows_the_right_figures([make_request()], RECIPES, rules, {"CANDLE": 0}) == [
        "CANDLE: the shop shows 0, 1 is right for 3 on hand"
    ]


@pytest.mark.parametrize(
    ("rule", "on_hand", "shown"),
    [
        (Rule(), 12, 9),
        (Rule(), 1, 0),
        (Rule(percent=50, minimum=6), 12, 0),
        (Rule(percent=100, buffer=0, maximum=10, pack=3), 50, 3),
    ],
)
def test_the_rule_of_a_listing_in_figures(rule, on_hand, shown):
    assert rule.shown(on_hand) == shown


def test_every_product_has_a_recipe_and_a_rule():
    recipes = plan_recipes()

    assert {len(recipe) for recipe in recipes.values()} == {3}
    assert set(plan_rules(recipes)) == {*recipes, "KILL-C1"}


def test_the_journal_is_on_the_disk_before_the_client_goes_on(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    request = make_request(status="unknown")

    journal.sent(request)
    journal.acknowledged(request, {"id": 9})

    sent, told = (json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines())
    assert (sent["sent"], told["acknowledged"], told["posting"]) == ("key-1", "key-1", 9)
    assert (request.status, journal.acknowledged_count) == ("acknowledged", 1)


def test_products_that_changed_just_now_are_left_alone_until_they_are_woken(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    for number in range(6):
        journal.acknowledged(make_request(key=f"key-{number}", sku=f"P{number}"), {"id": number})

    journal.let_rest(["P0", "P1", "P5", "P9"], changed_within_seconds=60, at_most=2)

    assert journal.resting == {"P1", "P5"}
    journal.wake_all()
    assert journal.resting == frozenset()
