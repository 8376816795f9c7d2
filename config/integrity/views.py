"""The pages of the ledger check: the board of all facts, one run, and checking now."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from config.integrity.board import STRIP_RUNS, facts, facts_of, is_overdue, latest, one_run, readable, runs
from config.integrity.checking import RUNS_KEPT, progress, run_check
from config.tasks import check_ledger
from inventory.models import InvariantRun
from inventory.wakeups import reaches_workers
from inventory.web import Crumb, go_to, is_htmx, render_page
from inventory.whole_numbers import whole_number

MOVEMENTS_AT_ONCE_MAX = 100_000
"""Up to so many movements the check takes a moment and the person may wait for it; above, a worker does it."""
BY_HAND = "by hand"


@require_GET
@permission_required("inventory.view_invariantrun", raise_exception=True)
def ledger_check(request: HttpRequest) -> HttpResponse:
    """Every fact with its last thirty results, and the runs."""
    newest = runs()
    before = whole_number(request.GET.get("before"))
    is_older = before is not None
    listed = runs(rows_max=STRIP_RUNS + 1) if before is None else runs(before=before, rows_max=STRIP_RUNS + 1)
    row = newest[0] if newest else None
    waits_after = request.GET.get("after", "")
    return render_page(
        request,
        "config/ledger_check.html",
        title="Ledger check",
        row=row,
        board=facts(newest),
        findings=readable(row.broken) if row else [],
        is_overdue=row is not None and is_overdue(row),
        rows=listed[:STRIP_RUNS],
        next_before=listed[STRIP_RUNS - 1].run.pk if len(listed) > STRIP_RUNS else None,
        is_first_page=not is_older,
        strip_runs=STRIP_RUNS,
        runs_kept=RUNS_KEPT,
        **_waiting(waits_after),
    )


@require_GET
@permission_required("inventory.view_invariantrun", raise_exception=True)
def ledger_check_run(request: HttpRequest, pk: int) -> HttpResponse:
    """What one run found."""
    row = one_run(pk)
    if row is None:
        raise Http404(f"There is no run {pk}. The newest {RUNS_KEPT} are kept.")
    return render_page(
        request,
        "config/ledger_check_run.html",
        title=f"Check {pk}",
        crumbs=[Crumb("Ledger check", reverse("ledger_check"))],
        row=row,
        board=facts_of(row),
        findings=readable(row.broken),
    )


@require_POST
@permission_required("inventory.run_invariants", raise_exception=True)
def check_now(request: HttpRequest) -> HttpResponse:
    """Check at once when the ledger is small, else have a worker do it and show how far it is."""
    is_on_its_way = progress() is not None or (not _is_small() and _send())
    if is_on_its_way:
        newest = InvariantRun.objects.order_by("-id").values_list("id", flat=True).first() or 0
        return go_to(request, f"{reverse('ledger_check')}?after={newest}")
    run_check(cause=BY_HAND)
    found = latest()
    assert found is not None, "the run was kept a moment ago"
    if found.is_good:
        return go_to(request, reverse("ledger_check"), message=f"All {len(found.results)} facts hold.")
    words = f"{len(found.broken)} of {len(found.results)} facts are broken."
    return go_to(request, reverse("ledger_check"), message=words, level=messages.ERROR)


@require_GET
@permission_required("inventory.view_invariantrun", raise_exception=True)
def check_progress(request: HttpRequest) -> HttpResponse:
    """How far the running check is; the whole page again once it has ended."""
    context = _waiting(request.GET.get("after", ""))
    if not is_htmx(request) or not context["is_waiting"]:
        return go_to(request, reverse("ledger_check"))
    return render(request, "config/_ledger_check_progress.html", context)


def _waiting(after: str) -> dict[str, Any]:
    """Whether a check is on its way: one that runs, or one that was asked for after the run `after`."""
    running = progress()
    number = whole_number(after)
    is_asked = number is not None and not InvariantRun.objects.filter(pk__gt=number).exists()
    return {"running": running, "after": after if is_asked else "", "is_waiting": running is not None or is_asked}


def _is_small() -> bool:
    """By the database's own estimate, which costs nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'inventory_movement'::regclass")
        (estimate,) = cursor.fetchone()
    return bool(estimate <= MOVEMENTS_AT_ONCE_MAX)


def _send() -> bool:
    """Ask a worker; False when the broker cannot be reached."""
    return reaches_workers(
        lambda: check_ledger.apply_async(kwargs={"cause": BY_HAND}, retry=False, expires=3_600), task=check_ledger.name
    )
