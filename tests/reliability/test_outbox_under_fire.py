"""The outbox against a channel that fails in every way, its workers killed. Full size: docs/reliability.md."""

import os
import sys

import pytest

from tests.channels_sync.conftest import broken
from tests.reliability.fire import run

PUSHES = int(os.environ.get("BACKFLUSH_FIRE_PUSHES", "1000"))
KILLS = int(os.environ.get("BACKFLUSH_FIRE_KILLS", "5"))
SEED = int(os.environ.get("BACKFLUSH_FIRE_SEED", "1"))


@pytest.mark.slow
@pytest.mark.race
@pytest.mark.skipif(sys.platform != "linux", reason="forks workers and kills them")
def test_the_channel_ends_at_our_figures_whatever_it_answers_and_whoever_is_killed(committed_db):
    """F7. The promises are counted at the channel, which knows nothing of ours but what it was told."""
    found = run(pushes=PUSHES, kills=KILLS, seed=SEED)

    assert (found.older_after_newer, found.differing, found.unconfirmed, found.leased) == (0, 0, 0, 0), found
    assert found.pushes >= PUSHES
    assert found.kills == KILLS
    assert broken() == []
