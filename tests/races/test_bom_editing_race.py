"""Rivals that save the same draft, and that activate the same replacement, with real commits."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal

import pytest
from django.db import connection, connections

from inventory.errors import DomainError, WrongState
from production.bom_checks import BomLineSpec
from production.bom_content import BomContent
from production.errors import BomChangedMeanwhile
from production.models import Bom, BomState
from production.operations import bom_content as saving
from production.operations.boms import create_draft
from production.operations.replacing import Exchange, activate_replacement, replace_component
from tests.factories import make_item
from tests.production.factories import make_bom

pytestmark = pytest.mark.race


def together(works):
    """Run the callables at the same moment, each on a connection of its own; results or refusals."""
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


def test_of_two_who_save_at_once_one_is_told(committed_db, monkeypatch):
    """Fails when write_bom neither locks the graph nor reads the draft under a lock: then both pass the check."""
    item, parts = make_item(), [make_item(), make_item()]
    draft = create_draft(item=item, actor=None)
    real, barrier = saving.check_content, threading.Barrier(2)

    def meet(**named):
        with suppress(threading.BrokenBarrierError):  # the rival is kept waiting by the lock, as it should be
            barrier.wait(timeout=0.5)
        return real(**named)

    monkeypatch.setattr(saving, "check_content", meet)

    def save(part):
        content = BomContent(lines=[BomLineSpec(part, Decimal(1), substitutes=())])
        return lambda: saving.write_bom(bom=draft, content=content, revision=1, actor=None)

    results = together([save(part) for part in parts])

    told = [one for one in results if isinstance(one, BomChangedMeanwhile)]
    stored = Bom.objects.get(pk=draft.pk)
    assert (len(told), stored.revision, stored.lines.count()) == (1, 2, 1)


def test_a_replacement_comes_into_force_once(committed_db):
    """Fails when activate_replacement reads its record and drafts without a lock."""
    old, new = make_item(), make_item()
    boms = [make_bom(item=make_item(), lines=[(old, "1")]) for _ in range(3)]
    record = replace_component(boms=boms, exchange=Exchange(old, new), actor=None)

    results = together([lambda: activate_replacement(replacement=record, actor=None)] * 2)

    refused = [one for one in results if isinstance(one, WrongState)]
    assert len(refused) == 1
    assert Bom.objects.filter(state=BomState.ACTIVE, lines__component=new).count() == 3
    assert Bom.objects.filter(state=BomState.DRAFT).count() == 0
