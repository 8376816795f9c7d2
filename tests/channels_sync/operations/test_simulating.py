"""Simulations as jobs: asked once, worked on by one, kept with their answer."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from channels_sync.models import AllocationPolicy, PublicationLine, Simulation
from channels_sync.operations import simulating
from channels_sync.operations.simulating import (
    ask_simulation,
    claim_simulation,
    record_answer,
    waiting_simulations,
    work_on_simulation,
    work_on_simulations,
)
from channels_sync.simulation import ProposedRule, Question
from channels_sync.tasks import run_simulations
from inventory.errors import IdempotencyMismatch, InvalidQuantity
from inventory.models import Movement
from tests.channels_sync.simulation.selling import question, sold, two_channels, yesterday

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def ask(asked=None, **fields):
    return ask_simulation(key=fields.pop("key", uuid4()), question=asked or question(), actor=None, **fields)


def answer(asked):
    simulation = ask(asked).simulation
    assert run_simulations() == 1
    simulation.refresh_from_db()
    return simulation


def test_the_answer_has_both_sides_with_exact_figures():
    shop, stall = two_channels(on_hand="20")
    for listing in (shop, stall):
        sold(listing, "8", days_ago=3)
    keeps_five = ProposedRule({"buffer": Decimal(5)}, channel_id=stall.channel_id)

    found = answer(question(keeps_five, late_minutes=3 * 24 * 60)).result

    present, proposed = found["present"], found["proposed"]
    assert (found["items"], found["listings"], found["days"], found["names"]) == (
        1, 2, 7, {str(shop.channel_id): "Shop", str(stall.channel_id): "Stall"},
    )  # fmt: skip
    assert {name: present["totals"][name] for name in ("demanded", "sold", "lost", "oversold", "left")} == {
        "demanded": "16", "sold": "16", "lost": "0", "oversold": "0", "left": "4",
    }  # fmt: skip
    assert [(one["channel"], one["sold"], one["lost"]) for one in proposed["channels"]] == [
        (shop.channel_id, "8", "0"),
        (stall.channel_id, "8", "0"),
    ]
    # Four days with 20 and three with 4 are there; the stall shows five less, none of the last four.
    assert (present["totals"]["exposure"], proposed["totals"]["exposure"]) == ("2", "1.652")
    assert (present["totals"]["exposure_most"], present["weeks"], found["worst"]) == ("2", [["16", "0", "0"]], [])


def test_news_that_is_late_oversells_and_the_worst_items_are_named():
    shop, stall = two_channels(on_hand="10")
    for listing in (shop, stall):
        sold(listing, "8", days_ago=3)
    keeps_all = ProposedRule({"percent": Decimal(0)}, channel_id=stall.channel_id)

    found = answer(question(keeps_all, late_minutes=3 * 24 * 60)).result

    assert [found[side]["totals"]["oversold"] for side in ("present", "proposed")] == ["6", "0"]
    assert [found[side]["totals"]["lost"] for side in ("present", "proposed")] == ["0", "8"]
    assert [(row["sku"], row["present"]["oversold"], row["proposed"]["lost"]) for row in found["worst"]] == [
        ("CANDLE", "6", "8")
    ]


def test_the_same_question_on_the_same_data_has_the_same_answer():
    shop, stall = two_channels(on_hand="30")
    sold(shop, "4", days_ago=1, days=7)
    sold(stall, "3", days_ago=1, days=7)
    asked = question(late_minutes=90, seed=11)

    first, second = answer(asked), answer(asked)

    assert (first.result, first.fingerprint) == (second.result, second.fingerprint)
    assert Question.from_json(first.question) == asked


def test_nothing_but_the_simulation_is_written():
    shop, _ = two_channels()
    sold(shop, "4")
    before = (Movement.objects.count(), PublicationLine.objects.count(), AllocationPolicy.objects.count())

    answer(question())

    assert (Movement.objects.count(), PublicationLine.objects.count(), AllocationPolicy.objects.count()) == before


def test_the_same_key_asks_once_and_another_question_under_it_is_refused():
    two_channels()
    key = uuid4()
    first = ask(key=key)

    again = ask(key=key)
    with pytest.raises(IdempotencyMismatch):
        ask(question(weeks=2), key=key)

    assert (first.replayed, again.replayed, again.simulation) == (False, True, first.simulation)
    assert Simulation.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "term"),
    [
        ({"weeks": 0}, "weeks"),
        ({"weeks": 105}, "weeks"),
        ({"percent": 0}, "percent"),
        ({"cover_days": 0}, "cover_days"),
        ({"late_minutes": -1}, "late_minutes"),
        ({"late": {1: 20_000}}, "late_minutes"),
        ({"last_day": timezone.localdate}, "last_day"),
        ({"rules": ()}, "rules"),
        ({"rules": (ProposedRule({"percent": Decimal(101)}),)}, "percent"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_is_kept(fields, term):
    values = {name: value() if callable(value) else value for name, value in fields.items()}

    with pytest.raises(InvalidQuantity) as refusal:
        ask(replace(question(), **values))

    assert refusal.value.context["term"] == term
    assert not Simulation.objects.exists()


def test_a_question_without_data_fails_in_words():
    two_channels()

    simulation = answer(question())

    assert (simulation.state, simulation.result) == ("failed", None)
    assert "Nothing is known to have been sold" in simulation.problem


def test_a_worker_that_is_gone_is_replaced_and_comes_too_late():
    shop, _ = two_channels()
    sold(shop, "4")
    ask()
    lost = claim_simulation()
    assert claim_simulation() is None, "somebody has it"
    Simulation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert waiting_simulations() == 1

    second = claim_simulation()

    assert (second.pk, second.attempts) == (lost.pk, 2)
    assert not work_on_simulation(simulation=lost), "its answer counts no more"
    assert work_on_simulation(simulation=second)
    assert Simulation.objects.get().state == "done"


def test_one_that_is_begun_three_times_and_never_ends_is_given_up():
    two_channels()
    ask()
    for _ in range(3):
        claim_simulation()
        Simulation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert work_on_simulations(simulations_max=1) == 1

    found = Simulation.objects.get()
    assert (found.state, found.attempts) == ("failed", 3)
    assert "three times" in found.problem


def test_one_that_breaks_off_says_so_and_does_not_stop_the_next(monkeypatch):
    shop, _ = two_channels()
    sold(shop, "4")
    first, second = ask().simulation, ask().simulation
    real = simulating.read_rehearsal

    def breaks_once(*arguments, **named):
        monkeypatch.setattr(simulating, "read_rehearsal", real)
        raise ZeroDivisionError

    monkeypatch.setattr(simulating, "read_rehearsal", breaks_once)

    assert work_on_simulations(simulations_max=5) == 2

    assert [Simulation.objects.get(pk=one.pk).state for one in (first, second)] == ["failed", "done"]
    assert "ZeroDivisionError" in Simulation.objects.get(pk=first.pk).problem


def test_progress_is_written_item_by_item(monkeypatch):
    monkeypatch.setattr(simulating, "ITEMS_PER_STEP", 1)
    shop, stall = two_channels()
    sold(shop, "4")
    sold(two_channels(sku="SOAP", shop=shop.channel, stall=stall.channel)[0], "2")

    simulation = answer(question())

    assert (simulation.progress_done, simulation.progress_of, simulation.percent_done) == (2, 2, 100)


def test_only_the_newest_are_kept(monkeypatch):
    monkeypatch.setattr(simulating, "KEPT_MAX", 2)
    for _ in range(3):
        ask()
        claimed = claim_simulation()
        assert record_answer(simulation=claimed, result=None, problem="gone")
    oldest = Simulation.objects.order_by("pk").first()

    ask(repeats=oldest)

    assert oldest not in Simulation.objects.all()
    assert (Simulation.objects.count(), Simulation.objects.first().repeats) == (3, None)


def test_the_question_survives_being_stored():
    asked = question(
        ProposedRule({"percent": Decimal("12.5"), "priority": 3, "sharing": "weight", "trial_until": yesterday()}),
        ProposedRule({"buffer": Decimal(2)}, channel_id=1, item_id=2, campaign="Market"),
        channel_ids=(1, 2), category_id=3, late={1: 5}, seed=9,
    )  # fmt: skip

    assert Question.from_json(asked.to_json()) == asked
