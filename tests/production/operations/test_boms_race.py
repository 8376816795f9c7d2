"""Rivals that edit and activate BOMs, with real commits. Each test names the line whose removal makes it fail."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal

import pytest
from django.db import connection, connections

from inventory.errors import DomainError
from production.bom_checks import BomLineSpec
from production.errors import BomCycle
from production.models import Bom, BomState
from production.operations import boms as boms_module
from production.operations.boms import activate_bom, create_draft, draft_from
from tests.factories import make_item

pytestmark = pytest.mark.race


def together(works):
    """Run the callables at the same moment, each on a connection of its own; results or exceptions."""
    barrier = threading.Barrier(len(works))

    def run(work):
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return work()
        except DomainError as refusal:
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def draft(item, component):
    return create_draft(item=item, lines=[BomLineSpec(component=component, quantity=Decimal(1))], actor=None)


def meet_after(monkeypatch, name, rivals=2):
    """Let both rivals pass the named step before either goes on, or one alone once the other is kept waiting by a lock."""
    real, barrier = getattr(boms_module, name), threading.Barrier(rivals)

    def step(*arguments, **named):
        found = real(*arguments, **named)
        with suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=0.5)
        return found

    monkeypatch.setattr(boms_module, name, step)


def test_two_activations_at_once_leave_one_open_active(committed_db, monkeypatch):
    """Fails when locked_versions reads without select_for_update."""
    item, part = make_item(), make_item()
    rivals = [draft(item, part) for _ in range(2)]
    meet_after(monkeypatch, "locked_versions")

    results = together([lambda bom=bom: activate_bom(bom=bom, actor=None) for bom in rivals])

    assert [r for r in results if isinstance(r, Exception)] == []
    states = sorted(Bom.objects.filter(item=item).values_list("state", flat=True))
    assert states == [BomState.ACTIVE, BomState.RETIRED]
    assert Bom.objects.filter(item=item, state=BomState.ACTIVE, effective_to__isnull=True).count() == 1


def test_two_drafts_that_would_make_a_loop_together_are_not_both_saved(committed_db, monkeypatch):
    """Fails when create_draft does not take the graph lock."""
    one, other = make_item(sku="ONE"), make_item(sku="OTHER")
    meet_after(monkeypatch, "check_bom")

    results = together([lambda: draft(one, other), lambda: draft(other, one)])

    assert [type(r) for r in results if isinstance(r, Exception)] == [BomCycle]
    assert Bom.objects.count() == 1


def test_drafts_made_at_once_get_numbers_of_their_own(committed_db):
    """Fails when create_draft does not take the graph lock."""
    item, part = make_item(), make_item()
    first = draft(item, part)

    together([lambda: draft_from(bom=first, actor=None) for _ in range(6)])

    assert sorted(Bom.objects.filter(item=item).values_list("version", flat=True)) == [1, 2, 3, 4, 5, 6, 7]
