"""Two workers and one question."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from uuid import uuid4

import pytest
from django.db import connection

from channels_sync.models import Simulation
from channels_sync.operations.simulating import ask_simulation, claim_simulation
from tests.channels_sync.simulation.selling import question, two_channels

pytestmark = pytest.mark.race
PATIENCE_SECONDS = 30


def test_a_question_goes_to_one_worker_alone(committed_db, monkeypatch):
    """Fails without FOR NO KEY UPDATE SKIP LOCKED in `claim_simulation`: both then take the same row."""
    two_channels()
    simulation = ask_simulation(key=uuid4(), question=question(), actor=None).simulation
    start, taken = Barrier(2), Barrier(2)
    save = Simulation.save

    def save_after_the_other_has_chosen(self, *arguments, **named):
        with suppress(BrokenBarrierError):  # the other one got nothing and never comes here
            taken.wait(1)
        save(self, *arguments, **named)

    monkeypatch.setattr(Simulation, "save", save_after_the_other_has_chosen)

    def work():
        try:
            start.wait(PATIENCE_SECONDS)
            found = claim_simulation()
            return None if found is None else found.pk
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        found = [one.result(PATIENCE_SECONDS) for one in [pool.submit(work), pool.submit(work)]]

    assert sorted(found, key=str) == sorted([simulation.pk, None], key=str)
