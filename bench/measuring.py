"""Measuring drivers beside each other: interleaved rounds, medians of the ratios within each round."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg

from bench.clients import Clients, Work
from bench.database import Connection, reset_statements, statements_counted
from bench.dataset import Shop, restock

WARM_UP_SECONDS = 1.0
"""The first wake-up of the workers loads the broker's client and connects, in a thread of its own; that is not measured."""


@dataclass(slots=True)
class Round:
    """Figures of one driver in one round."""

    per_second: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float | None  # client and database, each completion
    cpu_client_ms: float
    wal_bytes: float  # each completion, page images left out when they can be told apart
    completions: int
    failures: dict[str, int]


@dataclass(slots=True)
class Series:
    """All rounds of one driver."""

    rounds: list[Round] = field(default_factory=list)

    def median(self, name: str) -> float | None:
        values = [getattr(one, name) for one in self.rounds]
        known = [float(value) for value in values if value is not None]
        return float(statistics.median(known)) if len(known) == len(values) else None

    def ratio_to(self, other: "Series", name: str) -> float | None:
        """The median over the rounds of our figure divided by the other's of the same round."""
        pairs = [(getattr(one, name), getattr(two, name)) for one, two in zip(self.rounds, other.rounds, strict=True)]
        if any(a is None or not b for a, b in pairs):
            return None
        return float(statistics.median(a / b for a, b in pairs))

    def failures(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for one in self.rounds:
            for state, count in one.failures.items():
                total[state] = total.get(state, 0) + count
        return total


def measure(
    *, admin: Connection, shop: Shop, drivers: Sequence[str], clients: int, rounds: int, seconds: float, has_wal: bool
) -> dict[str, Series]:
    """Run the drivers in turns, the order changing from round to round. The first turn of each warms up and is not counted."""
    teams = {name: Clients(name, shop, clients=clients) for name in drivers}
    series = {name: Series() for name in drivers}
    try:
        for team in teams.values():
            _refill(shop)
            team.work(seconds=5, completions_max=8)
        time.sleep(WARM_UP_SECONDS)
        for number in range(rounds):
            for name in drivers if number % 2 else reversed(drivers):
                series[name].rounds.append(_round(admin, shop, teams[name], seconds=seconds, has_wal=has_wal))
            admin.execute("VACUUM inventory_stockbalance, inventory_costpool")
    finally:
        for team in teams.values():
            team.close()
    return series


def _refill(shop: Shop) -> None:
    if shop.lots > 1:
        restock(shop)


def _round(admin: Connection, shop: Shop, team: Clients, *, seconds: float, has_wal: bool) -> Round:
    """One round; with several lots it is cut into passes, between which the small lots are filled up, off the clock."""
    works: list[Work] = []
    wall = 0.0
    wal = 0.0
    once = team.assemblies_each if shop.lots > 1 else 1_000_000
    while wall < seconds:
        _refill(shop)
        before = _wal_position(admin)
        done = team.work(seconds=seconds - wall + 0.02, completions_max=once)
        written = _wal_written(admin, before, has_wal=has_wal)
        wal += written
        works.extend(done)
        wall += max(work.ended for work in done) - min(work.began for work in done)
    return summarise(works, wall=wall, wal=wal)


def summarise(works: Sequence[Work], *, wall: float, wal: float) -> Round:
    latencies = sorted(latency for work in works for latency in work.latencies)
    count = len(latencies)
    client = sum(work.cpu_client for work in works)
    database = [work.cpu_database for work in works]
    total = None if None in database else client + sum(cpu for cpu in database if cpu is not None)
    failures: dict[str, int] = {}
    for work in works:
        for state, number in work.failures.items():
            failures[state] = failures.get(state, 0) + number
    return Round(
        per_second=count / wall,
        p50_ms=percentile(latencies, 50) * 1e3,
        p95_ms=percentile(latencies, 95) * 1e3,
        cpu_ms=None if total is None else total / count * 1e3,
        cpu_client_ms=client / count * 1e3,
        wal_bytes=wal / count,
        completions=count,
        failures=failures,
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest rank of an ordered sequence that is not empty."""
    return ordered[round(percent / 100 * (len(ordered) - 1))]


def _wal_position(admin: Connection) -> str:
    row = admin.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
    assert row is not None
    return str(row[0])


def _wal_written(admin: Connection, since: str, *, has_wal: bool) -> float:
    """Bytes of write-ahead log since a position; without page images where the server lets us look into it."""
    read = "SELECT coalesce(sum(record_size), 0) FROM pg_get_wal_stats(%s::pg_lsn, pg_current_wal_flush_lsn())"
    try:
        row = admin.execute(read if has_wal else "SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", (since,)).fetchone()
    except (psycopg.errors.InternalError_, psycopg.errors.InvalidParameterValue):
        return 0.0  # there is no record after the position: nothing was written
    assert row is not None
    return float(row[0])


def count_statements(*, admin: Connection, shop: Shop, driver: str, role: str, completions: int = 8) -> float:
    """Statements the driver sends for one completion, BEGIN and COMMIT included."""
    team = Clients(driver, shop, clients=1)
    try:
        _refill(shop)
        team.work(seconds=60, completions_max=4)
        reset_statements(admin)
        team.work(seconds=60, completions_max=completions)
        return statements_counted(admin, role=role) / completions
    finally:
        team.close()
