"""Runs of the ledger check: kept, signed, bounded, shown, and in red on the start page until a later run is clean."""

from decimal import Decimal

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from config.integrity import checking, views
from config.integrity.board import facts, latest, readable, runs
from config.integrity.checking import run_check
from config.invariants import INVARIANTS
from config.tasks import check_ledger
from inventory.models import CostPool, InvariantResult, InvariantRun, StockBalance
from tests.config.test_verify_ledger import alter_movement, workshop  # noqa: F401
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def breach(workshop):  # noqa: F811
    StockBalance.objects.filter(item=workshop[0]).update(quantity=Decimal("8.5"))


def mend(workshop):  # noqa: F811
    StockBalance.objects.filter(item=workshop[0]).update(quantity=Decimal("9"))


def test_keeps_every_fact_with_its_time_and_a_signature_that_fits(workshop):  # noqa: F811
    run = run_check(cause="nightly")

    stored = latest()
    assert stored.run == run
    assert stored.is_genuine
    assert run.is_true
    assert run.movements == 3
    assert [(one.app, one.name) for one in stored.results] == [(app, fact.name) for app, fact in INVARIANTS]
    assert all(one.findings == [] and one.milliseconds >= 0 for one in stored.results)


def test_one_balance_one_movement_and_one_cost_are_all_found(workshop):  # noqa: F811
    """Rehearsal of damage (F14), as the owner of the tables, around the trigger."""
    wax, candle, _ = workshop
    alter_movement(
        "UPDATE inventory_movement SET quantity = quantity - 0.001 WHERE item_id = %s AND quantity < 0", [wax.pk]
    )
    StockBalance.objects.filter(item=candle).update(quantity=Decimal(6))
    CostPool.objects.filter(item=candle).update(value=Decimal("4.49"))

    run = run_check(cause="nightly")

    found = {one.name: " ".join(one.findings) for one in run.results.exclude(findings=[])}
    assert not run.is_true
    assert f"item {wax.pk} at location" in found["balances"]
    assert "balance 9.000000, movements 8.999000" in found["balances"]
    assert "balance 6.000000, movements 5.000000" in found["balances"]
    assert f"item {candle.pk}: pool 5.000000 worth 4.490000, movements 5.000000 worth 4.500000" in found["pools"]
    assert f"item {wax.pk}: pool 9.000000" in found["pools"]


@pytest.mark.parametrize(
    "change",
    [
        lambda run: InvariantResult.objects.filter(run=run, name="balances").update(findings=[]),
        lambda run: InvariantRun.objects.filter(pk=run.pk).update(is_true=True),
        lambda run: InvariantRun.objects.filter(pk=run.pk).update(movements=4),
        lambda run: InvariantRun.objects.filter(pk=run.pk).update(started_at=timezone.now().replace(year=2020)),
        lambda run: InvariantResult.objects.filter(run=run, name="balances").delete(),
        lambda run: InvariantRun.objects.filter(pk=run.pk).update(signature="0" * 64),
    ],
    ids=["findings", "outcome", "movements", "time", "a fact taken away", "signature"],
)
def test_a_run_that_was_changed_is_told_apart(workshop, change):  # noqa: F811
    breach(workshop)
    run = run_check(cause="nightly")
    assert latest().is_genuine

    change(run)

    assert not latest().is_genuine


def test_a_signature_of_an_earlier_secret_still_counts_and_another_does_not(workshop):  # noqa: F811
    with override_settings(SECRET_KEY="earlier" * 10):
        run_check(cause="nightly")

    assert not latest().is_genuine
    with override_settings(SECRET_KEY_FALLBACKS=["earlier" * 10]):
        assert latest().is_genuine


def test_a_breach_is_logged_as_an_error_with_its_facts(workshop, monkeypatch):  # noqa: F811
    logged = []
    monkeypatch.setattr(checking.logger, "error", lambda message, *, extra: logged.append((message, extra)))
    breach(workshop)

    run = run_check(cause="nightly")

    [(message, facts)] = logged
    assert message == "ledger.broken"
    assert facts["run_id"] == run.pk
    assert facts["facts"] == ["inventory: balances"]
    assert facts["findings"] == 1
    assert "balance 8.500000, movements 9.000000" in facts["first_finding"]


def test_only_the_newest_runs_are_kept(monkeypatch):
    monkeypatch.setattr(checking, "RUNS_KEPT", 3)
    made = [run_check(cause="nightly").pk for _ in range(5)]

    assert sorted(InvariantRun.objects.values_list("pk", flat=True)) == made[2:]
    assert InvariantResult.objects.count() == 3 * len(INVARIANTS)


def test_the_nightly_task_keeps_a_run_and_is_on_the_schedule(workshop):  # noqa: F811
    from django_celery_beat.models import PeriodicTask

    scheduled = PeriodicTask.objects.get(task=check_ledger.name)

    breach(workshop)

    assert check_ledger(cause="nightly") == 1
    assert InvariantRun.objects.get().cause == "nightly"
    assert scheduled.enabled
    assert (scheduled.crontab.hour, scheduled.kwargs) == ("2", '{"cause": "nightly"}')


def test_the_command_keeps_its_run_unless_told_otherwise(workshop):  # noqa: F811
    call_command("verify_ledger", "--no-store", verbosity=0)
    assert not InvariantRun.objects.exists()

    call_command("verify_ledger", verbosity=0)
    breach(workshop)
    with pytest.raises(CommandError):
        call_command("verify_ledger", verbosity=0)

    assert list(InvariantRun.objects.order_by("pk").values_list("cause", "is_true")) == [
        ("verify_ledger", True),
        ("verify_ledger", False),
    ]


# --- Pages ------------------------------------------------------------------------------------------------------------


def test_the_page_teaches_before_the_first_check(as_viewer):
    page = as_viewer.get(reverse("ledger_check")).content.decode()

    assert "Not checked yet" in page
    assert "Every balance is the sum of its movements." in page
    assert "Check now" not in page.replace("“Check now”", "")


def test_a_person_with_the_right_checks_at_once_and_sees_that_all_holds(as_planner, workshop):  # noqa: F811
    response = as_planner.post(reverse("ledger_check_now"), follow=True)

    page = response.content.decode()
    assert f"All {len(INVARIANTS)} facts hold." in page
    assert "Every fact holds." in page
    assert InvariantRun.objects.get().cause == "by hand"


def test_checking_needs_its_own_right(as_operator, as_viewer):
    for client in (as_operator, as_viewer):
        assert client.post(reverse("ledger_check_now")).status_code == 403
        assert client.get(reverse("ledger_check")).status_code == 200
    assert not InvariantRun.objects.exists()


def test_who_counts_blind_does_not_see_the_figures_of_findings(client):
    client.force_login(make_user(role="counter"))

    assert client.get(reverse("ledger_check")).status_code == 403


def test_findings_name_the_item_and_place_instead_of_their_ids(as_viewer, workshop):  # noqa: F811
    breach(workshop)
    run_check(cause="nightly")

    page = as_viewer.get(reverse("ledger_check")).content.decode()

    assert f'<a class="bf-code" href="/stock/items/{workshop[0].pk}/?tab=ledger">WAX</a>' in page
    assert f"1 of {len(INVARIANTS)} facts is broken." in page
    assert "balance 8.5, movements 9<" in page


def test_a_large_ledger_is_checked_by_a_worker_and_the_page_waits(as_planner, workshop, monkeypatch):  # noqa: F811
    sent = []
    monkeypatch.setattr(views, "MOVEMENTS_AT_ONCE_MAX", -2)
    monkeypatch.setattr(check_ledger, "apply_async", lambda **options: sent.append(options["kwargs"]))
    earlier = run_check(cause="nightly")

    response = as_planner.post(reverse("ledger_check_now"))

    assert sent == [{"cause": "by hand"}]
    assert response.url == f"/ledger-check/?after={earlier.pk}"
    assert "Waiting for a worker to begin." in as_planner.get(response.url).content.decode()
    waiting = as_planner.get(f"/ledger-check/progress/?after={earlier.pk}", headers={"HX-Request": "true"})
    assert "Waiting for a worker" in waiting.content.decode()

    check_ledger(**sent[0])

    done = as_planner.get(f"/ledger-check/progress/?after={earlier.pk}", headers={"HX-Request": "true"})
    assert done.headers["HX-Redirect"] == "/ledger-check/"


def test_a_large_ledger_is_checked_at_once_when_the_broker_is_away(as_planner, workshop, monkeypatch):  # noqa: F811
    def refuse(**_options):
        raise ConnectionError("no broker")

    monkeypatch.setattr(views, "MOVEMENTS_AT_ONCE_MAX", -2)
    monkeypatch.setattr(check_ledger, "apply_async", refuse)

    as_planner.post(reverse("ledger_check_now"))

    assert InvariantRun.objects.count() == 1


def test_a_changed_run_is_shown_as_such_and_so_is_the_start_page(as_viewer, workshop):  # noqa: F811
    breach(workshop)
    run = run_check(cause="nightly")
    InvariantRun.objects.filter(pk=run.pk).update(is_true=True)
    InvariantResult.objects.filter(run=run).update(findings=[])

    page = as_viewer.get(reverse("ledger_check")).content.decode()
    first = as_viewer.get("/").context["attention"][0]

    assert "This check was changed after it was written." in page
    assert "Changed after the check" in page
    assert (first.tone, first.url) == ("blocked", "/ledger-check/")
    assert "proves nothing" in first.text


def test_a_breach_stands_first_and_red_on_the_start_page_until_a_later_check_is_clean(as_viewer, workshop):  # noqa: F811
    breach(workshop)
    run_check(cause="nightly")

    broken = as_viewer.get("/").context["attention"][0]
    mend(workshop)
    still = as_viewer.get("/").context["attention"][0]
    run_check(cause="by hand")
    after = as_viewer.get("/").context["attention"]

    assert (broken.tone, broken.text) == ("blocked", "The ledger check found 1 broken fact")
    assert still.text == broken.text
    assert "/ledger-check/" not in [one.url for one in after]


def test_a_check_that_did_not_run_is_told(as_viewer):
    with time_machine.travel("2026-03-01 02:17", tick=False):
        run_check(cause="nightly")

    with time_machine.travel("2026-03-02 02:30", tick=False):
        assert "/ledger-check/" not in [one.url for one in as_viewer.get("/").context["attention"]]
    with time_machine.travel("2026-03-04 09:00", tick=False):
        late = as_viewer.get("/").context["attention"][0]
    assert (late.tone, late.text) == (
        "look",
        "The ledger was last checked 3 days ago: the nightly check does not run",
    )


def test_the_strip_shows_each_run_oldest_first(workshop):  # noqa: F811
    run_check(cause="nightly")
    breach(workshop)
    run_check(cause="nightly")

    board = {fact.name: fact for fact in facts(runs())}

    assert [mark.tone for mark in board["balances"].marks] == ["good", "blocked"]
    assert (board["balances"].broken_times, board["balances"].checked_times) == (1, 2)
    assert [mark.tone for mark in board["pools"].marks] == ["good", "good"]


def test_the_page_costs_the_same_with_1_and_with_20_runs(as_viewer, workshop):  # noqa: F811
    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert as_viewer.get(reverse("ledger_check")).status_code == 200
        return len(seen)

    breach(workshop)
    run_check(cause="nightly")
    queries()
    few = queries()
    for _ in range(19):
        run_check(cause="nightly")

    assert queries() == few


def test_pages_of_runs_follow_each_other(as_viewer, monkeypatch):
    monkeypatch.setattr(views, "STRIP_RUNS", 2)
    made = [run_check(cause="nightly").pk for _ in range(3)]

    first = as_viewer.get(reverse("ledger_check")).context
    second = as_viewer.get(reverse("ledger_check"), {"before": first["next_before"]}).context

    assert [row.run.pk for row in first["rows"]] == made[:0:-1]
    assert [row.run.pk for row in second["rows"]] == made[:1]
    assert second["next_before"] is None


def test_the_page_of_one_run_keeps_what_it_found(as_viewer, workshop):  # noqa: F811
    breach(workshop)
    run = run_check(cause="nightly")
    mend(workshop)
    run_check(cause="nightly")

    page = as_viewer.get(reverse("ledger_check_run", args=[run.pk])).content.decode()

    assert "balance 8.5, movements 9<" in page
    assert run.signature in page
    assert as_viewer.get(reverse("ledger_check_run", args=[run.pk + 9])).status_code == 404


def test_findings_are_named_with_a_fixed_number_of_queries(workshop, django_assert_num_queries):  # noqa: F811
    breach(workshop)
    run = run_check(cause="nightly")
    results = list(run.results.all())

    with django_assert_num_queries(3):
        found = readable(results)

    assert len(found) == 1
