"""kill -9 of any process of the product, at random moments."""

import contextlib
import os
import signal
import time
from collections import Counter
from pathlib import Path

from config.embedded.processes import is_alive, started_ticks

VICTIMS = {
    "web": ("web", "itself"),
    "one web process": ("web", "one below"),
    "worker": ("worker", "itself"),
    "one worker process": ("worker", "one below"),
    "beat": ("beat", "itself"),
    "valkey": ("valkey", "itself"),
    "sandbox": ("sandbox", "itself"),
    "postgres alone": ("postgres", "itself"),
    "postgres and all its processes": ("postgres", "all"),
    "one postgres process": ("postgres", "one below"),
}
"""Names of victims: which child of the supervisor, and what of it."""
RECOVERY_SECONDS_MAX = 90.0
REST_AT_MOST = 4


class NoRecovery(Exception):
    """The product did not come back after a kill."""


def kill_one(victim, *, children, chance):
    """Kill the victim, if it lives. Returns the process ids that were killed."""
    name, what = VICTIMS[victim]
    child = children.get(name, {})
    pid = child.get("pid")
    if pid is None or not is_alive(pid) or started_ticks(pid) != child.get("started_ticks"):
        return []  # on its way up from an earlier kill
    below = [] if what == "itself" else descendants(pid)
    pids = [pid, *below] if what != "one below" else below and [chance.choice(below)]
    killed = []
    for one in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
            killed.append(one)
    return killed


def descendants(pid):
    """Children of a process and theirs, in the order of their numbers."""
    parents = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (path / "stat").read_text(errors="replace").rpartition(")")[2].split()
                parents[int(path.name)] = int(fields[1])
    found, fresh = [], [pid]
    while fresh:
        fresh = sorted(child for child, parent in parents.items() if parent in fresh)
        found += fresh
    return found


def kill_at_random(*, kills, chance, children, journal, products, say):
    """Kill so many times, each victim as often as the others, in random order. Returns the counts by victim.

    Four times in five the stream must have moved on after the last kill, so that recovery is part of every round; else the
    next victim falls while the last one is still on the ground. Products that changed just before a kill are left alone from
    then on, so that what the kill may have lost is still lost when the shop is looked at. Raises NoRecovery.
    """
    counts, waiting, done = Counter(), [], 0
    while done < kills:
        if not waiting:
            waiting = list(VICTIMS)
            chance.shuffle(waiting)
        victim = waiting.pop()
        if chance.random() < 0.8:
            wait_for_progress(journal)
            time.sleep(chance.uniform(0.0, 2.0))
        else:
            time.sleep(chance.uniform(0.0, 0.3))
        killed = kill_one(victim, children=children(), chance=chance)
        if not killed:
            waiting.insert(0, victim)
            time.sleep(0.2)
            continue
        if len(journal.resting) < len(products) * 2 // 3:
            journal.let_rest(products, changed_within_seconds=1.0, at_most=REST_AT_MOST)
        done += 1
        counts[victim] += 1
        say(f"kill {done:3} of {kills}: {victim} ({len(killed)} processes), {journal.acknowledged_count} acknowledged")
    wait_for_progress(journal)
    return counts


def wait_for_progress(journal, *, answers=5):
    """Return when the clients have got some answers more than they had."""
    wanted = journal.acknowledged_count + answers
    deadline = time.monotonic() + RECOVERY_SECONDS_MAX
    while journal.acknowledged_count < wanted:
        if time.monotonic() > deadline:
            raise NoRecovery(f"Nothing was acknowledged for {RECOVERY_SECONDS_MAX:.0f} s after a kill.")
        time.sleep(0.05)
