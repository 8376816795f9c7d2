"""One run inside the running product: stream, kills, settling, checks. Started by scripts/kill_test.py.

The exit code is 0 when every check held and 1 when one did not or the product did not come back.
"""

import argparse
import os
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import django

from config.embedded.places import Places
from tests.reliability import checks, facts
from tests.reliability.clients import Client
from tests.reliability.journal import Journal
from tests.reliability.killing import NoRecovery, kill_at_random, wait_for_progress
from tests.reliability.workshop import make_workshop

KILLS_PER_ROUND = 50
"""After so many kills everything is checked, then the stream goes on."""
SWEEP_SECONDS = 5
SWEEPS_MAX = 2
LEASE_SECONDS, BACKOFF_SECONDS_MAX = 120.0, 300.0
"""The product's own, written down again on purpose."""
SLACK_SECONDS = 20
"""For a busy machine, on top of the sweeps, the leases and the pauses after failures that still run."""
READY_SECONDS_MAX = 60
REPEAT_SECONDS_MAX = 20.0
"""How long a request without a clear answer is repeated after the kills."""


def main():
    options = _options()
    django.setup()
    workshop = make_workshop()
    journal = Journal(Path(os.environ["BACKFLUSH_VAR"]) / "journal.jsonl")
    say(
        f"seed {options.seed}: {len(workshop.recipes)} products, {len(workshop.rules)} listings, {options.clients} clients"
    )
    chance = random.Random(f"{options.seed}:kills")
    made = [[] for _ in range(options.clients)]
    killed = Counter()
    while killed.total() < options.kills:
        kills = min(KILLS_PER_ROUND, options.kills - killed.total())
        failed, counts = _round(options, workshop, journal, chance=chance, start=killed.total(), kills=kills, made=made)
        killed += counts
        if failed:
            say(f"FAILED (seed {options.seed}, {killed.total()} kills)")
            return 1
    say(f"passed (seed {options.seed}, {killed.total()} kills, {journal.acknowledged_count} acknowledged)")
    return 0


def _round(options, workshop, journal, *, chance, start, kills, made):
    """Stream and kills, settling, checks. Returns whether a check failed, and the kills by victim."""
    _close_connection()
    began = time.monotonic()
    try:
        killed, clients = _stream(options, workshop, journal, chance=chance, start=start, kills=kills, made=made)
        children = _wait_until_all_are_ready()
    except NoRecovery as error:
        say(f"FAILED  {error}")
        return True, Counter(killed=kills)
    say(f"stream: {time.monotonic() - began:.0f} s, {_counts(journal.counts)}")
    say(f"kills: {_counts(killed)}; {len(journal.resting)} products left alone after one")
    say(f"restarts: {_counts({name: child['restarts'] for name, child in children.items()})}")
    for request in journal.requests:
        clients[0].settle(request, seconds=REPEAT_SECONDS_MAX)
    failed = _check(workshop, journal, _settle())
    journal.wake_all()
    return failed, killed


def say(text):
    sys.stdout.write(f"[kill test {time.strftime('%H:%M:%S')}] {text}\n")
    sys.stdout.flush()


def _stream(options, workshop, journal, *, chance, start, kills, made):
    is_over = threading.Event()
    clients = [
        Client(
            number=number,
            seed=f"{options.seed}:{start}",
            workshop=workshop,
            journal=journal,
            base_url=os.environ["BACKFLUSH_BASE_URL"],
            is_over=is_over,
            made=made[number],
        )
        for number in range(options.clients)
    ]
    for client in clients:
        client.start()
    try:
        wait_for_progress(journal)
        killed = kill_at_random(
            kills=kills, chance=chance, children=_children, journal=journal, products=workshop.products, say=say
        )
    finally:
        is_over.set()
        for client in clients:
            client.join(timeout=120)
    return killed, clients


def _children():
    return Places(var=Path(os.environ["BACKFLUSH_VAR"])).state()["children"]


def _wait_until_all_are_ready():
    deadline = time.monotonic() + READY_SECONDS_MAX
    while True:
        children = _children()
        late = [name for name, child in children.items() if child["state"] != "ready"]
        if not late:
            return children
        if time.monotonic() > deadline:
            raise NoRecovery(f"{', '.join(late)} not ready {READY_SECONDS_MAX} s after the last kill.")
        time.sleep(0.2)


def _settle():
    """Wait until the workers have nothing left to do. Returns what still waits when the time is over.

    What may last: the leases of dead senders and the pauses after failures that run now, and then two sweeps. A lease or a
    pause that is longer than the product's longest one is a fault, and not waited for.
    """
    waiting, lease, pause = facts.work_that_waits()
    began = time.monotonic()
    lease = min(lease, float(os.environ.get("BACKFLUSH_KILL_LEASE_SECONDS") or LEASE_SECONDS))
    pause = min(pause, BACKOFF_SECONDS_MAX)
    limit = max(lease, pause) + SWEEPS_MAX * SWEEP_SECONDS + SLACK_SECONDS
    say(f"settling: {_counts(waiting) or 'nothing waits'}; leases end in {lease:.0f} s, pauses in {pause:.0f} s")
    while (waiting["news"] or waiting["to send"] or waiting["to confirm"]) and time.monotonic() - began < limit:
        time.sleep(0.25)
        waiting, *_ = facts.work_that_waits()
    say(f"settled after {time.monotonic() - began:.1f} s (allowed {limit:.0f}): {_counts(waiting) or 'nothing waits'}")
    return waiting


def _check(workshop, journal, waiting):
    requests, recipes = journal.requests, workshop.recipes
    stored = facts.read_stored(workshop)
    shown = facts.shown_in_the_shop()
    made = sum(1 for request in requests if request.kind == "completion" and request.status == "acknowledged")
    say(f"database: {len(stored.postings)} postings, {len(stored.completions)} completions; {made} acknowledged")
    say(f"published figures: {_counts(facts.lines_by_state())}")
    say(f"refused by the shop: {_counts(facts.refusals_by_the_shop()) or 'nothing'}")
    all_checks = {
        "every invariant of verify_ledger holds": facts.broken_invariants(),
        "every fate is known": checks.every_fate_is_known(requests),
        "everything acknowledged is there exactly once, whole": checks.acknowledged_exactly_once(
            requests, stored, recipes
        ),
        "nothing refused and nothing unknown is there": checks.nothing_else_is_there(requests, stored),
        "no posting without movements or news": checks.nothing_is_half_done(stored),
        "stock is what was acknowledged": checks.stock_is_what_was_acknowledged(requests, stored, recipes),
        "no client got an answer it may not get": journal.complaints,
        "all news is taken in and everything pending is sent": _left_over(waiting),
        "no row is held": [f"{waiting['held']} rows are leased and nobody sends them"] if waiting["held"] else [],
        "the shop shows the right figures": checks.shop_shows_the_right_figures(
            requests, recipes, workshop.rules, shown
        ),
    }
    for name, findings in all_checks.items():
        say(f"{'FAILED' if findings else 'ok    '}  {name}")
        for finding in findings[: checks.FINDINGS_MAX]:
            say(f"          {finding}")
        if len(findings) > checks.FINDINGS_MAX:
            say(f"          and {len(findings) - checks.FINDINGS_MAX} more")
    return any(all_checks.values())


def _left_over(waiting):
    left = [f"{waiting[name]} {name}" for name in ("news", "to send") if waiting[name]]
    return left + facts.errors_of_pushes() if left else []


def _close_connection():
    from django.db import connection

    connection.close()


def _counts(counts):
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()) if number)


def _options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--clients", type=int, default=4)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
