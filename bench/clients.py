"""Client processes: each has one driver and records completions when told to."""

import multiprocessing
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import psycopg
from django.db import Error as DatabaseError
from django.db import connections

from bench.dataset import Shop
from bench.drivers import DRIVERS

RETRIED = ("40P01", "40001", "55P03")
"""Deadlock, serialisation failure, lock time-out: counted and tried again."""


@dataclass(slots=True)
class Work:
    """What one client did in one go."""

    latencies: list[float]  # seconds
    began: float
    ended: float
    cpu_client: float  # seconds
    cpu_database: float | None  # seconds; None when the database runs elsewhere
    failures: dict[str, int] = field(default_factory=dict)
    """SQLSTATE -> number of failures that were tried again."""


def cpu_seconds(pids: Sequence[int]) -> float | None:
    """CPU time these processes used so far; None when they are not processes of this machine."""
    try:
        return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e9 if pids else None
    except (OSError, ValueError, IndexError):
        return None


def _client(pipe: Pipe, driver_name: str, shop: Shop, assemblies: Sequence[int]) -> None:
    driver = DRIVERS[driver_name](shop)
    position = 0
    pipe.send("ready")
    while (order := pipe.recv()) is not None:
        seconds, completions_max, starts_at = order
        time.sleep(max(0.0, starts_at - time.time()))
        before = cpu_seconds(driver.backends())
        work = Work([], time.time(), 0.0, time.process_time(), None)
        until = time.perf_counter() + seconds
        while len(work.latencies) < completions_max and (now := time.perf_counter()) < until:
            _complete(driver_name, driver, assemblies[position % len(assemblies)], work)
            work.latencies.append(time.perf_counter() - now)
            position += 1
        work.ended = time.time()
        work.cpu_client = time.process_time() - work.cpu_client
        after = cpu_seconds(driver.backends())
        work.cpu_database = None if before is None or after is None else after - before
        pipe.send(work)
    driver.close()


def _complete(driver_name: str, driver: object, assembly: int, work: Work) -> None:
    key = uuid.uuid4()
    while True:
        try:
            driver.complete(key, assembly)  # type: ignore[attr-defined]
            return
        except (psycopg.Error, DatabaseError) as error:
            state = getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None) or driver_name
            work.failures[state] = work.failures.get(state, 0) + 1
            if state not in RETRIED or sum(work.failures.values()) > 1000:
                raise


class Clients:
    """Processes that work at the same time, each on assemblies of its own."""

    def __init__(self, driver_name: str, shop: Shop, *, clients: int) -> None:
        connections.close_all()  # the processes are forks, and a connection belongs to one process
        share = len(shop.assemblies) // clients
        self.assemblies_each = share
        self._members: list[tuple[multiprocessing.Process, Pipe]] = []
        for number in range(clients):
            here, there = multiprocessing.Pipe()
            own = shop.assemblies[number * share : (number + 1) * share]
            process = multiprocessing.Process(target=_client, args=(there, driver_name, shop, own), daemon=True)
            process.start()
            there.close()
            self._members.append((process, here))
        for _, pipe in self._members:
            pipe.recv()

    def work(self, *, seconds: float, completions_max: int = 1_000_000) -> list[Work]:
        """Let all of them work until the time is over or each has done `completions_max`."""
        starts_at = time.time() + 0.01
        for _, pipe in self._members:
            pipe.send((seconds, completions_max, starts_at))
        return [pipe.recv() for _, pipe in self._members]

    def close(self) -> None:
        for process, pipe in self._members:
            pipe.send(None)
            process.join(10)
            pipe.close()
